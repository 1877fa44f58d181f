"""Exercises on max and average pooling."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from cnnref import worked
from cnnref.exercises._answers import Choice, Explanation, Matrix
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix
from cnnref.ops.output_shape import output_size
from cnnref.ops.pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from cnnref.ops.pooling_gradients import avg_pool2d_input_grad, max_pool2d_input_grad

_ADAPTIVE = "#global-and-adaptive-pooling"
_CEIL = "#ceil_mode"


@kind("pooling.max", level="easy", task="compute")
def _max(rng: Generator) -> Draft:
    x = rng.integers(-9, 10, (1, 4, 6))
    return Draft(
        question="Apply max pooling with 2×2 windows and stride 2 to this channel."
        f"\n\n$$\n{matrix(x[0])}\n$$",
        answer=Matrix(max_pool2d(x, 2)[0]),
        solution=worked.max_pool2d(x, 2).to_markdown(),
        mistakes=[
            (max_pool2d(x, 2, 1)[0], "You moved the window by one pixel, not by two."),
            (-max_pool2d(-x, 2)[0], "You took the smallest number of each window."),
            (
                max_pool2d(np.abs(x), 2)[0],
                "You compared absolute values. Max pooling compares the numbers themselves.",
            ),
        ],
    )


@kind("pooling.average", level="easy", task="compute")
def _average(rng: Generator) -> Draft:
    x = rng.integers(0, 9, (1, 3, 3)).astype(float)
    counted = avg_pool2d(x, 2, 2, padding=1)[0]
    return Draft(
        question="Apply average pooling with 2×2 windows, stride 2 and zero padding 1 to this "
        "channel, and count the zeros of the padding, as PyTorch does by default."
        f"\n\n$$\n{matrix(x[0].astype(int))}\n$$",
        answer=Matrix(counted, 2),
        solution=worked.avg_pool2d(x, 2, 2, padding=1).to_markdown(),
        mistakes=[
            (
                avg_pool2d(x, 2, 2, padding=1, count_include_pad=False)[0],
                "You divided by the number of pixels, but the zeros count too.",
                "#count_include_pad-and-divisor_override",
            ),
            (4 * counted, "You added the numbers and did not divide."),
            (max_pool2d(x, 2, 2, padding=1)[0], "This is max pooling."),
        ],
    )


@kind("pooling.size", level="standard", task="compute")
def _size(rng: Generator) -> Draft:
    k, s = int(rng.choice([2, 3, 4])), int(rng.choice([2, 3]))
    n = int(rng.integers(9, 40))
    up, down = output_size(n, k, s, ceil_mode=True), output_size(n, k, s)
    plain = -(-(n - k) // s) + 1
    dropped = plain > up
    return Draft(
        question=f"A pooling with {k}×{k} windows, stride {s}, no padding and `ceil_mode=True` "
        f"reads a map of {n}×{n}. How many rows does its output have?",
        answer=up,
        solution=rf"$\lceil ({n} - {k})/{s} \rceil + 1 = {plain}$."
        + (f" The last window would start past the end, so it is dropped: {up}." * dropped),
        mistakes=[
            (down, "You rounded down. `ceil_mode` rounds up.", _CEIL)
            if down != up
            else (up - 1, "You left out the + 1: the first window counts too."),
            (plain, "A window that would start past the end is dropped.", _CEIL)
            if dropped
            else (n // s + k, "The size of the window is subtracted, not added."),
        ],
    )


@kind("pooling.adaptive", level="standard", task="compute")
def _adaptive(rng: Generator) -> Draft:
    n, o = int(rng.integers(7, 30)), int(rng.integers(3, 7))
    i = int(rng.integers(1, o))
    # A pixel that a window reads changes its average.
    read = [adaptive_avg_pool2d(row[None, None], (1, o))[0, 0, i] > 0 for row in np.eye(n)]
    first, last = int(np.argmax(read)), n - 1 - int(np.argmax(read[::-1]))
    even = n // o
    return Draft(
        question=f"Adaptive average pooling turns a row of {n} pixels into {o} numbers. Which is "
        f"the first and which is the last pixel that output {i} reads? Count pixels and outputs "
        "from 0.",
        answer=(first, last),
        solution=rf"From $\lfloor {i} \cdot {n} / {o} \rfloor = {first}$ to "
        rf"$\lceil {i + 1} \cdot {n} / {o} \rceil - 1 = {last}$.",
        mistakes=[
            ((first, last + 1), "The upper end is not read: subtract one.", _ADAPTIVE),
            (
                (i * even, (i + 1) * even - 1),
                "You used windows of equal size. They follow from the output's size.",
                _ADAPTIVE,
            ),
            (((i - 1) * n // o, -(-i * n // o) - 1), "You counted the outputs from 1."),
        ],
    )


@kind("pooling.largest", level="standard", task="inverse")
def _largest(rng: Generator) -> Draft:
    k, o = int(rng.integers(2, 6)), int(rng.integers(3, 15))
    most = max(n for n in range(k, (o + 2) * k) if output_size(n, k, k) == o)
    return Draft(
        question=f"Max pooling with {k}×{k} windows, stride {k} and no padding returns a map of "
        f"{o}×{o}. What is the largest input, in pixels per side, for which this is so?",
        answer=most,
        solution=rf"${o} \cdot {k} = {o * k}$ pixels are needed, and up to {k - 1} more are left "
        f"over without another window: {most}. This is why `max_unpool2d` needs `output_size`.",
        mistakes=[
            (o * k, "This is the smallest input. Left-over pixels do not add a window."),
            (o * k + k, "One pixel too many: these make another window."),
        ],
    )


@kind("pooling.stack", level="standard", task="design")
def _stack(rng: Generator) -> Draft:
    k, layers = int(rng.choice([3, 5])), int(rng.integers(2, 6))
    size = layers * (k - 1) + 1
    return Draft(
        question=f"You replace {layers} max poolings of {k}×{k} at stride 1, one after the other, "
        "by a single one with the same result. How large are its windows, in pixels per side?",
        answer=size,
        solution="The largest of the largest values is the largest of all pixels that the stack "
        rf"reads. Each layer adds ${k} - 1$ pixels: $1 + {layers} \cdot {k - 1} = {size}$. "
        "Averages do not combine this way: pixels in the middle would count more often.",
        mistakes=[
            (layers * k, "Neighboring windows overlap: each layer adds only k − 1 pixels."),
            (k**layers, "Sizes multiply only if the stride is the size of the window."),
            (size - 1, "You left out the pixel you start from."),
        ],
    )


@kind("pooling.gradient", level="exam", task="compute")
def _gradient(rng: Generator) -> Draft:
    x = rng.permutation(9)[:7].reshape(1, 1, 7)
    g = rng.integers(1, 9, (1, 1, 3))
    kernel, stride = (1, 3), (1, 2)
    winners = max_pool2d_input_grad(g, x, kernel, stride)
    overwritten = np.zeros(7, int)
    _, places = max_pool2d(x, kernel, stride, return_indices=True)
    for place, value in zip(places[0, 0], g[0, 0], strict=True):
        overwritten[place] = value
    return Draft(
        question="Max pooling with windows of three pixels and stride 2 reads the row $x$. The "
        "gradient of the loss with respect to its output is $g$. What is the gradient with respect "
        f"to $x$?\n\n$x = {matrix(x[0])}$, $g = {matrix(g[0])}$",
        answer=Matrix(winners[0]),
        solution="The winners of the three windows are the pixels "
        + ", ".join(str(int(place)) for place in places[0, 0])
        + " (counted from 0). Each gets the gradient of its window, and the sum if it wins "
        "two: " + ", ".join(str(int(value)) for value in winners[0, 0]) + ".",
        mistakes=[
            (overwritten[None], "A pixel that wins two windows gets the sum of both gradients."),
            (
                avg_pool2d_input_grad(g.astype(float), (1, 7), kernel, stride)[0],
                "You shared the gradients among all pixels. This is what an average does.",
                "#gradients",
            ),
        ],
    )


@kind("pooling.bug", level="standard", task="find the bug")
def _bug(rng: Generator) -> Draft:
    x = -rng.integers(1, 10, (1, 3, 3))
    wrong = max_pool2d(np.pad(x, ((0, 0), (1, 1), (1, 1))), 3, 2)[0]
    right = max_pool2d(x, 3, 2, padding=1)[0]
    options = (
        "Zeros win over the negative numbers: pad with −∞.",
        "The stride must be 3, the size of the window.",
        "The padding must be 2 per side.",
        "Nothing. This is the right result.",
    )
    return Draft(
        question="A classmate pads this channel with one row or column of zeros on each side, then "
        f"takes the maximum of 3×3 windows at stride 2.\n\n$$\n{matrix(x[0])}\n$$\n\n"
        f"The result is four zeros. `torch.nn.functional.max_pool2d(x, 3, 2, padding=1)` says "
        "something else. What is wrong?",
        answer=Choice(options, 0),
        solution=f"The padding of max pooling never wins. With −∞ the result is "
        f"{right.ravel().tolist()}, with zeros {wrong.ravel().tolist()}.",
        mistakes=[
            (1, "Windows may overlap.", "#kernel_size-and-stride"),
            (2, "Padding may be at most half of the window.", "#padding-and-dilation"),
            (3, "All pixels are negative, so no window can return 0."),
        ],
    )


@kind("pooling.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="A network is convolutions, then global average pooling, then one fully connected "
        "layer. Explain why it accepts images of any size, and why that does not mean that it "
        "classifies them equally well.",
        answer=Explanation(
            (
                "A convolution has the same weights for every size; only its output changes size.",
                "Global average pooling leaves one number per channel, so that the fully connected "
                "layer always has the same number of inputs.",
                "The filters see objects at the scale of the training images; an object twice as "
                "large in pixels does not match them.",
            )
        ),
        solution="",
    )
