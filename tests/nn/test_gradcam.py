from __future__ import annotations

import math
import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn
from torch.nn.functional import interpolate

from cnnref.nn import gradcam
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
    ZeroMapWarning,
    normalize_maps,
    upsample,
)
from cnnref.nn.pretrained import efficientnet_lite0, squeezenet
from tests.helpers.models import small_images as images
from tests.helpers.models import small_network as network

GRADIENT_MAPS = [GradCAM, HiResCAM, GradCAMPlusPlus, LayerCAM, XGradCAM]


def by_hand(model, x, target, layer):
    """Activations and gradients of one layer, computed by cutting the network in two."""
    names = list(dict(model.named_children()))
    cut = names.index(layer) + 1
    leaf = model[:cut](x.clone()).detach().requires_grad_()
    scores = model[cut:](leaf.clone())
    (gradient,) = torch.autograd.grad(scores[:, target].sum(), leaf)
    return leaf.detach().numpy(), gradient.numpy()


# Literals


def tiny():
    """One 2x2 image in, two maps (x and 1 - x), eight weights to one score."""
    model = nn.Sequential(
        OrderedDict(conv=nn.Conv2d(1, 2, 1), flatten=nn.Flatten(), fc=nn.Linear(8, 2, bias=False))
    )
    with torch.no_grad():
        model.conv.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
        model.conv.bias.copy_(torch.tensor([0.0, 1.0]))
        model.fc.weight.copy_(torch.tensor([[4.0, 0.0, 0.0, 0.0, 0.0, -2.0, 0.0, 0.0], [1.0] * 8]))
    return model.eval(), torch.tensor([[[[1.0, 2.0], [3.0, 0.0]]]])


@pytest.mark.parametrize(
    ("method", "signed"),
    [
        # Maps [1 2; 3 0] and [0 -1; -2 1]; weights 1 and -0.5.
        (GradCAM, [[1.0, 2.5], [4.0, -0.5]]),
        (HiResCAM, [[4.0, 2.0], [0.0, 0.0]]),
        (LayerCAM, [[4.0, 0.0], [0.0, 0.0]]),
        # Only the 4 is positive: 4 / (2 + 6 * 4) of the first map.
        (GradCAMPlusPlus, [[4 / 26, 8 / 26], [12 / 26, 0.0]]),
        # (1 * 4) / 6 of the first map; (-1 * -2) / -2 of the second.
        (XGradCAM, [[2 / 3, 4 / 3 + 1], [2 + 2, -1.0]]),
    ],
)
def test_maps_equal_those_computed_by_hand(method, signed):
    model, x = tiny()
    expected = torch.tensor([signed])
    torch.testing.assert_close(method(model, "conv", relu=False)(x, 0), expected)
    torch.testing.assert_close(method(model, "conv")(x, 0), expected.relu())


def test_input_x_gradient_by_hand():
    model, x = tiny()
    # The score is 4 x[0, 0] - 2 (1 - x[0, 1]): gradients 4 and 2.
    expected = torch.tensor([[[4.0, 4.0], [0.0, 0.0]]])
    torch.testing.assert_close(InputXGradient(model)(x, 0), expected)
    torch.testing.assert_close(InputXGradient(model, relu=False)(-x, 0), -expected)


def test_score_cam_by_hand():
    """The masks are [1 2; 3 0] / 3 and [2 1; 0 3] / 3, since both maps have a span of 3."""
    model, x = tiny()
    masks = [torch.tensor([[1.0, 2.0], [3.0, 0.0]]) / 3, torch.tensor([[2.0, 1.0], [0.0, 3.0]]) / 3]
    gains = [4 * (x[0, 0] * mask)[0, 0] - 2 * (1 - (x[0, 0] * mask)[0, 1]) + 2 for mask in masks]
    first, second = np.exp(gains) / np.exp(gains).sum()
    expected = first * x[0, 0] + second * (1 - x[0, 0])
    for batch_size in (1, 32):
        found = ScoreCAM(model, "conv", relu=False, batch_size=batch_size)(x, 0)
        torch.testing.assert_close(found[0], expected.float())


# The equations, written out in NumPy


def grad_cam(a, g):
    weights = g.mean(axis=(2, 3))
    return np.einsum("nk,nkij->nij", weights, a)


def grad_cam_plus_plus(a, g):
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = g**2 / (2 * g**2 + a.sum(axis=(2, 3), keepdims=True) * g**3)
    alpha = np.where(g == 0, 0, alpha)
    weights = (alpha * np.maximum(g, 0)).sum(axis=(2, 3))
    return np.einsum("nk,nkij->nij", weights, a)


