from __future__ import annotations

import inspect
import sys

import pytest
import torch

from cnnref.nn import gradcam
from experiments import gradcam_libraries
from experiments.gradcam_libraries import (
    LAYERS,
    add_stand_in,
    by_cnnref,
    confident,
    family,
    network,
    ours,
    stretched,
)

X = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layer", LAYERS)
def test_our_map_does_not_depend_on_operations_in_place(layer):
    plain, inplace = (by_cnnref(network(kind), layer, X) for kind in (False, True))
    assert torch.equal(plain, inplace)
    assert plain.max() > 0


def test_the_networks_have_the_same_weights_and_answers():
    assert torch.equal(network(False)(X), network(True)(X))


def test_the_family_is_compared_where_the_class_is_sure():
    model, target = confident()
    assert int(model(X).argmax()) == target
    assert model(X)[0, target].item() > 1  # Ablation-CAM divides by it.
    for name in ("XGradCAM", "EigenCAM"):
        plus, minus = (ours(name, model, X, target, sign) for sign in (1, -1))
        assert not (plus * minus).any()
        assert plus.any()


def test_each_method_is_compared_with_at_least_one_library():
    methods = {method.split(",")[0] for method, library, _ in family()}
    assert {library for _, library, _ in family()} == {"captum", "pytorch-grad-cam", "torchcam"}
    # RISE is in none of them; the others are compared above, or start from them.
    not_compared = {"RISE", "GradCAM", "GuidedInputXGradient"}
    maps = {
        name
        for name in gradcam.__all__
        if isinstance(getattr(gradcam, name), type)
        and issubclass(getattr(gradcam, name), gradcam.EvidenceMap)
        and not inspect.isabstract(getattr(gradcam, name))
    }
    assert methods == maps - not_compared


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
