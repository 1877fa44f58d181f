"""How large a layer's output is, and which input pixels its windows never read."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from cnnref.ops._checks import (
    ConvPadding,
    IntOrPair,
    Pair,
    Sides,
    as_padding,
    as_pair,
    output_length,
)

_AXES = ("height", "width")


@overload
def output_size(
    input_size: int,
    kernel_size: int,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> int: ...
@overload
def output_size(
    input_size: Pair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> Pair: ...
@overload
def output_size(
    input_size: int,
    kernel_size: Pair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> Pair: ...
@overload
def output_size(
    input_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> int | Pair: ...
def output_size(
    input_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> int | Pair:
    r"""Return the height and width of a convolution's or a pooling's output.

    $$o = \left\lfloor \frac{n + p_\text{before} + p_\text{after} - d\,(k - 1) - 1}{s}
    \right\rfloor + 1$$

    A size that does not divide is valid: the floor drops the last pixels. With `ceil_mode`
    (pooling) the fraction is rounded up instead, and a last window that would start inside the
    padding after the input is dropped again; a single window may then be larger than the padded
    input by less than one step.

    Args:
        input_size: Size $n$ in pixels, an int or a (height, width) pair.
        kernel_size: Size $k$ of the filter or pooling window.
        stride: Step $s$ of the window.
        padding: An int, a pair, `"valid"`, `"same"` (stride 1) or ((top, bottom), (left, right)).
        dilation: Distance $d$ between neighbouring taps; 1 is the ordinary, dense filter.
        ceil_mode: Round up instead of down, as the pooling layers offer.

    Returns:
        An int if both `input_size` and `kernel_size` are ints, else a (height, width) pair.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is out of range, the window is larger than the padded input, or
            ints are mixed with settings that differ between height and width.

    Examples:
        >>> output_size(128, 3, stride=2)
        63

    Source:
        Dumoulin & Visin, arXiv:1603.07285, section 2.4, relationship 6, and section 5.1 for
        dilation; `ceil_mode` as in `torch.nn.MaxPool2d`.
    """
    geometry = _Geometry(input_size, kernel_size, stride, padding, dilation)
    height, width = (geometry.length(axis, bool(ceil_mode)) for axis in (0, 1))
    if isinstance(input_size, (tuple, list)) or isinstance(kernel_size, (tuple, list)):
        return height, width
    if height != width:
        raise ValueError(
            f"the output is {height} by {width}: give `input_size` as a (height, width) pair"
        )
    return height


def same_padding(
    input_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    dilation: IntOrPair = 1,
    extra: Literal["end", "start"] = "end",
) -> Sides:
    r"""Return the padding that makes the output $\lceil n / s \rceil$ pixels long.

    $$\text{total} = \max\left(\left(\left\lceil \tfrac{n}{s} \right\rceil - 1\right) s
    + d\,(k - 1) + 1 - n,\; 0\right)$$

    Half of the total goes on each side. An odd total has one pixel over: at the end (bottom,
    right) in TensorFlow, PyTorch's `padding="same"` and ONNX `SAME_UPPER`; at the start (top,
    left) in ONNX `SAME_LOWER`.

    Args:
        input_size: Size in pixels, an int or a (height, width) pair.
        kernel_size: Size of the filter.
        stride: Step of the window.
        dilation: Distance between neighbouring taps.
        extra: `"end"` or `"start"`: where the odd pixel goes.

    Returns:
        ((top, bottom), (left, right)), ready for `conv2d(padding=...)`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is below 1 or `extra` is neither word.

    Examples:
        >>> same_padding(4, kernel_size=2)
        ((0, 1), (0, 1))

    Source:
        TensorFlow, `tf.nn` "Notes on padding"; ONNX operator `Conv`, attribute `auto_pad`.
    """
    if extra not in ("end", "start"):
        raise ValueError(f"`extra` (={extra!r}) must be 'end' or 'start'")
    size, kernel = as_pair(input_size, "input_size", 1), as_pair(kernel_size, "kernel_size", 1)
    step, gap = as_pair(stride, "stride", 1), as_pair(dilation, "dilation", 1)

    def sides(axis: int) -> Pair:
        windows = -(-size[axis] // step[axis])
        reach = gap[axis] * (kernel[axis] - 1) + 1
        total = max((windows - 1) * step[axis] + reach - size[axis], 0)
        small, large = total // 2, total - total // 2
        return (small, large) if extra == "end" else (large, small)

    return sides(0), sides(1)


def unread_pixels(
    input_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
) -> npt.NDArray[np.bool_]:
    """Return which input pixels no window reads.

    A pixel is unread if the floor of the output size drops it at the bottom or the right, or if it
    lies in a gap: between windows further apart than they are wide, or between dilated taps.

    Args:
        input_size: Size in pixels, an int or a (height, width) pair.
        kernel_size: Size of the filter or pooling window.
        stride: Step of the window.
        padding: As for `output_size`.
        dilation: Distance between neighbouring taps.

    Returns:
        A bool array of the input's shape (H, W), True where nothing reads.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is out of range or the window is larger than the padded input.

    Examples:
        >>> unread_pixels(4, kernel_size=3, stride=2)[-1]
        array([ True,  True,  True,  True])
    """
    geometry = _Geometry(input_size, kernel_size, stride, padding, dilation)
    read_rows, read_columns = geometry.read(0), geometry.read(1)
    return ~np.logical_and.outer(read_rows, read_columns)


class _Geometry:
    """The five settings of a sliding window as pairs."""

    def __init__(
        self,
        input_size: IntOrPair,
        kernel_size: IntOrPair,
        stride: IntOrPair,
        padding: ConvPadding,
        dilation: IntOrPair,
    ) -> None:
        self.size = as_pair(input_size, "input_size", 1)
        self.kernel = as_pair(kernel_size, "kernel_size", 1)
        self.stride = as_pair(stride, "stride", 1)
        self.dilation = as_pair(dilation, "dilation", 1)
        self.padding = as_padding(padding, self.kernel, self.stride, self.dilation)

    def length(self, axis: int, ceil_mode: bool = False) -> int:
        """Return the number of windows along an axis."""
        size, step, (before, after) = self.size[axis], self.stride[axis], self.padding[axis]
        padded = before + size + after
        reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        if ceil_mode and padded < reach < padded + step:
            return 1  # too large by less than a step: rounded up to one window, as in PyTorch
        length = output_length(
            size, self.kernel[axis], step, self.padding[axis], self.dilation[axis], _AXES[axis]
        )
        # The window that rounding up adds starts at length * step; it counts only if that is
        # still inside the image or the padding before it.
        if ceil_mode and (padded - reach) % step and length * step < size + before:
            return length + 1
        return length

    def read(self, axis: int) -> npt.NDArray[np.bool_]:
        """Return which pixels along an axis some tap of some window reads."""
        starts = np.arange(self.length(axis)) * self.stride[axis] - self.padding[axis][0]
        taps = starts[:, None] + np.arange(self.kernel[axis]) * self.dilation[axis]
        read = np.zeros(self.size[axis], dtype=bool)
        read[taps[(taps >= 0) & (taps < self.size[axis])]] = True
        return read
