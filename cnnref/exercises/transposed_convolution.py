"""Exercises on transposed convolution."""

from __future__ import annotations

from numpy.random import Generator

from cnnref import worked
from cnnref.exercises._answers import Choice, Explanation
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix
from cnnref.ops.output_shape import output_size
from cnnref.ops.transposed_convolution import (
    conv_transpose2d,
    conv_transpose2d_shape,
    output_padding,
)

_SIZE = "#the-outputs-size"
_GATHER = "#scatter-or-gather"
_EXTRA = "#why-output_padding-exists"


@kind("transposed_convolution.size", level="easy", task="compute")
def _size(rng: Generator) -> Draft:
    n, k = int(rng.integers(4, 33)), int(rng.integers(3, 6))
    s, p = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    a = int(rng.integers(0, s))
    shape = conv_transpose2d_shape((1, n, n), (1, 1, k, k), s, p, a)
    size = shape.output_size[0]
    return Draft(
        question=f"`ConvTranspose2d(…, kernel_size={k}, stride={s}, padding={p}, "
        f"output_padding={a})` gets {n}×{n} cells. How many rows does its output have?",
        answer=size,
        solution=rf"$({n} - 1) \cdot {s} + {k} - 2 \cdot {p} + {a} = {size}$.",
        mistakes=[
            (output_size(n, k, s, p), "This is the size of the ordinary convolution.", _SIZE),
            (size + 2 * p, "The padding cuts cells off here.", _SIZE),
            (size + p, "The padding is cut off on both sides.", _SIZE),
            (size + s, "The last of n stamps starts after n − 1 steps.", _SIZE),
            (size - a if a else None, "You left out the output padding.", _EXTRA),
        ],
    )


@kind("transposed_convolution.row", level="easy", task="compute")
def _row(rng: Generator) -> Draft:
    x, w = rng.integers(1, 6, 3), rng.integers(-2, 5, 3)
    bias = int(rng.integers(1, 10))
    image, weight = x.reshape(1, 1, 3), w.reshape(1, 1, 1, 3)
    row = conv_transpose2d(image, weight, [bias], stride=(1, 2), padding=(0, 1))[0]
    flipped = conv_transpose2d(image, weight[..., ::-1], [bias], (1, 2), (0, 1))[0]
    whole = conv_transpose2d(image, weight, [bias], (1, 2))[0]
    return Draft(
        question=f"The row ${matrix(x)}$ goes through a transposed convolution with the filter "
        f"${matrix(w)}$, stride 2, padding 1 and a bias of {bias}. What is the output?",
        answer=row,
        solution=worked.transposed_convolution(
            image, weight, [bias], stride=(1, 2), padding=(0, 1)
        ),
        mistakes=[
            (whole, "A padding of 1 cuts off one cell on each side.", _SIZE),
            (flipped, "You flipped the filter. Each stamp is the filter as it is.", _GATHER),
            (row - bias, "You left out the bias."),
        ],
    )


@kind("transposed_convolution.output_padding", level="standard", task="inverse")
def _output_padding(rng: Generator) -> Draft:
    k, s = int(rng.choice([3, 5, 7])), int(rng.integers(3, 6))
    p, before = (k - 1) // 2, int(rng.integers(20, 60))
    n = output_size(before, k, s, p)
    extra = output_padding(n, before, k, s, p)
    return Draft(
        question=f"A convolution ({k}×{k}, stride {s}, padding {p}) takes {before}×{before} to "
        f"{n}×{n}. A transposed convolution with the same settings should bring the size back. "
        "Which `output_padding` does it need?",
        answer=extra,
        solution=rf"Without it the output has $({n} - 1) \cdot {s} + {k} - 2 \cdot {p} = "
        rf"{before - extra}$ rows, so {extra} more bring back {before}. `cnnref.output_padding("
        f"{n}, {before}, {k}, stride={s}, padding={p})` computes it.",
        mistakes=[
            (before - n * s if before > n * s else None, "The size is not n times the stride."),
            (s - 1, "That is the most it can be, not what this size needs.", _EXTRA),
            (0, "Without it the size is smaller. The floor of the convolution dropped rows."),
        ],
    )