def x_grad_cam(a, g):
    total = a.sum(axis=(2, 3))
    share = (a * g).sum(axis=(2, 3))
    weights = np.divide(share, total, out=np.zeros_like(share), where=total != 0)
    return np.einsum("nk,nkij->nij", weights, a)


EQUATIONS = {
    GradCAM: grad_cam,
    HiResCAM: lambda a, g: (a * g).sum(axis=1),
    LayerCAM: lambda a, g: (a * np.maximum(g, 0)).sum(axis=1),
    XGradCAM: x_grad_cam,
    GradCAMPlusPlus: grad_cam_plus_plus,
}


@pytest.mark.parametrize("layer", ["relu", "last", "after"])
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("method", GRADIENT_MAPS)
def test_maps_equal_the_equations(method, inplace, layer):
    model, x = network(inplace).double(), images().double()
    expected = EQUATIONS[method](*by_hand(network().double(), x, 2, layer))
    found = method(model, layer, relu=False).layer_maps(x, 2)
    assert list(found) == [layer]
    np.testing.assert_allclose(found[layer].numpy(), expected, atol=1e-12)


def test_the_linear_model_identity():
    """Before a spatial mean and a linear layer, Grad-CAM is CAM divided by the number of cells."""
    model = efficientnet_lite0()
    x = model.preprocess(data.coffee())
    maps = GradCAM(model, "features.final", relu=False).layer_maps(x, 967)["features.final"]
    with torch.no_grad():
        cam = torch.einsum("k,nkij->nij", model.classifier.fc.weight[967], model.features(x))
        score = model(x)[0, 967]
    torch.testing.assert_close(maps, cam / 49)
    hires = HiResCAM(model, "features.final", relu=False).layer_maps(x, 967)["features.final"]
    torch.testing.assert_close(maps, hires)
    torch.testing.assert_close(maps.sum(), score - model.classifier.fc.bias[967])


def test_hirescam_sums_to_the_score_less_the_bias_where_grad_cam_does_not():
    model, x = network(), images()
    with torch.no_grad():
        expected = model(x)[:, 1] - model.fc.bias[1]
    hires = HiResCAM(model, "after", relu=False).layer_maps(x, 1)["after"].sum(dim=(1, 2))
    torch.testing.assert_close(hires, expected)
    plain = GradCAM(model, "after", relu=False).layer_maps(x, 1)["after"].sum(dim=(1, 2))
    assert not torch.allclose(plain, expected, atol=0.01)


# Targets


def test_targets():
    model, x = network(), images(3)
    cam = GradCAM(model, "last")
    top = model(x).argmax(dim=1).tolist()
    assert len(set(top)) > 1
    one_by_one = torch.cat([cam(x[n : n + 1], top[n]) for n in range(3)])
    for target in (None, top, torch.tensor(top), tuple(top), np.array(top),
                   lambda y: y[range(3), top], lambda y: y[range(3), top].sum()):  # fmt: skip
        torch.testing.assert_close(cam(x, target), one_by_one)
    torch.testing.assert_close(cam(x, 2), cam(x, [2, 2, 2]))
    assert not torch.allclose(cam(x, 2), cam(x, 1))


def test_a_difference_of_two_classes_is_a_target():
    model, x = network(), images()
    cam = GradCAM(model, "last", relu=False)
    difference = cam(x, lambda y: y[:, 2] - y[:, 1])
    torch.testing.assert_close(difference, cam(x, 2) - cam(x, 1))


class Several(nn.Module):
    def __init__(self, form):
        super().__init__()
        self.body, self.form = network(), form

    def forward(self, x):
        y = self.body(x)
        return {"tuple": (y, x), "dict": {"scores": y}, "pixels": y[:, :, None, None]}[self.form]


