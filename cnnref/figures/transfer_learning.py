"""Transfer learning, drawn: the new network gets the base of the old one, but not its head."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnref._checks import as_int
from cnnref.figures import _theme as theme
from cnnref.figures._grid import arrow, boxes

__all__ = ["swap_head"]

_MARGIN = 0.2
_BASE, _HEAD, _GAP = 7.6, 7.0, 1.4
_HIGH = 2.4
_TOPS = (1.0, 6.2)
_ARROW_HEAD = (0.3, 0.25)


def swap_head(base: int, old_head: tuple[int, int], new_head: tuple[int, int]) -> Figure:
    """Draw a trained network and the one made from it, with the same base and a new head.

    Args:
        base: Number of parameters of the base.
        old_head: Classes and number of parameters of the head it was trained with.
        new_head: Classes and number of parameters of the new head.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1.
    """
    shared = as_int(base, "base", 1)
    heads = []
    for name, pair in (("old_head", old_head), ("new_head", new_head)):
        heads.append([as_int(number, name, 1) for number in pair])
    figure, axes = theme.canvas(_BASE + _GAP + _HEAD + 2 * _MARGIN, _TOPS[1] + _HIGH + _MARGIN)
    headings = ("trained once, on many photographs", "the new task, few photographs")
    right = _MARGIN + _BASE + _GAP
    for place, (top, words, (classes, number)) in enumerate(
        zip(_TOPS, headings, heads, strict=True)
    ):
        theme.write(axes, _MARGIN, top - 0.5, words, ha="left", bold=True, label=f"row {place}")
        what = "base" if place == 0 else "the same base"
        _box(axes, _MARGIN, top, _BASE, theme.FILTER, (what, f"{shared:,} parameters"), "base")
        fill = theme.INPUT if place == 0 else theme.WINDOW_FILL
        what = "head" if place == 0 else "new head"
        lines = (f"{what}, {classes:,} classes", f"{number:,} parameters")
        _box(axes, right, top, _HEAD, fill, lines, "head")
        y = top + _HIGH / 2
        arrow(axes, (_MARGIN + _BASE + 0.2, y), (right - 0.2, y), head=_ARROW_HEAD)
    # From base to base. The head is left behind.
    down = _MARGIN + _BASE / 2
    ends = ((down, _TOPS[0] + _HIGH + 0.15), (down, _TOPS[1] - 1.05))
    arrow(axes, *ends, head=_ARROW_HEAD)
    theme.write(axes, down + 0.6, _TOPS[0] + _HIGH + 0.85, "copied", ha="left", label="copied")
    middle = _TOPS[0] + _HIGH + 0.85
    theme.write(axes, right + _HEAD / 2, middle, "left behind", colour=theme.MUTED, label="left")
    return figure


def _box(
    axes: Axes, x: float, y: float, width: float, fill: str, lines: tuple[str, str], name: str
) -> None:
    boxes(axes, [(x, y, width, _HIGH)], fill=fill, label=name)
    for place, line in enumerate(lines):
        at = y + _HIGH / 2 + (place - 0.5) * 1.0
        theme.write(axes, x + width / 2, at, line, bold=place == 0, label=f"{name} {place}")
