from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnref.nn.faithfulness import deletion
from cnnref.nn.pretrained import squeezenet
from experiments import gradcam


@pytest.mark.parametrize("method", list(gradcam.METHODS))
def test_each_method_is_measured(method, monkeypatch):
    monkeypatch.setattr(gradcam, "STEPS", 1)
    model = squeezenet()
    x = model.preprocess(gradcam.picture("coffee"))
    measured = gradcam.measure(model, "features.fire9", x, torch.tensor([967]), method)
    assert set(measured) == {"deletion", "insertion", "drop"}
    with torch.no_grad():
        whole, nothing = model(torch.cat([x, torch.zeros_like(x)])).softmax(dim=1)[:, 967].tolist()
    # One step: from the whole photograph to nothing.
    assert measured["deletion"][0] == pytest.approx((whole + nothing) / 2, abs=1e-4)
    assert 0 <= measured["drop"][0] <= 1


def test_the_blob_is_largest_in_the_middle():
    x = torch.zeros(2, 3, 5, 9)
    blob = gradcam.middle(x)
    assert blob.shape == (2, 5, 9)
    assert int(blob[1].argmax()) == 2 * 9 + 4
    assert torch.equal(blob, blob.flip(1).flip(2))
    assert float(blob[0, 0, 0]) == pytest.approx(np.exp(-4), rel=1e-5)


def test_random_maps_are_the_same_at_each_call():
    x = torch.zeros(1, 3, 4, 4)
    assert torch.equal(gradcam.random(x), gradcam.random(x))


def test_grey_photographs_get_three_channels():
    assert gradcam.picture("camera").shape == (512, 512, 3)
    assert gradcam.picture("coffee").shape == (400, 600, 3)


def test_the_measure_is_that_of_the_map(monkeypatch):
    """Deleting the map's pixels in another order gives another number."""
    model = squeezenet()
    monkeypatch.setattr(gradcam, "STEPS", 3)
    x = model.preprocess(gradcam.picture("coffee"))
    measured = gradcam.measure(model, "features.fire9", x, torch.tensor([967]), "middle")
    backwards = deletion(model, x, -gradcam.middle(x), 967, steps=3)
    assert measured["deletion"][0] < float(backwards.area) - 0.05
