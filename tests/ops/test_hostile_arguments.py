"""Arguments that are easy to get wrong, and hostile ones: refused by name, or computed exactly."""

from __future__ import annotations

import inspect
import math
import time

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

import cnnref

IMAGE = np.arange(1.0, 17.0).reshape(1, 4, 4)
WEIGHT = np.ones((1, 1, 2, 2))
GRAD = np.ones((1, 3, 3))

# One good call of every public operation that takes arrays.
CALLS = {
    "adaptive_avg_pool2d": dict(input=IMAGE, output_size=3),
    "adaptive_max_pool2d": dict(input=IMAGE, output_size=3),
    "avg_pool2d": dict(input=IMAGE, kernel_size=2),
    "avg_pool2d_input_grad": dict(output_grad=np.ones((1, 2, 2)), input_size=4, kernel_size=2),
    "batch_norm": dict(input=IMAGE[None], running_mean=[0.0], running_var=[1.0]),
    "blur": dict(input=IMAGE),
    "blur_pool2d": dict(input=IMAGE),
    "col2im": dict(columns=np.ones((4, 9)), input_size=4, kernel_size=2),
    "conv2d": dict(input=IMAGE, weight=WEIGHT, bias=[1.0]),
    "conv2d_bias_grad": dict(output_grad=GRAD),
    "conv2d_input_grad": dict(input_size=(1, 4, 4), weight=WEIGHT, output_grad=GRAD),
    "conv2d_weight_grad": dict(input=IMAGE, weight_size=(1, 1, 2, 2), output_grad=GRAD),
    "conv_transpose2d": dict(input=IMAGE, weight=WEIGHT, bias=[1.0]),
    "cross_correlation": dict(input=IMAGE, template=IMAGE[:, :2, :2]),
    "depth_to_space": dict(input=np.ones((4, 2, 2)), block_size=2),
    "gaussian_pyramid": dict(input=IMAGE, levels=2),
    "global_avg_pool2d": dict(input=IMAGE),
    "global_max_pool2d": dict(input=IMAGE),
    "im2col": dict(input=IMAGE, kernel_size=2),
    "laplacian_pyramid": dict(input=IMAGE, levels=2),
    "laplacian_reconstruct": dict(pyramid=[IMAGE, np.ones((1, 2, 2))]),
    "max_pool2d": dict(input=IMAGE, kernel_size=2),
    "max_pool2d_input_grad": dict(output_grad=np.ones((1, 2, 2)), input=IMAGE, kernel_size=2),
    "max_unpool2d": dict(
        input=np.ones((1, 2, 2)),
        indices=np.array([[[0, 2], [8, 10]]]),
        kernel_size=2,
        output_size=(4, 4),
    ),
    "normalized_cross_correlation": dict(input=IMAGE, template=IMAGE[:, :2, :2]),
    "pad2d": dict(input=IMAGE, padding=1),
    "pyramid_expand": dict(input=IMAGE, size=8),
    "pyramid_reduce": dict(input=IMAGE),
    "relu": dict(input=IMAGE),
    "shift": dict(input=IMAGE, by=1),
    "softmax": dict(input=IMAGE, dim=0),
    "space_to_depth": dict(input=IMAGE, block_size=2),
    "toeplitz_matrix": dict(weight=WEIGHT, input_size=4),
}
ARRAYS = {
    "bias", "columns", "indices", "input", "kernel", "output_grad", "pyramid", "running_mean",
    "running_var", "template", "weight",
}  # fmt: skip
FLAGS = {"ceil_mode", "count_include_pad", "return_indices", "training"}
SIZES = {
    "block_size", "by", "dilation", "divisor_override", "groups", "input_size", "kernel_size",
    "levels", "output_padding", "output_size", "padding", "size", "stride",
}  # fmt: skip


def arguments(kind):
    """List (operation, argument) for each argument of a kind, of fast forms and loops alike."""
    found = []
    for name in cnnref.ops.__all__:
        call = CALLS.get(name.removesuffix("_loops"))
        if call is not None:
            for argument in inspect.signature(getattr(cnnref, name)).parameters:
                if argument in kind:
                    found.append((name, argument))
    return found


def call(name, **change):
    """Call an operation with one argument changed."""
    return getattr(cnnref, name)(**CALLS[name.removesuffix("_loops")] | change)


