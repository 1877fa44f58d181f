"""The methods beyond Grad-CAM, each against its definition in loops or in plain autograd."""

from __future__ import annotations

import itertools
import math
import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from cnnref.nn.gradcam import (
    RISE,
    AblationCAM,
    EigenCAM,
    GradCAM,
    GuidedBackpropagation,
    GuidedGradCAM,
    GuidedInputXGradient,
    HiResCAM,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    ScoreCAM,
    SmoothGrad,
    XGradCAM,
    channels_last,
    normalize_maps,
    upsample,
)
from tests.helpers.models import small_images as images
from tests.helpers.models import small_network as network


def score(model, x, target=2):
    with torch.no_grad():
        return float(model(x[None])[0, target])


# Eigen-CAM


@pytest.mark.parametrize("layer", ["relu", "after"])  # More places than channels, and fewer.
@pytest.mark.parametrize("center", [False, True])
def test_eigen_cam_equals_numpys_decomposition(layer, center):
    model, x = network(), images()
    cam = EigenCAM(model, layer, center=center, relu=False)
    found = cam.layer_maps(x)[layer]
    stop = list(dict(model.named_children())).index(layer) + 1
    for image, one in enumerate(model[:stop](x).detach().double().numpy()):
        rows = one.reshape(len(one), -1).T
        if center:
            rows = rows - rows.mean(axis=0)
        _, _, v = np.linalg.svd(rows, full_matrices=False)
        expected = rows @ v[0]
        expected *= math.copysign(1, expected @ rows.sum(axis=1))
        np.testing.assert_allclose(found[image].flatten().numpy(), expected, atol=1e-5)
    if not center:
        assert (found >= -1e-6).all()  # After a ReLU the first component has one sign.


def test_eigen_cam_has_no_target():
    model, x = network(), images()
    cam = EigenCAM(model, "after")
    assert torch.equal(cam(x, 0), cam(x, 1))


def test_eigen_cam_of_one_channel_is_that_channel():
    model = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(), nn.Linear(90, 2)).eval()
    with torch.no_grad():
        model[0].bias.fill_(100.0)
        expected = model[0](images())[:, 0]
    torch.testing.assert_close(EigenCAM(model, "0")(images()), expected, rtol=1e-5, atol=0)


# Ablation-CAM


@pytest.mark.parametrize("batch_size", [2, 32])
@pytest.mark.parametrize("layer", ["relu", "last", "after"])
@pytest.mark.parametrize("inplace", [False, True])
def test_ablation_cam_equals_a_loop(layer, batch_size, inplace):
    model, x = network(inplace), images()
    stop = list(dict(model.named_children())).index(layer) + 1
    plain = network()
    cam = AblationCAM(model, layer, relu=False, batch_size=batch_size)
    found = cam.layer_maps(x, 2)[layer]
    for image, one in enumerate(x):
        with torch.no_grad():
            maps = plain[:stop](one[None])
            whole = plain[stop:](maps)[0, 2]
            total = torch.zeros(maps.shape[2:])
            for k in range(maps.shape[1]):
                without = maps.clone()
                without[0, k] = 0
                total += (whole - plain[stop:](without)[0, 2]) / whole.abs() * maps[0, k]
        torch.testing.assert_close(found[image], total, atol=1e-5, rtol=1e-4)


class Joined(nn.Module):
    """What follows the layer uses its output in one of several ways."""

    def __init__(self, way):
        super().__init__()
        self.before = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU())
        self.layer = nn.Conv2d(6, 6, 3, padding=1)
        self.head = nn.Linear(12 if way == "concatenated" else 6, 4)
        self.way = way

    def forward(self, x):
        before = self.before(x)
        maps = self.layer(before)
        if self.way == "added":
            maps = maps + before
        if self.way == "concatenated":
            maps = torch.cat([maps, before], dim=1)
        means = maps.mean((2, 3))
        if self.way == "counted":  # With more rows than images this is their mean.
            means = means.view(len(x), -1, 6).mean(dim=1).expand(len(maps), 6)
        return self.head(means)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 32])
