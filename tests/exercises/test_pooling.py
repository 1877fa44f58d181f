"""The answers of the exercises on pooling, computed another way from what the question says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cnnref import exercises
from tests.helpers import questions
from tests.helpers.questions import integers

SEEDS = range(20)


def matrices(text):
    return [
        torch.tensor(rows, dtype=torch.float64)[None, None] for rows in questions.matrices(text)
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_max(seed):
    drawn = exercises.draw("pooling.max", seed)
    (x,) = matrices(drawn.question)
    np.testing.assert_array_equal(drawn.answer.values, F.max_pool2d(x, 2)[0, 0].numpy())


@pytest.mark.parametrize("seed", SEEDS)
def test_average(seed):
    drawn = exercises.draw("pooling.average", seed)
    (x,) = matrices(drawn.question)
    expected = F.avg_pool2d(x, 2, 2, padding=1)[0, 0].numpy()
    np.testing.assert_allclose(drawn.answer.values, expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_size(seed):
    drawn = exercises.draw("pooling.size", seed)
    k, _, s, n, _ = integers(drawn.question)
    output = F.max_pool2d(torch.zeros(1, n, n), k, s, ceil_mode=True)
    assert drawn.answer.value == output.shape[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_adaptive(seed):
    drawn = exercises.draw("pooling.adaptive", seed)
    n, o, i, _ = integers(drawn.question)
    row = torch.zeros(1, 1, n, requires_grad=True)
    F.adaptive_avg_pool1d(row, o)[0, 0, i].backward()
    read = row.grad[0, 0].nonzero().ravel().tolist()
    assert drawn.answer.sizes == (read[0], read[-1])


@pytest.mark.parametrize("seed", SEEDS)
def test_largest(seed):
    drawn = exercises.draw("pooling.largest", seed)
    k, _, s, o, _ = integers(drawn.question)
    sizes = [F.max_pool2d(torch.zeros(1, n, n), k, s).shape[1] for n in range(k, 100)]
    assert drawn.answer.value == max(n for n, size in enumerate(sizes, start=k) if size == o)


@pytest.mark.parametrize("seed", SEEDS)
def test_stack(seed):
    drawn = exercises.draw("pooling.stack", seed)
    layers, k, *_ = integers(drawn.question)
    x = torch.randn(1, 40, 40, generator=torch.Generator().manual_seed(seed))
    stacked = x
    for _ in range(layers):
        stacked = F.max_pool2d(stacked, k, 1)
    assert torch.equal(stacked, F.max_pool2d(x, drawn.answer.value, 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient(seed):
    drawn = exercises.draw("pooling.gradient", seed)
    x, g = matrices(drawn.question)
    x.requires_grad_()
    (expected,) = torch.autograd.grad(F.max_pool2d(x, (1, 3), (1, 2)), x, g)
    np.testing.assert_array_equal(drawn.answer.values, expected[0, 0].numpy())


@pytest.mark.parametrize("seed", SEEDS)
def test_bug(seed):
    drawn = exercises.draw("pooling.bug", seed)
    (x,) = matrices(drawn.question)
    assert not F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2).any()
    assert (F.max_pool2d(x, 3, 2, padding=1) < 0).all()
    assert "−∞" in drawn.answer.options[drawn.answer.right]