@pytest.mark.parametrize(
    ("form", "target"),
    [
        ("tuple", lambda output: output[0][:, 1]),
        ("dict", lambda output: output["scores"][:, 1]),
        ("pixels", lambda output: output[:, 1].mean(dim=(1, 2))),
    ],
)
def test_a_network_with_another_output_needs_a_function(form, target):
    model, x = Several(form), images()
    torch.testing.assert_close(
        GradCAM(model, "body.last")(x, target), GradCAM(model.body, "last")(x, 1)
    )
    words = "`target` must be a function"
    with pytest.raises((TypeError, ValueError), match=words):
        GradCAM(model, "body.last")(x, 1)


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        (4, ValueError, r"`target` \(4\) must be at most 3"),
        (-1, ValueError, r"`target` \(-1\) must be at least 0"),
        ([0, 4], ValueError, r"`target` \(4\)"),
        ([0], ValueError, "`target` holds 1 classes for 2 images"),
        (1.0, TypeError, r"`target` \(1.0\) must be an integer"),
        (True, TypeError, "not a bool"),
        ("cat", ValueError, "`target` holds 3 classes for 2 images"),
        (lambda y: 3.0, TypeError, "returned a float"),
        (lambda y: y, ValueError, r"returned shape \(2, 4\)"),
        (lambda y: y.argmax(dim=1).float(), RuntimeError, "does not depend on 'last'.*argmax"),
        (lambda y: y[:, 0].detach(), RuntimeError, "does not depend on 'last'.*argmax"),
    ],
)
def test_refuses_targets(target, error, words):
    with pytest.raises(error, match=words):
        GradCAM(network(), "last")(images(), target)


def test_a_network_without_classes_is_refused():
    model, x = network(), images()
    model.register_forward_hook(lambda model, args, output: output[:, :0])
    for target in (None, 0):
        with pytest.raises(ValueError, match=r"outputs shape \(2, 0\) for 2 images, not scores"):
            GradCAM(model, "last")(x, target)


def test_probabilities_get_a_warning():
    model = nn.Sequential(*network(), nn.Softmax(dim=1))
    with pytest.warns(UserWarning, match="before the softmax"):
        GradCAM(model, "2", relu=False)(images(), 1)


# Layers


def test_several_layers():
    model, x = network(), images()
    both = GradCAM(model, ["conv", "last"])(x, 1)
    assert both.shape == (2, 2, 9, 10)
    for place, name in enumerate(("conv", "last")):
        torch.testing.assert_close(both[:, place], GradCAM(model, name)(x, 1))
    picked = GradCAM(model, lambda name, module: isinstance(module, nn.Conv2d))
    torch.testing.assert_close(picked(x, 1), both)
    torch.testing.assert_close(GradCAM(model, [model.last])(x, 1), both[:, 1:])
    torch.testing.assert_close(GradCAM(model, model.last)(x, 1), both[:, 1])


def test_layers_that_make_no_map():
    model, x = network(), images()
    with pytest.raises(ValueError, match=r"'fc' outputs shape \(2, 4\) for 2 images; a map needs"):
        GradCAM(model, "fc")(x, 0)
    with pytest.raises(ValueError, match=r"`layers` \('lost'\) must be the name of a layer"):
        GradCAM(model, "lost")
    model.spare = nn.Conv2d(3, 3, 1)
    model.forward = lambda x: model.fc(
        model.flatten(model.after(model.last(model.relu(model.conv(x)))))
    )
    with pytest.raises(RuntimeError, match="'spare' did not run"):
        GradCAM(model, "spare")(x, 0)
    twice = nn.Sequential(model.conv, model.relu, model.last, model.relu, model.flatten, model.fc)
    with pytest.raises(ValueError, match="'1' runs 2 times"):
        GradCAM(twice, "1")(x, 0)


def test_a_layer_on_another_branch_has_no_gradient():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.side = network(), nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return self.body(x), self.side(x)

    with pytest.raises(RuntimeError, match="does not depend on 'side'"):
        GradCAM(Branches(), "side")(images(), lambda y: y[0][:, 0])
    for train in (False, True):
        for layers in (["body.last", "side"], ["side", "body.last"]):
            with pytest.raises(RuntimeError, match="does not depend on 'side':"):
                GradCAM(Branches().train(train), layers)(images(), lambda y: y[0][:, 0])
    with pytest.raises(RuntimeError, match=r"does not depend on 'body\.last', 'side':"):
        GradCAM(Branches(), ["body.last", "side"])(images(), lambda y: torch.ones(2))


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.zeros((1, 3, 9, 10)), TypeError, "`inputs` is a ndarray"),
        (torch.zeros(3, 9, 10), ValueError, r"`inputs` has shape \(3, 9, 10\)"),
        (torch.zeros(0, 3, 9, 10), ValueError, r"shape \(0, 3, 9, 10\)"),
        (torch.zeros(1, 3, 9, 10, dtype=torch.uint8), TypeError, "dtype torch.uint8"),
    ],
)
def test_refuses_inputs(x, error, words):
    with pytest.raises(error, match=words):
        GradCAM(network(), "last")(x, 0)


# A model is left as it was


