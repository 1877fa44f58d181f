"""The convolution as a matrix product, drawn: windows as columns, and the Toeplitz matrix."""

from __future__ import annotations

import string

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_pair
from cnnref._types import Array, ConvPadding, IntOrPair, Pair
from cnnref.figures import _theme as theme
from cnnref.figures._checks import as_cell, as_matrix
from cnnref.figures._grid import (
    Grid,
    KeyEntry,
    boxes,
    draw_grid,
    draw_key,
    key_height,
    outline,
    padding_mask,
    strokes,
)
from cnnref.ops import pad2d
from cnnref.ops.convolution import check_conv2d
from cnnref.ops.convolution_matrix import im2col, toeplitz_matrix

__all__ = ["im2col_product", "toeplitz"]

# What a reader can follow by hand, and what fits in the width of a page.
_MOST_ROWS = 9
_MOST_SIDE = 16
_MARGIN = 0.2
_HEADING = 0.95
_GAP = 0.7


def im2col_product(
    input: ArrayLike,
    weight: ArrayLike,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    *,
    at: tuple[int, int] = (0, 0),
) -> Figure:
    r"""Draw a convolution as one row times a matrix whose columns are the windows.

    On the left are the image with one window on it, and the filter. On the right is the matrix of
    `im2col`, in which that window is a column. Below is the filter written as a row, and under each
    column its product with the row. These products are the output, read row by row.

    Args:
        input: One image, (C, H, W) or (1, C, H, W).
        weight: One filter, (1, C, kH, kW).
        stride: As for `conv2d`.
        padding: As for `conv2d`; its cells are hatched.
        dilation: As for `conv2d`; if it is above 1, the cells that are read are ringed.
        at: Row and column of the window's output cell, counted from 0.

    Raises:
        ValueError: If the arguments do not fit together, ``at`` lies outside the output, or there
            is too much to read: more than one image or filter, more than 9 numbers in a window, or
            more columns than fit in the width of a page.
        TypeError: If an argument has the wrong type.
    """
    a = check_conv2d(input, weight, None, stride, padding, dilation, 1)
    if len(a.input) != 1 or len(a.weight) != 1:
        raise ValueError(
            f"the figure draws one image and one filter, not {len(a.input)} and {len(a.weight)}"
        )
    row, column = as_cell(at, a.output_size)
    padded = pad2d(a.input, a.padding)[0]
    columns = im2col(padded, a.weight.shape[2:], a.stride, 0, a.dilation)
    channels, (taps, windows) = len(padded), columns.shape
    pads = padding_mask(padded.shape[1:], a.padding)
    # The mask of the padding, unfolded like the image, says which cells of the columns are padding.
    column_pads = im2col(
        np.broadcast_to(pads, padded.shape).astype(np.int8), a.weight.shape[2:],
        a.stride, 0, a.dilation,
    ).astype(bool)  # fmt: skip
    read = [
        (row * a.stride[0] + u * a.dilation[0], column * a.stride[1] + v * a.dilation[1])
        for u, v in np.ndindex(*a.weight.shape[2:])
    ]
    reach = (read[-1][0] - read[0][0] + 1, read[-1][1] - read[0][1] + 1)
    dilated = a.dilation != (1, 1)
    place = row * a.output_size[1] + column

    input_width = channels * padded.shape[2] + (channels - 1) * _GAP
    filter_width = channels * a.weight.shape[3] + (channels - 1) * _GAP
    left = max(input_width, filter_width, taps, 4.0)
    right_x = _MARGIN + left + 1.6
    width = right_x + max(windows, 5.2) + _MARGIN
    if width > theme.WIDTH or max(taps, padded.shape[1]) > _MOST_ROWS:
        raise ValueError(
            f"{taps} numbers in each of {windows} windows, of an image padded to "
            f"{channels}×{padded.shape[1]}×{padded.shape[2]}, are too many to read in a figure"
        )
    filter_y = _HEADING + padded.shape[1] + 1.4
    # The columns end where the filter ends, so that they are directly above their products.
    row_y = max(filter_y + a.weight.shape[2], _HEADING + taps) + 1.7
    columns_y = row_y - 1.7 - taps
    output_y = row_y + 2.4
    entries: list[KeyEntry] = ["window"]
    entries += ["padding"] if pads.any() else []
    entries += ["read"] if dilated else []
    key_y = output_y
    height = max(output_y + a.output_size[0], key_y + key_height(entries)) + _MARGIN
    figure, axes = theme.canvas(width, height)

    x = _MARGIN
    for c in range(channels):
        grid = draw_grid(
            axes, padded[c], x, _HEADING, fill=theme.INPUT, padding=pads,
            marked=() if dilated else read, ringed=read if dilated else (), name=f"input {c}",
        )  # fmt: skip
        outline(axes, grid, read[0], reach)
        x = grid.right + _GAP
    theme.write(axes, _MARGIN, _HEADING - 0.45, "input", ha="left")
    theme.write(axes, _MARGIN, filter_y - 0.45, "filter", ha="left")
    x = _MARGIN
    for c in range(channels):
        grid = draw_grid(axes, a.weight[0, c], x, filter_y, fill=theme.FILTER, name=f"filter {c}")
        x = grid.right + _GAP

    own = [(tap, place) for tap in range(taps)]
    matrix = draw_grid(
        axes, columns, right_x, columns_y, fill=theme.INPUT, padding=column_pads, marked=own,
        name="columns",
    )  # fmt: skip
    outline(axes, matrix, (0, place), (taps, 1), label="column")
    theme.write(axes, right_x, columns_y - 0.45, "windows as columns", ha="left")
    theme.write(axes, _MARGIN, row_y - 0.45, "filter as a row", ha="left")
    weights = draw_grid(
        axes, a.weight.reshape(1, -1), _MARGIN, row_y, fill=theme.FILTER, name="row"
    )
    product = a.weight.reshape(1, -1) @ columns
    theme.write(axes, right_x, row_y - 0.45, "row × columns", ha="left")
    cells = draw_grid(
        axes, product, right_x, row_y, fill=theme.OUTPUT, marked=[(0, place)], name="product"
    )
    outline(axes, cells, (0, place), (1, 1), label="product cell")
    _equals(axes, weights, cells)
    output = product.reshape(a.output_size)
    theme.write(axes, right_x, output_y - 0.45, "read as output", ha="left")
    result = draw_grid(
        axes, output, right_x, output_y, fill=theme.OUTPUT, marked=[(row, column)], name="output"
    )
    outline(axes, result, (row, column), (1, 1), label="output cell")
    draw_key(axes, _MARGIN, key_y, entries)
    return figure


