"""Checks and conversions of tensors that several modules share."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["as_batch", "wide"]


def as_batch(images: object, argument: str, *, empty: bool = False) -> Tensor:
    """Return images (N, C, H, W) of floats, or refuse them.

    Args:
        images: What the caller was given.
        argument: Name of the caller's argument, for error messages.
        empty: Whether a batch without images is allowed.

    Raises:
        TypeError: If it is not a tensor, or does not hold floats.
        ValueError: If it has another shape, or holds no pixels.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"`{argument}` is a {type(images).__name__}; it must be a torch.Tensor")
    if not images.is_floating_point():
        raise TypeError(f"`{argument}` has dtype {images.dtype}; it must hold floats")
    if images.ndim != 4:
        raise ValueError(f"`{argument}` has shape {tuple(images.shape)}; it must be (N, C, H, W)")
    if 0 in images.shape[1:] or not (empty or len(images)):
        raise ValueError(f"`{argument}` has shape {tuple(images.shape)}: it has no pixels")
    return images


def wide(tensor: Tensor) -> Tensor:
    """Return half precision as float32, since sums over a map lose too much in it."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
