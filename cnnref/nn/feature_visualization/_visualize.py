"""Gradient ascent on an image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cnnref._checks import as_int
from cnnref.nn._calls import check_others
from cnnref.nn._state import restored
from cnnref.nn._tensors import one_per_axis, spatial_axes
from cnnref.nn.feature_visualization._image_parameters import (
    ImageParameters,
    Parametrization,
    make_parameters,
)
from cnnref.nn.feature_visualization._objectives import Objective
from cnnref.nn.feature_visualization._priors import USUAL_PRIORS, Priors
from cnnref.nn.feature_visualization._taps import Tap, tapped
from cnnref.nn.pretrained import ImageNetwork

__all__ = ["Visualization", "response", "visualize"]

# Standard deviation of the noise at the first start; each further start doubles it.
_SPREAD = 0.01
_ROUNDING = 1e-3
_INPUTS = {1: "signals (N, C, T)", 2: "images (N, C, H, W)", 3: "volumes (N, C, D, H, W)"}


@dataclass(frozen=True)
class Visualization:
    """An image that excites a unit, or a batch of them, and how it was found.

    Attributes:
        image: Values from 0 to 1, (C, H, W), on the CPU; (N, C, H, W) if a batch was asked for. A
            signal (C, T) or a volume (C, D, H, W) if the network takes these.
        history: The objective before each step, for the image as the priors moved it in that step.
        value: The objective for `image` itself.
        start: The objective for the image that the ascent started from.
        restarts: Number of earlier starts that had no gradient.
        axes: Number of spatial axes: 2, or 1 for a signal and 3 for a volume.
    """

    image: Tensor
    history: tuple[float, ...]
    value: float
    start: float
    restarts: int
    axes: int = 2

    @property
    def picture(self) -> npt.NDArray[np.uint8]:
        """The image in the usual form of a picture: uint8, (H, W, C), or (N, H, W, C)."""
        pixels: npt.NDArray[Any] = (255 * self.image).round().to(torch.uint8).numpy()
        return np.moveaxis(pixels, -1 - self.axes, -1)


def visualize(
    model: nn.Module,
    objective: Objective,
    *,
    size: int | Sequence[int] | None = None,
    steps: int = 200,
    parametrization: Parametrization = "fourier",
    priors: Priors = USUAL_PRIORS,
    rate: float = 0.05,
    channels: int | None = None,
    preprocess: Callable[[Tensor], Any] | None = None,
    others: Sequence[Any] = (),
    image: Tensor | None = None,
    batch: int | None = None,
    seed: int = 0,
    restarts: int = 4,
    progress: bool = True,
) -> Visualization:
    r"""Find an image that makes an objective large, by gradient ascent on the image.

    With $\theta$ the parameters of the image $x(\theta)$, $t$ a random movement
    of the priors and $a$ the objective, each step goes along

    $$\frac{\partial}{\partial\theta}\, a(t(x(\theta)))$$

    with Adam's step lengths. The ascent starts from grey with a little noise, or from a given
    image. If the gradient there is zero for every pixel (a dead ReLU), it starts again with
    stronger noise.

    The model runs in eval mode and is left as it was, as is torch's own random state. On one
    machine, with the same number of threads, the same call gives the same image, bit for bit.

    Args:
        model: Any network that takes images (N, C, H, W), signals (N, C, T) or volumes
            (N, C, D, H, W).
        objective: What to maximise: `channel`, `neuron`, `logit`, `measure`, `diversity`, or a sum
            of them.
        size: Side of the image in pixels, or (height, width); 128 unless `image` is given. A signal
            has one side and a volume three.
        steps: Steps of the ascent.
        parametrization: "fourier" changes waves, coarse ones more than fine ones; "pixels" changes
            each pixel independently.
        priors: What images to prefer; `Priors()` is no preference.
        rate: Adam's learning rate.
        channels: Channels of the image; 3 unless `image` is given.
        preprocess: A differentiable function from images with values from 0 to 1 to the model's
            input. By default a network of `cnnref.nn.pretrained` gets its own normalisation, and
            any other model the values unchanged.
        others: Further arguments of the model, as it takes them after the images. They stay as they
            are: only the images are changed.
        image: What to start from: values from 0 to 1, (C, H, W) or (N, C, H, W). Black and white
            are replaced by the nearest values that the logistic function can reach. One image for a
            batch is repeated, each time with a little noise.
        batch: Number of images, with an objective for all of them, such as `diversity`; None is
            one image, returned without an axis for the batch. Each is moved on its own.
        seed: Determines the noise and the movements.
        restarts: How many times to start again.
        progress: Whether to show a progress bar (on stderr).

    Raises:
        TypeError: If an argument is of the wrong kind, or the model takes other arguments.
        ValueError: If a number is out of range; if the model has no such layer, channel, class or
            position; if its layers take inputs with another number of axes; if no start has a
            gradient.
        RuntimeError: If a layer does not run.
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
    axes = _axes(model, size)
    given = None if image is None else _in_range(_as_images(image, axes))
    shape, depth, number = _shape(size, channels, batch, given, axes)
    several = batch is not None or (image is not None and image.ndim == axes + 2)
    count, tries = as_int(steps, "steps", 1), as_int(restarts, "restarts", 0) + 1
    if not 0 < rate < math.inf:
        raise ValueError(f"`rate` ({rate!r}) must be positive and finite")
    generator = torch.Generator().manual_seed(as_int(seed, "seed", 0))
    first = next(model.parameters(), torch.empty(0))
    prepare = _default_preprocess(model) if preprocess is None else preprocess
    if preprocess is None:
        _check_axes(model, axes)
    check_others(model, others)
    # Images that are the same, and moved in the same way, would stay the same.
    spread = _SPREAD if given is None or len(given) < number else 0.0

    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        restored(model),
        tapped(model, objective.taps, others) as read,
    ):
        model.eval()

        def evaluate(images: Tensor) -> Tensor:
            images = images.to(first.dtype)
            value = objective.value(read(prepare(images), images))
            if not torch.isfinite(value):
                raise FloatingPointError(
                    f"the objective is {value.item()}; a smaller `rate` ({rate}) may help"
                )
            return value

        for attempt in range(tries):
            noise = _SPREAD * 2**attempt if attempt else spread
            parameters = make_parameters(
                parametrization, shape, depth, noise, generator, first.device,
                batch=number, images=given,
            )  # fmt: skip
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
        made = parameters.image().detach()
        reached = evaluate(made).item()
    images = made.cpu() if several else made[0].cpu()
    return Visualization(images, tuple(history), reached, start.item(), attempt, axes)


