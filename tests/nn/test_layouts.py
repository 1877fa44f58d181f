from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, gelu
from torch.utils.checkpoint import checkpoint

from cnnref.nn._layouts import Layouts, as_maps, observed_layouts, one_call, places
from cnnref.nn.gradcam import (
    EigenCAM,
    GradCAM,
    GradCAMPlusPlus,
    GuidedGradCAM,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    channels_first,
    channels_last,
    tokens_to_maps,
)

METHODS = [GradCAM, HiResCAM, GradCAMPlusPlus, LayerCAM, ScoreCAM]


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# The functions


def test_channels_last_by_hand():
    output = torch.arange(12.0).view(1, 2, 3, 2)
    expected = [[[[0, 2, 4], [6, 8, 10]], [[1, 3, 5], [7, 9, 11]]]]
    assert channels_last(output).tolist() == expected
    assert channels_first(output) is output


@pytest.mark.parametrize("skip", [0, 1, 3])
def test_tokens_to_maps_by_loops(skip):
    rows, columns, channels = 2, 3, 4
    tokens = noise(2, skip + rows * columns, channels)
    found = tokens_to_maps((rows, columns), skip)(tokens)
    assert found.shape == (2, channels, rows, columns)
    for n, c, i, j in np.ndindex(found.shape):
        assert found[n, c, i, j] == tokens[n, skip + i * columns + j, c]


def test_a_single_size_is_a_square_and_volumes_have_three_sides():
    assert tokens_to_maps(3)(noise(1, 10, 2)).shape == (1, 2, 3, 3)
    volume = tokens_to_maps((2, 3, 4), skip=0)(noise(1, 24, 5))
    assert volume.shape == (1, 5, 2, 3, 4)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: tokens_to_maps((0, 2)), ValueError, r"`size` \(0\)"),
        (lambda: tokens_to_maps(()), ValueError, "`size` is empty"),
        (lambda: tokens_to_maps(2.0), TypeError, "float"),
        (lambda: tokens_to_maps(2, skip=-1), ValueError, r"`skip` \(-1\)"),
        (lambda: tokens_to_maps(2)(noise(1, 4, 3)), ValueError, r"needs \(N, 5, C\)"),
        (lambda: tokens_to_maps(2)((noise(1, 5, 3),)), TypeError, "outputs a tuple"),
        (lambda: channels_last(noise(1, 5)), ValueError, r"shape \(1, 5\)"),
        (lambda: channels_first("maps"), TypeError, "outputs a str"),
    ],
)
def test_refuses(make, error, words):
    with pytest.raises(error, match=words):
        make()


# Networks


