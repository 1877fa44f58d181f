"""The answers of the exercises on transposed convolution, by PyTorch, from what they say."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from cnnref import exercises
from tests.helpers.questions import integers

SEEDS = range(20)
conv_transpose2d = torch.nn.functional.conv_transpose2d


def rows(n, k, **settings):
    return conv_transpose2d(torch.zeros(1, 1, n, n), torch.zeros(1, 1, k, k), **settings).shape[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_size(seed):
    drawn = exercises.draw("transposed_convolution.size", seed)
    k, s, p, a, n, _ = integers(drawn.question.split("kernel_size")[1])
    assert drawn.answer.value == rows(n, k, stride=s, padding=p, output_padding=a)


@pytest.mark.parametrize("seed", SEEDS)
def test_row(seed):
    drawn = exercises.draw("transposed_convolution.row", seed)
    bodies = re.findall(r"begin{pmatrix}(.*?)\\end", drawn.question)
    x, w = (torch.tensor(integers(body)).reshape(1, 1, 1, -1) for body in bodies)
    bias = torch.tensor([integers(drawn.question.rsplit("bias of", 1)[1])[0]])
    expected = conv_transpose2d(x, w, bias, stride=(1, 2), padding=(0, 1))[0, 0]
    assert_array_equal(np.array(drawn.answer.values).ravel(), expected.ravel())


@pytest.mark.parametrize("seed", SEEDS)
def test_output_padding(seed):
    drawn = exercises.draw("transposed_convolution.output_padding", seed)
    k, _, s, p, before, _, n, _ = integers(drawn.question)
    layer = torch.nn.ConvTranspose2d(1, 1, k, stride=s, padding=p)
    assert layer(torch.zeros(1, 1, n, n), output_size=[before, before]).shape[2] == before
    extra = drawn.answer.value
    assert rows(n, k, stride=s, padding=p, output_padding=extra) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_kernel(seed):
    drawn = exercises.draw("transposed_convolution.kernel", seed)
    times, s, p = integers(drawn.question)
    for n in (5, 12):
        assert rows(n, drawn.answer.value, stride=s, padding=p) == times * n


@pytest.mark.parametrize("seed", SEEDS)
def test_gather(seed):
    drawn = exercises.draw("transposed_convolution.gather", seed)
    k, _, s, d, p, _ = integers(drawn.question)
    x, w = torch.randn(1, 1, 9, 9).double(), torch.randn(1, 1, k, k).double()
    spread = torch.zeros(1, 1, 17, 17).double()
    spread[..., ::s, ::s] = x
    ours = torch.nn.functional.conv2d(spread, w.flip(2, 3), padding=drawn.answer.value, dilation=d)
    torch.testing.assert_close(ours, conv_transpose2d(x, w, stride=s, dilation=d, padding=p))


@pytest.mark.parametrize("seed", SEEDS)
def test_overlap(seed):
    drawn = exercises.draw("transposed_convolution.overlap", seed)
    k, _, s = integers(drawn.question)
    counts = conv_transpose2d(torch.ones(1, 1, 12, 12), torch.ones(1, 1, k, k), stride=s)
    assert drawn.answer.value == counts.max().item()


@pytest.mark.parametrize("seed", SEEDS)
def test_bug(seed):
    drawn = exercises.draw("transposed_convolution.bug", seed)
    c, n, _, filters, rows_out, *_ = integers(drawn.question)
    shape = integers(drawn.question.split("shape")[1].split(")")[0])
    x = torch.zeros(1, c, n, n)
    with pytest.raises(RuntimeError):
        conv_transpose2d(x, torch.zeros(shape), stride=2)
    repaired = [shape[1], shape[0], *shape[2:]]
    output = conv_transpose2d(x, torch.zeros(repaired), stride=2)
    assert output.shape == (1, filters, rows_out, rows_out)
    assert drawn.answer.right == 0
