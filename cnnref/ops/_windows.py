"""Where the windows of a pooling lie: one check and one geometry for every form of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cnnref.ops._checks import Array, Pair, Sides, as_images, as_padding, as_pair
from cnnref.ops.output_shape import output_size


class Windows(NamedTuple):
    """The windows of a pooling, all settings as pairs (height, width).

    Attributes:
        input_size: Height and width of the image, without padding.
        kernel_size: Cells a window reads, down and across.
        stride: Step from one window to the next, in pixels.
        padding: ((top, bottom), (left, right)), in pixels.
        dilation: Distance between the cells a window reads, in pixels; 1 is dense.
        output_size: How many windows there are, down and across.
    """

    input_size: Pair
    kernel_size: Pair
    stride: Pair
    padding: Sides
    dilation: Pair
    output_size: Pair

    def starts(self, axis: int) -> Array:
        """Return where along an axis each window starts, in pixels; negative in the padding."""
        return np.arange(self.output_size[axis]) * self.stride[axis] - self.padding[axis][0]

    def spans(self, axis: int) -> list[tuple[slice, slice]]:
        """Return for each cell of the window where it reads along an axis.

        Each item is (windows, pixels), slices of equal length: in those windows the cell lies on
        the image, over those pixels. In the others it lies on padding.
        """
        spans = []
        size, step = self.input_size[axis], self.stride[axis]
        for cell in range(self.kernel_size[axis]):
            offset = cell * self.dilation[axis] - self.padding[axis][0]
            first = max(0, -(offset // step))  # the first window with first * step + offset >= 0
            stop = min(self.output_size[axis], (size - 1 - offset) // step + 1)
            start, end = first * step + offset, (stop - 1) * step + offset + 1
            # No window at all: two empty slices.
            pixels = slice(start, end, step) if first < stop else slice(0, 0)
            spans.append((slice(first, max(first, stop)), pixels))
        return spans

    def counts(self, axis: int, include_padding: bool) -> Array:
        """Return over how many cells along an axis each window averages.

        Padding counts or does not; what sticks out past the padding, as the last window may when
        sizes are rounded up, never counts.
        """
        before, after = self.padding[axis] if include_padding else (0, 0)
        starts = self.starts(axis)
        ends = np.minimum(starts + self.kernel_size[axis], self.input_size[axis] + after)
        counts: Array = ends - np.maximum(starts, -before)
        return counts


def as_flag(value: object, name: str) -> bool:
    """Return a bool as it is; a number is a TypeError, for it is most likely in a wrong place."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(f"`{name}` (={value!r}) must be True or False")


def as_pooled_images(input: object) -> tuple[Array, bool]:
    """Return images as (N, C, H, W), with at least one pixel, and whether they had a batch axis."""
    images, batched = as_images(input)
    for size, name in zip(images.shape[1:], ("channels", "rows", "columns"), strict=True):
        if size == 0:
            shape = images.shape if batched else images.shape[1:]
            raise ValueError(f"`input` (of shape {shape}) has no {name}")
    return images, batched


def check_windows(
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
    rounded_up = as_flag(ceil_mode, "ceil_mode")
    for size, side in zip(kernel, sides, strict=True):
        if max(side) > size // 2:
            raise ValueError(
                f"`padding` (={padding!r}) must be at most half of `kernel_size` (={kernel_size!r})"
            )

    lengths = output_size(input_size, kernel, step, sides, gap, rounded_up)
    windows = Windows(input_size, kernel, step, sides, gap, lengths)
    for axis in (0, 1):
        if gap[axis] > 1 and sides[axis] != (0, 0):
            cells = windows.starts(axis)[:, None] + np.arange(kernel[axis]) * gap[axis]
            if not ((cells >= 0) & (cells < input_size[axis])).any(axis=1).all():
                raise ValueError(
                    f"a window reads padding alone along the {('height', 'width')[axis]}: "
                    f"`dilation` (={dilation!r}) steps over all {input_size[axis]} pixels there"
                )
    return windows
