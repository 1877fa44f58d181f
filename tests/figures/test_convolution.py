from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d, correlate2d

from cnnref import conv2d, pad2d
from cnnref.examples import questions_filter, questions_image
from cnnref.figures.convolution import (
    cross_correlation_versus_convolution,
    filtered_picture,
    sliding_window,
)
from tests.helpers.artists import assert_legible, boxes, cells, centre, images, matrix, texts

IMAGE, FILTER = questions_image(), questions_filter()


@pytest.fixture(scope="module")
def padded_corner():
    return sliding_window(IMAGE, FILTER, padding=1, at=(3, 0))


def test_cells_hold_the_computed_numbers(padded_corner):
    for channel in range(3):
        shown = matrix(padded_corner, f"input {channel}")
        np.testing.assert_array_equal(shown, pad2d(IMAGE, 1)[channel])
        kernel = matrix(padded_corner, f"filter {channel}")
        np.testing.assert_array_equal(kernel, FILTER[0, channel])
    output = conv2d(IMAGE, FILTER, padding=1)[0]
    np.testing.assert_array_equal(matrix(padded_corner, "output"), output)


def test_the_sums_of_question_2(padded_corner):
    assert [texts(padded_corner, f"sum {channel}") for channel in range(3)] == [
        ["= 4"], ["= 8"], ["= 14"],
    ]  # fmt: skip
    assert texts(padded_corner, "total 0") == ["4 + 8 + 14"]
    assert texts(padded_corner, "total") == ["= 26"]


def test_the_window_and_the_output_cell_are_where_they_should_be(padded_corner):
    for channel, (x, y, width, height) in enumerate(boxes(padded_corner, "window")):
        first, last = f"input {channel}[3,0]", f"input {channel}[5,2]"
        assert (x + 0.5, y + 0.5) == pytest.approx(centre(padded_corner, first))
        assert (x + width - 0.5, y + height - 0.5) == pytest.approx(centre(padded_corner, last))
    (outlined,) = boxes(padded_corner, "output cell")
    assert outlined[2:] == pytest.approx((1, 1))
    assert (outlined[0] + 0.5, outlined[1] + 0.5) == pytest.approx(
        centre(padded_corner, "output[3,0]")
    )


def test_every_padding_cell_is_hatched_and_every_other_is_not(padded_corner):
    assert len(boxes(padded_corner, "hatch")) == 3 * 3 * (6 * 6 - 4 * 4)
    assert not boxes(sliding_window(IMAGE, FILTER), "hatch")


def test_dilation_rings_the_nine_cells_of_a_five_by_five_window():
    figure = sliding_window(IMAGE, FILTER, padding=2, dilation=2, at=(3, 0))
    assert len(boxes(figure, "read")) == 3 * 9
    assert [box[2:] for box in boxes(figure, "window")] == [pytest.approx((5, 5))] * 3
    assert texts(figure, "total 0") == ["4 + 8 + 12"]
    assert texts(figure, "total") == ["= 24"]


def test_groups_bias_and_unequal_axes():
    rng = np.random.default_rng(1)
    image = rng.integers(-9, 9, (4, 5, 4))
    weight, bias = rng.integers(-3, 4, (2, 2, 3, 2)), np.array([5, -7])
    settings = dict(stride=(2, 1), padding=((1, 0), (0, 1)), dilation=(1, 2), groups=2)
    figure = sliding_window(image, weight, bias, **settings, at=(1, 2), filter=1)
    expected = conv2d(image, weight, bias, **settings)[1]
    np.testing.assert_array_equal(matrix(figure, "output"), expected)
    assert not cells(figure, "input 1")
    np.testing.assert_array_equal(matrix(figure, "filter 3"), weight[1, 1])
    sums = [int(texts(figure, f"sum {c}")[0][2:].replace("\N{MINUS SIGN}", "-")) for c in (2, 3)]
    assert sum(sums) - 7 == expected[1, 2]
    assert texts(figure, "total 1") == ["+ bias \N{MINUS SIGN}7"]


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_mode_fills_the_padding_cells(mode):
    image = np.arange(16).reshape(1, 4, 4)
    figure = sliding_window(image, np.ones((1, 1, 3, 3), int), padding=1, padding_mode=mode)
    padded = pad2d(image, 1, mode)
    np.testing.assert_array_equal(matrix(figure, "input 0"), padded[0])
    np.testing.assert_array_equal(
        matrix(figure, "output"), conv2d(padded, np.ones((1, 1, 3, 3), int))[0]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(at=(2, 0)), r"`at` \(\(2, 0\)\) must lie in the output, which is 2×2"),
        (dict(filter=1), r"`filter` \(1\) must be less than the number of filters, 1"),
        (dict(input=np.ones((2, 3, 4, 4))), "one image, got 2"),
        (dict(padding=3), "at most 9×9"),
        (dict(input=np.ones((5, 4, 4)), weight=np.ones((1, 5, 3, 3))), "at most 4"),
    ],
)
def test_refuses_what_it_cannot_draw(arguments, message):
    with pytest.raises(ValueError, match=message):
        sliding_window(**{"input": IMAGE, "weight": FILTER, **arguments})


