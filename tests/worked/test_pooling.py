"""The derivation of a pooling: its data against the operations, its text against paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from cnnref.examples import questions_image
from cnnref.ops import pooling
from cnnref.worked.pooling import avg_pool2d, max_pool2d

TEXT = """\
The largest pixel of each window is in brackets, the first one if there is a tie.

Channel 3, row 2, column 1

  [   3  3 ]
  [ (4)  4 ]

Largest: 4, first of 2"""

PADDED = """\
The largest pixel of each window is in brackets, the first one if there is a tie.

A number marked like -inf* is padding.

Row 1, column 2

  [ -inf* -inf* ]
  [ (-3)  -inf* ]

Largest: -3"""

MARKDOWN = r"""The largest pixel of each window is in brackets, the first one if there is a tie.

A number marked like $\underline{-\infty}$ is padding.

**Row 1, column 2**

$$
\begin{bmatrix} \underline{-\infty} & \underline{-\infty} \\ (-3) & \underline{-\infty} \end{bmatrix}
$$

Largest: $-3$"""  # noqa: E501

AVERAGE = """\
Padding does not count in the divisor.

A number marked like 0* is padding.

A dot · is a cell that is not read: it lies past the padding.

Row 1, column 2

  [ 0* 0* ·  ]
  [ 6  0* ·  ]
  [ 3  0* ·  ]