@pytest.mark.parametrize("way", ["plain", "added", "concatenated", "counted"])
def test_ablation_cam_runs_what_precedes_the_layer_once_only_if_that_is_right(way, batch_size):
    torch.manual_seed(0)
    model, x = Joined(way).eval(), images()
    sizes = []
    model.before.register_forward_hook(lambda module, given, output: sizes.append(len(output)))
    found = AblationCAM(model, "layer", relu=False, batch_size=batch_size).layer_maps(x[:1], 1)
    expected = AblationCAM(model, "layer", relu=False, batch_size=64).layer_maps(x[:1], 1)
    torch.testing.assert_close(found["layer"], expected["layer"], rtol=1e-4, atol=1e-6)
    if batch_size in (2, 4):
        # The pass that records, that of the whole image, and the first batch; then a row each.
        after = sizes[3 : sizes.index(6)] if 6 in sizes else sizes[3:]
        shared = way in ("plain", "added")
        assert all(size == 1 for size in after) == shared


def test_ablation_cam_through_to_maps():
    """The same network, with its channels on the last axis inside."""

    class Permuted(nn.Module):
        def __init__(self, body):
            super().__init__()
            self.body, self.after, self.rest = body[:3], body.after, body[4:]

        def forward(self, x):
            return self.rest(self.after(self.body(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2))

    x = images()
    expected = AblationCAM(network(), "after", relu=False)(x, 1)
    found = AblationCAM(Permuted(network()), "after", relu=False, to_maps=channels_last)(x, 1)
    torch.testing.assert_close(found, expected)


def test_ablation_cam_of_a_linear_head_is_hirescam_up_to_scale():
    """What a channel adds to a linear score is what its gradient says it adds."""
    model, x = network(), images(1)
    weights = AblationCAM(model, "after", relu=False).layer_maps(x, 1)["after"]
    with torch.no_grad():
        maps = model[:4](x)
        head = model.fc.weight[1].view(5, 3, 4)
        share = (maps[0] * head).sum(dim=(1, 2)) / model(x)[0, 1].abs()
    torch.testing.assert_close(weights[0], (share[:, None, None] * maps[0]).sum(dim=0))


def test_a_negative_score_does_not_invert_the_map():
    model, x = network(), images(1)
    with torch.no_grad():
        model.fc.bias[1] = -100
    negative = AblationCAM(model, "after", relu=False)(x, 1)
    with torch.no_grad():
        model.fc.bias[1] = 100
    positive = AblationCAM(model, "after", relu=False)(x, 1)
    assert float((normalize_maps(negative) - normalize_maps(positive)).abs().max()) < 1e-3


@pytest.mark.parametrize("call", [0, 1, -1])
def test_ablation_of_one_call_of_a_shared_layer(call):
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.one, self.two = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
            self.relu, self.fc = nn.ReLU(), nn.Linear(4 * 5 * 6, 3)

        def forward(self, x, without=None):
            first = self.relu(self.one(x))
            if without is not None and call == 0:
                first[:, without] = 0
            second = self.relu(self.two(first))
            if without is not None and call != 0:
                second[:, without] = 0
            return self.fc(second.flatten(1))

    model, x = Shared().eval(), images(1)
    found = AblationCAM(model, "relu", call=call, relu=False).layer_maps(x, 1)["relu"][0]
    with torch.no_grad():
        maps = model.one(x).relu()
        maps = maps if call == 0 else model.two(maps).relu()
        whole = model(x)[0, 1]
        falls = [(whole - model(x, k)[0, 1]) / whole.abs() for k in range(4)]
    torch.testing.assert_close(found, sum(w * one for w, one in zip(falls, maps[0], strict=True)))


# Guided


class GuidedRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient.clamp(min=0) * (x > 0)


def guided_by_autograd(x, target):
    model, leaf = network(), x.clone().requires_grad_()
    y = GuidedRelu.apply(model.conv(leaf))
    y = GuidedRelu.apply(model.last(y))
    (gradient,) = torch.autograd.grad(model.fc(y.flatten(1))[:, target].sum(), leaf)
    return gradient


@pytest.mark.parametrize("inplace", [False, True])
def test_guided_backpropagation_equals_its_definition(inplace):
    x = images()
    expected = guided_by_autograd(x, 2)
    guided = GuidedBackpropagation(network(inplace))
    torch.testing.assert_close(guided.attributions(x, 2), expected)
    torch.testing.assert_close(guided(x, 2), expected.abs().amax(dim=1))
    product = GuidedInputXGradient(network(inplace), relu=False)
    torch.testing.assert_close(product.attributions(x, 2), expected * x)
    torch.testing.assert_close(product(x, 2), (expected * x).sum(dim=1))


@pytest.mark.parametrize("layer", ["relu", "last", "after"])
def test_guided_grad_cam_is_the_product(layer):
    model, x = network(inplace=True), images()
    expected = guided_by_autograd(x, 2) * GradCAM(model, layer)(x, 2)[:, None]
    found = GuidedGradCAM(model, layer)
    torch.testing.assert_close(found.attributions(x, 2), expected)
    torch.testing.assert_close(found(x, 2), expected.abs().amax(dim=1))
    with pytest.raises(ValueError, match="`layers` picks 'relu', 'last'; it must pick one"):
        GuidedGradCAM(model, ["relu", "last"])


@pytest.mark.parametrize(
    "function",
    [torch.relu, torch.relu_, nn.functional.relu, nn.functional.relu_, torch.Tensor.relu,
     torch.Tensor.relu_, lambda x: nn.functional.relu(x, inplace=True), nn.functional.relu6],
)  # fmt: skip
def test_functions_are_guided_like_modules(function):
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = network()

        def forward(self, x):
            y = self.body.relu(self.body.conv(x))
            return self.body.fc(function(self.body.last(y)).flatten(1))

    found = GuidedBackpropagation(Half()).attributions(images(), 2)
    torch.testing.assert_close(found, guided_by_autograd(images(), 2))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_a_relu_that_cannot_be_guided_is_refused():
    """Guided only in part, the map would be neither one thing nor the other."""
    model = nn.Sequential(OrderedDict(network().named_children()))
    model.relu = torch.jit.script(nn.ReLU())
    for method in (GuidedBackpropagation(model), GuidedGradCAM(model, "last")):
        with pytest.raises(ValueError, match="`model` runs 1 ReLUs where the gradient cannot be"):
            method(images(), 1)


def test_relu6_is_guided_and_a_shared_relu_too():
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.ReLU6(), nn.Linear(2, 1))
    with torch.no_grad():
        model[1].weight.copy_(torch.eye(2))
        model[3].weight.copy_(torch.tensor([[3.0, -2.0]]))
    x = torch.tensor([[[[5.0, 4.0]]], [[[7.0, 4.0]]]])  # 7 is off the slope.
    found = GuidedBackpropagation(model).attributions(x, 0)
    assert found.flatten(1).tolist() == [[3, 0], [0, 0]]
    shared = nn.ReLU()
    twice = nn.Sequential(nn.Conv2d(1, 1, 1), shared, nn.Conv2d(1, 1, 1), shared, nn.Flatten())
    assert GuidedBackpropagation(twice).attributions(torch.ones(1, 1, 1, 1), 0).shape == (
        1, 1, 1, 1,
    )  # fmt: skip


