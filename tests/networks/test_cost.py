"""Costs: by hand, as published, and equal to what torch's modules hold and do."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnref.networks import alexnet, lenet5, resnet50, vgg16
from cnnref.networks.cost import cost
from cnnref.networks.layers import (
    Activation,
    BatchNorm,
    Branches,
    Conv,
    ConvTranspose,
    Flatten,
    GlobalAvgPool,
    Linear,
    Pool,
    Upsample,
    residual,
)
from tests.helpers.torch_layers import as_torch, count

IMAGENET = (3, 224, 224)


def test_by_hand():
    net = cost(
        [
            Conv(6, (3, 2), (2, 1), (1, 0), groups=2),  # (4, 5, 4) -> (6, 3, 3)
            BatchNorm(),
            Activation(),
            Pool((2, 3), 1, mode="avg"),  # -> (6, 2, 1)
            GlobalAvgPool(),
            Flatten(),
            Linear(5),
        ],
        (4, 5, 4),
    )
    rows = [
        (layer.output_shape, layer.parameters, layer.macs, layer.other_ops, layer.activation_bytes)
        for layer in net.layers
    ]
    assert rows == [
        # 6 filters of 2·3·2 and a bias; 54 cells of 12 products; 54 cells of 4 bytes
        ((6, 3, 3), 78, 648, 54, 216),
        ((6, 3, 3), 12, 0, 108, 216),
        ((6, 3, 3), 0, 0, 54, 216),
        ((6, 2, 1), 0, 0, 72, 48),
        ((6, 1, 1), 0, 0, 12, 24),
        ((6,), 0, 0, 0, 0),
        ((5,), 35, 30, 5, 20),
    ]
    assert (net.parameters, net.macs, net.flops, net.other_ops) == (125, 678, 1356, 305)
    assert net.activation_bytes == 740
    assert net.output_shape == (5,)
    assert cost([Linear(5)], (6,), bytes_per_number=2).activation_bytes == 10


def test_a_block_holds_its_parts():
    block = residual([Conv(4, 3, padding=1, name="main")], [Conv(4, 1, bias=False, name="short")])
    (layer,) = cost([block], (2, 3, 3)).layers
    assert [part.name for part in layer.parts] == ["main", "short"]
    assert (layer.parameters, layer.macs) == (4 * 19 + 4 * 2, 36 * 18 + 36 * 2)
    assert layer.other_ops == 36 + 36  # the bias, and the sum
    assert layer.activation_bytes == 3 * 36 * 4  # both ends, and their sum
    nested = cost([Branches([[block], []])], (4, 3, 3))
    assert [leaf.name for leaf in nested.leaves] == ["main", "short"]


@pytest.mark.parametrize(
    ("layers", "shape", "parameters", "macs"),
    [
        (vgg16(), IMAGENET, 138_357_544, 15_470_264_320),
        (resnet50("v1"), IMAGENET, 25_557_032, 3_857_973_248),
        (resnet50("v1.5"), IMAGENET, 25_557_032, 4_089_184_256),
        (alexnet(), IMAGENET, 61_100_840, 714_188_480),
        (alexnet("two towers"), IMAGENET, 60_965_224, 724_406_816),
        (lenet5(), (1, 32, 32), 61_706, 416_520),
    ],
    ids=["vgg16", "resnet50 v1", "resnet50 v1.5", "alexnet", "two towers", "lenet5"],
)
def test_networks_as_published_and_as_torch_runs_them(layers, shape, parameters, macs):
    net = cost(layers, shape)
    assert (net.parameters, net.macs) == (parameters, macs)
    counted = count(as_torch(layers), shape)
    assert counted.parameters == net.parameters
    assert counted.macs == net.macs
    assert counted.shapes == [layer.output_shape for layer in net.layers]
    assert counted.activations * 4 == net.activation_bytes


def torch_vgg16():
    modules, channels = [], 3
    plan = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]
    for width in plan:
        if width == "M":
            modules.append(nn.MaxPool2d(2, 2))
        else:
            modules += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(
        *modules, nn.Flatten(), nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Linear(4096, 4096),
        nn.ReLU(), nn.Linear(4096, 1000),
    )  # fmt: skip


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride, strides):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, width, 1, strides[0], bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, strides[1], 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width),
        )  # fmt: skip
        self.shortcut = nn.Identity()
        if channels != 4 * width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x):
        return torch.relu(self.main(x) + self.shortcut(x))


def torch_resnet50(version):
    blocks, channels = [], 64
    for width, count_, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for place in range(count_):
            step = stride if place == 0 else 1
            strides = (step, 1) if version == "v1" else (1, step)
            blocks.append(Bottleneck(channels, width, step, strides))
            channels = 4 * width
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(2048, 1000),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("build", "layers"),
    [
        (torch_vgg16, vgg16()),
        (lambda: torch_resnet50("v1"), resnet50("v1")),
        (lambda: torch_resnet50("v1.5"), resnet50("v1.5")),
    ],
    ids=["vgg16", "resnet50 v1", "resnet50 v1.5"],
)
def test_networks_written_out_in_torch_and_counted_by_torch(build, layers):
    with torch.device("meta"):
        model = build().eval()
        with FlopCounterMode(display=False) as counter:
            output = model(torch.zeros(1, *IMAGENET))
    net = cost(layers, IMAGENET)
    assert sum(parameter.numel() for parameter in model.parameters()) == net.parameters
    assert counter.get_total_flops() == net.flops
    assert tuple(output.shape[1:]) == net.output_shape


# tensorflow.profiler's count in billions, RECEPTIVE_FIELD_TABLE.md in
# google-research/receptive_field: 2 a MAC, 1 a bias, 1 a cell of a pooling window, no ReLU, and
# nothing after the last pooling.
PROFILED = {
    224: {
        "conv1_1": 0.177, "pool1": 3.882, "conv2_1": 5.734, "pool2": 9.436, "conv3_1": 11.287,
        "conv3_2": 14.987, "pool3": 18.688, "conv4_1": 20.538, "conv4_2": 24.238, "pool4": 27.938,
        "conv5_1": 28.863, "conv5_2": 29.788, "pool5": 30.713,
    },
    321: {
        "conv1_1": 0.363, "pool1": 7.973, "conv2_1": 11.751, "pool2": 19.307, "conv3_1": 23.084,
        "conv3_2": 30.635, "pool3": 38.188, "conv4_1": 41.964, "conv4_2": 49.514, "pool4": 57.066,
        "conv5_1": 58.954, "conv5_2": 60.841, "pool5": 62.729,
    },
}  # fmt: skip


@pytest.mark.parametrize("size", [224, 321])
def test_the_published_flops_of_vgg16_count_no_fully_connected_layer(size):
    convolutions = [layer for layer in vgg16() if isinstance(layer, (Conv, Pool, Activation))]
    total, found = 0, {}
    for layer in cost(convolutions, (3, size, size)).layers:
        if not isinstance(layer.layer, Activation):
            total += layer.flops + layer.other_ops
            found[layer.name] = round(total / 1e9, 3)
    assert {name: found[name] for name in PROFILED[size]} == PROFILED[size]


@st.composite
def stacks(draw):
    layers, channels = [], 4
    for _ in range(draw(st.integers(1, 4))):
        match draw(st.sampled_from(["conv", "pool", "norm", "act", "inception", "residual"])):
            case "conv":
                kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 2)))
                groups, bias = draw(st.sampled_from([1, 2, 4])), draw(st.booleans())
                channels = draw(st.sampled_from([4, 8]))
                layers.append(Conv(channels, kernel, (2, 1), (1, 0), groups=groups, bias=bias))
            case "pool":
                mode = draw(st.sampled_from(["max", "avg"]))
                layers.append(Pool(2, 1, 1, mode=mode, ceil_mode=draw(st.booleans())))
            case "norm":
                layers.append(BatchNorm())
            case "act":
                layers.append(Activation())
            case "inception":
                layers.append(
                    Branches([[Conv(2, 1)], [Conv(2, 3, padding=1)], [Pool(3, 1, 1)], []])
                )
                channels = 4 + 2 * channels
            case "residual":
                layers.append(residual([Conv(channels, 3, padding=1, bias=False), BatchNorm()]))
    return [*layers, GlobalAvgPool(), Flatten(), Linear(3, bias=draw(st.booleans()))]


@settings(max_examples=60, deadline=None)
@given(stacks())
def test_equals_torch(layers):
    shape = (4, 24, 9)
    net, counted = cost(layers, shape), count(as_torch(layers), shape)
    assert counted.parameters == net.parameters
    assert counted.macs == net.macs
    assert counted.shapes == [layer.output_shape for layer in net.layers]
    assert counted.activations * 4 == net.activation_bytes


def test_tables():
    net = cost([Conv(2, 3, name="a"), Activation(), Flatten()], (1, 4, 5))
    assert str(net).splitlines()[1].split() == ["a", "2×2×3", "20", "108", "12", "48"]
    lines = net.to_markdown(only_weights=True).splitlines()
    assert lines == [
        "| layer | output | parameters | MACs | other ops | bytes |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| a | 2×2×3 | 20 | 108 | 12 | 48 |",
        "| **total** |  | **20** | **108** | **24** | **96** |",
    ]
    assert len(net.to_markdown().splitlines()) == 6
    assert net._repr_markdown_() == net.to_markdown()


def test_errors():
    with pytest.raises(ValueError, match=r"layer 0 \(linear\): linear needs an input of shape"):
        cost([Linear(5)], (3, 4, 4))
    with pytest.raises(ValueError, match=r"`bytes_per_number` \(0\) must be at least 1"):
        cost([], (3, 4, 4), bytes_per_number=0)
    with pytest.raises(ValueError, match="`version`"):
        resnet50("v2")
    with pytest.raises(ValueError, match="`version`"):
        alexnet("paper")
    assert cost([], (3, 4, 4)).output_shape == (3, 4, 4)


def kept_by_autograd(layers, shape):
    """Return the bytes that autograd saves in a forward pass of one image, without parameters."""
    net = as_torch(layers)
    with torch.no_grad():
        net(torch.zeros(2, *shape))  # finds the numbers of input channels
    net = net.to("meta").train()
    fixed = {t.untyped_storage()._cdata for t in (*net.parameters(), *net.buffers())}
    saved = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in fixed:
            saved[storage._cdata] = storage  # kept alive, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = net(torch.zeros(1, *shape, device="meta"))
    assert output.requires_grad
    return sum(storage.nbytes() for storage in saved.values())


def squeeze_and_excitation(channels):
    gate = [
        GlobalAvgPool(),
        Conv(channels // 2, 1),
        Activation(),
        Conv(channels, 1),
        Activation("tanh"),
    ]
    return Branches([gate, []], "product")


SAVED = {
    "LeNet-5": (lenet5(), (1, 32, 32)),
    "AlexNet": (alexnet(), IMAGENET),
    "ResNet-50": (resnet50(), (3, 96, 96)),
    "U-Net": (
        [
            Conv(4, 3, padding=1),
            Activation(),
            Branches(
                [
                    [],
                    [Pool(2), Conv(8, 3, padding=1), BatchNorm(), Activation(),
                     ConvTranspose(4, 2, stride=2)],
                ]
            ),
            Pool(3, 1, 1, mode="avg"),
            Upsample(2, "bilinear"),
            Conv(2, 1),
        ],
        (3, 12, 8),
    ),
    "gates": ([Conv(6, 3), squeeze_and_excitation(6), Conv(2, 3)], (3, 9, 8)),
    "two readers of one tensor": (
        [Conv(4, 1), Branches([[Conv(2, 1)], [Conv(2, 3, padding=1)], [Activation()]])],
        (3, 5, 6),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAVED)
def test_saved_bytes_are_those_that_autograd_keeps(name):
    layers, shape = SAVED[name]
    assert cost(layers, shape).saved_bytes == kept_by_autograd(layers, shape)


def test_saved_bytes_by_hand():
    layers = [Conv(2, 3), Activation(), Pool(2), Flatten(), Linear(3), Activation("gelu")]
    net = cost(layers, (1, 6, 6))
    # The image, the ReLU's output, four maxima of two channels and their places, the logits.
    assert net.saved_bytes == 4 * 36 + 4 * 2 * 16 + (4 + 8) * 2 * 4 + 4 * 3
    assert cost(layers, (1, 6, 6), bytes_per_number=2).saved_bytes == net.saved_bytes / 2 + 4 * 8


def test_saved_bytes_of_vgg16():
    assert cost(vgg16(), IMAGENET).saved_bytes == 73_189_376


def test_upsampling_and_products():
    net = cost(
        [Upsample(2), Upsample(2, "bilinear"), Branches([[], [Activation()], []], "product")],
        (3, 2, 1),
    )
    # Copies; four numbers in each of 3·8·4 cells; one activation and two products in each.
    assert [layer.other_ops for layer in net.layers] == [0, 4 * 96, 96 + 2 * 96]
    assert (net.macs, net.parameters, net.output_shape) == (0, 0, (3, 8, 4))
