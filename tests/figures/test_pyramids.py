from __future__ import annotations

import re

import numpy as np
import pytest

from cnnref.figures.pyramids import (
    decimated_pictures,
    decimated_row,
    laplacian_levels,
    window_on_levels,
)
from cnnref.ops.pyramids import gaussian_pyramid, laplacian_pyramid, pyramid_reduce
from tests.helpers.artists import assert_legible, boxes, drawn_twice, images, matrix, texts


def picture(height=32, width=48):
    return np.add.outer(3 * np.arange(height), np.arange(width) ** 2) % 97


def test_levels_are_those_of_the_pyramid_at_one_scale():
    figure = window_on_levels(picture(), 4, [(1, 2), (3, 4), (0, 8)])
    scales = []
    for index, level in enumerate(gaussian_pyramid(picture()[None], 3)):
        artist = images(figure)[f"level {index}"]
        np.testing.assert_array_equal(artist.get_array(), level[0])
        left, right, bottom, top = artist.get_extent()
        scales += [(right - left) / level.shape[2], (bottom - top) / level.shape[1]]
        assert texts(figure, f"note {index}") == [f"{level.shape[1]}×{level.shape[2]}"]
    assert scales == pytest.approx([scales[0]] * 6)


def test_windows_are_of_one_size_and_cover_twice_as_much_per_level():
    places = [(1, 2), (3, 4), (0, 8)]
    figure = window_on_levels(picture(), (4, 3), places)
    left, right, _, top = images(figure)["level 0"].get_extent()
    scale = (right - left) / 48
    for index, (row, column) in enumerate(places):
        ((_, _, width, height),) = boxes(figure, f"window {index}")
        assert (width, height) == pytest.approx((3 * scale, 4 * scale))
        if index:
            ((x, y, width, height),) = boxes(figure, f"covered {index}")
            factor = scale * 2**index
            assert (x - left, y - top) == pytest.approx((column * factor, row * factor))
            assert (width, height) == pytest.approx((3 * factor, 4 * factor))


def test_laplacian_levels_has_both_pyramids_with_zero_in_the_middle():
    figure = laplacian_levels(picture(), 3)
    for name, levels in (
        ("Gaussian", gaussian_pyramid(picture()[None], 3)),
        ("Laplacian", laplacian_pyramid(picture()[None], 3)),
    ):
        for index, level in enumerate(levels):
            np.testing.assert_array_equal(images(figure)[f"{name} {index}"].get_array(), level[0])
    for index in (0, 1):
        low, high = images(figure)[f"Laplacian {index}"].get_clim()
        assert low == -high
    assert images(figure)["Laplacian 2"].get_clim() == (0, 96)


def test_decimated_row_by_hand():
    figure = decimated_row([0, 8] * 4)
    np.testing.assert_array_equal(matrix(figure, "every second"), [[0, 0, 0, 0]])
    np.testing.assert_array_equal(matrix(figure, "blurred"), [[4] * 8])
    np.testing.assert_array_equal(matrix(figure, "blurred, every second"), [[4] * 4])
    # Two lines of four rings.
    assert len(boxes(figure, "read")) == 8


@pytest.mark.parametrize("steps", [1, 2])
def test_decimated_pictures_shows_both_ways(steps):
    figure, factor = decimated_pictures(picture(), steps), 2**steps
    shown = {name: artist.get_array() for name, artist in images(figure).items()}
    np.testing.assert_array_equal(shown["original"], picture())
    np.testing.assert_array_equal(
        shown["no blur"][::factor, ::factor], picture()[::factor, ::factor]
    )
    expected = picture()[None]
    for _ in range(steps):
        expected = pyramid_reduce(expected)
    np.testing.assert_array_equal(shown["blurred first"][::factor, ::factor], expected[0])


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="the window at \\(5, 0\\) of level 1 must lie inside"):
        window_on_levels(picture(16, 16), 4, [(0, 0), (5, 0)])
    with pytest.raises(ValueError, match="too many for an input"):
        window_on_levels(picture(4, 4), 1, [(0, 0)] * 4)
    with pytest.raises(ValueError, match="`notes` holds 1 lines for 2 levels"):
        window_on_levels(picture(), 1, [(0, 0)] * 2, ["one"])
    with pytest.raises(ValueError, match="3 to 16 numbers"):
        decimated_row([1, 2])
    with pytest.raises(ValueError, match="`input` has shape"):
        decimated_pictures(np.ones((3, 8, 8)))


@pytest.mark.parametrize(
    "figure",
    [
        window_on_levels(picture(), 4, [(0, 0)] * 3, ["finds .93"] * 3),
        window_on_levels(picture(128, 128), 16, [(0, 0)] * 4, ["covers 128×128"] * 4),
        laplacian_levels(picture(), 3),
        laplacian_levels(np.zeros((8, 8)), 2),
        decimated_row([0, 8] * 8),
        decimated_row([1000, 0.125, 3]),
        decimated_pictures(picture()),
    ],
)
def test_texts_do_not_overlap_and_the_drawing_is_stable_and_small(figure):
    assert_legible(figure)
    svg = drawn_twice(lambda: figure)
    assert all(len(data) < 60_000 for data in re.findall(r"base64,([^\"]+)", svg))
