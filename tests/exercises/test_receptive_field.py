"""The answers of the exercises on receptive fields, from gradients of what the question says."""

from __future__ import annotations

import re

import pytest
import torch
from torch.nn.functional import conv1d, conv_transpose1d

from cnnref import exercises
from tests.helpers.questions import integers

SEEDS = range(25)


def reach(steps, cell=None, size=3000):
    """Return the first and the last pixel whose gradient is not 0, through filters of ones."""
    x = torch.zeros(1, 1, size, dtype=torch.float64, requires_grad=True)
    y = x
    for kernel, stride, dilation, padding in steps:
        ones = torch.ones(1, 1, kernel, dtype=y.dtype)
        y = conv1d(y, ones, stride=stride, dilation=dilation, padding=padding)
        y = y / y.detach().max().clamp(min=1)  # counts of paths grow fast
    y[0, 0, y.shape[2] // 2 if cell is None else cell].backward()
    seen = x.grad[0, 0].nonzero()
    return int(seen.min()), int(seen.max())


def span(steps):
    first, last = reach(steps)
    return last - first + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_stack(seed):
    drawn = exercises.draw("receptive_field.stack", seed)
    layers, k, _, stride = integers(drawn.question)
    assert drawn.answer.value == span([(k, stride, 1, 0)] * layers)


@pytest.mark.parametrize("seed", SEEDS)
def test_strides(seed):
    drawn = exercises.draw("receptive_field.strides", seed)
    _, k1, _, s1, _, k2, _, s2, _, k3, _, s3, _ = integers(drawn.question)
    assert drawn.answer.value == span([(k1, s1, 1, 0), (k2, s2, 1, 0), (k3, s3, 1, 0)])


@pytest.mark.parametrize("seed", SEEDS)
def test_dilation(seed):
    drawn = exercises.draw("receptive_field.dilation", seed)
    k, _, stride, *dilations = integers(drawn.question)
    assert drawn.answer.value == span([(k, stride, dilation, 0) for dilation in dilations])


@pytest.mark.parametrize("seed", SEEDS)
def test_layers(seed):
    drawn = exercises.draw("receptive_field.layers", seed)
    size, _, jump, k, _, _, side, _ = integers(drawn.question)
    before = [(size, jump, 1, 0)]
    needed = drawn.answer.value
    assert span([*before, *[(k, 1, 1, 0)] * needed]) >= side
    assert span([*before, *[(k, 1, 1, 0)] * (needed - 1)]) < side


@pytest.mark.parametrize("seed", SEEDS)
def test_budget(seed):
    drawn = exercises.draw("receptive_field.budget", seed)
    wanted = integers(drawn.question)[0]
    sizes = [span([(3, 1, 2**layer, 0) for layer in range(n)]) for n in range(1, 8)]
    assert drawn.answer.value == 1 + next(i for i, size in enumerate(sizes) if size >= wanted)


@pytest.mark.parametrize("seed", SEEDS)
def test_transposed(seed):
    drawn = exercises.draw("receptive_field.transposed", seed)
    pool, _, pool_stride, k, _, stride, conv, _, _, row = integers(drawn.question)
    x = torch.zeros(1, 1, 80, dtype=torch.float64, requires_grad=True)
    y = conv1d(x, torch.ones(1, 1, pool, dtype=x.dtype), stride=pool_stride)
    y = conv_transpose1d(y, torch.ones(1, 1, k, dtype=x.dtype), stride=stride)
    conv1d(y, torch.ones(1, 1, conv, dtype=x.dtype))[0, 0, row].backward()
    seen = x.grad[0, 0].nonzero()
    assert drawn.answer.value == int(seen.max() - seen.min()) + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_start(seed):
    drawn = exercises.draw("receptive_field.start", seed)
    k, _, s, padding, pool, _, pool_stride, row, *_ = integers(drawn.question)
    # The padded pixels are part of the row here, so that the field is not cut off.
    first, last = reach([(k, s, 1, 0), (pool, pool_stride, 1, 0)], cell=row)
    right = drawn.answer.options[drawn.answer.right]
    assert float(re.search(r"= ([\d.]+),", right)[1]) == (first + last) / 2 - padding


@pytest.mark.parametrize("seed", SEEDS)
def test_paths(seed):
    drawn = exercises.draw("receptive_field.paths", seed)
    paths, _, one, _, k, dilation, blocks = integers(
        drawn.question.replace("three", "3").replace("two", "")
    )
    assert (paths, one) == (3, 1)
    assert drawn.answer.value == span([(k, 1, dilation, 0)] * (2 * blocks))
