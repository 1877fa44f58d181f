"""The answers of the exercises on convolution as a matrix, from what they say."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from cnnref import exercises
from tests.helpers import questions
from tests.helpers.questions import integers

SEEDS = range(20)
unfold, conv2d = torch.nn.functional.unfold, torch.nn.functional.conv2d


def matrices(text):
    return [np.array(rows, dtype=int) for rows in questions.matrices(text)]


@pytest.mark.parametrize("seed", SEEDS)
def test_columns(seed):
    drawn = exercises.draw("convolution_matrix.columns", seed)
    channels, height, width, k, _, s, _ = integers(drawn.question)
    shape = unfold(torch.zeros(1, channels, height, width), k, stride=s).shape[1:]
    assert drawn.answer.sizes == tuple(shape)


@pytest.mark.parametrize("seed", SEEDS)
def test_window(seed):
    drawn = exercises.draw("convolution_matrix.window", seed)
    (x,) = matrices(drawn.question)
    place = int(re.search(r"column (\d+)", drawn.question)[1])
    columns = unfold(torch.tensor(x, dtype=torch.float64)[None, None], 2)[0]
    assert_array_equal(np.array(drawn.answer.values).ravel(), columns[:, place - 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_weights(seed):
    drawn = exercises.draw("convolution_matrix.weights", seed)
    k, _, n, _, s = integers(drawn.question)
    pixels = torch.eye(n * n).reshape(-1, 1, n, n)
    columns = conv2d(pixels, torch.ones(1, 1, k, k), stride=s)
    assert drawn.answer.value == (columns != 0).sum().item()


@pytest.mark.parametrize("seed", SEEDS)
def test_memory(seed):
    drawn = exercises.draw("convolution_matrix.memory", seed)
    channels, n, _, _, k, *_ = integers(drawn.question)
    columns = unfold(torch.zeros(1, 1, n, n), k, padding=k // 2)
    assert float(drawn.answer.value) == pytest.approx(columns.nbytes * channels / 1e6)


@pytest.mark.parametrize("seed", SEEDS)
def test_compose(seed):
    drawn = exercises.draw("convolution_matrix.compose", seed)
    first, second = (torch.tensor(m)[None, None] for m in matrices(drawn.question))
    both = torch.tensor(np.array(drawn.answer.values, dtype=int))[None, None]
    x = torch.arange(36).reshape(1, 1, 6, 6) ** 2 % 17
    assert torch.equal(conv2d(conv2d(x, first), second), conv2d(x, both))


@pytest.mark.parametrize("seed", SEEDS)
def test_winograd(seed):
    drawn = exercises.draw("convolution_matrix.winograd", seed)
    m, _, r, _ = integers(drawn.question)
    pixels = {
        (i + u, j + v) for i in range(m) for j in range(m) for u in range(r) for v in range(r)
    }
    assert Fraction(drawn.answer.value) == Fraction(m * m * r * r, len(pixels))


@pytest.mark.parametrize("seed", SEEDS)
def test_bug(seed):
    drawn = exercises.draw("convolution_matrix.bug", seed)
    k = int(re.search(r"im2col\(x, (\d)", drawn.question)[1])
    rows, columns = integers(drawn.question.split("reshape(")[2].split(")")[0])[:2]
    channels = int(re.search(r"over (\d)", drawn.question)[1])
    x = torch.randn(1, channels, rows + k - 1, columns + k - 1).double()
    w = torch.randn(8, channels, k, k).double()
    product = w.reshape(8, -1) @ unfold(x, k)[0]
    expected = conv2d(x, w)[0]
    wrong = product.reshape(rows, columns, 8).permute(2, 0, 1)
    assert not torch.allclose(wrong, expected)
    torch.testing.assert_close(product.reshape(8, rows, columns), expected)
    assert drawn.answer.right == 1
