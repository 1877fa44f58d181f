"""Exercises on the gradients of convolution."""

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
from cnnref.ops.gradients import conv2d_bias_grad, conv2d_input_grad, conv2d_weight_grad
from cnnref.ops.pooling import max_pool2d
from cnnref.ops.pooling_gradients import max_pool2d_input_grad

_FLIP = "#flipping-the-wrong-one"
_NETWORK = "#a-whole-network-backward"
_STRIDE = "#forgetting-the-stride"


@kind("gradients.bias", level="easy", task="compute")
def _bias(rng: Generator) -> Draft:
    grad = rng.integers(-4, 7, (1, 2, 3))
    answer = int(conv2d_bias_grad(grad)[0])
    return Draft(
        question="The output of a filter has this gradient. What is the gradient with respect to "
        f"the filter's bias?\n\n$$\n{matrix(grad[0])}\n$$",
        answer=answer,
        solution=f"The bias is added once to each output cell, so the gradients add up: {answer}.",
        mistakes=[
            (1, "The bias is added to every output cell, not to one number."),
            (int(grad.size), "This counts the cells. Each counts as much as its gradient."),
            (Fraction(answer, grad.size), "This is the mean. The gradients add up."),
        ],
    )


@kind("gradients.weight", level="easy", task="compute")
def _weight(rng: Generator) -> Draft:
    x, grad = rng.integers(0, 7, (1, 3, 3)), rng.integers(-2, 4, (1, 2, 2))
    right = conv2d_weight_grad(x, (1, 1, 2, 2), grad)[0, 0]
    flipped = conv2d(x, grad[None, :, ::-1, ::-1])[0]
    return Draft(
        question="A 2×2 filter slides over the image $x$ at stride 1, without padding. The "
        "gradient with respect to its output is $g$. What is the gradient with respect to the "
        f"**top right** weight?\n\n$x = {matrix(x[0])}$, $g = {matrix(grad[0])}$",
        answer=int(right[0, 1]),
        solution=worked.gradients(x, np.ones((1, 1, 2, 2), int), grad).to_markdown(
            parts=["weight"]
        ),
        mistakes=[
            (int(flipped[0, 1]), "You flipped the output gradient. For the weight, do not.", _FLIP),
            (int(right[1, 0]), "This is the bottom left weight."),
            (int(right[0, 0]), "This is the top left weight."),
        ],
    )


@kind("gradients.pixel", level="standard", task="compute")
def _pixel(rng: Generator) -> Draft:
    w, grad = rng.integers(-3, 5, (1, 1, 2, 2)), rng.integers(-2, 4, (1, 2, 2))
    row, column = ((1, 0), (0, 1), (1, 1), (2, 1), (1, 2))[int(rng.integers(5))]
    right = conv2d_input_grad((1, 3, 3), w, grad)[0]
    unflipped = conv2d(grad, w, padding=1)[0]
    return Draft(
        question="The filter $w$ slides over an image of 3×3 at stride 1, without padding. The "
        "gradient with respect to its output is $g$. What is the gradient with respect to the "
        f"pixel in row {row + 1}, column {column + 1}?\n\n$w = {matrix(w[0, 0])}$, "
        f"$g = {matrix(grad[0])}$",
        answer=int(right[row, column]),
        solution=worked.gradients(np.ones((1, 3, 3), int), w, grad).to_markdown(parts=["input"]),
        mistakes=[
            (int(unflipped[row, column]), "For the input, the filter must be flipped.", _FLIP),
            (int(w.sum() * grad.sum()), "Each output cell read the pixel with one weight only."),
            (int(right[column, row]), "You exchanged row and column."),
        ],
    )


@kind("gradients.pooled", level="standard", task="compute")
def _pooled(rng: Generator) -> Draft:
    # Different numbers, so that no window has a tie; the last window is negative everywhere.
    y = rng.permutation(np.arange(-7, 9)).reshape(4, 4)
    y[2:, 2:] = -np.abs(y[2:, 2:]) - np.arange(1, 5).reshape(2, 2) * 10
    grad = rng.integers(1, 9, (2, 2))
    relu = np.maximum(y, 0)
    passed = max_pool2d_input_grad(grad[None], y[None], 2)[0]
    answer = passed * (y > 0)
    pooled = max_pool2d(relu[None], 2)[0]
    return Draft(
        question="A convolution's output $y$ goes through ReLU, then 2×2 max pooling with stride "
        "2. The gradient with respect to the pooled map is $g$. What is the gradient with respect "
        f"to $y$?\n\n$y = {matrix(y)}$, $g = {matrix(grad)}$",
        answer=answer,
        solution=f"The pooled map is ${matrix(pooled)}$. The winner of each window gets the "
        "window's gradient and the other cells get 0. In the last window every number is negative, "
        "so ReLU passes nothing on.",
        mistakes=[
            (passed, "ReLU passes no gradient to a negative number.", _NETWORK),
            (
                np.kron(grad, np.ones((2, 2), int)) * (y > 0),
                "In each window, only the largest cell receives the gradient.",
                _NETWORK,
            ),
        ],
    )


