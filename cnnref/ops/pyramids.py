"""Image pyramids: the same picture at half the size, and half of that, and so on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnref._checks import AXES, as_array, as_images, as_int, as_pair
from cnnref._dtypes import as_floats
from cnnref._types import Array, Pair
from cnnref.ops.convolution import conv2d
from cnnref.ops.padding import PaddingMode, pad2d

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""The five weights of a pyramid's blur: they sum to 1, and are exact in binary."""

# Mirroring reaches two pixels past the border, so there must be two besides the border pixel.
_SMALLEST = 3


def blur(
    input: npt.ArrayLike,
    kernel: npt.ArrayLike = BINOMIAL,
    mode: PaddingMode = "reflect",
) -> Array:
    r"""Blur images: the weighted mean of each pixel and its neighbours, down and across.

    With a kernel $w$ of $2r + 1$ weights, and `padded` as `pad2d` makes it in this mode,

    $$\text{output}[n, c, i, j] = \sum_{m, k = -r}^{r} w_m\, w_k\;
    \text{padded}[n, c, i + m, j + k]$$

    Each channel is blurred separately. The product of weights is two passes, first down, then
    across: ten multiplications per pixel with five weights instead of twenty-five.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        kernel: An odd number of weights. The default are Burt and Adelson's with $a = 3/8$,
            (1, 4, 6, 4, 1) / 16.
        mode: What lies beyond the border, as for `pad2d`. With weights that sum to 1, every mode
            but `constant` leaves a flat image as it is.

    Returns:
        The blurred images, same shape. Floats keep their dtype; integers give float64.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the kernel is not a row of an odd number of weights, or the image is too
            small to be padded in this mode.

    Examples:
        >>> blur([[[0, 0, 16, 0, 0]]], mode="replicate")
        array([[[1., 4., 6., 4., 1.]]])

    Source:
        P. J. Burt and E. H. Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE
        Transactions on Communications 31(4), 1983, section "The Gaussian pyramid".
    """
    return _blur_every(input, kernel, mode, 1)


def _blur_every(input: object, kernel: object, mode: PaddingMode, stride: int) -> Array:
    """Blur, and compute only every ``stride``-th row and column of the result."""
    images, batched, weights = _check_blur(input, kernel)
    number, channels, height, width = images.shape
    reach = len(weights) // 2
    # Each channel is an image of its own: none sees another.
    planes = pad2d(images.reshape(number * channels, 1, height, width), reach, mode)
    planes = conv2d(planes, weights[None, None, :, None], stride=(stride, 1))
    planes = conv2d(planes, weights[None, None, None, :], stride=(1, stride))
    output = planes.reshape(number, channels, *planes.shape[2:])
    return output if batched else output[0]


