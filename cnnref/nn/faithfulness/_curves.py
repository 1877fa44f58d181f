"""Replace the pixels that a map ranks first, and record what the network says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import conv1d, conv2d, conv3d, pad

from cnnref._checks import as_int
from cnnref.nn._state import restored
from cnnref.nn._targets import Target
from cnnref.nn._tensors import as_batch, wide
from cnnref.nn.faithfulness._probabilities import Output, measurement
from cnnref.nn.gradcam import normalize_maps
from cnnref.nn.gradcam._inputs import Inputs, as_inputs

__all__ = ["Curve", "average_drop", "blurred", "deletion", "insertion"]

_CONVOLUTIONS = {1: conv1d, 2: conv2d, 3: conv3d}


@dataclass(frozen=True, eq=False)
class Curve:
    """The target's probability as pixels are replaced, most important first.

    Attributes:
        shares: Shares of the pixels replaced, from 0 to 1, (steps + 1,).
        scores: The probability at each share, (N, steps + 1).
    """

    shares: torch.Tensor
    scores: torch.Tensor

    @property
    def area(self) -> torch.Tensor:
        """The area under each image's curve, (N,): the mean probability along it."""
        return torch.trapezoid(self.scores, self.shares, dim=1)


def deletion(
    model: nn.Module,
    inputs: torch.Tensor | Sequence[Any],
    maps: torch.Tensor,
    target: Target = None,
    *,
    output: Output | None = None,
    baseline: torch.Tensor | float = 0.0,
    steps: int = 32,
    batch_size: int = 8,
    seed: int = 0,
) -> Curve:
    """Replace pixels by a baseline, the map's largest first, and record the probability.

    A small area is good: the pixels that the map ranks first were needed. Pixels with equal ranks
    are replaced in random order. The area cannot be less than the first probability divided by
    twice the number of steps, and maps near that limit cannot be told apart. Signals (N, C, T) with
    maps (N, T), and volumes, work too, here and in the other functions.

    Args:
        model: A classifier, in eval mode.
        inputs: Images as the network takes them, (N, C, H, W). For a network with several
            arguments, a tuple: the images first, then the others. Only pixels of the images are
            replaced; the others stay as they are. A further tensor with N rows has one row for each
            image.
        maps: One map per image, (N, H, W).
        target: As for `cnnref.nn.gradcam`: a class, one per image, or None for the top class of the
            whole image. Its probability is recorded. What a function returns is recorded unchanged.
        output: What the model outputs: "scores" (a softmax over the classes is applied), "logits"
            (a sigmoid is applied to each: one logit, or independent labels), "probabilities" or
            "log_probabilities". None tells probabilities, which are positive and sum to 1, from
            scores, and refuses what could be either. Pass "logits" for independent labels: their
            numbers look like scores. A single logit is class 0; for the probability of the other
            class pass a function, ``lambda output: 1 - output.sigmoid()[:, 0]``.
        baseline: What deleted pixels become: a number, or a tensor that broadcasts to the images.
        steps: Number of equal steps.
        batch_size: How many images go through the network at once. Larger batches are slower on a
            CPU, since the activations no longer fit in its cache.
        seed: Determines the order among equal ranks.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a shape is wrong, the target is out of range, the maps contain nan, `output`
            is needed or does not fit the model, or layers such as batch norm are in train mode.

    Source:
        V. Petsiuk et al., RISE: randomized input sampling for explanation of black-box models,
        2018, arXiv:1806.07421.
    """
    given = as_inputs(inputs, model)
    end = given.like(baseline, "baseline")
    return _replace(model, given, given.images, end, maps, target, output, steps, batch_size, seed)


def insertion(
    model: nn.Module,
    inputs: torch.Tensor | Sequence[Any],
    maps: torch.Tensor,
    target: Target = None,
    *,
    output: Output | None = None,
    baseline: torch.Tensor | float | None = None,
    steps: int = 32,
    batch_size: int = 8,
    seed: int = 0,
) -> Curve:
    """Replace pixels of a baseline by the image's, the map's largest first; record the probability.

    A large area is good: the pixels that the map ranks first were enough.

    Args:
        model: A classifier, in eval mode.
        inputs: As for `deletion`.
        maps: One map per image, (N, H, W).
        target: As for `deletion`.
        output: As for `deletion`.
        baseline: What the pixels are put into: by default the image blurred (`blurred`).
        steps: As for `deletion`.
        batch_size: As for `deletion`.
        seed: As for `deletion`.

    Raises:
        TypeError: As for `deletion`.
        ValueError: As for `deletion`.

    Source:
        V. Petsiuk et al., arXiv:1806.07421.
    """
    given = as_inputs(inputs, model)
    start = given.like(blurred(given.images) if baseline is None else baseline, "baseline")
    return _replace(
        model, given, start, given.images, maps, target, output, steps, batch_size, seed
    )


