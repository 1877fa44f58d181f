"""Exercises on Grad-CAM."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cnnref.exercises._answers import Choice, Explanation, Matrix
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix

_MEAN = "#the-mean-hides-where"
_SIGN = "#the-magnitude-of-the-gradient-or-only-its-positive-part"

Maps = NDArray[np.int_]


def _weights(gradients: Maps) -> NDArray[Any]:
    """Return the Grad-CAM weight of each channel, the mean of its gradient."""
    weights: NDArray[Any] = gradients.mean(axis=(1, 2))
    return weights


def _map(weights: NDArray[Any], maps: Maps) -> NDArray[Any]:
    return np.maximum(np.tensordot(weights, maps, axes=1), 0)


def _draw(rng: Generator) -> tuple[Maps, Maps]:
    """Return the gradients, with whole means, and the activations of two 2×2 channels."""
    gradients = rng.integers(-4, 6, (2, 2, 2))
    gradients[:, 1, 1] -= gradients.sum(axis=(1, 2)) % 4
    return gradients, rng.integers(0, 6, (2, 2, 2))


@kind("gradcam.weight", level="easy", task="compute")
def _weight(rng: Generator) -> Draft:
    gradient = _draw(rng)[0][0]
    mean = float(gradient.mean())
    return Draft(
        question="The gradient of a class score with respect to one channel is\n\n"
        f"$$\n{matrix(gradient)}\n$$\n\nWhich weight does Grad-CAM give the channel?",
        answer=mean,
        solution=f"It is the mean of the gradient, with its sign: "
        f"${int(gradient.sum())} / 4 = {mean:g}$.",
        mistakes=[
            (int(gradient.sum()), "You added the gradient up; Grad-CAM takes the mean."),
            (float(np.abs(gradient).mean()), "You dropped the signs.", _SIGN),
            (int(gradient.max()), "You took the largest number; Grad-CAM takes the mean."),
        ],
    )


@kind("gradcam.map", level="standard", task="compute")
def _whole(rng: Generator) -> Draft:
    gradients, maps = _draw(rng)
    weights = _weights(gradients)
    total = np.tensordot(weights, maps, axes=1)
    return Draft(
        question="Two channels $A_1, A_2$ have these activations and these gradients of the class "
        f"score:\n\n$$\nA_1 = {matrix(maps[0])} \\quad A_2 = {matrix(maps[1])}\n$$\n\n$$\n"
        f"\\frac{{\\partial y}}{{\\partial A_1}} = {matrix(gradients[0])} \\quad "
        f"\\frac{{\\partial y}}{{\\partial A_2}} = {matrix(gradients[1])}\n$$\n\n"
        "What is the Grad-CAM map?",
        answer=Matrix(_map(weights, maps)),
        solution=f"The weights are the means {weights[0]:g} and {weights[1]:g}. The weighted sum is"
        f"\n\n$$\n{matrix(total)}\n$$\n\nand the ReLU sets its negative numbers to zero.",
        mistakes=[
            (total, "You left out the ReLU at the end."),
            (
                np.maximum((gradients * maps).sum(axis=0), 0),
                "You multiplied cell by cell, which is HiResCAM.",
                _MEAN,
            ),
            (_map(_weights(np.abs(gradients)), maps), "You dropped the signs.", _SIGN),
            (_map(_weights(np.maximum(gradients, 0)), maps), "You kept positive gradients only."),
        ],
    )


@kind("gradcam.hirescam", level="standard", task="compute")
def _hirescam(rng: Generator) -> Draft:
    gradients, maps = _draw(rng)
    product = (gradients * maps).sum(axis=0)
    return Draft(
        question="The activations and the gradients of two channels are\n\n$$\n"
        f"A_1 = {matrix(maps[0])} \\quad A_2 = {matrix(maps[1])}\n$$\n\n$$\n"
        f"G_1 = {matrix(gradients[0])} \\quad G_2 = {matrix(gradients[1])}\n$$\n\n"
        "What is the HiResCAM map, after its ReLU?",
        answer=Matrix(np.maximum(product, 0)),
        solution="Multiply each cell by its own gradient, add the channels, and apply the ReLU. "
        f"Before the ReLU the sum is\n\n$$\n{matrix(product)}\n$$",
        mistakes=[
            (product, "You left out the ReLU at the end."),
            (_map(_weights(gradients), maps), "This is Grad-CAM, with the mean gradient.", _MEAN),
        ],
    )


@kind("gradcam.cam", level="standard", task="inverse")
def _cam(rng: Generator) -> Draft:
    rows, columns = int(rng.integers(3, 8)), int(rng.integers(8, 15))
    alpha = int(rng.integers(2, 9))
    return Draft(
        question="A network ends in the mean of each map and one linear layer. Grad-CAM gives one "
        f"channel the weight $\\alpha = {alpha}$ in the last maps of {rows}×{columns} cells. Which "
        "weight does the linear layer give that channel?",
        answer=alpha * rows * columns,
        solution=f"The mean divides by the number of cells, so $\\alpha = w / (hw)$ and "
        rf"$w = {alpha} \cdot {rows} \cdot {columns} = {alpha * rows * columns}$.",
        mistakes=[
            (alpha, "The mean over the cells divides the gradient.", "#cam-is-a-special-case"),
            (alpha * (rows + columns), "Count the cells: rows times columns."),
        ],
    )


_CODE = (
    "y = model(x)[0, target]",
    "(g,) = torch.autograd.grad(y, maps)",
    "w = g.mean(dim=(2, 3), keepdim=True)",
    "cam = (w * maps).sum(dim=1).relu()",
)
# For each line: what a careless program has there, what one sees, and why it is wrong.
_BUGS = {
    0: (
        "y = model(x).softmax(dim=1)[0, target]",
        "A class that the network finds unlikely gets a map that is nearly reversed.",
        "The gradient of a probability also contains that all other scores should fall. Take the "
        "score before the softmax.",
    ),
    2: (
        "w = g.abs().mean(dim=(2, 3), keepdim=True)",
        "The maps of two classes hardly differ.",
        "Without its sign, evidence against the class counts as evidence for it.",
    ),
    3: (
        "cam = (w * maps.relu()).sum(dim=1)",
        "The map has negative numbers.",
        "The ReLU comes after the weighted sum, to remove evidence against the class.",
    ),
}


@kind("gradcam.bug", level="standard", task="find the bug")
def _bug(rng: Generator) -> Draft:
    place = int(rng.choice(list(_BUGS)))
    line, seen, why = _BUGS[place]
    lines = [line if number == place else good for number, good in enumerate(_CODE)]
    return Draft(
        question=f"{seen} Which line is to blame?\n\n"
        + "\n".join(f"    {number + 1}  {one}" for number, one in enumerate(lines)),
        answer=Choice(tuple(f"`{one}`" for one in lines), place),
        solution=f"{why} The line should be `{_CODE[place]}`.",
        mistakes=[
            (number, "This line is as in Grad-CAM.")
            for number in range(len(lines))
            if number != place
        ],
    )


@kind("gradcam.scale", level="exam", task="estimate")
def _scale(rng: Generator) -> Draft:
    factor, peak = int(rng.integers(2, 8)), int(rng.integers(2, 9))
    return Draft(
        question=f"All numbers of an image are multiplied by {factor}. The network has "
        "convolutions without bias, ReLUs and a flattening linear layer without bias. The largest "
        f"number of the Grad-CAM map of its last ReLU was {peak}. What is it now?",
        answer=factor * peak,
        solution=rf"The maps are multiplied by {factor}. The gradient is the linear layer's "
        rf"weights, which do not change. So the map is multiplied by {factor}: "
        rf"${factor} \cdot {peak} = {factor * peak}$.",
        mistakes=[
            (peak, "The maps change, although the gradient does not."),
            (factor**2 * peak, "Only the maps change; the gradient stays the same."),
        ],
    )


@kind("gradcam.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="A Grad-CAM map is zero everywhere. Give three causes that have nothing to do "
        "with an error in the code, and say what each tells about the class.",
        answer=Explanation(
            (
                "All weighted sums are negative: every place is evidence against the class, and "
                "the ReLU removes it.",
                "The score passes through a ReLU that outputs zero, so no gradient comes back: the "
                "class is switched off.",
                "The layer itself outputs zero, so there is nothing to weight.",
            )
        ),
        solution="Look at the map with `relu=False`, at the gradient, and at the layer's output.",
    )
