from __future__ import annotations

from functools import partial

import kornia
import numpy as np
import pytest
import scipy.ndimage
import torch

from cnnref.examples import questions_image
from cnnref.nn.augmentation import (
    color_jitter,
    crop,
    cutout,
    flip,
    mixup,
    rotate,
    scale,
    shift,
)

# Every axis differs. `one` fixes what is drawn, `many` lets it vary.
SHAPE = (6, 3, 7, 10)
FIXED = {
    "flip": lambda x, g, p=1.0: flip(x, p=p, generator=g),
    "shift": lambda x, g, p=1.0: shift(x, (2, 2), (-3, -3), p=p, generator=g),
    "rotate": lambda x, g, p=1.0: rotate(x, (25, 25), p=p, generator=g),
    "scale": lambda x, g, p=1.0: scale(x, (1.3, 1.3), p=p, generator=g),
    "color_jitter": lambda x, g, p=1.0: color_jitter(x, brightness=(0.6, 0.6), p=p, generator=g),
    "cutout": lambda x, g, p=1.0: cutout(x, (3, 4), fill=-1, p=p, generator=g),
    "mixup": lambda x, g, p=1.0: mixup(x, torch.arange(len(x)), len(x), p=p, generator=g)[0],
}
RANDOM = {
    "flip": lambda x, g: flip(x, generator=g),
    "shift": lambda x, g: shift(x, 3, 4, padding_mode="replicate", generator=g),
    "crop": lambda x, g: crop(x, (5, 4), generator=g),
    "rotate": lambda x, g: rotate(x, 40, padding_mode="reflect", generator=g),
    "scale": lambda x, g: scale(x, 0.4, generator=g),
    "color_jitter": lambda x, g: color_jitter(
        x, brightness=0.4, contrast=0.4, saturation=0.4, generator=g
    ),
    "cutout": lambda x, g: cutout(x, 3, fill=-1, generator=g),
    "mixup": lambda x, g: mixup(x, torch.arange(len(x)), 6, alpha=1, generator=g)[0],
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(shape=SHAPE, seed=5, dtype=torch.float32):
    return torch.rand(shape, generator=seeded(seed), dtype=torch.float64).to(dtype)


# ---- What is true of all of them ----


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_gives_the_same_result_again_and_another_seed_another(name):
    x = batch()
    first = RANDOM[name](x, seeded(3))
    assert torch.equal(RANDOM[name](x, seeded(3)), first)
    assert not torch.equal(RANDOM[name](x, seeded(4)), first)
    generator = seeded(3)
    RANDOM[name](x, generator)
    assert not torch.equal(RANDOM[name](x, generator), first)  # the generator moves on


@pytest.mark.parametrize("name", RANDOM)
def test_the_global_seed_plays_no_part(name):
    x = batch()
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    first = RANDOM[name](x, seeded(3))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(RANDOM[name](x, seeded(3)), first)


@pytest.mark.parametrize("name", sorted(set(RANDOM) - {"mixup"}))
def test_each_image_of_a_batch_has_its_own_draws(name):
    same = batch((1, *SHAPE[1:])).expand(40, -1, -1, -1)
    changed = RANDOM[name](same, seeded(1))
    # Two flips are possible, more of everything else.
    assert len(torch.unique(changed.flatten(1), dim=0)) >= (2 if name == "flip" else 5)


@pytest.mark.parametrize("name", FIXED)
def test_p_of_zero_changes_no_image_and_p_of_one_every_image(name):
    x = batch()
    assert torch.equal(FIXED[name](x, seeded(), 0.0), x)
    assert torch.equal(FIXED[name](x, seeded(), 0), x)
    changed = FIXED[name](x, seeded(2), 1.0) != x
    if name != "mixup":  # an image can be its own partner
        assert changed.flatten(1).any(dim=1).all()


@pytest.mark.parametrize("name", FIXED)
def test_p_is_how_often_an_image_changes(name):
    x = batch((400, 1, 5, 6))
    changed = (FIXED[name](x, seeded(), 0.25) != x).flatten(1).any(dim=1)
    assert 60 < int(changed.sum()) < 140  # five standard deviations to either side
    untouched = FIXED[name](x, seeded(), 0.25)[~changed]
    assert torch.equal(untouched, x[~changed])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", RANDOM)
def test_dtype_and_device_are_kept_and_draws_do_not_depend_on_them(name, dtype):
    x = batch(dtype=dtype)
    result = RANDOM[name](x, seeded(3))
    assert result.dtype == dtype
    assert result.device == x.device
    expected = RANDOM[name](x.float(), seeded(3))
    tolerance = {torch.float64: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}[dtype]
    torch.testing.assert_close(result.float(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", RANDOM)
def test_images_are_not_changed_in_place_and_gradients_pass(name):
    x = batch()
    kept = x.clone()
    x.requires_grad_()
    RANDOM[name](x, seeded()).sum().backward()
    assert torch.equal(x.detach(), kept)
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("name", RANDOM)
def test_an_empty_batch_stays_empty(name):
    assert len(RANDOM[name](torch.zeros(0, 3, 7, 10), seeded())) == 0


@pytest.mark.parametrize("name", RANDOM)
def test_refuses_what_is_no_batch_of_floats(name):
    apply = RANDOM[name]
    with pytest.raises(TypeError, match=r"`images` has dtype torch.uint8; it must hold floats"):
        apply(torch.zeros(SHAPE, dtype=torch.uint8), seeded())
    with pytest.raises(ValueError, match=r"`images` has shape \(3, 7, 10\)"):
        apply(torch.zeros(3, 7, 10), seeded())
    with pytest.raises(ValueError, match=r"`images` has shape \(2, 3, 0, 10\): it has no pixels"):
        apply(torch.zeros(2, 3, 0, 10), seeded())
    with pytest.raises(TypeError, match="`images` is a ndarray"):
        apply(np.zeros(SHAPE), seeded())
    with pytest.raises(TypeError, match=r"`generator` \(None\) must be a torch.Generator"):
        apply(torch.zeros(SHAPE), None)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (flip, ()),
        (shift, (1,)),
        (crop, (2,)),
        (rotate, (10,)),
        (scale, (0.2,)),
        (color_jitter, ()),
        (cutout, (2,)),
        (mixup, (torch.arange(6), 6)),
    ],
)
def test_the_generator_cannot_be_forgotten(function, arguments):
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'generator'"):
        function(batch(), *arguments)


@pytest.mark.parametrize("name", FIXED)
def test_refuses_a_probability_out_of_range(name):
    x = batch()
    with pytest.raises(ValueError, match=r"`p` \(1.5\) must be between 0 and 1"):
        FIXED[name](x, seeded(), 1.5)
    with pytest.raises(ValueError, match=r"`p` \(-0.1\) must be between 0 and 1"):
        FIXED[name](x, seeded(), -0.1)
    with pytest.raises(ValueError, match=r"`p` \(nan\) must be finite"):
        FIXED[name](x, seeded(), float("nan"))
    with pytest.raises(TypeError, match=r"`p` \(True\) must be a number"):
        FIXED[name](x, seeded(), True)


# ---- By hand, on the questions' image ----


def rows(*values):
    """Return channel 3 of the questions' image: four rows, each its own number."""
    return torch.tensor(values, dtype=torch.float32)[:, None].expand(4, 4)


def apply_by_hand(function, *args, **keywords):
    x = torch.from_numpy(questions_image()).float()[None]
    return function(x, *args, **keywords, generator=seeded())[0, 2]


def test_the_questions_image_by_hand():
    upright, upside = rows(1, 2, 3, 4), rows(4, 3, 2, 1)
    assert torch.equal(apply_by_hand(flip, p=1), upright)  # a row of equal numbers, mirrored
    assert torch.equal(apply_by_hand(flip, p=1, vertical=True), upside)
    assert torch.equal(apply_by_hand(shift, (1, 1)), rows(0, 1, 2, 3))
    assert torch.equal(apply_by_hand(shift, (-1, -1)), rows(2, 3, 4, 0))
    assert torch.equal(apply_by_hand(shift, (1, 1), padding_mode="replicate"), rows(1, 1, 2, 3))
    assert torch.equal(apply_by_hand(shift, (2, 2), padding_mode="reflect"), rows(3, 2, 1, 2))
    torch.testing.assert_close(apply_by_hand(rotate, (90, 90)), upright.T)
    torch.testing.assert_close(apply_by_hand(rotate, (-90, -90)), upside.T)
    torch.testing.assert_close(apply_by_hand(rotate, (180, 180)), upside)
    torch.testing.assert_close(apply_by_hand(scale, (2, 2)), rows(1.75, 2.25, 2.75, 3.25))
    # Half as large: the outer ring is outside, and half of each pixel next to it.
    half = torch.zeros(4, 4)
    half[1:3, 1:3] = torch.tensor([[1.5, 1.5], [3.5, 3.5]])
    torch.testing.assert_close(apply_by_hand(scale, (0.5, 0.5)), half)
    with pytest.raises(ValueError, match="`images` holds 1 to 4; it must be between 0 and 1"):
        apply_by_hand(color_jitter)


def test_color_jitter_by_hand():
    x = torch.tensor([[0.5, 0.25], [0.5, 0.25], [1.0, 0.25]]).reshape(1, 3, 1, 2)
    # Perceived brightness of the two pixels; its mean is the grey that contrast mixes in.
    grey = torch.tensor([0.299 * 0.5 + 0.587 * 0.5 + 0.114 * 1.0, 0.25])
    for keyword, poorer in (
        ("brightness", torch.zeros(2)),
        ("contrast", grey.mean().expand(2)),
        ("saturation", grey),
    ):
        for factor in (0.0, 0.5, 1.0, 1.75):
            got = color_jitter(x, **{keyword: (factor, factor)}, generator=seeded())
            torch.testing.assert_close(got, (factor * x + (1 - factor) * poorer).clamp(0, 1))


def test_color_jitter_goes_in_order_and_each_step_stays_in_range():
    x = batch()
    ranges = {"brightness": (1.8, 1.8), "contrast": (0.5, 0.5), "saturation": (2.0, 2.0)}
    expected = x
    for keyword, ends in ranges.items():
        expected = color_jitter(expected, **{keyword: ends}, generator=seeded())
        assert 0 <= expected.min() <= expected.max() <= 1
    torch.testing.assert_close(color_jitter(x, **ranges, generator=seeded()), expected)


def test_saturation_leaves_a_grey_image_as_it_is():
    grey = batch((3, 1, 4, 5))
    torch.testing.assert_close(color_jitter(grey, saturation=0.9, generator=seeded()), grey)


# ---- Against independent forms ----


def test_flip_reads_from_the_other_side():
    x = batch()
    assert torch.equal(
        flip(x, p=1, generator=seeded()), torch.from_numpy(x.numpy()[..., ::-1].copy())
    )
    vertical = flip(x, p=1, vertical=True, generator=seeded())
    assert torch.equal(vertical, kornia.geometry.vflip(x))


SCIPY_MODES = {"constant": "constant", "replicate": "nearest", "reflect": "mirror"}


@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("move", [(2, -3), (-1, 0), (0, 4), (6, 9), (-20, 25)])
def test_shift_equals_scipy(mode, move):
    x = batch()
    down, right = move
    ours = shift(x, (down, down), (right, right), padding_mode=mode, generator=seeded())
    theirs = scipy.ndimage.shift(x.numpy(), (0, 0, *move), order=0, mode=SCIPY_MODES[mode])
    np.testing.assert_array_equal(ours.numpy(), theirs)


def test_shifts_reach_every_whole_number_of_their_range_and_no_other():
    x = torch.zeros(600, 1, 9, 11)
    x[:, :, 4, 5] = 1
    moved = shift(x, 2, (-1, 3), generator=seeded())
    places = moved.flatten(1).argmax(dim=1)
    seen = {(int(place) // 11 - 4, int(place) % 11 - 5) for place in places}
    assert seen == {(down, right) for down in range(-2, 3) for right in range(-1, 4)}


def test_crop_cuts_a_window_of_the_padded_image_and_reaches_all():
    x = torch.arange(1.0, 21).reshape(1, 1, 4, 5).expand(500, -1, -1, -1)
    padded = np.pad(x[0, 0].numpy(), ((1, 1), (2, 2)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 4)).reshape(-1, 12)
    cut = crop(x, (3, 4), padding=(1, 2), padding_mode="reflect", generator=seeded())
    assert cut.shape == (500, 1, 3, 4)
    assert {tuple(one) for one in cut.reshape(500, 12).tolist()} == {
        tuple(one) for one in windows.tolist()
    }


def test_a_crop_as_large_as_the_padded_image_is_the_padded_image():
    x = batch()
    cut = crop(x, (SHAPE[2] + 4, SHAPE[3] + 2), padding=(2, 1), generator=seeded())
    torch.testing.assert_close(cut, torch.nn.functional.pad(x, (1, 1, 2, 2)))


@pytest.mark.parametrize("mode", SCIPY_MODES)
def test_a_crop_of_the_full_size_after_padding_is_a_shift(mode):
    x = batch()
    cut = crop(x, SHAPE[2:], padding=(2, 3), padding_mode=mode, generator=seeded(1))
    shifts = [
        [
            shift(one, (d, d), (r, r), padding_mode=mode, generator=seeded())
            for d in range(-2, 3)
            for r in range(-3, 4)
        ]
        for one in x.split(1)
    ]
    for image, candidates in zip(cut, shifts, strict=True):
        assert any(torch.equal(image, candidate[0]) for candidate in candidates)


@pytest.mark.parametrize("mode", ["constant", "replicate", "reflect"])
@pytest.mark.parametrize("angle", [-170.0, -30.0, 0.0, 12.5, 90.0])
def test_rotate_equals_scipy(mode, angle):
    x = batch(dtype=torch.float64)
    ours = rotate(x, (angle, angle), padding_mode=mode, generator=seeded())
    # "grid-constant" interpolates with zeros beyond the edge, as grid_sample does.
    scipy_mode = "grid-constant" if mode == "constant" else SCIPY_MODES[mode]
    theirs = scipy.ndimage.rotate(
        x.numpy(), angle, axes=(3, 2), reshape=False, order=1, mode=scipy_mode
    )
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-9)


@pytest.mark.parametrize("mode", ["constant", "replicate", "reflect"])
@pytest.mark.parametrize("factor", [0.4, 0.75, 1.0, 1.3, 3.0])
def test_scale_equals_scipy(mode, factor):
    x = batch(dtype=torch.float64)
    ours = scale(x, (factor, factor), padding_mode=mode, generator=seeded())
    centre = (np.array(SHAPE[2:]) - 1) / 2
    scipy_mode = "grid-constant" if mode == "constant" else SCIPY_MODES[mode]
    for image, expected in zip(ours.flatten(0, 1), x.flatten(0, 1), strict=True):
        theirs = scipy.ndimage.affine_transform(
            expected.numpy(), [1 / factor] * 2, centre - centre / factor, order=1, mode=scipy_mode
        )
        np.testing.assert_allclose(image.numpy(), theirs, atol=1e-9)


@pytest.mark.parametrize("function", [rotate, scale])
def test_a_line_of_one_pixel_turns_and_scales_too(function):
    x = torch.tensor([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1)
    got = function(x, (2, 2) if function is scale else (180, 180), generator=seeded())
    expected = [1.5, 2, 2.5] if function is scale else [3, 2, 1]
    # Enlarged horizontally, the line still has one column: the middle.
    torch.testing.assert_close(got.flatten(), torch.tensor(expected, dtype=torch.float32))


def test_angles_and_factors_come_evenly_from_their_range():
    # The angle follows from where a point to the right of the centre goes.
    angles = _angles(4000, -30, 50)
    assert angles.min() >= -31
    assert angles.max() <= 51
    assert abs(angles.mean() - 10) < 2
    quarters, _ = np.histogram(angles, bins=4, range=(-30, 50))
    assert (np.abs(quarters / 4000 - 0.25) < 0.04).all()


def _angles(count, low, high):
    x = torch.zeros(1, 1, 41, 41)
    x[:, :, 20, 38] = 1
    turned = rotate(x.expand(count, -1, -1, -1), (low, high), generator=seeded()).numpy()[:, 0]
    weights = turned.reshape(count, -1)
    weights = weights / weights.sum(1, keepdims=True)
    down, right = np.mgrid[-20:21, -20:21].reshape(2, -1)
    return np.degrees(np.arctan2(-(weights @ down), weights @ right))


def test_cutout_equals_loops():
    x = batch((30, 2, 6, 9))
    hidden = (cutout(x, (3, 4), fill=-1, generator=seeded()) == -1).numpy()
    reached = set()
    for image in hidden:
        assert (image == image[0]).all()  # all channels alike
        masks = {centre: _hole(centre, (3, 4), (6, 9)) for centre in np.ndindex(6, 9)}
        matches = [centre for centre, mask in masks.items() if (mask == image[0]).all()]
        assert len(matches) == 1
        reached.add(matches[0])
    assert len(reached) > 15
    untouched = ~torch.from_numpy(hidden)
    assert torch.equal(cutout(x, (3, 4), fill=-1, generator=seeded())[untouched], x[untouched])


def _hole(centre, size, shape):
    mask = np.zeros(shape, dtype=bool)
    for i in range(centre[0] - size[0] // 2, centre[0] - size[0] // 2 + size[0]):
        for j in range(centre[1] - size[1] // 2, centre[1] - size[1] // 2 + size[1]):
            if 0 <= i < shape[0] and 0 <= j < shape[1]:
                mask[i, j] = True
    return mask


# ---- Against kornia ----


def test_kornia_gives_the_same_geometry():
    # Square, so that the corners of kornia's grid and of ours are the same pixels.
    x = batch((5, 3, 9, 9), dtype=torch.float64)
    ones = torch.ones(5, dtype=torch.float64)
    pairs = {
        "flip": (flip(x, p=1, generator=seeded()), kornia.geometry.hflip(x)),
        "shift": (
            shift(x, (2, 2), (-3, -3), generator=seeded()),
            kornia.geometry.translate(x, torch.tensor([[-3.0, 2.0]]).double().expand(5, 2)),
        ),
        "rotate": (
            rotate(x, (25, 25), generator=seeded()),
            kornia.geometry.rotate(x, 25 * ones),
        ),
        "scale": (
            scale(x, (1.3, 1.3), generator=seeded()),
            kornia.geometry.scale(x, 1.3 * ones),
        ),
    }
    for name, (ours, theirs) in pairs.items():
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9, msg=name)


def test_kornia_gives_the_same_colours():
    x, enhance = batch(), kornia.enhance
    for keyword, theirs in (
        ("brightness", enhance.adjust_brightness_accumulative),
        ("contrast", enhance.adjust_contrast_with_mean_subtraction),
        ("saturation", enhance.adjust_saturation_with_gray_subtraction),
    ):
        for factor in (0.0, 0.4, 1.6):
            ours = color_jitter(x, **{keyword: (factor, factor)}, generator=seeded())
            torch.testing.assert_close(ours, theirs(x, factor), rtol=0, atol=1e-6)


def test_kornia_crops_the_same_window():
    x = batch()
    # A second batch of the same shape, made of positions, shows where ours was cropped.
    place = torch.arange(70.0).reshape(1, 1, 7, 10).expand(6, 1, 7, 10)
    corners = crop(place, (4, 5), generator=seeded(8))[:, 0, 0, 0].long()
    ours = crop(x, (4, 5), generator=seeded(8))
    top, left = corners // 10, corners % 10
    boxes = torch.stack(
        [torch.stack([left + dx, top + dy], dim=1) for dx, dy in ((0, 0), (4, 0), (4, 3), (0, 3))],
        dim=1,
    )
    theirs = kornia.geometry.crop_by_indices(x, boxes)
    torch.testing.assert_close(ours, theirs)


# ---- Mixup ----


def test_mixup_by_hand():
    x = torch.tensor([0.0, 1.0, 10.0]).reshape(3, 1, 1, 1)
    mixed, soft = mixup(x, torch.tensor([0, 1, 2]), 4, alpha=1, generator=seeded(2))
    assert soft.shape == (3, 4)
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(3))
    # With these pixels the targets determine the image: 1 per share of the second, 10 of the third.
    torch.testing.assert_close(mixed.flatten(), soft[:, 1] + 10 * soft[:, 2])
    # An image's own share and that of one partner.
    assert ((soft > 0).sum(dim=1) <= 2).all()
    assert (soft.diagonal() > 0).all()


def test_cross_entropy_of_mixed_targets_is_the_mixed_cross_entropy():
    x, y = batch((12, 1, 2, 3)), torch.arange(12) % 5
    _, soft = mixup(x, y, 5, alpha=0.7, generator=seeded(1))
    logits = torch.randn(12, 5, generator=seeded(9))
    loss = torch.nn.functional.cross_entropy(logits, soft, reduction="none")
    by_class = torch.stack(
        [
            torch.nn.functional.cross_entropy(logits, torch.full((12,), c), reduction="none")
            for c in range(5)
        ],
        dim=1,
    )
    torch.testing.assert_close(loss, (soft * by_class).sum(dim=1))


def test_mixup_takes_probabilities_and_keeps_what_it_does_not_mix():
    x, y = batch((4, 1, 2, 3)), torch.tensor([[0.5, 0.5, 0.0]] * 4)
    _, soft = mixup(x, y, generator=seeded())
    torch.testing.assert_close(soft, y)
    images, hard = mixup(x, torch.tensor([2, 0, 1, 1]), 3, p=0, generator=seeded())
    assert torch.equal(images, x)
    assert torch.equal(hard, torch.eye(3)[[2, 0, 1, 1]])


def test_the_shares_follow_the_beta_distribution():
    count = 4000
    x = torch.zeros(count, 1, 1, 1)
    for alpha in (0.2, 1.0, 8.0):
        _, soft = mixup(x, torch.arange(count), count, alpha=alpha, generator=seeded(4))
        shares = soft.diagonal().numpy()
        # Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1)).
        assert abs(shares.mean() - 0.5) < 0.03
        assert abs(shares.var() * 4 * (2 * alpha + 1) - 1) < 0.1


# ---- What each one refuses ----


@pytest.mark.parametrize(
    "moved",
    [
        partial(shift, down=1),
        partial(crop, size=3),
        partial(rotate, degrees=5),
        partial(scale, factor=0.1),
    ],
)
def test_every_move_checks_its_padding_mode(moved):
    with pytest.raises(ValueError, match=r"`padding_mode` \('zeros'\) must be 'constant'"):
        moved(batch(), padding_mode="zeros", generator=seeded())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, g: shift(x, 1.5, generator=g), TypeError, r"`down` \(1.5\) must be an integer"),
        (lambda x, g: shift(x, -1, generator=g), ValueError, r"`down` \(-1\) must be at least 0"),
        (lambda x, g: shift(x, 0, (2, 1), generator=g), ValueError, "`right` .* lower end first"),
        (lambda x, g: shift(x, (1, 2, 3), generator=g), ValueError, "`down` .* pair"),
        (
            lambda x, g: shift(x, 1, padding_mode="zeros", generator=g),
            ValueError,
            r"`padding_mode` \('zeros'\) must be 'constant', 'replicate' or 'reflect'",
        ),
        (lambda x, g: crop(x, (8, 3), generator=g), ValueError, "height 8; it must be at most 7,"),
        (
            lambda x, g: crop(x, (3, 13), padding=1, generator=g),
            ValueError,
            r"`size` has width 13; it must be at most 12, .* `padding` \(1\)",
        ),
        (lambda x, g: crop(x, 0, generator=g), ValueError, r"`size` \(0\) must be at least 1"),
        (lambda x, g: rotate(x, -5, generator=g), ValueError, r"`degrees` \(-5\) .* at least 0"),
        (lambda x, g: rotate(x, "9", generator=g), TypeError, "`degrees` .* must be a number"),
        (lambda x, g: rotate(x, (5, 1), generator=g), ValueError, "`degrees` .* lower end first"),
        (lambda x, g: rotate(x, (1,), generator=g), ValueError, r"`degrees` .* pair \(low, high\)"),
        (
            lambda x, g: rotate(x, float("inf"), generator=g),
            ValueError,
            r"`degrees` \(inf\) must be finite",
        ),
        (lambda x, g: scale(x, 1, generator=g), ValueError, r"`factor` \(1\) must be above 0"),
        (lambda x, g: scale(x, (0, 2), generator=g), ValueError, "`factor` .* must be above 0"),
        (
            lambda x, g: color_jitter(x, contrast=1.2, generator=g),
            ValueError,
            r"`contrast` \(1.2\) must be at least 0 throughout",
        ),
        (
            lambda x, g: color_jitter(x - 0.5, generator=g),
            ValueError,
            "must be between 0 and 1: change colours before you normalise",
        ),
        (
            lambda x, g: color_jitter(x * float("nan"), generator=g),
            ValueError,
            "must be between 0 and 1",
        ),
        (
            lambda x, g: color_jitter(x[:, :2], generator=g),
            ValueError,
            "`images` has 2 channels; it must have 3",
        ),
        (lambda x, g: cutout(x, (0, 2), generator=g), ValueError, "`size` .* at least 1"),
        (
            lambda x, g: cutout(x, 2, fill=None, generator=g),
            TypeError,
            r"`fill` \(None\) must be a number",
        ),
    ],
)  # fmt: skip
def test_refuses_what_cannot_be(call, error, message):
    generator = seeded()
    with pytest.raises(error, match=message):
        call(batch(), generator)
    # Everything is checked before the first draw.
    assert torch.equal(generator.get_state(), seeded().get_state())


