"""What a network is called with: images, and any further arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnnref.nn._targets import Target, chosen_classes, scores_of
from cnnref.nn._tensors import as_batch, wide

__all__ = ["Inputs", "as_inputs", "image_scores", "image_targets"]

_SPATIAL = ((nn.Conv1d, 1), (nn.Conv2d, 2), (nn.Conv3d, 3))


@dataclass(frozen=True)
class Inputs:
    """The images that the maps are laid over, and the network's further arguments.

    Attributes:
        images: (N, C, *spatial).
        rest: Further arguments. A tensor with N rows has one for each image.
    """

    images: Tensor
    rest: tuple[Any, ...]

    def run(self, model: nn.Module, images: Tensor | None = None, image: int | None = None) -> Any:
        """Return the network's output for its images, or for variants of one of them.

        Args:
            model: The network.
            images: Variants of one image, (B, C, *spatial).
            image: Which image they are variants of.
        """
        if images is None:
            # The network may overwrite its input.
            return model(self.images.clone(), *(_copy(one) for one in self.rest))
        rest = []
        for one in self.rest:
            if isinstance(one, Tensor) and one.ndim and len(one) == len(self.images):
                rows = one[image : image + 1] if image is not None else one
                rest.append(rows.expand(len(images), *one.shape[1:]).clone())
            else:
                rest.append(_copy(one))
        return model(images, *rest)


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def as_inputs(inputs: object, model: nn.Module) -> Inputs:
    """Return the caller's inputs, images or a tuple of images and further arguments, as copies.

    A network with convolutions takes as many spatial axes as one of them has: without this rule an
    image that lacks the axis of the batch would pass for a batch of signals.

    Raises:
        TypeError: If the images are not a tensor of floats.
        ValueError: If they have another shape than (N, C, *spatial) with 1 to 3 spatial axes.
    """
    given: list[Any] = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    if not given:
        raise ValueError("`inputs` is empty; it must begin with the images")
    images, *rest = given
    modules = list(model.modules())
    spatial = {
        axes for kind, axes in _SPATIAL if any(isinstance(module, kind) for module in modules)
    } or {1, 2, 3}
    checked = as_batch(images, "inputs", spatial=tuple(sorted(spatial))).detach().clone()
    return Inputs(checked, tuple(_copy(one) for one in rest))


def image_targets(output: Any, target: Target, count: int) -> list[Target]:
    """Return the target of each image: its class, or the function, the same for all."""
    if callable(target) and not isinstance(target, Tensor):
        return [target] * count
    return [int(one) for one in chosen_classes(output, target, count)]


def image_scores(
    model: nn.Module, inputs: Inputs, images: Tensor, image: int, target: Target
) -> Tensor:
    """Return the target's score for each variant of one image, (B,).

    Raises:
        ValueError: If the target is a function that returns one number for all variants.
    """
    with torch.no_grad():
        output = inputs.run(model, images, image)
        scores = wide(scores_of(output, target, len(images)))
    if scores.ndim == 0:
        raise ValueError(
            "`target` returned one number for all images; a method that tries variants of an image "
            "needs one number per image"
        )
    return scores
