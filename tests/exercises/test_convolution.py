"""The answers of the exercises on convolution, computed another way from what the questions say."""

from __future__ import annotations

import itertools
import re

import pytest
import torch

from cnnref import exercises
from tests.helpers.questions import integers, matrices

SEEDS = range(20)
each_seed = pytest.mark.parametrize("seed", SEEDS)


def conv(x, w, **options):
    return torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w), **options)


@each_seed
def test_cell(seed):
    drawn = exercises.draw("convolution.cell", seed)
    x, w = matrices(drawn.question)
    assert drawn.answer.value == conv([[x]], [[w]]).item()


@each_seed
def test_channels(seed):
    drawn = exercises.draw("convolution.channels", seed)
    x1, w1, x2, w2 = matrices(drawn.question)
    bias = integers(drawn.question.split("the bias")[1])[0]
    assert drawn.answer.value == conv([[x1, x2]], [[w1, w2]]).item() + bias


@each_seed
def test_filter(seed):
    drawn = exercises.draw("convolution.filter", seed)
    x, y = matrices(drawn.question)
    found = []
    for place, factor in itertools.product(range(9), range(1, 17)):
        w = [[float(factor * (3 * i + j == place)) for j in range(3)] for i in range(3)]
        if conv([[x]], [[w]])[0, 0].tolist() == y:
            found.append(w)
    assert len(found) == 1, "the question has several answers"
    assert drawn.answer.values.tolist() == found[0]


@each_seed
def test_weights(seed):
    drawn = exercises.draw("convolution.weights", seed)
    channels, _, _, budget, k, _ = integers(drawn.question)

    def size(filters):
        return sum(p.numel() for p in torch.nn.Conv2d(channels, filters, k).parameters())

    filters = drawn.answer.value
    assert size(filters) <= budget < size(filters + 1)


@each_seed
def test_products(seed):
    drawn = exercises.draw("convolution.products", seed)
    filters, _, _, channels, height, width, _ = integers(drawn.question)
    layer = torch.nn.Conv2d(channels, filters, 3, bias=False)
    output = layer(torch.zeros(1, channels, height, width))
    assert drawn.answer.value == output.numel() * layer.weight[0].numel()


@each_seed
def test_bug(seed):
    drawn = exercises.draw("convolution.bug", seed)
    code = re.search(r"`(\[\[.+\])`", drawn.question)[1]
    k = integers(drawn.question.split("k = ")[1])[0]
    x, w = torch.rand(2, k + 2, k + 3), torch.rand(2, k, k)
    names = {"x": x, "w": w, "k": k, "H": k + 2, "W": k + 3}
    wrong = torch.tensor(eval(code, names))
    right = torch.tensor(eval(code.replace("- k)", "- k + 1)"), names))
    expected = torch.nn.functional.conv2d(x[None], w[None])[0, 0]
    torch.testing.assert_close(right, expected)
    assert wrong.shape != expected.shape


@each_seed
def test_linear(seed):
    drawn = exercises.draw("convolution.linear", seed)
    bias, first, second, a, b = integers(drawn.question)
    w = torch.tensor([[[[1.0, 0.0]]]])
    A, B = (torch.tensor([[[[value - bias, 7.0]]]]) for value in (first, second))
    y = torch.nn.functional.conv2d(a * A + b * B, w, torch.tensor([float(bias)]))[..., :1]
    assert drawn.answer.value == y.flatten()[0].item()
