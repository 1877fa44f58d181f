"""The gradients of a convolution with respect to its input, its weight and its bias."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_array, as_images, as_shape, refuse_huge
from cnnref._dtypes import result_dtype, sum_dtype
from cnnref._types import Array, ConvPadding, IntOrPair
from cnnref.ops.convolution import Conv2dShape, conv2d_shape
from cnnref.ops.padding import pad2d
from cnnref.ops.transposed_convolution import add_stamps


def check_input_grad(
    input_size: object,
    weight: object,
    output_grad: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
) -> tuple[Conv2dShape, Array, Array]:
    """Check the arguments of `conv2d_input_grad`.

    Returns:
        The shape of the convolution; its weight and the output gradient with a batch axis, both in
        the result's dtype.
    """
    shape = as_shape(input_size, "input_size", "(C, H, W) or (N, C, H, W)", (3, 4))
    refuse_huge(shape, "input_size", input_size)
    filters = as_array(weight, "weight")
    a = conv2d_shape(shape, filters.shape, stride, padding, dilation, groups)
    grad = _check_output_grad(output_grad, a, batched=len(shape) == 4)
    dtype = result_dtype(weight=filters, output_grad=grad)
    return a, filters.astype(dtype, copy=False), grad.astype(dtype, copy=False)


def check_weight_grad(
    input: object,
    weight_size: object,
    output_grad: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
) -> tuple[Conv2dShape, Array, Array]:
    """Check the arguments of `conv2d_weight_grad`.

    Returns:
        The shape of the convolution; its input and the output gradient with a batch axis, both in
        the result's dtype.
    """
    images, batched = as_images(input)
    shape = as_shape(weight_size, "weight_size", "(O, C / groups, kH, kW)", (4,))
    a = conv2d_shape(images.shape, shape, stride, padding, dilation, groups)
    grad = _check_output_grad(output_grad, a, batched)
    dtype = result_dtype(input=images, output_grad=grad)
    return a, images.astype(dtype, copy=False), grad.astype(dtype, copy=False)


def _check_output_grad(output_grad: object, a: Conv2dShape, batched: bool) -> Array:
    """Return the output gradient with a batch axis, if it has the shape of the output."""
    grad = as_array(output_grad, "output_grad")
    shape = a.output_shape if batched else a.output_shape[1:]
    if grad.shape != shape:
        raise ValueError(
            f"`output_grad` has shape {grad.shape}; the output of this convolution has shape "
            f"{shape}"
        )
    return grad if batched else grad[None]


def conv2d_input_grad_loops(
    input_size: Sequence[int],
    weight: npt.ArrayLike,
    output_grad: npt.ArrayLike,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    r"""Pass the output's gradient back to the input: the chain rule, one loop per index.

    Same arguments, result and errors as `conv2d_input_grad`, but far slower: written to be read.

    Examples:
        >>> conv2d_input_grad_loops((1, 1, 3), [[[[1, 2]]]], [[[10, 100]]])
        array([[[ 10, 120, 200]]])

    Source:
        The chain rule applied to the sum in `conv2d_loops`.
    """
    a, filters, grad = check_input_grad(
        input_size, weight, output_grad, stride, padding, dilation, groups
    )
    dtype = sum_dtype(grad.dtype)
    weights, grads = filters.astype(dtype), grad.astype(dtype)
    result = np.zeros((a.images, a.channels, *a.input_size), dtype)
    for n, o, i, j in np.ndindex(*a.output_shape):
        for c in range(filters.shape[1]):
            for u, v, y, x in a.reads(i, j):
                # Output (i, j) is the sum of pixel (y, x) times this weight, and others.
                share = weights[o, c, u, v] * grads[n, o, i, j]
                result[n, a.first_channel(o) + c, y, x] += share
    result = result.astype(grad.dtype, copy=False)
    return result if len(input_size) == 4 else result[0]


def conv2d_input_grad(
    input_size: Sequence[int],
    weight: npt.ArrayLike,
    output_grad: npt.ArrayLike,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    r"""Gradient with respect to the input: the transposed convolution of the output gradient.

    $$\frac{\partial L}{\partial \text{input}[n, c, y, x]} = \sum_{o,\,i,\,j,\,u,\,v}
    \text{weight}[o, c, u, v] \; \frac{\partial L}{\partial \text{output}[n, o, i, j]}
    \quad\text{over } i s_h + u d_h - p_\text{top} = y,\; j s_w + v d_w - p_\text{left} = x$$

    At stride 1 this is a convolution of the padded output gradient with the flipped filter. A pixel
    that no window reads has gradient zero. For the arguments after the first three see `conv2d`.

    Args:
        input_size: Shape of the convolution's input, (N, C, H, W) or (C, H, W). The output gradient
            does not determine it: at a stride above 1 several sizes give the same output size.
        weight: Filters of the convolution, shape (O, C / groups, kH, kW).
        output_grad: Gradient of the loss with respect to the output, shape (N, O, oH, oW) or
            (O, oH, oW).
        stride: Stride of the convolution.
        padding: Padding of the convolution, in any form that `conv2d` takes.
        dilation: Dilation of the convolution.
        groups: Groups of the convolution.

    Returns:
        An array of shape `input_size`, in NumPy's result type of `weight` and `output_grad`:
        integers stay exact integers. float16 is summed in float32.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, the output gradient does not have the
            shape of the convolution's output, or a number is out of range.

    Examples:
        >>> conv2d_input_grad((1, 3, 3), [[[[1, 2], [3, 4]]]], [[[1, 0], [0, 10]]])
        array([[[ 1,  2,  0],
                [ 3, 14, 20],
                [ 0, 30, 40]]])

    Source:
        `torch.nn.grad.conv2d_input`; Dumoulin & Visin, arXiv:1603.07285, section 4.1.
    """
    a, filters, grad = check_input_grad(
        input_size, weight, output_grad, stride, padding, dilation, groups
    )
    result = add_stamps(grad, filters, a, a.groups).astype(grad.dtype, copy=False)
    return result if len(input_size) == 4 else result[0]


def conv2d_weight_grad_loops(
    input: npt.ArrayLike,
    weight_size: Sequence[int],
    output_grad: npt.ArrayLike,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    r"""Pass the output's gradient back to the weight: the chain rule, one loop per index.

    Same arguments, result and errors as `conv2d_weight_grad`, but far slower: written to be read.

    Examples:
        >>> conv2d_weight_grad_loops([[[1, 2, 3]]], (1, 1, 1, 2), [[[10, 100]]])
        array([[[[210, 320]]]])

    Source:
        The chain rule applied to the sum in `conv2d_loops`.
    """
    a, images, grad = check_weight_grad(
        input, weight_size, output_grad, stride, padding, dilation, groups
    )
    dtype = sum_dtype(grad.dtype)
    padded, grads = pad2d(images.astype(dtype), a.padding), grad.astype(dtype)
    result = np.zeros(weight_size, dtype)
    for n, o, i, j in np.ndindex(*a.output_shape):
        for c, u, v in np.ndindex(*result.shape[1:]):
            y = i * a.stride[0] + u * a.dilation[0]
            x = j * a.stride[1] + v * a.dilation[1]
            # Output (i, j) is the sum of this weight times pixel (y, x), and others.
            pixel = padded[n, a.first_channel(o) + c, y, x]
            result[o, c, u, v] += pixel * grads[n, o, i, j]
    return result.astype(grad.dtype, copy=False)


def conv2d_weight_grad(
    input: npt.ArrayLike,
    weight_size: Sequence[int],
    output_grad: npt.ArrayLike,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    r"""Gradient with respect to the weight: the input correlated with the output gradient.

    $$\frac{\partial L}{\partial \text{weight}[o, c, u, v]} = \sum_{n,\,i,\,j}
    \frac{\partial L}{\partial \text{output}[n, o, i, j]} \;
    \text{padded}[n, c, i s_h + u d_h, j s_w + v d_w]$$

    Nothing is flipped. Stride and dilation change places: the output gradient slides over the input
    by the dilation, with its cells a stride apart. For the other arguments see `conv2d`.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        weight_size: Shape of the filters, (O, C / groups, kH, kW). The other arguments do not
            determine it: where the stride leaves pixels over, several filter sizes give the same
            output size.
        output_grad: Gradient of the loss with respect to the output, shape (N, O, oH, oW) or
            (O, oH, oW).
        stride: Stride of the convolution.
        padding: Padding of the convolution, in any form that `conv2d` takes.
        dilation: Dilation of the convolution.
        groups: Groups of the convolution.

    Returns:
        An array of shape `weight_size`, summed over the images, in NumPy's result type of `input`
        and `output_grad`: integers stay exact integers. float16 is summed in float32.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, the output gradient does not have the
            shape of the convolution's output, or a number is out of range.

    Examples:
        >>> image = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
        >>> conv2d_weight_grad(image, (1, 1, 2, 2), [[[1, 0], [0, 10]]])
        array([[[[51, 62],
                 [84, 95]]]])

    Source:
        `torch.nn.grad.conv2d_weight`.
    """
    a, images, grad = check_weight_grad(
        input, weight_size, output_grad, stride, padding, dilation, groups
    )
    dtype = sum_dtype(grad.dtype)
    grads = grad.astype(dtype, copy=False).reshape(
        a.images, a.groups, a.filters // a.groups, a.positions
    )
    result = np.zeros((a.groups, a.filters // a.groups, math.prod(weight_size[1:])), dtype)
    product = np.empty(result.shape[1:], dtype)
    for n, g, cells, patches in a.patches(images, a.groups, dtype):
        # The same windows as in conv2d, one per column, each times the gradient of the output cell
        # that read it, all summed at once.
        np.matmul(grads[n, g, :, cells], patches.T, out=product)
        result[g] += product
    return result.reshape(weight_size).astype(grad.dtype, copy=False)


def conv2d_bias_grad_loops(output_grad: npt.ArrayLike) -> Array:
    r"""Add up the output gradient of each filter, one loop per index.

    Same argument, result and errors as `conv2d_bias_grad`, but far slower: written to be read.

    Examples:
        >>> conv2d_bias_grad_loops([[[1, 2], [3, 4]], [[0, 0], [0, 5]]])
        array([10,  5])

    Source:
        The chain rule applied to the sum in `conv2d_loops`.
    """
    grad, _ = as_images(output_grad, "output_grad", empty=True)
    images, filters, rows, columns = grad.shape
    result = np.zeros(filters, sum_dtype(grad.dtype))
    for n in range(images):
        for o in range(filters):
            for i in range(rows):
                for j in range(columns):
                    result[o] += grad[n, o, i, j]  # the bias is added once to each output cell
    return result.astype(grad.dtype, copy=False)


def conv2d_bias_grad(output_grad: npt.ArrayLike) -> Array:
    r"""Gradient with respect to the bias: the sum of the output gradient over each filter's cells.

    $$\frac{\partial L}{\partial \text{bias}[o]} = \sum_{n,\,i,\,j}
    \frac{\partial L}{\partial \text{output}[n, o, i, j]}$$

    The bias is added to every output cell once, so every cell's gradient counts once.

    Args:
        output_grad: Gradient of the loss with respect to the output, shape (N, O, oH, oW) or
            (O, oH, oW).

    Returns:
        Shape (O,), in the dtype of `output_grad`. float16 is summed in float32.

    Raises:
        TypeError: If the gradient does not hold integers or real floats.
        ValueError: If it does not have three or four axes.

    Examples:
        >>> conv2d_bias_grad([[[1, 2], [3, 4]], [[0, 0], [0, 5]]])
        array([10,  5])

    Source:
        The chain rule applied to the sum in `conv2d`.
    """
    grad, _ = as_images(output_grad, "output_grad", empty=True)
    total: Array = grad.sum(axis=(0, 2, 3), dtype=sum_dtype(grad.dtype))
    return total.astype(grad.dtype, copy=False)


__all__ = [
    "conv2d_bias_grad",
    "conv2d_bias_grad_loops",
    "conv2d_input_grad",
    "conv2d_input_grad_loops",
    "conv2d_weight_grad",
    "conv2d_weight_grad_loops",
]
