"""Pooling: the largest or the mean value of each window, as the definition and fast."""

from __future__ import annotations

import math
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from cnnref.ops._checks import Array, as_int
from cnnref.ops._windows import Windows, as_flag, as_pooled_images, check_windows


@overload
def max_pool2d_loops(
    input: npt.ArrayLike,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    dilation: object = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Array: ...
@overload
def max_pool2d_loops(
    input: npt.ArrayLike,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    dilation: object = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Array, Array]: ...
@overload
def max_pool2d_loops(
    input: npt.ArrayLike,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    dilation: object = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]: ...
def max_pool2d_loops(
    input: npt.ArrayLike,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    dilation: object = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]:
    r"""Take the largest value of each window, written as the definition: one loop an index.

    Same arguments, results and errors as `max_pool2d`; far slower. It is here to be read.

    Examples:
        >>> max_pool2d_loops([[[1, 2], [4, 3]]], 2)
        array([[[4]]])

    Source:
        `torch.nn.functional.max_pool2d`.
    """
    images, batched = as_pooled_images(input)
    with_indices = as_flag(return_indices, "return_indices")
    count, channels, height, width = images.shape
    w = check_windows((height, width), kernel_size, stride, padding, dilation, ceil_mode)
    output = np.empty((count, channels, *w.output_size), images.dtype)
    indices = np.empty(output.shape, np.int64)

    for n, c, i, j in np.ndindex(*output.shape):
        best: Any = None
        for u in range(w.kernel_size[0]):
            for v in range(w.kernel_size[1]):
                y = i * w.stride[0] + u * w.dilation[0] - w.padding[0][0]
                x = j * w.stride[1] + v * w.dilation[1] - w.padding[1][0]
                if 0 <= y < height and 0 <= x < width:  # else padding: never the largest
                    value = images[n, c, y, x]
                    if best is None or value > best or math.isnan(value):
                        best, indices[n, c, i, j] = value, y * width + x
        output[n, c, i, j] = best
    if not batched:
        output, indices = output[0], indices[0]
    return (output, indices) if with_indices else output


@overload
def max_pool2d(
    input: npt.ArrayLike,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    dilation: object = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Array: ...
@overload
def max_pool2d(
    input: npt.ArrayLike,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    dilation: object = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Array, Array]: ...
@overload
def max_pool2d(
    input: npt.ArrayLike,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    dilation: object = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]: ...
def max_pool2d(
    input: npt.ArrayLike,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    dilation: object = 1,
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
        return_indices: Return also where each largest value stands.

    Returns:
        Shape (N, C, oH, oW), or (C, oH, oW) for an input without batch axis, in the input's dtype;
        see `output_size`. With `return_indices` also an int64 array of the same shape: the winner's
        place y · W + x in its channel without padding. The first of equal values wins, row by row;
        of several NaN the last, as in PyTorch.

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
    images, batched = as_pooled_images(input)
    with_indices = as_flag(return_indices, "return_indices")
    count, channels, height, width = images.shape
    w = check_windows((height, width), kernel_size, stride, padding, dilation, ceil_mode)
    output = np.full((count, channels, *w.output_size), _lowest(images.dtype), images.dtype)
    # For each cell of the window at once over all windows: keep what is larger. Where the cell
    # lies on padding there is nothing to compare. Image by image, which stays in the cache.
    for result, image in zip(output, images, strict=True):
        for rows, ys in w.spans(0):
            for columns, xs in w.spans(1):
                largest = result[:, rows, columns]
                np.maximum(largest, image[:, ys, xs], out=largest)
    if with_indices:
        indices = _winners(images, output, w)
        return (output, indices) if batched else (output[0], indices[0])
    return output if batched else output[0]


def _winners(images: Array, output: Array, w: Windows) -> Array:
    """Return where in its channel the largest value of each window stands."""
    taps = [(row, column) for row in w.spans(0) for column in w.spans(1)]
    # The winner's number among the cells of the window, all ones as long as there is none. Numbers
    # of one byte and no branches make this several times faster than setting places by a mask.
    dtype = np.min_scalar_type(len(taps))
    none = dtype.type(np.iinfo(dtype).max)
    numbers = np.full(output.shape, none)
    for winner, result, image in zip(numbers, output, images, strict=True):
        for number, ((rows, ys), (columns, xs)) in enumerate(taps):
            candidate = (image[:, ys, xs] != result[:, rows, columns]).astype(dtype)
            candidate *= none
            candidate |= dtype.type(number)
            lowest = winner[:, rows, columns]
            np.minimum(lowest, candidate, out=lowest)
        if np.isnan(result).any():  # NaN equals nothing, itself included: the last one wins
            for number, ((rows, ys), (columns, xs)) in enumerate(taps):
                np.copyto(winner[:, rows, columns], number, where=np.isnan(image[:, ys, xs]))
    width = w.input_size[1]
    steps = np.add.outer(
        np.arange(w.kernel_size[0]) * w.dilation[0] * width,
        np.arange(w.kernel_size[1]) * w.dilation[1],
    ).ravel()
    indices: Array = steps[numbers]
    indices += np.add.outer(w.starts(0) * width, w.starts(1))
    return indices


def _lowest(dtype: np.dtype[Any]) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def avg_pool2d_loops(
    input: npt.ArrayLike,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    r"""Average each window, written as the definition: one loop an index.

    Same arguments, result and errors as `avg_pool2d`; far slower. It is here to be read.

    Examples:
        >>> avg_pool2d_loops([[[1.0, 2.0], [4.0, 3.0]]], 2)
        array([[[2.5]]])

    Source:
        `torch.nn.functional.avg_pool2d`.
    """
    images, batched = _real_images(input)
    count, channels, height, width = images.shape
    w = check_windows((height, width), kernel_size, stride, padding, 1, ceil_mode)
    include_padding = as_flag(count_include_pad, "count_include_pad")
    divisor = None if divisor_override is None else as_int(divisor_override, "divisor_override", 1)
    (top, bottom), (left, right) = w.padding
    output = np.empty((count, channels, *w.output_size), images.dtype)

    for n, c, i, j in np.ndindex(*output.shape):
        total, cells = _summed_in(images.dtype).type(0), 0
        for u in range(w.kernel_size[0]):
            for v in range(w.kernel_size[1]):
                y, x = i * w.stride[0] + u - top, j * w.stride[1] + v - left
                if 0 <= y < height and 0 <= x < width:
                    total += images[n, c, y, x]
                    cells += 1
                elif include_padding and y < height + bottom and x < width + right:
                    cells += 1  # a zero that is counted; a cell past the padding is not
        output[n, c, i, j] = total / total.dtype.type(cells if divisor is None else divisor)
    return output if batched else output[0]


def avg_pool2d(
    input: npt.ArrayLike,
    kernel_size: object,
    stride: object = None,
    padding: object = 0,
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
        padding: Zeros around the image, in pixels a side: an int, a pair, `"valid"`, `"same"`
            (stride 1) or ((top, bottom), (left, right)); at most half of `kernel_size` a side.
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
    w = check_windows((height, width), kernel_size, stride, padding, 1, ceil_mode)
    divisors = window_divisors(w, count_include_pad, divisor_override)
    output = np.zeros((count, channels, *w.output_size), _summed_in(images.dtype))
    for result, image in zip(output, images, strict=True):
        for rows, ys in w.spans(0):
            for columns, xs in w.spans(1):
                result[:, rows, columns] += image[:, ys, xs]
    output /= divisors.astype(output.dtype)
    output = output.astype(images.dtype, copy=False)
    return output if batched else output[0]


def window_divisors(w: Windows, count_include_pad: object, divisor_override: object) -> Array:
    """Return what the sum of each window is divided by, shape (oH, oW)."""
    include_padding = as_flag(count_include_pad, "count_include_pad")
    if divisor_override is not None:
        return np.full(w.output_size, as_int(divisor_override, "divisor_override", 1))
    return np.multiply.outer(w.counts(0, include_padding), w.counts(1, include_padding))


def _real_images(input: object) -> tuple[Array, bool]:
    images, batched = as_pooled_images(input)
    if images.dtype.kind != "f":
        raise TypeError(
            f"`input` has dtype {images.dtype}; an average of integers need not be one: convert "
            "it to floats first"
        )
    return images, batched


def _summed_in(dtype: np.dtype[Any]) -> np.dtype[Any]:
    # Half precision has too few digits to sum in.
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def global_avg_pool2d(input: npt.ArrayLike) -> Array:
    r"""Average each channel over all of its pixels: one number a channel.

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
    output: Array = images.mean(axis=(2, 3), keepdims=True, dtype=_summed_in(images.dtype))
    output = output.astype(images.dtype, copy=False)
    return output if batched else output[0]


def global_max_pool2d(input: npt.ArrayLike) -> Array:
    r"""Take the largest value of each channel: one number a channel.

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
    images, batched = as_pooled_images(input)
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
