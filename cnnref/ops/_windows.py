"""The windows of an operation: one check, one geometry and one block iterator for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnref._checks import AXES, as_flag, as_padding, as_pair
from cnnref._dtypes import as_dtype
from cnnref._types import Array, Bools, Pair, Sides

# Windows are copied a few rows at a time. A block of this size stays in a core's cache between
# being written and being read; one of fewer windows makes the matrix product inefficient.
BUFFER_BYTES = 1 << 19
FEWEST_WINDOWS = 256


NO_PADDING = ((0, 0), (0, 0))


def row_blocks(output_size: Pair, row_bytes: int) -> list[Pair]:
    """Split rows of windows into blocks (start, stop) of a suitable size.

    Args:
        output_size: How many windows there are, down and across.
        row_bytes: Memory that one row of windows takes when it is copied.
    """
    rows, columns = output_size
    step = min(rows, max(1, BUFFER_BYTES // row_bytes, FEWEST_WINDOWS // columns))
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


@dataclass(frozen=True)
class Windows:
    """Where the windows of an operation lie on an image; all settings are pairs (height, width).

    Attributes:
        input_size: Height and width of the image, without padding.
        kernel_size: Cells a window reads, down and across.
        stride: Step from one window to the next, in pixels.
        padding: ((top, bottom), (left, right)), in pixels.
        dilation: Distance between neighbouring cells of a window, in pixels; 1 is dense.
        output_size: How many windows there are, down and across.
    """

    input_size: Pair
    kernel_size: Pair
    stride: Pair
    padding: Sides
    dilation: Pair
    output_size: Pair

    @property
    def padded_size(self) -> Pair:
        """Height and width of the image with its padding."""
        (top, bottom), (left, right) = self.padding
        return top + self.input_size[0] + bottom, left + self.input_size[1] + right

    @property
    def positions(self) -> int:
        """How many windows there are."""
        return self.output_size[0] * self.output_size[1]

    def starts(self, axis: int) -> Array:
        """Return where along an axis each window starts, in pixels; negative in the padding."""
        return np.arange(self.output_size[axis]) * self.stride[axis] - self.padding[axis][0]

    def on_image(self, start: int, axis: int) -> range:
        """Return which cells of a window that starts at ``start`` lie on the image, on an axis."""
        gap, size = self.dilation[axis], self.input_size[axis]
        first = max(0, -(start // gap))  # the first cell with start + cell * gap >= 0
        return range(first, min(self.kernel_size[axis], (size - 1 - start) // gap + 1))

    def cells(self, axis: int) -> list[int]:
        """Return which cells lie on the image, along an axis, in at least one window.

        Of a kernel far larger than the image, most cells lie on padding in every window.
        """
        if self.kernel_size[axis] <= self.input_size[axis]:
            return list(range(self.kernel_size[axis]))
        starts = map(int, self.starts(axis))
        return sorted({cell for start in starts for cell in self.on_image(start, axis)})

    def spans(self, axis: int) -> list[tuple[int, slice, slice]]:
        """Return for each cell of a window where it reads along an axis.

        Each item is (cell, windows, pixels), where the slices have equal length: in those windows
        the cell lies on the image, over those pixels. In the others it lies on padding.
        """
        spans = []
        size, step = self.input_size[axis], self.stride[axis]
        for cell in self.cells(axis):
            offset = cell * self.dilation[axis] - self.padding[axis][0]
            first = max(0, -(offset // step))  # the first window with first * step + offset >= 0
            stop = min(self.output_size[axis], (size - 1 - offset) // step + 1)
            if first < stop:
                start, end = first * step + offset, (stop - 1) * step + offset + 1
                spans.append((cell, slice(first, stop), slice(start, end, step)))
        return spans

    def taps(self) -> Iterator[tuple[Pair, Any, Any]]:
        """Yield for each cell (u, v) of a window what it reads in all windows at once.

        Each item is (cell, windows, pixels): ``output[windows]`` and ``image[pixels]`` are the
        windows in which the cell lies on the image, and the pixels there, over the last two axes.
        """
        across = self.spans(1)
        for u, rows, ys in self.spans(0):
            for v, columns, xs in across:
                yield (u, v), (..., rows, columns), (..., ys, xs)

    def reads(self, i: int, j: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (u, v, y, x): each cell of window (i, j) that lies on the image, and its pixel."""
        top = i * self.stride[0] - self.padding[0][0]
        left = j * self.stride[1] - self.padding[1][0]
        for u in self.on_image(top, 0):
            for v in self.on_image(left, 1):
                yield u, v, top + u * self.dilation[0], left + v * self.dilation[1]

    def block(self, start: int, stop: int) -> Windows:
        """Return some rows of windows, as windows over the same image."""
        (top, bottom), across = self.padding
        # Moving the windows up is the same as having less padding above, or even less than none.
        moved = ((top - start * self.stride[0], bottom), across)
        size = (stop - start, self.output_size[1])
        return Windows(self.input_size, self.kernel_size, self.stride, moved, self.dilation, size)

    def view(self, padded: Array) -> Array:
        """Return what each cell reads in each window, shape (C, kH, kW, oH, oW), without a copy.

        Args:
            padded: One image with its padding, shape (C, *padded_size).
        """
        channel, row, column = padded.strides
        (down, right), (below, beside) = self.stride, self.dilation
        strides = (channel, row * below, column * beside, row * down, column * right)
        # What numpy.lib.stride_tricks.as_strided does, without its 2 µs in a call of 25.
        shape = (len(padded), *self.kernel_size, *self.output_size)
        return np.ndarray(shape, padded.dtype, padded, 0, strides)

    def patches(
        self, images: Array, groups: int, dtype: np.dtype[Any]
    ) -> Iterator[tuple[int, int, slice, Array]]:
        """Copy the windows of images side by side, a few rows of windows at a time.

        Args:
            images: Shape (N, C, *input_size).
            groups: Number of groups of channels.
            dtype: The dtype to copy to.

        Yields:
            (n, g, cells, patches): the windows of image n in the channels of group g, one per
            column, shape (C / groups · kH · kW, windows). ``cells`` says which windows these are,
            counted row by row. Do not write to them: 1×1 windows are a view of the image.
        """
        (top, _), (left, _) = self.padding
        height, width = self.input_size
        channels, columns = images.shape[1] // groups, self.output_size[1]
        taps = channels * self.kernel_size[0] * self.kernel_size[1]
        blocks = row_blocks(self.output_size, taps * columns * dtype.itemsize)
        # One padded image at a time, in one place: the border of zeros is written once.
        frame = None
        if self.padding != NO_PADDING:
            frame = np.zeros((images.shape[1], *self.padded_size), images.dtype)
        for n, image in enumerate(images):
            if frame is None:
                windows = self.view(image if image.flags.c_contiguous else image.copy())
            else:
                frame[:, top : top + height, left : left + width] = image
                windows = self.view(frame)
            for g in range(groups):
                group = windows[g * channels : (g + 1) * channels]
                for start, stop in blocks:
                    # Windows of several cells overlap in memory, so that the new shape is a copy.
                    patches = group[:, :, :, start:stop].reshape(taps, -1)
                    cells = slice(start * columns, stop * columns)
                    yield n, g, cells, as_dtype(patches, dtype)


