"""Padding: by hand, and equal to torch.nn.functional.pad in every mode."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import cnnref

ROW = [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("constant", [0, 0, 1, 2, 3, 0, 0]),
        ("reflect", [3, 2, 1, 2, 3, 2, 1]),
        ("replicate", [1, 1, 1, 2, 3, 3, 3]),
        ("circular", [2, 3, 1, 2, 3, 1, 2]),
    ],
)
def test_modes_by_hand(mode, expected):
    assert_array_equal(cnnref.pad2d(ROW, ((0, 0), (2, 2)), mode), [[expected]])


def test_each_side_by_hand():
    padded = cnnref.pad2d([[[7]]], ((1, 0), (0, 2)), value=-1)
    assert_array_equal(padded, [[[-1, -1, -1], [7, -1, -1]]])


def test_a_pair_is_height_then_width():
    assert cnnref.pad2d(np.zeros((2, 1, 3, 4)), (1, 2)).shape == (2, 1, 5, 8)


@given(
    st.sampled_from(["constant", "reflect", "replicate", "circular"]),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(*[st.integers(0, 5)] * 4),
)
def test_equals_torch_or_is_refused_by_both(mode, size, sides):
    x = np.arange(2 * size[0] * size[1], dtype=np.float32).reshape(1, 2, *size)
    top, bottom, left, right = sides
    padding = ((top, bottom), (left, right))
    try:
        expected = torch.nn.functional.pad(
            torch.from_numpy(x), (left, right, top, bottom), mode=mode
        ).numpy()
    except (RuntimeError, ValueError):
        with pytest.raises(ValueError, match="must be at most"):
            cnnref.pad2d(x, padding, mode)
        return
    assert_array_equal(cnnref.pad2d(x, padding, mode), expected, strict=True)


def test_minus_infinity_for_pooling():
    assert cnnref.pad2d([[[0.5]]], 1, value=-np.inf)[0, 0, 0] == -np.inf


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((ROW, -1), ValueError, "`padding` (-1) must be at least 0"),
        ((ROW, (1, 2, 3)), ValueError, "((top, bottom), (left, right))"),
        ((ROW, 1, "mirror"), ValueError, "`mode` ('mirror') must be 'constant'"),
        ((ROW, (0, 3), "reflect"), ValueError, "must be at most 2 with mode 'reflect'"),
        ((ROW, (0, 4), "circular"), ValueError, "must be at most 3 with mode 'circular'"),
        ((ROW, 1, "constant", 0.5), TypeError, "`value` (0.5) does not fit"),
        ((ROW, 1, "constant", float("nan")), TypeError, "does not fit"),
        ((np.ones((1, 1, 1), np.uint8), 1, "constant", 256), TypeError, "does not fit"),
        ((ROW, 1, "constant", True), TypeError, "must be a real number"),
        (([1, 2], 1), ValueError, "must be (C, H, W) or (N, C, H, W)"),
    ],
)
def test_bad_arguments_are_refused_in_words(arguments, error, words):
    with pytest.raises(error) as caught:
        cnnref.pad2d(*arguments)
    assert words in str(caught.value)