def blur_loops(
    input: npt.ArrayLike,
    kernel: npt.ArrayLike = BINOMIAL,
    mode: PaddingMode = "reflect",
) -> Array:
    r"""Blur images as the definition says: one loop per index.

    Same arguments, result and errors as `blur`; far slower. It is here to be read.

    Examples:
        >>> blur_loops([[[0, 0, 16, 0, 0]]], mode="replicate")
        array([[[1., 4., 6., 4., 1.]]])
    """
    images, batched, weights = _check_blur(input, kernel)
    padded = pad2d(images, len(weights) // 2, mode)
    output = np.zeros_like(images)
    for n, c, i, j in np.ndindex(*images.shape):
        for m in range(len(weights)):
            for k in range(len(weights)):
                output[n, c, i, j] += weights[m] * weights[k] * padded[n, c, i + m, j + k]
    return output if batched else output[0]


def pyramid_reduce(input: npt.ArrayLike) -> Array:
    r"""Blur images and keep every second row and column: one level up the pyramid.

    $$\text{output}[n, c, i, j] = \sum_{m, k = -2}^{2} w_m\, w_k\;
    \text{padded}[n, c, 2i + m, 2j + k], \qquad w = \tfrac{1}{16}(1, 4, 6, 4, 1)$$

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W), at least 3 pixels per side. The border is
            mirrored.

    Returns:
        Shape (..., ceil(H / 2), ceil(W / 2)). Floats keep their dtype; integers give float64.

    Raises:
        TypeError: If the input does not hold integers or real floats.
        ValueError: If the input is not a stack of images, or smaller than 3 pixels per side.

    Examples:
        >>> pyramid_reduce(16 * np.eye(5)[None])
        array([[[6.5  , 3.125, 0.25 ],
                [3.125, 4.375, 3.125],
                [0.25 , 3.125, 6.5  ]]])

    Source:
        P. J. Burt and E. H. Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE
        Transactions on Communications 31(4), 1983, section "The Gaussian pyramid": REDUCE.
    """
    _check_size(as_images(input)[0])
    return _blur_every(input, BINOMIAL, "reflect", 2)


def pyramid_expand(input: npt.ArrayLike, size: int | Pair) -> Array:
    r"""Double the size of images, the pixels between filled with weighted means: one level down.

    Put the pixels on every second row and column of a larger image, zeros between them, and blur
    with twice the weights down and twice across, since of the pixels under the weights only a
    quarter hold anything:

    $$\text{output}[n, c, i, j] = 4 \sum_{m, k = -2}^{2} w_m\, w_k\;
    \text{input}\bigl[n, c, \tfrac{i + m}{2}, \tfrac{j + k}{2}\bigr]$$

    where only terms count whose indices are whole, and the larger image is mirrored at its border.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        size: Height and width of the result: each twice the input's, or one less, and at least 3.
            Both sizes reduce to the input's, so it must be given.

    Returns:
        Shape (..., *size). Floats keep their dtype; integers give float64. A flat image stays flat.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the input is not a stack of images, or `size` does not fit.

    Examples:
        >>> pyramid_expand([[[0, 8], [0, 8]]], (3, 4))
        array([[[2., 4., 7., 8.],
                [2., 4., 7., 8.],
                [2., 4., 7., 8.]]])

    Source:
        P. J. Burt and E. H. Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE
        Transactions on Communications 31(4), 1983, section "Gaussian pyramid interpolation":
        EXPAND.
    """
    images, batched, (height, width) = _check_expand(input, size)
    sparse = np.zeros((*images.shape[:2], height, width), images.dtype)
    sparse[:, :, ::2, ::2] = images
    output = blur(sparse, kernel=2 * np.array(BINOMIAL))
    return output if batched else output[0]


def gaussian_pyramid(input: npt.ArrayLike, levels: int) -> list[Array]:
    r"""Return images at full size, half, a quarter, and so on.

    $$G_0 = \text{input}, \qquad G_{l+1} = \text{reduce}(G_l)$$

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        levels: How many images to return, the input among them.

    Returns:
        A list of `levels` arrays, largest first. Level l has sides of the input's divided by
        $2^l$ and rounded up. Floats keep their dtype; integers give float64 on every level.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the input is not a stack of images, or a level that has to be reduced is
            smaller than 3 pixels per side.

    Examples:
        >>> [level.shape for level in gaussian_pyramid(np.ones((1, 13, 8)), levels=3)]
        [(1, 13, 8), (1, 7, 4), (1, 4, 2)]

    Source:
        P. J. Burt and E. H. Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE
        Transactions on Communications 31(4), 1983, section "The Gaussian pyramid".
    """
    images, batched = as_images(input)
    count = as_int(levels, "levels", 1)
    _check_levels((images.shape[2], images.shape[3]), count)
    pyramid = [as_floats(images if batched else images[0]).copy()]
    while len(pyramid) < count:
        pyramid.append(pyramid_reduce(pyramid[-1]))
    return pyramid


def laplacian_pyramid(input: npt.ArrayLike, levels: int) -> list[Array]:
    r"""Return what each halving loses, and the smallest image; together they give the input back.

    $$L_l = G_l - \text{expand}(G_{l+1}), \qquad L_{\text{last}} = G_{\text{last}}$$

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        levels: How many images to return, the smallest Gaussian one among them.

    Returns:
        A list of `levels` arrays, of the shapes of `gaussian_pyramid`: differences, and last the
        smallest Gaussian level itself. `laplacian_reconstruct` puts them together again.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: As for `gaussian_pyramid`.

    Examples:
        >>> laplacian_pyramid([[[1, 1, 1], [1, 1, 1], [1, 1, 1]]], levels=2)[1]
        array([[[1., 1.],
                [1., 1.]]])

    Source:
        P. J. Burt and E. H. Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE
        Transactions on Communications 31(4), 1983, section "The Laplacian pyramid".
    """
    gaussian = gaussian_pyramid(input, levels)
    differences = [
        fine - pyramid_expand(coarse, fine.shape[-2:]) for fine, coarse in pairwise(gaussian)
    ]
    return [*differences, gaussian[-1]]


def laplacian_reconstruct(pyramid: Sequence[npt.ArrayLike]) -> Array:
    r"""Put the image of a Laplacian pyramid together again, starting from the smallest level.

    $$G_l = L_l + \text{expand}(G_{l+1})$$

    What was subtracted is added, so the result is the image whatever the blur, up to rounding. It
    is the image **to the last bit** as long as no number needs more than the 53 binary digits of a
    float64: for images of whole numbers from -256 to 256 in up to five levels. Each reduction adds
    eight binary digits to those of the image, and the expansion six.

    Args:
        pyramid: A list of arrays as `laplacian_pyramid` returns it.

    Returns:
        The image, of the shape of the first level.

    Raises:
        TypeError: If a level does not hold integers or real floats.
        ValueError: If there is no level, or the levels do not fit together.

    Examples:
        >>> image = np.arange(20).reshape(1, 4, 5)
        >>> bool((laplacian_reconstruct(laplacian_pyramid(image, levels=2)) == image).all())
        True

    Source:
        P. J. Burt and E. H. Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE
        Transactions on Communications 31(4), 1983, section "The Laplacian pyramid".
    """
    levels = [as_floats(as_array(level, "pyramid")) for level in pyramid]
    if not levels:
        raise ValueError("`pyramid` holds no level")
    *differences, image = levels
    for difference in reversed(differences):
        if difference.shape[:-2] != image.shape[:-2]:
            raise ValueError(
                f"the levels of `pyramid` do not fit together: {difference.shape} "
                f"next to {image.shape}"
            )
        image = difference + pyramid_expand(image, difference.shape[-2:])
    as_images(image, "pyramid")
    return image


# The loop forms of the two steps, index by index.


def pyramid_reduce_loops(input: npt.ArrayLike) -> Array:
    r"""Reduce images as the definition says: one loop per index.

    Same arguments, result and errors as `pyramid_reduce`; far slower. It is here to be read.

    Examples:
        >>> pyramid_reduce_loops(np.ones((1, 3, 4))).shape
        (1, 2, 2)
    """
    images, batched = as_images(input)
    _check_size(images)
    images = as_floats(images)
    number, channels, height, width = images.shape
    output = np.zeros((number, channels, -(-height // 2), -(-width // 2)), images.dtype)
    for n, c, i, j in np.ndindex(*output.shape):
        for m, y in _taps(2 * i, height):
            for k, x in _taps(2 * j, width):
                output[n, c, i, j] += BINOMIAL[m] * BINOMIAL[k] * images[n, c, y, x]
    return output if batched else output[0]


def pyramid_expand_loops(input: npt.ArrayLike, size: int | Pair) -> Array:
    r"""Expand images as the definition says: one loop per index.

    Same arguments, result and errors as `pyramid_expand`; far slower. It is here to be read.

    Examples:
        >>> pyramid_expand_loops([[[0, 8], [0, 8]]], (3, 4))[0, 0]
        array([2., 4., 7., 8.])
    """
    images, batched, (height, width) = _check_expand(input, size)
    output = np.zeros((*images.shape[:2], height, width), images.dtype)
    for n, c, i, j in np.ndindex(*output.shape):
        for m, y in _taps(i, height):
            for k, x in _taps(j, width):
                if y % 2 == 0 and x % 2 == 0:  # else there is no pixel half way
                    weight = 4 * BINOMIAL[m] * BINOMIAL[k]
                    output[n, c, i, j] += weight * images[n, c, y // 2, x // 2]
    return output if batched else output[0]


def _taps(centre: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield each weight's index and the pixel it reads, mirrored at the border."""
    for index in range(len(BINOMIAL)):
        place = abs(centre + index - 2)
        yield index, min(place, 2 * (size - 1) - place)


# Checks.


def _check_blur(input: object, kernel: object) -> tuple[Array, bool, npt.NDArray[Any]]:
    images, batched = as_images(input)
    images = as_floats(images)
    weights = as_array(kernel, "kernel")
    if weights.ndim != 1 or len(weights) % 2 == 0:
        raise ValueError(
            f"`kernel` has shape {weights.shape}; it must be one row of an odd number of weights"
        )
    return images, batched, weights.astype(images.dtype)


def _check_size(images: Array) -> None:
    if min(images.shape[2:]) < _SMALLEST:
        raise ValueError(
            f"`input` is {images.shape[2]}×{images.shape[3]}; it must be at least "
            f"{_SMALLEST}×{_SMALLEST} to be reduced, since the blur mirrors two pixels"
        )


def _check_levels(size: Pair, levels: int) -> None:
    height, width = size
    for level in range(levels - 1):
        if min(height, width) < _SMALLEST:
            raise ValueError(
                f"`levels` ({levels}) is too many for an input of {size[0]}×{size[1]}: level "
                f"{level} is {height}×{width} and cannot be reduced; at most {level + 1} fit"
            )
        height, width = -(-height // 2), -(-width // 2)


def _check_expand(input: object, size: object) -> tuple[Array, bool, Pair]:
    images, batched = as_images(input)
    target = as_pair(size, "size", 1)
    for have, want, axis in zip(images.shape[2:], target, AXES, strict=True):
        if want not in (2 * have, 2 * have - 1) or want < _SMALLEST:
            raise ValueError(
                f"`size` ({size!r}) does not fit: {axis} {have} expands to {2 * have - 1} or "
                f"{2 * have}, and to at least {_SMALLEST}"
            )
    return as_floats(images), batched, target


__all__ = [
    "BINOMIAL",
    "blur",
    "blur_loops",
    "gaussian_pyramid",
    "laplacian_pyramid",
    "laplacian_reconstruct",
    "pyramid_expand",
    "pyramid_expand_loops",
    "pyramid_reduce",
    "pyramid_reduce_loops",
]
