"""The answers of the exercises on transfer learning, another way from the questions' text."""

from __future__ import annotations

import itertools
import re

import pytest
import torch

from cnnref import exercises

SEEDS = range(20)


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


@pytest.mark.parametrize("seed", SEEDS)
def test_head(seed):
    drawn = exercises.draw("transfer_learning.head", seed)
    features, _, new = (int(number) for number in numbers(drawn.question))
    parameters = torch.nn.Linear(features, new).parameters()
    assert drawn.answer.value == sum(parameter.numel() for parameter in parameters)


@pytest.mark.parametrize("seed", SEEDS)
def test_features(seed):
    drawn = exercises.draw("transfer_learning.features", seed)
    weight, bias, a, b = numbers(drawn.question.split("A head has")[1])
    base = torch.nn.Linear(2, 2, bias=False)
    base.weight.data = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    features = torch.relu(base(torch.tensor([a, b])))
    assert drawn.answer.value == (weight * features).sum().item() + bias


@pytest.mark.parametrize("seed", SEEDS)
def test_stored(seed):
    drawn = exercises.draw("transfer_learning.stored", seed)
    base, images, epochs = (int(number) for number in numbers(drawn.question))
    again = sum(base for _ in range(epochs - 1) for _ in range(images))
    assert drawn.answer.value == again


@pytest.mark.parametrize("seed", SEEDS)
def test_bound(seed):
    drawn = exercises.draw("transfer_learning.bound", seed)
    groups = re.findall(r"(\d+) cats and (\d+) dogs", drawn.question)
    images = [
        (group, label)
        for group, counts in enumerate(groups)
        for label, count in enumerate(counts)
        for _ in range(int(count))
    ]
    best = max(
        sum(answers[group] == label for group, label in images)
        for answers in itertools.product((0, 1), repeat=3)
    )
    assert float(drawn.answer.value) == pytest.approx(best / len(images))


@pytest.mark.parametrize("seed", SEEDS)
def test_normalize(seed):
    drawn = exercises.draw("transfer_learning.normalize", seed)
    value = numbers(drawn.question.split("its input is")[1])[0]
    assert (drawn.answer.value - 127) / 128 == value


def test_bug():
    layer = torch.nn.Linear(4, 10)
    layer.out_features = 3
    assert layer(torch.zeros(1, 4)).shape == (1, 10)
    answer = exercises.draw("transfer_learning.bug", 0).answer
    assert "only describes" in answer.options[answer.right]
