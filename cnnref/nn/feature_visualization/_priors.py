"""Preferences among images, so that the ascent does not end in noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from cnnref._checks import as_int

__all__ = ["USUAL_PRIORS", "Priors", "squared_frequencies"]


@dataclass(frozen=True)
class Priors:
    """Preferences among images; each is off at 0.

    The first three move the image a little at random before each step, so that patterns which need
    every pixel in its place do not survive. The last two change the image after each step.

    Attributes:
        jitter: Shift by at most this many whole pixels, vertically and horizontally.
        rotate: Turn by at most this many degrees, either way.
        scale: Enlarge or shrink by a factor of at most 1 + `scale`.
        blur: Standard deviation, in pixels, of the Gaussian that blurs the image in each step.
        decay: Share of the distance from grey that each step removes, less than 1. Both act on the
            numbers before the logistic function: near black and white the image changes less.

    Raises:
        TypeError: If a value is not a number, or `jitter` not an integer.
        ValueError: If one is negative or not finite, or `decay` is 1 or more.

    Source:
        Decay and blur: J. Yosinski et al., Understanding neural networks through deep
        visualization, 2015, arXiv:1506.06579 (which blurs every few steps). Jitter:
        A. Mordvintsev, C. Olah and M. Tyka, Inceptionism, 2015. Rotation and scale with it:
        C. Olah, A. Mordvintsev and L. Schubert, Feature visualization, Distill, 2017,
        "Transformation robustness".
    """

    jitter: int = 0
    rotate: float = 0.0
    scale: float = 0.0
    blur: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        as_int(self.jitter, "jitter", 0)
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"`{name}` ({value!r}) must be a number")
            if not 0 <= value < math.inf:
                raise ValueError(f"`{name}` ({value!r}) must be at least 0, and finite")
        if self.decay >= 1:
            raise ValueError(f"`decay` ({self.decay!r}) must be less than 1")

    def moved(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Return images (N, C, H, W) moved at random, each on its own; mirrored outside.

        Signals (N, C, T) are shifted and scaled; volumes (N, C, D, H, W) are turned in the plane of
        their last two axes.
        """
        if not (self.jitter or self.rotate or self.scale):
            return image
        if image.ndim == 3:  # An image of one row, which does not leave it.
            return self.moved(image[:, :, None], generator)[:, :, 0]
        return torch.cat([self._moved(one[None], generator) for one in image])

    def _moved(self, image: Tensor, generator: torch.Generator) -> Tensor:
        sides = image.shape[2:]
        height, width = sides[-2:]
        turn, grow = (2 * torch.rand(2, generator=generator) - 1).tolist()
        shifts = torch.randint(
            -self.jitter, self.jitter + 1, (len(sides),), generator=generator
        ).tolist()
        if height == 1:
            turn, shifts[-2] = 0.0, 0
        angle, factor = math.radians(turn * self.rotate), (1 + self.scale) ** -grow
        sine, cosine = factor * math.sin(angle), factor * math.cos(angle)
        axes = len(sides)
        # In `affine_grid`'s units, half a side; the ratios keep a rotation a rotation when the
        # image is not square. Axes are in its order, the last one first.
        theta = torch.zeros(1, axes, axes + 1, dtype=torch.float64)
        theta[0, 0, :2] = torch.tensor([cosine, -sine * height / width], dtype=theta.dtype)
        theta[0, 1, :2] = torch.tensor([sine * width / height, cosine], dtype=theta.dtype)
        theta[0, 2:, 2:axes] = factor
        for row, (by, side) in enumerate(zip(shifts[::-1], sides[::-1], strict=True)):
            theta[0, row, axes] = -2 * by / side
        grid = affine_grid(theta.to(image), list(image.shape), align_corners=False)
        return grid_sample(image, grid, padding_mode="reflection", align_corners=False)

    def kept(self, size: Sequence[int], device: torch.device | None = None) -> Tensor:
        """Return the share of each wave that blur and decay leave in a step, (…, W // 2 + 1)."""
        # The Fourier transform of a Gaussian is a Gaussian.
        squares = squared_frequencies(size).to(device)
        return (1 - self.decay) * torch.exp(-2 * (math.pi * self.blur) ** 2 * squares)


def squared_frequencies(size: Sequence[int]) -> Tensor:
    """Return the square of each wave's frequency in cycles per pixel, (H, W // 2 + 1)."""
    *others, last = size
    total: Tensor = torch.fft.rfftfreq(last) ** 2
    for axis, side in enumerate(reversed(others), start=1):
        total = torch.fft.fftfreq(side).view(-1, *[1] * axis) ** 2 + total
    return total


USUAL_PRIORS = Priors(jitter=8, rotate=5.0, scale=0.1)
