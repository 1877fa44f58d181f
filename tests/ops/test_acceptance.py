"""We compute what torch computes, or both refuse, or the difference is listed with its reason.

Arguments are drawn good and bad: wrong ranks and types, bools, floats, text, negative and zero
numbers, sequences too long and too short, empty axes. `DIFFERENCES` lists each case where we accept
what torch refuses, or the other way round, with its reason and an example; a test holds that every
example still differs, so the list cannot grow stale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import cnnref

OURS, TORCHS = "we accept", "torch accepts"
F = torch.nn.functional
WINDOWS = {
    name: (getattr(cnnref, name), getattr(F, name))
    for name in ("conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d")
}


def our_batch_norm(*arguments, **options):
    return cnnref.batch_norm(*arguments, **options).output


FUNCTIONS = WINDOWS | {
    "conv2d_input": (cnnref.conv2d_input_grad, torch.nn.grad.conv2d_input),
    "conv2d_weight": (cnnref.conv2d_weight_grad, torch.nn.grad.conv2d_weight),
    "unfold": (cnnref.im2col, F.unfold),
    "pixel_unshuffle": (cnnref.space_to_depth, F.pixel_unshuffle),
    "pixel_shuffle": (cnnref.depth_to_space, F.pixel_shuffle),
    "softmax": (cnnref.softmax, F.softmax),
    "batch_norm": (our_batch_norm, F.batch_norm),
}


@dataclass(frozen=True)
class Difference:
    """A deliberate difference from torch in what is accepted."""

    why: str
    who: str
    matches: Callable[[str, tuple[Any, ...], dict[str, Any], Exception], bool]
    example: tuple[str, tuple[Any, ...], dict[str, Any]]


def arrays(positional):
    return [value for value in positional if isinstance(value, np.ndarray)]


def words(*parts):
    """Match on the message of the side that refuses."""
    return lambda name, positional, options, error: all(part in str(error) for part in parts)


def mixed(name, positional, options, error):
    return len({array.dtype for array in arrays(positional)}) > 1


def empty_batch(name, positional, options, error):
    return arrays(positional)[0].shape[0] == 0 and "must be" in str(error)


X, W = np.ones((1, 4, 5, 6), np.float32), np.ones((4, 4, 2, 3), np.float32)
DIFFERENCES = [
    Difference(
        "torch stretches a sequence of one over both axes; a pair has two numbers here",
        TORCHS, words("(height, width) pair", "(1,)"), ("conv2d", (X, W), {"stride": (1,)}),
    ),
    Difference(
        "torch reads an empty stride as the default; here the default is None",
        TORCHS, words("`stride` (())"), ("max_pool2d", (X, 2), {"stride": ()}),
    ),
    Difference(
        "complex images have no use on this site",
        TORCHS, words("has dtype complex64"),
        ("conv2d", (X.astype(np.complex64), W.astype(np.complex64)), {}),
    ),
    Difference(
        "torch looks at dilation and output_padding only where there is an image to compute",
        TORCHS, empty_batch, ("conv2d", (X[:0], W), {"dilation": 0}),
    ),
    Difference(
        "torch cuts the mean of integers down to an integer; that would be a wrong mean in silence",
        TORCHS, words("the mean of integers"), ("avg_pool2d", (X.astype(np.int64), 2), {}),
    ),
    Difference(
        "a negative divisor turns an average's sign; torch lets it",
        TORCHS, words("`divisor_override`", "must be at least 1"),
        ("avg_pool2d", (X, 2), {"divisor_override": -1}),
    ),
    Difference(
        "dtypes mix by NumPy's rule here; torch wants them equal",
        OURS, mixed, ("conv2d", (X, W.astype(np.float64)), {}),
    ),
    Difference(
        "torch has no kernel for some integer types",
        OURS, words("not implemented for"),
        ("conv_transpose2d", (X.astype(np.int32), W.astype(np.int32)), {}),
    ),
    Difference(
        "the word 'valid' means no padding wherever a padding is asked for",
        OURS, lambda name, positional, options, error: options.get("padding") == "valid",
        ("max_pool2d", (X, 2), {"padding": "valid"}),
    ),
    Difference(
        "all that slides a window takes the paddings of a convolution, 'same' among them",
        OURS, lambda name, positional, options, error: (
            name not in ("conv2d", "conv_transpose2d") and options.get("padding") == "same"
        ),
        ("unfold", (X, 3), {"padding": "same"}),
    ),
    Difference(
        "torch computes a gradient for some dilations, and for bools, that its convolution refuses",
        TORCHS, lambda name, positional, options, error: (
            name.startswith("conv2d_") and ("`dilation`" in str(error) or "a bool" in str(error))
        ),
        ("conv2d_weight", (X.repeat(2, 0), W.shape, X.repeat(2, 0)[:, :, 1:, 2:]), {"dilation": 0}),
    ),
    Difference(
        "torch rearranges and normalises maps without a pixel; such a map is a mistake",
        TORCHS, words("of shape", "has no"), ("pixel_shuffle", (X[:, :, :0], 2), {}),
    ),
    Difference(
        "torch counts the numbers of a scale or shift and does not look at their shape",
        TORCHS, words("has shape", "one per channel"),
        ("batch_norm", (X, X[0, :, 0, 0], X[0, :, 0, 0], X[0, :, :1, 0]), {}),
    ),
    Difference(
        "without eps a constant channel is divided by zero",
        TORCHS, words("`eps` (0.0)"),
        ("batch_norm", (X, X[0, :, 0, 0], X[0, :, 0, 0]), {"eps": 0.0}),
    ),
]  # fmt: skip


def outcome(function, positional, options):
    try:
        return function(*positional, **options), None
    except Exception as error:  # whatever it is, that is what is compared
        return None, error


def compare(name, positional, options):
    """Return the listed difference of a call, or None if both agree; anything else fails."""
    ours, theirs = FUNCTIONS[name]
    tensors = [torch.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v for v in positional]
    result, refusal = outcome(ours, positional, options)
    expected, their_refusal = outcome(theirs, tensors, options)
    if refusal is not None:
        assert isinstance(refusal, (TypeError, ValueError)), f"unclear error: {refusal!r}"
    if refusal is None and their_refusal is None:
        assert result.shape == tuple(expected.shape)
        # Half precision is summed in another order there, and rounds at the third digit.
        tolerance = 1e-2 if result.dtype == np.float16 else 1e-5
        assert_allclose(result, expected.numpy(), rtol=tolerance, atol=tolerance)
        return None
    if refusal is not None and their_refusal is not None:
        return None
    who = OURS if refusal is None else TORCHS
    error = their_refusal if refusal is None else refusal
    for difference in DIFFERENCES:
        if difference.who == who and difference.matches(name, positional, options, error):
            return difference
    pytest.fail(f"{name}{[np.shape(v) for v in positional]} {options}: {who}, unlisted: {error}")


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.why[:40])
def test_every_listed_difference_is_one(difference):
    assert compare(*difference.example) is difference


SIZES = st.sampled_from([
    1, 2, 3, (2, 1), (1, 2), [2, 1], np.int64(2),
    0, -1, (0, 1), (1, -1), True, 1.0, 1.5, "2", None, (1,), (1, 2, 3), (), (True, 1), ((1, 1), 1),
])  # fmt: skip
PADDINGS = st.sampled_from(
    [0, 1, 2, (1, 0), -1, (0, -1), True, 1.0, "same", "valid", "full", None, (1,), (1, 0, 1), ()]
)
DTYPES = st.sampled_from(
    ["float32"] * 4 + ["float64", "int64", "int32", "uint8", "float16", "complex64"]
)
IMAGES = st.sampled_from(
    [(2, 4, 5, 6)] * 3 + [(4, 5, 6), (0, 4, 5, 6), (1, 4, 0, 6), (4, 5), (1, 1, 4, 5, 6)]
)
FILTERS = st.sampled_from(
    [(4, 4, 2, 3), (4, 2, 2, 3), (4, 1, 3, 2), (2, 4, 1, 2), (0, 4, 2, 2), (2, 4, 0, 2), (2, 4, 2)]
)
PLENTY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def some(draw, **pools):
    """Draw a few of the options, so that most calls have at most one bad argument."""
    return {name: draw(pool) for name, pool in pools.items() if draw(st.integers(0, 3)) == 0}


def numbers(draw, shape, dtype):
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    return generator.integers(0, 5, shape).astype(dtype)


@st.composite
def convolutions(draw):
    dtype = draw(DTYPES)
    x = numbers(draw, draw(IMAGES), dtype)
    w = numbers(draw, draw(FILTERS), draw(st.sampled_from([dtype, dtype, dtype, "float64"])))
    bias_shape = draw(st.sampled_from([None, None, w.shape[:1], (5,), (*w.shape[:1], 1)]))
    bias = None if bias_shape is None else numbers(draw, bias_shape, w.dtype)
    groups = st.sampled_from([1, 2, 4, 3, 0, -1, True, 1.0, None])
    return (x, w, bias), some(draw, stride=SIZES, padding=PADDINGS, dilation=SIZES, groups=groups)


@st.composite
def poolings(draw):
    x = numbers(draw, draw(IMAGES), draw(DTYPES))
    kernel = draw(st.one_of(st.sampled_from([2, 3, (2, 3)]), SIZES))
    return (x, kernel), some(
        draw, stride=SIZES, padding=PADDINGS, ceil_mode=st.sampled_from([True, False])
    )


@PLENTY
@given(convolutions())
def test_convolution(call):
    compare("conv2d", *call)


@PLENTY
@given(convolutions(), st.sampled_from([0, 0, 1, 2, (1, 0), -1, True, 1.0, (1,)]))
def test_transposed_convolution(call, output_padding):
    positional, options = call
    compare("conv_transpose2d", positional, {**options, "output_padding": output_padding})


@PLENTY
@given(poolings(), st.one_of(st.just(1), SIZES))
def test_max_pooling(call, dilation):
    positional, options = call
    compare("max_pool2d", positional, {**options, "dilation": dilation})


@PLENTY
@given(poolings(), st.booleans(), st.sampled_from([None, None, 1, 2, 0, -1, True, 1.5]))
def test_average_pooling(call, count_include_pad, divisor_override):
    positional, options = call
    compare(
        "avg_pool2d",
        positional,
        {**options, "count_include_pad": count_include_pad, "divisor_override": divisor_override},
    )


@st.composite
def gradients(draw):
    """Sizes, and an output gradient whose shape is right half of the time."""
    dtype = draw(st.sampled_from(["float32", "float64"]))
    x, w = numbers(draw, (2, 4, 5, 6), dtype), numbers(draw, (4, 4, 2, 3), dtype)
    options = some(draw, stride=SIZES, padding=PADDINGS, dilation=SIZES, groups=st.just(1))
    forward, refusal = outcome(F.conv2d, (torch.from_numpy(x), torch.from_numpy(w)), options)
    right = (2, 4, 4, 4) if refusal else tuple(forward.shape)
    wrong = st.sampled_from([right, right, (2, 4, 4, 5), (2, 3, 4, 4), (4, 4)])
    return x, w, numbers(draw, draw(wrong), dtype), options


@PLENTY
@given(gradients())
def test_gradients_of_convolution(call):
    x, w, grad, options = call
    compare("conv2d_input", (x.shape, w, grad), options)
    compare("conv2d_weight", (x, w.shape, grad), options)


@PLENTY
@given(poolings(), st.one_of(st.just(1), SIZES))
def test_unfolding(call, dilation):
    (x, kernel), options = call
    options.pop("ceil_mode", None)
    compare("unfold", (x, kernel), {**options, "dilation": dilation})


@PLENTY
@given(st.data(), st.sampled_from(["pixel_unshuffle", "pixel_shuffle"]))
def test_rearranging(data, name):
    shapes = st.sampled_from([(1, 4, 6, 4), (2, 9, 3, 6), (4, 2, 2), (4, 4), (1, 4, 0, 2)])
    x = numbers(data.draw, data.draw(shapes), data.draw(DTYPES))
    compare(name, (x, data.draw(SIZES)), {})


def test_torch_leaves_an_empty_batch_as_it_is():
    # Where there is no image, pixel_unshuffle leaves the channels alone; the way back does not.
    empty = np.zeros((0, 4, 2, 2))
    assert F.pixel_unshuffle(torch.from_numpy(empty), 2).shape == (0, 4, 2, 2)
    assert cnnref.space_to_depth(empty, 2).shape == (0, 16, 1, 1)
    assert F.pixel_shuffle(torch.from_numpy(empty), 2).shape == (0, 1, 4, 4)
    assert cnnref.depth_to_space(empty, 2).shape == (0, 1, 4, 4)


@PLENTY
@given(st.data())
def test_softmax(data):
    shapes = st.sampled_from([(3,), (2, 4), (2, 3, 4, 5), (0, 3), (2, 0)])
    x = numbers(data.draw, data.draw(shapes), data.draw(DTYPES))
    dim = data.draw(st.sampled_from([0, 1, -1, 2, 3, -4, 4, -5, True, 1.0, "1", None]))
    compare("softmax", (x, dim), {})


@PLENTY
@given(st.data())
def test_batch_normalization(data):
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    x = numbers(data.draw, data.draw(IMAGES), dtype)
    channels = st.sampled_from([(4,), (4,), (4,), (3,), (4, 1)])
    statistics = [numbers(data.draw, data.draw(channels), dtype) + 1 for _ in range(2)]
    affine = [
        None if data.draw(st.booleans()) else numbers(data.draw, data.draw(channels), dtype)
        for _ in range(2)
    ]
    options = some(
        data.draw,
        training=st.booleans(),
        momentum=st.sampled_from([0.1, 0.0, 1.0]),
        eps=st.sampled_from([1e-5, 1e-3, 0.0, -1.0]),
    )
    compare("batch_norm", (x, *statistics, *affine), options)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_go_where_torch_lets_them_go(name, value):
    x = np.arange(1.0, 61.0).reshape(1, 2, 5, 6)
    x[0, 1, 2, 3] = value
    second = np.ones((2, 2, 2, 3)) if name.startswith("conv") else (2, 3)
    assert compare(name, (x, second), {"padding": (1, 1)}) is None


@pytest.mark.parametrize("name", WINDOWS)
def test_read_only_strided_and_tracked_input(name):
    x = np.arange(240.0).reshape(6, 5, 2, 4).transpose(2, 3, 1, 0)[:, :, ::-1]
    x.flags.writeable = False
    second = np.ones((4, 4, 2, 3)) if name.startswith("conv") else (2, 3)
    ours, theirs = FUNCTIONS[name]
    copy = torch.from_numpy(x.copy())
    expected = theirs(copy, torch.from_numpy(second) if name.startswith("conv") else second)
    assert_allclose(ours(x, second), expected.numpy())
    assert_allclose(ours(copy, second), expected.numpy())
    with pytest.raises(TypeError, match=r"`input` cannot be read as an array.*detach"):
        ours(copy.requires_grad_(), second)


def test_integer_overflow_wraps_as_in_torch():
    x, w = np.full((1, 1, 1, 2), 2**62), np.ones((1, 1, 1, 2), np.int64)
    assert compare("conv2d", (x, w), {}) is None
    assert cnnref.conv2d(x, w).item() == -(2**63)
