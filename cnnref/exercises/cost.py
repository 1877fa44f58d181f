"""Exercises on parameters, multiply-adds and memory."""

from __future__ import annotations

from numpy.random import Generator

from cnnref import worked
from cnnref.exercises._answers import Choice, Explanation
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.networks.cost import cost
from cnnref.networks.layers import Activation, Conv, ConvTranspose, Flatten, Linear, Pool

_FLOPS = "#macs-called-flops"
_TRAINING = "#what-training-needs"


def _settings(rng: Generator) -> tuple[int, int, int, int]:
    """Return input channels, filters, kernel size and side, all different."""
    c, o = 8 * int(rng.integers(2, 7)), 8 * int(rng.integers(8, 17))
    return c, o, int(rng.choice([3, 5, 7])), int(rng.integers(10, 29)) * 2


@kind("cost.parameters", level="easy", task="compute")
def _parameters(rng: Generator) -> Draft:
    c, o, k, n = _settings(rng)
    layer = Conv(o, k, padding=k // 2, name="conv")
    answer = cost([layer], (c, n, n)).parameters
    return Draft(
        question=f"A {k}×{k} convolution with biases reads {c} channels of {n}×{n} pixels and has "
        f"{o} filters. How many parameters does it have?",
        answer=answer,
        solution=worked.cost(layer, (c, n, n)),
        mistakes=[
            (o * c * k * k, "You left out the biases, one per filter."),
            (o * k * k + o, "Each filter reads all channels of the input."),
            (answer * n * n, "The map's size does not matter: all positions share the weights."),
            (o * (c * k + 1), "A filter has k · k weights per channel."),
        ],
    )


@kind("cost.macs", level="standard", task="compute")
def _macs(rng: Generator) -> Draft:
    c, o, k, n = _settings(rng)
    layer = Conv(o, k, stride=2, padding=k // 2, bias=False, name="conv")
    net = cost([layer], (c, n, n))
    return Draft(
        question=f"A {k}×{k} convolution with stride 2 and padding {k // 2} reads {c} channels of "
        f"{n}×{n} pixels and has {o} filters. How many multiply-adds (MACs) does it need?",
        answer=net.macs,
        solution=worked.cost(layer, (c, n, n)),
        mistakes=[
            (4 * net.macs, "You counted the cells of the input. The stride halves both sides."),
            (2 * net.macs, "This is the number of FLOPs.", _FLOPS),
            (net.macs // c, "Each output cell reads all channels."),
        ],
    )


@kind("cost.linear", level="standard", task="inverse")
def _linear(rng: Generator) -> Draft:
    c, side = 2 ** int(rng.integers(5, 9)), int(rng.integers(4, 9))
    outputs = int(rng.choice([10, 100, 1000]))
    count = cost([Flatten(), Linear(outputs)], (c, side, side)).parameters
    return Draft(
        question=f"A map of {c} channels is flattened and read by a fully connected layer of "
        f"{outputs} outputs with biases, which has {count:,} parameters. What is the side of the "
        "(square) map?",
        answer=side,
        solution=f"Without the biases there are {count - outputs:,} weights, "
        f"{(count - outputs) // outputs:,} per output. Divided by {c} channels that is "
        rf"${side**2} = {side}^2$ cells.",
        mistakes=[
            (side**2, "This is the number of cells. The side is its square root."),
            (side * c, "You forgot to divide by the channels."),
        ],
    )


@kind("cost.budget", level="standard", task="design")
def _budget(rng: Generator) -> Draft:
    c, k, n = 16 * int(rng.integers(2, 7)), int(rng.choice([3, 5])), int(rng.integers(14, 57))
    per_filter = cost([Conv(1, k, padding=k // 2, bias=False)], (c, n, n)).macs
    filters = int(rng.integers(20, 200))
    millions = (per_filter * filters + per_filter // 2) / 10**6
    budget = round(millions, 1)
    answer = int(budget * 10**6 // per_filter)
    return Draft(
        question=f"A {k}×{k} convolution reads {c} channels of {n}×{n} pixels and keeps the map's "
        f"size. It may cost {budget} million MACs. How many filters can it have, at most?",
        answer=answer,
        solution=rf"One filter costs ${n} \cdot {n} \cdot {c} \cdot {k} \cdot {k} = {per_filter}$ "
        f"MACs. {budget} million divided by this, rounded down, is {answer}.",
        mistakes=[
            (int(budget * 10**6 // (2 * per_filter)), "You counted FLOPs, 2 per MAC.", _FLOPS),
            (answer + 1, "You rounded up, which is over the budget."),
            (int(budget * 10**6 // (per_filter // c)), "A filter reads all channels."),
        ],
    )


@kind("cost.flops", level="standard", task="find the bug")
def _flops(rng: Generator) -> Draft:
    c, o, k, n = _settings(rng)
    net = cost([Conv(o, k, padding=k // 2, bias=False)], (c, n, n))
    options = (
        "It counts MACs and calls them FLOPs: a MAC is 2 FLOPs.",
        "It must count the cells of the input, not of the output.",
        "It must leave out the products with the padding.",
        "It must not multiply by the channels, because they are summed.",
    )
    return Draft(
        question=f"A script prints `flops = {o} * {n} * {n} * {c} * {k} * {k} = {net.macs}` for a "
        f"{k}×{k} convolution from {c} to {o} channels on {n}×{n} pixels, padded to keep its size "
        f"and without biases. PyTorch's FlopCounterMode reports {net.flops}. Why?",
        answer=Choice(options, 0),
        solution=f"The number of multiply-adds is {net.macs}, and each is a product and an "
        f"addition: ${net.macs} \\cdot 2 = {net.flops}$.",
        mistakes=[
            (1, "Both maps have the same size here, and the work is done per output cell."),
            (2, "Libraries do multiply with the padding, and the difference is a factor of 2."),
            (3, "Each channel's product has to be computed before it is added."),
        ],
    )


@kind("cost.memory", level="exam", task="compute")
def _memory(rng: Generator) -> Draft:
    c, o, n = int(rng.choice([1, 3])), 4 * int(rng.integers(2, 9)), 8 * int(rng.integers(2, 9))
    layers = [Conv(o, 3, padding=1), Activation(), Pool(2)]
    net = cost(layers, (c, n, n))
    image, maps = c * n * n, o * n * n
    return Draft(
        question=f"A 3×3 convolution with padding 1 and {o} filters reads an image of {c}×{n}×{n} "
        "in float32. A ReLU and a 2×2 max pooling follow. How many bytes does autograd save for "
        "the backward pass of one image, parameters not counted? Positions of maxima are 64-bit "
        "integers.",
        answer=net.saved_bytes,
        solution=f"The image ({image} numbers), which the filters' gradient needs, the output of "
        f"the ReLU ({maps} numbers), which the ReLU and the pooling need, and the "
        f"{maps // 4} positions of the maxima: "
        rf"$4 \cdot {image} + 4 \cdot {maps} + 8 \cdot {maps // 4} = {net.saved_bytes}$.",
        mistakes=[
            (net.activation_bytes, "These are the outputs of all layers.", _TRAINING),
            (net.saved_bytes + 4 * maps, "The convolution's output is not needed.", _TRAINING),
            (net.saved_bytes - 4 * image, "The filters' gradient needs the image."),
            (net.saved_bytes - 8 * (maps // 4), "You left out the positions of the maxima."),
        ],
    )


@kind("cost.training", level="exam", task="estimate")
def _training(rng: Generator) -> Draft:
    millions, images = int(rng.integers(5, 140)), int(rng.integers(4, 65))
    saved = int(rng.integers(20, 150))
    fixed = 4 * 4 * millions
    answer = fixed + images * saved
    return Draft(
        question=f"A network has {millions} million parameters in float32 and saves {saved} MB per "
        f"image for the backward pass. You train it with Adam on batches of {images} images. "
        "About how many MB of memory do parameters, gradients, Adam's state and saved tensors need "
        "together?",
        answer=answer,
        solution="Adam keeps two numbers per parameter. With the parameter and its gradient these "
        rf"are four numbers of 4 bytes: $4 \cdot 4 \cdot {millions} = {fixed}$ MB. The batch adds "
        rf"${images} \cdot {saved} = {images * saved}$ MB, {answer} MB in all.",
        mistakes=[
            (2 * 4 * millions + images * saved, "You left out Adam's two numbers per parameter."),
            (3 * 4 * millions + images * saved, "Adam has two numbers per parameter, not one."),
            (fixed * images + images * saved, "Parameters are there once, not once per image."),
            (fixed + saved, "You counted one image.", _TRAINING),
        ],
    )


@kind("cost.transposed", level="standard", task="compute")
def _transposed(rng: Generator) -> Draft:
    c, o, k, n = _settings(rng)
    macs = cost([ConvTranspose(o, k, stride=2, bias=False)], (c, n, n)).macs
    return Draft(
        question=f"A transposed convolution of {k}×{k} with stride 2 and no padding enlarges {c} "
        f"channels of {n}×{n} pixels to {o} channels. How many multiply-adds does it need?",
        answer=macs,
        solution=f"Every input cell is multiplied by a whole filter for each output channel: "
        rf"${c} \cdot {n}^2 \cdot {o} \cdot {k}^2 = {macs}$.",
        mistakes=[
            (
                o * (2 * (n - 1) + k) ** 2 * c * k * k,
                "You counted output cells as in a convolution. Most taps meet no input cell.",
            ),
            (macs // c, "All input channels are read."),
            (2 * macs, "This is the number of FLOPs.", _FLOPS),
        ],
    )


@kind("cost.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="A depthwise convolution needs a small fraction of the MACs of an ordinary one "
        "with as many channels, and yet it is not faster by that factor. Explain why.",
        answer=Explanation(
            (
                "It reads and writes maps just as large, so as many numbers are moved.",
                "It does few multiply-adds per number moved: its arithmetic intensity is low.",
                "The processor waits for memory, so its time is set by the numbers moved.",
            )
        ),
        solution="Each input number is used in $k^2$ products, and not in $k^2$ products per "
        "filter. MACs fall by about the number of filters, while the numbers moved hardly change.",
    )
