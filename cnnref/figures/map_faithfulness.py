"""Tests of maps of evidence, drawn: curves of a probability, and correlations over many draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from cnnref._checks import as_array
from cnnref.figures import _theme as theme
from cnnref.figures._grid import boxes, strokes

__all__ = ["cascade", "curves"]

_SIDE = 6.6
_LEFT = 1.4
_MOST = 3
# Told apart by their markers, not only by their colours.
_LOOKS = ((theme.WINDOW, "o"), (theme.FG, "s"), (theme.MUTED, "^"))


def curves(panels: Sequence[tuple[str, ArrayLike, Sequence[tuple[str, ArrayLike]]]]) -> Figure:
    """Draw the probability over the share of replaced pixels, in one or two panels.

    Args:
        panels: For each panel a heading, the shares from 0 to 1, and pairs of a name and the
            probabilities at these shares; at most three pairs.

    Raises:
        TypeError: If an array does not hold real numbers.
        ValueError: If there are not one or two panels, a curve has another length than its shares,
            or a number does not lie between 0 and 1.
    """
    if not 1 <= len(panels) <= 2:
        raise ValueError(f"`panels` holds {len(panels)} panels; it must hold one or two")
    names = [name for _, _, series in panels for name, _ in series]
    keys = list(dict.fromkeys(names))
    if not 1 <= len(keys) <= _MOST:
        raise ValueError(f"`panels` holds {len(keys)} kinds of curves; at most {_MOST} fit")
    figure, axes = theme.canvas(theme.WIDTH, _SIDE + 3.3 + 0.9 * len(keys))
    for place, (heading, shares, series) in enumerate(panels):
        x, y = _LEFT + place * (_SIDE + 1.7), 1.0
        theme.write(axes, x, 0.4, heading, ha="left", bold=True, label="heading")
        _frame(axes, x, y)
        across = _unit(shares, "shares")
        for name, values in series:
            up = _unit(values, name)
            if up.shape != across.shape:
                raise ValueError(
                    f"`panels`: {name} holds {len(up)} values for {len(across)} shares"
                )
            points = [(x + a * _SIDE, y + (1 - b) * _SIDE) for a, b in zip(across, up, strict=True)]
            _line(axes, points, keys.index(name), f"{heading}: {name}")
    theme.write(axes, _LEFT, _SIDE + 2.3, "share of the pixels replaced", ha="left", label="axis")
    for place, name in enumerate(keys):
        y = _SIDE + 3.3 + 0.9 * place
        _line(axes, [(_LEFT, y), (_LEFT + 1.4, y)], place, f"key {name}")
        theme.write(axes, _LEFT + 1.8, y, name, ha="left", label="key")
    return figure


def cascade(rows: Sequence[tuple[str, ArrayLike]], columns: Sequence[str]) -> Figure:
    """Draw many correlations from -1 to 1 as dots, one line per row, and their median.

    Args:
        rows: Pairs of a heading and correlations (columns, draws). NaN is left out: a blank map has
            no correlation.
        columns: The names of the groups in each row.

    Raises:
        TypeError: If an array does not hold real numbers.
        ValueError: If there are no rows, or a row has another number of groups.
    """
    if not rows:
        raise ValueError("`rows` is empty")
    line, name_width = 0.95, 3.6
    height = 1.7 + len(columns) * line
    left, width = name_width + 0.4, theme.WIDTH - name_width - 1.2
    figure, axes = theme.canvas(theme.WIDTH, len(rows) * height + 0.8)
    for place, (heading, values) in enumerate(rows):
        groups = as_array(values, "rows")
        if groups.ndim != 2 or len(groups) != len(columns):
            raise ValueError(
                f"`rows` holds correlations of shape {groups.shape} for {len(columns)} groups"
            )
        top = place * height
        theme.write(axes, 0.2, top + 0.6, heading, ha="left", bold=True, label="heading")
        low, high = top + 1.2, top + 1.2 + len(columns) * line
        for mark in (-1, 0, 1):
            x = left + (mark + 1) / 2 * width
            strokes(axes, [((x, low), (x, high))], colour=theme.GRID, width=0.8, label="mark")
        for number, (name, draws) in enumerate(zip(columns, groups, strict=True)):
            y = low + (number + 0.5) * line
            theme.write(
                axes, name_width, y, name, ha="right", size=theme.fit(name, name_width - 0.2, 11),
                label=f"name {place}",
            )  # fmt: skip
            known = draws[~np.isnan(draws)]
            if len(known):
                middle = left + (float(np.median(known)) + 1) / 2 * width
                boxes(
                    axes, [(middle - 0.07, y - 0.36, 0.14, 0.72)], fill=theme.FG,
                    label=f"median {place},{number}", edge=theme.FG,
                )  # fmt: skip
            xs = [left + (float(value) + 1) / 2 * width for value in known]
            (dots,) = axes.plot(
                xs, [y] * len(xs), marker="o", markersize=5, linestyle="none", color=theme.WINDOW,
                markerfacecolor="none", markeredgewidth=1.2,
            )  # fmt: skip
            dots.set_label(f"dots {place},{number}")
            dots.set_clip_on(False)
    for mark in (-1, 0, 1):
        x = left + (mark + 1) / 2 * width
        theme.write(axes, x, len(rows) * height + 0.2, theme.number(mark), size=11, label="tick")
    return figure


def _unit(values: ArrayLike, name: str) -> NDArray[Any]:
    array = as_array(values, name)
    if array.ndim != 1 or not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"`panels`: {name} must be numbers from 0 to 1 in one dimension")
    return array


def _frame(axes: Axes, x: float, y: float) -> None:
    for mark in (0.0, 0.5, 1.0):
        level = y + (1 - mark) * _SIDE
        strokes(
            axes, [((x, level), (x + _SIDE, level))], colour=theme.GRID, width=0.8, label="mark"
        )
        theme.write(axes, x - 0.2, level, theme.number(mark), size=11, ha="right", label="tick")
        theme.write(
            axes, x + mark * _SIDE, y + _SIDE + 0.5, theme.number(mark), size=11, label="tick"
        )


def _line(axes: Axes, points: Sequence[tuple[float, float]], look: int, name: str) -> None:
    colour, marker = _LOOKS[look]
    strokes(axes, list(pairwise(points)), colour=colour, width=2.0, label=name)
    step = max(1, math.ceil(len(points) / 9))
    (dots,) = axes.plot(
        *zip(*points[::step], strict=True), marker=marker, markersize=6, linestyle="none",
        color=colour,
    )  # fmt: skip
    dots.set_label(f"dots {name}")
    dots.set_clip_on(False)
