"""Transposed convolution: each input cell stamps the filter, times its value, onto the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from cnnref._checks import (
    AXES,
    FILTER_AXES,
    IMAGE_AXES,
    as_array,
    as_images,
    as_int,
    as_pair,
    as_sides,
    as_vector,
    refuse_empty,
    refuse_huge,
    shown,
)
from cnnref._dtypes import result_dtype, sum_dtype
from cnnref._types import Array, IntOrPair, Padding, Pair, Sides
from cnnref.ops._windows import Windows, row_blocks


def conv_transpose2d_loops(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    output_padding: IntOrPair = 0,
    groups: int = 1,
    dilation: IntOrPair = 1,
) -> Array:
    r"""Stamp the filter, times each input cell, onto the output: one loop per index.

    Same arguments, result and errors as `conv_transpose2d`, but far slower: written to be read.

    Examples:
        >>> conv_transpose2d_loops([[[1, 10]]], [[[[1, 2, 3]]]], stride=(1, 2))
        array([[[ 1,  2, 13, 20, 30]]])

    Source:
        Dumoulin & Visin, arXiv:1603.07285, section 4.2.
    """
    a = check_conv_transpose2d(
        input, weight, bias, stride, padding, output_padding, groups, dilation
    )
    channels, w, dtype = a.input.shape[1], a.windows, sum_dtype(a.dtype)
    values, weight = a.input.astype(dtype), a.weight.astype(dtype)
    output = np.zeros(a.output_shape, dtype)
    for n, c, i, j in np.ndindex(*values.shape):
        # An input channel stamps the output channels of its own group alone.
        first = c // (channels // a.groups) * weight.shape[1]
        for o in range(weight.shape[1]):
            for u, v, y, x in w.reads(i, j):  # where the stamp falls; elsewhere it is cut off
                output[n, first + o, y, x] += values[n, c, i, j] * weight[c, o, u, v]
    if a.bias is not None:
        output += a.bias[:, None, None]
    output = output.astype(a.dtype, copy=False)
    return output if a.batched else output[0]


def conv_transpose2d(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    output_padding: IntOrPair = 0,
    groups: int = 1,
    dilation: IntOrPair = 1,
) -> Array:
    r"""Transposed convolution: each input cell stamps the filter times its value; stamps add up.

    $$\text{output}[n, o, y, x] = \text{bias}[o] + \sum_{c,\,i,\,j,\,u,\,v}
    \text{input}[n, c, i, j] \; \text{weight}[c, o, u, v]
    \quad\text{over } i s_h + u d_h - p_\text{top} = y,\; j s_w + v d_w - p_\text{left} = x$$

    Along an axis of n cells the output has (n − 1) s − 2p + d (k − 1) + output_padding + 1. The
    result is the gradient of `conv2d` with respect to its input, with `input` in place of the
    gradient with respect to its output, and the same weight. It is not the inverse of `conv2d`.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        weight: Filters, shape (C, O / groups, kH, kW): input channels first, unlike those of
            `conv2d`.
        bias: One number per output channel, shape (O,), or None.
        stride: Step between neighbouring stamps in pixels, an int or a (height, width) pair.
        padding: Pixels to **cut off** each side: an int, a (height, width) pair, or
            ((top, bottom), (left, right)). It undoes the padding of a convolution.
        output_padding: Rows and columns added at the bottom and the right, an int or a pair; each
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
        ValueError: If shapes do not fit together, a number is out of range, or the padding cuts off
            the whole output.

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
    output = add_stamps(a.input, a.weight, a.windows, a.groups)
    if a.bias is not None:
        output += a.bias.astype(output.dtype, copy=False)[:, None, None]
    output = output.astype(a.dtype, copy=False)
    return output if a.batched else output[0]


