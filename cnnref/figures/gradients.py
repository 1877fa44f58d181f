"""The gradients of a convolution, drawn as convolutions: what slides over what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from cnnref._checks import as_int, as_pair
from cnnref.figures import _theme as theme
from cnnref.figures._checks import as_cell, as_matrix, refuse_larger
from cnnref.figures._grid import Cell, draw_grid, outline
from cnnref.ops.gradients import conv2d_input_grad, conv2d_weight_grad

__all__ = ["gradient_to_input", "gradient_to_weight"]

_MOST_CELLS = 9
_MARGIN = 0.2
_TOP = 1.85  # two lines of heading


def gradient_to_input(
    weight: ArrayLike,
    output_grad: ArrayLike,
    stride: int = 1,
    input_size: tuple[int, int] | None = None,
    *,
    at: tuple[int, int] = (0, 0),
) -> Figure:
    r"""Draw one cell of the gradient with respect to the input: a flipped filter slides.

    On the left is the output gradient with its cells a stride apart and k − 1 zeros around it
    (hatched). A window of the filter's size slides over it in steps of 1. In the middle is the
    filter, flipped both ways. On the right is the gradient with respect to the input:

    $$\frac{\partial L}{\partial x_{y,x}} =
    \sum_{u,v} w_{k-1-u,\,k-1-v}\; \text{spread}_{y+u,\,x+v}$$

    Args:
        weight: One filter, (kH, kW).
        output_grad: Gradient with respect to the output of one filter, (oH, oW).
        stride: Stride of the convolution.
        input_size: Height and width of the input. None means the smallest that fits.
        at: Row and column of the pixel of the input, counted from 0.

    Raises:
        ValueError: If an argument is not a matrix, ``input_size`` does not fit, ``at`` lies outside
            the input, or a side is above 9.
        TypeError: If an argument has the wrong type.
    """
    kernel, grad = as_matrix(weight, "weight"), as_matrix(output_grad, "output_grad")
    step = as_int(stride, "stride", 1)
    smallest = tuple((n - 1) * step + k for n, k in zip(grad.shape, kernel.shape, strict=True))
    size = as_pair(smallest if input_size is None else input_size, "input_size", 1)
    result = conv2d_input_grad((1, *size), kernel[None, None], grad[None], step)[0]
    spread = np.zeros([n + k - 1 for n, k in zip(size, kernel.shape, strict=True)], result.dtype)
    inside = tuple(
        slice(k - 1, k + (n - 1) * step, step)
        for n, k in zip(grad.shape, kernel.shape, strict=True)
    )
    spread[inside] = grad
    zeros = np.ones(spread.shape, dtype=bool)
    zeros[inside] = False
    return _figure(
        (spread, kernel[::-1, ::-1], result),
        (
            ("output gradient,", "zeros put in"),
            ("filter,", "flipped"),
            ("input", "gradient"),
        ),
        zeros, (1, 1), at,
    )  # fmt: skip


def gradient_to_weight(
    input: ArrayLike,
    output_grad: ArrayLike,
    stride: int = 1,
    kernel_size: tuple[int, int] | None = None,
    *,
    at: tuple[int, int] = (0, 0),
) -> Figure:
    r"""Draw one cell of the gradient with respect to the weight: the output gradient slides.

    On the left is the input with a window of the output gradient's cells, a stride apart. In the
    middle is the output gradient. On the right is the gradient with respect to the weight:

    $$\frac{\partial L}{\partial w_{u,v}} = \sum_{i,j} g_{i,j}\; x_{u + s i,\, v + s j}$$

    Args:
        input: One channel, (H, W).
        output_grad: Gradient with respect to the output of one filter, (oH, oW).
        stride: Stride of the convolution.
        kernel_size: Height and width of the filter. None means the largest that fits.
        at: Row and column of the weight, counted from 0.

    Raises:
        ValueError: If an argument is not a matrix, ``kernel_size`` does not fit, ``at`` lies
            outside the filter, or a side is above 9.
        TypeError: If an argument has the wrong type.
    """
    image, grad = as_matrix(input, "input"), as_matrix(output_grad, "output_grad")
    step = as_int(stride, "stride", 1)
    largest = tuple(h - (n - 1) * step for h, n in zip(image.shape, grad.shape, strict=True))
    size = as_pair(largest if kernel_size is None else kernel_size, "kernel_size", 1)
    result = conv2d_weight_grad(image[None], (1, 1, *size), grad[None], step)[0, 0]
    return _figure(
        (image, grad, result),
        (("input", ""), ("output", "gradient"), ("weight", "gradient")),
        np.zeros(image.shape, dtype=bool), (step, step), at,
    )  # fmt: skip


def _figure(
    matrices: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    headings: Iterable[tuple[str, str]],
    zeros: NDArray[np.bool_],
    step: Cell,
    at: tuple[int, int],
) -> Figure:
    """Draw a matrix with a window on it, what it is multiplied by, and the result."""
    read, sliding, result = matrices
    row, column = as_cell(at, result.shape, of="gradient")
    for matrix in matrices:
        refuse_larger(matrix.shape, _MOST_CELLS, "matrix")
    taps = [(row + i * step[0], column + j * step[1]) for i, j in np.ndindex(*sliding.shape)]
    reach = (taps[-1][0] - taps[0][0] + 1, taps[-1][1] - taps[0][1] + 1)
    # Small matrices are not as wide as their headings.
    x = _MARGIN
    starts = []
    for matrix, least in zip(matrices, (4.8, 2.9, 4.4), strict=True):
        starts.append(x)
        x += max(matrix.shape[1], least) + 0.9
    height = max(len(matrix) for matrix in matrices)
    figure, axes = theme.canvas(x - 0.9 + _MARGIN, _TOP + height + _MARGIN)
    fills = (theme.INPUT, theme.FILTER, theme.OUTPUT)
    tops = [_TOP + (height - len(matrix)) / 2 for matrix in matrices]
    spaced = step != (1, 1) and sliding.size > 1
    left = draw_grid(
        axes, read, starts[0], tops[0], fill=fills[0], padding=zeros,
        marked=() if spaced else taps, ringed=taps if spaced else (), name="read",
    )  # fmt: skip
    outline(axes, left, (row, column), reach)
    middle = draw_grid(axes, sliding, starts[1], tops[1], fill=fills[1], name="sliding")
    right = draw_grid(
        axes, result, starts[2], tops[2], fill=fills[2], marked=[(row, column)], name="result"
    )
    outline(axes, right, (row, column), (1, 1), label="result cell")
    for start, (first, second) in zip(starts, headings, strict=True):
        theme.write(axes, start, _TOP - 1.35, first, ha="left")
        if second:
            theme.write(axes, start, _TOP - 0.5, second, ha="left")
    y = _TOP + height / 2
    theme.write(axes, (left.right + middle.x) / 2, y, "×", size=16)
    theme.write(axes, (middle.right + right.x) / 2, y, "=", size=16)
    return figure