class Transformer(nn.Module):
    """Patches of a class token and a grid, one block, and a head on the class token."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, 6, 4, stride=4)
        self.start = nn.Parameter(torch.randn(1, 1, 6))
        self.block = nn.TransformerEncoderLayer(6, 2, 8, dropout=0, batch_first=True)
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 4)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).mT
        tokens = torch.cat([self.start.expand(len(x), -1, -1), tokens], dim=1)
        return self.head(self.norm(self.block(tokens)).mean(dim=1))


class ChannelsLast(nn.Module):
    """Like a stage of a Swin transformer: (N, h, w, C) inside."""

    def __init__(self, channels=6, inner=None):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, channels, 2, stride=2)
        self.mix = inner or nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, channels))
        self.act, self.head = nn.GELU(), nn.Linear(channels, 4)

    def forward(self, x):
        y = self.act(self.mix(self.first(x).permute(0, 2, 3, 1)))
        weights = torch.linspace(-1, 2, y.shape[1] * y.shape[2], device=y.device)
        return self.head((y * weights.view(y.shape[1], y.shape[2], 1)).mean(dim=(1, 2)))


def by_autograd(model, name, x, target, arrange):
    """Activations and gradients of a layer by hooks, rearranged."""
    kept = []
    module = model.get_submodule(name)
    with module.register_forward_hook(lambda module, inputs, output: kept.append(output)):
        score = model(x)[:, target].sum()
    (gradient,) = torch.autograd.grad(score, kept[0])
    return arrange(kept[0]).detach().numpy(), arrange(gradient).numpy()


@pytest.mark.parametrize("name", ["block", "norm"])
def test_maps_of_tokens_equal_autograd(name):
    model, x = Transformer().eval(), noise(2, 3, 8, 12)
    to_maps = tokens_to_maps((2, 3))
    a, g = by_autograd(model, name, x, 1, to_maps)
    found = GradCAM(model, name, relu=False, to_maps=to_maps).layer_maps(x, 1)[name]
    np.testing.assert_allclose(
        found.numpy(), np.einsum("nk,nkij->nij", g.mean(axis=(2, 3)), a), atol=1e-6
    )
    found = HiResCAM(model, name, relu=False, to_maps=to_maps)(x, 1)
    assert found.shape == (2, 8, 12)


@pytest.mark.parametrize("name", ["mix", "mix.0", "act"])
def test_maps_of_channels_last_equal_autograd(name):
    model, x = ChannelsLast().eval(), noise(2, 3, 8, 10)
    a, g = by_autograd(model, name, x, 1, channels_last)
    cam = GradCAM(model, name, relu=False, to_maps=channels_last)
    np.testing.assert_allclose(
        cam.layer_maps(x, 1)[name].numpy(),
        np.einsum("nk,nkij->nij", g.mean(axis=(2, 3)), a),
        atol=1e-6,
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_channels_last_layer_is_refused_unless_said(method):
    model, x = ChannelsLast().eval(), noise(1, 3, 8, 10)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for name in ("mix", "mix.0", "act"):
        with pytest.raises(ValueError, match=r"its channels on the last axis.*channels_last"):
            method(model, name)(x, 1)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert not any(module._forward_hooks for module in model.modules())
    assert method(model, "mix", to_maps=channels_last)(x, 1).shape == (1, 8, 10)
    # The convolution before it has its channels first, without a word.
    assert method(model, "first")(x, 1).shape == (1, 8, 10)


def test_equal_sides_that_nothing_settles_are_refused():
    """(N, 8, 8, 8), once from a convolution and once from a linear layer."""
    model, x = ChannelsLast(channels=8).eval(), noise(1, 3, 16, 16)
    with pytest.raises(ValueError, match=r"`layers`: 'act' outputs shape \(1, 8, 8, 8\).*could"):
        GradCAM(model, "act")(x, 0)
    last = GradCAM(model, "act", relu=False, to_maps=channels_last)(x, 0)
    first = GradCAM(model, "act", relu=False, to_maps=channels_first)(x, 0)
    assert not torch.allclose(first, last)


class Functional(nn.Module):
    """No module with a known layout: only the sizes can tell."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(noise(channels, 3, 2, 2))
        self.act = nn.GELU()

    def forward(self, x):
        return self.act(conv2d(x, self.weight, stride=2)).mean(dim=(2, 3))


def test_sizes_settle_a_layout_where_no_module_does():
    x = noise(1, 3, 16, 24)
    assert GradCAM(Functional(32), "act")(x, 0).shape == (1, 16, 24)  # 32 rows of 16 cannot be
    with pytest.raises(ValueError, match="could have its channels on the last axis"):
        GradCAM(Functional(5), "act")(x, 0)  # (1, 5, 8, 12): 5 by 8 of 16 by 24 could be
    assert GradCAM(Functional(5), "act", to_maps=channels_first)(x, 0).shape == (1, 16, 24)


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(8, 8), nn.LayerNorm(8), nn.RMSNorm(8)],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_read_the_last_axis(layer):
    model = nn.Sequential(layer)
    with observed_layouts(model) as layouts:
        model(noise(1, 4, 4, 8))
    assert layouts == Layouts(set(), {(1, 4, 4, 8)})


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_a_subclass_that_moves_its_channels_is_seen_as_it_is():
    model = nn.Sequential(LayerNorm2d(3), nn.GELU(), nn.Flatten(), nn.Linear(60, 2)).eval()
    x = noise(1, 3, 4, 5)
    with observed_layouts(model) as layouts:
        model(x)
    assert layouts.first == {(1, 3, 4, 5)}
    assert layouts.last == set()
    assert GradCAM(model, "0")(x, 0).shape == (1, 4, 5)