def sliding_windows(
    input_size: Pair,
    kernel_size: object,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    ceil_mode: object = False,
) -> Windows:
    """Check the settings of a sliding window and return its windows.

    Raises:
        TypeError: If a setting is of the wrong kind.
        ValueError: If a number is out of range, or the window is larger than the padded input.
    """
    kernel = as_pair(kernel_size, "kernel_size", 1)
    step = as_pair(stride, "stride", 1)
    gap = as_pair(dilation, "dilation", 1)
    sides = as_padding(padding, kernel, step, gap)
    rounded_up = as_flag(ceil_mode, "ceil_mode")
    height, width = (
        _count(
            input_size[axis], kernel[axis], step[axis], sides[axis], gap[axis], rounded_up,
            AXES[axis],
        )
        for axis in (0, 1)
    )  # fmt: skip
    return Windows(input_size, kernel, step, sides, gap, (height, width))


def _count(
    size: int, kernel: int, stride: int, padding: Pair, dilation: int, ceil_mode: bool, axis: str
) -> int:
    """Return how many windows fit along an axis; refuse one larger than the padded input."""
    before, after = padding
    padded, reach = before + size + after, dilation * (kernel - 1) + 1
    if ceil_mode and padded < reach < padded + stride:
        return 1  # too large by less than a step: rounded up to one window, as in PyTorch
    if reach > padded:
        raise ValueError(
            f"the window reaches {reach} pixels in {axis} (`kernel_size` {kernel}, `dilation` "
            f"{dilation}) but the padded input has only {padded}"
        )
    steps, rest = divmod(padded - reach, stride)
    # The window that rounding up adds counts only if it starts inside the image or the padding
    # before it.
    if ceil_mode and rest and (steps + 1) * stride < before + size:
        return steps + 2
    return steps + 1


def pooling_windows(
    input_size: Pair,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    ceil_mode: object,
) -> Windows:
    """Check the settings of a pooling and return its windows.

    Raises:
        TypeError: If a setting is of the wrong kind.
        ValueError: If a number is out of range, the padding of a side is more than half the
            kernel, a window is larger than the padded input, or a window would read padding alone.
    """
    kernel = as_pair(kernel_size, "kernel_size", 1)
    step = kernel if stride is None else as_pair(stride, "stride", 1)
    gap = as_pair(dilation, "dilation", 1)
    sides = as_padding(padding, kernel, step, gap)
    as_flag(ceil_mode, "ceil_mode")
    for size, side in zip(kernel, sides, strict=True):
        if max(side) > size // 2:
            raise ValueError(
                f"`padding` ({padding!r}) must be at most half of `kernel_size` ({kernel_size!r})"
            )
    windows = sliding_windows(input_size, kernel, step, sides, gap, ceil_mode)
    for axis in (0, 1):
        if gap[axis] > 1 and sides[axis] != (0, 0) and not _all_read(windows, axis):
            raise ValueError(
                f"a window reads padding alone along the {AXES[axis]}: `dilation` "
                f"({dilation!r}) steps over all {input_size[axis]} pixels there"
            )
    return windows


def _all_read(windows: Windows, axis: int) -> bool:
    """Return whether each window has a cell on the image along an axis."""
    read: Bools = np.zeros(windows.output_size[axis], bool)
    for _, some, _ in windows.spans(axis):
        read[some] = True
    return bool(read.all())
