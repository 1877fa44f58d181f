"""Dilation, drawn: a filter that is spread out reads as many cells over a wider window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_int, as_pair, as_sides
from cnnref._types import IntOrPair, Padding
from cnnref.figures import _theme as theme
from cnnref.figures._checks import as_cell, as_matrix, refuse_larger
from cnnref.figures._grid import (
    Grid,
    KeyEntry,
    boxes,
    draw_grid,
    draw_key,
    key_height,
    outline,
    padding_mask,
    ring,
)
from cnnref.ops import output_size, pad2d

__all__ = ["dilated_window", "reach"]

_MOST_CELLS = 11
_MARGIN = 0.2
_HEADING = 0.95


def dilated_window(
    input: ArrayLike,
    kernel_size: IntOrPair,
    dilation: IntOrPair,
    padding: Padding = 0,
    at: tuple[int, int] = (0, 0),
) -> Figure:
    r"""Draw which cells a dilated window reads at one place (stride 1).

    The outline is the window that the filter spans, $d(k-1)+1$ cells on each side. Rings mark the
    $k \times k$ cells that it reads. On the right these cells are gathered.

    Args:
        input: One channel, (H, W).
        kernel_size: Int or (height, width).
        dilation: Int or (height, width); 1 is the ordinary, dense window.
        padding: Zeros: int, (height, width) or ((top, bottom), (left, right)).
        at: Row and column of the output cell, counted from 0.

    Raises:
        ValueError: If ``input`` is not a matrix, a setting is out of range, ``at`` lies outside
            the output, or a padded side is above 11.
        TypeError: If an argument has the wrong type.
    """
    image = as_matrix(input, "input")
    kernel = as_pair(kernel_size, "kernel_size", 1)
    step = as_pair(dilation, "dilation", 1)
    sides = as_sides(padding)
    row, column = as_cell(at, output_size(image.shape, kernel, 1, sides, step))
    padded = pad2d(image[None], sides)[0]
    refuse_larger(padded.shape, _MOST_CELLS, "padded `input`")
    window = (step[0] * (kernel[0] - 1) + 1, step[1] * (kernel[1] - 1) + 1)
    taps = [(row + m * step[0], column + n * step[1]) for m, n in np.ndindex(*kernel)]
    pads = padding_mask(padded.shape, sides)

    shown: list[KeyEntry] = ["window", "read"]
    if pads.any():
        shown.append("padding")
    gathered_x = _MARGIN + padded.shape[1] + 1.3
    gathered_y = _HEADING + key_height(shown) + 1.5
    bottom = max(_HEADING + padded.shape[0], gathered_y + kernel[0])
    figure, axes = theme.canvas(gathered_x + max(kernel[1], 4.6) + _MARGIN, bottom + _MARGIN)
    x_grid = draw_grid(
        axes, padded, _MARGIN, _HEADING, fill=theme.INPUT, padding=pads, ringed=taps, name="input"
    )
    outline(axes, x_grid, taps[0], window)
    heading = f"window {window[0]}×{window[1]}, reads {len(taps)} cells"
    theme.write(axes, _MARGIN, _HEADING - 0.45, heading, ha="left")
    draw_key(axes, gathered_x, _HEADING, shown)
    rows, columns = zip(*taps, strict=True)
    values = padded[rows, columns].reshape(kernel)
    draw_grid(
        axes, values, gathered_x, gathered_y, fill=theme.WINDOW_FILL,
        padding=pads[rows, columns].reshape(kernel), mark_fill=theme.WINDOW_FILL,
        marked=list(np.ndindex(*kernel)), name="read",
    )  # fmt: skip
    theme.write(axes, gathered_x, gathered_y - 0.45, "the cells read", ha="left")
    return figure


def reach(kernel_size: int = 3, dilations: Sequence[int] = (1, 2, 3)) -> Figure:
    r"""Draw one filter at several dilations: it reads as many cells, over a growing window.

    Args:
        kernel_size: Side $k$ of the square filter.
        dilations: The dilations $d$. The window spans $d(k-1)+1$ cells on each side.

    Raises:
        ValueError: If a number is below 1, there is no dilation, or a window's side is above 17.
        TypeError: If a number is not an integer.
    """
    kernel = as_int(kernel_size, "kernel_size", 1)
    steps = [as_int(dilation, "dilations", 1) for dilation in dilations]
    if not steps:
        raise ValueError("`dilations` must hold at least one number")
    sides = [step * (kernel - 1) + 1 for step in steps]
    if max(sides) > theme.WIDTH:
        raise ValueError(
            f"a window of {max(sides)} cells is too wide to draw: at most {theme.WIDTH:.0f}"
        )
    gap, heading = 0.7, 1.8
    places: list[tuple[float, float]] = []
    x, y, row_height = 0.0, heading, 0
    for side in sides:
        # The text needs 3.6 cells, even if the window is narrower.
        width = max(side, 3.6)
        if x and x + width > theme.WIDTH:
            x, y, row_height = 0.0, y + row_height + heading, 0
        places.append((x, y))
        x, row_height = x + width + gap, max(row_height, side)
    right = max(x + max(side, 3.6) for (x, _), side in zip(places, sides, strict=True))
    figure, axes = theme.canvas(right + 2 * _MARGIN, y + row_height + _MARGIN)
    for (x, y), side, step in zip(places, sides, steps, strict=True):
        theme.write(axes, _MARGIN + x, y - 1.3, f"dilation {step}", ha="left", bold=True)
        words = f"{side}×{side}, reads {kernel * kernel}"
        theme.write(axes, _MARGIN + x, y - 0.45, words, ha="left")
        grid = Grid(_MARGIN + x, y, side, side)
        cells = [(grid.x + c, grid.y + r, 1.0, 1.0) for r, c in np.ndindex(side, side)]
        boxes(axes, cells, fill=theme.INPUT, label="cell")
        ring(axes, grid, [(step * m, step * n) for m, n in np.ndindex(kernel, kernel)])
        outline(axes, grid, (0, 0), (side, side))
    return figure
