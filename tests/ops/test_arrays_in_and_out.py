"""What goes in and what comes out: the same for convolution and transposed convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

import cnnref
from tests.helpers.arrays import arange

# Each operation, with the shape of the 1×1 weight that adds all channels up into one.
FORMS = [
    (cnnref.conv2d, (1, -1, 1, 1)),
    (cnnref.conv2d_loops, (1, -1, 1, 1)),
    (cnnref.conv_transpose2d, (-1, 1, 1, 1)),
    (cnnref.conv_transpose2d_loops, (-1, 1, 1, 1)),
]
each_form = pytest.mark.parametrize("form", [form for form, _ in FORMS])
each_sum = pytest.mark.parametrize(("form", "adding"), FORMS)


@pytest.mark.parametrize(
    ("form", "size"),
    [(form, (3, 4) if adding[0] == 1 else (5, 6)) for form, adding in FORMS],
)
def test_rank_is_kept(form, size):
    x, w = arange((2, 3, 4, 5)), arange((3, 3, 2, 2))
    batch = form(x, w)
    assert batch.shape == (2, 3, *size)
    assert_array_equal(form(x[1], w), batch[1], strict=True)


@each_sum
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
def test_dtypes(form, adding, x_dtype, w_dtype, expected):
    output = form(np.ones((3, 2, 2), x_dtype), np.ones(3, w_dtype).reshape(adding))
    assert_array_equal(output, np.full((1, 2, 2), 3, expected), strict=True)


@each_sum
def test_float16_is_summed_in_float32(form, adding):
    # float16 alone cannot count past 2048.
    ones = np.ones((2050, 1, 1), np.float16)
    assert form(ones, ones.reshape(adding)).item() == np.float16(2050)


@each_sum
def test_large_integers_are_exact(form, adding):
    # 2**53 + 1 is the first integer that a float64 cannot represent.
    assert form([[[2**53]], [[1]]], np.ones(2, int).reshape(adding)).item() == 2**53 + 1


# The loops wrap too, but NumPy warns when a single number overflows.
@pytest.mark.parametrize(("form", "adding"), FORMS[::2])
def test_integers_wrap_on_overflow(form, adding):
    x, w = np.full((2, 1, 1), 100, np.int8), np.ones(2, np.int8)
    assert form(x, w.reshape(adding)).item() == 200 - 256


@each_form
def test_non_contiguous_read_only_and_tensor_input(form):
    x = arange((5, 4, 3), np.float32)
    view = x.transpose(2, 0, 1)
    view.flags.writeable = False
    w = arange((3, 3, 2, 2), np.float32)
    expected = form(np.ascontiguousarray(view), w)
    assert_array_equal(form(view, w), expected)
    assert_array_equal(form(torch.from_numpy(x).permute(2, 0, 1), torch.from_numpy(w)), expected)
    assert_array_equal(form(view.tolist(), w.tolist()), expected)


@each_form
def test_input_and_weight_are_left_alone(form):
    x, w = arange((1, 4, 4), np.float32), arange((1, 1, 2, 2), np.float32)
    before = x.copy(), w.copy()
    output = form(x, w, [1.0], padding=1)
    output += 1
    assert_array_equal(x, before[0])
    assert_array_equal(w, before[1])
