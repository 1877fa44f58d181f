"""The gradients of a convolution: to its input, its weight and its bias."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cnnref.ops._checks import Array, Conv2dArguments, as_images, as_int, check_conv2d
from cnnref.ops.convolution import _windows
from cnnref.ops.transposed_convolution import add_stamps, sum_dtype

# As for conv2d: the windows are copied a few rows at a time, so that they stay in a core's cache.
_BUFFER_BYTES = 1 << 20


def check_input_grad(
    input_size: object,
    weight: object,
    output_grad: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
) -> tuple[Conv2dArguments, Array]:
    """Check the arguments of `conv2d_input_grad`; the input is one zero, repeated in a view."""
    grad, batched = as_images(output_grad, "output_grad")
    shape = _as_size(input_size, "input_size", (3, 4))
    zeros = np.broadcast_to(np.zeros((), grad.dtype), shape)
    a = check_conv2d(zeros, weight, None, stride, padding, dilation, groups)
    # The weight may raise the dtype; the view must not become an array for it.
    a = a._replace(input=np.broadcast_to(np.zeros((), a.dtype), a.input.shape))
    return a, _fitting(grad, batched, a)


def check_weight_grad(
    input: object,
    weight_size: object,
    output_grad: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
) -> tuple[Conv2dArguments, Array]:
    """Check the arguments of `conv2d_weight_grad`; the weight is one zero, repeated in a view."""
    grad, batched = as_images(output_grad, "output_grad")
    zeros = np.broadcast_to(np.zeros((), grad.dtype), _as_size(weight_size, "weight_size", (4,)))
    a = check_conv2d(input, zeros, None, stride, padding, dilation, groups)
    return a, _fitting(grad, batched, a)


def _as_size(value: object, name: str, lengths: tuple[int, ...]) -> tuple[int, ...]:
    wanted = "(O, C / groups, kH, kW)" if lengths == (4,) else "(C, H, W) or (N, C, H, W)"
    if not isinstance(value, (Sequence, np.ndarray)) or isinstance(value, str):
        raise TypeError(f"`{name}` (={value!r}) must be a shape, {wanted}")
    if len(value) not in lengths:
        raise ValueError(f"`{name}` (={value!r}) must be {wanted}")
    return tuple(as_int(size, name, 0) for size in value)


def _fitting(grad: Array, batched: bool, a: Conv2dArguments) -> Array:
    """Return the output gradient in the result's dtype, if it has the shape of the output."""
    shape = (len(a.input), len(a.weight), *a.output_size)
    if grad.shape != shape or batched != a.batched:
        given, output = (x if y else x[1:] for x, y in ((grad.shape, batched), (shape, a.batched)))
        raise ValueError(
            f"`output_grad` has shape {given}; the output of this convolution has shape {output}"
        )
    return grad.astype(a.dtype, copy=False)


def conv2d_input_grad_loops(
    input_size: Sequence[int],
    weight: npt.ArrayLike,
    output_grad: npt.ArrayLike,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    groups: int = 1,
) -> Array:
    r"""Pass the output's gradient back to the input: the chain rule, one loop an index.

    Same arguments, result and errors as `conv2d_input_grad`; far slower. It is here to be read.

    Examples:
        >>> conv2d_input_grad_loops((1, 1, 3), [[[[1, 2]]]], [[[10, 100]]])
        array([[[ 10, 120, 200]]])

    Source:
        The chain rule applied to the sum in `conv2d_loops`.
    """
    a, output_grad = check_input_grad(
        input_size, weight, output_grad, stride, padding, dilation, groups
    )
    (top, _), (left, _) = a.padding
    images, _, height, width = a.input.shape
    filters, group_channels, kernel_height, kernel_width = a.weight.shape
    grad = np.zeros(a.input.shape, sum_dtype(a.dtype))

    for n in range(images):
        for o in range(filters):
            first = o // (filters // a.groups) * group_channels
            for i in range(a.output_size[0]):
                for j in range(a.output_size[1]):
                    for c in range(group_channels):
                        for u in range(kernel_height):
                            for v in range(kernel_width):
                                y = i * a.stride[0] + u * a.dilation[0] - top
                                x = j * a.stride[1] + v * a.dilation[1] - left
                                if 0 <= y < height and 0 <= x < width:
                                    # Output (i, j) read pixel (y, x) times this weight.
                                    share = a.weight[o, c, u, v] * output_grad[n, o, i, j]
                                    grad[n, first + c, y, x] += share
    grad = grad.astype(a.dtype, copy=False)
    return grad if a.batched else grad[0]


