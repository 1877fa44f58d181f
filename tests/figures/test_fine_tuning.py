from __future__ import annotations

import pytest

from cnnref.figures.fine_tuning import two_phases
from tests.helpers.artists import assert_legible, boxes, texts

BASE = [("stem", 10), ("block0", 200), ("block1", 3000), ("final", 40000)]


def test_the_head_trains_first_and_the_top_with_it_then():
    figure = two_phases(BASE, head=7, top=2)
    names = [texts(figure, f"name {place}")[0] for place in range(4)]
    counts = [texts(figure, f"count {place}")[0] for place in range(4)]
    assert names == ["head", "final", "block1", "2 parts below"]
    assert counts == ["7", "40,000", "3,000", "210"]
    assert texts(figure, "phase 0") == ["trains", "frozen", "frozen", "frozen"]
    assert texts(figure, "phase 1") == ["trains", "trains", "trains", "frozen"]
    assert (len(boxes(figure, "trains")), len(boxes(figure, "frozen"))) == (4, 4)


def test_all_or_none_of_the_base():
    figure = two_phases(BASE, head=7, top=4)
    assert texts(figure, "phase 1") == ["trains"] * 5
    figure = two_phases(BASE, head=7, top=0)
    assert texts(figure, "name 1") == ["4 parts below"]
    figure = two_phases(BASE, head=7, top=3)
    assert texts(figure, "name 4") == ["stem"]


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="`top` \\(5\\) must be at most 4"):
        two_phases(BASE, head=7, top=5)
    with pytest.raises(ValueError, match="at most 12"):
        two_phases([("part", 1)] * 20, head=7, top=13)
    with pytest.raises(ValueError, match="`head` \\(-1\\)"):
        two_phases(BASE, head=-1, top=1)
    with pytest.raises(TypeError, match="`final`"):
        two_phases([("final", 0.5)], head=1, top=1)


@pytest.mark.parametrize(
    "figure", [two_phases(BASE, 1281000, 2), two_phases([("block15", 12345678)] * 12, 5124, 12)]
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
