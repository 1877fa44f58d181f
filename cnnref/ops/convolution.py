"""Convolution as neural networks mean it: the definition in loops, and a fast form equal to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnref._checks import (
    FILTER_AXES,
    IMAGE_AXES,
    as_array,
    as_images,
    as_int,
    as_padding,
    as_pair,
    as_vector,
    refuse_empty,
    refuse_huge,
)
from cnnref._dtypes import as_dtype, result_dtype, sum_dtype
from cnnref._types import Array, ConvPadding, IntOrPair, Sides
from cnnref.ops._windows import Windows, sliding_windows
from cnnref.ops.padding import pad2d


def conv2d_loops(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    r"""Convolve images with filters, written as the definition: one loop per index.

    Same arguments, result and errors as `conv2d`; far slower. It is here to be read.

    Examples:
        >>> conv2d_loops([[[1, 2, 3]]], [[[[1, -1]]]])
        array([[[-1, -1]]])

    Source:
        Dumoulin & Visin, arXiv:1603.07285, sections 1.1 and 5.1.
    """
    a = check_conv2d(input, weight, bias, stride, padding, dilation, groups)
    dtype = sum_dtype(a.dtype)
    padded, weight = pad2d(a.input.astype(dtype), a.padding), a.weight.astype(dtype)
    output = np.zeros(a.output_shape, dtype)
    for n, o, i, j in np.ndindex(*output.shape):
        for c, u, v in np.ndindex(*weight.shape[1:]):
            y = i * a.stride[0] + u * a.dilation[0]
            x = j * a.stride[1] + v * a.dilation[1]
            # The filters of a group read that group's channels alone.
            pixel = padded[n, a.first_channel(o) + c, y, x]
            output[n, o, i, j] += weight[o, c, u, v] * pixel
    if a.bias is not None:
        output += a.bias[:, None, None]
    output = output.astype(a.dtype, copy=False)
    return output if a.batched else output[0]


def conv2d(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    r"""Convolve images with filters: slide, multiply, sum.

    $$\text{output}[n, o, i, j] = \text{bias}[o] + \sum_{c, u, v} \text{weight}[o, c, u, v] \;
    \text{padded}[n, c, i s_h + u d_h, j s_w + v d_w]$$

    The filter is not flipped: this is cross-correlation, which CNN layers call convolution.
    With `groups`, $c$ runs over the channels of the filter's own group.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        weight: Filters, shape (O, C / groups, kH, kW).
        bias: One number per filter, shape (O,), or None.
        stride: Step of the window in pixels, an int or a (height, width) pair.
        padding: Zeros around the image, in pixels per side: an int, a (height, width) pair,
            `"valid"` (none), `"same"` (output as large as the input; stride 1 only) or
            ((top, bottom), (left, right)). For other padding modes call `pad2d` first.
        dilation: Distance in pixels between neighbouring taps of the filter; 1 is dense.
        groups: Split channels and filters into this many groups that do not see each other.

    Returns:
        Shape (N, O, oH, oW), or (O, oH, oW) for an input without batch axis; see `output_size`.
        The dtype is NumPy's result type of the arguments: integers stay exact integers (they wrap
        on overflow, as in PyTorch), float32 stays float32. float16 is summed in float32.

    Raises:
        TypeError: If an argument is of the wrong kind (a bool stride, text, complex numbers).
        ValueError: If shapes do not fit together, a number is out of range, or the window is
            larger than the padded input.

    Examples:
        >>> from cnnref.examples import questions_filter, questions_image
        >>> conv2d(questions_image(), questions_filter())
        array([[[45, 45],
                [54, 54]]])

    Source:
        `torch.nn.functional.conv2d`; Dumoulin & Visin, arXiv:1603.07285, sections 1.1 and 5.1.
    """
    a, images, filters, biases, batched = _check(
        input, weight, bias, stride, padding, dilation, groups
    )
    dtype = sum_dtype(images.dtype)
    matrices = as_dtype(filters, dtype).reshape(a.groups, a.filters // a.groups, -1)
    output = np.empty((a.images, *matrices.shape[:2], a.positions), dtype)
    # A few rows of windows are copied side by side, one per column, so that one matrix product
    # takes every dot product at once.
    for n, g, cells, patches in a.patches(images, a.groups, dtype):
        np.matmul(matrices[g], patches, out=output[n, g, :, cells])
    result = output.reshape(a.images, a.filters, *a.output_size)
    if biases is not None:
        result += as_dtype(biases, dtype)[:, None, None]
    result = as_dtype(result, images.dtype)
    return result if batched else result[0]


@dataclass(frozen=True)
class Conv2dShape(Windows):
    """The shape of a convolution: its windows, its channels and its filters.

    Attributes:
        images: Number of images.
        channels: Number of channels of the input.
        filters: Number of filters, which is the number of channels of the output.
        groups: Number of groups that channels and filters are split into.
    """

    images: int
    channels: int
    filters: int
    groups: int

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """(N, O, oH, oW)."""
        return self.images, self.filters, *self.output_size

    def first_channel(self, filter: int) -> int:
        """Return the first of the input channels that a filter reads: those of its group."""
        return filter // (self.filters // self.groups) * (self.channels // self.groups)


@dataclass(frozen=True)
class Conv2dArguments(Conv2dShape):
    """The arguments of a convolution in their normal form.

    Attributes:
        input: Images, shape (N, C, H, W), in the result's dtype.
        weight: Filters, shape (O, C / groups, kH, kW), in the result's dtype.
        bias: One number per filter, shape (O,), in the result's dtype, or None.
        dtype: The result's dtype.
        batched: Whether the caller's input had the batch axis.
    """

    input: Array
    weight: Array
    bias: Array | None
    dtype: np.dtype[Any]
    batched: bool


def conv2d_shape(
    input_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    groups: object = 1,
) -> Conv2dShape:
    """Check the shapes and the settings of a convolution; no array is needed.

    Args:
        input_shape: (N, C, H, W), or (C, H, W) for one image.
        weight_shape: (O, C / groups, kH, kW).
        stride: As for `conv2d`.
        padding: As for `conv2d`.
        dilation: As for `conv2d`.
        groups: As for `conv2d`.

    Raises:
        TypeError: If an argument is of the wrong kind (a bool, a float where an int is due, text).
        ValueError: If the shapes do not fit together, or a number is out of range.
    """
    if len(weight_shape) != 4:
        raise ValueError(
            f"`weight` has shape {tuple(weight_shape)}; it must be (O, C / groups, kH, kW)"
        )
    if not (type(stride) is type(padding) is type(dilation) is type(groups) is int):
        # In their normal form they can be told apart: 1 from True, which is refused.
        stride, dilation = as_pair(stride, "stride", 1), as_pair(dilation, "dilation", 1)
        padding = as_padding(padding, (weight_shape[2], weight_shape[3]), stride, dilation)
        groups = as_int(groups, "groups", 1)
    return _shape(tuple(input_shape), tuple(weight_shape), stride, padding, dilation, groups)


# A network calls the same few convolutions again and again, and a small one takes no longer to
# compute than its shapes take to check.
@lru_cache
def _shape(
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: IntOrPair,
    padding: int | Sides,
    dilation: IntOrPair,
    groups: int,
) -> Conv2dShape:
    stride, dilation = as_pair(stride, "stride", 1), as_pair(dilation, "dilation", 1)
    padding = as_padding(padding, (weight_shape[2], weight_shape[3]), stride, dilation)
    as_int(groups, "groups", 1)
    refuse_empty(weight_shape, "weight", FILTER_AXES)
    refuse_empty(input_shape[-3:], "input", IMAGE_AXES)
    filters, group_channels, *kernel_size = weight_shape
    channels, height, width = input_shape[-3:]
    for count, name in ((channels, "in_channels"), (filters, "out_channels")):
        if count % groups:
            raise ValueError(f"`{name}` ({count}) must be divisible by `groups` ({groups})")
    if group_channels != channels // groups:
        raise ValueError(
            f"`weight` has {group_channels} channels per filter; `input` has {channels} channels "
            f"in {groups} group(s), so each filter needs {channels // groups}"
        )
    w = sliding_windows((height, width), kernel_size, stride, padding, dilation)
    images = input_shape[0] if len(input_shape) == 4 else 1
    refuse_huge((images, max(channels, filters), *w.padded_size), "padding", padding)
    return Conv2dShape(**vars(w), images=images, channels=channels, filters=filters, groups=groups)


def check_conv2d(
    input: object,
    weight: object,
    bias: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
) -> Conv2dArguments:
    """Check the arguments of a convolution, for the loops, the fast form and the derivation alike.

    Raises:
        TypeError: If an argument is of the wrong kind (a bool, a float where an int is due, text).
        ValueError: If shapes do not fit together, or a number is out of range.
    """
    shape, images, filters, biases, batched = _check(
        input, weight, bias, stride, padding, dilation, groups
    )
    return Conv2dArguments(
        **vars(shape),
        input=images,
        weight=filters,
        bias=biases,
        dtype=images.dtype,
        batched=batched,
    )


def _check(
    input: object,
    weight: object,
    bias: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
) -> tuple[Conv2dShape, Array, Array, Array | None, bool]:
    """Return the shape; input, weight and bias in the result's dtype; whether there is a batch."""
    images, batched = as_images(input)
    filters = as_array(weight, "weight")
    shape = conv2d_shape(images.shape, filters.shape, stride, padding, dilation, groups)
    biases = None if bias is None else as_vector(bias, "bias", shape.filters, "filter")
    dtype = result_dtype(input=images, weight=filters, bias=biases)
    if biases is not None:
        biases = as_dtype(biases, dtype)
    return shape, as_dtype(images, dtype), as_dtype(filters, dtype), biases, batched


__all__ = ["conv2d", "conv2d_loops"]
