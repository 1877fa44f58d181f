"""Blur before taking fewer pixels, and shift an image: the two tools of the page on aliasing."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from cnnref._checks import MOST_PIXELS, as_images, as_int, as_pair
from cnnref._dtypes import as_floats
from cnnref._types import Array, IntOrPair, Pair
from cnnref.ops.convolution import conv2d
from cnnref.ops.padding import PaddingMode, pad2d

# A wider blur is a Gaussian in all but name, and its weights at the ends are zero in float64.
_MOST_WEIGHTS = 1000


def blur_pool2d(
    input: npt.ArrayLike,
    kernel_size: int = 3,
    stride: IntOrPair = 2,
    padding_mode: PaddingMode = "reflect",
) -> Array:
    r"""Blur each channel with a binomial filter, then take every $s$-th pixel.

    $$\text{output}[n, c, i, j] = \frac{1}{4^{k-1}} \sum_{u, v} \binom{k-1}{u} \binom{k-1}{v} \;
    \text{padded}[n, c, i s_h + u, j s_w + v]$$

    with $\lfloor (k-1)/2 \rfloor$ pixels of padding before and $\lceil (k-1)/2 \rceil$ after. The
    weights are a row of Pascal's triangle: $(1, 2, 1)/4$ for $k = 3$. A plain stride folds the
    finest patterns into coarse ones that are not in the image; the blur takes them out first.
    Max pooling without that aliasing is `max_pool2d` at stride 1, then `blur_pool2d`.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        kernel_size: Number of weights along an axis, an int; 1 does not blur.
        stride: Step in pixels, an int or a (height, width) pair.
        padding_mode: `"reflect"`, `"replicate"`, `"circular"` or `"constant"` (zeros, which darken
            the border).

    Returns:
        Shape (N, C, ⌈H / sH⌉, ⌈W / sW⌉), or without N as the input has it. Floats keep their
        dtype; integers give float64, since a weighted mean need not be an integer.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is out of range, or the image is too small for the padding mode.

    Examples:
        >>> blur_pool2d([[[0, 4, 0, 4, 0, 4]] * 2])
        array([[[2., 2., 2.]]])

    Source:
        R. Zhang, Making convolutional networks shift-invariant again, 2019, PMLR 97:7324,
        arXiv:1904.11486, section 3; its published code for the padding.
    """
    padded, batched, taps, steps = _check(input, kernel_size, stride, padding_mode)
    channels = padded.shape[1]
    # Divided as integers, whose quotient is in range where they themselves are not.
    weights = np.array([math.comb(taps - 1, u) / 2 ** (taps - 1) for u in range(taps)])
    # A blur in two dimensions is one across and one down; each channel has its own group.
    across = np.tile(weights.astype(padded.dtype), (channels, 1, 1, 1))
    down = across.transpose(0, 1, 3, 2)
    result = conv2d(padded, across, stride=(1, steps[1]), groups=channels)
    result = conv2d(result, down, stride=(steps[0], 1), groups=channels)
    return result if batched else result[0]


def blur_pool2d_loops(
    input: npt.ArrayLike,
    kernel_size: int = 3,
    stride: IntOrPair = 2,
    padding_mode: PaddingMode = "reflect",
) -> Array:
    r"""Blur each channel, then take every $s$-th pixel, written as the definition.

    Same arguments, result and errors as `blur_pool2d`; far slower. It is here to be read.

    Examples:
        >>> blur_pool2d_loops([[[0, 4, 0, 4, 0, 4]] * 2])
        array([[[2., 2., 2.]]])

    Source:
        R. Zhang, PMLR 97:7324, section 3.
    """
    padded, batched, taps, steps = _check(input, kernel_size, stride, padding_mode)
    rows, columns = (
        (size - taps) // step + 1 for size, step in zip(padded.shape[2:], steps, strict=True)
    )
    output = np.zeros((*padded.shape[:2], rows, columns), padded.dtype)
    for n, c, i, j in np.ndindex(*output.shape):
        total = 0.0
        for u, v in np.ndindex(taps, taps):
            weight = math.comb(taps - 1, u) * math.comb(taps - 1, v) / 4 ** (taps - 1)
            total += weight * padded[n, c, i * steps[0] + u, j * steps[1] + v]
        output[n, c, i, j] = total
    return output if batched else output[0]


def shift(input: npt.ArrayLike, by: IntOrPair) -> Array:
    r"""Move an image down and right; what leaves on one side comes in on the other.

    $$\text{output}[n, c, i, j] = \text{input}[n, c, (i - b_h) \bmod H, (j - b_w) \bmod W]$$

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        by: Pixels down and right, a (height, width) pair; negative numbers go up and left. An int
            moves as far down as right.

    Returns:
        A new array of the input's shape and dtype.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the input does not have three or four axes.

    Examples:
        >>> shift([[[1, 2, 3, 4]]], by=(0, 1))
        array([[[4, 1, 2, 3]]])

    Source:
        `torch.roll` over the last two axes.
    """
    images, batched = as_images(input, empty=True)
    moved = np.roll(images, as_pair(by, "by", -MOST_PIXELS), axis=(2, 3))
    return moved if batched else moved[0]


def _check(
    input: object, kernel_size: object, stride: object, padding_mode: PaddingMode
) -> tuple[Array, bool, int, Pair]:
    """Return padded images of floats, whether they came as a batch, the taps and the steps."""
    images, batched = as_images(input)
    taps = as_int(kernel_size, "kernel_size", 1, _MOST_WEIGHTS)
    steps = as_pair(stride, "stride", 1)
    images = as_floats(images)
    sides = ((taps - 1) // 2, taps // 2)
    return pad2d(images, (sides, sides), mode=padding_mode), batched, taps, steps


__all__ = ["blur_pool2d", "blur_pool2d_loops", "shift"]
