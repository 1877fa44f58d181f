"""Template matching: where in an image does a patch look like the template?"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnref._checks import IMAGE_AXES, as_array, as_images, refuse_empty
from cnnref._dtypes import float_dtype, result_dtype
from cnnref._types import Array
from cnnref.ops._windows import Windows, sliding_windows
from cnnref.ops.convolution import conv2d


def cross_correlation(input: npt.ArrayLike, template: npt.ArrayLike) -> Array:
    r"""Slide a template over images, multiply and sum: the raw response.

    $$\text{output}[n, 0, i, j] = \sum_{c, u, v} \text{template}[c, u, v] \;
    \text{input}[n, c, i + u, j + v]$$

    This is `conv2d` with the template as its one filter, without padding. A bright window answers
    strongly whatever it shows; `normalized_cross_correlation` fixes that.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        template: The patch to look for, shape (C, h, w).

    Returns:
        The responses, shape (N, 1, H - h + 1, W - w + 1), without N for an input without batch
        axis. Cell (i, j) belongs to the window whose top left pixel is (i, j). The dtype is NumPy's
        result type of the arguments, as in `conv2d`: integers stay exact integers.

    Raises:
        TypeError: If an argument does not hold integers or real floats.
        ValueError: If shapes do not fit, or the template is larger than the image.

    Examples:
        >>> cross_correlation([[[1, 0, 2], [0, 1, 2]]], [[[1, 0], [0, 1]]])
        array([[[2, 2]]])

    Source:
        J. P. Lewis, "Fast Normalized Cross-Correlation", Vision Interface, 1995, section 2.
    """
    a = _check(input, template)
    response = conv2d(a.input, a.template[None])
    return response if a.batched else response[0]


def normalized_cross_correlation_loops(input: npt.ArrayLike, template: npt.ArrayLike) -> Array:
    r"""Match a template as the definition says: each window against the template, one by one.

    Same arguments, result and errors as `normalized_cross_correlation`; far slower. It is here to
    be read.

    Examples:
        >>> normalized_cross_correlation_loops([[[1, 2, 3]]], [[[10, 30]]])
        array([[[1., 1.]]])

    Source:
        J. P. Lewis, "Fast Normalized Cross-Correlation", Vision Interface, 1995, section 2.
    """
    a = _check(input, template, needs_contrast=True)
    _, height, width = a.template.shape
    output = np.zeros((len(a.input), 1, *a.windows.output_size))

    wanted = _deviations(a.template)
    for n, _, i, j in np.ndindex(*output.shape):
        found = _deviations(a.input[n, :, i : i + height, j : j + width])
        lengths = math.hypot(*found), math.hypot(*wanted)
        if lengths[0] == 0:  # a flat window: no pattern, so it resembles nothing
            continue
        cosine = 0.0
        for p, q in zip(found, wanted, strict=True):
            cosine += p / lengths[0] * (q / lengths[1])
        output[n, 0, i, j] = min(max(cosine, -1.0), 1.0) if cosine == cosine else cosine
    output = output.astype(a.dtype)
    return output if a.batched else output[0]


def _deviations(patch: Array) -> list[float]:
    """Return a patch as a list of numbers less their mean."""
    numbers = [float(number) for number in patch.flat]
    # From its first pixel on, so that a flat patch gives zeros and not the mean's rounding error.
    numbers = [number - numbers[0] for number in numbers]
    mean = sum(numbers) / len(numbers)
    return [number - mean for number in numbers]


def normalized_cross_correlation(input: npt.ArrayLike, template: npt.ArrayLike) -> Array:
    r"""Compare every window of an image with a template, whatever its brightness and contrast.

    With $\bar t$ the mean of the template and $\bar x_{ij}$ that of the window at (i, j),

    $$\text{output}[n, 0, i, j] = \frac{\sum_{c, u, v} (x[n, c, i + u, j + v] - \bar x_{ij})
    (t[c, u, v] - \bar t)}{\sqrt{\sum_{c, u, v} (x[n, c, i + u, j + v] - \bar x_{ij})^2 \;
    \sum_{c, u, v} (t[c, u, v] - \bar t)^2}}$$

    This is the cosine of the angle between window and template, each less its mean, and so the
    correlation coefficient of their pixels: 1 where the window is the template at any brightness
    and any positive contrast, -1 where it is its negative. **A flat window gives 0**: the quotient
    is 0 / 0 there, and a window without a pattern resembles nothing.

    Window and template are read as one vector each: with several channels there is one mean over
    all of them.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        template: The patch to look for, shape (C, h, w). It must not be flat.

    Returns:
        Numbers from -1 to 1, shape (N, 1, H - h + 1, W - w + 1), without N for an input without
        batch axis. Cell (i, j) belongs to the window whose top left pixel is (i, j). Computed in
        float64; the dtype is that of floating arguments, and float64 for integers. A window that
        holds NaN or an infinity gives NaN.

    Raises:
        TypeError: If an argument does not hold integers or real floats.
        ValueError: If shapes do not fit, the template is larger than the image, or the template is
            flat or not finite.

    Examples:
        >>> normalized_cross_correlation([[[5, 5, 7, 5]]], [[[0, 1]]])
        array([[[ 0.,  1., -1.]]])

    Source:
        J. P. Lewis, "Fast Normalized Cross-Correlation", Vision Interface, 1995, section 2. His
        fast sums subtract large numbers from each other; here each window is taken less its own
        mean, which costs more but keeps the digits.
    """
    a = _check(input, template, needs_contrast=True)
    wanted = _unit(a.template.astype(np.float64).reshape(-1, 1))[:, 0]
    output = np.empty((len(a.input), a.windows.positions))
    for n, _, cells, patches in a.windows.patches(a.input, 1, output.dtype):
        np.matmul(wanted, _unit(patches), out=output[n, cells])
    # Rounding can carry the cosine a little past its bounds.
    np.clip(output, -1, 1, out=output)
    result = output.reshape(len(a.input), 1, *a.windows.output_size).astype(a.dtype, copy=False)
    return result if a.batched else result[0]


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return each column less its mean, divided by its length; a flat column gives zeros."""
    with np.errstate(invalid="ignore"):  # infinity - infinity: NaN is what we promise
        # From its first pixel on, so that a flat column gives zeros and not rounding errors.
        vectors = vectors - vectors[0]
        vectors -= vectors.mean(axis=0)
        # To a largest deviation of one, so that no square overflows or vanishes.
        largest = np.abs(vectors).max(axis=0)
        largest[largest == 0] = 1
        vectors /= largest
        length = np.sqrt(np.einsum("kp,kp->p", vectors, vectors))
        length[length == 0] = 1
        vectors /= length
    return vectors


