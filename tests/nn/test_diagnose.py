from __future__ import annotations

import pytest
import torch
from skimage import data
from torch import nn

from cnnref.nn.gradcam import (
    Diagnosis,
    Finding,
    channels_last,
    class_pixels,
    diagnose,
    one_logit,
    scores_at,
)
from cnnref.nn.pretrained import efficientnet_lite0, squeezenet


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Network(nn.Module):
    """Two convolutions, batch norm that has seen images, a mean over space, and a head."""

    def __init__(self, *end, inplace=False, classes=4, dropout=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6, momentum=None)
        self.relu = nn.ReLU(inplace=inplace)
        self.last, self.after = nn.Conv2d(6, 5, 3, stride=2), nn.ReLU(inplace=inplace)
        self.pool, self.drop = nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout)
        self.head, self.end = nn.Linear(5, classes), nn.Sequential(*end)
        with torch.no_grad():
            self(noise(32, 3, 8, 10, seed=2))
        self.eval()

    def maps(self, x):
        return self.after(self.last(self.relu(self.norm(self.first(x)))))

    def forward(self, x):
        return self.end(self.head(self.drop(self.pool(self.maps(x)).flatten(1))))


class Changed(Network):
    """A network with one fault, given as a function of the network and the images."""

    def __init__(self, change, **options):
        self.change = None
        super().__init__(**options)
        self.change = change

    def forward(self, x):
        return super().forward(x) if self.change is None else self.change(self, x)


def detached(model, x):
    return model.head(model.pool(model.maps(x).detach()).flatten(1))


def on_another_branch(model, x):
    model.after(model.first(x))
    return model.head(model.pool(model.last(model.norm(model.first(x)))).flatten(1))


def twice(model, x):
    once = model.after(model.last(model.first(x)))
    return model.head(model.pool(model.after(once - 0.1)).flatten(1))


def channels_last_inside(model, x):
    return model.head(model.drop(model.maps(x).permute(0, 2, 3, 1)).mean((1, 2)))


def dead(model):
    with torch.no_grad():
        model.last.weight.zero_()
        model.last.bias.fill_(-1)
    return model


def against(model):
    with torch.no_grad():
        model.head.weight[1] = -model.head.weight[1].abs()
    return model


def saturated(model):
    with torch.no_grad():
        model.head.bias[1] = -100
    return model


def infinite(model):
    with torch.no_grad():
        model.last.weight.fill_(float("inf"))
    return model


def images():
    return noise(2, 3, 8, 10)


def right():
    """Photographs with channels that differ, as a network's own preprocessing makes them."""
    square = torch.from_numpy(data.astronaut()[:224, :224].copy()).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in ([0.5, 0.45, 0.4], [0.23, 0.22, 0.22]))
    return (square - mean) / std


def raw(to):
    square = torch.from_numpy(data.astronaut()[:224, :224].copy()).permute(2, 0, 1)[None]
    return square.float() / to


FAULTS = {
    "an in-place ReLU": (Network(inplace=True), "last", images(), 1, {}, ["in-place"]),
    "frozen parameters": (Network().requires_grad_(False), "after", images(), 1, {}, ["frozen"]),
    "a softmax": (Network(nn.Softmax(dim=1)), "after", images(), 1, {}, ["probabilities"]),
    "a log-softmax": (
        Network(nn.LogSoftmax(dim=1)), "after", images(), 1, {}, ["log-probabilities"],
    ),
    "one logit": (Network(classes=1), "after", images(), None, {}, ["single logit"]),
    "a dictionary": (
        Changed(lambda model, x: {"out": Network.forward(model, x)}),
        "after", images(), 1, {}, ["output form"],
    ),
    "a dead layer": (dead(Network()), "after", images(), 1, {}, ["dead layer"]),
    "a layer after pooling": (Network(), "pool", images(), 1, {}, ["no space"]),
    "the head itself": (Network(), "head", images(), 1, {}, ["no space"]),
    "a score that is off": (
        saturated(Network(nn.ReLU())), "after", images(), 1, {}, ["no gradient"],
    ),
    "a detached graph": (Changed(detached), "after", images(), 1, {}, ["detached"]),
    "another branch": (Changed(on_another_branch), "after", images(), 1, {}, ["other branch"]),
    "a layer that runs twice": (Changed(twice), "after", images(), 1, {}, ["several calls"]),
    "a layer that does not run": (
        Changed(on_another_branch), "relu", images(), 1, {}, ["did not run"],
    ),
    "train mode": (Network().train(), "after", images(), 1, {}, ["train mode"]),
    "images from 0 to 255": (
        Network(), "after", 50 * (images() + 2), 1, {}, ["range"],
    ),
    "whole numbers from a file": (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(192, 2)).eval(),
        "0", noise(1, 3, 8, 10).mul(50).round().abs(), 0, {}, ["range"],
    ),
    "a wrong range": (Network(), "after", raw(1), 1, {"reference": right()}, ["range"]),
    "no mean subtracted": (
        Network(), "after", raw(255) / 0.23, 1, {"reference": right()}, ["mean"],
    ),
    "channels in the wrong order": (
        Network(), "after", right().flip(1), 1, {"reference": right()}, ["channel order"],
    ),
    "another photograph": (
        Network(), "after", right().flip(3), 1, {"reference": right()}, ["other image"],
    ),
    "images with channels last": (
        Network(), "after", images().permute(0, 2, 3, 1), 1, {}, ["image layout"],
    ),
    "maps with channels last": (
        Changed(channels_last_inside),
        "drop", images(), 1, {}, ["layout"],
    ),
    "all-negative evidence": (against(Network()), "after", images(), 1, {}, ["all negative"]),
    "numbers that are not finite": (
        infinite(Network()), "last", images(), 1, {}, ["not finite"],
    ),
}  # fmt: skip


