"""Photographs as tensors: checked, resized without aliasing, cropped to a square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import interpolate

__all__ = ["Images", "as_tensors", "resized", "square"]

Images: TypeAlias = torch.Tensor | npt.NDArray[Any] | Sequence[npt.NDArray[Any]]
"""A uint8 array (H, W, 3), a list of such arrays, or a tensor (N, 3, H, W); all RGB, 0 to 255."""


def as_tensors(images: Images) -> list[torch.Tensor]:
    """Return photographs as float tensors (N, 3, H, W), one per photograph or one for the batch.

    Raises:
        TypeError: If they are neither arrays nor a tensor, or an array does not hold uint8.
        ValueError: If a shape is wrong, there are none, or the numbers are not between 0 and 255.
    """
    if isinstance(images, torch.Tensor):
        return [_as_batch(images)]
    if isinstance(images, np.ndarray):
        return [_as_one(images)]
    if isinstance(images, (str, bytes)) or not isinstance(images, Sequence):
        raise TypeError(f"`images` is a {type(images).__name__}; it must be arrays or a tensor")
    if not images:
        raise ValueError("`images` is empty; it must hold at least one photograph")
    return [_as_one(image) for image in images]


def resized(images: torch.Tensor, size: int = 256) -> torch.Tensor:
    """Resize photographs (N, C, H, W) so that the shorter side has `size` pixels.

    When they shrink, a blur removes details too fine for the new size, which would alias.
    """
    zoom = size / min(images.shape[-2:])
    sides = [round(side * zoom) for side in images.shape[-2:]]
    # The weights of the interpolation sum to 1 up to rounding, so 255 can become 255.00002.
    return interpolate(images, sides, mode="bilinear", align_corners=False, antialias=True).clamp(
        0, 255
    )


def square(images: torch.Tensor, size: int) -> torch.Tensor:
    """Resize photographs to 256 pixels on the shorter side and crop a square from their middle.

    Photographs that already are squares of `size` are returned unchanged.

    Args:
        images: Floats, (N, C, H, W).
        size: Side of the result in pixels, at most 256.
    """
    if images.shape[-2:] == (size, size):
        return images
    images = resized(images)
    top, left = ((side - size) // 2 for side in images.shape[-2:])
    return images[..., top : top + size, left : left + size]


def _as_one(image: object) -> torch.Tensor:
    if not isinstance(image, np.ndarray):
        raise TypeError(f"`images` holds a {type(image).__name__}; it must hold NumPy arrays")
    if image.dtype != np.uint8:
        raise TypeError(f"`images` has dtype {image.dtype}; a photograph must be uint8, 0 to 255")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"`images` has shape {image.shape}; a photograph must be (H, W, 3), red, green, blue "
            "(for a grey one: np.stack([image] * 3, axis=-1))"
        )
    # torch takes no negative strides, such as those of a flipped photograph; a copy has none.
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()


def _as_batch(images: torch.Tensor) -> torch.Tensor:
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ValueError(f"`images` has shape {tuple(images.shape)}; it must be (N, 3, H, W)")
    if images.dtype == torch.uint8:
        return images.float()
    if not images.is_floating_point():
        raise TypeError(f"`images` has dtype {images.dtype}; it must be uint8 or floating")
    low, high = images.detach().aminmax()
    if not (low >= 0 and high <= 255):
        raise ValueError(f"`images` holds {low:.3g} to {high:.3g}; it must lie between 0 and 255")
    if 0 < high <= 1:
        raise ValueError(
            f"`images` holds at most {high:.3g}; its range must be 0 to 255: multiply by 255"
        )
    return images
