"""The answers of the exercises on gradients, by autograd, from what the question says."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from cnnref import exercises
from tests.helpers import questions
from tests.helpers.questions import integers

SEEDS = range(20)
conv2d = torch.nn.functional.conv2d


def matrices(text):
    return [np.array(rows) for rows in questions.matrices(text)]


@pytest.mark.parametrize("seed", SEEDS)
def test_bias(seed):
    drawn = exercises.draw("gradients.bias", seed)
    (grad,) = matrices(drawn.question)
    bias = torch.zeros(1, requires_grad=True)
    output = conv2d(torch.zeros(1, 1, *grad.shape), torch.zeros(1, 1, 1, 1), bias)
    output.backward(torch.tensor(grad, dtype=torch.float32)[None, None])
    assert drawn.answer.value == bias.grad.item()


@pytest.mark.parametrize("seed", SEEDS)
def test_weight(seed):
    drawn = exercises.draw("gradients.weight", seed)
    x, grad = (torch.tensor(m)[None, None] for m in matrices(drawn.question))
    w = torch.zeros(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    conv2d(x, w).backward(grad)
    assert drawn.answer.value == w.grad[0, 0, 0, 1].item()


@pytest.mark.parametrize("seed", SEEDS)
def test_pixel(seed):
    drawn = exercises.draw("gradients.pixel", seed)
    w, grad = (torch.tensor(m)[None, None] for m in matrices(drawn.question))
    x = torch.zeros(1, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    conv2d(x, w).backward(grad)
    row, column = integers(drawn.question.split("row")[1].split("?")[0])
    assert drawn.answer.value == x.grad[0, 0, row - 1, column - 1].item()


@pytest.mark.parametrize("seed", SEEDS)
def test_pooled(seed):
    drawn = exercises.draw("gradients.pooled", seed)
    y, grad = (torch.tensor(m)[None, None] for m in matrices(drawn.question))
    y.requires_grad_()
    torch.nn.functional.max_pool2d(torch.relu(y), 2).backward(grad)
    assert_allclose(np.array(drawn.answer.values, float), y.grad[0, 0])


@pytest.mark.parametrize("seed", SEEDS)
def test_softmax(seed):
    drawn = exercises.draw("gradients.softmax", seed)
    p = torch.tensor([float(part) for part in re.findall(r"0\.\d", drawn.question)])
    right = int(re.search(r"Class (\d)", drawn.question)[1])
    scores = p.log().requires_grad_()
    torch.nn.functional.cross_entropy(scores[None], torch.tensor([right - 1])).backward()
    assert_allclose(np.array(drawn.answer.values, float)[0], scores.grad, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_sizes(seed):
    drawn = exercises.draw("gradients.sizes", seed)
    o, _, k, _, s = integers(drawn.question)
    fitting = [n for n in range(k, 200) if len(range(0, n - k + 1, s)) == o]
    assert drawn.answer.value == max(fitting)


@pytest.mark.parametrize("seed", SEEDS)
def test_bug(seed):
    drawn = exercises.draw("gradients.bug", seed)
    n, _, k, _ = integers(drawn.question.split("Try it with")[1])
    code = re.search(r"`(def .+?)`", drawn.question)[1]
    names = {
        "conv2d": lambda g, w, padding: conv2d(
            torch.tensor(g), torch.tensor(w.copy()), padding=padding
        )
    }
    exec(code, names)
    x = torch.zeros(1, 2, n, n, dtype=torch.float64, requires_grad=True)
    w = np.arange(3.0 * 2 * k * k).reshape(3, 2, k, k)
    g = np.random.default_rng(0).integers(-3, 4, (1, 3, n - k + 1, n - k + 1)).astype(float)
    conv2d(x, torch.tensor(w)).backward(torch.tensor(g))
    assert names["grad"](g, w).shape != x.grad.shape
    exec(code.replace("w.shape[2] // 2", "w.shape[2] - 1"), names)
    assert_allclose(names["grad"](g, w), x.grad)
    assert drawn.answer.right == 1
