from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.ndimage import fourier_gaussian, gaussian_filter
from skimage import data
from torch import nn
from torch.nn import functional

from cnnref.nn.feature_visualization import (
    USUAL_PRIORS,
    Priors,
    channel,
    diversity,
    logit,
    measure,
    neuron,
    response,
    visualize,
)
from cnnref.nn.feature_visualization._image_parameters import Fourier, Pixels, make_parameters
from cnnref.nn.feature_visualization._taps import Tap, tapped
from cnnref.nn.gradcam import channels_last, tokens_to_maps
from cnnref.nn.pretrained import squeezenet

QUICK = dict(size=12, steps=5, progress=False)


def seeded(*layers):
    torch.manual_seed(0)
    net = nn.Sequential(*layers)
    for layer in net.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return net


def small_net(inplace=False):
    return seeded(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace), nn.Conv2d(4, 5, 3), nn.ReLU(inplace),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 6),
    )  # fmt: skip


def read_once(model, taps, x):
    with tapped(model, tuple(taps)) as read:
        return read(x, x)


def hooks_of(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


# Tapping


def test_a_predicate_picks_the_layer_to_read():
    net, x = small_net(), torch.randn(1, 3, 9, 9)
    by_name = response(net, channel("2", 1), x)
    assert response(net, channel(net[2], 1), x) == by_name
    assert response(net, channel(lambda name, layer: name == "2", 1), x) == by_name
    convolutions = Tap(lambda name, layer: isinstance(layer, nn.Conv2d))
    with pytest.raises(ValueError, match="`layer` contains a predicate that picks '0', '2'; it"):
        read_once(net, [convolutions], x)
    with pytest.raises(ValueError, match=r"`index` .* channels of the layer Conv2d"):
        response(net, channel(net[2], 5), x)
    with pytest.raises(ValueError, match=r"`index` .* channels of the layer <lambda>"):
        response(net, channel(lambda name, layer: name == "2", 5), x)
    with pytest.raises(TypeError, match="`layer` contains 3; a layer is"):
        read_once(net, [Tap(3)], x)
    with pytest.raises(ValueError, match="`layer` contains a predicate that picks no layer"):
        read_once(net, [Tap(lambda name, layer: False)], x)


def test_what_was_read_is_released_after_an_error():
    """Whoever keeps the traceback, or the function that reads, must not keep the maps with it."""

    class Failing(nn.Module):
        def forward(self, x):
            raise KeyError

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), Failing())
    with tapped(net, (Tap("0"), Tap("1"), Tap("2"))) as read:
        x = torch.zeros(1, 3, 9, 9)
        with pytest.raises(KeyError):
            read(x, x)
        (reader,) = (
            cell.cell_contents
            for cell in read.__closure__
            if type(cell.cell_contents).__name__ == "_Reader"
        )
    assert (reader.outputs, reader.entered, reader.left) == ({}, {}, {})


@pytest.mark.parametrize("inplace", [False, True])
def test_a_layer_before_an_activation_is_read_as_it_was(inplace):
    net, x = small_net(inplace), torch.randn(1, 3, 9, 9)
    # For the second tap the pass continues, through the in-place ReLU after the first.
    read = read_once(net, [Tap("0"), Tap("2")], x)
    assert torch.equal(read[Tap("0")], net[0](x))
    assert (read[Tap("0")] < 0).any()
    assert torch.equal(read[Tap("2")], net[2](net[0](x).relu()))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.Hardswish])
def test_the_input_of_an_activation_is_read_unless_asked_otherwise(inplace, activation):
    net = seeded(nn.Conv2d(3, 4, 3), activation(inplace=inplace), nn.Conv2d(4, 2, 3))
    x = torch.randn(1, 3, 9, 9)
    before, after = net[0](x), activation()(net[0](x))
    assert not torch.equal(before, after)
    for layer in ("1", net[1]):
        taps = Tap(layer), Tap(layer, pre_activation=False)
        read = read_once(net, taps, x)
        assert torch.equal(read[taps[0]], before)
        assert torch.equal(read[taps[1]], after)


@pytest.mark.parametrize("inplace", [False, True])
def test_a_block_that_ends_in_an_activation_is_read_before_it(inplace):
    class Block(nn.Module):
        """One ReLU in two places, as in torchvision's residual blocks."""

        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
            self.relu = nn.ReLU(inplace)

        def forward(self, x):
            return self.relu(x + self.conv2(self.relu(self.conv1(x))))

    torch.manual_seed(0)
    block, x = Block(), torch.randn(1, 3, 6, 6)
    net = nn.Sequential(block, nn.Conv2d(3, 1, 1))
    expected = x + block.conv2(block.conv1(x).relu())
    torch.testing.assert_close(read_once(net, [Tap("0")], x)[Tap("0")], expected)
    # The ReLU itself: its two calls.
    calls = {-2: block.conv1(x), 0: block.conv1(x), 1: expected, -1: expected}
    for call, value in calls.items():
        tap = Tap("0.relu", call=call)
        torch.testing.assert_close(read_once(net, [tap], x)[tap], value)


def test_a_block_that_does_not_end_in_an_activation_is_read_at_its_end():
    net, x = nn.Sequential(small_net()[:3]), torch.randn(1, 3, 9, 9)
    torch.testing.assert_close(read_once(net, [Tap("0")], x)[Tap("0")], net(x))


def test_a_pass_after_the_first_ends_with_the_last_tap():
    net, x = small_net(), torch.randn(1, 3, 9, 9)
    ran = []
    for number, layer in enumerate(net):
        layer.register_forward_hook(lambda *_, number=number: ran.append(number))
    with tapped(net, (Tap("2"), Tap("0"))) as read:
        first = read(x, x)
        assert ran == list(range(7))
        ran.clear()
        second = read(x, x)
        assert ran[-1] <= 2
    assert all(torch.equal(first[tap], second[tap]) for tap in first)
    with tapped(net, (Tap("0"), Tap())) as read:
        for _ in range(2):
            assert torch.equal(read(x, x)[Tap()], net(x))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv2d(3, 3, 3), nn.ReLU(inplace=True), nn.Linear(3, 2)

    def forward(self, x):
        x = self.relu(self.conv(x))
        return self.head(self.relu(self.conv(x) + 0.1).mean(dim=(2, 3)))


