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

FORMS = [cnnref.conv2d, cnnref.conv2d_loops]


def arange(shape, dtype, start=-7):
    """Return numbers of both signs that differ along every axis."""
    size = int(np.prod(shape))
    values = (np.arange(size) * 5 % 23 + start).reshape(shape)
    return values.astype(dtype) if np.dtype(dtype).kind in "iu" else (values / 4).astype(dtype)


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

CASES = {
    "every axis differs": dict(x=(2, 3, 5, 4), w=(4, 3, 3, 2), stride=(2, 1), padding=(1, 0)),
    "sides differ": dict(x=(1, 2, 6, 7), w=(3, 2, 2, 3), padding=((1, 0), (2, 1))),
    "even kernel, same": dict(x=(2, 2, 5, 6), w=(3, 2, 4, 2), padding="same"),
    "same with dilation": dict(x=(1, 2, 7, 6), w=(1, 2, 2, 3), padding="same", dilation=(3, 2)),
    "stride does not divide": dict(x=(1, 1, 8, 9), w=(2, 1, 3, 3), stride=(3, 2), padding="valid"),
    "stride past the kernel": dict(x=(1, 2, 9, 8), w=(2, 2, 2, 1), stride=(4, 3)),
    "groups, dilation, stride": dict(
        x=(2, 6, 9, 8), w=(4, 3, 3, 2), stride=(2, 3), padding=(2, 1), dilation=(2, 3), groups=2
    ),
    "depthwise, two filters each": dict(x=(1, 3, 5, 6), w=(6, 1, 2, 3), groups=3),
    "1×1": dict(x=(2, 5, 3, 4), w=(7, 5, 1, 1)),
    "window as large as the input": dict(x=(1, 2, 4, 3), w=(2, 2, 4, 3)),
}


def by_torch(x, w, b, padding=0, **options):
    tensor = torch.from_numpy(x)
    if isinstance(padding, tuple) and isinstance(padding[0], tuple):
        (top, bottom), (left, right) = padding
        tensor = torch.nn.functional.pad(tensor, (left, right, top, bottom))
        padding = 0
    bias = None if b is None else torch.from_numpy(b)
    weight, dtype = torch.from_numpy(w), tensor.dtype
    if dtype == torch.int32:  # torch 2.13 has no dilated convolution of int32
        tensor, weight, bias = (t if t is None else t.long() for t in (tensor, weight, bias))
    return (
        torch.nn.functional.conv2d(tensor, weight, bias, padding=padding, **options)
        .to(dtype)
        .numpy()
    )


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
    assert_array_equal(fast, by_torch(x, w, b, **options), strict=True)
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
        expected = by_torch(x, w, None, **options)
    except RuntimeError:
        with pytest.raises(ValueError, match="window reaches"):
            cnnref.conv2d(x, w, **options)
        return
    assert_array_equal(cnnref.conv2d(x, w, **options), expected, strict=True)
    assert_array_equal(cnnref.conv2d_loops(x, w, **options), expected, strict=True)


# What goes in, what comes out.


@pytest.mark.parametrize("form", FORMS)
def test_rank_is_kept(form):
    x, w = arange((2, 3, 4, 5), np.int64), arange((2, 3, 2, 2), np.int64)
    batch = form(x, w)
    assert batch.shape == (2, 2, 3, 4)
    assert_array_equal(form(x[1], w), batch[1], strict=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("x_dtype", "w_dtype", "expected"),
    [
        ("uint8", "int64", "int64"),
        ("float32", "float32", "float32"),
        ("float16", "float16", "float16"),
        ("int8", "int8", "int8"),
        ("uint8", "float32", "float32"),
    ],
)
def test_dtypes(form, x_dtype, w_dtype, expected):
    x, w = np.ones((1, 3, 3), x_dtype), np.ones((1, 1, 2, 2), w_dtype)
    output = form(x, w)
    assert output.dtype == expected
    assert_array_equal(output, np.full((1, 2, 2), 4))


def test_float16_is_summed_in_float32():
    # 2049 ones: float16 alone cannot count past 2048.
    ones = np.ones((1, 1, 2050), np.float16)
    assert cnnref.conv2d(ones, ones[None])[0, 0, 0] == np.float16(2050)


def test_large_integers_are_exact():
    # 2**53 + 1 is the first integer a float64 cannot hold.
    assert cnnref.conv2d([[[2**53, 1]]], [[[[1, 1]]]])[0, 0, 0] == 2**53 + 1


@pytest.mark.parametrize("form", FORMS)
def test_non_contiguous_read_only_and_tensor_input(form):
    x = arange((5, 4, 3), np.float32)
    view = x.transpose(2, 0, 1)
    view.flags.writeable = False
    w = arange((2, 3, 2, 2), np.float32)
    expected = form(np.ascontiguousarray(view), w)
    assert_array_equal(form(view, w), expected)
    assert_array_equal(form(torch.from_numpy(x).permute(2, 0, 1), torch.from_numpy(w)), expected)
    assert_array_equal(form(view.tolist(), w.tolist()), expected)


def test_input_and_weight_are_left_alone():
    x, w = arange((1, 4, 4), np.float32), arange((1, 1, 2, 2), np.float32)
    before = x.copy(), w.copy()
    output = cnnref.conv2d(x, w, [1.0], padding=1)
    output += 1
    assert_array_equal(x, before[0])
    assert_array_equal(w, before[1])


def test_nan_and_infinity_spread_only_where_they_are_read():
    x = np.zeros((1, 1, 5))
    x[0, 0, 0], x[0, 0, 4] = np.nan, np.inf
    assert_allclose(cnnref.conv2d(x, [[[[1, 1]]]])[0, 0], [np.nan, 0, 0, np.inf])


IMAGE, FILTER = np.ones((6, 5, 5)), np.ones((8, 6, 3, 3))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(groups=4), ValueError, "`in_channels` (=6) must be divisible by `groups` (=4)"),
        (dict(groups=3), ValueError, "`out_channels` (=8) must be divisible by `groups` (=3)"),
        (dict(groups=2), ValueError, "so each filter needs 3"),
        (dict(groups=0), ValueError, "`groups` (=0) must be at least 1"),
        (dict(stride=0), ValueError, "`stride` (=0) must be at least 1"),
        (dict(stride=True), TypeError, "`stride` (=True) must be an integer, not a bool"),
        (dict(stride=(1, 2.0)), TypeError, "`stride` (=2.0) must be an integer"),
        (dict(stride=(1, 2, 3)), ValueError, "must be an int or a (height, width) pair"),
        (dict(dilation=0), ValueError, "`dilation` (=0) must be at least 1"),
        (dict(padding=-1), ValueError, "`padding` (=-1) must be at least 0"),
        (dict(padding=1.5), TypeError, "`padding` (=1.5) must be an integer"),
        (dict(padding="full"), ValueError, "`padding` (='full') must be 'valid', 'same'"),
        (dict(padding=((1, 0), 1)), ValueError, "or ((top, bottom), (left, right))"),
        (dict(padding="same", stride=2), ValueError, "`padding` (='same') needs `stride` 1"),
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
