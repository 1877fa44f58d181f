"""Exercises on freezing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.random import Generator

from cnnref.exercises._answers import Choice, Explanation
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix

_STEP = "#question-15"
_STATISTICS = "#the-definition-as-code"
_DRIFT = "#requires_grad-false-and-batch-norm-drifts"
_DECAY = "#a-gradient-of-zero-is-not-no-gradient"
_MEASURED = "#measured-on-a-real-network"

_NETWORK = (
    r"The network is $y = v \cdot (W x)$ and its loss is $\frac12 (y - t)^2$. The base $W$ is the "
    "identity, "
)


def _short(number: float | Fraction) -> str:
    return f"{float(number):.4g}"


def _row(numbers: np.ndarray) -> str:
    return "(" + ", ".join(map(_short, numbers)) + ")"


@kind("freezing.step", level="easy", task="compute")
def _step(rng: Generator) -> Draft:
    x, v = rng.permutation(np.arange(1, 5))[:2], rng.permutation(np.arange(-3, 4))[:2]
    error = int(rng.choice([-4, -3, -2, 2, 3, 4]))
    t = int(v @ x) - error
    gradient = error * np.outer(v, x)
    after = np.eye(2) - 0.1 * gradient
    return Draft(
        question=f"{_NETWORK}the head is $v = {_row(v)}$, and the example is $x = {_row(x)}$ with "
        f"the target $t = {t}$. What is the base after one step of gradient descent at rate 0.1?",
        answer=np.round(after, 10),
        solution=f"The output is {int(v @ x)} and the error {error}. The gradient with respect to "
        f"the base is the error times $v x^\\top$, so the base becomes\n\n$$\n{matrix(np.eye(2))} "
        f"- 0.1 \\cdot {matrix(gradient)} = {matrix(np.round(after, 10))}\n$$",
        mistakes=[
            (np.round(np.eye(2) + 0.1 * gradient, 10), "A step goes against the gradient.", _STEP),
            (
                np.round(np.eye(2) - 0.1 * gradient.T, 10),
                "Rows belong to the head's numbers, columns to the input's.",
            ),
            (
                np.round(np.eye(2) - 0.1 * np.outer(v, x), 10),
                "You left out the error.",
                _STEP,
            ),
        ],
    )


@kind("freezing.error", level="standard", task="inverse")
def _error(rng: Generator) -> Draft:
    x, v = rng.permutation(np.arange(1, 6))[:2], rng.permutation([-3, -2, -1, 1, 2, 3])[:2]
    error = int(rng.choice([-5, -4, -3, -2, 2, 3, 4, 5]))
    gradient = error * np.outer(v, x)
    t = int(v @ x) - error
    return Draft(
        question=f"{_NETWORK}the head is $v = {_row(v)}$ and the input $x = {_row(x)}$. The "
        "gradient of the loss with respect to the base is\n\n"
        f"$$\n{matrix(gradient)}\n$$\n\nWhat is the target $t$?",
        answer=t,
        solution=f"Each entry is the error times a number of $v$ and one of $x$: "
        rf"${gradient[0, 0]} = \text{{error}} \cdot {v[0]} \cdot {x[0]}$, so the error is {error}. "
        f"The output is {int(v @ x)}, and the target is the output minus the error: {t}.",
        mistakes=[
            (error, "This is the error, the output minus the target."),
            (int(v @ x) + error, "The error is the output minus the target, not the reverse."),
            (int(v @ x), "This is the output."),
        ],
    )


@kind("freezing.running-mean", level="standard", task="compute")
def _running_mean(rng: Generator) -> Draft:
    mean = int(rng.integers(-3, 4))
    batch = mean + 10 * rng.permutation([-2, -1, 1, 2, 3])[:2]
    momentum = Fraction(int(rng.choice([1, 2, 3])), 10)
    batch_mean = Fraction(int(batch.sum()), 2)
    new = (1 - momentum) * mean + momentum * batch_mean
    return Draft(
        question=f"A batch norm in train mode has the running mean {mean} and "
        f"`momentum={float(momentum):g}`, in PyTorch's sense. It sees a batch of the two numbers "
        f"{batch[0]} and {batch[1]}. What is its running mean afterwards?",
        answer=new,
        solution=rf"The batch mean is {_short(batch_mean)}: "
        rf"$(1 - {float(momentum):g}) \cdot ({mean}) + {float(momentum):g} \cdot "
        rf"({_short(batch_mean)}) = {_short(new)}$.",
        mistakes=[
            (
                momentum * mean + (1 - momentum) * batch_mean,
                "You took the momentum as the share of the old value, which is Keras's sense.",
                _STATISTICS,
            ),
            (mean, "The running mean changes in every forward pass in train mode.", _DRIFT),
            (batch_mean, "Only a share of the batch mean comes in."),
        ],
    )


@kind("freezing.batches", level="exam", task="estimate")
def _batches(rng: Generator) -> Draft:
    momentum = float(rng.choice([0.01, 0.02, 0.05, 0.1, 0.2]))
    percent = int(rng.choice([50, 80, 90]))
    count, left = 0, 1.0
    while 1 - left < percent / 100:
        count, left = count + 1, left * (1 - momentum)
    power = rf"(1 - {momentum:g})^n"
    return Draft(
        question="A network is shown pictures of another kind in train mode. The batch mean of one "
        f"channel is always the same there. With `momentum={momentum:g}` (PyTorch), after how many "
        f"batches has the running mean moved at least {percent} % of the way to it?",
        answer=count,
        solution=f"Each batch leaves {_short(1 - momentum)} of the distance, $n$ batches "
        f"${power}$. That is at most {_short(1 - percent / 100)} from $n = {count}$ on.",
        mistakes=[
            (
                round(percent / 100 / momentum),
                "The steps are not equal: each is a share of the distance that is left.",
            ),
            (count - 1, "One batch less is not quite enough."),
            (0, "The running mean moves in train mode, without any gradient.", _DRIFT),
        ],
    )


@kind("freezing.count", level="easy", task="compute")
def _count(rng: Generator) -> Draft:
    channels, features = int(rng.choice([1, 3])), int(rng.integers(4, 20))
    classes = int(rng.integers(2, 10))
    head, base = (features + 1) * classes, 9 * channels * features + features
    norm = 2 * features
    return Draft(
        question=f"A network has a 3×3 convolution from {channels} to {features} channels with a "
        "bias, batch norm, a global average, and a linear head with a bias for "
        f"{classes} classes. Everything but the head is frozen: parameters and running statistics. "
        "How many numbers can training still change?",
        answer=head,
        solution=rf"The head's weights and biases: ${features} \cdot {classes} + {classes} = "
        f"{head}$. Without freezing, the convolution has {base} more, the batch norm {norm} "
        f"parameters and {norm} running statistics.",
        mistakes=[
            (head + norm, "You left the running statistics unfrozen, or the scale and shift."),
            (features * classes, "The head has biases too."),
            (head + 2 * norm + base, "This is the network without freezing."),
        ],
    )


@kind("freezing.bug", level="standard", task="find the bug")
def _bug(rng: Generator) -> Draft:
    options = (
        "The running statistics of the base's batch norm change in every epoch.",
        "The base's parameters change: `requires_grad = False` must come after `model.train()`.",
        "The head does not train, because its inputs need no gradient.",
        "Nothing. The base stays as it is.",
    )
    epochs = int(rng.integers(5, 30))
    return Draft(
        question="What goes wrong in this code, in which `model.base` has batch norm?\n\n"
        "`for p in model.base.parameters(): p.requires_grad = False` and then, "
        f"{epochs} times: `model.train(); train_one_epoch(model)`",
        answer=Choice(options, 0),
        solution="`requires_grad` stops the optimizer. Running means and variances change in the "
        "forward pass of a layer in train mode, so put the base into eval mode after each "
        "`model.train()`.",
        mistakes=[
            (1, "The order does not matter: `train()` does not touch `requires_grad`."),
            (2, "The head's own weights need a gradient, and that is enough."),
            (3, "The parameters do, the running statistics do not.", _DRIFT),
        ],
    )


@kind("freezing.decay", level="exam", task="compute")
def _decay(rng: Generator) -> Draft:
    rate, decay = Fraction(1, int(rng.choice([5, 10]))), Fraction(1, int(rng.choice([2, 4, 5])))
    steps, weight = int(rng.integers(2, 4)), int(rng.choice([2, 4, 5, 10]))
    left = weight * (1 - rate * decay) ** steps
    return Draft(
        question=f"A weight of {weight} is frozen with `requires_grad = False`, but its gradient "
        f"is a tensor of zeros, not `None`. SGD without momentum, at rate {float(rate):g} and with "
        f"weight decay {float(decay):g}, takes {steps} steps. What is the weight then?",
        answer=left,
        solution=rf"Weight decay adds ${float(decay):g} \cdot w$ to the gradient. Each step "
        rf"multiplies the weight by $1 - {float(rate):g} \cdot {float(decay):g} = "
        rf"{_short(1 - rate * decay)}$: ${weight} \cdot {_short(1 - rate * decay)}"
        f"^{{{steps}}} = {_short(left)}$.",
        mistakes=[
            (weight, "SGD skips a parameter whose gradient is `None`, not one of zeros.", _DECAY),
            (weight * (1 - decay) ** steps, "The decay is multiplied by the rate."),
            (
                weight * (1 - steps * rate * decay),
                "Each step takes a share of what is left of the weight.",
            ),
        ],
    )


@kind("freezing.trained-head", level="exam", task="explain")
def _trained_head(rng: Generator) -> Draft:
    large, small = int(rng.integers(12, 20)), int(rng.integers(4, 9)) / 10
    return Draft(
        question="Before fine-tuning, the gradient with respect to the base has the length "
        f"{large} under a random head and {small:g} under a trained head, both on the training "
        "images. Does the trained head therefore protect the base? What would you measure?",
        answer=Explanation(
            points=(
                "The gradient is the error times the head. On images that the head was trained on, "
                "the error is small.",
                "On new images the error can be as large as under a random head, and so can the "
                "gradient.",
                "Adam divides each gradient by its size, so a small gradient does not mean a small "
                "step. A lower rate does.",
                "Measure what is left: put the old head back on the fine-tuned base and compare "
                "its answers with the old ones, over several seeds.",
            )
        ),
        solution="The length on the training images says how well the head fits them, not what "
        "fine-tuning will do to the base.",
    )
