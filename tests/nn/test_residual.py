from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cnnref
from cnnref.networks import resnet50
from cnnref.nn.residual import (
    BasicBlock,
    Bottleneck,
    IdentityShortcut,
    PlainBlock,
    ResidualNet,
)
from tests.helpers.models import count_parameters
from tests.helpers.torch_layers import count

ROW = [2.0, -1.0, 3.0, 0.0, -2.0]


def neutral(block):
    """Make batch norm the identity: in eval mode and without its epsilon."""
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
    return block.eval()


def on_a_row(block):
    """Set the two filters to (-1, 1, 0) and (1, 1, 0) along the row."""
    first, second = (m for m in block.body if isinstance(m, nn.Conv2d))
    for convolution, taps in ((first, (-1, 1, 0)), (second, (1, 1, 0))):
        nn.init.zeros_(convolution.weight)
        convolution.weight.data[0, 0, 1] = torch.tensor(taps, dtype=torch.float32)
    return neutral(block)


def through(block, row):
    with torch.no_grad():
        return block(torch.tensor(row).reshape(1, 1, 1, -1)).flatten().tolist()


@pytest.mark.parametrize(
    ("block", "by_hand"),
    [
        # differences (2, -3, 4, -3, -2), ReLU (2, 0, 4, 0, 0), sums of pairs (2, 2, 4, 4, 0)
        (PlainBlock(1, 1), [2, 2, 4, 4, 0]),
        # plus the row: (4, 1, 7, 4, -2), and a ReLU
        (BasicBlock(1, 1), [4, 1, 7, 4, 0]),
        # ReLU of the row (2, 0, 3, 0, 0), differences (2, -2, 3, -3, 0), ReLU, sums of pairs
        # (2, 2, 3, 3, 0), plus the row
        (BasicBlock(1, 1, order="pre"), [4, 1, 6, 3, -2]),
        (PlainBlock(1, 1, order="pre"), [2, 2, 3, 3, 0]),
    ],
)
def test_a_block_by_hand(block, by_hand):
    assert through(on_a_row(block), ROW) == by_hand


def test_equal_to_the_definition_in_numpy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 6, 5))
    first, second = rng.normal(size=(4, 3, 3, 3)), rng.normal(size=(4, 4, 3, 3))
    project = rng.normal(size=(4, 3, 1, 1))
    body = cnnref.conv2d(
        cnnref.relu(cnnref.conv2d(x, first, stride=2, padding=1)), second, padding=1
    )
    by_hand = cnnref.relu(body + cnnref.conv2d(x, project, stride=2))

    block = BasicBlock(3, 4, stride=2, shortcut="projection").double()
    convolutions = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    for convolution, weight in zip(convolutions, (first, second, project), strict=True):
        convolution.weight.data = torch.from_numpy(weight)
    with torch.no_grad():
        output = neutral(block)(torch.from_numpy(x[None]))
    np.testing.assert_allclose(output[0].numpy(), by_hand, rtol=1e-12)


@pytest.mark.parametrize("make", [BasicBlock, Bottleneck])
@pytest.mark.parametrize("training", [True, False])
def test_zero_weights_are_an_identity(make, training):
    torch.manual_seed(0)
    x = torch.randn(2, 8, 5, 6)
    channels = 8 if make is BasicBlock else 2
    post = make(8, channels, order="post", zero_init_last=True).train(training)
    pre = make(8, channels, order="pre", zero_init_last=True).train(training)
    assert torch.equal(post(x), torch.relu(x))
    assert not torch.equal(post(x), x)
    assert torch.equal(post(x.abs()), x.abs())
    assert torch.equal(pre(x), x)
    for parameter in pre.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(pre(x), x)


@pytest.mark.parametrize("make", [BasicBlock, Bottleneck])
def test_zero_init_leaves_the_projection_alone(make):
    block = make(4, 4, shortcut="projection", zero_init_last=True)
    last, project = block.body[-1], block.shortcut[0]
    assert not last.weight.any()
    assert project.weight.all()
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), torch.relu(block.shortcut(x)))


