from __future__ import annotations

import torch

from cnnref.nn.gradcam import GradCAM, HiResCAM
from experiments import clothes


def test_a_network_belongs_to_its_seed():
    first, again, other = (clothes.untrained(seed) for seed in (0, 0, 1))
    assert torch.equal(first[0].weight, again[0].weight)
    assert not torch.equal(first[0].weight, other[0].weight)


def test_training_lowers_the_loss_and_repeats():
    images = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(64) % 10

    def loss(model):
        with torch.no_grad():
            return torch.nn.functional.cross_entropy(model(images), labels).item()

    models = [clothes.train(clothes.untrained(0), images, labels, 20, seed=0) for _ in range(2)]
    assert loss(models[0]) < loss(clothes.untrained(0)) - 0.1
    assert loss(models[0]) == loss(models[1])


def test_before_a_flattening_head_hirescam_is_not_grad_cam():
    model, x = clothes.untrained(0), torch.rand(1, 1, 28, 28)
    maps = [method(model, clothes.LAYER, relu=False)(x, 3) for method in (GradCAM, HiResCAM)]
    assert not torch.allclose(*maps)
