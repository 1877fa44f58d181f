"""The answers of the exercises on other maps, by autograd, from what the questions say."""

from __future__ import annotations

import re

import pytest
import torch

from cnnref import exercises
from cnnref.nn.gradcam import InputXGradient, IntegratedGradients, Occlusion
from tests.helpers.questions import integers

SEEDS = range(20)


def rows(body):
    return torch.tensor([integers(row) for row in body.split(r"\\")], dtype=torch.float64)


@pytest.mark.parametrize("seed", SEEDS)
def test_product(seed):
    drawn = exercises.draw("attribution_methods.product", seed)
    w, x = (rows(body) for body in re.findall(r"begin{pmatrix}(.*?)\\end", drawn.question))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1, bias=False)).double()
    with torch.no_grad():
        model[1].weight.copy_(w.reshape(1, 4))
    found = InputXGradient(model, relu=False)(x[None, None], 0)[0]
    torch.testing.assert_close(torch.tensor(drawn.answer.values, dtype=torch.float64), found)


@pytest.mark.parametrize("seed", SEEDS)
def test_complete(seed):
    drawn = exercises.draw("attribution_methods.complete", seed)
    score, baseline, *known = integers(drawn.question)
    assert sum(known) + drawn.answer.value + baseline == score


@pytest.mark.parametrize("seed", SEEDS)
def test_occlusion(seed):
    drawn = exercises.draw("attribution_methods.occlusion", seed)
    window, _, size, _, stride = integers(drawn.question)
    images = 0

    class Counting(torch.nn.Module):
        def forward(self, x):
            nonlocal images
            images += len(x)
            return x.mean(dim=(1, 2, 3))[:, None]

    Occlusion(Counting(), window=window, stride=stride)(torch.ones(1, 1, size, size), 0)
    # The package runs the whole image once more, to look at the output.
    assert drawn.answer.value in (images, images - 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_saturated(seed):
    drawn = exercises.draw("attribution_methods.saturated", seed)
    slope, limit, x, _ = integers(drawn.question)

    class Score(torch.nn.Module):
        def forward(self, pixels):
            return slope * pixels.flatten(1).clamp(max=limit)

    image = torch.full((1, 1, 1, 1), float(x))
    found = IntegratedGradients(Score(), steps=400, relu=False)(image, 0).item()
    assert drawn.answer.value == pytest.approx(found, rel=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_score_cam(seed):
    drawn = exercises.draw("attribution_methods.score_cam", seed)
    scores = integers(drawn.question)
    assert len(scores) == 3
    weights = torch.tensor(scores, dtype=torch.float64).softmax(dim=0)
    assert drawn.answer.value == pytest.approx(weights[0].item())