def test_every_operation_on_arrays_is_tried():
    computes_on_shapes = {"output_padding", "output_size", "same_padding", "unread_pixels"}
    forms = {name.removesuffix("_loops") for name in cnnref.ops.__all__}
    assert forms - computes_on_shapes == set(CALLS)
    for name in CALLS:
        call(name)


@pytest.mark.parametrize(("name", "argument"), arguments(ARRAYS))
def test_a_masked_array_is_refused_since_its_mask_would_be_lost(name, argument):
    given = CALLS[name.removesuffix("_loops")].get(argument, [1.0])
    if argument == "pyramid":
        masked = [np.ma.masked_array(given[0], mask=given[0] > 3), given[1]]
    else:
        masked = np.ma.masked_array(given, mask=np.zeros(np.shape(given), bool))
    with pytest.raises(TypeError, match=rf"`{argument}` is a masked array.*filled"):
        call(name, **{argument: masked})


def test_a_list_of_masked_arrays_is_refused_too():
    rows = [[np.ma.masked_array([1.0, 2.0], mask=[False, True]) for _ in range(2)]]
    with pytest.raises(TypeError, match="`input` is a masked array"):
        cnnref.relu(rows)


@pytest.mark.parametrize(("name", "argument"), arguments(SIZES))
@pytest.mark.parametrize(
    "value",
    [True, np.True_, np.array(True), torch.tensor(True), 2.0, "2", torch.tensor([1]),
     np.ma.masked_array(2, mask=True)],
    ids=repr,
)  # fmt: skip
def test_what_is_no_integer_is_refused(name, argument, value):
    with pytest.raises((TypeError, ValueError), match=f"`{argument}`") as caught:
        call(name, **{argument: value})
    # A text is a wrong value of a padding, which has words of its own.
    assert caught.type is TypeError or (argument, value) == ("padding", "2")


@pytest.mark.parametrize(("name", "argument"), arguments(FLAGS))
@pytest.mark.parametrize("value", [0, 1, "False", None, 1.0], ids=repr)
def test_a_flag_is_true_or_false(name, argument, value):
    with pytest.raises(TypeError, match=f"`{argument}` .* must be True or False"):
        call(name, **{argument: value})


@pytest.mark.parametrize("value", [0, "False", None], ids=repr)
def test_the_flag_of_output_size_is_true_or_false(value):
    with pytest.raises(TypeError, match=r"`ceil_mode` .* must be True or False"):
        cnnref.output_size(4, 2, ceil_mode=value)


@pytest.mark.parametrize(("name", "argument"), arguments(SIZES))
@pytest.mark.parametrize(
    "value", [2**31, 2**58, 2**62, 2**70, 10**5000], ids=lambda v: v.bit_length()
)
def test_a_huge_number_is_refused_by_name(name, argument, value):
    if argument == "divisor_override" and value < 2**63:
        return  # a divisor may be large
    is_shape = argument == "input_size" and name.startswith("conv2d_input_grad")
    with pytest.raises(ValueError, match=f"`{argument}`"):
        call(name, **{argument: (1, value, value) if is_shape else value})


@pytest.mark.parametrize(
    "function", [cnnref.output_size, cnnref.same_padding, cnnref.unread_pixels]
)
@pytest.mark.parametrize("argument", ["input_size", "kernel_size", "stride", "dilation"])
def test_a_huge_number_is_refused_where_only_shapes_are_computed(function, argument):
    good = dict(input_size=4, kernel_size=2, stride=1, dilation=1)
    with pytest.raises(ValueError, match=f"`{argument}` .* must be at most 2147483647"):
        function(**good | {argument: 2**31})
    function(**good | {"stride": 2**31 - 1})


