"""Padding: the rows and columns put around an image before a window slides over it."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cnnref._checks import AXES, as_choice, as_images, as_real, as_sides, refuse_huge, shown
from cnnref._types import Array, Padding

PaddingMode = Literal["constant", "reflect", "replicate", "circular"]

# PyTorch's names on the left (the field's terms), NumPy's on the right.
_NUMPY_MODE: dict[str, Literal["constant", "reflect", "edge", "wrap"]] = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


def pad2d(
    input: npt.ArrayLike, padding: Padding, mode: PaddingMode = "constant", value: float = 0
) -> Array:
    r"""Pad the two last axes of images.

    With $t$ rows above and $l$ columns to the left,
    $\text{output}[c, i, j] = \text{input}[c, f(i - t), f(j - l)]$, where $f$ maps an index outside
    the image back into it: mirrored at the border pixel (`reflect`, the border itself is not
    repeated), held at the border pixel (`replicate`), or modulo the size (`circular`). With
    `constant` the cells outside hold `value`.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        padding: Pixels on each side: an int, a (height, width) pair for both sides of that axis,
            or ((top, bottom), (left, right)). Per side, not in total.
        mode: `constant`, `reflect`, `replicate` or `circular`, as `torch.nn.functional.pad` names
            them. (`torch.nn.Conv2d(padding_mode=...)` says `zeros` for `constant` with 0.)
        value: What the padding cells hold in mode `constant`.

    Returns:
        The padded images, same rank and dtype, shape (..., top + H + bottom, left + W + right).

    Raises:
        TypeError: If an argument is of the wrong kind, or `value` does not fit the dtype.
        ValueError: If a number is negative, the mode is unknown, or the padding is wider than the
            mode can fill from the image (`reflect`: less than the size; `circular`: at most it).

    Examples:
        >>> pad2d([[[1, 2, 3]]], ((0, 0), (2, 2)), mode="reflect")
        array([[[3, 2, 1, 2, 3, 2, 1]]])

    Source:
        Dumoulin & Visin, "A guide to convolution arithmetic for deep learning",
        arXiv:1603.07285, section 2.2; modes as `torch.nn.functional.pad`.
    """
    images, batched = as_images(input, empty=True)
    sides = as_sides(padding)
    as_choice(mode, "mode", _NUMPY_MODE)
    for size, side, axis in zip(images.shape[2:], sides, AXES, strict=True):
        _check_fill(mode, size, max(side), axis)
    size = (sum(side) + n for n, side in zip(images.shape[2:], sides, strict=True))
    refuse_huge((*images.shape[:2], *size), "padding", padding)
    options: dict[str, Any] = {}
    if mode == "constant":
        options["constant_values"] = _fitting(value, images.dtype)
    padded = np.pad(images, ((0, 0), (0, 0), *sides), mode=_NUMPY_MODE[mode], **options)
    return padded if batched else padded[0]


def _check_fill(mode: str, size: int, amount: int, axis: str) -> None:
    # numpy.pad would go on mirroring or repeating; PyTorch and we refuse, since no layer does that.
    if not amount or mode == "constant":
        return
    limit = {"reflect": size - 1, "replicate": amount if size else 0, "circular": size}[mode]
    if amount > limit:
        raise ValueError(
            f"`padding` ({amount}) in {axis} must be at most {max(limit, 0)} with mode {mode!r}: "
            f"the input has {size} pixels there"
        )


def _fitting(value: object, dtype: np.dtype[Any]) -> Any:
    """Return ``value`` in ``dtype``; refuse to change it silently (0.5 in an integer image)."""
    does_not_fit = TypeError(f"`value` ({shown(value)}) does not fit an input of dtype {dtype}")
    if dtype.kind == "f":
        number = as_real(value, "value")
        if math.isfinite(number) and abs(number) > float(np.finfo(dtype).max):
            raise does_not_fit  # it would become infinite
        return dtype.type(number)
    if not isinstance(value, (int, np.integer)):
        number = as_real(value, "value")
        if not number.is_integer():
            raise does_not_fit
        value = int(number)
    as_real(value, "value")
    bounds = np.iinfo(dtype)
    if not bounds.min <= value <= bounds.max:
        raise does_not_fit
    return int(value)
