from __future__ import annotations

import numpy as np
import pytest

from cnnref.examples import questions_image
from cnnref.figures.grouped_convolution import Layer, connections, dot_product
from cnnref.ops.convolution import conv2d
from tests.helpers.artists import assert_legible, boxes, matrix, texts

LAYERS = [
    Layer("ordinary", 4, 4),
    Layer("1×1", 4, 4, kernel_size=1),
    Layer("grouped", 4, 4, groups=2),
    Layer("depthwise", 4, 4, groups=4),
]
WEIGHT = np.array([[1, 1, 1], [1, 0, -1]]).reshape(2, 3, 1, 1)


@pytest.mark.parametrize("layer", [*LAYERS, Layer("uneven", 6, 4, 2, 2), Layer("one", 1, 3, 5)])
def test_weights_are_drawn_one_by_one_where_a_filter_reads(layer):
    figure = connections([layer])
    # A filter reads a channel when a change of the channel changes the filter's output.
    shape = (layer.out_channels, layer.in_channels // layer.groups)
    weight = np.ones((*shape, layer.kernel_size, layer.kernel_size))
    reads = [
        conv2d(
            np.eye(layer.in_channels)[c][:, None, None] * np.ones((layer.kernel_size,) * 2),
            weight,
            groups=layer.groups,
        )[:, 0, 0] != 0
        for c in range(layer.in_channels)
    ]  # fmt: skip
    found = boxes(figure, "layer 0 read")
    assert len(found) == np.sum(reads)
    cells = {(round((y - 3.2) / 1.3), round((x - 1.0) / 1.3)) for x, y, *_ in found}
    assert cells == {(o, c) for c, o in zip(*np.nonzero(reads), strict=True)}
    assert len(boxes(figure, "layer 0 weight")) == weight.size
    assert texts(figure, "layer 0 count") == [f"{weight.size} weights"]


def test_four_layers_are_drawn_in_pairs():
    figure = connections(LAYERS)
    counts = [texts(figure, f"layer {i} count")[0] for i in range(4)]
    assert counts == ["144 weights", "16 weights", "72 weights", "36 weights"]
    corners = [min(boxes(figure, f"layer {i} read"))[:2] for i in range(4)]
    assert corners[0][0] == pytest.approx(corners[2][0])
    assert corners[0][1] == pytest.approx(corners[1][1])
    assert corners[0][1] < corners[2][1]


def test_dot_product_shows_pixel_filters_and_outputs():
    figure = dot_product(questions_image(), WEIGHT, at=(3, 0))
    np.testing.assert_array_equal(matrix(figure, "weight"), WEIGHT[:, :, 0, 0])
    np.testing.assert_array_equal(matrix(figure, "pixel"), [[1], [2], [4]])
    np.testing.assert_array_equal(matrix(figure, "output"), [[7], [-3]])
    for channel in range(3):
        np.testing.assert_array_equal(
            matrix(figure, f"input {channel}"), questions_image()[channel]
        )
    # The pixel in each channel, and the column it makes.
    sizes = [box[2:] for box in boxes(figure, "window")]
    assert sizes == [pytest.approx((1, 1))] * 3 + [pytest.approx((1, 3))]


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="at least one layer"):
        connections([])
    with pytest.raises(ValueError, match=r"`in_channels` \(7\) must be at most 6"):
        connections([Layer("wide", 7, 1)])
    with pytest.raises(ValueError, match="must be divisible by `groups`"):
        connections([Layer("odd", 4, 3, groups=2)])
    with pytest.raises(TypeError, match="bool"):
        connections([Layer("odd", 4, 4, groups=True)])
    with pytest.raises(ValueError, match="its filters must be 1×1"):
        dot_product(questions_image(), np.ones((1, 3, 3, 3)))
    with pytest.raises(ValueError, match="must lie in the input"):
        dot_product(questions_image(), WEIGHT, at=(4, 0))
    with pytest.raises(ValueError, match="at most 4 channels"):
        dot_product(np.ones((3, 5, 5)), WEIGHT)
    with pytest.raises(ValueError, match="one image"):
        dot_product(np.ones((2, 3, 4, 4)), WEIGHT)


@pytest.mark.parametrize(
    "figure",
    [
        connections(LAYERS),
        connections([Layer("six", 6, 6, 5)]),
        connections([Layer("one", 1, 1, 1)]),
        dot_product(questions_image(), WEIGHT, at=(3, 0)),
        dot_product(np.full((1, 1, 1), 1000), np.full((4, 1, 1, 1), -1000)),
        dot_product(np.full((4, 4, 4), 0.123), np.full((1, 4, 1, 1), 0.5), at=(0, 3)),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
