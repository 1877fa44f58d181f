from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.why_pool import same_filter_sees_more
from tests.helpers.artists import assert_legible, boxes, matrix, texts


def test_the_filter_covers_more_after_each_pooling():
    figure = same_filter_sees_more(16, kernel_size=3, levels=3, pool=2)
    np.testing.assert_array_equal(matrix(figure, "pixel"), [np.arange(1, 17)])
    assert [box[2] for box in boxes(figure, "window")] == pytest.approx([3, 6, 12])
    for level, pixels in enumerate((3, 6, 12)):
        (heading,) = texts(figure, f"heading {level}")
        assert heading.endswith(f"the filter covers {pixels} pixels")
    assert len(boxes(figure, "seen 1")) == len(boxes(figure, "seen 2")) == 3
    assert len(boxes(figure, "cell 1")) == 5
    assert len(boxes(figure, "cell 2")) == 1


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="at most 16"):
        same_filter_sees_more(32)
    with pytest.raises(ValueError, match="a multiple of 4"):
        same_filter_sees_more(14)
    with pytest.raises(ValueError, match="hold 3 cells of the last map"):
        same_filter_sees_more(8)
    with pytest.raises(TypeError, match="`levels`"):
        same_filter_sees_more(levels=2.5)


@pytest.mark.parametrize(
    "figure",
    [same_filter_sees_more(), same_filter_sees_more(9, 1, 3, 3), same_filter_sees_more(4, 2, 1)],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
