"""The shared helpers fail when they should: a check that cannot fail checks nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnref.figures._theme import canvas
from tests.helpers.arrays import arange, by_torch
from tests.helpers.artists import assert_legible, drawn_twice
from tests.helpers.refusals import refused


@pytest.mark.parametrize("dtype", ["int8", "int64", "float16", "float32", "float64"])
def test_arange_differs_along_every_axis_and_has_both_signs(dtype):
    values = arange((2, 3, 5, 4), dtype)
    assert values.dtype == dtype
    assert values.min() < 0 < values.max()
    for axis in range(4):
        assert not np.array_equal(values, np.flip(values, axis))


def test_arange_gives_one_number_for_no_axes():
    assert arange((), start=3) == 3


def test_by_torch_keeps_int32_where_torch_has_no_such_convolution():
    x, w = arange((1, 1, 5, 5), np.int32), arange((1, 1, 2, 2), np.int32)
    output = by_torch(torch.nn.functional.conv2d, x, w, None, dilation=2)
    assert output.dtype == np.int32
    expected = by_torch(torch.nn.functional.conv2d, *map(np.int64, (x, w)), dilation=2)
    np.testing.assert_array_equal(output, expected)


def raising(error):
    raise error


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (ValueError("`padding` (3) is too large"), "does not name `stride`"),
        (ValueError("stride (0) must be positive"), "does not name `stride`"),
        (ValueError("`stride` (0) is wrong"), "does not say 'positive'"),
        (UnicodeError("`stride` (0) must be positive"), "UnicodeError, not ValueError"),
    ],
)
def test_refused_is_not_content_with_another_error(error, complaint):
    with refused(ValueError, "stride", "positive"):
        raising(ValueError("`stride` (0) must be positive"))
    with pytest.raises(AssertionError, match=complaint), refused(ValueError, "stride", "positive"):
        raising(error)


def test_refused_is_not_content_without_an_error():
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"), refused(ValueError, "stride"):
        pass


def with_texts(*places):
    figure, axes = canvas(3, 2)
    for x, y in places:
        axes.text(x, y, "26", fontsize=12)
    return figure


@pytest.mark.parametrize(
    ("places", "complaint"),
    [([(1, 1), (1.05, 1)], "overlaps"), ([(2.9, 1)], "leaves the canvas")],
)
def test_assert_legible_finds_what_cannot_be_read(places, complaint):
    assert_legible(with_texts((0.2, 1), (2, 1)))
    with pytest.raises(AssertionError, match=complaint):
        assert_legible(with_texts(*places))


def test_drawn_twice_finds_a_figure_that_changes():
    places = iter([(1, 1), (2, 1)])
    with pytest.raises(AssertionError, match="second drawing differs"):
        drawn_twice(lambda: with_texts(next(places)))
