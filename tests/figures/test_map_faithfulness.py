from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.map_faithfulness import cascade, curves
from tests.helpers.artists import assert_legible, boxes, drawn_twice, texts

SHARES = [0.0, 0.5, 1.0]
PANELS = [
    ("deletion", SHARES, [("ours", [1.0, 0.2, 0.0]), ("random", [1.0, 0.9, 0.0])]),
    ("insertion", SHARES, [("ours", [0.0, 0.8, 1.0]), ("random", [0.0, 0.1, 1.0])]),
]


def dots(figure, label):
    (line,) = (line for line in figure.axes[0].lines if line.get_label() == label)
    return np.asarray(line.get_xydata())


def test_a_curve_is_drawn_at_its_numbers():
    points = dots(curves(PANELS), "dots deletion: ours")
    (left, top), (middle, lower), (right, bottom) = points
    assert middle - left == pytest.approx((right - left) / 2)
    assert (lower - top) / (bottom - top) == pytest.approx(0.8)  # y grows downwards
    other = dots(curves(PANELS), "dots deletion: random")
    assert (other[1, 1] - other[0, 1]) / (other[2, 1] - other[0, 1]) == pytest.approx(0.1)


def test_the_key_names_each_kind_once_and_all_is_legible():
    figure = curves(PANELS)
    assert texts(figure, "key") == ["ours", "random"]
    assert texts(figure, "heading") == ["deletion", "insertion"]
    assert_legible(figure)
    drawn_twice(lambda: curves(PANELS))


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ([], "one or two"),
        ([("a", SHARES, [("ours", [0.0, 1.0])])], "ours holds 2 values for 3 shares"),
        ([("a", SHARES, [("ours", [0.0, 1.0, 1.2])])], "from 0 to 1"),
        ([("a", SHARES, [(str(n), SHARES) for n in range(4)])], "at most 3"),
    ],
)
def test_bad_curves_are_refused(panels, message):
    with pytest.raises(ValueError, match=message):
        curves(panels)


ROWS = [
    ("Grad-CAM", [[0.5, -0.5, 0.0], [np.nan, 1.0, 1.0]]),
    ("guided", [[0.9, 0.8, 0.7], [0.1, 0, 0]]),
]


def test_correlations_are_dots_and_their_median_a_bar():
    figure = cascade(ROWS, ["head", "fire9"])
    first = dots(figure, "dots 0,0")[:, 0]
    middle = (first.max() + first.min()) / 2
    assert first[2] == pytest.approx(middle)
    ((x, _, width, _),) = boxes(figure, "median 0,0")
    assert x + width / 2 == pytest.approx(middle)
    assert len(dots(figure, "dots 0,1")) == 2  # the blank map has no dot
    assert texts(figure, "name 1") == ["head", "fire9"]
    assert_legible(figure)
    drawn_twice(lambda: cascade(ROWS, ["head", "fire9"]))


def test_a_group_of_blank_maps_has_neither():
    figure = cascade([("Grad-CAM", [[np.nan, np.nan]])], ["head"])
    assert not len(dots(figure, "dots 0,0"))
    assert not boxes(figure, "median 0,0")


@pytest.mark.parametrize(("rows", "message"), [([], "empty"), ([("a", [[0.1]])], "2 groups")])
def test_bad_correlations_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        cascade(rows, ["head", "fire9"])
