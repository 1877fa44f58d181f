"""The derivation of a convolution: its data against conv2d, its text against what is on paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import cnnref
from cnnref import worked
from cnnref.examples import questions_filter, questions_image
from tests.helpers.arrays import arange

QUESTIONS = [
    ({}, [[45, 45], [54, 54]]),
    (
        {"padding": 1},
        [[18, 27, 27, 18], [30, 45, 45, 30], [36, 54, 54, 36], [26, 39, 39, 26]],
    ),
    ({"padding": 2, "dilation": 2}, [[20] * 4, [24] * 4, [20] * 4, [24] * 4]),
]


def question(**settings):
    return worked.convolution(questions_image(), questions_filter(), **settings)


# Computed by hand.


@pytest.mark.parametrize(("settings", "expected"), QUESTIONS)
def test_questions_1_to_3(settings, expected):
    solution = question(**settings)
    assert_array_equal(solution.output, [expected])
    totals = [cell.total for cell in solution]
    assert totals == np.ravel(expected).tolist()
    assert len(solution) == len(totals)


@pytest.mark.parametrize(
    ("settings", "sums"),
    [({"padding": 1}, [4, 8, 14]), ({"padding": 2, "dilation": 2}, [4, 8, 12])],
)
def test_bottom_row_first_cell(settings, sums):
    cell = question(**settings).cell(row=3, column=0)
    assert [step.sum for step in cell.channels] == sums
    assert cell.total == sum(sums)


def test_window_padding_and_products():
    step = question(padding=1).cell(row=3, column=0).channels[2]
    assert_array_equal(step.window, [[0, 3, 3], [0, 4, 4], [0, 0, 0]])
    assert_array_equal(step.padded, [[1, 0, 0], [1, 0, 0], [1, 1, 1]])
    assert_array_equal(step.products, step.window)
    assert step.read.all()
    assert step.channel == 2


def test_dilated_window_reaches_five_and_reads_nine():
    step = question(padding=2, dilation=2).cell(row=3, column=0).channels[2]
    # Rows 2, 3, 4 of the image and two of padding; columns: two of padding and 1, 2, 3.
    assert_array_equal(
        step.window,
        [[0, 0, 2, 2, 2], [0, 0, 3, 3, 3], [0, 0, 4, 4, 4], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
    )
    assert step.read.sum() == 9
    assert_array_equal(step.products, [[0, 2, 2], [0, 4, 4], [0, 0, 0]])


def test_groups_name_the_channels_they_read():
    images = np.arange(4).reshape(4, 1, 1)
    weight = np.array([[10, 1], [100, 1]]).reshape(2, 2, 1, 1)
    solution = worked.convolution(images, weight, groups=2)
    cell = solution.cell(row=0, column=0, filter=1)
    assert [step.channel for step in cell.channels] == [2, 3]
    assert [step.sum for step in cell.channels] == [200, 3]
    assert "channel 3" in solution.to_text(cells=[(1, 0, 0)])


TEXT = """\
Every weight is 1, so each product is the window cell itself.

A number marked like 0* is padding.

Row 4, column 1

  channel 1
  [ 0* 1  1  ]
  [ 0* 1  1  ]   sum      4
  [ 0* 0* 0* ]

  channel 2
  [ 0* 2  2  ]
  [ 0* 2  2  ]   sum      8
  [ 0* 0* 0* ]

  channel 3
  [ 0* 3  3  ]
  [ 0* 4  4  ]   sum     14
  [ 0* 0* 0* ]
                 ----------
                 total   26"""

FORMULA = r"""\begin{array}{lrr}
\text{channel 1} & & \\
\begin{bmatrix} \underline{0} & 1 & 1 \\ \underline{0} & 1 & 1 \\ \underline{0} & \underline{0} & \underline{0} \end{bmatrix} & \text{sum} & 4 \\
& & \\[-0.8em]
\text{channel 2} & & \\
\begin{bmatrix} \underline{0} & 2 & 2 \\ \underline{0} & 2 & 2 \\ \underline{0} & \underline{0} & \underline{0} \end{bmatrix} & \text{sum} & 8 \\
& & \\[-0.8em]
\text{channel 3} & & \\
\begin{bmatrix} \underline{0} & 3 & 3 \\ \underline{0} & 4 & 4 \\ \underline{0} & \underline{0} & \underline{0} \end{bmatrix} & \text{sum} & 14 \\
& & \\[-0.8em]
\hline
& \text{total} & 26
\end{array}"""  # noqa: E501

LATEX = rf"""Every weight is 1, so each product is the window cell itself.

