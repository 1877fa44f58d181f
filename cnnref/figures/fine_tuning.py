"""Fine-tuning, drawn: which part of the network trains in which phase."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnref._checks import as_int
from cnnref.figures import _theme as theme
from cnnref.figures._grid import boxes, hatch

__all__ = ["two_phases"]

_MARGIN = 0.2
_ROW = 1.3
_BOX = 1.0
_COUNTS = 9.6  # right edge of the parameter counts
_PHASES = (10.2, 13.4)
_WIDE = 3.0
_MOST = 12


def two_phases(base: Sequence[tuple[str, int]], head: int, top: int) -> Figure:
    """Draw the parts of a network, with the head at the top, and which train in each phase.

    The parts that train in neither phase share one row. Frozen parts are hatched.

    Args:
        base: Name and number of parameters of each part of the base, starting at the input.
        head: Number of parameters of the head.
        top: How many parts, counted from the head, train in the second phase.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If it is negative, or `top` is larger than the base or than 12.
    """
    count = as_int(top, "top", 0)
    if count > min(len(base), _MOST):
        raise ValueError(f"`top` ({count}) must be at most {min(len(base), _MOST)}")
    below = len(base) - count
    rows = [("head", as_int(head, "head", 0), True, True)]
    rows += [(name, as_int(number, name, 0), False, True) for name, number in base[below:][::-1]]
    if below:
        words = f"{below} parts below" if below > 1 else base[0][0]
        rows.append((words, sum(number for _, number in base[:below]), False, False))
    figure, axes = theme.canvas(_PHASES[1] + _WIDE + _MARGIN, _ROW * len(rows) + 1.5)
    for words, x, ha in (
        ("part", _MARGIN, "left"),
        ("parameters", _COUNTS, "right"),
        ("first", _PHASES[0] + _WIDE / 2, "center"),
        ("then", _PHASES[1] + _WIDE / 2, "center"),
    ):
        theme.write(axes, x, 0.6, words, ha=ha, bold=True, label="column")  # type: ignore[arg-type]
    for place, (name, number, *trains) in enumerate(rows):
        y = 1.3 + place * _ROW
        middle = y + _BOX / 2
        theme.write(axes, _MARGIN, middle, name, ha="left", label=f"name {place}")
        theme.write(axes, _COUNTS, middle, f"{number:,}", ha="right", label=f"count {place}")
        for phase, (x, trained) in enumerate(zip(_PHASES, trains, strict=True)):
            _state(axes, x, y, trained, f"phase {phase}")
    return figure


def _state(axes: Axes, x: float, y: float, trained: bool, label: str) -> None:
    fill = theme.WINDOW_FILL if trained else theme.PAD
    boxes(axes, [(x, y, _WIDE, _BOX)], fill=fill, label="trains" if trained else "frozen")
    if not trained:
        hatch(axes, [(x, y), (x + _WIDE - 1, y)])
    words = "trains" if trained else "frozen"
    theme.write(
        axes, x + _WIDE / 2, y + _BOX / 2, words, bold=trained,
        colour=theme.FG if trained else theme.MUTED, label=label,
    )  # fmt: skip
