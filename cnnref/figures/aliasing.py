"""Aliasing, drawn: a row shifted by one pixel, a wave folded by a stride, cells a shift changes."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_array, as_int, as_pair
from cnnref._types import Array, ConvPadding, IntOrPair
from cnnref.figures import _theme as theme
from cnnref.figures._checks import as_matrix, refuse_larger
from cnnref.figures._grid import boxes, draw_grid, outline, strokes
from cnnref.ops.aliasing import blur_pool2d, shift
from cnnref.ops.convolution import conv2d
from cnnref.ops.padding import pad2d
from cnnref.ops.pooling import max_pool2d

__all__ = ["folded_wave", "shift_then_convolve", "shifted_row"]

_MOST_PIXELS = 8
_MOST_CELLS = 7
_MARGIN = 0.2
_HEADING = 0.95
_GAP = 0.6


def shifted_row(row: ArrayLike, by: int = 1) -> Figure:
    """Draw a row and the same row shifted, each with the results of two kinds of pooling.

    The row is on the left. On the right it is moved by ``by`` pixels; what leaves at its end comes
    back at its start. Under each row is max pooling over pairs at stride 2, and under that max
    pooling at stride 1, followed by the blur (1, 2, 1)/4 and the stride.

    Args:
        row: Pixels, shape (W,), with W even, from 4 to 8.
        by: How many pixels to move the row on the right.

    Raises:
        ValueError: If the row is not 1-D, or its length is odd or out of range.
        TypeError: If the row does not hold real numbers, or ``by`` is not an integer.
    """
    pixels = as_array(row, "row")
    if pixels.ndim != 1 or len(pixels) % 2 or not 4 <= len(pixels) <= _MOST_PIXELS:
        raise ValueError(
            f"`row` has shape {pixels.shape}; it must be (W,) with W even, from 4 to {_MOST_PIXELS}"
        )
    moved = shift(pixels[None, None], (0, by))[0, 0]
    width, step = len(pixels), 1 + _HEADING
    panel = max(width, 7.6)  # as wide as the headings
    figure, axes = theme.canvas(2 * panel + _GAP + 2 * _MARGIN, 3 * step + _HEADING + _MARGIN)
    for place, (values, title) in enumerate(((pixels, "a row"), (moved, f"moved by {by}"))):
        x, y = _MARGIN + place * (panel + _GAP), 2 * _HEADING
        theme.write(axes, x, y - 1.35, title, ha="left", bold=True, label="title")
        theme.write(axes, x, y - 0.45, "input, in pairs", ha="left")
        grid = draw_grid(axes, values[None], x, y, fill=theme.INPUT, name=f"input {place}")
        for start in range(0, width, 2):
            outline(axes, grid, (0, start), (1, 2))
        pooled, blurred = _pooled(values)
        for name, heading, numbers in (
            ("max", "max of each pair", pooled),
            ("blur", "blur before the stride", blurred),
        ):
            y += step
            theme.write(axes, x, y - 0.45, heading, ha="left")
            _wide_cells(axes, numbers, x, y, f"{name} {place}")
    return figure


def _pooled(row: Array) -> tuple[Array, Array]:
    image = row[None, None]
    # Pairs that wrap around, so that both forms see the same endless row.
    dense = max_pool2d(pad2d(image, ((0, 0), (0, 1)), mode="circular"), (1, 2), stride=1)
    return (
        max_pool2d(image, (1, 2))[0, 0],
        blur_pool2d(dense, stride=(1, 2), padding_mode="circular")[0, 0],
    )


def _wide_cells(axes: Axes, numbers: Array, x: float, y: float, name: str) -> None:
    corners = [(x + 2 * place, y, 2.0, 1.0) for place in range(len(numbers))]
    boxes(axes, corners, fill=theme.OUTPUT, label="output")
    for place, value in enumerate(numbers):
        text = theme.number(value)
        size = theme.fit(text, 1.8, theme.NUMBER_POINTS)
        label = f"{name}[0,{place}]"
        theme.write(axes, x + 2 * place + 1, y + 0.5, text, size=size, label=label)


def folded_wave(cycles: float, length: int = 21, stride: int = 2) -> Figure:
    r"""Draw a fine wave, the pixels that a stride keeps of it, and the slow wave they look like.

    A wave of $f$ cycles per pixel, read at every $s$-th pixel, gives the same numbers as one of
    $|f - k/s|$ cycles per pixel, where $k$ is the integer nearest to $f s$.

    Args:
        cycles: Cycles per pixel, from 0 to 0.5, which is the finest possible wave.
        length: Number of pixels, at most 25.
        stride: Distance between the pixels that are kept.

    Raises:
        ValueError: If a number is out of range.
        TypeError: If ``length`` or ``stride`` is not an integer.
    """
    pixels, step = as_int(length, "length", 2), as_int(stride, "stride", 1)
    if pixels > 25:
        raise ValueError(f"`length` ({length}) must be at most 25")
    if not 0 <= cycles <= 0.5:
        raise ValueError(f"`cycles` ({cycles}) must be from 0 to 0.5")
    folded = abs(cycles - round(cycles * step) / step)
    across, high = 0.66, 1.7  # cells per pixel, and cells from the middle to a crest
    width = (pixels - 1) * across + 4 * _MARGIN
    figure, axes = theme.canvas(max(width, 12.0), 2 * high + 2.35)
    middle = _HEADING + 0.1 + high

    def at(pixel: float, frequency: float) -> tuple[float, float]:
        return 2 * _MARGIN + pixel * across, middle - high * np.cos(2 * np.pi * frequency * pixel)

    fine = np.linspace(0, pixels - 1, 16 * (pixels - 1) + 1)
    for frequency, colour, thick, label in (
        (cycles, theme.MUTED, 1.0, "fine wave"),
        (folded, theme.WINDOW, 2.4, "slow wave"),
    ):
        points = [at(pixel, frequency) for pixel in fine]
        strokes(
            axes, itertools.pairwise(points), colour=colour, width=thick,
            label=label,
        )  # fmt: skip
    for kept in (False, True):
        half = 0.2 if kept else 0.12
        squares = [
            (x - half, y - half, 2 * half, 2 * half)
            for x, y in (at(p, cycles) for p in range(pixels) if (p % step == 0) == kept)
        ]
        fill = theme.WINDOW_FILL if kept else theme.BG
        edge = theme.WINDOW if kept else theme.MUTED
        boxes(axes, squares, fill=fill, edge=edge, label="kept" if kept else "dropped")
    theme.write(axes, _MARGIN, 0.5, "thin: the wave in the image, at every pixel", ha="left")
    below = middle + high + 0.75
    text = f"thick: what every {_ordinal(step)} pixel shows"
    theme.write(axes, _MARGIN, below, text, ha="left")
    return figure


def _ordinal(number: int) -> str:
    words = {1: "single", 2: "second", 3: "third", 4: "fourth"}
    return words.get(number, f"{number}th")


def shift_then_convolve(
    input: ArrayLike, weight: ArrayLike, by: IntOrPair = (0, 1), padding: ConvPadding = 0
) -> Figure:
    """Draw a shift before and after a convolution, and ring the cells where the results differ.

    Args:
        input: One channel, a matrix (H, W).
        weight: One filter, a matrix (kH, kW).
        by: Pixels down and right. What leaves on one side comes in on the other.
        padding: As for `conv2d`; it pads with zeros.

    Raises:
        ValueError: If an argument is not a matrix, or the output's height or width is above 7.
        TypeError: If an argument is of the wrong kind.
    """
    image, kernel = as_matrix(input, "input"), as_matrix(weight, "weight")
    steps = as_pair(by, "by", -max(image.shape))
    images, filters = image[None], kernel[None, None]
    before = conv2d(shift(images, steps), filters, padding=padding)[0]
    after = shift(conv2d(images, filters, padding=padding), steps)[0]
    rows, columns = before.shape
    refuse_larger(before.shape, _MOST_CELLS, "output")
    differ = [(int(row), int(column)) for row, column in np.argwhere(before != after)]
    panel = max(columns, 6.4)
    figure, axes = theme.canvas(2 * panel + _GAP + 2 * _MARGIN, _HEADING + rows + _MARGIN)
    for place, (values, heading) in enumerate(
        ((before, "shift, then convolve"), (after, "convolve, then shift"))
    ):
        x = _MARGIN + place * (panel + _GAP)
        theme.write(axes, x, _HEADING - 0.45, heading, ha="left")
        draw_grid(
            axes, values, x, _HEADING, fill=theme.OUTPUT, ringed=differ, name=f"output {place}"
        )
    return figure