def response(
    model: nn.Module,
    objective: Objective,
    image: Tensor,
    *,
    preprocess: Callable[[Tensor], Tensor] | None = None,
    others: Sequence[Any] = (),
) -> float:
    """Return the objective for an image, to compare a photograph, say, with a found image.

    Args:
        model: As for `visualize`.
        objective: As for `visualize`.
        image: Values from 0 to 1, (C, H, W), or a batch, (N, C, H, W). A network with 1-D or 3-D
            convolutions takes signals (C, T) or volumes (C, D, H, W), or batches of them.
        preprocess: As for `visualize`.
        others: As for `visualize`.

    Raises:
        TypeError: If an argument is of the wrong kind, or the model takes other arguments.
        ValueError: If the image has another shape; if the model has no such layer, channel, class
            or position.
        RuntimeError: If a layer does not run.

    Examples:
        >>> from cnnref.nn.feature_visualization import channel
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        >>> found = visualize(model, channel("1", 2), size=16, steps=2, progress=False)
        >>> response(model, channel("1", 2), found.image) == found.value
        True
    """
    images = _as_images(image, _axes(model, None))
    if preprocess is None and isinstance(model, ImageNetwork):
        images = _in_range(images)
    first = next(model.parameters(), torch.empty(0))
    prepare = _default_preprocess(model) if preprocess is None else preprocess
    check_others(model, others)
    with restored(model), torch.no_grad(), tapped(model, objective.taps, others) as read:
        model.eval()
        # A copy, since the network may overwrite its input.
        images = images.to(first, copy=True)
        return objective.value(read(prepare(images), images)).item()


def _axes(model: nn.Module, size: int | Sequence[int] | None) -> int:
    """Return how many spatial axes the images have: as `size` says, or as the network takes."""
    if isinstance(size, Sized) and len(size) in _INPUTS:
        return len(size)
    known = spatial_axes(model.modules())
    # A network with convolutions of several kinds most likely takes images.
    return 2 if 2 in known else known[0]


def _as_images(image: object, axes: int) -> Tensor:
    """Return a batch of images; with one or three spatial axes, of signals or volumes."""
    if not isinstance(image, Tensor):
        raise TypeError(f"`image` is a {type(image).__name__}; it must be a torch.Tensor")
    if image.ndim - axes not in (1, 2) or 0 in image.shape:
        sides = {1: "T", 2: "H, W", 3: "D, H, W"}[axes]
        raise ValueError(
            f"`image` has shape {tuple(image.shape)}; it must be (C, {sides}) or (N, C, {sides})"
        )
    if not image.is_floating_point():
        raise TypeError(f"`image` has dtype {image.dtype}; it must hold floats from 0 to 1")
    return image.detach() if image.ndim - axes == 2 else image.detach()[None]


def _in_range(image: Tensor) -> Tensor:
    low, high = image.aminmax()
    # Interpolation can take an image just outside.
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise ValueError(
            f"`image` ranges from {low:.3g} to {high:.3g}; its values must lie between 0 and 1"
        )
    return image


def _shape(
    size: int | Sequence[int] | None,
    channels: int | None,
    batch: int | None,
    given: Tensor | None,
    axes: int,
) -> tuple[tuple[int, ...], int, int]:
    """Return the size, the channels and the number of images, which a given image determines."""
    if given is None:
        shape = one_per_axis(128 if size is None else size, "size", 1, axes)
        depth = as_int(3 if channels is None else channels, "channels", 1)
        return shape, depth, as_int(1 if batch is None else batch, "batch", 1)
    number, depth, *sides = given.shape
    shape = tuple(sides)
    if size is not None and one_per_axis(size, "size", 1, axes) != shape:
        raise ValueError(f"`size` ({size}) must be None, or that of `image`, {shape}")
    if channels is not None and as_int(channels, "channels", 1) != depth:
        raise ValueError(f"`channels` ({channels}) must be None, or that of `image`, {depth}")
    if batch is not None and as_int(batch, "batch", 1) != number and number > 1:
        raise ValueError(f"`batch` ({batch}) must be None, or that of `image`, {number}")
    return shape, depth, number if batch is None else batch


def _check_axes(model: nn.Module, axes: int) -> None:
    """Refuse images with another number of axes than the network's convolutions have."""
    known = spatial_axes(model.modules())
    if axes not in known:
        takes = " or ".join(_INPUTS[one] for one in known)
        raise ValueError(
            f"`size` makes {_INPUTS[axes]}, but `model` has convolutions for {takes}; give "
            f"`size` one number per axis, or pass a `preprocess` that makes the model's input"
        )


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
