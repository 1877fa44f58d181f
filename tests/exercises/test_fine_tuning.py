"""The answers of the exercises on fine-tuning, computed another way from the questions' text."""

from __future__ import annotations

import re
import statistics

import pytest
import torch

from cnnref import exercises

SEEDS = range(20)


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def pair(name, text):
    return torch.tensor(numbers(re.search(rf"{name} = \((.*?)\)", text)[1]), dtype=torch.float64)


@pytest.mark.parametrize("seed", SEEDS)
def test_head_steps(seed):
    drawn = exercises.draw("fine_tuning.head-steps", seed)
    x = pair("x", drawn.question)
    rate, error, _ = numbers(drawn.question.split("at rate")[1])
    head = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer, steps = torch.optim.SGD([head], rate), 0
    while abs((head @ x).item() + error) >= 0.1:
        optimizer.zero_grad()
        ((head @ x + error) ** 2 / 2).backward()
        optimizer.step()
        steps += 1
    assert drawn.answer.value == steps


@pytest.mark.parametrize("seed", SEEDS)
def test_parameters(seed):
    drawn = exercises.draw("fine_tuning.parameters", seed)
    *parts, features, classes, top = (
        int(number) for number in numbers(drawn.question.replace(",000", "000"))
    )
    head = sum(p.numel() for p in torch.nn.Linear(features, classes).parameters())
    assert drawn.answer.value == head + sum(parts[len(parts) - top :])


@pytest.mark.parametrize("seed", SEEDS)
def test_patience(seed):
    drawn = exercises.draw("fine_tuning.patience", seed)
    patience, *losses, _ = numbers(drawn.question)
    for end in range(1, len(losses) + 1):
        seen = losses[:end]
        best = seen.index(min(seen))
        if end - 1 - best == patience:
            break
    assert drawn.answer.value == best + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_budget(seed):
    drawn = exercises.draw("fine_tuning.budget", seed)
    v, x = pair("v", drawn.question), pair("x", drawn.question)
    error, limit = numbers(drawn.question.split("the error $y - t$")[1])
    base = torch.eye(2, dtype=torch.float64, requires_grad=True)
    target = (v @ x - error).item()
    ((v @ base @ x - target) ** 2 / 2).backward()
    step = float(drawn.answer.value) * base.grad.abs().max().item()
    assert step == pytest.approx(limit)


@pytest.mark.parametrize("seed", SEEDS)
def test_adam(seed):
    drawn = exercises.draw("fine_tuning.adam", seed)
    weight, head_rate, one, divisor = numbers(drawn.question)
    assert one == 1
    parameter = torch.nn.Parameter(torch.tensor(weight, dtype=torch.float64))
    optimizer = torch.optim.Adam([parameter], head_rate / divisor, eps=0)
    for step in range(1, drawn.answer.value + 1):
        optimizer.zero_grad()
        (3 * parameter).backward()
        optimizer.step()
        assert (parameter.item() <= 1e-9) == (step == drawn.answer.value)


@pytest.mark.parametrize("seed", SEEDS)
def test_paired(seed):
    drawn = exercises.draw("fine_tuning.paired", seed)
    listed = drawn.question.split("split by split:")[1].split(". What")[0]
    first, second = (numbers(half) for half in listed.split(" and "))
    gains = [b - a for a, b in zip(first, second, strict=True)]
    assert drawn.answer.value == pytest.approx(statistics.stdev(gains) / 5**0.5)


def test_optimizer():
    base, head = torch.nn.Linear(2, 2).requires_grad_(False), torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(head.parameters(), 1e-3)
    base.requires_grad_(True)
    before = base.weight.clone()
    head(base(torch.ones(1, 2))).sum().backward()
    optimizer.step()
    assert base.weight.grad is not None
    assert base.weight.equal(before)
    answer = exercises.draw("fine_tuning.optimizer", 0).answer
    assert "made for the head" in answer.options[answer.right]
