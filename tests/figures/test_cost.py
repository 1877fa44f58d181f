from __future__ import annotations

import pytest

from cnnref.figures.cost import parameters_against_macs, short
from cnnref.networks import alexnet, lenet5, resnet50, vgg16
from cnnref.networks.cost import cost
from cnnref.networks.layers import Activation, BatchNorm, Linear
from tests.helpers.artists import assert_legible, boxes, texts

VGG = cost(vgg16(), (3, 224, 224))


def test_a_bar_a_layer_with_weights():
    figure = parameters_against_macs(VGG)
    names = [layer.name for layer in VGG.layers if layer.parameters]
    assert texts(figure, "name") == [*names, "total"]
    assert texts(figure, "heading") == ["parameters", "MACs"]
    assert texts(figure, "total") == ["138 M", "15.5 G"]
    counts = dict(zip(names, texts(figure, "parameters count"), strict=True))
    assert (counts["conv1_1"], counts["fc6"]) == ("1.79 k", "103 M")


@pytest.mark.parametrize("kind", ["parameters", "macs"])
def test_bars_are_as_long_as_their_numbers(kind):
    counts = [getattr(layer, kind) for layer in VGG.layers if layer.parameters]
    lengths = [width for _, _, width, _ in boxes(parameters_against_macs(VGG), kind)]
    assert lengths == pytest.approx([max(lengths) * n / max(counts) for n in counts])


def test_a_layer_without_macs_has_no_bar_there():
    figure = parameters_against_macs(cost([Linear(3), BatchNorm()], (2,)))
    assert texts(figure, "macs count") == ["6", "0"]
    assert len(boxes(figure, "macs")) == 1


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"), (999, "999"), (1000, "1.00 k"), (36_928, "36.9 k"), (999_499, "999 k"),
        (999_500, "1.00 M"), (9_994, "9.99 k"), (9_996, "10.0 k"), (138_357_544, "138 M"),
        (15_470_264_320, "15.5 G"), (1_234_000_000_000, "1234 G"),
    ],
)  # fmt: skip
def test_three_digits_and_a_unit(count, text):
    assert short(count) == text


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="0 layers with parameters"):
        parameters_against_macs(cost([Activation()], (2,)))
    with pytest.raises(ValueError, match="41 layers with parameters"):
        parameters_against_macs(cost([Linear(2)] * 41, (2,)))


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        (vgg16(), (3, 224, 224)),
        (alexnet(), (3, 224, 224)),
        (resnet50(), (3, 224, 224)),
        (lenet5(), (1, 32, 32)),
        ([Linear(1, name="a rather long name of a layer")], (1,)),
    ],
)
def test_texts_do_not_overlap(layers, shape):
    assert_legible(parameters_against_macs(cost(layers, shape)))
