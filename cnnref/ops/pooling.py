"""Pooling and unpooling: the largest or the mean value of each window, and the way back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_array, as_flag, as_images, as_int, as_pair, refuse_huge
from cnnref._dtypes import sum_dtype
from cnnref._types import Array, ConvPadding, IntOrPair, Pair, typed_like
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


def adaptive_avg_pool2d_loops(input: npt.ArrayLike, output_size: IntOrPair) -> Array:
    r"""Average adaptive windows, written as the definition.

    Same arguments, result and errors as `adaptive_avg_pool2d`; far slower. It is here to be read.

    Examples:
        >>> adaptive_avg_pool2d_loops([[[3.0, 1.0, 4.0, 1.0, 5.0]]], (1, 2))
        array([[[2.66666667, 3.33333333]]])

    Source:
        `torch.nn.functional.adaptive_avg_pool2d`.
    """
    images, batched, rows, columns = _check_adaptive(_real_images(input), output_size)
    output = np.empty((*images.shape[:2], len(rows), len(columns)), images.dtype)
    for n, c, i, j in np.ndindex(*output.shape):
        total, cells = sum_dtype(images.dtype).type(0), 0
        for y in range(*rows[i]):
            for x in range(*columns[j]):
                total += images[n, c, y, x]
                cells += 1
        output[n, c, i, j] = total / total.dtype.type(cells)
    return output if batched else output[0]


def adaptive_avg_pool2d(input: npt.ArrayLike, output_size: IntOrPair) -> Array:
    r"""Average windows that are chosen so that the output has a given size.

    $$\text{output}[n, c, i, j] = \frac{1}{|Y_i|\,|X_j|} \sum_{y \in Y_i,\, x \in X_j}
    \text{input}[n, c, y, x], \qquad
    Y_i = \Bigl\{ \Bigl\lfloor \frac{i H}{o_h} \Bigr\rfloor, \dots,
    \Bigl\lceil \frac{(i + 1) H}{o_h} \Bigr\rceil - 1 \Bigr\}$$

    and $X_j$ likewise from the width. Where the output's size divides the input's, these are the
    windows of `avg_pool2d`. Elsewhere they differ in size by one pixel at most, and neighbours
    may share a pixel.

    Args:
        input: Images of real floats, shape (N, C, H, W) or (C, H, W).
        output_size: Height and width of the output, an int or a pair. It may be larger than the
            input; windows of one pixel then repeat.

    Returns:
        Shape (N, C, oH, oW), or (C, oH, oW) for an input without batch axis, in the input's dtype.
        float16 is summed in float32.

    Raises:
        TypeError: If an argument is of the wrong kind, or the input holds integers.
        ValueError: If the input has another rank or is empty, or a size is below 1.

    Examples:
        >>> adaptive_avg_pool2d([[[3.0, 1.0, 4.0, 1.0, 5.0, 9.0]]], (1, 3))
        array([[[2. , 2.5, 7. ]]])

    Source:
        `torch.nn.functional.adaptive_avg_pool2d`.
    """
    images, batched, rows, columns = _check_adaptive(_real_images(input), output_size)
    dtype = sum_dtype(images.dtype)
    # A sum over a rectangle is a sum over its rows, then over its columns.
    down = np.stack([images[:, :, a:b].sum(2, dtype) for a, b in rows], axis=2)
    output = np.stack([down[..., a:b].sum(3) for a, b in columns], axis=3)
    heights, widths = (np.array([b - a for a, b in spans]) for spans in (rows, columns))
    output /= np.multiply.outer(heights, widths).astype(dtype)
    output = output.astype(images.dtype, copy=False)
    return output if batched else output[0]


@overload
def adaptive_max_pool2d_loops(
    input: npt.ArrayLike, output_size: IntOrPair, return_indices: Literal[False] = ...
) -> Array: ...
@overload
def adaptive_max_pool2d_loops(
    input: npt.ArrayLike, output_size: IntOrPair, return_indices: Literal[True]
) -> tuple[Array, Array]: ...
def adaptive_max_pool2d_loops(
    input: npt.ArrayLike, output_size: IntOrPair, return_indices: bool = False
) -> Array | tuple[Array, Array]:
    r"""Take the largest value of adaptive windows, written as the definition.

    Same arguments, results and errors as `adaptive_max_pool2d`; far slower. It is here to be read.

    Examples:
        >>> adaptive_max_pool2d_loops([[[3, 1, 4, 1, 5]]], (1, 2))
        array([[[4, 5]]])

    Source:
        `torch.nn.functional.adaptive_max_pool2d`.
    """
    images, batched, rows, columns = _check_adaptive(as_images(input), output_size)
    with_indices = as_flag(return_indices, "return_indices")
    width = images.shape[3]
    output = np.empty((*images.shape[:2], len(rows), len(columns)), images.dtype)
    indices = np.empty(output.shape, np.int64)
    for n, c, i, j in np.ndindex(*output.shape):
        best: Any = None
        for y in range(*rows[i]):
            for x in range(*columns[j]):
                value = images[n, c, y, x]
                if best is None or value > best or math.isnan(value):
                    best, indices[n, c, i, j] = value, y * width + x
        output[n, c, i, j] = best
    if not batched:
        output, indices = output[0], indices[0]
    return (output, indices) if with_indices else output


@typed_like(adaptive_max_pool2d_loops)
def adaptive_max_pool2d(
    input: npt.ArrayLike, output_size: IntOrPair, return_indices: bool = False
) -> Array | tuple[Array, Array]:
    r"""Take the largest value of windows that are chosen so that the output has a given size.

    $$\text{output}[n, c, i, j] = \max_{y \in Y_i,\, x \in X_j} \text{input}[n, c, y, x]$$

    with the windows $Y_i$ and $X_j$ of `adaptive_avg_pool2d`. NaN counts as larger than any number.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        output_size: Height and width of the output, an int or a pair.
        return_indices: Return also where each largest value is.

    Returns:
        Shape (N, C, oH, oW), or (C, oH, oW) for an input without batch axis, in the input's dtype.
        With `return_indices` also an int64 array of the same shape: the winner's index y · W + x in
        its channel. The first one, row by row, wins a tie; of several NaN the last one.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the input has another rank or is empty, or a size is below 1.

    Examples:
        >>> adaptive_max_pool2d([[[3, 1, 4, 1, 5, 9, 2]]], (1, 3))
        array([[[4, 5, 9]]])

    Source:
        `torch.nn.functional.adaptive_max_pool2d`.
    """
    images, batched, rows, columns = _check_adaptive(as_images(input), output_size)
    with_indices = as_flag(return_indices, "return_indices")
    # The largest of each row of a window, then the largest of these. Both steps take the first of
    # equal values, so that the winner is the first one row by row.
    height, width = images.shape[2:]
    indices = np.broadcast_to(np.arange(height * width).reshape(height, width), images.shape)
    output, indices = _largest(images, indices, columns, 3)
    output, indices = _largest(output, indices, rows, 2)
    if not batched:
        output, indices = output[0], indices[0]
    return (output, indices) if with_indices else output


def _check_adaptive(
    images_and_rank: tuple[Array, bool], output_size: object
) -> tuple[Array, bool, list[Pair], list[Pair]]:
    """Return images, whether they are a batch, and each window's (start, stop) on both axes."""
    images, batched = images_and_rank
    size = as_pair(output_size, "output_size", 1)
    refuse_huge((*images.shape[:2], *size), "output_size", output_size)
    rows, columns = (
        [(i * pixels // count, -(-(i + 1) * pixels // count)) for i in range(count)]
        for pixels, count in zip(images.shape[2:], size, strict=True)
    )
    return images, batched, rows, columns


def _largest(values: Array, indices: Array, spans: list[Pair], axis: int) -> tuple[Array, Array]:
    """Return the largest value of each span of an axis, and the index that came with it."""
    largest, places = [], []
    for start, stop in spans:
        span = (slice(None),) * axis + (slice(start, stop),)
        some = values[span]
        winner = some.argmax(axis, keepdims=True)  # the first of equal values
        if some.dtype.kind == "f":  # the last of several NaN
            lost = np.isnan(some)
            last = stop - start - 1 - np.flip(lost, axis).argmax(axis, keepdims=True)
            winner = np.where(lost.any(axis, keepdims=True), last, winner)
        largest.append(np.take_along_axis(some, winner, axis))
        places.append(np.take_along_axis(indices[span], winner, axis))
    return np.concatenate(largest, axis), np.concatenate(places, axis)


def max_unpool2d_loops(
    input: npt.ArrayLike,
    indices: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    output_size: int | tuple[int, ...] | None = None,
) -> Array:
    r"""Put pooled values back where they came from, written as the definition.

    Same arguments, result and errors as `max_unpool2d`; far slower. It is here to be read.

    Examples:
        >>> max_unpool2d_loops([[[9, 6]]], [[[5, 7]]], 2)
        array([[[0, 0, 0, 0],
                [0, 9, 0, 6]]])

    Source:
        `torch.nn.functional.max_unpool2d`.
    """
    values, places, batched, size = _check_unpool(
        input, indices, kernel_size, stride, padding, output_size
    )
    output = np.zeros((*values.shape[:2], *size), values.dtype)
    for n, c, i, j in np.ndindex(*values.shape):
        y, x = divmod(int(places[n, c, i, j]), size[1])
        output[n, c, y, x] = values[n, c, i, j]
    return output if batched else output[0]


def max_unpool2d(
    input: npt.ArrayLike,
    indices: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    output_size: int | tuple[int, ...] | None = None,
) -> Array:
    r"""Put pooled values back where they came from, with zeros everywhere else.

    $$\text{output}[n, c, y, x] = \begin{cases} \text{input}[n, c, i, j] &
    \text{if } \text{indices}[n, c, i, j] = y \cdot W + x \\ 0 & \text{otherwise}
    \end{cases}$$

    This undoes the shape of `max_pool2d`, not its loss: only the winners come back. If several
    values have the same place, as in overlapping windows, the last one, row by row, is written;
    from `max_pool2d` they are equal.

    Args:
        input: Pooled images, shape (N, C, oH, oW) or (C, oH, oW).
        indices: Where each value goes, y · W + x in its channel, integers of the input's shape: the
            second result of `max_pool2d(..., return_indices=True)`.
        kernel_size: The kernel of the pooling, an int or a (height, width) pair.
        stride: The stride of the pooling; None is `kernel_size`.
        padding: The padding of the pooling, in pixels per side, an int or a pair.
        output_size: Height and width (H, W) of what was pooled, or its whole shape. Several sizes
            pool to the same one; None takes the one whose last window ends at the last pixel.

    Returns:
        Shape (N, C, H, W), or (C, H, W) for an input without batch axis, in the input's dtype.
        Without `output_size`, $H = (o_h - 1)\, s_h - 2 p_h + k_h$, and $W$ likewise.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shapes of `input` and `indices` differ, an index lies outside the output,
            or `output_size` is one stride or more away from the size above.

    Examples:
        >>> image = [[[3, 1, 4, 1, 5]]]
        >>> values, places = max_pool2d(image, (1, 2), return_indices=True)
        >>> max_unpool2d(values, places, (1, 2))
        array([[[3, 0, 4, 0]]])
        >>> max_unpool2d(values, places, (1, 2), output_size=(1, 5))
        array([[[3, 0, 4, 0, 0]]])

    Source:
        `torch.nn.functional.max_unpool2d`.
    """
    values, places, batched, size = _check_unpool(
        input, indices, kernel_size, stride, padding, output_size
    )
    output = np.zeros((*values.shape[:2], *size), values.dtype)
    # One row per channel, in which an index counts; of equal indices NumPy keeps the last value.
    flat = (*values.shape[:2], values.shape[2] * values.shape[3])
    planes = output.reshape(*values.shape[:2], size[0] * size[1])
    np.put_along_axis(planes, places.reshape(flat), values.reshape(flat), axis=2)
    return output if batched else output[0]


def _check_unpool(
    input: object,
    indices: object,
    kernel_size: object,
    stride: object,
    padding: object,
    output_size: object,
) -> tuple[Array, Array, bool, Pair]:
    """Return pooled images, their indices, whether they are a batch, and the output's size."""
    values, batched = as_images(input)
    places = as_array(indices, "indices")
    if places.dtype.kind == "f":
        raise TypeError(f"`indices` has dtype {places.dtype}; it must hold integers")
    given = values.shape if batched else values.shape[1:]
    if places.shape != given:
        raise ValueError(f"`indices` has shape {places.shape}; it must be `input`'s, {given}")
    kernel = as_pair(kernel_size, "kernel_size", 1)
    step = kernel if stride is None else as_pair(stride, "stride", 1)
    border = as_pair(padding, "padding", 0)
    fitting = [
        (count - 1) * s - 2 * p + k
        for count, k, s, p in zip(values.shape[2:], kernel, step, border, strict=True)
    ]
    size = _unpooled_size(output_size, given[:-2], fitting, step)
    if min(size) < 1:
        raise ValueError(
            f"`padding` ({padding!r}) leaves no pixel of {_by(size)}: give the size that was "
            "pooled as `output_size`"
        )
    refuse_huge((*values.shape[:2], *size), "kernel_size", kernel_size)
    most = size[0] * size[1] - 1
    for place in (places.min(initial=0), places.max(initial=0)):
        if not 0 <= place <= most:
            raise ValueError(
                f"`indices` holds {place}; in an output of {_by(size)} pixels an index is from 0 "
                f"to {most}: give the size that was pooled as `output_size`"
            )
    return values, places.reshape(values.shape).astype(np.int64), batched, size


def _unpooled_size(
    output_size: object, leading: tuple[int, ...], fitting: list[int], step: Pair
) -> Pair:
    if output_size is None:
        return fitting[0], fitting[1]
    asked = output_size
    if isinstance(asked, (tuple, list)) and len(asked) == len(leading) + 2:
        if tuple(asked[:-2]) != leading:
            raise ValueError(
                f"`output_size` ({output_size!r}) must be (height, width), or a shape that starts "
                f"as that of `input` does: {leading}"
            )
        asked = asked[-2:]
    size = as_pair(asked, "output_size", 1)
    for have, want, s in zip(fitting, size, step, strict=True):
        if not have - s < want < have + s:
            lowest = [max(n - t + 1, 1) for n, t in zip(fitting, step, strict=True)]
            highest = [n + t - 1 for n, t in zip(fitting, step, strict=True)]
            raise ValueError(
                f"`output_size` ({output_size!r}) must be from {_by(lowest)} to {_by(highest)}: "
                "no other size pools to that of `input`"
            )
    return size


def _by(size: Sequence[int]) -> str:
    return "×".join(map(str, size))


__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_loops",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_loops",
    "avg_pool2d",
    "avg_pool2d_loops",
    "global_avg_pool2d",
    "global_max_pool2d",
    "max_pool2d",
    "max_pool2d_loops",
    "max_unpool2d",
    "max_unpool2d_loops",
]
