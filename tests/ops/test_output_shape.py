"""Output shape: by hand, by counting windows, and equal to what torch returns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import cnnref


@pytest.mark.parametrize(
    ("settings_", "expected"),
    [
        (dict(input_size=128, kernel_size=3), 126),
        (dict(input_size=128, kernel_size=3, stride=2), 63),
        (dict(input_size=4, kernel_size=3, padding=2, dilation=2), 4),
        (dict(input_size=(5, 4), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0)), (3, 3)),
        (dict(input_size=7, kernel_size=4, padding="same"), 7),
        (dict(input_size=6, kernel_size=3, padding=((0, 0), (1, 1)), stride=1), None),
    ],
)
def test_by_hand(settings_, expected):
    if expected is None:  # height 4, width 6: one int cannot say it
        with pytest.raises(ValueError, match="give `input_size` as a"):
            cnnref.output_size(**settings_)
    else:
        assert cnnref.output_size(**settings_) == expected


pairs = st.integers(1, 4)


@settings(max_examples=300)
@given(st.integers(1, 12), pairs, pairs, st.integers(0, 3), st.integers(0, 3), st.integers(1, 3))
def test_equals_the_count_of_windows(size, kernel, stride, before, after, dilation):
    reach = dilation * (kernel - 1) + 1
    padded = before + size + after
    assume(reach <= padded)
    starts = [s for s in range(0, padded, stride) if s + reach <= padded]
    shape = cnnref.output_size(
        (size, 1), (kernel, 1), (stride, 1), ((before, after), (0, 0)), (dilation, 1)
    )
    assert shape == (len(starts), 1)
    read = {s + t * dilation - before for s in starts for t in range(kernel)}
    unread = cnnref.unread_pixels(
        (size, 1), (kernel, 1), (stride, 1), ((before, after), (0, 0)), (dilation, 1)
    )
    assert_array_equal(unread[:, 0], [y not in read for y in range(size)])


@settings(max_examples=300)
@given(
    st.integers(1, 12),
    st.integers(1, 5),
    pairs,
    st.integers(0, 2),
    st.integers(1, 3),
    st.booleans(),
)
def test_equals_torch_pooling(size, kernel, stride, padding, dilation, ceil_mode):
    assume(padding <= kernel // 2)
    try:
        pooled = torch.nn.functional.max_pool2d(
            torch.zeros(1, 1, size, size), kernel, stride, padding, dilation, ceil_mode
        )
    except RuntimeError:
        with pytest.raises(ValueError, match="window reaches"):
            cnnref.output_size(size, kernel, stride, padding, dilation, ceil_mode)
        return
    assert (
        cnnref.output_size(size, kernel, stride, padding, dilation, ceil_mode) == pooled.shape[-1]
    )


def test_unread_pixels_are_those_without_gradient():
    x = torch.zeros(1, 1, 8, 9, requires_grad=True)
    weight = torch.ones(1, 1, 3, 2)
    torch.nn.functional.conv2d(x, weight, stride=(2, 3)).sum().backward()
    assert_array_equal(cnnref.unread_pixels((8, 9), (3, 2), (2, 3)), x.grad[0, 0].numpy() == 0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (dict(input_size=4, kernel_size=3), ((1, 1), (1, 1))),
        (dict(input_size=4, kernel_size=2), ((0, 1), (0, 1))),
        (dict(input_size=4, kernel_size=2, extra="start"), ((1, 0), (1, 0))),
        # ceil(7/2) = 4 windows, (4 - 1)·2 + 3 - 7 = 2; ceil(6/2) = 3, (3 - 1)·2 + 3 - 6 = 1.
        (dict(input_size=(7, 6), kernel_size=3, stride=2), ((1, 1), (0, 1))),
        (dict(input_size=5, kernel_size=1, stride=3), ((0, 0), (0, 0))),
        (dict(input_size=8, kernel_size=3, dilation=(1, 2)), ((1, 1), (2, 2))),
    ],
)
def test_same_padding_by_hand(arguments, expected):
    assert cnnref.same_padding(**arguments) == expected


@given(st.integers(1, 12), pairs, pairs, st.integers(1, 3), st.sampled_from(["end", "start"]))
def test_same_padding_gives_size_over_stride_rounded_up(size, kernel, stride, dilation, extra):
    sides = cnnref.same_padding(size, kernel, stride, dilation, extra)
    assert cnnref.output_size(size, kernel, stride, sides, dilation) == -(-size // stride)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_padding_equals_the_word_same(kernel, dilation):
    x, w = np.arange(49).reshape(1, 7, 7), np.arange(kernel**2).reshape(1, 1, kernel, kernel)
    sides = cnnref.same_padding(7, kernel, dilation=dilation)
    assert_array_equal(
        cnnref.conv2d(x, w, padding=sides, dilation=dilation),
        cnnref.conv2d(x, w, padding="same", dilation=dilation),
    )


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: cnnref.output_size(0, 3), ValueError, "`input_size` (0) must be at least 1"),
        (lambda: cnnref.output_size(2, 3), ValueError, "the window reaches 3 pixels in height"),
        (lambda: cnnref.output_size(8.0, 3), TypeError, "`input_size` (8.0) must be an integer"),
        (lambda: cnnref.output_size(8, 3, True), TypeError, "`stride` (True)"),
        (lambda: cnnref.same_padding(8, 3, extra="left"), ValueError, "`extra` ('left')"),
        (lambda: cnnref.unread_pixels(8, 0), ValueError, "`kernel_size` (0)"),
    ],
)
def test_bad_arguments_are_refused_in_words(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)
