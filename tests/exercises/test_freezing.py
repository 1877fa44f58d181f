"""The answers of the exercises on freezing, computed by torch from the numbers in the questions."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from cnnref import exercises

SEEDS = range(20)


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def pair(name, text):
    return torch.tensor(numbers(re.search(rf"{name} = \((.*?)\)", text)[1]), dtype=torch.float64)


def base_gradient(v, x, target):
    base = torch.eye(2, dtype=torch.float64, requires_grad=True)
    ((v @ base @ x - target) ** 2 / 2).backward()
    return base.grad


@pytest.mark.parametrize("seed", SEEDS)
def test_step(seed):
    drawn = exercises.draw("freezing.step", seed)
    target = numbers(re.search(r"t = (-?\d+)", drawn.question)[1])[0]
    gradient = base_gradient(pair("v", drawn.question), pair("x", drawn.question), target)
    np.testing.assert_allclose(drawn.answer.values, torch.eye(2) - 0.1 * gradient)


@pytest.mark.parametrize("seed", SEEDS)
def test_error(seed):
    drawn = exercises.draw("freezing.error", seed)
    body = re.search(r"begin{pmatrix}(.*?)\\end", drawn.question)[1]
    given = [numbers(row) for row in body.split(r"\\")]
    v, x = pair("v", drawn.question), pair(r"the input \$x", drawn.question)
    np.testing.assert_allclose(base_gradient(v, x, drawn.answer.value), given)


@pytest.mark.parametrize("seed", SEEDS)
def test_running_mean(seed):
    drawn = exercises.draw("freezing.running-mean", seed)
    mean, momentum, a, b = numbers(drawn.question)
    layer = torch.nn.BatchNorm1d(1, momentum=momentum)
    layer.running_mean.fill_(mean)
    layer(torch.tensor([[a], [b]]))
    assert float(drawn.answer.value) == pytest.approx(layer.running_mean.item(), abs=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_batches(seed):
    drawn = exercises.draw("freezing.batches", seed)
    momentum, percent = numbers(drawn.question)
    layer = torch.nn.BatchNorm1d(1, momentum=momentum).double()
    batches = 0
    while layer.running_mean.item() < percent / 100:
        layer(torch.tensor([[0.0], [2.0]], dtype=torch.float64))
        batches += 1
    assert drawn.answer.value == batches


@pytest.mark.parametrize("seed", SEEDS)
def test_count(seed):
    drawn = exercises.draw("freezing.count", seed)
    _, _, _, features, classes = (int(number) for number in numbers(drawn.question))
    assert drawn.answer.value == sum(
        p.numel() for p in torch.nn.Linear(features, classes).parameters()
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_decay(seed):
    drawn = exercises.draw("freezing.decay", seed)
    weight, rate, decay, steps = numbers(drawn.question)
    parameter = torch.nn.Parameter(torch.tensor(weight, dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], lr=rate, weight_decay=decay)
    parameter.grad = torch.zeros_like(parameter)
    parameter.requires_grad_(False)
    for _ in range(int(steps)):
        optimizer.step()
    assert float(drawn.answer.value) == pytest.approx(parameter.item())


def test_bug():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)).requires_grad_(
        False
    )
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    model(torch.randn(4, 1, 5, 5, generator=torch.Generator().manual_seed(0)) + 1)
    moved = {name for name, tensor in model.state_dict().items() if not tensor.equal(before[name])}
    assert moved == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    answer = exercises.draw("freezing.bug", 0).answer
    assert "running statistics" in answer.options[answer.right]
