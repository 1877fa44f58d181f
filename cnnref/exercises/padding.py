"""Exercises on padding."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.random import Generator

from cnnref import worked
from cnnref.exercises._answers import Choice, Explanation
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix
from cnnref.ops.convolution import conv2d
from cnnref.ops.output_shape import output_size
from cnnref.ops.padding import pad2d

_IN_TOTAL = "#per-side-or-in-total"


@kind("padding.size", level="easy", task="compute")
def _size(rng: Generator) -> Draft:
    n, k, p = int(rng.integers(6, 33)), int(rng.choice([3, 5, 7])), int(rng.integers(1, 4))
    size = output_size(n, k, padding=p)
    return Draft(
        question=f"A {k}×{k} filter slides over an input of {n}×{n} pixels with padding {p} and "
        "stride 1. How many rows does the output have?",
        answer=size,
        solution=rf"Padding is added on both sides: ${n} + 2 \cdot {p} - {k} + 1 = {size}$.",
        mistakes=[
            (size - p, "You added the padding once, but it is per side.", _IN_TOTAL),
            (size - 1, "You left out the + 1: the first position counts too."),
            (n - k + 1, "This is the size without padding."),
            (n, "This padding does not keep the size. A padding of (k − 1)/2 does."),
        ],
    )


@kind("padding.same", level="easy", task="inverse")
def _same(rng: Generator) -> Draft:
    k = int(rng.choice([3, 5, 7, 9, 11]))
    return Draft(
        question=f"What padding per side keeps the size with a {k}×{k} filter and stride 1?",
        answer=(k - 1) // 2,
        solution=f"Without padding the output has $k - 1 = {k - 1}$ rows fewer than the input. "
        f"Each side adds half of them: $({k} - 1)/2 = {(k - 1) // 2}$.",
        mistakes=[
            (k - 1, "This is the total of both sides.", _IN_TOTAL),
            (Fraction(k, 2), "The output is k − 1 rows smaller, not k: half of k − 1 is enough."),
        ],
    )


@kind("padding.corner", level="standard", task="compute")
def _corner(rng: Generator) -> Draft:
    x, w = rng.integers(0, 6, (1, 4, 4)), rng.integers(-2, 3, (1, 1, 3, 3))
    padded = conv2d(x, w, padding=1)[0]
    repeated = conv2d(pad2d(x, 1, mode="replicate"), w)[0]
    flipped = conv2d(x, w[..., ::-1, ::-1], padding=1)[0]
    return Draft(
        question="What is the **bottom left** number of the output of this convolution with zero "
        f"padding 1?\n\n$x = {matrix(x[0])}$, $w = {matrix(w[0, 0])}$",
        answer=int(padded[-1, 0]),
        solution=worked.convolution(x, w, padding=1).to_markdown(cells=[(0, 3, 0)], grid=False),
        mistakes=[
            (int(conv2d(x, w)[0, -1, 0]), "You used the lowest window that needs no padding."),
            (int(flipped[-1, 0]), "You flipped the filter. A convolution layer does not."),
            (
                int(repeated[-1, 0]),
                "You repeated the border. Zero padding is 0.",
                "#other-fillings",
            ),
            (int(padded[0, 0]), "This is the top left number."),
        ],
    )


@kind("padding.design", level="standard", task="design")
def _design(rng: Generator) -> Draft:
    layers, k = int(rng.integers(3, 9)), int(rng.choice([3, 5, 7]))
    lost = layers * (k - 1)
    n = int(rng.integers(lost + 4, lost + 40))
    return Draft(
        question=f"An input of {n}×{n} passes through {layers} layers of {k}×{k} filters with "
        "stride 1 and no padding. You may pad the input once, and nothing else. What padding per "
        f"side makes the last output {n}×{n}?",
        answer=lost // 2,
        solution=f"Each layer removes ${k} - 1 = {k - 1}$ rows, and all {layers} of them "
        f"{lost}. Each side adds half of that: {lost // 2}.",
        mistakes=[
            (lost, "This is the total of both sides.", _IN_TOTAL),
            ((k - 1) // 2, "This is enough for one layer."),
        ],
    )


@kind("padding.bug", level="standard", task="find the bug")
def _bug(rng: Generator) -> Draft:
    # With an even n the wrong formula is right by chance.
    n, k, p, s = 2 * int(rng.integers(10, 30)) + 1, 3, 1, 2
    right, wrong = output_size(n, k, padding=p, stride=s), (n + 2 * p - k + 1) // s
    options = (
        "`2 * p` must be `p`, since padding is counted in total.",
        "`// s` must come before `+ 1`.",
        "`- k` must be `- k // 2`, since the filter is centered.",
        "Nothing. The function is right.",
    )
    return Draft(
        question="What is wrong with `def size(n, k, p, s): return (n + 2 * p - k + 1) // s`? "
        f"Try it with n = {n}, k = {k}, p = {p} and s = {s}.",
        answer=Choice(options, 1),
        solution=rf"The size is $\lfloor (n + 2p - k)/s \rfloor + 1 = {right}$, because the first "
        f"position counts before any step. This function returns {wrong}.",
        mistakes=[
            (0, "Padding p is per side, so both sides add 2p.", _IN_TOTAL),
            (2, "The first window starts at the padded edge, so all k of its rows count."),
            (3, f"It returns {wrong}, but the filter has {right} positions."),
        ],
    )


@kind("padding.touched", level="exam", task="estimate")
def _touched(rng: Generator) -> Draft:
    n, k = int(rng.integers(8, 30)), int(rng.choice([3, 5, 7]))
    p = (k - 1) // 2
    inner = n - 2 * p
    read = conv2d(np.ones((1, n, n), int), np.ones((1, 1, k, k), int), padding=p)
    touched = int((read < k * k).sum())
    return Draft(
        question=f"Zero padding {p} keeps an image of {n}×{n} at its size with a {k}×{k} filter. "
        "How many cells of the output read at least one padding cell?",
        answer=touched,
        solution=rf"The inner ${n} - 2 \cdot {p} = {inner}$ rows and columns of the output read no "
        f"padding, which leaves ${n}^2 - {inner}^2 = {touched}$.",
        mistakes=[
            (4 * p * n, "You counted the corners twice."),
            (
                (n + 2 * p) ** 2 - n * n,
                "These are the padding cells themselves.",
            ),
            (inner**2, "These are the cells that read no padding."),
        ],
    )


@kind("padding.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="Max pooling pads with −∞, average pooling with zeros. Explain why neither can "
        "use the other's value.",
        answer=Explanation(
            (
                "A maximum ignores −∞, so a pixel always wins. With zeros, the padding would win "
                "over negative pixels.",
                "An average with −∞ in its window is −∞, whatever the pixels are.",
                "Zeros pull an average toward 0; `count_include_pad=False` prevents it.",
            )
        ),
        solution="",
    )
