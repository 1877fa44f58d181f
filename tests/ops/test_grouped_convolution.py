"""What the page on 1×1, grouped and depthwise convolution says, for all settings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from cnnref.examples import questions_image
from cnnref.ops.convolution import conv2d, conv2d_loops
from tests.helpers.arrays import by_torch

FORMS = [conv2d, conv2d_loops]
SIZES = st.integers(1, 4)
SEEDS = st.integers(0, 2**32 - 1)


def integers(seed, *shapes):
    generator = np.random.default_rng(seed)
    return [generator.integers(-99, 99, shape) for shape in shapes]


def dense_weight(weight, groups):
    """Return the weight of the ordinary convolution that equals a grouped one: zeros between."""
    filters, group_channels, *kernel = weight.shape
    dense = np.zeros((filters, groups * group_channels, *kernel), weight.dtype)
    per_group = filters // groups
    for o in range(filters):
        first = o // per_group * group_channels
        dense[o, first : first + group_channels] = weight[o]
    return dense


# By hand.


@pytest.mark.parametrize("form", FORMS)
def test_a_1x1_filter_is_a_dot_product_over_channels_by_hand(form):
    w = np.array([[1, 1, 1], [1, 0, -1]]).reshape(2, 3, 1, 1)
    output = form(questions_image(), w)
    # Row 4: the channels hold 1, 2 and 4; 1 + 2 + 4 = 7 and 1 - 4 = -3.
    assert_array_equal(output[:, 3, 0], [7, -3])
    assert_array_equal(output[:, :, 2], [[4, 5, 6, 7], [0, -1, -2, -3]])


@pytest.mark.parametrize("form", FORMS)
def test_two_groups_by_hand(form):
    x = np.array([1, 2, 3, 4]).reshape(4, 1, 1)
    w = np.array([[10, 1], [100, 1]]).reshape(2, 2, 1, 1)
    # Filter 1 reads channels 1 and 2: 10·1 + 2; filter 2 reads 3 and 4: 100·3 + 4.
    assert form(x, w, groups=2).ravel().tolist() == [12, 304]


@pytest.mark.parametrize("form", FORMS)
def test_two_filters_a_channel_by_hand(form):
    # Depthwise with four filters for two channels: filters 1 and 2 read channel 1.
    x, w = np.array([5, 7]).reshape(2, 1, 1), np.array([1, 2, 3, 4]).reshape(4, 1, 1, 1)
    assert form(x, w, groups=2).ravel().tolist() == [5, 10, 21, 28]


# The identities, for all settings.


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2), SIZES, SIZES, SIZES, SIZES, SEEDS)
def test_1x1_is_a_matrix_product_over_channels(batch, channels, filters, rows, columns, seed):
    x, w = integers(seed, (batch, channels, rows, columns), (filters, channels, 1, 1))
    output = conv2d(x, w)
    assert_array_equal(output, np.einsum("oc,nchw->nohw", w[:, :, 0, 0], x), strict=True)
    product = w[:, :, 0, 0] @ x.reshape(batch, channels, rows * columns)
    assert_array_equal(output, product.reshape(batch, filters, rows, columns), strict=True)
    assert_array_equal(output, conv2d_loops(x, w), strict=True)
    assert_array_equal(output, by_torch(F.conv2d, x, w), strict=True)


@st.composite
def grouped(draw):
    number = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    groups, group_channels, group_filters = number(1, 4), number(1, 3), number(1, 3)
    kernel = (number(1, 3), number(1, 3))
    x = (number(1, 2), groups * group_channels, number(3, 6), number(3, 6))
    w = (groups * group_filters, group_channels, *kernel)
    options = dict(
        stride=(number(1, 3), number(1, 3)),
        padding=(number(0, 2), number(0, 2)),
        dilation=(number(1, 2), number(1, 2)),
    )
    reach = [d * (k - 1) + 1 for d, k in zip(options["dilation"], kernel, strict=True)]
    size = [n + 2 * p for n, p in zip(x[2:], options["padding"], strict=True)]
    if any(r > n for r, n in zip(reach, size, strict=True)):
        options["dilation"] = (1, 1)
    return x, w, options, groups, draw(SEEDS)


@settings(max_examples=200, deadline=None)
@given(grouped())
def test_groups_are_a_dense_weight_with_blocks_on_its_diagonal(drawn):
    x_shape, w_shape, options, groups, seed = drawn
    x, w = integers(seed, x_shape, w_shape)
    output = conv2d(x, w, groups=groups, **options)
    assert_array_equal(output, conv2d(x, dense_weight(w, groups), **options), strict=True)
    assert_array_equal(output, by_torch(F.conv2d, x, w, groups=groups, **options), strict=True)
    assert_array_equal(output, conv2d_loops(x, w, groups=groups, **options), strict=True)
    # And the parts computed on their own, one after the other.
    parts = zip(np.split(x, groups, axis=1), np.split(w, groups), strict=True)
    together = np.concatenate([conv2d(a, b, **options) for a, b in parts], axis=1)
    assert_array_equal(output, together, strict=True)


@settings(max_examples=200, deadline=None)
@given(grouped())
def test_a_channel_moves_only_the_filters_of_its_group(drawn):
    x_shape, w_shape, options, groups, seed = drawn
    x, w = integers(seed, x_shape, w_shape)
    per_group, group_filters = x_shape[1] // groups, w_shape[0] // groups
    channel = seed % x_shape[1]
    changed = x.copy()
    changed[:, channel] += 1
    moved = conv2d(changed, w, groups=groups, **options) != conv2d(x, w, groups=groups, **options)
    outside = np.ones(w_shape[0], bool)
    group = channel // per_group
    outside[group * group_filters : (group + 1) * group_filters] = False
    assert not moved[:, outside].any()


@settings(max_examples=200, deadline=None)
@given(SIZES, SIZES, st.integers(1, 3), st.integers(1, 2), st.integers(0, 1), SEEDS)
def test_depthwise_then_pointwise_is_a_separable_weight(
    channels, filters, kernel, stride, padding, seed
):
    x, depthwise, pointwise = integers(
        seed, (2, channels, 5, 6), (channels, 1, kernel, kernel), (filters, channels, 1, 1)
    )
    options = dict(stride=stride, padding=padding)
    separable = conv2d(conv2d(x, depthwise, groups=channels, **options), pointwise)
    # The one ordinary convolution it equals: each of its filters is a product, pointwise number
    # times depthwise window.
    weight = pointwise * depthwise[:, 0]
    assert weight.shape == (filters, channels, kernel, kernel)
    assert_array_equal(separable, conv2d(x, weight, **options), strict=True)
    theirs = by_torch(
        torch.nn.functional.conv2d,
        by_torch(F.conv2d, x, depthwise, groups=channels, **options),
        pointwise,
    )
    assert_array_equal(separable, theirs, strict=True)


@pytest.mark.parametrize(("kernel", "channels", "filters"), [(3, 32, 64), (5, 8, 3), (1, 4, 4)])
def test_parameters_as_torch_counts_them(kernel, channels, filters):
    ordinary = torch.nn.Conv2d(channels, filters, kernel, bias=False)
    depthwise = torch.nn.Conv2d(channels, channels, kernel, groups=channels, bias=False)
    pointwise = torch.nn.Conv2d(channels, filters, 1, bias=False)
    separable = depthwise.weight.numel() + pointwise.weight.numel()
    ratio = separable / ordinary.weight.numel()
    assert ratio == pytest.approx(1 / filters + 1 / kernel**2)
