"""Pooling: hand-computed literals, loops = fast form, both = PyTorch; gradients = autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cnnref.examples import questions_image
from cnnref.ops.pooling import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_loops,
    adaptive_max_pool2d,
    adaptive_max_pool2d_loops,
    avg_pool2d,
    avg_pool2d_loops,
    global_avg_pool2d,
    global_max_pool2d,
    max_pool2d,
    max_pool2d_loops,
    max_unpool2d,
    max_unpool2d_loops,
)
from cnnref.ops.pooling_gradients import avg_pool2d_input_grad, max_pool2d_input_grad
from tests.helpers.arrays import arange

MAX_FORMS = [max_pool2d, max_pool2d_loops]
AVG_FORMS = [avg_pool2d, avg_pool2d_loops]
ADAPTIVE_AVG = [adaptive_avg_pool2d, adaptive_avg_pool2d_loops]
ADAPTIVE_MAX = [adaptive_max_pool2d, adaptive_max_pool2d_loops]
UNPOOL = [max_unpool2d, max_unpool2d_loops]
NAN, INF = np.nan, np.inf
F = torch.nn.functional


# Ring 1: computed by hand.


@pytest.mark.parametrize("form", MAX_FORMS)
def test_question_11_by_hand(form):
    assert_array_equal(
        form(questions_image(), 2, 2), [[[1, 1]] * 2, [[2, 2]] * 2, [[2] * 2, [4] * 2]]
    )


ROW = [[[3, 1, 4, 1, 5, 9, 2]]]


@pytest.mark.parametrize("form", MAX_FORMS)
@pytest.mark.parametrize(
    ("settings_", "expected", "places"),
    [
        (dict(kernel_size=(1, 3)), [4, 9], [2, 5]),
        (dict(kernel_size=(1, 3), stride=1), [4, 4, 5, 9, 9], [2, 2, 4, 5, 5]),
        (dict(kernel_size=(1, 3), stride=(1, 2), padding=(0, 1)), [3, 4, 9, 9], [0, 2, 5, 5]),
        (dict(kernel_size=(1, 3), stride=1, dilation=(1, 2)), [5, 9, 5], [4, 5, 4]),
        # The third window starts on the last pixel.
        (dict(kernel_size=(1, 3), ceil_mode=True), [4, 9, 2], [2, 5, 6]),
        # Padded to eight, windows start at -1 and 3; the one at 7 would start in the padding.
        (dict(kernel_size=(1, 2), stride=(1, 4), padding=(0, 1), ceil_mode=True), [3, 5], [0, 4]),
    ],
)  # fmt: skip
def test_one_row_by_hand(form, settings_, expected, places):
    values, indices = form(ROW, **settings_, return_indices=True)
    assert_array_equal(values, [[expected]])
    assert_array_equal(indices, [[places]])
    assert indices.dtype == np.int64


@pytest.mark.parametrize("form", MAX_FORMS)
def test_padding_never_wins(form):
    # With zeros around them, the corners of the map of negatives would all be 0.
    negatives = [[[-5, -3], [-2, -9]]]
    assert_array_equal(form(negatives, 2, 2, padding=1), negatives)
    lowest = np.iinfo(np.int64).min
    assert_array_equal(form([[[lowest]]], 2, 2, padding=1), [[[lowest]]])


@pytest.mark.parametrize("form", MAX_FORMS)
def test_the_first_of_equal_values_wins_and_the_last_nan(form):
    assert_array_equal(form(np.zeros((1, 3, 3)), 2, 1, return_indices=True)[1], [[[0, 1], [3, 4]]])
    lost = np.full((1, 2, 2), -INF)
    values, indices = form(lost, 2, 1, padding=1, return_indices=True)
    assert_array_equal(values, np.full((1, 3, 3), -INF))
    assert_array_equal(indices, [[[0, 0, 1], [0, 0, 1], [2, 2, 3]]])
    image = [[[1, NAN, INF], [NAN, 2, 9]]]
    values, indices = form(image, (2, 2), 1, return_indices=True)
    assert_array_equal(values, [[[NAN, NAN]]])
    assert_array_equal(indices, [[[3, 1]]])


@pytest.mark.parametrize("form", AVG_FORMS)
@pytest.mark.parametrize(
    ("settings_", "expected"),
    [
        (dict(kernel_size=(1, 2)), [2, 2.5, 7]),
        # Padded [0 3 1 4 1 5 9 2 0]: the zeros are counted, or not.
        (dict(kernel_size=(1, 3), padding=(0, 1)), [4 / 3, 10 / 3, 11 / 3]),
        (dict(kernel_size=(1, 3), padding=(0, 1), count_include_pad=False), [2, 10 / 3, 5.5]),
        (dict(kernel_size=(1, 3), divisor_override=2), [4, 7.5]),
        # The last window has one pixel, and two cells past the input: never counted.
        (dict(kernel_size=(1, 3), ceil_mode=True), [8 / 3, 5, 2]),
        # [0 3] [1 4] [1 5] [9 2] and the padding at the end; that window would start in it.
        (dict(kernel_size=(1, 2), padding=(0, 1), ceil_mode=True), [1.5, 2.5, 3, 5.5]),
        # Padded to nine, windows at 0 and 5 of four cells: the second holds 9 2 0 and one past.
        (dict(kernel_size=(1, 4), stride=(1, 5), padding=(0, 1), ceil_mode=True), [2, 16 / 4]),
        (dict(kernel_size=(1, 4), stride=(1, 6), padding=(0, 1), ceil_mode=True), [2, 11 / 3]),
    ],
)
def test_one_row_averaged_by_hand(form, settings_, expected):
    assert_allclose(form(np.array(ROW, float), **settings_), [[expected]], rtol=1e-15)


def test_global_pooling_by_hand():
    image = np.array([[[1.0, 2.0, 3.0]], [[-8.0, -4.0, -6.0]]])
    assert_array_equal(global_avg_pool2d(image), [[[2.0]], [[-6.0]]])
    assert_array_equal(global_max_pool2d(image), [[[3.0]], [[-4.0]]])
    assert_array_equal(global_max_pool2d([[[2**53 + 1, 2**53]]]), [[[2**53 + 1]]])


def test_gradients_by_hand():
    # Windows 3 1 4 | 1 5 9: each gives its gradient to its winner.
    assert_array_equal(
        max_pool2d_input_grad([[[10, 20]]], ROW, (1, 3)), [[[0, 0, 10, 0, 0, 20, 0]]]
    )
    # A winner of two windows gets both: 3 1 4, 4 1 5 -> no; at stride 1: 4 4 5 9 9.
    assert_array_equal(
        max_pool2d_input_grad([[[1, 2, 3, 4, 5]]], ROW, (1, 3), 1), [[[0, 0, 3, 0, 3, 9, 0]]]
    )
    assert_array_equal(
        avg_pool2d_input_grad([[[6.0, 12.0]]], (1, 5), (1, 3), (1, 2)), [[[2, 2, 6, 4, 4]]]
    )
    # With padding, a part of the gradient goes to the padding and is lost, or it is not counted.
    grad = [[[6.0, 12.0]]]
    options = dict(kernel_size=(1, 3), stride=(1, 2), padding=(0, 1))
    assert_array_equal(avg_pool2d_input_grad(grad, (1, 3), **options), [[[2, 6, 4]]])
    assert_array_equal(
        avg_pool2d_input_grad(grad, (1, 3), **options, count_include_pad=False), [[[3, 9, 6]]]
    )


# Ring 2 and 3: loops = fast = torch where every axis differs.

CASES = {
    "every axis differs": dict(
        x=(2, 3, 5, 4), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0)
    ),
    "dilated": dict(
        x=(2, 2, 9, 8), kernel_size=(3, 2), stride=(2, 3), padding=(1, 1), dilation=(2, 3)
    ),
    "stride is the kernel": dict(x=(1, 3, 7, 8), kernel_size=(3, 2)),
    "stride does not divide": dict(x=(1, 2, 8, 9), kernel_size=3, stride=(3, 2)),
    "stride past the kernel": dict(x=(1, 2, 9, 8), kernel_size=(2, 1), stride=(4, 3)),
    "rounded up": dict(x=(2, 1, 8, 6), kernel_size=(3, 2), stride=(2, 3), ceil_mode=True),
    "rounded up, dropped": dict(
        x=(1, 2, 5, 6), kernel_size=2, stride=(3, 4), padding=1, ceil_mode=True
    ),
    "rounded up, larger than the input": dict(
        x=(1, 2, 3, 5), kernel_size=(4, 6), stride=(2, 3), ceil_mode=True
    ),
    "as large as the input": dict(x=(1, 2, 4, 3), kernel_size=(4, 3)),
    "one pixel": dict(x=(2, 5, 3, 4), kernel_size=1, stride=(2, 1)),
    "padding by half": dict(x=(1, 1, 2, 3), kernel_size=(2, 5), stride=1, padding=(1, 2)),
    "sides differ": dict(
        x=(1, 2, 6, 7), kernel_size=(2, 4), stride=(2, 3), padding=((1, 0), (2, 1))
    ),
    "sides differ, rounded up": dict(
        x=(1, 2, 6, 7), kernel_size=(4, 2), stride=(3, 2), padding=((2, 1), (0, 1)), ceil_mode=True
    ),
    "same": dict(x=(1, 2, 5, 6), kernel_size=(2, 3), stride=1, padding="same"),
}  # fmt: skip
WITHOUT_DILATION = {name: case for name, case in CASES.items() if "dilation" not in case}
TAKEN_BY_TORCH = {  # torch's pooling has no "same" and no unequal sides
    name: case for name, case in WITHOUT_DILATION.items() if not name.startswith(("same", "sides"))
}


def max_by_torch(x, padding=0, ceil_mode=False, **options):
    """Pool with torch; unequal sides, which it does not know, are padded before."""
    if padding == "same":
        padding = tuple(((k - 1) // 2, k // 2) for k in options["kernel_size"])
    if not isinstance(padding, tuple) or isinstance(padding[0], int):
        return F.max_pool2d(x, padding=padding, ceil_mode=ceil_mode, return_indices=True, **options)
    ends = []
    for size, (before, after), kernel, step in zip(
        x.shape[2:], padding, options["kernel_size"], pair(options["stride"]), strict=True
    ):
        # Rounding up: as many pixels at the end as the last window needs that starts before it.
        starts = range(0, size + before, step)
        last = max(i for i in starts if i == 0 or i - step + kernel < size + before + after)
        ends.append(last + kernel - size - before if ceil_mode else after)
    (top, _), (left, _) = padding
    lowest = -INF if x.is_floating_point() else torch.iinfo(x.dtype).min
    padded = F.pad(x, (left, ends[1], top, ends[0]), value=lowest)
    values, indices = F.max_pool2d(padded, return_indices=True, **options)
    y, x_ = indices // padded.shape[3] - top, indices % padded.shape[3] - left
    return values, y * x.shape[3] + x_


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_max_loops_fast_form_and_torch_agree(case, dtype):
    options = dict(case)
    x = arange(options.pop("x"), dtype)
    expected, places = max_by_torch(torch.from_numpy(x), **options)
    for form in MAX_FORMS:
        values, indices = form(x, **options, return_indices=True)
        assert_array_equal(values, expected.numpy(), strict=True)
        assert_array_equal(indices, places.numpy(), strict=True)
        assert_array_equal(form(x, **options), values, strict=True)


@pytest.mark.parametrize("more", [{}, {"count_include_pad": False}, {"divisor_override": 5}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", WITHOUT_DILATION.values(), ids=WITHOUT_DILATION.keys())
def test_avg_loops_fast_form_and_torch_agree(case, dtype, more):
    options = dict(case) | more
    x = arange(options.pop("x"), dtype)
    fast = avg_pool2d(x, **options)
    assert fast.dtype == dtype
    # Sums of quarters are exact, and each is divided once: equal to the bit.
    assert_array_equal(fast, avg_pool2d_loops(x, **options), strict=True)
    if case in TAKEN_BY_TORCH.values():
        assert_array_equal(fast, F.avg_pool2d(torch.from_numpy(x), **options).numpy(), strict=True)


def test_avg_with_unequal_sides_by_hand():
    # [0 0 3 1] [3 1 4 1]... of [0 0 | 3 1 4 | 0]
    x, options = [[[3.0, 1.0, 4.0]]], dict(kernel_size=(1, 4), stride=(1, 2))
    padding = ((0, 0), (2, 1))
    for form in AVG_FORMS:
        assert_array_equal(form(x, **options, padding=padding), [[[1, 2]]])
        plain = form(x, **options, padding=padding, count_include_pad=False)
        assert_array_equal(plain, [[[2, 8 / 3]]])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_max_gradient_equals_autograd(case):
    options = dict(case)
    x = torch.from_numpy(arange(options.pop("x"), np.float64)).requires_grad_()
    values, _ = max_by_torch(x, **options)
    output_grad = arange(values.shape, np.float64, start=2)
    (expected,) = torch.autograd.grad(values, x, torch.from_numpy(output_grad))
    assert_array_equal(
        max_pool2d_input_grad(output_grad, x.detach(), **options), expected.numpy(), strict=True
    )
    one = max_pool2d_input_grad(output_grad[0], x.detach()[0], **options)
    assert_array_equal(one, expected[0].numpy(), strict=True)


@pytest.mark.parametrize("more", [{}, {"count_include_pad": False}, {"divisor_override": 5}])
@pytest.mark.parametrize("case", TAKEN_BY_TORCH.values(), ids=TAKEN_BY_TORCH.keys())
def test_avg_gradient_equals_autograd(case, more):
    options = dict(case) | more
    x = torch.from_numpy(arange(options.pop("x"), np.float64)).requires_grad_()
    values = F.avg_pool2d(x, **options)
    output_grad = arange(values.shape, np.float64, start=2)
    (expected,) = torch.autograd.grad(values, x, torch.from_numpy(output_grad))
    ours = avg_pool2d_input_grad(output_grad, x.shape[2:], **options)
    assert_allclose(ours, expected.numpy(), rtol=1e-14, atol=1e-14, strict=True)
    one = avg_pool2d_input_grad(output_grad[0], x.shape[2:], **options)
    assert_array_equal(one, ours[0], strict=True)


def test_avg_gradient_is_the_transpose_of_the_average():
    # <g, avg(x)> = <grad(g), x> for every x: averaging is linear. Unequal sides included.
    options = dict(kernel_size=(2, 4), stride=(2, 3), padding=((1, 0), (2, 1)), ceil_mode=True)
    x = arange((2, 3, 6, 7), np.float64)
    y = avg_pool2d(x, **options)
    g = arange(y.shape, np.float64, start=3)
    assert_allclose((g * y).sum(), (avg_pool2d_input_grad(g, (6, 7), **options) * x).sum())


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_nan_infinities_and_ties_as_in_torch(memory):
    x = torch.from_numpy(
        np.random.default_rng(3).choice([NAN, INF, -INF, 0.0, 1.0], (2, 3, 17, 19))
    )
    x = x.to(memory_format=memory).requires_grad_()
    options = dict(kernel_size=(3, 2), stride=(2, 1), padding=1, dilation=(1, 2))
    expected, places = F.max_pool2d(x, return_indices=True, **options)
    values, indices = max_pool2d(x.detach(), return_indices=True, **options)
    assert_array_equal(values, expected.detach().numpy())
    assert_array_equal(indices, places.numpy())
    assert_array_equal(max_pool2d(x.detach(), **options), values)
    g = torch.ones_like(expected)
    assert_array_equal(
        max_pool2d_input_grad(g, x.detach(), **options),
        torch.autograd.grad(expected, x, g)[0].numpy(),
    )
    del options["dilation"]
    with np.errstate(invalid="ignore"):  # ∞ - ∞, as in torch
        averages = avg_pool2d(x.detach(), **options)
    assert_array_equal(averages, F.avg_pool2d(x, **options).detach().numpy())
    everything = global_max_pool2d(x.detach())
    assert_array_equal(everything, F.adaptive_max_pool2d(x, 1).detach().numpy())


@pytest.mark.parametrize("kernel_size", [(17, 15), (16, 16), (17, 17)])
def test_windows_of_more_cells_than_a_byte_counts(kernel_size):
    # The winner in the last of 255, 256 and 289 cells, the first, and one that is NaN.
    x = np.arange(4 * 18 * 18, dtype=float).reshape(4, 18, 18)
    x[1] *= -1
    x[2, -1, -1] = x[3] = NAN
    expected, places = F.max_pool2d(torch.from_numpy(x), kernel_size, 1, return_indices=True)
    values, indices = max_pool2d(x, kernel_size, 1, return_indices=True)
    assert_array_equal(values, expected.numpy())
    assert_array_equal(indices, places.numpy())


# Any setting: acceptance and results compared with torch.

small = st.integers(0, 4)
pairs = st.tuples(small, small)


@settings(max_examples=400, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)),
    kernel_size=pairs,
    stride=st.none() | pairs,
    padding=st.tuples(st.integers(-1, 2), st.integers(-1, 2)),
    dilation=st.tuples(st.integers(0, 3), st.integers(1, 3)),
    ceil_mode=st.booleans(),
    seed=st.integers(0, 999),
)
@example((1, 1, 1, 2), (1, 2), None, (0, 1), (1, 3), False, 0)
@example((1, 1, 5, 5), (6, 6), (6, 6), (0, 0), (1, 1), True, 0)
def test_any_max_pooling_is_torchs_or_is_refused_by_both(
    shape, kernel_size, stride, padding, dilation, ceil_mode, seed
):
    x = np.random.default_rng(seed).integers(-3, 3, shape).astype(np.float64)
    options = dict(
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
    try:
        expected, places = F.max_pool2d(torch.from_numpy(x), return_indices=True, **options)
    except RuntimeError:
        for form in MAX_FORMS:
            with pytest.raises(ValueError):
                form(x, **options)
        return
    # Deliberate difference: torch takes a window without a single pixel as -∞ with a place that
    # does not exist. What it does with a batch of no images, it does with one.
    one = F.max_pool2d(torch.zeros(max(shape[0], 1), *shape[1:]), **options)
    if one.numel() and one.min() == -INF:
        for form in MAX_FORMS:
            with pytest.raises(ValueError, match="reads padding alone"):
                form(x, **options)
        return
    for form in MAX_FORMS:
        values, indices = form(x, **options, return_indices=True)
        assert_array_equal(values, expected.numpy(), strict=True)
        assert_array_equal(indices, places.numpy(), strict=True)


@settings(max_examples=400, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)),
    kernel_size=pairs,
    stride=st.none() | pairs,
    padding=st.tuples(st.integers(-1, 2), st.integers(-1, 2)),
    ceil_mode=st.booleans(),
    count_include_pad=st.booleans(),
    divisor_override=st.none() | st.integers(-1, 9),
    seed=st.integers(0, 999),
)
def test_any_average_pooling_is_torchs_or_is_refused_by_both(
    shape, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, seed
):
    x = np.random.default_rng(seed).integers(-30, 30, shape).astype(np.float64)
    options = dict(
        kernel_size=kernel_size, stride=stride, padding=padding, ceil_mode=ceil_mode,
        count_include_pad=count_include_pad, divisor_override=divisor_override,
    )  # fmt: skip
    try:
        expected = F.avg_pool2d(torch.from_numpy(x), **options)
    except RuntimeError:
        for form in AVG_FORMS:
            with pytest.raises(ValueError):
                form(x, **options)
        return
    # Deliberate difference: torch divides by a negative divisor_override.
    if divisor_override is not None and divisor_override < 0:
        with pytest.raises(ValueError, match="must be at least 1"):
            avg_pool2d(x, **options)
        return
    for form in AVG_FORMS:
        assert_array_equal(form(x, **options), expected.numpy(), strict=True)


# What goes in, what comes out.


@pytest.mark.parametrize("form", [*MAX_FORMS, *AVG_FORMS])
def test_rank_is_kept(form):
    x = arange((2, 3, 4, 5), np.float32)
    batch = form(x, 2)
    assert batch.shape == (2, 3, 2, 2)
    assert_array_equal(form(x[1], 2), batch[1], strict=True)


@pytest.mark.parametrize("form", [global_avg_pool2d, global_max_pool2d])
def test_global_pooling_keeps_rank_and_equals_torch(form):
    x = arange((2, 3, 4, 5), np.float64)
    batch = form(x)
    theirs = {
        "global_avg_pool2d": F.adaptive_avg_pool2d,
        "global_max_pool2d": F.adaptive_max_pool2d,
    }
    assert_allclose(batch, theirs[form.__name__](torch.from_numpy(x), 1).numpy(), strict=True)
    assert_array_equal(form(x[1]), batch[1], strict=True)
    assert form(x[:0]).shape == (0, 3, 1, 1)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint64", "float16", "float32", "float64"])
@pytest.mark.parametrize("form", MAX_FORMS)
def test_max_keeps_the_dtype(form, dtype):
    assert form(np.ones((1, 2, 2), dtype), 2, padding=1).dtype == dtype


@pytest.mark.parametrize("form", MAX_FORMS)
def test_large_integers_are_exact(form):
    # float64 cannot tell these two apart.
    values, indices = form([[[2**53, 2**53 + 1]]], (1, 2), return_indices=True)
    assert (values.item(), indices.item()) == (2**53 + 1, 1)


@pytest.mark.parametrize("form", AVG_FORMS)
def test_float16_is_summed_in_float32(form):
    # Sixteen times 60000 is past the largest float16; the average is not.
    high = np.full((1, 4, 4), 60000, np.float16)
    assert_array_equal(form(high, 4), np.array([[[60000]]], np.float16), strict=True)
    ours = avg_pool2d_input_grad(np.ones((1, 1, 1), np.float16), 4, 4)
    assert_array_equal(ours, np.full((1, 4, 4), 1 / 16, np.float16), strict=True)
    assert_array_equal(global_avg_pool2d(high), np.array([[[60000]]], np.float16), strict=True)


@pytest.mark.parametrize("form", [*MAX_FORMS, *AVG_FORMS])
def test_non_contiguous_read_only_tensor_and_list_input(form):
    x = arange((5, 4, 3), np.float32)
    view = x.transpose(2, 0, 1)
    view.flags.writeable = False
    expected = form(np.ascontiguousarray(view), (3, 2), (2, 1), (1, 0))
    assert_array_equal(form(view, (3, 2), (2, 1), (1, 0)), expected)
    assert_array_equal(form(torch.from_numpy(x).permute(2, 0, 1), (3, 2), (2, 1), (1, 0)), expected)
    assert_allclose(form(view.tolist(), (3, 2), (2, 1), (1, 0)), expected, rtol=1e-6)
    form(x.transpose(2, 0, 1).copy(), 1)[...] = 0  # the result is the caller's own
    assert_array_equal(x, arange((5, 4, 3), np.float32))


def test_a_window_of_one_pixel_is_a_copy():
    x = arange((1, 3, 3), np.float32)
    output = max_pool2d(x, 1)
    assert not np.shares_memory(output, x)


@pytest.mark.parametrize("dtype", ["int64", "uint8"])
@pytest.mark.parametrize("form", [*AVG_FORMS, lambda x, _: global_avg_pool2d(x)])
def test_an_average_of_integers_is_refused(form, dtype):
    # torch truncates int64 toward zero and refuses the others.
    with pytest.raises(TypeError, match="need not be an integer: convert them"):
        form(np.ones((1, 2, 2), dtype), 2)


IMAGE = np.ones((6, 5, 5))
BAD = [
    (dict(kernel_size=0), ValueError, "`kernel_size` (0) must be at least 1"),
    (dict(kernel_size=2.0), TypeError, "`kernel_size` (2.0) must be an integer"),
    (dict(kernel_size=(2, 2, 2)), ValueError, "must be an int or a (height, width) pair"),
    (dict(kernel_size=6), ValueError, "the window reaches 6 pixels in height"),
    (dict(kernel_size=(1, 6)), ValueError, "the window reaches 6 pixels in width"),
    (dict(stride=0), ValueError, "`stride` (0) must be at least 1"),
    (dict(stride=True), TypeError, "`stride` (True) must be an integer, not a bool"),
    (dict(padding=-1), ValueError, "`padding` (-1) must be at least 0"),
    (dict(padding=2), ValueError, "`padding` (2) must be at most half of `kernel_size` (3)"),
    (dict(padding=((0, 0), (0, 2))), ValueError, "must be at most half of `kernel_size` (3)"),
    (dict(padding="full"), ValueError, "`padding` ('full') must be 'valid', 'same'"),
    (dict(ceil_mode=1), TypeError, "`ceil_mode` (1) must be True or False"),
    (dict(input=np.ones((5, 5))), ValueError, "must be (C, H, W) or (N, C, H, W)"),
    (dict(input=np.ones((0, 5, 5))), ValueError, "`input` (of shape (0, 5, 5)) has no channels"),
    (dict(input=np.ones((1, 6, 0, 5))), ValueError, "has no rows"),
    (dict(input=np.ones((6, 5, 0))), ValueError, "has no columns"),
    (dict(input=np.ones((6, 5, 5), bool)), TypeError, "`input` has dtype bool"),
    (dict(input=np.ones((6, 5, 5), complex)), TypeError, "`input` has dtype complex128"),
    (dict(input=[[1, 2], [3]]), TypeError, "`input` cannot be read as an array"),
    (dict(input=torch.ones(6, 5, 5, requires_grad=True)), TypeError, "detach"),
]
BAD_MAX = [
    (dict(dilation=0), ValueError, "`dilation` (0) must be at least 1"),
    (dict(dilation=3), ValueError, "the window reaches 7 pixels in height"),
    (dict(return_indices=1), TypeError, "`return_indices` (1) must be True or False"),
    (
        dict(input=np.ones((1, 5, 2)), kernel_size=2, padding=1, dilation=3),
        ValueError,
        "a window reads padding alone along the width: `dilation` (3) steps over all 2 pixels",
    ),
]
BAD_AVG = [
    (dict(count_include_pad=0), TypeError, "`count_include_pad` (0) must be True or False"),
    (dict(divisor_override=0), ValueError, "`divisor_override` (0) must be at least 1"),
    (dict(divisor_override=2.5), TypeError, "`divisor_override` (2.5) must be an integer"),
    (dict(divisor_override=True), TypeError, "must be an integer, not a bool"),
]


@pytest.mark.parametrize(
    ("form", "change", "error", "words"),
    [(form, *bad) for form in MAX_FORMS for bad in BAD + BAD_MAX]
    + [(form, *bad) for form in AVG_FORMS for bad in BAD + BAD_AVG],
)
def test_bad_arguments_are_refused_in_words(form, change, error, words):
    arguments = dict(input=IMAGE, kernel_size=3) | change
    with pytest.raises(error) as caught:
        form(**arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize("form", [global_avg_pool2d, global_max_pool2d])
def test_global_pooling_refuses_what_is_empty(form):
    with pytest.raises(ValueError, match="has no rows"):
        form(np.ones((1, 0, 3)))


def test_gradients_refuse_what_does_not_fit():
    with pytest.raises(
        ValueError, match=r"has shape \(1, 3, 3\); the output has shape \(1, 2, 2\)"
    ):
        max_pool2d_input_grad(np.ones((1, 3, 3)), np.ones((1, 4, 4)), 2)
    with pytest.raises(
        ValueError, match=r"has shape \(1, 3, 3\); the output has shape \(1, 2, 2\)"
    ):
        avg_pool2d_input_grad(np.ones((1, 3, 3)), (4, 4), 2)
    with pytest.raises(TypeError, match="shares need not be integers"):
        avg_pool2d_input_grad(np.ones((1, 2, 2), int), (4, 4), 2)
    with pytest.raises(ValueError, match=r"`input_size` .* pair"):
        avg_pool2d_input_grad(np.ones((1, 2, 2)), (1, 4, 4), 2)


# Adaptive pooling.


@pytest.mark.parametrize("form", ADAPTIVE_AVG)
def test_adaptive_averages_by_hand(form):
    row = np.array(ROW, float)
    # Seven pixels, three windows: [0, 3), [2, 5), [4, 7).
    assert_allclose(form(row, (1, 3)), [[[8 / 3, 10 / 3, 16 / 3]]], rtol=1e-15)
    assert_array_equal(form(row[..., :6], (1, 3)), [[[2, 2.5, 7]]])  # 6 / 3: windows of two
    assert_array_equal(form([[[2.0], [4.0]]], (3, 2)), [[[2, 2], [3, 3], [4, 4]]])  # larger


@pytest.mark.parametrize("form", ADAPTIVE_MAX)
def test_adaptive_maxima_by_hand(form):
    values, places = form(ROW, (1, 3), return_indices=True)
    assert_array_equal(values, [[[4, 5, 9]]])
    assert_array_equal(places, [[[2, 4, 5]]])
    # The first of equal values row by row: pixel 1 of the first row, not pixel 0 of the second.
    values, places = form([[[0, 7], [7, 7]]], 1, return_indices=True)
    assert (values.item(), places.item()) == (7, 1)
    values, places = form([[[NAN, 1.0], [NAN, 2.0]]], 1, return_indices=True)
    assert_array_equal(values, [[[NAN]]])
    assert places.item() == 2  # the last NaN


def seen(size, count):
    """Return the windows of torch along an axis, as the pixels that a gradient reaches."""
    row = torch.zeros(1, 1, size, requires_grad=True)
    output = F.adaptive_avg_pool1d(row, count)[0, 0]
    grads = [torch.autograd.grad(cell, row, retain_graph=True)[0][0, 0] for cell in output]
    return [grad.nonzero().ravel().tolist() for grad in grads]


def test_the_windows_are_those_of_torch():
    for size in range(1, 12):
        for count in range(1, 15):
            bounds = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
            assert [list(range(*b)) for b in bounds] == seen(size, count)
            lengths = {b - a for a, b in bounds}
            assert max(lengths) - min(lengths) <= 1


@settings(max_examples=200, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    output_size=st.tuples(st.integers(1, 11), st.integers(1, 11)),
    seed=st.integers(0, 999),
)
def test_any_adaptive_pooling_is_torchs(shape, output_size, seed):
    x = np.random.default_rng(seed).choice([-INF, -1.0, 0.0, 0.0, 2.0, NAN], shape)
    expected, places = F.adaptive_max_pool2d(torch.from_numpy(x), output_size, return_indices=True)
    for form in ADAPTIVE_MAX:
        values, indices = form(x, output_size, return_indices=True)
        assert_array_equal(values, expected.numpy(), strict=True)
        assert_array_equal(indices, places.numpy(), strict=True)
        assert_array_equal(form(x, output_size), values, strict=True)
    x = np.random.default_rng(seed).standard_normal(shape)
    averages = F.adaptive_avg_pool2d(torch.from_numpy(x), output_size).numpy()
    for form in ADAPTIVE_AVG:
        assert_allclose(form(x, output_size), averages, rtol=1e-12, atol=1e-14, strict=True)


@pytest.mark.parametrize("form", [*ADAPTIVE_AVG, *ADAPTIVE_MAX])
def test_adaptive_pooling_keeps_rank_and_dtype(form):
    for dtype in ("float16", "float32", "float64"):
        x = arange((2, 3, 4, 5), dtype)
        batch = form(x, (3, 2))
        assert (batch.shape, batch.dtype) == ((2, 3, 3, 2), dtype)
        assert_array_equal(form(x[1], (3, 2)), batch[1], strict=True)
    flat = np.full((1, 4, 4), 60000, np.float16)  # summed in float32, like avg_pool2d
    assert_array_equal(form(flat, 1), np.array([[[60000]]], np.float16), strict=True)
    assert not np.shares_memory(form(x, (4, 5)), x)


def test_adaptive_maxima_of_integers_are_exact_and_averages_are_refused():
    for form in ADAPTIVE_MAX:
        assert form([[[2**53, 2**53 + 1]]], 1).item() == 2**53 + 1
    for form in ADAPTIVE_AVG:
        with pytest.raises(TypeError, match="need not be an integer: convert them"):
            form([[[1, 2]]], 1)


@pytest.mark.parametrize("form", [*ADAPTIVE_AVG, *ADAPTIVE_MAX])
@pytest.mark.parametrize(
    ("output_size", "error", "message"),
    [
        (0, ValueError, r"`output_size` \(0\) must be at least 1"),
        ((2, 2, 2), ValueError, r"`output_size` .* must be an int or a \(height, width\) pair"),
        (2.0, TypeError, r"`output_size` \(2.0\) must be an integer"),
        ((None, 2), TypeError, r"`output_size` \(None\) must be an integer"),
        (2**31 - 1, ValueError, r"`output_size` \(2147483647\) asks for an array of"),
    ],
)
def test_a_bad_adaptive_size_is_refused(form, output_size, error, message):
    with pytest.raises(error, match=message):
        form(np.ones((1, 3, 3)), output_size)


# Unpooling.


@pytest.mark.parametrize("form", UNPOOL)
def test_unpooling_by_hand(form):
    image = [[[3, 1, 4, 1], [5, 9, 2, 6]]]
    values, places = max_pool2d(image, 2, return_indices=True)
    assert_array_equal(form(values, places, 2), [[[0, 0, 0, 0], [0, 9, 0, 6]]])
    # Five pixels pool to two as four do: the size has to be given.
    values, places = max_pool2d([[[3, 1, 4, 1, 5]]], (1, 2), return_indices=True)
    assert_array_equal(form(values, places, (1, 2)), [[[3, 0, 4, 0]]])
    for size in ((1, 5), [1, 5], (1, 1, 5)):
        result = form(values, places, (1, 2), output_size=size)
        assert_array_equal(result, [[[3, 0, 4, 0, 0]]])
    # Of two values for one place the last one is written.
    assert_array_equal(form([[[1, 2]]], [[[1, 1]]], (1, 1)), [[[0, 2]]])


# The rule for the size knows no dilation, no unequal sides and no kernel larger than the image.
@pytest.mark.parametrize(
    "name", [n for n in TAKEN_BY_TORCH if n != "rounded up, larger than the input"]
)
def test_unpooling_equals_torch_and_keeps_only_the_winners(name):
    options = dict(CASES[name])
    x = arange(options.pop("x"), np.float64)
    values, places = max_pool2d(x, **options, return_indices=True)
    window = {key: options[key] for key in ("kernel_size", "stride", "padding") if key in options}
    tensors = torch.from_numpy(values), torch.from_numpy(places)
    expected = F.max_unpool2d(*tensors, **window, output_size=x.shape[2:]).numpy()
    won = np.zeros(x.shape, bool)
    np.put_along_axis(won.reshape(*x.shape[:2], -1), places.reshape(*x.shape[:2], -1), True, axis=2)
    for form in UNPOOL:
        result = form(values, places, **window, output_size=x.shape[2:])
        assert_array_equal(result, expected, strict=True)
        assert_array_equal(result, np.where(won, x, 0))


@settings(max_examples=200, deadline=None)
@given(size=st.integers(1, 9), kernel=st.integers(1, 4), stride=st.integers(1, 4), data=st.data())
def test_the_size_is_accepted_exactly_where_torch_accepts_it(size, kernel, stride, data):
    padding = data.draw(st.integers(0, kernel // 2))
    ceil_mode = data.draw(st.booleans())
    x = arange((1, 2, 1, size), np.float64)
    options = dict(kernel_size=(1, kernel), stride=(1, stride), padding=(0, padding))
    try:
        values, places = max_pool2d(x, **options, ceil_mode=ceil_mode, return_indices=True)
    except ValueError:
        return
    for wanted in (None, *((1, n) for n in range(1, 14))):
        tensors = torch.from_numpy(values), torch.from_numpy(places)
        try:
            expected = F.max_unpool2d(*tensors, **options, output_size=wanted)
            if not expected.numel():  # torch returns an output without a pixel
                raise ValueError
        except (RuntimeError, ValueError):
            for form in UNPOOL:
                with pytest.raises(ValueError, match=r"`output_size`|`indices`|`padding`"):
                    form(values, places, **options, output_size=wanted)
            continue
        for form in UNPOOL:
            result = form(values, places, **options, output_size=wanted)
            assert_array_equal(result, expected.numpy(), strict=True)


@pytest.mark.parametrize("form", UNPOOL)
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float32"])
def test_unpooling_keeps_dtype_rank_and_an_empty_batch(form, dtype):
    values, places = max_pool2d(arange((2, 3, 4, 5), dtype), 2, return_indices=True)
    batch = form(values, places, 2, output_size=(4, 5))
    assert (batch.shape, batch.dtype) == ((2, 3, 4, 5), dtype)
    assert_array_equal(form(values[1], places[1], 2, output_size=(4, 5)), batch[1], strict=True)
    assert form(values[:0], places[:0], 2).shape == (0, 3, 4, 4)


BAD_UNPOOL = [
    (dict(indices=np.zeros((1, 2, 3), int)), ValueError, r"`indices` has shape .* `input`'s"),
    (dict(indices=np.zeros((1, 2, 2))), TypeError, "`indices` has dtype float64"),
    (dict(indices=np.full((1, 2, 2), 16)), ValueError,
     r"`indices` holds 16; in an output of 4×4 pixels an index is from 0 to 15: give the size"),
    (dict(indices=np.full((1, 2, 2), -1)), ValueError, "`indices` holds -1"),
    (dict(padding=2), ValueError, r"`padding` \(2\) leaves no pixel of 0×0: give the size"),
    (dict(output_size=6), ValueError, r"`output_size` \(6\) must be from 3×3 to 5×5"),
    (dict(output_size=(2, 4)), ValueError, r"`output_size` \(\(2, 4\)\) must be from 3×3 to 5×5"),
    (dict(output_size=(9, 4, 4)), ValueError, r"a shape that starts as that of `input` does"),
    (dict(kernel_size=0), ValueError, r"`kernel_size` \(0\) must be at least 1"),
    (dict(kernel_size=2**31 - 1), ValueError, r"`kernel_size` .* asks for an array of"),
    (dict(stride=0), ValueError, r"`stride` \(0\) must be at least 1"),
]  # fmt: skip


@pytest.mark.parametrize("form", UNPOOL)
@pytest.mark.parametrize(("change", "error", "message"), BAD_UNPOOL)
def test_a_bad_unpooling_is_refused(form, change, error, message):
    good = dict(input=np.ones((1, 2, 2)), indices=np.array([[[0, 2], [8, 10]]]), kernel_size=2)
    form(**good)
    with pytest.raises(error, match=message):
        form(**good | change)


def test_unpooling_is_the_gradient_of_pooling_where_windows_do_not_overlap():
    # The way back of a value is the way back of its gradient.
    x = arange((2, 3, 6, 8), np.float64)
    values, places = max_pool2d(x, 2, return_indices=True)
    g = arange(values.shape, np.float64, start=5)
    assert_array_equal(max_unpool2d(g, places, 2), max_pool2d_input_grad(g, x, 2), strict=True)
