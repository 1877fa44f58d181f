"""Labs: executed once for the same code, their images described, their pages free of scripts."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import jupytext
import nbformat
import pytest
from bs4 import BeautifulSoup
from mkdocs_jupyter import convert

from page_builder import notebooks, numbers
from page_builder.site import Site

FORKS = "forkserver" in multiprocessing.get_all_start_methods()
PIXEL = (
    "from IPython.display import Image\n"
    "import base64\n"
    "Image(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5"
    "ErkJggg=='))"
)
LAB = f"""\
# ---
# jupyter:
#   cnnref:
#     given: ["3×3"]
# ---

# %% [markdown]
# # A lab
#
# Of $a < b$, `$c$` and [padding](../topics/padding.md#top).
#
# $$
# a \\& b
# $$
#
# ```python
# x = "$d$"
# ```
#
# ## Second heading

# %%
print("<seen>")

# %%
# alt: A single
#   pixel.
{PIXEL}

# %%
from IPython.display import Markdown
Markdown("so $e$ is **bold**")
"""


def write(tmp_path: Path, text: str) -> Path:
    source = tmp_path / "lab.py"
    source.write_text(text, encoding="utf-8")
    return source


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> notebooks.Lab:
    folder = tmp_path_factory.mktemp("lab")
    return notebooks.execute(write(folder, LAB), Site(folder))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def page(lab: notebooks.Lab) -> str:
    converted = convert.nb2html(str(lab.notebook), execute=False, allow_errors=False)
    assert "cdnjs" in converted, "mkdocs-jupyter has changed: see what page_html still has to do"
    return notebooks.page_html(converted, lab, lambda link: f"to:{link}")


def test_header_gives_the_numbers_and_comments_the_alt_texts(lab: notebooks.Lab) -> None:
    assert lab.given == ["3×3"]
    assert lab.alts == ["A single pixel."]


def test_executed_notebook_is_valid_and_says_what_its_images_show(lab: notebooks.Lab) -> None:
    notebook = nbformat.read(lab.notebook, as_version=4)
    nbformat.validate(notebook)
    [image] = [
        o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert image.metadata["image/png"]["alt"] == "A single pixel."
    assert [c.id for c in notebook.cells] == [f"cell-{i}" for i in range(len(notebook.cells))]


def test_page_has_neither_script_nor_style(page: str) -> None:
    soup = BeautifulSoup(page, "html.parser")
    assert soup.find(["script", "style", "link"]) is None
    assert "http" not in page
    assert len(page) < 20_000


def test_page_renders_maths_in_prose_and_outputs_and_not_in_code(page: str, site: Site) -> None:
    soup = BeautifulSoup(page, "html.parser")
    assert [m["data-tex"] for m in soup.select("cnnref-math")] == ["a < b", "a \\& b", "e"]
    assert [m["data-tex"] for m in soup.select(".cnnref-math--block")] == ["a \\& b"]
    assert site.formulas.fill(page).count('class="katex-html"') == 3
    assert [c.text for c in soup.select("p > code")] == ["$c$"]
    assert '"$d$"' in soup.select(".highlight code")[0].text


def test_page_has_downloads_below_its_heading(page: str) -> None:
    soup = BeautifulSoup(page, "html.parser")
    assert [a["href"] for a in soup.select(".cnnref-download a")] == ["lab.ipynb", "lab.py"]
    assert page.index("</h1>") < page.index("cnnref-download") < page.index("data-tex")


def test_page_code_and_outputs(page: str) -> None:
    soup = BeautifulSoup(page, "html.parser")
    codes = [c.text for c in soup.select(".highlight pre > code")]
    assert codes[1] == 'print("<seen>")'
    assert "alt:" not in "".join(codes)
    assert soup.select_one(".cnnref-output pre > code").text == "<seen>"  # type: ignore[union-attr]
    image = soup.select_one(".cnnref-output img")
    assert image is not None
    assert image["alt"] == "A single pixel."
    assert soup.select_one(".cnnref-output strong").text == "bold"  # type: ignore[union-attr]


def test_page_links_and_headings(page: str) -> None:
    soup = BeautifulSoup(page, "html.parser")
    assert soup.select_one("p > a[href^='to:']")["href"] == "to:../topics/padding.md#top"  # type: ignore[index]
    assert soup.select_one("h1 a") is None
    assert soup.select_one("h2#second-heading a.headerlink")["href"] == "#second-heading"  # type: ignore[index]


def test_number_check_reads_what_was_typed(page: str) -> None:
    assert numbers.check_page(page, []) == []
    for typed in ("Second heading", "A single pixel."):
        (problem,) = numbers.check_page(page.replace(typed, f"{typed} 26"), [])
        assert problem.number == "26"
    assert numbers.check_page(page.replace("&lt;seen&gt;", "26").replace("bold", "26"), []) == []


def test_same_code_is_executed_once_and_a_changed_module_again(tmp_path: Path) -> None:
    marks, used = tmp_path / "marks", tmp_path / "cnnref" / "module.py"
    used.parent.mkdir()
    used.write_text("x = 1\n")
    code = f"if 0:\n    from cnnref import module\nopen({str(marks)!r}, 'a').write('x')\n"
    source = write(tmp_path, f"# %%\n{code}")
    first = notebooks.execute(source, Site(tmp_path))
    assert notebooks.execute(source, Site(tmp_path)) == first
    assert marks.read_text() == "x"
    used.write_text("x = 1  # Every character counts.\n")
    assert notebooks.execute(source, Site(tmp_path)) != first
    assert marks.read_text() == "xx"


def test_a_lab_begins_with_slow_imports_done_and_nothing_of_another(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        "# %%\nimport os, sys\nloaded = {'torch', 'cnnref'} & set(sys.modules)\nimport numpy\n"
        "print(loaded, 'left' in globals() or hasattr(numpy, 'left'), numpy.random.rand())\n"
        "left = numpy.left = 1\n",
    )
    printed = set()
    for name in ("one", "two"):
        notebook = json.loads(
            notebooks.execute(source, Site(tmp_path / name)).notebook.read_text(encoding="utf-8")
        )
        (text,) = notebook["cells"][0]["outputs"][0]["text"]
        loaded, left, drawn = text.rsplit(" ", 2)
        assert left == "False"
        assert loaded == ("{'torch'}" if FORKS else "set()")
        printed.add(drawn)
    # Numbers drawn without a seed differ, as those of two fresh processes do.
    assert len(printed) == 2


def test_what_a_cell_prints_is_one_output_however_it_arrives(tmp_path: Path) -> None:
    source = write(tmp_path, "# %%\nimport time\nprint(1, flush=True)\ntime.sleep(0.5)\nprint(2)\n")
    lab = notebooks.execute(source, Site(tmp_path))
    [output] = json.loads(lab.notebook.read_text(encoding="utf-8"))["cells"][0]["outputs"]
    assert output["text"] == ["1\n", "2\n"]


def test_raising_lab_names_the_lab_and_is_not_cached(tmp_path: Path) -> None:
    source = write(tmp_path, "# %%\n1 / 0\n")
    for _ in range(2):
        with pytest.raises(notebooks.NotebookError, match=r"(?s)lab\.py.*ZeroDivisionError"):
            notebooks.execute(source, Site(tmp_path))


def test_lab_that_warns_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path, "# %%\nimport warnings\nwarnings.warn('old argument')\n")
    with pytest.raises(notebooks.NotebookError, match=r"(?s)lab\.py.*stderr.*old argument"):
        notebooks.execute(source, Site(tmp_path))


@pytest.mark.parametrize("comment", ["", "# alt:\n", "# alt: one\n# alt: two\n"])
def test_image_needs_one_alt_text(tmp_path: Path, comment: str) -> None:
    source = write(tmp_path, f"# %%\n{comment}{PIXEL}\n")
    with pytest.raises(notebooks.NotebookError, match="shows 1 image"):
        notebooks.execute(source, Site(tmp_path))


def test_split_alt() -> None:
    assert notebooks.split_alt("# alt: a b\n#   c\n# alt: d\n# e\nf()") == (
        ["a b c", "d"],
        "# e\nf()",
    )
    assert notebooks.split_alt("f()\n# alt: late") == ([], "f()\n# alt: late")


def test_script_reads_as_a_notebook(tmp_path: Path) -> None:
    assert len(jupytext.read(write(tmp_path, LAB)).cells) == 4
