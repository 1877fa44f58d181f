"""Can you believe a map? Change what it marks, or the network, and see what happens.

A map says which pixels matter. Remove them: the probability should fall (`deletion`). Show only
them: it should rise (`insertion`), and should not be much lower than before (`average_drop`).
Destroy what the network has learned: the map should change (`randomization_check`). None of this
says whether a map looks right to a person.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import conv2d, pad

from cnnref._checks import as_int
from cnnref.nn._hooks import find_layers
from cnnref.nn._state import restored
from cnnref.nn._targets import Target, chosen_classes, scores_of
from cnnref.nn._tensors import as_batch, wide
from cnnref.nn.gradcam import ZeroMapWarning, normalize_maps

__all__ = [
    "Curve",
    "average_drop",
    "blurred",
    "deletion",
    "insertion",
    "randomization_check",
    "rank_correlation",
]


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
    inputs: torch.Tensor,
    maps: torch.Tensor,
    target: Target = None,
    *,
    baseline: torch.Tensor | float = 0.0,
    steps: int = 32,
    batch_size: int = 8,
    seed: int = 0,
) -> Curve:
    """Replace pixels by a baseline, the map's largest first, and record the probability.

    A small area is good: the pixels that the map ranks first were needed. Pixels with equal ranks
    are replaced in random order. The area cannot be less than the first probability divided by
    twice the number of steps, and maps near that limit cannot be told apart.

    Args:
        model: A classifier, in eval mode.
        inputs: Images as the network takes them, (N, C, H, W).
        maps: One map per image, (N, H, W).
        target: As for `cnnref.nn.gradcam`: a class, one per image, or None for the top class, whose
            probability after a softmax is recorded. What a function returns is recorded unchanged.
        baseline: What deleted pixels become: a number, or a tensor that broadcasts to the images.
        steps: Number of equal steps.
        batch_size: How many images go through the network at once. Larger batches are slower on a
            CPU, since the activations no longer fit in its cache.
        seed: Determines the order among equal ranks.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a shape is wrong, or the target is out of range.

    Source:
        V. Petsiuk et al., RISE: randomized input sampling for explanation of black-box models,
        2018, arXiv:1806.07421.
    """
    images = as_batch(inputs, "inputs")
    end = torch.as_tensor(baseline, dtype=images.dtype, device=images.device).expand_as(images)
    return _replace(model, images, images, end, maps, target, steps, batch_size, seed)


def insertion(
    model: nn.Module,
    inputs: torch.Tensor,
    maps: torch.Tensor,
    target: Target = None,
    *,
    baseline: torch.Tensor | float | None = None,
    steps: int = 32,
    batch_size: int = 8,
    seed: int = 0,
) -> Curve:
    """Replace pixels of a baseline by the image's, the map's largest first; record the probability.

    A large area is good: the pixels that the map ranks first were enough.

    Args:
        model: A classifier, in eval mode.
        inputs: Images as the network takes them, (N, C, H, W).
        maps: One map per image, (N, H, W).
        target: As for `deletion`; None is the top class of the whole image.
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
    images = as_batch(inputs, "inputs")
    given = blurred(images) if baseline is None else baseline
    start = torch.as_tensor(given, dtype=images.dtype, device=images.device).expand_as(images)
    return _replace(model, images, start, images, maps, target, steps, batch_size, seed)


