"""Transposed convolution: each input cell stamps the filter, times its value, onto the output."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnref.ops._checks import Array, Pair, Sides, as_array, as_images, as_int, as_pair, as_sides

# The stamps are made a few rows at a time, so that they are still in a core's cache when added.
_BUFFER_BYTES = 1 << 20


class ConvTranspose2dArguments(NamedTuple):
    """The arguments of a transposed convolution in their normal form.

    Attributes:
        input: Images, shape (N, C, H, W), in the result's dtype.
        weight: Filters, shape (C, O / groups, kH, kW), in the result's dtype.
        bias: One number an output channel, shape (O,), in the result's dtype, or None.
        stride: Step between neighbouring stamps (down, right), in pixels.
        padding: ((top, bottom), (left, right)), in pixels that are cut off.
        output_padding: Rows and columns added at the bottom and the right.
        dilation: Distance between neighbouring taps (down, right), in pixels; 1 is dense.
        groups: Number of groups the channels are split into.
        output_size: Height and width of the result.
        dtype: The result's dtype.
        batched: Whether the caller's input had the batch axis.
    """

    input: Array
    weight: Array
    bias: Array | None
    stride: Pair
    padding: Sides
    output_padding: Pair
    dilation: Pair
    groups: int
    output_size: Pair
    dtype: np.dtype[Any]
    batched: bool


def check_conv_transpose2d(
    input: object,
    weight: object,
    bias: object,
    stride: object,
    padding: object,
    output_padding: object,
    groups: object,
    dilation: object,
) -> ConvTranspose2dArguments:
    """Check the arguments, for the loops, the fast form, the derivation and the figure alike.

    Raises:
        TypeError: If an argument is of the wrong kind (bool, float where an int is due, text).
        ValueError: If shapes do not fit together, or a number is out of its range.
    """
    images, batched = as_images(input)
    filters = as_array(weight, "weight")
    if filters.ndim != 4:
        raise ValueError(f"`weight` has shape {filters.shape}; it must be (C, O / groups, kH, kW)")
    for shape, name in ((images.shape[1:], "input"), (filters.shape, "weight")):
        if 0 in shape:
            raise ValueError(f"`{name}` (of shape {shape}) has an empty axis")
    in_channels, group_count = images.shape[1], as_int(groups, "groups", 1)
    if in_channels % group_count:
        raise ValueError(
            f"`in_channels` (={in_channels}) must be divisible by `groups` (={group_count})"
        )
    if len(filters) != in_channels:
        raise ValueError(
            f"`weight` has {len(filters)} filters along its first axis; it needs one for each of "
            f"the {in_channels} channels of `input`"
        )

    stride_pair = as_pair(stride, "stride", 1)
    dilation_pair = as_pair(dilation, "dilation", 1)
    sides = as_sides(padding)
    extra = as_pair(output_padding, "output_padding", 0)
    size = []
    for axis, name in enumerate(("height", "width")):
        step, spread, more = stride_pair[axis], dilation_pair[axis], extra[axis]
        if more >= step and more >= spread:
            raise ValueError(
                f"`output_padding` (={more}) in {name} must be smaller than `stride` (={step}) or "
                f"`dilation` (={spread})"
            )
        stamped = (images.shape[2 + axis] - 1) * step + spread * (filters.shape[2 + axis] - 1) + 1
        size.append(stamped + more - sum(sides[axis]))
        if size[axis] < 1:
            raise ValueError(
                f"`padding` (={padding!r}) cuts off all there is in {name}: the stamps and "
                f"`output_padding` take up {stamped + more} pixels, {sum(sides[axis])} are cut off"
            )

    out_channels = filters.shape[1] * group_count
    dtype = np.result_type(images.dtype, filters.dtype)
    biases = None
    if bias is not None:
        biases = as_array(bias, "bias")
        if biases.shape != (out_channels,):
            raise ValueError(
                f"`bias` has shape {biases.shape}; it must be ({out_channels},), one an output "
                "channel"
            )
        dtype = np.result_type(dtype, biases.dtype)
        biases = biases.astype(dtype, copy=False)
    return ConvTranspose2dArguments(
        images.astype(dtype, copy=False),
        filters.astype(dtype, copy=False),
        biases,
        stride_pair,
        sides,
        extra,
        dilation_pair,
        group_count,
        (size[0], size[1]),
        dtype,
        batched,
    )


def sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype to sum in: half precision has too few digits and no fast product."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def conv_transpose2d_loops(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: object = 1,
    padding: object = 0,
    output_padding: object = 0,
    groups: int = 1,
    dilation: object = 1,
) -> Array:
    r"""Stamp the filter, times each input cell, onto the output: the definition, one loop an index.

    Same arguments, result and errors as `conv_transpose2d`; far slower. It is here to be read.

    Examples:
        >>> conv_transpose2d_loops([[[1, 10]]], [[[[1, 2, 3]]]], stride=(1, 2))
        array([[[ 1,  2, 13, 20, 30]]])

    Source:
        Dumoulin & Visin, arXiv:1603.07285, section 4.2.
    """
    a = check_conv_transpose2d(
        input, weight, bias, stride, padding, output_padding, groups, dilation
    )
    (top, _), (left, _) = a.padding
    images, channels, rows, columns = a.input.shape
    _, group_filters, kernel_height, kernel_width = a.weight.shape
    height, width = a.output_size
    filters = group_filters * a.groups
    output = np.zeros((images, filters, height, width), sum_dtype(a.dtype))

    for n in range(images):
        for c in range(channels):
            # An input channel stamps the output channels of its own group alone.
            first = c // (channels // a.groups) * group_filters
            for i in range(rows):
                for j in range(columns):
                    for o in range(group_filters):
                        for u in range(kernel_height):
                            for v in range(kernel_width):
                                y = i * a.stride[0] + u * a.dilation[0] - top
                                x = j * a.stride[1] + v * a.dilation[1] - left
                                if 0 <= y < height and 0 <= x < width:  # else cut off
                                    stamp = a.input[n, c, i, j] * a.weight[c, o, u, v]
                                    output[n, first + o, y, x] += stamp
    if a.bias is not None:
        output += a.bias[:, None, None]
    output = output.astype(a.dtype, copy=False)
    return output if a.batched else output[0]


def conv_transpose2d(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: object = 1,
    padding: object = 0,
    output_padding: object = 0,
    groups: int = 1,
    dilation: object = 1,
) -> Array:
    r"""Transposed convolution: each input cell stamps the filter times its value; stamps add up.

    $$\text{output}[n, o, y, x] = \text{bias}[o] + \sum_{c,\,i,\,j,\,u,\,v}
    \text{input}[n, c, i, j] \; \text{weight}[c, o, u, v]
    \quad\text{over } i s_h + u d_h - p_\text{top} = y,\; j s_w + v d_w - p_\text{left} = x$$

    Along an axis of n cells the output has (n − 1) s − 2p + d (k − 1) + output_padding + 1. The
    result is the gradient of `conv2d` to its input, with `input` in the place of the gradient to
    its output and the same weight. It is not the inverse of `conv2d`.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        weight: Filters, shape (C, O / groups, kH, kW): input channels first, the other way round
            from `conv2d`.
        bias: One number an output channel, shape (O,), or None.
        stride: Step between neighbouring stamps in pixels, an int or a (height, width) pair.
        padding: Pixels to **cut off** each side: an int, a (height, width) pair, or
            ((top, bottom), (left, right)). It undoes the padding of a convolution.
        output_padding: Rows and columns more at the bottom and the right, an int or a pair; each
            smaller than the stride or the dilation of its axis. They hold what the stamps leave
            there, which can be zero.
        groups: Split the channels into this many groups that do not see each other.
        dilation: Distance in pixels between neighbouring taps of the filter; 1 is dense.

    Returns:
        Shape (N, O, oH, oW), or (O, oH, oW) for an input without batch axis. The dtype is NumPy's
        result type of the arguments, as for `conv2d`: integers stay exact integers (they wrap on
        overflow), float32 stays float32. float16 is summed in float32.

    Raises:
        TypeError: If an argument is of the wrong kind (a bool stride, text, complex numbers).
        ValueError: If shapes do not fit together, a number is out of range, or the padding leaves
            nothing of the output.

    Examples:
        >>> conv_transpose2d([[[1, 10], [100, 1000]]], [[[[1, 1], [1, 1]]]])
        array([[[   1,   11,   10],
                [ 101, 1111, 1010],
                [ 100, 1100, 1000]]])

    Source:
        `torch.nn.functional.conv_transpose2d`; Dumoulin & Visin, arXiv:1603.07285, chapter 4.
    """
    a = check_conv_transpose2d(
        input, weight, bias, stride, padding, output_padding, groups, dilation
    )
    output = add_stamps(a.input, a.weight, a.output_size, a.stride, a.padding, a.dilation, a.groups)
    if a.bias is not None:
        output += a.bias.astype(output.dtype, copy=False)[:, None, None]
    output = output.astype(a.dtype, copy=False)
    return output if a.batched else output[0]


def add_stamps(
    values: Array,
    weight: Array,
    size: Pair,
    stride: Pair,
    padding: Sides,
    dilation: Pair,
    groups: int,
) -> Array:
    """Add up the stamps of all values, on images of the given size: the fast form.

    It serves the transposed convolution and the gradient to a convolution's input, which are one
    computation with two names.

    Args:
        values: What each stamp is multiplied by, shape (N, C, H, W).
        weight: Filters, shape (C, O / groups, kH, kW), in the dtype of `values`.
        size: Height and width of the result, after padding is cut off.
        stride: Step between stamps.
        padding: Pixels of each side that are cut off.
        dilation: Distance between taps.
        groups: Number of groups of channels.

    Returns:
        Shape (N, O, *size), in `sum_dtype` of the dtype of `values`.
    """
    dtype = sum_dtype(values.dtype)
    images, channels, rows, columns = values.shape
    _, group_filters, kernel_height, kernel_width = weight.shape
    (top, bottom), (left, right) = padding
    taps = group_filters * kernel_height * kernel_width

    values = values.astype(dtype, copy=False).reshape(
        images, groups, channels // groups, rows * columns
    )
    matrices = weight.astype(dtype, copy=False).reshape(groups, channels // groups, taps)
    output = np.zeros((images, groups, group_filters, *size), dtype)
    block = max(1, min(rows, _BUFFER_BYTES // (taps * columns * dtype.itemsize)))
    buffer = np.empty(taps * block * columns, dtype)
    # Stamps may reach into the padding, so they are added in a frame that has it.
    frame = None
    if top or bottom or left or right:
        frame = np.empty((group_filters, top + size[0] + bottom, left + size[1] + right), dtype)

    for n in range(images):
        for g in range(groups):
            canvas = output[n, g]
            if frame is not None:
                frame.fill(0)
                canvas = frame
            for start in range(0, rows, block):
                stop = min(start + block, rows)
                cells = values[n, g, :, start * columns : stop * columns]
                # One matrix product makes the stamps of these rows, one a column ...
                stamps = buffer[: taps * cells.shape[1]].reshape(taps, -1)
                # (of a single channel there is nothing to sum, and a plain product is faster)
                product = np.multiply if len(cells) == 1 else np.matmul
                product(matrices[g].T, cells, out=stamps)
                parts = stamps.reshape(group_filters, kernel_height, kernel_width, -1, columns)
                for u in range(kernel_height):
                    y = start * stride[0] + u * dilation[0]
                    down = slice(y, y + (stop - start - 1) * stride[0] + 1, stride[0])
                    for v in range(kernel_width):
                        x = v * dilation[1]
                        across = slice(x, x + (columns - 1) * stride[1] + 1, stride[1])
                        # ... and what one tap leaves is added to every cell it lands on at once.
                        canvas[:, down, across] += parts[:, u, v]
            if frame is not None:
                output[n, g] = frame[:, top : top + size[0], left : left + size[1]]
    return output.reshape(images, groups * group_filters, *size)


__all__ = ["conv_transpose2d", "conv_transpose2d_loops"]
