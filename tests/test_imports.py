"""Importing cnnref loads NumPy and nothing heavier."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_by(statement):
    """Return the top-level modules that a statement loads in a fresh interpreter."""
    code = f"{statement}; import sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "statement",
    ["import cnnref", "import cnnref.worked", "import cnnref.examples", "import cnnref.exercises"],
)
def test_the_base_package_imports_numpy_alone(statement):
    loaded = loaded_by(statement)
    assert "numpy" in loaded
    assert not loaded & {"torch", "matplotlib", "scipy", "skimage", "mkdocs", "page_builder"}


def test_the_probe_sees_what_is_imported():
    assert "matplotlib" in loaded_by("import cnnref.figures.convolution")
