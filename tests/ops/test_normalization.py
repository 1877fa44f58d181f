"""Batch norm, ReLU and softmax: hand-computed literals, plain loops, torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cnnref.ops.normalization import batch_norm, relu, softmax
from tests.helpers.arrays import arange

F = torch.nn.functional


# Batch norm by hand.


def test_training_by_hand():
    # Channel 1 holds 0 and 4 (mean 2, variance 4, unbiased 8); channel 2 holds 5, 5 (0, 0).
    output, mean, var = batch_norm(
        [[0.0, 5.0], [4.0, 5.0]], [0, 1], [1, 1],
        weight=[3, 1], bias=[10, -1], training=True, momentum=0.5, eps=5,
    )  # fmt: skip
    assert_array_equal(output, [[8, -1], [12, -1]])  # 10 ∓ 3·2/√(4 + 5), and −1
    assert_array_equal(mean, [1, 3])
    assert_array_equal(var, [4.5, 0.5])


def test_evaluation_by_hand():
    mean, var = np.array([2.0]), np.array([15.0])
    result = batch_norm([[[[2, 10]]]], mean, var, eps=1)
    assert_array_equal(result.output, [[[[0.0, 2.0]]]])
    assert_array_equal(result.running_mean, mean)
    assert_array_equal(result.running_var, var)


# Batch norm in loops, and torch's.


def in_loops(x, running_mean, running_var, weight, bias, training, momentum, eps):
    output, mean_after, var_after = np.zeros(x.shape), [], []
    for c in range(x.shape[1]):
        values = [float(v) for v in x[:, c].ravel()]
        mean, var = float(running_mean[c]), float(running_var[c])
        if training:
            batch_mean = math.fsum(values) / len(values)
            squares = math.fsum((v - batch_mean) ** 2 for v in values)
            mean_after.append((1 - momentum) * mean + momentum * batch_mean)
            var_after.append((1 - momentum) * var + momentum * squares / (len(values) - 1))
            mean, var = batch_mean, squares / len(values)
        else:
            mean_after.append(mean)
            var_after.append(var)
        for index in np.ndindex(x[:, c].shape):
            place = (index[0], c, *index[1:])
            output[place] = weight[c] * (x[place] - mean) / math.sqrt(var + eps) + bias[c]
    return output, mean_after, var_after


def parameters(channels, dtype):
    return [
        (np.arange(channels) * step + start).astype(dtype)
        for step, start in ((0.5, -1), (0.25, 0.75), (-0.5, 2), (0.125, 3))
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (6, 3), (1, 3, 2, 1), (2, 1, 1, 3)])
@pytest.mark.parametrize(("momentum", "eps"), [(0.1, 1e-5), (0.0, 0.5), (1.0, 1e-3)])
def test_batch_norm_equals_loops_and_torch(shape, training, momentum, eps, dtype):
    x, (mean, var, weight, bias) = arange(shape, dtype), parameters(shape[1], dtype)
    settings_ = dict(training=training, momentum=momentum, eps=eps)
    before = [array.copy() for array in (x, mean, var, weight, bias)]
    output, mean_after, var_after = batch_norm(x, mean, var, weight, bias, **settings_)
    for array, copy in zip((x, mean, var, weight, bias), before, strict=True):
        assert_array_equal(array, copy)

    torch_mean, torch_var = torch.tensor(mean), torch.tensor(var)  # torch writes over these
    expected = F.batch_norm(
        torch.from_numpy(x), torch_mean, torch_var,
        torch.from_numpy(weight), torch.from_numpy(bias), **settings_,
    )  # fmt: skip
    close = dict(rtol=2e-6, atol=2e-6) if dtype == np.float32 else dict(rtol=1e-12, atol=1e-12)
    for ours, theirs in ((output, expected), (mean_after, torch_mean), (var_after, torch_var)):
        assert ours.dtype == dtype
        assert_allclose(ours, theirs.numpy(), **close)
    looped = in_loops(x, mean, var, weight, bias, **settings_)
    for ours, theirs in zip((output, mean_after, var_after), looped, strict=True):
        assert_allclose(ours, theirs, **close)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_batch_norm_equals_torch_on_any_shape(data):
    shape = tuple(data.draw(st.integers(1, 4)) for _ in range(data.draw(st.sampled_from([2, 4]))))
    x = np.random.default_rng(data.draw(st.integers(0, 999))).normal(size=shape)
    momentum = data.draw(st.floats(0, 1))
    running = [torch.zeros(shape[1]).double(), torch.ones(shape[1]).double()]
    arguments = dict(training=True, momentum=momentum)
    try:
        expected = F.batch_norm(torch.from_numpy(x), *running, **arguments)
    except ValueError as error:
        assert "more than 1 value per channel" in str(error)  # noqa: PT017
        with pytest.raises(ValueError, match="must be more than 1"):
            batch_norm(x, np.zeros(shape[1]), np.ones(shape[1]), **arguments)
        return
    ours = batch_norm(x, np.zeros(shape[1]), np.ones(shape[1]), **arguments)
    for mine, theirs in zip(ours, (expected, *running), strict=True):
        assert_allclose(mine, theirs.numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("given_parameters", [(None, None), ("weight", None), (None, "bias")])
def test_weight_and_bias_may_be_missing(given_parameters):
    x, (mean, var, weight, bias) = arange((2, 3, 4, 5), np.float64), parameters(3, np.float64)
    weight, bias = (
        value if name else None
        for name, value in zip(given_parameters, (weight, bias), strict=True)
    )
    tensors = [None if t is None else torch.from_numpy(t) for t in (x, mean, var, weight, bias)]
    assert_allclose(batch_norm(x, mean, var, weight, bias).output, F.batch_norm(*tensors).numpy())


def test_no_running_values_in_training():
    x = arange((4, 3), np.float64)
    output, mean, var = batch_norm(x, None, None, training=True)
    assert mean is None
    assert var is None
    assert_allclose(output, F.batch_norm(torch.from_numpy(x), None, None, training=True).numpy())


@pytest.mark.parametrize(
    ("given_dtype", "expected"),
    [("int64", "float64"), ("float16", "float16"), ("uint8", "float64")],
)
def test_batch_norm_dtypes(given_dtype, expected):
    x = np.array([[1], [3]], given_dtype)
    output, mean, _ = batch_norm(x, [0], [1], training=True)
    assert output.dtype == expected
    assert_allclose(output, [[-1], [1]], atol=1e-3)
    assert_allclose(mean, [0.2])


def test_an_empty_batch_passes_at_eval_time():
    assert batch_norm(np.ones((0, 3, 2, 2)), np.zeros(3), np.ones(3)).output.shape == (0, 3, 2, 2)


def test_large_numbers_with_a_small_spread():
    # In float32 sums of squares would lose the spread altogether.
    x = np.array([[4096.0], [4097.0]], np.float32)
    assert_allclose(
        batch_norm(x, None, None, training=True, eps=1e-9).output, [[-1], [1]], rtol=1e-6
    )


def test_nan_and_infinity_pass_as_in_torch():
    x = np.array([[np.nan, 1, np.inf], [1, 2, 3]])
    for training in (False, True):
        theirs = F.batch_norm(
            torch.from_numpy(x), torch.zeros(3).double(), torch.ones(3).double(), training=training
        )
        ours = batch_norm(x, np.zeros(3), np.ones(3), training=training)
        assert_allclose(ours.output, theirs.numpy())


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(input=np.ones((1, 3)), training=True), ValueError, "has 1 value(s) per channel"),
        (dict(input=np.ones((1, 3, 1, 1)), training=True), ValueError, "must be more than 1"),
        (
            dict(input=np.ones((0, 3, 2, 2)), training=True),
            ValueError,
            "has 0 value(s) per channel",
        ),
        (dict(input=np.ones((3, 4, 4))), ValueError, "must be (N, C, H, W) or (N, C)"),
        (dict(input=np.ones((2, 3, 0, 4))), ValueError, "has no rows"),
        (dict(input=np.ones((2, 4))), ValueError, "`running_mean` has shape (3,); it must be (4,)"),
        (dict(running_var=np.ones(2)), ValueError, "`running_var` has shape (2,)"),
        (dict(weight=np.ones((3, 1))), ValueError, "`weight` has shape (3, 1)"),
        (dict(bias=1.0), ValueError, "`bias` has shape ()"),
        (dict(running_mean=None), ValueError, "must both be given, or both be None"),
        (dict(running_mean=None, running_var=None), ValueError, "are needed when `training`"),
        (dict(training=1), TypeError, "`training` (1) must be True or False"),
        (dict(momentum=2), ValueError, "`momentum` (2) must be from 0 to 1"),
        (dict(momentum=math.nan), ValueError, "must be from 0 to 1"),
        (dict(momentum=None), TypeError, "`momentum` (None) must be a real number"),
        (dict(momentum=True), TypeError, "must be a real number"),
        (dict(eps=0), ValueError, "`eps` (0) must be above 0"),
        (dict(eps="small"), TypeError, "`eps` ('small') must be a real number"),
        (dict(input=np.ones((2, 3), bool)), TypeError, "`input` has dtype bool"),
    ],
)
def test_batch_norm_refuses_in_words(change, error, words):
    arguments = dict(input=np.ones((2, 3)), running_mean=np.zeros(3), running_var=np.ones(3))
    with pytest.raises(error) as caught:
        batch_norm(**(arguments | change))
    assert words in str(caught.value)


# ReLU.


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 5, 4)])
def test_relu_equals_torch_and_keeps_the_dtype(shape, dtype):
    x = (np.arange(np.prod(shape, dtype=int)) - 3).reshape(shape).astype(dtype)
    before = x.copy()
    assert_array_equal(relu(x), F.relu(torch.from_numpy(x)).numpy(), strict=True)
    assert_array_equal(relu(x).ravel(), [max(v, 0) for v in x.ravel().tolist()])
    assert_array_equal(x, before)


def test_relu_of_what_is_no_number():
    assert_array_equal(relu([np.nan, -np.inf, np.inf]), [np.nan, 0, np.inf])
    with pytest.raises(TypeError, match="`input` has dtype bool"):
        relu([True])


# Softmax.


def test_softmax_by_hand():
    # e^0 : e^ln2 : e^ln5 = 1 : 2 : 5.
    assert_allclose(softmax(np.log([1, 2, 5]), 0), [0.125, 0.25, 0.625])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dim", [0, 1, 2, -1, -3])
def test_softmax_equals_loops_and_torch(dim, dtype):
    x = arange((2, 3, 5), dtype)
    ours = softmax(x, dim)
    assert ours.dtype == dtype
    assert_allclose(ours, F.softmax(torch.from_numpy(x), dim).numpy(), rtol=1e-6)
    moved, looped = np.moveaxis(x, dim, -1), np.moveaxis(ours, dim, -1)
    for index in np.ndindex(moved.shape[:-1]):
        powers = [math.exp(v) for v in moved[index]]
        assert_allclose(looped[index], [p / sum(powers) for p in powers], rtol=1e-6)


@pytest.mark.parametrize(
    "x",
    [
        [1e4, 0.0], [-1e4, -1e4], [-np.inf, 0.0], [-np.inf, -np.inf], [np.inf, 0.0], [np.nan, 0.0],
        [], [[], []],
    ],
)  # fmt: skip
def test_softmax_at_the_edges_equals_torch(x):
    x = np.array(x, float)
    assert_array_equal(softmax(x, -1), F.softmax(torch.from_numpy(x), -1).numpy(), strict=True)


def test_softmax_of_one_number_of_integers_and_of_half_precision():
    assert_array_equal(softmax(3.0, 0), np.float64(1), strict=True)
    assert softmax([1, 1], 0).dtype == np.float64
    half = softmax(np.full(4096, 10, np.float16), 0)  # the sum overflows float16
    assert_array_equal(half, np.full(4096, 2.0**-12, np.float16), strict=True)


@pytest.mark.parametrize(
    ("dim", "error", "words"),
    [
        (2, ValueError, "`dim` (2) must be from -2 to 1"),
        (-3, ValueError, "`dim` (-3) must be at least -2"),
        (1.0, TypeError, "`dim` (1.0) must be an integer"),
        (True, TypeError, "not a bool"),
        (None, TypeError, "`dim` (None) must be an integer"),
    ],
)
def test_softmax_refuses_in_words(dim, error, words):
    with pytest.raises(error) as caught:
        softmax(np.ones((2, 3)), dim)
    assert words in str(caught.value)
