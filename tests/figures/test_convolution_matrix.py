from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.convolution_matrix import im2col_product, toeplitz
from cnnref.ops.convolution import conv2d
from cnnref.ops.convolution_matrix import im2col, toeplitz_matrix
from tests.helpers.artists import assert_legible, boxes, cells, matrix

IMAGE = np.arange(1, 10).reshape(1, 3, 3)
FILTER = np.array([[[[1, 2], [3, -4]]]])
CHANNELS = np.arange(1, 9).reshape(2, 2, 2), np.array([[[[1, 0], [2, -1]], [[3, 10], [1, 1]]]])


def test_the_matrices_are_those_of_the_operations():
    figure = im2col_product(IMAGE, FILTER, at=(0, 1))
    np.testing.assert_array_equal(matrix(figure, "columns"), im2col(IMAGE, 2))
    np.testing.assert_array_equal(matrix(figure, "row"), [[1, 2, 3, -4]])
    np.testing.assert_array_equal(matrix(figure, "product"), [[-3, -1, 3, 5]])
    np.testing.assert_array_equal(matrix(figure, "output"), conv2d(IMAGE, FILTER)[0])


def test_the_window_its_column_and_its_product_are_outlined():
    figure = im2col_product(IMAGE, FILTER, at=(1, 0))
    (window,), (column,), (product,) = (
        boxes(figure, label) for label in ("window", "column", "product cell")
    )
    assert window[2:] == pytest.approx((2, 2))
    assert column[2:] == pytest.approx((1, 4))
    # The third column, directly above the third product.
    assert column[0] == product[0]
    shown = {place: text for place, text in cells(figure, "columns").items() if place[1] == 2}
    assert list(shown.values()) == ["4", "5", "7", "8"]


def test_channels_are_next_to_each_other_and_padding_is_hatched():
    x, w = CHANNELS
    figure = im2col_product(x, w, padding=(0, 1), at=(0, 2))
    np.testing.assert_array_equal(matrix(figure, "input 1"), [[0, 5, 6, 0], [0, 7, 8, 0]])
    np.testing.assert_array_equal(matrix(figure, "columns"), im2col(x, 2, padding=(0, 1)))
    # Two channels of four cells, and in the columns half of the first and of the last window.
    assert len(boxes(figure, "hatch")) == 3 * (2 * 4 + 4 + 4)
    # One filter of two channels: the output is their sum.
    np.testing.assert_array_equal(matrix(figure, "output"), conv2d(x, w, padding=(0, 1))[0])


@pytest.mark.parametrize(
    "options", [{}, dict(padding=(0, 1), stride=(1, 2)), dict(dilation=2), dict(stride=2)]
)
def test_the_toeplitz_matrix_shows_weights_and_leaves_zeros_empty(options):
    kernel = np.array([[1, 0], [-3, 12]])
    figure = toeplitz(kernel, 4, **options)
    expected = toeplitz_matrix(kernel[None, None], 4, **options)
    shown = cells(figure, "matrix")
    weights = toeplitz_matrix(np.ones((1, 1, 2, 2), int), 4, **options)
    assert set(shown) == {(row, column) for row, column in np.argwhere(weights)}
    for cell, text in shown.items():
        assert float(text.replace("\N{MINUS SIGN}", "-")) == expected[cell]
    assert len(boxes(figure, "matrix zero")) == expected.size - weights.sum()


def test_letters_and_block_borders():
    figure = toeplitz([[1, 2], [3, 4]], 3, letters=True)
    shown = cells(figure, "matrix")
    assert "".join(shown[0, column] for column in (0, 1, 3, 4)) == "abcd"
    assert "".join(shown[3, column] for column in (4, 5, 7, 8)) == "abcd"
    # Three horizontal borders around two rows of blocks, four vertical ones around three columns.
    assert len(boxes(figure, "block")) == 3 + 4


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="one image and one filter, not 2 and 1"):
        im2col_product(np.ones((2, 1, 3, 3)), FILTER)
    with pytest.raises(ValueError, match="`at` "):
        im2col_product(IMAGE, FILTER, at=(2, 0))
    with pytest.raises(ValueError, match="too many to read"):
        im2col_product(np.ones((1, 6, 6)), FILTER)
    with pytest.raises(ValueError, match="must be a matrix"):
        toeplitz(FILTER, 3)
    with pytest.raises(ValueError, match="there are 25 pixels"):
        toeplitz(FILTER[0, 0], 5)
    with pytest.raises(ValueError, match="`weight` has 30 cells"):
        toeplitz(np.ones((5, 6)), 6)


@pytest.mark.parametrize(
    "figure",
    [
        im2col_product(IMAGE, FILTER),
        im2col_product(*CHANNELS, padding=(0, 1)),
        im2col_product(np.full((1, 3, 3), 1000), FILTER, dilation=2),
        toeplitz([[1, 2], [3, 4]], 3, letters=True),
        toeplitz([[1, 2, 10], [3, -4, 5]], 4, padding=(0, 1), stride=(1, 2)),
        toeplitz([[1]], (3, 1)),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