Sum 9, divided by 2: 4.5"""

NEGATIVES = [[[-5, -3], [-2, -9]]]


def test_question_11():
    solution = max_pool2d(questions_image(), 2)
    assert_array_equal(solution.output, [[[1, 1]] * 2, [[2, 2]] * 2, [[2] * 2, [4] * 2]])
    assert [cell.value for cell in solution] == [1] * 4 + [2] * 4 + [2, 2, 4, 4]
    assert solution.to_text([(2, 1, 0)]) == solution.to_text([(0, 2, 1, 0)]) == TEXT
    cell = solution.cell(channel=2, row=1, column=0)
    assert_array_equal(cell.window, [[3, 3], [4, 4]])
    assert (cell.winner, cell.equals, cell.value) == ((1, 0), 2, 4)


def test_padding_is_minus_infinity():
    solution = max_pool2d(NEGATIVES, 2, 2, padding=1)
    assert solution.to_text([(0, 0, 1)]) == PADDED
    assert solution.to_markdown([(0, 0, 1)], grid=False) == MARKDOWN
    cell = solution.cell(row=0, column=1)
    assert_array_equal(cell.padded, [[1, 1], [0, 1]])
    assert_array_equal(cell.read, [[0, 0], [1, 0]])


def test_an_average_past_the_padding():
    image = np.array([[[6.0, 6.0], [3.0, 3.0]]])
    solution = avg_pool2d(image, 3, 2, 1, ceil_mode=True, count_include_pad=False)
    assert_array_equal(solution.output, [[[4.5, 4.5], [3, 3]]])
    wide = avg_pool2d(np.array([[[0, 0, 6.0], [0, 0, 3.0]]]), 3, (2, 3), 1, True, False)
    assert wide.to_text([(0, 0, 1)]) == AVERAGE
    overridden = avg_pool2d(image, 2, divisor_override=3).to_text()
    assert "Sum 18, divided by 3: 6" in overridden
    assert "Every sum is divided by the same number" in overridden


def test_padding_counts_in_the_divisor_unless_it_is_told_not_to():
    image = np.array([[[6.0, 6.0], [3.0, 3.0]]])
    solution = avg_pool2d(image, 2, padding=1)
    assert_array_equal(solution.output, [[[1.5, 1.5], [0.75, 0.75]]])
    assert "Padding counts in the divisor." in solution.to_text()


def test_what_is_written_as_a_power_or_an_infinity_is_not_bracketed():
    assert (
        r"\begin{bmatrix} 1 \cdot 10^{-9} & 2 \cdot 10^{-9}"
        in max_pool2d([[[1e-9, 2e-9]]], (1, 2)).to_latex()
    )
    assert (
        "Largest: -inf, first of 2, row 1, column 1"
        in max_pool2d([[[-np.inf, -np.inf]]], (1, 2)).to_text()
    )
    assert (
        "Largest: nan, row 1, column 2 of the window\n"
        in max_pool2d([[[1, np.nan]]], (1, 2)).to_text()
    )


def test_rounded_numbers_say_so():
    written = avg_pool2d([[[1 / 3, 1 / 3, 1 / 3, 1.0]]], (1, 3), 1).to_text()
    assert "Sum ≈ 1, divided by 3: ≈ 0.3333" in written
    assert "Numbers are rounded to 4 decimals." in written
    assert "≈" not in avg_pool2d([[[0.5, 0.25]]], (1, 2)).to_text()


def test_the_whole_solution_is_printed_and_long_ones_are_cut():
    solution = max_pool2d(questions_image(), 2)
    written = solution.to_text()
    assert written.count("Largest: ") == len(solution) == 12
    assert [f"Output of channel {c}" in written for c in (1, 2, 3)] == [True] * 3
    assert solution._repr_markdown_() == solution.to_markdown(grid=False)
    assert solution.to_markdown().count('<div class="cnnref-cell"') == 12
    assert str(solution) == written
    short = solution.to_text(max_cells=3)
    assert "… 9 more cells …" in short
    assert "… 1 more cell …" in solution.to_text(max_cells=11)
    wide = max_pool2d(np.arange(81).reshape(1, 9, 9), 9).to_text(max_size=3)
    assert "(80)" in wide
    assert "⋱" in wide
    assert "Output of image 2, channel 1" in max_pool2d(np.ones((2, 2, 2, 2)), 2).to_text()


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_cells_equal_the_operations_everywhere(data):
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    kernel, stride, dilation = ((draw(1, 3), draw(1, 3)) for _ in range(3))
    padding = ((draw(0, kernel[0] // 2), 0), (0, draw(0, kernel[1] // 2)))
    ceil_mode = data.draw(st.booleans())
    size = [d * (k - 1) + 1 + draw(0, 3) for k, d in zip(kernel, dilation, strict=True)]
    generator = np.random.default_rng(draw(0, 999))
    images = generator.integers(-4, 5, (draw(1, 2), draw(1, 2), *size))
    largest = max_pool2d(images, kernel, stride, padding, dilation, ceil_mode)
    values, winners = pooling.max_pool2d(
        images, kernel, stride, padding, dilation, ceil_mode, return_indices=True
    )
    assert_array_equal(largest.output, values)
    assert_array_equal([cell.value for cell in largest], values.ravel())
    for cell, place in zip(largest, winners.ravel(), strict=True):
        row = cell.row * stride[0] - padding[0][0] + cell.winner[0]
        column = cell.column * stride[1] - padding[1][0] + cell.winner[1]
        assert place == row * size[1] + column
    include = data.draw(st.booleans())
    mean = avg_pool2d(images / 8, kernel, stride, padding, ceil_mode, include)
    expected = pooling.avg_pool2d(images / 8, kernel, stride, padding, ceil_mode, include)
    assert_array_equal([cell.value for cell in mean], expected.ravel())
    if include:
        assert [cell.divisor for cell in mean] == [(c.read | c.padded).sum() for c in mean]
    else:
        assert [cell.divisor for cell in mean] == [c.read.sum() for c in mean]


def test_errors():
    with pytest.raises(ValueError, match="`stride`"):
        max_pool2d(questions_image(), 2, 0)
    with pytest.raises(TypeError, match="need not be an integer"):
        avg_pool2d(questions_image(), 2)
    solution = max_pool2d(questions_image(), 2)
    with pytest.raises(IndexError, match=r"`channel` \(3\) must be from 0 to 2"):
        solution.cell(channel=3, row=0, column=0)
    with pytest.raises(TypeError, match="bool"):
        solution.cell(row=True, column=0)
    with pytest.raises(ValueError, match=r"\(channel, row, column\)"):
        solution.to_text([(0, 0)])
    with pytest.raises(ValueError, match="`max_size`"):
        solution.to_text(max_size=1)