@overload
def output_padding(
    input_size: int,
    output_size: int,
    kernel_size: int,
    stride: IntOrPair = ...,
    padding: Padding = ...,
    dilation: IntOrPair = ...,
) -> int: ...
@overload
def output_padding(
    input_size: IntOrPair,
    output_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = ...,
    padding: Padding = ...,
    dilation: IntOrPair = ...,
) -> int | Pair: ...
def output_padding(
    input_size: IntOrPair,
    output_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
) -> int | Pair:
    r"""Return the `output_padding` with which `conv_transpose2d` makes an output of a given size.

    $$a = o - \bigl((n - 1)\,s + d\,(k - 1) + 1 - p_\text{before} - p_\text{after}\bigr)$$

    It is from 0 to the stride minus 1: these are the output sizes from which a convolution with the
    same settings comes back to the input size.

    Args:
        input_size: Size $n$ of the transposed convolution's input, an int or a (height, width)
            pair.
        output_size: Size $o$ that its output should have.
        kernel_size: Size $k$ of the filter.
        stride: Step $s$ between neighbouring stamps.
        padding: Pixels cut off each side, as for `conv_transpose2d`.
        dilation: Distance $d$ between neighbouring taps; 1 is dense.

    Returns:
        An int if the three sizes are ints, else a (height, width) pair.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is out of range, no `output_padding` gives this output size, or ints
            are mixed with settings that differ between height and width.

    Examples:
        >>> output_padding(7, 14, kernel_size=3, stride=2, padding=1)
        1

    Source:
        `torch.nn.ConvTranspose2d`, which computes it from `output_size` when it is called.
    """
    sizes, wanted = as_pair(input_size, "input_size", 1), as_pair(output_size, "output_size", 1)
    kernel, steps = as_pair(kernel_size, "kernel_size", 1), as_pair(stride, "stride", 1)
    gaps, sides = as_pair(dilation, "dilation", 1), as_sides(padding)
    extra: list[int] = []
    for axis, size, o, taps, step, gap, cut in zip(
        AXES, sizes, wanted, kernel, steps, gaps, map(sum, sides), strict=True
    ):
        smallest = (size - 1) * step + gap * (taps - 1) + 1 - cut
        largest = smallest + step - 1
        if largest < 1:
            raise ValueError(f"`padding` ({shown(padding)}) cuts off everything in {axis}")
        if not smallest <= o <= largest:
            raise ValueError(
                f"`output_size` ({shown(output_size)}) in {axis} must be from {max(smallest, 1)} "
                f"to {largest}, for an `input_size` of {size}"
            )
        extra.append(o - smallest)
    height, width = extra
    if any(np.ndim(given) for given in (input_size, output_size, kernel_size)):
        return height, width
    if height != width:
        raise ValueError(
            f"`output_padding` is {height} in height and {width} in width: give `output_size` "
            "as a (height, width) pair"
        )
    return height


