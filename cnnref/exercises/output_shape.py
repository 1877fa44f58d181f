"""Exercises on stride and output shape."""

from __future__ import annotations

from numpy.random import Generator

from cnnref import worked
from cnnref.exercises._answers import Choice, Number
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.ops.output_shape import output_size, unread_pixels


@kind("output_shape.shape", level="easy", task="compute")
def _shape(rng: Generator) -> Draft:
    channels, filters = int(rng.choice([3, 16, 32])), int(rng.choice([8, 24, 64]))
    height, width = int(rng.integers(20, 60)), int(rng.integers(61, 100))
    k, s, p = int(rng.choice([3, 5, 7])), int(rng.integers(2, 4)), int(rng.integers(0, 3))
    rows, columns = output_size((height, width), k, stride=s, padding=p)
    return Draft(
        question=f"{filters} filters of {k}×{k} slide over {channels} channels of {height}×{width} "
        f"(height × width) with stride {s} and padding {p}. What is the output's shape, channels "
        "first?",
        answer=(filters, rows, columns),
        solution=worked.output_shape(
            (channels, height, width), (filters, channels, k, k), stride=s, padding=p
        ),
        mistakes=[
            ((filters, columns, rows), "You swapped height and width."),
            (
                (channels, rows, columns),
                "The number of filters sets the number of output channels.",
            ),
            (
                (filters, *output_size((height, width), k, stride=s)),
                "You left out the padding.",
            ),
            (
                (filters, *output_size((height, width), k, padding=p)),
                "You left out the stride.",
            ),
            ((filters, rows - 1, columns - 1), "You left out the + 1: the first position counts."),
        ],
    )


@kind("output_shape.input", level="standard", task="inverse")
def _input(rng: Generator) -> Draft:
    k, s = int(rng.choice([3, 5])), int(rng.integers(2, 5))
    p, m = int(rng.integers(0, k // 2 + 1)), int(rng.integers(6, 30))
    largest = s * m + k - 2 * p - 1
    return Draft(
        question=f"A {k}×{k} filter with stride {s} and padding {p} gives an output with {m} rows. "
        "What is the largest number of rows that the input can have?",
        answer=largest,
        solution=rf"The last window ends at row $({m} - 1) \cdot {s} + {k} - 2 \cdot {p} = "
        rf"{largest - s + 1}$ of the image or in its padding. Up to ${s} - 1 = {s - 1}$ more rows "
        rf"do "
        f"not make room for another step: {largest}.",
        mistakes=[
            (largest - s + 1, "This is the smallest one; the floor drops more rows."),
            (largest + 1, "With one more row the filter takes another step."),
            (largest + p, "You counted the padding once. It is on both sides.")
            if p
            else (None, ""),
            (m * s, "This holds only if the padding happens to fit."),
        ],
    )


@kind("output_shape.dropped", level="standard", task="compute")
def _dropped(rng: Generator) -> Draft:
    k = int(rng.choice([3, 5]))
    s, n = int(rng.integers(2, k + 1)), int(rng.integers(20, 60))
    while (n - k) % s == 0:
        n += 1
    dropped = int(unread_pixels((k, n), k, stride=s)[0].sum())
    return Draft(
        question=f"A {k}×{k} filter slides over {n} columns with stride {s} and no padding. How "
        f"many "
        "columns at the right does no window read?",
        answer=Number(dropped, "columns"),
        solution=rf"The filter can move ${n} - {k} = {n - k}$ columns in steps of {s}: "
        rf"${n - k} = {(n - k) // s} \cdot {s} + {dropped}$. The remainder is left over.",
        mistakes=[
            (
                n % s,
                "Divide n − k by the stride: the first window takes k columns before any step.",
            ),
            (s - dropped, "This many columns are missing for one more step."),
            (0, "The floor drops the columns that do not make a whole step."),
        ],
    )


@kind("output_shape.flatten", level="standard", task="design")
def _flatten(rng: Generator) -> Draft:
    side, filters = int(rng.integers(26, 65)), int(rng.choice([8, 16, 32]))
    first = side - 4
    pooled = first // 2
    second = pooled - 2
    last = second // 2
    return Draft(
        question=f"An RGB image of {side}×{side} passes through a 5×5 convolution with 6 filters, "
        f"max pooling 2×2 with stride 2, a 3×3 convolution with {filters} filters, and the same "
        "pooling again; nothing is padded. How many input features must the fully connected layer "
        "after the flattening have?",
        answer=Number(filters * last * last, "features"),
        solution=rf"${side} \to {first} \to {pooled} \to {second} \to {last}$, so "
        rf"${filters} \cdot {last} \cdot {last} = {filters * last * last}$.",
        mistakes=[
            (last * last, "You left out the channels."),
            (filters * last, "The maps have two axes."),
            (filters * second * second, "You left out the last pooling."),
            (
                filters * (side // 4) ** 2,
                "Without padding each convolution takes rows and columns away too.",
            ),
            (3 * last * last, "The last convolution sets the number of channels."),
        ],
    )


@kind("output_shape.ceil", level="exam", task="compute")
def _ceil(rng: Generator) -> Draft:
    k, s = 3, 2
    n, d = 2 * int(rng.integers(8, 30)), int(rng.integers(1, 3))
    reach = d * (k - 1) + 1
    down = (n - reach) // s + 1
    up = output_size(n, k, stride=s, dilation=d, ceil_mode=True)
    return Draft(
        question=f"Max pooling with a window of 3, stride 2, dilation {d} and `ceil_mode=True` "
        f"runs "
        f"over {n} pixels without padding. How many outputs are there?",
        answer=up,
        solution=rf"The window reaches ${d} \cdot (3 - 1) + 1 = {reach}$ pixels, so it can move "
        rf"${n} - {reach} = {n - reach}$, which is {(n - reach) / s:g} steps. `ceil_mode` rounds "
        rf"up "
        f"to {-(-(n - reach) // s)}, and the first position makes {up}.",
        mistakes=[
            (down, "You rounded down. `ceil_mode` keeps a last window that sticks out."),
            (
                -(-(n - k) // s) + 1 if d > 1 else None,
                "You left out the dilation.",
            ),
            (up - 1, "You left out the + 1."),
        ],
    )


@kind("output_shape.bug", level="standard", task="find the bug")
def _bug(rng: Generator) -> Draft:
    side, filters = int(rng.integers(28, 65)), int(rng.choice([8, 16, 32]))
    right = filters * (side // 2) ** 2
    options = (
        f"`Linear({side}, 10)` must be `Linear({right}, 10)`.",
        "`Flatten()` must come before the convolution.",
        f"`Linear({side}, 10)` must be `Linear({filters}, 10)`.",
        "Nothing. The network is right.",
    )
    return Draft(
        question=f"`Sequential(Conv2d(3, {filters}, 3, padding=1), MaxPool2d(2), Flatten(), "
        f"Linear({side}, 10))` fails for RGB images of {side}×{side} with *mat1 and mat2 shapes "
        f"cannot "
        "be multiplied*. What is wrong?",
        answer=Choice(options, 0),
        solution=f"The convolution keeps the size, pooling halves it to {side // 2}, and "
        f"flattening "
        rf"makes ${filters} \cdot {side // 2} \cdot {side // 2} = {right}$ features per image.",
        mistakes=[
            (1, "A convolution needs the rows and columns."),
            (2, "Flattening keeps every pixel of every channel, not one number per channel."),
            (3, "The error says that it is not."),
        ],
    )