def test_tokens_without_a_layout_get_the_call_that_is_right():
    model = Transformer().eval()
    with pytest.raises(ValueError, match=r"to_maps=tokens_to_maps\(\(2, 3\), skip=1\)"):
        GradCAM(model, "norm")(noise(1, 3, 8, 12), 0)
    with pytest.raises(ValueError, match=r"needs a layer whose output is \(N, C, h, w\)"):
        GradCAM(model, "head")(noise(1, 3, 8, 12), 0)


# One and three spatial axes


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sides", [(11,), (6, 7), (5, 6, 7)])
def test_signals_images_and_volumes(method, sides):
    """A map of a signal is the map of the same signal as an image of one row."""
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[len(sides)]
    torch.manual_seed(0)
    model = nn.Sequential(kind(2, 4, 3, padding=1), nn.ReLU(), nn.Flatten())
    x = noise(2, 2, *sides)
    model.append(nn.Linear(model(x).shape[1], 3)).eval()
    found = method(model, "1")(x, 1)
    assert found.shape == (2, *sides)
    if len(sides) == 1:
        image = nn.Sequential(nn.Conv2d(2, 4, (1, 3), padding=(0, 1)), *model[1:]).eval()
        with torch.no_grad():
            image[0].weight.copy_(model[0].weight[:, :, None])
            image[0].bias.copy_(model[0].bias)
        expected = method(image, "1")(x[:, :, None], 1)[:, 0]
        torch.testing.assert_close(found, expected)


# Several calls


class Shared(nn.Module):
    """One ReLU that runs three times, as in a residual block."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(4 * 30, 3)

    def forward(self, x):
        y = self.relu(self.one(x))
        return self.fc(self.relu(self.relu(self.two(y)) - y).flatten(1))


@pytest.mark.parametrize("method", METHODS)
def test_a_call_is_chosen(method):
    model, x = Shared().eval(), noise(2, 3, 5, 6)
    with pytest.raises(ValueError, match=r"'relu' runs 3 times.*pass `call`, from 0 to 2"):
        method(model, "relu")(x, 1)
    maps = [method(model, "relu", call=call, relu=False)(x, 1) for call in (0, 1, 2)]
    assert not torch.allclose(maps[0], maps[1])
    torch.testing.assert_close(method(model, "relu", call=-1, relu=False)(x, 1), maps[2])
    with pytest.raises(ValueError, match=r"`call` \(3\) must be at most 2: 'relu' runs 3 times"):
        method(model, "relu", call=3)(x, 1)
    with pytest.raises(ValueError, match=r"`call` \(-2\).*'one' runs once"):
        method(model, "one", call=-2)(x, 1)
    with pytest.raises(TypeError, match="`call`"):
        method(model, "relu", call=1.0)


def test_the_chosen_call_equals_a_network_with_three_relus():
    model, x = Shared().eval(), noise(2, 3, 5, 6)
    y = model.one(x).relu()
    z = (model.two(y).relu() - y).relu().detach().requires_grad_()
    (g,) = torch.autograd.grad(model.fc(z.flatten(1))[:, 1].sum(), z)
    expected = (g.mean(dim=(2, 3), keepdim=True) * z).sum(dim=1).detach()
    found = GradCAM(model, "relu", call=2, relu=False).layer_maps(x, 1)["relu"]
    torch.testing.assert_close(found, expected)


class TimeFirst(nn.Module):
    """Tokens as (tokens, N, C), and batch norm, which mixes the images in train mode."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.norm = nn.Conv2d(3, 6, 4, stride=4), nn.BatchNorm2d(6)
        self.act, self.fc = nn.GELU(), nn.Linear(6 * 6, 4)

    def forward(self, x):
        tokens = self.act(self.patches(x).flatten(2).permute(2, 0, 1))
        return self.fc(self.norm(tokens.permute(1, 2, 0).unflatten(2, (2, 3))).flatten(1))


