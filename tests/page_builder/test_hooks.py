"""A small site with the extensions and hooks of the real one: each mistake on a page stops it."""

from __future__ import annotations

import gc
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.structure.pages import Page

from page_builder.plugin import PageBuilder

ROOT = Path(__file__).resolve().parents[2]

PAGE = """\
---
given: ["3×3 window"]
---

# A page

A 3×3 window holds {{= n }} values, $n = {{= n }}$. See [the other](other.md#part).

```python
n = 3 * 3
print(n)
```

<!--pytest-codeblocks:expected-output-->
```
9
```
"""
OTHER = "# Another page\n\n## Part\n\nBack to [a page](page.md).\n"
LAB = "# %% [markdown]\n# # A lab\n#\n# Of $x$. See [padding](../page.md).\n\n# %%\nprint('seen')\n"

FIGURE = """

<!--cnnref: figure="fig" {alt}-->
```python
from matplotlib.figure import Figure

fig = Figure(figsize=(1, 1))
```
"""


class TinySite:
    """A site of a few pages in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.docs = folder / "docs"
        self.output = folder / "site"
        self.config = folder / "mkdocs.yml"
        (self.docs / "labs").mkdir(parents=True)
        (self.docs / "assets").symlink_to(ROOT / "docs" / "assets")
        # The scripts of the explorers and the formulas are the same for every site.
        for kind in ("explorer", "formulas"):
            kept = ROOT / ".cache" / "cnnref" / kind
            kept.mkdir(parents=True, exist_ok=True)
            link = folder / ".cache" / "cnnref" / kind
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(kept)
        self.write("index.md", "# Home\n\nTo [a page](page.md).\n")
        self.write("page.md", PAGE)
        self.write("other.md", OTHER)
        self.config.write_text(
            yaml.safe_dump(
                {
                    "INHERIT": str(ROOT / "mkdocs.yml"),
                    "docs_dir": "docs",
                    "site_dir": str(self.output),
                    "theme": {"custom_dir": str(ROOT / "page_builder" / "theme")},
                    "hooks": [str(ROOT / "page_builder" / "hooks.py")],
                    "watch": [],
                    "nav": ["index.md", "page.md", "other.md"],
                }
            )
        )

    def write(self, name: str, text: str) -> None:
        """Write a page."""
        (self.docs / name).write_text(text, encoding="utf-8")

    def add_lab(self, text: str) -> None:
        """Write a lab and take it into the navigation."""
        self.write("labs/lab.py", text)
        config = yaml.safe_load(self.config.read_text())
        config["nav"].append("labs/lab.py")
        self.config.write_text(yaml.safe_dump(config))

    def build(self) -> None:
        """Build the site as `mkdocs build --strict` does."""
        build(load_config(str(self.config), strict=True))

    def serve(self) -> None:
        """Build the site as `mkdocs serve` does at its start and after each edit."""
        config = load_config(str(self.config), strict=False)
        config.plugins.on_startup(command="serve", dirty=False)
        build(config, serve_url="http://127.0.0.1:8000/")

    def files(self) -> dict[str, str]:
        """Return the built pages, the downloads of labs and the search index."""
        return {
            file.relative_to(self.output).as_posix(): file.read_text(encoding="utf-8")
            for pattern in ("*.html", "*.ipynb", "*.py", "search_index.json")
            for file in self.output.rglob(pattern)
        }

    def html(self, name: str) -> str:
        """Return a built page."""
        return (self.output / name / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinySite:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    return TinySite(tmp_path)


def test_good_site_builds(tiny: TinySite) -> None:
    tiny.add_lab(LAB)
    tiny.build()
    page = tiny.html("page")
    assert '<data class="computed">9</data>' in page
    assert '<span class="katex-html"' in page
    assert "\ue000" not in page
    assert "data-tex" not in page
    lab = tiny.html("labs/lab")
    assert 'class="katex-html"' in lab
    assert "data-tex" not in lab
    assert 'href="../../page/"' in lab
    assert "seen" in lab
    assert "jp-" not in lab
    assert "cdnjs" not in lab
    notebook = json.loads((tiny.output / "labs/lab/lab.ipynb").read_text(encoding="utf-8"))
    assert notebook["cells"][-1]["outputs"][0]["text"] == ["seen\n"]
    script = (tiny.output / "labs/lab/lab.py").read_text(encoding="utf-8")
    assert "Of $x$. See [padding](http://localhost:8000/page/)." in script
    assert "pip install" in script
    assert script.endswith("print('seen')\n")
    assert (tiny.output / "assets/katex/katex.min.css").exists()
    assert list((tiny.output / "assets/katex/fonts").glob("*.woff2"))
    assert gc.isenabled(), "a build must leave the garbage collector on"


def test_figure_is_on_the_page_and_not_in_the_search_index(tiny: TinySite) -> None:
    tiny.write("page.md", PAGE + FIGURE.format(alt='alt="An empty figure"'))
    tiny.build()
    assert "<title" in tiny.html("page").split("<figure", 1)[1]
    index = (tiny.output / "search/search_index.json").read_text(encoding="utf-8")
    assert "holds" in index
    assert "katex" not in index
    assert "An empty figure" not in index


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda page: page.replace("other.md#part", "nowhere.md"), r"nowhere\.md"),
        (lambda page: page.replace("#part", "#nowhere"), r"nowhere"),
        (lambda page: page.replace("$n =", r"$\frac{x}$ $n ="), r"docs/page\.md: KaTeX"),
        (lambda page: page + FIGURE.format(alt=""), r"alt"),
        (lambda page: page.replace("```python", '```python title="x"'), r"page\.md:\d+"),
        (lambda page: page.replace("n = 3 * 3", "n = 3 / 0"), r"ZeroDivisionError"),
        (lambda page: page.replace("```\n9", "```\n8"), r"page\.md:\d+"),
        (lambda page: page.replace("{{= n }} values", "9 values"), r"'9'"),
        (lambda page: page.replace("$n = {{= n }}$", "$n = 9$"), r"'9'"),
        (lambda page: page + FIGURE.format(alt='alt="It has 42 cells"'), r"'42'"),
        (lambda page: page + '\n<pre><code>x <a href="no.html">y</a></code></pre>\n', r"no\.html"),
    ],
    ids=[
        *("link", "anchor", "formula", "alt", "fence", "raises", "output", "number", "tex-number"),
        *("alt-number", "link-in-code"),
    ],
)
def test_mistake_on_a_page_stops_the_build(
    tiny: TinySite,
    caplog: pytest.LogCaptureFixture,
    change: object,
    message: str,
) -> None:
    assert callable(change)
    changed = change(PAGE)
    assert changed != PAGE
    tiny.write("page.md", changed)
    assert_fails(tiny, caplog, message)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("\n# %%\n1 / 0\n", "ZeroDivisionError"),
        ("\n# %%\n1 +\n", r"lab\.py: a cell raises(.|\n)*SyntaxError"),
        ("\n# %%\nfrom IPython.display import SVG\nSVG('<svg/>')\n", "alt:"),
        ("\n# %% [markdown]\n# [nowhere](../nowhere.md)\n", "nowhere"),
        ("\n# %% [markdown]\n# $\\frac{1}$\n", "KaTeX"),
        ("\n# %% [markdown]\n# It is 42.\n", "'42'"),
    ],
    ids=["raises", "syntax", "alt", "link", "formula", "number"],
)
def test_mistake_in_a_lab_stops_the_build(
    tiny: TinySite, caplog: pytest.LogCaptureFixture, more: str, message: str
) -> None:
    tiny.add_lab(LAB + more)
    assert_fails(tiny, caplog, message)


def assert_fails(tiny: TinySite, caplog: pytest.LogCaptureFixture, message: str) -> None:
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(Exception) as caught,
    ):
        tiny.build()
    said = f"{caplog.text}\n{caught.value}"
    assert re.search(message, said), said
    assert gc.isenabled(), "a build that fails must leave the garbage collector on"


API = """\
# The API