def state(model):
    return (
        [module.training for module in model.modules()],
        [one.requires_grad for one in model.parameters()],
        [one.grad for one in model.parameters()],
        sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()),
    ), {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_planted_fault_is_named(fault):
    model, layer, x, target, options, kinds = FAULTS[fault]
    before, values = state(model)
    found = diagnose(model, layer, x, target, **options)
    assert list(found.kinds) == kinds, str(found)
    assert state(model)[0] == before
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, values[name], rtol=0, atol=0, equal_nan=True)
    for line, finding in zip(str(found).splitlines(), found.findings, strict=True):
        assert line == f"{finding.kind}: {finding.message}. {finding.remedy}."
        assert finding.layer in {"", layer}


def test_the_remedies_are_right():
    """What a finding says to do makes it go away."""
    x = images()
    remedied = [
        (Network(inplace=True), "after", x, 1, {}),
        (Network(), "after", x, one_of_them, {}),
        (Network(classes=1), "after", x, one_logit(False), {}),
        (FAULTS["a dictionary"][0], "after", x, scores_at("out", 1), {}),
        (Network(), "last", x, 1, {}),
        (Changed(detached), "pool", x, 1, {"to_maps": lambda y: y.expand(-1, -1, 2, 2)}),
        (Changed(twice), "after", x, 1, {"call": 1}),
        (FAULTS["maps with channels last"][0], "drop", x, 1, {"to_maps": channels_last}),
        (Network(), "after", x[:, [2, 1, 0]].flip(1), 1, {"reference": x}),
        (FAULTS["all-negative evidence"][0], "after", x, 2, {}),
    ]
    for model, layer, inputs, target, options in remedied:
        kinds = diagnose(model, layer, inputs, target, **options).kinds
        assert kinds in {(), ("layout",)}, kinds


def one_of_them(output):
    return output[:, 1]


@pytest.mark.parametrize(
    ("builder", "layer"), [(efficientnet_lite0, "features.final"), (squeezenet, "features.fire9")]
)
def test_a_healthy_network_has_no_finding(builder, layer):
    model = builder()
    for photograph in (data.coffee(), data.chelsea()):
        x = model.preprocess(photograph)
        found = diagnose(model, layer, x)
        assert found == Diagnosis(())
        assert diagnose(model, layer, x, reference=x).findings == ()
    assert str(found) == "No reason for a wrong map was found."


def test_a_healthy_segmentation_network_has_no_finding():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1)).eval()
    assert diagnose(model, "1", images(), class_pixels(0)).findings == ()


def test_real_photographs_in_the_wrong_range_are_found_by_batch_norm():
    model = efficientnet_lite0()
    square = model.crop(data.coffee())
    found = diagnose(model, "features.final", square)
    assert "range" in found.kinds
    assert "standard deviations from those of its training" in str(found)
    # From 0 to 1 the network still finds its way; only a comparison shows it.
    assert diagnose(model, "features.final", square / 255).findings == ()
    x = model.preprocess(data.coffee())
    assert diagnose(model, "features.final", square / 255, reference=x).kinds == ("range",)
    assert diagnose(model, "features.final", x.flip(1), reference=x).kinds == ("channel order",)


def test_findings_say_which_image_they_concern():
    """The second image is negative, so the ReLU is off; the weight is negative for the first."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4, 1))
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[3].weight.fill_(-1)
    x = torch.stack([torch.ones(1, 2, 2), -torch.ones(1, 2, 2)])
    found = diagnose(model, "1", x, one_logit()).findings
    assert [one.kind for one in found] == ["dead layer", "all negative"]
    assert "nothing but zeros for image 1:" in found[0].message
    assert "against the target for image 0:" in found[1].message


def test_several_layers_and_two_inputs():
    class Two(Network):
        def forward(self, x, y=None):
            scores = super().forward(x)
            return scores if y is None else scores * y

    model = Two(inplace=True)
    found = diagnose(model, ["last", "pool"], (images(), torch.ones(2, 1)), 1)
    assert [(one.kind, one.layer) for one in found.findings] == [
        ("in-place", "last"),
        ("no space", "pool"),
    ]


def test_bad_arguments_are_errors_not_findings():
    with pytest.raises(ValueError, match="`layers`"):
        diagnose(Network(), "lost", images())
    with pytest.raises(ValueError, match="`target`"):
        diagnose(Network(), "after", images(), 9)
    with pytest.raises(TypeError, match="`images` is a ndarray"):
        diagnose(Network(), "after", images().numpy())
    with pytest.raises(ValueError, match="`reference` has shape"):
        diagnose(Network(), "after", images(), reference=right())


def test_a_compiled_network_is_diagnosed():
    model = Network(inplace=True)
    compiled = torch.compile(model, backend="eager")
    compiled(images())
    assert diagnose(compiled, "last", images(), 1).kinds == ("in-place",)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_a_scripted_layer_is_refused():
    model = nn.Sequential(torch.jit.script(nn.Conv2d(3, 4, 3)), nn.Flatten(), nn.Linear(192, 2))
    with pytest.raises(TypeError, match="'0' is a scripted layer"):
        diagnose(model.eval(), "0", images())


def test_a_finding_reads_as_two_sentences():
    finding = Finding("range", "It is too wide", "Scale it")
    assert str(finding) == "range: It is too wide. Scale it."
