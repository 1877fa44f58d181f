"""The answers of the exercises on output shape, by running PyTorch on what the questions say."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from cnnref import exercises
from tests.helpers.questions import integers

each_seed = pytest.mark.parametrize("seed", range(20))


def rows(layer, n):
    """Return the rows of the output for an input with n rows, 0 if the layer refuses it."""
    try:
        return layer(torch.zeros(1, 1, n, 60)).shape[2]
    except RuntimeError:
        return 0


@each_seed
def test_shape(seed):
    drawn = exercises.draw("output_shape.shape", seed)
    filters, k, _, channels, height, width, s, p = integers(drawn.question)
    output = nn.Conv2d(channels, filters, k, s, p)(torch.zeros(1, channels, height, width))
    assert drawn.answer.sizes == output.shape[1:]


@each_seed
def test_input(seed):
    drawn = exercises.draw("output_shape.input", seed)
    k, _, s, p, m = integers(drawn.question)
    layer = nn.Conv2d(1, 1, k, s, p)
    assert drawn.answer.value == max(n for n in range(1, 200) if rows(layer, n) == m)


@each_seed
def test_dropped(seed):
    drawn = exercises.draw("output_shape.dropped", seed)
    k, _, n, s = integers(drawn.question)
    x = torch.zeros(1, 1, k, n, requires_grad=True)
    nn.functional.conv2d(x, torch.ones(1, 1, k, k), stride=s).sum().backward()
    assert drawn.answer.value == (x.grad[0, 0, 0] == 0).sum()


@each_seed
def test_flatten(seed):
    drawn = exercises.draw("output_shape.flatten", seed)
    side, _, _, _, first, _, _, _, _, _, second = integers(drawn.question)
    pool = nn.MaxPool2d(2, 2)
    net = nn.Sequential(
        nn.Conv2d(3, first, 5), pool, nn.Conv2d(first, second, 3), pool, nn.Flatten()
    )
    assert drawn.answer.value == net(torch.zeros(1, 3, side, side)).shape[1]


@each_seed
def test_ceil(seed):
    drawn = exercises.draw("output_shape.ceil", seed)
    k, s, d, n = integers(drawn.question)
    pool = nn.MaxPool2d((k, 1), (s, 1), dilation=d, ceil_mode=True)
    assert drawn.answer.value == rows(pool, n)


@each_seed
def test_bug(seed):
    drawn = exercises.draw("output_shape.bug", seed)
    code = re.search(r"`(Sequential\(.+?\)\))`", drawn.question)[1]
    side = integers(drawn.question.split("images of")[1])[0]
    images = torch.zeros(2, 3, side, side)
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        eval(code, vars(nn).copy())(images)
    old, new = re.findall(r"`(Linear.+?)`", drawn.answer.options[drawn.answer.right])
    assert eval(code.replace(old, new), vars(nn).copy())(images).shape == (2, 10)
