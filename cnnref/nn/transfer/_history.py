"""What a training run did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Epoch", "History", "Phase"]

Phase: TypeAlias = Literal["head", "top"]


@dataclass(frozen=True)
class Epoch:
    """One pass over the training set.

    Attributes:
        phase: "head" (the base frozen) or "top" (the top of the base trains too).
        train_loss: Mean loss of the batches, each before its step.
        validation_loss: Mean loss on the validation set, after the epoch.
        validation_accuracy: Share of the validation set that is classified correctly; of maps,
            share of the positions. It is nan if the output or the labels are not classes.
    """

    phase: Phase
    train_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class History:
    """What `fine_tune` did.

    Attributes:
        epochs: Every epoch, in order.
        best: Index in `epochs` of the lowest validation loss.
        restored: Whether the model ended with the weights of that epoch (`patience` given) rather
            than with the last ones.
        head: Names of the layers that trained at `head_rate`.
        top: Names of the layers that trained at `base_rate`.
    """

    epochs: tuple[Epoch, ...]
    best: int
    restored: bool
    head: tuple[str, ...] = ()
    top: tuple[str, ...] = ()
