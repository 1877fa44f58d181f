"""The register of all kinds of exercise: a kind is a seeded generator of exercises.

A module of this package, named like its topic, defines the topic's kinds::

    @kind("padding.size", level="easy", task="compute")
    def _size(rng: Generator) -> Draft: ...
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.random import Generator

from cnnref._checks import as_choice, as_int
from cnnref.exercises._exercise import LEVELS, Draft, Exercise, Level, Task, finish

Draw: TypeAlias = Callable[[Generator], Draft]
_DRAWS = 200  # so many draws in a row whose mistakes lead to the right answer are the kind's fault


@dataclass(frozen=True)
class _Kind:
    level: Level
    task: Task
    draw: Draw


_KINDS: dict[str, _Kind] = {}


def kind(name: str, *, level: Level, task: Task) -> Callable[[Draw], Draw]:
    """Register a generator as a kind of exercise.

    Args:
        name: The stem of the topic's page, a dot, and a short name: ``"padding.size"``.
        level: How hard the kind is.
        task: What it asks the reader to do.
    """

    def register(draw: Draw) -> Draw:
        if name in _KINDS and _written_at(_KINDS[name].draw) != _written_at(draw):
            raise ValueError(f"`name` ({name!r}) is already the name of another kind")
        _KINDS[name] = _Kind(level, task, draw)
        return draw

    return register


def _written_at(draw: Draw) -> tuple[str, str]:
    """Return where a generator is written: to run doctests, pytest imports a module twice."""
    return draw.__code__.co_filename, draw.__code__.co_qualname


def kinds(topic: str | None = None) -> tuple[str, ...]:
    """Return the names of all kinds, or of one topic's, from easy to exam level.

    Args:
        topic: The stem of a topic's page, such as ``"padding"``.

    Raises:
        ValueError: There is no exercise on such a topic.

    Example:
        >>> from cnnref import exercises
        >>> exercises.kinds("padding")[0]
        'padding.size'
    """
    if topic is not None:
        as_choice(topic, "topic", sorted({name.split(".")[0] for name in _KINDS}))
    found = [name for name in _KINDS if topic is None or name.split(".")[0] == topic]
    return tuple(sorted(found, key=lambda name: LEVELS.index(_KINDS[name].level)))


def draw(kind: str, seed: int = 0) -> Exercise:
    """Draw an exercise of a kind: the same seed always draws the same one.

    Args:
        kind: A name that `kinds` lists.
        seed: Any integer from 0.

    Returns:
        The exercise. Its right answer differs from what every known mistake leads to.

    Raises:
        ValueError: There is no such kind, or the seed is negative.

    Example:
        >>> from cnnref import exercises
        >>> exercise = exercises.draw("padding.size", seed=3)
        >>> exercise.grade("many").right
        False
    """
    as_choice(kind, "kind", _KINDS)
    chosen = _KINDS[kind]
    rng = np.random.default_rng([as_int(seed, "seed", 0), zlib.crc32(kind.encode())])
    for _ in range(_DRAWS):
        exercise = finish(kind, seed, chosen.level, chosen.task, chosen.draw(rng))
        if exercise is not None:
            return exercise
    raise AssertionError(f"{kind}: in {_DRAWS} draws a mistake led to the right answer each time")


@dataclass(frozen=True)
class Sheet:
    """Several exercises; a notebook shows them with folded answers."""

    exercises: tuple[Exercise, ...]

    def to_markdown(self) -> str:
        """Write the exercises as Markdown, numbered from 1, each with its answer folded."""
        return "\n\n".join(one.to_markdown(i) for i, one in enumerate(self.exercises, 1))

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def __str__(self) -> str:
        return "\n\n".join(f"{i}. {one}" for i, one in enumerate(self.exercises, 1))


def sheet(topics: str | Sequence[str], seed: int = 0, level: Level | None = None) -> Sheet:
    """Draw one exercise of each kind of some topics.

    Args:
        topics: The stem of a topic's page, or several.
        seed: Draws the numbers.
        level: Only kinds of this level.

    Raises:
        ValueError: There is no exercise on such a topic, or no such level.

    Example:
        >>> from cnnref import exercises
        >>> exercises.sheet("padding", seed=1).exercises[0].topic
        'padding'
    """
    listed = [topics] if isinstance(topics, str) else topics
    names = [name for topic in listed for name in kinds(topic)]
    if level is not None:
        as_choice(level, "level", LEVELS)
        names = [name for name in names if _KINDS[name].level == level]
    return Sheet(tuple(draw(name, seed) for name in names))
