"""Exercises on testing maps of evidence."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.random import Generator

from cnnref.exercises._answers import Explanation, Number
from cnnref.exercises._choices import shuffled
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix

_EXAMPLE = "#the-worked-example-four-pixels"


def _area(scores: list[int]) -> Fraction:
    """Return the area under a curve over shares from 0 to 1, by the trapezoid rule, in tenths."""
    inner = sum(scores[1:-1]) + Fraction(scores[0] + scores[-1], 2)
    return inner / (len(scores) - 1) / 10


def _tenths(values: list[int]) -> str:
    return ", ".join(f"{value / 10:g}" for value in values)


@kind("map_faithfulness.area", level="easy", task="compute")
def _one_area(rng: Generator) -> Draft:
    falls = sorted(rng.choice(np.arange(1, 10), 3, replace=False).tolist(), reverse=True)
    scores = [10, *falls, 0]
    right = _area(scores)
    return Draft(
        question="Deletion in four equal steps gives the probabilities "
        f"{_tenths(scores)}. What is the area under the curve?",
        answer=right,
        solution="Each step is a trapezoid of width 1/4. The two ends count half: "
        rf"$\frac14 \left(\frac{{1}}{{2}} + {' + '.join(f'{one / 10:g}' for one in falls)} + 0"
        rf"\right) = {float(right):g}$.",
        mistakes=[
            (Fraction(sum(scores), 50), "You took the mean of all points; the ends count half."),
            (right * 4, "You forgot the width of a step, 1/4."),
        ],
    )


@kind("map_faithfulness.order", level="standard", task="compute")
def _order(rng: Generator) -> Draft:
    shares = rng.permutation([4, 3, 2, 1])
    ranks = rng.permutation(4)

    def area(order: list[int]) -> Fraction:
        left, scores = 10, [10]
        for pixel in order:
            left -= int(shares[pixel])
            scores.append(left)
        return _area(scores)

    order = np.argsort(-ranks).tolist()
    right = area(order)
    return Draft(
        question="Four pixels contribute "
        f"{_tenths(shares.tolist())} to a probability of 1. A map ranks them with the values "
        f"{', '.join(map(str, ranks.tolist()))}. What is the area under its deletion curve, with "
        "one pixel per step?",
        answer=right,
        solution="The pixel with the largest map value goes first. The probabilities are "
        f"1{''.join(f', {v:g}' for v in _curve(shares.tolist(), order))}. With the ends counted "
        f"half and a width of 1/4 the area is {float(right):g}.",
        mistakes=[
            (area(order[::-1]), "You deleted the pixel with the smallest value first.", _EXAMPLE),
            (1 - right, "This is the area of the insertion curve."),
            (area([0, 1, 2, 3]), "You deleted the pixels from left to right."),
        ],
    )


def _curve(shares: list[int], order: list[int]) -> list[float]:
    left = 10 - np.cumsum([shares[pixel] for pixel in order])
    return [float(value) / 10 for value in left]


@kind("map_faithfulness.rank", level="standard", task="compute")
def _rank(rng: Generator) -> Draft:
    first, second = rng.permutation(4) + 1, rng.permutation(4) + 1
    squares = int(((first - second) ** 2).sum())
    right = 1 - Fraction(6 * squares, 60)
    return Draft(
        question="Two maps of four cells have the values "
        f"${matrix(first)}$ and ${matrix(second)}$. What is their rank correlation, "
        r"$1 - 6 \sum d^2 / (n (n^2 - 1))$?",
        answer=right,
        solution=f"The squared differences of the ranks add up to {squares}, and $n(n^2-1) = 60$. "
        rf"So it is $1 - 6 \cdot {squares} / 60 = {float(right):g}$.",
        mistakes=[
            (1 - Fraction(squares, 60), "You left out the factor 6."),
            (-right, "The sign is wrong: the same order gives 1."),
            (Fraction(6 * squares, 60), "You left out the 1 minus."),
        ],
    )


@kind("map_faithfulness.paired", level="exam", task="compute")
def _paired(rng: Generator) -> Draft:
    count = int(rng.integers(4, 6))
    gains = rng.integers(-3, 8, count)
    middle, spread = gains.mean(), gains.std(ddof=1)
    error = float(spread / count**0.5)
    return Draft(
        question=f"On {count} photographs one map's insertion area exceeds another's by "
        f"{', '.join(f'{gain / 100:g}' for gain in gains.tolist())}. What is the standard error of "
        "the mean difference? Give two significant digits.",
        answer=Number(error / 100, digits=2),
        solution=f"The mean difference is {middle / 100:.4g}. The squared deviations from it, "
        f"divided by $n - 1 = {count - 1}$, give a standard deviation of {spread / 100:.4g}, and "
        rf"that divided by $\sqrt{{{count}}}$ is {error / 100:.2g}.",
        mistakes=[
            (float(spread) / 100, "This is the standard deviation of one photograph."),
            (float(gains.std() / count**0.5) / 100, "You divided by n instead of n − 1."),
        ],
    )


@kind("map_faithfulness.steps", level="standard", task="design")
def _steps(rng: Generator) -> Draft:
    limit = int(rng.choice([10, 20, 40, 50]))
    return Draft(
        question="A map is perfect: the probability falls from 1 to 0 in the first step of "
        f"deletion. How many equal steps are needed so that the area can be 1/{limit}?",
        answer=limit // 2,
        solution="The first step is a triangle of height 1 and width $1/n$, an area of $1/(2n)$. "
        f"So $2n = {limit}$.",
        mistakes=[
            (limit, "The curve falls along a straight line within the step: half of it counts."),
            (limit * 2, "The area is 1/(2n), not 2/n."),
        ],
    )


@kind("map_faithfulness.sanity", level="standard", task="find the bug")
def _sanity(rng: Generator) -> Draft:
    answer, mistakes = shuffled(
        rng,
        "Draw every layer from the head down to fire2, not fire2 alone.",
        [
            (
                "Draw the weights with several seeds.",
                "Several seeds help, but the layers after fire2 would still be trained.",
            ),
            ("Use more photographs.", "More photographs help, but it is still not the cascade."),
            (
                "Compare with the Pearson correlation.",
                "Another correlation does not change which weights are new.",
            ),
        ],
    )
    return Draft(
        question="A table says: *weights new in fire2: the map's rank correlation with the "
        "original is −0.02, so the map depends on the whole network*. Only the weights of fire2 "
        "were drawn anew. Which change makes it the cascade of Adebayo and others?",
        answer=answer,
        solution="In the cascade, everything from the head down to the named layer is new. With "
        "fire2 alone, all later layers are still trained.",
        mistakes=mistakes,
    )


@kind("map_faithfulness.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="For one photograph, random numbers as a map score better on deletion than "
        "Grad-CAM. Does that mean the network does not use what Grad-CAM marks? Explain.",
        answer=Explanation(
            (
                "Not necessarily. Random holes all over the photograph make an image unlike any in "
                "training, and the network may fail for that reason.",
                "Deletion mixes the quality of the map with how the network reacts to holes.",
                "Compare with insertion, with another baseline, and on many photographs, in pairs.",
            )
        ),
        solution="",
    )
