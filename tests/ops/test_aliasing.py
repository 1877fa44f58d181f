"""Blur pooling and shifts: hand-computed literals, loops = fast form, both = torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cnnref.ops.aliasing import blur_pool2d, blur_pool2d_loops, shift
from tests.helpers.arrays import arange

FORMS = [blur_pool2d, blur_pool2d_loops]


# Ring 1: by hand.


@pytest.mark.parametrize("form", FORMS)
def test_one_row_by_hand(form):
    # Reflected: 4 | 0 4 8 0 | 8. At every second pixel: (4 + 0 + 4)/4 and (4 + 16 + 0)/4.
    row = [[[0, 4, 8, 0]] * 2]
    assert_array_equal(form(row), [[[2.0, 5.0]]])
    assert_array_equal(form(row, stride=(2, 1)), [[[2.0, 4.0, 5.0, 4.0]]])


@pytest.mark.parametrize("form", FORMS)
def test_both_axes_by_hand(form):
    # One pixel of 16 spreads as (1 2 1) down times (1 2 1) across.
    image = np.zeros((1, 5, 5))
    image[0, 2, 2] = 16
    assert_array_equal(form(image, stride=1)[0, 1:4, 1:4], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


@pytest.mark.parametrize("form", FORMS)
def test_even_kernels_pad_one_more_at_the_end(form):
    # Weights (1 1)/2 and (1 3 3 1)/8, zeros around.
    row = [[[2, 4, 6]]]
    assert_array_equal(form(row, 1, (1, 1)), row)
    image = [[[2, 4, 6], [2, 4, 6]]]
    assert_array_equal(form(image, 2, 1, "replicate"), [[[3, 5, 6], [3, 5, 6]]])
    image = [[[8, 0, 0, 0]] * 4]
    # One pixel of padding before and two after: 0 8 0 0 0 0 0.
    assert_array_equal(form(image, 4, (4, 1), "replicate"), [[[4, 1, 0, 0]]])


@pytest.mark.parametrize("form", FORMS)
def test_the_finest_stripes_become_grey(form):
    stripes = np.tile([0.0, 1.0], 4)[None, None].repeat(4, axis=1)
    assert_array_equal(form(stripes), np.full((1, 2, 4), 0.5))
    assert_array_equal(form(shift(stripes, (0, 1))), np.full((1, 2, 4), 0.5))


# Rings 2 and 3: loops = fast form = torch, every axis different.


def by_torch(x, kernel_size=3, stride=2, padding_mode="reflect"):
    before, after = (kernel_size - 1) // 2, kernel_size // 2
    row = torch.tensor(np.polynomial.polynomial.polypow([0.5, 0.5], kernel_size - 1))
    weight = torch.outer(row, row).to(torch.from_numpy(x).dtype)
    weight = weight.expand(x.shape[1], 1, kernel_size, kernel_size)
    padded = torch.nn.functional.pad(
        torch.from_numpy(x), (before, after, before, after), mode=padding_mode
    )
    return torch.nn.functional.conv2d(padded, weight, stride=stride, groups=x.shape[1]).numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("stride", [1, 2, (2, 1), (3, 2)])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_loops_fast_form_and_torch_agree(kernel_size, stride, mode, dtype):
    x = arange((2, 3, 6, 7), dtype)
    fast = blur_pool2d(x, kernel_size, stride, mode)
    # Small integers over powers of two are exact, so the three agree to the bit.
    assert_array_equal(fast, by_torch(x, kernel_size, stride, mode), strict=True)
    assert_array_equal(fast, blur_pool2d_loops(x, kernel_size, stride, mode), strict=True)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_setting_gives_what_torch_gives_or_is_refused_by_both(data):
    number = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    x = arange((number(0, 2), number(1, 3), number(1, 7), number(1, 7)), np.float64)
    options = (
        number(1, 6),
        (number(1, 4), number(1, 4)),
        data.draw(st.sampled_from(["constant", "reflect", "replicate", "circular"])),
    )
    try:
        expected = by_torch(x, *options)
    except RuntimeError:
        with pytest.raises(ValueError):
            blur_pool2d(x, *options)
        return
    assert_array_equal(blur_pool2d(x, *options), expected, strict=True)
    assert_array_equal(blur_pool2d_loops(x, *options), expected, strict=True)


@pytest.mark.parametrize("by", [0, 1, -3, (2, 0), (-1, 9), (40, -50)])
def test_shift_is_roll(by):
    x = arange((2, 3, 4, 5), np.float64)
    pair = (by, by) if isinstance(by, int) else by
    expected = torch.roll(torch.from_numpy(x), pair, dims=(-2, -1)).numpy()
    assert_array_equal(shift(x, by), expected, strict=True)
    assert_array_equal(shift(x[1], by), expected[1], strict=True)


def test_shift_moves_down_and_right_and_back():
    image = np.array([[[1, 2, 3], [4, 5, 6]]])
    assert_array_equal(shift(image, (1, 0)), [[[4, 5, 6], [1, 2, 3]]])
    assert_array_equal(shift(image, (0, 1)), [[[3, 1, 2], [6, 4, 5]]])
    assert_array_equal(shift(shift(image, (1, -2)), (-1, 2)), image, strict=True)


def test_blur_pool_commutes_with_shifts_by_the_stride():
    x = np.random.default_rng(0).normal(size=(1, 2, 8, 12))
    moved = blur_pool2d(shift(x, (4, 2)), padding_mode="circular")
    assert_allclose(moved, shift(blur_pool2d(x, padding_mode="circular"), (2, 1)), atol=1e-15)


# What goes in, what comes out.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("given_dtype", "expected"),
    [("uint8", "float64"), ("int64", "float64"), ("float32", "float32"), ("float16", "float16")],
)
def test_dtypes(form, given_dtype, expected):
    assert form(np.ones((1, 4, 4), given_dtype)).dtype == expected


@pytest.mark.parametrize("form", [*FORMS, lambda x: shift(x, 1)])
def test_input_is_left_alone_and_views_are_read(form):
    x = arange((5, 4, 3), np.float64)
    view = x.transpose(2, 0, 1)
    view.flags.writeable = False
    output = form(view)
    assert_array_equal(output, form(np.ascontiguousarray(view)))
    assert_array_equal(output, form(torch.from_numpy(x).permute(2, 0, 1)))
    output += 1
    assert_array_equal(x, arange((5, 4, 3), np.float64))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(kernel_size=0), ValueError, "`kernel_size` (0) must be at least 1"),
        (dict(kernel_size=(3, 3)), TypeError, "`kernel_size` ((3, 3)) must be an integer"),
        (dict(stride=0), ValueError, "`stride` (0) must be at least 1"),
        (dict(stride=True), TypeError, "not a bool"),
        (dict(padding_mode="mirror"), ValueError, "mirror"),
        (dict(input=np.ones((1, 1, 4))), ValueError, "reflect"),
        (dict(input=np.ones((4, 4))), ValueError, "must be (C, H, W) or (N, C, H, W)"),
        (dict(input=np.ones((0, 4, 4))), ValueError, "has no channels"),
    ],
)
def test_bad_arguments_are_refused_in_words(form, change, error, words):
    with pytest.raises(error) as caught:
        form(**(dict(input=np.ones((1, 4, 4))) | change))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("by", "error"), [(0.5, TypeError), (True, TypeError), ((1, 2, 3), ValueError)]
)
def test_shift_refuses_what_is_no_pair_of_integers(by, error):
    with pytest.raises(error, match="`by`"):
        shift(np.ones((1, 4, 4)), by)
