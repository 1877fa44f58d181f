from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.attribution_methods import small_maps
from tests.helpers.artists import assert_legible, drawn_twice, matrix, texts

MAPS = [
    ("gradient", [[1, 0], [2, -1]]),
    ("occlusion", [[4, 1], [0, 2]]),
    ("a path", [[1, 1], [1, 1]]),
]


def test_every_map_has_its_heading_and_its_numbers():
    figure = small_maps(MAPS)
    assert [texts(figure, f"heading {n}")[0] for n in range(3)] == [name for name, _ in MAPS]
    np.testing.assert_array_equal(matrix(figure, "map 0"), MAPS[0][1])
    assert_legible(figure)
    drawn_twice(lambda: small_maps(MAPS, columns=2))


def test_the_scale_is_common():
    figure = small_maps([("a", [[0.0, 4.0]]), ("b", [[0.0, 1.0]])])
    faces = [patch.get_facecolor() for patch in figure.axes[0].patches]
    assert faces[0] == faces[2]  # both zeros
    assert faces[1] != faces[3]  # four is lighter than one


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ([], "empty"),
        ([("a", np.zeros((5, 5)))], r"at most \(4, 4\)"),
        ([("a", [[np.nan]])], "not finite"),
    ],
)
def test_bad_maps_are_refused(maps, message):
    with pytest.raises(ValueError, match=message):
        small_maps(maps)