@pytest.mark.parametrize("name", ["conv2d", "conv2d_loops", "conv_transpose2d", "pad2d"])
@pytest.mark.parametrize("huge", [2**30, 2**31 - 1])
def test_an_array_that_cannot_be_addressed_is_refused_by_name(name, huge):
    argument = "stride" if name == "conv_transpose2d" else "padding"
    with pytest.raises(ValueError, match=rf"`{argument}` .* asks for an array of"):
        call(name, **{argument: huge})


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("form", ["", "_loops"])
@pytest.mark.parametrize(
    ("kernel_size", "options"),
    [
        (3000, dict(padding=1500)),
        (3000, dict(padding=1500, stride=1)),
        (2**31 - 2, dict(padding=2**30 - 1, stride=1)),
        (2**31 - 2, dict(padding=2**30 - 1, stride=2**30, ceil_mode=True)),
        (6, dict(stride=2**31 - 1, ceil_mode=True)),
        (2**31 - 1, dict(stride=2**31 - 1, ceil_mode=True)),
    ],
)
def test_a_pooling_far_larger_than_its_image_answers_at_once(name, form, kernel_size, options):
    start = time.perf_counter()
    result = getattr(cnnref, name + form)(IMAGE, kernel_size, **options)
    assert time.perf_counter() - start < 5, "cells on padding were visited one by one"
    # Each window holds a stretch of rows and columns; for these settings all end at the border.
    w = cnnref.ops._windows.pooling_windows(
        (4, 4), kernel_size, options.get("stride"), options.get("padding", 0), 1,
        options.get("ceil_mode", False),
    )  # fmt: skip
    for i, j in np.ndindex(*w.output_size):
        top, left = int(w.starts(0)[i]), int(w.starts(1)[j])
        window = IMAGE[0, max(top, 0) : top + kernel_size, max(left, 0) : left + kernel_size]
        assert window.size, "the setting must read the image"
        if name == "max_pool2d":
            assert result[0, i, j] == window.max()
        else:
            stops = (min(at + kernel_size, 4 + options.get("padding", 0)) for at in (top, left))
            counted = math.prod(stop - at for stop, at in zip(stops, (top, left), strict=True))
            assert result[0, i, j] == pytest.approx(window.sum() / counted)


def test_the_winners_of_a_pooling_far_larger_than_its_image():
    for form in (cnnref.max_pool2d, cnnref.max_pool2d_loops):
        values, places = form(IMAGE, 3000, stride=1, padding=1500, return_indices=True)
        assert_array_equal(values, np.full((1, 5, 5), 16.0))
        assert_array_equal(places, np.full((1, 5, 5), 15))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("avg_pool2d_input_grad", dict(input_size=2**31 - 1, kernel_size=2**30, stride=2**30 - 2)),
        ("conv2d_input_grad", dict(input_size=(1, 2**30, 2**30), stride=2**29 - 1)),
        ("col2im", dict(input_size=2**30, stride=2**29 - 1)),
    ],
)
def test_an_input_size_that_cannot_be_addressed_is_refused_by_name(name, change):
    with pytest.raises(ValueError, match=r"`input_size` .* asks for an array of"):
        call(name, **change)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("conv2d", dict(input=IMAGE.astype(int), weight=WEIGHT.astype(np.uint64))),
        ("conv2d_loops", dict(input=np.ones((1, 4, 4), np.uint64), bias=np.ones(1, np.int64),
                              weight=np.ones((1, 1, 2, 2), np.uint64))),
        ("conv_transpose2d", dict(input=np.ones((1, 4, 4), np.int8), bias=None,
                                  weight=np.ones((1, 1, 2, 2), np.uint64))),
        ("conv2d_input_grad", dict(weight=WEIGHT.astype(np.uint64), output_grad=GRAD.astype(int))),
        ("conv2d_weight_grad", dict(input=IMAGE.astype(np.uint64), output_grad=GRAD.astype(int))),
        ("cross_correlation", dict(input=IMAGE.astype(int), template=IMAGE.astype(np.uint64))),
    ],
)  # fmt: skip
def test_integers_without_a_common_type_are_refused_instead_of_rounded(name, change):
    change.setdefault("bias", None)
    if "bias" not in inspect.signature(getattr(cnnref, name)).parameters:
        del change["bias"]
    with pytest.raises(TypeError, match=r"\(u?int\d+\) and `\w+` \(u?int\d+\).* in common"):
        call(name, **change)


def test_integers_with_a_common_type_stay_exact():
    large = np.full((1, 1, 1), 2**62, np.uint64)
    assert cnnref.conv2d(large, np.full((1, 1, 1, 1), 3, np.uint8))[0, 0, 0] == 3 * 2**62
    # Integers with floats have a common type, in which they are rounded, as in NumPy.
    assert cnnref.conv2d(large, np.ones((1, 1, 1, 1))).dtype == np.float64


@pytest.mark.parametrize("form", [cnnref.conv2d, cnnref.conv2d_loops])
def test_an_infinite_weight_over_padding_is_nan_as_in_torch(form):
    x, w = np.ones((1, 1, 1, 2)), np.array([[[[np.inf, 1.0, 1.0]]]])
    expected = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w), padding=(0, 1)).numpy()
    assert np.isnan(expected[0, 0, 0, 0])
    with np.errstate(invalid="ignore"):
        assert_array_equal(form(x, w, padding=(0, 1)), expected)


