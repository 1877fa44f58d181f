"""The derivation of a transposed convolution: by hand, and equal to the operation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cnnref.ops.transposed_convolution import conv_transpose2d
from cnnref.worked.transposed_convolution import transposed_convolution

IMAGE, FILTER = [[[1, 2], [3, 4]]], [[[[1, 10], [100, 1000]]]]


# Computed by hand.


def test_a_stamp():
    stamp = transposed_convolution(IMAGE, FILTER).stamp(row=0, column=1)
    assert (stamp.value, stamp.top, stamp.left) == (2, 0, 1)
    assert_array_equal(stamp.product, [[2, 20], [200, 2000]])
    assert_array_equal(stamp.values, [[0, 2, 20], [0, 200, 2000], [0, 0, 0]])
    assert_array_equal(stamp.touched, [[0, 1, 1], [0, 1, 1], [0, 0, 0]])


def test_a_stamp_that_padding_cuts():
    stamp = transposed_convolution(IMAGE, FILTER, padding=((1, 0), (0, 0))).stamp(row=0, column=0)
    assert stamp.top == -1
    assert_array_equal(stamp.values, [[100, 1000, 0], [0, 0, 0]])


def test_the_cell_in_the_middle_adds_up_four_stamps():
    cell = transposed_convolution(IMAGE, FILTER, bias=[5]).cell(row=1, column=1)
    assert [each.product for each in cell.contributions] == [1000, 200, 30, 4]
    assert [each.factors for each in cell.contributions] == [(1, 1000), (2, 100), (3, 10), (4, 1)]
    assert cell.contributions[1].first == (0, 0, 0, 1)
    assert cell.contributions[1].second == (0, 0, 1, 0)
    assert (cell.bias, cell.total) == (5, 1239)


def test_dilation_and_stride_leave_cells_without_a_stamp():
    solution = transposed_convolution(IMAGE, [[[[1]]]], stride=2)
    assert solution.cell(row=0, column=1).contributions == ()
    assert solution.cell(row=0, column=1).total == 0
    assert "No stamp reaches this cell: 0" in solution.to_text()


def test_stamps_are_of_the_channel_that_their_title_names():
    filters = [[[[1, 10]], [[2, 20]]]]
    written = transposed_convolution([[[3]]], filters).to_text()
    stamps, _ = written.split("The sums")
    first, second = stamps.split("(output channel 1)")[1].split("(output channel 2)")
    assert "[ 3  30 ]" in first
    assert "[ 6  60 ]" in second


TEXT = """\
Row 2, column 2

