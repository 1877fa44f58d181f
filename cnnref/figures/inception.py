"""Inception blocks, drawn: the branches with their shapes, and their maps in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_array
from cnnref._types import Array
from cnnref.figures import _theme as theme
from cnnref.figures._grid import arrow, boxes, draw_grid
from cnnref.networks.layers import (
    Activation,
    BatchNorm,
    Branches,
    Layer,
    Pool,
    Shape,
    as_shape,
    walk,
)

__all__ = ["branch_maps", "branches"]

_MARGIN = 0.2
_BOX = 1.75  # height of a box with two lines of text
_GAP = 0.85  # between boxes, for the arrow
_COLUMN = 4.2
_MOST_PATHS = 4
_MOST_CELLS = 4
_MOST_GRIDS = 6


def branches(block: Branches, input_shape: Sequence[int]) -> Figure:
    """Draw the paths of a block next to each other, each layer as a box with its output channels.

    The input is at the top and the output at the bottom. Layers that have no window and keep the
    shape (ReLU, batch norm) are not drawn.

    Args:
        block: At most four paths, concatenated or added.
        input_shape: (C, H, W).

    Raises:
        TypeError: If `block` is not a `Branches`.
        ValueError: If it has more than four paths, or a layer cannot take its input.
    """
    if not isinstance(block, Branches):
        raise TypeError(f"`block` ({block!r}) must be a `Branches`")
    if len(block.paths) > _MOST_PATHS:
        raise ValueError(f"`block` has {len(block.paths)} paths; at most {_MOST_PATHS} are drawn")
    shape = as_shape(input_shape)
    output = block.output_shape(shape)
    columns = [_drawn(path, shape) for path in block.paths]
    deepest = max(map(len, columns))
    width = 2 * _MARGIN + _COLUMN * len(columns)
    step = _BOX + _GAP
    figure, axes = theme.canvas(width, 2 * _MARGIN + step * (deepest + 1) + _BOX)
    last = _MARGIN + step * (deepest + 1)
    _wide_box(axes, _MARGIN, width, "input", _times(shape), theme.INPUT)
    word = "concatenated" if block.join == "concat" else "added"
    _wide_box(axes, last, width, word, _sum(columns, block, output), theme.OUTPUT)
    for place, column in enumerate(columns):
        middle = _MARGIN + _COLUMN * (place + 0.5)
        y = _MARGIN + _BOX
        # A short path is at the bottom, next to the wider filters of the others.
        start = last - step * len(column)
        arrow(axes, (middle, y), (middle, start if column else last))
        for row, (layer, channels) in enumerate(column):
            top = start + step * row
            fill = theme.PAD if isinstance(layer, Pool) else theme.FILTER
            x = middle - _COLUMN / 2 + 0.15
            boxes(
                axes, [(x, top, _COLUMN - 0.3, _BOX)], fill=fill, label=f"box {place}",
                edge=theme.FG,
            )  # fmt: skip
            theme.write(axes, middle, top + 0.55, layer.kind, label=f"layer {place}")
            words = f"{channels} channels" if channels > 1 else "1 channel"
            size = theme.fit(words, _COLUMN - 0.5, theme.LABEL_POINTS)
            theme.write(axes, middle, top + 1.22, words, size=size, label=f"channels {place}")
            arrow(axes, (middle, top + _BOX), (middle, top + step))
    return figure


def _drawn(path: Sequence[Layer], shape: Shape) -> list[tuple[Layer, int]]:
    return [
        (layer, after[0])
        for layer, _, after in walk(path, shape)
        if not isinstance(layer, (Activation, BatchNorm))
    ]


def _wide_box(axes: Axes, y: float, width: float, word: str, text: str, fill: str) -> None:
    x = _MARGIN + 0.15
    boxes(axes, [(x, y, width - 2 * x, _BOX)], fill=fill, label=word, edge=theme.FG)
    theme.write(axes, width / 2, y + 0.55, word, bold=True, label="end")
    size = theme.fit(text, width - 2 * x - 0.2, theme.LABEL_POINTS)
    theme.write(axes, width / 2, y + 1.22, text, size=size, label=f"{word} shape")


def _sum(columns: Sequence[Sequence[tuple[Layer, int]]], block: Branches, output: Shape) -> str:
    ends = [column[-1][1] for column in columns if column]
    if block.join == "sum" or len(ends) < len(columns):
        return _times(output)
    return f"{' + '.join(map(str, ends))} = {output[0]} channels"


def _times(shape: Shape) -> str:
    return f"{shape[0]} channels of {shape[1]}×{shape[2]}"


def branch_maps(image: ArrayLike, maps: Mapping[str, ArrayLike]) -> Figure:
    """Draw the channels of an image, and below them the output channels of each branch.

    Args:
        image: (C, H, W), at most three channels of at most 4×4.
        maps: The output of each branch, (C, H, W), by its heading; at most six channels in all.

    Raises:
        ValueError: If a map has the wrong shape or is too large, or there are too many.
        TypeError: If an argument does not hold real numbers.
    """
    channels = _as_maps(image, "image")
    outputs = {heading: _as_maps(value, "maps") for heading, value in maps.items()}
    drawn = [(heading, place, grid) for heading, value in outputs.items()
             for place, grid in enumerate(value)]  # fmt: skip
    if len(channels) > 3 or len(drawn) > _MOST_GRIDS:
        raise ValueError(
            f"`image` has {len(channels)} channels and `maps` {len(drawn)}: the figure draws at "
            f"most 3 and {_MOST_GRIDS}"
        )
    rows, across = channels.shape[1], 3
    step_x, step_y = max(channels.shape[2], 4) + 1.0, rows + 1.5
    lines = -(-len(drawn) // across)
    width = across * step_x - 0.6
    figure, axes = theme.canvas(width, (lines + 1) * step_y + 0.4)
    for place, grid in enumerate(channels):
        x, y = _MARGIN + place * step_x, 1.1
        theme.write(axes, x, y - 0.5, f"channel {place + 1}", ha="left", label="image")
        draw_grid(axes, grid, x, y, fill=theme.INPUT, name=f"image {place}")
    for number, (heading, place, grid) in enumerate(drawn):
        row, column = divmod(number, across)
        x, y = _MARGIN + column * step_x, 1.1 + (row + 1) * step_y + 0.3
        text = heading if len(outputs[heading]) == 1 else f"{heading} {place + 1}"
        size = theme.fit(text, step_x - 0.4, theme.LABEL_POINTS)
        theme.write(axes, x, y - 0.5, text, ha="left", size=size, label="heading")
        draw_grid(axes, grid, x, y, fill=theme.OUTPUT, name=f"map {number}")
    return figure


def _as_maps(value: ArrayLike, name: str) -> Array:
    array = as_array(value, name)
    if array.ndim != 3 or not 0 < max(array.shape[1:]) <= _MOST_CELLS:
        raise ValueError(
            f"`{name}` has shape {np.shape(array)}; it must be (C, H, W) with at most "
            f"{_MOST_CELLS}×{_MOST_CELLS} cells"
        )
    return array
