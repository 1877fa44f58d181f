"""Functions leave a model as it was: modes, flags, gradients, buffers and random state."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnref.nn._state import restored
from cnnref.nn.faithfulness import average_drop, deletion, insertion
from cnnref.nn.feature_visualization import channel, response, visualize
from cnnref.nn.gradcam import (
    RISE,
    AblationCAM,
    EigenCAM,
    GradCAM,
    GradCAMPlusPlus,
    GuidedBackpropagation,
    GuidedGradCAM,
    GuidedInputXGradient,
    HiResCAM,
    InputXGradient,
    IntegratedGradients,
    LayerCAM,
    Occlusion,
    ScoreCAM,
    SmoothGrad,
    XGradCAM,
    diagnose,
)
from cnnref.nn.patches import layer_maps
from cnnref.nn.pretrained import ImageNetwork, top_classes
from cnnref.nn.transfer import accuracy, freeze
from tests.helpers.models import difference, snapshot


class Counter(nn.Module):
    """Passes its input through, draws a random number, and counts in two buffers."""

    def __init__(self):
        super().__init__()
        self.register_buffer("changed", torch.zeros(1))
        self.register_buffer("exchanged", torch.zeros(1))

    def forward(self, x):
        self.changed += 1
        self.exchanged = self.exchanged + 1
        return x + 0 * torch.rand(1)


def network():
    torch.manual_seed(0)
    features = OrderedDict(
        counter=Counter(),
        norm=nn.BatchNorm2d(3),
        conv=nn.Conv2d(3, 4, 3),
        relu=nn.ReLU(),
        frozen=freeze(nn.BatchNorm2d(4)),
    )
    model = ImageNetwork(
        nn.Sequential(features),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Sequential(OrderedDict(dropout=nn.Dropout(0.5), fc=nn.Linear(4, 1000))),
        input_size=8,
        mean=(120.0, 120.0, 120.0),
        scale=60.0,
    )
    model.features.conv.bias.requires_grad_(False)
    model.classifier.fc.bias.grad = torch.full((1000,), 7.0)
    return model


def all_train(model):
    model.train()


def all_eval(model):
    model.eval()


def norm_alone_in_train_mode(model):
    model.eval().features.norm.train()


def norm_alone_in_eval_mode(model):
    model.train().features.norm.eval()


X = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
MAPS = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(2))
PHOTOGRAPH = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
LAYER = "features.conv"
METHODS = [
    AblationCAM, EigenCAM, GradCAM, GradCAMPlusPlus, GuidedGradCAM, HiResCAM, LayerCAM, ScoreCAM,
    XGradCAM,
]  # fmt: skip
# These refuse a network in train mode, where batch norm would mix the variants they try.
TRY_VARIANTS = {
    "AblationCAM", "IntegratedGradients", "Occlusion", "RISE", "ScoreCAM", "SmoothGrad",
    "average_drop", "deletion", "insertion",
}  # fmt: skip
USES = {
    **{one.__name__: lambda model, one=one: one(model, LAYER)(X, 1) for one in METHODS},
    **{
        one.__name__: lambda model, one=one: one(model)(X, 1)
        for one in (InputXGradient, GuidedInputXGradient, GuidedBackpropagation)
    },
    "IntegratedGradients": lambda model: IntegratedGradients(model, steps=3)(X, 1),
    "SmoothGrad": lambda model: SmoothGrad(model, samples=3)(X, 1),
    "Occlusion": lambda model: Occlusion(model, 4)(X, 1),
    "RISE": lambda model: RISE(model, masks=3, cells=2)(X, 1),
    "diagnose": lambda model: diagnose(model, LAYER, X, 1),
    "deletion": lambda model: deletion(model, X, MAPS, 1, steps=2),
    "insertion": lambda model: insertion(model, X, MAPS, 1, steps=2),
    "average_drop": lambda model: average_drop(model, X, MAPS, 1),
    "visualize": lambda model: visualize(model, channel(LAYER, 1), size=8, steps=2, progress=False),
    "response": lambda model: response(model, channel(LAYER, 1), X[0]),
    "accuracy": lambda model: accuracy(model, X, torch.tensor([0, 1])),
    "layer_maps": lambda model: layer_maps(model, "conv", PHOTOGRAPH),
    "top_classes": lambda model: top_classes(model, PHOTOGRAPH),
}


@pytest.mark.filterwarnings("ignore::cnnref.nn.gradcam.ZeroMapWarning")
@pytest.mark.parametrize(
    "mode", [all_train, all_eval, norm_alone_in_train_mode, norm_alone_in_eval_mode]
)
@pytest.mark.parametrize("use", USES)
def test_a_model_is_left_as_it_was(use, mode):
    model = network()
    mode(model)
    before = snapshot(model)
    if use in TRY_VARIANTS and mode is not all_eval:
        with pytest.raises(ValueError, match="`model` is in train mode"):
            USES[use](model)
    else:
        USES[use](model)
    assert not difference(before, snapshot(model))


def test_the_check_sees_what_a_model_changes_by_itself():
    model = network().train()
    before = snapshot(model)
    torch.autograd.backward(model(X).sum())
    model.features.conv.requires_grad_(True)
    changed = difference(before, snapshot(model))
    assert {name.split()[0] for name in changed} == {
        "random", "flag", "gradient", "identity", "buffer",
    }  # fmt: skip
    assert {f"buffer features.{name}" for name in ("counter.changed", "norm.running_mean")} <= set(
        changed
    )
    assert "identity of buffer features.counter.exchanged" in changed


@pytest.mark.parametrize("trained", [False, True])
def test_a_model_is_restored_after_an_error(trained):
    model = network().train()
    before = snapshot(model)

    def fail():
        with restored(model, trained=trained):
            freeze(model.eval()).requires_grad_(True)
            torch.autograd.backward(model(X).sum())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    changed = difference(before, snapshot(model))
    if trained:
        assert {name.split()[0] for name in changed} == {"gradient", "identity", "buffer"}
        assert all(parameter.grad is None for parameter in model.parameters())
    else:
        assert not changed


def test_gradients_from_before_are_untouched_by_a_backward_pass_inside():
    model = network().eval()
    gradient = model.classifier.fc.bias.grad
    with restored(model):
        assert model.classifier.fc.bias.grad is None
        torch.autograd.backward(model(X).sum())
    assert model.classifier.fc.bias.grad is gradient
    assert gradient.tolist() == [7.0] * 1000
    assert model.classifier.fc.weight.grad is None


def test_a_graph_through_the_buffers_survives():
    """Batch norm in eval mode keeps its buffers for the backward pass, which refuses new ones."""
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1)).eval()
    loss = model(X).sum()
    GradCAM(model, "1")(X, lambda output: output[:, 0].sum(dim=(1, 2)))
    torch.autograd.backward(loss)
    assert model[0].weight.grad is not None


def test_maps_of_a_network_partly_in_eval_mode_explain_each_image_by_its_own_score():
    """Batch norm alone mixes the images: the gradient of the sum would be another one."""
    torch.manual_seed(0)
    model = nn.Sequential(
        OrderedDict(
            first=nn.Conv2d(3, 3, 1), norm=nn.BatchNorm2d(3), relu=nn.ReLU(),
            conv=nn.Conv2d(3, 2, 3), pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(),
        )
    ).eval()  # fmt: skip
    model.norm.train()
    found = HiResCAM(model, "first", relu=False).layer_maps(X, 1)["first"]
    leaf = model.first(X).detach().requires_grad_()
    rest = nn.Sequential(*list(model.children())[1:])
    scores = rest(leaf)[:, 1]
    rows = [torch.autograd.grad(s, leaf, retain_graph=True)[0][n] for n, s in enumerate(scores)]
    torch.testing.assert_close(found, (leaf * torch.stack(rows)).sum(dim=1).detach())
    (mixed,) = torch.autograd.grad(scores.sum(), leaf)
    assert not torch.allclose(mixed, torch.stack(rows), atol=1e-4)


def test_functional_dropout_draws_the_same_numbers_afterwards():
    class Dropping(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x):
            return functional.dropout(self.conv(x), 0.5).mean(dim=(2, 3))

    model = Dropping().eval()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    GradCAM(model, "conv", relu=False)(X, 1)
    visualize(model, channel("conv", 0), size=8, steps=1, progress=False)
    assert torch.equal(torch.rand(4), expected)
