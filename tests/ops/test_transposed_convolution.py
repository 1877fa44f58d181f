"""Transposed convolution: hand-computed literals, loops = fast form, both = PyTorch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import cnnref
from cnnref.ops import _windows
from cnnref.ops.gradients import conv2d_input_grad
from cnnref.ops.transposed_convolution import (
    conv_transpose2d,
    conv_transpose2d_loops,
    conv_transpose2d_shape,
    output_padding,
)
from tests.helpers.arrays import arange, by_torch

FORMS = [conv_transpose2d, conv_transpose2d_loops]


# Ring 1: computed by hand.

STAMPS = [[[1, 2], [3, 4]]]
FILTER = [[[[1, 10], [100, 1000]]]]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # 1·filter at (0, 0), 2·filter one to the right, 3· one down, 4· one down and right.
        ({}, [[1, 12, 20], [103, 1234, 2040], [300, 3400, 4000]]),
        # Two apart, the stamps do not touch.
        (
            {"stride": 2},
            [[1, 10, 2, 20], [100, 1000, 200, 2000], [3, 30, 4, 40], [300, 3000, 400, 4000]],
        ),
        # Padding cuts off: a row above, a column on the right.
        ({"padding": ((1, 0), (0, 1))}, [[103, 1234], [300, 3400]]),
        # One row more below, one column more on the right: at stride 2 nothing lands there.
        (
            {"stride": (2, 1), "output_padding": (1, 0)},
            [[1, 12, 20], [100, 1200, 2000], [3, 34, 40], [300, 3400, 4000], [0, 0, 0]],
        ),
        # Dilated, the taps of a stamp stand two apart: four copies of the input.
        (
            {"dilation": 2},
            [[1, 2, 10, 20], [3, 4, 30, 40], [100, 200, 1000, 2000], [300, 400, 3000, 4000]],
        ),
        # With the bottom cut off, output_padding brings back the row that was stamped.
        (
            {"stride": 2, "padding": ((0, 1), (0, 0)), "output_padding": (1, 0)},
            [[1, 10, 2, 20], [100, 1000, 200, 2000], [3, 30, 4, 40], [300, 3000, 400, 4000]],
        ),
    ],
)
def test_stamps_by_hand(form, options, expected):
    assert_array_equal(form(STAMPS, FILTER, **options), [expected])


@pytest.mark.parametrize("form", FORMS)
def test_channels_add_up_and_the_bias_is_added_once(form):
    # 2·(1, 3) + 5·(10, 30) = (52, 156), plus 100; and 2·7 + 5·70 = 364, 2·9 + 5·90 = 468.
    output = form([[[2]], [[5]]], [[[[1, 3]], [[7, 9]]], [[[10, 30]], [[70, 90]]]], bias=[100, 0])
    assert_array_equal(output, [[[152, 256]], [[364, 468]]])


@pytest.mark.parametrize("form", FORMS)
def test_groups_do_not_see_each_other(form):
    # Two input channels in two groups, two output channels each.
    output = form([[[2]], [[5]]], [[[[1]], [[3]]], [[[10]], [[30]]]], groups=2)
    assert_array_equal(output, [[[2]], [[6]], [[50]], [[150]]])


# Ring 2 and 3: loops = fast = torch where every axis differs.

CASES = {
    "every axis differs": dict(x=(2, 3, 5, 4), w=(3, 4, 3, 2), stride=(2, 1), padding=(1, 0)),
    "output padding": dict(
        x=(2, 3, 4, 3), w=(3, 2, 2, 3), stride=(3, 2), padding=(0, 1), output_padding=(2, 1)
    ),
    "output padding below the dilation": dict(
        x=(1, 2, 3, 4), w=(2, 3, 2, 3), stride=(1, 2), dilation=(3, 1), output_padding=(2, 1)
    ),
    "sides differ": dict(x=(1, 2, 6, 5), w=(2, 3, 4, 3), stride=(2, 1), padding=((2, 1), (0, 2))),
    "stride past the kernel": dict(x=(1, 2, 3, 4), w=(2, 2, 2, 1), stride=(4, 3)),
    "groups, dilation, stride": dict(
        x=(2, 6, 4, 3), w=(6, 2, 3, 2), stride=(2, 3), padding=(2, 1), dilation=(2, 3), groups=2
    ),
    "depthwise, two filters each": dict(x=(1, 3, 5, 6), w=(3, 2, 2, 3), groups=3),
    "1×1": dict(x=(2, 5, 3, 4), w=(5, 7, 1, 1)),
    "one cell": dict(x=(1, 2, 1, 1), w=(2, 2, 4, 3)),
}


def torch_conv_transpose2d(x, w, b=None, *, padding=0, **options):
    """Call PyTorch's, which does not take ((top, bottom), (left, right)) as padding."""
    if isinstance(padding, int) or isinstance(padding[0], int):
        return torch.nn.functional.conv_transpose2d(x, w, b, padding=padding, **options)
    output = torch.nn.functional.conv_transpose2d(x, w, b, **options)
    (top, bottom), (left, right) = padding
    height, width = output.shape[2:]
    return output[:, :, top : height - bottom, left : width - right]


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_loops_fast_form_and_torch_agree(case, dtype, monkeypatch):
    options = dict(case)
    x, w = arange(options.pop("x"), dtype), arange(options.pop("w"), dtype, start=-11)
    b = arange((w.shape[1] * options.get("groups", 1),), dtype, start=3)
    fast = conv_transpose2d(x, w, b, **options)
    # Quarters of small integers are exact in float32, so the three must agree to the bit.
    assert fast.dtype == dtype
    assert_array_equal(fast, conv_transpose2d_loops(x, w, b, **options), strict=True)
    assert_array_equal(fast, by_torch(torch_conv_transpose2d, x, w, b, **options), strict=True)
    # One input row a block, as large inputs have it.
    monkeypatch.setattr(_windows, "BUFFER_BYTES", 1)
    monkeypatch.setattr(_windows, "FEWEST_WINDOWS", 1)
    assert_array_equal(conv_transpose2d(x, w, b, **options), fast, strict=True)