def test_a_projection_in_pre_activation_reads_what_the_layers_read():
    block = BasicBlock(2, 3, order="pre", shortcut="projection", zero_init_last=True).eval()
    x = torch.randn(1, 2, 4, 4)
    assert len(block.shortcut) == 1  # no batch norm between the projection and the sum
    assert torch.equal(block(x), block.shortcut(block.before(x)))


def test_the_identity_shortcut_steps_and_pads_with_zeros():
    x = torch.arange(30.0).reshape(1, 2, 3, 5)
    shortcut = IdentityShortcut(2, 5, stride=2)
    assert not list(shortcut.parameters())
    output = shortcut(x)
    assert output.shape == (1, 5, 2, 3)
    assert output[0, :2].tolist() == [
        [[0, 2, 4], [10, 12, 14]],
        [[15, 17, 19], [25, 27, 29]],
    ]
    assert not output[0, 2:].any()


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("shortcut", ["identity", "projection"])
@pytest.mark.parametrize("stride_in", ["first", "middle"])
def test_shapes_with_a_stride(size, order, shortcut, stride_in):
    options = dict(stride=2, order=order, shortcut=shortcut)
    x = torch.randn(2, 8, size, size + 3)
    expected = (2, 16, (size + 1) // 2, (size + 4) // 2)
    assert BasicBlock(8, 16, **options)(x).shape == expected
    assert Bottleneck(8, 4, stride_in=stride_in, **options)(x).shape == expected
    assert PlainBlock(8, 16, stride=2, order=order)(x).shape == expected


def test_parameters_by_hand():
    # Two 3×3 convolutions and two batch norms of 16 channels; a projection to 32 channels.
    assert count_parameters(BasicBlock(16, 16)) == 2 * 16 * 16 * 9 + 4 * 16 == 4672
    assert count_parameters(PlainBlock(16, 16)) == 4672
    identity = count_parameters(BasicBlock(16, 32, stride=2))
    projection = count_parameters(BasicBlock(16, 32, stride=2, shortcut="projection"))
    assert identity == 32 * 16 * 9 + 32 * 32 * 9 + 4 * 32 == 13952
    assert projection - identity == 32 * 16 + 2 * 32 == 576
    weights = 256 * 64 + 64 * 64 * 9 + 64 * 256
    assert count_parameters(Bottleneck(256, 64)) == weights + 2 * (64 + 64 + 256) == 70400


class ResNet50(nn.Sequential):
    """ResNet-50 of our own bottlenecks, to be compared with the list of layers."""

    def __init__(self, stride_in):
        blocks, channels = [], 64
        for stage, (width, depth) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
            for place in range(depth):
                blocks.append(
                    Bottleneck(
                        channels, width, stride=2 if place == 0 and stage else 1,
                        shortcut="identity" if place else "projection", stride_in=stride_in,
                    )
                )  # fmt: skip
                channels = 4 * width
        super().__init__(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(channels, 1000),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("stride_in", "version", "macs"),
    [("first", "v1", 3_857_973_248), ("middle", "v1.5", 4_089_184_256)],
)
def test_bottlenecks_make_resnet50(stride_in, version, macs):
    counted = count(ResNet50(stride_in), (3, 224, 224))
    listed = cnnref.cost(resnet50(version), (3, 224, 224))
    assert counted.parameters == listed.parameters == 25_557_032
    assert counted.macs == listed.macs == macs


@pytest.mark.parametrize(
    ("n", "layers", "published"), [(3, 20, 0.27), (5, 32, 0.46), (9, 56, 0.85), (18, 110, 1.7)]
)
def test_the_small_nets_have_the_papers_sizes(n, layers, published):
    # He et al., arXiv:1512.03385, Table 6, in millions.
    net = ResidualNet((n, n, n))
    assert net.weighted_layers == layers
    weighted = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(weighted) == layers
    assert count_parameters(net) / 1e6 == pytest.approx(published, rel=0.03)


@pytest.mark.parametrize("order", ["post", "pre"])
def test_plain_and_residual_nets_have_the_same_layers(order):
    torch.manual_seed(0)
    nets = [
        ResidualNet((2, 1), widths=(4, 8), residual=residual, order=order)
        for residual in (True, False)
    ]
    shapes = [[tuple(parameter.shape) for parameter in net.parameters()] for net in nets]
    assert shapes[0] == shapes[1]
    residual, plain = nets
    plain.load_state_dict(residual.state_dict())
    x = torch.randn(2, 3, 9, 9)
    assert residual(x).shape == plain(x).shape == (2, 10)
    assert not torch.allclose(residual(x), plain(x))


@pytest.mark.parametrize(
    ("order", "stem", "last"),
    [
        ("post", ["Conv2d", "BatchNorm2d", "ReLU"], []),
        ("pre", ["Conv2d"], ["BatchNorm2d", "ReLU"]),
    ],
)
def test_what_comes_before_the_blocks_and_after_them(order, stem, last):
    net = ResidualNet((1, 1), widths=(4, 8), order=order)
    assert [type(module).__name__ for module in net.stem] == stem
    assert [type(module).__name__ for module in net.last] == last


def test_options_reach_the_blocks():
    net = ResidualNet(
        (2, 2), widths=(4, 8), in_channels=1, num_classes=3, order="pre", shortcut="projection",
        zero_init_last=True,
    )  # fmt: skip
    blocks = [m for m in net.modules() if isinstance(m, BasicBlock)]
    assert [block.projects for block in blocks] == [False, False, True, False]
    assert all(not block.body[-1].weight.any() for block in blocks)
    assert net(torch.zeros(2, 1, 8, 8)).shape == (2, 3)
    # With blocks of zeros the net is its stem, the projection and its head.
    x = torch.randn(2, 1, 8, 8)
    net.eval()
    project = blocks[2]
    maps = net.last(project.shortcut(project.before(net.stem(x))))
    torch.testing.assert_close(net(x), net.fc(maps.mean(dim=(2, 3))))


def test_weights_start_as_he_draws_them():
    torch.manual_seed(0)
    weight = PlainBlock(64, 64).body[0].weight
    assert weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)


