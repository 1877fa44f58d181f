from __future__ import annotations

import sys

import pytest
import torch

from experiments import gradcam_libraries
from experiments.gradcam_libraries import LAYERS, add_stand_in, by_cnnref, network, stretched

X = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layer", LAYERS)
def test_our_map_does_not_depend_on_operations_in_place(layer):
    plain, inplace = (by_cnnref(network(kind), layer, X) for kind in (False, True))
    assert torch.equal(plain, inplace)
    assert plain.max() > 0


def test_the_networks_have_the_same_weights_and_answers():
    assert torch.equal(network(False)(X), network(True)(X))


def test_maps_are_stretched_from_zero_to_one():
    assert stretched(torch.tensor([[[2.0, 4.0, 6.0]]])).tolist() == [[[0, 0.5, 1]]]


def test_missing_libraries_are_named(monkeypatch):
    monkeypatch.setattr(gradcam_libraries, "PACKAGES", {"no-such": "no_such_module"})
    with pytest.raises(SystemExit, match="not installed: no-such"):
        gradcam_libraries.main()


def test_a_stand_in_can_be_imported_from(monkeypatch):
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        monkeypatch.setitem(sys.modules, name, None)
    add_stand_in()
    from torchvision.transforms.functional import resize

    assert resize is None
