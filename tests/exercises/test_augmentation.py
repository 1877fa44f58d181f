"""The answers of the exercises on augmentation, computed another way from the questions' text."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
import torch

from cnnref import exercises
from cnnref.nn.augmentation import color_jitter, shift
from tests.helpers.questions import integers

SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_crops(seed):
    drawn = exercises.draw("augmentation.crops", seed)
    full, _, side, _ = integers(drawn.question)
    windows = torch.zeros(full, full).unfold(0, side, 1).unfold(1, side, 1)
    assert drawn.answer.value == 2 * windows.shape[0] * windows.shape[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_shift(seed):
    drawn = exercises.draw("augmentation.shift", seed)
    *row, by = integers(drawn.question)
    images = torch.tensor(row, dtype=torch.float32).reshape(1, 1, 1, 5)
    moved = shift(images, right=(by, by), padding_mode="reflect", generator=torch.Generator())
    np.testing.assert_array_equal(drawn.answer.values, moved[0, 0])


@pytest.mark.parametrize("seed", SEEDS)
def test_mixup(seed):
    drawn = exercises.draw("augmentation.mixup", seed)
    cat, dog, mixed = integers(drawn.question)
    share = drawn.answer.value
    assert share * cat + (1 - share) * dog == mixed


@pytest.mark.parametrize("seed", SEEDS)
def test_cutmix(seed):
    drawn = exercises.draw("augmentation.cutmix", seed)
    h, w, height, width, row, column, _ = integers(drawn.question)
    cat = [
        not (row <= i < row + h and column <= j < column + w)
        for i in range(height)
        for j in range(width)
    ]
    assert float(drawn.answer.value) == pytest.approx(sum(cat) / len(cat))


@pytest.mark.parametrize("seed", SEEDS)
def test_contrast(seed):
    drawn = exercises.draw("augmentation.contrast", seed)
    body = re.search(r"begin{pmatrix}(.*?)\\end", drawn.question)[1]
    image = torch.tensor([integers(row) for row in body.split(r"\\")], dtype=torch.float64) / 16
    changed = color_jitter(image[None, None], contrast=(0.5, 0.5), generator=torch.Generator())
    np.testing.assert_allclose(drawn.answer.values, 16 * changed[0, 0])


@pytest.mark.parametrize("seed", SEEDS)
def test_area(seed):
    drawn = exercises.draw("augmentation.area", seed)
    percent, side, _ = integers(drawn.question)
    assert drawn.answer.value**2 == pytest.approx(percent / 100 * side**2)


@pytest.mark.parametrize("seed", SEEDS)
def test_batch(seed):
    drawn = exercises.draw("augmentation.batch", seed)
    batch = integers(drawn.question)[0]
    draws = list(itertools.product((0, 1), repeat=batch))
    assert drawn.answer.value == sum(len(set(draw)) == 1 for draw in draws) / len(draws)


@pytest.mark.parametrize("seed", SEEDS)
def test_gap(seed):
    drawn = exercises.draw("augmentation.gap", seed)
    train, test, train_with, test_with = integers(drawn.question)
    assert test_with < test
    assert train_with - test_with < train - test
    first = drawn.answer.points[0]
    assert integers(first) == [train - test, train_with - test_with]
