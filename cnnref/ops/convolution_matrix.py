"""Convolution written as one matrix product: windows as columns, or the filters as one matrix."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_array, as_images, as_int, as_pair, refuse_huge
from cnnref._dtypes import sum_dtype
from cnnref._types import Array, ConvPadding, IntOrPair
from cnnref.ops._windows import Windows, sliding_windows
from cnnref.ops.convolution import Conv2dShape, conv2d_shape

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

    A convolution is then one matrix product: the filters, one per row, times these columns. Pixels
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
    taps = images.shape[1] * w.kernel_size[0] * w.kernel_size[1]
    matrices = np.empty((len(images), taps, w.positions), images.dtype)
    for n, _, cells, patches in w.patches(images, 1, images.dtype):
        matrices[n, :, cells] = patches
    return matrices if batched else matrices[0]


def im2col_loops(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
) -> Array:
    r"""Copy every window of an image into a column, written as the definition: one loop per index.

    Same arguments, result and errors as `im2col`, but far slower: written to be read.

    Examples:
        >>> im2col_loops([[[1, 2, 3]]], kernel_size=(1, 2))
        array([[1, 2],
               [2, 3]])

    Source:
        `torch.nn.functional.unfold`.
    """
    images, batched, w = _check_im2col(input, kernel_size, stride, padding, dilation)
    channels = images.shape[1]
    taps = channels * w.kernel_size[0] * w.kernel_size[1]
    matrices = np.zeros((len(images), taps, w.positions), images.dtype)
    for c, tap, window, y, x in _reads(w, channels):
        matrices[:, tap, window] = images[:, c, y, x]
    return matrices if batched else matrices[0]


def col2im(
    columns: npt.ArrayLike,
    input_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
) -> Array:
    r"""Put the columns back where `im2col` read them, and add them up where windows overlap.

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
    channels = values.shape[1] // (w.kernel_size[0] * w.kernel_size[1])
    blocks = values.reshape(len(values), channels, *w.kernel_size, *w.output_size)
    images = np.zeros((len(values), channels, *w.input_size), sum_dtype(values.dtype))
    for (u, v), windows, pixels in w.taps():
        # One tap of all windows at once: these pixels are all different.
        images[pixels] += blocks[:, :, u, v][windows]
    images = images.astype(values.dtype, copy=False)
    return images if batched else images[0]


def col2im_loops(
    columns: npt.ArrayLike,
    input_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
) -> Array:
    r"""Put columns back and add up overlaps, written as the definition: one loop per index.

    Same arguments, result and errors as `col2im`, but far slower: written to be read.

    Examples:
        >>> col2im_loops([[1, 2], [2, 3]], input_size=(1, 3), kernel_size=(1, 2))
        array([[[1, 4, 3]]])

    Source:
        `torch.nn.functional.fold`.
    """
    values, batched, w = _check_col2im(columns, input_size, kernel_size, stride, padding, dilation)
    channels = values.shape[1] // (w.kernel_size[0] * w.kernel_size[1])
    images = np.zeros((len(values), channels, *w.input_size), sum_dtype(values.dtype))
    for c, tap, window, y, x in _reads(w, channels):
        images[:, c, y, x] += values[:, tap, window]
    images = images.astype(values.dtype, copy=False)
    return images if batched else images[0]


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
    filters, a = _check_toeplitz(weight, input_size, stride, padding, dilation, groups)
    per_filter, per_channel = a.filters // a.groups, a.channels // a.groups
    # One axis per index: matrix[o, i, j, c, y, x].
    matrix = np.zeros((a.filters, *a.output_size, a.channels, *a.input_size), filters.dtype)
    for (u, v), (_, rows, columns), (_, ys, xs) in a.taps():
        i, j, y, x = (np.arange(s.stop)[s] for s in (rows, columns, ys, xs))
        for g in range(a.groups):
            own = slice(g * per_filter, (g + 1) * per_filter)
            seen = slice(g * per_channel, (g + 1) * per_channel)
            # NumPy puts the indexed axes first: (i, j, o, c) = weight[o, c], for all i and j.
            matrix[own, i[:, None], j, seen, y[:, None], x] = filters[own, :, u, v]
    return matrix.reshape(a.filters * a.positions, -1)


def toeplitz_matrix_loops(
    weight: npt.ArrayLike,
    input_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    r"""Write a convolution as one matrix, by the definition: one loop per index.

    Same arguments, result and errors as `toeplitz_matrix`, but far slower: written to be read.

    Examples:
        >>> toeplitz_matrix_loops([[[[1, 2]]]], input_size=(1, 3))
        array([[1, 2, 0],
               [0, 1, 2]])

    Source:
        V. Dumoulin and F. Visin, arXiv:1603.07285, section 4.1.
    """
    filters, a = _check_toeplitz(weight, input_size, stride, padding, dilation, groups)
    height, width = a.input_size
    matrix = np.zeros((a.filters * a.positions, a.channels * height * width), filters.dtype)
    for o, filter in enumerate(filters):
        for c, tap, window, y, x in _reads(a, len(filter)):
            pixel = ((a.first_channel(o) + c) * height + y) * width + x
            matrix[o * a.positions + window, pixel] = filter.flat[tap]
    return matrix


def _check_im2col(
    input: object, kernel_size: object, stride: object, padding: object, dilation: object
) -> tuple[Array, bool, Windows]:
    images, batched = as_images(input)
    size = (images.shape[2], images.shape[3])
    return images, batched, sliding_windows(size, kernel_size, stride, padding, dilation)


def _check_col2im(
    columns: object,
    input_size: object,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
) -> tuple[Array, bool, Windows]:
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
    refuse_huge((channels, *size), "input_size", input_size)
    w = sliding_windows(size, kernel, stride, padding, dilation)
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
) -> tuple[Array, Conv2dShape]:
    filters = as_array(weight, "weight")
    size = as_pair(input_size, "input_size", 1)
    group_count = as_int(groups, "groups", 1)
    channels = filters.shape[1] * group_count if filters.ndim == 4 else 1
    a = conv2d_shape((channels, *size), filters.shape, stride, padding, dilation, group_count)
    rows, columns = a.filters * a.positions, channels * size[0] * size[1]
    needed = rows * columns * filters.itemsize
    if needed > _MOST_BYTES:
        raise ValueError(
            f"the matrix would be {rows}×{columns}, {needed / 2**30:.1f} GiB of mostly zeros; the "
            f"most is {_MOST_BYTES / 2**30:g} GiB: use `conv2d`, or a smaller `input_size` "
            f"({size})"
        )
    return filters, a


def _reads(w: Windows, channels: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (c, tap, window, y, x) where a tap of a window lies on the image, not on padding."""
    for window, (i, j) in enumerate(np.ndindex(*w.output_size)):
        for u, v, y, x in w.reads(i, j):
            for c in range(channels):
                yield c, (c * w.kernel_size[0] + u) * w.kernel_size[1] + v, window, y, x


__all__ = [
    "col2im",
    "col2im_loops",
    "im2col",
    "im2col_loops",
    "toeplitz_matrix",
    "toeplitz_matrix_loops",
]
