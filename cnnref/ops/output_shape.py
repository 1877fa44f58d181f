"""How large a layer's output is, and which input pixels its windows never read."""

from __future__ import annotations

from typing import Literal, TypeVar, overload

import numpy as np

from cnnref._checks import as_choice, as_pair, refuse_huge
from cnnref._types import Bools, ConvPadding, IntOrPair, Pair, Sides
from cnnref.ops._windows import sliding_windows

_Size = TypeVar("_Size", int, Pair)


@overload
def output_size(
    input_size: _Size,
    kernel_size: int,
    stride: IntOrPair = ...,
    padding: ConvPadding = ...,
    dilation: IntOrPair = ...,
    ceil_mode: bool = ...,
) -> _Size: ...
@overload
def output_size(
    input_size: IntOrPair,
    kernel_size: Pair,
    stride: IntOrPair = ...,
    padding: ConvPadding = ...,
    dilation: IntOrPair = ...,
    ceil_mode: bool = ...,
) -> Pair: ...
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
    size = as_pair(input_size, "input_size", 1)
    w = sliding_windows(size, kernel_size, stride, padding, dilation, ceil_mode)
    height, width = w.output_size
    if np.ndim(input_size) or np.ndim(kernel_size):
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
    as_choice(extra, "extra", ("end", "start"))
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
) -> Bools:
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
    size = as_pair(input_size, "input_size", 1)
    w = sliding_windows(size, kernel_size, stride, padding, dilation)
    refuse_huge(size, "input_size", input_size)
    read = []
    for axis in (0, 1):
        pixels = np.zeros(size[axis], bool)
        for _, _, some in w.spans(axis):
            pixels[some] = True
        read.append(pixels)
    return ~np.logical_and.outer(*read)