CAMS = (*GRADIENT_MAPS, EigenCAM, ScoreCAM, AblationCAM)
TRY_VARIANTS = (AblationCAM, IntegratedGradients, Occlusion, RISE, ScoreCAM, SmoothGrad)


def every_method(model, layer="last"):
    maps = [method(model, layer, relu=False) for method in CAMS]
    guided = [GuidedBackpropagation(model), GuidedGradCAM(model, layer)]
    averaged = [IntegratedGradients(model, steps=4), SmoothGrad(model, samples=3)]
    hidden = [
        Occlusion(model, (4, 5), relu=False),
        RISE(model, masks=6, cells=3, relu=False),
    ]
    return [
        *maps, InputXGradient(model), GuidedInputXGradient(model), *guided, *averaged, *hidden
    ]  # fmt: skip


def state(model):
    return (
        [module.training for module in model.modules()],
        [flag.requires_grad for flag in model.parameters()],
        [flag.grad for flag in model.parameters()],
        sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules()),
        {name: value.clone() for name, value in model.state_dict().items()},
    )


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_nothing_is_left_behind(train, frozen):
    model = network(inplace=True, norm=True).train(train).requires_grad_(not frozen)
    x = images()
    kept, before = x.clone(), state(model)
    for method in every_method(model):
        if train and isinstance(method, TRY_VARIANTS):
            with pytest.raises(ValueError, match=r"`model` is in train mode.*BatchNorm2d"):
                method(x, 1)
        else:
            method(x, 1)
            if not isinstance(method, EigenCAM):  # It has no target.
                with pytest.raises(ValueError, match="`target`"):
                    method(x, 4)
    after = state(model)
    assert before[:4] == after[:4]
    for name, value in before[4].items():
        assert torch.equal(value, after[4][name]), name
    assert torch.equal(x, kept)
    assert not x.requires_grad


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("frozen", [False, True])
def test_maps_are_the_same_frozen_and_without_gradients(around, frozen):
    model, x = network(), images()
    expected = [method(x, 1) for method in every_method(model)]
    model.requires_grad_(not frozen)
    with around():
        found = [method(x.clone(), 1) for method in every_method(model)]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_in_train_mode_each_image_is_explained_by_its_own_score():
    """Batch norm mixes the images, so the gradient of the sum is not that of each score."""
    model, x = network(norm=True).train(), images(3)
    found = HiResCAM(model, "norm", relu=False).layer_maps(x, 1)["norm"]
    assert torch.equal(model.norm.running_mean, torch.zeros(3))
    for n in range(3):
        leaf = model.norm(x).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(model[1:](leaf)[n, 1], leaf)
        torch.testing.assert_close(found[n], (leaf * gradient).sum(dim=1)[n].detach())
    # With a layer before the norm, the others' scores depend on this image too.
    model = nn.Sequential(OrderedDict(first=nn.Conv2d(3, 3, 1), body=model)).train()
    found = HiResCAM(model, "first", relu=False).layer_maps(x, 1)["first"]
    leaf = model.first(x).detach().requires_grad_()
    scores = model.body(leaf)[:, 1]
    rows = [torch.autograd.grad(s, leaf, retain_graph=True)[0][n] for n, s in enumerate(scores)]
    torch.testing.assert_close(found, (leaf * torch.stack(rows)).sum(dim=1).detach())
    (mixed,) = torch.autograd.grad(scores.sum(), leaf)
    assert not torch.allclose(found, (leaf * mixed).sum(dim=1).detach(), atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("method", [*GRADIENT_MAPS, ScoreCAM])
def test_half_precision(method, dtype):
    x = images()
    expected = normalize_maps(method(network(), "last")(x, 1))
    found = method(network().to(dtype), "last")(x.to(dtype), 1)
    assert found.dtype == torch.float32
    atol = 0.02 if dtype == torch.float16 else 0.1
    torch.testing.assert_close(normalize_maps(found), expected, atol=atol, rtol=0)
    assert method(network().double(), "last")(x.double(), 1).dtype == torch.float64


def test_batches_are_single_images():
    model, x = network(), images(3)
    for method in every_method(model):
        alone = torch.cat([method(x[n : n + 1], 1) for n in range(3)])
        torch.testing.assert_close(method(x, 1), alone, atol=1e-6, rtol=1e-4)


# Zero maps, normalising, upsampling


@pytest.mark.parametrize("method", GRADIENT_MAPS)
def test_an_all_zero_map_stays_zero_and_says_so(method):
    model, x = network(), images()
    with torch.no_grad():
        model.fc.weight[0] = -model.fc.weight[0].abs()
    with pytest.warns(ZeroMapWarning) as caught:
        found = method(model, "after")(x, 0)
    assert {str(one.message).split(":")[0] for one in caught} == {
        f"the map of image {n} at 'after' is zero everywhere" for n in (0, 1)
    }
    assert not found.any()
    assert torch.equal(normalize_maps(found), torch.zeros(2, 9, 10))
    assert caught[0].filename == __file__


def test_a_map_that_is_not_zero_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert GradCAM(network(), "after")(images(), 1).any()


def test_score_cam_is_zero_when_every_channel_is_constant():
    model, x = network(), images(1)
    with torch.no_grad():
        model.last.weight.zero_()
        model.last.bias.fill_(-1)
    with pytest.warns(ZeroMapWarning):
        assert not ScoreCAM(model, "after")(x, 0).any()


def test_upsampling_keeps_the_centres_of_cells():
    maps = torch.zeros(1, 7, 7)
    maps[0, 1, 5] = 1
    large = upsample(maps, (224, 224))[0]
    pixels = torch.arange(224.0)
    rows, columns = large.sum(dim=1), large.sum(dim=0)
    assert float((rows * pixels).sum() / rows.sum()) == pytest.approx(1.5 * 32 - 0.5, abs=1e-3)
    assert float((columns * pixels).sum() / columns.sum()) == pytest.approx(
        5.5 * 32 - 0.5, abs=1e-3
    )
    # What the other convention would give.
    moved = interpolate(maps[None], (224, 224), mode="bilinear", align_corners=True)[0, 0]
    rows = moved.sum(dim=1)
    assert float((rows * pixels).sum() / rows.sum()) < 1.5 * 32 - 5


def test_a_call_upsamples_the_layer_maps():
    model, x = network(), images()
    cam = GradCAM(model, "last")
    expected = interpolate(
        cam.layer_maps(x, 1)["last"][:, None], (9, 10), mode="bilinear", align_corners=False
    )[:, 0]
    assert torch.equal(cam(x, 1), expected)


@pytest.mark.parametrize(
    ("maps", "size", "error"),
    [
        (torch.zeros(2, 2), (4, 4), ValueError),
        (torch.zeros(1, 2, 2), (0, 4), ValueError),
        (torch.zeros(1, 2, 2, dtype=torch.int64), (4, 4), TypeError),
    ],
)
def test_upsample_refuses(maps, size, error):
    with pytest.raises(error, match=r"`maps`|`size`"):
        upsample(maps, size)


def test_normalize_maps_keeps_zero_and_signs():
    maps = torch.tensor([[[1.0, -4.0]], [[2.0, 1.0]], [[0.0, 0.0]]])
    expected = torch.tensor([[[0.25, -1.0]], [[1.0, 0.5]], [[0.0, 0.0]]])
    assert torch.equal(normalize_maps(maps), expected)


# Guided


def test_guided_gradients_drop_what_is_negative_at_every_relu():
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        model[3].weight.copy_(torch.tensor([[3.0, -2.0]]))
    x = torch.tensor([[[[5.0, 7.0]]]])
    assert InputXGradient(model, relu=False)(x, 0).tolist() == [[[15, -14]]]
    assert GuidedInputXGradient(model, relu=False)(x, 0).tolist() == [[[15, 0]]]


def test_a_network_without_relus_cannot_be_guided():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.GELU(), nn.Flatten())
    with pytest.raises(ValueError, match="`model` runs no ReLU"):
        GuidedInputXGradient(model)(images(), 0)


def test_score_cam_refuses():
    with pytest.raises(ValueError, match=r"`batch_size` \(0\)"):
        ScoreCAM(network(), "last", batch_size=0)
    with pytest.raises(ValueError, match="one number per image"):
        ScoreCAM(network(), "last")(images(), lambda y: y.sum())


# Real networks


@pytest.mark.parametrize(
    ("builder", "layer"), [(squeezenet, "features.fire9"), (efficientnet_lite0, "features.final")]
)
def test_the_map_is_on_the_cup(builder, layer):
    """The cup and its saucer fill the middle and right of the square; the left edge is table."""
    model = builder()
    maps = GradCAM(model, layer)(model.preprocess(data.coffee()), 967)[0]
    assert math.isclose(float(normalize_maps(maps).max()), 1)
    side = model.input_size
    inside = maps[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4].mean()
    assert float(inside) > 2 * float(maps[:, : side // 8].mean())


def test_the_public_names():
    for name in gradcam.__all__:
        assert getattr(gradcam, name) is not None
