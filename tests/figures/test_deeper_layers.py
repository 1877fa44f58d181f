from __future__ import annotations

import numpy as np
import pytest

import cnnref
from cnnref.examples import questions_filter, questions_image
from cnnref.figures.deeper_layers import patch_rows, patches_and_filter, shapes
from tests.helpers.artists import assert_legible, boxes, drawn_twice, images, matrix, texts

LAYERS = [("image", (3, 227, 227)), ("conv1", (64, 113, 113)), ("fire9", (512, 13, 13))]


def pictures(count, size, seed=0):
    return list(np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8))


# patches_and_filter


def test_patch_and_filter_are_the_numbers_of_the_dot_product():
    x, w = questions_image(), questions_filter()
    figure = patches_and_filter(x, w, cell=(1, 0))
    patch, weights = matrix(figure, "patch"), matrix(figure, "filter")
    np.testing.assert_array_equal(patch, x[:, 1:4, 0:3].reshape(3, 9))
    np.testing.assert_array_equal(weights, np.ones((3, 9)))
    output = matrix(figure, "output")
    np.testing.assert_array_equal(output, cnnref.conv2d(x, w)[0])
    assert (patch * weights).sum() == output[1, 0] == 54
    assert texts(figure, "sum") == ["9 + 18 + 27 = 54"]
    assert texts(figure, "patch heading") == ["patch: 27 numbers"]


def test_the_patch_is_outlined_in_every_channel_and_the_cell_in_the_map():
    x = np.arange(2 * 4 * 5).reshape(2, 4, 5)
    w = np.arange(2 * 2 * 3).reshape(1, 2, 2, 3) - 5
    figure = patches_and_filter(x, w, cell=(2, 1))
    for channel in range(2):
        np.testing.assert_array_equal(matrix(figure, f"input {channel}"), x[channel])
    windows = boxes(figure, "window")
    for box in windows:
        assert box[2:] == pytest.approx((3, 2))
    # One to the right and two down from the corner of each channel; channels are 6 cells apart.
    assert windows[1][0] - windows[0][0] == pytest.approx(6)
    assert windows[0][:2] == pytest.approx((0.2 + 1, 0.95 + 2))
    np.testing.assert_array_equal(matrix(figure, "output"), cnnref.conv2d(x, w)[0])
    np.testing.assert_array_equal(matrix(figure, "patch"), x[:, 2:4, 1:4].reshape(2, 6))
    # The map is to the right of a line's six numbers. The cell is two down and one to the right.
    (cell,) = boxes(figure, "output cell")
    assert cell == pytest.approx((0.2 + 6 + 1.9 + 1, 0.95 + 4 + 1.3 + 2, 1, 1))
    assert texts(figure, "sum")[0].endswith(f"= {cnnref.conv2d(x, w)[0, 2, 1]}")


@pytest.mark.parametrize(
    ("x", "w", "cell", "words"),
    [
        (np.ones((1, 3, 4, 4)), np.ones((1, 3, 3, 3)), (0, 0), "one image"),
        (np.ones((3, 4, 4)), np.ones((2, 3, 3, 3)), (0, 0), "one filter"),
        (np.ones((3, 4, 4)), np.ones((1, 3, 3, 4)), (0, 0), "does not fit"),
        (np.ones((4, 4, 4)), np.ones((1, 4, 3, 3)), (0, 0), "does not fit"),
        (np.ones((3, 4, 4)), np.ones((1, 3, 3, 3)), (2, 0), r"`cell` \(\(2, 0\)\)"),
        (np.ones((3, 4, 4)), np.ones((1, 3, 3, 3)), (0, -1), "`cell`"),
        (np.ones((3, 4, 4)), np.ones((1, 2, 3, 3)), (0, 0), "channels"),
    ],
)
def test_patches_and_filter_refuses(x, w, cell, words):
    with pytest.raises(ValueError, match=words):
        patches_and_filter(x, w, cell)


# shapes