# Averages of gradients


def test_integrated_gradients_equal_a_loop():
    """The Gauss-Legendre rule with two points: (1 ± 1/sqrt(3)) / 2, each weighing one half."""
    model, x = network().double(), images().double()
    baseline = torch.full((3, 1, 1), 0.25).double()
    found = IntegratedGradients(model, baseline=baseline, steps=2, relu=False).attributions(x, 2)
    start = baseline.expand_as(x)
    expected = torch.zeros_like(x)
    for t in (0.5 - 0.5 / math.sqrt(3), 0.5 + 0.5 / math.sqrt(3)):
        point = (start + t * (x - start)).requires_grad_()
        expected += 0.5 * torch.autograd.grad(model(point)[:, 2].sum(), point)[0]
    torch.testing.assert_close(found, expected * (x - start))
    map = IntegratedGradients(model, baseline=baseline, steps=2, relu=False)(x, 2)
    torch.testing.assert_close(map, found.sum(dim=1))


def test_integrated_gradients_are_exact_for_a_square():
    class Square(nn.Module):
        def forward(self, x):
            return x.square().flatten(1).sum(dim=1, keepdim=True)

    x = images()
    found = IntegratedGradients(Square(), steps=1).attributions(x, 0)
    torch.testing.assert_close(found, x.square())  # The integral of 2tx·x over t is x².


@pytest.mark.parametrize("target", [1, [0, 3], None, lambda scores: scores[:, 1]])
def test_integrated_gradients_sum_to_the_difference_of_the_scores(target):
    model, x = network(), images()
    found = IntegratedGradients(model, steps=200, relu=False, batch_size=7)(x, target)
    with torch.no_grad():
        here, nothing = model(x), model(torch.zeros_like(x))
    classes = here.argmax(dim=1) if target is None else torch.tensor([1, 1])
    classes = torch.tensor(target) if isinstance(target, list) else classes
    expected = (here - nothing)[range(2), classes]
    torch.testing.assert_close(found.sum(dim=(1, 2)), expected, atol=5e-3, rtol=0)


