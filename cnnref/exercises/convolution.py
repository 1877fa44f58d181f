"""Exercises on convolution."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from cnnref import worked
from cnnref.exercises._answers import Choice, Explanation, Number
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix
from cnnref.ops.convolution import conv2d


@kind("convolution.cell", level="easy", task="compute")
def _cell(rng: Generator) -> Draft:
    x, w = rng.integers(0, 7, (1, 3, 3)), rng.integers(-3, 4, (1, 1, 3, 3))
    return Draft(
        question="A window and a filter are given. What is the output of the layer at this "
        "position?"
        f"\n\n$x = {matrix(x[0])}$, $w = {matrix(w[0, 0])}$",
        answer=conv2d(x, w).item(),
        solution=worked.convolution(x, w),
        mistakes=[
            (
                conv2d(x, w[..., ::-1, ::-1]).item(),
                "You flipped the filter, which a layer does not.",
            ),
            (
                int(np.trace(x[0] @ w[0, 0])),
                "You multiplied the matrices; multiply them cell by cell, and add all nine "
                "products.",
            ),
            (int(x.sum()), "You added the window and left the filter out."),
        ],
    )


@kind("convolution.channels", level="easy", task="compute")
def _channels(rng: Generator) -> Draft:
    x, w = rng.integers(0, 6, (2, 2, 2)), rng.integers(-3, 4, (1, 2, 2, 2))
    bias = int(rng.integers(1, 9))
    each = [int((x[c] * w[0, c]).sum()) for c in range(2)]
    channels = ", ".join(
        f"$x_{c + 1} = {matrix(x[c])}$, $w_{c + 1} = {matrix(w[0, c])}$" for c in range(2)
    )
    return Draft(
        question="A window of 2 channels lies under a filter with 2 channels and the bias "
        f"{bias}. What is the output at this position?\n\n{channels}",
        answer=conv2d(x, w, bias=[bias]).item(),
        solution=worked.convolution(x, w, bias=[bias]),
        mistakes=[
            (sum(each), "You left out the bias."),
            (
                sum(each) + 2 * bias,
                "You added the bias once per channel. It is added once per filter.",
            ),
            (each[0] + bias, "You left out the second channel. All channels are summed."),
            (int(x.sum() * w.sum()) + bias, "You summed before you multiplied."),
        ],
    )


@kind("convolution.filter", level="standard", task="inverse")
def _filter(rng: Generator) -> Draft:
    down, right = int(rng.integers(0, 3)), int(rng.integers(0, 3))
    w = np.zeros((1, 1, 3, 3), dtype=int)
    w[0, 0, down, right] = factor = int(rng.integers(2, 6))
    x = rng.permutation(np.arange(1, 17)).reshape(1, 4, 4)
    y = conv2d(x, w)[0]
    flipped = np.zeros((3, 3), dtype=int)
    flipped[2 - down, 2 - right] = factor
    return Draft(
        question="A 3×3 filter has a single number that is not 0. From the input $x$ it makes $y$. "
        f"What is the filter?\n\n$x = {matrix(x[0])}$, $y = {matrix(y)}$",
        answer=w[0, 0],
        solution=f"Each number of $y$ is {factor} times a number of $x$: ${y[0, 0]} = {factor} "
        rf"\cdot {y[0, 0] // factor}$. In the first window this number is in row {down + 1}, "
        rf"column "
        f"{right + 1}, so there the filter has its {factor}.",
        mistakes=[
            (flipped, "This is the flipped filter: a layer does not flip."),
            (w[0, 0].T, "You swapped rows and columns."),
            (w[0, 0] // factor, "This one copies the number; it must also multiply it."),
        ],
    )


@kind("convolution.weights", level="standard", task="design")
def _weights(rng: Generator) -> Draft:
    side, channels = int(rng.integers(8, 17)), int(rng.choice([3, 8, 16]))
    k = int(rng.choice([3, 5]))
    per_filter = channels * k * k + 1
    filters = int(rng.integers(10, 40))
    budget = filters * per_filter + int(rng.integers(0, per_filter))
    return Draft(
        question=f"An input has {channels} channels of {side}×{side}. You may spend {budget:,} "
        f"numbers on one layer of {k}×{k} filters, biases included. How many filters can you have?",
        answer=Number(budget // per_filter, "filters"),
        solution=rf"A filter has ${channels} \cdot {k} \cdot {k}$ weights and a bias, together "
        f"{per_filter}. That fits {budget // per_filter} times into {budget:,}. The size of the "
        f"image "
        "does not matter.",
        mistakes=[
            (budget // (k * k), "Each filter has weights for every channel of the input."),
            (budget // (k * k + 1), "Each filter has weights for every channel of the input."),
            (budget // (channels * side * side + 1), "This is a fully connected layer."),
            (budget // (channels * (k * k + 1)), "A filter has one bias, not one per channel."),
        ],
    )


@kind("convolution.products", level="standard", task="estimate")
def _products(rng: Generator) -> Draft:
    height, width = int(rng.integers(6, 20)), int(rng.integers(21, 30))
    channels, filters, k = int(rng.integers(2, 9)), int(rng.integers(9, 17)), 3
    rows, columns = height - k + 1, width - k + 1
    macs = rows * columns * filters * channels * k * k
    return Draft(
        question=f"{filters} filters of 3×3 slide over {channels} channels of {height}×{width}, "
        "without padding and with stride 1. How many multiplications is that?",
        answer=macs,
        solution=rf"There are ${rows} \cdot {columns}$ positions, ${filters}$ filters at each, and "
        rf"${channels} \cdot 9$ products for each filter: ${rows} \cdot {columns} \cdot {filters} "
        rf"\cdot {channels} \cdot 9 = {macs:,}$.".replace(",", "{,}"),
        mistakes=[
            (macs // channels, "You forgot the channels of the input."),
            (macs // filters, "This is for one filter."),
            (
                height * width * filters * channels * k * k,
                "Without padding the filter has fewer positions than the image has pixels.",
            ),
            (2 * macs, "You counted the additions too."),
        ],
    )


@kind("convolution.bug", level="standard", task="find the bug")
def _bug(rng: Generator) -> Draft:
    k = int(rng.choice([3, 5]))
    options = (
        "`range(H - k)` and `range(W - k)` each stop one position too early.",
        "`x[:, i:i+k, j:j+k]` must be flipped first.",
        "`sum()` must add over the rows and columns, but not over the channels.",
        "Nothing. The function is right.",
    )
    return Draft(
        question="`x` has the shape (C, H, W), `w` the shape (C, k, k). What is wrong with "
        "`[[(x[:, i:i+k, j:j+k] * w).sum() for j in range(W - k)] for i in range(H - k)]`? Try it "
        f"with k = {k} on an image of {k}×{k}.",
        answer=Choice(options, 0),
        solution=f"A {k}×{k} filter has one position on a {k}×{k} image, but `range(0)` has none: "
        r"there are $H - k + 1$ positions down and $W - k + 1$ across.",
        mistakes=[
            (1, "A convolution layer does not flip."),
            (
                2,
                "A filter adds over all channels; that is why one filter makes one output channel.",
            ),
            (3, f"On {k}×{k} it returns an empty list; the right output has one number."),
        ],
    )


@kind("convolution.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="A convolution is a fully connected layer with two restrictions. Name them, say "
        "what each assumes about images, and what follows if the image moves by one pixel.",
        answer=Explanation(
            (
                "Locality: a cell of the output reads only the pixels of its window. It assumes "
                "that "
                "what belongs together is close together.",
                "Sharing: all positions use the same weights. It assumes that what is worth "
                "finding "
                "in one place is worth finding in every other.",
                "Because of sharing the output moves along (equivariance), away from the border "
                "and "
                "with stride 1.",
            )
        ),
        solution="",
    )


@kind("convolution.linear", level="exam", task="inverse")
def _linear(rng: Generator) -> Draft:
    first, second = int(rng.integers(3, 20)), int(rng.integers(-20, -2))
    a, b, bias = int(rng.integers(2, 5)), int(rng.integers(2, 5)), int(rng.integers(1, 9))
    total = a * (first - bias) + b * (second - bias) + bias
    return Draft(
        question=f"At some position a filter with the bias {bias} responds to image A with {first} "
        f"and to image B with {second}. What is its response to the image {a}A + {b}B at this "
        "position, before any ReLU?",
        answer=total,
        solution=rf"Without the bias the layer is linear: ${first} - {bias} = {first - bias}$ and "
        rf"${second} - {bias} = {second - bias}$. So ${a} \cdot {first - bias} + {b} \cdot "
        rf"({second - bias}) = {total - bias}$, and the bias is added once: {total}.",
        mistakes=[
            (
                a * first + b * second,
                "You scaled the bias too. It is added once, whatever the image.",
            ),
            (total - bias, "You left out the bias."),
        ],
    )
