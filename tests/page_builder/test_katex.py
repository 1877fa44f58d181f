"""Formulas: what arithmatex marks, KaTeX renders at build, and a bad one stops the build."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import markdown
import pytest

from page_builder import katex
from page_builder.extension import PageExtension
from page_builder.site import PageContext, Site

Convert = Callable[[str], str]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with an empty store."""
    fresh = Site(tmp_path)
    yield fresh
    fresh.formulas.close()


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


def placed(text: str, site: Site) -> str:
    """Convert Markdown that the preprocessor has filled: computed text is between sentinels."""
    configs = {"pymdownx.arithmatex": {"generic": True}}
    html = markdown.markdown(text, extensions=list(configs), extension_configs=configs)
    return katex.find(html, site.formula)


def test_page_carries_tex_with_sentinels_and_no_markup_of_katex(site: Site) -> None:
    assert placed("$n = \ue00026\ue001 > 4$", site) == (
        '<p><cnnref-math class="arithmatex" data-tex="n = \ue00026\ue001 &gt; 4"></cnnref-math></p>'
    )


def test_filled_page_shows_what_was_computed_and_no_sentinel(site: Site) -> None:
    html = site.formulas.fill(placed("$n = \ue00026\ue001$ and\n\n$$y$$", site))
    assert '<span class="mord">26</span>' in html
    assert "\ue000" not in html
    assert "data-tex" not in html
    assert html.count('class="katex-display"') == 1


def test_bad_formula_names_page_and_formula(convert: Convert) -> None:
    with pytest.raises(katex.KatexError, match=r"docs/topics/padding\.md: .*\n.*\\frac\{1\}$"):
        convert(r"$\frac{1}$")


def test_strict_mode_refuses_what_latex_would_refuse(convert: Convert) -> None:
    with pytest.raises(katex.KatexError, match="strict mode"):
        convert("$ä$")


def test_second_rendering_comes_from_the_store(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first = site.formulas.render("x", display=False)
    assert site.formulas.render("x", display=True) != first

    def no_node() -> katex.KatexServer:
        raise AssertionError("asked node for a formula that is in the store")

    monkeypatch.setattr(katex, "KatexServer", no_node)
    assert Site(site.root).formulas.render("x", display=False) == first


def test_bad_formula_is_not_kept(site: Site) -> None:
    for _ in range(2):
        with pytest.raises(katex.KatexError):
            site.formulas.render("}", display=False)


def test_one_process_renders_many(site: Site) -> None:
    site.formulas.render("a", display=False)
    process = site.formulas._server
    site.formulas.render("b", display=False)
    assert site.formulas._server is process
