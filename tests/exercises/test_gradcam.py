"""The answers of the exercises on Grad-CAM, by autograd, from what the questions say."""

from __future__ import annotations

import pytest
import torch

from cnnref import exercises
from cnnref.nn.gradcam import GradCAM, HiResCAM, channels_first
from tests.helpers import questions
from tests.helpers.questions import integers

SEEDS = range(20)


def matrices(text):
    return [torch.tensor(rows, dtype=torch.float64) for rows in questions.matrices(text)]


def by(method, maps, gradients):
    """The map of a network whose maps and gradients are these: a linear layer over the image."""
    model = torch.nn.Sequential(
        torch.nn.Identity(), torch.nn.Flatten(), torch.nn.Linear(maps.numel(), 1, bias=False)
    ).double()
    with torch.no_grad():
        model[2].weight.copy_(gradients.reshape(1, -1))
    cam = method(model, "0", relu=False, to_maps=channels_first)
    return cam.layer_maps(maps[None], 0)["0"][0].relu()


@pytest.mark.parametrize("seed", SEEDS)
def test_weight(seed):
    drawn = exercises.draw("gradcam.weight", seed)
    (gradient,) = matrices(drawn.question)
    assert drawn.answer.value == sum(gradient.flatten().tolist()) / 4


@pytest.mark.parametrize(
    ("name", "method"), [("gradcam.map", GradCAM), ("gradcam.hirescam", HiResCAM)]
)
@pytest.mark.parametrize("seed", SEEDS)
def test_map(name, method, seed):
    drawn = exercises.draw(name, seed)
    first, second, g_first, g_second = matrices(drawn.question)
    expected = by(method, torch.stack([first, second]), torch.stack([g_first, g_second]))
    torch.testing.assert_close(torch.tensor(drawn.answer.values, dtype=torch.float64), expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_cam(seed):
    drawn = exercises.draw("gradcam.cam", seed)
    alpha, rows, columns = integers(drawn.question)
    maps = torch.ones(1, 1, rows, columns, requires_grad=True)
    (gradient,) = torch.autograd.grad(drawn.answer.value * maps.mean(), maps)
    assert gradient.mean().item() == pytest.approx(alpha)


@pytest.mark.parametrize("seed", SEEDS)
def test_bug(seed):
    drawn = exercises.draw("gradcam.bug", seed)
    wrong = drawn.answer.options[drawn.answer.right]
    assert "softmax" in wrong or ".abs()" in wrong or not wrong.endswith(".relu()`")
    assert wrong.strip("`") in drawn.question


@pytest.mark.parametrize("seed", SEEDS)
def test_scale(seed):
    drawn = exercises.draw("gradcam.scale", seed)
    factor, peak = integers(drawn.question)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, bias=False), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(64, 1, bias=False),
    )  # fmt: skip
    with torch.no_grad():
        model[3].weight.abs_()
    image = torch.rand(1, 1, 6, 6)
    before, after = (
        GradCAM(model, "1").layer_maps(x, 0)["1"].max().item() for x in (image, factor * image)
    )
    assert drawn.answer.value == pytest.approx(peak * after / before, rel=1e-4)
