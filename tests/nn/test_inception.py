from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cnnref
from cnnref.examples import questions_image
from cnnref.networks.layers import BatchNorm, Conv
from cnnref.nn.inception import (
    AsymmetricInception,
    FactorizedInception,
    Inception,
    NaiveInception,
    googlenet_3a,
)
from tests.helpers.models import count_parameters
from tests.helpers.torch_layers import as_torch, count

# C. Szegedy et al., arXiv:1409.4842, Table 1: input channels, then the columns of the row.
NAMES = ("in_channels", "ch1x1", "ch3x3red", "ch3x3", "ch5x5red", "ch5x5", "pool_proj")
TABLE = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
SIZES = dict(ch1x1=64, ch3x3red=96, ch3x3=128, ch5x5red=16, ch5x5=32, pool_proj=32)
# All numbers differ, so that none can be mistaken for another.
ODD_SIZES = dict(ch1x1=2, ch3x3red=4, ch3x3=5, ch5x5red=6, ch5x5=7, pool_proj=8)


def blocks():
    return {
        "naive": NaiveInception(3, ch1x1=2, ch3x3=5, ch5x5=7),
        "reduced": Inception(3, **ODD_SIZES),
        "reduced, as torchvision": Inception(3, **ODD_SIZES, large=3),
        "factorised": FactorizedInception(3, **ODD_SIZES),
        "factorised, narrow middle": FactorizedInception(3, **ODD_SIZES, ch5x5mid=9),
        "asymmetric": AsymmetricInception(3, **ODD_SIZES),
        "asymmetric, 7": AsymmetricInception(3, **ODD_SIZES, small=5, large=7),
    }


def counted(block, shape):
    return count(nn.Sequential(block), shape)


def of_ones(block):
    for name, parameter in block.named_parameters():
        nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
    return block.double()


def maps(block):
    with torch.no_grad():
        return block(torch.from_numpy(questions_image()[None]).double())[0].numpy()


ONE = [[4] * 4, [5] * 4, [6] * 4, [7] * 4]
THREE = [[18, 27, 27, 18], [30, 45, 45, 30], [36, 54, 54, 36], [26, 39, 39, 26]]
# Row 1, column 1 sees three rows and columns: 9 ones, 9 twos, and 3 each of 1, 2, 3: 9 + 18 + 18.
FIVE = [[45, 60, 60, 45], [66, 88, 88, 66], [66, 88, 88, 66], [54, 72, 72, 54]]
POOLED = [[[1] * 4] * 4, [[2] * 4] * 4, [[2] * 4, [3] * 4, [4] * 4, [4] * 4]]


def test_the_naive_block_by_hand():
    block = of_ones(NaiveInception(3, ch1x1=1, ch3x3=1, ch5x5=1))
    np.testing.assert_array_equal(maps(block), [ONE, THREE, FIVE, *POOLED])
    weights = [p.numel() for p in block.parameters() if p.ndim == 4]
    assert weights == [3, 27, 75]


def test_the_reduced_block_by_hand():
    block = of_ones(Inception(3, ch1x1=1, ch3x3red=1, ch3x3=1, ch5x5red=1, ch5x5=1, pool_proj=1))
    projected = [[5] * 4, [6] * 4, [7] * 4, [7] * 4]
    # One channel that sums the three, then a window of ones: the same sums in another order.
    np.testing.assert_array_equal(maps(block), [ONE, THREE, FIVE, projected])
    weights = [p.numel() for p in block.parameters() if p.ndim == 4]
    assert weights == [3, 3, 9, 3, 25, 3]


def test_equal_to_the_definition_in_numpy():
    torch.manual_seed(0)
    block = Inception(3, **ODD_SIZES).double()
    x = np.random.default_rng(0).normal(size=(3, 6, 4))
    layers = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    w = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in layers]

    def step(image, place, padding=0):
        return cnnref.relu(cnnref.conv2d(image, *w[place], padding=padding))

    by_hand = np.concatenate(
        [
            step(x, 0),
            step(step(x, 1), 2, padding=1),
            step(step(x, 3), 4, padding=2),
            step(cnnref.max_pool2d(x, 3, stride=1, padding=1), 5),
        ]
    )
    with torch.no_grad():
        np.testing.assert_allclose(block(torch.from_numpy(x[None]))[0], by_hand, rtol=1e-12)


@pytest.mark.parametrize("name", blocks())
def test_three_counts_agree(name):
    block = blocks()[name]
    shape = (3, 6, 5)
    ours = cnnref.cost(block.layers(), shape)
    by_hooks = counted(block, shape)
    rebuilt = count(as_torch(block.layers()), shape)
    assert ours.parameters == by_hooks.parameters == rebuilt.parameters
    assert ours.macs == by_hooks.macs == rebuilt.macs
    assert ours.output_shape == by_hooks.shapes[-1] == rebuilt.shapes[-1]


def test_module_3a_by_hand():
    block = googlenet_3a()
    assert block(torch.zeros(1, 192, 28, 28)).shape == (1, 64 + 128 + 32 + 32, 28, 28)
    weights = 192 * 64 + 192 * 96 + 96 * 128 * 9 + 192 * 16 + 16 * 32 * 25 + 192 * 32
    biases = 64 + 96 + 128 + 16 + 32 + 32
    ours = cnnref.cost(block.layers(), (192, 28, 28))
    assert count_parameters(block) == ours.parameters == weights + biases == 163_696
    assert counted(block, (192, 28, 28)).macs == ours.macs == 28 * 28 * weights == 128_049_152


