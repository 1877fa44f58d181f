"""Choices whose options come in a random order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.random import Generator

from cnnref.exercises._answers import Choice

__all__ = ["shuffled"]


def shuffled(
    rng: Generator, right: str, wrong: Sequence[tuple[str, str]]
) -> tuple[Choice, list[tuple[Any, ...]]]:
    """Return a choice in random order, and its mistakes.

    Args:
        rng: The random source of the exercise.
        right: The right option.
        wrong: Each other option, and why it is wrong.
    """
    options = [(right, ""), *wrong]
    placed = [options[index] for index in rng.permutation(len(options))]
    choice = Choice(tuple(option for option, _ in placed), placed.index((right, "")))
    return choice, [(place, why) for place, (_, why) in enumerate(placed) if why]
