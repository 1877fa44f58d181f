"""Exercises on convolution as a matrix product."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.random import Generator

from cnnref.exercises._answers import Choice, Explanation, Number
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix
from cnnref.ops.convolution import conv2d
from cnnref.ops.convolution_matrix import im2col, toeplitz_matrix
from cnnref.ops.output_shape import output_size

_ORDER = "#filters-and-columns-in-different-orders"


@kind("convolution_matrix.columns", level="easy", task="compute")
def _columns(rng: Generator) -> Draft:
    channels, k, s = int(rng.integers(2, 6)), int(rng.integers(2, 5)), int(rng.integers(1, 3))
    height, width = int(rng.integers(7, 12)), int(rng.integers(12, 16))
    rows, columns = output_size((height, width), k, s)
    shape = (channels * k * k, rows * columns)
    return Draft(
        question=f"An image of {channels} channels and {height}×{width} pixels is unfolded for a "
        f"{k}×{k} filter with stride {s} and no padding (im2col). What is the shape of the matrix, "
        "rows × columns?",
        answer=shape,
        solution=rf"A column holds one window: ${channels} \cdot {k} \cdot {k} = {shape[0]}$ "
        f"numbers. There is one column per output cell: ${rows} \\cdot {columns} = {shape[1]}$.",
        mistakes=[
            (shape[::-1], "You exchanged rows and columns. A window is a column here."),
            ((k * k, shape[1]), "A window has all channels in it."),
            ((shape[0], height * width), "There is one column per window, not per pixel."),
        ],
    )


@kind("convolution_matrix.window", level="easy", task="compute")
def _window(rng: Generator) -> Draft:
    x = rng.permutation(12).reshape(1, 3, 4)
    place = int(rng.integers(1, 6))
    columns = im2col(x, 2)
    row, column = divmod(place, 3)
    return Draft(
        question=f"The image is unfolded for a 2×2 filter at stride 1 (im2col). What is column "
        f"{place + 1} of the matrix? Write it as one row.\n\n$$\n{matrix(x[0])}\n$$",
        answer=columns[:, place].reshape(1, -1),
        solution=f"There are 3 windows per row of the output, so column {place + 1} is the window "
        f"in row {row + 1}, column {column + 1}, read row by row.",
        mistakes=[
            (
                im2col(x.transpose(0, 2, 1), 2)[:, place].reshape(1, -1),
                "You went through the windows, or the window, column by column.",
            ),
            (columns[:, place - 1].reshape(1, -1), "This is the column before."),
        ],
    )


@kind("convolution_matrix.weights", level="standard", task="compute")
def _weights(rng: Generator) -> Draft:
    n, k, s = int(rng.integers(5, 13)), int(rng.integers(2, 4)), int(rng.integers(1, 3))
    matrix_of = toeplitz_matrix(np.ones((1, 1, k, k), np.int8), n, s)
    rows, columns = matrix_of.shape
    filled = int(np.count_nonzero(matrix_of))
    return Draft(
        question=f"One {k}×{k} filter slides over an image of {n}×{n} pixels with stride {s} and "
        "no padding. In the matrix $T$ of this layer, how many cells hold a weight?",
        answer=filled,
        solution=f"$T$ has one row per output cell, {rows}, and one column per pixel, {columns}. "
        rf"Each row holds every weight once: ${rows} \cdot {k * k} = {filled}$.",
        mistakes=[
            (rows * columns, "These are all cells. Most of them are 0.", "#what-the-matrix-shows"),
            (k * k, "This counts the different weights."),
            (columns * k * k, "There is one row per output cell, not per pixel."),
        ],
    )


@kind("convolution_matrix.memory", level="standard", task="estimate")
def _memory(rng: Generator) -> Draft:
    channels, n = int(rng.choice([32, 64, 128])), int(rng.choice([28, 56, 112]))
    k = int(rng.choice([3, 5, 7]))
    numbers = channels * k * k * n * n
    return Draft(
        question=f"A layer reads {channels} channels of {n}×{n} in float32 with {k}×{k} filters "
        "and keeps the size. How many megabytes (10⁶ bytes) does the matrix of im2col take?",
        answer=Number(numbers * 4 / 1e6, "MB", 3),
        solution=rf"${channels} \cdot {k}^2 \cdot {n}^2 \cdot 4$ bytes, which is {k * k} times the "
        f"image: {numbers * 4 / 1e6:.3g} MB.",
        mistakes=[
            (Number(numbers / 1e6, "MB", 3), "A float32 has 4 bytes."),
            (Number(numbers * 4 / 1e6 / (k * k), "MB", 3), "This is the image itself."),
            (Number(numbers * 4 / 1e6 / channels, "MB", 3), "A column holds all channels."),
        ],
    )


@kind("convolution_matrix.compose", level="standard", task="inverse")
def _compose(rng: Generator) -> Draft:
    first, second = (rng.integers(-2, 4, (1, 1, 2, 2)) for _ in range(2))
    both = conv2d(first, second[..., ::-1, ::-1], padding=1)[0, 0]
    return Draft(
        question="Two convolution layers with one filter each, $a$ and then $b$, follow each other "
        "at stride 1, without padding, bias or activation. Which single 3×3 filter does the same?"
        f"\n\n$a = {matrix(first[0, 0])}$, $b = {matrix(second[0, 0])}$",
        answer=both,
        solution="Each cell of $b$ stamps the filter $a$, times itself, at its own place: the "
        f"transposed convolution of the two.\n\n$$\n{matrix(both)}\n$$",
        mistakes=[
            (
                conv2d(first, second, padding=1)[0, 0],
                "You slid b over a. To combine two layers, one of them is flipped.",
                "#the-transpose",
            ),
        ],
    )


@kind("convolution_matrix.winograd", level="exam", task="design")
def _winograd(rng: Generator) -> Draft:
    m, r = int(rng.integers(2, 5)), int(rng.choice([3, 5]))
    ratio = Fraction((m * r) ** 2, (m + r - 1) ** 2)
    return Draft(
        question=f"Winograd's algorithm computes a tile of {m}×{m} outputs of {r}×{r} filters with "
        f"as many multiplications as the tile reads pixels. By what factor does it reduce the "
        "multiplications?",
        answer=ratio,
        solution=rf"The tile reads $({m} + {r} - 1)^2 = {(m + r - 1) ** 2}$ pixels. Directly, "
        rf"{m * m} outputs of {r * r} products each take {(m * r) ** 2}. The factor is "
        f"{(m * r) ** 2}/{(m + r - 1) ** 2}.",
        mistakes=[
            (Fraction(m * r, m + r - 1), "This is the factor along one axis."),
            (1 / ratio, "You divided the other way round."),
            (Fraction(r * r, (m + r - 1) ** 2), f"A tile has {m * m} outputs."),
        ],
    )


@kind("convolution_matrix.bug", level="exam", task="find the bug")
def _bug(rng: Generator) -> Draft:
    channels, k = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    rows, columns = int(rng.integers(4, 7)), int(rng.integers(7, 10))
    options = (
        "`w` must be flipped first.",
        "`reshape` must be to (filters, rows, columns).",
        "`im2col` must be transposed.",
        "Nothing. The shape is right.",
    )
    return Draft(
        question=f"`(w.reshape(8, -1) @ im2col(x, {k})).reshape({rows}, {columns}, 8)` should be "
        f"the output of 8 filters over {channels} channels, and be indexed [row, column, filter]. "
        "The numbers are in the wrong places. What is wrong?",
        answer=Choice(options, 1),
        solution="The product has a row per filter, so it is reshaped to "
        f"(8, {rows}, {columns}). To have the filters last, move the axis afterwards.",
        mistakes=[
            (0, "A convolution layer does not flip its filters."),
            (2, f"The columns are the windows: {channels * k * k} rows meet as many weights."),
            (3, "The number of cells is right, and the order is not.", _ORDER),
        ],
    )


@kind("convolution_matrix.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="A convolution layer is a fully connected layer with most weights zero and the "
        "others shared. Explain both halves of this sentence with the matrix $T$.",
        answer=Explanation(
            (
                "Each row of T is an output cell and each column a pixel, so a fully connected "
                "layer of these sizes would have a weight in every cell of T.",
                "A row has a weight only for the pixels in its window, and zeros elsewhere: "
                "locality.",
                "All rows hold the same weights, moved along: sharing, which makes the layer "
                "equivariant to shifts.",
            )
        ),
        solution="",
    )
