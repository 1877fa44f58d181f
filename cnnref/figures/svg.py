"""Turn a figure into inline SVG that takes its font and colours from the page.

Text stays text (``svg.fonttype: none``). As paths, a figure would contain the outlines of its
letters and be about twice as large, and it would not use the page's font. The layout allows for
another font: it is computed with DejaVu Sans, whose digits are wide, and every text is anchored at
the point where it is aligned, so a narrower font only moves its edges inwards.
"""

from __future__ import annotations

import html
import io
import re
from typing import Final

from matplotlib.figure import Figure

from cnnref.figures import _theme as theme

__all__ = ["to_svg"]

_PREFIX: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_SVG_TAG: Final = re.compile(r"<svg\b[^>]*>")
_VIEW_BOX: Final = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_ID: Final = re.compile(r' id="([^"]+)"')
_REFERENCE: Final = re.compile(r'url\(#([^)]+)\)|href="#([^"]+)"')
_COLOUR: Final = re.compile("|".join(map(re.escape, theme.CSS)), re.IGNORECASE)
# What matplotlib writes before the drawing, and its comments that repeat each text.
_PREAMBLE: Final = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_METADATA: Final = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_COMMENT: Final = re.compile(r"\s*<!--.*?-->", re.DOTALL)
# An element that names no font inherits the page's.
_FONT_FAMILY: Final = re.compile(r"font-family:[^;\"]*;?\s*")
# matplotlib's <style> would apply to the whole page. `_head` sets the same for this figure only.
_STYLE: Final = re.compile(r"\s*<style\b.*?</style>", re.DOTALL)
_EMPTY_DEFS: Final = re.compile(r"\s*<defs>\s*</defs>")
_NO_ROTATION: Final = re.compile(r' transform="rotate\(-?0 [^)]*\)"')
_BARE_GROUP: Final = re.compile(r"\s*<g>((?:(?!<g\b|</g>).)*)</g>", re.DOTALL)
_COORDINATES: Final = re.compile(r'(?<= [dxy]=")[^"]*')
_BEYOND_HUNDREDTHS: Final = re.compile(r"(\.\d\d)\d+")
# CSS pixels per point. A figure is never shown larger than it was drawn.
_PIXELS_PER_POINT: Final = 4 / 3


def to_svg(fig: Figure, *, alt: str, id_prefix: str) -> str:
    r"""Return ``fig`` as an ``<svg>`` element to put into an HTML page.

    The colours of the theme become ``currentColor`` and CSS variables, so that the drawing follows
    the page's palette. A view box replaces width and height, so that the drawing shrinks with its
    column and never grows beyond its own size. The same figure always gives the same bytes.

    Args:
        fig: The figure. It is not changed.
        alt: What the figure shows, for a reader who cannot see it. It becomes the ``<title>``.
        id_prefix: The start of every id, so that two figures on a page do not share one: a letter,
            then letters, digits, ``_`` and ``-``.

    Returns:
        One ``<svg>`` element, without XML prolog, doctype or metadata.

    Raises:
        ValueError: If ``alt`` is empty or blank, or ``id_prefix`` cannot begin an id.

    Examples:
        >>> from cnnref.figures.dilation import reach
        >>> to_svg(reach(3, (1, 2)), alt="A filter at two dilations", id_prefix="reach")[:4]
        '<svg'
    """
    if not alt.strip():
        raise ValueError("`alt` must say what the figure shows, got an empty text")
    if not _PREFIX.fullmatch(id_prefix):
        raise ValueError(
            f"`id_prefix` ({id_prefix!r}) must be a letter, then letters, digits, '_' or '-'"
        )
    buffer = io.StringIO()
    with theme.rc_context():
        fig.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="none")
    svg = _PREAMBLE.sub("", buffer.getvalue(), count=1)
    svg = _COMMENT.sub("", _METADATA.sub("", svg))
    svg = _FONT_FAMILY.sub("", svg)
    svg = _COLOUR.sub(lambda match: theme.CSS[match[0].lower()], svg)
    svg = _prefix_ids(svg, id_prefix)
    svg = _shorten(svg)
    return _SVG_TAG.sub(lambda match: _head(match[0], alt, id_prefix), svg, count=1).strip()


def _prefix_ids(svg: str, prefix: str) -> str:
    # matplotlib gives every element an id. Only those that something refers to are kept.
    used = {match[1] or match[2] for match in _REFERENCE.finditer(svg)}
    svg = _ID.sub(lambda match: f' id="{prefix}-{match[1]}"' if match[1] in used else "", svg)
    return _REFERENCE.sub(
        lambda match: match[0].replace("#", f"#{prefix}-", 1),
        svg,
    )


def _shorten(svg: str) -> str:
    # Groups without attributes and coordinates to a millionth of a point are most of the bytes.
    svg = _EMPTY_DEFS.sub("", _STYLE.sub("", svg))
    svg = _NO_ROTATION.sub("", svg)
    found = 1
    while found:
        svg, found = _BARE_GROUP.subn(r"\1", svg)
    return _COORDINATES.sub(
        lambda match: _BEYOND_HUNDREDTHS.sub(r"\1", " ".join(match[0].split())), svg
    )


def _head(tag: str, alt: str, prefix: str) -> str:
    view_box = _VIEW_BOX.search(tag)
    if view_box is None:
        raise ValueError("matplotlib wrote an <svg> without a view box")
    width = round(float(view_box[1]) * _PIXELS_PER_POINT)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'class="cnnref-svg" role="img" aria-labelledby="{prefix}-title" {view_box[0]} '
        f'style="display:block;width:100%;max-width:{width}px;height:auto;margin-inline:auto;'
        'stroke-linejoin:round;stroke-linecap:butt">'
        f'<title id="{prefix}-title">{html.escape(alt)}</title>'
    )