def test_a_layer_that_runs_twice_is_read_in_the_call_that_is_chosen():
    torch.manual_seed(0)
    net, x = Twice(), torch.rand(1, 3, 9, 9)
    first = net.conv(x)
    second = net.conv(first.relu())
    for call, maps in ((0, first), (1, second), (-1, second), (-2, first)):
        value = response(net, channel("conv", 1, call=call), x)
        assert value == pytest.approx(maps[0, 1].mean().item(), rel=1e-5)
        value = response(net, neuron("conv", 1, (0, 2), call=call), x)
        assert value == pytest.approx(maps[0, 1, 0, 2].item(), rel=1e-5)
        value = response(net, measure(torch.max, "conv", call=call), x)
        assert value == pytest.approx(maps.max().item(), rel=1e-5)
        found = visualize(net, channel("conv", 1, call=call), **QUICK)
        assert found.value > found.start
    both = channel("conv", 1, call=1) - channel("conv", 1, call=0)
    expected = (second[0, 1].mean() - first[0, 1].mean()).item()
    assert response(net, both, x) == pytest.approx(expected, rel=1e-5)
    for objective in (channel("conv", 1), neuron("relu", 1), measure(torch.max, "conv")):
        with pytest.raises(
            ValueError, match=r"`layer`: '\w+' runs 2 times in one pass; pass `call`"
        ):
            response(net, objective, x)
    with pytest.raises(ValueError, match=r"`call` \(2\) must be at most 1: 'conv' runs 2 times"):
        response(net, channel("conv", 1, call=2), x)


def test_the_rest_of_a_network_may_refuse_the_size_of_the_image():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(7, 2))
    assert visualize(net, channel("0", 1), **QUICK).restarts == 0
    for objective in (logit(0), channel("0", 1) + logit(0), channel("3", 0)):
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            visualize(net, objective, **QUICK)


def test_the_gradient_flows_through_what_was_read():
    net, x = small_net(inplace=True), torch.randn(1, 3, 9, 9, requires_grad=True)
    (found,) = torch.autograd.grad(read_once(net, [Tap("1")], x)[Tap("1")].sum(), x)
    (expected,) = torch.autograd.grad(net[0](x).sum(), x)
    assert torch.equal(found, expected)


def test_hooks_are_gone_after_the_block_and_after_an_exception():
    net = small_net()
    x = torch.randn(1, 3, 9, 9)
    with tapped(net, (Tap("1"), Tap("2"))) as read:
        assert hooks_of(net)
        read(x, x)
    assert not hooks_of(net)
    with pytest.raises(RuntimeError), tapped(net, (Tap("1"),)) as read:
        read(torch.randn(1, 7, 9, 9), x)
    assert not hooks_of(net)
    with pytest.raises(ValueError, match="must be the name"), tapped(net, (Tap("1"), Tap("one"))):
        pass
    assert not hooks_of(net)


def test_a_layer_that_is_not_there_or_not_reached():
    net = squeezenet(weights=False)
    with pytest.raises(ValueError, match=r"`layer` \('fire6'\) must be .*'features\.fire6'"):
        read_once(net, [Tap("fire6")], torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match=r"`layer` contains a Conv2d that is not in `model`"):
        read_once(net, [Tap(nn.Conv2d(1, 1, 1))], torch.zeros(1, 3, 64, 64))

    class Skips(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(RuntimeError, match="`layer`: 'unused' did not run when `model` was called"):
        read_once(Skips(), [Tap("unused")], torch.zeros(1, 3, 4, 4))


# Objectives


def value_of(objective, model, x):
    return objective.value(read_once(model, objective.taps, x)).item()


def test_objectives_are_the_numbers_they_name():
    net, x = small_net(), torch.randn(1, 3, 9, 10)
    maps = net[:3](x)[0]  # (5, 5, 6)
    assert value_of(channel("2", 3), net, x) == pytest.approx(maps[3].mean().item())
    assert value_of(channel("3", 3), net, x) == pytest.approx(maps[3].mean().item())
    after = channel("3", 3, pre_activation=False)
    assert value_of(after, net, x) == pytest.approx(maps[3].relu().mean().item())
    assert value_of(neuron("2", 1), net, x) == maps[1, 2, 3].item()
    assert value_of(neuron(net[2], 1, (4, 0)), net, x) == maps[1, 4, 0].item()
    assert value_of(logit(5), net, x) == net(x)[0, 5].item()
    assert value_of(channel("6", 5), net, x) == net(x)[0, 5].item()
    both = measure(lambda a, b: a.sum() - 2 * b.max(), "2", None)
    expected = maps.sum() - 2 * net(x).max()
    assert value_of(both, net, x) == pytest.approx(expected.item())
    # By default, what the next layer sees.
    assert value_of(measure(torch.min, "3"), net, x) == 0
    assert value_of(measure(torch.min, "3", pre_activation=True), net, x) == maps.min().item()


def test_objectives_add_subtract_and_scale():
    net, x = small_net(), torch.randn(1, 3, 9, 9)
    a, b = channel("2", 0), logit(1)
    u, v = value_of(a, net, x), value_of(b, net, x)
    for objective, expected in (
        (a + b, u + v), (a - b, u - v), (2 * a, 2 * u), (a * 0.5, u / 2), (-b, -v),
        (a + 3 * b - a * 2, 3 * v - u), (a + a, 2 * u),
    ):  # fmt: skip
        assert value_of(objective, net, x) == pytest.approx(expected, rel=1e-5)
    assert len((a + 3 * b - a * 2).taps) == 2
    for wrong in (lambda: a + 1, lambda: a * "2", lambda: a * True, lambda: a - 1, lambda: a * b):
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.parametrize(
    ("objective", "error", "words"),
    [
        (channel("2", 5), ValueError, r"`index` \(5\) must be less than 5, .* of '2'"),
        (neuron("2", 0, (5, 0)), ValueError, r"`position` \(\(5, 0\)\) is outside the 5×5 map"),
        (neuron("2", 0, (0, 5)), ValueError, "`position`"),
        (neuron("6", 0), ValueError, r"shape \(1, 6\).* use `channel`"),
        (logit(6), ValueError, r"`index` \(6\) must be less than 6, the number of classes"),
        (measure(torch.sin, "2"), ValueError, r"`function` returned shape \(1, 5, 5, 5\)"),
        (measure(lambda _: 1.0, "2"), TypeError, "`function` returned a float; it must return"),
    ],
)
def test_objectives_refuse_when_used(objective, error, words):
    with pytest.raises(error, match=words):
        value_of(objective, small_net(), torch.randn(1, 3, 9, 9))


def test_objectives_refuse_when_made():
    with pytest.raises(TypeError, match="`index`"):
        channel("2", 1.0)
    with pytest.raises(ValueError, match=r"`index` \(-1\)"):
        logit(-1)
    with pytest.raises(ValueError, match="`position`"):
        neuron("2", 0, (-1, 0))
    with pytest.raises(TypeError, match="`position`"):
        neuron("2", 0, (1.5, 0))
    with pytest.raises(ValueError, match="`layers` is empty"):
        measure(torch.sum)


def test_outputs_that_are_no_scores_or_no_tensor():
    class Two(nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3)), x

    x = torch.randn(1, 3, 4, 4)
    with pytest.raises(TypeError, match=r"`model` outputs a tuple.*`measure`"):
        value_of(logit(0), Two(), x)
    assert value_of(measure(lambda out: out[0][0, 1], None), Two(), x) == x[0, 1].mean()
    with pytest.raises(ValueError, match=r"outputs shape \(1, 2, 4, 4\)"):
        value_of(logit(0), nn.Conv2d(3, 2, 1), x)
    with pytest.raises(ValueError, match=r"`layer`: .0. outputs shape \(48,\)"):
        value_of(channel("0", 0), nn.Sequential(nn.Flatten(0)), x)