def _equals(axes: Axes, weights: Grid, product: Grid) -> None:
    theme.write(axes, (weights.right + product.x) / 2, product.middle[1], "→", size=16)


def toeplitz(
    weight: ArrayLike,
    input_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    *,
    letters: bool = False,
) -> Figure:
    r"""Draw the matrix $T$ of a convolution of one channel with one filter.

    Each row is a cell of the output and each column a pixel of the image. Cells that are zero for
    all weights are left empty. Thick lines separate the blocks: there is one for each row of the
    output and each row of the image.

    Args:
        weight: One filter, a matrix (kH, kW).
        input_size: Height and width of the image, an int or a pair.
        stride: As for `conv2d`.
        padding: As for `conv2d`.
        dilation: As for `conv2d`.
        letters: Whether to write a, b, c … for the weights instead of their values.

    Raises:
        ValueError: If the arguments do not fit together, or there is too much to read: more than 16
            pixels or output cells, or more than 26 weights.
        TypeError: If an argument has the wrong type.
    """
    kernel = as_matrix(weight, "weight")
    if kernel.size > len(string.ascii_lowercase):
        raise ValueError(f"`weight` has {kernel.size} cells: the figure draws at most 26")
    size = as_pair(input_size, "input_size", 1)
    # The weight in each cell, numbered from 1, so that 0 means that there is none.
    numbered = np.arange(1, kernel.size + 1).reshape(1, 1, *kernel.shape)
    which = toeplitz_matrix(numbered, size, stride, padding, dilation)
    for count, name in ((which.shape[1], "pixels"), (which.shape[0], "output cells")):
        if count > _MOST_SIDE:
            raise ValueError(f"there are {count} {name}: the figure draws at most {_MOST_SIDE}")
    names = list(string.ascii_lowercase) if letters else [theme.number(v) for v in kernel.flat]
    block = (_output_width(kernel, size, stride, padding, dilation), size[1])

    x, y = _MARGIN + 2.0, _HEADING + kernel.shape[0] + 2.3
    width = max(x + which.shape[1], 8.0) + _MARGIN
    figure, axes = theme.canvas(width, y + which.shape[0] + _MARGIN)
    text_size = min(theme.fit(name, 0.9, theme.NUMBER_POINTS) for name in names[: kernel.size])
    theme.write(axes, x, _HEADING - 0.45, "filter", ha="left")
    grid = Grid(x, _HEADING, *kernel.shape)
    taps = np.arange(1, kernel.size + 1).reshape(kernel.shape)
    _draw_weights(axes, grid, taps, names, text_size, "filter")
    grid = Grid(x, y, *which.shape)
    _draw_weights(axes, grid, which, names, text_size, "matrix")
    theme.write(axes, x, y - 1.25, "rows of the image", ha="left", label="heading")
    for place in range(which.shape[1] // block[1]):
        middle = x + (place + 0.5) * block[1]
        theme.write(axes, middle, y - 0.45, _name(place, block[1]), label="image row")
    theme.write(axes, _MARGIN, y - 0.45, "output", ha="left", label="heading")
    for place in range(which.shape[0] // block[0]):
        middle = y + (place + 0.5) * block[0]
        theme.write(axes, _MARGIN, middle, f"row {place + 1}", ha="left", label="output row")
    _draw_blocks(axes, grid, block)
    return figure


def _output_width(
    kernel: Array, size: Pair, stride: IntOrPair, padding: ConvPadding, dilation: IntOrPair
) -> int:
    image = np.zeros((1, *size), np.int8)
    a = check_conv2d(image, kernel[None, None], None, stride, padding, dilation, 1)
    return a.output_size[1]


def _name(place: int, room: int) -> str:
    return f"row {place + 1}" if room > 1 else str(place + 1)


def _draw_weights(
    axes: Axes, grid: Grid, which: Array, names: list[str], size: float, name: str
) -> None:
    filled = {(int(row), int(column)) for row, column in np.argwhere(which)}
    for fill, label in ((theme.BG, "zero"), (theme.FILTER, "weight")):
        boxes(
            axes,
            [
                (grid.x + cell[1], grid.y + cell[0], 1.0, 1.0)
                for cell in np.ndindex(*which.shape)
                if (cell in filled) == (label == "weight")
            ],
            fill=fill,
            label=f"{name} {label}",
        )
    for row, column in sorted(filled):
        text, label = names[which[row, column] - 1], f"{name}[{row},{column}]"
        theme.write(axes, *grid.centre((row, column)), text, size=size, label=label)


def _draw_blocks(axes: Axes, grid: Grid, block: tuple[int, int]) -> None:
    lines = [
        ((grid.x, grid.y + row), (grid.right, grid.y + row))
        for row in range(0, grid.rows + 1, block[0])
    ] + [
        ((grid.x + column, grid.y), (grid.x + column, grid.bottom))
        for column in range(0, grid.columns + 1, block[1])
    ]
    strokes(axes, lines, colour=theme.FG, width=1.8, label="block")