def add_stamps(values: Array, weight: Array, windows: Windows, groups: int) -> Array:
    """Add up the stamps of all values: the fast form.

    It serves the transposed convolution and the gradient of a convolution with respect to its
    input, which are the same computation.

    Args:
        values: What each stamp is multiplied by, shape (N, C, *windows.output_size).
        weight: Filters, shape (C, O / groups, kH, kW), in the dtype of `values`.
        windows: Where the stamps fall on the result.
        groups: Number of groups of channels.

    Returns:
        Shape (N, O, *windows.input_size), in `sum_dtype` of the dtype of `values`.
    """
    dtype = sum_dtype(values.dtype)
    images, channels, rows, columns = values.shape
    _, group_filters, *kernel = weight.shape
    taps = group_filters * kernel[0] * kernel[1]

    values = values.astype(dtype, copy=False)
    values = values.reshape(images, groups, channels // groups, rows * columns)
    matrices = weight.astype(dtype, copy=False).reshape(groups, channels // groups, taps)
    output = np.zeros((images, groups, group_filters, *windows.input_size), dtype)
    blocks = row_blocks(windows.output_size, taps * columns * dtype.itemsize)
    buffer = np.empty(taps * (blocks[0][1] - blocks[0][0]) * columns, dtype)
    for start, stop in blocks:
        placed = list(windows.block(start, stop).taps())
        for n, g in np.ndindex(images, groups):
            cells = values[n, g, :, start * columns : stop * columns]
            # One matrix product makes the stamps of these rows, one per column ...
            stamps = buffer[: taps * cells.shape[1]].reshape(taps, -1)
            # (of a single channel there is nothing to sum, and a plain product is faster)
            product = np.multiply if len(cells) == 1 else np.matmul
            product(matrices[g].T, cells, out=stamps)
            parts = stamps.reshape(group_filters, *kernel, stop - start, columns)
            for (u, v), some, pixels in placed:
                # ... and what one tap leaves is added to every cell it lands on at once.
                output[n, g][pixels] += parts[:, u, v][some]
    return output.reshape(images, groups * group_filters, *windows.input_size)


@dataclass(frozen=True)
class ConvTranspose2dShape:
    """The shape of a transposed convolution.

    Attributes:
        images: Number of images.
        filters: Number of channels of the output.
        groups: Number of groups that the channels are split into.
        windows: Where the stamps fall on the output: those of the convolution whose input is this
            output, and whose output is this input.
        output_padding: Rows and columns added at the bottom and the right.
    """

    images: int
    filters: int
    groups: int
    windows: Windows
    output_padding: Pair

    @property
    def output_size(self) -> Pair:
        """Height and width of the output."""
        return self.windows.input_size

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """(N, O, oH, oW)."""
        return self.images, self.filters, *self.output_size

    @property
    def stride(self) -> Pair:
        """Step between neighbouring stamps (down, right), in pixels."""
        return self.windows.stride

    @property
    def padding(self) -> Sides:
        """((top, bottom), (left, right)), in pixels that are cut off."""
        return self.windows.padding

    @property
    def dilation(self) -> Pair:
        """Distance between neighbouring taps (down, right), in pixels; 1 is dense."""
        return self.windows.dilation


@dataclass(frozen=True)
class ConvTranspose2dArguments(ConvTranspose2dShape):
    """The arguments of a transposed convolution in their normal form.

    Attributes:
        input: Images, shape (N, C, H, W), in the result's dtype.
        weight: Filters, shape (C, O / groups, kH, kW), in the result's dtype.
        bias: One number per output channel, shape (O,), in the result's dtype, or None.
        dtype: The result's dtype.
        batched: Whether the caller's input had the batch axis.
    """

    input: Array
    weight: Array
    bias: Array | None
    dtype: np.dtype[Any]
    batched: bool


def conv_transpose2d_shape(
    input_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: object = 1,
    padding: object = 0,
    output_padding: object = 0,
    groups: object = 1,
    dilation: object = 1,
) -> ConvTranspose2dShape:
    """Check the shapes and the settings of a transposed convolution; no array is needed.

    Args:
        input_shape: (N, C, H, W), or (C, H, W) for one image.
        weight_shape: (C, O / groups, kH, kW).
        stride: As for `conv_transpose2d`.
        padding: As for `conv_transpose2d`.
        output_padding: As for `conv_transpose2d`.
        groups: As for `conv_transpose2d`.
        dilation: As for `conv_transpose2d`.

    Raises:
        TypeError: If an argument is of the wrong kind (a bool, a float where an int is due, text).
        ValueError: If the shapes do not fit together, or a number is out of range.
    """
    if len(weight_shape) != 4:
        raise ValueError(
            f"`weight` has shape {tuple(weight_shape)}; it must be (C, O / groups, kH, kW)"
        )
    refuse_empty(input_shape[-3:], "input", IMAGE_AXES)
    refuse_empty(weight_shape, "weight", FILTER_AXES)
    channels, *size = input_shape[-3:]
    group_count = as_int(groups, "groups", 1)
    if channels % group_count:
        raise ValueError(
            f"`in_channels` ({channels}) must be divisible by `groups` ({group_count})"
        )
    if weight_shape[0] != channels:
        raise ValueError(
            f"`weight` has {weight_shape[0]} filters along its first axis; it needs one for each "
            f"of the {channels} channels of `input`"
        )

    kernel = (weight_shape[2], weight_shape[3])
    steps, spread = as_pair(stride, "stride", 1), as_pair(dilation, "dilation", 1)
    sides = as_sides(padding)
    extra = as_pair(output_padding, "output_padding", 0)
    output_size = []
    for step, gap, more, cells, taps, cut, axis in zip(
        steps, spread, extra, size, kernel, map(sum, sides), AXES, strict=True
    ):
        if more >= step and more >= gap:
            raise ValueError(
                f"`output_padding` ({more}) in {axis} must be smaller than `stride` ({step}) or "
                f"`dilation` ({gap})"
            )
        stamped = (cells - 1) * step + gap * (taps - 1) + 1 + more
        if stamped <= cut:
            raise ValueError(
                f"`padding` ({padding!r}) cuts off everything in {axis}: the stamps and "
                f"`output_padding` take up {stamped} pixels, {cut} are cut off"
            )
        output_size.append(stamped - cut)
    windows = Windows(
        input_size=(output_size[0], output_size[1]),
        kernel_size=kernel,
        stride=steps,
        padding=sides,
        dilation=spread,
        output_size=(size[0], size[1]),
    )
    images = input_shape[0] if len(input_shape) == 4 else 1
    filters = weight_shape[1] * group_count
    refuse_huge((images, filters, *output_size), "stride", stride)
    return ConvTranspose2dShape(images, filters, group_count, windows, extra)


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
        TypeError: If an argument is of the wrong kind (a bool, a float where an int is due, text).
        ValueError: If shapes do not fit together, or a number is out of range.
    """
    images, batched = as_images(input)
    filters = as_array(weight, "weight")
    shape = conv_transpose2d_shape(
        images.shape, filters.shape, stride, padding, output_padding, groups, dilation
    )
    biases = None if bias is None else as_vector(bias, "bias", shape.filters, "output channel")
    dtype = result_dtype(input=images, weight=filters, bias=biases)
    return ConvTranspose2dArguments(
        **vars(shape),
        input=images.astype(dtype, copy=False),
        weight=filters.astype(dtype, copy=False),
        bias=None if biases is None else biases.astype(dtype, copy=False),
        dtype=dtype,
        batched=batched,
    )


__all__ = ["conv_transpose2d", "conv_transpose2d_loops", "output_padding"]
