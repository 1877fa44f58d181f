"""Exercises on layers and depth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cnnref.exercises._answers import Explanation, Number
from cnnref.exercises._choices import shuffled
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix
from cnnref.networks import Conv
from cnnref.networks.receptive_field import receptive_field
from cnnref.ops.convolution import conv2d
from cnnref.ops.output_shape import output_size

_LEARNED = "#depth-makes-features-complex"


@kind("deeper_layers.dot", level="easy", task="compute")
def _dot(rng: Generator) -> Draft:
    patch, w = rng.integers(0, 6, (2, 2, 2)), rng.integers(-2, 4, (2, 2, 2))
    right = int(conv2d(patch, w[None])[0, 0, 0])
    return Draft(
        question="A patch of two channels and a filter are\n\n$$\n"
        f"x_1 = {matrix(patch[0])} \\quad x_2 = {matrix(patch[1])}\n$$\n\n$$\n"
        f"w_1 = {matrix(w[0])} \\quad w_2 = {matrix(w[1])}\n$$\n\n"
        "What is the number in the activation map?",
        answer=right,
        solution="It is the dot product of all eight numbers: "
        rf"${int((patch[0] * w[0]).sum())} + ({int((patch[1] * w[1]).sum())}) = {right}$.",
        mistakes=[
            (int((patch[0] * w[0]).sum()), "You left out the second channel."),
            (int(conv2d(patch, w[None, :, ::-1, ::-1])[0, 0, 0]), "You flipped the filter."),
        ],
    )


@kind("deeper_layers.vector", level="easy", task="compute")
def _vector(rng: Generator) -> Draft:
    channels, filters = (2 ** rng.choice([4, 5, 6, 7], 2, replace=False)).tolist()
    k, n = int(rng.choice([3, 5])), int(rng.integers(10, 30))
    side = output_size(n, k)
    return Draft(
        question=f"An input of {channels} channels with {n}×{n} cells passes through {filters} "
        f"filters of {k}×{k} without padding. Written as a table with one row per patch, how many "
        "numbers does a row have?",
        answer=channels * k * k,
        solution=rf"A patch covers all input channels: ${channels} \cdot {k} \cdot {k} = "
        f"{channels * k * k}$. The table has {side * side:,} rows.",
        mistakes=[
            (k * k, "A patch covers all input channels."),
            (filters * k * k, "The number of filters is the number of columns of the weights."),
            (side * side, "This is the number of rows."),
        ],
    )


@kind("deeper_layers.field", level="standard", task="design")
def _field(rng: Generator) -> Draft:
    k, wanted = int(rng.choice([3, 5])), int(rng.integers(20, 60))
    count = math.ceil((wanted - 1) / (k - 1))
    reached = receptive_field([Conv(8, k)] * count)[-1].size[0]
    return Draft(
        question=f"An eye is {wanted} pixels wide. How many {k}×{k} convolutions with stride 1 "
        "does a unit need at least to see all of it?",
        answer=count,
        solution=f"Each layer adds ${k} - 1 = {k - 1}$ pixels to the receptive field, which starts "
        f"at 1. {count} layers reach {reached}.",
        mistakes=[
            (math.ceil(wanted / k), "Neighbouring windows overlap: a layer adds k − 1 pixels."),
            (count - 1, "One layer fewer does not reach that far."),
        ],
    )


@kind("deeper_layers.trade", level="standard", task="inverse")
def _trade(rng: Generator) -> Draft:
    halvings, channels = int(rng.integers(1, 4)), int(rng.choice([8, 16, 24, 32]))
    return Draft(
        question=f"A layer has maps with {channels} channels. Later layers halve height and width "
        f"{halvings} {'time' if halvings == 1 else 'times'}. How many channels keep the number of "
        "values the same?",
        answer=channels * 4**halvings,
        solution="Each halving of both sides leaves a quarter of the cells: "
        rf"${channels} \cdot 4^{{{halvings}}} = {channels * 4**halvings}$.",
        mistakes=[
            (channels * 2**halvings, "Both sides are halved, so a quarter of the cells is left."),
            (channels * 4 * halvings, "The factors of the halvings multiply."),
        ],
    )


@kind("deeper_layers.compare", level="standard", task="find the bug")
def _compare(rng: Generator) -> Draft:
    factor = int(rng.integers(2, 9))
    answer, mistakes = shuffled(
        rng,
        "Responses of two channels cannot be compared: their filters may have different lengths.",
        [
            (
                "Nothing: the larger response is the better match.",
                "A filter with weights twice as large responds twice as strongly to everything.",
            ),
            (
                "The ReLU should come first.",
                "The order of ReLU and comparison does not matter here.",
            ),
            (
                "The patches should have more pixels.",
                "The size of the patches is given by the receptive field.",
            ),
        ],
    )
    return Draft(
        question=f"Channel 1 responds to its best patch with {10 * factor}, channel 2 to its best "
        "patch with 10. A report concludes that channel 1 has found its pattern and channel 2 has "
        "not. What is wrong?",
        answer=answer,
        solution=f"Multiply all weights of channel 2 by {factor}: its response becomes "
        f"{10 * factor}, and its best patches stay the same.",
        mistakes=mistakes,
    )


@kind("deeper_layers.centred", level="exam", task="compute")
def _centred(rng: Generator) -> Draft:
    base = rng.integers(4, 9, 2)
    moves = rng.permutation([[2, 0], [0, 2], [-2, -2]])
    rows = base + moves
    centred = rows - rows.mean(axis=0)
    right, raw = (_cosine(one[0], one[1]) for one in (centred, rows))
    return Draft(
        question="Three photographs have these descriptions, one per row, at a layer:\n\n$$\n"
        f"{matrix(rows)}\n$$\n\nWhat is the cosine of the angle between the first two, after the "
        "mean description is subtracted? Give two significant digits.",
        answer=Number(right, digits=2),
        solution=f"The mean is {tuple(rows.mean(axis=0).astype(int).tolist())}. What is left of "
        f"the first two is {tuple(centred[0].astype(int).tolist())} and "
        f"{tuple(centred[1].astype(int).tolist())}, with a cosine of {right:.2g}. Before, it was "
        f"{raw:.2g}.",
        mistakes=[
            (raw, "You did not subtract the mean.", _LEARNED),
            (float(centred[0] @ centred[1]), "Divide the dot product by both lengths."),
        ],
    )


def _cosine(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


@kind("deeper_layers.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="In a network with random weights all photographs have descriptions with a cosine "
        "of almost 1 in the last layer. Does that mean it cannot tell them apart? Explain.",
        answer=Explanation(
            (
                "No. After a ReLU all channel means are positive, so the descriptions share a "
                "direction, which dominates the cosine.",
                "Subtract the mean description: the photographs differ then.",
                "Whether the differences are about the things in them is another question. It "
                "needs labels, and training answers it.",
            )
        ),
        solution="",
    )