# Priors


def test_no_prior_is_the_image_itself():
    image, generator = torch.rand(1, 3, 6, 7), torch.Generator().manual_seed(0)
    state = generator.get_state()
    assert Priors().moved(image, generator) is image
    assert torch.equal(generator.get_state(), state)
    assert torch.equal(Priors().kept(image.shape[2:]), torch.ones(6, 4))


def test_jitter_shifts_by_whole_pixels_up_to_its_limit():
    image, generator = torch.rand(1, 2, 9, 14), torch.Generator().manual_seed(0)
    mirrored = torch.from_numpy(
        np.pad(image.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), "symmetric")
    )
    shifts = {
        (d, a): mirrored[..., 3 - d : 12 - d, 3 - a : 17 - a]
        for d in range(-3, 4)
        for a in range(-3, 4)
    }
    seen = set()
    for _ in range(600):
        moved = Priors(jitter=3).moved(image, generator)
        near = [s for s, other in shifts.items() if torch.allclose(moved, other, atol=1e-5)]
        assert len(near) == 1
        seen.update(near)
    assert seen == set(shifts)


@pytest.mark.parametrize("size", [(40, 40), (30, 50)])
def test_turns_and_scales_stay_within_their_limits(size):
    """A slope stays a slope: it turns by the angle, and its steepness changes by the factor."""
    rows, columns = torch.meshgrid(*(torch.arange(float(n)) for n in size), indexing="ij")
    generator = torch.Generator().manual_seed(1)
    angles, factors = [], []
    for _ in range(200):
        moved = Priors(rotate=10, scale=0.25).moved((rows + 2 * columns)[None, None], generator)
        middle = moved[
            0, 0, size[0] // 2 - 4 : size[0] // 2 + 4, size[1] // 2 - 4 : size[1] // 2 + 4
        ]
        down, across = middle.diff(dim=0), middle.diff(dim=1)
        torch.testing.assert_close(down, down[0, 0].expand_as(down), atol=1e-3, rtol=0)
        slope = math.hypot(down[0, 0], across[0, 0])
        angles.append(math.degrees(math.atan2(down[0, 0], across[0, 0]) - math.atan2(1, 2)))
        factors.append(math.hypot(1, 2) / slope)
    assert -10.01 < min(angles) < -8
    assert 8 < max(angles) < 10.01
    assert 1 / 1.2501 < min(factors) < 1 / 1.2
    assert 1.2 < max(factors) < 1.2501


def test_blur_is_a_gaussian_and_decay_a_factor():
    values = torch.randn(1, 2, 20, 17)
    pixels = Pixels(values.clone())
    pixels.regularize(Priors(blur=1.3, decay=0.1))
    expected = gaussian_filter(values.numpy(), (0, 0, 1.3, 1.3), mode="wrap", truncate=8)
    np.testing.assert_allclose(pixels.values.detach(), 0.9 * expected, atol=1e-3)


@pytest.mark.parametrize("shape", [(16, 16), (9, 13)])
def test_waves_are_blurred_and_decay_as_pixels_do(shape):
    generator = torch.Generator().manual_seed(0)
    waves = make_parameters("fourier", shape, 1, 1.0, generator, torch.device("cpu"))
    pixels = Pixels(torch.logit(waves.image().detach().double()))
    for one in (waves, pixels):
        one.regularize(Priors(blur=0.8, decay=0.2))
    torch.testing.assert_close(waves.image().double(), pixels.image(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("parametrization", ["pixels", "fourier"])
@pytest.mark.parametrize("priors", [Priors(decay=0.25), Priors(blur=0.7)])
def test_blur_alone_and_decay_alone_act_on_the_image_of_each_step(priors, parametrization):
    """The step without them, then a factor or a Gaussian on the logistic function's argument."""
    net = seeded(nn.Conv2d(1, 2, 3))
    settings = dict(QUICK, steps=1, channels=1, parametrization=parametrization)
    plain = visualize(net, channel("0", 1), priors=Priors(), **settings).image.logit()
    found = visualize(net, channel("0", 1), priors=priors, **settings).image.logit()
    if priors.decay:
        expected = 0.75 * plain
    else:
        blurred = np.fft.ifft2(fourier_gaussian(np.fft.fft2(plain[0].double()), priors.blur))
        expected = torch.from_numpy(blurred.real)[None].float()
    scale = float(plain.abs().max())
    torch.testing.assert_close(found, expected, atol=1e-4 * scale, rtol=0)
    assert not torch.allclose(found, plain, atol=1e-1 * scale, rtol=0)


def test_without_blur_and_decay_the_image_is_not_touched_between_steps(monkeypatch):
    def refuse(self, priors):
        raise AssertionError("regularized")

    monkeypatch.setattr(Pixels, "regularize", refuse)
    settings = dict(QUICK, parametrization="pixels")
    visualize(seeded(nn.Conv2d(3, 2, 3)), channel("0", 1), priors=USUAL_PRIORS, **settings)
    with pytest.raises(AssertionError, match="regularized"):
        visualize(seeded(nn.Conv2d(3, 2, 3)), channel("0", 1), priors=Priors(blur=1), **settings)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (dict(jitter=1.5), TypeError, "`jitter`"),
        (dict(jitter=-1), ValueError, "`jitter`"),
        (dict(rotate=-1.0), ValueError, r"`rotate` \(-1.0\) must be at least 0"),
        (dict(scale=math.nan), ValueError, "`scale`"),
        (dict(blur=math.inf), ValueError, "`blur`"),
        (dict(blur="1"), TypeError, "`blur`"),
        (dict(decay=1), ValueError, r"`decay` \(1\) must be less than 1"),
        (dict(decay=True), TypeError, "`decay`"),
    ],
)
def test_priors_refuse(arguments, error, words):
    with pytest.raises(error, match=words):
        Priors(**arguments)


