"""Heads and tops of the networks that readers bring: found, or refused before anything changes."""

from __future__ import annotations

import copy
import warnings
from collections import OrderedDict
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint

from cnnref.nn.transfer import (
    accuracy,
    fine_tune,
    freeze,
    head_of,
    parameter_groups,
    replace_head,
    unfreeze,
    unfreeze_top,
)

SETTINGS = dict(
    head_epochs=2, top_epochs=2, top=1, head_rate=0.05, base_rate=0.01, batch_size=5, progress=False
)


def conv(before, after):
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(before, after, 3, padding=1),
                                     norm=nn.BatchNorm2d(after)))  # fmt: skip


class Network(nn.Module):
    """Blocks from 3 to 8 channels that share an in-place ReLU, and a head, as in a ResNet."""

    def __init__(self, head=None):
        super().__init__()
        self.stem, self.relu = conv(3, 4), nn.ReLU(inplace=True)
        self.layer1, self.layer2 = conv(4, 6), conv(6, 8)
        self.fc = head or nn.Linear(8, 3)

    def maps(self, x):
        return self.relu(self.layer2(self.relu(self.layer1(self.relu(self.stem(x))))))

    def forward(self, x):
        return self.fc(self.maps(x).mean((2, 3)))


class VGG(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(True), nn.MaxPool2d(2), nn.Conv2d(4, 5, 1), nn.ReLU(True)
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(5, 6), nn.ReLU(True), nn.Dropout(0.5), nn.Linear(6, 6), nn.ReLU(True),
            nn.Dropout(0.5), nn.Linear(6, 3),
        )  # fmt: skip

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class Auxiliary(Network):
    """An auxiliary head, registered last and used in training only, as in GoogLeNet."""

    def __init__(self):
        super().__init__()
        self.aux = nn.Linear(6, 3)

    def forward(self, x):
        middle = self.relu(self.layer1(self.relu(self.stem(x))))
        out = self.fc(self.relu(self.layer2(middle)).mean((2, 3)))
        return (out, self.aux(middle.mean((2, 3)))) if self.training else out


class HeadFirst(Network):
    def __init__(self):
        nn.Module.__init__(self)
        self.fc = nn.Linear(8, 3)
        head = self.fc
        Network.__init__(self, head)
        # Registered before everything else.
        modules = dict(self._modules)
        self._modules = {"fc": modules.pop("fc"), **modules}


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_proj = nn.Conv2d(3, 8, 4, 4)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 8))
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True),
            2,
            enable_nested_tensor=False,
        )
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(8, 3)))

    def forward(self, x):
        n, c = len(x), x.shape[1]
        torch._assert(c == 3, "three channels")
        tokens = self.conv_proj(x).reshape(n, 8, -1).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(n, -1, -1), tokens], 1)
        return self.heads(self.encoder(tokens)[:, 0])


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.middle = conv(3, 4), conv(4, 6)
        self.up = nn.ConvTranspose2d(6, 4, 2, 2)
        self.last, self.outc = conv(8, 4), nn.Conv2d(4, 3, 1)

    def forward(self, x):
        first = self.down(x)
        up = self.up(self.middle(functional.max_pool2d(first, 2)))
        out = self.outc(self.last(torch.cat([first, up], 1)))
        return functional.interpolate(out, size=x.shape[-2:])


class TCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(
            *[parametrizations.weight_norm(nn.Conv1d(n, 6, 3, padding=1)) for n in (3, 6)]
        )
        self.linear = nn.Linear(6, 3)

    def forward(self, x):
        return self.linear(self.network(x.flatten(2)).mean(2))


class DenseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(conv0=nn.Conv2d(3, 4, 3), block=conv(4, 6), norm5=nn.BatchNorm2d(6))
        )
        self.classifier = nn.Linear(6, 3)

    def forward(self, x):
        out = functional.relu(self.features(x), inplace=True)
        return self.classifier(torch.flatten(functional.adaptive_avg_pool2d(out, (1, 1)), 1))


