from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from cnnref.nn.faithfulness import (
    average_drop,
    blurred,
    deletion,
    insertion,
    randomization_check,
    rank_correlation,
)
from cnnref.nn.gradcam import GradCAM, InputXGradient


class Weighted(nn.Module):
    """Two scores: a weighted sum of the pixels, and zero."""

    def __init__(self, weights):
        super().__init__()
        self.register_buffer("weights", torch.as_tensor(weights))

    def forward(self, x):
        score = (x * self.weights).sum(dim=(1, 2, 3))
        return torch.stack([score, torch.zeros_like(score)], dim=1)


WEIGHTS = [[3.0, 0.0], [1.0, -2.0]]
ONES = torch.ones(1, 1, 2, 2)


def sigmoid(values):
    return 1 / (1 + np.exp(-np.array(values, dtype=float)))


def test_deletion_by_hand():
    model, maps = Weighted(WEIGHTS), torch.tensor([WEIGHTS])
    curve = deletion(model, ONES, maps, 0, steps=4)
    # The score is 2; then 3 is deleted, 1, 0, and finally -2.
    expected = sigmoid([2, -1, -2, -2, 0])
    np.testing.assert_allclose(curve.scores[0], expected, atol=1e-6)
    np.testing.assert_allclose(curve.shares, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.area, np.trapezoid(expected, dx=0.25), atol=1e-6)
    # Two steps of two pixels; another baseline.
    curve = deletion(model, ONES, maps, 0, steps=2, baseline=2.0)
    np.testing.assert_allclose(curve.scores[0], sigmoid([2, 6, 4]), atol=1e-6)


def test_insertion_by_hand():
    model, maps = Weighted(WEIGHTS), torch.tensor([WEIGHTS])
    curve = insertion(model, ONES, maps, 0, steps=4, baseline=0.0)
    np.testing.assert_allclose(curve.scores[0], sigmoid([0, 3, 4, 4, 2]), atol=1e-6)
    start = torch.full((1, 1, 2, 2), -1.0)
    curve = insertion(model, ONES, maps, 0, steps=1, baseline=start)
    np.testing.assert_allclose(curve.scores[0], sigmoid([-2, 2]), atol=1e-6)
    # A constant image is its own blur.
    curve = insertion(model, ONES, maps, 0, steps=1)
    np.testing.assert_allclose(curve.scores[0], sigmoid([2, 2]), atol=1e-5)


def test_images_of_a_batch_keep_their_own_order_and_class():
    model = Weighted(WEIGHTS)
    x = torch.stack([ONES[0], -ONES[0]])
    maps = torch.tensor([WEIGHTS, [[0.0, 1.0], [2.0, 3.0]]])
    for batch_size in (1, 3, 32):
        curve = deletion(model, x, maps, [0, 1], steps=4, batch_size=batch_size)
        np.testing.assert_allclose(curve.scores[0], sigmoid([2, -1, -2, -2, 0]), atol=1e-6)
        # Minus the score: 2, then -2 (weight -2 is deleted), then 1, 0 and 3 are deleted.
        np.testing.assert_allclose(curve.scores[1], sigmoid([2, 4, 3, 3, 0]), atol=1e-6)
    top = deletion(model, x, maps, steps=4)
    np.testing.assert_allclose(top.scores, curve.scores)


def test_what_a_function_returns_is_recorded_unchanged():
    curve = deletion(Weighted(WEIGHTS), ONES, torch.tensor([WEIGHTS]), lambda y: y[:, 0], steps=4)
    assert curve.scores.tolist() == [[2, -1, -2, -2, 0]]


