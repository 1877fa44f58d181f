from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.aliasing import folded_wave, shift_then_convolve, shifted_row
from cnnref.ops.aliasing import shift
from cnnref.ops.convolution import conv2d
from tests.helpers.artists import assert_legible, boxes, matrix, texts

STRIPES = [0, 0, 1, 1, 0, 0, 1, 1]
IMAGE = np.arange(25).reshape(5, 5) % 7


def test_a_shifted_row_and_its_pooling_by_hand():
    figure = shifted_row(STRIPES)
    np.testing.assert_array_equal(matrix(figure, "input 0")[0], STRIPES)
    np.testing.assert_array_equal(matrix(figure, "input 1")[0], [1, 0, 0, 1, 1, 0, 0, 1])
    np.testing.assert_array_equal(matrix(figure, "max 0")[0], [0, 1, 0, 1])
    np.testing.assert_array_equal(matrix(figure, "max 1")[0], [1, 1, 1, 1])
    # Dense: 0 1 1 1 0 1 1 1, and 1 0 1 1 1 0 1 1; then (1 2 1)/4 at every second cell.
    np.testing.assert_array_equal(matrix(figure, "blur 0")[0], [0.5, 1, 0.5, 1])
    np.testing.assert_array_equal(matrix(figure, "blur 1")[0], [0.75] * 4)
    assert texts(figure, "title") == ["a row", "moved by 1"]


def test_each_pooled_cell_is_under_its_pair():
    figure = shifted_row(STRIPES, by=3)
    pairs, cells = boxes(figure, "window"), boxes(figure, "output")
    assert len(pairs) == 8
    lefts = {round(box[0], 6) for box in pairs}
    assert lefts == {round(box[0], 6) for box in cells}
    assert all(box[2:] == pytest.approx((2, 1)) for box in pairs + cells)


@pytest.mark.parametrize(("cycles", "stride"), [(0.4, 2), (0.45, 2), (0.3, 3), (0.1, 2), (0.5, 1)])
def test_both_waves_pass_through_the_kept_pixels(cycles, stride):
    figure = folded_wave(cycles, 13, stride)
    kept = boxes(figure, "kept")
    assert len(kept) == len(range(0, 13, stride))
    assert len(boxes(figure, "dropped")) == 13 - len(kept)
    for label in ("fine wave", "slow wave"):
        (patch,) = (p for p in figure.axes[0].patches if p.get_label() == label)
        points = patch.get_path().vertices
        for x, y, width, height in kept:
            middle = np.array([x + width / 2, y + height / 2])
            assert np.abs(points - middle).sum(axis=1).min() < 1e-9


def test_the_slow_wave_is_slow():
    figure = folded_wave(0.4)  # |0.4 − 1/2| = 0.1: two whole waves in 20 pixels
    (patch,) = (p for p in figure.axes[0].patches if p.get_label() == "slow wave")
    y = patch.get_path().vertices[::2, 1]
    crests = (y[1:-1] < y[:-2]) & (y[1:-1] <= y[2:])
    assert crests.sum() == 1  # between those at the two ends


@pytest.mark.parametrize(("by", "padding"), [((0, 1), 1), ((1, 0), 0), ((0, 0), 1), (-1, (1, 0))])
def test_the_cells_that_differ_are_ringed(by, padding):
    weight = np.ones((3, 3), int)
    figure = shift_then_convolve(IMAGE, weight, by, padding)
    before = conv2d(shift(IMAGE[None], by), weight[None, None], padding=padding)[0]
    after = shift(conv2d(IMAGE[None], weight[None, None], padding=padding), by)[0]
    np.testing.assert_array_equal(matrix(figure, "output 0"), before)
    np.testing.assert_array_equal(matrix(figure, "output 1"), after)
    assert len(boxes(figure, "read")) == 2 * (before != after).sum()


def test_refuses_what_it_cannot_draw():
    for row in ([0, 1, 0], [[0, 1]], [0, 1] * 5, [0, 1]):
        with pytest.raises(ValueError, match="with W even"):
            shifted_row(row)
    with pytest.raises(ValueError, match="`cycles` "):
        folded_wave(0.6)
    with pytest.raises(ValueError, match="at most 25"):
        folded_wave(0.4, 26)
    with pytest.raises(ValueError, match="`input` must be a matrix"):
        shift_then_convolve([1, 2, 3], [[1]])
    with pytest.raises(ValueError, match="at most 7×7"):
        shift_then_convolve(np.ones((8, 8)), [[1]])


@pytest.mark.parametrize(
    "figure",
    [
        shifted_row(STRIPES),
        shifted_row([100, 2.345, -30, 4]),
        folded_wave(0.4),
        folded_wave(0.25, 5, 7),
        shift_then_convolve(IMAGE, np.ones((3, 3)), padding=1),
        shift_then_convolve(IMAGE[:1, :2], [[1]]),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
