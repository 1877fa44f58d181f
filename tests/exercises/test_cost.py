"""The answers of the exercises on cost, from PyTorch's own counts of what the question says."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnref import exercises

SEEDS = range(20)


def integers(text):
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def macs(layer, shape):
    with FlopCounterMode(display=False) as counter:
        layer.to("meta")(torch.zeros(1, *shape, device="meta"))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("seed", SEEDS)
def test_parameters(seed):
    drawn = exercises.draw("cost.parameters", seed)
    k, _, c, _, _, o = integers(drawn.question)
    assert drawn.answer.value == sum(p.numel() for p in nn.Conv2d(c, o, k).parameters())


@pytest.mark.parametrize("seed", SEEDS)
def test_macs(seed):
    drawn = exercises.draw("cost.macs", seed)
    k, _, stride, padding, c, n, _, o = integers(drawn.question)
    assert drawn.answer.value == macs(nn.Conv2d(c, o, k, stride, padding), (c, n, n))


@pytest.mark.parametrize("seed", SEEDS)
def test_linear(seed):
    drawn = exercises.draw("cost.linear", seed)
    c, outputs, count = integers(drawn.question)
    layer = nn.Linear(c * drawn.answer.value**2, outputs)
    assert sum(p.numel() for p in layer.parameters()) == count


@pytest.mark.parametrize("seed", SEEDS)
def test_budget(seed):
    drawn = exercises.draw("cost.budget", seed)
    budget = float(re.search(r"([\d.]+) million", drawn.question)[1]) * 1e6
    k, _, c, n = integers(drawn.question)[:4]

    def cost(filters):
        return macs(nn.Conv2d(c, filters, k, padding=k // 2), (c, n, n))

    assert cost(drawn.answer.value) <= budget < cost(drawn.answer.value + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_flops(seed):
    drawn = exercises.draw("cost.flops", seed)
    printed, reported = integers(drawn.question)[6], integers(drawn.question)[-1]
    k, _, c, o, n, _ = integers(drawn.question)[7:13]
    assert printed == macs(nn.Conv2d(c, o, k, padding=k // 2), (c, n, n))
    assert reported == 2 * printed
    assert drawn.answer.options[drawn.answer.right].startswith("It counts MACs")


@pytest.mark.parametrize("seed", SEEDS)
def test_memory(seed):
    drawn = exercises.draw("cost.memory", seed)
    k, _, padding, o, c, n, _, _, pool, *_ = integers(drawn.question)
    net = nn.Sequential(nn.Conv2d(c, o, k, padding=padding), nn.ReLU(), nn.MaxPool2d(pool))
    saved = {}

    def pack(tensor):
        if not isinstance(tensor, nn.Parameter):
            saved[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net(torch.zeros(1, c, n, n))
    assert drawn.answer.value == sum(t.numel() * t.element_size() for t in saved.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_training(seed):
    drawn = exercises.draw("cost.training", seed)
    millions, _, saved, images = integers(drawn.question)
    weight = nn.Parameter(torch.ones(7))
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()
    optimizer.step()
    moments = [value for value in optimizer.state[weight].values() if value.shape == weight.shape]
    kept = sum(t.numel() * t.element_size() for t in (weight, weight.grad, *moments))
    assert drawn.answer.value == kept // 7 * millions + images * saved


@pytest.mark.parametrize("seed", SEEDS)
def test_transposed(seed):
    drawn = exercises.draw("cost.transposed", seed)
    k, _, stride, c, n, _, o = integers(drawn.question)
    assert drawn.answer.value == macs(nn.ConvTranspose2d(c, o, k, stride), (c, n, n))