def average_drop(
    model: nn.Module,
    inputs: torch.Tensor | Sequence[Any],
    maps: torch.Tensor,
    target: Target = None,
    *,
    output: Output | None = None,
) -> float:
    r"""Return the share of the probability lost when the map is used as a mask, on average.

    $$
    \frac{1}{N} \sum_n \frac{\max(0,\, p_n - o_n)}{p_n}
    $$

    with $p$ for the image and $o$ for the image times its map, the map rescaled to a largest value
    of 1 and its negative numbers set to zero. Small is good. A map of ones everywhere loses
    nothing, so the number says little by itself.

    Args:
        model: A classifier, in eval mode.
        inputs: As for `deletion`.
        maps: One map per image, (N, H, W).
        target: As for `deletion`.
        output: As for `deletion`.

    Raises:
        TypeError: As for `deletion`.
        ValueError: As for `deletion`.

    Source:
        A. Chattopadhyay et al., Grad-CAM++, 2017, arXiv:1710.11063, section 4, which states it in
        percent.
    """
    given = as_inputs(inputs, model)
    images = given.images
    checked = _as_maps(maps, images)
    with torch.no_grad(), restored(model):
        measure = measurement(model, given, target, output)
        every = torch.arange(len(images))
        before = measure(images, every)
        masks = normalize_maps(checked.relu().flatten(1)[:, None]).view_as(images[:, :1])
        after = measure(images * masks.to(images.dtype), every)
    return float(((before - after).clamp(min=0) / before).mean())


def blurred(inputs: torch.Tensor, sigma: float = 10.0) -> torch.Tensor:
    """Return images (N, C, H, W) blurred by a Gaussian, with border pixels repeated outside.

    Args:
        inputs: Images; signals (N, C, T) and volumes (N, C, D, H, W) work too.
        sigma: The Gaussian's standard deviation in pixels.

    Raises:
        TypeError: If the images are not a tensor of floats.
        ValueError: If their shape is wrong or `sigma` is not positive.
    """
    images = as_batch(inputs, "inputs", spatial=(1, 2, 3))
    if not (0 < sigma < math.inf):
        raise ValueError(f"`sigma` ({sigma}) must be positive and finite")
    reach = math.ceil(3 * sigma)
    # A convolution this wide in half precision takes minutes on a CPU.
    dtype, images = images.dtype, wide(images)
    distance = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    row = torch.exp(-(distance**2) / (2 * sigma**2))
    row = row / row.sum()
    channels, axes = images.shape[1], range(2, images.ndim)
    soft = pad(images, (reach,) * 2 * len(axes), mode="replicate")
    for axis in axes:
        shape = [-1 if one == axis else 1 for one in range(images.ndim)]
        weight = row.view(shape).repeat(channels, *(1 for _ in shape[1:]))
        soft = _CONVOLUTIONS[len(axes)](soft, weight, groups=channels)
    return soft.to(dtype)


def _as_maps(maps: object, images: torch.Tensor) -> torch.Tensor:
    if not isinstance(maps, torch.Tensor):
        raise TypeError(f"`maps` is a {type(maps).__name__}; it must be a torch.Tensor")
    shape = (len(images), *images.shape[2:])
    if maps.shape != shape:
        raise ValueError(
            f"`maps` has shape {tuple(maps.shape)}; it must be {shape}, one map per image, of the "
            "size of the image"
        )
    if maps.isnan().any():
        raise ValueError("`maps` contains nan, so its pixels have no order")
    return wide(maps.detach())


def _replace(
    model: nn.Module,
    inputs: Inputs,
    start: torch.Tensor,
    end: torch.Tensor,
    maps: torch.Tensor,
    target: Target,
    output: Output | None,
    steps: int,
    batch_size: int,
    seed: int,
) -> Curve:
    """Replace pixels of one stack of images by those of another, and measure at every step."""
    number, at_once = as_int(steps, "steps", 1), as_int(batch_size, "batch_size", 1)
    images = inputs.images
    checked = _as_maps(maps, images)
    count, pixels = checked.shape[0], checked[0].numel()
    shuffle = torch.randperm(pixels, generator=torch.Generator().manual_seed(seed))
    shuffle = shuffle.to(checked.device)
    # The rank of every pixel in the order: 0 is replaced first.
    order = shuffle[checked.flatten(1)[:, shuffle].argsort(dim=1, descending=True, stable=True)]
    rank = order.argsort(dim=1).view_as(checked)
    shares = torch.arange(number + 1) / number
    scores = torch.empty(count, number + 1)
    jobs = [(image, step) for image in range(count) for step in range(number + 1)]
    with torch.no_grad(), restored(model):
        measure = measurement(model, inputs, target, output)
        for first in range(0, len(jobs), at_once):
            job = torch.tensor(jobs[first : first + at_once])
            which = job[:, 0].to(images.device)
            limit = (shares[job[:, 1]] * pixels).round().to(images.device)
            replaced = rank[which] < limit.view(-1, *(1 for _ in rank.shape[1:]))
            made = torch.where(replaced[:, None], end[which], start[which])
            scores[job[:, 0], job[:, 1]] = measure(made, job[:, 0]).float().cpu()
    return Curve(shares, scores)
