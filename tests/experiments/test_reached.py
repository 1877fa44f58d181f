"""Which modules code reaches, and what changes their digest."""

from __future__ import annotations

import ast

import pytest

from experiments import reached
from experiments.reached import Code, canonical

FILES = {
    "cnnref/__init__.py": "from cnnref.ops import pool\n",
    "cnnref/ops/__init__.py": "from cnnref.ops.pooling import pool\n",
    "cnnref/ops/pooling.py": "def pool(x):\n    return x  # as it is\n",
    "cnnref/nn/__init__.py": "",
    "cnnref/nn/net.py": "from cnnref.nn import layers\n",
    "cnnref/nn/layers.py": "import torch\n",
    "experiments/small.py": "from cnnref.nn.net import layers\n",
}
OPS = ["cnnref/ops/__init__.py", "cnnref/ops/pooling.py"]
NN = ["cnnref/nn/layers.py", "cnnref/nn/net.py"]


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("import torch\nimport cnnref_else", []),
        ("import cnnref", ["cnnref/__init__.py", *OPS]),
        ("from cnnref import nothing", ["cnnref/__init__.py", *OPS]),
        ("from cnnref import ops", OPS),
        ("from cnnref.ops import *", OPS),
        ("from cnnref.ops.pooling import pool", OPS[1:]),
        ("import cnnref.ops.pooling as p", ["cnnref/__init__.py", *OPS]),
        ("def f():\n    from cnnref.nn import net", NN),
        ("from experiments import small", [*NN, "experiments/small.py"]),
    ],
)
def test_what_code_reaches(root, code, modules):
    assert Code(root).reached(code) == modules


def test_packages_that_are_not_named_do_not_count(root):
    code = Code(root, ["cnnref"])
    assert code.reached("from experiments import small") == []
    assert code.names == sorted(name for name in FILES if name.startswith("cnnref"))


def test_a_digest_is_of_the_code_or_of_each_character(root):
    def digests():
        code = Code(root)
        return code.digest(OPS), code.digest(OPS, "text")

    first = digests()
    assert first[0] != first[1]
    (root / "cnnref/ops/pooling.py").write_text("def pool(x):\n    return x  # just as it is\n")
    commented = digests()
    assert commented[0] == first[0]
    assert commented[1] != first[1]
    (root / "cnnref/ops/pooling.py").write_text("def pool(x):\n    return 2 * x\n")
    assert digests()[0] != first[0]


def test_code_on_other_lines_is_the_same_and_another_constant_is_not():
    assert canonical("f(1,2)") == canonical("# first\nf(\n  1, 2,\n)")
    assert canonical("f(1)") != canonical("f(1.0)")
    assert canonical("f(None)") != canonical("f()")
    assert canonical("{**a}") != canonical("{None: a}")
    assert canonical("def f(*, a, b=1): global c, d") != canonical("def f(*, a=1, b): global c, d")


NUMBERS = """
from dataclasses import dataclass
from numpy import ndarray
import torch

@dataclass
class Pair:
    first: int = 1
    def check(self):
        if self.first < 0:
            raise ValueError(f"`first` ({self.first}) is negative")

def run(pair):
    total = pair.first + torch.pi
    raise StopIteration(total)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("is negative", "must be 0 or more"),
        ('f"`first` ({self.first}) is negative"', '"below zero: {}".format(self.first)'),
        ('f"`first` ({self.first}) is negative"', '"`first` is negative: " + str(self.first)'),
        ("first: int", "first: 'float | None'"),
        ("def run(pair):", "def run(pair: Pair) -> 'ndarray':"),
        ("total =", "total: ndarray ="),
        ("import torch\n\n", "import torch\n\nleft: int\n\n"),
    ],
)
def test_results_do_not_depend_on_messages_and_annotations(old, new):
    assert old in NUMBERS
    changed = NUMBERS.replace(old, new)
    assert canonical(changed, "results") == canonical(NUMBERS, "results")
    assert canonical(changed) != canonical(NUMBERS), "a page may print it"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ValueError(f", "TypeError(f"),
        ("StopIteration(total)", "StopIteration(-total)"),
        ("self.first < 0", "self.first < 1"),
        ("first: int = 1", "first: int = 2"),
        ("first: int = 1", "first: ClassVar[int] = 1"),
        ("first: int = 1", "first = 1"),
        ("import torch", "import numpy as torch"),
        ("def run(pair):", "def run(pair=None):"),
        ("from numpy import ndarray", "from numpy import ndarray, pi\n\n__all__ = ['pi']"),
    ],
)
def test_results_depend_on_everything_else(old, new):
    assert old in NUMBERS
    assert canonical(NUMBERS.replace(old, new), "results") != canonical(NUMBERS, "results")


def test_empty_fields_do_not_count():
    # Python 3.12 gave functions the field `type_params`; the digest must not know of it.
    with_field, without = ast.parse("def f(): pass"), ast.parse("def f(): pass")
    with_field.body[0]._fields = (*ast.FunctionDef._fields, "future_field")
    with_field.body[0].future_field = []
    assert reached._canonical(with_field) == reached._canonical(without)
