"""The transposed convolution, drawn: stamps on the output, and how many overlap in each cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from numpy.typing import ArrayLike

from cnnref._checks import as_int
from cnnref._types import IntOrPair, Padding
from cnnref.figures import _theme as theme
from cnnref.figures._checks import as_matrix, refuse_larger
from cnnref.figures._grid import Grid, draw_grid, hatch, rectangle
from cnnref.ops.transposed_convolution import (
    ConvTranspose2dArguments,
    check_conv_transpose2d,
    conv_transpose2d,
)

__all__ = ["overlaps", "stamps"]

_MOST_CELLS = 9
_MARGIN = 0.2
_HEADING = 0.95
# Each stamp has its own kind of line and distance from the edges of its cells, so that overlapping
# outlines can be told apart without colour.
_LINES = (("-", 2.2), ((0, (4, 2)), 2.2), ((0, (1, 1.4)), 2.2), ((0, (5, 1.5, 1, 1.5)), 2.2))
_INSETS = (0.02, 0.1, 0.1, 0.02)


def stamps(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    output_padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    *,
    at: Sequence[tuple[int, int]] | None = None,
) -> Figure:
    r"""Draw the stamps that input cells leave on the output of a transposed convolution.

    The input and the filter are on the left, the output on the right. An input cell and its stamp
    have the same kind of outline. Output cells where stamps overlap have another colour and a bold
    number. Cells that no stamp reaches are hatched. Each number is the sum

    $$\text{out}_{y,x} = b + \sum_{i s + u d - p = y,\; j s + v d - p = x} x_{i,j}\; w_{u,v}$$

    Args:
        input: One channel, (H, W).
        weight: One filter, (kH, kW).
        bias: A number, or None.
        stride: Int or (height, width).
        padding: Int, (height, width) or ((top, bottom), (left, right)).
        output_padding: Int or (height, width).
        dilation: Int or (height, width).
        at: Input cells whose stamps to outline, each (row, column) counted from 0; at most four.
            None means the first four, row by row.

    Raises:
        ValueError: If the arguments do not fit together, a cell of ``at`` lies outside the input,
            or a side of the input, the filter or the output is above 9.
        TypeError: If an argument has the wrong type.
    """
    images, filters = as_matrix(input, "input"), as_matrix(weight, "weight")
    a = check_conv_transpose2d(
        images[None], filters[None, None], None if bias is None else [bias],
        stride, padding, output_padding, 1, dilation,
    )  # fmt: skip
    for name, shape in (("`input`", images.shape), ("`weight`", filters.shape),
                        ("output", a.output_size)):  # fmt: skip
        refuse_larger(shape, _MOST_CELLS, name)
    cells = list(np.ndindex(*images.shape))[:4] if at is None else [tuple(cell) for cell in at]
    if len(cells) > len(_LINES):
        raise ValueError(f"`at` ({at!r}) holds {len(cells)} cells: at most {len(_LINES)}")
    for row, column in cells:
        if not (0 <= row < images.shape[0] and 0 <= column < images.shape[1]):
            raise ValueError(f"`at` ({at!r}) must lie in the input, which is {images.shape}")

    output = conv_transpose2d(
        a.input, a.weight, a.bias, a.stride, a.padding, a.output_padding, 1, a.dilation
    )[0, 0]
    counts = _counts(a)
    left = max(images.shape[1], filters.shape[1], 3)
    output_x = _MARGIN + left + 1.4
    filter_y = _HEADING + images.shape[0] + 1.6
    height = max(filter_y + filters.shape[0], _HEADING + output.shape[0])
    figure, axes = theme.canvas(output_x + max(output.shape[1], 3) + _MARGIN, height + _MARGIN)
    x_grid = draw_grid(axes, images, _MARGIN, _HEADING, fill=theme.INPUT, name="input")
    draw_grid(axes, filters, _MARGIN, filter_y, fill=theme.FILTER, name="filter")
    overlapping = [(int(y), int(x)) for y, x in np.argwhere(counts > 1)]
    o_grid = draw_grid(
        axes, output, output_x, _HEADING, fill=theme.OUTPUT, marked=overlapping, name="output"
    )
    empty = np.argwhere(counts == 0)
    hatch(axes, [(o_grid.x + x, o_grid.y + y) for y, x in empty], label="empty")
    theme.write(axes, _MARGIN, _HEADING - 0.45, "input", ha="left")
    theme.write(axes, _MARGIN, filter_y - 0.45, "filter", ha="left")
    theme.write(axes, output_x, _HEADING - 0.45, "output", ha="left")

    (top, _), (leftmost, _) = a.padding
    reach = [d * (k - 1) + 1 for d, k in zip(a.dilation, filters.shape, strict=True)]
    for place, (row, column) in enumerate(cells):
        _line(axes, x_grid, (row, column), (row + 1, column + 1), place, 0.08, "stamped cell")
        y, x = row * a.stride[0] - top, column * a.stride[1] - leftmost
        # The part that padding cuts off is not drawn.
        start = max(y, 0), max(x, 0)
        end = min(y + reach[0], output.shape[0]), min(x + reach[1], output.shape[1])
        if start[0] < end[0] and start[1] < end[1]:
            _line(axes, o_grid, start, end, place, _INSETS[place], "stamp")
    return figure


def _line(
    axes: Axes,
    grid: Grid,
    start: tuple[int, int],
    end: tuple[int, int],
    place: int,
    inset: float,
    label: str,
) -> None:
    """Outline the cells from ``start`` up to ``end`` with the line of stamp number ``place``."""
    x0, y0 = grid.x + start[1] + inset, grid.y + start[0] + inset
    x1, y1 = grid.x + end[1] - inset, grid.y + end[0] - inset
    path = rectangle(x0, y0, x1 - x0, y1 - y0)
    style, width = _LINES[place]
    axes.add_patch(
        PathPatch(
            path,
            label=label,
            clip_on=False,
            facecolor="none",
            edgecolor=theme.WINDOW,
            linestyle=style,
            linewidth=width,
        )
    )


def _counts(a: ConvTranspose2dArguments) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return how many stamps reach each output cell, as the transposed convolution of ones."""
    ones = np.ones((1, *a.input.shape[2:]), np.int64)
    taps = np.ones((1, 1, *a.weight.shape[2:]), np.int64)
    counts: np.ndarray[tuple[int, int], np.dtype[np.int64]] = conv_transpose2d(
        ones, taps, None, a.stride, a.padding, a.output_padding, 1, a.dilation
    )[0]
    return counts


