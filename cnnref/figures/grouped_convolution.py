"""The channels that each filter reads, and 1×1 convolution as dot products over channels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_int
from cnnref.figures import _theme as theme
from cnnref.figures._checks import as_cell
from cnnref.figures._grid import boxes, draw_grid, outline
from cnnref.ops.convolution import check_conv2d, conv2d

__all__ = ["Layer", "connections", "dot_product"]

_MARGIN = 0.2
_HEADING = 0.95
_SIDE = 1.3
_MOST_CHANNELS = 6
_MOST_KERNEL = 5


class Layer(NamedTuple):
    """A convolution layer as `connections` draws it.

    Attributes:
        name: The heading.
        in_channels: Number of input channels.
        out_channels: Number of filters.
        kernel_size: Side of the filters, in pixels.
        groups: Number of groups.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel_size: int = 3
    groups: int = 1


def connections(layers: Iterable[Layer]) -> Figure:
    r"""Draw which input channels each filter reads, as one block matrix per layer.

    Each row is a filter and each column an input channel. If the filter reads the channel, the cell
    is filled and divided into the k×k weights that connect the two. Otherwise it is empty. The
    number of weights is below the matrix.

    Args:
        layers: The layers, each with at most 6 channels and filters. Two fit next to each other.

    Raises:
        ValueError: If there is no layer, a number is below 1, `groups` does not divide the
            channels or the filters, or there is too much to draw: more than 6 channels or filters,
            a kernel above 5.
        TypeError: If a number is not an integer.
    """
    checked = [_checked(Layer(*layer)) for layer in layers]
    if not checked:
        raise ValueError("`layers` must hold at least one layer")
    gap, left = 1.0, 0.8
    panel = max(max(layer.in_channels * _SIDE for layer in checked) + left, 7.0)
    across = 2 if len(checked) > 1 else 1
    pairs = [checked[i : i + across] for i in range(0, len(checked), across)]
    heights = [max(layer.out_channels for layer in pair) * _SIDE + 3.6 for pair in pairs]
    figure, axes = theme.canvas(
        across * panel + (across - 1) * gap + 2 * _MARGIN, sum(heights) + 2 * _MARGIN + 1
    )
    words = "rows: filters; columns: channels"
    theme.write(axes, _MARGIN, _MARGIN + 0.5, words, ha="left", colour=theme.MUTED, size=11)
    top = _MARGIN + 1
    for line, (pair, height) in enumerate(zip(pairs, heights, strict=True)):
        for place, layer in enumerate(pair):
            name = f"layer {line * across + place}"
            x, y = _MARGIN + place * (panel + gap) + left, top + 2.0
            theme.write(axes, x - left, top + 0.5, layer.name, ha="left", bold=True, size=13)
            for channel in range(layer.in_channels):
                middle = x + (channel + 0.5) * _SIDE
                theme.write(axes, middle, y - 0.4, str(channel + 1), label=f"{name} column")
            reads = np.zeros((layer.out_channels, layer.in_channels), dtype=bool)
            per_group = layer.in_channels // layer.groups
            for filter in range(layer.out_channels):
                first = filter // (layer.out_channels // layer.groups) * per_group
                reads[filter, first : first + per_group] = True
                middle = y + (filter + 0.5) * _SIDE
                theme.write(axes, x - 0.4, middle, str(filter + 1), label=f"{name} row")
            for read, fill, label in (
                (True, theme.FILTER, f"{name} read"),
                (False, theme.BG, f"{name} empty"),
            ):
                corners = [
                    (x + c * _SIDE, y + o * _SIDE, _SIDE, _SIDE)
                    for o, c in zip(*np.nonzero(reads == read), strict=True)
                ]
                boxes(axes, corners, fill=fill, label=label, edge=theme.GRID)
            tap = 0.86 * _SIDE / layer.kernel_size
            inset = 0.07 * _SIDE
            taps = [
                (x + c * _SIDE + inset + v * tap, y + o * _SIDE + inset + u * tap, tap, tap)
                for o, c in zip(*np.nonzero(reads), strict=True)
                for u, v in np.ndindex(layer.kernel_size, layer.kernel_size)
            ]
            boxes(axes, taps, fill=theme.FILTER, label=f"{name} weight", edge=theme.FG)
            words = f"{len(taps)} weight{'' if len(taps) == 1 else 's'}"
            bottom = y + layer.out_channels * _SIDE
            theme.write(axes, x, bottom + 0.6, words, ha="left", label=f"{name} count")
        top += height
    return figure


