"""The derivation of a convolution as a matrix: its data against conv2d, its text against paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import cnnref
from cnnref.worked.convolution_matrix import convolution_matrix

IMAGE, FILTER = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], [[[[1, 2], [3, -4]]]]

TEXT = """\
Windows as columns

Each of the 4 windows, read row by row, is a column:

  [ 1  2  4  5 ]
  [ 2  3  5  6 ]
  [ 4  5  7  8 ]
  [ 5  6  8  9 ]

The filter, read row by row, is a row:

  [ 1  2  3  -4 ]

Row times columns, one dot product a cell:

  [ -3  -1  3  5 ]

  first cell = 1 * 1 + 2 * 2 + 3 * 4 - 4 * 5
             = - 3

The product, written as 2×2, is the output of the filter:

  [ -3  -1 ]
  [  3   5 ]

The whole convolution as one matrix

The image, read row by row, is a vector x; written here as a row:

  [ 1  2  3  4  5  6  7  8  9 ]

The matrix T has a row for each output cell and a column for each pixel. \
A dot · is a zero that no weight can change:

  [ 1  2  ·  3  -4   ·  ·   ·   · ]
  [ ·  1  2  ·   3  -4  ·   ·   · ]
  [ ·  ·  ·  1   2   ·  3  -4   · ]
  [ ·  ·  ·  ·   1   2  ·   3  -4 ]

T times x, written as a row, is the output again:

  [ -3  -1  3  5 ]"""


def test_the_whole_solution_by_hand():
    solution = convolution_matrix(IMAGE, FILTER)
    assert solution.to_text() == TEXT
    assert str(solution) == TEXT
    assert_array_equal(solution.output, [[[-3, -1], [3, 5]]])
    assert_array_equal(solution.columns[:, 2], [4, 5, 7, 8])
    for written in (solution.to_latex(), solution.to_markdown(), solution._repr_markdown_()):
        assert r"\text{first cell} &= 1 \cdot 1 + 2 \cdot 2 + 3 \cdot 4 - 4 \cdot 5" in written
        assert r"\begin{bmatrix} 1 & 2 & \cdot & 3 & -4 & \cdot" in written


def test_the_first_dot_product_is_of_the_first_filter():
    written = convolution_matrix(IMAGE, [*FILTER, [[[5, 0], [0, 0]]]]).to_text()
    assert "first cell = 1 * 1 + 2 * 2 + 3 * 4 - 4 * 5" in written


def test_channels_filters_and_padding():
    image, weight = np.arange(1, 9).reshape(2, 2, 2), np.arange(8).reshape(2, 2, 1, 2)
    solution = convolution_matrix(image, weight, padding=(0, 1))
    assert_array_equal(solution.is_padding[:2], [[1, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 1]])
    written = solution.to_text()
    assert "read channel by channel, row by row" in written
    assert "A number marked like 0* is padding." in written
    assert "Each filter" in written
    assert "Row 2 of the product, written as 2×3, is the output of this filter:" in written
    # A weight of zero is a number of the matrix, not a gap in it.
    assert "[ 0 " in written.split("The matrix T")[1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_both_products_equal_conv2d(data):
    pair = lambda low, high: (data.draw(st.integers(low, high)), data.draw(st.integers(low, high)))  # noqa: E731
    kernel, options = pair(1, 3), dict(stride=pair(1, 3), padding=pair(0, 2), dilation=pair(1, 2))
    size = [d * (k - 1) + 1 + extra for k, d, extra in zip(
        kernel, options["dilation"], pair(0, 3), strict=True)]  # fmt: skip
    generator = np.random.default_rng(data.draw(st.integers(0, 999)))
    channels, filters = pair(1, 3)
    x = generator.integers(-9, 10, (channels, *size))
    w = generator.integers(-9, 10, (filters, channels, *kernel))
    solution, expected = convolution_matrix(x, w, **options), cnnref.conv2d(x, w, **options)
    assert_array_equal(solution.output, expected)
    assert_array_equal(solution.matrix @ x.ravel(), expected.ravel())
    assert not solution.columns[solution.is_padding].any()
    assert not solution.matrix[~solution.is_weight].any()
    total = solution.to_text().split("first cell")[1].split("\n\n")[0].splitlines()[-1]
    assert int(total.split("=")[1].replace(" ", "")) == expected.flat[0]


@pytest.mark.parametrize(("weight", "first"), [(-1, "- 1 * 1 = - 1"), (0, "0 * 1 = 0")])
def test_a_small_sum_has_its_sign(weight, first):
    written = convolution_matrix([[[1]]], [[[[weight]]]]).to_text()
    equation = written.split("first cell")[1].split("\n\n")[0]
    assert " ".join(equation.split()) == f"= {first}"


def test_rounded_numbers_are_said_to_be():
    written = convolution_matrix([[[1 / 3, 1.0]]], [[[[1.0, 1.0]]]]).to_text()
    assert "Numbers are rounded to 4 decimals." in written
    assert "first cell" not in written


def test_a_sum_with_a_rounded_number_that_is_cut_out_is_not_written():
    # The matrix shows the first rows and the last; the equation would show them all.
    x = np.array([[[1.0, 1 / 3, 1 / 3, 1 / 3, 1.0]]])
    written = convolution_matrix(x, np.array([[[[1.0, 3.0, 0.0, 0.0, 1.0]]]])).to_text(max_size=2)
    assert "0.3333" not in written.split("The whole convolution")[0]
    assert "first cell" not in written


def test_large_matrices_are_cut():
    written = convolution_matrix(np.ones((1, 6, 6), int), FILTER).to_text(max_size=4)
    assert "⋯" in written
    rows = [line for line in written.splitlines() if line.startswith("  [")]
    assert max(len(line.strip(" []").split()) for line in rows) == 5  # four numbers and a gap
    with pytest.raises(ValueError, match="`max_size` "):
        convolution_matrix(IMAGE, FILTER).to_text(max_size=1)


def test_refuses_a_batch_and_what_conv2d_refuses():
    with pytest.raises(ValueError, match="holds 2 images, but must hold one"):
        convolution_matrix(np.ones((2, 1, 3, 3)), FILTER)
    with pytest.raises(ValueError, match="the window reaches 2"):
        convolution_matrix(np.ones((1, 1, 1)), FILTER)
