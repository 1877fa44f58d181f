"""Exercises on data augmentation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.random import Generator

from cnnref.exercises._answers import Choice, Explanation, Number
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix
from cnnref.ops.padding import pad2d

_DRAWS = "#one-draw-for-the-whole-batch"
_SPLIT = "#augmenting-before-the-split"
_LABEL = "#a-change-that-changes-the-label"


@kind("augmentation.crops", level="easy", task="compute")
def _crops(rng: Generator) -> Draft:
    side, margin = int(rng.integers(16, 225)), int(rng.integers(2, 33))
    places = margin + 1
    return Draft(
        question=f"A training image has {side + margin}×{side + margin} pixels. Each step uses a "
        f"crop of {side}×{side} from it, or the mirror image of a crop. How many different "
        "training images does it give?",
        answer=2 * places**2,
        solution=f"A crop can start in any of ${margin} + 1 = {places}$ rows and as many columns, "
        rf"since both ends count. Mirror images double that: $2 \cdot {places}^2 = "
        f"{2 * places**2}$. They are far from independent: most of their pixels are the same.",
        mistakes=[
            (2 * margin**2, "Both ends count, so there is one more row and one more column."),
            (places**2, "You left out the mirror images."),
            (2 * places, "Rows and columns can be chosen independently, so multiply."),
        ],
    )


@kind("augmentation.shift", level="easy", task="compute")
def _shift(rng: Generator) -> Draft:
    row = rng.permutation(np.arange(1, 10))[:5]
    by = int(rng.integers(2, 4))
    # Shifted to the right: what is left of the row comes in from its padding.
    filled = {
        mode: pad2d(row[None, None], ((0, 0), (by, 0)), mode=mode)[0, 0, :5]
        for mode in ("constant", "replicate", "reflect")
    }
    return Draft(
        question=f"The row $({', '.join(map(str, row))})$ is shifted to the right by {by} pixels, "
        "with reflection at the border (the border pixel is not repeated). What is the new row?",
        answer=filled["reflect"][None],
        solution="The row keeps its order and loses its last "
        f"{by} numbers. At the left, the numbers next to the border come in, mirrored in the "
        f"first one: {', '.join(map(str, filled['reflect']))}.",
        mistakes=[
            (filled["constant"][None], "You filled with zeros."),
            (filled["replicate"][None], "You repeated the border pixel."),
            (np.roll(row, by)[None], "You let the numbers from the right come in at the left."),
        ],
    )


@kind("augmentation.mixup", level="standard", task="inverse")
def _mixup(rng: Generator) -> Draft:
    tenths = int(rng.choice([1, 2, 3, 4, 6, 7, 8, 9]))
    a, b = 10 * rng.permutation(np.arange(1, 10))[:2]
    mixed = (tenths * int(a) + (10 - tenths) * int(b)) // 10
    share = Fraction(tenths, 10)
    return Draft(
        question=f"Mixup mixed a cat with a dog. At one pixel the cat image has the value {a}, the "
        f"dog image {b}, and the mixed image {mixed}. What is the probability of *cat* in the "
        "mixed label?",
        answer=share,
        solution=rf"The pixel is $\lambda \cdot {a} + (1 - \lambda) \cdot {b} = {mixed}$, so "
        rf"$\lambda = ({mixed} - {b}) / ({a} - {b}) = {float(share):g}$. Labels are mixed in the "
        "same proportion.",
        mistakes=[
            (1 - share, "This is the probability of *dog*."),
            (1, "The label of a mixture is a mixture too."),
        ],
    )


@kind("augmentation.cutmix", level="standard", task="compute")
def _cutmix(rng: Generator) -> Draft:
    height, width = (int(n) for n in rng.integers(8, 20, 2))
    h, w = int(rng.integers(2, height - 1)), int(rng.integers(2, width - 1))
    row, column = int(rng.integers(0, height - 1)), int(rng.integers(0, width - 1))
    top, left = max(row - h // 2, 0), max(column - w // 2, 0)
    bottom, right = min(row - h // 2 + h, height), min(column - w // 2 + w, width)
    covered = (bottom - top) * (right - left)
    share = 1 - Fraction(covered, height * width)
    return Draft(
        question=f"CutMix pastes a rectangle of {h} rows and {w} columns of a dog image into a cat "
        f"image of {height} rows and {width} columns. It would start in row {row - h // 2} and "
        f"column {column - w // 2}, counted from 0; what is outside the image is cut off. What is "
        "the probability of *cat* in the label?",
        answer=share,
        solution=f"Rows {top} to {bottom - 1} and columns {left} to {right - 1} are covered: "
        rf"${bottom - top} \cdot {right - left} = {covered}$ of {height * width} pixels. The rest "
        f"is cat: ${float(share):.4g}$.",
        mistakes=[
            (1 - share, "This is the probability of *dog*."),
            (
                1 - Fraction(h * w, height * width),
                "You counted the whole rectangle, but a part of it is outside the image.",
            ),
        ],
    )


@kind("augmentation.contrast", level="standard", task="compute")
def _contrast(rng: Generator) -> Draft:
    image = np.array([[0, 2], [4, 6]]) + rng.integers(0, 3, (2, 2))
    image[0, 0] += -int(image.sum()) % 4
    mean = int(image.mean())
    changed = (image + mean) / 2
    return Draft(
        question="What is this image at half the contrast (factor 0.5)? Give the matrix.\n\n"
        f"$$\n{matrix(image)}\n$$",
        answer=changed,
        solution=f"The mean gray is {mean}. Each number moves halfway to it:\n\n"
        f"$$\n0.5 \\cdot {matrix(image)} + 0.5 \\cdot {mean} = {matrix(changed)}\n$$",
        mistakes=[
            (image / 2, "This is half the brightness: you mixed with black, not with the mean."),
            (image + mean, "The two factors are 0.5 and 1 − 0.5."),
        ],
    )


@kind("augmentation.area", level="standard", task="estimate")
def _area(rng: Generator) -> Draft:
    side = 8 * int(rng.integers(16, 65))
    percent = int(rng.choice([4, 9, 16, 25, 36]))
    smallest = side * Fraction(int(percent**0.5), 10)
    return Draft(
        question=f"A random resized crop covers at least {percent} % of the area of an image of "
        f"{side}×{side} pixels. What is the side of the smallest square crop, in pixels?",
        answer=Number(float(smallest), "pixels", digits=3),
        solution=rf"The side is the square root of the area: $\sqrt{{{percent / 100:g}}} \cdot "
        rf"{side} = {float(smallest):g}$.",
        mistakes=[
            (
                Number(side * percent / 100, "pixels", digits=3),
                "You took that share of the side. It is a share of the area.",
            ),
        ],
    )


@kind("augmentation.leak", level="standard", task="find the bug")
def _leak(rng: Generator) -> Draft:
    patients, slices = int(rng.integers(20, 200)), int(rng.integers(10, 60))
    options = (
        "Slices of one patient are on both sides. Split the patients.",
        "The test slices are not augmented. They must be augmented like the training slices.",
        "The split is random. It should keep the order of the files.",
        "Nothing. The split came before the augmentation.",
    )
    return Draft(
        question=f"A data set has {slices} scan slices of each of {patients} patients. All "
        f"{patients * slices} slices are shuffled, one fifth is set aside for the test, and only "
        "the rest is augmented. The test accuracy is surprisingly high. What is wrong?",
        answer=Choice(options, 0),
        solution="Slices of one patient resemble each other much more than slices of two patients. "
        "The test then asks for patients that the network has seen. Split by what the images have "
        f"in common: {patients // 5} of the patients for the test.",
        mistakes=[
            (1, "The test is about the images that the network will meet, which are unchanged."),
            (2, "The order of the files can make it worse: one class may be missing."),
            (3, "That is necessary, but not enough: the images leak by themselves.", _SPLIT),
        ],
    )


@kind("augmentation.labels", level="easy", task="explain")
def _labels(rng: Generator) -> Draft:
    cases = {
        "handwritten digits, rotated by 180°": 0,
        "letters, flipped left to right": 0,
        "chest X-rays, flipped left to right": 0,
        "traffic signs, flipped left to right": 0,
    }
    bad = str(rng.choice(list(cases)))
    options = [
        "cats and dogs, flipped left to right", bad, "satellite images, rotated by 90°",
        "cells under a microscope, flipped top to bottom",
    ]  # fmt: skip
    order = rng.permutation(4)
    shuffled = tuple(options[place] for place in order)
    right = shuffled.index(bad)
    return Draft(
        question="Which of these augmentations changes the meaning of some images, so that their "
        "label is no longer true?",
        answer=Choice(shuffled, right),
        solution="A mirror image or a rotation is a possible picture of the same animal, "
        f"landscape or cell. Not so for {bad}.",
        mistakes=[
            (place, "The result could be another picture of the same class.", _LABEL)
            for place in range(4)
            if place != right
        ],
    )


@kind("augmentation.batch", level="exam", task="estimate")
def _batch(rng: Generator) -> Draft:
    batch = int(rng.integers(4, 9))
    each, once = Fraction(2, 2**batch), Fraction(1)
    return Draft(
        question=f"A batch has {batch} images. Each image is flipped with probability 1/2, by its "
        "own draw. What is the probability that the batch is all flipped or all unflipped, as it "
        "always is with one draw for the whole batch?",
        answer=each,
        solution=rf"Each of the two cases has probability $(1/2)^{{{batch}}}$, together "
        f"${each.numerator}/{each.denominator}$.",
        mistakes=[
            (each / 2, "You counted one of the two cases."),
            (once, "This is true of one draw for the whole batch.", _DRAWS),
            (Fraction(1, batch), "The draws are independent, so multiply their probabilities."),
        ],
    )


@kind("augmentation.gap", level="exam", task="explain")
def _gap(rng: Generator) -> Draft:
    train, test = int(rng.integers(94, 100)), int(rng.integers(70, 78))
    train_with, test_with = train - int(rng.integers(8, 13)), test - int(rng.integers(1, 4))
    return Draft(
        question=f"Without augmentation a network classifies {train} % of the training images and "
        f"{test} % of the test images correctly; with shifts, {train_with} % and {test_with} %. A "
        "colleague concludes: 'The gap shrank, so the shifts helped.' What do you answer?",
        answer=Explanation(
            points=(
                f"The gap shrank from {train - test} to {train_with - test_with} points because "
                "the training accuracy fell.",
                f"The test accuracy, which is what counts, fell too, from {test} % to "
                f"{test_with} %.",
                "Shifts help only if test images are shifted in ways the training set is too "
                "small to show.",
                "Before you conclude anything: repeat it with several seeds, and compare the "
                "difference with its standard error.",
            )
        ),
        solution="Overfitting is measured by the gap, success by the test. The gap can shrink "
        "because training got worse.",
    )
