"""Exercises on transfer learning."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.random import Generator

from cnnref.exercises._answers import Choice, Explanation, Number
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind

_EXAMPLE = "#question-14"
_SAVES = "#what-it-saves"
_PREPARED = "#another-preprocessing-than-the-bases"
_DECIDE = "#what-to-do-with-how-much-data"


@kind("transfer_learning.head", level="easy", task="compute")
def _head(rng: Generator) -> Draft:
    features = int(rng.choice([256, 512, 1024, 1280, 2048]))
    old, new = int(rng.choice([100, 1000])), int(rng.integers(3, 30))
    count = (features + 1) * new
    return Draft(
        question=f"A network's last layer is linear with a bias, from {features} features to {old} "
        f"classes. You replace it by one for {new} classes and freeze the rest. How many "
        "parameters train?",
        answer=Number(count, "parameters"),
        solution=rf"One weight per feature and class, one bias per class: ${features} \cdot {new} "
        f"+ {new} = {count:,}$.",
        mistakes=[
            (features * new, "Each class has a bias too."),
            ((features + 1) * old, "This is the old head, which is left behind."),
            ((features + 1) * (old + new), "The new head replaces the old one."),
        ],
    )


@kind("transfer_learning.features", level="easy", task="compute")
def _features(rng: Generator) -> Draft:
    a, b = (int(n) for n in rng.permutation(np.arange(1, 10))[:2])
    weight, bias = int(rng.integers(2, 6)), int(rng.integers(1, 5))
    answer = weight * abs(a - b) + bias
    return Draft(
        question=r"The base of the worked example has the features $\max(0, x_1 - x_2)$ and "
        rf"$\max(0, x_2 - x_1)$. A head has the weight {weight} for both features and the bias "
        f"{bias}. What is its output for the image $({a}, {b})$?",
        answer=answer,
        solution=f"One feature is {abs(a - b)}, the other 0. The output is "
        rf"${weight} \cdot {abs(a - b)} + {bias} = {answer}$.",
        mistakes=[
            (bias, "The ReLU sets the negative difference to 0, so the features do not cancel."),
            (answer - bias, "You left out the bias."),
            (weight * (a + b) + bias, "You put the head on the pixels, not on the features."),
        ],
    )


@kind("transfer_learning.stored", level="standard", task="estimate")
def _stored(rng: Generator) -> Draft:
    base = 10 * int(rng.integers(20, 90))
    images, epochs = 100 * int(rng.integers(2, 20)), int(rng.integers(10, 60))
    with_, without = base * images, base * images * epochs
    return Draft(
        question=f"The forward pass of a frozen base takes {base} million multiply-adds per image. "
        f"A head trains on {images} images for {epochs} epochs, without augmentation. How many "
        "million multiply-adds of the base's forward passes do you save if you store its features?",
        answer=without - with_,
        solution=f"Without storing, every image passes through the base {epochs} times, with "
        rf"storing once: ${base} \cdot {images} \cdot ({epochs} - 1) = {without - with_}$ million.",
        mistakes=[
            (without, "The features must still be computed once.", _SAVES),
            (with_, "This is what remains."),
        ],
    )


@kind("transfer_learning.bound", level="exam", task="compute")
def _bound(rng: Generator) -> Draft:
    counts = rng.integers(1, 9, (3, 2))
    counts[:, 1] += counts[:, 0] == counts[:, 1]
    total, right = int(counts.sum()), int(counts.max(axis=1).sum())
    lines = "; ".join(
        f"features {name}: {cats} cats and {dogs} dogs"
        for name, (cats, dogs) in zip("ABC", counts, strict=True)
    )
    return Draft(
        question="A frozen base gives only three different feature vectors for the training set: "
        f"{lines}. What is the highest training accuracy that any head can reach?",
        answer=Fraction(right, total),
        solution="Images with the same features get the same answer, so in each group the more "
        f"frequent class is the best answer: {' + '.join(str(n) for n in counts.max(axis=1))} = "
        f"{right} of {total}. What the base threw away, no head can use.",
        mistakes=[
            (1, "Images with equal features get the same answer from every head.", _EXAMPLE),
            (
                Fraction(int(counts.sum(axis=0).max()), total),
                "A head can answer differently for A, B and C.",
            ),
        ],
    )


@kind("transfer_learning.normalize", level="standard", task="inverse")
def _normalize(rng: Generator) -> Draft:
    pixel = 127 + 16 * int(rng.choice([-6, -5, -3, -2, 2, 3, 5, 6]))
    value = Fraction(pixel - 127, 128)
    return Draft(
        question="A network takes (pixel − 127)/128. At one place its input is "
        f"{float(value):g}. What was the pixel, from 0 to 255?",
        answer=pixel,
        solution=rf"Undo the steps in reverse order: ${float(value):g} \cdot 128 + 127 = {pixel}$.",
        mistakes=[
            (
                Fraction(255) * value,
                "This network neither divides by 255 nor starts at 0.",
                _PREPARED,
            ),
            ((value + 127) * 128, "Undo the division first, then the subtraction."),
            (128 * value, "You did not undo the subtraction."),
        ],
    )


@kind("transfer_learning.decide", level="standard", task="design")
def _decide(rng: Generator) -> Draft:
    few, many = int(rng.integers(5, 20)), 1000 * int(rng.integers(5, 30))
    options = (
        "Freeze the base and train a head.",
        "Fine-tune the top, or everything, at a low rate.",
        "Train a network from scratch, and do not look at a pre-trained one.",
        "Train everything at the head's rate, from the pre-trained weights.",
    )
    cases = (
        (f"{few} photographs of each of 6 breeds of dogs", 0, "few, and similar"),
        (f"{many} microscope pictures of each of 6 kinds of cells", 1, "many, and different"),
    )
    what, right, why = cases[int(rng.integers(len(cases)))]
    return Draft(
        question=f"You have {what}, and a network trained on ImageNet. What do you try **first**, "
        "before you compare with other ways on validation images?",
        answer=Choice(options, right),
        solution=f"The data are {why}. "
        + (
            "A head has few parameters to learn, and the features fit."
            if right == 0
            else "There is enough data to adapt the features, and there is something to adapt."
        ),
        mistakes=[
            (
                1 - right,
                "With so few images there is little to learn the base's parameters from."
                if right == 0
                else "With so many images of another kind, frozen features give accuracy away.",
                _DECIDE,
            ),
            (2, "It is worth comparing, but a pre-trained start is rarely worse."),
            (3, "That rate destroys what the base has learned."),
        ],
    )


@kind("transfer_learning.bug", level="easy", task="find the bug")
def _bug(rng: Generator) -> Draft:
    classes, old = int(rng.integers(3, 30)), int(rng.choice([100, 1000]))
    options = (
        f"The layer still has {old} outputs. `out_features` only describes it.",
        "It also changes the number of inputs.",
        f"The layer has {classes} outputs, but random weights.",
        "Nothing. This replaces the head.",
    )
    return Draft(
        question=f"A network has a linear head `fc` for {old} classes. What does "
        f"`model.fc.out_features = {classes}` do?",
        answer=Choice(options, 0),
        solution="The weights decide how many outputs there are, and nobody made new ones. "
        "Put a new layer in its place: `replace_head`.",
        mistakes=[
            (1, "It changes no weight at all."),
            (2, "No new weights are made."),
            (
                3,
                "It runs without an error, but look at the shape of the output.",
                "#a-number-changed-but-no-layer",
            ),
        ],
    )


@kind("transfer_learning.baseline", level="exam", task="explain")
def _baseline(rng: Generator) -> Draft:
    network, plain = int(rng.integers(86, 93)), int(rng.integers(78, 85))
    return Draft(
        question=f"A fine-tuned network classifies {network} % of 40 test photographs of beaches, "
        f"forests, cities and fields correctly. The mean color alone gives {plain} %. What can you "
        "say about what was transferred?",
        answer=Explanation(
            points=(
                f"Most of the accuracy needs no network: color alone gives {plain} %, where "
                "guessing gives 25 %.",
                f"The difference is {network - plain} points; one photograph of 40 is 2.5 points.",
                "Compare both on the same splits, several of them, and give the mean difference "
                "with its standard error.",
                "Also compare with a head on frozen features and with a network from scratch, with "
                "the same augmentation.",
            )
        ),
        solution="A number without a baseline says little about transfer.",
    )