def conv2d_input_grad(
    input_size: Sequence[int],
    weight: npt.ArrayLike,
    output_grad: npt.ArrayLike,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    groups: int = 1,
) -> Array:
    r"""Gradient of a convolution to its input: the transposed convolution of the output gradient.

    $$\frac{\partial L}{\partial \text{input}[n, c, y, x]} = \sum_{o,\,i,\,j,\,u,\,v}
    \text{weight}[o, c, u, v] \; \frac{\partial L}{\partial \text{output}[n, o, i, j]}
    \quad\text{over } i s_h + u d_h - p_\text{top} = y,\; j s_w + v d_w - p_\text{left} = x$$

    At stride 1 this is a convolution of the padded output gradient with the flipped filter. A pixel
    that no window reads has gradient zero. For the arguments after the first three see `conv2d`.

    Args:
        input_size: Shape of the convolution's input, (N, C, H, W) or (C, H, W). The output gradient
            does not tell it: at a stride above 1 several inputs give the same output size.
        weight: Filters of the convolution, shape (O, C / groups, kH, kW).
        output_grad: Gradient of the loss to the output, shape (N, O, oH, oW) or (O, oH, oW).
        stride: Stride of the convolution.
        padding: Padding of the convolution, in any form that `conv2d` takes.
        dilation: Dilation of the convolution.
        groups: Groups of the convolution.

    Returns:
        An array of shape `input_size`, in NumPy's result type of `weight` and `output_grad`:
        integers stay exact integers. float16 is summed in float32.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, the output gradient has not the shape of the
            convolution's output, or a number is out of range.

    Examples:
        >>> conv2d_input_grad((1, 3, 3), [[[[1, 2], [3, 4]]]], [[[1, 0], [0, 10]]])
        array([[[ 1,  2,  0],
                [ 3, 14, 20],
                [ 0, 30, 40]]])

    Source:
        `torch.nn.grad.conv2d_input`; Dumoulin & Visin, arXiv:1603.07285, section 4.1.
    """
    a, grad = check_input_grad(input_size, weight, output_grad, stride, padding, dilation, groups)
    size = (a.input.shape[2], a.input.shape[3])
    result = add_stamps(grad, a.weight, size, a.stride, a.padding, a.dilation, a.groups)
    result = result.astype(a.dtype, copy=False)
    return result if a.batched else result[0]


def conv2d_weight_grad_loops(
    input: npt.ArrayLike,
    weight_size: Sequence[int],
    output_grad: npt.ArrayLike,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    groups: int = 1,
) -> Array:
    r"""Pass the output's gradient back to the weight: the chain rule, one loop an index.

    Same arguments, result and errors as `conv2d_weight_grad`; far slower. It is here to be read.

    Examples:
        >>> conv2d_weight_grad_loops([[[1, 2, 3]]], (1, 1, 1, 2), [[[10, 100]]])
        array([[[[210, 320]]]])

    Source:
        The chain rule applied to the sum in `conv2d_loops`.
    """
    a, output_grad = check_weight_grad(
        input, weight_size, output_grad, stride, padding, dilation, groups
    )
    (top, _), (left, _) = a.padding
    images, _, height, width = a.input.shape
    filters, group_channels, kernel_height, kernel_width = a.weight.shape
    grad = np.zeros(a.weight.shape, sum_dtype(a.dtype))

    for n in range(images):
        for o in range(filters):
            first = o // (filters // a.groups) * group_channels
            for i in range(a.output_size[0]):
                for j in range(a.output_size[1]):
                    for c in range(group_channels):
                        for u in range(kernel_height):
                            for v in range(kernel_width):
                                y = i * a.stride[0] + u * a.dilation[0] - top
                                x = j * a.stride[1] + v * a.dilation[1] - left
                                if 0 <= y < height and 0 <= x < width:  # else padding: zero
                                    # Output (i, j) used this weight times pixel (y, x).
                                    pixel = a.input[n, first + c, y, x]
                                    grad[o, c, u, v] += pixel * output_grad[n, o, i, j]
    return grad.astype(a.dtype, copy=False)


