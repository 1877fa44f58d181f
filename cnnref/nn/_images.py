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
    """Return photographs as float tensors (N, 3, H, W), one a photograph or one for the batch.

    Raises:
        TypeError: If they are neither arrays nor a tensor, or an array does not hold uint8.
        ValueError: If a shape is wrong, there are none, or the numbers are not between 0 and 255.
    """
    if isinstance(images, torch.Tensor):
        return [_as_batch(images)]
    if isinstance(images, np.ndarray):
        return [_as_one(images)]
    if isinstance(images, (str, bytes)) or not isinstance(images, Sequence):
        raise TypeError(f"`images` is a {type(images).__name__}; it must hold arrays or a tensor")
    if not images:
        raise ValueError("`images` is empty")
    return [_as_one(image) for image in images]


def resized(images: torch.Tensor, size: int = 256) -> torch.Tensor:
    """Resize photographs (N, C, H, W) so that the shorter side has `size` pixels.

    Where pixels are lost, a blur keeps what is too fine for the new size out of the result.
    """
    zoom = size / min(images.shape[-2:])
    sides = [round(side * zoom) for side in images.shape[-2:]]
    # Weights that sum to 1 but for rounding can carry 255 to 255.00002.
    return interpolate(images, sides, mode="bilinear", align_corners=False, antialias=True).clamp(
        0, 255
    )


def square(images: torch.Tensor, size: int) -> torch.Tensor:
    """Resize photographs to 256 pixels on the shorter side and cut the middle out of them.

    Photographs that already are such squares stay as they are.

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
            "(repeat a grey one: np.stack([image] * 3, axis=-1))"
        )
    # The copy gives views of any stride, a flipped photograph's too, the memory torch wants.
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
        raise ValueError(f"`images` holds at most {high:.3g}; values go to 255, not to 1")
    return images
