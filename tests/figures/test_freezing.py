from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.freezing import one_step
from tests.helpers.artists import assert_legible, boxes, matrix, texts

BASE = [[1, 0], [0, 1]]


def test_the_step_is_the_one_worked_by_hand():
    figure = one_step(BASE, [(3, -2), (0, 0)], (1, 2), target=1, rate=0.1)
    assert texts(figure, "heading 0") == ["head (3, −2): error −2"]
    assert texts(figure, "heading 1") == ["head (0, 0): error −1"]
    np.testing.assert_array_equal(matrix(figure, "base 0"), BASE)
    np.testing.assert_array_equal(matrix(figure, "gradient 0"), [[-6, -12], [4, 8]])
    np.testing.assert_allclose(matrix(figure, "after 0"), [[1.6, 1.2], [-0.4, 0.2]])
    # A head of zeros lets no gradient through.
    np.testing.assert_array_equal(matrix(figure, "gradient 1"), np.zeros((2, 2)))
    np.testing.assert_array_equal(matrix(figure, "after 1"), BASE)
    assert len(boxes(figure, "marked")) == 4
    assert texts(figure, "sign") == ["− 0.1 ×", "="] * 2


def test_a_base_that_is_not_square():
    figure = one_step([[1, 2, 0]], [[2]], (1, 0, 1), target=0, rate=0.5)
    np.testing.assert_array_equal(matrix(figure, "gradient 0"), [[4, 0, 4]])
    np.testing.assert_array_equal(matrix(figure, "after 0"), [[-1, 2, -2]])
    assert len(boxes(figure, "marked")) == 2


@pytest.mark.parametrize(
    ("base", "heads", "x", "words"),
    [
        (np.eye(4), [[0] * 4], [0] * 4, "`base` has shape \\(4, 4\\)"),
        ([1, 2], [[0]], [1], "`base` has shape \\(2,\\)"),
        (BASE, [[1, 2]], [1], "`input` has shape \\(1,\\)"),
        (BASE, [[1, 2], [1]], [1, 2], "`heads\\[1\\]` has shape \\(1,\\)"),
        (BASE, [], [1, 2], "`heads` is empty"),
    ],
)
def test_refuses_what_does_not_fit(base, heads, x, words):
    with pytest.raises(ValueError, match=words):
        one_step(base, heads, x, target=1, rate=0.1)


@pytest.mark.parametrize(
    "figure",
    [
        one_step(BASE, [(3, -2), (0, 0), (1, 0)], (1, 2), target=1, rate=0.1),
        one_step([[1]], [[1]], [1], target=0, rate=0.125),
        one_step(np.eye(3), [(10, 2, -1)], (1, 2, 3), target=1, rate=0.1),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
