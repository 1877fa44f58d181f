"""Every tool on every network: right, or refused clearly; and the page says so."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import replace

import pytest
import torch
from torch import nn

import cnnref.nn
from cnnref.nn.gradcam import GradCAM, GradCAMPlusPlus
from tests.helpers import matrix as cells
from tests.helpers.matrix import HEADING, NETWORKS, PAGE, TOOLS, Network, Tool, cell

TEXT = PAGE.read_text(encoding="utf-8")

# Bases of other classes, and `response`, with which the objectives are tried.
NOT_ALONE = {"EvidenceMap", "GradientMap", "InputMap", "response"}


@pytest.mark.parametrize("name", NETWORKS)
def test_each_cell_is_right_or_clear_and_as_on_the_page(name):
    row = cells.matrix(networks=[name])[name]
    assert not {tool: one.fault for tool, one in row.items() if one.fault}
    own = {(row[tool].right, row[tool].error, row[tool].argument) for tool in cells.OWN}
    assert own == {(False, "TypeError", "model")}
    rewrite = "python -m tests.helpers.matrix writes the page"
    assert cells.section(name, row) in TEXT, rewrite
    assert cells.table_row(name, row) in TEXT, rewrite


def test_the_page_has_the_whole_matrix_and_nothing_else():
    rows = re.findall(r"^\| \[.*\n", TEXT, re.MULTILINE)
    sections = [f"### {part}" for part in TEXT[TEXT.index(HEADING) :].split("\n### ")[2:]]
    sections = [part.rstrip("\n") + "\n" for part in sections]
    assert [part.split("\n")[0] for part in sections] == [f"### {name}" for name in NETWORKS]
    assert [row.split("]")[0] for row in rows] == [f"| [{name}" for name in NETWORKS]
    assert TEXT[TEXT.index(HEADING) :] == cells.page(sections, rows)


def test_every_public_tool_is_in_the_matrix():
    tried = {tool.function for tool in TOOLS.values()}
    public = {}
    for module in pkgutil.iter_modules(cnnref.nn.__path__):
        if not module.name.startswith("_"):
            package = importlib.import_module(f"cnnref.nn.{module.name}")
            public.update({name: getattr(package, name) for name in package.__all__})
    taking = {
        name
        for name, one in public.items()
        if inspect.isfunction(one) or (inspect.isclass(one) and not issubclass(one, Exception))
        if {"model", "module"} & set(inspect.signature(one).parameters)
    }
    missing = {name for name in taking if public[name] not in tried}
    assert missing == NOT_ALONE


# The checks themselves: each kind of wrong cell is found.

SMALL = NETWORKS["Gradient checkpointing"]


def tool(use, truth=None, function=GradCAM, **settings):
    """A tool of a single rule, whose truth is a tensor of ones unless given."""
    return Tool("maps", function, use, truth or (lambda *_: torch.ones(3)), **settings)


def test_a_wrong_result_is_found():
    assert cell(tool(lambda *_: torch.ones(3)), SMALL).right
    assert "wrong" in cell(tool(lambda *_: torch.tensor([1.0, 1.0, 1.001])), SMALL).fault
    assert "wrong: shape" in cell(tool(lambda *_: torch.ones(1, 3)), SMALL).fault
    assert "wrong" in cell(tool(lambda *_: torch.full((3,), torch.nan)), SMALL).fault


def test_a_comparison_with_zeros_is_found():
    zeros = tool(lambda *_: torch.zeros(3), lambda *_: torch.zeros(3))
    assert "proves nothing" in cell(zeros, SMALL).fault


def test_one_rule_in_the_place_of_another_is_found():
    other = replace(TOOLS["GradCAM"], use=TOOLS["GradCAMPlusPlus"].use, function=GradCAMPlusPlus)
    assert "wrong" in cell(other, SMALL).fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ValueError("`target` (9) must be at most 5"), ""),
        (ValueError("target 9 is out of range"), "unclear"),
        (ValueError("`index` (9) must be at most 5"), "unclear"),
        (RuntimeError("Expected 3D input"), "unclear"),
        (KeyError("`target`"), "unclear"),
    ],
)
def test_an_error_must_name_an_argument_of_the_tool(error, fault):
    def refuse(*_):
        raise error

    outcome = cell(tool(refuse), SMALL)
    assert not outcome.right
    assert outcome.fault.startswith(fault)
    assert bool(outcome.fault) == bool(fault)


def train(model):
    model.train()


def shift(model):
    with torch.no_grad():
        model.fc.bias += 1


def unflag(model):
    model.fc.bias.requires_grad_(False)


def keep_gradient(model):
    model.fc.bias.grad = torch.zeros_like(model.fc.bias)


def hook(model):
    model.fc.register_forward_hook(lambda *_: None)


def draw(model):
    torch.rand(1, device="cpu")


@pytest.mark.parametrize("change", [train, shift, unflag, keep_gradient, hook, draw])
@pytest.mark.parametrize("refuses", [True, False])
def test_a_change_of_the_model_is_found(change, refuses):
    def use(model, network, given):
        change(model)
        if refuses:
            raise ValueError("`target` (9) must be at most 5")
        return torch.ones(3)

    with torch.random.fork_rng():
        assert "changed" in cell(tool(use), SMALL).fault


def test_an_option_is_passed_only_where_the_plain_call_is_refused():
    seen = []

    def use(model, network, given):
        seen.append(tuple(given))
        if "to_maps" not in given:
            raise ValueError("`layers`: no maps")
        return torch.ones(3)

    network = Network(nn.Identity, options={"to_maps": len, "head": "fc"})
    outcome = cell(tool(use, options=("to_maps", "target")), network)
    assert (outcome.right, outcome.passed) == (True, ("to_maps",))
    assert (outcome.error, outcome.argument) == ("ValueError", "layers")
    assert seen == [(), ("to_maps",)]
