from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from cnnref.figures.gradcam import overlays, weighted_sum
from tests.helpers.artists import assert_legible, drawn_twice, images, matrix, texts

MAPS = np.array([[[4, 0], [4, 0]], [[4, 1], [4, 2]]])


def photograph(size=(40, 60), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def ramp(size=(40, 60), largest=1.0):
    return np.linspace(0, largest, size[0] * size[1]).reshape(size)


# overlays


def test_a_map_is_mixed_with_the_grey_photograph():
    picture = photograph()
    figure = overlays(picture, [("cup", ramp(largest=4.0))])
    shown = images(figure)
    np.testing.assert_array_equal(shown["photograph"].get_array(), picture)
    mixed = np.asarray(shown["map 0"].get_array()) / 255
    grey = picture.mean(axis=2, keepdims=True) / 255
    colours = mpl.colormaps["viridis"](ramp())[:, :, :3]
    np.testing.assert_allclose(mixed, 0.4 * grey + 0.6 * colours, atol=1 / 255)
    assert texts(figure, "heading 0") == ["photograph"]
    assert texts(figure, "heading 1") == ["cup"]


def test_one_scale_for_all_maps_or_one_each():
    picture, maps = photograph(), [("a", ramp(largest=4.0)), ("b", ramp(largest=1.0))]
    common, own = overlays(picture, maps), overlays(picture, maps, scale="own")
    assert texts(common, "bar high") == ["4"]
    assert texts(own, "bar high") == ["4", "1"]
    assert texts(own, "bar low") == ["0", "0"]
    first, second = (np.asarray(images(own)[f"map {n}"].get_array()) for n in (0, 1))
    np.testing.assert_array_equal(first, second)
    weak = np.asarray(images(common)["map 1"].get_array())
    assert not np.array_equal(weak, second)
    np.testing.assert_array_equal(images(common)["map 0"].get_array(), first)


def test_a_map_of_zeros_is_drawn_as_zero():
    picture, zero = photograph(), np.zeros((40, 60))
    for scale in ("common", "own"):
        figure = overlays(picture, [("nothing", zero)], scale=scale)
        assert texts(figure, "bar high") == ["0"]
        mixed = np.asarray(images(figure)["map 0"].get_array()) / 255
        grey = picture.mean(axis=2, keepdims=True) / 255
        lowest = np.array(mpl.colormaps["viridis"](0.0)[:3])
        np.testing.assert_allclose(mixed, 0.4 * grey + 0.6 * lowest, atol=1 / 255)


def test_pictures_are_in_rows_and_keep_their_shape():
    maps = [(str(place), ramp()) for place in range(4)]
    figure = overlays(photograph(), maps, columns=2)
    shown = images(figure)
    extents = [shown["photograph"].get_extent()]
    extents += [shown[f"map {place}"].get_extent() for place in range(4)]
    for left, right, bottom, top in extents:
        assert (bottom - top) / (right - left) == pytest.approx(40 / 60)
    assert extents[0][0] == extents[2][0] == extents[4][0]
    assert extents[0][2] < extents[2][3]
    assert extents[0][1] < extents[1][0]


def test_a_large_photograph_is_thinned_out():
    figure = overlays(photograph((600, 300)), [("a", ramp((600, 300)))])
    assert np.asarray(images(figure)["map 0"].get_array()).shape == (200, 100, 3)


@pytest.mark.parametrize(
    ("picture", "maps", "settings", "error", "words"),
    [
        (np.zeros((4, 4, 3)), [("a", np.ones((4, 4)))], {}, TypeError, "dtype float64"),
        (np.zeros((4, 4), np.uint8), [("a", np.ones((4, 4)))], {}, ValueError, r"shape \(4, 4\)"),
        (photograph((4, 4)), [], {}, ValueError, "`maps` is empty"),
        (photograph((4, 4)), [("a", np.ones((4, 5)))], {}, ValueError, r"shape \(4, 5\)"),
        (photograph((4, 4)), [("a", -np.ones((4, 4)))], {}, ValueError, "negative"),
        (photograph((4, 4)), [("a", np.full((4, 4), np.nan))], {}, ValueError, "not finite"),
        (photograph((4, 4)), [("a", np.ones((4, 4)))], {"scale": "each"}, ValueError, "'each'"),
        (photograph((4, 4)), [("a", np.ones((4, 4)))], {"columns": 0}, ValueError, "`columns`"),
    ],
)
def test_overlays_refuses(picture, maps, settings, error, words):
    with pytest.raises(error, match=words):
        overlays(picture, maps, **settings)


# weighted_sum


def test_the_sum_is_that_of_the_weighted_maps():
    figure = weighted_sum(MAPS, [1, -0.5])
    np.testing.assert_array_equal(matrix(figure, "map 0"), MAPS[0])
    np.testing.assert_array_equal(matrix(figure, "map 1"), MAPS[1])
    np.testing.assert_array_equal(matrix(figure, "sum"), [[2, -0.5], [2, -1]])
    np.testing.assert_array_equal(matrix(figure, "ReLU"), [[2, 0], [2, 0]])
    assert texts(figure, "weight 0") == ["1 ×"]
    assert texts(figure, "weight 1") == ["\N{MINUS SIGN}0.5 ×"]


def test_weighted_sum_takes_other_shapes():
    maps = np.arange(18).reshape(3, 2, 3)
    figure = weighted_sum(maps, [0, 1, 2])
    np.testing.assert_array_equal(matrix(figure, "sum"), maps[1] + 2 * maps[2])


@pytest.mark.parametrize(
    ("maps", "weights", "words"),
    [
        (np.ones((2, 2)), [1, 1], "must be"),
        (np.ones((2, 2, 2)), [1, 1, 1], "must be"),
        (np.ones((5, 2, 2)), [1] * 5, "does not fit"),
        (np.ones((1, 2, 4)), [1], "does not fit"),
    ],
)
def test_weighted_sum_refuses(maps, weights, words):
    with pytest.raises(ValueError, match=words):
        weighted_sum(maps, weights)


@pytest.mark.parametrize(
    "figure",
    [
        overlays(photograph(), [("tripod", ramp(largest=0.73)), ("reflex camera", ramp())]),
        overlays(photograph(), [("EfficientNet-Lite0", ramp()), ("b", ramp())], scale="own"),
        overlays(photograph(), [(f"a longer name {n}", ramp()) for n in range(5)], columns=2),
        weighted_sum(MAPS, [1, -0.5]),
        weighted_sum(np.full((4, 4, 3), -123.4), [-12.25, 0.123, 4, 1000]),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)


def test_it_is_drawn_with_the_same_bytes_each_time():
    assert "<image" in drawn_twice(lambda: overlays(photograph(), [("cup", ramp())]))