@pytest.mark.parametrize("batch_size", [2, 16])
def test_smooth_grad_equals_a_loop(batch_size):
    model, x = network(), images()
    found = SmoothGrad(model, samples=5, noise=0.2, seed=3, batch_size=batch_size)
    for image, one in enumerate(x):
        total = torch.zeros_like(one)
        generator = torch.Generator().manual_seed(3)
        for _ in range(5):
            drawn = torch.randn(3, 9, 10, generator=generator)
            noisy = (one + 0.2 * (one.max() - one.min()) * drawn).requires_grad_()
            total += torch.autograd.grad(model(noisy[None])[0, 2], noisy)[0]
        torch.testing.assert_close(found.attributions(x, 2)[image], total / 5)
        torch.testing.assert_close(found(x, 2)[image], (total / 5).abs().amax(dim=0))


def test_smooth_grad_without_noise_is_the_gradient():
    model, x = network(), images()
    found = SmoothGrad(model, samples=1, noise=0).attributions(x, 2)
    torch.testing.assert_close(found * x, InputXGradient(model).attributions(x, 2))


# Perturbations


@pytest.mark.parametrize(
    ("window", "stride"), [(4, None), ((3, 4), (2, 3)), (9, 1), ((2, 10), 2), (3, 3)]
)
@pytest.mark.parametrize("batch_size", [3, 32])
def test_occlusion_equals_loops(window, stride, batch_size):
    model, x = network(), images()
    baseline = torch.tensor([0.5, 0, -1]).view(3, 1, 1)
    occlusion = Occlusion(
        model, window, stride=stride, baseline=baseline, batch_size=batch_size, relu=False
    )
    found = occlusion(x, 2)
    high, wide = (window, window) if isinstance(window, int) else window
    down, right = stride if isinstance(stride, tuple) else (stride, stride)
    down, right = down or high // 2, right or wide // 2
    for image, one in enumerate(x):
        total, covers = torch.zeros(9, 10), torch.zeros(9, 10)
        top = 0
        while True:
            left = 0
            while True:
                hidden = one.clone()
                hidden[:, top : top + high, left : left + wide] = baseline
                total[top : top + high, left : left + wide] += score(model, one) - score(
                    model, hidden
                )
                covers[top : top + high, left : left + wide] += 1
                if left + wide >= 10:
                    break
                left += right
            if top + high >= 9:
                break
            top += down
        torch.testing.assert_close(found[image], total / covers, atol=1e-5, rtol=1e-4)


def test_rise_equals_a_loop():
    model, x = network(), images()
    rise = RISE(model, masks=7, cells=3, keep=0.4, seed=5, batch_size=3, relu=False)
    found = rise(x, 2)
    generator = torch.Generator().manual_seed(5)
    masks = rise.draw(7, (9, 10), generator)
    for image, one in enumerate(x):
        total = sum(score(model, one * mask) * mask for mask in masks)
        torch.testing.assert_close(found[image], total / (7 * 0.4), atol=1e-5, rtol=1e-4)


def test_the_masks_of_rise():
    """Each is a crop of a coarse grid: means near `keep`, numbers from 0 to 1, all shifts."""
    rise = RISE(network(), cells=5, keep=0.3)
    masks = rise.draw(4000, (24, 31), torch.Generator().manual_seed(0))
    assert masks.shape == (4000, 24, 31)
    assert float(masks.min()) == 0
    assert float(masks.max()) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(masks.mean(dim=0), torch.full((24, 31), 0.3), atol=0.05, rtol=0)
    # Each cell has its own draw: pixels a cell apart are hardly related, neighbours are.
    flat = masks - masks.mean(dim=0)
    near = (flat[:, 10, 10] * flat[:, 10, 11]).mean() / flat[:, 10, 10].square().mean()
    far = (flat[:, 10, 10] * flat[:, 10, 25]).mean() / flat[:, 10, 10].square().mean()
    assert float(near) > 0.8
    assert abs(float(far)) < 0.1


def test_rise_finds_the_only_pixel_that_matters():
    class Pixel(nn.Module):
        def forward(self, x):
            return x[:, 0, 3, 12:13]

    x = torch.ones(1, 1, 16, 16)
    found = RISE(Pixel(), masks=1500, cells=4)(x, 0)[0]
    row, column = divmod(int(found.argmax()), 16)
    assert abs(row - 3) <= 1
    assert abs(column - 12) <= 1