class MobileNet(DenseNet):
    def __init__(self):
        super().__init__()
        self.classifier = nn.Sequential(
            nn.Linear(6, 7), nn.Hardswish(inplace=True), nn.Dropout(0.2, inplace=True),
            nn.Linear(7, 3),
        )  # fmt: skip


class ConvNeXt(DenseNet):
    def __init__(self):
        super().__init__()
        self.classifier = nn.Sequential(nn.LayerNorm(6), nn.Flatten(1), nn.Linear(6, 3))


class Backbone(nn.Module):
    """A network around another one, as in many projects."""

    def __init__(self):
        super().__init__()
        self.backbone, self.head = Network(nn.Identity()), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.backbone(x))


class Checkpointed(Network):
    def forward(self, x):
        return self.fc(checkpoint(self.maps, x, use_reentrant=False).mean((2, 3)))


NETWORKS = [
    # The network, its head, and its parts before that.
    (Network, "fc", ["stem", "layer1", "layer2"]),
    (VGG, "classifier.6", ["features.0", "features.3", "classifier.0", "classifier.3"]),
    (Auxiliary, "fc", ["stem", "layer1", "layer2"]),
    (HeadFirst, "fc", ["stem", "layer1", "layer2"]),
    (ViT, "heads.head", ["conv_proj", "encoder"]),
    (UNet, "outc", ["down", "middle", "up", "last"]),
    (TCN, "linear", ["network.0", "network.1"]),
    (DenseNet, "classifier", ["features.conv0", "features.block", "features.norm5"]),
    (MobileNet, "classifier.3",
     ["features.conv0", "features.block", "features.norm5", "classifier.0"]),
    (ConvNeXt, "classifier.2",
     ["features.conv0", "features.block", "features.norm5", "classifier.0"]),
    (Backbone, "head", ["backbone.stem", "backbone.layer1", "backbone.layer2"]),
    (Checkpointed, "fc", ["stem", "layer1", "layer2"]),
]  # fmt: skip
NETWORKS = [pytest.param(*case, id=case[0].__name__) for case in NETWORKS]


def made(kind):
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        model = kind()
        model.train()
        model(2 + torch.randn(8, 3, 8, 8))
    return model.eval()


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(12) % 3
    return torch.randn(12, 3, 8, 8, generator=generator) + labels[:, None, None, None], labels


def labels_for(model, labels):
    """A map of classes for the network that outputs maps."""
    return labels[:, None, None].expand(-1, 8, 8) if isinstance(model, UNet) else labels


def snapshot(model):
    """Everything that a refused call must leave alone."""
    return (
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        [(name, type(module), module.training, len(module._forward_hooks),
          len(module._forward_pre_hooks)) for name, module in model.named_modules()],
        [(parameter.requires_grad, parameter.grad) for parameter in model.parameters()],
        torch.get_rng_state(),
    )  # fmt: skip


def assert_same(before, after):
    for one, two in zip(before[0].items(), after[0].items(), strict=True):
        assert one[0] == two[0]
        assert torch.equal(one[1], two[1])
    assert before[1:3] == after[1:3]
    assert torch.equal(before[3], after[3])


def moved_parts(before, model):
    after = model.state_dict()
    return {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}


# --- Networks whose head can be told


@pytest.mark.parametrize(("kind", "head", "parts"), NETWORKS)
def test_the_head_is_found_and_nothing_else_changes(kind, head, parts):
    model = made(kind)
    before = snapshot(model)
    assert head_of(model) is model.get_submodule(head)
    assert head_of(model, head=head) is model.get_submodule(head)
    assert head_of(model, head=lambda name, _: name == head) is model.get_submodule(head)
    assert_same(before, snapshot(model))


