"""Gradient ascent on an image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cnnref._checks import as_int, as_pair
from cnnref.nn._hooks import Tap, tapped
from cnnref.nn._state import restored
from cnnref.nn.feature_visualization._image_parameters import (
    ImageParameters,
    Parametrization,
    make_parameters,
)
from cnnref.nn.feature_visualization._objectives import Objective
from cnnref.nn.feature_visualization._priors import USUAL_PRIORS, Priors
from cnnref.nn.pretrained import ImageNetwork

__all__ = ["Visualization", "response", "visualize"]

# Standard deviation of the noise at the first start; each further start doubles it.
_SPREAD = 0.01


@dataclass(frozen=True)
class Visualization:
    """An image that excites a unit, and how it was found.

    Attributes:
        image: Values from 0 to 1, (C, H, W), on the CPU.
        history: The objective before each step, for the image as the priors moved it in that step.
        value: The objective for `image` itself.
        start: The objective for the image that the ascent started from.
        restarts: Number of earlier starts that had no gradient.
    """

    image: Tensor
    history: tuple[float, ...]
    value: float
    start: float
    restarts: int

    @property
    def picture(self) -> npt.NDArray[np.uint8]:
        """The image in the usual form of a picture: uint8, (H, W, C)."""
        pixels: npt.NDArray[Any] = (255 * self.image).round().to(torch.uint8).numpy()
        return pixels.transpose(1, 2, 0)


def visualize(
    model: nn.Module,
    objective: Objective,
    *,
    size: int | tuple[int, int] = 128,
    steps: int = 200,
    parametrization: Parametrization = "fourier",
    priors: Priors = USUAL_PRIORS,
    rate: float = 0.05,
    channels: int = 3,
    preprocess: Callable[[Tensor], Tensor] | None = None,
    seed: int = 0,
    restarts: int = 4,
    progress: bool = True,
) -> Visualization:
    r"""Find an image that makes an objective large, by gradient ascent on the image.

    With $\theta$ the parameters of the image $x(\theta)$, $t$ a random movement
    of the priors and $a$ the objective, each step goes along

    $$\frac{\partial}{\partial\theta}\, a(t(x(\theta)))$$

    with Adam's step lengths. The ascent starts from grey with a little noise. If the gradient there
    is zero for every pixel (a dead ReLU), it starts again from stronger noise.

    The model runs in eval mode and is left as it was, as is torch's own random state. On one
    machine, with the same number of threads, the same call gives the same image, bit for bit.

    Args:
        model: Any network that takes images (1, C, H, W).
        objective: What to maximise: `channel`, `neuron`, `logit`, `measure`, or a sum of them.
        size: Side of the image in pixels, or (height, width).
        steps: Steps of the ascent.
        parametrization: "fourier" changes waves, coarse ones more than fine ones; "pixels" changes
            each pixel independently.
        priors: What images to prefer; `Priors()` is no preference.
        rate: Adam's learning rate.
        channels: Channels of the image.
        preprocess: A differentiable function from images with values from 0 to 1 to the model's
            input. By default a network of `cnnref.nn.pretrained` gets its own normalisation, and
            any other model the values unchanged.
        seed: Determines the noise and the movements.
        restarts: How many times to start again.
        progress: Whether to show a progress bar (on stderr).

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is out of range; if the model has no such layer, channel, class or
            position, or the layer does not run; if no start has a gradient.
        FloatingPointError: If the objective is not finite.

    Examples:
        >>> from cnnref.nn.feature_visualization import channel
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        >>> found = visualize(model, channel("1", 2), size=16, steps=20, progress=False)
        >>> found.image.shape, found.value > found.start
        (torch.Size([3, 16, 16]), True)

    Source:
        D. Erhan, Y. Bengio, A. Courville and P. Vincent, Visualizing higher-layer features of a
        deep network, 2009 (the ascent); K. Simonyan, A. Vedaldi and A. Zisserman, Deep inside
        convolutional networks, 2013, arXiv:1312.6034 (scores of classes).
    """
    if not isinstance(objective, Objective):
        raise TypeError(
            f"`objective` ({objective!r}) must be an Objective, such as `channel(layer, index)`"
        )
    shape = as_pair(size, "size", 1)
    count, depth = as_int(steps, "steps", 1), as_int(channels, "channels", 1)
    tries = as_int(restarts, "restarts", 0) + 1
    if not 0 < rate < math.inf:
        raise ValueError(f"`rate` ({rate!r}) must be positive and finite")
    generator = torch.Generator().manual_seed(as_int(seed, "seed", 0))
    first = next(model.parameters(), torch.empty(0))
    prepare = _default_preprocess(model) if preprocess is None else preprocess

    with restored(model), torch.enable_grad(), tapped(model, objective.taps) as read:
        model.eval()

        def evaluate(image: Tensor) -> Tensor:
            value = objective.value(read(prepare(image.to(first.dtype))))
            if not torch.isfinite(value):
                raise FloatingPointError(
                    f"the objective is {value.item()}; a smaller `rate` ({rate}) may help"
                )
            return value

        for attempt in range(tries):
            parameters = make_parameters(
                parametrization, shape, depth, _SPREAD * 2**attempt, generator, first.device
            )
            start = evaluate(parameters.image())
            if _gradient(start, parameters, objective.taps).any():
                break
        else:
            raise ValueError(
                f"`objective` has a gradient of zero at {tries} starts: a small change of the "
                f"image changes nothing in {_names(objective.taps)}. If a ReLU there outputs zero, "
                "read its input (`pre_activation=True`, or the layer before it); or allow more "
                "`restarts`"
            )
        optimizer = torch.optim.Adam([parameters.values], rate, maximize=True)
        history = []
        for _ in tqdm(range(count), unit="step", disable=not progress):
            value = evaluate(priors.moved(parameters.image(), generator))
            history.append(value.item())
            parameters.values.grad = _gradient(value, parameters, objective.taps)
            optimizer.step()
            if priors.blur or priors.decay:
                parameters.regularize(priors)
        image = parameters.image().detach()
        reached = evaluate(image).item()
    return Visualization(image[0].cpu(), tuple(history), reached, start.item(), attempt)


def response(
    model: nn.Module,
    objective: Objective,
    image: Tensor,
    *,
    preprocess: Callable[[Tensor], Tensor] | None = None,
) -> float:
    """Return the objective for an image, to compare a photograph, say, with a found image.

    Args:
        model: As for `visualize`.
        objective: As for `visualize`.
        image: Values from 0 to 1, (C, H, W) or (1, C, H, W).
        preprocess: As for `visualize`.

    Raises:
        ValueError: If the image has another shape; if the model has no such layer, channel, class
            or position, or the layer does not run.

    Examples:
        >>> from cnnref.nn.feature_visualization import channel
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        >>> found = visualize(model, channel("1", 2), size=16, steps=2, progress=False)
        >>> response(model, channel("1", 2), found.image) == found.value
        True
    """
    batch = image if image.ndim == 4 else image[None]
    if batch.ndim != 4 or len(batch) != 1:
        raise ValueError(
            f"`image` has shape {tuple(image.shape)}; it must be (C, H, W) or (1, C, H, W)"
        )
    first = next(model.parameters(), torch.empty(0))
    prepare = _default_preprocess(model) if preprocess is None else preprocess
    with restored(model), torch.no_grad(), tapped(model, objective.taps) as read:
        model.eval()
        return objective.value(read(prepare(batch.to(first)))).item()


def _gradient(value: Tensor, parameters: ImageParameters, taps: tuple[Tap, ...]) -> Tensor:
    """Return the gradient with respect to the image's parameters, not computing the model's."""
    if not value.requires_grad:
        raise ValueError(
            f"`objective` has no gradient with respect to the image: on the way to {_names(taps)} "
            "the model detaches it, or computes under no_grad"
        )
    (gradient,) = torch.autograd.grad(value, parameters.values, allow_unused=True)
    return torch.zeros_like(parameters.values) if gradient is None else gradient


def _default_preprocess(model: nn.Module) -> Callable[[Tensor], Tensor]:
    if isinstance(model, ImageNetwork):
        return lambda image: model.normalize(255 * image)
    return lambda image: image


def _names(taps: tuple[Tap, ...]) -> str:
    return " and ".join(map(str, taps))
