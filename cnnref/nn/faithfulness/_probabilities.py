"""The probability of a class, from whatever form of output a classifier has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from cnnref.nn._targets import Target, chosen_classes, scores_of
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._inputs import Inputs, acting_in_training, variants

__all__ = ["Output", "measurement"]

Output: TypeAlias = Literal["scores", "logits", "probabilities", "log_probabilities"]
"""What a classifier outputs for each class, and how it becomes a probability.

- ``"scores"``: what a softmax over the classes turns into probabilities.
- ``"logits"``: one number per class that a sigmoid turns into a probability, with no relation to
  the other classes: a single logit, or several labels per image.
- ``"probabilities"``: used as they are.
- ``"log_probabilities"``: the exponential function is applied.
"""

_TO_PROBABILITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "scores": lambda values: values.softmax(dim=1),
    "logits": torch.sigmoid,
    "probabilities": lambda values: values,
    "log_probabilities": torch.exp,
}
_SAY = "; say which it is with `output`, one of " + ", ".join(
    f'"{one}"' for one in get_args(Output)
)


def measurement(
    model: nn.Module, inputs: Inputs, target: Target, output: Output | None
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function from changed images, and the index of each, to the numbers to record.

    Args:
        model: A classifier.
        inputs: The unchanged images, whose classes are kept, even when nothing of them is left; and
            the further arguments, which stay as they are.
        target: A class, one per image, None for the top class, or a function whose result is
            recorded unchanged.
        output: What the model outputs; None recognises scores and probabilities.

    Raises:
        TypeError: If the output is not a tensor, or an argument is of the wrong kind.
        ValueError: If there is no such kind of output, it contradicts the numbers, it cannot be
            recognised, the target is out of range, or layers such as batch norm are in train mode.
    """
    if output is not None and output not in _TO_PROBABILITIES:
        kinds = ", ".join(map(repr, get_args(Output)))
        raise ValueError(f"`output` ({output!r}) must be one of {kinds}")
    acting = acting_in_training(model)
    if acting:
        raise ValueError(
            f"`model` is in train mode, where {', '.join(acting)} would mix or change the images; "
            "call `model.eval()` first"
        )
    if callable(target) and not isinstance(target, Tensor):
        if output is not None:
            raise ValueError(
                f"`output` ({output!r}) must be None if `target` is a function: what the function "
                "returns is recorded unchanged"
            )
        return lambda made, which: wide(
            scores_of(variants(inputs, made, which).run(model), target, len(made))
        )
    whole = _by_class(inputs.run(model))
    classes = chosen_classes(whole, target, len(inputs.images))
    kind = _recognised(whole) if output is None else output
    _check(whole, kind)

    def probability(made: Tensor, which: Tensor) -> Tensor:
        output = variants(inputs, made, which).run(model)
        shares = _TO_PROBABILITIES[kind](wide(_by_class(output)))
        return shares.gather(1, classes[which.to(classes.device), None])[:, 0]

    return probability


def _by_class(output: Any) -> Any:
    """Return one logit per image, (N,), as a column (N, 1), and anything else unchanged."""
    return output[:, None] if isinstance(output, Tensor) and output.ndim == 1 else output


def _recognised(output: Tensor) -> Output:
    if output.shape[1] == 1:
        raise ValueError(
            "`model` outputs one number per image. After a softmax it would always be 1, so it is "
            f"a logit or a probability{_SAY}"
        )
    if _sums_to_one(output):
        return "probabilities"
    values = output.detach()
    # All zeros are the scores of a head that was initialized to zero.
    if bool(values.any() and (values >= 0).all() and (values <= 1).all()):
        raise ValueError(
            "`model` outputs numbers between 0 and 1 that do not sum to 1. They can be scores, or "
            f"the probabilities of independent labels{_SAY}"
        )
    # The softmax of log-probabilities is the probabilities, so they need no case of their own.
    return "scores"


def _check(output: Tensor, kind: Output) -> None:
    """Refuse numbers that cannot be what they are said to be."""
    values = output.detach()
    low, high = float(values.min()), float(values.max())
    slack = _slack(values)
    if kind == "probabilities" and not (low >= -slack and high <= 1 + slack):
        rule = "probabilities lie between 0 and 1"
    elif kind == "log_probabilities" and not high <= slack:
        rule = "log-probabilities are at most 0"
    elif kind == "scores" and output.shape[1] == 1:
        rule = 'the softmax of a single score is always 1: use "logits"'
    else:
        return
    raise ValueError(
        f'`output` ("{kind}") does not fit the model, whose outputs range from {low:.3g} to '
        f"{high:.3g}: {rule}"
    )


def _sums_to_one(output: Tensor) -> bool:
    values = output.detach()
    off = (values.double().sum(dim=1) - 1).abs().max()
    return bool((values >= 0).all()) and float(off) <= _slack(values)


def _slack(values: Tensor) -> float:
    """Return how far rounding can take a sum of probabilities from 1."""
    return max(1e-5, 4 * torch.finfo(values.dtype).eps)
