"""The derivation of a convolution's gradients: by hand, and equal to the operations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import cnnref
from cnnref.ops.gradients import conv2d_bias_grad, conv2d_input_grad, conv2d_weight_grad
from cnnref.worked.gradients import gradients

IMAGE = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]
FILTER = [[[[1, 2], [3, 4]]]]
GRAD = [[[1, 0], [-1, 2]]]


# Computed by hand.


def test_the_three_gradients():
    solution = gradients(IMAGE, FILTER, GRAD)
    assert_array_equal(solution.input_grad, [[[1, 2, 0], [2, 4, 4], [-3, 2, 8]]])
    assert_array_equal(solution.weight_grad, [[[[7, 9], [13, 15]]]])
    assert_array_equal(solution.bias_grad, [2])


def test_the_pixel_in_the_middle_is_read_four_times():
    cell = gradients(IMAGE, FILTER, GRAD).input_cell(row=1, column=1)
    # Weight times output gradient, output cell by output cell.
    assert [each.factors for each in cell.contributions] == [(4, 1), (3, 0), (2, -1), (1, 2)]
    assert cell.contributions[2].first == (0, 0, 0, 1)
    assert cell.contributions[2].second == (0, 0, 1, 0)
    assert cell.total == 4


def test_a_weight_meets_a_pixel_for_each_output_cell():
    cell = gradients(IMAGE, FILTER, GRAD).weight_cell(row=1, column=0)
    assert [each.factors for each in cell.contributions] == [(4, 1), (5, 0), (7, -1), (8, 2)]
    assert cell.contributions[3].first == (0, 0, 2, 1)
    assert cell.total == 13


def test_text():
    written = gradients(IMAGE, FILTER, GRAD).to_text()
    assert "4 · 1 + 3 · 0 + 2 · (-1) + 1 · 2 = 4 + 0 + (-2) + 2 = 4" in written
    assert "4 · 1 + 5 · 0 + 7 · (-1) + 8 · 2 = 4 + 0 + (-7) + 16 = 13" in written
    assert "1 + 0 + (-1) + 2 = 2" in written
    assert written.count("Together:") == 2


def test_numbers_are_kept_in_the_dtype_of_the_result():
    a = gradients(np.float32(IMAGE), np.float32(FILTER), np.float64(GRAD)).arguments
    assert (a.input.dtype, a.weight.dtype, a.dtype) == (np.float64,) * 3


def test_parts_and_renderings():
    solution = gradients(IMAGE, FILTER, GRAD)
    assert "weight" not in solution.to_text(parts=["bias"])
    assert solution.to_markdown(parts=["weight"]).count('cnnref-cell"') == 4
    assert "<div" not in solution._repr_markdown_()
    assert r"\begin{bmatrix} 7 & 9 \\ 13 & 15 \end{bmatrix}" in solution.to_latex()
    with pytest.raises(ValueError, match="must be 'input', 'weight' or 'bias'"):
        solution.to_text(parts=["output"])
    with pytest.raises(ValueError, match=r"`max_cells` \(1\) must be at least 2"):
        solution.to_text(max_cells=1)


def test_pixels_that_are_not_read_and_weights_that_meet_padding_say_so():
    assert "No window reads this pixel: 0" in gradients(IMAGE, FILTER, [[[5]]], stride=2).to_text()
    written = gradients([[[7]]], [[[[1, 2]]]], [[[3]]], padding=((0, 0), (1, 0))).to_text()
    assert "This weight met padding alone: 0" in written


def test_several_channels_and_filters_are_named_and_cut_short():
    x, w = np.ones((2, 3, 4, 4), int), np.ones((5, 3, 2, 2), int)
    written = gradients(x, w, np.ones((2, 5, 3, 3), int)).to_text()
    assert "Row 1, column 2 (image 1, channel 1)" in written
    assert "Row 2, column 2 (filter 5, channel 3)" in written
    assert "… 80 more …" in written  # 96 pixels
    grad = np.ones((2, 5, 3, 3), int) * np.arange(1, 6)[:, None, None]
    bias = gradients(x, w, grad).to_text(parts=["bias"])
    for filter in range(1, 6):
        assert f"Filter {filter}: {filter} + {filter} + " in bias
        assert f"… + {filter} = {18 * filter}" in bias


# Equal to the operations.


@pytest.mark.parametrize("dtype", ["int64", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": (2, 1), "padding": ((1, 0), (2, 1))},
        {"dilation": (1, 3), "padding": (1, 0), "stride": (1, 2), "groups": 2},
        {"dilation": (2, 1), "padding": "same"},
    ],
)
def test_equal_to_the_operations(options, dtype):
    channels = 4 // options.get("groups", 1)
    x = (np.arange(2 * 4 * 6 * 5) % 11 - 5).reshape(2, 4, 6, 5).astype(dtype)
    w = (np.arange(2 * channels * 3 * 2) % 7 - 3).reshape(2, channels, 3, 2).astype(dtype)
    output = cnnref.conv2d(x, w, **options)
    grad = (np.arange(output.size) % 5 - 2).reshape(output.shape).astype(dtype)
    if dtype == "float32":
        x, w, grad = x / 3, w / 3, grad / 3
    solution = gradients(x, w, grad, **options)
    for ours, theirs in (
        (solution.input_grad, conv2d_input_grad(x.shape, w, grad, **options)),
        (solution.weight_grad, conv2d_weight_grad(x, w.shape, grad, **options)),
        (solution.bias_grad, conv2d_bias_grad(grad)),
    ):
        assert ours.dtype == theirs.dtype
        assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    unbatched = gradients(x[1], w, grad[1], **options)
    assert_array_equal(unbatched.input_grad, solution.input_grad[1])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_equal_to_the_operations_everywhere(data):
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    groups, generator = draw(1, 2), np.random.default_rng(draw(0, 999))
    kernel, dilation, stride = ((draw(1, 3), draw(1, 2)) for _ in range(3))
    padding = ((draw(0, 2), draw(0, 2)), (draw(0, 2), draw(0, 2)))
    size = [
        max(1, d * (k - 1) + 1 - sum(p)) + draw(0, 2)
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    x = generator.integers(-9, 10, (draw(1, 2), groups, *size))
    w = generator.integers(-9, 10, (groups * draw(1, 2), 1, *kernel))
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    grad = generator.integers(-9, 10, cnnref.conv2d(x, w, **options).shape)
    solution = gradients(x, w, grad, **options)
    expected = conv2d_input_grad(x.shape, w, grad, **options)
    assert_array_equal(solution.input_grad, expected, strict=True)
    expected = conv2d_weight_grad(x, w.shape, grad, **options)
    assert_array_equal(solution.weight_grad, expected, strict=True)


def test_bad_arguments_are_refused():
    solution = gradients(IMAGE, FILTER, GRAD)
    with pytest.raises(IndexError, match=r"`row` \(3\) must be from 0 to 2"):
        solution.input_cell(row=3, column=0)
    with pytest.raises(IndexError, match=r"`filter` \(1\) must be from 0 to 0"):
        solution.weight_cell(row=0, column=0, filter=1)
    with pytest.raises(ValueError, match="the output of this convolution has shape"):
        gradients(IMAGE, FILTER, [[[1]]])
