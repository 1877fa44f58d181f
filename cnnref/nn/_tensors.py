"""Checks and conversions of tensors that several modules share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized

import torch
from torch import Tensor, nn

from cnnref._checks import as_int, as_pair

__all__ = ["as_batch", "one_per_axis", "spatial_axes", "wide"]


# What a batch's axes are called by their number.
_AXES = {1: "(N, C, T)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def as_batch(
    images: object, argument: str, *, empty: bool = False, spatial: tuple[int, ...] = (2,)
) -> Tensor:
    """Return images (N, C, H, W) of floats, or refuse them.

    Args:
        images: What the caller was given.
        argument: Name of the caller's argument, for error messages.
        empty: Whether a batch without images is allowed.
        spatial: How many spatial axes it may have: 1 for signals, 2 for images, 3 for volumes.

    Raises:
        TypeError: If it is not a tensor, or does not hold floats.
        ValueError: If it has another shape, or holds no pixels.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"`{argument}` is a {type(images).__name__}; it must be a torch.Tensor")
    if not images.is_floating_point():
        raise TypeError(f"`{argument}` has dtype {images.dtype}; it must hold floats")
    if images.ndim - 2 not in spatial:
        shapes = " or ".join(_AXES[number] for number in sorted(spatial, key=lambda n: n != 2))
        raise ValueError(f"`{argument}` has shape {tuple(images.shape)}; it must be {shapes}")
    if 0 in images.shape[1:] or not (empty or len(images)):
        raise ValueError(f"`{argument}` has shape {tuple(images.shape)}: it has no pixels")
    return images


def spatial_axes(modules: Iterable[nn.Module]) -> tuple[int, ...]:
    """Return how many spatial axes a network's input may have: as many as a convolution in it."""
    kinds = set(map(type, modules))
    found = [
        axes
        for axes, convolution in _CONVOLUTIONS.items()
        if any(issubclass(kind, convolution) for kind in kinds)
    ]
    return tuple(found) or tuple(_CONVOLUTIONS)


_SIDES = {1: "(time,)", 2: "(height, width)", 3: "(depth, height, width)"}


def one_per_axis(
    value: int | Sequence[int], argument: str, minimum: int, axes: int
) -> tuple[int, ...]:
    """Return an integer for each spatial axis; one number counts for all of them.

    Raises:
        TypeError: If there is something else than integers.
        ValueError: If one is less than `minimum`, or there is another number of them.
    """
    if axes == 2:
        return as_pair(value, argument, minimum)
    given = [*value] if isinstance(value, Sized) else [value] * axes
    if len(given) != axes:
        raise ValueError(f"`{argument}` ({value}) must be an int or {_SIDES[axes]}")
    return tuple(as_int(one, argument, minimum) for one in given)


def wide(tensor: Tensor) -> Tensor:
    """Return half precision as float32, since sums over a map lose too much in it."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
