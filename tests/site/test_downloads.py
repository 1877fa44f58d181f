"""Every lab that readers download runs on their machine, and computes what the site shows.

It runs in an empty folder, with `cnnref` installed and nothing else of this repository: the modules
and results it needs must have come with it.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from nbclient import NotebookClient

from experiments.reached import Code
from page_builder import notebooks
from tests.helpers.repository import ROOT
from tests.site.building import ADDRESS
from tests.site.looking import Site

LABS = sorted(path.stem for path in (ROOT / "docs/labs").glob("*.py"))
RAN = ROOT / ".cache" / "cnnref" / "ran_elsewhere"
ALONE = """\
from importlib.util import find_spec

print([name for name in ("cnnref", "experiments", "page_builder", "tests") if find_spec(name)])
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An empty folder, beside another with the installed package."""
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "cnnref").symlink_to(ROOT / "cnnref")
    (tmp_path / "reader").mkdir()
    return tmp_path / "reader"


@pytest.fixture
def environment(elsewhere: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(elsewhere.parent / "installed"), "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def plain_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start kernels as a reader does; those of the page builder have the repository in them."""
    factory = KernelProvisionerFactory.instance()
    monkeypatch.setattr(factory, "default_provisioner_name", "local-provisioner")


@pytest.mark.parametrize("lab", LABS)
def test_a_downloaded_notebook_runs_elsewhere_with_the_same_outputs(
    site: Site, lab: str, elsewhere: Path, environment: dict[str, str]
) -> None:
    file = site.folder / "labs" / lab / f"{lab}.ipynb"
    mark = ran(file)
    if mark.exists():
        return
    shown = nbformat.read(file, as_version=4)
    rerun = nbformat.read(file, as_version=4)
    rerun.cells.insert(0, nbformat.v4.new_code_cell(ALONE))
    client = NotebookClient(
        rerun, timeout=600, coalesce_streams=True, resources={"metadata": {"path": str(elsewhere)}}
    )
    client.execute(env={**environment, "MPLBACKEND": "module://matplotlib_inline.backend_inline"})
    alone, *cells = rerun.cells
    assert alone.outputs[0].text == "['cnnref']\n", "other parts of the repository are in the way"
    for was, now in zip(shown.cells, cells, strict=True):
        if was.cell_type == "code":
            assert outputs(now) == outputs(was), f"other outputs of the cell\n{was.source[:500]}"
    mark.touch()


@pytest.mark.parametrize("lab", LABS)
def test_a_downloaded_script_is_the_notebook(site: Site, lab: str) -> None:
    file = site.folder / "labs" / lab / f"{lab}.py"
    notebook = nbformat.read(file.with_suffix(".ipynb"), as_version=4)
    assert code_of(jupytext.read(file)) == code_of(notebook)
    assert ast.parse(file.read_text("utf-8"))


def test_a_downloaded_script_prints_what_the_notebook_shows(
    site: Site, elsewhere: Path, environment: dict[str, str]
) -> None:
    file = site.folder / "labs/degradation/degradation.py"  # a lab with stored results
    done = subprocess.run(
        [sys.executable, file],
        cwd=elsewhere,
        env={**environment, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = nbformat.read(file.with_suffix(".ipynb"), as_version=4)
    parts = [part for cell in shown.cells for part in cell.get("outputs", [])]
    assert done.stdout == "".join(part.text for part in parts if part.output_type == "stream")


@pytest.mark.parametrize("lab", LABS)
def test_the_links_of_a_download_lead_to_the_site(site: Site, lab: str) -> None:
    notebook = nbformat.read(site.folder / "labs" / lab / f"{lab}.ipynb", as_version=4)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    links = re.findall(r"\]\(([^)\s]+)\)", "\n".join(texts))
    assert any(link.startswith(ADDRESS) for link in links)
    assert [link for link in links if not link.startswith(("http://", "https://"))] == []


def code_of(notebook: Any) -> list[str]:
    """Return the code of a notebook, cell by cell, without the alt texts of its images."""
    cells = (cell.source for cell in notebook.cells if cell.cell_type == "code")
    return [notebooks.split_alt(source)[1].strip() for source in cells]


def outputs(cell: Any) -> list[tuple[str, Any]]:
    """Return what a cell put out, without what readers do not see."""
    return [(one.output_type, one.get("text", one.get("data"))) for one in cell.outputs]


def ran(file: Path) -> Path:
    """Return the mark that says that a download was run with today's package and libraries."""
    code = Code(ROOT)
    parts = [file.read_text("utf-8"), Path(__file__).read_text("utf-8"), sys.version]
    reached = code.reached(file.with_suffix(".py").read_text("utf-8"))
    parts.append(code.digest(reached, "text"))
    parts += sorted({f"{one.name} {one.version}" for one in distributions()})
    RAN.mkdir(parents=True, exist_ok=True)
    return RAN / hashlib.sha256("\0".join(parts).encode()).hexdigest()
