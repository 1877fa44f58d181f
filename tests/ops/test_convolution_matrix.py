"""Convolution as a matrix: hand-computed literals, loops = fast form, both = torch and conv2d."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import cnnref
from cnnref._checks import as_padding, as_pair
from cnnref.ops.convolution_matrix import (
    col2im,
    col2im_loops,
    im2col,
    im2col_loops,
    toeplitz_matrix,
    toeplitz_matrix_loops,
)
from tests.helpers.arrays import arange

IM2COL = [im2col, im2col_loops]
COL2IM = [col2im, col2im_loops]
TOEPLITZ = [toeplitz_matrix, toeplitz_matrix_loops]


# Ring 1: by hand.


@pytest.mark.parametrize("form", IM2COL)
def test_windows_become_columns(form):
    image = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
    by_hand = [[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]
    assert_array_equal(form(image, 2), by_hand)


@pytest.mark.parametrize("form", IM2COL)
def test_rows_run_through_channels_then_taps(form):
    assert_array_equal(
        form([[[1, 2, 3]], [[10, 20, 30]]], (1, 2)), [[1, 2], [2, 3], [10, 20], [20, 30]]
    )


@pytest.mark.parametrize("form", IM2COL)
def test_stride_padding_and_dilation_by_hand(form):
    # Padded: 0 1 2 3 4 0; taps two apart: (0, 2), then one stride of 3 on: (3, 0).
    columns = form([[[1, 2, 3, 4]]], (1, 2), stride=(1, 3), padding=(0, 1), dilation=(1, 2))
    assert_array_equal(columns, [[0, 3], [2, 0]])


@pytest.mark.parametrize("form", COL2IM)
def test_overlaps_add_up(form):
    image = np.arange(1, 10).reshape(1, 3, 3)
    # A corner is in one window, an edge in two, the middle in four.
    assert_array_equal(form(im2col(image, 2), 3, 2), image * [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


@pytest.mark.parametrize("form", TOEPLITZ)
def test_doubly_blocked_toeplitz_by_hand(form):
    a, b, c, d = 1, 2, 3, 4
    assert_array_equal(
        form([[[[a, b], [c, d]]]], 3),
        [
            [a, b, 0, c, d, 0, 0, 0, 0],
            [0, a, b, 0, c, d, 0, 0, 0],
            [0, 0, 0, a, b, 0, c, d, 0],
            [0, 0, 0, 0, a, b, 0, c, d],
        ],
    )


@pytest.mark.parametrize("form", TOEPLITZ)
def test_padding_and_groups_in_the_matrix_by_hand(form):
    # Two channels of two pixels in two groups, one column of zeros on the left.
    matrix = form([[[[1, 2]]], [[[3, 4]]]], (1, 2), padding=((0, 0), (1, 0)), groups=2)
    assert_array_equal(matrix, [[2, 0, 0, 0], [1, 2, 0, 0], [0, 0, 4, 0], [0, 0, 3, 4]])


# Rings 2 and 3: loops = fast form = torch, where every axis differs.

CASES = {
    "every axis differs": dict(x=(2, 3, 5, 4), k=(3, 2), stride=(2, 1), padding=(1, 0)),
    "sides differ": dict(x=(1, 2, 6, 7), k=(2, 3), padding=((1, 0), (2, 1))),
    "dilation": dict(x=(2, 2, 7, 8), k=(3, 2), stride=(1, 2), padding=(1, 2), dilation=(2, 3)),
    "stride past the window": dict(x=(1, 2, 9, 8), k=(2, 1), stride=(4, 3)),
    "same": dict(x=(2, 2, 5, 6), k=(4, 2), padding="same"),
    "as large as the image": dict(x=(1, 2, 4, 3), k=(4, 3)),
    "no images": dict(x=(0, 2, 4, 3), k=(2, 2)),
}
CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def split(case):
    options = dict(case)
    return options.pop("x"), options.pop("k"), options


def sides_of(k, padding=0, dilation=1, **_):
    return as_padding(padding, k, (1, 1), as_pair(dilation, "d", 1))


def by_torch_unfold(x, k, stride=1, padding=0, dilation=1):
    (top, bottom), (left, right) = sides_of(k, padding, dilation)
    padded = torch.nn.functional.pad(torch.from_numpy(x), (left, right, top, bottom))
    return torch.nn.functional.unfold(padded, k, dilation=dilation, stride=stride).numpy()


def by_torch_fold(columns, size, k, stride=1, padding=0, dilation=1):
    (top, bottom), (left, right) = sides_of(k, padding, dilation)
    padded = (top + size[0] + bottom, left + size[1] + right)
    tensor = torch.from_numpy(columns)
    image = torch.nn.functional.fold(tensor, padded, k, dilation=dilation, stride=stride).numpy()
    return image[..., top : top + size[0], left : left + size[1]]


@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.float32, np.float64])
@CASE
def test_im2col_and_col2im_equal_loops_and_torch(case, dtype):
    shape, k, options = split(case)
    x = arange(shape, dtype)
    columns = im2col(x, k, **options)
    # torch unfolds floats only; these numbers are exact in float64 either way.
    exact = x if x.dtype.kind == "f" else x.astype(np.float64)
    assert_array_equal(columns, by_torch_unfold(exact, k, **options).astype(dtype), strict=True)
    assert_array_equal(columns, im2col_loops(x, k, **options), strict=True)

    mixed = arange(columns.shape, dtype, start=-5)
    image = col2im(mixed, shape[2:], k, **options)
    exact = mixed if mixed.dtype.kind == "f" else mixed.astype(np.float64)
    expected = by_torch_fold(exact, shape[2:], k, **options).astype(dtype)
    assert_array_equal(image, expected, strict=True)
    assert_array_equal(image, col2im_loops(mixed, shape[2:], k, **options), strict=True)
    # The definition of a transpose: ⟨unfold(x), y⟩ = ⟨x, fold(y)⟩.
    if np.dtype(dtype) == np.int64:
        assert (columns * mixed).sum() == (x * image).sum()


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.float32, np.float64])
@CASE
def test_the_matrix_product_is_the_convolution(case, dtype, groups):
    (n, channels, *size), k, options = split(case)
    x = arange((max(n, 1), 2 * channels, *size), dtype)
    w = arange((6, 2 * channels // groups, *k), dtype, start=-11)
    matrix = toeplitz_matrix(w, tuple(size), groups=groups, **options)
    assert_array_equal(
        matrix, toeplitz_matrix_loops(w, tuple(size), groups=groups, **options), strict=True
    )
    output = cnnref.conv2d(x, w, groups=groups, **options)
    assert_array_equal(matrix @ x[0].ravel(), output[0].ravel())
    # Column by column: the convolution of an image with a single one.
    ones = np.eye(x[0].size, dtype=dtype).reshape(-1, *x[0].shape)
    columns = cnnref.conv2d(ones, w, groups=groups, **options).reshape(len(ones), -1)
    assert_array_equal(matrix, columns.T, strict=True)
    # im2col: each group's filters times its channels' rows.
    rows = im2col(x, k, **options).reshape(len(x), groups, -1, output[0, 0].size)
    product = w.reshape(groups, 6 // groups, -1) @ rows
    assert_array_equal(product.reshape(output.shape), output)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
def test_the_transpose_is_the_transposed_convolution(stride, groups):
    w = arange((4, 4 // groups, 3, 2), np.float64)
    matrix = toeplitz_matrix(w, (7, 6), stride=stride, padding=(1, 0), groups=groups)
    size = cnnref.output_size((7, 6), (3, 2), stride, (1, 0))
    y = arange((1, 4, *size), np.float64, start=-3)
    down, right = (stride, stride) if isinstance(stride, int) else stride
    left_over = ((7 + 2 - 3) % down, (6 - 2) % right)
    expected = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(y), torch.from_numpy(w), stride=stride, padding=(1, 0),
        output_padding=left_over, groups=groups,
    )  # fmt: skip
    assert_array_equal((matrix.T @ y.ravel()).reshape(4, 7, 6), expected[0].numpy())


@st.composite
def windows(draw):
    pair = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))  # noqa: E731
    shape = (*pair(0, 3), *pair(1, 8))
    sides = draw(st.sampled_from([pair(0, 3), (pair(0, 3), pair(0, 3)), "valid"]))
    return shape, pair(1, 4), dict(stride=pair(1, 4), padding=sides, dilation=pair(1, 3))


@settings(max_examples=200, deadline=None)
@given(windows())
def test_any_setting_gives_what_torch_gives_or_is_refused_by_both(drawn):
    shape, k, options = drawn
    x = arange(shape, np.float64)
    try:
        expected = by_torch_unfold(x, k, **options)
    except RuntimeError:
        with pytest.raises(ValueError, match=r"window reaches|has no channels"):
            im2col(x, k, **options)
        return
    assert_array_equal(im2col(x, k, **options), expected, strict=True)
    assert_array_equal(im2col_loops(x, k, **options), expected, strict=True)
    image = by_torch_fold(expected, shape[2:], k, **options)
    assert_array_equal(col2im(expected, shape[2:], k, **options), image, strict=True)
    assert_array_equal(col2im_loops(expected, shape[2:], k, **options), image, strict=True)


# What goes in, what comes out.


def test_rank_is_kept_and_the_result_is_new():
    x = arange((2, 3, 4, 5))
    columns = im2col(x, 1)
    assert columns.shape == (2, 3, 20)
    assert_array_equal(im2col(x[1], 1), columns[1], strict=True)
    columns += 1
    assert_array_equal(x, arange((2, 3, 4, 5)))
    image = col2im(columns, (4, 5), 1)
    assert_array_equal(col2im(columns[1], (4, 5), 1), image[1], strict=True)
    image += 1
    assert_array_equal(columns[0, 0, :2], [x[0, 0, 0, 0] + 1, x[0, 0, 0, 1] + 1])


@pytest.mark.parametrize("form", COL2IM)
def test_float16_is_summed_in_float32(form):
    # 2048 + 1 + 1 is 2050; in float16 alone, 2048 + 1 is 2048.
    columns = np.array([[0, 0, 1], [0, 1, 0], [2048, 0, 0]], np.float16)
    image = form(columns, (1, 5), (1, 3))
    assert image.dtype == np.float16
    assert_array_equal(image, [[[0, 0, 2050, 0, 0]]])


@pytest.mark.parametrize("form", IM2COL)
def test_tensors_lists_and_read_only_views(form):
    x = arange((5, 4, 3), np.float32)
    view = x.transpose(2, 0, 1)
    view.flags.writeable = False
    expected = form(np.ascontiguousarray(view), 2)
    assert_array_equal(form(view, 2), expected)
    assert_array_equal(form(torch.from_numpy(x).permute(2, 0, 1), 2), expected)
    assert_array_equal(form(view.tolist(), 2), expected)


def test_nan_stays_in_its_windows():
    x = np.zeros((1, 1, 4))
    x[0, 0, 0] = np.nan
    assert_array_equal(np.isnan(im2col(x, (1, 2))), [[1, 0, 0], [0, 0, 0]])


def refused(form, arguments, error, words):
    with pytest.raises(error) as caught:
        form(**arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize("form", IM2COL)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(kernel_size=0), ValueError, "`kernel_size` (0) must be at least 1"),
        (dict(kernel_size=True), TypeError, "must be an integer, not a bool"),
        (dict(kernel_size=6), ValueError, "the window reaches 6 pixels in height"),
        (dict(stride=0), ValueError, "`stride` (0) must be at least 1"),
        (dict(padding=-1), ValueError, "`padding` (-1) must be at least 0"),
        (dict(dilation=0.5), TypeError, "`dilation` (0.5) must be an integer"),
        (dict(padding="same", stride=2), ValueError, "needs `stride` 1"),
        (dict(input=np.ones((5, 5))), ValueError, "must be (C, H, W) or (N, C, H, W)"),
        (dict(input=np.ones((0, 5, 5))), ValueError, "has no channels"),
        (dict(input=np.ones((1, 5, 5), bool)), TypeError, "`input` has dtype bool"),
    ],
)
def test_im2col_refuses_in_words(form, change, error, words):
    refused(form, dict(input=np.ones((2, 5, 5)), kernel_size=2) | change, error, words)


@pytest.mark.parametrize("form", COL2IM)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            dict(columns=np.ones((8, 15))),
            ValueError,
            "has 15 columns; an image of 5×5 has 4×4 = 16",
        ),
        (
            dict(columns=np.ones((7, 16))),
            ValueError,
            "has 7 rows; they must be C times the 4 cells",
        ),
        (dict(columns=np.ones((0, 16))), ValueError, "has 0 rows"),
        (dict(columns=np.ones(16)), ValueError, "must be (C · kH · kW, L) or"),
        (dict(columns=[["a"]]), TypeError, "`columns` has dtype"),
        (dict(input_size=0), ValueError, "`input_size` (0) must be at least 1"),
        (dict(kernel_size=0), ValueError, "`kernel_size` (0) must be at least 1"),
        (dict(input_size=(5, 1)), ValueError, "the window reaches 2 pixels in width"),
    ],
)
def test_col2im_refuses_in_words(form, change, error, words):
    arguments = dict(columns=np.ones((8, 16)), input_size=5, kernel_size=2)
    refused(form, arguments | change, error, words)


@pytest.mark.parametrize("form", TOEPLITZ)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(weight=np.ones((3, 2, 2))), ValueError, "must be (O, C / groups, kH, kW)"),
        (
            dict(weight=np.ones((3, 0, 2, 2))),
            ValueError,
            "(of shape (3, 0, 2, 2)) has no channels",
        ),
        (dict(groups=2), ValueError, "`out_channels` (3) must be divisible by `groups` (2)"),
        (dict(groups=0), ValueError, "`groups` (0) must be at least 1"),
        (dict(input_size=1), ValueError, "the window reaches 2 pixels in height"),
        (dict(input_size=2.0), TypeError, "`input_size` (2.0) must be an integer"),
        (dict(input_size=224), ValueError, "149187×100352, 111.5 GiB of mostly zeros"),
        (dict(stride=0), ValueError, "`stride` (0) must be at least 1"),
    ],
)
def test_toeplitz_matrix_refuses_in_words(form, change, error, words):
    refused(form, dict(weight=np.ones((3, 2, 2, 2)), input_size=4) | change, error, words)