@kind("transposed_convolution.kernel", level="standard", task="design")
def _kernel(rng: Generator) -> Draft:
    s, p = int(rng.integers(2, 9)), int(rng.integers(1, 4))
    return Draft(
        question=f"A transposed convolution should make every size exactly {s} times as large, "
        f"with stride {s}, padding {p} and no output padding. Which kernel size does that?",
        answer=s + 2 * p,
        solution=rf"From $(n - 1) \cdot {s} + k - 2 \cdot {p} = {s}\,n$ follows "
        rf"$k = {s} + 2 \cdot {p} = {s + 2 * p}$.",
        mistakes=[
            (s + p, "The padding is cut off on both sides.", _SIZE),
            (2 * p + 1, "This kernel keeps the size of an ordinary convolution at stride 1."),
            (s, "This kernel needs a padding of 0."),
        ],
    )


@kind("transposed_convolution.gather", level="standard", task="compute")
def _gather(rng: Generator) -> Draft:
    k, d = int(rng.integers(3, 6)), int(rng.integers(1, 4))
    p = int(rng.integers(1, k - 1))
    padding = d * (k - 1) - p
    return Draft(
        question=f"A transposed convolution has a {k}×{k} filter, stride 2, dilation {d} and "
        f"padding {p}. You replace it by an ordinary convolution at stride 1 over the input with "
        "zeros inserted, and flip the filter. Which padding does that convolution need?",
        answer=padding,
        solution=rf"$p' = d\,(k - 1) - p = {d} \cdot {k - 1} - {p} = {padding}$: with "
        "a padding of 0, every stamp must fit, so windows may overlap the input by a single cell.",
        mistakes=[
            (p, "The padding of the transposed convolution cuts cells off.", _GATHER),
            (k - 1 - p if d > 1 else None, "The filter is dilated, so it reaches further."),
            (d * (k - 1) + p, "The padding p cuts cells off, so it is subtracted.", _GATHER),
        ],
    )


@kind("transposed_convolution.overlap", level="exam", task="estimate")
def _overlap(rng: Generator) -> Draft:
    s = int(rng.integers(2, 5))
    k = s * int(rng.integers(1, 4)) + int(rng.integers(1, s))
    most, fewest = -(-k // s), k // s
    return Draft(
        question=f"A transposed convolution has a {k}×{k} filter and stride {s}. Away from the "
        "border, what is the largest number of stamps that overlap in one output cell?",
        answer=most**2,
        solution=rf"Along one axis, stamps of {k} cells start every {s} cells, so a cell lies "
        rf"under $\lfloor {k}/{s} \rfloor = {fewest}$ or $\lceil {k}/{s} \rceil = {most}$ of them. "
        f"In two dimensions that is up to ${most}^2 = {most**2}$, next to cells with only "
        f"${fewest}^2 = {fewest**2}$: the checkerboard.",
        mistakes=[
            (most, "This is along one axis.", "#the-checkerboard"),
            (fewest**2, "This is the smallest number.", "#the-checkerboard"),
            (k * k, "That would be at stride 1."),
        ],
    )


@kind("transposed_convolution.bug", level="exam", task="find the bug")
def _bug(rng: Generator) -> Draft:
    channels, filters = (int(c) for c in rng.choice([2, 3, 4, 6, 8], 2, replace=False))
    n = int(rng.integers(4, 12))
    options = (
        "The weight's first two axes must be exchanged.",
        "The stride must be 1.",
        "The output needs an `output_padding` of 1.",
        "Nothing. The output has twice the size.",
    )
    return Draft(
        question=f"An input of {channels} channels and {n}×{n} cells should become {filters} "
        f"channels of {2 * n}×{2 * n} cells. `conv_transpose2d(x, w, stride=2)` with a weight of "
        f"shape ({filters}, {channels}, 2, 2) raises an error. What is wrong?",
        answer=Choice(options, 0),
        solution="The weight of a transposed convolution has the **input** channels first: "
        f"({channels}, {filters}, 2, 2). The size is right: "
        rf"$({n} - 1) \cdot 2 + 2 = {2 * n}$.",
        mistakes=[
            (1, "The stride makes the output larger; the size is right."),
            (2, f"The output has {2 * n} rows without it.", _SIZE),
            (3, "The call raises an error.", "#the-weights-channels-in-the-wrong-order"),
        ],
    )


@kind("transposed_convolution.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="Transposed convolution is often called deconvolution. Explain why it does not "
        "undo a convolution, and what it does bring back.",
        answer=Explanation(
            (
                "It multiplies by the transpose of the convolution's matrix, which is not the "
                "inverse.",
                "Without padding, the output has fewer numbers than the input, so different "
                "images have the same output and no operation can tell them apart.",
                "It brings back the shape of the input, and it is the gradient with respect to it.",
            )
        ),
        solution="",
    )