See [`Store.find`][page_builder.store.Store.find] and [a page](page.md).

::: page_builder.store
"""


@pytest.fixture
def served(tiny: TinySite) -> Iterator[TinySite]:
    """A site under `mkdocs serve`, with a lab and an API page. The hooks forget it afterwards."""
    tiny.add_lab(LAB)
    tiny.write("api.md", API)
    config = yaml.safe_load(tiny.config.read_text())
    tiny.config.write_text(yaml.safe_dump({**config, "nav": [*config["nav"], "api.md"]}))
    tiny.serve()
    yield tiny
    load_config(str(tiny.config)).plugins.on_startup(command="build", dirty=False)


def test_rebuild_after_an_edit_gives_what_a_whole_build_gives(served: TinySite) -> None:
    before = served.files()
    assert {"labs/lab/lab.ipynb", "labs/lab/lab.py"} <= before.keys()
    served.write("other.md", OTHER.replace("Back to", "Edited. Back to"))
    served.serve()
    after = served.files()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"other/index.html", "search/search_index.json"}
    assert "Edited" in after["other/index.html"]
    assert "Edited" in after["search/search_index.json"]
    # Nothing that is kept can leak into this one: another process builds it.
    whole = [
        *(sys.executable, "-c"),
        "import sys; from mkdocs.commands.build import build; from mkdocs.config import "
        "load_config as load; c = load(sys.argv[1]); "
        "c.plugins.on_startup(command='serve', dirty=False); build(c, serve_url=sys.argv[2])",
        *(str(served.config), "http://127.0.0.1:8000/"),
    ]
    subprocess.run(whole, cwd=ROOT, check=True, capture_output=True)
    assert served.files() == after


def test_rebuild_renders_the_edited_page_alone(
    served: TinySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = []
    render = Page.render

    def noting(self: Page, config: object, files: object) -> None:
        rendered.append(self.file.src_uri)
        render(self, config, files)  # type: ignore[arg-type]

    monkeypatch.setattr(Page, "render", noting)
    served.write("other.md", OTHER + "More.\n")
    served.serve()
    assert rendered == ["other.md"]


def test_rebuild_says_again_what_is_wrong_on_another_page(
    served: TinySite, caplog: pytest.LogCaptureFixture
) -> None:
    served.write("page.md", PAGE.replace("other.md#part", "nowhere.md"))
    served.serve()
    served.write("other.md", OTHER + "More.\n")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        served.serve()
    assert "nowhere.md" in caplog.text


def test_rebuild_misses_the_anchor_an_edit_took_away(
    served: TinySite, caplog: pytest.LogCaptureFixture
) -> None:
    served.write("other.md", OTHER.replace("## Part", "## Section"))
    with caplog.at_level(logging.INFO):
        served.serve()
    assert "does not contain an anchor '#part'" in caplog.text


def test_what_is_damaged_in_the_store_is_made_again(served: TinySite) -> None:
    before = served.files()
    kept = [file for file in (served.config.parent / ".cache").rglob("*") if file.is_file()]
    kinds = {file.relative_to(served.config.parent / ".cache/cnnref").parts[0] for file in kept}
    assert kinds >= {"chains", "labs", "pages"}
    for file in kept:
        file.write_bytes(file.read_bytes()[:-1])
    served.serve()
    assert served.files() == before


def test_changed_sources_are_imported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "changing"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("x = 1\n")
    (tmp_path / "changing_not.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("changing.part")
    __import__("changing_not")
    builder = PageBuilder()
    assert not builder.forget_edited("changing", package.rglob("*.py"))
    assert "changing.part" in sys.modules
    (package / "part.py").write_text("x = 22\n")
    assert builder.forget_edited("changing", package.rglob("*.py"))
    assert not {"changing", "changing.part"} & set(sys.modules)
    assert "changing_not" in sys.modules
    assert not builder.forget_edited("changing", package.rglob("*.py"))
