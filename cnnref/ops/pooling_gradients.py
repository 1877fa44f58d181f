"""The gradients of pooling: which input pixels the gradient of an output goes back to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_array, as_images, as_pair, refuse_huge
from cnnref._dtypes import sum_dtype
from cnnref._types import Array, ConvPadding, IntOrPair
from cnnref.ops._windows import pooling_windows
from cnnref.ops.pooling import max_pool2d, window_divisors


def max_pool2d_input_grad(
    output_grad: npt.ArrayLike,
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> Array:
    r"""Send each output's gradient back to the pixel that won its window.

    $$\frac{\partial L}{\partial \text{input}[n, c, p]} = \sum_{i, j \,:\,
    \text{winner}[n, c, i, j] = p} \frac{\partial L}{\partial \text{output}[n, c, i, j]}$$

    One pixel per window gets all of it: the first one, row by row, if there is a tie. A pixel that
    wins several windows gets the sum.

    Args:
        output_grad: Gradient with respect to the output, of the output's shape.
        input: The images that were pooled, shape (N, C, H, W) or (C, H, W).
        kernel_size: As for `max_pool2d`.
        stride: As for `max_pool2d`.
        padding: As for `max_pool2d`.
        dilation: As for `max_pool2d`.
        ceil_mode: As for `max_pool2d`.

    Returns:
        Gradient with respect to the input, of its shape, in the dtype of `output_grad`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If `output_grad` does not have the output's shape; the errors of `max_pool2d`.

    Examples:
        >>> max_pool2d_input_grad([[[10]]], [[[1, 4], [4, 0]]], 2)
        array([[[ 0, 10],
                [ 0,  0]]])

    Source:
        The backward pass of `torch.nn.functional.max_pool2d`.
    """
    _, winners = max_pool2d(
        input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )
    gradients = as_array(output_grad, "output_grad")
    _check_shape(gradients, winners.shape)
    shape = np.asarray(input).shape
    planes = winners.reshape(-1, winners.shape[-2] * winners.shape[-1])
    pixels = shape[-2] * shape[-1]
    # Number the pixels through all channels; `add.at` adds where a pixel wins more than once.
    targets = planes + pixels * np.arange(len(planes))[:, None]
    result = np.zeros(len(planes) * pixels, gradients.dtype)
    np.add.at(result, targets.ravel(), gradients.ravel())
    return result.reshape(shape)


def avg_pool2d_input_grad(
    output_grad: npt.ArrayLike,
    input_size: IntOrPair,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: ConvPadding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    r"""Share each output's gradient equally among the cells of its window.

    $$\frac{\partial L}{\partial \text{input}[n, c, y, x]} = \sum_{i, j \,:\,
    (y, x) \in \text{window}(i, j)} \frac{1}{D_{ij}}
    \frac{\partial L}{\partial \text{output}[n, c, i, j]}$$

    The input's values do not matter, only its size.

    Args:
        output_grad: Gradient with respect to the output, real floats, shape (N, C, oH, oW) or
            (C, oH, oW).
        input_size: Height and width of the images that were pooled, an int or a pair. The output's
            size does not determine it: several input sizes can give the same one.
        kernel_size: As for `avg_pool2d`.
        stride: As for `avg_pool2d`.
        padding: As for `avg_pool2d`.
        ceil_mode: As for `avg_pool2d`.
        count_include_pad: As for `avg_pool2d`.
        divisor_override: As for `avg_pool2d`.

    Returns:
        Gradient with respect to the input, shape (N, C, H, W) or (C, H, W), in the dtype of
        `output_grad`.

    Raises:
        TypeError: If an argument is of the wrong kind, or `output_grad` holds integers.
        ValueError: If `output_grad` does not have the output's height and width, or a number is out
            of range.

    Examples:
        >>> avg_pool2d_input_grad([[[4.0, 8.0]]], input_size=(2, 4), kernel_size=2)
        array([[[1., 1., 2., 2.],
                [1., 1., 2., 2.]]])

    Source:
        The backward pass of `torch.nn.functional.avg_pool2d`.
    """
    gradients, batched = as_images(output_grad, "output_grad", empty=True)
    if gradients.dtype.kind != "f":
        raise TypeError(
            f"`output_grad` has dtype {gradients.dtype}; its shares need not be integers: convert "
            "it to floats first"
        )
    size = as_pair(input_size, "input_size", 1)
    refuse_huge((*gradients.shape[:2], *size), "input_size", input_size)
    w = pooling_windows(size, kernel_size, stride, padding, 1, ceil_mode)
    given = gradients if batched else gradients[0]
    _check_shape(given, (*given.shape[:-2], *w.output_size))
    divisors = window_divisors(w, count_include_pad, divisor_override)
    shares = gradients / divisors.astype(sum_dtype(gradients.dtype))
    result = np.zeros((*gradients.shape[:2], *size), shares.dtype)
    taps = list(w.taps())
    for image, share in zip(result, shares, strict=True):
        for _, windows, pixels in taps:
            image[pixels] += share[windows]
    result = result.astype(gradients.dtype, copy=False)
    return result if batched else result[0]


def _check_shape(gradients: Array, expected: tuple[int, ...]) -> None:
    if gradients.shape != expected:
        raise ValueError(
            f"`output_grad` has shape {gradients.shape}; the output has shape {expected}"
        )


__all__ = ["avg_pool2d_input_grad", "max_pool2d_input_grad"]
