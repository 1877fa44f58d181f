from __future__ import annotations

import numpy as np
import pytest

from cnnref import pad2d, same_padding
from cnnref.figures.padding import modes, same_sides
from tests.helpers.artists import assert_legible, boxes, matrix

IMAGE = np.arange(1, 10).reshape(3, 3)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_each_mode_shows_the_padded_image(mode):
    sides = ((2, 1), (0, 2))
    shown = matrix(modes(IMAGE, sides), mode)
    np.testing.assert_array_equal(shown, pad2d(IMAGE[None], sides, mode)[0])


def test_padding_cells_are_hatched_and_the_image_is_outlined():
    figure = modes(IMAGE, 2)
    assert len(boxes(figure, "padding")) == 4 * (7 * 7 - 3 * 3)
    assert len(boxes(figure, "hatch")) == 3 * 4 * (7 * 7 - 3 * 3)
    assert [box[2:] for box in boxes(figure, "image")] == [pytest.approx((3, 3))] * 4


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("extra", ["end", "start"])
@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
def test_same_sides_shows_the_padding_of_same_padding(kernel, extra, stride):
    start, end = same_padding(5, kernel, stride, extra=extra)[1]
    shown = matrix(same_sides((kernel,), 5, stride), f"kernel {kernel} {extra}")
    np.testing.assert_array_equal(shown, [[0] * start + [1, 2, 3, 4, 5] + [0] * end])


def test_an_even_kernel_has_the_odd_cell_at_the_end_or_the_start():
    figure = same_sides((4,), 5)
    np.testing.assert_array_equal(matrix(figure, "kernel 4 end"), [[0, 1, 2, 3, 4, 5, 0, 0]])
    np.testing.assert_array_equal(matrix(figure, "kernel 4 start"), [[0, 0, 1, 2, 3, 4, 5, 0]])
    assert [box[2:] for box in boxes(figure, "window")] == [pytest.approx((4, 1))] * 2


def test_pytorch_is_named_at_stride_1_only():
    words = [text.get_text() for text in same_sides((3,), 6, 2).axes[0].texts]
    assert not any("PyTorch" in text for text in words)


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="`input` must be a matrix"):
        modes([1, 2, 3])
    with pytest.raises(ValueError, match="at most 9×9"):
        modes(np.ones((6, 6)), 2)
    with pytest.raises(ValueError, match="at most 16"):
        same_sides((9,), 9)
    with pytest.raises(ValueError, match="`kernel_sizes` must hold at least one number"):
        same_sides(())


@pytest.mark.parametrize(
    "figure", [modes(IMAGE, 2), modes([[1000]], 0), same_sides((2, 3, 4)), same_sides((1,), 1, 7)]
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