@pytest.mark.parametrize(("kind", "head", "parts"), NETWORKS)
def test_the_new_head_takes_the_place_of_the_old(kind, head, parts, data):
    model = made(kind)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    new = replace_head(model, 5)
    assert model.get_submodule(head) is new
    assert model(data[0]).shape[1] == 5
    for name, tensor in model.state_dict().items():
        assert name.startswith(head + ".") or torch.equal(tensor, before[name])


@pytest.mark.parametrize(("kind", "head", "parts"), NETWORKS)
def test_only_the_head_has_its_rate(kind, head, parts):
    model = made(kind)
    groups = {group["name"]: group for group in parameter_groups(model, 0.5, 0.25)}
    inside = set(model.get_submodule(head).parameters())
    assert set(groups["head"]["params"]) == inside
    assert set(groups["base"]["params"]) == set(model.parameters()) - inside


@pytest.mark.parametrize(("kind", "head", "parts"), NETWORKS)
def test_a_count_opens_the_last_parts_before_the_head(kind, head, parts):
    for count in range(len(parts) + 1):
        model = freeze(made(kind))
        opened = unfreeze_top(model, count)
        expected = [model.get_submodule(name) for name in parts[len(parts) - count :]]
        assert opened == expected
        trains = {parameter for parameter in model.parameters() if parameter.requires_grad}
        assert trains == {parameter for part in expected for parameter in part.parameters()}
    with pytest.raises(ValueError, match=rf"`top` \({len(parts) + 1}\) must be at most"):
        unfreeze_top(model, len(parts) + 1)


def by_hand(model, head, part, data, order, *, base=True):
    """Train as `fine_tune` says it does, with the model whole and layers named by hand."""
    model.eval().requires_grad_(False)
    images, labels = data
    trained = [model.get_submodule(head)]
    rates = [0.05]
    for phase in range(2):
        if phase == 1:
            trained.append(model.get_submodule(part))
            rates.append(0.01)
        for one in trained:
            one.requires_grad_(True)
        optimizer = torch.optim.Adam(
            [{"params": list(one.parameters()), "lr": r} for one, r in zip(trained, rates)]  # noqa: B905
        )
        for _ in range(2):
            for rows in torch.randperm(len(images), generator=order).split(5):
                optimizer.zero_grad()
                functional.cross_entropy(model(images[rows]), labels[rows]).backward()
                optimizer.step()


@pytest.mark.parametrize(("kind", "head", "parts"), NETWORKS)
def test_fine_tune_equals_a_loop_by_hand(kind, head, parts, data):
    model = made(kind)
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    data = data[0], labels_for(model, data[1])
    twin, start = copy.deepcopy(model), copy.deepcopy(model.state_dict())
    history = fine_tune(model, data, data, **SETTINGS)
    by_hand(twin, head, parts[-1], data, torch.Generator().manual_seed(0))
    assert (history.head, history.top) == ((head,), (parts[-1],))
    for name, tensor in twin.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)
        opened = name.startswith((head + ".", parts[-1] + "."))
        if not opened or "running" in name:
            assert torch.equal(tensor, start[name])
    assert history.epochs[-1].validation_accuracy == pytest.approx(accuracy(model, *data))


@pytest.mark.parametrize("top", ["layer1", ["layer2", "layer1"], lambda name, _: name == "layer1"])
def test_fine_tune_opens_the_layers_that_are_named(top, data):
    model = made(Network)
    before = copy.deepcopy(model.state_dict())
    fine_tune(model, data, data, **{**SETTINGS, "top": top})
    moved = {
        n.split(".")[0] for n, t in model.state_dict().items() if not torch.equal(t, before[n])
    }
    assert moved == ({"fc", "layer1"} | ({"layer2"} if isinstance(top, list) else set()))