@kind("gradients.softmax", level="standard", task="compute")
def _softmax(rng: Generator) -> Draft:
    tenths = rng.permutation([1, 2, 7] if rng.integers(2) else [1, 3, 6])
    right = int(rng.integers(3))
    p = [Fraction(int(tenth), 10) for tenth in tenths]
    expected = [value - (place == right) for place, value in enumerate(p)]
    names = ", ".join(f"{float(value)}" for value in p)
    return Draft(
        question=f"Softmax gives three classes the probabilities {names}. Class {right + 1} is "
        "right, and the loss is the cross-entropy. What is the gradient of the loss with respect "
        "to the three scores? Write it as one row.",
        answer=np.array([[float(value) for value in expected]]),
        solution="The gradient of a score is its probability, minus 1 for the right class: "
        f"${matrix([float(value) for value in expected])}$. The three sum to 0.",
        mistakes=[
            (np.array([[float(-value) for value in expected]]), "The sign is reversed.", _NETWORK),
            (np.array([[float(value) for value in p]]), "Subtract 1 for the right class."),
        ],
    )


@kind("gradients.sizes", level="standard", task="inverse")
def _sizes(rng: Generator) -> Draft:
    k, s, o = int(rng.integers(2, 6)), int(rng.integers(2, 5)), int(rng.integers(3, 15))
    smallest = (o - 1) * s + k
    return Draft(
        question=f"The gradient with respect to the output of a convolution has {o}×{o} cells. The "
        f"filter is {k}×{k}, the stride {s}, and there is no padding. What is the largest number "
        "of rows that the input can have?",
        answer=smallest + s - 1,
        solution=rf"The windows reach $({o} - 1) \cdot {s} + {k} = {smallest}$ rows. The floor can "
        f"drop up to ${s} - 1$ rows more: {smallest + s - 1}. That is why `conv2d_input_grad` must "
        "be told the input's size.",
        mistakes=[
            (smallest, "This is the smallest. The floor can drop rows at the end.", _STRIDE),
            (smallest + s, "With that many rows one more window fits."),
            (o * s, "This ignores the filter's size."),
        ],
    )


@kind("gradients.bug", level="exam", task="find the bug")
def _bug(rng: Generator) -> Draft:
    n, k = int(rng.integers(7, 12)), int(rng.choice([3, 4, 5]))
    options = (
        "The filter must not be flipped.",
        "The padding must be k − 1.",
        "The filter's channel axes must not be swapped.",
        "Nothing. The function is right.",
    )
    return Draft(
        question="This function should return the gradient with respect to the input, at stride 1 "
        "and without padding: `def grad(g, w): return conv2d(g, w.transpose(1, 0, 2, 3)"
        "[:, :, ::-1, ::-1], padding=w.shape[2] // 2)`. What is wrong with it? Try it with an "
        f"input of {n}×{n} and a filter of {k}×{k}.",
        answer=Choice(options, 1),
        solution=f"The output has ${n} - {k} + 1 = {n - k + 1}$ rows. A padding of {k // 2} gives "
        rf"${n - k + 1} + 2 \cdot {k // 2} - {k} + 1 = {n - 2 * k + 2 * (k // 2) + 2}$ rows back, "
        f"and a padding of ${k} - 1$ gives {n}.",
        mistakes=[
            (0, "The gradient with respect to the input does flip the filter.", _FLIP),
            (2, "The gradient goes from filters back to channels, so the axes are swapped."),
            (3, f"It does not return {n} rows."),
        ],
    )


@kind("gradients.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="The gradient with respect to the input flips the filter, and the gradient with "
        "respect to the weight flips nothing. Explain why.",
        answer=Explanation(
            (
                "Output cell i reads pixel i + u with weight u.",
                "For a fixed pixel a, the cells that read it are i = a − u: as i grows, u falls. "
                "The weights are met in reverse order.",
                "For a fixed weight u, the pixels it meets are i + u: as i grows, they grow too. "
                "The order is kept.",
            )
        ),
        solution="",
    )
