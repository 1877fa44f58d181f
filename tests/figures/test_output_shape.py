from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnref import output_size, unread_pixels
from cnnref.figures.output_shape import floor_drops, unread_grid
from tests.helpers.artists import assert_legible, boxes, cells, matrix, texts


def test_question_8_at_both_ends_of_the_axis():
    figure = floor_drops(128, 3, stride=2)
    assert texts(figure, "formula") == ["⌊(128 + 2·0 − 3) / 2⌋ + 1 = 63"]
    assert texts(figure, "window number") == ["1", "2", "3", "62", "63"]
    assert texts(figure, "unread") == ["128"]
    assert len(boxes(figure, "cross")) == 2
    assert list(cells(figure, "pixels from 1").values()) == list("1234567")
    last = ["122", "123", "124", "125", "126", "127"]
    assert list(cells(figure, "pixels from 122").values()) == last


def test_question_7_drops_nothing():
    figure = floor_drops(128, 3)
    assert texts(figure, "formula") == ["⌊(128 + 2·0 − 3) / 1⌋ + 1 = 126"]
    assert texts(figure, "summary") == ["126 windows; left over at the end: nothing"]
    assert not boxes(figure, "cross")


@pytest.mark.parametrize("size", [5, 8, 11])
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_short_axis_shows_every_window_and_every_unread_pixel(
    size, kernel, stride, padding, dilation
):
    figure = floor_drops(size, kernel, stride, padding, dilation)
    windows = output_size(size, kernel, stride, padding, dilation)
    assert texts(figure, "window number") == [str(number + 1) for number in range(windows)]
    assert len(boxes(figure, "read")) == windows * kernel
    unread = unread_pixels(
        (1, size), (1, kernel), (1, stride), (0, padding), (1, dilation)
    )[0]  # fmt: skip
    assert texts(figure, "unread") == [str(pixel + 1) for pixel in np.flatnonzero(unread)]


def test_a_window_is_above_the_pixels_it_reads():
    figure = floor_drops(8, 3, stride=2)
    starts = [x for x, *_ in boxes(figure, "window")]
    assert np.diff(starts) == pytest.approx([2, 2])
    (first_pixel, *_) = boxes(figure, "cell")
    assert starts[0] == pytest.approx(first_pixel[0], abs=0.05)


def test_unread_grid_counts_the_windows_like_the_gradient_of_a_sum():
    settings = dict(stride=(2, 1), padding=(1, 0), dilation=(1, 2))
    figure = unread_grid((6, 5), (3, 2), **settings)
    ones = torch.ones(1, 1, 6, 5, requires_grad=True)
    torch.nn.functional.conv2d(ones, torch.ones(1, 1, 3, 2), **settings).sum().backward()
    counts = ones.grad[0, 0].numpy()
    assert (counts > 0).all()
    np.testing.assert_array_equal(matrix(figure, "count"), counts)


def test_unread_grid_crosses_out_the_pixels_that_no_window_reads():
    figure = unread_grid(8, 3, stride=2)
    unread = unread_pixels(8, 3, stride=2)
    assert len(boxes(figure, "unread")) == unread.sum() == 15
    assert len(boxes(figure, "cross")) == 2 * 15
    assert set(cells(figure, "count")) == {tuple(map(int, cell)) for cell in np.argwhere(~unread)}


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="too wide to draw"):
        floor_drops(100, 16)
    with pytest.raises(ValueError, match="at most 16 pixels a side"):
        unread_grid(17, 3)
    with pytest.raises(ValueError, match="window reaches 5"):
        floor_drops(4, 3, dilation=2)


@pytest.mark.parametrize(
    "figure",
    [
        floor_drops(128, 3, 2),
        floor_drops(128, 3, 1),
        floor_drops(1000, 7, 2, 3),
        floor_drops(10, 3, 3, 0, 2),
        floor_drops(1, 1),
        floor_drops(16, 3, 2, 1),
        floor_drops(224, 11, 4, 2),
        unread_grid(8, 3, 2),
        unread_grid(1, 1),
        unread_grid((16, 4), 3, 3),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