@pytest.mark.parametrize("form", [cnnref.conv2d_weight_grad, cnnref.conv2d_weight_grad_loops])
def test_an_infinite_gradient_over_padding_is_nan_as_in_torch(form):
    x, grad = np.ones((1, 1, 1, 2)), np.array([[[[np.inf, 1.0]]]])
    expected = torch.nn.grad.conv2d_weight(
        torch.tensor(x), (1, 1, 1, 3), torch.tensor(grad), padding=(0, 1)
    ).numpy()
    with np.errstate(invalid="ignore"):
        assert_array_equal(form(x, (1, 1, 1, 3), grad, padding=(0, 1)), expected)
    assert np.isnan(expected[0, 0, 0, 0])


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (np.float64, 10**400), (np.int64, 10**400), (np.float32, 1e300), (np.float16, -70000),
        (np.float64, 1j), (np.float64, np.complex64(1)), (np.uint8, -1), (np.uint8, 256),
        (np.int64, 2**63), (np.int64, 0.5), (np.int64, math.inf), (np.int64, math.nan),
        (np.float64, "0"), (np.int8, True), (np.float64, None),
    ],
)  # fmt: skip
def test_a_padding_value_that_does_not_fit_is_refused_by_name(dtype, value):
    with pytest.raises((TypeError, ValueError), match="`value`"):
        cnnref.pad2d(IMAGE.astype(dtype), 1, value=value)


@pytest.mark.parametrize("value", [255, 255.0, np.uint8(255), np.float32(255)])
def test_a_padding_value_that_fits_is_taken(value):
    padded = cnnref.pad2d(np.zeros((1, 1, 1), np.uint8), ((0, 0), (0, 1)), value=value)
    assert_array_equal(padded, np.array([[[0, 255]]], np.uint8), strict=True)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 65504, np.finfo(np.float16).min])
def test_a_float_image_takes_every_value_of_its_dtype(value):
    padded = cnnref.pad2d(np.zeros((1, 1, 1), np.float16), ((0, 0), (0, 1)), value=value)
    assert_array_equal(padded[0, 0, 1], np.float16(value))


@pytest.mark.parametrize(
    "words", [["reflect"], None, 3, np.array(["reflect", "circular"])], ids=repr
)
@pytest.mark.parametrize(
    ("name", "argument"), [("pad2d", "mode"), ("blur", "mode"), ("blur_pool2d", "padding_mode")]
)
def test_a_mode_that_is_no_word_is_a_wrong_kind(name, argument, words):
    with pytest.raises(TypeError, match=r"mode` .* must be 'constant', 'reflect'"):
        call(name, **{argument: words})


@pytest.mark.parametrize("extra", [["end"], np.array(["end", "start"]), 1], ids=repr)
def test_an_extra_that_is_no_word_is_a_wrong_kind(extra):
    with pytest.raises(TypeError, match=r"`extra` .* must be 'end' or 'start'"):
        cnnref.same_padding(4, 2, extra=extra)


@pytest.mark.parametrize("argument", ["momentum", "eps"])
@pytest.mark.parametrize("value", [10**400, -1, math.nan, "1", True, np.complex128(1), None])
def test_a_number_of_batch_norm_is_refused_by_name(argument, value):
    with pytest.raises((TypeError, ValueError), match=f"`{argument}`"):
        call("batch_norm", **{argument: value})


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kernel_size", [21, 140, 1000])
def test_a_wide_blur_leaves_a_flat_image_flat(dtype, kernel_size):
    # Binomial coefficients of 140 taps overflow float32, of 1000 taps nearly float64.
    flat = np.full((1, 3, 3), 2, dtype)
    blurred = cnnref.blur_pool2d(flat, kernel_size, stride=1, padding_mode="replicate")
    assert blurred.dtype == dtype
    np.testing.assert_allclose(blurred, flat, rtol=3e-3 if dtype == np.float16 else 1e-5)


def test_a_blur_of_too_many_weights_is_refused():
    with pytest.raises(ValueError, match=r"`kernel_size` .* must be at most 1000"):
        cnnref.blur_pool2d(IMAGE, 1001, padding_mode="replicate")


def test_sizes_given_as_arrays_give_a_pair():
    assert cnnref.output_size(np.array([5, 5]), 2) == (4, 4)
    assert cnnref.output_size(5, np.array([2, 2])) == (4, 4)
    assert cnnref.output_size(np.int64(5), 2) == 4