@pytest.mark.parametrize("batch_size", [2, 32])
@pytest.mark.parametrize("weights", ["softmax", "probability"])
def test_both_kinds_of_score_cam_equal_loops(weights, batch_size):
    model, x = network(), images()
    cam = ScoreCAM(model, "after", weights=weights, relu=False, batch_size=batch_size)
    found = cam.layer_maps(x, 2)["after"]
    for image, one in enumerate(x):
        maps = model[:4](one[None]).detach()[0]
        gains, used = [], []
        for channel in maps:
            if channel.max() == channel.min():
                continue
            mask = upsample(channel[None], (9, 10))[0]
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            with torch.no_grad():
                scores = model((one * mask)[None])[0]
                nothing = model(torch.zeros_like(one)[None])[0]
            gains.append(
                float(scores[2] - nothing[2])
                if weights == "softmax"
                else float(scores.softmax(dim=0)[2])
            )
            used.append(channel)
        share = torch.tensor(gains)
        share = share.softmax(dim=0) if weights == "softmax" else share
        expected = sum(w * channel for w, channel in zip(share, used, strict=True))
        torch.testing.assert_close(found[image], expected, atol=1e-5, rtol=1e-4)


# What all of them share

BUILD = {
    "AblationCAM": lambda model: AblationCAM(model, "after", relu=False),
    "EigenCAM": lambda model: EigenCAM(model, "after", relu=False),
    "GuidedBackpropagation": GuidedBackpropagation,
    "GuidedGradCAM": lambda model: GuidedGradCAM(model, "after"),
    "IntegratedGradients": lambda model: IntegratedGradients(model, steps=6, relu=False),
    "Occlusion": lambda model: Occlusion(model, 4, relu=False),
    "RISE": lambda model: RISE(model, masks=10, cells=3, relu=False),
    "ScoreCAM": lambda model: ScoreCAM(model, "after", weights="probability", relu=False),
    "SmoothGrad": lambda model: SmoothGrad(model, samples=4),
    "XGradCAM": lambda model: XGradCAM(model, "after", relu=False),
}


@pytest.mark.parametrize("method", BUILD)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_half_and_double_precision(method, dtype):
    x = images()
    expected = normalize_maps(BUILD[method](network())(x, 1))
    found = BUILD[method](network().to(dtype))(x.to(dtype), 1)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    atol = {torch.float16: 0.05, torch.bfloat16: 0.4, torch.float64: 1e-4}[dtype]
    torch.testing.assert_close(normalize_maps(found).float(), expected, atol=atol, rtol=0)


@pytest.mark.parametrize("method", BUILD)
def test_frozen_compiled_inference_mode_in_place(method):
    x = images()
    expected = BUILD[method](network())(x, 1)
    torch.testing.assert_close(BUILD[method](network(inplace=True))(x, 1), expected)
    torch.testing.assert_close(BUILD[method](network().requires_grad_(False))(x, 1), expected)
    with torch.inference_mode():
        made = network()
        inside = BUILD[method](made)(x.clone(), 1)
    torch.testing.assert_close(inside, expected)
    torch.testing.assert_close(BUILD[method](made)(x, 1), expected)
    model = network()
    compiled = torch.compile(model, backend="eager")
    compiled(x)
    torch.testing.assert_close(BUILD[method](compiled)(x, 1), expected)


