"""Exercises on receptive fields."""

from __future__ import annotations

import math
from collections.abc import Sequence

from numpy.random import Generator

from cnnref import worked
from cnnref.exercises._answers import Choice, Explanation
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.networks.layers import Branches, Conv, ConvTranspose, Layer, Pool
from cnnref.networks.receptive_field import receptive_field

_STRIDE = "#multiplying-by-the-layers-own-stride"
_DILATION = "#leaving-out-the-dilation"


def _size(layers: Sequence[Layer]) -> int:
    return receptive_field(layers)[-1].size[0]


@kind("receptive_field.stack", level="easy", task="compute")
def _stack(rng: Generator) -> Draft:
    n, k = int(rng.integers(3, 9)), int(rng.choice([3, 5, 7]))
    size = _size([Conv(1, k)] * n)
    return Draft(
        question=f"A network has {n} convolutions of {k}×{k} with stride 1, one after another. How "
        "many pixels along one axis does a cell of its output see?",
        answer=size,
        solution=f"Each layer adds ${k} - 1 = {k - 1}$ pixels to the first one: "
        rf"$1 + {n} \cdot {k - 1} = {size}$.",
        mistakes=[
            (n * k, f"You added {k} per layer, but neighbouring windows overlap."),
            (size - 1, "You forgot the pixel that the count starts with."),
            (k**n, "You multiplied. The windows of stride 1 overlap, so their sizes add up."),
        ],
    )


@kind("receptive_field.strides", level="standard", task="compute")
def _strides(rng: Generator) -> Draft:
    k1, k2 = int(rng.choice([5, 7, 11])), int(rng.choice([3, 5]))
    s = int(rng.integers(2, 5))
    layers = [Conv(1, k1, stride=s, name="conv1"), Pool(2, name="pool1"), Conv(1, k2, name="conv2")]
    size = _size(layers)
    own = 1 + (k1 - 1) * s + (2 - 1) * 2 * s + (k2 - 1) * 2 * s
    return Draft(
        question=f"conv1 is {k1}×{k1} with stride {s}, pool1 is 2×2 with stride 2, and conv2 is "
        f"{k2}×{k2} with stride 1. How many pixels along one axis does a cell of conv2 see?",
        answer=size,
        solution=worked.receptive_field(layers),
        mistakes=[
            (own, "You multiplied by a layer's own stride, which only later layers feel.", _STRIDE),
            (k1 + 1 + k2 - 1, "You left out the strides: later layers take longer steps."),
            (size - (k2 - 1) * s, "You counted conv2 with the jump before the pooling."),
        ],
    )


@kind("receptive_field.dilation", level="standard", task="compute")
def _dilation(rng: Generator) -> Draft:
    k = int(rng.choice([3, 5]))
    first, factor = int(rng.integers(1, 3)), int(rng.integers(2, 4))
    dilations = [first, first * factor, first * factor**2]
    size = _size([Conv(1, k, dilation=d) for d in dilations])
    listed = ", ".join(map(str, dilations[:-1])) + f" and {dilations[-1]}"
    return Draft(
        question=f"Three {k}×{k} convolutions have stride 1 and the dilations {listed}. How many "
        "pixels does a field span along one axis?",
        answer=size,
        solution=rf"Layer $l$ adds $(k - 1)\,d_l$: $1 + {k - 1} \cdot ("
        f"{' + '.join(map(str, dilations))}) = {size}$.",
        mistakes=[
            (1 + 3 * (k - 1), "You left out the dilation.", _DILATION),
            (1 + k * sum(dilations), f"There are {k - 1} gaps between {k} taps, not {k}."),
            (1 + (k - 1) * math.prod(dilations), "The dilations add up. Strides would multiply."),
        ],
    )


