"""Layers: shapes by hand and equal to PyTorch, and the wording of errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnref import cost, receptive_field, worked
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
    walk,
)
from tests.helpers.refusals import refused
from tests.helpers.torch_layers import as_torch, count


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Conv(6, (3, 2), (2, 1), (1, 0)), (4, 5, 4), (6, 3, 3)),
        (Conv(6, 3, padding="same", dilation=(1, 2), groups=2), (4, 5, 7), (6, 5, 7)),
        (Conv(1, 2, padding=((1, 0), (2, 0))), (4, 5, 7), (1, 5, 8)),
        (ConvTranspose(6, (3, 2), (2, 1), (1, 0)), (4, 5, 4), (6, 9, 5)),
        (ConvTranspose(6, 3, (2, 3), 1, (1, 2), 2, dilation=2), (4, 5, 4), (6, 12, 14)),
        (Pool(2), (4, 5, 7), (4, 2, 3)),
        (Pool(2, ceil_mode=True), (4, 5, 7), (4, 3, 4)),
        (Pool((3, 2), (2, 1), (1, 0), mode="avg"), (4, 5, 4), (4, 3, 3)),
        (GlobalAvgPool(), (4, 5, 7), (4, 1, 1)),
        (Flatten(), (4, 5, 7), (140,)),
        (Linear(9), (140,), (9,)),
        (BatchNorm(), (4, 5, 7), (4, 5, 7)),
        (Activation(), (140,), (140,)),
        (Branches([[Conv(2, 1)], [Pool(3, 1, 1)], []]), (4, 5, 7), (10, 5, 7)),
        (residual([Conv(4, 3, padding=1)]), (4, 5, 7), (4, 5, 7)),
        (Upsample((2, 3)), (4, 5, 7), (4, 10, 21)),
        (Upsample(2, "bilinear"), (4, 5, 7), (4, 10, 14)),
        (Branches([[], [Conv(4, 1)]], "product"), (4, 5, 7), (4, 5, 7)),
        (Branches([[GlobalAvgPool(), Conv(4, 1)], []], "product"), (4, 5, 7), (4, 5, 7)),
    ],
)
def test_shapes_by_hand(layer, shape, expected):
    assert layer.output_shape(shape) == expected
    if not (isinstance(layer, Conv) and isinstance(layer.padding[0], tuple)):
        assert count(as_torch([layer]), shape).shapes == [expected]


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=150, deadline=None)
@given(pairs, pairs, pairs, st.booleans(), st.sampled_from(["conv", "max", "avg"]))
def test_shapes_equal_torch(kernel, stride, dilation, ceil_mode, kind):
    padding = tuple(k // 2 for k in kernel)
    if kind == "conv":
        layer = Conv(4, kernel, stride, padding, dilation, groups=2)
    else:
        # A window that reads padding alone is refused; torch gives minus infinity.
        assume(kind == "max" or dilation == (1, 1))
        assume(all(d * k <= 4 for d, k in zip(dilation, kernel, strict=True)))
        layer = Pool(
            kernel, stride, padding, dilation if kind == "max" else 1, ceil_mode, mode=kind
        )
    shape = (2, 9, 7)
    assert [count(as_torch([layer]), shape).shapes[0]] == [layer.output_shape(shape)]


def test_transposed_costs_equal_torch():
    layer = ConvTranspose(6, (3, 2), (2, 1), groups=2)
    counted = count(as_torch([layer]), (4, 5, 7))
    assert layer.parameters((4, 5, 7)) == counted.parameters
    # Each of the 4×5×7 input cells stamps the three output channels of its group, six cells each.
    assert layer.macs((4, 5, 7)) == 4 * 5 * 7 * 3 * 6
    assert layer.other_ops((4, 5, 7)) == 6 * 11 * 8


def test_names_and_kinds():
    layers = [Conv(4, (3, 2)), Pool(2, mode="avg"), residual([]), Branches([[], [], []])]
    kinds = ["conv 3×2", "avg pool 2×2", "sum of 2 paths", "concat of 3 paths"]
    assert [layer.label for layer in layers] == kinds
    assert Conv(4, 3, name="stem").label == "stem"


def nested(depth):
    layers = [Conv(2, 1)]
    for _ in range(depth):
        layers = [residual(layers)]
    return layers


def test_blocks_nest_to_a_depth_that_everything_can_walk():
    (deepest,) = layers = nested(50)
    assert (deepest.depth, residual([Conv(2, 1), deepest.paths[0][0]]).depth) == (50, 50)
    assert len(receptive_field(layers)) == 1
    assert cost(layers, (2, 3, 3)).parameters == 2 * 2 + 2
    assert "1. sum of 2 paths" in worked.receptive_field(layers).to_text()
    assert hash(deepest) == hash(nested(50)[0])
    assert repr(deepest).count("Branches") == 50
    with refused(ValueError, "paths", "51 deep", "at most 50"):
        nested(51)


def test_counts_are_exact_even_from_integers_of_numpy():
    big = np.int32(2**30)
    layer = Conv(big, 3, bias=np.True_)
    assert type(layer.out_channels) is int
    assert layer.parameters((8, 5, 5)) == 2**30 * (8 * 9 + 1)
    assert ConvTranspose(big, 3, groups=np.int8(1)).parameters((8, 5, 5)) == 2**30 * (8 * 9 + 1)
    assert Linear(big).macs((2**30,)) == 2**60


def test_equal_settings_are_equal_layers():
    assert residual([Conv(4, 3)]) == Branches([[Conv(4, 3)], []], "sum")
    assert len({residual([Conv(4, 3)]), residual([Conv(4, 3)]), residual([Conv(4, 1)])}) == 2


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Conv(0, 3), ValueError, "`out_channels` (0) must be at least 1"),
        (lambda: Conv(4, 3.0), TypeError, "`kernel_size` (3.0) must be an integer"),
        (lambda: Conv(4, 3, stride=0), ValueError, "`stride` (0) must be at least 1"),
        (lambda: Conv(4, 3, stride=True), TypeError, "`stride` (True) must be an integer, not"),
        (lambda: Conv(4, 3, dilation=(1, 0)), ValueError, "`dilation` (0)"),
        (lambda: Upsample(0), ValueError, "`scale_factor` (0) must be at least 1"),
        (lambda: Upsample(1.5), TypeError, "`scale_factor` (1.5)"),
        (lambda: Upsample(2, "cubic"), ValueError, "`mode` ('cubic') must be 'nearest'"),
        (
            lambda: Branches([[], [Conv(3, 1)]], "product").output_shape((4, 5, 7)),
            ValueError,
            "`paths` end in the shapes (4, 5, 7), (3, 5, 7); to multiply them",
        ),
        (
            lambda: Upsample(2).output_shape((4,)),
            ValueError,
            "nearest upsample 2×2 needs an input of shape (C, H, W), not (4,)",
        ),
        (lambda: Conv(4, 3, padding=-1), ValueError, "`padding` (-1) must be at least 0"),
        (lambda: Conv(4, 3, 2, "same"), ValueError, "`padding` ('same') needs `stride` 1"),
        (
            lambda: Conv(4, 3, groups=3),
            ValueError,
            "`out_channels` (4) must be divisible by `groups` (3)",
        ),
        (lambda: ConvTranspose(4, 3, output_padding=-1), ValueError, "`output_padding` (-1)"),
        (lambda: ConvTranspose(4, 3, groups=3), ValueError, "must be divisible by `groups` (3)"),
        (
            lambda: list(walk([ConvTranspose(4, 3, 2, output_padding=2)], (2, 4, 4))),
            ValueError,
            "layer 0 (transposed conv 3×3): `output_padding` (2) in height must be smaller than",
        ),
        (
            lambda: list(walk([ConvTranspose(4, 3, groups=2)], (3, 4, 4))),
            ValueError,
            "`in_channels` (3) must be divisible by `groups` (2)",
        ),
        (lambda: ConvTranspose(4, 3, groups=0), ValueError, "`groups` (0) must be at least 1"),
        (lambda: ConvTranspose(4, 3, groups=-2), ValueError, "`groups` (-2) must be at least 1"),
        (lambda: ConvTranspose(4, 3, groups=2.0), TypeError, "`groups` (2.0) must be an integer"),
        (lambda: Conv(4, 3, groups=0), ValueError, "`groups` (0) must be at least 1"),
        (lambda: Conv(4, 3, groups=2.0), TypeError, "`groups` (2.0) must be an integer"),
        (lambda: Conv(4, 3, bias=2), TypeError, "`bias` (2) must be True or False"),
        (lambda: ConvTranspose(4, 3, bias="no"), TypeError, "`bias` ('no') must be True or"),
        (lambda: Linear(4, bias=None), TypeError, "`bias` (None) must be True or False"),
        (lambda: Pool(2, ceil_mode="False"), TypeError, "`ceil_mode` ('False') must be True or"),
        (lambda: Pool(2, mode=["max"]), TypeError, "`mode` (['max']) must be 'max' or 'avg'"),
        (lambda: Conv(4, 3, name=5), TypeError, "`name` (5) must be a string"),
        (lambda: Pool(2, name=5), TypeError, "`name` (5) must be a string"),
        (lambda: Linear(4, name=5), TypeError, "`name` (5) must be a string"),
        (lambda: ConvTranspose(4, 3, name=5), TypeError, "`name` (5) must be a string"),
        (lambda: Activation(name=5), TypeError, "`name` (5) must be a string"),
        (lambda: Flatten(name=5), TypeError, "`name` (5) must be a string"),
        (lambda: Branches([[]], name=5), TypeError, "`name` (5) must be a string"),
        (lambda: Activation(max), TypeError, "`function` (<built-in function max>) must be a"),
        (lambda: Branches(5), TypeError, "`paths` (5) must be a list of paths"),
        (lambda: Branches([[]], ["sum"]), TypeError, "`join` (['sum']) must be"),
        (lambda: residual(5), TypeError, "`main` must be a list of layers, not int"),
        (lambda: residual([], 5), TypeError, "`shortcut` must be a list of layers, not int"),
        (lambda: Pool(3, mode="mean"), ValueError, "`mode` ('mean') must be 'max' or 'avg'"),
        (
            lambda: Pool(3, padding=2),
            ValueError,
            "`padding` (2) must be at most half of `kernel_size` (3)",
        ),
        (lambda: Pool(3, dilation=2, mode="avg"), ValueError, "`dilation` (2) must be 1 for"),
        (lambda: Linear(-1), ValueError, "`out_features` (-1) must be at least 1"),
        (lambda: Branches([], "sum"), ValueError, "`paths` is empty"),
        (
            lambda: Branches([[]], "add"),
            ValueError,
            "`join` ('add') must be 'concat', 'sum' or 'product'",
        ),
        (lambda: Branches([Conv(4, 3)]), TypeError, "`paths` must be a list of layers, not Conv"),
        (lambda: residual([3]), TypeError, "item 0 of `main` (3) is not a Layer"),
        (
            lambda: list(walk([Conv(4, 3), Conv(4, 3)], (1, 4, 4))),
            ValueError,
            "layer 1 (conv 3×3): the window reaches 3 pixels in height",
        ),
        (
            lambda: list(walk([Conv(4, 1, groups=2, name="stem")], (3, 4, 4))),
            ValueError,
            "layer 0 (stem): `in_channels` (3) must be divisible by `groups` (2)",
        ),
        (
            lambda: list(walk([Linear(3)], (1, 4, 4))),
            ValueError,
            "linear needs an input of shape (features,), not (1, 4, 4): put a Flatten before it",
        ),
        (
            lambda: list(walk([Flatten(), Pool(2)], (1, 4, 4))),
            ValueError,
            "max pool 2×2 needs an input of shape (C, H, W), not (16,)",
        ),
        (
            lambda: list(walk([residual([Conv(2, 3)])], (2, 4, 4))),
            ValueError,
            "`paths` end in the shapes (2, 2, 2), (2, 4, 4), which must be equal to be added",
        ),
        (
            lambda: list(walk([Branches([[Conv(2, 3)], []])], (2, 4, 4))),
            ValueError,
            "only the number of channels may differ",
        ),
        (lambda: list(walk([], (4, 4))), ValueError, "`input_shape` ((4, 4)) must be (C, H, W)"),
        (lambda: list(walk([], (0, 4, 4))), ValueError, "`input_shape` (0) must be at least 1"),
        (lambda: list(walk([], (1.0, 4, 4))), TypeError, "`input_shape` (1.0)"),
        (lambda: list(walk(Conv(4, 3), (1, 4, 4))), TypeError, "`layers` must be a list of layers"),
    ],
)
def test_errors(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert words in str(caught.value)
