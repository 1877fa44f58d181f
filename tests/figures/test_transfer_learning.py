from __future__ import annotations

import pytest

from cnnref.figures.transfer_learning import swap_head
from tests.helpers.artists import assert_legible, boxes, texts


def test_the_base_is_the_same_and_the_head_is_new():
    figure = swap_head(3371008, (1000, 1281000), (4, 5124))
    assert texts(figure, "base 0") == ["base", "the same base"]
    assert texts(figure, "base 1") == ["3,371,008 parameters"] * 2
    assert texts(figure, "head 0") == ["head, 1,000 classes", "new head, 4 classes"]
    assert texts(figure, "head 1") == ["1,281,000 parameters", "5,124 parameters"]
    (above, below) = boxes(figure, "base")
    assert (above[0], *above[2:]) == pytest.approx((below[0], *below[2:]))
    assert len(boxes(figure, "arrow")) == 9  # three arrows of three lines


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="`base` \\(0\\)"):
        swap_head(0, (2, 3), (2, 3))
    with pytest.raises(TypeError, match="`new_head`"):
        swap_head(1, (2, 3), (2, 3.5))


@pytest.mark.parametrize(
    "figure",
    [swap_head(3371008, (1000, 1281000), (4, 5124)), swap_head(25557032, (21841, 99), (1, 1))],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
