from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnref.figures.receptive_field import gradient_support, nested_windows
from cnnref.networks.layers import Activation, Conv, Flatten, Pool, residual
from cnnref.networks.receptive_field import receptive_field
from tests.helpers.artists import assert_legible, boxes, matrix, texts

LAYERS = [
    Conv(1, 3, padding=1, name="conv1"),
    Activation(),
    Pool(2, name="pool1"),
    Conv(1, 3, padding=1, name="conv2"),
]
DILATED = [Conv(1, 3, name="a"), Conv(1, 3, dilation=2, name="b"), Conv(1, 3, dilation=2, name="c")]


def test_fields_grow_back_from_the_output_to_the_image():
    figure = nested_windows(LAYERS, 10, cell=2)
    assert texts(figure, "name") == ["conv2", "pool1", "conv1", "input"]
    assert texts(figure, "field") == ["r 8, j 2", "r 4, j 2", "r 3, j 1", "r 1, j 1"]
    assert texts(figure, "measure") == ["field 8, centre at 4.5"]
    assert texts(figure, "jump") == ["jump 2"]
    assert [len(texts(figure, f"ways {name}")) for name in ("conv2", "pool1", "conv1")] == [1, 3, 6]
    assert len(boxes(figure, "padding")) == 4
    # Three lines per cell of a convolution, two per cell of the pooling.
    assert len(boxes(figure, "reads")) == 3 + 3 * 2 + 6 * 3


def test_the_ways_are_the_gradient_of_layers_of_ones():
    x = torch.zeros(1, 1, 1, 13, requires_grad=True)
    y = x
    for layer in DILATED:
        ones = torch.ones(1, 1, 1, 3)
        y = torch.nn.functional.conv2d(y, ones, dilation=(1, layer.window.dilation[1]))
    y[0, 0, 0, 1].backward()
    figure = nested_windows(DILATED, 13)
    found = [int(text) for text in texts(figure, "ways input")]
    gradient = x.grad[0, 0, 0]
    assert found == gradient[gradient > 0].int().tolist()
    assert len(found) == receptive_field(DILATED)[-1].size[1]


def test_a_cell_is_above_the_centre_of_what_it_reads():
    figure = nested_windows([Pool(2)], 6)
    pixels, cells = (sorted(boxes(figure, kind)) for kind in ("cell", "read"))
    (line,) = (box for box in boxes(figure, "receptive field") if box[2] > 1)
    (top,) = [box for box in cells if box[1] == min(y for _, y, *_ in cells)]
    assert top[0] + 0.5 == pytest.approx(line[0] + line[2] / 2)
    assert line[2] == 2
    assert len(pixels) == 6 - 2 + 2


def test_pixels_in_the_gaps_of_a_dilated_filter_are_not_read():
    figure = nested_windows([Conv(1, 3, dilation=3)], 9)
    assert texts(figure, "measure") == ["field 7, centre at 4"]
    assert texts(figure, "ways input") == ["1", "1", "1"]


def test_the_gradient_lies_in_the_field():
    layers = [Conv(1, (3, 2), (2, 1)), Conv(1, (2, 3))]
    x = torch.zeros(1, 1, 9, 8, requires_grad=True)
    y = x
    for layer in layers:
        window = layer.window
        y = torch.nn.functional.conv2d(
            y, torch.ones(1, 1, *window.kernel_size), None, window.stride
        )
    y[0, 0, 1, 2].backward()
    gradient, field = x.grad[0, 0].int().numpy(), receptive_field(layers)[-1]
    figure = gradient_support(gradient, field, (1, 2))
    np.testing.assert_array_equal(matrix(figure, "gradient"), gradient)
    assert texts(figure, "heading") == ["field 5×4"]
    (window,) = boxes(figure, "window")
    marked = boxes(figure, "marked")
    assert len(marked) == (gradient > 0).sum() == 20
    assert window[:2] == (min(x for x, *_ in marked), min(y for _, y, *_ in marked))
    assert window[2:] == (4, 5)


def test_a_field_on_the_padding_is_cut_at_the_image():
    field = receptive_field([Conv(1, 3, padding=1)])[-1]
    figure = gradient_support(np.ones((2, 4), int), field, (0, 0))
    assert [box[2:] for box in boxes(figure, "window")] == [(2, 2)]


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: nested_windows([Activation()], 5), "must hold convolutions or poolings"),
        (lambda: nested_windows([residual([Conv(1, 3)])], 5), "and no branches"),
        (lambda: nested_windows([Conv(1, 3)], 14), "the rows span 14 pixels with their padding"),
        (lambda: nested_windows([Conv(1, 3)], 2), "the window reaches 3 pixels in width"),
        (lambda: nested_windows([Conv(1, 3)], 5, cell=3), "`cell` (3) must be less than"),
        (lambda: gradient_support(np.ones(3), FIELD), "must be a matrix, got shape (3,)"),
        (lambda: gradient_support(np.ones((17, 3)), FIELD), "at most 16×16 cells"),
        (lambda: gradient_support(np.ones((5, 5)), FIELD, (7, 0)), "lies outside the image"),
    ],
)
def test_refuses_what_it_cannot_draw(draw, words):
    with pytest.raises(ValueError) as caught:
        draw()
    assert words in str(caught.value)


FIELD = receptive_field([Conv(1, 3)])[-1]


def test_the_list_ends_at_the_first_layer_that_reads_the_whole_map():
    assert texts(nested_windows([Conv(1, 3), Flatten()], 5), "name") == ["conv 3×3", "input"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            Conv, st.just(1), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1),
            st.integers(1, 2),
        ),
        min_size=1, max_size=3,
    ),
    st.integers(1, 11),
)  # fmt: skip
def test_texts_do_not_overlap(layers, size):
    try:
        figure = nested_windows(layers, size)
    except ValueError:
        return
    assert_legible(figure)


@pytest.mark.parametrize("size", [1, 4, 16])
def test_the_heading_stays_clear_of_the_gradient(size):
    assert_legible(gradient_support(np.full((size, size), 12345), FIELD))
