"""Two ways to write an image as numbers that gradient ascent may change freely."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

from cnnref.nn.feature_visualization._priors import Priors

__all__ = ["Fourier", "ImageParameters", "Parametrization", "Pixels", "make_parameters"]

Parametrization = Literal["fourier", "pixels"]

# Columns: how red, green and blue vary together in photographs, strongest first (brightness, then
# blue against red, then green against both). From lucid, Apache-2.0: the square root of the
# covariance of ImageNet's colours, divided by the length of its longest column.
_COLOURS = ((0.56, 0.19, 0.04), (0.58, 0.00, -0.11), (0.58, -0.19, 0.06))


class ImageParameters(Protocol):
    """Unbounded numbers, and the image with values from 0 to 1 that they define."""

    values: Tensor

    def image(self) -> Tensor:
        """Return the image (1, C, H, W)."""

    def regularize(self, priors: Priors) -> None:
        """Blur the image and move it towards grey, in place."""


class Pixels:
    """One number per pixel and channel; the image is its logistic function.

    Args:
        values: The numbers, (1, C, H, W).
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values.requires_grad_()

    def image(self) -> Tensor:
        """Return the image (1, C, H, W)."""
        return torch.sigmoid(self.values)

    @torch.no_grad()
    def regularize(self, priors: Priors) -> None:
        """Blur the image and move it towards grey, in place."""
        height, width = self.values.shape[-2:]
        waves = torch.fft.rfft2(self.values) * priors.kept(self.values)
        self.values.copy_(torch.fft.irfft2(waves, s=(height, width)))


class Fourier:
    r"""Two numbers, cosine and sine, per wave and colour.

    A wave of frequency $f$ (in cycles per pixel) is scaled by $1/f$, as in photographs, so that a
    step changes coarse waves more than fine ones. The same images can be reached as with pixels,
    but along another path. Colours are mixed so that one number changes what varies together in
    photographs.

    Args:
        values: The numbers, (2, C, H, W // 2 + 1).
        width: W, since W // 2 is the same for an even and an odd W.

    Source:
        C. Olah, A. Mordvintsev and L. Schubert, Feature visualization, Distill, 2017,
        "Preconditioning and parameterization", and its library lucid (param/spatial.py, color.py).
    """

    def __init__(self, values: Tensor, width: int) -> None:
        self.values = values.requires_grad_()
        height = values.shape[2]
        self._size = (height, width)
        down = torch.fft.fftfreq(height)[:, None]
        across = torch.fft.rfftfreq(width)
        frequency = (down**2 + across**2).sqrt()
        # The mean of the image (frequency 0) is treated as the slowest wave.
        scale = 1 / frequency.clamp(min=1 / max(height, width))
        # Divided by 4, a step changes the image about as much as a step of `Pixels` does.
        self._scale = (scale / 4).to(values.device)
        self._colours = torch.tensor(_COLOURS, device=values.device)

    def image(self) -> Tensor:
        """Return the image (1, C, H, W)."""
        waves = torch.complex(self.values[0], self.values[1]) * self._scale
        # "ortho" preserves norms, so that a number means the same in an image of any size.
        image = torch.fft.irfft2(waves, s=self._size, norm="ortho")
        if len(image) == len(_COLOURS):
            image = torch.einsum("ij,jhw->ihw", self._colours, image)
        return torch.sigmoid(image)[None]

    @torch.no_grad()
    def regularize(self, priors: Priors) -> None:
        """Blur the image and move it towards grey, in place."""
        self.values.mul_(priors.kept(torch.empty(self._size, device=self.values.device)))


def make_parameters(
    kind: Parametrization,
    size: tuple[int, int],
    channels: int,
    spread: float,
    generator: torch.Generator,
    device: torch.device,
) -> ImageParameters:
    """Return the parameters of an image that is grey except for a little noise.

    Args:
        kind: "fourier" or "pixels".
        size: Height and width in pixels.
        channels: Channels of the image.
        spread: Standard deviation of the noise in the parameters.
        generator: Source of the noise; on the CPU, so that the noise is the same on any device.
        device: Device of the parameters.

    Raises:
        ValueError: If there is no such kind.
    """
    height, width = size
    if kind == "pixels":
        noise = torch.randn(1, channels, height, width, generator=generator)
        return Pixels((spread * noise).to(device))
    if kind == "fourier":
        noise = torch.randn(2, channels, height, width // 2 + 1, generator=generator)
        return Fourier((spread * noise).to(device), width)
    raise ValueError(f"`parametrization` ({kind!r}) must be 'fourier' or 'pixels'")
