"""What importing cnnref.nn needs and loads, and what it makes public."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import cnnref.nn

# An entry of None hides a package, as if it were not installed.
HIDDEN = """
import sys
sys.modules.update(dict.fromkeys({hidden}))
try:
    {statement}
except ModuleNotFoundError as error:
    print(error.name, "|", error)
"""

SUBPACKAGES = [
    "augmentation", "faithfulness", "feature_visualization", "gradcam", "pretrained", "transfer"
]  # fmt: skip


def run(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "statement",
    ["import cnnref.nn", "from cnnref.nn import residual", "import cnnref.nn.gradcam"],
)
@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        (["torch"], "torch | cnnref.nn needs torch: pip install 'cnnref[nn]'"),
        (["tqdm"], "tqdm | cnnref.nn needs tqdm: pip install 'cnnref[nn]'"),
        (["torch", "tqdm"], "torch | cnnref.nn needs torch and tqdm: pip install 'cnnref[nn]'"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_to_install(statement, hidden, message):
    assert run(HIDDEN.format(hidden=hidden, statement=statement)) == message


def test_nothing_is_said_where_the_packages_are_installed():
    assert run(HIDDEN.format(hidden=["a_package"], statement="import cnnref.nn.residual")) == ""


def test_the_package_itself_imports_nothing_heavy():
    loaded = run("import cnnref.nn, sys; print(*sys.modules)").split()
    assert "cnnref.nn" in loaded
    assert not {"torch", "tqdm"} & set(loaded)


def test_the_subpackages_are_packages():
    found = [one.name for one in pkgutil.iter_modules(cnnref.nn.__path__) if one.ispkg]
    assert found == SUBPACKAGES


@pytest.mark.parametrize("name", SUBPACKAGES)
def test_a_subpackage_has_private_modules_and_lists_all_it_has(name):
    package = importlib.import_module(f"cnnref.nn.{name}")
    modules = [one.name for one in pkgutil.iter_modules(package.__path__)]
    assert all(module.startswith("_") for module in modules), modules
    offered = {one for one in vars(package) if not one.startswith("_")} - {"annotations"}
    assert offered == set(package.__all__)
    assert len(package.__all__) == len(offered)


def test_a_public_module_lists_its_public_names():
    modules = [one.name for one in pkgutil.iter_modules(cnnref.nn.__path__)]
    for name in modules:
        module = importlib.import_module(f"cnnref.nn.{name}")
        for member in module.__all__:
            assert hasattr(module, member), f"{name}.{member}"
            assert not member.startswith("_"), f"{name}.{member}"
