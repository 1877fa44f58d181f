from __future__ import annotations

import numpy as np
import pytest

import cnnref
from cnnref.examples import questions_image
from cnnref.figures.inception import branch_maps, branches
from cnnref.networks.layers import Branches, Conv, residual
from cnnref.nn.inception import AsymmetricInception, NaiveInception, googlenet_3a
from tests.helpers.artists import assert_legible, boxes, matrix, texts

IMAGE = questions_image()


def reduced():
    return branches(googlenet_3a().layers()[0], (192, 28, 28))


def naive():
    block = NaiveInception(192, ch1x1=64, ch3x3=128, ch5x5=32)
    return branches(block.layers()[0], (192, 28, 28))


def asymmetric():
    block = AsymmetricInception(
        192, ch1x1=64, ch3x3red=96, ch3x3=128, ch5x5red=16, ch5x5=32, pool_proj=32
    )
    return branches(block.layers()[0], (192, 28, 28))


def four_maps():
    return branch_maps(IMAGE, {"one": IMAGE[:1] + 3, "three": IMAGE[2:], "pool": IMAGE})


def test_branches_show_each_layer_and_its_output():
    figure = reduced()
    layers = [texts(figure, f"layer {place}") for place in range(4)]
    assert layers == [
        ["conv 1×1"],
        ["conv 1×1", "conv 3×3"],
        ["conv 1×1", "conv 5×5"],
        ["max pool 3×3", "conv 1×1"],
    ]
    channels = [texts(figure, f"channels {place}") for place in range(4)]
    assert channels == [
        ["64 channels"],
        ["96 channels", "128 channels"],
        ["16 channels", "32 channels"],
        ["192 channels", "32 channels"],
    ]
    assert texts(figure, "input shape") == ["192 channels of 28×28"]
    assert texts(figure, "concatenated shape") == ["64 + 128 + 32 + 32 = 256 channels"]


def test_a_short_branch_ends_where_the_others_do():
    figure = reduced()
    bottoms = {max(y + height for _, y, _, height in boxes(figure, f"box {i}")) for i in range(4)}
    assert len(bottoms) == 1


def test_the_naive_block_keeps_the_pooled_channels():
    assert texts(naive(), "concatenated shape") == ["64 + 128 + 32 + 192 = 416 channels"]
    assert texts(naive(), "layer 3") == ["max pool 3×3"]


def test_a_sum_and_an_empty_path():
    figure = branches(residual([Conv(1, 3, padding=1)]), (1, 5, 6))
    assert texts(figure, "added shape") == ["1 channels of 5×6"]
    assert texts(figure, "channels 0") == ["1 channel"]
    assert texts(figure, "layer 1") == []


def test_maps_show_every_channel():
    figure = four_maps()
    for place in range(3):
        np.testing.assert_array_equal(matrix(figure, f"image {place}"), IMAGE[place])
        np.testing.assert_array_equal(matrix(figure, f"map {place + 2}"), IMAGE[place])
    np.testing.assert_array_equal(matrix(figure, "map 0"), IMAGE[0] + 3)
    assert texts(figure, "heading") == ["one", "three", "pool 1", "pool 2", "pool 3"]
    assert texts(figure, "image") == ["channel 1", "channel 2", "channel 3"]


def test_refuses_what_it_cannot_draw():
    with pytest.raises(TypeError, match="`block`"):
        branches(Conv(1, 1), (1, 4, 4))
    with pytest.raises(ValueError, match="has 5 paths"):
        branches(Branches([[Conv(1, 1)]] * 5), (1, 4, 4))
    with pytest.raises(ValueError, match="at most 3 and 6"):
        branch_maps(IMAGE, {"a": np.zeros((7, 4, 4))})
    with pytest.raises(ValueError, match="`maps` has shape"):
        branch_maps(IMAGE, {"a": np.zeros((1, 5, 4))})
    with pytest.raises(ValueError, match="`image` has shape"):
        branch_maps(IMAGE[0], {"a": IMAGE})


@pytest.mark.parametrize(
    "figure",
    [
        reduced(),
        naive(),
        asymmetric(),
        four_maps(),
        branch_maps(IMAGE, {"3×3 max pooling, channel": cnnref.max_pool2d(IMAGE, 2) * 1000}),
        branches(residual([Conv(1, 3, padding=1)]), (1, 5, 6)),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
