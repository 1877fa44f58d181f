"""Exercises on dilation."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from cnnref import worked
from cnnref.exercises._answers import Choice, Explanation
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix
from cnnref.ops.convolution import conv2d
from cnnref.ops.output_shape import output_size

_SIZE = "#forgetting-dilation-in-the-size"


@kind("dilation.reach", level="easy", task="compute")
def _reach(rng: Generator) -> Draft:
    k, d = int(rng.choice([3, 5, 7])), int(rng.integers(2, 9))
    reach = d * (k - 1) + 1
    return Draft(
        question=f"How many rows does the window of a {k}×{k} filter with dilation {d} reach?",
        answer=reach,
        solution=rf"Between its first and last row are ${k} - 1$ steps of {d}: ${d} \cdot ({k} - "
        rf"1) + 1 "
        f"= {reach}$.",
        mistakes=[
            (d * k, "You counted the holes after the last row too."),
            (k + d, "Every step grows, not the window as a whole."),
            ((d + 1) * (k - 1) + 1, "You counted dilation from 0. An ordinary convolution has 1."),
            (k, "This is how many rows it reads."),
        ],
    )


@kind("dilation.cell", level="standard", task="compute")
def _cell(rng: Generator) -> Draft:
    x, w = rng.integers(0, 9, (1, 5, 5)), rng.integers(-2, 3, (1, 1, 3, 3))
    return Draft(
        question="The filter $w$ with dilation 2 fits into $x$ once. What is the output?"
        f"\n\n$x = {matrix(x[0])}$, $w = {matrix(w[0, 0])}$",
        answer=conv2d(x, w, dilation=2).item(),
        solution=worked.convolution(x, w, dilation=2),
        mistakes=[
            (int(conv2d(x, w)[0, 0, 0]), "You used the top left 3×3 pixels, which is dilation 1."),
            (int(conv2d(x, w)[0, 1, 1]), "You used the middle 3×3 pixels, which is dilation 1."),
            (
                conv2d(x, w[..., ::-1, ::-1], dilation=2).item(),
                "You flipped the filter. A convolution layer does not.",
            ),
        ],
    )


@kind("dilation.same", level="easy", task="inverse")
def _same(rng: Generator) -> Draft:
    k, d = int(rng.choice([3, 5])), int(rng.integers(2, 9))
    padding = d * (k - 1) // 2
    return Draft(
        question=f"What padding per side keeps the size with a {k}×{k} filter, dilation {d} and "
        "stride 1?",
        answer=padding,
        solution=rf"The window reaches ${d} \cdot ({k} - 1) = {2 * padding}$ pixels beyond its "
        rf"first "
        f"one. Each side adds half of them: {padding}.",
        mistakes=[
            ((k - 1) // 2, "This keeps the size only with dilation 1.", _SIZE),
            (2 * padding, "This is the total of both sides."),
            (d, "This is right only for a filter of 3.") if k != 3 else (None, ""),
        ],
    )


@kind("dilation.stack", level="standard", task="design")
def _stack(rng: Generator) -> Draft:
    target = int(rng.integers(20, 500))
    layers = math.ceil(math.log2((target - 1) / 2 + 1))
    field = 2 * (2**layers - 1) + 1
    return Draft(
        question="3×3 layers with stride 1 have the dilations 1, 2, 4, 8 and so on. How many of "
        "them "
        f"does it take until one output sees at least {target} pixels in a row?",
        answer=layers,
        solution=rf"A layer adds twice its dilation, so $L$ layers see $1 + 2 (2^L - 1)$ pixels. "
        rf"$L = {layers - 1}$ gives {2 * (2 ** (layers - 1) - 1) + 1}, $L = {layers}$ gives "
        rf"{field}.",
        mistakes=[
            (math.ceil((target - 1) / 2), "This many layers it takes without dilation."),
            (layers - 1, "This sees too little; check it with the sum."),
            (math.ceil(math.log2(target)), "You doubled the field itself; each layer adds 2d."),
        ],
    )


@kind("dilation.bug", level="standard", task="find the bug")
def _bug(rng: Generator) -> Draft:
    d = int(rng.integers(2, 6))
    size = output_size(32, 3, padding=1, dilation=d)
    options = (
        f"`padding=1` must be `padding={d}`.",
        f"`dilation={d}` must be `dilation={d - 1}`, since it counts the holes.",
        f"The filter has {2 * d + 1}×{2 * d + 1} weights now, so its shape is wrong.",
        "Nothing. The size is kept.",
    )
    return Draft(
        question=f"`Conv2d(8, 8, 3, padding=1, dilation={d})` is meant to keep 32×32. What is "
        f"wrong?",
        answer=Choice(options, 0),
        solution=rf"The window reaches ${d} \cdot 2 + 1 = {2 * d + 1}$ pixels, so the output has "
        f"{size} rows. Padding {d} on each side keeps 32.",
        mistakes=[
            (1, "An ordinary convolution has dilation 1.", "#counting-dilation-from-zero"),
            (2, "The filter keeps its nine weights; only their distance grows."),
            (3, f"The output has {size} rows.", _SIZE),
        ],
    )


@kind("dilation.unseen", level="exam", task="estimate")
def _unseen(rng: Generator) -> Draft:
    layers, d = int(rng.integers(2, 6)), int(rng.integers(2, 5))
    seen = np.zeros(1, dtype=int)
    for _ in range(layers):
        seen = np.unique(np.add.outer(seen, (-d, 0, d)))
    field = int(seen[-1] - seen[0]) + 1
    return Draft(
        question=f"{layers} layers of 3×3 filters with stride 1 all have dilation {d}. One "
        f"output's "
        f"field is {field} pixels wide. How many of these {field} columns does it not see?",
        answer=field - len(seen),
        solution=rf"Every step is a multiple of {d}, so only every column number that {d} divides "
        rf"is "
        rf"seen: ${len(seen)}$ of ${field}$. The remaining {field - len(seen)} are holes, however "
        "many layers follow.",
        mistakes=[
            (len(seen), "These are the columns that it sees."),
            (0, "The holes of one layer line up with those of the next.", "#gridding"),
            (field - 3, "This is one layer; the next ones read columns between."),
        ],
    )


@kind("dilation.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="A network labels every pixel of an image. Why might it use dilation instead of "
        "pooling, and why should the dilations of its layers not all be 2?",
        answer=Explanation(
            (
                "Pooling enlarges the field by giving up resolution, which the labels need.",
                "Dilation enlarges it with the same number of weights and the same resolution.",
                "With a common factor of 2 an output sees only every other row and column, so "
                "neighboring outputs read different pixels (gridding). Include a layer with "
                "dilation 1, and choose dilations without a common factor.",
            )
        ),
        solution="",
    )