# Parametrisations


@pytest.mark.parametrize("kind", ["fourier", "pixels"])
@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 5)])
def test_zeros_are_grey_and_sizes_are_kept(kind, size):
    for channels in (1, 3):
        parameters = make_parameters(
            kind, size, channels, 0.0, torch.Generator(), torch.device("cpu")
        )
        image = parameters.image()
        assert image.shape == (1, channels, *size)
        assert (image == 0.5).all()


@pytest.mark.parametrize("size", [(12, 16), (12, 15)])
def test_a_number_is_a_wave_and_slow_waves_are_tall(size):
    heights = {}
    for cycles in (1, 2, 4):
        values = torch.zeros(1, 2, 1, size[0], size[1] // 2 + 1)
        values[0, 0, 0, 0, cycles] = 1.0
        wave = torch.logit(Fourier(values, size[1]).image())[0, 0]
        column = torch.arange(size[1])
        cosine = torch.cos(2 * math.pi * cycles * column / size[1])
        heights[cycles] = (wave[0] @ cosine / (cosine @ cosine)).item()
        torch.testing.assert_close(wave[0], heights[cycles] * cosine, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(wave, wave[:1].expand_as(wave))
    assert heights[1] == pytest.approx(2 * heights[2], rel=1e-3)
    assert heights[2] == pytest.approx(2 * heights[4], rel=1e-3)


def test_the_first_colour_moves_all_three_together():
    for colour, signs in ((0, (1, 1, 1)), (1, (1, 0, -1)), (2, (1, -1, 1))):
        values = torch.zeros(1, 2, 3, 4, 3)
        values[0, 0, colour, 0, 0] = 1.0
        image = Fourier(values, 4).image()[0, :, 0, 0] - 0.5
        assert torch.sign(image).tolist() == list(signs)


# The ascent


def test_it_is_the_plain_loop():
    net, objective = small_net(), channel("2", 1)
    found = visualize(
        net, objective, size=(10, 12), steps=7, parametrization="pixels", priors=Priors(),
        rate=0.1, seed=3, progress=False,
    )  # fmt: skip
    draw = torch.Generator().manual_seed(3)
    values = (0.01 * torch.randn(1, 3, 10, 12, generator=draw)).requires_grad_()
    optimizer = torch.optim.Adam([values], 0.1)
    history = []
    for _ in range(7):
        loss = -net[:3](values.sigmoid())[0, 1].mean()
        history.append(-loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(found.image, values.sigmoid()[0].detach())
    assert found.history == pytest.approx(history)
    assert found.start == pytest.approx(history[0])
    assert found.value == pytest.approx(net[:3](values.sigmoid())[0, 1].mean().item())
    assert found.restarts == 0


@pytest.mark.parametrize("kind", ["fourier", "pixels"])
def test_a_linear_filter_ends_in_its_own_signs(kind):
    """Without a ReLU the best image between 0 and 1 is black where weights are negative."""
    layer = nn.Conv2d(3, 1, 5, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(0)))
    found = visualize(
        nn.Sequential(layer), channel("0", 0), size=5, steps=400, parametrization=kind,
        priors=Priors(), rate=0.2, progress=False,
    )  # fmt: skip
    weight = layer.weight[0].detach()
    strong = weight.abs() > 0.1
    agree = (found.image[strong] > 0.5) == (weight[strong] > 0)
    assert agree.float().mean() > 0.95
    assert found.value > 0.95 * weight.clamp(min=0).sum().item()
    assert found.history[-1] > found.history[0]


def test_a_negative_objective_is_descended():
    net = small_net()
    arguments = dict(size=12, steps=40, priors=Priors(), progress=False)
    up = visualize(net, channel("2", 0), **arguments)
    down = visualize(net, -channel("2", 0), **arguments)
    assert up.value > up.start
    assert -down.value < -down.start
    target = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(0))
    loss = measure(lambda maps: functional.mse_loss(maps, small_net()[:1](target[None])), "0")
    near = visualize(
        net, -loss, size=12, steps=200, parametrization="pixels", priors=Priors(), progress=False
    )
    assert -near.value < 0.1 * -near.start


@pytest.mark.parametrize("kind", ["fourier", "pixels"])
def test_the_seed_decides(kind):
    net = small_net()
    one, same, other = (
        visualize(net, channel("2", 0), parametrization=kind, seed=seed, **QUICK)
        for seed in (0, 0, 1)
    )
    assert torch.equal(one.image, same.image)
    assert one.history == same.history
    assert not torch.equal(one.image, other.image)


def test_nothing_is_left_behind():
    net = seeded(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
    net.train()
    net[1].eval()
    net[0].weight.requires_grad_(False)
    net[0].bias.grad = torch.ones(4)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    random = torch.get_rng_state()
    with torch.no_grad():  # the caller's context does not stop the ascent
        visualize(net, channel("2", 0), **QUICK)
    assert [layer.training for layer in net] == [True, False, True, True]
    assert net.training
    assert [p.requires_grad for p in net.parameters()] == [False, True, True, True]
    assert torch.equal(net[0].bias.grad, torch.ones(4))
    assert net[1].weight.grad is None
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    assert torch.equal(torch.get_rng_state(), random)
    assert not hooks_of(net)
    with pytest.raises(ValueError):
        visualize(net, channel("2", 9), **QUICK)
    assert net.training
    assert not hooks_of(net)


def hard_to_wake(threshold):
    """A filter that takes the difference of neighbours and responds only above a threshold."""
    layer = nn.Conv2d(1, 1, (1, 2))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[[-1.0, 1.0]]]]))
        layer.bias.fill_(-threshold)
    return nn.Sequential(layer, nn.ReLU())