@pytest.mark.parametrize("train", [False, True])
def test_a_batch_that_is_not_the_first_axis(train):
    model, x = TimeFirst().train(train), noise(2, 3, 8, 12)
    cam = GradCAM(
        model, "act", relu=False, to_maps=lambda y: y.permute(1, 2, 0).reshape(2, 6, 2, 3)
    )
    found = cam.layer_maps(x, 1)["act"]
    leaf = gelu(model.patches(x)).detach().requires_grad_()
    scores = model.fc(model.norm(leaf).flatten(1))[:, 1]
    for n, score in enumerate(scores):
        (g,) = torch.autograd.grad(score, leaf, retain_graph=True)
        expected = (g.mean(dim=(2, 3), keepdim=True) * leaf).sum(dim=1)[n].detach()
        torch.testing.assert_close(found[n], expected)


def test_one_call_that_did_not_run():
    with pytest.raises(RuntimeError, match="'aux' did not run"):
        one_call("aux", [], None)


# Functions of one's own


class Pair(nn.Module):
    """A layer that returns two tensors, as an attention layer does."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(x), x.mean()


class WithPair(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.pair, self.fc = Pair(), nn.Linear(4 * 12, 2)

    def forward(self, x):
        maps, mean = self.pair(x)
        return self.fc(gelu(maps).flatten(1)) * mean


@pytest.mark.parametrize("train", [False, True])
def test_a_function_selects_from_a_tuple(train):
    model, x = WithPair().train(train), noise(2, 3, 5, 6)
    with pytest.raises(TypeError, match=r"outputs a tuple.*select it with `to_maps`"):
        GradCAM(model, "pair")(x, 0)
    picked = GradCAM(model, "pair", to_maps=lambda output: output[0], relu=False)(x, 0)
    torch.testing.assert_close(picked, GradCAM(model, "pair.conv", relu=False)(x, 0))


@pytest.mark.parametrize(
    "function",
    [
        torch.relu,
        lambda maps: 2 * maps,
        lambda maps: torch.cat([maps, maps], dim=1),
        lambda maps: maps.mean(dim=1, keepdim=True),
        lambda maps: maps.softmax(dim=1),
        lambda maps: maps - maps,
    ],
)
def test_a_function_that_does_more_than_rearrange_is_refused(function):
    with pytest.raises(ValueError, match="`to_maps` changes, repeats or mixes numbers"):
        places(function, noise(1, 3, 4, 5), "conv")


def test_places_count_through_all_tensors():
    output = {"a": noise(2, 3), "b": (noise(1, 2, 2, 1),)}
    assert places(lambda one: one["b"][0].movedim(-1, 1), output, "x").tolist() == [
        [[[6, 7], [8, 9]]]
    ]


def test_what_a_function_returns_is_checked():
    x, model = noise(1, 3, 8, 10), ChannelsLast().eval()
    with pytest.raises(ValueError, match=r"`to_maps` makes of 'mix' shape \(1, 6, 20\)"):
        GradCAM(model, "mix", to_maps=lambda y: channels_last(y).flatten(2))(x, 0)
    with pytest.raises(TypeError, match=r"`to_maps` makes of 'mix' dtype torch\.bool"):
        GradCAM(model, "mix", to_maps=lambda y: y > 0)(x, 0)
    with pytest.raises(TypeError, match=r"`to_maps` \('tokens'\) must be a function"):
        GradCAM(model, "mix", to_maps="tokens")


def test_as_maps_names_the_callers_argument():
    with pytest.raises(ValueError, match=r"^`layer`: 'x' outputs shape \(2, 3\)"):
        as_maps(
            noise(2, 3), noise(2, 3, 4, 4), name="x", to_maps=None, layouts=Layouts(),
            argument="layer",
        )  # fmt: skip


# Compiled networks, and those made in inference mode


def test_a_compiled_network_gives_the_same_maps_under_both_names():
    model, x = ChannelsLast().eval(), noise(1, 3, 8, 10)
    expected = GradCAM(model, "first")(x, 1)
    compiled = torch.compile(model, backend="eager")
    compiled(x)  # Compiled before the hooks are there.
    for name in ("first", "_orig_mod.first"):
        torch.testing.assert_close(GradCAM(compiled, name)(x, 1), expected)
    torch.testing.assert_close(GradCAM(compiled, model.first)(x, 1), expected)


def test_names_without_those_of_the_modules_around_a_network():
    model, x = ChannelsLast().eval(), noise(1, 3, 8, 10)
    expected = GradCAM(model, "first")(x, 1)
    parallel = nn.DataParallel(model)
    both = torch.compile(parallel, backend="eager")
    for around, names in (
        (parallel, ("first", "module.first")),
        (both, ("first", "_orig_mod.module.first")),
    ):
        for name in names:
            torch.testing.assert_close(GradCAM(around, name)(x, 1), expected)
    # A network's own `module` is a part of the name like any other.
    own = nn.Sequential(OrderedDict(module=model))
    with pytest.raises(ValueError, match=r"`layers` \('first'\) must be the name of a layer"):
        GradCAM(own, "first")


class Switched(nn.Module):
    """Its layer has the output shape (N, 8, 8, 8) in both layouts."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 8, 3, padding=1)
        self.after = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        return self.after(self.layer(x)).mean((2, 3))


class AsChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 8)

    def forward(self, x):
        return self.linear(x.movedim(1, -1))


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize("method", [GradCAM, EigenCAM, GuidedGradCAM])
def test_a_map_object_checks_again_what_has_changed(method):
    torch.manual_seed(0)
    model, x = Switched().eval(), noise(2, 3, 8, 8)
    model.layer = nn.Sequential(model.layer, nn.ReLU())
    cam = method(model, "layer")
    for _ in range(2):  # The second call relies on the checks of the first.
        torch.testing.assert_close(cam(x, 1), method(model, "layer")(x, 1))
    model.layer[0].stride = 2, 2  # Another shape for the same images.
    for images in (x, noise(1, 3, 12, 12)):
        torch.testing.assert_close(cam(images, 1), method(model, "layer")(images, 1))
    model.layer = nn.Sequential(AsChannelsLast(), nn.ReLU())
    with pytest.raises(ValueError, match="channels on the last axis"):
        cam(x, 1)
    model.layer = torch.jit.script(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()))
    with pytest.raises(TypeError, match="scripted layer"):
        cam(x, 1)


@pytest.mark.parametrize("method", METHODS)
def test_a_network_made_in_inference_mode(method):
    expected = method(ChannelsLast().eval(), "first")(noise(1, 3, 8, 10), 1)
    with torch.inference_mode():
        model = ChannelsLast().eval()
        model.register_buffer("shared", torch.ones(2))
    weight, shared = model.head.weight, model.shared
    torch.testing.assert_close(method(model, "first")(noise(1, 3, 8, 10), 1), expected)
    assert model.head.weight is weight
    assert weight.is_inference()
    assert model.shared is shared


def test_gradient_checkpointing():
    class Checkpointed(ChannelsLast):
        reentrant = False

        def forward(self, x):
            y = checkpoint(
                lambda x: self.mix(self.first(x).permute(0, 2, 3, 1)),
                x,
                use_reentrant=self.reentrant,
            )
            return self.head(self.act(y).mean(dim=(1, 2)))

    x, plain = noise(1, 3, 8, 10), ChannelsLast().eval()
    plain.forward = lambda x: plain.head(
        plain.act(plain.mix(plain.first(x).permute(0, 2, 3, 1))).mean(dim=(1, 2))
    )
    model = Checkpointed().eval()
    torch.testing.assert_close(GradCAM(model, "first")(x, 1), GradCAM(plain, "first")(x, 1))
    Checkpointed.reentrant = True
    with (
        pytest.warns(UserWarning, match="requires_grad"),
        pytest.raises(RuntimeError, match="use_reentrant=True"),
    ):
        GradCAM(model, "first")(x, 1)
