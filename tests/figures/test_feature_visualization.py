from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.feature_visualization import hill, wall
from tests.helpers.artists import assert_legible, drawn_twice, images, texts

STEPS = np.linspace(0, 1, 11)
HEIGHTS = np.abs(STEPS[None] - STEPS[:, None]) + 0.1 * STEPS[None]
WAYS = [("one start", [(0.6, 0.5), (0.8, 0.3), (1, 0)]), ("another", [(0.5, 0.6), (0, 1)])]


def pictures(count, height=8, width=8):
    random = np.random.default_rng(0)
    return [
        (f"number {i}", random.integers(0, 256, (height, width, 3), np.uint8)) for i in range(count)
    ]


def test_each_picture_is_under_its_title_in_reading_order():
    given = pictures(5, height=4, width=8)
    figure = wall(given, columns=3)
    shown = images(figure)
    assert len(shown) == 5
    places = []
    for place, (title, picture) in enumerate(given):
        assert texts(figure, f"title {place}") == [title]
        image = shown[f"picture {place}"]
        # Enlarged by whole pixels, so that a browser does not blur it.
        np.testing.assert_array_equal(np.asarray(image.get_array())[12::24, 12::24], picture)
        left, right, bottom, top = image.get_extent()
        assert right - left == pytest.approx(2 * (bottom - top))
        (text,) = (one for one in figure.axes[0].texts if one.get_text() == title)
        assert text.get_position()[0] == left
        assert top - 1 < text.get_position()[1] < top
        places.append((top, left, right, bottom))
    assert places == sorted(places)
    assert places[0][2] < places[1][1]
    assert places[0][3] < places[3][0]
    assert places[3][1] == places[0][1]


def test_a_large_picture_is_not_touched():
    ((_, picture),) = given = pictures(1, 200, 210)
    np.testing.assert_array_equal(images(wall(given, 1))["picture 0"].get_array(), picture)


def test_the_hill_is_the_response_with_the_second_pixel_upwards():
    figure = hill(HEIGHTS, WAYS)
    shown = np.asarray(images(figure)["hill"].get_array())
    enlarge = shown.shape[0] // 11
    np.testing.assert_array_equal(shown[::enlarge, ::enlarge], HEIGHTS[::-1])
    assert texts(figure, "scale number") == ["1.1", "0"]
    assert texts(figure, "words 0") == ["from (0.6, 0.5)", "to (1.0, 0.0)"]


def test_ways_start_and_end_where_they_should():
    figure = hill(HEIGHTS, WAYS)
    left, right, bottom, top = images(figure)["hill"].get_extent()
    dots = {line.get_label(): line.get_xydata()[0] for line in figure.axes[0].lines}
    for place, (_, points) in enumerate(WAYS):
        for name, (a, b) in (("start", points[0]), ("end", points[-1])):
            expected = left + a * (right - left), bottom + b * (top - bottom)
            assert dots[f"{name} {place}"] == pytest.approx(expected)
    (line,) = (one for one in figure.axes[0].patches if one.get_label() == "way 0")
    assert len(line.get_path().vertices) == 4


def test_refusals():
    with pytest.raises(ValueError, match="`pictures` is empty"):
        wall([])
    with pytest.raises(ValueError, match=r"`columns` \(7\)"):
        wall(pictures(2), columns=7)
    with pytest.raises(ValueError, match="must be equal"):
        wall(pictures(1) + pictures(1, 9, 9))
    with pytest.raises(TypeError, match="dtype float64"):
        wall([("a", np.zeros((3, 3, 3)))])
    with pytest.raises(ValueError, match=r"shape \(3, 3\)"):
        wall([("a", np.zeros((3, 3), np.uint8))])
    with pytest.raises(ValueError, match="`ways` leaves the square"):
        hill(HEIGHTS, [("a", [(0.5, 1.1)])])
    with pytest.raises(ValueError, match=r"points of shape \(2,\)"):
        hill(HEIGHTS, [("a", (0.5, 1.0))])
    with pytest.raises(ValueError, match="`heights` has shape"):
        hill([1, 2], WAYS)


@pytest.mark.parametrize(
    "figure",
    [
        wall(pictures(4)),
        wall([("a title of a certain length", p) for _, p in pictures(7)], columns=6),
        hill(HEIGHTS, WAYS),
        hill(HEIGHTS, [*WAYS, ("no way at all", [(0.5, 0.5)])]),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)


def test_it_is_drawn_with_the_same_bytes_each_time():
    assert "<image" in drawn_twice(lambda: hill(HEIGHTS, WAYS))
