from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.gradcam_networks import tokens_and_map
from tests.helpers.artists import assert_legible, cells, drawn_twice, matrix, texts


def test_the_patches_fill_the_map_row_by_row():
    figure = tokens_and_map(range(7), (2, 3), skip=1)
    np.testing.assert_array_equal(matrix(figure, "map"), [[1, 2, 3], [4, 5, 6]])
    assert (0, 0) not in cells(figure, "token")  # the class token is crossed out
    assert cells(figure, "token")[0, 6] == "6"
    assert_legible(figure)
    drawn_twice(lambda: tokens_and_map(range(7), (2, 3)))


def test_without_extra_tokens_nothing_is_crossed_out():
    figure = tokens_and_map(range(6), (3, 2), skip=0)
    np.testing.assert_array_equal(matrix(figure, "map"), [[0, 1], [2, 3], [4, 5]])
    assert texts(figure, "note") == []


@pytest.mark.parametrize(
    ("tokens", "size", "message"),
    [(range(6), (2, 3), r"must be \(7,\)"), (range(17), (4, 4), "at most 13")],
)
def test_tokens_that_do_not_fit_are_refused(tokens, size, message):
    with pytest.raises(ValueError, match=message):
        tokens_and_map(tokens, size)
