"""Pooling: the largest or the mean value of each window, as the definition and fast."""

from __future__ import annotations

import math
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_flag, as_images, as_int
from cnnref._dtypes import sum_dtype
from cnnref._types import Array, ConvPadding, IntOrPair, typed_like
from cnnref.ops._windows import Windows, pooling_windows


@overload
def max_pool2d_loops(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = ...,
    padding: ConvPadding = ...,
    dilation: IntOrPair = ...,
    ceil_mode: bool = ...,
    return_indices: Literal[False] = ...,
) -> Array: ...
@overload
def max_pool2d_loops(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = ...,
    padding: ConvPadding = ...,
    dilation: IntOrPair = ...,
    ceil_mode: bool = ...,
    *,
    return_indices: Literal[True],
) -> tuple[Array, Array]: ...
def max_pool2d_loops(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]:
    r"""Take the largest value of each window, written as the definition: one loop per index.

    Same arguments, results and errors as `max_pool2d`; far slower. It is here to be read.

    Examples:
        >>> max_pool2d_loops([[[1, 2], [4, 3]]], 2)
        array([[[4]]])

    Source:
        `torch.nn.functional.max_pool2d`.
    """
    images, batched = as_images(input)
    with_indices = as_flag(return_indices, "return_indices")
    count, channels, height, width = images.shape
    w = pooling_windows((height, width), kernel_size, stride, padding, dilation, ceil_mode)
    output = np.empty((count, channels, *w.output_size), images.dtype)
    indices = np.empty(output.shape, np.int64)

    for n, c, i, j in np.ndindex(*output.shape):
        best: Any = None
        for _, _, y, x in w.reads(i, j):  # the cells on the image: padding is never the largest
            value = images[n, c, y, x]
            if best is None or value > best or math.isnan(value):
                best, indices[n, c, i, j] = value, y * width + x
        output[n, c, i, j] = best
    if not batched:
        output, indices = output[0], indices[0]
    return (output, indices) if with_indices else output


@typed_like(max_pool2d_loops)
def max_pool2d(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]:
    r"""Take the largest value of each window, channel by channel.

    $$\text{output}[n, c, i, j] = \max_{u, v}\;
    \text{padded}[n, c, i s_h + u d_h, j s_w + v d_w]$$

    Padding is $-\infty$ and so never the largest; for integers likewise. NaN counts as larger than
    any number.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        kernel_size: Cells the window reads, an int or a (height, width) pair.
        stride: Step of the window in pixels, an int or a pair; None is `kernel_size`.
        padding: An int, a pair, `"valid"`, `"same"` (stride 1) or ((top, bottom), (left, right)),
            in pixels; at most half of `kernel_size` on each side.
        dilation: Distance in pixels between neighbouring cells that the window reads; 1 is dense.
        ceil_mode: Round the output's size up: a last window may stick out at the bottom or the
            right, unless it would start in the padding there; see `output_size`.
        return_indices: Return also where each largest value is.

    Returns:
        Shape (N, C, oH, oW), or (C, oH, oW) for an input without batch axis, in the input's dtype;
        see `output_size`. With `return_indices` also an int64 array of the same shape: the winner's
        index y · W + x in its channel without padding. The first one, row by row, wins a
        tie; of several NaN the last one, as in PyTorch.

    Raises:
        TypeError: If an argument is of the wrong kind (a bool stride, a number for `ceil_mode`).
        ValueError: If a number is out of range, the input is empty, the window is larger than the
            padded input, or a window would read padding alone.

    Examples:
        >>> from cnnref.examples import questions_image
        >>> max_pool2d(questions_image(), 2)
        array([[[1, 1],
                [1, 1]],
        <BLANKLINE>
               [[2, 2],
                [2, 2]],
        <BLANKLINE>
               [[2, 2],
                [4, 4]]])

    Source:
        `torch.nn.functional.max_pool2d`; Dumoulin & Visin, arXiv:1603.07285, sections 1.2 and 3.
    """
    images, batched = as_images(input)
    with_indices = as_flag(return_indices, "return_indices")
    count, channels, height, width = images.shape
    w = pooling_windows((height, width), kernel_size, stride, padding, dilation, ceil_mode)
    output = np.full((count, channels, *w.output_size), _lowest(images.dtype), images.dtype)
    # For each cell of the window, in all windows at once: keep what is larger. Where the cell lies
    # on padding there is nothing to compare. Image by image, so that each stays in the cache.
    taps = list(w.taps())
    for result, image in zip(output, images, strict=True):
        for _, windows, pixels in taps:
            largest = result[windows]
            np.maximum(largest, image[pixels], out=largest)
    if with_indices:
        indices = _winners(images, output, w)
        return (output, indices) if batched else (output[0], indices[0])
    return output if batched else output[0]


