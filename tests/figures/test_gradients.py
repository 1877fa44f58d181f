from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.gradients import gradient_to_input, gradient_to_weight
from cnnref.ops.gradients import conv2d_input_grad, conv2d_weight_grad
from tests.helpers.artists import assert_legible, boxes, centre, matrix

IMAGE = np.arange(1, 10).reshape(3, 3)
FILTER, GRAD = np.array([[1, 2], [3, 4]]), np.array([[1, 0], [-1, 2]])


def correlated(left, middle, at):
    """Return the sum of products of the window at a place of the left matrix."""
    rows, columns = middle.shape
    return (left[at[0] : at[0] + rows, at[1] : at[1] + columns] * middle).sum()


@pytest.mark.parametrize(
    ("stride", "size"), [(1, None), (2, None), (2, (5, 5)), (3, (6, 7)), (1, (3, 3))]
)
def test_every_cell_of_the_input_gradient_is_what_is_drawn(stride, size):
    figure = gradient_to_input(FILTER, GRAD, stride, size)
    shown, flipped, result = (matrix(figure, name) for name in ("read", "sliding", "result"))
    np.testing.assert_array_equal(flipped, FILTER[::-1, ::-1])
    expected = conv2d_input_grad((1, *result.shape), FILTER[None, None], GRAD[None], stride)[0]
    np.testing.assert_array_equal(result, expected)
    for at in np.ndindex(*result.shape):
        assert correlated(shown, flipped, at) == result[at]


def test_zeros_put_in_are_hatched():
    assert len(boxes(gradient_to_input(FILTER, GRAD), "hatch")) == 3 * (16 - 4)
    assert len(boxes(gradient_to_input(FILTER, GRAD, 2), "hatch")) == 3 * (25 - 4)


def test_the_weight_gradient_is_the_input_read_by_the_output_gradient():
    figure = gradient_to_weight(IMAGE, GRAD, at=(0, 1))
    shown, sliding, result = (matrix(figure, name) for name in ("read", "sliding", "result"))
    np.testing.assert_array_equal(shown, IMAGE)
    np.testing.assert_array_equal(sliding, GRAD)  # not flipped
    expected = conv2d_weight_grad(IMAGE[None], (1, 1, 2, 2), GRAD[None])[0, 0]
    np.testing.assert_array_equal(result, expected)
    for at in np.ndindex(*result.shape):
        assert correlated(shown, sliding, at) == result[at]


def test_with_a_stride_the_cells_that_are_read_are_apart():
    figure = gradient_to_weight(np.arange(25).reshape(5, 5), GRAD, 2, (2, 2), at=(0, 1))
    ringed = [(x + width / 2, y + height / 2) for x, y, width, height in boxes(figure, "read")]
    expected = [centre(figure, f"read[{row},{column}]") for row in (0, 2) for column in (1, 3)]
    np.testing.assert_allclose(ringed, expected)


def test_the_window_and_the_cell_are_where_they_should_be():
    figure = gradient_to_input(FILTER, GRAD, at=(1, 2))
    (window,), (cell,) = boxes(figure, "window"), boxes(figure, "result cell")
    assert (window[0] + 0.5, window[1] + 0.5) == pytest.approx(centre(figure, "read[1,2]"))
    assert window[2:] == pytest.approx((2, 2))
    assert (cell[0] + 0.5, cell[1] + 0.5) == pytest.approx(centre(figure, "result[1,2]"))


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="`weight` must be a matrix"):
        gradient_to_input([1, 2], GRAD)
    with pytest.raises(ValueError, match="`output_grad` has shape"):
        gradient_to_input(FILTER, GRAD, 2, (9, 9))
    with pytest.raises(ValueError, match="must lie in the gradient"):
        gradient_to_weight(IMAGE, GRAD, at=(2, 0))
    with pytest.raises(ValueError, match="at most 9×9"):
        gradient_to_weight(np.ones((10, 10)), np.ones((9, 9)))


@pytest.mark.parametrize(
    "figure",
    [
        gradient_to_input(FILTER, GRAD),
        gradient_to_input(FILTER, GRAD, 2, (5, 5)),
        gradient_to_input([[1]], [[1000]]),
        gradient_to_weight(IMAGE, GRAD),
        gradient_to_weight([[7]], [[3]]),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
