"""Do images look as the network's training had them?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._findings import Finding
from cnnref.nn.gradcam._inputs import Inputs

__all__ = ["against_batch_norm", "against_reference", "image_layout"]

_COLOURS = 3
# A photograph's channels are within one standard deviation of the mean over a data set; numbers
# from 0 to 255 in the place of normalised ones are a hundred away.
_FAR = 10


def image_layout(model: nn.Module, images: object) -> list[Finding]:
    """Return a finding if images are (N, H, W, C) for a network that reads (N, C, H, W)."""
    first = next((one for one in model.modules() if isinstance(one, nn.Conv2d)), None)
    if not isinstance(images, Tensor) or images.ndim != 4 or first is None:
        return []
    if images.shape[1] == first.in_channels or images.shape[3] != first.in_channels:
        return []
    return [
        Finding(
            "image layout",
            f"The images have shape {tuple(images.shape)}, with their channels on the last axis; "
            f"the first convolution reads {first.in_channels} channels from axis 1",
            "Use `images.permute(0, 3, 1, 2)`",
        )
    ]


def against_reference(images: Tensor, reference: Tensor) -> list[Finding]:
    """Compare images with the same photographs as the network's own preprocessing makes them.

    Each channel is fitted by a straight line of the reference's, in both orders of the channels:
    the slope shows a wrong range, the constant a wrong mean.

    Raises:
        ValueError: If the shapes differ.
    """
    if images.shape != reference.shape:
        raise ValueError(
            f"`reference` has shape {tuple(reference.shape)}; it must have that of `images`, "
            f"{tuple(images.shape)}"
        )
    given, right = wide(images), wide(reference.detach().to(images.device))
    fits = [_fit(given, right)]
    swapped = False
    if images.shape[1] == _COLOURS:
        fits.append(_fit(given, right.flip(1)))
        swapped = fits[1][2] > fits[0][2]
    slope, constant, explained = fits[swapped]
    if explained < 0.8:
        return [
            Finding(
                "other image",
                "The images are not the reference's, whatever the order and scale of the channels: "
                f"a straight line explains only {explained:.0%} of them",
                "Compare how both are resized and cropped",
            )
        ]
    findings = []
    if swapped:
        findings.append(
            Finding(
                "channel order",
                "The first and the last channel of the images are exchanged: red is where the "
                "network reads blue",
                "Use `images.flip(1)`",
            )
        )
    if not 2 / 3 < slope < 3 / 2:
        findings.append(
            Finding(
                "range",
                f"The images vary {slope:.3g} times as much as those that the network was trained "
                "on",
                "Scale them as its training did, often from 0–255 to 0–1 and then by the standard "
                "deviation of each channel",
            )
        )
    elif abs(constant) > 0.2:
        findings.append(
            Finding(
                "mean",
                f"The images are off by {constant:.2g} standard deviations of those that the "
                "network was trained on",
                "Subtract the mean of each channel, as its training did",
            )
        )
    return findings


def _fit(given: Tensor, right: Tensor) -> tuple[float, float, float]:
    """Return slope, constant in units of deviation, and share of the variance explained."""
    x, y = right.transpose(0, 1).flatten(1), given.transpose(0, 1).flatten(1)
    x_mean, y_mean = x.mean(dim=1), y.mean(dim=1)
    x_off, y_off = x - x_mean[:, None], y - y_mean[:, None]
    spread = x_off.square().mean(dim=1).clamp(min=1e-20)
    slope = (x_off * y_off).mean(dim=1) / spread
    residue = (y_off - slope[:, None] * x_off).square().mean(dim=1)
    explained = 1 - residue / y_off.square().mean(dim=1).clamp(min=1e-20)
    constant = (y_mean - slope * x_mean) / spread.sqrt()
    # The channel that is off most counts; noise has equal channels, photographs do not.
    worst = int(constant.abs().argmax())
    return float(slope.median()), float(constant[worst]), float(explained.mean())


def against_batch_norm(model: nn.Module, inputs: Inputs) -> list[Finding]:
    """Compare what the first trained batch norm gets with what it got in training."""
    norm = next((one for one in model.modules() if _is_trained(one)), None)
    whole = bool((inputs.images == inputs.images.round()).all())
    if norm is None:
        if whole and float(inputs.images.amin()) >= 0 and float(inputs.images.amax()) > 1:
            return [
                Finding(
                    "range",
                    "The images are whole numbers up to "
                    f"{float(inputs.images.amax()):g}, as read from a file",
                    "Scale and normalise them as the network's training did",
                )
            ]
        return []
    kept: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        kept.append(wide(given[0].detach()).clone())

    with torch.no_grad(), norm.register_forward_pre_hook(keep):
        inputs.run(model)
    if not kept:
        return []
    means = kept[0].transpose(0, 1).flatten(1).mean(dim=1)
    usual, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    alive = variance > 0
    if not bool(alive.any()):
        return []
    off = float(((means - usual).abs() / variance.sqrt())[alive].median())
    if off <= _FAR:
        return []
    return [
        Finding(
            "range",
            f"The first batch norm gets channels whose means are {off:.3g} standard deviations "
            "from those of its training (the median over its channels)",
            "Scale and normalise the images as the network's training did",
        )
    ]


def _is_trained(module: nn.Module) -> bool:
    if not isinstance(module, nn.modules.batchnorm._BatchNorm) or module.running_mean is None:
        return False
    return bool(module.running_mean.any())