@st.composite
def settings_of_a_transposed_convolution(draw):
    number = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    pair = lambda low, high: (number(low, high), number(low, high))  # noqa: E731
    groups, channels = number(1, 3), number(1, 2)
    x = (number(1, 2), groups * channels, number(1, 5), number(1, 5))
    w = (groups * channels, number(1, 2), *pair(1, 4))
    options = dict(
        stride=pair(1, 4),
        padding=pair(0, 3),
        output_padding=pair(0, 3),
        groups=groups,
        dilation=pair(1, 3),
    )
    return x, w, options, number(0, 2**32 - 1)


@settings(max_examples=300, deadline=None)
@given(settings_of_a_transposed_convolution())
def test_any_setting_gives_what_torch_gives_or_is_refused_by_both(drawn):
    x_shape, w_shape, options, seed = drawn
    generator = np.random.default_rng(seed)
    x, w = generator.integers(-99, 99, x_shape), generator.integers(-99, 99, w_shape)
    try:
        expected = by_torch(torch_conv_transpose2d, x, w, **options)
    except RuntimeError:
        with pytest.raises(ValueError, match=r"must be smaller than `stride`|cuts off everything"):
            conv_transpose2d(x, w, **options)
        return
    assert_array_equal(conv_transpose2d(x, w, **options), expected, strict=True)
    assert_array_equal(conv_transpose2d_loops(x, w, **options), expected, strict=True)


def test_output_padding_is_accepted_where_torch_accepts_it():
    x, w = torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    for stride, dilation, extra in itertools.product(range(1, 4), range(1, 4), range(5)):
        options = dict(stride=(stride, 1), dilation=(dilation, 1), output_padding=(extra, 0))
        try:
            shape = torch.nn.functional.conv_transpose2d(x, w, **options).shape
        except RuntimeError:
            with pytest.raises(ValueError, match=rf"`output_padding` \({extra}\) in height must"):
                conv_transpose2d(x, w, **options)
        else:
            assert conv_transpose2d(x, w, **options).shape == shape


def test_shapes_are_checked_without_arrays():
    shape = conv_transpose2d_shape((2, 3, 4, 5), (3, 1, 3, 2))
    assert shape.output_size == (4 - 1 + 3, 5 - 1 + 2)
    assert shape.images == 2
    assert conv_transpose2d_shape((3, 4, 5), (3, 1, 3, 2)).images == 1
    with pytest.raises(ValueError, match="weight"):
        conv_transpose2d_shape((2, 3, 4, 5), (2, 1, 3, 2))