def overlaps(
    kernel_sizes: Sequence[int] = (3, 4),
    stride: int = 2,
    input_size: int = 3,
    padding: int = 0,
) -> Figure:
    """Draw how many stamps overlap in each output cell, one grid per kernel size.

    If the stride divides the kernel size, all cells away from the border have the same number.
    Otherwise the numbers alternate, which is the checkerboard. The cells with the most stamps have
    another colour and bold numbers.

    Args:
        kernel_sizes: The kernel sizes of the square filters.
        stride: Step between stamps.
        input_size: Rows and columns of the input.
        padding: Pixels cut off on each side.

    Raises:
        ValueError: If a number is below 1 (the padding below 0), nothing is left, there is no
            kernel size, or an output is larger than 9×9.
        TypeError: If a number is not an integer.
    """
    step, size = as_int(stride, "stride", 1), as_int(input_size, "input_size", 1)
    kernels = [as_int(kernel, "kernel_sizes", 1) for kernel in kernel_sizes]
    if not kernels:
        raise ValueError("`kernel_sizes` must hold at least one number")
    ones = np.ones((1, size, size), dtype=int)
    counts = [
        conv_transpose2d(ones, np.ones((1, 1, k, k), dtype=int), None, step, padding)[0]
        for k in kernels
    ]
    for kernel, grid in zip(kernels, counts, strict=True):
        refuse_larger(grid.shape, _MOST_CELLS, f"output for kernel {kernel}")
    # A heading needs seven cells.
    panels = [max(len(grid), 7) for grid in counts]
    gap = 0.8
    width = sum(panels) + gap * (len(panels) - 1) + 2 * _MARGIN
    figure, axes = theme.canvas(width, _HEADING + max(map(len, counts)) + _MARGIN)
    x = _MARGIN
    for kernel, grid, panel in zip(kernels, counts, panels, strict=True):
        most = [(int(i), int(j)) for i, j in np.argwhere(grid == grid.max())]
        theme.write(axes, x, _HEADING - 0.45, f"kernel {kernel}, stride {step}", ha="left")
        draw_grid(axes, grid, x, _HEADING, fill=theme.OUTPUT, marked=most, name=f"kernel {kernel}")
        x += panel + gap
    return figure
