from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from experiments import degradation
from experiments.data import ImageSet
from experiments.degradation import gradient_norms, make_net, shrunk, train_net


@pytest.mark.parametrize("blocks", degradation.BLOCKS)
def test_plain_and_residual_nets_start_with_the_same_weights(blocks):
    plain, residual = (make_net(blocks, kind, seed=1) for kind in (False, True))
    assert plain.weighted_layers == residual.weighted_layers == 6 * blocks + 2
    for a, b in zip(plain.parameters(), residual.parameters(), strict=True):
        assert torch.equal(a, b)


def test_images_are_averaged_over_two_by_two_and_scaled():
    images = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
    images[0, 0, :2, :2] = torch.tensor([[0, 80], [120, 200]], dtype=torch.uint8)
    small, labels = shrunk(ImageSet(images, torch.tensor([4, 5, 6]), [], []), 2)
    assert small.shape == (2, 1, 2, 2)
    assert labels.tolist() == [4, 5]
    assert small[0, 0].flatten().argmax() == 0
    assert small.mean().item() == pytest.approx(0, abs=1e-6)
    assert small.std().item() == pytest.approx(1)


def random_examples(count):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(count, 1, 14, 14, generator=draw), torch.arange(count) % 10


def test_there_is_a_gradient_for_each_convolution_in_order():
    images, labels = random_examples(degradation.BATCH)
    norms = gradient_norms(1, True, 0, (images, labels))
    assert len(norms) == 7
    net = make_net(1, True, 0)
    functional.cross_entropy(net(images), labels).backward()
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert norms[0] == pytest.approx(layers[0].weight.grad.norm().item(), rel=1e-3)
    assert layers[0].in_channels == 1
    assert norms[-1] == pytest.approx(layers[-1].weight.grad.norm().item(), rel=1e-3)


def test_training_lowers_the_loss_and_repeats():
    images, labels = random_examples(degradation.BATCH)
    images[torch.arange(len(images)), 0, labels] = 4  # a bright row tells the class
    train = images, labels
    first, second = (train_net(1, False, 0, 0.1, 15, train, train) for _ in range(2))
    assert first == second
    assert len(first["loss"]) == 15
    assert first["loss"][-1] < first["loss"][0] - 0.3
    assert first["train_error"] == first["test_error"]