def test_an_empty_batch_is_checked_like_any_other():
    x, w = np.ones((0, 1, 2, 2)), np.ones((1, 3, 2, 2))
    expected = by_torch(torch_conv_transpose2d, x, w, stride=2, output_padding=1)
    assert_array_equal(conv_transpose2d(x, w, stride=2, output_padding=1), expected, strict=True)
    # A deliberate difference: torch 2.13 does not check output_padding when the batch is empty.
    assert by_torch(torch_conv_transpose2d, x, w, output_padding=1).shape == (0, 3, 4, 4)
    with pytest.raises(ValueError, match=r"`output_padding` \(1\) in height"):
        conv_transpose2d(x, w, output_padding=1)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_it_is_the_gradient_of_a_convolution_to_its_input(data):
    number = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    pair = lambda low, high: (number(low, high), number(low, high))  # noqa: E731
    stride, dilation, kernel, size = pair(1, 3), pair(1, 3), pair(1, 4), pair(1, 9)
    padding = (pair(0, 2), pair(0, 2))
    groups, generator = number(1, 2), np.random.default_rng(number(0, 999))
    w = generator.integers(-9, 10, (2 * groups, 3, *kernel))
    x = generator.integers(-9, 10, (2, 3 * groups, *size))
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    try:
        output = cnnref.conv2d(x, w, **options)
    except ValueError:
        return
    y = generator.integers(-9, 10, output.shape)
    # <conv(x), y> = <x, convT(y)>: this is what "transposed" says.
    back = conv2d_input_grad(x.shape, w, y, **options)
    assert (output * y).sum() == (x * back).sum()
    # The rest of the division tells the input's size: it is the output padding.
    rest = [
        (n + sum(p) - d * (k - 1) - 1) % s
        for n, p, d, k, s in zip(size, padding, dilation, kernel, stride, strict=True)
    ]
    assert_array_equal(conv_transpose2d(y, w, output_padding=rest, **options), back, strict=True)


def test_nan_and_infinity_spread_only_where_they_are_stamped():
    x = np.array([[[np.nan, 0, 0, np.inf]]])
    assert_array_equal(conv_transpose2d(x, [[[[1, 1]]]])[0, 0], [np.nan, np.nan, 0, np.inf, np.inf])


IMAGE, WEIGHT = np.ones((6, 5, 5)), np.ones((6, 2, 3, 3))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(groups=4), ValueError, "`in_channels` (6) must be divisible by `groups` (4)"),
        (dict(groups=0), ValueError, "`groups` (0) must be at least 1"),
        (dict(weight=np.ones((5, 2, 3, 3))), ValueError, "needs one for each of the 6 channels"),
        (dict(weight=np.ones((6, 3, 3))), ValueError, "must be (C, O / groups, kH, kW)"),
        (
            dict(weight=np.ones((6, 0, 3, 3))),
            ValueError,
            "`weight` (of shape (6, 0, 3, 3)) has",
        ),
        (dict(input=np.ones((6, 0, 5))), ValueError, "`input` (of shape (6, 0, 5)) has no rows"),
        (dict(input=np.ones((5, 5))), ValueError, "must be (C, H, W) or (N, C, H, W)"),
        (dict(bias=np.ones(3)), ValueError, "must be (2,), one per output channel"),
        (dict(bias=np.ones(2), groups=3), ValueError, "must be (6,), one per output channel"),
        (dict(stride=0), ValueError, "`stride` (0) must be at least 1"),
        (dict(stride=True), TypeError, "`stride` (True) must be an integer, not a bool"),
        (dict(dilation=0), ValueError, "`dilation` (0) must be at least 1"),
        (dict(padding=-1), ValueError, "`padding` (-1) must be at least 0"),
        (dict(padding="same"), TypeError, "`padding` ('same') must be an integer"),
        (dict(padding=4), ValueError, "`padding` (4) cuts off everything in height"),
        (dict(padding=(0, 4)), ValueError, "take up 7 pixels, 8 are cut off"),
        (dict(output_padding=1), ValueError, "`output_padding` (1) in height must be smaller"),
        (
            dict(output_padding=(1, 2), stride=2),
            ValueError,
            "`output_padding` (2) in width must be smaller than `stride` (2) or `dilation` (1)",
        ),
        (dict(output_padding=-1), ValueError, "`output_padding` (-1) must be at least 0"),
        (dict(output_padding=0.0), TypeError, "`output_padding` (0.0) must be an integer"),
        (dict(input=np.ones((6, 5, 5), bool)), TypeError, "`input` has dtype bool"),
        (dict(weight=torch.ones(6, 2, 3, 3, requires_grad=True)), TypeError, "detach"),
    ],
)
def test_bad_arguments_are_refused_in_words(form, change, error, words):
    arguments = dict(input=IMAGE, weight=WEIGHT) | change
    with pytest.raises(error) as caught:
        form(**arguments)
    assert words in str(caught.value)