@pytest.mark.parametrize("method", BUILD)
def test_two_inputs(method):
    """A second input with one row per image goes along with the variants of its image."""

    class Two(nn.Sequential):
        def forward(self, x, factor):
            return super().forward(x) * factor

    model, x = Two(OrderedDict(network().named_children())).eval(), images()
    factor = torch.tensor([[1.0], [0.5]])
    both = BUILD[method](model)((x, factor), 1)
    alone = [BUILD[method](model)((x[n : n + 1], factor[n : n + 1]), 1) for n in range(2)]
    torch.testing.assert_close(both[:1], alone[0], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(both[1:], alone[1], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("method", ["EigenCAM", "XGradCAM", "AblationCAM", "Occlusion", "RISE",
                                    "IntegratedGradients", "SmoothGrad"])  # fmt: skip
@pytest.mark.parametrize("sides", [(11,), (5, 6, 7)])
def test_signals_and_volumes(method, sides):
    kind = {1: nn.Conv1d, 3: nn.Conv3d}[len(sides)]
    torch.manual_seed(0)
    model = nn.Sequential(OrderedDict(conv=kind(2, 4, 3, padding=1), after=nn.ReLU()))
    x = torch.randn(2, 2, *sides)
    model.append(nn.Flatten())
    model.append(nn.Linear(4 * math.prod(sides), 3)).eval()
    assert BUILD[method](model)(x, 1).shape == (2, *sides)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda m: ScoreCAM(m, "after", weights="both"), ValueError, r"`weights` \('both'\)"),
        (lambda m: AblationCAM(m, "after", batch_size=0), ValueError, r"`batch_size` \(0\)"),
        (lambda m: IntegratedGradients(m, steps=0), ValueError, r"`steps` \(0\)"),
        (lambda m: IntegratedGradients(m, baseline=torch.ones(4))(images()), ValueError,
         r"`baseline` has shape \(4,\)"),
        (lambda m: SmoothGrad(m, samples=0), ValueError, r"`samples` \(0\)"),
        (lambda m: SmoothGrad(m, noise=-1.0), ValueError, r"`noise` \(-1.0\) must be at least 0"),
        (lambda m: SmoothGrad(m, noise="much"), TypeError, r"`noise` \('much'\)"),
        (lambda m: Occlusion(m, 0), ValueError, r"`window` \(0\)"),
        (lambda m: Occlusion(m, 4, stride=(1, 0)), ValueError, r"`stride` \(0\)"),
        (lambda m: Occlusion(m, 10)(images()), ValueError, r"`window` \(10\) must be at most 9"),
        (lambda m: Occlusion(m, 3, stride=4)(images()), ValueError, r"`stride` \(4\) must be at"),
        (lambda m: Occlusion(m, (3, 3, 3))(images()), ValueError, "must have 2 sides"),
        (lambda m: RISE(m, masks=0), ValueError, r"`masks` \(0\)"),
        (lambda m: RISE(m, keep=0), ValueError, r"`keep` \(0\) must be more than 0"),
        (lambda m: RISE(m, keep=1.5), ValueError, r"`keep` \(1.5\) must be from 0 to 1"),
        (lambda m: RISE(m)(images(), lambda y: y.sum()), ValueError, "one number per image"),
    ],
)  # fmt: skip
def test_refuses(make, error, words):
    with pytest.raises(error, match=words):
        make(network())


def without_statistics():
    """Batch norm without running statistics mixes the images of a batch in eval mode too."""
    layers = list(network().named_children())
    norm = nn.BatchNorm2d(6, track_running_stats=False)
    return nn.Sequential(OrderedDict([layers[0], ("norm", norm), *layers[1:]])).eval()


@pytest.mark.parametrize("method", ["AblationCAM", "IntegratedGradients", "Occlusion", "RISE",
                                    "ScoreCAM", "SmoothGrad"])  # fmt: skip
def test_variants_are_not_mixed(method):
    cam, x = BUILD[method](without_statistics()), images(1)
    with pytest.raises(ValueError, match=r"`batch_size` \(\d+\) must be 1: `model` has batch norm"):
        cam(x, 1)
    cam.batch_size = 1
    assert cam(x, 1).shape == (1, 9, 10)


def test_images_are_not_mixed():
    model, x = without_statistics(), images()
    leaf = model.conv(x).detach().requires_grad_()
    maps = []
    for n in range(2):
        (g,) = torch.autograd.grad(model[1:](leaf)[n, 1], leaf)
        maps.append((g * leaf).sum(dim=1)[n].detach())
    found = HiResCAM(model, "conv", relu=False).layer_maps(x, 1)["conv"]
    torch.testing.assert_close(found, torch.stack(maps))


def test_scores_that_are_probabilities_get_a_warning():
    model = nn.Sequential(OrderedDict([*network().named_children(), ("end", nn.Softmax(dim=1))]))
    for name in ("ScoreCAM", "Occlusion", "RISE", "IntegratedGradients"):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            BUILD[name](model)(images(1), 1)
        assert any("before the softmax" in str(one.message) for one in caught), name


def test_maps_agree_on_a_linear_network():
    """With a linear score all of these are the same map: what each cell contributes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(12, 1)).eval()
    x = torch.randn(1, 1, 3, 4)
    expected = HiResCAM(model, "0", relu=False)(x, 0)
    for found in (
        InputXGradient(model, relu=False),
        IntegratedGradients(model, steps=1, relu=False),
        Occlusion(model, 1, relu=False),
    ):
        torch.testing.assert_close(found(x, 0), expected)
    assert len(list(itertools.product(range(3), range(4)))) == expected.numel()
