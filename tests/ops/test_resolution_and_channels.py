"""space_to_depth and depth_to_space: by hand, loops = fast form = PyTorch, exact inverses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from cnnref.ops.convolution import conv2d
from cnnref.ops.resolution_and_channels import (
    depth_to_space,
    depth_to_space_loops,
    space_to_depth,
    space_to_depth_loops,
)

DOWN = [space_to_depth, space_to_depth_loops]
UP = [depth_to_space, depth_to_space_loops]


def arange(shape, dtype=np.int64):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


# Ring 1: by hand.


@pytest.mark.parametrize("form", DOWN)
def test_question_6_by_hand(form):
    image = [[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]]
    expected = [
        [[1, 3], [9, 11]],
        [[2, 4], [10, 12]],
        [[5, 7], [13, 15]],
        [[6, 8], [14, 16]],
    ]
    assert_array_equal(form(image, 2), expected)
    assert form(image, 2).size == 16


@pytest.mark.parametrize("form", DOWN)
def test_all_of_one_channel_then_all_of_the_next_by_hand(form):
    image = [[[1, 2], [3, 4]], [[10, 20], [30, 40]]]
    assert form(image, 2).ravel().tolist() == [1, 2, 3, 4, 10, 20, 30, 40]


@pytest.mark.parametrize("form", UP)
def test_depth_to_space_by_hand(form):
    image = np.array([1, 2, 3, 4, 10, 20, 30, 40]).reshape(8, 1, 1)
    assert_array_equal(form(image, 2), [[[1, 2], [3, 4]], [[10, 20], [30, 40]]])
    # Two pixels side by side: their blocks stand side by side.
    image = [[[1, 5]], [[2, 6]], [[3, 7]], [[4, 8]]]
    assert_array_equal(form(image, 2), [[[1, 2, 5, 6], [3, 4, 7, 8]]])


# Rings 2 and 3: loops = fast form = torch.


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([np.int64, np.uint8, np.float32, np.float64, np.float16]),
)
def test_any_setting_equals_torch_and_comes_back(batch, channels, rows, columns, block, dtype):
    images = arange((batch, channels, rows * block, columns * block), dtype)
    down = space_to_depth(images, block)
    expected = torch.nn.functional.pixel_unshuffle(torch.from_numpy(images), block).numpy()
    assert_array_equal(down, expected, strict=True)
    assert_array_equal(space_to_depth_loops(images, block), expected, strict=True)
    up = torch.nn.functional.pixel_shuffle(torch.from_numpy(down), block).numpy()
    assert_array_equal(depth_to_space(down, block), up, strict=True)
    assert_array_equal(depth_to_space_loops(down, block), up, strict=True)
    assert_array_equal(depth_to_space(down, block), images, strict=True)
    assert down.size == images.size


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 7),
    st.integers(1, 7),
    st.integers(-1, 4),
    st.sampled_from([(space_to_depth, "pixel_unshuffle"), (depth_to_space, "pixel_shuffle")]),
)
def test_torch_accepts_and_refuses_the_same(channels, rows, columns, block, pair):
    form, name = pair
    images = arange((channels, rows, columns))
    try:
        expected = getattr(torch.nn.functional, name)(torch.from_numpy(images), block).numpy()
    except RuntimeError:
        with pytest.raises(ValueError, match="`block_size`"):
            form(images, block)
        return
    assert_array_equal(form(images, block), expected, strict=True)


def test_an_empty_batch_has_the_shape_of_the_others():
    # PyTorch 2.13 hands an empty batch back with its shape unchanged; we do not follow it.
    empty = np.ones((0, 1, 4, 4))
    assert torch.nn.functional.pixel_unshuffle(torch.from_numpy(empty), 2).shape == (0, 1, 4, 4)
    for down, up in zip(DOWN, UP, strict=True):
        assert down(empty, 2).shape == (0, 4, 2, 2)
        assert up(down(empty, 2), 2).shape == (0, 1, 4, 4)


# What the page says of strided convolution.


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)
def test_strided_convolution_is_space_to_depth_then_convolution(
    channels, filters, extra, kernel, stride, seed
):
    generator = np.random.default_rng(seed)
    # Sides that the stride divides and that hold the window filled up to a multiple of it.
    filled = -(-kernel // stride) * stride
    rows, columns = (filled + stride * (size - 1) for size in extra)
    x = generator.integers(-99, 99, (channels, rows, columns))
    w = generator.integers(-99, 99, (filters, channels, kernel, kernel))
    regrouped = space_to_depth(np.pad(w, ((0, 0), (0, 0), *[(0, filled - kernel)] * 2)), stride)
    assert_array_equal(
        conv2d(space_to_depth(x, stride), regrouped), conv2d(x, w, stride=stride), strict=True
    )


# What goes in, what comes out.


@pytest.mark.parametrize("form", DOWN + UP)
def test_rank_and_dtype_are_kept(form):
    batch = arange((3, 4, 4, 6), np.float32)
    assert_array_equal(form(batch[1], 2), form(batch, 2)[1], strict=True)
    assert form(batch, 2).dtype == np.float32


@pytest.mark.parametrize("form", DOWN + UP)
def test_nan_and_infinity_move_unharmed(form):
    image = np.array([np.nan, np.inf, -np.inf, -0.0] * 4).reshape(4, 2, 2)
    moved = form(image, 2)
    assert np.isnan(moved).sum() == 4
    assert np.isposinf(moved).sum() == np.isneginf(moved).sum() == 4
    assert np.signbit(moved[moved == 0]).all()


@pytest.mark.parametrize("form", DOWN + UP)
@pytest.mark.parametrize("block", [1, 2])
def test_the_result_shares_no_memory(form, block):
    image = arange((4, 4, 4))
    before = image.copy()
    moved = form(image, block)
    moved += 1
    assert_array_equal(image, before)


@pytest.mark.parametrize("form", DOWN + UP)
def test_non_contiguous_read_only_and_tensor_input(form):
    image = arange((6, 4, 8), np.float32).transpose(2, 1, 0)
    image.flags.writeable = False
    expected = form(np.ascontiguousarray(image), 2)
    assert_array_equal(form(image, 2), expected)
    assert_array_equal(form(image.tolist(), 2), expected)
    assert_array_equal(form(torch.from_numpy(image.copy()), 2), expected)


@pytest.mark.parametrize("form", DOWN + UP)
def test_a_numpy_integer_is_a_block_size(form):
    assert_array_equal(form(arange((4, 4, 4)), np.int64(2)), form(arange((4, 4, 4)), 2))


IMAGE = np.ones((4, 4, 6))


@pytest.mark.parametrize("form", DOWN + UP)
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((IMAGE, 0), ValueError, "`block_size` (0) must be at least 1"),
        ((IMAGE, -2), ValueError, "`block_size` (-2) must be at least 1"),
        ((IMAGE, True), TypeError, "`block_size` (True) must be an integer, not a bool"),
        ((IMAGE, 2.0), TypeError, "`block_size` (2.0) must be an integer"),
        ((IMAGE, (2, 2)), TypeError, "`block_size` ((2, 2)) must be an integer"),
        ((np.ones((4, 4)), 2), ValueError, "must be (C, H, W) or (N, C, H, W)"),
        # PyTorch passes images without rows or channels through; no operation here makes them.
        ((np.ones((4, 0, 4)), 2), ValueError, "has no rows"),
        ((np.ones((1, 0, 4, 4)), 2), ValueError, "has no channels"),
        # PyTorch also moves bools and complex numbers.
        ((np.ones((4, 4, 4), bool), 2), TypeError, "`input` has dtype bool"),
        ((np.ones((4, 4, 4), complex), 2), TypeError, "`input` has dtype complex128"),
        ((torch.ones(4, 4, 4, requires_grad=True), 2), TypeError, "detach"),
    ],
)
def test_bad_arguments_are_refused_in_words(form, arguments, error, words):
    with pytest.raises(error) as caught:
        form(*arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("form", "shape", "block", "words"),
    [
        (form, shape, block, words)
        for form in DOWN
        for shape, block, words in [
            ((1, 5, 4), 2, "`input` has height 5, which must be divisible by `block_size` (2)"),
            ((1, 6, 4), 3, "`input` has width 4, which must be divisible by `block_size` (3)"),
        ]
    ]
    + [(form, (6, 2, 2), 2, "divisible by the square of `block_size` (2), 4") for form in UP],
)
def test_what_does_not_divide_is_refused(form, shape, block, words):
    with pytest.raises(ValueError) as caught:
        form(np.ones(shape), block)
    assert words in str(caught.value)
