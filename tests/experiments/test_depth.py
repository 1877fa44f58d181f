from __future__ import annotations

import pytest
import torch

from cnnref.nn.pretrained import squeezenet
from experiments import depth

# Three descriptions along two axes: the first two of one kind, with a large common part.
DESCRIPTIONS = torch.tensor([[10.0, 9.0], [10.0, 8.9], [9.0, 10.0]])
LABELS = torch.tensor([0, 0, 1])


def test_the_nearest_description_decides():
    itself, kind, others = depth.similarities(DESCRIPTIONS, DESCRIPTIONS, LABELS)
    assert itself == 1
    assert kind == pytest.approx(2 / 3, abs=1e-4)  # the third has nobody of its kind
    assert others > 0.98  # the common part makes all of them point in one direction


def test_without_the_mean_the_common_part_is_gone():
    centred = DESCRIPTIONS - DESCRIPTIONS.mean(dim=0)
    assert depth.similarities(centred, centred, LABELS)[2] < 0


def test_another_photograph_can_be_nearer_than_the_grey_one():
    grey = DESCRIPTIONS[[2, 1, 0]]
    assert depth.similarities(DESCRIPTIONS, grey, LABELS)[0] == pytest.approx(1 / 3, abs=1e-4)


def test_a_description_is_the_mean_of_each_channel():
    model = squeezenet(weights=False)
    x = torch.full((2, 3, 64, 64), 100.0)
    found = depth.describe(model, x)
    with torch.no_grad():
        maps = model.features[:2](model.normalize(x))
    torch.testing.assert_close(found["relu1"], maps.mean(dim=(2, 3)).double())
    assert found["fire9"].shape == (2, 512)


def test_new_weights_are_those_of_the_seed():
    first, again, other = (depth.untrained(seed).features.conv1.weight for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.std().item() == pytest.approx((2 / 27) ** 0.5, rel=0.05)
