from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.transposed_convolution import overlaps, stamps
from cnnref.ops.transposed_convolution import conv_transpose2d
from tests.helpers.artists import assert_legible, boxes, centre, matrix

IMAGE, FILTER = np.array([[1, 2], [3, 4]]), np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]])


def test_the_cells_hold_the_computed_numbers():
    figure = stamps(IMAGE, FILTER, bias=5, stride=(2, 1), padding=((1, 0), (0, 1)))
    expected = conv_transpose2d(
        IMAGE[None], FILTER[None, None], [5], stride=(2, 1), padding=((1, 0), (0, 1))
    )
    np.testing.assert_array_equal(matrix(figure, "output"), expected[0])
    np.testing.assert_array_equal(matrix(figure, "input"), IMAGE)
    np.testing.assert_array_equal(matrix(figure, "filter"), FILTER)


def test_a_stamp_is_outlined_where_it_lands():
    figure = stamps(IMAGE, FILTER, stride=2)
    for (row, column), (x, y, width, height) in zip(
        np.ndindex(2, 2), boxes(figure, "stamp"), strict=True
    ):
        middle = (x + width / 2, y + height / 2)
        assert middle == pytest.approx(
            centre(figure, f"output[{2 * row + 1},{2 * column + 1}]"), abs=0.02
        )
        assert (width, height) == pytest.approx((3, 3), abs=0.25)
    for (row, column), (x, y, width, height) in zip(
        np.ndindex(2, 2), boxes(figure, "stamped cell"), strict=True
    ):
        middle = centre(figure, f"input[{row},{column}]")
        assert (x + width / 2, y + height / 2) == pytest.approx(middle, abs=0.02)


def test_each_stamp_has_its_own_line_shared_with_its_cell():
    patches = stamps(IMAGE, FILTER, stride=2).axes[0].patches
    lines = {
        label: [str(patch.get_linestyle()) for patch in patches if patch.get_label() == label]
        for label in ("stamp", "stamped cell")
    }
    assert lines["stamp"] == lines["stamped cell"]
    assert len(boxes(stamps(IMAGE, FILTER, at=[(1, 1)]), "stamp")) == 1


def test_a_stamp_ends_where_the_padding_cuts():
    (box,) = boxes(stamps(IMAGE, FILTER, padding=1, at=[(0, 0)]), "stamp")
    assert box[2:] == pytest.approx((2, 2), abs=0.25)


def test_overlaps_are_marked_and_empty_cells_are_hatched():
    assert len(boxes(stamps(IMAGE, FILTER, stride=2), "marked")) == 9
    figure = stamps(IMAGE, np.ones((2, 2), int), stride=2, output_padding=1)
    assert not boxes(figure, "marked")
    assert len(boxes(figure, "empty")) == 3 * 9


@pytest.mark.parametrize(("kernel", "most"), [(3, 4), (4, 16)])
def test_the_checkerboard_counts(kernel, most):
    figure = overlaps((kernel,), stride=2, input_size=3)
    ones = np.ones((1, 3, 3), int)
    expected = conv_transpose2d(ones, np.ones((1, 1, kernel, kernel), int), stride=2)[0]
    np.testing.assert_array_equal(matrix(figure, f"kernel {kernel}"), expected)
    # By hand: kernel 3 has 2×2 single cells of four stamps; kernel 4 one block of 4×4.
    assert len(boxes(figure, "marked")) == most


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="`input` must be a matrix"):
        stamps([1, 2], FILTER)
    with pytest.raises(ValueError, match="`input` is 10×2: the figure draws at most 9×9"):
        stamps(np.ones((10, 2)), FILTER)
    with pytest.raises(ValueError, match="output is 10×10"):
        stamps(IMAGE, FILTER, stride=7)
    with pytest.raises(ValueError, match="at most 4"):
        stamps(np.ones((3, 3)), FILTER, at=[(0, 0)] * 5)
    with pytest.raises(ValueError, match="must lie in the input"):
        stamps(IMAGE, FILTER, at=[(2, 0)])
    with pytest.raises(ValueError, match="at least one number"):
        overlaps(())
    with pytest.raises(ValueError, match="at most 9×9"):
        overlaps((9,))


@pytest.mark.parametrize(
    "figure",
    [
        stamps(IMAGE, FILTER, stride=2),
        stamps([[1000]], [[1, -20], [3, 4]], dilation=3),
        overlaps(),
        overlaps((2, 5), stride=3, input_size=2),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
