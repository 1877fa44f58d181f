"""Pooling, drawn: windows with their largest numbers, and the windows that rounding up adds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_images, as_pair
from cnnref._types import ConvPadding, IntOrPair, Pair
from cnnref.figures import _theme as theme
from cnnref.figures._checks import as_cell, refuse_larger
from cnnref.figures._grid import Grid, arrow, boxes, draw_grid, outline, padding_mask, ring, strokes
from cnnref.ops._windows import Windows, pooling_windows
from cnnref.ops.pooling import max_pool2d

__all__ = ["max_windows", "rounding"]

_MOST_CELLS = 9
_MOST_CHANNELS = 4
_MOST_PIXELS = 16
_MARGIN = 0.2
_HEADING = 0.95


def max_windows(
    input: ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    *,
    at: tuple[int, int] | None = None,
) -> Figure:
    r"""Draw max pooling: each channel with its windows, largest numbers ringed, and the output.

    With ``at`` one window is outlined and its largest number ringed. Without it every window is
    outlined, which can be read only if they do not overlap. Padding cells are hatched and contain
    $-\infty$.

    Args:
        input: One image, (C, H, W) or (1, C, H, W).
        kernel_size: As for `cnnref.max_pool2d`.
        stride: As for `cnnref.max_pool2d`.
        padding: As for `cnnref.max_pool2d`.
        dilation: As for `cnnref.max_pool2d`.
        ceil_mode: As for `cnnref.max_pool2d`. Cells past the padding are not drawn.
        at: Row and column of the output cell whose window is drawn, counted from 0.

    Raises:
        ValueError: If the arguments do not fit together, ``at`` lies outside the output, windows
            overlap and ``at`` is not given, or there is too much to read: more than one image, a
            padded side above 9, more than 4 channels.
        TypeError: If an argument has the wrong type.
    """
    images, _ = as_images(input)
    if len(images) != 1 or images.shape[1] > _MOST_CHANNELS:
        raise ValueError(
            f"`input` (of shape {images.shape}) must hold one image of at most {_MOST_CHANNELS} "
            "channels"
        )
    values, winners = max_pool2d(
        images, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )
    height, width = images.shape[2:]
    w = pooling_windows((height, width), kernel_size, stride, padding, dilation, ceil_mode)
    cells = _cells(w, at)
    (top, bottom), (left, right) = w.padding
    padded = np.pad(
        images[0].astype(float), ((0, 0), (top, bottom), (left, right)), constant_values=-np.inf
    )
    refuse_larger(padded.shape[1:], _MOST_CELLS, "padded `input`")
    pads = padding_mask((padded.shape[1], padded.shape[2]), w.padding)
    block = max(padded.shape[1], values.shape[2]) + _HEADING
    output_x = _MARGIN + max(padded.shape[2], 4.2) + 1.9
    key_y = len(padded) * block + 0.3
    right_edge = output_x + max(values.shape[3], 3.0) + _MARGIN
    figure, axes = theme.canvas(max(right_edge, 8.8), key_y + 1.2)
    for channel, (matrix, result) in enumerate(zip(padded, values[0], strict=True)):
        y = channel * block + _HEADING
        places = [divmod(int(winners[0, channel][cell]), width) for cell in cells]
        grid = draw_grid(
            axes, matrix, _MARGIN, y, fill=theme.INPUT, padding=pads,
            ringed={(row + top, column + left) for row, column in places},
            name=f"input {channel}",
        )  # fmt: skip
        for row, column in cells:
            _outline_window(axes, grid, w, (row, column))
        theme.write(axes, _MARGIN, y - 0.45, f"channel {channel + 1}", ha="left")
        output_y = grid.middle[1] - result.shape[0] / 2
        ends = ((output_x - 1.4, grid.middle[1]), (output_x - 0.4, grid.middle[1]))
        arrow(axes, *ends, head=(0.22, 0.22), width=1.4)
        shown = draw_grid(
            axes, result, output_x, output_y, fill=theme.OUTPUT, marked=cells if at else (),
            mark_fill=theme.OUTPUT, name=f"output {channel}",
        )  # fmt: skip
        if at:
            outline(axes, shown, cells[0], (1, 1), label="output cell")
        theme.write(axes, output_x, output_y - 0.45, "output", ha="left")
    _key(axes, key_y)
    return figure


def _cells(w: Windows, at: tuple[int, int] | None) -> list[Pair]:
    if at is not None:
        return [as_cell(at, w.output_size)]
    for axis in (0, 1):
        reach = w.dilation[axis] * (w.kernel_size[axis] - 1) + 1
        if reach > w.stride[axis] and w.output_size[axis] > 1:
            raise ValueError("windows overlap: choose one with `at`")
    return [(row, column) for row, column in np.ndindex(*w.output_size)]


def _outline_window(axes: Axes, grid: Grid, w: Windows, cell: Pair) -> None:
    corner, size = [], []
    for axis, extent in ((0, grid.rows), (1, grid.columns)):
        start = cell[axis] * w.stride[axis]
        reach = w.dilation[axis] * (w.kernel_size[axis] - 1) + 1
        corner.append(start)
        size.append(min(reach, extent - start))  # nothing is drawn past the padding
    outline(axes, grid, (corner[0], corner[1]), (size[0], size[1]))


def _key(axes: Axes, y: float) -> None:
    sample = Grid(_MARGIN, y, 1, 1)
    boxes(axes, [(sample.x, y, 1.0, 1.0)], fill=theme.INPUT, label="key")
    ring(axes, sample, [(0, 0)], label="key")
    theme.write(axes, _MARGIN + 1.3, y + 0.5, "largest of its window", ha="left", label="key")


def rounding(settings: Sequence[tuple[int, int, int, int]]) -> Figure:
    """Draw the windows of pooling along one axis, and what rounding the output size up does.

    Each setting has a line of pixels, with padding hatched, and one bar per window under it. A
    filled bar is a window with both ways of rounding. An open bar is added by rounding up. A
    crossed-out bar would start in the padding at the end and is dropped.

    Args:
        settings: (input size, kernel size, stride, padding) for each line.

    Raises:
        ValueError: If there is no setting, one does not fit, or a line has more than 16 cells.
        TypeError: If a number is not an integer.
    """
    lines = [_Line(*setting) for setting in settings]
    if not lines:
        raise ValueError("`settings` must hold at least one line")
    width = max(line.width for line in lines)
    if width > _MOST_PIXELS:
        raise ValueError(f"a line of {width} cells is too wide to draw: at most {_MOST_PIXELS}")
    heights = [2.2 + 0.75 * len(line.bars) for line in lines]
    figure, axes = theme.canvas(max(width, 11.2) + 2 * _MARGIN, sum(heights) + _MARGIN)
    y = 0.0
    for place, (line, height) in enumerate(zip(lines, heights, strict=True)):
        theme.write(axes, _MARGIN, y + 0.5, line.heading, ha="left", bold=True)
        padding = line.windows.padding[1]
        values = np.full((1, line.windows.input_size[1] + sum(padding)), -np.inf)
        values[0, padding[0] : values.shape[1] - padding[1]] = np.arange(
            1, line.windows.input_size[1] + 1
        )
        grid = draw_grid(
            axes, values, _MARGIN, y + 1, fill=theme.INPUT,
            padding=padding_mask((1, values.shape[1]), ((0, 0), padding)), name=f"line {place}",
        )  # fmt: skip
        for number, (start, kind) in enumerate(line.bars):
            bar = Grid(_MARGIN + start, grid.bottom + 0.2 + 0.75 * number, 1, line.kernel)
            _bar(axes, bar, kind)
        y += height
    return figure


class _Line:
    """One line of `rounding`: the windows of both ways of rounding, and the dropped one."""

    def __init__(self, size: int, kernel: int, stride: int, padding: int) -> None:
        settings = ((1, kernel), (1, stride), (0, padding), 1)
        self.kernel = as_pair(kernel, "kernel_size", 1)[1]
        self.windows = pooling_windows((1, size), *settings, True)
        up = self.windows.output_size[1]
        down = pooling_windows((1, size), *settings, False).output_size[1]
        plain = -(-(size + 2 * padding - kernel) // stride) + 1
        starts = [stride * i for i in range(max(plain, up))]
        kinds = ["both"] * down + ["added"] * (up - down) + ["dropped"] * (plain - up)
        self.bars = list(zip(starts, kinds, strict=True))
        self.width = max(size + 2 * padding, starts[-1] + kernel)
        self.heading = f"size {size}, kernel {kernel}, stride {stride}, padding {padding}"


_FILLS = {"both": theme.WINDOW_FILL, "added": theme.BG, "dropped": theme.UNREAD}
_WORDS = {"both": "", "added": "ceil", "dropped": "dropped"}


def _bar(axes: Axes, bar: Grid, kind: str) -> None:
    height = 0.5
    rectangle = (bar.x + 0.06, bar.y, bar.columns - 0.12, height)
    boxes(axes, [rectangle], fill=_FILLS[kind], edge=theme.WINDOW, label=kind)
    if kind == "dropped":
        ends = [
            ((bar.x + 0.06, bar.y), (bar.right - 0.06, bar.y + height)),
            ((bar.x + 0.06, bar.y + height), (bar.right - 0.06, bar.y)),
        ]
        strokes(axes, ends, colour=theme.WINDOW, width=1.2, label="cross")
    if _WORDS[kind]:
        theme.write(axes, bar.x - 0.15, bar.y + height / 2, _WORDS[kind], ha="right", label="kind")