A number marked like $\underline{{0}}$ is padding.

\paragraph{{Row 4, column 1}}
\[
{FORMULA}
\]"""

PLAIN = rf"""Every weight is 1, so each product is the window cell itself.

A number marked like $\underline{{0}}$ is padding.

**Row 4, column 1**

$$
{FORMULA}
$$"""

_LEGEND, _CARD = PLAIN.split("**Row")
GRID = (
    f'{_LEGEND}<div class="cnnref-cells" markdown="1">\n\n'
    f'<div class="cnnref-cell" markdown="1">\n\n**Row{_CARD}\n\n</div>\n\n</div>'
)


def test_one_cell_in_full():
    solution, cells = question(padding=1), [(0, 3, 0)]
    assert solution.to_text(cells) == TEXT
    assert solution.to_latex(cells) == LATEX
    assert solution.to_markdown(cells, grid=False) == PLAIN
    assert solution.to_markdown(cells) == GRID
    assert solution.to_markdown(cells=[(0, 0, 3, 0)]) == GRID


def test_dilated_cell_as_text():
    written = question(padding=2, dilation=2).to_text([(0, 3, 0)])
    assert "A dot · is a cell that the dilated filter does not read." in written
    assert (
        """\
  channel 3
  [ 0* ·  2  ·  2  ]
  [ ·  ·  ·  ·  ·  ]
  [ 0* ·  4  ·  4  ]   sum     12
  [ ·  ·  ·  ·  ·  ]
  [ 0* ·  0* ·  0* ]
                       ----------
                       total   24"""
        in written
    )


def test_products_bias_and_signs_as_text():
    image = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
    written = worked.convolution(image, [[[[1, 0], [-2, 10]]]], bias=[-100]).to_text([(0, 1, 0)])
    assert (
        """\
  [ 4  5 ]   [  1   0 ]   [   4   0 ]
  [ 7  8 ] ⊙ [ -2  10 ] = [ -14  80 ]   sum       70

                                        bias    -100
                                        ------------
                                        total    -30"""
        in written
    )


@pytest.mark.parametrize(("settings", "expected"), QUESTIONS)
def test_the_whole_solution_is_printed(settings, expected):
    solution = question(**settings)
    rows, columns = np.shape(expected)
    for written in (solution.to_text(), solution.to_latex(), solution.to_markdown()):
        assert written.count("channel 2") == rows * columns
        assert f"Row {rows}, column {columns}" in written
    closing = solution.to_text().split("Output\n\n")[1]
    assert closing.replace("[", "").replace("]", "").split() == [str(x) for x in np.ravel(expected)]
    assert solution._repr_markdown_() == solution.to_markdown(grid=False)
    assert "<div" not in solution._repr_markdown_()
    assert str(solution) == solution.to_text()


def test_products_as_latex_stand_under_their_window():
    image = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
    tex = worked.convolution(image, [[[[1, 0, -1]] * 3]], bias=[-100]).to_latex([(0, 0, 0)])
    assert (
        r"""\text{channel 1} & & \\
