"""Convolution as neural networks mean it: the definition in loops, and a fast form equal to it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cnnref.ops._checks import Array, Conv2dArguments, ConvPadding, IntOrPair, check_conv2d

# The window buffer of the fast form stays near this size: small enough to stay in a core's
# cache between being filled and being multiplied, large enough for an efficient product.
_BUFFER_BYTES = 1 << 20


def conv2d_loops(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    r"""Convolve images with filters, written as the definition: one loop an index.

    Same arguments, result and errors as `conv2d`; far slower. It is here to be read.

    Examples:
        >>> conv2d_loops([[[1, 2, 3]]], [[[[1, -1]]]])
        array([[[-1, -1]]])

    Source:
        Dumoulin & Visin, arXiv:1603.07285, sections 1.1 and 5.1.
    """
    a = check_conv2d(input, weight, bias, stride, padding, dilation, groups)
    (top, _), (left, _) = a.padding
    images, _, height, width = a.input.shape
    filters, group_channels, kernel_height, kernel_width = a.weight.shape
    output = np.zeros((images, filters, *a.output_size), dtype=a.dtype)

    for n in range(images):
        for o in range(filters):
            # The filters of a group read that group's channels alone.
            first = o // (filters // a.groups) * group_channels
            for i in range(a.output_size[0]):
                for j in range(a.output_size[1]):
                    total = a.dtype.type(0)
                    for c in range(group_channels):
                        for u in range(kernel_height):
                            for v in range(kernel_width):
                                y = i * a.stride[0] + u * a.dilation[0] - top
                                x = j * a.stride[1] + v * a.dilation[1] - left
                                if 0 <= y < height and 0 <= x < width:  # else padding: zero
                                    total += a.weight[o, c, u, v] * a.input[n, first + c, y, x]
                    output[n, o, i, j] = total if a.bias is None else total + a.bias[o]
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
        bias: One number a filter, shape (O,), or None.
        stride: Step of the window in pixels, an int or a (height, width) pair.
        padding: Zeros around the image, in pixels a side: an int, a (height, width) pair,
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
    a = check_conv2d(input, weight, bias, stride, padding, dilation, groups)
    # Half precision has no fast product and too few digits to sum in.
    dtype = np.dtype(np.float32) if a.dtype == np.float16 else a.dtype
    images, channels, height, width = a.input.shape
    filters, group_channels, kernel_height, kernel_width = a.weight.shape
    (top, bottom), (left, right) = a.padding
    rows, columns = a.output_size
    taps = group_channels * kernel_height * kernel_width

    matrices = a.weight.astype(dtype, copy=False).reshape(a.groups, filters // a.groups, taps)
    output = np.empty((images, a.groups, filters // a.groups, rows * columns), dtype)
    block = max(1, min(rows, _BUFFER_BYTES // (taps * columns * dtype.itemsize)))
    buffer = np.empty(taps * block * columns, dtype)
    # One padded image at a time, in one place: the border of zeros is written once.
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
                # Copy the windows of these rows side by side, one a column ...
                patches = buffer[: part.size].reshape(part.shape)
                patches[...] = part
                # ... so that one matrix product takes every dot product at once.
                cells = slice(start * columns, (start + part.shape[3]) * columns)
                np.matmul(matrices[g], patches.reshape(taps, -1), out=output[n, g, :, cells])
    result = output.reshape(images, filters, rows, columns)
    if a.bias is not None:
        result += a.bias.astype(dtype, copy=False)[:, None, None]
    result = result.astype(a.dtype, copy=False)
    return result if a.batched else result[0]


def _windows(padded: Array, a: Conv2dArguments) -> Array:
    """Return a view, shape (C, kH, kW, oH, oW), of what each tap reads at each output cell."""
    channel, row, column = padded.strides
    # What numpy.lib.stride_tricks.as_strided does, without its 2 µs in a call of 25.
    return np.ndarray(
        (padded.shape[0], *a.weight.shape[2:], *a.output_size),
        padded.dtype,
        padded.data,
        strides=(
            channel,
            row * a.dilation[0],
            column * a.dilation[1],
            row * a.stride[0],
            column * a.stride[1],
        ),
    )