@pytest.mark.parametrize(
    "figure",
    [
        sliding_window(IMAGE, FILTER),
        sliding_window(IMAGE, FILTER, padding=1, at=(3, 0)),
        sliding_window(IMAGE, FILTER, [1], padding=2, dilation=2, at=(3, 0)),
        sliding_window(-1234.5678 * IMAGE, FILTER, [-0.001], padding=1),
        sliding_window(IMAGE[2:], FILTER[:, 2:]),
        sliding_window(np.full((1, 1, 1), 7), np.full((1, 1, 1, 1), 6)),
        cross_correlation_versus_convolution(np.arange(16).reshape(4, 4), [[0, 1], [2, 3]]),
        cross_correlation_versus_convolution([[100]], [[-3]]),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)


def test_flipping_is_the_difference_between_scipys_two_functions():
    image = np.arange(20).reshape(4, 5) % 7
    kernel = np.array([[0, 1, 2], [0, 0, -1]])
    figure = cross_correlation_versus_convolution(image, kernel)
    np.testing.assert_array_equal(
        matrix(figure, "output 0"), correlate2d(image, kernel, mode="valid")
    )
    np.testing.assert_array_equal(
        matrix(figure, "output 1"), convolve2d(image, kernel, mode="valid")
    )
    np.testing.assert_array_equal(matrix(figure, "filter 1"), kernel[::-1, ::-1])
    marked = [(x + 0.5, y + 0.5) for x, y, _, _ in boxes(figure, "same cell")]
    corners = [centre(figure, "filter 0[0,0]"), centre(figure, "filter 1[1,2]")]
    np.testing.assert_allclose(marked, corners)


def test_a_filter_that_is_not_a_matrix_is_refused():
    with pytest.raises(ValueError, match=r"`weight` must be a matrix, got shape \(1, 1, 1\)"):
        cross_correlation_versus_convolution(np.ones((3, 3)), np.ones((1, 1, 1)))


def test_a_filtered_picture_shows_the_response_with_zero_in_the_middle():
    image, edge = np.random.default_rng(0).random((20, 30)), np.array([[-1, 0, 1]] * 3)
    figure = filtered_picture(image, edge)
    shown = images(figure)
    np.testing.assert_array_equal(shown["picture"].get_array(), image)
    response = conv2d(image[None], edge[None, None])[0]
    np.testing.assert_array_equal(shown["response"].get_array(), response)
    low, high = shown["response"].get_clim()
    assert low == -high == -np.abs(response).max()
    np.testing.assert_array_equal(matrix(figure, "filter"), edge)
    # A pixel is as large in the response as in the picture.
    left, right, *_ = shown["picture"].get_extent()
    start, end, *_ = shown["response"].get_extent()
    assert (end - start) / 28 == pytest.approx((right - left) / 30)
    assert_legible(figure)


def test_a_filtered_picture_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="`weight`"):
        filtered_picture(np.ones((20, 20)), np.ones((10, 1)))
    with pytest.raises(ValueError, match="`input` must be finite"):
        filtered_picture([[np.nan]], [[1]])
    assert filtered_picture(np.zeros((4, 4)), [[1]]).axes  # a response of zeros