def test_a_dead_start_is_followed_by_a_stronger_one():
    dead = channel("1", 0, pre_activation=False)
    arguments = dict(channels=1, parametrization="pixels", restarts=6, **QUICK)
    found = visualize(hard_to_wake(0.05), dead, **arguments)
    assert found.restarts >= 1
    assert found.start > 0
    assert found.value > found.start
    with pytest.raises(ValueError, match=r"zero at 3 starts.*in '1'\..*`pre_activation=True`"):
        visualize(hard_to_wake(0.9), dead, **{**arguments, "restarts": 2})
    # Before the ReLU there is always a gradient.
    assert visualize(hard_to_wake(0.9), channel("1", 0), **arguments).restarts == 0


def test_errors_of_the_ascent():
    net = small_net()

    class Detached(nn.Module):
        def forward(self, x):
            return x.detach().mean(dim=(2, 3))

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.scores = nn.Parameter(torch.ones(1, 2))

        def forward(self, x):
            return self.scores

    with pytest.raises(ValueError, match=r"`objective` has no gradient .* the model's output"):
        visualize(Detached(), logit(0), **QUICK)
    with pytest.raises(ValueError, match="zero at 5 starts"):
        visualize(Constant(), logit(0), **QUICK)
    with pytest.raises(FloatingPointError, match="the objective is inf"):
        visualize(net, measure(lambda maps: maps.sum() / 0, "2"), **QUICK)
    with pytest.raises(TypeError, match=r"`objective` \('2'\) must be an Objective"):
        visualize(net, "2", **QUICK)
    for name, wrong in dict(size=0, steps=0, channels=0, seed=-1, restarts=-1, rate=0.0).items():
        with pytest.raises(ValueError, match=f"`{name}`"):
            visualize(net, channel("2", 0), **{**QUICK, name: wrong})
    with pytest.raises(ValueError, match=r"`parametrization` \('waves'\)"):
        visualize(net, channel("2", 0), parametrization="waves", **QUICK)


def test_another_preparation_other_channels_another_dtype():
    net = seeded(nn.Conv2d(1, 2, 3))
    seen = []

    def prepare(image):
        seen.append(image.detach())
        return (image - 0.5) / 0.25

    found = visualize(net, channel("0", 0), channels=1, preprocess=prepare, **QUICK)
    assert found.image.shape == (1, 12, 12)
    assert all(image.min() >= 0 and image.max() <= 1 for image in seen)
    assert found.value == pytest.approx(net(prepare(found.image[None]))[0, 0].mean().item())
    assert found.picture.shape == (12, 12, 1)
    assert found.picture.dtype == np.uint8
    np.testing.assert_array_equal(found.picture[..., 0], np.rint(255 * found.image[0].numpy()))
    for dtype in (torch.float64, torch.bfloat16):
        other = visualize(net.to(dtype), channel("0", 0), channels=1, **QUICK)
        assert other.image.dtype == torch.float32
        assert other.value > other.start


def test_the_bar_is_shown_on_request(capsys):
    visualize(small_net(), channel("2", 0), **{**QUICK, "progress": True})
    assert "5/5" in capsys.readouterr().err
    visualize(small_net(), channel("2", 0), **QUICK)
    assert capsys.readouterr().err == ""


def test_the_response_of_any_image():
    net, image = small_net().train(), torch.rand(3, 9, 9)
    expected = net[2](net[0](2 * image[None]).relu())[0, 4].mean().item()
    for one in (image, image[None], image.double()):
        found = response(net, channel("3", 4), one, preprocess=lambda x: 2 * x)
        assert found == pytest.approx(expected)
    assert net.training
    assert not hooks_of(net)
    for shape in ((9, 9), (2, 3, 9, 9, 9), (0, 3, 9, 9)):
        with pytest.raises(ValueError, match=f"`image` has shape .{shape[0]}, "):
            response(net, channel("3", 4), torch.rand(shape))
    for wrong, words in ((np.ones((3, 9, 9)), "is a ndarray"), (image.byte(), "dtype torch.uint8")):
        with pytest.raises(TypeError, match=f"`image` .*{words}"):
            response(net, channel("3", 4), wrong)


def test_the_response_of_a_batch_is_the_mean():
    net, images = small_net(), torch.rand(2, 3, 9, 9)
    for objective in (channel("3", 4), neuron("2", 1), logit(2)):
        alone = [response(net, objective, one) for one in images]
        assert response(net, objective, images) == pytest.approx(np.mean(alone), rel=1e-5)


def test_a_network_that_overwrites_its_input_does_not_change_the_image():
    image = torch.rand(3, 9, 9) - 0.5
    before = image.clone()
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 2, 3))
    expected = net[1](before.relu()[None])[0, 1].mean().item()
    assert response(net, channel("1", 1), image) == pytest.approx(expected)
    assert torch.equal(image, before)
    assert visualize(net, channel("1", 1), **QUICK).value == pytest.approx(
        response(net, channel("1", 1), visualize(net, channel("1", 1), **QUICK).image)
    )


# Layouts


class ChannelsLast(nn.Module):
    """A block whose output is (N, H, W, C), as in a Swin transformer, and a head."""

    def __init__(self):
        super().__init__()
        self.patches, self.block, self.head = (
            nn.Conv2d(3, 5, 2, 2),
            nn.Linear(5, 5),
            nn.Linear(5, 2),
        )

    def forward(self, x):
        return self.head(self.block(self.patches(x).permute(0, 2, 3, 1)).mean(dim=(1, 2)))


