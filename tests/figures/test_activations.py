from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.activations import channel_rows, shaded_maps
from tests.helpers.artists import assert_legible, boxes, drawn_twice, images, matrix, texts

SMALL = np.array([[[4.0, 0.0], [4.0, 0.0]], [[0.4, 0.1], [0.4, 0.2]]])


def maps(count, size=(5, 7), largest=1.0, seed=0):
    return largest * np.random.default_rng(seed).random((count, *size))


# channel_rows


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("own", {"map 0,0": (0, 2), "map 0,1": (-1, 1), "map 1,0": (0, 8)}),
        ("row", {"map 0,0": (-1, 2), "map 0,1": (-1, 2), "map 1,0": (0, 8)}),
        ("common", {"map 0,0": (-1, 8), "map 0,1": (-1, 8), "map 1,0": (-1, 8)}),
    ],
)
def test_what_dark_and_light_mean(scale, expected):
    rows = [("first", [[[0, 1], [2, 1]], [[-1, 0], [1, 1]]]), ("second", [[[8, 3], [5, 6]]])]
    shown = images(channel_rows(rows, scale=scale))
    assert {name: image.get_clim() for name, image in shown.items()} == expected


def test_each_scale_is_explained():
    said = {
        texts(channel_rows([("a", maps(2))], scale=scale), "scale")[0]
        for scale in ("own", "row", "common")
    }
    assert len(said) == 3


def test_numbers_are_shown_as_squares_of_their_own():
    values = maps(2, (3, 4))
    shown = images(channel_rows([("a", values)]))
    drawn = np.asarray(shown["map 0,1"].get_array())
    assert drawn.shape == (3 * 28, 4 * 28)
    np.testing.assert_array_equal(drawn[14::28, 14::28], values[1])
    left, right, bottom, top = shown["map 0,1"].get_extent()
    assert (bottom - top) / (right - left) == pytest.approx(3 / 4)
    assert shown["map 0,0"].get_extent()[1] < left


def test_ranges_are_under_the_pictures():
    figure = channel_rows([("a", [[[0.0, 1234.0]], [[-0.1234, 0.5]]])])
    assert texts(figure, "range 0,0") == ["0 to 1200"]
    assert texts(figure, "range 0,1") == ["\N{MINUS SIGN}0.12 to 0.5"]
    assert texts(figure, "heading 0") == ["a"]
    assert not texts(channel_rows([("a", maps(1))], labels=False), "range 0,0")


def test_a_dead_channel_is_dark():
    figure = channel_rows([("a", np.zeros((1, 4, 4)))], scale="own")
    (image,) = images(figure).values()
    assert image.get_clim() == (0, 1)


def test_rows_do_not_overlap():
    shown = images(channel_rows([("a", maps(3)), ("b", maps(3))]))
    assert shown["map 0,0"].get_extent()[2] < shown["map 1,0"].get_extent()[3]


@pytest.mark.parametrize(
    ("rows", "settings", "words"),
    [
        ([], {}, "`rows` is empty"),
        ([("a", np.ones((4, 4)))], {}, r"shape \(4, 4\)"),
        ([("a", np.ones((0, 4, 4)))], {}, r"shape \(0, 4, 4\)"),
        ([("a", np.ones((7, 4, 4)))], {}, "`maps` holds 7 maps"),
        ([("a", np.full((1, 4, 4), np.inf))], {}, "finite"),
        ([("a", np.ones((1, 4, 4)))], {"scale": "all"}, "'all'"),
    ],
)
def test_channel_rows_refuses(rows, settings, words):
    with pytest.raises(ValueError, match=words):
        channel_rows(rows, **settings)


# shaded_maps


def test_the_same_numbers_are_on_both_scales():
    figure = shaded_maps(SMALL, ["edge", "bright"])
    for scale in ("common", "own"):
        for channel in range(2):
            np.testing.assert_allclose(matrix(figure, f"{scale} {channel}"), SMALL[channel])
    assert texts(figure, "heading") == ["one scale for all", "each on its own scale"]
    assert len(boxes(figure, "shaded")) == 16


def test_only_its_own_scale_lights_a_weak_map_up():
    figure = shaded_maps(SMALL, ["edge", "bright"])
    colours = [patch.get_facecolor() for patch in figure.axes[0].patches]
    strong, weak_common, _, weak_own = (colours[4 * place] for place in range(4))
    assert weak_common != strong
    assert weak_own == strong


@pytest.mark.parametrize(
    ("values", "names", "words"),
    [
        (np.ones((5, 2, 2)), ["a"] * 5, "does not fit"),
        (np.ones((1, 5, 2)), ["a"], "does not fit"),
        (np.ones((2, 2, 2)), ["a"], "`names` holds 1"),
    ],
)
def test_shaded_maps_refuses(values, names, words):
    with pytest.raises(ValueError, match=words):
        shaded_maps(values, names)


@pytest.mark.parametrize(
    "figure",
    [
        channel_rows([("relu1, channels 49, 55, 60, 0, 25", maps(6, largest=1e3)), ("b", maps(2))]),
        channel_rows([("a" * 60, -maps(6, largest=1e4))], scale="common"),
        shaded_maps(SMALL, ["left brighter", "bright"]),
        shaded_maps(np.full((2, 4, 4), -12.3), ["a", "b"]),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)


def test_it_is_drawn_with_the_same_bytes_each_time():
    assert "<image" in drawn_twice(lambda: channel_rows([("a", maps(2))]))