# The `output_padding` of an output size.


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        # (7 - 1)·2 + 3 - 2 = 13 without it, so 14 needs one more.
        ((7, 14, 3), dict(stride=2, padding=1), 1),
        ((7, 13, 3), dict(stride=2, padding=1), 0),
        # Down 2·4 + 2·2 + 1 - 1 = 12, across 1·3 + 1 + 1 - 5 = 0, which needs all of stride 3.
        (
            ((3, 2), (15, 2), (3, 2)),
            dict(stride=(4, 3), padding=((1, 0), (2, 3)), dilation=(2, 1)),
            (3, 2),
        ),
        (((7, 7), 14, 3), dict(stride=2, padding=1), (1, 1)),
    ],
)
def test_output_padding_by_hand(arguments, options, expected):
    assert output_padding(*arguments, **options) == expected


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_output_padding_is_what_torch_computes_or_refused_by_both(data):
    number = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    pair = lambda low, high: (number(low, high), number(low, high))  # noqa: E731
    size, kernel = pair(1, 5), pair(1, 4)
    options = dict(stride=pair(1, 4), padding=pair(0, 2), dilation=pair(1, 3))
    wanted = pair(1, 22)
    layer = torch.nn.ConvTranspose2d(1, 1, kernel, **options)
    try:
        expected = layer(torch.ones(1, 1, *size), output_size=list(wanted)).shape[2:]
    except (ValueError, RuntimeError):
        with pytest.raises(ValueError, match=r"`output_size`|`padding`"):
            output_padding(size, wanted, kernel, **options)
        return
    extra = output_padding(size, wanted, kernel, **options)
    x, w = np.ones((1, *size)), np.ones((1, 1, *kernel))
    assert tuple(expected) == wanted
    assert conv_transpose2d(x, w, output_padding=extra, **options).shape[1:] == wanted
    # A convolution of that output comes back to the size of the input.
    assert cnnref.output_size(wanted, kernel, **options) == size


def test_output_padding_is_the_only_one_that_fits():
    for stride, padding, kernel, wanted in itertools.product(
        range(1, 4), range(3), range(1, 4), range(1, 16)
    ):
        options = dict(stride=stride, padding=padding)
        fitting = []
        for extra in range(stride):
            try:
                shape = conv_transpose2d_shape(
                    (1, 4, 4), (1, 1, kernel, kernel), output_padding=extra, **options
                )
            except ValueError:
                continue
            fitting += [extra] if shape.output_size == (wanted, wanted) else []
        try:
            found = [output_padding(4, wanted, kernel, **options)]
        except ValueError:
            found = []
        assert found == fitting


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            dict(output_size=16),
            ValueError,
            "`output_size` (16) in height must be from 13 to 14, for an `input_size` of 7",
        ),
        (dict(output_size=(14, 12)), ValueError, "in width must be from 13 to 14"),
        (dict(padding=9), ValueError, "`padding` (9) cuts off everything in height"),
        (dict(padding=7), ValueError, "must be from 1 to 2, for"),
        (
            dict(stride=(2, 1), padding=((1, 1), (0, 0)), output_size=14, kernel_size=8),
            ValueError,
            "`output_size` (14) in height must be from 18 to 19",
        ),
        (
            dict(stride=(3, 2), padding=((3, 2), (0, 0)), output_size=16, kernel_size=3),
            ValueError,
            "`output_padding` is 0 in height and 1 in width: give `output_size` as",
        ),
        (dict(input_size=0), ValueError, "`input_size` (0) must be at least 1"),
        (dict(output_size=0), ValueError, "`output_size` (0) must be at least 1"),
        (dict(output_size=14.0), TypeError, "`output_size` (14.0) must be an integer"),
        (dict(kernel_size=True), TypeError, "`kernel_size` (True) must be an integer"),
        (dict(stride=0), ValueError, "`stride` (0) must be at least 1"),
        (dict(dilation=0), ValueError, "`dilation` (0) must be at least 1"),
        (dict(padding="same"), TypeError, "`padding` ('same') must be an integer"),
    ],
)
def test_a_size_that_no_output_padding_gives_is_refused(change, error, words):
    good = dict(input_size=7, output_size=14, kernel_size=3, stride=2, padding=1)
    with pytest.raises(error) as caught:
        output_padding(**good | change)
    assert words in str(caught.value)