def test_the_naive_3a_by_hand():
    block = NaiveInception(192, ch1x1=64, ch3x3=128, ch5x5=32)
    weights = 192 * (64 + 128 * 9 + 32 * 25)
    ours = cnnref.cost(block.layers(), (192, 28, 28))
    assert count_parameters(block) == ours.parameters == weights + 224 == 387_296
    assert counted(block, (192, 28, 28)).macs == ours.macs == 28 * 28 * weights == 303_464_448
    assert ours.output_shape == (64 + 128 + 32 + 192, 28, 28)


def test_the_factorised_forms_by_hand():
    reduced, two, narrow, asymmetric = (
        count_parameters(block)
        for block in (
            Inception(192, **SIZES),
            FactorizedInception(192, **SIZES),
            FactorizedInception(192, **SIZES, ch5x5mid=23),
            AsymmetricInception(192, **SIZES),
        )
    )
    assert two - reduced == 9 * (16 * 32 + 32 * 32) + 32 - 25 * 16 * 32 == 1056
    assert narrow - reduced == 9 * (16 * 23 + 23 * 32) + 23 - 25 * 16 * 32 == -2841
    pairs = 3 * (96 * 128 + 128 * 128) + 128 + 5 * (16 * 32 + 32 * 32) + 32
    assert asymmetric - reduced == pairs - 9 * 96 * 128 - 25 * 16 * 32 == -29536


@pytest.mark.parametrize(("name", "seen"), [("3a", 28), ("3b", 28), ("4e", 14), ("5b", 7)])
def test_rows_of_the_table_fit_together(name, seen):
    names = list(TABLE)
    block = Inception(**dict(zip(NAMES, TABLE[name], strict=True)))
    output = cnnref.cost(block.layers(), (block.in_channels, seen, seen)).output_shape
    following = names.index(name) + 1
    assert output[0] == (TABLE[names[following]][0] if following < len(names) else 1024)


def test_torchvision_has_3_instead_of_5():
    """Count torchvision's whole GoogLeNet, and compare with the number in its documentation."""

    def googlenet(large):
        layers = [Conv(64, 7, 2, 3, bias=False), BatchNorm()]
        layers += [Conv(64, 1, bias=False), BatchNorm()]
        layers += [Conv(192, 3, padding=1, bias=False), BatchNorm()]
        total = cnnref.cost(layers, (3, 224, 224)).parameters
        for row in TABLE.values():
            block = Inception(**dict(zip(NAMES, row, strict=True)), large=large)
            # A scale and a shift by batch norm instead of a bias.
            total += count_parameters(block) + sum(
                p.numel() for p in block.parameters() if p.ndim == 1
            )
        return total + 1024 * 1000 + 1000

    assert googlenet(large=3) == 6_624_904
    assert googlenet(large=5) == 6_624_904 + 380_928


@pytest.mark.parametrize(
    ("block", "sizes"),
    [
        (NaiveInception(1, ch1x1=1, ch3x3=1, ch5x5=1), [1, 3, 5, 3]),
        (Inception(1, **ODD_SIZES), [1, 3, 5, 3]),
        (Inception(1, **ODD_SIZES, large=3), [1, 3, 3, 3]),
        (FactorizedInception(1, **ODD_SIZES), [1, 3, 5, 3]),
        (AsymmetricInception(1, **ODD_SIZES), [1, 3, 5, 3]),
        (AsymmetricInception(1, **ODD_SIZES, small=7, large=9), [1, 7, 9, 3]),
    ],
)
def test_what_the_branches_see(block, sizes):
    seen = [cnnref.receptive_field(path)[-1].size for path in block.layers()[0].paths]
    assert seen == [(size, size) for size in sizes]


@pytest.mark.parametrize("name", blocks())
def test_all_branches_keep_the_sides(name):
    block = blocks()[name]
    x = torch.randn(2, 3, 6, 5)
    output = block(x)
    widths = []
    for branch in block.branches.values():
        assert branch(x).shape[2:] == (6, 5)
        widths.append(branch(x).shape[1])
    assert widths == [2, 5, 7, 3 if name == "naive" else 8]
    parts = torch.split(output, widths, dim=1)
    for part, branch in zip(parts, block.branches.values(), strict=True):
        assert torch.equal(part, branch(x))


@pytest.mark.parametrize("argument", NAMES)
@pytest.mark.parametrize("make", [Inception, FactorizedInception, AsymmetricInception])
def test_refuses_no_channels(make, argument):
    sizes = dict(zip(NAMES, TABLE["3a"], strict=True)) | {argument: 0}
    with pytest.raises(ValueError, match=rf"`{argument}` \(0\) must be at least 1"):
        make(**sizes)


def test_refuses():
    with pytest.raises(ValueError, match=r"`large` \(4\) must be odd"):
        Inception(3, **ODD_SIZES, large=4)
    with pytest.raises(ValueError, match=r"`small` \(2\) must be odd"):
        AsymmetricInception(3, **ODD_SIZES, small=2)
    with pytest.raises(ValueError, match=r"`ch5x5mid` \(0\)"):
        FactorizedInception(3, **ODD_SIZES, ch5x5mid=0)
    with pytest.raises(TypeError, match=r"`ch3x3` \(2.5\)"):
        NaiveInception(3, ch1x1=1, ch3x3=2.5, ch5x5=1)
