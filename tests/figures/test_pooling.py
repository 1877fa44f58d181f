from __future__ import annotations

import numpy as np
import pytest

from cnnref.examples import questions_image
from cnnref.figures.pooling import max_windows, rounding
from cnnref.ops.pooling import max_pool2d
from tests.helpers.artists import assert_legible, boxes, cells, matrix, texts

NEGATIVES = [[[-5, -3, -6], [-2, -9, -4], [-1, -8, -7]]]


def test_every_window_is_outlined_and_every_winner_ringed():
    figure = max_windows(questions_image(), 2)
    for channel, expected in enumerate(max_pool2d(questions_image(), 2)):
        np.testing.assert_array_equal(matrix(figure, f"output {channel}"), expected)
        np.testing.assert_array_equal(
            matrix(figure, f"input {channel}"), questions_image()[channel]
        )
    windows = boxes(figure, "window")
    assert len(windows) == 12
    assert [box[2:] for box in windows] == [pytest.approx((2, 2))] * 12
    # Twelve windows, one ring each. The largest numbers of the last channel are in rows 2 and 4.
    rings = boxes(figure, "read")
    assert len(rings) == 12
    assert [ring[1] - rings[8][1] for ring in rings[8:]] == pytest.approx([0, 0, 2, 2])


def test_one_window_over_the_padding():
    figure = max_windows(NEGATIVES, 3, 2, 1, at=(0, 1))
    shown = cells(figure, "input 0")
    assert shown[0, 0] == "\N{MINUS SIGN}\N{INFINITY}"
    assert shown[1, 1] == "\N{MINUS SIGN}5"
    assert len(boxes(figure, "hatch")) == 3 * 16
    (window,) = boxes(figure, "window")
    assert window[2:] == pytest.approx((3, 3))
    (ring,) = boxes(figure, "read")
    # The largest number, -3, is in row 2, column 3 of the padded input: at the left of this window.
    assert ring[0] + ring[2] / 2 == pytest.approx(window[0] + 0.5)
    assert ring[1] + ring[3] / 2 == pytest.approx(window[1] + 1.5)
    assert matrix(figure, "output 0")[0, 1] == -3


def test_a_window_that_sticks_out_is_cut_at_the_input():
    figure = max_windows([[[1, 2, 3]]], (1, 2), ceil_mode=True)
    assert [box[2] for box in boxes(figure, "window")] == pytest.approx([2, 1])


def test_rounding_shows_both_the_added_and_the_dropped_window():
    figure = rounding([(5, 2, 2, 0), (5, 2, 3, 1), (5, 3, 2, 0)])
    assert len(boxes(figure, "both")) == 2 + 2 + 2
    (added,), (dropped,) = boxes(figure, "added"), boxes(figure, "dropped")
    assert added[0] == pytest.approx(0.2 + 4 + 0.06)
    assert dropped[0] == pytest.approx(0.2 + 6 + 0.06)
    assert texts(figure, "kind") == ["ceil", "dropped"]
    np.testing.assert_array_equal(matrix(figure, "line 1"), [[-np.inf, 1, 2, 3, 4, 5, -np.inf]])


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="windows overlap: choose one with `at`"):
        max_windows(NEGATIVES, 2, 1)
    with pytest.raises(ValueError, match=r"`at` \(\(2, 0\)\) must lie in the output"):
        max_windows(NEGATIVES, 2, 1, at=(2, 0))
    with pytest.raises(ValueError, match="at most 9×9"):
        max_windows(np.ones((1, 10, 4)), 2)
    with pytest.raises(ValueError, match="at most 4"):
        max_windows(np.ones((5, 4, 4)), 2)
    with pytest.raises(ValueError, match="one image"):
        max_windows(np.ones((2, 1, 4, 4)), 2)
    with pytest.raises(ValueError, match="at least one line"):
        rounding([])
    with pytest.raises(ValueError, match="at most 16"):
        rounding([(17, 2, 2, 0)])


@pytest.mark.parametrize(
    "figure",
    [
        max_windows(questions_image(), 2),
        max_windows(NEGATIVES, 3, 2, 1, at=(1, 1)),
        max_windows(np.ones((1, 6, 6)), 2, 1, 1, 2, at=(0, 0)),
        max_windows([[[1]]], 1),
        rounding([(5, 2, 2, 0), (5, 2, 3, 1), (11, 3, 4, 1)]),
        rounding([(1, 1, 1, 0)]),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