\phantom{\odot} \begin{bmatrix} 1 & 2 & 3 \\ 4 & 5 & 6 \\ 7 & 8 & 9 \end{bmatrix} & & \\
& & \\[-0.8em]
\odot \begin{bmatrix} 1 & 0 & -1 \\ 1 & 0 & -1 \\ 1 & 0 & -1 \end{bmatrix} & & \\
& & \\[-0.8em]
= \begin{bmatrix} 1 & 0 & -3 \\ 4 & 0 & -6 \\ 7 & 0 & -9 \end{bmatrix} & \text{sum} & -6 \\
& & \\[-0.8em]
& \text{bias} & -100 \\
& & \\[-0.8em]
\hline
& \text{total} & -106"""
        in tex
    )


# Equal to the operations, where every axis differs.


def check(solution, *operands, exact, **settings):
    expected = cnnref.conv2d(*operands, **settings)
    loops = cnnref.conv2d_loops(*operands, **settings)
    compare = assert_array_equal if exact else assert_allclose
    tolerance = {} if exact else {"rtol": 1e-5, "atol": 1e-5}
    assert solution.output.dtype == expected.dtype
    compare(solution.output, expected, **tolerance)
    compare(solution.output, loops, **tolerance)
    totals = np.array([cell.total for cell in solution]).reshape(expected.shape)
    assert_array_equal(totals, solution.output)  # the same windows, added in the same order
    for cell in solution:
        for step in cell.channels:
            cells_read = step.window[step.read].reshape(step.weight.shape)
            assert_array_equal(step.products, cells_read * step.weight)
            assert step.window.shape == step.padded.shape == step.read.shape
            if settings.get("padding_mode", "constant") == "constant":
                assert not step.window[step.padded].any()


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stride": (2, 1), "padding": ((1, 0), (2, 1))},
        {"dilation": (1, 3), "padding": (1, 0), "stride": (1, 2)},
        {"dilation": (2, 1), "padding": "same"},
    ],
)
@pytest.mark.parametrize("groups", [1, 2])
def test_equal_to_conv2d(dtype, settings, groups):
    images, weight = (
        arange((2, 4, 6, 5), dtype, divisor=3),
        arange((6, 4 // groups, 3, 2), dtype, -3, divisor=3),
    )
    bias = arange((6,), dtype, 1, divisor=3)
    solution = worked.convolution(images, weight, bias, groups=groups, **settings)
    check(solution, images, weight, bias, exact=dtype == "int64", groups=groups, **settings)
    assert solution.batched
    unbatched = worked.convolution(images[1], weight, bias, groups=groups, **settings)
    assert_array_equal(unbatched.output, solution.output[1])


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes(mode):
    images, weight = arange((2, 3, 5, 4), "int64"), arange((2, 3, 3, 2), "int64", -3)
    sides = ((2, 1), (0, 3))
    solution = worked.convolution(images, weight, padding=sides, stride=(2, 1), padding_mode=mode)
    expected = cnnref.conv2d(cnnref.pad2d(images, sides, mode=mode), weight, stride=(2, 1))
    assert_array_equal(solution.output, expected)
    assert [cell.total for cell in solution] == expected.ravel().tolist()
    corner = solution.cell(row=0, column=0).channels[0]
    assert_array_equal(corner.padded, [[1, 1], [1, 1], [0, 0]])
    assert f"A number marked like a* is padding (mode {mode}).\n" in solution.to_text(max_cells=2)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equal_to_conv2d_everywhere(data):
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    groups = draw(1, 2)
    kernel, dilation, stride = ((draw(1, 3), draw(1, 3)) for _ in range(3))
    padding = ((draw(0, 2), draw(0, 2)), (draw(0, 2), draw(0, 2)))
    size = [
        max(1, d * (k - 1) + 1 - sum(p)) + draw(0, 3)
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    seed = np.random.default_rng(draw(0, 1000))
    images = seed.integers(-9, 10, (draw(1, 2), groups * draw(1, 2), *size))
    weight = seed.integers(-9, 10, (groups * draw(1, 2), images.shape[1] // groups, *kernel))
    bias = seed.integers(-9, 10, len(weight)) if draw(0, 1) else None
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    solution = worked.convolution(images, weight, bias, **settings)
    check(solution, images, weight, bias, exact=True, **settings)
    last = tuple(i - 1 for i in solution.shape)
    for written in (solution.to_text([last]), solution.to_latex([last])):
        total = next(line for line in written.splitlines() if "total" in line).split()[-1]
        assert int(total) == solution.output[last]


# Large inputs.


def test_cells_are_left_out_but_counted():
    solution = worked.convolution(np.ones((1, 9, 9), int), np.ones((2, 1, 2, 2), int))
    written = solution.to_text(max_cells=5)
    titles = [line for line in written.splitlines() if line.startswith("Filter")]
    assert titles == [f"Filter 1, row 1, column {i}" for i in range(1, 5)] + [
        "Filter 2, row 8, column 8"
    ]
    assert "… 123 more cells …" in written  # 2·8·8 − 5


def test_nothing_is_left_out_at_the_limit():
    solution = question(padding=1)
    assert "more" not in solution.to_text(max_cells=16)
    assert "… 1 more cell …" in solution.to_text(max_cells=15)
    assert (
        worked.convolution(np.ones((1, 5, 5)), np.ones((1, 1, 1, 1))).to_text().count("Row ") == 16
    )


def test_matrices_and_channels_are_elided():
    images = np.arange(6 * 81).reshape(6, 9, 9)
    solution = worked.convolution(images, np.ones((1, 6, 9, 9), int), bias=[5])
    written = solution.to_text(max_size=3, max_channels=3)
    assert "  [  0   1  ⋯   8 ]\n  [  9  10  ⋯  17 ]\n  [  ⋮   ⋮  ⋱   ⋮ ]" in written
    cell = solution.cell(row=0, column=0)
    left_out = sum(step.sum for step in cell.channels[2:5])
    line = next(line for line in written.splitlines() if "channels 3 to 5" in line)
    assert line.split()[-2:] == ["sum", str(left_out)]
    assert "≈" not in written
    tex = solution.to_latex(max_size=3)
    assert all(dots in tex for dots in (r"\cdots", r"\vdots", r"\ddots"))
    tex = solution.to_latex(max_size=3, max_channels=3)
    assert rf"\text{{channels 3 to 5}} & \text{{sum}} & {left_out} \\" in tex


def test_a_large_input_costs_nothing_before_it_is_asked():
    images = np.broadcast_to(np.float32(1), (64, 500, 500))
    solution = worked.convolution(images, np.ones((64, 64, 3, 3), np.float32))
    cell = solution.cell(filter=63, row=497, column=497)
    assert cell.total == 576
    assert "output" not in vars(solution)  # nothing but the one cell was computed


# Floats.


def test_a_sum_that_does_not_add_up_as_shown_says_so():
    third = worked.convolution(np.full((1, 1, 3), 1 / 3), np.ones((1, 1, 1, 3)))
    written = third.to_text()
    assert "[ 0.3333  0.3333  0.3333 ]   sum ≈   1" in written
    assert "Numbers are rounded to 4 decimals; the sign ≈" in written
    assert r"\text{sum} \approx & 1" in third.to_latex()
    tenths = worked.convolution([[[0.1, 0.2]]], [[[[1.0, 1.0]]]]).to_text()
    assert "[ 0.1  0.2 ]   sum     0.3" in tenths
    assert "sum ≈" not in tenths


def test_a_rounded_product_says_so():
    written = worked.convolution([[[0.001, 1.0]]], [[[[0.01, 0.33337]]]]).to_text()
    assert "[ 0.001  1 ] ⊙ [ 0.01  0.3334 ] = [ 1e-5  0.3334 ]" in written
    written = worked.convolution([[[3.0]]], [[[[0.33337]]]]).to_text()
    assert "[ 3 ] ⊙ [ 0.3334 ] ≈ [ 1.0001 ]" in written


def test_totals_of_rounded_sums():
    images = np.full((2, 1, 1), 0.00125)
    written = worked.convolution(images * 1.03, np.ones((1, 2, 1, 1))).to_text()
    # 0.0012875 twice: shown 0.0013 + 0.0013, but 0.002575 shows as 0.0026: adds up as shown.
    assert "total   0.0026" in written
    written = worked.convolution(images, np.ones((1, 2, 1, 1))).to_text()
    assert "total ≈   0.0025" in written  # 0.0013 + 0.0013 or 0.0012 + 0.0012: either way


# Errors.


def test_errors_come_from_the_shared_check():
    for bad in ({"groups": 2}, {"stride": 0}, {"stride": True}, {"padding": "full"}):
        with pytest.raises((TypeError, ValueError)) as expected:
            cnnref.conv2d(questions_image(), questions_filter(), **bad)
        with pytest.raises(expected.type) as raised:
            question(**bad)
        assert str(raised.value) == str(expected.value)
    with pytest.raises(ValueError, match="`mode`"):
        question(padding=1, padding_mode="mirror")


def test_cells_outside_are_refused():
    solution = question()
    with pytest.raises(IndexError, match=r"`row` \(2\) must be from 0 to 1"):
        solution.cell(row=2, column=0)
    with pytest.raises(IndexError, match="column"):
        solution.to_text(cells=[(0, 0, -1)])
    with pytest.raises(TypeError, match="bool"):
        solution.cell(row=True, column=0)
    with pytest.raises(TypeError):
        solution.cell(row=0.5, column=0)
    with pytest.raises(ValueError, match=r"\(filter, row, column\)"):
        solution.to_text(cells=[(0, 0)])
    for limit in ({"max_cells": 1}, {"max_size": 1}, {"max_channels": 1}):
        with pytest.raises(ValueError, match="must be at least"):
            solution.to_text(**limit)
    for limit in ({"max_cells": "a"}, {"max_size": 2.0}, {"max_channels": True}):
        with pytest.raises(TypeError, match=f"`{next(iter(limit))}` "):
            solution.to_text(**limit)
