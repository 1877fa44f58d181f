"""Convolution: hand-computed literals, loops = fast form, both = PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import cnnref
from cnnref.examples import questions_filter, questions_image
from cnnref.ops import _windows
from tests.helpers.arrays import arange, by_torch
from tests.helpers.convolutions import CASES, torch_conv2d

FORMS = [cnnref.conv2d, cnnref.conv2d_loops]


# Ring 1: computed by hand.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("settings_", "expected"),
    [
        ({}, [[45, 45], [54, 54]]),
        ({"padding": 1}, [[18, 27, 27, 18], [30, 45, 45, 30], [36, 54, 54, 36], [26, 39, 39, 26]]),
        ({"padding": 2, "dilation": 2}, [[20] * 4, [24] * 4, [20] * 4, [24] * 4]),
        ({"padding": 1, "stride": 2}, [[18, 27], [36, 54]]),
    ],
)
def test_the_questions_by_hand(form, settings_, expected):
    assert_array_equal(form(questions_image(), questions_filter(), **settings_), [expected])


@pytest.mark.parametrize("form", FORMS)
def test_the_filter_is_not_flipped(form):
    # By hand: 1·10 + 2·1 = 12 and 2·10 + 3·1 = 23; flipped it would be 21 and 32.
    assert_array_equal(form([[[1, 2, 3]]], [[[[10, 1]]]]), [[[12, 23]]])


@pytest.mark.parametrize("form", FORMS)
def test_unequal_sides_and_bias_by_hand(form):
    # Padded to [0, 0, 5, 7]: 0 + 0, 0 + 3·5, 5 + 3·7, each plus 100.
    output = form([[[5, 7]]], [[[[1, 3]]]], bias=[100], padding=((0, 0), (2, 0)))
    assert_array_equal(output, [[[100, 115, 126]]])


@pytest.mark.parametrize("form", FORMS)
def test_groups_do_not_see_each_other(form):
    # Two channels in two groups: the first filter doubles the first, the second triples the other.
    output = form([[[1, 2]], [[10, 20]]], [[[[2]]], [[[3]]]], groups=2)
    assert_array_equal(output, [[[2, 4]], [[30, 60]]])


# Ring 2 and 3: loops = fast = torch where every axis differs.


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_loops_fast_form_and_torch_agree(case, dtype, monkeypatch):
    options = dict(case)
    x, w = arange(options.pop("x"), dtype), arange(options.pop("w"), dtype, start=-11)
    b = arange(w.shape[:1], dtype, start=3)
    fast = cnnref.conv2d(x, w, b, **options)
    # Quarters of small integers are exact in float32, so the three must agree to the bit.
    assert fast.dtype == dtype
    assert_array_equal(fast, cnnref.conv2d_loops(x, w, b, **options), strict=True)
    assert_array_equal(fast, by_torch(torch_conv2d, x, w, b, **options), strict=True)
    # One output row a block, as large inputs have it.
    monkeypatch.setattr(_windows, "BUFFER_BYTES", 1)
    monkeypatch.setattr(_windows, "FEWEST_WINDOWS", 1)
    assert_array_equal(cnnref.conv2d(x, w, b, **options), fast, strict=True)


@st.composite
def settings_of_a_convolution(draw):
    number = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    pair = lambda low, high: (number(low, high), number(low, high))  # noqa: E731
    groups, kernel, dilation = number(1, 3), pair(1, 4), pair(1, 3)
    stride = pair(1, 4)
    choices = [pair(0, 3), ((number(0, 3), number(0, 3)), (number(0, 3), number(0, 3))), "valid"]
    if stride == (1, 1):
        choices.append("same")
    padding = draw(st.sampled_from(choices))
    channels = number(1, 3)
    x = (number(0, 2), groups * channels, number(1, 9), number(1, 9))
    w = (groups * number(1, 2), channels, *kernel)
    seed = number(0, 2**32 - 1)
    return x, w, dict(stride=stride, padding=padding, dilation=dilation, groups=groups), seed


@settings(max_examples=300, deadline=None)
@given(settings_of_a_convolution())
def test_any_setting_gives_what_torch_gives_or_is_refused_by_both(drawn):
    x_shape, w_shape, options, seed = drawn
    generator = np.random.default_rng(seed)
    x, w = generator.integers(-99, 99, x_shape), generator.integers(-99, 99, w_shape)
    try:
        expected = by_torch(torch_conv2d, x, w, **options)
    except RuntimeError:
        with pytest.raises(ValueError, match="window reaches"):
            cnnref.conv2d(x, w, **options)
        return
    assert_array_equal(cnnref.conv2d(x, w, **options), expected, strict=True)
    assert_array_equal(cnnref.conv2d_loops(x, w, **options), expected, strict=True)


def test_nan_and_infinity_spread_only_where_they_are_read():
    x = np.zeros((1, 1, 5))
    x[0, 0, 0], x[0, 0, 4] = np.nan, np.inf
    assert_allclose(cnnref.conv2d(x, [[[[1, 1]]]])[0, 0], [np.nan, 0, 0, np.inf])


IMAGE, FILTER = np.ones((6, 5, 5)), np.ones((8, 6, 3, 3))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(groups=4), ValueError, "`in_channels` (6) must be divisible by `groups` (4)"),
        (dict(groups=3), ValueError, "`out_channels` (8) must be divisible by `groups` (3)"),
        (dict(groups=2), ValueError, "so each filter needs 3"),
        (dict(groups=0), ValueError, "`groups` (0) must be at least 1"),
        (dict(stride=0), ValueError, "`stride` (0) must be at least 1"),
        (dict(stride=True), TypeError, "`stride` (True) must be an integer, not a bool"),
        (dict(stride=(1, 2.0)), TypeError, "`stride` (2.0) must be an integer"),
        (dict(stride=(1, 2, 3)), ValueError, "must be an int or a (height, width) pair"),
        (dict(dilation=0), ValueError, "`dilation` (0) must be at least 1"),
        (dict(padding=-1), ValueError, "`padding` (-1) must be at least 0"),
        (dict(padding=1.5), TypeError, "`padding` (1.5) must be an integer"),
        (dict(padding="full"), ValueError, "`padding` ('full') must be 'valid', 'same'"),
        (dict(padding=((1, 0), 1)), ValueError, "or ((top, bottom), (left, right))"),
        (dict(padding="same", stride=2), ValueError, "`padding` ('same') needs `stride` 1"),
        (dict(dilation=3), ValueError, "the window reaches 7 pixels in height"),
        (dict(input=np.ones((5, 5))), ValueError, "must be (C, H, W) or (N, C, H, W)"),
        (dict(input=np.ones((6, 0, 5))), ValueError, "has no rows"),
        (dict(weight=np.ones((6, 3, 3))), ValueError, "must be (O, C / groups, kH, kW)"),
        (dict(weight=np.ones((0, 6, 3, 3))), ValueError, "has no filters"),
        (dict(weight=np.ones((8, 5, 3, 3))), ValueError, "so each filter needs 6"),
        (dict(bias=np.ones(7)), ValueError, "must be (8,), one per filter"),
        (dict(bias=np.ones((8, 1))), ValueError, "must be (8,), one per filter"),
        (dict(input=np.ones((6, 5, 5), bool)), TypeError, "`input` has dtype bool"),
        (dict(input=np.ones((6, 5, 5), complex)), TypeError, "`input` has dtype complex128"),
        (dict(weight=[["a"]]), TypeError, "`weight` has dtype"),
        (dict(input=[[1, 2], [3]]), TypeError, "`input` cannot be read as an array"),
        (dict(input=torch.ones(6, 5, 5, requires_grad=True)), TypeError, "detach"),
    ],
)
def test_bad_arguments_are_refused_in_words(form, change, error, words):
    arguments = dict(input=IMAGE, weight=FILTER) | change
    with pytest.raises(error) as caught:
        form(**arguments)
    assert words in str(caught.value)
