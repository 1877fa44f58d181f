"""Preferences among images, so that the ascent does not end in noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from cnnref._checks import as_int

__all__ = ["USUAL_PRIORS", "Priors"]


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
        """Return images (N, C, H, W) moved at random, each on its own; mirrored outside."""
        if not (self.jitter or self.rotate or self.scale):
            return image
        return torch.cat([self._moved(one[None], generator) for one in image])

    def _moved(self, image: Tensor, generator: torch.Generator) -> Tensor:
        height, width = image.shape[-2:]
        turn, grow = (2 * torch.rand(2, generator=generator) - 1).tolist()
        down, across = torch.randint(
            -self.jitter, self.jitter + 1, (2,), generator=generator
        ).tolist()
        angle, factor = math.radians(turn * self.rotate), (1 + self.scale) ** -grow
        sine, cosine = factor * math.sin(angle), factor * math.cos(angle)
        # In `affine_grid`'s units, half a side; the ratios keep a rotation a rotation when the
        # image is not square.
        matrix = [
            [cosine, -sine * height / width, -2 * across / width],
            [sine * width / height, cosine, -2 * down / height],
        ]
        theta = torch.tensor([matrix], dtype=image.dtype, device=image.device)
        grid = affine_grid(theta, list(image.shape), align_corners=False)
        return grid_sample(image, grid, padding_mode="reflection", align_corners=False)

    def kept(self, image: Tensor) -> Tensor:
        """Return the share of each wave that blur and decay leave in a step, (H, W // 2 + 1)."""
        height, width = image.shape[-2:]
        down = torch.fft.fftfreq(height, device=image.device)[:, None]
        across = torch.fft.rfftfreq(width, device=image.device)
        # The Fourier transform of a Gaussian is a Gaussian.
        soft = torch.exp(-2 * (math.pi * self.blur) ** 2 * (down**2 + across**2))
        return (1 - self.decay) * soft


USUAL_PRIORS = Priors(jitter=8, rotate=5.0, scale=0.1)
