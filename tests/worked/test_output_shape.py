"""The derivation of an output shape: literals, and the operations it must agree with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import cnnref
from cnnref import worked
from tests.helpers.refusals import refused


def test_question_7():
    solution = worked.output_shape((32, 128, 128), (16, 32, 3, 3))
    assert (solution.height, solution.width, solution.depth) == (126, 126, 16)
    assert solution.shape == (16, 126, 126)
    assert solution.unread_rows == solution.unread_columns == ()
    assert solution.unread_sentences() == ("Every row and every column is read by some window.",)


def test_question_8():
    solution = worked.output_shape((32, 128, 128), (16, 32, 3, 3), stride=2)
    assert (solution.height, solution.width, solution.depth) == (63, 63, 16)
    assert solution.unread_rows == solution.unread_columns == (127,)
    assert (solution.vertical.numerator, solution.vertical.quotient) == (125, 62)
    assert solution.vertical.remainder == 1
    assert (
        solution.to_text()
        == """\
Along each axis, with input size n, padding p on each side, filter size k and stride s, the \
output size is

  o = floor((n + 2 * p - k) / s) + 1

Height

  h = floor((128 + 2 * 0 - 3) / 2) + 1
    = floor(125 / 2) + 1
    = floor(62.5) + 1
    = 62 + 1
    = 63

Width

  w = floor((128 + 2 * 0 - 3) / 2) + 1
    = floor(125 / 2) + 1
    = floor(62.5) + 1
    = 62 + 1
    = 63

The depth is the number of filters: 16 filters give 16 output channels. \
Each filter reads all 32 input channels.

The output is 63×63×16 (height × width × depth).

The last row, row 128, is read by no window.

The last column, column 128, is read by no window."""
    )


def test_formula_as_latex():
    markdown = worked.output_shape((1, 9, 5), (1, 1, 3, 2), (4, 2), ((1, 0), (2, 1))).to_markdown()
    assert (
        r"""\begin{aligned}
