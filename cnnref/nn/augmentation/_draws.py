"""The random numbers of an augmentation, and the ranges they are drawn from."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from cnnref._checks import as_int
from cnnref._types import IntOrPair, Pair
from cnnref.nn._tensors import as_batch

__all__ = ["Draws", "FloatRange", "as_number", "float_range", "int_range"]

FloatRange: TypeAlias = float | tuple[float, float]


class Draws:
    """Random numbers, one per image of a batch, on the CPU.

    Args:
        images: The batch, (N, C, H, W).
        generator: Source of the random numbers, on any device.
        p: Probability that an image is changed.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the images have another shape or no pixels, or `p` is not between 0 and 1.
    """

    def __init__(self, images: Tensor, generator: torch.Generator, p: float = 1.0) -> None:
        self._images = as_batch(images, "images", empty=True)
        if not isinstance(generator, torch.Generator):
            raise TypeError(
                f"`generator` ({generator!r}) must be a torch.Generator, such as "
                "torch.Generator().manual_seed(0)"
            )
        if not 0 <= as_number(p, "p") <= 1:
            raise ValueError(f"`p` ({p!r}) must be between 0 and 1")
        self._generator = generator
        self._count = len(images)
        self._p = p

    def floats(self, ends: tuple[float, float]) -> Tensor:
        """Draw float64, uniformly from a range."""
        unit = torch.rand(
            self._count,
            generator=self._generator,
            device=self._generator.device,
            dtype=torch.float64,
        )
        return (ends[0] + (ends[1] - ends[0]) * unit).cpu()

    def integers(self, ends: Pair) -> Tensor:
        """Draw integers, uniformly from a range that includes both ends."""
        return torch.randint(
            ends[0],
            ends[1] + 1,
            (self._count,),
            generator=self._generator,
            device=self._generator.device,
        ).cpu()

    def chosen(self) -> Tensor:
        """Draw which images change: a mask (N, 1, 1, 1) on the device of the images."""
        # rand is in [0, 1): never below 0, always below 1.
        mask = self.floats((0, 1)) < self._p
        return mask.to(self._images.device)[:, None, None, None]

    def shares(self, alpha: float) -> Tensor:
        """Draw float64 from the distribution Beta(alpha, alpha)."""
        # PyTorch's Beta distribution takes no generator; NumPy's does, here with a drawn seed.
        device = self._generator.device
        seed = int(torch.randint(2**62, (1,), generator=self._generator, device=device))
        return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, self._count))

    def order(self) -> Tensor:
        """Draw an order of the images."""
        device = self._generator.device
        return torch.randperm(self._count, generator=self._generator, device=device).cpu()


def as_number(value: object, name: str) -> float:
    """Return a finite real number; a bool is refused as a mistake."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"`{name}` ({value!r}) must be a number")
    if not math.isfinite(value):
        raise ValueError(f"`{name}` ({value!r}) must be finite")
    return float(value)


def float_range(value: FloatRange, name: str, *, around: float) -> tuple[float, float]:
    """Return a range of floats; a single number is the distance from `around` to its ends."""
    if not isinstance(value, (tuple, list)):
        reach = as_number(value, name)
        if reach < 0:
            raise ValueError(f"`{name}` ({value!r}) must be at least 0, or a pair (low, high)")
        return around - reach, around + reach
    if len(value) != 2:
        raise ValueError(f"`{name}` ({value!r}) must be a number or a pair (low, high)")
    low, high = as_number(value[0], name), as_number(value[1], name)
    _check_order(low, high, value, name)
    return low, high


def int_range(value: IntOrPair, name: str) -> Pair:
    """Return a range of integers, both ends included; a single number is a range around 0."""
    if not isinstance(value, (tuple, list)):
        reach = as_int(value, name, 0)
        return -reach, reach
    if len(value) != 2:
        raise ValueError(f"`{name}` ({value!r}) must be an integer or a pair (low, high)")
    # as_int needs a minimum; this one is below minus the side of any image.
    low, high = (as_int(end, name, -(2**31)) for end in value)
    _check_order(low, high, value, name)
    return low, high


def _check_order(low: float, high: float, value: object, name: str) -> None:
    if low > high:
        raise ValueError(f"`{name}` ({value!r}) must have its lower end first")