def test_unfreeze_takes_layers_and_counts():
    model = freeze(made(Network))
    assert unfreeze(model, 1) is model
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.requires_grad} == {"layer2"}
    unfreeze(model, [model.stem, "fc"], statistics=False)
    opened = {n.split(".")[0] for n, p in model.named_parameters() if p.requires_grad}
    assert opened == {"layer2", "stem", "fc"}
    model.train()
    assert model.layer2.norm.training
    assert not model.stem.norm.training
    with pytest.raises(ValueError, match="`layers` \\(9\\) must be at most 3"):
        unfreeze(model, 9)
    with pytest.raises(ValueError, match="`layers` \\('nope'\\)"):
        unfreeze(model, "nope")


# --- Networks whose head must be named


class CosineHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 8))

    def forward(self, x):
        return functional.linear(functional.normalize(x), functional.normalize(self.weight))


class CosineLinear(nn.Linear):
    def forward(self, x):
        return functional.linear(functional.normalize(x), functional.normalize(self.weight))


class TwoHeads(Network):
    def __init__(self):
        super().__init__()
        self.kind, self.colour = nn.Linear(8, 3), nn.Linear(8, 4)

    def forward(self, x):
        features = self.maps(x).mean((2, 3))
        return self.kind(features), self.colour(features)


class SumOfHeads(TwoHeads):
    def forward(self, x):
        features = self.maps(x).mean((2, 3))
        return self.kind(features) + self.fc(features)


class Dictionary(Network):
    def forward(self, x):
        maps = self.maps(x)
        return {"out": self.fc(maps.mean((2, 3))), "features": maps}


@dataclass
class Output:
    logits: torch.Tensor
    hidden: torch.Tensor


class Dataclass(Network):
    def forward(self, x):
        maps = self.maps(x)
        return Output(self.fc(maps.mean((2, 3))), maps)


class Functional(Network):
    """Uses the weights of a layer without calling it."""

    def forward(self, x):
        return functional.linear(self.maps(x).mean((2, 3)), self.fc.weight)


class Temperature(Network):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.scale * super().forward(x)


class Conditional(Network):
    """Cannot be traced: which way it goes depends on the values."""

    def forward(self, x):
        return self.fc(self.maps(x if x.sum() > 0 else -x).mean((2, 3)))


def tied():
    model = Network(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)))
    model.fc[2].weight = model.fc[0].weight
    return model


NAMED = [
    (lambda: Network(CosineHead()), "fc", "'fc', which is a CosineHead"),
    (lambda: Network(CosineLinear(8, 3)), "fc", "'fc', which is a CosineLinear"),
    (lambda: Network(parametrizations.weight_norm(nn.Linear(8, 3))), "fc", "weight or spectral"),
    (lambda: Network(parametrizations.spectral_norm(nn.Linear(8, 3))), "fc", "weight or spectral"),
    (lambda: Network(weight_norm(nn.Linear(8, 3))), "fc", "weight or spectral norm"),
    (lambda: Network(spectral_norm(nn.Linear(8, 3))), "fc", "weight or spectral norm"),
    (lambda: Network(nn.Sequential(nn.Linear(8, 3), nn.BatchNorm1d(3))), "fc.0", "a BatchNorm1d"),
    (
        TwoHeads,
        "kind",
        "from 2 layers. Candidates: '(kind|colour)', '(kind|colour)'",
    ),
    (SumOfHeads, "kind", "its output comes from 2 layers"),
    (Dictionary, "fc", "its output comes from 2 layers"),
    (Dataclass, "fc", "its output comes from 2 layers"),
    (Functional, "fc", "depends on 'fc.weight' outside the layer"),
    (Temperature, "fc", "depends on 'scale' outside the layer"),
    (Conditional, "fc", "its forward cannot be traced"),
]


