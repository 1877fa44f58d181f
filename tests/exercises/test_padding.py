"""The answers of the exercises on padding, computed another way from what the question says."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from cnnref import exercises
from tests.helpers.questions import integers, matrices

SEEDS = range(40)


def rows_of_output(n, k, p):
    return torch.nn.functional.conv2d(
        torch.zeros(1, 1, n, n), torch.zeros(1, 1, k, k), padding=p
    ).shape[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_size(seed):
    drawn = exercises.draw("padding.size", seed)
    k, _, n, _, p, _ = integers(drawn.question)
    assert drawn.answer.value == rows_of_output(n, k, p)


@pytest.mark.parametrize("seed", SEEDS)
def test_same(seed):
    drawn = exercises.draw("padding.same", seed)
    k = integers(drawn.question)[0]
    assert rows_of_output(20, k, drawn.answer.value) == 20


@pytest.mark.parametrize("seed", SEEDS)
def test_corner(seed):
    drawn = exercises.draw("padding.corner", seed)
    x, w = (torch.tensor(one)[None, None] for one in matrices(drawn.question))
    assert drawn.answer.value == torch.nn.functional.conv2d(x, w, padding=1)[0, 0, -1, 0].item()


@pytest.mark.parametrize("seed", SEEDS)
def test_design(seed):
    drawn = exercises.draw("padding.design", seed)
    n, _, layers, k, _, _, _, _ = integers(drawn.question)
    size = n + 2 * drawn.answer.value
    for _ in range(layers):
        size = rows_of_output(size, k, 0)
    assert size == n


@pytest.mark.parametrize("seed", SEEDS)
def test_bug(seed):
    drawn = exercises.draw("padding.bug", seed)
    code = re.search(r"`(def .+?)`", drawn.question)[1]
    names: dict = {}
    exec(code, names)
    n, k, p, s = integers(drawn.question.split("Try it with")[1])
    wrong = names["size"](n, k, p, s)
    repaired: dict = {}
    exec(code.replace("(n + 2 * p - k + 1) // s", "(n + 2 * p - k) // s + 1"), repaired)
    layer = torch.nn.Conv2d(1, 1, k, stride=s, padding=p)
    right = layer(torch.zeros(1, 1, n, n)).shape[2]
    assert repaired["size"](n, k, p, s) == right != wrong


@pytest.mark.parametrize("seed", SEEDS)
def test_touched(seed):
    drawn = exercises.draw("padding.touched", seed)
    p, n, _, k, _ = integers(drawn.question)
    padding = np.pad(np.zeros((n, n), dtype=bool), p, constant_values=True)
    touched = sum(padding[i : i + k, j : j + k].any() for i in range(n) for j in range(n))
    assert drawn.answer.value == touched
