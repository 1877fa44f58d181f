"""The answers of the exercises on dilation, by running PyTorch on what the questions say."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from cnnref import exercises
from tests.helpers.questions import integers, matrices

each_seed = pytest.mark.parametrize("seed", range(20))


def columns_seen(dilations, width):
    """Return which columns the middle output sees, by its gradient."""
    x = torch.zeros(1, 1, 1, width, requires_grad=True)
    y = x
    for d in dilations:
        y = nn.functional.conv2d(y, torch.ones(1, 1, 1, 3), padding=(0, d), dilation=d)
    y[..., width // 2].sum().backward()
    return x.grad.flatten() > 0


@each_seed
def test_reach(seed):
    drawn = exercises.draw("dilation.reach", seed)
    k, _, d = integers(drawn.question)
    layer = nn.Conv2d(1, 1, k, dilation=d)
    assert layer(torch.zeros(1, 1, drawn.answer.value, 99)).shape[2] == 1
    with pytest.raises(RuntimeError, match="greater than actual input size"):
        layer(torch.zeros(1, 1, drawn.answer.value - 1, 99))


@each_seed
def test_cell(seed):
    drawn = exercises.draw("dilation.cell", seed)
    x, w = (torch.tensor(one)[None, None] for one in matrices(drawn.question))
    d = integers(drawn.question)[0]
    assert drawn.answer.value == nn.functional.conv2d(x, w, dilation=d).item()


@each_seed
def test_same(seed):
    drawn = exercises.draw("dilation.same", seed)
    k, _, d, _ = integers(drawn.question)
    layer = nn.Conv2d(1, 1, k, padding=drawn.answer.value, dilation=d)
    assert layer(torch.zeros(1, 1, 40, 41)).shape[2:] == (40, 41)


@each_seed
def test_stack(seed):
    drawn = exercises.draw("dilation.stack", seed)
    target = integers(drawn.question)[-1]
    fields = [
        int(columns_seen([2**i for i in range(layers)], 2049).sum())
        for layers in (drawn.answer.value - 1, drawn.answer.value)
    ]
    assert fields[0] < target <= fields[1]


@each_seed
def test_bug(seed):
    drawn = exercises.draw("dilation.bug", seed)
    code = re.search(r"`(Conv2d\(.+?\))`", drawn.question)[1]
    old, new = re.findall(r"`(padding=\d+)`", drawn.answer.options[drawn.answer.right])
    sizes = [
        eval(one, vars(nn).copy())(torch.zeros(1, 8, 32, 32)).shape[2]
        for one in (code, code.replace(old, new))
    ]
    assert sizes[0] != sizes[1] == 32


@each_seed
def test_unseen(seed):
    drawn = exercises.draw("dilation.unseen", seed)
    layers, _, _, _, d, field, again = integers(drawn.question)
    seen = columns_seen([d] * layers, 99).nonzero().flatten()
    assert field == again == seen.max() - seen.min() + 1
    assert drawn.answer.value == field - len(seen)