@pytest.mark.parametrize(("kind", "head", "words"), NAMED)
def test_a_head_that_cannot_be_told_must_be_named(kind, head, words):
    with torch.random.fork_rng([]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The older norms are deprecated.
        model = kind().eval()
    before = snapshot(model)
    for function in (
        head_of,
        lambda model: replace_head(model, 2),
        lambda model: parameter_groups(model, 0.1, 0.1),
        lambda model: unfreeze_top(model, 1),
        lambda model: unfreeze(model, 1),
    ):
        with pytest.raises(ValueError, match=rf"`head` must be given.*{words}.*`head='"):
            function(model)
        assert_same(before, snapshot(model))
    layer = model.get_submodule(head)
    assert head_of(model, head=head) is layer
    groups = parameter_groups(model, 0.1, 0.1, head=head)
    assert set(groups[0]["params"]) == set(layer.parameters())


@pytest.mark.parametrize(("kind", "head", "words"), NAMED[:6])
def test_a_peculiar_head_is_never_replaced_by_a_plain_one(kind, head, words):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = kind().eval()
    before = snapshot(model)
    with pytest.raises(ValueError, match=r"`head` \('fc'\).*replace it yourself: `model.fc = ...`"):
        replace_head(model, 2, head="fc")
    assert_same(before, snapshot(model))


def test_two_heads_can_be_trained_together(data):
    model = made(TwoHeads)
    assert replace_head(model, 3, head="colour") is model.colour
    before = copy.deepcopy(model.state_dict())

    def loss(output, labels):
        return sum(functional.cross_entropy(one, labels) for one in output)

    history = fine_tune(
        model, data, data, **{**SETTINGS, "top": "layer2"}, head=["kind", "colour"], loss=loss
    )
    moved = {
        n.split(".")[0] for n, t in model.state_dict().items() if not torch.equal(t, before[n])
    }
    assert moved == {"kind", "colour", "layer2"}
    assert history.head == ("kind", "colour")
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss


def test_a_network_that_cannot_be_traced_is_run(data):
    model = made(Conditional)
    history = fine_tune(model, data, data, **SETTINGS)
    assert (history.head, history.top) == (("fc",), ("layer2",))


def test_a_dictionary_is_trained_with_a_loss_that_reads_it(data):
    model = made(Dictionary)
    history = fine_tune(
        model, data, data, **SETTINGS, head="fc",
        loss=lambda output, labels: functional.cross_entropy(output["out"], labels),
    )  # fmt: skip
    assert history.top == ("layer2",)
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss
    with pytest.raises(TypeError, match="`model` outputs a dict"):
        fine_tune(model, data, data, **SETTINGS, head="fc")


def test_tied_weights_are_refused(data):
    model = tied().eval()
    before = snapshot(model)
    eight = data[0], data[1]
    for function in (
        head_of,
        lambda model: replace_head(model, 2),
        lambda model: replace_head(model, 2, head="fc.2"),
        lambda model: parameter_groups(model, 0.1, 0.1),
        lambda model: fine_tune(model, eight, eight, **SETTINGS),
    ):
        with pytest.raises(ValueError, match=r"`head` \('fc.2'\) shares its weights with 'fc.0.we"):
            function(model)
        assert_same(before, snapshot(model))
    # Both together are a head.
    assert len(parameter_groups(model, 0.1, 0.1, head=["fc.0", "fc.2"])[0]["params"]) == 3


def test_what_gets_no_gradient_is_refused_before_the_first_step(data):
    model = made(Auxiliary)
    before = snapshot(model)
    with pytest.raises(ValueError, match=r"`top` \('aux'\) would get no gradient"):
        fine_tune(model, data, data, **{**SETTINGS, "top": "aux"})
    with pytest.raises(ValueError, match=r"`head` \('aux'\) would get no gradient"):
        fine_tune(model, data, data, **{**SETTINGS, "top": "layer2"}, head="aux")
    assert_same(before, snapshot(model))


def test_a_layer_with_two_names_is_replaced_under_both():
    model = Network()
    model.alias = model.fc
    new = replace_head(model, 2)
    assert model.fc is model.alias is new


@pytest.mark.parametrize(
    ("head", "error", "words"),
    [
        ("nope", ValueError, "`head` \\('nope'\\) must be the name of a layer"),
        ("relu", ValueError, "`head` \\('relu'\\) has no parameters"),
        (nn.Linear(2, 2), ValueError, "`head` contains a Linear that is not in"),
        (3, TypeError, "`head` contains 3"),
        (lambda name, _: name in {"stem", "fc"}, ValueError, "`head` picks 'stem', 'fc'"),
    ],
)
def test_a_head_that_is_not_there_is_refused(head, error, words):
    model = Network()
    with pytest.raises(error, match=words):
        replace_head(model, 2, head=head)


def test_a_head_with_hooks_is_not_replaced():
    model = Network()
    model.fc.register_forward_hook(lambda *_: None)
    with pytest.raises(ValueError, match=r"`head` \('fc'\) has hooks"):
        replace_head(model, 2)


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv3d])
def test_heads_of_signals_and_volumes_are_replaced(kind):
    old = kind(4, 6, 3, padding=1)
    model = nn.Sequential(nn.Identity(), old)
    new = replace_head(model, 2)
    assert type(new) is kind
    assert new.weight.shape == (2, *old.weight.shape[1:])
    assert new.padding == old.padding


