"""Exercises on other maps of evidence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cnnref.exercises._answers import Explanation, Matrix, Number
from cnnref.exercises._choices import shuffled
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix
from cnnref.ops.output_shape import output_size

_SATURATED = "#the-gradient-is-zero-where-the-score-is-saturated"


@kind("attribution_methods.product", level="easy", task="compute")
def _product(rng: Generator) -> Draft:
    weights, x = rng.integers(-4, 5, (2, 2)), rng.integers(0, 6, (2, 2))
    return Draft(
        question="A score is the sum of $w \\cdot x$ over four pixels, with "
        f"$w = {matrix(weights)}$ and $x = {matrix(x)}$. What is gradient × input, with its "
        "signs?",
        answer=Matrix(weights * x),
        solution="The gradient with respect to the pixels is $w$. Multiply it by $x$ cell by cell: "
        f"the products add up to the score, {int((weights * x).sum())}.",
        mistakes=[
            (weights, "This is the gradient alone."),
            (np.abs(weights * x), "The signs tell for and against."),
            (weights @ x, "Multiply cell by cell; this is the matrix product."),
        ],
    )


@kind("attribution_methods.complete", level="easy", task="inverse")
def _complete(rng: Generator) -> Draft:
    known = rng.integers(-5, 9, 3).tolist()
    baseline, score = int(rng.integers(1, 5)), int(rng.integers(6, 20))
    missing = score - baseline - sum(known)
    return Draft(
        question=f"The score of an image is {score} and that of the baseline {baseline}. The image "
        "has four pixels, and integrated gradients give three of them "
        f"{', '.join(map(str, known))}. What is the fourth?",
        answer=missing,
        solution="They add up to the difference of the scores, "
        rf"${score} - {baseline} = {score - baseline}$. So the fourth is "
        f"${score - baseline} - ({sum(known)}) = {missing}$.",
        mistakes=[
            (score - sum(known), "The sum is the difference to the baseline's score."),
            (score - baseline + sum(known), "Subtract the other three."),
        ],
    )


@kind("attribution_methods.occlusion", level="standard", task="design")
def _occlusion(rng: Generator) -> Draft:
    window = int(rng.choice([16, 32, 64]))
    stride = window // 2
    size = window + stride * int(rng.integers(4, 12))
    steps = output_size(size, window, stride=stride)
    return Draft(
        question=f"Occlusion hides a window of {window}×{window} pixels of a {size}×{size} image "
        f"and moves it by {stride} pixels. How many forward passes does it take, with one for the "
        "whole image?",
        answer=steps**2 + 1,
        solution=rf"There are $({size} - {window}) / {stride} + 1 = {steps}$ positions along each "
        rf"side, and ${steps}^2 + 1 = {steps**2 + 1}$ passes.",
        mistakes=[
            (steps**2, "You left out the pass of the whole image."),
            ((steps - 1) ** 2 + 1, "The first position counts too."),
            (2 * steps + 1, "The window moves in both directions."),
        ],
    )


@kind("attribution_methods.saturated", level="exam", task="compute")
def _saturated(rng: Generator) -> Draft:
    limit, x = int(rng.integers(2, 6)), int(rng.integers(7, 12))
    slope = int(rng.integers(2, 5))
    return Draft(
        question=f"The score of one pixel is $y = {slope} \\min(x, {limit})$. What do integrated "
        f"gradients give at $x = {x}$, from the baseline 0?",
        answer=slope * limit,
        solution=f"Along the path the gradient is {slope} up to {limit} and 0 after it, a share of "
        rf"${limit}/{x}$ of the path. So ${x} \cdot {slope} \cdot {limit}/{x} = {slope * limit}$, "
        "the difference of the two scores.",
        mistakes=[
            (0, "This is gradient × input: the score is saturated there.", _SATURATED),
            (slope * x, "The gradient is not the same along the path."),
        ],
    )


@kind("attribution_methods.score_cam", level="standard", task="estimate")
def _score_cam(rng: Generator) -> Draft:
    scores = np.sort(rng.choice(np.arange(10, 20), 3, replace=False))[::-1]
    weights = _softmax(scores.astype(float))
    return Draft(
        question="Behind the masks of three channels the score of the class is "
        f"{', '.join(map(str, scores.tolist()))}. Which share of the weight does the first channel "
        "get in Score-CAM as the paper defines it? Give two significant digits.",
        answer=Number(float(weights[0]), digits=2),
        solution="The softmax of the scores over the channels: the others have "
        + " and ".join(f"$e^{{{int(one - scores[0])}}}$" for one in scores[1:])
        + f" times its weight, which leaves {weights[0]:.2g}.",
        mistakes=[
            (float(scores[0] / scores.sum()), "You divided the scores by their sum."),
            (float(weights[-1]), "This is the share of the last channel."),
        ],
    )


def _softmax(values: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(values - values.max())
    return powers / powers.sum()  # type: ignore[no-any-return]


@kind("attribution_methods.guided", level="standard", task="find the bug")
def _guided(rng: Generator) -> Draft:
    answer, mistakes = shuffled(
        rng,
        "The picture would look the same if the head had random weights.",
        [
            ("The picture has too few pixels.", "It has as many pixels as the image."),
            (
                "The class was chosen by number, not by name.",
                "The number of a class is as good as its name.",
            ),
            ("The network was in eval mode.", "Eval mode is right."),
        ],
    )
    return Draft(
        question="A report shows a crisp picture by guided backpropagation and concludes that the "
        "network recognises a dog by its ears. What is wrong with that?",
        answer=answer,
        solution="Guided backpropagation changes little when the weights of the head are drawn "
        "anew, so it cannot show what the network has learned about the class.",
        mistakes=mistakes,
    )


@kind("attribution_methods.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="Integrated gradients with a black baseline never mark a black object. Explain "
        "why, and name two ways out.",
        answer=Explanation(
            (
                "A pixel's share is its distance from the baseline times the mean gradient. A "
                "black pixel has no distance from a black baseline.",
                "Take another baseline, such as a blurred image or the mean colour, or average "
                "over several.",
                "Or hide the object and measure the score, as occlusion does.",
            )
        ),
        solution="",
    )