class _Arguments(NamedTuple):
    input: Array
    template: Array
    windows: Windows
    dtype: np.dtype[Any]
    batched: bool


def _check(input: object, template: object, *, needs_contrast: bool = False) -> _Arguments:
    images, batched = as_images(input)
    patch = as_array(template, "template")
    if patch.ndim != 3:
        raise ValueError(f"`template` has shape {patch.shape}; it must be (C, h, w)")
    refuse_empty(patch.shape, "template", IMAGE_AXES)
    if patch.shape[0] != images.shape[1]:
        raise ValueError(
            f"`template` has {patch.shape[0]} channels and `input` has {images.shape[1]}; "
            "they must have the same number"
        )
    windows = sliding_windows((images.shape[2], images.shape[3]), patch.shape[1:])
    dtype = result_dtype(input=images, template=patch)
    if needs_contrast:
        if not np.isfinite(patch).all():
            raise ValueError("`template` must be finite: it holds NaN or an infinity")
        if (patch == patch.flat[0]).all():
            raise ValueError(
                f"`template` is flat (every pixel is {patch.flat[0]}): it has no pattern to look "
                "for, and its normalised response would be 0 / 0"
            )
        dtype = float_dtype(dtype)
    return _Arguments(images, patch, windows, dtype, batched)


__all__ = [
    "cross_correlation",
    "normalized_cross_correlation",
    "normalized_cross_correlation_loops",
]