# --- Wrappers


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, lambda model: torch.compile(model, backend="eager")]
)
def test_a_wrapped_model_is_trained_like_the_model(wrap, data):
    model, inner = made(VGG), made(VGG)
    wrapped = wrap(inner)
    wrapped(data[0])  # It is compiled before the hooks are there.
    assert head_of(wrapped) is inner.classifier[6]
    for one in (model, wrapped):
        replace_head(one, 3, generator=torch.Generator().manual_seed(0))
    histories = [fine_tune(one, data, data, **SETTINGS) for one in (model, wrapped)]
    assert histories[0] == histories[1]
    for name, tensor in model.state_dict().items():
        assert torch.equal(inner.state_dict()[name], tensor)
    assert accuracy(wrapped, *data) == accuracy(model, *data)


def test_a_compiled_model_sees_what_changed(data):
    model = made(Network)
    compiled = torch.compile(model, backend="eager")
    compiled(data[0])
    replace_head(compiled, 5)
    assert torch.equal(compiled(data[0]), model(data[0]))
    freeze(compiled)
    before = copy.deepcopy(model.state_dict())
    for _ in range(2):
        compiled.train()
        compiled(data[0])
    assert not moved_parts(before, model)


def test_a_part_that_is_compiled_by_itself(data):
    model = made(Network)
    model.layer2 = torch.compile(model.layer2, backend="eager")
    with torch.no_grad():  # Compiling warns about the input's gradient, and warnings are errors.
        model(data[0])
    for top in (1, "layer2", "layer2.conv"):
        before = copy.deepcopy(model.state_dict())
        fine_tune(model, data, data, **{**SETTINGS, "top": top})
        assert moved_parts(before, model) == {"fc", "layer2"}
    model.fc = torch.compile(model.fc, backend="eager")
    assert head_of(model) is head_of(model, head="fc") is model.fc._orig_mod
    before = snapshot(model)
    with pytest.raises(ValueError, match=r"`head` \('fc'\) is compiled by itself"):
        replace_head(model, 2)
    assert_same(before, snapshot(model))


