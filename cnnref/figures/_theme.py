"""The look of every figure: colours, sizes, and a canvas measured in cells.

One unit of a canvas is one cell of a matrix, and y increases downwards, as row numbers do. No
figure is much wider than `WIDTH` cells, so that its numbers can still be read on a phone, where it
is shown 330 pixels wide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

__all__ = ["CSS", "WIDTH", "canvas", "fit", "number", "rc_context", "write"]

# These are the colours of the light palette, so that a figure also looks right outside a web page,
# for example in a notebook. Each one is unique, so that `to_svg` can replace it by its CSS name.
FG: Final = "#1f2329"
BG: Final = "#fdfdfe"
MUTED: Final = "#585f6d"
GRID: Final = "#878fa0"
INPUT: Final = "#d9e8fb"
PAD: Final = "#e9ebf0"
WINDOW: Final = "#b93c0a"
WINDOW_FILL: Final = "#ffe9b0"
FILTER: Final = "#eadff9"
OUTPUT: Final = "#d3efd8"
UNREAD: Final = "#fbd9d7"

CSS: Final[Mapping[str, str]] = {
    FG: "currentColor",
    BG: "var(--cnnref-bg)",
    MUTED: "var(--cnnref-muted)",
    GRID: "var(--cnnref-grid)",
    INPUT: "var(--cnnref-input)",
    PAD: "var(--cnnref-pad)",
    WINDOW: "var(--cnnref-window)",
    WINDOW_FILL: "var(--cnnref-window-fill)",
    FILTER: "var(--cnnref-filter)",
    OUTPUT: "var(--cnnref-output)",
    UNREAD: "var(--cnnref-unread)",
}

CELL_POINTS: Final = 24.0
WIDTH: Final = 17.0
NUMBER_POINTS: Final = 14.0
LABEL_POINTS: Final = 12.0

# DejaVu Sans comes with matplotlib, so the layout is the same on every machine. Its digits are
# wider than those of most fonts, so text that fits in this font also fits in another.
_DIGIT_WIDTH: Final = 0.64
_BOLD_DIGIT_WIDTH: Final = 0.70
_SIGN_WIDTH: Final = 0.84
_SIGNS: Final = "+=\N{MINUS SIGN}\N{INFINITY}"

_RC: Final[Any] = {
    "figure.dpi": 100,  # a notebook sets 72, which rounds the widths of digits to whole pixels
    "font.family": ["DejaVu Sans"],
    "text.usetex": False,
    "path.simplify": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "cnnref",
    "savefig.bbox": None,
}


def rc_context() -> AbstractContextManager[None]:
    """Return a context in which the user's own matplotlib settings do not change a figure."""
    return mpl.rc_context(_RC)


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure with axes of ``width`` × ``height`` cells, y increasing downwards.

    Raises:
        ValueError: If a side is not positive.
    """
    if width <= 0 or height <= 0:
        raise ValueError(f"`width` ({width}) and `height` ({height}) must be positive")
    with rc_context():
        figure = Figure(figsize=(width * CELL_POINTS / 72, height * CELL_POINTS / 72), facecolor=BG)
        axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    return figure, axes


def number(value: float) -> str:
    """Return ``value`` as figures show it: an integer in full, others to 3 digits or to units."""
    if math.isfinite(value) and value == int(value):
        text = str(int(value))
    elif 1000 <= abs(value) < math.inf:
        text = f"{value:.0f}"
    else:
        text = f"{value:.3g}".replace("inf", "\N{INFINITY}")
    return text.replace("-", "\N{MINUS SIGN}")


def write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float = LABEL_POINTS,
    colour: str = FG,
    ha: Literal["left", "center", "right"] = "center",
    bold: bool = False,
    label: str = "",
) -> Text:
    """Write one line of text, centred vertically on ``y``. Tests find it by its ``label``."""
    # This sets everything that a text would take from the user's settings. `rc_context` copies all
    # settings each time; with thousands of texts, that would be most of the time of a figure.
    return axes.text(
        x,
        y,
        text,
        family=_RC["font.family"],
        fontsize=size,
        color=colour,
        ha=ha,
        va="center_baseline",
        fontweight="bold" if bold else "normal",
        usetex=False,
        parse_math=False,
        label=label,
    )


def fit(text: str, width: float, size: float, *, bold: bool = False) -> float:
    """Return the largest font size in points, up to ``size``, that fits ``text`` in ``width``."""
    digit = _BOLD_DIGIT_WIDTH if bold else _DIGIT_WIDTH
    ems = sum(_SIGN_WIDTH if letter in _SIGNS else digit for letter in text)
    needed = ems * size / CELL_POINTS
    return size if needed <= width else size * width / needed
