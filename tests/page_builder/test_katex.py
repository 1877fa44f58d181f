"""Formulas: what arithmatex marks, KaTeX renders at build, and a bad one stops the build."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import markdown
import pytest

from page_builder import katex, node
from page_builder.extension import PageExtension
from page_builder.site import PageContext, Site

Convert = Callable[[str], str]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with an empty store."""
    return Site(tmp_path)


@pytest.fixture
def convert(site: Site) -> Convert:
    """Return what makes HTML of the Markdown of one page."""

    def convert(text: str) -> str:
        site.page = PageContext("docs/topics/padding.md", site.root)
        md = markdown.Markdown(
            extensions=["tables", "md_in_html", "pymdownx.arithmatex", PageExtension(site)],
            extension_configs={"pymdownx.arithmatex": {"generic": True}},
        )
        return md.convert(text)

    return convert


def test_inline_formula_becomes_html_and_mathml(site: Site, convert: Convert) -> None:
    html = site.formulas.fill(convert("so $x^2 < 4$ holds"))
    assert html.startswith('<p>so <cnnref-math class="arithmatex"><span class="katex">')
    assert html.endswith("</cnnref-math> holds</p>")
    assert '<span class="katex-html" aria-hidden="true">' in html
    assert "<math " in html
    assert "\\(" not in html


def test_block_formula_is_in_display_mode_and_outside_a_paragraph(
    site: Site, convert: Convert
) -> None:
    html = site.formulas.fill(
        convert("a\n\n$$\n\\begin{matrix} 1 & 2 \\\\ 3 & 4 \\end{matrix}\n$$\n\nb")
    )
    assert 'class="arithmatex cnnref-math--block"' in html
    assert '<span class="katex-display">' in html
    assert "<p><cnnref-math" not in html


@pytest.mark.parametrize(
    "text",
    ["| a |\n|---|\n| $y$ |", "<div markdown>\n\n$y$\n\n</div>", "- one\n\n    $$\n    y\n    $$"],
    ids=["table", "html", "list"],
)
def test_formulas_inside_other_markup(text: str, convert: Convert) -> None:
    assert 'data-tex="y"' in convert(text)


def test_code_is_left_alone(convert: Convert) -> None:
    assert convert("`$x$`") == "<p><code>$x$</code></p>"


def placed(text: str) -> str:
    """Convert Markdown that the preprocessor has filled: computed text is between sentinels."""
    configs = {"pymdownx.arithmatex": {"generic": True}}
    html = markdown.markdown(text, extensions=list(configs), extension_configs=configs)
    return katex.mark(html)


def test_page_carries_tex_with_sentinels_and_no_markup_of_katex() -> None:
    assert placed("$n = \ue00026\ue001 > 4$") == (
        '<p><cnnref-math class="arithmatex" data-tex="n = \ue00026\ue001 &gt; 4"></cnnref-math></p>'
    )


def test_filled_page_shows_what_was_computed_and_no_sentinel(site: Site) -> None:
    html = site.formulas.fill(placed("$n = \ue00026\ue001$ and\n\n$$y$$"))
    assert '<span class="mord">26</span>' in html
    assert "\ue000" not in html
    assert "data-tex" not in html
    assert html.count('class="katex-display"') == 1


PAGE = "docs/topics/padding.md"


def test_bad_formula_names_page_and_formula(site: Site, convert: Convert) -> None:
    pages = {"docs/index.md": convert("$x$"), PAGE: convert(r"$x$ $\frac{1}$")}
    with pytest.raises(katex.KatexError, match=rf"^{PAGE}: .*\n.*\\frac\{{1\}}$"):
        site.formulas.typeset(pages)
    with pytest.raises(katex.KatexError, match=rf"^{PAGE}: "):
        site.formulas.fill(pages[PAGE], PAGE)


def test_strict_mode_refuses_what_latex_would_refuse(site: Site, convert: Convert) -> None:
    with pytest.raises(katex.KatexError, match="strict mode"):
        site.formulas.fill(convert("$ä$"))


def test_one_process_typesets_all_formulas_that_are_not_in_the_store(
    site: Site, convert: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    run = node.run

    def noting(script: Path, *, needs: list[str], stdin: str) -> str:
        asked.extend(one["tex"] for one in json.loads(stdin))
        return run(script, needs=needs, stdin=stdin)

    monkeypatch.setattr(node, "run", noting)
    pages = {"a.md": convert("$x$ $y$"), "b.md": convert("$y$ $z$")}
    site.formulas.typeset(pages)
    assert asked == ["x", "y", "z"]
    first = site.formulas.fill(pages["a.md"])
    assert Site(site.root).formulas.fill(pages["a.md"]) == first
    assert len(asked) == 3
    # The same TeX in a line and in a block are two formulas.
    assert Site(site.root).formulas.fill(convert("$$x$$")) != first
    assert asked == ["x", "y", "z", "x"]


def test_bad_formula_is_not_kept(site: Site, convert: Convert) -> None:
    page = convert("$}$")
    for _ in range(2):
        with pytest.raises(katex.KatexError):
            site.formulas.fill(page)


def test_katex_that_is_not_installed_is_named(
    site: Site, convert: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "PACKAGES", tmp_path)
    with pytest.raises(node.NodeError, match="katex is not installed"):
        site.formulas.fill(convert("$x$"))