def _winners(images: Array, output: Array, w: Windows) -> Array:
    """Return where in its channel the largest value of each window is."""
    taps = list(w.taps())
    # The number of the winner among the taps, all ones as long as there is none. Numbers of one
    # byte and no branches make this several times faster than setting indices by a mask.
    dtype = np.min_scalar_type(len(taps))
    none = dtype.type(np.iinfo(dtype).max)
    numbers = np.full(output.shape, none)
    for winner, result, image in zip(numbers, output, images, strict=True):
        for number, (_, windows, pixels) in enumerate(taps):
            candidate = (image[pixels] != result[windows]).astype(dtype)
            candidate *= none
            candidate |= dtype.type(number)
            lowest = winner[windows]
            np.minimum(lowest, candidate, out=lowest)
        if np.isnan(result).any():  # NaN equals nothing, itself included: the last one wins
            for number, (_, windows, pixels) in enumerate(taps):
                np.copyto(winner[windows], number, where=np.isnan(image[pixels]))
    width = w.input_size[1]
    steps = np.array([u * w.dilation[0] * width + v * w.dilation[1] for (u, v), _, _ in taps])
    indices: Array = steps[numbers]
    indices += np.add.outer(w.starts(0) * width, w.starts(1))
    return indices


def _lowest(dtype: np.dtype[Any]) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def avg_pool2d_loops(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: ConvPadding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    r"""Average each window, written as the definition: one loop per index.

    Same arguments, result and errors as `avg_pool2d`; far slower. It is here to be read.

    Examples:
        >>> avg_pool2d_loops([[[1.0, 2.0], [4.0, 3.0]]], 2)
        array([[[2.5]]])

    Source:
        `torch.nn.functional.avg_pool2d`.
    """
    images, batched = _real_images(input)
    count, channels, height, width = images.shape
    w = pooling_windows((height, width), kernel_size, stride, padding, 1, ceil_mode)
    divisors = window_divisors(w, count_include_pad, divisor_override)
    output = np.empty((count, channels, *w.output_size), images.dtype)
    for n, c, i, j in np.ndindex(*output.shape):
        total = sum_dtype(images.dtype).type(0)
        for _, _, y, x in w.reads(i, j):  # the cells on the image: padding adds zero
            total += images[n, c, y, x]
        output[n, c, i, j] = total / total.dtype.type(divisors[i, j])
    return output if batched else output[0]


def avg_pool2d(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: ConvPadding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    r"""Average each window, channel by channel.

    $$\text{output}[n, c, i, j] = \frac{1}{D} \sum_{u, v}
    \text{padded}[n, c, i s_h + u, j s_w + v]$$

    The divisor $D$ is the number of the window's cells: those on the image, those on its padding
    too if `count_include_pad`, and never those past the padding.

    Args:
        input: Images of real floats, shape (N, C, H, W) or (C, H, W).
        kernel_size: Height and width of the window, an int or a pair.
        stride: Step of the window in pixels, an int or a pair; None is `kernel_size`.
        padding: Zeros around the image, in pixels per side: an int, a pair, `"valid"`, `"same"`
            (stride 1) or ((top, bottom), (left, right)); at most half of `kernel_size` per side.
        ceil_mode: Round the output's size up, as for `max_pool2d`.
        count_include_pad: Whether the zeros of the padding are counted in the divisor.
        divisor_override: The divisor of every window, in place of the count.

    Returns:
        Shape (N, C, oH, oW), or (C, oH, oW) for an input without batch axis, in the input's dtype;
        see `output_size`. float16 is summed in float32.

    Raises:
        TypeError: If an argument is of the wrong kind. Integers are refused too, for their average
            need not be one: convert them to floats.
        ValueError: If a number is out of range, the input is empty, or the window is larger than
            the padded input.

    Examples:
        >>> avg_pool2d([[[1.0, 2.0, 3.0, 4.0]]], kernel_size=(1, 2))
        array([[[1.5, 3.5]]])

    Source:
        `torch.nn.functional.avg_pool2d`; Dumoulin & Visin, arXiv:1603.07285, sections 1.2 and 3.
    """
    images, batched = _real_images(input)
    count, channels, height, width = images.shape
    w = pooling_windows((height, width), kernel_size, stride, padding, 1, ceil_mode)
    divisors = window_divisors(w, count_include_pad, divisor_override)
    output = np.zeros((count, channels, *w.output_size), sum_dtype(images.dtype))
    taps = list(w.taps())
    for result, image in zip(output, images, strict=True):
        for _, windows, pixels in taps:
            result[windows] += image[pixels]
    output /= divisors.astype(output.dtype)
    output = output.astype(images.dtype, copy=False)
    return output if batched else output[0]


def window_divisors(w: Windows, count_include_pad: object, divisor_override: object) -> Array:
    """Return what the sum of each window is divided by, shape (oH, oW)."""
    include_padding = as_flag(count_include_pad, "count_include_pad")
    if divisor_override is not None:
        return np.full(w.output_size, as_int(divisor_override, "divisor_override", 1))
    counts = []
    for axis in (0, 1):
        before, after = w.padding[axis] if include_padding else (0, 0)
        starts = w.starts(axis)
        # What sticks out past the padding, as the last window may in ceil mode, never counts.
        stops = np.minimum(starts + w.kernel_size[axis], w.input_size[axis] + after)
        counts.append(stops - np.maximum(starts, -before))
    divisors: Array = np.multiply.outer(*counts)
    return divisors


def _real_images(input: object) -> tuple[Array, bool]:
    images, batched = as_images(input)
    if images.dtype.kind != "f":
        raise TypeError(
            f"`input` has dtype {images.dtype}; the mean of integers need not be an integer: "
            "convert them to floats first"
        )
    return images, batched


def global_avg_pool2d(input: npt.ArrayLike) -> Array:
    r"""Average each channel over all of its pixels: one number per channel.

    $$\text{output}[n, c, 0, 0] = \frac{1}{H W} \sum_{y, x} \text{input}[n, c, y, x]$$

    Args:
        input: Images of real floats, shape (N, C, H, W) or (C, H, W).

    Returns:
        Shape (N, C, 1, 1), or (C, 1, 1) for an input without batch axis, in the input's dtype.

    Raises:
        TypeError: If the input does not hold real floats.
        ValueError: If it has another rank, or no channels, rows or columns.

    Examples:
        >>> global_avg_pool2d([[[1.0, 2.0], [3.0, 6.0]]])
        array([[[3.]]])

    Source:
        Lin et al., arXiv:1312.4400, section 3.2; `torch.nn.functional.adaptive_avg_pool2d` to 1.
    """
    images, batched = _real_images(input)
    output: Array = images.mean(axis=(2, 3), keepdims=True, dtype=sum_dtype(images.dtype))
    output = output.astype(images.dtype, copy=False)
    return output if batched else output[0]


def global_max_pool2d(input: npt.ArrayLike) -> Array:
    r"""Take the largest value of each channel: one number per channel.

    $$\text{output}[n, c, 0, 0] = \max_{y, x} \text{input}[n, c, y, x]$$

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).

    Returns:
        Shape (N, C, 1, 1), or (C, 1, 1) for an input without batch axis, in the input's dtype.

    Raises:
        TypeError: If the input does not hold integers or real floats.
        ValueError: If it has another rank, or no channels, rows or columns.

    Examples:
        >>> global_max_pool2d([[[1, 2], [3, 6]]])
        array([[[6]]])

    Source:
        `torch.nn.functional.adaptive_max_pool2d` to 1.
    """
    images, batched = as_images(input)
    output: Array = images.max(axis=(2, 3), keepdims=True)
    return output if batched else output[0]


__all__ = [
    "avg_pool2d",
    "avg_pool2d_loops",
    "global_avg_pool2d",
    "global_max_pool2d",
    "max_pool2d",
    "max_pool2d_loops",
]
