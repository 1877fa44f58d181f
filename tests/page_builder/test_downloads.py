"""The files of a lab that readers download: what they check, bring and link to."""

from __future__ import annotations

import subprocess
import sys

import jupytext
import nbformat
import pytest

from page_builder.downloads import Downloads
from tests.helpers.repository import ROOT

LAB = """\
# %% [markdown]
# # A lab
# See [padding](../topics/padding.md#modes) and [a page](https://example.org/).

# %%
import skimage
from experiments.results import read

print(read("gradcam").data["steps"] > 0)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    (folder / "lab.py").write_text(LAB, encoding="utf-8")
    executed = jupytext.read(folder / "lab.py")
    executed.cells[1].outputs = [nbformat.v4.new_output("stream", text="True\n")]
    nbformat.write(executed, folder / "lab.ipynb")

    def resolve(link):
        return (
            link if link.startswith("https") else f"https://site.example/{link.removeprefix('../')}"
        )

    found = Downloads(ROOT, "https://code.example/cnnref").files(
        folder / "lab.py", folder / "lab.ipynb", resolve
    )
    assert list(found) == ["lab.ipynb", "lab.py"]
    return found


@pytest.fixture(scope="module")
def notebook(files):
    return nbformat.reads(files["lab.ipynb"], as_version=4)


def test_the_notebook_is_valid_and_keeps_what_was_executed(notebook):
    nbformat.validate(notebook)
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "code", "code"]
    assert notebook.cells[-1].outputs[0].text == "True\n"


def test_the_script_has_the_same_cells(files, notebook):
    script = jupytext.reads(files["lab.py"], "py:percent")
    assert [cell.source for cell in script.cells] == [cell.source for cell in notebook.cells]


def test_links_lead_to_the_site(notebook):
    assert "(https://site.example/topics/padding.md#modes)" in notebook.cells[0].source
    assert "(https://example.org/)" in notebook.cells[0].source


def test_the_first_cell_names_each_missing_package_with_its_command(notebook):
    hide = "import sys; sys.modules.update(dict.fromkeys(['cnnref', 'skimage']))\n"
    done = run(hide + notebook.cells[1].source)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-3:] == [
        "ModuleNotFoundError: first run in a terminal:",
        'pip install "cnnref @ git+https://code.example/cnnref"',
        'pip install "scikit-image>=0.25"',
    ]


def test_the_first_cell_says_nothing_where_all_is_installed(notebook):
    done = run(notebook.cells[1].source, folder=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_second_cell_brings_the_results_and_the_modules_that_read_them(notebook, tmp_path):
    code = f"""{notebook.cells[2].source}
from pathlib import Path
from experiments.results import read

print(len(read("gradcam").data["runs"]))
print(*sorted(path.name for path in Path(unpacked.name).rglob("*.*")))
"""
    done = run(code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    runs, *names = done.stdout.split()
    assert int(runs) > 0
    assert {"results.py", "reached.py", "gradcam.json"} <= set(names)
    assert "small_data.json" not in names


def run(code, folder=None):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
