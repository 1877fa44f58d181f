"""Augmentation, drawn: on a photograph, on a small grid, and where it changes the meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrow
from numpy.typing import ArrayLike, NDArray

from cnnref._checks import as_array, as_int
from cnnref.figures import _theme as theme
from cnnref.figures._grid import boxes, draw_grid
from cnnref.figures._picture import draw_picture

__all__ = ["Glyph", "changed_glyphs", "grids", "photographs"]

_MARGIN = 0.2
_HEADING = 0.95
_GAP = 0.4
_MOST_SIDE = 5
_ROOM = 5.2  # for a matrix and its name
_GLYPH_CELL = 0.5
_GLYPHS_WIDTH = 14.0


class Glyph(NamedTuple):
    """A drawn sign, an augmentation of it, and how a reader understands both.

    Attributes:
        name: What the sign is.
        strokes: The sign, (rows, columns), with numbers above 0 where there is ink.
        operation: The augmentation.
        changed: The result, (rows, columns).
        reads: How a reader understands the result.
    """

    name: str
    strokes: ArrayLike
    operation: str
    changed: ArrayLike
    reads: str


def photographs(pictures: Mapping[str, ArrayLike], columns: int = 3) -> Figure:
    """Draw colour pictures in rows, each under its name.

    Args:
        pictures: Pictures by name, each (H, W, 3) with numbers from 0 to 1, all of one shape. The
            first one is outlined: the others were made from it.
        columns: Pictures per row.

    Raises:
        ValueError: If there is no picture, shapes differ, or a number is not from 0 to 1.
        TypeError: If a picture does not hold real numbers.
    """
    across = as_int(columns, "columns", 1)
    arrays = {name: _as_colours(value, name) for name, value in pictures.items()}
    if not arrays:
        raise ValueError("`pictures` must hold at least one picture")
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1:
        raise ValueError(f"`pictures` must have one shape, not {sorted(shapes)}")
    ((rows, wide, _),) = shapes
    width = (theme.WIDTH - 2 * _MARGIN - (across - 1) * _GAP) / across
    height = width * rows / wide
    lines = -(-len(arrays) // across)
    step = _HEADING + height + _GAP
    figure, axes = theme.canvas(theme.WIDTH, lines * step - _GAP + _MARGIN)
    for place, (name, array) in enumerate(arrays.items()):
        x = _MARGIN + place % across * (width + _GAP)
        y = place // across * step + _HEADING
        theme.write(
            axes, x, y - 0.45, name, ha="left", bold=place == 0, label="name",
            size=_fitted(name, width),
        )  # fmt: skip
        picture = draw_picture(axes, array, x, y, width, low=0, high=1, name=name)
        if place == 0:
            picture.box(axes, (0, 0), (rows, wide), label="original")
    return figure


def _as_colours(value: ArrayLike, name: str) -> NDArray[Any]:
    array = as_array(value, "pictures")
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(f"`pictures` has {name!r} of shape {array.shape}; it must be (H, W, 3)")
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"`pictures` has {name!r} with numbers that are not from 0 to 1")
    return array


def grids(matrices: Mapping[str, ArrayLike], columns: int = 2) -> Figure:
    """Draw small matrices in rows, each under its name; numbers that changed are marked.

    Args:
        matrices: Matrices by name, each with at most 5 rows and columns. The others were made from
            the first one.
        columns: Matrices per row, at most 3.

    Raises:
        ValueError: If there is no matrix, or a value is not a matrix or is too large.
        TypeError: If a matrix does not hold real numbers.
    """
    across = as_int(columns, "columns", 1)
    if across > 3:
        raise ValueError(f"`columns` ({columns}) must be at most 3")
    arrays = {name: as_array(value, "matrices") for name, value in matrices.items()}
    if not arrays:
        raise ValueError("`matrices` must hold at least one matrix")
    for name, array in arrays.items():
        if array.ndim != 2 or 0 in array.shape or max(array.shape) > _MOST_SIDE:
            raise ValueError(
                f"`matrices` has {name!r} of shape {array.shape}; it must be a matrix of at most "
                f"{_MOST_SIDE} rows and columns"
            )
    first = next(iter(arrays.values()))
    tall = max(array.shape[0] for array in arrays.values())
    step = _HEADING + tall + _GAP
    lines = -(-len(arrays) // across)
    # No wider than necessary, so that its numbers are not shrunk on a phone.
    width = across * (_ROOM + _GAP) - _GAP + 2 * _MARGIN
    figure, axes = theme.canvas(width, lines * step - _GAP + _MARGIN)
    for place, (name, array) in enumerate(arrays.items()):
        x = _MARGIN + place % across * (_ROOM + _GAP)
        y = place // across * step + _HEADING
        theme.write(
            axes, x, y - 0.45, name, ha="left", bold=place == 0, label="name",
            size=_fitted(name, _ROOM),
        )  # fmt: skip
        marked: list[tuple[int, int]] = []
        if array.shape == first.shape:
            changed = np.argwhere(~np.isclose(array, first))
            marked = [(int(row), int(column)) for row, column in changed]
        draw_grid(axes, array, x, y, fill=theme.INPUT, marked=marked, name=name)
    return figure


def _fitted(text: str, width: float) -> float:
    return theme.fit(text, width, theme.LABEL_POINTS)


def changed_glyphs(glyphs: Sequence[Glyph]) -> Figure:
    """Draw signs before and after an augmentation, with what they are and how they then read.

    Args:
        glyphs: The signs, one line each.

    Raises:
        ValueError: If there is no glyph, or a picture of one is not a matrix.
        TypeError: If a picture does not hold real numbers.
    """
    if not glyphs:
        raise ValueError("`glyphs` must hold at least one glyph")
    pictures = [
        (_as_strokes(glyph.strokes, glyph.name), _as_strokes(glyph.changed, glyph.name))
        for glyph in glyphs
    ]
    heights = [max(one.shape[0] for one in pair) * _GLYPH_CELL for pair in pictures]
    gap = 0.9
    total = sum(heights) + gap * (len(glyphs) - 1) + 2 * _MARGIN
    figure, axes = theme.canvas(_GLYPHS_WIDTH, total)
    y = _MARGIN
    for glyph, (before, after), height in zip(glyphs, pictures, heights, strict=True):
        middle = y + height / 2
        theme.write(axes, _MARGIN, middle, glyph.name, ha="left", bold=True, label="name")
        _draw_strokes(axes, before, 1.3, y, "before")
        theme.write(axes, 6.0, middle - 0.55, glyph.operation, label="operation")
        axes.add_patch(
            FancyArrow(
                3.8, middle + 0.25, 4.4, 0, width=0.06, head_width=0.42, head_length=0.42,
                length_includes_head=True, color=theme.FG, label="arrow",
            )
        )  # fmt: skip
        _draw_strokes(axes, after, 8.7, y, "after")
        theme.write(axes, 11.1, middle, glyph.reads, ha="left", label="reads")
        y += height + gap
    return figure


def _as_strokes(value: ArrayLike, name: str) -> NDArray[np.bool_]:
    array = as_array(value, "glyphs")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"`glyphs` has {name!r} of shape {array.shape}; it must be a matrix")
    return array > 0


def _draw_strokes(axes: Axes, strokes: NDArray[np.bool_], x: float, y: float, label: str) -> None:
    for ink, fill in ((False, theme.PAD), (True, theme.FG)):
        cells = [
            (x + column * _GLYPH_CELL, y + row * _GLYPH_CELL, _GLYPH_CELL, _GLYPH_CELL)
            for row, column in np.argwhere(strokes == ink)
        ]
        boxes(axes, cells, fill=fill, label=f"{label} ink" if ink else f"{label} paper")
