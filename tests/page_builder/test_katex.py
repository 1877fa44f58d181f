"""Formulas: what arithmatex marks, KaTeX renders at build, and a bad one stops the build."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import markdown
import pytest

from page_builder import context, katex


@pytest.fixture(autouse=True)
def renderer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[katex.Renderer]:
    """A renderer with an empty cache."""
    fresh = katex.Renderer(tmp_path / "katex")
    monkeypatch.setattr(katex, "renderer", fresh)
    yield fresh
    fresh.close()


def convert(text: str) -> str:
    md = markdown.Markdown(
        extensions=["tables", "md_in_html", "pymdownx.arithmatex", "page_builder.katex"],
        extension_configs={"pymdownx.arithmatex": {"generic": True}},
    )
    return md.convert(text)


def test_inline_formula_becomes_html_and_mathml() -> None:
    html = katex.fill(convert("so $x^2 < 4$ holds"))
    assert html.startswith('<p>so <cnnref-math class="arithmatex"><span class="katex">')
    assert html.endswith("</cnnref-math> holds</p>")
    assert '<span class="katex-html" aria-hidden="true">' in html
    assert "<math " in html
    assert "\\(" not in html


def test_block_formula_is_in_display_mode_and_outside_a_paragraph() -> None:
    html = katex.fill(convert("a\n\n$$\n\\begin{matrix} 1 & 2 \\\\ 3 & 4 \\end{matrix}\n$$\n\nb"))
    assert 'class="arithmatex cnnref-math--block"' in html
    assert '<span class="katex-display">' in html
    assert "<p><cnnref-math" not in html


@pytest.mark.parametrize(
    "text",
    ["| a |\n|---|\n| $y$ |", "<div markdown>\n\n$y$\n\n</div>", "- one\n\n    $$\n    y\n    $$"],
    ids=["table", "html", "list"],
)
def test_formulas_inside_other_markup(text: str) -> None:
    assert 'data-tex="y"' in convert(text)


def test_code_is_left_alone() -> None:
    assert convert("`$x$`") == "<p><code>$x$</code></p>"


def test_page_carries_tex_with_sentinels_and_no_markup_of_katex() -> None:
    assert convert("$n = \ue00026\ue001 > 4$") == (
        '<p><cnnref-math class="arithmatex" data-tex="n = \ue00026\ue001 &gt; 4"></cnnref-math></p>'
    )


def test_filled_page_shows_what_was_computed_and_no_sentinel() -> None:
    html = katex.fill(convert("$n = \ue00026\ue001$ and\n\n$$y$$"))
    assert '<span class="mord">26</span>' in html
    assert "\ue000" not in html
    assert "data-tex" not in html
    assert html.count('class="katex-display"') == 1


def test_bad_formula_names_page_and_formula() -> None:
    token = context.current.set(context.PageContext("docs/topics/padding.md"))
    try:
        with pytest.raises(katex.KatexError, match=r"docs/topics/padding\.md: .*\n.*\\frac\{1\}$"):
            convert(r"$\frac{1}$")
    finally:
        context.current.reset(token)


def test_strict_mode_refuses_what_latex_would_refuse() -> None:
    with pytest.raises(katex.KatexError, match="strict mode"):
        convert("$ä$")


def test_second_rendering_comes_from_the_cache(
    renderer: katex.Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = renderer.render("x", display=False)
    assert renderer.render("x", display=True) != first

    def no_node() -> katex.KatexServer:
        raise AssertionError("asked node for a formula that is in the cache")

    monkeypatch.setattr(katex, "KatexServer", no_node)
    again = katex.Renderer(renderer.cache)
    assert again.render("x", display=False) == first


def test_bad_formula_is_not_cached(renderer: katex.Renderer) -> None:
    for _ in range(2):
        with pytest.raises(katex.KatexError):
            renderer.render("}", display=False)


def test_one_process_renders_many(renderer: katex.Renderer) -> None:
    renderer.render("a", display=False)
    process = renderer._server
    renderer.render("b", display=False)
    assert renderer._server is process
