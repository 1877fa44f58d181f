from __future__ import annotations

import numpy as np
import pytest

from cnnref import pad2d
from cnnref.examples import questions_image
from cnnref.figures.dilation import dilated_window, reach
from tests.helpers.artists import assert_legible, boxes, centre, matrix

CHANNEL = questions_image()[2]


def test_question_3_reads_nine_cells_of_a_five_by_five_window():
    figure = dilated_window(CHANNEL, 3, dilation=2, padding=2, at=(3, 0))
    padded = pad2d(CHANNEL[None], 2)[0]
    np.testing.assert_array_equal(matrix(figure, "input"), padded)
    np.testing.assert_array_equal(matrix(figure, "read"), padded[3::2, 0:5:2])
    assert matrix(figure, "read").sum() == 12
    (window,) = boxes(figure, "window")
    assert window[2:] == pytest.approx((5, 5))
    assert (window[0] + 0.5, window[1] + 0.5) == pytest.approx(centre(figure, "input[3,0]"))
    rings = [(x + width / 2, y + height / 2) for x, y, width, height in boxes(figure, "read")]
    expected = [centre(figure, f"input[{r},{c}]") for r in (3, 5, 7) for c in (0, 2, 4)]
    np.testing.assert_allclose(rings, expected, atol=1e-6)


def test_axes_may_differ():
    figure = dilated_window(np.arange(30).reshape(5, 6), (2, 3), (3, 1), (1, 0), at=(1, 2))
    padded = pad2d(np.arange(30).reshape(1, 5, 6), (1, 0))[0]
    np.testing.assert_array_equal(matrix(figure, "read"), padded[[1, 4], 2:5])
    assert boxes(figure, "window")[0][2:] == pytest.approx((3, 4))


def test_reach_reads_as_many_cells_at_every_dilation():
    figure = reach(3, (1, 2, 3))
    assert [box[2] for box in boxes(figure, "window")] == pytest.approx([3, 5, 7])
    assert len(boxes(figure, "read")) == 3 * 9
    assert len(boxes(figure, "cell")) == 9 + 25 + 49


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dilated_window(CHANNEL, 3, 1, at=(2, 0)), "`at` .* which is 2×2"),
        (lambda: dilated_window(CHANNEL[0], 3, 1), "`input` must be a matrix"),
        (lambda: dilated_window(np.ones((12, 4)), 3, 1), "at most 11×11"),
        (lambda: dilated_window(CHANNEL, 3, 0), "`dilation` .* at least 1"),
        (lambda: reach(3, ()), "`dilations` must hold at least one number"),
        (lambda: reach(3, (9,)), "too wide to draw"),
    ],
)
def test_refuses_what_it_cannot_draw(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "figure",
    [
        dilated_window(CHANNEL, 3, 2, 2, at=(3, 0)),
        dilated_window(1000 * CHANNEL, 2, 1),
        reach(),
        reach(5),
        reach(1, (1, 1, 1, 1, 1, 1)),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
