"""Worked solutions as Markdown with LaTeX maths, for built pages and notebooks.

Maths is in `$...$` and, on lines of its own, in `$$...$$`, which both pymdownx.arithmatex and
Jupyter read.
"""

from __future__ import annotations

from cnnref.worked.document import Card, Document, Grid, Heading, Paragraph, latex


def render(document: Document, *, grid: bool) -> str:
    """Render a document as Markdown.

    Args:
        document: What to render.
        grid: Wrap cards in `<div class="cnnref-cells" markdown="1">` and each card in
            `<div class="cnnref-cell" markdown="1">`, for a page whose style sheet lays them out
            side by side (Python-Markdown needs `md_in_html`). False gives plain Markdown.
    """
    return "\n\n".join(_block(block, grid=grid) for block in document.blocks)


def _block(block: object, *, grid: bool) -> str:
    match block:
        case Paragraph():
            return latex.paragraph(block)
        case Heading(text):
            return f"**{text}**"
        case Grid(cards):
            inside = "\n\n".join(_card(card, grid=grid) for card in cards)
            return _div("cnnref-cells", inside) if grid else inside
        case _:
            return f"$$\n{latex.formula(block)}\n$$"


def _card(card: Card, *, grid: bool) -> str:
    blocks = "\n\n".join([f"**{card.title}**", *(_block(b, grid=grid) for b in card.blocks)])
    return _div("cnnref-cell", blocks) if grid else blocks


def _div(name: str, inside: str) -> str:
    return f'<div class="{name}" markdown="1">\n\n{inside}\n\n</div>'
