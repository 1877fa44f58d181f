"""Exercises on fine-tuning."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.random import Generator

from cnnref.exercises._answers import Choice, Explanation, Number
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind

_PHASES = "#question-16"
_OPTIMIZER = "#the-optimizer-does-not-know-the-unfrozen-weights"
_RATE = "#the-optimizer-knows-all-weights-at-one-rate"
_JUDGE = "#the-set-that-chose-is-the-set-that-judges"
_MEASURED = "#measured-on-a-real-network"


def _short(number: float | Fraction) -> str:
    return f"{float(number):.4g}"


def _row(numbers: np.ndarray) -> str:
    return "(" + ", ".join(map(_short, numbers)) + ")"


@kind("fine_tuning.head-steps", level="standard", task="compute")
def _head_steps(rng: Generator) -> Draft:
    x = np.array([1, int(rng.choice([1, 2]))])
    rate = Fraction(int(rng.choice([1, 2])), 10)
    error, limit = int(rng.integers(3, 20)), Fraction(1, 10)
    factor = 1 - rate * int(x @ x)
    steps, left = 0, Fraction(error)
    while abs(left) >= limit:
        steps, left = steps + 1, left * factor
    return Draft(
        question=r"In the first phase the network $y = v \cdot (W x)$ with $W$ the identity trains "
        rf"its head only, on $x = {_row(x)}$ with the loss $\frac12 (y - t)^2$, at rate "
        f"{float(rate):g}. The error is {error} at the start. After how many steps is it below "
        "0.1?",
        answer=steps,
        solution=r"A step changes the head by the rate times the error times $x$, so the error is "
        rf"multiplied by $1 - {float(rate):g} \cdot {int(x @ x)} = {float(factor):g}$ each time. "
        f"After {steps} steps it is {_short(left)}.",
        mistakes=[
            (steps - 1, "One step less is not quite enough."),
            (
                _steps(error, 1 - rate),
                "The factor is 1 minus the rate times the squared length of x.",
            ),
        ],
    )


def _steps(error: int, factor: Fraction) -> int:
    return math.ceil(math.log(Fraction(1, 10) / error) / math.log(factor))


@kind("fine_tuning.parameters", level="easy", task="compute")
def _parameters(rng: Generator) -> Draft:
    parts = sorted(int(n) for n in rng.choice(np.arange(2, 90), 5, replace=False) * 1000)
    features, classes = int(rng.choice([128, 256, 512])), int(rng.integers(3, 20))
    head, top = (features + 1) * classes, int(rng.integers(2, 4))
    return Draft(
        question="The parts of a base have, from input to output, "
        f"{', '.join(f'{part:,}' for part in parts)} parameters. A new linear head with a bias "
        f"maps {features} features to {classes} classes. How many parameters train in the second "
        f"phase, if the top {top} parts are unfrozen?",
        answer=Number(head + sum(parts[-top:]), "parameters"),
        solution=rf"The head has ${features} \cdot {classes} + {classes} = {head:,}$ parameters, "
        f"the top parts {sum(parts[-top:]):,}: together {head + sum(parts[-top:]):,}.",
        mistakes=[
            (head + sum(parts[:top]), "The top of a network is at its output.", _PHASES),
            (sum(parts[-top:]), "The head trains in both phases.", _PHASES),
            (head, "This is the first phase."),
            (head - classes + sum(parts[-top:]), "The head has biases too."),
        ],
    )


@kind("fine_tuning.patience", level="standard", task="compute")
def _patience(rng: Generator) -> Draft:
    patience = int(rng.integers(2, 4))
    losses = [round(float(loss), 2) for loss in 0.3 + 0.6 * rng.random(10)]
    best, waited, stopped = 0, 0, 0
    for epoch, loss in enumerate(losses):
        waited = 0 if epoch == 0 or loss < losses[best] else waited + 1
        best, stopped = (epoch, epoch) if waited == 0 else (best, epoch)
        if waited == patience:
            break
    lowest = int(np.argmin(losses))
    return Draft(
        question=f"A run has a patience of {patience} epochs. The validation losses of its epochs "
        f"are, or would be, {', '.join(f'{loss:g}' for loss in losses)}. Which epoch's weights are "
        "kept, counted from 1?",
        answer=best + 1,
        solution=f"Epoch {best + 1} has the lowest loss so far when the run ends after epoch "
        f"{stopped + 1}."
        + (f" Epoch {lowest + 1} would have been better, but is never run." * (lowest != best)),
        mistakes=[
            (lowest + 1, "The run has ended before that epoch."),
            (stopped + 1, "The run ends there, but keeps the weights of the lowest loss."),
            (best, "Epochs are counted from 1."),
        ],
    )


@kind("fine_tuning.budget", level="standard", task="design")
def _budget(rng: Generator) -> Draft:
    x, v = rng.permutation(np.arange(1, 6))[:2], rng.permutation([-4, -3, -2, 1, 2, 3])[:2]
    error = int(rng.choice([-5, -4, -3, 3, 4, 5]))
    limit = Fraction(int(rng.choice([1, 2, 5])), 100)
    steepest = int(np.abs(error * np.outer(v, x)).max())
    return Draft(
        question=r"The network is $y = v \cdot (W x)$ with the loss $\frac12 (y - t)^2$, "
        f"$v = {_row(v)}$, $x = {_row(x)}$, and the error $y - t$ is {error}. What is the largest "
        f"rate for the base with which the first step changes no entry of $W$ by more than "
        f"{float(limit):g}?",
        answer=limit / steepest,
        solution="The entries of the gradient are the error times a number of $v$ times one of "
        f"$x$. The largest has the size {steepest}, so the rate may be "
        rf"${float(limit):g} / {steepest} = {_short(limit / steepest)}$.",
        mistakes=[
            (limit / abs(error), "You left out the head and the input."),
            (limit, "The step is the rate times the gradient."),
            (
                limit / int(np.abs(error * v * x).max()),
                "Every number of $v$ meets every number of $x$.",
            ),
        ],
    )


@kind("fine_tuning.optimizer", level="easy", task="find the bug")
def _optimizer(rng: Generator) -> Draft:
    options = (
        "The optimizer was made for the head. It does not move the base.",
        "The base must be put into train mode, or it gets no gradient.",
        "The rate is too high for the base.",
        "Nothing. Head and base train together.",
    )
    epochs = int(rng.integers(3, 12))
    return Draft(
        question="`freeze(base)`; `optimizer = Adam(head.parameters(), 1e-3)`; "
        f"{epochs} epochs; `unfreeze(base)`; {epochs} more epochs with `optimizer`. What happens "
        "in the second phase?",
        answer=Choice(options, 0),
        solution="An optimizer moves the parameters it was given. Unfreezing makes gradients, but "
        "nobody uses those of the base. Make a new optimizer, with a lower rate for the base.",
        mistakes=[
            (1, "Eval mode concerns batch norm and dropout, not gradients."),
            (2, "It would be, if the optimizer had the base.", _RATE),
            (3, "The base gets gradients, but who takes a step with them?", _OPTIMIZER),
        ],
    )


@kind("fine_tuning.adam", level="exam", task="estimate")
def _adam(rng: Generator) -> Draft:
    weight, rate = int(rng.integers(2, 10)) / 100, float(rng.choice([1e-3, 1e-4, 3e-4]))
    divisor = int(rng.choice([10, 30]))
    steps = math.ceil(round(weight / (rate / divisor), 9))
    return Draft(
        question=f"A weight of the base is {weight:g}. Its gradient always has the same sign and "
        f"size, so that each step of Adam moves it by the learning rate. The head's rate is "
        f"{rate:g}, the base's is 1/{divisor} of that. After how many steps could the weight have "
        "reached zero?",
        answer=steps,
        solution=rf"A step is ${rate:g} / {divisor} = {_short(rate / divisor)}$. So it takes "
        rf"${weight:g} / {_short(rate / divisor)}$, rounded up: {steps} steps. At the head's rate "
        f"it takes {math.ceil(round(weight / rate, 9))}.",
        mistakes=[
            (math.ceil(round(weight / rate, 9)), "This is at the head's rate."),
            (
                math.ceil(round(weight / (rate * divisor), 9)),
                "The base's rate is lower than the head's.",
            ),
        ],
    )


@kind("fine_tuning.paired", level="exam", task="compute")
def _paired(rng: Generator) -> Draft:
    first = rng.integers(70, 95, 5)
    gains = rng.integers(-2, 7, 5)
    gains[0] += -int(gains.sum()) % 5
    second = first + gains
    mean = int(gains.mean())
    error = float(gains.std(ddof=1) / math.sqrt(5))
    apart = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 5)
    return Draft(
        question="Two ways to fine-tune were tried on the same 5 splits. Test accuracy in percent, "
        f"split by split: {', '.join(map(str, first))} and {', '.join(map(str, second))}. What is "
        "the standard error of the mean difference, in points?",
        answer=Number(error, "points", digits=2),
        solution=f"The differences are {', '.join(map(str, gains))}, with mean {mean}. Their "
        f"standard deviation is {_short(gains.std(ddof=1))}, divided by $\\sqrt{{5}}$: "
        f"{_short(error)}.",
        mistakes=[
            (
                Number(apart, "points", digits=2),
                "The splits are the same, so take the differences first.",
                _MEASURED,
            ),
            (
                Number(float(gains.std(ddof=1)), "points", digits=2),
                "This is the standard deviation of one difference, not of their mean.",
            ),
            (
                Number(float(gains.std() / math.sqrt(5)), "points", digits=2),
                "Divide by the count less one in the standard deviation.",
            ),
        ],
    )


@kind("fine_tuning.judge", level="standard", task="explain")
def _judge(rng: Generator) -> Draft:
    epochs, size = int(rng.integers(20, 100)), int(rng.integers(20, 60))
    return Draft(
        question=f"A paper fine-tunes for {epochs} epochs, keeps the epoch with the best accuracy "
        f"on its {size} validation images, and reports that accuracy. What is wrong, and what "
        "should it report?",
        answer=Explanation(
            points=(
                f"The best of {epochs} epochs is chosen partly by luck on these {size} images, "
                "so its accuracy there is too high on average.",
                "It should report the accuracy on a third set that chose nothing.",
                f"With {size} images one image is {100 / size:.1f} points, so give the number of "
                "images and repeat with several splits.",
            )
        ),
        solution="The set that chooses cannot judge. Choosing on the test set itself is the same "
        "mistake.",
    )