def conv2d_weight_grad(
    input: npt.ArrayLike,
    weight_size: Sequence[int],
    output_grad: npt.ArrayLike,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
    groups: int = 1,
) -> Array:
    r"""Gradient of a convolution to its weight: the input correlated with the output gradient.

    $$\frac{\partial L}{\partial \text{weight}[o, c, u, v]} = \sum_{n,\,i,\,j}
    \frac{\partial L}{\partial \text{output}[n, o, i, j]} \;
    \text{padded}[n, c, i s_h + u d_h, j s_w + v d_w]$$

    Nothing is flipped. Stride and dilation change places: the output gradient slides over the input
    by the dilation, with its cells a stride apart. For the other arguments see `conv2d`.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        weight_size: Shape of the filters, (O, C / groups, kH, kW). The other arguments do not tell
            it: where the stride leaves pixels over, several filter sizes give the same output size.
        output_grad: Gradient of the loss to the output, shape (N, O, oH, oW) or (O, oH, oW).
        stride: Stride of the convolution.
        padding: Padding of the convolution, in any form that `conv2d` takes.
        dilation: Dilation of the convolution.
        groups: Groups of the convolution.

    Returns:
        An array of shape `weight_size`, summed over the images, in NumPy's result type of `input`
        and `output_grad`: integers stay exact integers. float16 is summed in float32.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, the output gradient has not the shape of the
            convolution's output, or a number is out of range.

    Examples:
        >>> image = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
        >>> conv2d_weight_grad(image, (1, 1, 2, 2), [[[1, 0], [0, 10]]])
        array([[[[51, 62],
                 [84, 95]]]])

    Source:
        `torch.nn.grad.conv2d_weight`.
    """
    a, grad = check_weight_grad(input, weight_size, output_grad, stride, padding, dilation, groups)
    dtype = sum_dtype(a.dtype)
    images, channels, height, width = a.input.shape
    filters, group_channels, kernel_height, kernel_width = a.weight.shape
    (top, bottom), (left, right) = a.padding
    rows, columns = a.output_size
    taps = group_channels * kernel_height * kernel_width

    grad = grad.astype(dtype, copy=False).reshape(
        images, a.groups, filters // a.groups, rows * columns
    )
    result = np.zeros((a.groups, filters // a.groups, taps), dtype)
    product = np.empty(result.shape[1:], dtype)
    block = max(1, min(rows, _BUFFER_BYTES // (taps * columns * dtype.itemsize)))
    buffer = np.empty(taps * block * columns, dtype)
    frame = None
    if top or bottom or left or right:
        frame = np.zeros((channels, top + height + bottom, left + width + right), a.dtype)

    for n in range(images):
        if frame is not None:
            frame[:, top : top + height, left : left + width] = a.input[n]
        windows = _windows(np.ascontiguousarray(a.input[n]) if frame is None else frame, a)
        for g in range(a.groups):
            group = windows[g * group_channels : (g + 1) * group_channels]
            for start in range(0, rows, block):
                part = group[:, :, :, start : start + block]
                # The same windows side by side as in conv2d, one a column ...
                patches = buffer[: part.size].reshape(part.shape)
                patches[...] = part
                cells = grad[n, g, :, start * columns : (start + part.shape[3]) * columns]
                # ... each times the gradient of the output cell that read it, all summed at once.
                np.matmul(cells, patches.reshape(taps, -1).T, out=product)
                result[g] += product
    return result.reshape(a.weight.shape).astype(a.dtype, copy=False)


def conv2d_bias_grad_loops(output_grad: npt.ArrayLike) -> Array:
    r"""Add up the output gradient of each filter, one loop an index.

    Same argument, result and errors as `conv2d_bias_grad`; far slower. It is here to be read.

    Examples:
        >>> conv2d_bias_grad_loops([[[1, 2], [3, 4]], [[0, 0], [0, 5]]])
        array([10,  5])

    Source:
        The chain rule applied to the sum in `conv2d_loops`.
    """
    grad, _ = as_images(output_grad, "output_grad")
    images, filters, rows, columns = grad.shape
    result = np.zeros(filters, sum_dtype(grad.dtype))
    for n in range(images):
        for o in range(filters):
            for i in range(rows):
                for j in range(columns):
                    result[o] += grad[n, o, i, j]  # the bias is added once to each output cell
    return result.astype(grad.dtype, copy=False)


def conv2d_bias_grad(output_grad: npt.ArrayLike) -> Array:
    r"""Gradient of a convolution to its bias: the sum of the output gradient, filter by filter.

    $$\frac{\partial L}{\partial \text{bias}[o]} = \sum_{n,\,i,\,j}
    \frac{\partial L}{\partial \text{output}[n, o, i, j]}$$

    The bias is added to every output cell once, so every cell's gradient counts once.

    Args:
        output_grad: Gradient of the loss to the output, shape (N, O, oH, oW) or (O, oH, oW).

    Returns:
        Shape (O,), in the dtype of `output_grad`. float16 is summed in float32.

    Raises:
        TypeError: If the gradient does not hold integers or real floats.
        ValueError: If it has not three or four axes.

    Examples:
        >>> conv2d_bias_grad([[[1, 2], [3, 4]], [[0, 0], [0, 5]]])
        array([10,  5])

    Source:
        The chain rule applied to the sum in `conv2d`.
    """
    grad, _ = as_images(output_grad, "output_grad")
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