@kind("receptive_field.layers", level="standard", task="inverse")
def _layers(rng: Generator) -> Draft:
    jump, k = int(rng.choice([2, 4, 8])), int(rng.choice([3, 5]))
    side = int(rng.integers(60, 200))
    step = (k - 1) * jump
    needed = math.ceil((side - jump) / step)
    return Draft(
        question=f"A cell of a feature map sees {jump}×{jump} pixels and its neighbour starts "
        f"{jump} pixels further on. How many {k}×{k} convolutions with stride 1 must follow, at "
        f"least, until a cell sees an object of {side}×{side} pixels at once?",
        answer=needed,
        solution=f"Each convolution adds $({k} - 1) \\cdot {jump} = {step}$ pixels, and "
        f"{side} − {jump} = {side - jump} are missing: $\\lceil {side - jump} / {step} \\rceil = "
        f"{needed}$.",
        mistakes=[
            (math.ceil((side - jump) / (k - 1)), "You left out the jump: each step is longer."),
            (math.ceil((side - jump) / (k * jump)), f"A layer adds {k - 1} steps, not {k}."),
            ((side - jump) // step, "You rounded down, and the last pixels are out of sight."),
        ],
    )


@kind("receptive_field.budget", level="standard", task="design")
def _budget(rng: Generator) -> Draft:
    layers = int(rng.integers(4, 8))
    size = _size([Conv(1, 3, dilation=2**place) for place in range(layers)])
    wanted = size - int(rng.integers(0, 2 ** (layers - 1)))
    return Draft(
        question=f"A cell must see at least {wanted} pixels along each axis at full resolution, so "
        "strides are not allowed. You may use 3×3 convolutions whose dilations double from layer "
        "to layer: 1, 2, 4, and so on. How many layers do you need, at least?",
        answer=layers,
        solution=r"With $n$ layers the field is $1 + 2\,(1 + 2 + \dots + 2^{n-1}) = 2^{n+1} - 1$. "
        f"For $n = {layers}$ that is {size}, and for $n = {layers - 1}$ only {2**layers - 1}.",
        mistakes=[
            (math.ceil((wanted - 1) / 2), "This many are needed without dilation.", _DILATION),
            (layers + 1, f"{layers} layers are enough: they see {size} pixels."),
            (layers - 1, f"{layers - 1} layers see only {2**layers - 1} pixels."),
        ],
    )


@kind("receptive_field.transposed", level="exam", task="compute")
def _transposed(rng: Generator) -> Draft:
    k, cell = int(rng.choice([3, 4, 5])), int(rng.integers(6, 20))
    layers = [Pool(2), ConvTranspose(1, k, stride=2), Conv(1, 3)]
    field = receptive_field(layers)[-1]
    rows = field.pixels(cell, cell)[0]
    size = rows.stop - rows.start
    # Cells o to o + 2 of the enlarged map read inputs ceil((o − k + 1)/2) to floor((o + 2)/2).
    first, last = -((k - 1 - cell) // 2), (cell + 2) // 2
    return Draft(
        question=f"A 2×2 pooling with stride 2 is followed by a transposed convolution of {k}×{k} "
        f"with stride 2 and a convolution of 3×3 with stride 1, all without padding. How many rows "
        f"of the image does a cell in row {cell} of the last map see?",
        answer=size,
        solution=f"Row {cell} reads rows {cell} to {cell + 2} of the enlarged map. Row $o$ of that "
        rf"map reads the pooled rows $i$ with $0 \le o - 2\,i \le {k - 1}$, so together they read "
        f"the pooled rows {first} to {last}, and each of these is two rows of the image: "
        rf"$2 \cdot {last - first + 1} = {size}$.",
        mistakes=[
            (
                2 + (k - 1) + 2,
                "You added (k − 1) j for the transposed convolution, but only every second tap "
                "meets a row.",
                "#decoders",
            ),
            (last - first + 1, "You counted pooled rows. Each is two rows of the image."),
            (size + 2, "You counted one pooled row too many."),
        ],
    )


@kind("receptive_field.start", level="standard", task="find the bug")
def _start(rng: Generator) -> Draft:
    p, row = int(rng.integers(0, 2)), int(rng.integers(3, 12))
    layers = [Conv(1, 7, stride=2, padding=p), Pool(3, stride=2)]
    field = receptive_field(layers)[-1]
    centre = field.start[0] + row * field.jump[0]
    jump = int(field.jump[0])
    options = (
        f"The centre is at start + {row} · {jump} = {centre:g}, not at {row} · {jump}.",
        f"The jump is 2, so the centre is at {row} · 2.",
        "The field is smaller than the distance, so the pixel is not seen.",
        "Nothing. The pixel is right.",
    )
    return Draft(
        question=f"A 7×7 convolution with stride 2 and padding {p} is followed by a 3×3 pooling "
        f"with stride 2. To mark what row {row} of the output looks at, a script draws a point at "
        f"pixel row {row} · {jump} = {row * jump} (the first pixel is 0). What is wrong?",
        answer=Choice(options, 0),
        solution=worked.receptive_field(layers),
        mistakes=[
            (1, "Strides multiply: the jump is 2 · 2."),
            (2, "The field is wide enough, but its centre is elsewhere."),
            (3, "The first field's centre is not pixel 0.", "#forgetting-where-the-field-lies"),
        ],
    )


@kind("receptive_field.paths", level="exam", task="compute")
def _paths(rng: Generator) -> Draft:
    k, d, n = int(rng.choice([3, 5])), int(rng.integers(2, 4)), int(rng.integers(2, 5))
    block = Branches([[Conv(1, 1)], [Conv(1, k, dilation=d, padding=d * (k - 1) // 2)] * 2, []])
    size = receptive_field([block] * n)[-1].size[0]
    return Draft(
        question=f"A block has three paths, which are concatenated: a 1×1 convolution, two {k}×{k} "
        f"convolutions with dilation {d} one after another, and an unchanged copy of the input. "
        f"All keep the size of the map. What does a cell see along one axis after {n} such blocks?",
        answer=size,
        solution=f"The widest path decides: it adds $2 \\cdot ({k} - 1) \\cdot {d} = "
        rf"{2 * (k - 1) * d}$ pixels, so $1 + {n} \cdot {2 * (k - 1) * d} = {size}$.",
        mistakes=[
            (1 + n * (k - 1) * d, "The path has two convolutions."),
            (1 + n * 2 * (k - 1), "You left out the dilation.", _DILATION),
            (1 + n * (2 * (k - 1) * d + 1), "The paths lie side by side, so they do not add up."),
        ],
    )


@kind("receptive_field.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="The theoretical field of a cell grows in proportion to the number of layers, but "
        "the part of it that matters grows only like its square root. Explain why, for filters of "
        "equal weights.",
        answer=Explanation(
            (
                "The gradient at a pixel counts the paths from it to the cell.",
                "A path is a sum of one step per layer, and the steps are independent, so the "
                "counts are those of a sum of n independent draws: a bell.",
                "Variances add: with three equal taps each layer adds 2/3, so the standard "
                "deviation is √(2n/3), while the field spans 2n + 1 pixels.",
            )
        ),
        solution="For $n$ layers of three taps the bell's standard deviation is $\\sqrt{2n/3}$ and "
        "the field is $2n + 1$ pixels wide. The share of the field that matters shrinks like "
        "$1/\\sqrt n$.",
    )
