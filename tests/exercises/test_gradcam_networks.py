"""The answers of the exercises on Grad-CAM for other networks, computed another way."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from cnnref import exercises
from cnnref.nn.gradcam import tokens_to_maps, upsample
from tests.helpers.questions import integers

SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_tokens(seed):
    drawn = exercises.draw("gradcam_networks.tokens", seed)
    height, width, patch, _ = integers(drawn.question)
    patches = torch.nn.Conv2d(1, 1, patch, stride=patch)(torch.zeros(1, 1, height, width))
    extra = 5 if "register" in drawn.question else 1
    assert drawn.answer.value == patches.numel() + extra


@pytest.mark.parametrize("seed", SEEDS)
def test_to_maps(seed):
    drawn = exercises.draw("gradcam_networks.to_maps", seed)
    tokens = integers(re.search(r"begin{pmatrix}(.*?)\\end", drawn.question)[1])
    maps = tokens_to_maps((2, 3), skip=1)(torch.tensor(tokens, dtype=torch.float).view(1, 7, 1))
    np.testing.assert_array_equal(drawn.answer.values, maps[0, 0].numpy())


@pytest.mark.parametrize("seed", SEEDS)
def test_skip(seed):
    drawn = exercises.draw("gradcam_networks.skip", seed)
    tokens, side, _ = integers(drawn.question)
    maps = tokens_to_maps(side, skip=drawn.answer.value)(torch.zeros(1, tokens, 2))
    assert maps.shape == (1, 2, side, side)


@pytest.mark.parametrize("seed", SEEDS)
def test_cells(seed):
    drawn = exercises.draw("gradcam_networks.cells", seed)
    size, least = integers(drawn.question)[0], integers(drawn.question.split("at least")[1])[0]
    sides = []
    for _ in range(5):
        size //= 2
        sides.append(size)
    assert drawn.answer.value == max(n for n, side in enumerate(sides, 1) if side >= least)


@pytest.mark.parametrize("seed", SEEDS)
def test_upsample(seed):
    drawn = exercises.draw("gradcam_networks.upsample", seed)
    cells, size, cell, _, _ = integers(drawn.question)
    one = torch.zeros(1, cells, cells)
    one[0, cell] = 1
    rows = upsample(one, (size, size))[0].sum(dim=1)
    centre = (rows * torch.arange(float(size))).sum() / rows.sum()
    assert float(drawn.answer.value) == pytest.approx(centre.item(), abs=0.01)
