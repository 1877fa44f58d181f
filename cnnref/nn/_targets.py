"""What is explained: the score of a class, or any other number computed from a network's output."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch

from cnnref._checks import as_int

__all__ = ["Target", "chosen_classes", "given_classes", "scores_of"]

Target: TypeAlias = int | Sequence[int] | torch.Tensor | Callable[[Any], torch.Tensor] | None
"""A class, one class per image, a function of the network's output, or None for the top class."""

_TEACH = (
    "`target` must be a function from the output to one number per image, for example "
    "`lambda output: output[0][:, 281]`"
)


def chosen_classes(output: Any, target: Target, count: int) -> torch.Tensor:
    """Return the number of each image's target class, (N,).

    Args:
        output: The network's output; it must be scores (N, classes).
        target: A class, one per image, or None.
        count: Number of images, N.

    Raises:
        TypeError: If the output is not a tensor, or the target does not hold integers.
        ValueError: If the output has another shape, or the target is out of range.
    """
    if not isinstance(output, torch.Tensor):
        raise TypeError(
            f"`model` outputs a {type(output).__name__}, not a tensor of scores; {_TEACH}"
        )
    if output.ndim != 2 or output.shape[0] != count or output.shape[1] == 0:
        raise ValueError(
            f"`model` outputs shape {tuple(output.shape)} for {count} images, not scores "
            f"(N, classes); {_TEACH}"
        )
    classes = output.shape[1]
    if target is None:
        return output.argmax(dim=1)
    numbers = given_classes(target, count)
    for number in numbers:
        if number >= classes:
            raise ValueError(
                f"`target` ({number}) must be at most {classes - 1}: `model` outputs {classes} "
                "scores, counted from 0"
            )
    return torch.tensor(numbers, device=output.device)


def given_classes(target: Target, count: int) -> list[int]:
    """Return the class that the caller gave for each image.

    Raises:
        TypeError: If the target does not hold integers.
        ValueError: If a class is negative, or there is not one class per image.
    """
    # Tensors and NumPy arrays alike.
    to_list = getattr(target, "tolist", None)
    given: Any = target if to_list is None else to_list()
    numbers = list(given) if isinstance(given, Sequence) else [given] * count
    if len(numbers) != count:
        raise ValueError(f"`target` holds {len(numbers)} classes for {count} images")
    return [as_int(number, "target", 0) for number in numbers]


def scores_of(output: Any, target: Target, count: int) -> torch.Tensor:
    """Return the number to explain for each image, (N,); a function may return one for all, ().

    Warns:
        UserWarning: If the target is a class, and the output looks like probabilities.

    Raises:
        TypeError: As for `chosen_classes`, or if a function does not return a tensor.
        ValueError: As for `chosen_classes`, or if a function returns another shape.
    """
    if not callable(target) or isinstance(target, torch.Tensor):
        classes = chosen_classes(output, target, count)
        if _are_probabilities(output):
            warnings.warn(
                "`model` outputs numbers that sum to 1, as after a softmax. The gradient of a "
                "probability vanishes where the network is confident; use the scores before the "
                "softmax",
                stacklevel=2,
            )
        picked: torch.Tensor = output.gather(1, classes[:, None])[:, 0]
        return picked
    scores = target(output)
    if not isinstance(scores, torch.Tensor):
        raise TypeError(f"`target` returned a {type(scores).__name__}; it must return a tensor")
    if scores.shape not in {(), (count,)}:
        raise ValueError(
            f"`target` returned shape {tuple(scores.shape)}; it must return one number per image, "
            f"({count},), or one for all, ()"
        )
    return scores


def _are_probabilities(output: torch.Tensor) -> bool:
    if output.shape[1] == 1:
        return False
    values = output.detach().float()
    sums = values.sum(dim=1)
    return bool((values >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-3))