w &= \left\lfloor \frac{5 + 2 + 1 - 2}{2} \right\rfloor + 1 \\
&= \left\lfloor \frac{6}{2} \right\rfloor + 1 \\
&= \left\lfloor 3 \right\rfloor + 1 \\
&= 3 + 1 \\
&= 4
\end{aligned}"""
        in markdown
    )
    assert r"\lfloor 1.75 \right" in markdown


def test_the_formula_shows_only_the_terms_it_needs():
    def written(**arguments):
        text = worked.output_shape((1, 9, 7), (1, 1, 3, 3), **arguments).to_text()
        return text.split("  o = ")[1].split("\n")[0], text.split("  h = ")[1].split("\n")[0]

    # Both forms give the height: (9 + 2 - 3) / 2 + 1 = 5, and (9 + 4 - 4 - 1) / 2 + 1 = 5.
    assert written(padding=1, stride=2) == (
        "floor((n + 2 * p - k) / s) + 1", "floor((9 + 2 * 1 - 3) / 2) + 1",
    )  # fmt: skip
    assert written(padding=2, stride=2, dilation=2) == (
        "floor((n + 2 * p - d * (k - 1) - 1) / s) + 1",
        "floor((9 + 2 * 2 - 2 * (3 - 1) - 1) / 2) + 1",
    )
    assert written(padding=((1, 1), (0, 1)))[0] == "floor((n + p1 + p2 - k) / s) + 1"
    assert written(padding=((0, 1), (0, 1)), dilation=(2, 1))[0] == (
        "floor((n + p1 + p2 - d * (k - 1) - 1) / s) + 1"
    )


def test_a_fraction_that_goes_on_is_cut_off_with_dots():
    solution = worked.output_shape((1, 128, 128), (1, 1, 3, 3), stride=3)
    assert "floor(41.66…) + 1\n    = 41 + 1" in solution.to_text()
    assert r"\lfloor 41.66\ldots \right" in solution.to_latex()


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (
            {"stride": (3, 1)},  # rows 1, 4, 7, 10 of ten
            ("Rows 2, 3, 5, 6, 8 and 9 lie in the gaps between the rows that windows read.",
             "Every column is read by some window."),
        ),
        (
            {"stride": (4, 1)},  # rows 1, 5, 9 of ten
            ("Rows 2, 3, 4, 6, 7 and 8 lie in the gaps between the rows that windows read.",
             "The last row, row 10, is read by no window.",
             "Every column is read by some window."),
        ),
        (
            {"stride": (7, 1)},
            ("Rows 2, 3, 4, 5, 6 and 7 lie in the gaps between the rows that windows read.",
             "The last 2 rows, 9 and 10, are read by no window.",
             "Every column is read by some window."),
        ),
        (
            {"stride": (1, 4), "padding": (0, 1)},  # columns 0 (padding), 4, 8 (padding) of seven
            ("Every row is read by some window.",
             "Columns 1, 2, 3, 5, 6 and 7 lie in the gaps between the columns that windows read."),
        ),
        (
            {"stride": (1, 4), "padding": ((0, 0), (0, 1))},  # columns 1, 5; then 9
            ("Every row is read by some window.",
             "The one column of padding on the right is read by no window.",
             "Columns 2, 3 and 4 lie in the gaps between the columns that windows read.",
             "The last 2 columns, 6 and 7, are read by no window."),
        ),
        (
            {"stride": (12, 1), "padding": ((3, 2), (0, 0))},  # padding 1 above, row 10
            ("Of the 3 rows of padding above, 2 are read by no window.",
             "The 2 rows of padding below are read by no window.",
             "Rows 1, 2, 3, 4, 5, 6, 7, …, 9 (9 in all) lie in the gaps between the rows that "
             "windows read.",
             "Every column is read by some window."),
        ),
    ],
)  # fmt: skip
def test_what_no_window_reads_in_words(arguments, sentences):
    solution = worked.output_shape((1, 10, 7), (1, 1, 1, 1), **arguments)
    assert solution.unread_sentences() == sentences


def test_a_single_row_in_a_gap_is_named_in_the_singular():
    solution = worked.output_shape((1, 3, 1), (1, 1, 1, 1), stride=(2, 1))
    assert solution.unread_sentences()[0].startswith("Row 2 lies in the gaps between the rows")


def test_depth_and_groups_in_words():
    written = worked.output_shape((6, 4, 4), (9, 2, 3, 3), groups=3).to_text()
    assert "9 filters give 9 output channels. Each filter reads 2 of the 6 input" in written
    written = worked.output_shape((1, 4, 4), (1, 1, 3, 3)).to_text()
    assert "1 filter gives 1 output channel. Each filter reads the one input channel." in written


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_agrees_with_the_operations(data):
    pair = lambda low, high: (  # noqa: E731
        data.draw(st.integers(low, high)), data.draw(st.integers(low, high))
    )  # fmt: skip
    kernel, stride, dilation = pair(1, 3), pair(1, 5), pair(1, 3)
    padding = pair(0, 3), pair(0, 3)
    more = pair(0, 6)
    size = tuple(max(1, d * (k - 1) + 1 - sum(p)) + m
                 for k, d, p, m in zip(kernel, dilation, padding, more, strict=True))  # fmt: skip
    solution = worked.output_shape((2, *size), (3, 2, *kernel), stride, padding, dilation)
    output = cnnref.conv2d(np.zeros((2, *size)), np.zeros((3, 2, *kernel)), None, stride, padding,
                           dilation)  # fmt: skip
    assert solution.shape == output.shape
    unread = np.zeros(size, dtype=bool)
    unread[list(solution.unread_rows), :] = True
    unread[:, list(solution.unread_columns)] = True
    assert_array_equal(unread, cnnref.unread_pixels(size, kernel, stride, padding, dilation))
    # Unread padding is checked by giving the padding as pixels of the input.
    padded = tuple(n + sum(p) for n, p in zip(size, padding, strict=True))
    whole = worked.output_shape((2, *padded), (3, 2, *kernel), stride, 0, dilation)
    for one, other, (before, after), n in zip(
        (solution.vertical, solution.horizontal), (whole.vertical, whole.horizontal), padding, size,
        strict=True,
    ):  # fmt: skip
        assert one.numerator == one.quotient * one.stride + one.remainder
        expected = other.unread
        assert one.unread_before == tuple(i for i in expected if i < before)
        assert one.unread_after == tuple(i - before - n for i in expected if i >= before + n)
        assert len(one.unread_after) <= after
    assert f"= {solution.height}\n" in solution.to_text()
    assert f"&= {solution.width}\n" in solution._repr_markdown_()


def test_errors_come_from_the_shared_check():
    with pytest.raises(ValueError, match="divisible"):
        worked.output_shape((3, 4, 4), (2, 1, 3, 3), groups=2)
    with pytest.raises(ValueError, match="reaches 3 pixels in height"):
        worked.output_shape((1, 2, 4), (1, 1, 3, 3))
    with pytest.raises(ValueError, match=r"`input_shape` .* must be"):
        worked.output_shape((4, 4), (1, 1, 3, 3))
    with pytest.raises(TypeError, match="input_shape"):
        worked.output_shape((1, 4.0, 4), (1, 1, 3, 3))


def test_a_large_shape_takes_no_memory():
    solution = worked.output_shape((10**4, 10**5, 10**5), (10**4, 10**4, 3, 3), stride=2)
    assert solution.height == 49_999


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 6),
    st.integers(1, 5),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.integers(1, 4),
)
def test_what_is_unread_equals_a_loop_over_all_windows(size, kernel, stride, sides, dilation):
    before, after = sides
    total = before + size + after
    assume(dilation * (kernel - 1) + 1 <= total)
    solution = worked.output_shape(
        (1, 1, size), (1, 1, 1, kernel), (1, stride), ((0, 0), sides), (1, dilation)
    )
    read = {
        start * stride + tap * dilation for start in range(solution.width) for tap in range(kernel)
    }
    unread = [place for place in range(total) if place not in read]
    assert list(solution.horizontal.unread_before) == [i for i in unread if i < before]
    assert list(solution.unread_columns) == [i - before for i in unread if 0 <= i - before < size]
    assert list(solution.horizontal.unread_after) == [
        i - before - size for i in unread if i >= before + size
    ]


def test_sizes_that_no_derivation_could_list_are_refused():
    longest = 2**20
    assert worked.output_shape((1, longest, 5), (1, 1, 2**19, 3)).height == 2**19 + 1
    many = worked.output_shape((1, longest, 5), (1, 1, 1, 3), (2**9, 1))
    assert len(many.unread_rows) == longest - 2**11
    assert many.unread_sentences()[-2].startswith("The last 511 rows, ")
    with refused(ValueError, "input_shape", "1048577 in height", "at most 1048576"):
        worked.output_shape((1, longest + 1, 5), (1, 1, 3, 3))
    with refused(ValueError, "input_shape", "5 in width, with `padding` 1048577"):
        worked.output_shape((1, 5, 5), (1, 1, 3, 3), padding=((0, 0), (0, longest - 4)))