def test_bars_are_as_long_as_the_numbers_say():
    figure = shapes(LAYERS)
    for kind, numbers in (("side", (227, 113, 13)), ("channels", (3, 64, 512))):
        lengths = [boxes(figure, f"{kind} {place}")[0][2] for place in range(3)]
        longest = max(lengths)
        # A bar of less than a twentieth of a cell could not be seen.
        expected = [max(number / max(numbers) * longest, 0.05) for number in numbers]
        assert lengths == pytest.approx(expected)
    assert [texts(figure, f"name {place}") for place in range(3)] == [
        ["image"], ["conv1"], ["fire9"],
    ]  # fmt: skip
    assert texts(figure, "side number 1") == ["113×113"]
    assert texts(figure, "channels number 2") == ["512"]


def test_an_oblong_map_is_as_long_as_its_longer_side():
    figure = shapes([("a", (1, 10, 40)), ("b", (1, 20, 5))])
    (first,), (second,) = boxes(figure, "side 0"), boxes(figure, "side 1")
    assert first[2] == pytest.approx(2 * second[2])
    assert texts(figure, "side number 0") == ["10×40"]


def test_shapes_refuses():
    with pytest.raises(ValueError, match="empty"):
        shapes([])
    with pytest.raises(ValueError, match=r"gives fc the shape \(1000,\)"):
        shapes([("fc", (1000,))])
    with pytest.raises(ValueError, match="`layers`"):
        shapes([("a", (0, 3, 3))])
    with pytest.raises(TypeError, match="`layers`"):
        shapes([("a", (1, 3.0, 3))])


# patch_rows


def test_each_picture_is_under_its_heading():
    small, large = pictures(3, 3), pictures(2, 207, seed=1)
    figure = patch_rows([("first", small), ("last", large)])
    shown = images(figure)
    assert set(shown) == {f"patch 0,{place}" for place in range(3)} | {"patch 1,0", "patch 1,1"}
    # A small picture is enlarged by whole pixels, and a large one is left as it is.
    enlarged = np.asarray(shown["patch 0,1"].get_array())
    assert enlarged.shape == (72, 72, 3)
    np.testing.assert_array_equal(enlarged[12::24, 12::24], small[1])
    assert (enlarged[:24, :24] == small[1][0, 0]).all()
    np.testing.assert_array_equal(shown["patch 1,1"].get_array(), large[1])
    for row, heading in enumerate(("first", "last")):
        assert texts(figure, f"heading {row}") == [heading]
        left, right, bottom, top = shown[f"patch {row},0"].get_extent()
        assert right - left == pytest.approx(bottom - top)
        (text,) = (one for one in figure.axes[0].texts if one.get_text() == heading)
        assert text.get_position()[1] < top


def test_rows_do_not_overlap():
    shown = images(patch_rows([("a", pictures(5, 4)), ("b", pictures(5, 4))]))
    extents = [shown[f"patch {row},{place}"].get_extent() for row in (0, 1) for place in range(5)]
    for place in range(4):
        assert extents[place][1] < extents[place + 1][0]
    assert extents[0][2] < extents[5][3]


def test_patch_rows_refuses():
    with pytest.raises(ValueError, match="`rows` is empty"):
        patch_rows([])
    with pytest.raises(ValueError, match="one to six"):
        patch_rows([("a", [])])
    with pytest.raises(ValueError, match="one to six"):
        patch_rows([("a", pictures(7, 3))])
    with pytest.raises(TypeError, match="dtype float64"):
        patch_rows([("a", [np.zeros((3, 3, 3))])])
    with pytest.raises(ValueError, match=r"shape \(3, 3\)"):
        patch_rows([("a", [np.zeros((3, 3), np.uint8)])])


@pytest.mark.parametrize(
    "figure",
    [
        patches_and_filter(questions_image(), questions_filter()),
        patches_and_filter(np.full((1, 3, 3), -1234), np.ones((1, 1, 3, 3), int)),
        shapes(LAYERS),
        shapes([("a name of some length", (1280, 1024, 1024))]),
        patch_rows([("relu1, channel 47: 3 pixels", pictures(1, 3)), ("b", pictures(6, 5))]),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)


def test_it_is_drawn_with_the_same_bytes_each_time():
    assert "<image" in drawn_twice(lambda: patch_rows([("a", pictures(2, 9))]))
