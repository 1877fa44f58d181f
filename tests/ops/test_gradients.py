"""The gradients of a convolution: by hand, loops = fast form, both = autograd and torch.nn.grad."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import cnnref
from cnnref.ops import _windows
from cnnref.ops.gradients import (
    conv2d_bias_grad,
    conv2d_bias_grad_loops,
    conv2d_input_grad,
    conv2d_input_grad_loops,
    conv2d_weight_grad,
    conv2d_weight_grad_loops,
)
from tests.helpers import convolutions
from tests.helpers.arrays import arange

INPUT_FORMS = [conv2d_input_grad, conv2d_input_grad_loops]
WEIGHT_FORMS = [conv2d_weight_grad, conv2d_weight_grad_loops]
BIAS_FORMS = [conv2d_bias_grad, conv2d_bias_grad_loops]


# Ring 1: computed by hand.

IMAGE = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
FILTER = [[[[1, 10], [100, 1000]]]]
GRAD = [[[1, 2], [3, 4]]]


@pytest.mark.parametrize("form", INPUT_FORMS)
@pytest.mark.parametrize(
    ("size", "grad", "options", "expected"),
    [
        # Pixel (1, 1) is read by all four: 1·1000 + 2·100 + 3·10 + 4·1.
        ((1, 3, 3), GRAD, {}, [[1, 12, 20], [103, 1234, 2040], [300, 3400, 4000]]),
        # Stride 2 reads the 2×2 corner of 3×3; the pixels that no window reads get zero.
        ((1, 3, 3), [[[7]]], {"stride": 2}, [[7, 70, 0], [700, 7000, 0], [0, 0, 0]]),
        # Dilation 2: the four corners.
        ((1, 3, 3), [[[7]]], {"dilation": 2}, [[7, 0, 70], [0, 0, 0], [700, 0, 7000]]),
        # Padding has no gradient here: one row above, one column on the right.
        ((1, 1, 1), GRAD, {"padding": ((1, 1), (1, 1))}, [[1234]]),
        ((1, 2, 2), GRAD, {"padding": "same"}, [[1, 12], [103, 1234]]),
        ((1, 2, 2), GRAD, {"padding": ((1, 0), (0, 1))}, [[103, 1234], [300, 3400]]),
    ],
)
def test_input_gradient_by_hand(form, size, grad, options, expected):
    assert_array_equal(form(size, FILTER, grad, **options), [expected])


@pytest.mark.parametrize("form", WEIGHT_FORMS)
@pytest.mark.parametrize(
    ("size", "grad", "options", "expected"),
    [
        # Weight (0, 0) met 1, 2, 4, 5: 1·1 + 2·2 + 3·4 + 4·5 = 37; then 47, 67 and 77.
        ((1, 1, 2, 2), GRAD, {}, [[37, 47], [67, 77]]),
        # Stride 2: weight (0, 0) met the corners, 1·1 + 2·3 + 3·7 + 4·9.
        ((1, 1, 1, 1), GRAD, {"stride": 2}, [[64]]),
        # Dilation 2: each weight met one corner of the image.
        ((1, 1, 2, 2), [[[10]]], {"dilation": 2}, [[10, 30], [70, 90]]),
        # Zeros of the padding give nothing: a row above, a column on the right. Weight (0, 0) met
        # 0, 0, 1, 2, so 3·1 + 4·2; weight (1, 2) met 3, 0, 6, 0, so 1·3 + 3·6.
        (
            (1, 1, 3, 3),
            GRAD,
            {"padding": ((1, 0), (0, 1))},
            [[11, 18, 9], [37, 47, 21], [67, 77, 33]],
        ),
    ],
)
def test_weight_gradient_by_hand(form, size, grad, options, expected):
    assert_array_equal(form(IMAGE, size, grad, **options), [[expected]])


@pytest.mark.parametrize("form", BIAS_FORMS)
def test_bias_gradient_by_hand(form):
    # Filter 1: 1 + 2 + 3 in one image, 10 in the other; filter 2: 4 + 5 + 6 and 20.
    grad = [[[[1, 2, 3]], [[4, 5, 6]]], [[[10, 0, 0]], [[0, 0, 20]]]]
    assert_array_equal(form(grad), [16, 35])
    assert_array_equal(form(grad[0]), [6, 15])
    assert_array_equal(form(np.ones((1, 2, 0, 3))), [0, 0])


# Ring 2 and 3: loops = fast = torch where every axis differs.

CASES = convolutions.CASES | {
    "windows on padding alone": dict(x=(1, 1, 2, 1), w=(1, 1, 1, 2), padding=(3, 4), stride=(2, 1)),
}


def by_autograd(x, w, grad, **options):
    """Return the three gradients, in float64: exact for the numbers used here."""
    tensor, weight, output_grad = (
        torch.from_numpy(each.astype(np.float64)) for each in (x, w, grad)
    )
    tensor.requires_grad_(True)
    weight.requires_grad_(True)
    bias = torch.zeros(len(w), dtype=torch.float64, requires_grad=True)
    convolutions.torch_conv2d(tensor, weight, bias, **options).backward(output_grad)
    return tensor.grad.numpy(), weight.grad.numpy(), bias.grad.numpy()


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_loops_fast_form_and_autograd_agree(case, dtype, monkeypatch):
    options = dict(case)
    x, w = arange(options.pop("x"), dtype), arange(options.pop("w"), dtype, start=-11)
    grad = arange(cnnref.conv2d(x, w, **options).shape, dtype, start=-5)
    expected = [each.astype(dtype) for each in by_autograd(x, w, grad, **options)]
    # Quarters of small integers are exact in float32, so the three must agree to the bit.
    for _ in range(2):
        for form in INPUT_FORMS:
            result = form(x.shape, w, grad, **options)
            assert_array_equal(result, expected[0], strict=True)
        for form in WEIGHT_FORMS:
            assert_array_equal(form(x, w.shape, grad, **options), expected[1], strict=True)
        # Once more with one output row a block, as large inputs have it.
        monkeypatch.setattr(_windows, "BUFFER_BYTES", 1)
        monkeypatch.setattr(_windows, "FEWEST_WINDOWS", 1)
    for form in BIAS_FORMS:
        assert_array_equal(form(grad), expected[2], strict=True)


@pytest.mark.parametrize("name", ["every axis differs", "groups, dilation, stride", "1×1"])
def test_equal_to_torch_nn_grad(name):
    options = dict(CASES[name])
    x, w = arange(options.pop("x"), np.float64), arange(options.pop("w"), np.float64, start=-11)
    grad = arange(cnnref.conv2d(x, w, **options).shape, np.float64, start=-5)
    tensor, weight, output_grad = (torch.from_numpy(each) for each in (x, w, grad))
    # Same names, same order: the arguments can be handed over as they are.
    theirs = torch.nn.grad.conv2d_input(tensor.shape, weight, output_grad, **options)
    assert_array_equal(conv2d_input_grad(tensor.shape, weight, output_grad, **options), theirs)
    theirs = torch.nn.grad.conv2d_weight(tensor, weight.shape, output_grad, **options)
    assert_array_equal(conv2d_weight_grad(tensor, weight.shape, output_grad, **options), theirs)


@st.composite
def settings_of_a_convolution(draw):
    number = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    pair = lambda low, high: (number(low, high), number(low, high))  # noqa: E731
    groups, kernel, dilation, stride = number(1, 3), pair(1, 4), pair(1, 3), pair(1, 4)
    choices = [pair(0, 3), ((number(0, 3), number(0, 3)), (number(0, 3), number(0, 3))), "valid"]
    if stride == (1, 1):
        choices.append("same")
    padding = draw(st.sampled_from(choices))
    sides = ((0, 0), (0, 0))
    if isinstance(padding, tuple):
        sides = tuple(p if isinstance(p, tuple) else (p, p) for p in padding)
    # Large enough for one window at least.
    size = [
        max(1, d * (k - 1) + 1 - sum(p)) + number(0, 4)
        for k, d, p in zip(kernel, dilation, sides, strict=True)
    ]
    channels = number(1, 2)
    x = (number(0, 2), groups * channels, *size)
    w = (groups * number(1, 2), channels, *kernel)
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    return x, w, options, number(0, 2**32 - 1)


@settings(max_examples=200, deadline=None)
@given(settings_of_a_convolution())
def test_any_setting_gives_what_autograd_gives(drawn):
    x_shape, w_shape, options, seed = drawn
    generator = np.random.default_rng(seed)
    x, w = generator.integers(-99, 99, x_shape), generator.integers(-99, 99, w_shape)
    output = cnnref.conv2d(x, w, **options)
    grad = generator.integers(-99, 99, output.shape)
    # Integers this small are exact in autograd's float64.
    of_input, of_weight, of_bias = by_autograd(x, w, grad, **options)
    for form in INPUT_FORMS:
        assert_array_equal(form(x.shape, w, grad, **options), of_input)
    for form in WEIGHT_FORMS:
        assert_array_equal(form(x, w.shape, grad, **options), of_weight)
    for form in BIAS_FORMS:
        assert_array_equal(form(grad), of_bias)


def test_unread_pixels_have_gradient_zero_and_the_others_have_not():
    options = dict(stride=(3, 2), padding=((0, 0), (1, 0)), dilation=(1, 2))
    x, w = np.ones((1, 9, 10), int), np.ones((1, 1, 2, 2), int)
    grad = np.ones_like(cnnref.conv2d(x, w, **options))
    unread = cnnref.unread_pixels((9, 10), (2, 2), **options)
    assert unread.any()
    assert_array_equal(conv2d_input_grad(x.shape, w, grad, **options)[0] == 0, unread)


def test_finite_differences_in_fractions():
    # The loss is linear in the input and in the weight, so a finite step gives the exact slope.
    x, w = arange((1, 2, 5, 4), np.int64), arange((2, 1, 3, 2), np.int64)
    options = dict(stride=(2, 1), padding=((1, 0), (0, 1)), groups=2)
    grad = arange(cnnref.conv2d(x, w, **options).shape, np.int64)
    step = 3

    def loss(x, w):
        return int((cnnref.conv2d(x, w, **options) * grad).sum())

    for which, expected in (
        (0, conv2d_input_grad(x.shape, w, grad, **options)),
        (1, conv2d_weight_grad(x, w.shape, grad, **options)),
    ):
        for index in np.ndindex(expected.shape):
            moved = [x.copy(), w.copy()]
            moved[which][index] += step
            assert Fraction(loss(*moved) - loss(x, w), step) == expected[index]


# What goes in, what comes out.


@pytest.mark.parametrize("form", INPUT_FORMS)
def test_input_gradient_keeps_rank(form):
    w, grad = arange((2, 3, 2, 2), np.int64), arange((2, 2, 3, 4), np.int64)
    batch = form((2, 3, 4, 5), w, grad)
    assert batch.shape == (2, 3, 4, 5)
    assert_array_equal(form((3, 4, 5), w, grad[1]), batch[1], strict=True)


@pytest.mark.parametrize("form", WEIGHT_FORMS)
def test_weight_gradient_adds_up_over_the_batch(form):
    x, grad = arange((2, 3, 4, 5), np.int64), arange((2, 2, 3, 4), np.int64)
    size = (2, 3, 2, 2)
    each = [form(x[n], size, grad[n]) for n in (0, 1)]
    assert_array_equal(form(x, size, grad), each[0] + each[1], strict=True)
    assert_array_equal(form(x[:0], size, grad[:0]), np.zeros(size, int), strict=True)


@pytest.mark.parametrize(
    ("a_dtype", "grad_dtype", "expected"),
    [
        ("uint8", "int64", "int64"),
        ("float32", "float32", "float32"),
        ("float16", "float16", "float16"),
        ("int8", "int8", "int8"),
        ("float64", "float32", "float64"),
    ],
)
def test_dtypes(a_dtype, grad_dtype, expected):
    x, w = np.ones((1, 3, 3), a_dtype), np.ones((1, 1, 2, 2), a_dtype)
    grad = np.ones((1, 2, 2), grad_dtype)
    for form in INPUT_FORMS:
        assert form((1, 3, 3), w, grad).dtype == expected
        assert_array_equal(form((1, 3, 3), w, grad), [[[1, 2, 1], [2, 4, 2], [1, 2, 1]]])
    for form in WEIGHT_FORMS:
        assert form(x, (1, 1, 2, 2), grad).dtype == expected
        assert_array_equal(form(x, (1, 1, 2, 2), grad), [[[[4, 4], [4, 4]]]])
    for form in BIAS_FORMS:
        assert form(grad).dtype == grad_dtype
        assert_array_equal(form(grad), [4])


def test_float16_is_summed_in_float32():
    # 2050 ones: float16 alone cannot count past 2048.
    ones = np.ones((1, 1, 2050), np.float16)
    for form in WEIGHT_FORMS:
        assert form(ones, (1, 1, 1, 1), ones).item() == 2050
    for form in BIAS_FORMS:
        assert form(ones).item() == 2050
    many = np.ones((2050, 1, 1, 1), np.float16)
    for form in INPUT_FORMS:
        assert form((1, 1, 1), many, many[:, 0]).item() == 2050


def test_large_integers_are_exact():
    # 2**53 + 1 is the first integer a float64 cannot hold.
    big, ones = [[[2**53, 1]]], [[[1, 1]]]
    for form in WEIGHT_FORMS:
        assert form(big, (1, 1, 1, 1), ones).item() == 2**53 + 1
    for form in BIAS_FORMS:
        assert form(big).item() == 2**53 + 1
    for form in INPUT_FORMS:
        assert form((1, 1, 1), [[[[2**53]]], [[[1]]]], [[[1]], [[1]]]).item() == 2**53 + 1


def test_non_contiguous_read_only_and_tensor_input():
    x, grad = arange((5, 4, 3), np.float32), arange((4, 3, 2), np.float32)
    images, output = x.transpose(2, 0, 1), grad.transpose(2, 0, 1)
    images.flags.writeable = output.flags.writeable = False
    expected = conv2d_weight_grad(images.copy(), (2, 3, 2, 2), output.copy())
    tensors = torch.from_numpy(x.copy()).permute(2, 0, 1), torch.from_numpy(output.copy())
    for form in WEIGHT_FORMS:
        assert_array_equal(form(images, (2, 3, 2, 2), output), expected)
        assert_array_equal(form(tensors[0], torch.Size((2, 3, 2, 2)), tensors[1]), expected)
    w = arange((2, 3, 2, 2), np.float32)
    expected = conv2d_input_grad((3, 5, 4), w, output.copy())
    for form in INPUT_FORMS:
        assert_array_equal(form(np.array((3, 5, 4)), w, output), expected)
        assert_array_equal(form([3, 5, 4], w.tolist(), output.tolist()), expected)


W, G = np.ones((8, 6, 3, 3)), np.ones((8, 3, 3))


@pytest.mark.parametrize("form", INPUT_FORMS)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(input_size=5), TypeError, "`input_size` (5) must be a shape"),
        (dict(input_size=(5, 5)), ValueError, "((5, 5)) must be (C, H, W) or (N, C, H, W)"),
        (dict(input_size=(6, -5, 5)), ValueError, "`input_size` (-5) must be at least 0"),
        (dict(input_size=(6, 5, 5.0)), TypeError, "`input_size` (5.0) must be an integer"),
        (dict(input_size=(6, 0, 5)), ValueError, "has no rows"),
        (dict(input_size=(6, 2, 5)), ValueError, "the window reaches 3 pixels in height"),
        (dict(input_size=(6, 5, 6)), ValueError, "this convolution has shape (8, 3, 4)"),
        (dict(input_size=(1, 6, 5, 5)), ValueError, "this convolution has shape (1, 8, 3, 3)"),
        (dict(output_grad=G[None]), ValueError, "`output_grad` has shape (1, 8, 3, 3); the output"),
        (dict(output_grad=G[:7]), ValueError, "`output_grad` has shape (7, 3, 3); the output"),
        (dict(output_grad=G[0]), ValueError, "`output_grad` has shape (3, 3); the output of"),
        (dict(output_grad=G > 0), TypeError, "`output_grad` has dtype bool"),
        (dict(weight=W[:, :5]), ValueError, "so each filter needs 6"),
        (dict(groups=4), ValueError, "`in_channels` (6) must be divisible by `groups` (4)"),
        (dict(stride=0), ValueError, "`stride` (0) must be at least 1"),
        (dict(stride=2, padding="same"), ValueError, "`padding` ('same') needs `stride` 1"),
        (dict(dilation=True), TypeError, "`dilation` (True) must be an integer, not a bool"),
    ],
)
def test_bad_arguments_of_the_input_gradient(form, change, error, words):
    arguments = dict(input_size=(6, 5, 5), weight=W, output_grad=G) | change
    with pytest.raises(error) as caught:
        form(**arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize("form", WEIGHT_FORMS)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(weight_size="8633"), TypeError, "`weight_size` ('8633') must be a shape, (O, C /"),
        (dict(weight_size=(6, 3, 3)), ValueError, "must be (O, C / groups, kH, kW)"),
        (dict(weight_size=(8, 6, 3, 0)), ValueError, "has no columns"),
        (dict(weight_size=(8, 5, 3, 3)), ValueError, "so each filter needs 6"),
        (dict(weight_size=(8, 6, 2, 3)), ValueError, "this convolution has shape (8, 4, 3)"),
        (dict(output_grad=G[None]), ValueError, "`output_grad` has shape (1, 8, 3, 3); the output"),
        (dict(input=np.ones((5, 5))), ValueError, "`input` has shape (5, 5); it must be"),
        (dict(input=torch.ones(6, 5, 5, requires_grad=True)), TypeError, "detach"),
        (dict(padding=-1), ValueError, "`padding` (-1) must be at least 0"),
    ],
)
def test_bad_arguments_of_the_weight_gradient(form, change, error, words):
    arguments = dict(input=np.ones((6, 5, 5)), weight_size=W.shape, output_grad=G) | change
    with pytest.raises(error) as caught:
        form(**arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize("form", BIAS_FORMS)
@pytest.mark.parametrize("grad", [np.ones((2, 2)), np.ones(3), 1])
def test_the_bias_gradient_refuses_other_ranks(form, grad):
    with pytest.raises(ValueError, match=r"`output_grad` has shape .* it must be"):
        form(grad)