def _checked(layer: Layer) -> Layer:
    for value, name, most in (
        (layer.in_channels, "in_channels", _MOST_CHANNELS),
        (layer.out_channels, "out_channels", _MOST_CHANNELS),
        (layer.kernel_size, "kernel_size", _MOST_KERNEL),
        (layer.groups, "groups", _MOST_CHANNELS),
    ):
        if as_int(value, name, 1) > most:
            raise ValueError(f"`{name}` ({value}) must be at most {most} to be drawn")
    for value, name in ((layer.in_channels, "in_channels"), (layer.out_channels, "out_channels")):
        if value % layer.groups:
            raise ValueError(f"`{name}` ({value}) must be divisible by `groups` ({layer.groups})")
    return layer


def dot_product(input: ArrayLike, weight: ArrayLike, at: tuple[int, int] = (0, 0)) -> Figure:
    r"""Draw a 1×1 convolution at one pixel: each filter is a dot product over all channels.

    On the left are the channels of the input with the pixel outlined. On the right the pixel is a
    column: the matrix of the filters times this column is the column of the outputs.

    Args:
        input: One image, (C, H, W) or (1, C, H, W).
        weight: Filters, (O, C, 1, 1).
        at: Row and column of the pixel, counted from 0.

    Raises:
        ValueError: If the shapes do not fit, the filters are not 1×1, ``at`` lies outside the
            image, or there is too much to read: more than one image, more than 4 channels or
            filters, a side above 4.
        TypeError: If an argument has the wrong type.
    """
    checked = check_conv2d(input, weight, None, 1, 0, 1, 1)
    if checked.input.shape[0] != 1:
        raise ValueError(f"`input` must hold one image, got {checked.input.shape[0]}")
    if checked.weight.shape[2:] != (1, 1):
        raise ValueError(f"`weight` has shape {checked.weight.shape}; its filters must be 1×1")
    image, matrix = checked.input[0], checked.weight[:, :, 0, 0]
    channels, rows, columns = image.shape
    filters = len(matrix)
    if max(channels, filters, rows, columns) > 4:
        raise ValueError("the figure draws at most 4 channels, 4 filters and 4×4 pixels")
    row, column = as_cell(at, (rows, columns), of="input")
    output = conv2d(image, checked.weight)[:, row, column]

    block = rows + 1.1
    # A small matrix or column is not as wide as its heading.
    matrix_x = _MARGIN + max(columns, 4.2) + 1.5
    vector_x = matrix_x + max(channels, 2.6) + 0.7
    output_x = vector_x + 2.1
    height = max(channels * block, _HEADING + max(channels, filters) + 1.5)
    middle = max(height / 2, 1.5 + max(channels, filters) / 2)
    figure, axes = theme.canvas(output_x + 2.4 + _MARGIN, height + _MARGIN)
    for channel in range(channels):
        top = channel * block + _HEADING
        grid = draw_grid(
            axes, image[channel], _MARGIN, top, fill=theme.INPUT, marked=[(row, column)],
            name=f"input {channel}",
        )  # fmt: skip
        outline(axes, grid, (row, column), (1, 1))
        theme.write(axes, _MARGIN, top - 0.45, f"channel {channel + 1}", ha="left")
    weights = draw_grid(
        axes, matrix, matrix_x, middle - filters / 2, fill=theme.FILTER, name="weight"
    )
    vector = draw_grid(
        axes, image[:, row, column][:, None], vector_x, middle - channels / 2,
        fill=theme.WINDOW_FILL, marked=[(c, 0) for c in range(channels)], name="pixel",
    )  # fmt: skip
    result = draw_grid(
        axes, output[:, None], output_x, middle - filters / 2, fill=theme.OUTPUT, name="output"
    )
    outline(axes, vector, (0, 0), (channels, 1))
    heading = middle - max(channels, filters) / 2 - 0.5
    theme.write(axes, weights.x, heading, "filters", ha="left")
    theme.write(axes, vector.middle[0], heading, "pixel")
    theme.write(axes, result.middle[0] + 0.3, heading, "output")
    theme.write(axes, (weights.right + vector.x) / 2, middle, "×", size=16)
    theme.write(axes, (vector.right + result.x) / 2, middle, "=", size=16)
    for filter in range(filters):
        theme.write(
            axes, matrix_x - 0.35, weights.y + filter + 0.5, str(filter + 1), label="filter row"
        )  # fmt: skip
    return figure
