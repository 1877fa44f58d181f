"""What a network is called with: images, and any further arguments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from cnnref.nn._calls import check_arguments
from cnnref.nn._targets import Target, chosen_classes, given_classes, scores_of
from cnnref.nn._tensors import as_batch, spatial_axes, wide

__all__ = [
    "Inputs",
    "acting_in_training",
    "as_inputs",
    "as_share",
    "image_scores",
    "image_targets",
    "mixes_in_eval_mode",
    "variants",
]


@dataclass(frozen=True)
class Inputs:
    """The images that the maps are laid over, and the network's further arguments.

    Attributes:
        images: (N, C, *spatial).
        rest: Further arguments. A tensor with N rows has one for each image.
    """

    images: Tensor
    rest: tuple[Any, ...]

    def run(self, model: nn.Module) -> Any:
        """Return the network's output."""
        # The network may overwrite its input.
        return model(self.images.clone(), *(_copy(one) for one in self.rest))

    def output(self, model: nn.Module) -> Any:
        """Return the network's output, without a graph."""
        with torch.no_grad():
            return self.run(model)

    def like(self, value: Tensor | float, argument: str) -> Tensor:
        """Return a number, or a tensor that broadcasts to the images, in their shape.

        Raises:
            ValueError: If it does not broadcast.
        """
        given = torch.as_tensor(value, dtype=self.images.dtype, device=self.images.device)
        try:
            return given.detach().expand_as(self.images)
        except RuntimeError:
            raise ValueError(
                f"`{argument}` has shape {tuple(given.shape)}; it must broadcast to that of the "
                f"images, {tuple(self.images.shape)}"
            ) from None


def variants(inputs: Inputs, images: Tensor, of: int | Tensor) -> Inputs:
    """Return inputs with other images (B, C, *spatial), each a variant of one that was given.

    Args:
        inputs: What was given.
        images: The variants.
        of: The number of the image of which all are variants, or that of each, (B,). A variant has
            the further arguments of its image.
    """
    rest = []
    for one in inputs.rest:
        if not (isinstance(one, Tensor) and one.ndim and len(one) == len(inputs.images)):
            rest.append(one)
        elif isinstance(of, int):
            rest.append(one[of : of + 1].expand(len(images), *one.shape[1:]))
        else:
            rest.append(one[of.to(one.device)])
    return Inputs(images, tuple(rest))


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def as_inputs(
    inputs: object,
    model: nn.Module,
    argument: str = "inputs",
    axes: tuple[int, ...] | None = None,
) -> Inputs:
    """Return the caller's inputs, images or a tuple of images and further arguments, as copies.

    A network with convolutions takes as many spatial axes as one of them has: without this rule an
    image that lacks the axis of the batch would pass for a batch of signals. Callers that know
    these numbers of `axes` pass them.

    Raises:
        TypeError: If the images are not a tensor of floats, or `forward` takes other arguments.
        ValueError: If they have another shape than (N, C, *spatial) with 1 to 3 spatial axes.
    """
    given: list[Any] = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    if not given:
        raise ValueError(f"`{argument}` is empty; it must begin with the images")
    images, *rest = given
    spatial = spatial_axes(model.modules()) if axes is None else axes
    checked = as_batch(images, argument, spatial=spatial).detach().clone()
    check_arguments(model, given, argument)
    return Inputs(checked, tuple(_copy(one) for one in rest))


def acting_in_training(model: nn.Module) -> list[str]:
    """Return the kinds of layers that are in train mode and act differently there."""
    acting = [
        type(one).__name__
        for one in model.modules()
        if one.training
        and ((isinstance(one, _DropoutNd) and one.p > 0) or isinstance(one, _BatchNorm))
    ]
    return list(dict.fromkeys(acting))


def mixes_in_eval_mode(modules: Iterable[nn.Module]) -> bool:
    """Tell whether batch norm without running statistics mixes the images of every batch."""
    return any(isinstance(one, _BatchNorm) and one.running_mean is None for one in modules)


def as_share(value: object, argument: str, most: float = 1.0) -> float:
    """Return a number from 0 to a largest one.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is negative, too large or nan.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"`{argument}` ({value!r}) must be a number")
    if not 0 <= value <= most:
        rule = f"from 0 to {most:g}" if most < float("inf") else "at least 0"
        raise ValueError(f"`{argument}` ({value}) must be {rule}")
    return float(value)


def image_targets(
    model: nn.Module, inputs: Inputs, target: Target, output: Any = None
) -> list[Target]:
    """Return the target of each image: its class, or the function, the same for all.

    Args:
        model: The network. It runs only if its top classes are asked for and nothing is given.
        inputs: The images and further arguments.
        target: As for a map.
        output: The network's output, if it is known already.

    Raises:
        TypeError: If the target is of the wrong kind.
        ValueError: If there is not one class per image, or one is out of range.
    """
    count = len(inputs.images)
    if callable(target) and not isinstance(target, Tensor):
        return [target] * count
    if output is None and target is not None:
        return [*given_classes(target, count)]  # The first scores show whether they are in range.
    whole = inputs.output(model) if output is None else output
    scores_of(whole, target, count)  # Warns about probabilities.
    return [int(one) for one in chosen_classes(whole, target, count)]


def image_scores(
    model: nn.Module, inputs: Inputs, images: Tensor, image: int, target: Target
) -> Tensor:
    """Return the target's score for each variant of one image, (B,).

    Raises:
        ValueError: If the target is a function that returns one number for all variants.
    """
    output = variants(inputs, images, image).output(model)
    scores = wide(scores_of(output, target, len(images)))
    if scores.ndim == 0:
        raise ValueError(
            "`target` returned one number for all images; a method that tries variants of an image "
            "needs one number per image"
        )
    return scores