1 · 1000 + 2 · 100 + 3 · 10 + 4 · 1 = 1000 + 200 + 30 + 4 = 1234
"""


def test_the_solution_as_text_and_markdown():
    solution = transposed_convolution(IMAGE, FILTER)
    assert TEXT in solution.to_text()
    assert str(solution) == solution.to_text()
    markdown = solution.to_markdown()
    assert "$2$ · $100$ + $3$ · $10$" in markdown
    assert r"\begin{bmatrix} 1 & 10 & \cdot \\ 100 & 1000 & \cdot \\" in markdown
    assert solution._repr_markdown_() == solution.to_markdown(grid=False)
    assert "<div" not in solution._repr_markdown_()
    assert r"\paragraph{Row 3, column 3}" in solution.to_latex()


def test_negative_factors_stand_in_brackets_and_rounding_is_owned_up_to():
    written = transposed_convolution([[[-1, 2]]], [[[[3, -4]]]], bias=[-7]).to_text()
    assert "-1 · (-4) + 2 · 3 + (-7) = 4 + 6 + (-7) = 3" in written
    assert "rounded" not in written
    written = transposed_convolution([[[1 / 3]]], [[[[1 / 3]]]]).to_text()
    assert "0.3333 · 0.3333 ≈ 0.1111" in written
    assert "rounded to 4 decimals" in written


def test_long_solutions_are_cut_short():
    written = transposed_convolution(np.ones((9, 4, 4)), np.ones((9, 2, 2, 2))).to_text()
    assert "… 272 more …" in written  # 9·16·2 stamps
    assert "… 34 more …" in written  # 2·25 cells
    assert "Input row 4, column 4 (channel 9, output channel 2)" in written
    assert len(written) < 20_000
    several = transposed_convolution(np.ones((2, 1, 1, 1)), np.ones((1, 1, 1, 1))).to_text()
    assert "(image 1)" in several
    assert "(image 2)" in several
    assert "(image 3)" not in several
    many = transposed_convolution(np.ones((9, 1, 1)), np.ones((9, 1, 1, 1))).to_text()
    assert " + ".join(["1 · 1"] * 7 + ["…", "1 · 1"]) in many


# Equal to the operation, where every axis differs.


@pytest.mark.parametrize("dtype", ["int64", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": (2, 1), "padding": ((1, 0), (0, 2)), "output_padding": (1, 0)},
        {"dilation": (1, 3), "padding": (1, 0), "stride": (1, 2), "groups": 2},
    ],
)
def test_equal_to_the_operation(options, dtype):
    groups = options.get("groups", 1)
    x = (np.arange(2 * 4 * 3 * 2) % 11 - 5).reshape(2, 4, 3, 2).astype(dtype)
    w = (np.arange(4 * 2 * 3 * 2) % 7 - 3).reshape(4, 2, 3, 2).astype(dtype)
    b = np.arange(2 * groups).astype(dtype)
    if dtype == "float32":
        x, w = x / 3, w / 3
    solution = transposed_convolution(x, w, b, **options)
    expected = conv_transpose2d(x, w, b, **options)
    assert solution.output.dtype == expected.dtype
    assert_allclose(solution.output, expected, rtol=1e-5, atol=1e-5)
    assert len(solution) == expected.size
    unbatched = transposed_convolution(x[1], w, b, **options)
    assert_array_equal(unbatched.output, solution.output[1])
    # The stamps of an output channel add up to it.
    total = np.full(expected.shape[2:], float(b[1]))
    for c in solution.channels_of(1):
        for i, j in np.ndindex(3, 2):
            total += solution.stamp(row=i, column=j, channel=c, filter=1).values
    assert_allclose(total, expected[0, 1], rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equal_to_the_operation_everywhere(data):
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    groups, generator = draw(1, 2), np.random.default_rng(draw(0, 999))
    x = generator.integers(-9, 10, (draw(1, 2), groups * draw(1, 2), draw(1, 3), draw(1, 3)))
    w = generator.integers(-9, 10, (x.shape[1], draw(1, 2), draw(1, 3), draw(1, 3)))
    stride, dilation = (draw(1, 3), draw(1, 3)), (draw(1, 2), draw(1, 2))
    extra = tuple(draw(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True))
    options = dict(stride=stride, dilation=dilation, output_padding=extra, groups=groups)
    solution = transposed_convolution(x, w, **options)
    assert_array_equal(solution.output, conv_transpose2d(x, w, **options), strict=True)


def test_indices_are_checked():
    solution = transposed_convolution(IMAGE, FILTER)
    with pytest.raises(IndexError, match=r"`row` \(3\) must be from 0 to 2"):
        solution.cell(row=3, column=0)
    with pytest.raises(IndexError, match=r"`column` \(-1\)"):
        solution.stamp(row=0, column=-1)
    with pytest.raises(TypeError, match=r"`row` \(True\) must be an integer"):
        solution.cell(row=True, column=0)
    grouped = transposed_convolution(np.ones((2, 1, 1)), np.ones((2, 1, 1, 1)), groups=2)
    with pytest.raises(ValueError, match="must be in one group"):
        grouped.stamp(row=0, column=0, channel=1, filter=0)
    with pytest.raises(ValueError, match=r"`max_terms` \(1\) must be at least 2"):
        solution.to_text(max_terms=1)
    with pytest.raises(ValueError, match=r"`max_cells` \(1\) must be at least 2"):
        solution.to_text(max_cells=1)
