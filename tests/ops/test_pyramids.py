"""Pyramids: hand-computed literals, loops = fast form, both = torch and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import correlate1d

from cnnref.ops.pyramids import (
    BINOMIAL,
    blur,
    blur_loops,
    gaussian_pyramid,
    laplacian_pyramid,
    laplacian_reconstruct,
    pyramid_expand,
    pyramid_expand_loops,
    pyramid_reduce,
    pyramid_reduce_loops,
)

BLURS = [blur, blur_loops]
REDUCES = [pyramid_reduce, pyramid_reduce_loops]
EXPANDS = [pyramid_expand, pyramid_expand_loops]


def noise(shape, seed=0, dtype=np.int64):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)


# Ring 1: computed by hand. All rows are equal, so only the weights across count.


def rows(*row):
    return np.array([[row] * 3])


@pytest.mark.parametrize("form", BLURS)
def test_blur_by_hand(form):
    # Mirrored: 4 3 | 0 3 4 0 | 4 3. First pixel (4 + 12 + 0 + 12 + 4)/16 = 2.
    expected = [
        2,
        (3 + 0 + 18 + 16 + 0) / 16,
        (0 + 12 + 24 + 0 + 4) / 16,
        (3 + 16 + 0 + 16 + 3) / 16,
    ]
    assert_array_equal(form(rows(0, 3, 4, 0)), rows(*expected))


@pytest.mark.parametrize("form", BLURS)
def test_each_axis_is_blurred(form):
    image = np.zeros((1, 7, 7), int)
    image[0, 3, 3] = 256
    assert_array_equal(form(image)[0, 1:6, 1:6], np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]))


@pytest.mark.parametrize("form", BLURS)
def test_the_kernel_is_not_flipped(form):
    # By hand: each pixel becomes its right neighbour, the last one (mirrored) its left one.
    assert_array_equal(form([[[1, 2, 3]] * 3], kernel=[0, 0, 1])[0, 0], [2, 3, 2])


@pytest.mark.parametrize("form", REDUCES)
def test_reduce_by_hand(form):
    # 16 at the third of five pixels: weights 1, 6, 1 at every second; the ends see it twice.
    assert_array_equal(form(rows(0, 0, 16, 0, 0)), [[[2, 6, 2]] * 2])


@pytest.mark.parametrize("form", EXPANDS)
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        # (1·8 + 6·0 + 1·8)/8 = 2, (4·0 + 4·8)/8 = 4, (1·0 + 6·8 + 1·8)/8 = 7 and 4 + 4 = 8 eighths.
        ((3, 4), [2, 4, 7, 8]),
        ((3, 3), [2, 4, 6]),
    ],
)
def test_expand_by_hand(form, size, expected):
    assert_array_equal(form([[[0, 8], [0, 8]]], size), rows(*expected))


def test_laplacian_by_hand():
    fine, coarse = laplacian_pyramid(rows(0, 0, 16, 0, 0), levels=2)
    assert_array_equal(coarse, [[[2, 6, 2]] * 2])
    # Expanded: (6 + 12 + 6)/8 = 3, (8 + 24)/8 = 4, (2 + 36 + 2)/8 = 5, 4, 3.
    assert_array_equal(fine, rows(-3, -4, 11, -4, -3))


# Ring 2 and 3: loops = fast = others, sizes odd and even.

SHAPES = [(2, 3, 5, 4), (1, 2, 6, 7), (3, 1, 3, 3), (2, 9, 8), (1, 3, 16)]


def torch_mirrored(image, pad=2):
    tensor = torch.from_numpy(image).reshape(-1, 1, *image.shape[-2:])
    return torch.nn.functional.pad(tensor, (pad,) * 4, mode="reflect")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_blur_and_reduce_equal_their_loops_and_torch(shape, dtype):
    image = noise(shape, 1, dtype)
    weights = torch.from_numpy(np.outer(BINOMIAL, BINOMIAL).astype(dtype))[None, None]
    for forms, stride in ((BLURS, 1), (REDUCES, 2)):
        expected = torch.nn.functional.conv2d(torch_mirrored(image), weights, stride=stride)
        expected = expected.numpy().reshape(*shape[:-2], *expected.shape[-2:])
        for form in forms:
            # Whole numbers from 0 to 255 times 256ths are exact in both dtypes.
            assert_array_equal(form(image), expected, strict=True)


@pytest.mark.parametrize("odd", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 2, 2), (3, 2, 6)])
def test_expand_equals_its_loops_and_a_transposed_convolution(shape, odd):
    image = noise(shape, 2, np.float64)
    size = 2 * shape[-2] - odd[0], 2 * shape[-1] - odd[1]
    expanded = pyramid_expand(image, size)
    assert expanded.shape == (*shape[:-2], *size)
    assert_array_equal(expanded, pyramid_expand_loops(image, size), strict=True)
    # Away from the border, where mirroring plays no part, it is torch's transposed convolution.
    weights = torch.from_numpy(4 * np.outer(BINOMIAL, BINOMIAL))[None, None]
    planes = torch.from_numpy(image).reshape(-1, 1, *shape[-2:])
    expected = torch.nn.functional.conv_transpose2d(planes, weights, stride=2, padding=2).numpy()
    expected = expected.reshape(*shape[:-2], *expected.shape[-2:])
    inside = np.s_[..., 2 : 2 * shape[-2] - 3, 2 : 2 * shape[-1] - 3]
    assert_array_equal(expanded[inside], expected[inside])


@pytest.mark.parametrize(
    ("mode", "theirs"),
    [
        ("reflect", "mirror"),
        ("replicate", "nearest"),
        ("circular", "wrap"),
        ("constant", "constant"),
    ],
)
@pytest.mark.parametrize("kernel", [BINOMIAL, [3, -1, 2], [2.5], [1, 2, 3, 4, 5, 6, 7]])
def test_blur_with_any_kernel_and_mode_equals_scipy_and_the_loops(mode, theirs, kernel):
    image = noise((2, 6, 5), 3, np.float64)
    expected = correlate1d(image, kernel, axis=1, mode=theirs)
    expected = correlate1d(expected, kernel, axis=2, mode=theirs)
    for form in BLURS:
        assert_allclose(form(image, kernel, mode), expected, rtol=1e-13)


sizes = st.tuples(st.integers(1, 2), st.integers(3, 12), st.integers(3, 12))
floats = st.floats(-1e6, 1e6, allow_subnormal=False)


@settings(max_examples=100, deadline=None)
@given(sizes.flatmap(lambda shape: arrays(np.float64, shape, elements=floats)), st.integers(1, 6))
def test_any_image_is_reconstructed_or_has_too_many_levels(image, levels):
    try:
        pyramid = laplacian_pyramid(image, levels)
    except ValueError as error:
        assert "too many" in str(error)  # noqa: PT017
        most = int(str(error).split("at most ")[1].split()[0])
        assert most < levels
        assert len(laplacian_pyramid(image, most)) == most
        return
    assert len(pyramid) == levels
    for level, array in enumerate(pyramid):
        assert array.shape[1:] == tuple(-(-side // 2**level) for side in image.shape[1:])
    assert_allclose(laplacian_reconstruct(pyramid), image, atol=1e-9)


# What is promised.


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (127, 90), (48, 48)])
@pytest.mark.parametrize("low", [0, -256])
def test_eight_bit_images_are_reconstructed_to_the_last_bit_in_up_to_five_levels(size, low):
    image = np.random.default_rng(4).integers(low, 257, (2, *size))
    for levels in range(1, 6):
        assert_array_equal(laplacian_reconstruct(laplacian_pyramid(image, levels)), image)


def test_a_changed_blur_would_still_be_undone():
    # Exact reconstruction comes from adding what was subtracted: any difference image will do.
    pyramid = laplacian_pyramid(noise((1, 9, 8), 5), 3)
    pyramid[0] += 7
    assert_array_equal(laplacian_reconstruct(pyramid), noise((1, 9, 8), 5) + 7)


@pytest.mark.parametrize("size", [(8, 8), (9, 13), (3, 16)])
def test_a_flat_image_stays_flat_on_every_level(size):
    *differences, last = laplacian_pyramid(np.full((1, *size), 5), 2)
    assert (last == 5).all()
    assert all((difference == 0).all() for difference in differences)


def test_float32_is_kept_and_reconstructed_to_rounding():
    image = noise((3, 33, 20), 6, np.float32) / 255
    pyramid = laplacian_pyramid(image, 4)
    assert {level.dtype for level in pyramid} == {np.dtype(np.float32)}
    assert_allclose(laplacian_reconstruct(pyramid), image, atol=1e-6)


def test_integers_become_float64_and_float16_stays():
    assert gaussian_pyramid(noise((1, 4, 4), 7, np.uint8), 1)[0].dtype == np.float64
    assert {g.dtype for g in gaussian_pyramid(np.ones((1, 4, 4), np.float16), 2)} == {
        np.dtype(np.float16)
    }


@pytest.mark.parametrize("form", [blur, pyramid_reduce, blur_loops, pyramid_reduce_loops])
def test_rank_views_tensors_and_empty_batches(form):
    images = noise((2, 3, 5, 4), 8, np.float64)
    batch = form(images)
    assert_array_equal(form(images[1]), batch[1], strict=True)
    assert form(images[:0]).shape == (0, *batch.shape[1:])
    view = images.transpose(0, 1, 3, 2)
    view.flags.writeable = False
    assert_array_equal(form(view), batch.transpose(0, 1, 3, 2))
    assert_array_equal(form(torch.from_numpy(images)), batch)
    assert_array_equal(form(images.tolist()), batch)


def test_the_input_is_left_alone():
    image = noise((1, 6, 6), 9, np.float64)
    before = image.copy()
    for level in gaussian_pyramid(image, 2):
        level += 1
    for level in laplacian_pyramid(image, 1):
        level += 1
    assert_array_equal(image, before)


@pytest.mark.parametrize("form", BLURS)
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (dict(input=np.ones((4, 4))), ValueError, "must be (C, H, W) or (N, C, H, W)"),
        (dict(input=np.ones((1, 0, 4))), ValueError, "has no rows"),
        (dict(input=np.ones((1, 2, 4))), ValueError, "`padding` (2) in height must be at most 1"),
        (dict(kernel=[1, 1]), ValueError, "`kernel` has shape (2,); it must be one row of an odd"),
        (dict(kernel=[]), ValueError, "it must be one row of an odd"),
        (dict(kernel=np.ones((3, 3))), ValueError, "`kernel` has shape (3, 3)"),
        (dict(kernel="box"), TypeError, "`kernel` has dtype"),
        (dict(mode="mirror"), ValueError, "`mode` ('mirror') must be"),
    ],
)
def test_blur_refuses_in_words(form, arguments, error, words):
    with pytest.raises(error) as caught:
        form(**(dict(input=np.ones((1, 4, 4))) | arguments))
    assert words in str(caught.value)


@pytest.mark.parametrize("form", REDUCES)
def test_reduce_refuses_in_words(form):
    with pytest.raises(ValueError, match="`input` is 2×5; it must be at least 3×3 to be reduced"):
        form(np.ones((1, 2, 5)))
    with pytest.raises(ValueError, match="has no channels"):
        pyramid_reduce(np.ones((0, 5, 5)))


@pytest.mark.parametrize("form", EXPANDS)
@pytest.mark.parametrize(
    ("size", "error", "words"),
    [
        ((5, 4), ValueError, "height 2 expands to 3 or 4"),
        ((4, 4), ValueError, "width 3 expands to 5 or 6"),
        ((3.0, 6), TypeError, "`size` (3.0) must be an integer"),
        (True, TypeError, "not a bool"),
    ],
)
def test_expand_refuses_in_words(form, size, error, words):
    with pytest.raises(error) as caught:
        form(np.ones((1, 2, 3)), size)
    assert words in str(caught.value)


def test_expand_refuses_sizes_too_small_to_blur():
    with pytest.raises(ValueError, match="and to at least 3"):
        pyramid_expand(np.ones((1, 1, 3)), (2, 6))


@pytest.mark.parametrize("form", [gaussian_pyramid, laplacian_pyramid])
@pytest.mark.parametrize(
    ("levels", "error", "words"),
    [
        (4, ValueError, "`levels` (4) is too many for an input of 8×9: level 2 is 2×3 and cannot"),
        (4, ValueError, "at most 3 fit"),
        (0, ValueError, "`levels` (0) must be at least 1"),
        (2.0, TypeError, "`levels` (2.0) must be an integer"),
        (True, TypeError, "not a bool"),
    ],
)
def test_pyramids_refuse_in_words(form, levels, error, words):
    with pytest.raises(error) as caught:
        form(np.ones((1, 8, 9)), levels)
    assert words in str(caught.value)


def test_reconstruct_refuses_in_words():
    with pytest.raises(ValueError, match="`pyramid` holds no level"):
        laplacian_reconstruct([])
    with pytest.raises(ValueError, match="do not fit together"):
        laplacian_reconstruct([np.ones((2, 4, 4)), np.ones((1, 2, 2))])
    with pytest.raises(ValueError, match="height 2 expands to"):
        laplacian_reconstruct([np.ones((1, 5, 4)), np.ones((1, 2, 2))])
    with pytest.raises(ValueError, match="`pyramid` has shape"):
        laplacian_reconstruct([np.ones((4, 4))])
