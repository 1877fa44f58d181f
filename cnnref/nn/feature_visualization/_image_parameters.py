"""Two ways to write images as numbers that gradient ascent may change freely.

Signals (N, C, T) and volumes (N, C, D, H, W) are written in the same ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor

from cnnref.nn.feature_visualization._priors import Priors, squared_frequencies

__all__ = ["Fourier", "ImageParameters", "Parametrization", "Pixels", "make_parameters"]

Parametrization = Literal["fourier", "pixels"]

# Columns: how red, green and blue vary together in photographs, strongest first (brightness, then
# blue against red, then green against both). From lucid, Apache-2.0: the square root of the
# covariance of ImageNet's colours, divided by the length of its longest column.
_COLOURS = ((0.56, 0.19, 0.04), (0.58, 0.00, -0.11), (0.58, -0.19, 0.06))


# A given image is moved this far away from black and white, where the logistic function's argument
# is infinite: half a step of 8 bits.
_EDGE = 0.5 / 255


class ImageParameters(Protocol):
    """Unbounded numbers, and the images with values from 0 to 1 that they define."""

    values: Tensor

    def image(self) -> Tensor:
        """Return the images (N, C, H, W)."""

    def regularize(self, priors: Priors) -> None:
        """Blur the images and move them towards grey, in place."""


class Pixels:
    """One number per pixel and channel; the image is its logistic function.

    Args:
        values: The numbers, (N, C, H, W).
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values.requires_grad_()

    def image(self) -> Tensor:
        """Return the images (N, C, H, W)."""
        return torch.sigmoid(self.values)

    @torch.no_grad()
    def set(self, images: Tensor) -> None:
        """Take the numbers of which images (N, C, H, W) are made."""
        self.values.copy_(torch.logit(images))

    @torch.no_grad()
    def regularize(self, priors: Priors) -> None:
        """Blur the images and move them towards grey, in place."""
        size = self.values.shape[2:]
        axes = tuple(range(-len(size), 0))
        kept = priors.kept(size, self.values.device)
        waves = torch.fft.rfftn(self.values, dim=axes) * kept
        self.values.copy_(torch.fft.irfftn(waves, s=size, dim=axes))


class Fourier:
    r"""Two numbers, cosine and sine, per wave and colour.

    A wave of frequency $f$ (in cycles per pixel) is scaled by $1/f$, as in photographs, so that a
    step changes coarse waves more than fine ones. The same images can be reached as with pixels,
    but along another path. Colours are mixed so that one number changes what varies together in
    photographs; the channels of a signal are not.

    Args:
        values: The numbers, (N, 2, C, H, W // 2 + 1).
        width: W, since W // 2 is the same for an even and an odd W.

    Source:
        C. Olah, A. Mordvintsev and L. Schubert, Feature visualization, Distill, 2017,
        "Preconditioning and parameterization", and its library lucid (param/spatial.py, color.py).
    """

    def __init__(self, values: Tensor, width: int) -> None:
        self.values = values.requires_grad_()
        self._size = (*values.shape[3:-1], width)
        self._axes = tuple(range(-len(self._size), 0))
        frequency = squared_frequencies(self._size).sqrt()
        # The mean of the image (frequency 0) is treated as the slowest wave.
        scale = 1 / frequency.clamp(min=1 / max(self._size))
        # Divided by 4, a step changes the image about as much as a step of `Pixels` does.
        self._scale = (scale / 4).to(values.device)
        coloured = len(self._size) > 1 and values.shape[2] == len(_COLOURS)
        self._colours = torch.tensor(_COLOURS, device=values.device) if coloured else None

    def image(self) -> Tensor:
        """Return the images (N, C, H, W)."""
        return torch.stack([self._one(values) for values in self.values])

    def _one(self, values: Tensor) -> Tensor:
        waves = torch.complex(values[0], values[1]) * self._scale
        # "ortho" preserves norms, so that a number means the same in an image of any size.
        image = torch.fft.irfftn(waves, s=self._size, dim=self._axes, norm="ortho")
        if self._colours is not None:
            image = torch.einsum("ij,j...->i...", self._colours, image)
        return torch.sigmoid(image)

    @torch.no_grad()
    def set(self, images: Tensor) -> None:
        """Take the numbers of which images (N, C, H, W) are made."""
        arguments = torch.logit(images)
        if self._colours is not None:
            unmixed = torch.linalg.inv(self._colours.double()).to(arguments)
            arguments = torch.einsum("ij,nj...->ni...", unmixed, arguments)
        waves = torch.fft.rfftn(arguments, dim=self._axes, norm="ortho") / self._scale
        self.values.copy_(torch.stack([waves.real, waves.imag], dim=1))

    @torch.no_grad()
    def regularize(self, priors: Priors) -> None:
        """Blur the images and move them towards grey, in place."""
        self.values.mul_(priors.kept(self._size, self.values.device))


def make_parameters(
    kind: Parametrization,
    size: Sequence[int],
    channels: int,
    spread: float,
    generator: torch.Generator,
    device: torch.device,
    *,
    batch: int = 1,
    images: Tensor | None = None,
) -> ImageParameters:
    """Return the parameters of images that are grey, or given, except for a little noise.

    Args:
        kind: "fourier" or "pixels".
        size: Height and width in pixels, or the length of each axis of a signal or a volume.
        channels: Channels of the images.
        spread: Standard deviation of the noise in the parameters.
        generator: Source of the noise; on the CPU, so that the noise is the same on any device.
        device: Device of the parameters.
        batch: Number of images, N.
        images: What to start from, (N, C, H, W), with values from 0 to 1; None is grey.

    Raises:
        ValueError: If there is no such kind.
    """
    *others, width = size
    found: Pixels | Fourier
    if kind == "pixels":
        noise = torch.randn(batch, channels, *size, generator=generator)
        found = Pixels((spread * noise).to(device))
    elif kind == "fourier":
        noise = torch.randn(batch, 2, channels, *others, width // 2 + 1, generator=generator)
        found = Fourier((spread * noise).to(device), width)
    else:
        raise ValueError(f"`parametrization` ({kind!r}) must be 'fourier' or 'pixels'")
    if images is not None:
        with torch.no_grad():
            added = found.values.detach().clone()
            found.set(images.to(added).clamp(_EDGE, 1 - _EDGE))
            found.values.add_(added)
    return found