def test_scripted_and_exported_models_are_refused(data):
    model = made(Network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated.
        scripted = torch.jit.trace(model, data[0])
    exported = torch.export.export(model, (data[0],)).module()
    for one, words in ((scripted, "is scripted"), (exported, "is exported")):
        for function in (
            head_of,
            lambda model: replace_head(model, 2),
            lambda model: unfreeze_top(model, 1),
            lambda model: parameter_groups(model, 0.1, 0.1),
            lambda model: fine_tune(model, data, data, **SETTINGS),
        ):
            with pytest.raises(TypeError, match=f"`model` {words}; pass the Python module"):
                function(one)
        for function in (freeze, unfreeze):
            with pytest.raises(TypeError, match=f"`module` {words}"):
                function(one)


@pytest.mark.parametrize("function", [head_of, freeze, unfreeze, lambda m: unfreeze_top(m, 1)])
def test_what_is_not_a_module_is_refused(function):
    with pytest.raises(TypeError, match=r"is a list; it must be a torch.nn.Module"):
        function([])


def test_models_that_cannot_train_are_refused(data):
    with torch.inference_mode():
        inference = Network()
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    with torch.device("meta"):
        meta = Network()
    for model, words in (
        (inference, "`model` was made in inference mode"),
        (lazy, "`model` has no values yet in '1.weight'; run it once"),
        (meta, "`model` has no values: 'stem.conv.weight' is on the meta device"),
        (made(Network).half(), "`model` has 'fc.weight' in torch.float16"),
        (made(Network).bfloat16(), "`model` has 'fc.weight' in torch.bfloat16"),
    ):
        images = data[0].to(next(model.parameters()).dtype) if model is not lazy else data[0]
        with pytest.raises(ValueError, match=words):
            fine_tune(model, (images, data[1]), (images, data[1]), **SETTINGS)
    for function in (unfreeze, lambda m: unfreeze_top(m, 1), lambda m: replace_head(m, 2)):
        with pytest.raises(ValueError, match="made in inference mode"):
            function(inference)
    assert not any(parameter.requires_grad for parameter in freeze(inference).parameters())
    assert fine_tune(copy.deepcopy(inference), data, data, **SETTINGS).head == ("fc",)


def test_a_head_on_another_device_needs_no_generator_there():
    model = Network().to("meta")
    new = replace_head(model, 2, generator=torch.Generator().manual_seed(0))
    assert new.weight.device.type == "meta"


# --- Statistics of every kind


def statistics(model):
    return {name: buffer.clone() for name, buffer in model.named_buffers()}


@pytest.mark.parametrize("norm", [spectral_norm, parametrizations.spectral_norm])
def test_spectral_norm_is_frozen_and_follows_what_trains(norm):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(norm(nn.Linear(4, 4)), nn.ReLU(), norm(nn.Linear(4, 2)))
        change_weights(model)
        freeze(model[0])
        before = statistics(model)
        model.train()(torch.randn(5, 4))
        after = statistics(model)
        moved = {name[0] for name in before if not torch.equal(before[name], after[name])}
        assert moved == {"2"}
        unfreeze(model[0], statistics=False)  # Its weight trains, and its norm with it.
        change_weights(model)
        model.train()(torch.randn(5, 4))
        now = statistics(model)
        assert any(not torch.equal(now[name], after[name]) for name in now if name[0] == "0")


def change_weights(model):
    """Power iteration has converged for the old ones."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape))


def test_frozen_batch_norm_refuses_to_be_synchronised():
    model = Network()
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(freeze_later := copy.deepcopy(model))
    assert freeze_later is converted
    assert not freeze(converted).train().stem.norm.training
    freeze(model.stem)
    before = snapshot(model)
    with pytest.raises(ValueError, match="convert it before freezing"):
        nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert_same(before, snapshot(model))
    assert model.stem.norm.num_features == 4
    assert "4, eps=" in repr(model.stem.norm)
    unfreeze(model)
    assert isinstance(nn.SyncBatchNorm.convert_sync_batchnorm(model).stem.norm, nn.SyncBatchNorm)


def test_a_container_with_buffers_follows_train():
    class Normalised(Network):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(3, 1, 1))

    model = freeze(Normalised()).train()
    assert model.training
    assert not model.stem.norm.training


def test_a_fused_layer_keeps_its_statistics():
    fused = torch.ao.nn.intrinsic.qat.ConvBn2d(
        3, 4, 3, qconfig=torch.ao.quantization.get_default_qat_qconfig("fbgemm")
    )
    model = freeze(nn.Sequential(fused)).train()
    before = fused.bn.running_mean.clone()
    model(torch.randn(2, 3, 8, 8))
    assert torch.equal(fused.bn.running_mean, before)
