"""The answers of the exercises on faithfulness, computed another way from the questions."""

from __future__ import annotations

import re
import statistics

import numpy as np
import pytest
import torch

from cnnref import exercises
from cnnref.nn.faithfulness import deletion, rank_correlation

SEEDS = range(20)


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


@pytest.mark.parametrize("seed", SEEDS)
def test_area(seed):
    drawn = exercises.draw("map_faithfulness.area", seed)
    scores = numbers(drawn.question)
    assert float(drawn.answer.value) == pytest.approx(np.trapezoid(scores, dx=1 / 4))


@pytest.mark.parametrize("seed", SEEDS)
def test_order(seed):
    drawn = exercises.draw("map_faithfulness.order", seed)
    shares = numbers(drawn.question.split(" to a probability")[0])
    ranks = numbers(drawn.question.split("with the values")[1].split("What")[0])
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([shares]))
    curve = deletion(
        model, torch.ones(1, 1, 2, 2), torch.tensor(ranks).view(1, 2, 2), lambda y: y[:, 0], steps=4
    )
    assert float(drawn.answer.value) == pytest.approx(float(curve.area), abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_rank(seed):
    drawn = exercises.draw("map_faithfulness.rank", seed)
    first, second = (
        torch.tensor([numbers(body)])[None]
        for body in re.findall(r"begin{pmatrix}(.*?)\\end", drawn.question)
    )
    expected = float(rank_correlation(first, second))
    assert float(drawn.answer.value) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_paired(seed):
    drawn = exercises.draw("map_faithfulness.paired", seed)
    count, *gains = numbers(drawn.question.split("What is")[0])
    assert len(gains) == count
    error = statistics.stdev(gains) / count**0.5
    assert drawn.answer.value == pytest.approx(error)


@pytest.mark.parametrize("seed", SEEDS)
def test_steps(seed):
    drawn = exercises.draw("map_faithfulness.steps", seed)
    _, limit = re.search(r"(1)/(\d+)", drawn.question).groups()
    scores = [1.0] + [0.0] * drawn.answer.value
    assert np.trapezoid(scores, dx=1 / drawn.answer.value) == pytest.approx(1 / int(limit))
