"""Template matching: hand-computed literals, loops = fast form, both = scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from skimage.feature import match_template

from cnnref.ops import _windows
from cnnref.ops.template_matching import (
    cross_correlation,
    normalized_cross_correlation,
    normalized_cross_correlation_loops,
)

FORMS = [normalized_cross_correlation, normalized_cross_correlation_loops]


def noise(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)


def by_skimage(image, template):
    # Channels last and in step with the template's, so that the window slides down and across only.
    return match_template(np.moveaxis(image, 0, -1), np.moveaxis(template, 0, -1))[..., 0]


# Ring 1: computed by hand.


def test_raw_by_hand():
    # 1·1 + 2·5 = 11, 1·2 + 2·6 = 14: each template pixel times the one under it.
    image = [[[1, 2, 3], [4, 5, 6]]]
    assert_array_equal(cross_correlation(image, [[[1, 0], [0, 2]]]), [[[11, 14]]])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("image", "template", "expected"),
    [
        # Deviations (-1, 0, 1) and (-1, -1, 2)/3: product 1, lengths √2 and √6/3.
        ([[1, 2, 3]], [[0, 0, 1]], [[math.sqrt(3) / 2]]),
        # Deviations (3, -1, -1, -1)/2 and (1, -1, -1, 1)/2: product 1, lengths √3 and 1.
        ([[3, 1], [1, 1]], [[1, 0], [0, 1]], [[1 / math.sqrt(3)]]),
        # The template brighter, with more contrast, negative, flat.
        ([[7, 9, 5, 5]], [[0, 1]], [[1, -1, 0]]),
        # Deviations (-1, 1, 0) and (-1, -1, 2): at right angles.
        ([[0, 2, 1]], [[0, 0, 3]], [[0]]),
    ],
)
def test_normalised_by_hand(form, image, template, expected):
    assert_allclose(form([image], [template]), [expected], rtol=1e-15, atol=1e-16)


def test_the_raw_form_prefers_a_bright_patch_and_the_normalised_form_the_pattern():
    image = np.zeros((1, 5, 8))
    image[0, [1, 2, 3], [0, 1, 2]] = 1
    image[0, 1:4, 5:8] = 2
    template = np.eye(3)[None]
    assert cross_correlation(image, template)[0, 1].tolist() == [3, 0, 0, 2, 4, 6]
    assert np.unravel_index(cross_correlation(image, template).argmax(), (3, 6)) == (1, 5)
    response = normalized_cross_correlation(image, template)[0]
    assert np.unravel_index(response.argmax(), (3, 6)) == (1, 0)
    assert response[1, 0] == pytest.approx(1)
    assert response[1, 5] == 0


# Ring 2 and 3: loops = fast = scikit-image where every axis differs.

CASES = {
    "every axis differs": ((3, 9, 7), (3, 4, 2)),
    "one channel": ((1, 6, 11), (1, 3, 5)),
    "one row": ((2, 1, 8), (2, 1, 3)),
    "one pixel, channels": ((4, 3, 5), (4, 1, 1)),
    "template as large as the image": ((2, 4, 5), (2, 4, 5)),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize(("image_shape", "template_shape"), CASES.values(), ids=CASES.keys())
def test_loops_fast_form_and_scikit_image_agree(image_shape, template_shape, dtype, monkeypatch):
    image, template = noise(image_shape, 1, dtype), noise(template_shape, 2, dtype)
    fast = normalized_cross_correlation(image, template)
    assert fast.dtype == (dtype if np.dtype(dtype).kind == "f" else np.float64)
    rounding = 1e-6 if fast.dtype == np.float32 else 1e-12
    assert_allclose(fast, normalized_cross_correlation_loops(image, template), atol=rounding)
    expected = by_skimage(image.astype(float), template.astype(float))
    assert_allclose(fast[0], expected, atol=max(rounding, 1e-9))
    # One output row a block, as large inputs have it.
    monkeypatch.setattr(_windows, "BUFFER_BYTES", 1)
    monkeypatch.setattr(_windows, "FEWEST_WINDOWS", 1)
    assert_allclose(normalized_cross_correlation(image, template), fast, atol=rounding)


def test_raw_equals_torch():
    image, template = noise((2, 3, 9, 7), 3), noise((3, 4, 2), 4)
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(image), torch.from_numpy(template)[None]
    ).numpy()
    assert_array_equal(cross_correlation(image, template), expected, strict=True)


def test_it_is_the_correlation_coefficient():
    image, template = noise((2, 5, 6), 5), noise((2, 3, 2), 6)
    response = normalized_cross_correlation(image, template)[0]
    window = image[:, 2:5, 3:5]
    assert response[2, 3] == pytest.approx(np.corrcoef(window.ravel(), template.ravel())[0, 1])


numbers = st.integers(0, 4).map(float) | st.floats(-1e6, 1e6, allow_subnormal=False)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_finite_image_gives_what_the_definition_gives_within_the_bounds(data):
    channels, height, width = (data.draw(st.integers(1, limit)) for limit in (2, 3, 3))
    sides = height + data.draw(st.integers(0, 3)), width + data.draw(st.integers(0, 3))
    image = data.draw(arrays(np.float64, (channels, *sides), elements=numbers))
    template = data.draw(arrays(np.float64, (channels, height, width), elements=numbers))
    if (template == template.flat[0]).all():
        for form in FORMS:
            with pytest.raises(ValueError, match="is flat"):
                form(image, template)
        return
    response = normalized_cross_correlation(image, template)
    assert (np.abs(response) <= 1).all()
    assert_allclose(response, normalized_cross_correlation_loops(image, template), atol=1e-9)


# What the normalised form promises.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("gain", "offset"), [(1, 0), (0.1, 7), (30, -1000), (1e-170, 0)])
def test_brightness_and_contrast_change_nothing(form, gain, offset):
    image = noise((2, 7, 8), 7)
    template = image[:, 2:5, 3:7].copy()
    response = form(gain * image + offset, template)[0]
    assert response[2, 3] == pytest.approx(1, abs=1e-12)
    assert np.unravel_index(response.argmax(), response.shape) == (2, 3)
    assert_allclose(form(-gain * image + offset, template)[0], -response, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("level", [0.0, 0.1, 1 / 3, 255.0, 1e17])
def test_a_flat_window_gives_exactly_zero(form, level):
    # 0.1 has no exact mean in float64: nine times 0.1, divided by 9, is another number.
    image = np.full((1, 3, 7), level)
    image[0, 1, 6] = 2 * level + 1
    response = form(image, np.eye(3)[None])[0]
    assert response[0, :4].tolist() == [0, 0, 0, 0]
    assert response[0, 4] != 0


@pytest.mark.parametrize("form", FORMS)
def test_rounding_never_leads_beyond_one(form):
    # Without the bounds, a patch and itself give 1.0000000000000002 for some of these.
    patches = noise((300, 1, 3, 3), 11)
    same = np.array([form(patch, patch).item() for patch in patches])
    opposite = np.array([form(patch, -patch).item() for patch in patches])
    assert_allclose(same, 1, atol=1e-12)
    assert same.max() == 1
    assert opposite.min() == -1


@pytest.mark.parametrize("form", FORMS)
def test_a_large_offset_costs_no_digits_that_the_image_has(form):
    # Their squares are near 1e20, where float64 no longer sees a difference of 1.
    image = noise((1, 6, 6), 8) % 2
    template = image[:, 1:4, 2:5].copy()
    assert_allclose(form(image + 1e10, template), form(image, template), atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_nan_and_infinity_spread_only_where_they_are_read(form):
    image = noise((1, 3, 9), 9)
    image[0, 1, 0], image[0, 0, 8] = np.nan, np.inf
    response = form(image, np.eye(3)[None])[0, 0]
    assert np.isnan(response).tolist() == [True, False, False, False, False, False, True]


@pytest.mark.parametrize("form", [*FORMS, cross_correlation])
def test_rank_is_kept(form):
    images, template = noise((2, 3, 5, 4), 10), noise((3, 2, 3), 11)
    batch = form(images, template)
    assert batch.shape == (2, 1, 4, 2)
    assert_array_equal(form(images[1], template), batch[1], strict=True)
    assert form(images[:0], template).shape == (0, 1, 4, 2)


@pytest.mark.parametrize("form", [*FORMS, cross_correlation])
def test_read_only_views_tensors_and_lists(form):
    images, template = noise((5, 4, 3), 12), noise((3, 2, 3), 13)
    view = images.transpose(2, 0, 1)
    view.flags.writeable = False
    before = template.copy()
    expected = form(np.ascontiguousarray(view), template)
    assert_array_equal(form(view, template), expected)
    assert_array_equal(form(torch.from_numpy(images).permute(2, 0, 1), template), expected)
    assert_array_equal(form(view.tolist(), template.tolist()), expected)
    assert_array_equal(template, before)


def test_raw_integers_stay_exact_integers():
    response = cross_correlation(np.full((1, 1, 2), 2**53 + 1), np.ones((1, 1, 2), int))
    assert response.dtype == np.int64
    assert response[0, 0, 0] == 2**54 + 2


IMAGE, TEMPLATE = noise((2, 5, 6)), noise((2, 3, 3), 1)


@pytest.mark.parametrize("form", [*FORMS, cross_correlation])
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(template=IMAGE[0]), ValueError, "`template` has shape (5, 6); it must be (C, h, w)"),
        (dict(template=TEMPLATE[:1]), ValueError, "`template` has 1 channels and `input` has 2"),
        (
            dict(template=np.ones((2, 0, 3))),
            ValueError,
            "`template` (of shape (2, 0, 3)) has",
        ),
        (dict(template=np.ones((2, 6, 3))), ValueError, "the window reaches 6 pixels in height"),
        (dict(template=np.ones((2, 3, 7))), ValueError, "the window reaches 7 pixels in width"),
        (dict(input=IMAGE[0]), ValueError, "must be (C, H, W) or (N, C, H, W)"),
        (dict(input=np.ones((0, 5, 6)), template=TEMPLATE[:0]), ValueError, "has no channels"),
        (dict(input=IMAGE > 9), TypeError, "`input` has dtype bool"),
        (dict(template=[[["a"]]]), TypeError, "`template` has dtype"),
        (dict(input=torch.ones(2, 5, 5, requires_grad=True)), TypeError, "detach"),
    ],
)
def test_bad_arguments_are_refused_in_words(form, change, error, words):
    with pytest.raises(error) as caught:
        form(**(dict(input=IMAGE, template=TEMPLATE) | change))
    assert words in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("template", "words"),
    [
        (np.full((2, 3, 3), 7), "`template` is flat (every pixel is 7)"),
        (np.ones((2, 1, 1)), "is flat"),
        (np.where(TEMPLATE > 99, np.nan, TEMPLATE), "`template` must be finite"),
        (np.where(TEMPLATE > 99, -np.inf, TEMPLATE), "`template` must be finite"),
    ],
)
def test_a_template_without_pattern_is_refused(form, template, words):
    with pytest.raises(ValueError) as caught:
        form(IMAGE, template)
    assert words in str(caught.value)