@pytest.mark.parametrize("number", [np.float64, np.float32, int, np.int64])
def test_numbers_of_numpy_are_numbers(number):
    turned = rotate(batch(), (number(25), number(25)), p=number(1), generator=seeded())
    assert torch.equal(turned, FIXED["rotate"](batch(), seeded()))
    hidden = cutout(batch(), 3, fill=number(2), generator=seeded())
    assert float(hidden.max()) == 2


def test_a_shift_may_leave_the_image():
    assert not shift(batch(), (-5000, -5000), generator=seeded()).any()
    assert not shift(batch(), 0, (5000, 5000), generator=seeded()).any()


def test_a_range_is_a_number_or_a_pair():
    assert torch.equal(shift(batch(), 0, [0, 0], generator=seeded()), batch())
    torch.testing.assert_close(rotate(batch(), 0, generator=seeded()), batch())
    for degrees in (True, "10", None, (0, True)):
        with pytest.raises(TypeError, match=r"`degrees` \(.*\) must be a number"):
            rotate(batch(), degrees, generator=seeded())
    with pytest.raises(ValueError, match=r"`degrees` .* must be a number or a pair"):
        rotate(batch(), (1, 2, 3), generator=seeded())


@pytest.mark.parametrize(
    ("targets", "keywords", "error", "message"),
    [
        ([0, 1], {}, TypeError, "`targets` must be a tensor"),
        (torch.tensor([True, False]), {}, TypeError, "`targets` must be a tensor"),
        (torch.tensor([0, 1]), {}, TypeError, r"`num_classes` \(None\) must be an integer when"),
        (
            torch.tensor([0, 3]),
            {"num_classes": 3},
            ValueError,
            r"`targets` holds 0 to 3; .* must be from 0 to 2, below `num_classes` \(3\)",
        ),
        (torch.tensor([0, -1]), {"num_classes": 3}, ValueError, "`targets` holds -1 to 0"),
        (
            torch.tensor([0, 1, 1]),
            {"num_classes": 3},
            ValueError,
            r"`targets` has shape \(3,\); class numbers for 2 images must be \(2,\)",
        ),
        (torch.ones(2), {}, ValueError, r"probabilities for 2 images must be \(N, K\)"),
        (torch.ones(2, 3), {"num_classes": 4}, ValueError, r"must be \(N, 4\)"),
        (torch.ones(2, 3), {"alpha": 0}, ValueError, r"`alpha` \(0\) must be above 0"),
    ],
)
def test_mixup_refuses_what_cannot_be(targets, keywords, error, message):
    generator = seeded()
    with pytest.raises(error, match=message):
        mixup(batch((2, 1, 3, 4)), targets, **keywords, generator=generator)
    assert torch.equal(generator.get_state(), seeded().get_state())
