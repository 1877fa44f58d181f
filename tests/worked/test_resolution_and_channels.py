"""The derivation of space_to_depth: its data against the operation, its text against paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from cnnref.ops import resolution_and_channels as ops
from cnnref.worked.resolution_and_channels import space_to_depth

IMAGE = np.arange(1, 17).reshape(1, 4, 4)

TEXT = """\
The image is cut into blocks of 2×2 pixels. Each output channel takes one place of every block.

A dot · is a pixel that goes into another channel.

Output channel 1

Rows 1 and 3, columns 1 and 3.

  [ 1  ·   3  · ]
  [ ·  ·   ·  · ]
  [ 9  ·  11  · ]
  [ ·  ·   ·  · ]

  [ 1   3 ]
  [ 9  11 ]
"""

COUNT = """\
The count of coefficients

Height times width times channels, before:

  4 * 4 * 1 = 16

And after:

  2 * 2 * 4 = 16"""


def test_question_6_on_paper():
    written = space_to_depth(IMAGE, 2).to_text()
    assert written.startswith(TEXT)
    assert written.endswith(COUNT)


def test_where_the_pixels_come_from_by_hand():
    solution = space_to_depth(IMAGE, 2)
    assert len(solution) == 4
    assert solution.coefficients == 16
    step = solution.channel(2)
    assert (step.channel, step.source, step.row, step.column) == (2, 0, 1, 0)
    assert_array_equal(step.values, [[5, 7], [13, 15]])
    assert np.argwhere(step.picked).tolist() == [[1, 0], [1, 2], [3, 0], [3, 2]]


@settings(deadline=None)
@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_channels_are_those_of_the_operation_and_use_each_pixel_once(channels, rows, columns, r):
    shape = (channels, rows * r, columns * r)
    image = np.arange(np.prod(shape)).reshape(shape)
    solution = space_to_depth(image, r)
    assert_array_equal(solution.output, ops.space_to_depth(image, r))
    used = np.zeros(shape, int)
    for k, step in enumerate(solution):
        assert_array_equal(image[step.source][step.picked], step.values.ravel())
        assert_array_equal(step.values, solution.output[k])
        used[step.source] += step.picked
    assert (used == 1).all()
    solution.to_latex()


def test_more_channels_name_their_source():
    written = space_to_depth(np.arange(8).reshape(2, 2, 2), 2).to_text()
    assert "Output channel 6\n\nInput channel 2: row 1, column 2." in written
    assert written.endswith("2 * 2 * 2 = 8\n\nAnd after:\n\n  1 * 1 * 8 = 8")


def test_markdown_lays_the_channels_out_in_a_grid():
    solution = space_to_depth(IMAGE, 2)
    assert solution.to_markdown().count('<div class="cnnref-cell" markdown="1">') == 4
    assert "<div" not in solution._repr_markdown_()
    assert r"4 \cdot 4 \cdot 1 &= 16" in solution.to_latex()
    assert str(solution) == solution.to_text()


def test_large_images_are_cut():
    solution = space_to_depth(np.arange(3 * 24 * 24).reshape(3, 24, 24), 4)
    written = solution.to_text(max_channels=5)
    assert "… 43 more …" in written
    assert "Input channel 1: rows 1, 5, 9, … and 21, columns 2, 6, 10, … and 22." in written
    assert max(map(len, written.splitlines())) < 100


def test_a_block_of_one_pixel_moves_nothing():
    written = space_to_depth([[[1, 2]]], 1).to_text()
    assert written.startswith("Each block is one pixel: nothing moves.")
    assert "A dot" not in written


def test_rounded_numbers_say_so():
    assert "rounded to 4 decimals" in space_to_depth([[[1 / 3, 1], [1, 1]]], 2).to_text()


def test_errors():
    solution = space_to_depth(IMAGE, 2)
    for outside in (4, -1, -5):
        with pytest.raises(IndexError, match=r"must be from 0 to 3"):
            solution.channel(outside)
    with pytest.raises(TypeError, match="bool"):
        solution.channel(True)
    with pytest.raises(ValueError, match="holds 2 images, but must hold one"):
        space_to_depth(np.ones((2, 1, 4, 4)), 2)
    with pytest.raises(ValueError, match="must be divisible by `block_size`"):
        space_to_depth(IMAGE, 3)
    for limit in ({"max_size": 1}, {"max_channels": 1}):
        with pytest.raises(ValueError, match="must be at least"):
            solution.to_text(**limit)