class Tokens(ChannelsLast):
    """A block whose output is (N, 1 + HW, C), as in a vision transformer."""

    def forward(self, x):
        patches = self.patches(x).flatten(2).mT
        tokens = torch.cat([patches.mean(dim=1, keepdim=True), patches], dim=1)
        return self.head(self.block(tokens)[:, 0])


@pytest.mark.parametrize(
    ("network", "to_maps"),
    [(ChannelsLast, channels_last), (Tokens, tokens_to_maps((6, 6)))],
)
def test_layouts_are_said_or_refused(network, to_maps):
    torch.manual_seed(0)
    net, image = network().eval(), torch.rand(3, 12, 12)
    with torch.no_grad():
        maps = net.block(net.patches(image[None]).flatten(2).mT).mT.reshape(5, 6, 6)
    assert response(net, channel("block", 4, to_maps=to_maps), image) == pytest.approx(
        maps[4].mean().item(), rel=1e-4
    )
    position = neuron("block", 4, (1, 4), to_maps=to_maps)
    assert response(net, position, image) == pytest.approx(maps[4, 1, 4].item(), rel=1e-4)
    assert response(net, channel("patches", 1), image) != 0
    assert response(net, channel("head", 1), image) == response(net, logit(1), image)
    found = visualize(net, channel("block", 4, to_maps=to_maps), **QUICK)
    assert found.value > found.start
    alike = diversity("block", to_maps=to_maps)
    assert response(net, alike, image.expand(2, 3, 12, 12)) == pytest.approx(-1)
    for objective in (channel("block", 4), neuron("block", 4), diversity("block")):
        with pytest.raises(ValueError, match=r"`layer`: 'block' outputs shape .*`?to_maps"):
            response(net, objective, image.expand(2, 3, 12, 12))
    with pytest.raises(ValueError, match="`to_maps` changes, repeats or mixes"):
        response(net, channel("block", 1, to_maps=lambda maps: 2 * to_maps(maps)), image)


# Starting from an image; batches


@pytest.mark.parametrize("kind", ["fourier", "pixels"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_ascent_starts_from_a_given_image(kind, channels):
    net = seeded(nn.Conv2d(channels, 4, 3))
    image = torch.rand(channels, 11, 14)
    image[0, 0, :2] = torch.tensor([0.0, 1.0])
    settings = dict(parametrization=kind, priors=Priors(), image=image, progress=False)
    found = visualize(net, channel("0", 1), steps=1, rate=1e-6, **settings)
    assert found.image.shape == image.shape
    torch.testing.assert_close(found.image, image, atol=0.5 / 255 + 1e-5, rtol=0)
    torch.testing.assert_close(
        found.image.flatten()[2:], image.flatten()[2:].clamp(0.5 / 255, 1 - 0.5 / 255),
        atol=1e-4, rtol=0,
    )  # fmt: skip
    assert found.start == pytest.approx(response(net, channel("0", 1), found.image), abs=1e-4)
    far = visualize(net, channel("0", 1), steps=20, **settings)
    assert far.value > far.start
    again = visualize(net, channel("0", 1), steps=20, seed=1, **settings)
    assert torch.equal(far.image, again.image)  # no noise
    assert (image.min(), image.max()) == (0, 1)  # the caller's image is as it was


def test_a_given_image_without_a_gradient_gets_noise():
    dead = channel("1", 0, pre_activation=False)
    settings = dict(parametrization="pixels", steps=5, restarts=6, progress=False)
    found = visualize(hard_to_wake(0.05), dead, image=torch.full((1, 9, 9), 0.5), **settings)
    assert found.restarts >= 1
    assert found.value > found.start > 0
    stripes = torch.tensor([0.3, 0.6]).repeat(5)[:9].expand(1, 9, 9)
    found = visualize(hard_to_wake(0.05), dead, image=stripes, **settings)
    assert found.restarts == 0
    assert found.start == pytest.approx(0.25 / 2, rel=1e-4)  # half of the neighbours rise by 0.3


def test_a_photograph_of_bytes_is_refused_where_the_range_is_known(model):
    image = torch.rand(3, 40, 40)
    with pytest.raises(ValueError, match=r"`image` ranges from .* to 25\d; its values must lie"):
        response(model, channel("features.fire2", 1), 255 * image)
    assert response(model, channel("features.fire2", 1), image * 1.0001) != 0
    # Another network may take other values.
    assert response(small_net(), channel("2", 1), 255 * image) != 0


def test_a_given_image_decides_the_shape():
    net, objective = small_net(), channel("2", 1)
    image = torch.rand(3, 9, 12)
    settings = dict(steps=1, progress=False)
    for more in (dict(size=(9, 12)), dict(channels=3), dict(batch=1), dict(batch=3)):
        found = visualize(net, objective, image=image, **more, **settings)
        assert found.image.shape[-3:] == (3, 9, 12)
    for more, words in (
        (dict(size=9), r"`size` \(9\) must be None, or that of `image`, \(9, 12\)"),
        (dict(channels=1), r"`channels` \(1\) must be None, or that of `image`, 3"),
        (dict(image=image.expand(2, 3, 9, 12), batch=3), r"`batch` \(3\) must .* of `image`, 2"),
        (dict(image=255 * image), r"`image` ranges from .*; its values must lie between 0 and 1"),
        (dict(image=image - 0.5), "`image` ranges from -"),
        (dict(image=image[0]), "`image` has shape"),
        (dict(image=torch.full((3, 9, 12), torch.nan)), "`image` ranges from nan"),
        (dict(batch=0), r"`batch` \(0\)"),
    ):
        with pytest.raises(ValueError, match=words):
            visualize(net, objective, **{"image": image, **more}, **settings)


@pytest.mark.parametrize("kind", ["fourier", "pixels"])
def test_images_of_a_batch_climb_each_on_its_own(kind):
    net, objective = small_net(), channel("2", 1)
    settings = dict(steps=8, parametrization=kind, priors=Priors(), progress=False)
    images = torch.rand(3, 3, 9, 12)
    together = visualize(net, objective, image=images, **settings)
    assert together.image.shape == (3, 3, 9, 12)
    assert together.picture.shape == (3, 9, 12, 3)
    np.testing.assert_array_equal(
        together.picture, np.rint(255 * together.image.permute(0, 2, 3, 1).numpy())
    )
    alone = [visualize(net, objective, image=one, **settings) for one in images]
    for one, other in zip(together.image, alone, strict=True):
        torch.testing.assert_close(one, other.image, atol=0.02, rtol=0)
    expected = np.mean([one.value for one in alone])
    assert together.value == pytest.approx(expected, rel=1e-2)


def test_images_of_a_batch_start_apart_and_are_moved_apart():
    net = small_net()
    found = visualize(net, channel("2", 1), batch=3, **QUICK)
    single = visualize(net, channel("2", 1), **QUICK)
    assert found.image.shape == (3, 3, 12, 12)
    assert single.image.shape == (3, 12, 12)
    assert visualize(net, channel("2", 1), batch=1, **QUICK).image.shape == (1, 3, 12, 12)
    images = torch.ones(3, 1, 1, 1) * torch.arange(9.0).view(3, 3).repeat(3, 3)
    moved = Priors(jitter=3).moved(images, torch.Generator().manual_seed(0))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert not torch.equal(found.image[first], found.image[second])
        assert not torch.equal(moved[first], moved[second])
    # One image for a batch: each copy with noise of its own.
    start = visualize(net, channel("2", 1), image=torch.full((3, 9, 9), 0.5), batch=2,
                      steps=1, rate=1e-9, progress=False).image  # fmt: skip
    assert 0 < (start[0] - start[1]).abs().max() < 0.2


def test_diversity_by_hand():
    """The Gram matrices are [[1, 0], [0, 4]] and [[2, 2], [2, 2]]."""
    a = torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]]])
    b = torch.tensor([[[1.0, 1.0]], [[1.0, 1.0]]])
    net = nn.Sequential(nn.Identity())
    cosine = (1 * 2 + 4 * 2) / (math.sqrt(1 + 16) * 4)
    for images, expected in (
        ((a, b), -cosine),
        ((a, a), -1),
        ((a, 3 * a.flip(2)), -1),  # neither places nor strengths count
        ((a, a, b), -(2 + 4 * cosine) / 3),
    ):
        found = response(net, diversity("0"), torch.stack(images))
        assert found == pytest.approx(expected, rel=1e-6)


