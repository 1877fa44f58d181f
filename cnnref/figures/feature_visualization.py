"""Gradient ascent on an image, drawn: pictures with titles, and a hill with paths up it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_int
from cnnref.figures import _theme as theme
from cnnref.figures._grid import strokes
from cnnref.figures._picture import as_colours, as_picture, draw_colours, draw_picture

__all__ = ["hill", "wall"]

_MARGIN = 0.2
_GAP = 0.25
_TITLE = 0.85
# A picture does not follow the page's palette, so colours drawn on it are not those of the theme.
_HALO, _WAY = "#ffffff", "#b83c0a"


def wall(pictures: Sequence[tuple[str, ArrayLike]], columns: int = 4) -> Figure:
    """Draw colour pictures in rows, each under its title.

    Args:
        pictures: Pairs of a title and a uint8 array (H, W, 3), all of one shape.
        columns: Pictures per row, one to six.

    Raises:
        ValueError: If there are no pictures, shapes differ, or `columns` is out of range.
        TypeError: If a picture is not uint8, or `columns` is not an integer.
    """
    number = as_int(columns, "columns", 1)
    if number > 6:
        raise ValueError(f"`columns` ({number}) must be at most 6")
    if not pictures:
        raise ValueError("`pictures` is empty")
    checked = [(title, as_colours(picture, "pictures")) for title, picture in pictures]
    shapes = {picture.shape for _, picture in checked}
    if len(shapes) > 1:
        raise ValueError(f"`pictures` have the shapes {sorted(shapes)}; they must be equal")
    ((rows_of, columns_of, _),) = shapes
    width = (theme.WIDTH - 2 * _MARGIN - (number - 1) * _GAP) / number
    height = width * rows_of / columns_of
    line = _TITLE + height
    lines = -(-len(checked) // number)
    figure, axes = theme.canvas(theme.WIDTH, line * lines + _MARGIN)
    size = min(theme.fit(title, width, theme.LABEL_POINTS) for title, _ in checked)
    for place, (title, picture) in enumerate(checked):
        row, column = divmod(place, number)
        x, y = _MARGIN + column * (width + _GAP), row * line + _TITLE
        theme.write(axes, x, y - 0.4, title, size=size, ha="left", label=f"title {place}")
        draw_colours(axes, picture, (x, y), (width, height), name=f"picture {place}", least=192)
    return figure


def hill(
    heights: ArrayLike,
    ways: Sequence[tuple[str, ArrayLike]],
    *,
    axis_names: tuple[str, str] = ("first pixel", "second pixel"),
) -> Figure:
    """Draw a response to two pixels as a shaded map, with the paths of several ascents on it.

    Args:
        heights: Responses, (rows, columns), at evenly spaced values from 0 to 1. The first pixel
            grows with the column and the second with the row. Rows are drawn upwards.
        ways: Pairs of a title and points, (steps, 2), each with the values of the two pixels.
        axis_names: The names of the two axes.

    Raises:
        ValueError: If a shape is wrong, or a point does not lie between 0 and 1.
        TypeError: If an array does not hold real numbers.
    """
    values = as_picture(heights, "heights")
    side, x, y = 8.4, 1.2, 0.9
    figure, axes = theme.canvas(theme.WIDTH, y + side + 1.9)
    low, high = float(values.min()), float(values.max())
    draw_picture(
        axes, values[::-1], x, y, side, low=low, high=high, shades="viridis",
        enlarge=max(1, 240 // len(values)), name="hill",
    )  # fmt: skip
    theme.write(axes, x, y - 0.45, axis_names[1], ha="left", label="axis 1")
    theme.write(axes, x + side / 2, y + side + 1.3, axis_names[0], label="axis 0")
    for mark in (0.0, 0.5, 1.0):
        theme.write(
            axes, x + mark * side, y + side + 0.5, theme.number(mark), size=11, label="tick 0"
        )
        theme.write(
            axes, x - 0.25, y + (1 - mark) * side, theme.number(mark), size=11, ha="right",
            label="tick 1",
        )  # fmt: skip
    _scale(axes, x + side + 0.6, y, side, low, high)
    for place, (title, points) in enumerate(ways):
        way = np.asarray(points, dtype=float)
        if way.ndim != 2 or way.shape[1] != 2 or not len(way):
            raise ValueError(f"`ways` holds points of shape {way.shape}; it must be (steps, 2)")
        if not ((way >= 0) & (way <= 1)).all():
            raise ValueError("`ways` leaves the square from 0 to 1")
        drawn = [(x + a * side, y + (1 - b) * side) for a, b in way.tolist()]
        segments = list(pairwise(drawn))
        for colour, width, name in ((_HALO, 5.0, "halo"), (_WAY, 2.6, f"way {place}")):
            strokes(axes, segments, colour=colour, width=width, label=name)
        for point, size, name in ((drawn[0], 5.0, "start"), (drawn[-1], 8.0, "end")):
            (dot,) = axes.plot(
                *point, marker="o" if name == "start" else "D", markersize=size, color=_WAY,
                markeredgecolor=_HALO, markeredgewidth=1.4,
            )  # fmt: skip
            dot.set_label(f"{name} {place}")
            dot.set_clip_on(False)
        theme.write(
            axes, x + side + 2.5, y + 0.5 + 2.4 * place, title, ha="left", bold=True,
            size=theme.fit(title, theme.WIDTH - x - side - 2.6, theme.LABEL_POINTS, bold=True),
            label=f"title {place}",
        )  # fmt: skip
        ends = [f"({a:.1f}, {b:.1f})" for a, b in (way[0], way[-1])]
        for line, words in enumerate((f"from {ends[0]}", f"to {ends[1]}")):
            theme.write(
                axes, x + side + 2.5, y + 1.3 + 0.7 * line + 2.4 * place, words, ha="left",
                size=10.5, label=f"words {place}",
            )  # fmt: skip
    return figure


def _scale(axes: Axes, x: float, y: float, height: float, low: float, high: float) -> None:
    """Draw the bar that shows which shade stands for which response."""
    bar = np.linspace(high, low, 64)[:, None]
    with theme.rc_context():
        artist = axes.imshow(
            bar.repeat(4, axis=0), cmap="viridis", vmin=low, vmax=high, interpolation="none",
            extent=(x, x + 0.5, y + height, y), aspect="auto",
        )  # fmt: skip
    artist.set_label("scale")
    artist.set_clip_on(False)
    for place, value in ((y + 0.25, high), (y + height - 0.25, low)):
        theme.write(
            axes, x + 0.7, place, theme.number(value), size=11, ha="left", label="scale number"
        )