def test_the_gradient_through_the_skip():
    x = torch.randn(1, 4, 6, 6, requires_grad=True)
    grad = torch.randn(1, 4, 6, 6)
    block = BasicBlock(4, 4, order="pre", zero_init_last=True)
    block(x).backward(grad)
    # F is zero for every x, so the whole gradient comes through the skip.
    assert torch.equal(x.grad, grad)


def test_gradients_by_finite_differences():
    torch.manual_seed(0)
    block = BasicBlock(2, 3, stride=2, shortcut="projection", order="pre").double().eval()
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, (x,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BasicBlock(4, 2), r"`out_channels` \(2\) must be at least `in_channels` \(4\)"),
        (lambda: BasicBlock(4, 4, order="both"), r"`order` \('both'\) must be 'post' or 'pre'"),
        (lambda: PlainBlock(4, 4, order="both"), r"`order` \('both'\)"),
        (lambda: BasicBlock(4, 4, shortcut="none"), r"`shortcut` \('none'\)"),
        (lambda: Bottleneck(4, 1, stride_in="last"), r"`stride_in` \('last'\)"),
        (lambda: BasicBlock(0, 4), r"`in_channels` \(0\) must be at least 1"),
        (lambda: PlainBlock(4, 0), r"`channels` \(0\) must be at least 1"),
        (lambda: PlainBlock(4, 4, stride=0), r"`stride` \(0\) must be at least 1"),
        (lambda: ResidualNet((1, 1)), r"`depths` \(\(1, 1\)\) must have one number for each"),
        (lambda: ResidualNet(()), "`depths`"),
        (lambda: ResidualNet((0, 1, 1)), r"`depths` \(0\) must be at least 1"),
        (
            lambda: ResidualNet((1, 1, 1), residual=False, zero_init_last=True),
            r"`zero_init_last` \(True\) needs `residual`",
        ),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_refuses_what_is_not_an_integer():
    with pytest.raises(TypeError, match=r"`stride` \(True\)"):
        BasicBlock(4, 4, stride=True)
    with pytest.raises(TypeError, match=r"`num_classes` \(2.5\)"):
        ResidualNet((1, 1, 1), num_classes=2.5)