def average_drop(
    model: nn.Module, inputs: torch.Tensor, maps: torch.Tensor, target: Target = None
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
        inputs: Images as the network takes them, (N, C, H, W).
        maps: One map per image, (N, H, W).
        target: As for `deletion`.

    Raises:
        TypeError: As for `deletion`.
        ValueError: As for `deletion`.

    Source:
        A. Chattopadhyay et al., Grad-CAM++, 2017, arXiv:1710.11063, section 4, which states it in
        percent.
    """
    images = as_batch(inputs, "inputs")
    checked = _as_maps(maps, images)
    with torch.no_grad(), restored(model):
        measure = _measure(model, images, target)
        every = torch.arange(len(images))
        before = measure(images, every)
        masks = normalize_maps(checked.relu())[:, None].to(images.dtype)
        after = measure(images * masks, every)
    return float(((before - after).clamp(min=0) / before).mean())


def blurred(inputs: torch.Tensor, sigma: float = 10.0) -> torch.Tensor:
    """Return images (N, C, H, W) blurred by a Gaussian, with border pixels repeated outside.

    Raises:
        TypeError: If the images are not a tensor of floats.
        ValueError: If their shape is wrong or `sigma` is not positive.
    """
    images = as_batch(inputs, "inputs")
    if not (0 < sigma < math.inf):
        raise ValueError(f"`sigma` ({sigma}) must be positive and finite")
    reach = math.ceil(3 * sigma)
    distance = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    row = torch.exp(-(distance**2) / (2 * sigma**2))
    row = row / row.sum()
    channels = images.shape[1]
    framed = pad(images, (reach,) * 4, mode="replicate")
    down = row.view(1, 1, -1, 1).repeat(channels, 1, 1, 1)
    return conv2d(conv2d(framed, down, groups=channels), down.mT, groups=channels)


def randomization_check(
    model: nn.Module,
    explain: Callable[[nn.Module], torch.Tensor],
    layers: Sequence[str] | None = None,
    *,
    seed: int = 0,
) -> dict[str, float]:
    """Destroy a network's weights from its last layer to its first, and compare the maps.

    Each parameter of a layer is shuffled: the distribution of its numbers stays, what they had
    learned is gone. Layers remain destroyed while the next ones follow. A map that explains what
    the network does must change; one that does not (correlation near 1 to the end) shows the image,
    not the network.

    Args:
        model: The network; a copy of it is destroyed.
        explain: Called with a network, a copy of `model`; returns maps (N, H, W).
        layers: Names of parts, in the order in which they are destroyed, each with everything in
            it; by default every module that has parameters of its own, last first.
        seed: Determines the shuffling.

    Returns:
        For each part the rank correlation of the maps with those of the intact network, averaged
        over the images, after this part and all before it were destroyed. A constant map has no
        correlation, which counts as 0.

    Raises:
        ValueError: If there is no such layer, one has no parameters, or a map has the wrong shape.
        TypeError: If an argument is of the wrong kind.

    Source:
        J. Adebayo et al., Sanity checks for saliency maps, 2018, arXiv:1810.03292, which draws new
        weights instead of shuffling them.
    """
    whole = explain(copy.deepcopy(model))
    if layers is None:
        owners = [name for name, one in model.named_modules() if one._parameters]
        parts = [name for name in reversed(owners) if list(model.get_submodule(name).parameters())]
    else:
        parts = [one.name for one in find_layers(model, list(layers))]
    generator = torch.Generator().manual_seed(seed)
    destroyed = copy.deepcopy(model)
    result = {}
    for name in parts:
        parameters = list(destroyed.get_submodule(name).parameters())
        if not parameters:
            raise ValueError(f"`layers` names {name!r}, which has no parameters to destroy")
        for parameter in parameters:
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            shuffled = parameter.detach().flatten()[order].view_as(parameter)
            with torch.no_grad():
                parameter.copy_(shuffled)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ZeroMapWarning)
            result[name] = float(rank_correlation(whole, explain(destroyed)).mean())
    return result


def rank_correlation(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return Spearman's rank correlation of two stacks of maps (N, H, W), map by map, (N,).

    Equal numbers share the mean of their ranks. A constant map has no correlation, which counts as
    0.

    Raises:
        ValueError: If the shapes are not (N, H, W) or differ.

    Examples:
        >>> a = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
        >>> rank_correlation(a, a.exp()), rank_correlation(a, -a)
        (tensor([1.]), tensor([-1.]))
    """
    if first.shape != second.shape or first.ndim != 3:
        raise ValueError(
            f"`first` has shape {tuple(first.shape)} and `second` {tuple(second.shape)}; both must "
            "be the same (N, H, W)"
        )
    a, b = (
        torch.stack([_ranks(one.detach().flatten()) for one in maps]) for maps in (first, second)
    )
    a, b = (ranks - ranks.mean(dim=1, keepdim=True) for ranks in (a, b))
    lengths = a.norm(dim=1) * b.norm(dim=1)
    return torch.where(lengths > 0, (a * b).sum(dim=1) / lengths.clamp(min=1e-30), 0.0).float()


def _ranks(values: torch.Tensor) -> torch.Tensor:
    _, place, counts = torch.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks: torch.Tensor = (last - (counts.double() - 1) / 2)[place]
    return ranks


def _as_maps(maps: object, images: torch.Tensor) -> torch.Tensor:
    if not isinstance(maps, torch.Tensor):
        raise TypeError(f"`maps` is a {type(maps).__name__}; it must be a torch.Tensor")
    count, _, height, width = images.shape
    if maps.shape != (count, height, width):
        raise ValueError(
            f"`maps` has shape {tuple(maps.shape)}; it must be {(count, height, width)}, one map "
            "per image, of the size of the image"
        )
    return wide(maps.detach())


def _measure(
    model: nn.Module, images: torch.Tensor, target: Target
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a function from images, and the index in the batch of each, to their numbers."""
    if callable(target) and not isinstance(target, torch.Tensor):
        return lambda made, which: wide(scores_of(model(made), target, len(made)))
    # The class is that of the whole image, even when nothing of it is left.
    classes = chosen_classes(model(images), target, len(images))

    def probability(made: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = model(made)
        shares = wide(scores).softmax(dim=1)
        return shares.gather(1, classes[which.to(classes.device), None])[:, 0]

    return probability


def _replace(
    model: nn.Module,
    images: torch.Tensor,
    start: torch.Tensor,
    end: torch.Tensor,
    maps: torch.Tensor,
    target: Target,
    steps: int,
    batch_size: int,
    seed: int,
) -> Curve:
    """Replace pixels of one stack of images by those of another, and measure at every step."""
    number, at_once = as_int(steps, "steps", 1), as_int(batch_size, "batch_size", 1)
    checked = _as_maps(maps, images)
    count, _, height, width = images.shape
    pixels = height * width
    shuffle = torch.randperm(pixels, generator=torch.Generator().manual_seed(seed))
    shuffle = shuffle.to(checked.device)
    # The rank of every pixel in the order: 0 is replaced first.
    order = shuffle[checked.flatten(1)[:, shuffle].argsort(dim=1, descending=True, stable=True)]
    rank = order.argsort(dim=1).view(count, height, width)
    shares = torch.arange(number + 1) / number
    scores = torch.empty(count, number + 1)
    jobs = [(image, step) for image in range(count) for step in range(number + 1)]
    with torch.no_grad(), restored(model):
        measure = _measure(model, images, target)
        for first in range(0, len(jobs), at_once):
            job = torch.tensor(jobs[first : first + at_once])
            which = job[:, 0].to(images.device)
            limit = (shares[job[:, 1]] * pixels).round().to(images.device)
            replaced = (rank[which] < limit[:, None, None])[:, None]
            made = torch.where(replaced, end[which], start[which])
            scores[job[:, 0], job[:, 1]] = measure(made, job[:, 0]).float().cpu()
    return Curve(shares, scores)
