"""A derivation of integers that wrap would be false: it is refused; one that just fits is not."""

from __future__ import annotations

import numpy as np
import pytest

from cnnref import worked

TWO_PIXELS = [[[200, 1]]]
FILTER = [[[[2, 1]]]]


def solutions(dtype, image, weight):
    """Yield a function for each derivation that multiplies and adds integers."""
    x, w = np.array(image, dtype), np.array(weight, dtype)
    one = np.ones((1, 1, 1), dtype)
    yield lambda: worked.convolution(x, w)
    yield lambda: worked.convolution(one, w[..., :1], bias=x[0, 0, :1])
    yield lambda: worked.convolution_matrix(x, w)
    yield lambda: worked.transposed_convolution(x, w)
    yield lambda: worked.transposed_convolution(one, w, bias=x[0, 0, :1])
    yield lambda: worked.gradients(x, w, x[..., :1])


@pytest.mark.parametrize("place", range(6))
def test_integers_that_wrap_are_refused(place):
    wide = list(solutions(np.int32, TWO_PIXELS, FILTER))[place]
    assert str(wide())
    narrow = list(solutions(np.uint8, [[[254, 1]]], FILTER))[place]
    with pytest.raises(ValueError, match=r"`input`.* give uint8, which holds numbers up to 255"):
        narrow()


def test_negative_numbers_count_by_their_size():
    x, w = np.array([[[-100, 100]]], np.int8), np.array([[[[1, 1]]]], np.int8)
    with pytest.raises(ValueError, match=r"int8, .* may reach 200: convert them"):
        worked.convolution(x, w)


def test_the_largest_sum_that_fits_is_written():
    x, w = np.array([[[127, 64]]], np.uint8), np.array([[[[1, 2]]]], np.uint8)
    assert "total   255" in worked.convolution(x, w).to_text()


def test_floats_are_never_refused():
    x, w = np.array([[[300.0, 300.0]]], np.float16), np.array([[[[100.0, 1.0]]]], np.float16)
    assert "total   30304" in str(worked.convolution(x, w))
