"""Convolution written as one matrix product: windows as columns, or the filters as one matrix."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from cnnref.ops._checks import (
    Array,
    ConvPadding,
    IntOrPair,
    Pair,
    Sides,
    as_array,
    as_images,
    as_int,
    as_padding,
    as_pair,
    output_length,
)
from cnnref.ops.padding import pad2d

# A Toeplitz matrix is for reading and for small layers; one of a whole layer can fill a machine.
_MOST_BYTES = 1 << 30


def im2col(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
) -> Array:
    r"""Copy every window of an image into a column of a matrix.

    $$\text{columns}\bigl[(c\,k_h + u)\,k_w + v,\;\; i\,o_w + j\bigr] =
    \text{padded}[c,\; i s_h + u d_h,\; j s_w + v d_w]$$

    A convolution is then one matrix product: the filters, one a row, times these columns. Pixels
    that several windows share are copied several times: at stride 1 the matrix is about $k_h k_w$
    times as large as the image.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        kernel_size: Size of the window in pixels, an int or a (height, width) pair.
        stride: Step of the window in pixels, an int or a pair.
        padding: As for `conv2d`: zeros around the image.
        dilation: Distance in pixels between neighbouring cells that a window reads.

    Returns:
        Shape (N, C · kH · kW, L) with L = oH · oW windows, or (C · kH · kW, L) for an input without
        batch axis; the input's dtype. Rows run through channels, then the window's rows, then its
        columns; columns run through the windows, row by row.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is out of range, or the window is larger than the padded input.

    Examples:
        >>> im2col([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], kernel_size=2)
        array([[1, 2, 4, 5],
               [2, 3, 5, 6],
               [4, 5, 7, 8],
               [5, 6, 8, 9]])

    Source:
        `torch.nn.functional.unfold`, which has its arguments in another order and takes floats
        only; K. Chellapilla, S. Puri and P. Simard, High performance convolutional neural networks
        for document processing, 2006.
    """
    images, batched, w = _check_im2col(input, kernel_size, stride, padding, dilation)
    padded = pad2d(images, w.padding)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(w.kernel_size, w.dilation, strict=True))
    views = sliding_window_view(padded, reach, axis=(2, 3))
    views = views[:, :, :: w.stride[0], :: w.stride[1], :: w.dilation[0], :: w.dilation[1]]
    columns = np.empty(
        (len(images), w.channels, *w.kernel_size, *w.output_size), dtype=images.dtype
    )
    # (N, C, oH, oW, kH, kW): the window's own axes go before the axes that count windows.
    columns[...] = views.transpose(0, 1, 4, 5, 2, 3)
    matrices: Array = columns.reshape(len(images), w.taps, w.positions)
    return matrices if batched else matrices[0]


def im2col_loops(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
) -> Array:
    r"""Copy every window of an image into a column, written as the definition: a loop an index.

    Same arguments, result and errors as `im2col`; far slower. It is here to be read.

    Examples:
        >>> im2col_loops([[[1, 2, 3]]], kernel_size=(1, 2))
        array([[1, 2],
               [2, 3]])

    Source:
        `torch.nn.functional.unfold`.
    """
    images, batched, w = _check_im2col(input, kernel_size, stride, padding, dilation)
    columns = np.zeros((len(images), w.taps, w.positions), images.dtype)
    for row, column, (c, y, x) in _reads(w):
        columns[:, row, column] = images[:, c, y, x]
    return columns if batched else columns[0]


def col2im(
    columns: npt.ArrayLike,
    input_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
) -> Array:
    r"""Put the columns back where `im2col` read them, and add up where windows overlap.

    This is the transpose of `im2col`, not its inverse: a pixel that $n$ windows read comes back
    $n$ times as large, and one that no window reads comes back as zero.

    Args:
        columns: Shape (N, C · kH · kW, L) or (C · kH · kW, L), in the order of `im2col`.
        input_size: Height and width of the image, without padding, an int or a pair.
        kernel_size: As for `im2col`.
        stride: As for `im2col`.
        padding: As for `im2col`; what lies on the padding is dropped.
        dilation: As for `im2col`.

    Returns:
        Shape (N, C, H, W), or (C, H, W) for columns without batch axis; the columns' dtype.
        float16 is summed in float32.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is out of range, or the shape of the columns does not fit.

    Examples:
        >>> col2im([[1, 2], [2, 3]], input_size=(1, 3), kernel_size=(1, 2))
        array([[[1, 4, 3]]])

    Source:
        `torch.nn.functional.fold`, which has its arguments in another order and calls
        ``input_size`` output_size.
    """
    values, batched, w = _check_col2im(columns, input_size, kernel_size, stride, padding, dilation)
    (top, bottom), (left, right) = w.padding
    height, width = w.input_size
    dtype = np.dtype(np.float32) if values.dtype == np.float16 else values.dtype
    padded = np.zeros((len(values), w.channels, top + height + bottom, left + width + right), dtype)
    blocks = values.reshape(len(values), w.channels, *w.kernel_size, *w.output_size)
    for u, v in np.ndindex(*w.kernel_size):
        # One tap of all windows at once: these pixels are all different.
        rows = _taps(u * w.dilation[0], w.stride[0], w.output_size[0])
        across = _taps(v * w.dilation[1], w.stride[1], w.output_size[1])
        padded[:, :, rows, across] += blocks[:, :, u, v]
    image = padded[:, :, top : top + height, left : left + width]
    # A copy where there was padding, so that the result does not hold the padded array alive.
    image = np.ascontiguousarray(image, dtype=values.dtype)
    return image if batched else image[0]


def col2im_loops(
    columns: npt.ArrayLike,
    input_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
) -> Array:
    r"""Put columns back and add up overlaps, written as the definition: one loop an index.

    Same arguments, result and errors as `col2im`; far slower. It is here to be read.

    Examples:
        >>> col2im_loops([[1, 2], [2, 3]], input_size=(1, 3), kernel_size=(1, 2))
        array([[[1, 4, 3]]])

    Source:
        `torch.nn.functional.fold`.
    """
    values, batched, w = _check_col2im(columns, input_size, kernel_size, stride, padding, dilation)
    dtype = np.dtype(np.float32) if values.dtype == np.float16 else values.dtype
    image = np.zeros((len(values), w.channels, *w.input_size), dtype)
    for row, column, (c, y, x) in _reads(w):
        image[:, c, y, x] += values[:, row, column]
    image = image.astype(values.dtype, copy=False)
    return image if batched else image[0]


def toeplitz_matrix(
    weight: npt.ArrayLike,
    input_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    r"""Write the whole convolution as one matrix $T$, so that $\text{conv2d}(x, w) = T\,x$.

    Image and output are read as vectors, channel by channel, row by row:

    $$T\bigl[(o,\, i,\, j),\; (c,\, i s_h + u d_h - t,\, j s_w + v d_w - l)\bigr] =
    \text{weight}[o, c, u, v]$$

    with $t$ rows of padding above and $l$ columns on the left; all other cells are zero. Every row
    holds the same weights, moved along. At stride 1 the cells of each diagonal inside a block are
    equal (Toeplitz), and so are the blocks on each diagonal of blocks: doubly blocked Toeplitz.
    $T^\mathsf{T}$ is the transposed convolution.

    Args:
        weight: Filters, shape (O, C / groups, kH, kW).
        input_size: Height and width of the image, without padding, an int or a pair.
        stride: As for `conv2d`.
        padding: As for `conv2d`.
        dilation: As for `conv2d`.
        groups: As for `conv2d`.

    Returns:
        Shape (O · oH · oW, C · H · W), the weight's dtype.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, a number is out of range, or the matrix would
            take more than 1 GiB: almost all of it would be zeros.

    Examples:
        >>> toeplitz_matrix([[[[1, 2]]]], input_size=(1, 4))
        array([[1, 2, 0, 0],
               [0, 1, 2, 0],
               [0, 0, 1, 2]])

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, 2016,
        arXiv:1603.07285, section 4.1.
    """
    filters, group_count, w = _check_toeplitz(weight, input_size, stride, padding, dilation, groups)
    (height, width), (out_height, out_width) = w.input_size, w.output_size
    per_filter, per_channel = len(filters) // group_count, filters.shape[1]
    # One axis an index: matrix[o, i, j, c, y, x].
    matrix = np.zeros((len(filters), *w.output_size, w.channels, *w.input_size), filters.dtype)
    for u, v in np.ndindex(*w.kernel_size):
        y = np.arange(out_height) * w.stride[0] + u * w.dilation[0] - w.padding[0][0]
        x = np.arange(out_width) * w.stride[1] + v * w.dilation[1] - w.padding[1][0]
        i, j = np.flatnonzero((y >= 0) & (y < height)), np.flatnonzero((x >= 0) & (x < width))
        for g in range(group_count):
            own = slice(g * per_filter, (g + 1) * per_filter)
            seen = slice(g * per_channel, (g + 1) * per_channel)
            # NumPy puts the indexed axes first: (i, j, o, c) = weight[o, c], for all i and j.
            cells = (own, i[:, None], j, seen, y[i][:, None], x[j])
            matrix[cells] = filters[own, :, u, v]
    return matrix.reshape(len(filters) * w.positions, w.channels * height * width)


def toeplitz_matrix_loops(
    weight: npt.ArrayLike,
    input_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    r"""Write a convolution as one matrix, by the definition: one loop an index.

    Same arguments, result and errors as `toeplitz_matrix`; far slower. It is here to be read.

    Examples:
        >>> toeplitz_matrix_loops([[[[1, 2]]]], input_size=(1, 3))
        array([[1, 2, 0],
               [0, 1, 2]])

    Source:
        V. Dumoulin and F. Visin, arXiv:1603.07285, section 4.1.
    """
    filters, group_count, w = _check_toeplitz(weight, input_size, stride, padding, dilation, groups)
    height, width = w.input_size
    matrix = np.zeros((len(filters) * w.positions, w.channels * height * width), filters.dtype)
    for o, filter in enumerate(filters):
        first = o // (len(filters) // group_count) * len(filter)
        for tap, window, (c, y, x) in _reads(w):
            if first <= c < first + len(filter):
                # `tap` counts through all channels; this filter holds those of its group.
                value = filter.ravel()[tap - first * filter[0].size]
                matrix[o * w.positions + window, (c * height + y) * width + x] = value
    return matrix


class _Windows(NamedTuple):
    """Where the windows of an image lie, with every argument in its normal form."""

    channels: int
    input_size: Pair
    kernel_size: Pair
    stride: Pair
    padding: Sides
    dilation: Pair
    output_size: Pair

    @property
    def taps(self) -> int:
        """How many numbers a window holds."""
        return self.channels * self.kernel_size[0] * self.kernel_size[1]

    @property
    def positions(self) -> int:
        """How many windows there are."""
        return self.output_size[0] * self.output_size[1]


def _windows(
    channels: int,
    input_size: Pair,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
) -> _Windows:
    kernel = as_pair(kernel_size, "kernel_size", 1)
    steps, spread = as_pair(stride, "stride", 1), as_pair(dilation, "dilation", 1)
    sides = as_padding(padding, kernel, steps, spread)
    height, width = (
        output_length(input_size[axis], kernel[axis], steps[axis], sides[axis], spread[axis], name)
        for axis, name in enumerate(("height", "width"))
    )
    return _Windows(channels, input_size, kernel, steps, sides, spread, (height, width))


def _check_im2col(
    input: object, kernel_size: object, stride: object, padding: object, dilation: object
) -> tuple[Array, bool, _Windows]:
    images, batched = as_images(input)
    channels, height, width = images.shape[1:]
    if 0 in (channels, height, width):
        raise ValueError(f"`input` (of shape {images.shape}) has no channels, rows or columns")
    w = _windows(channels, (height, width), kernel_size, stride, padding, dilation)
    return images, batched, w


def _check_col2im(
    columns: object,
    input_size: object,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
) -> tuple[Array, bool, _Windows]:
    values = as_array(columns, "columns")
    if values.ndim not in (2, 3):
        raise ValueError(
            f"`columns` has shape {values.shape}; it must be (C · kH · kW, L) or "
            "(N, C · kH · kW, L)"
        )
    batched = values.ndim == 3
    values = values if batched else values[None]
    size, kernel = as_pair(input_size, "input_size", 1), as_pair(kernel_size, "kernel_size", 1)
    channels, rest = divmod(values.shape[1], kernel[0] * kernel[1])
    if rest or not channels:
        raise ValueError(
            f"`columns` has {values.shape[1]} rows; they must be C times the "
            f"{kernel[0] * kernel[1]} cells of the window (`kernel_size` {kernel})"
        )
    w = _windows(channels, size, kernel, stride, padding, dilation)
    if values.shape[2] != w.positions:
        raise ValueError(
            f"`columns` has {values.shape[2]} columns; an image of {size[0]}×{size[1]} has "
            f"{w.output_size[0]}×{w.output_size[1]} = {w.positions} windows"
        )
    return values, batched, w


def _check_toeplitz(
    weight: object,
    input_size: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
) -> tuple[Array, int, _Windows]:
    filters = as_array(weight, "weight")
    if filters.ndim != 4 or 0 in filters.shape:
        raise ValueError(
            f"`weight` has shape {filters.shape}; it must be (O, C / groups, kH, kW), none of them "
            "zero"
        )
    group_count = as_int(groups, "groups", 1)
    if len(filters) % group_count:
        raise ValueError(
            f"`out_channels` (={len(filters)}) must be divisible by `groups` (={group_count})"
        )
    size = as_pair(input_size, "input_size", 1)
    channels = filters.shape[1] * group_count
    w = _windows(channels, size, filters.shape[2:], stride, padding, dilation)
    rows, columns = len(filters) * w.positions, channels * size[0] * size[1]
    needed = rows * columns * filters.itemsize
    if needed > _MOST_BYTES:
        raise ValueError(
            f"the matrix would be {rows}×{columns}, {needed / 2**30:.1f} GiB of mostly zeros; the "
            f"most is {_MOST_BYTES / 2**30:g} GiB: use `conv2d`, or a smaller `input_size` "
            f"(={size})"
        )
    return filters, group_count, w


def _taps(start: int, step: int, count: int) -> slice:
    return slice(start, start + step * (count - 1) + 1, step)


def _reads(w: _Windows) -> list[tuple[int, int, tuple[int, int, int]]]:
    """List each (tap, window, pixel) where a tap of a window lies on the image, not on padding."""
    (top, _), (left, _) = w.padding
    reads = []
    for c in range(w.channels):
        for u in range(w.kernel_size[0]):
            for v in range(w.kernel_size[1]):
                tap = (c * w.kernel_size[0] + u) * w.kernel_size[1] + v
                for i in range(w.output_size[0]):
                    for j in range(w.output_size[1]):
                        y = i * w.stride[0] + u * w.dilation[0] - top
                        x = j * w.stride[1] + v * w.dilation[1] - left
                        if 0 <= y < w.input_size[0] and 0 <= x < w.input_size[1]:
                            reads.append((tap, i * w.output_size[1] + j, (c, y, x)))
    return reads


__all__ = [
    "col2im",
    "col2im_loops",
    "im2col",
    "im2col_loops",
    "toeplitz_matrix",
    "toeplitz_matrix_loops",
]
