"""The output's size, drawn: which windows fit, and what the floor drops."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnref._checks import as_int, as_padding, as_pair
from cnnref._types import ConvPadding, IntOrPair
from cnnref.figures import _theme as theme
from cnnref.figures._grid import (
    KeyEntry,
    boxes,
    draw_grid,
    draw_key,
    key_height,
)
from cnnref.ops import output_size, unread_pixels

__all__ = ["floor_drops", "unread_grid"]

_MARGIN = 0.2
_MOST_GRID_CELLS = 16
# Of an axis with more positions than this, only a part at each end is drawn.
_MOST_POSITIONS = 15
_PART = 7
_BREAK = 1.6
_LEVEL = 1.15


def floor_drops(
    input_size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Figure:
    r"""Draw the windows along one axis as bars above the pixels, and what the floor drops.

    The number of windows is $\lfloor (n + 2p - d(k-1) - 1)/s \rfloor + 1$. Each bar is a window,
    with its number, counted from 1, in its first cell. It reads the tinted cells. Pixels are
    numbered from 1, padding cells are hatched, and pixels that no window reads are crossed out. Of
    a long axis only the two ends are drawn.

    Args:
        input_size: Number of pixels $n$.
        kernel_size: Number of cells $k$ that a window reads.
        stride: Step $s$ from one window to the next.
        padding: Padding cells $p$ on each side.
        dilation: Distance $d$ between the cells that a window reads.

    Raises:
        ValueError: If a number is out of range, no window fits, or one window is too wide to draw.
        TypeError: If a number is not an integer.
    """
    size, kernel = as_int(input_size, "input_size", 1), as_int(kernel_size, "kernel_size", 1)
    step, pad = as_int(stride, "stride", 1), as_int(padding, "padding", 0)
    gap = as_int(dilation, "dilation", 1)
    windows = output_size(size, kernel, step, pad, gap)
    window = gap * (kernel - 1) + 1
    positions = size + 2 * pad
    parts = _parts(positions, window, step)
    unread = np.flatnonzero(unread_pixels((1, size), (1, kernel), (1, step), (0, pad), (1, gap))[0])

    # The levels take turns, so that windows on one level never touch.
    levels = min(math.ceil(window / step), windows)
    bars_y, pixels_y = 3.0, 3.0 + levels * _LEVEL + 0.35
    shown: list[KeyEntry] = ["padding"] if pad else []
    if len(unread):
        shown.append("unread")
    columns = _columns(parts)
    width = max(max(columns.values()) + 1, 13.0)
    # The numbers of crossed-out pixels have their own line under the cells.
    words_y = pixels_y + (2.3 if len(unread) else 1.4)
    key_y = words_y + 0.8
    bottom = key_y + key_height(shown) if shown else words_y + 0.4
    figure, axes = theme.canvas(width + 2 * _MARGIN, bottom + _MARGIN)

    reach = f"{kernel}" if gap == 1 else f"{gap}·({kernel} − 1) − 1"
    formula = f"⌊({size} + 2·{pad} − {reach}) / {step}⌋ + 1 = {windows}"
    points = theme.fit(formula, width, 14)
    theme.write(axes, _MARGIN, 0.6, formula, ha="left", size=points, label="formula")
    dropped = (positions - window) % step
    plural = "s" if windows > 1 else ""
    summary = f"{windows} window{plural}; left over at the end: {dropped or 'nothing'}"
    theme.write(axes, _MARGIN, 1.6, summary, ha="left", label="summary")
    words = "windows, numbered in their first cell"
    theme.write(axes, _MARGIN, bars_y - 0.45, words, ha="left", colour=theme.MUTED)
    for index in range(windows):
        start = index * step
        if start in columns and columns.get(start + window - 1) == columns[start] + window - 1:
            y = bars_y + index % levels * _LEVEL
            _bar(axes, _MARGIN + columns[start], y, index + 1, window, gap)

    crossed = {int(pixel) + pad for pixel in unread}
    # Padding that is left over is dropped as pixels are, but nothing is lost with it.
    for part in parts:
        pixels = np.array([[position - pad + 1 for position in part]])
        outside = (pixels < 1) | (pixels > size)
        draw_grid(
            axes, np.where(outside, 0, pixels), _MARGIN + columns[part[0]], pixels_y,
            fill=theme.INPUT, padding=outside, name=f"pixels from {pixels[0, 0]}",
            crossed=[(0, place) for place, position in enumerate(part) if position in crossed],
        )  # fmt: skip
    for part in parts[1:]:
        x = _MARGIN + columns[part[0]] - _BREAK / 2
        theme.write(axes, x, pixels_y + 0.5, "…", size=16, label="break")
        theme.write(axes, x, (bars_y + pixels_y) / 2 - 0.2, "…", size=16, label="break")
    for position in sorted(crossed & columns.keys()):
        # The cross takes the place of the number, which goes under the cell.
        text = theme.number(position - pad + 1)
        x, points = _MARGIN + columns[position] + 0.5, theme.fit(text, 0.9, theme.LABEL_POINTS)
        theme.write(axes, x, pixels_y + 1.4, text, size=points, label="unread")
    words = "pixels, numbered from 1"
    theme.write(axes, _MARGIN, words_y, words, ha="left", colour=theme.MUTED)
    draw_key(axes, _MARGIN, key_y, shown)
    return figure


def _parts(positions: int, window: int, stride: int) -> list[range]:
    """Return the positions to draw: all of them, or both ends of a long axis."""
    if positions <= _MOST_POSITIONS:
        return [range(positions)]
    # One window and a step: what is left over at the end is less than a step.
    part = max(_PART, window + stride)
    if 2 * part >= positions and positions <= _MOST_GRID_CELLS:
        return [range(positions)]
    if part > _MOST_POSITIONS:
        raise ValueError(
            f"a window of {window} positions with `stride` {stride} is too wide to draw: "
            f"together at most {_MOST_POSITIONS}"
        )
    return [range(part), range(positions - part, positions)]


def _columns(parts: list[range]) -> dict[int, float]:
    """Return the x coordinate of each position that is drawn."""
    columns: dict[int, float] = {}
    x = 0.0
    for part in parts:
        columns |= {position: x + place for place, position in enumerate(part)}
        x += len(part) + _BREAK
    return columns


def _bar(axes: Axes, x: float, y: float, name: int, window: int, dilation: int) -> None:
    """Draw a window: tint and frame the cells it reads, and write its number in the first."""
    whole = (x + 0.04, y + 0.34, window - 0.08, 0.22)
    boxes(axes, [whole], fill=theme.BG, label="window", edge=theme.WINDOW)
    taps = [(x + 0.04 + tap, y, 0.92, 0.9) for tap in range(0, window, dilation)]
    boxes(axes, taps, fill=theme.WINDOW_FILL, label="read", edge=theme.WINDOW)
    text = theme.number(name)
    theme.write(axes, x + 0.5, y + 0.45, text, size=theme.fit(text, 0.8, 12), label="window number")


def unread_grid(
    input_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
) -> Figure:
    """Draw how many windows read each pixel, and cross out pixels that none reads.

    Args:
        input_size: Int or (height, width).
        kernel_size: Int or (height, width).
        stride: Int or (height, width).
        padding: Int, (height, width), "valid", "same" or ((top, bottom), (left, right)).
        dilation: Int or (height, width).

    Raises:
        ValueError: If a setting is out of range, no window fits, or a side is above 16.
        TypeError: If an argument has the wrong type.
    """
    size = as_pair(input_size, "input_size", 1)
    kernel = as_pair(kernel_size, "kernel_size", 1)
    step, gap = as_pair(stride, "stride", 1), as_pair(dilation, "dilation", 1)
    sides = as_padding(padding, kernel, step, gap)
    if max(size) > _MOST_GRID_CELLS:
        raise ValueError(
            f"`input_size` ({size[0]}×{size[1]}) is too large to draw: at most "
            f"{_MOST_GRID_CELLS} pixels a side"
        )
    windows = output_size(size, kernel, step, sides, gap)
    by_axis = [
        _reads(size[axis], kernel[axis], step[axis], sides[axis][0], gap[axis], windows[axis])
        for axis in (0, 1)
    ]
    counts = np.outer(*by_axis)
    unread = [(int(row), int(column)) for row, column in zip(*np.nonzero(counts == 0), strict=True)]
    figure, axes = theme.canvas(max(size[1], 10.5) + 2 * _MARGIN, size[0] + 3.6)
    heading = f"{windows[0]}×{windows[1]} windows of {kernel[0]}×{kernel[1]}"
    theme.write(axes, _MARGIN, 0.5, heading, ha="left", bold=True)
    theme.write(axes, _MARGIN, 1.4, "in each pixel: how many read it", ha="left")
    draw_grid(axes, counts, _MARGIN, 1.95, fill=theme.INPUT, crossed=unread, name="count")
    return figure


def _reads(
    size: int, kernel: int, stride: int, before: int, dilation: int, windows: int
) -> NDArray[np.int64]:
    """Return how many windows read each pixel of one axis."""
    starts = np.arange(windows) * stride - before
    taps = (starts[:, None] + np.arange(kernel) * dilation).ravel()
    return np.bincount(taps[(taps >= 0) & (taps < size)], minlength=size)
