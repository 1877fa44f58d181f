"""The experiment on aliasing: what surrounds a stride, and what the stored results say."""

from __future__ import annotations

from statistics import fmean

import pytest
import torch

from experiments import aliasing
from experiments.results import read


@pytest.mark.parametrize("way", aliasing.WAYS)
def test_a_shift_by_the_product_of_the_strides_changes_nothing(way):
    torch.manual_seed(0)
    network, images = aliasing.Network(way).eval(), torch.randn(3, 1, 32, 32)
    with torch.no_grad():
        first = network(images)
        torch.testing.assert_close(network(images.roll(8, 3)), first, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(network(images.roll(1, 3)), first, rtol=1e-4, atol=1e-5)


def test_the_filters():
    row = torch.zeros(1, 1, 8, 8)
    row[..., 2] = 4.0
    assert aliasing.binomial(row)[0, 0, 5].tolist() == [0, 1, 2, 1, 0, 0, 0, 0]
    columns = torch.arange(16.0)
    for cycles, left in ((1 / 8, 1.0), (1 / 4, 0.0), (3 / 8, 0.0)):
        wave = torch.cos(2 * torch.pi * cycles * columns).expand(1, 1, 16, 16)
        torch.testing.assert_close(aliasing.ideal(wave), left * wave, rtol=0, atol=1e-6)


def test_a_blur_before_the_stride_helps_in_every_seed_and_one_after_it_less():
    runs = read("aliasing").data["runs"]
    changed = {
        way: [run["changed_by_a_pixel"] for run in runs if run["way"] == way]
        for way in aliasing.WAYS
    }
    assert {len(values) for values in changed.values()} == {len(aliasing.SEEDS)}
    assert max(changed["blur before"]) < min(changed["blur after"]) < min(changed["no blur"])
    assert fmean(changed["ideal before"]) < fmean(changed["blur after"])
    assert all(run["changed"][0] == run["changed"][-1] == 0 for run in runs)
