"""The answers of the exercises on layers and depth, by torch, from what the questions say."""

from __future__ import annotations

import pytest
import torch

from cnnref import exercises
from tests.helpers import questions
from tests.helpers.questions import integers

SEEDS = range(20)


def matrices(text):
    return [torch.tensor(rows, dtype=torch.float64) for rows in questions.matrices(text)]


@pytest.mark.parametrize("seed", SEEDS)
def test_dot(seed):
    drawn = exercises.draw("deeper_layers.dot", seed)
    x_first, x_second, w_first, w_second = matrices(drawn.question)
    x, w = torch.stack([x_first, x_second])[None], torch.stack([w_first, w_second])[None]
    assert drawn.answer.value == torch.nn.functional.conv2d(x, w).item()


@pytest.mark.parametrize("seed", SEEDS)
def test_vector(seed):
    drawn = exercises.draw("deeper_layers.vector", seed)
    channels, n, _, _, k, _ = integers(drawn.question)
    patches = torch.nn.functional.unfold(torch.zeros(1, channels, n, n), k)
    assert drawn.answer.value == patches.shape[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_field(seed):
    drawn = exercises.draw("deeper_layers.field", seed)
    wanted, k, _, _ = integers(drawn.question)

    def seen(layers):
        """How many pixels the middle unit's gradient reaches."""
        x = torch.zeros(1, 1, 1, 161, requires_grad=True)
        y = x
        for _ in range(layers):
            y = torch.nn.functional.conv2d(y, torch.ones(1, 1, 1, k))
        y[..., y.shape[-1] // 2].backward()
        return int((x.grad != 0).sum())

    assert seen(drawn.answer.value) >= wanted > seen(drawn.answer.value - 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_trade(seed):
    drawn = exercises.draw("deeper_layers.trade", seed)
    channels, halvings = integers(drawn.question)
    before = torch.zeros(channels, 64, 64)
    after = torch.zeros(drawn.answer.value, 64 >> halvings, 64 >> halvings)
    assert before.numel() == after.numel()


@pytest.mark.parametrize("seed", SEEDS)
def test_centred(seed):
    drawn = exercises.draw("deeper_layers.centred", seed)
    (rows,) = matrices(drawn.question)
    centred = rows - rows.mean(dim=0)
    cosine = torch.nn.functional.cosine_similarity(centred[0], centred[1], dim=0)
    assert drawn.answer.value == pytest.approx(cosine.item())