def test_equals_go_in_an_order_drawn_by_the_seed():
    model, x, flat = (
        Weighted(torch.arange(36.0).view(6, 6)),
        torch.ones(1, 1, 6, 6),
        torch.zeros(1, 6, 6),
    )
    runs = [deletion(model, x, flat, lambda y: y[:, 0], steps=36, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(runs[0].scores, runs[1].scores)
    assert not torch.equal(runs[0].scores, runs[2].scores)
    gone = -runs[0].scores[0].diff()
    assert sorted(gone.tolist()) == list(range(36))
    assert gone.tolist() != list(range(36))


def test_average_drop_by_hand():
    model = Weighted(WEIGHTS)
    x = torch.cat([ONES, ONES])
    # As masks: [1 0; 0 0] and, rescaled and without negative numbers, [0 1; .5 0].
    maps = torch.tensor([[[5.0, 0.0], [0.0, 0.0]], [[0.0, 4.0], [2.0, -9.0]]])
    before, (first, second) = sigmoid(2), sigmoid([3, 0.5])
    assert first > before  # counts as no drop
    expected = (0 + (before - second) / before) / 2
    assert average_drop(model, x, maps, 0) == pytest.approx(expected, abs=1e-6)
    assert average_drop(model, x, torch.ones(2, 2, 2), 0) == 0


def test_blurring():
    x = torch.zeros(1, 2, 41, 41)
    x[0, 1, 20, 20] = 1
    soft = blurred(x, sigma=2.0)
    assert not soft[0, 0].any()
    assert float(soft.sum()) == pytest.approx(1, abs=1e-5)
    offsets = torch.arange(41.0) - 20
    spread = (soft[0, 1].sum(dim=0) * offsets**2).sum()
    assert float(spread) == pytest.approx(4, rel=0.03)
    torch.testing.assert_close(soft, soft.mT)
    flat = torch.full((1, 3, 5, 7), 2.5)
    torch.testing.assert_close(blurred(flat), flat)
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 1
    row = torch.exp(-torch.tensor([4.0, 1, 0, 1, 4]) / (2 * 0.5**2))
    row /= row.sum()
    torch.testing.assert_close(blurred(point, sigma=0.5)[0, 0], row[:, None] * row)
    with pytest.raises(ValueError, match=r"`sigma` \(0\)"):
        blurred(x, sigma=0)


@pytest.mark.parametrize(
    ("maps", "settings", "error", "words"),
    [
        (torch.ones(1, 2, 3), {}, ValueError, r"`maps` has shape \(1, 2, 3\)"),
        (torch.ones(2, 2), {}, ValueError, r"must be \(1, 2, 2\)"),
        (np.ones((1, 2, 2)), {}, TypeError, "`maps` is a ndarray"),
        (torch.ones(1, 2, 2), {"steps": 0}, ValueError, r"`steps` \(0\)"),
        (torch.ones(1, 2, 2), {"batch_size": 0}, ValueError, "`batch_size`"),
        (torch.ones(1, 2, 2), {"target": 2}, ValueError, "`target`"),
    ],
)
def test_curves_refuse(maps, settings, error, words):
    for curve in (deletion, insertion):
        with pytest.raises(error, match=words):
            curve(Weighted(WEIGHTS), ONES, maps, **settings)


# Rank correlation and randomisation


@pytest.mark.parametrize("ties", [False, True])
def test_rank_correlation_is_scipys(ties):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 3, 5, 7))
    if ties:
        a, b = np.maximum(a, 0), np.round(b)
    found = rank_correlation(torch.tensor(a), torch.tensor(b))
    expected = [spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_flat_map_has_no_correlation():
    assert rank_correlation(torch.ones(1, 2, 2), torch.rand(1, 2, 2)).tolist() == [0]
    with pytest.raises(ValueError, match=r"both must be the same \(N, H, W\)"):
        rank_correlation(torch.ones(1, 2, 2), torch.ones(1, 2, 3))


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 3),
    ).eval()


def test_a_map_of_the_image_alone_does_not_notice():
    model, x = network(), torch.randn(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = randomization_check(model, lambda one: x[:, 0].abs())
    assert found == {"5": pytest.approx(1), "2": pytest.approx(1), "0": pytest.approx(1)}
    found = randomization_check(model, lambda one: GradCAM(one, "3", relu=False)(x, 0))
    assert list(found) == ["5", "2", "0"]
    assert max(abs(value) for value in found.values()) < 0.9
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_layers_stay_destroyed_and_keep_their_numbers():
    model, seen = network(), []

    def explain(one):
        seen.append({name: value.clone() for name, value in one.state_dict().items()})
        return torch.rand(1, 4, 4)

    randomization_check(model, explain, ["5", "0"], seed=3)
    whole, first, second = seen
    for name, value in whole.items():
        for later in (first, second):
            assert torch.equal(later[name].flatten().sort().values, value.flatten().sort().values)
        changed = {"5.weight", "5.bias"}, {"5.weight", "5.bias", "0.weight", "0.bias"}
        for later, names in zip((first, second), changed, strict=True):
            assert torch.equal(later[name], value) == (name not in names)
    assert torch.equal(first["5.weight"], second["5.weight"])


def test_randomization_is_seeded():
    model, x = network(), torch.randn(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))

    def explain(one):
        return InputXGradient(one, relu=False)(x, 0)

    runs = [randomization_check(model, explain, seed=seed) for seed in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_randomization_refuses():
    with pytest.raises(ValueError, match="'1', which has no parameters"):
        randomization_check(network(), lambda one: torch.rand(1, 2, 2), ["1"])
    with pytest.raises(ValueError, match=r"`layers` \('9'\) must be the name of a layer"):
        randomization_check(network(), lambda one: torch.rand(1, 2, 2), ["9"])