def test_diversity_in_half_precision_does_not_overflow():
    images = 300 * torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(nn.Identity(), nn.Conv2d(3, 1, 1))
    expected = response(net, diversity("0"), images)
    assert response(net.half(), diversity("0"), images) == pytest.approx(expected, abs=1e-3)


def test_diversity_makes_images_less_alike():
    net = seeded(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
    settings = dict(batch=3, size=16, steps=40, priors=Priors(), progress=False)
    plain = visualize(net, channel("2", 1), **settings)
    varied = visualize(net, channel("2", 1) + diversity("1"), **settings)
    unlike = [response(net, diversity("1"), one.image) for one in (plain, varied)]
    assert unlike[1] > unlike[0] + 0.1
    with pytest.raises(ValueError, match="`batch` must be at least 2"):
        visualize(net, diversity("1"), **QUICK)
    flat = nn.Sequential(nn.Flatten(), nn.Identity())
    with pytest.raises(ValueError, match=r"`layer`: the output of '1' has shape \(2, 27\)"):
        response(flat, diversity("1"), torch.rand(2, 3, 3, 3))


# Other networks


def test_networks_that_need_more_than_images_are_refused():
    class Two(nn.Module):
        def forward(self, x, numbers):
            return x.mean(dim=(2, 3)) + numbers

    for call in (
        lambda: visualize(Two(), logit(0), **QUICK),
        lambda: response(Two(), logit(0), torch.rand(3, 4, 4)),
    ):
        with pytest.raises(TypeError, match=r"`model` cannot be called with images alone.*numbers"):
            call()


# Signals, volumes, and networks with several inputs

LAYERS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
SIZES = {1: (24,), 2: (12, 14), 3: (6, 8, 10)}


@pytest.mark.parametrize("kind", ["pixels", "fourier"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_ascent_reaches_the_best_input_of_a_filter(axes, kind):
    """The best input of one linear filter is 1 where its weights are positive, and 0 elsewhere."""
    net = seeded(LAYERS[axes](2, 1, SIZES[axes]))
    (layer,) = net
    found = visualize(
        net, channel("0", 0), size=SIZES[axes], steps=300, channels=2,
        parametrization=kind, priors=Priors(), rate=0.5, progress=False,
    )  # fmt: skip
    assert found.image.shape == (2, *SIZES[axes])
    best = (layer.weight[0] > 0).float()
    most, least = layer(best[None]).item(), layer(1 - best[None]).item()
    assert (found.value - least) / (most - least) > 0.98
    assert found.axes == axes
    assert found.picture.shape == (*SIZES[axes], 2)
    expected = (255 * found.image.numpy()).round().astype(np.uint8)
    np.testing.assert_array_equal(found.picture[..., 1], expected[1])


@pytest.mark.parametrize("axes", [1, 3])
def test_channels_and_neurons_of_signals_and_volumes(axes):
    net = seeded(LAYERS[axes](3, 2, 3))
    signal = torch.rand(3, *SIZES[axes], generator=torch.Generator().manual_seed(0))
    maps = net(signal[None])[0, 1].detach()
    place = (3, 1, 4)[:axes]
    middle = tuple(side // 2 for side in maps.shape)
    cases = [
        (channel("", 1), maps.mean()),
        (neuron("", 1, place), maps[place]),
        (neuron("", 1), maps[middle]),
    ]
    if axes == 1:
        cases.append((neuron("", 1, 3), maps[3]))
    for objective, expected in cases:
        assert response(net, objective, signal) == pytest.approx(float(expected), rel=1e-5)
        found = visualize(
            net, objective, size=SIZES[axes], steps=5, priors=Priors(), progress=False
        )
        assert found.value > found.start
        assert found.image.shape == (3, *SIZES[axes])
    for wrong in ((1, 2), (99,) * axes):
        with pytest.raises(ValueError, match=r"`position` \("):
            response(net, neuron("", 1, wrong), signal)


@pytest.mark.parametrize("axes", [1, 3])
def test_the_priors_of_signals_and_volumes(axes):
    """Whole shifts move what is inside; scale keeps the middle; blur and decay act on waves."""
    size = {1: (21,), 3: (9, 11, 13)}[axes]
    image = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(0))
    moved = Priors(jitter=2).moved(image, torch.Generator().manual_seed(3))
    shifts = [
        by
        for by in itertools.product(range(-2, 3), repeat=axes)
        if torch.allclose(
            moved[(..., *[slice(3, side - 3) for side in size])],
            image[(..., *[slice(3 + d, side - 3 + d) for d, side in zip(by, size, strict=True)])],
            atol=1e-4,
        )
    ]
    assert len(shifts) == 1
    middle = (..., *[side // 2 for side in size])
    larger = Priors(scale=0.5).moved(image, torch.Generator().manual_seed(0))
    assert torch.allclose(larger[middle], image[middle], atol=1e-5)
    assert not torch.allclose(larger, image, atol=0.1)
    kept = Priors(blur=1.5, decay=0.25).kept(size)
    assert kept.shape == (*size[:-1], size[-1] // 2 + 1)
    assert kept.flatten()[0] == pytest.approx(0.75)
    # The wave along the last axis alone, against the Fourier transform of a Gaussian.
    wave = kept.view(-1, kept.shape[-1])[0, 3]
    assert float(wave) == pytest.approx(0.75 * np.exp(-2 * (np.pi * 1.5 * 3 / size[-1]) ** 2))


def test_a_volume_turns_in_the_plane_of_its_last_two_axes():
    frame = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    volume = frame[:, :, None].expand(1, 1, 5, 9, 9)
    turned = Priors(rotate=30.0).moved(volume, torch.Generator().manual_seed(1))
    expected = Priors(rotate=30.0).moved(frame, torch.Generator().manual_seed(1))
    torch.testing.assert_close(turned[0, 0], expected[0].expand(5, 9, 9))


def test_images_for_a_network_on_signals_need_a_preparation():
    net = nn.Sequential(nn.Conv1d(3, 2, 3))
    with pytest.raises(ValueError, match=r"`size` makes images \(N, C, H, W\), but .*\(N, C, T\)"):
        visualize(net, channel("0", 1), **{**QUICK, "size": (12, 12)})
    found = visualize(net, measure(lambda maps: maps[0, 1].mean(), "0"), **QUICK | {"size": (3, 4)},
                      preprocess=lambda image: image.reshape(1, 3, 12))  # fmt: skip
    assert found.value > found.start
    assert found.image.shape == (3, 3, 4)
    for wrong in ((), (1, 2, 3, 4)):
        with pytest.raises(ValueError, match="`size`"):
            visualize(net, channel("0", 1), **{**QUICK, "size": wrong})


def test_the_other_inputs_are_held():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = seeded(nn.Conv2d(3, 2, 3))

        def forward(self, x, numbers):
            scores = self.conv(x).mean(dim=(2, 3)) * numbers.clone()
            numbers.zero_()  # Only a copy may be overwritten.
            return scores

    net, numbers = Two(), torch.tensor([[-2.0, 3.0]])
    image = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(0))
    expected = -2 * net.conv(image[None])[0, 0].mean().item()
    assert response(net, logit(0), image, others=[numbers]) == pytest.approx(expected, rel=1e-5)
    found = visualize(net, logit(0), others=(numbers,), **QUICK)
    # Its number is negative, so that going up is going down in the channel.
    other = visualize(net, -2 * channel("conv", 0), others=(numbers,), **QUICK)
    assert torch.equal(found.image, other.image)
    assert found.value > found.start
    assert numbers.tolist() == [[-2.0, 3.0]]
    each = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    pair = visualize(net, logit(0), others=(each,), batch=2, **QUICK).image
    assert net.conv(pair)[0, 0].mean() > net.conv(pair)[1, 0].mean()
    with pytest.raises(
        TypeError, match=r"`others` holds 2 arguments, but after 'x' .*\(numbers,\)"
    ):
        response(net, logit(0), image, others=(numbers, numbers))


def test_compiled_frozen_and_inference_mode_networks():
    net = small_net()
    expected = visualize(net, channel("3", 1), **QUICK)
    compiled = torch.compile(net, backend="eager")
    compiled(torch.rand(1, 3, 12, 12))
    with torch.inference_mode():
        built = small_net()
    for other in (compiled, small_net(True), small_net().requires_grad_(False), built):
        found = visualize(other, channel("3", 1), **QUICK)
        assert torch.equal(found.image, expected.image)
        assert not hooks_of(other)
    with torch.inference_mode():
        assert torch.equal(visualize(net, channel("3", 1), **QUICK).image, expected.image)


# A trained network


@pytest.fixture(scope="module")
def model():
    return squeezenet()


def test_a_pretrained_network_gets_its_own_normalisation(model):
    found = visualize(model, neuron("features.conv1", 5, (3, 3)), size=32, steps=1, progress=False)
    with torch.no_grad():
        maps = model.features.conv1(model.normalize(255 * found.image[None]))
    assert found.value == pytest.approx(maps[0, 5, 3, 3].item(), rel=1e-4)


def test_no_photograph_excites_the_channel_as_much(model):
    objective = channel("features.fire4", 3)
    found = visualize(model, objective, size=96, steps=40, progress=False)
    photographs = model.preprocess([data.chelsea(), data.coffee(), data.astronaut()])
    with torch.no_grad():
        best = max(value_of(objective, model, photo[None]) for photo in photographs)
    assert found.value > 1.5 * best


def test_pixels_end_in_finer_grain_than_waves(model):
    def fine_share(picture):
        power = np.abs(np.fft.fft2(picture - picture.mean())) ** 2
        frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in picture.shape)))
        return power[frequency > 0.25].sum() / power.sum()

    objective = channel("features.fire6", 3)
    pixels, waves = (
        fine_share(
            visualize(
                model, objective, size=64, steps=40, parametrization=kind, priors=priors,
                progress=False,
            ).picture.mean(axis=2)
        )
        for kind, priors in (("pixels", Priors()), ("fourier", USUAL_PRIORS))
    )  # fmt: skip
    assert waves < 0.5 * pixels
