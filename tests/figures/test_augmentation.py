from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.augmentation import Glyph, changed_glyphs, grids, photographs
from tests.helpers.artists import assert_legible, boxes, cells, images, matrix, texts

PICTURES = {
    name: np.random.default_rng(seed).random((6, 8, 3))
    for seed, name in enumerate(("original", "flip", "rotate", "cutout"))
}
SIX = np.array([[0, 1], [1, 0], [1, 1]])
GLYPHS = [
    Glyph("6", SIX, "rotate by 180°", SIX[::-1, ::-1], "reads 9"),
    Glyph("wide sign", np.eye(4), "flip", np.eye(4)[:, ::-1], "something else"),
]


def test_photographs_are_in_rows_under_their_names_as_they_are():
    figure = photographs(PICTURES, columns=3)
    assert texts(figure, "name") == list(PICTURES)
    shown = images(figure)
    assert list(shown) == list(PICTURES)
    for name, picture in PICTURES.items():
        np.testing.assert_array_equal(np.asarray(shown[name].get_array()), picture)
        left, right, bottom, top = shown[name].get_extent()
        assert (right - left) / (bottom - top) == pytest.approx(8 / 6)
    first, second, _, fourth = (image.get_extent() for image in shown.values())
    assert first[2:] == second[2:]  # next to each other
    assert first[:2] == fourth[:2]  # below each other
    assert fourth[3] > first[2]


def test_only_the_original_is_outlined():
    figure = photographs(PICTURES, columns=2)
    (box,) = boxes(figure, "original")
    left, right, bottom, top = images(figure)["original"].get_extent()
    assert box == pytest.approx((left, top, right - left, bottom - top))


def test_photographs_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="must hold at least one picture"):
        photographs({})
    with pytest.raises(ValueError, match=r"'grey' of shape \(6, 8\); it must be \(H, W, 3\)"):
        photographs({"grey": np.zeros((6, 8))})
    with pytest.raises(ValueError, match="'bright' with numbers that are not from 0 to 1"):
        photographs({"bright": np.full((6, 8, 3), 1.5)})
    with pytest.raises(ValueError, match="'holes' with numbers that are not from 0 to 1"):
        photographs({"holes": np.full((6, 8, 3), np.nan)})
    with pytest.raises(ValueError, match="must have one shape"):
        photographs({"a": np.zeros((6, 8, 3)), "b": np.zeros((8, 6, 3))})
    with pytest.raises(ValueError, match=r"`columns` \(0\) must be at least 1"):
        photographs(PICTURES, columns=0)


def test_grids_mark_the_numbers_that_changed():
    original = np.array([[1, 2], [3, 4]])
    figure = grids({"original": original, "shift": [[0, 2], [3, 7.5]], "smaller": [[1]]})
    np.testing.assert_array_equal(matrix(figure, "original"), original)
    np.testing.assert_array_equal(matrix(figure, "shift"), [[0, 2], [3, 7.5]])
    assert cells(figure, "smaller") == {(0, 0): "1"}
    assert texts(figure, "name") == ["original", "shift", "smaller"]
    bold = {
        text.get_label(): text.get_text()
        for text in figure.axes[0].texts
        if text.get_fontweight() == "bold" and str(text.get_label()).startswith("shift[")
    }
    assert bold == {"shift[0,0]": "0", "shift[1,1]": "7.5"}
    assert len(boxes(figure, "marked")) == 2
    assert len(boxes(figure, "cell")) == 4 + 2 + 1


def test_grids_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="must hold at least one matrix"):
        grids({})
    with pytest.raises(ValueError, match=r"'row' of shape \(3,\); it must be a matrix"):
        grids({"row": [1, 2, 3]})
    with pytest.raises(ValueError, match=r"'large' of shape \(6, 2\)"):
        grids({"large": np.zeros((6, 2))})
    with pytest.raises(ValueError, match=r"`columns` \(4\) must be at most 3"):
        grids({"one": [[1]]}, columns=4)
    with pytest.raises(TypeError):
        grids({"words": [["a"]]})


def test_glyphs_are_drawn_as_their_ink_before_and_after():
    figure = changed_glyphs(GLYPHS)
    for label, pictures in (
        ("before", [glyph.strokes for glyph in GLYPHS]),
        ("after", [glyph.changed for glyph in GLYPHS]),
    ):
        drawn = boxes(figure, f"{label} ink")
        assert len(drawn) == sum(int(np.sum(picture)) for picture in pictures)
        left = min(box[0] for box in boxes(figure, f"{label} paper") + drawn)
        top = min(box[1] for box in boxes(figure, f"{label} paper") + drawn)
        side = drawn[0][2]
        first = np.asarray(pictures[0])
        ink = {(round((box[1] - top) / side), round((box[0] - left) / side)) for box in drawn}
        assert {(int(r), int(c)) for r, c in np.argwhere(first)} == {
            place for place in ink if place[0] < len(first)
        }
    assert texts(figure, "name") == ["6", "wide sign"]
    assert texts(figure, "operation") == ["rotate by 180°", "flip"]
    assert texts(figure, "reads") == ["reads 9", "something else"]


def test_glyphs_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="must hold at least one glyph"):
        changed_glyphs([])
    with pytest.raises(ValueError, match=r"'6' of shape \(2,\); it must be a matrix"):
        changed_glyphs([Glyph("6", SIX, "flip", [1, 0], "?")])


@pytest.mark.parametrize(
    "figure",
    [
        photographs(PICTURES),
        photographs({"a rather long name for a picture": PICTURES["flip"]}, columns=3),
        grids({"original": np.eye(5) * 1.75, "rotate by 90°": np.eye(5) * 100, "c": [[1]]}),
        grids({"original": np.eye(4), "scale by 2": np.eye(4), "flip": np.eye(4)}, columns=3),
        changed_glyphs(GLYPHS[:1]),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
