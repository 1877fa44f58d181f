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
    rank_correlation,
)


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


@pytest.mark.parametrize("axes", [1, 3])
def test_signals_and_volumes(axes):
    """The numbers of the image, in a row along each of the axes."""
    for axis in range(axes):
        shape = [1] * axes
        shape[axis] = 4
        x, weights = ONES.view(1, 1, *shape), torch.tensor(WEIGHTS).view(shape)

        def model(x, weights=weights):
            score = (x * weights).flatten(1).sum(dim=1)
            return torch.stack([score, torch.zeros_like(score)], dim=1)

        network = nn.Module()
        network.forward = model
        curve = deletion(network, x, weights[None], 0, steps=4)
        np.testing.assert_allclose(curve.scores[0], sigmoid([2, -1, -2, -2, 0]), atol=1e-6)
        curve = insertion(network, x, weights[None], 0, steps=1)
        np.testing.assert_allclose(curve.scores[0], sigmoid([2, 2]), atol=1e-5)
        assert average_drop(network, x, weights[None].clamp(min=0), 0) == 0
        with pytest.raises(ValueError, match="`maps` has shape"):
            deletion(network, x, weights, 0)
        ramp = torch.zeros(1, 2, *shape)
        ramp[0, 1].view(-1)[1] = 1.0
        image = ramp.view(1, 2, 1, 4)
        soft = blurred(image, 0.8)
        torch.testing.assert_close(blurred(ramp, 0.8).flatten(), soft.flatten())


# Rank correlation


@pytest.mark.parametrize("ties", [False, True])
def test_rank_correlation_is_scipys(ties):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 3, 5, 7))
    if ties:
        a, b = np.maximum(a, 0), np.round(b)
    found = rank_correlation(torch.tensor(a), torch.tensor(b))
    expected = [spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_undefined_correlation_is_nan():
    first = torch.stack([torch.ones(2, 2), torch.eye(2), torch.full((2, 2), torch.nan)])
    second = torch.stack([torch.eye(2)] * 3)
    for a, b in ((first, second), (second, first)):
        found = rank_correlation(a, b).tolist()
        assert found == [
            pytest.approx(torch.nan, nan_ok=True),
            1,
            pytest.approx(torch.nan, nan_ok=True),
        ]
    assert rank_correlation(torch.ones(0, 2, 2), torch.ones(0, 2, 2)).shape == (0,)


def test_signals_and_volumes_have_rank_correlations():
    a = torch.arange(6.0)[None]
    assert rank_correlation(a, a.square()).tolist() == pytest.approx([1])
    assert rank_correlation(a.view(1, 1, 2, 3), -a.view(1, 1, 2, 3)).tolist() == pytest.approx([-1])


def test_rank_correlation_refuses():
    with pytest.raises(ValueError, match=r"both must be the same \(N, H, W\)"):
        rank_correlation(torch.ones(1, 2, 2), torch.ones(1, 2, 3))
    with pytest.raises(TypeError, match="`second` is a list; it must be"):
        rank_correlation(torch.ones(1, 2, 2), [[[1.0]]])


# What a model outputs


class Outputs(nn.Module):
    """Two scores, -2 and 0 for an image of ones, in one of several forms."""

    def __init__(self, form):
        super().__init__()
        self.scores = Weighted([[-3.0, 0.0], [-1.0, 2.0]])
        self.form = form

    def forward(self, x):
        return self.form(self.scores(x))


def softmax(values):
    return np.exp(values) / np.exp(values).sum()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("form", "said"),
    [
        (lambda scores: scores, None),
        (lambda scores: scores, "scores"),
        (lambda scores: scores.softmax(1), None),
        (lambda scores: scores.softmax(1), "probabilities"),
        (lambda scores: scores.log_softmax(1), None),
        (lambda scores: scores.log_softmax(1), "log_probabilities"),
        # One logit is class 0, with or without an axis of its own.
        (lambda scores: scores[:, :1], "logits"),
        (lambda scores: scores[:, 0], "logits"),
        (lambda scores: scores[:, :1].sigmoid(), "probabilities"),
        (lambda scores: scores[:, 0].sigmoid(), "probabilities"),
        # Independent labels: the second number changes nothing in the first.
        (lambda scores: torch.cat([scores[:, :1], scores + 7], 1), "logits"),
    ],
)
def test_the_probability_is_the_same_whatever_the_model_outputs(form, said, dtype):
    model, maps = Outputs(form).to(dtype), torch.tensor([WEIGHTS])
    arguments = (model, ONES.to(dtype), maps, 0)
    curve = deletion(*arguments, output=said, steps=4)
    tolerance = max(1e-6, 2 * torch.finfo(dtype).eps)
    np.testing.assert_allclose(curve.scores[0], sigmoid([-2, 1, 2, 2, 0]), atol=tolerance)
    curve = insertion(*arguments, output=said, steps=1, baseline=0.0)
    np.testing.assert_allclose(curve.scores[0], sigmoid([0, -2]), atol=tolerance)
    drop = average_drop(model, ONES.to(dtype), 2 * ONES[0] - maps, 0, output=said)
    # The map without negative numbers, over its largest: [0 .5; .25 1].
    after = sigmoid(-0.25 + 2)
    assert drop == pytest.approx(max(0, (sigmoid(-2) - after) / sigmoid(-2)), abs=tolerance)


def test_the_top_class_is_that_of_the_outputs():
    for form, said in (
        (lambda scores: scores, None),
        (lambda scores: scores.softmax(1), None),
        (lambda scores: scores.log_softmax(1), "log_probabilities"),
    ):
        curve = deletion(Outputs(form), ONES, torch.tensor([WEIGHTS]), output=said, steps=1)
        np.testing.assert_allclose(curve.scores[0], [sigmoid(2), 0.5], atol=1e-6)


def test_the_other_class_of_one_logit():
    curve = deletion(
        Outputs(lambda scores: scores[:, :1]), ONES, torch.tensor([WEIGHTS]),
        lambda output: 1 - output.sigmoid()[:, 0], steps=1,
    )  # fmt: skip
    np.testing.assert_allclose(curve.scores[0], [sigmoid(2), 0.5], atol=1e-6)


@pytest.mark.parametrize(
    ("form", "target", "said", "words"),
    [
        (
            lambda s: s[:, :1],
            0,
            None,
            "outputs one number per image.*say which it is with `output`",
        ),
        (lambda s: s[:, 0], None, None, 'one of "scores", "logits", "probabilities", "log_prob'),
        (lambda s: s.sigmoid(), 0, None, "between 0 and 1 that do not sum to 1.*`output`"),
        (lambda s: s[:, :1], 0, "scores", r'`output` \("scores"\) .*always 1: use "logits"'),
        (lambda s: s, 0, "probabilities", r"from -2 to 0: probabilities lie between 0 and 1"),
        (lambda s: s + 3, 0, "probabilities", r"from 1 to 3: probabilities lie between 0 and 1"),
        (lambda s: s.softmax(1), 0, "log_probabilities", "log-probabilities are at most 0"),
        (lambda s: s, 0, "softmax", r"`output` \('softmax'\) must be one of 'scores', 'logits'"),
        (lambda s: s, lambda y: y[:, 0], "scores", "must be None if `target` is a function"),
    ],
)
def test_what_a_model_outputs_is_refused_if_it_is_ambiguous_or_wrong(form, target, said, words):
    model = Outputs(form)
    for tool in (deletion, insertion, average_drop):
        with pytest.raises(ValueError, match=words):
            tool(model, ONES, torch.tensor([WEIGHTS]), target, output=said)


def test_small_scores_and_independent_labels_can_be_said():
    curve = deletion(
        Outputs(lambda s: s.sigmoid()), ONES, torch.tensor([WEIGHTS]), 0, output="scores", steps=1
    )
    np.testing.assert_allclose(curve.scores[0, 0], softmax(sigmoid([-2, 0]))[0], atol=1e-6)
    curve = deletion(
        Outputs(lambda s: s.sigmoid()), ONES, torch.tensor([WEIGHTS]), 0, output="probabilities",
        steps=1,
    )  # fmt: skip
    np.testing.assert_allclose(curve.scores[0], sigmoid([-2, 0]), atol=1e-6)


def test_a_head_of_zeros_outputs_scores():
    curve = deletion(Outputs(torch.zeros_like), ONES, torch.tensor([WEIGHTS]), 0, steps=1)
    assert curve.scores.tolist() == [[0.5, 0.5]]


def first_probability(*rows):
    """Return the recorded probability of class 0 for unchanged images with these outputs."""
    outputs = torch.tensor(rows)
    model, maps = nn.Module(), torch.zeros(len(rows), 2, 2)
    model.forward = lambda x: outputs[x[:, 0, 0, 0].long()]
    x = torch.arange(float(len(rows))).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return deletion(model, x, maps, 0, steps=1).scores[:, 0].tolist()


def test_every_image_decides_whether_outputs_are_probabilities():
    assert first_probability([0.25, 0.75], [1.0, 0.0]) == [0.25, 1]
    # Negative, or larger than 1: scores, whatever their sum.
    for rows in ([[2.0, -1.0]], [[0.25, 0.75], [2.0, 1.0]]):
        expected = [softmax(np.array(row))[0] for row in rows]
        assert first_probability(*rows) == pytest.approx(expected)
    for rows in ([[0.3, 0.6]], [[0.5, 0.6]], [[0.25, 0.75], [0.3, 0.6]], [[0.3, 0.6], [0.25, 0.75]],
                 [[0.25, 0.75 + 1e-4]]):  # fmt: skip
        with pytest.raises(ValueError, match="do not sum to 1"):
            first_probability(*rows)
    # As far from 1 as rounding may take a sum.
    assert first_probability([0.25, 0.75 + 4e-6]) == [0.25]


def test_other_arguments_of_the_curves_are_refused():
    arguments = Weighted(WEIGHTS), ONES, torch.tensor([WEIGHTS])
    for tool in (deletion, insertion):
        with pytest.raises(ValueError, match=r"`baseline` has shape \(3,\); it must broadcast"):
            tool(*arguments, 0, baseline=torch.zeros(3))
    for tool in (deletion, insertion, average_drop):
        with pytest.raises(ValueError, match="`maps` contains nan"):
            tool(*arguments[:2], torch.full((1, 2, 2), torch.nan), 0)


def test_a_network_that_overwrites_its_input_does_not_change_the_images():
    network, image = nn.Sequential(nn.ReLU(inplace=True), Weighted(WEIGHTS)), ONES.clone()
    image[..., 1, 1] = -1.0
    before, maps = image.clone(), torch.tensor([WEIGHTS])
    curve = deletion(network, image, maps, 0, steps=4)
    np.testing.assert_allclose(curve.scores[0], sigmoid([4, 1, 0, 0, 0]), atol=1e-6)
    insertion(network, image, maps, 0, steps=4)
    average_drop(network, image, maps, 0)
    assert torch.equal(image, before)


class Scaled(nn.Module):
    """Multiplies each image's scores by its own number, and adds what is the same for all."""

    def forward(self, x, numbers, more=0.0):
        scores = Weighted(WEIGHTS)(x) * numbers[:, None] + more
        numbers.zero_()  # Only a copy may be overwritten.
        return scores


@pytest.mark.parametrize("tool", [deletion, insertion, average_drop])
def test_only_the_images_of_several_inputs_are_changed(tool):
    images = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    maps = torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(1))
    numbers, more = torch.tensor([1.0, -0.5, 2.0]), torch.tensor(0.25)
    for target in (0, lambda output: output[:, 0].sigmoid()):
        settings = {"output": "scores"} if target == 0 else {}
        if tool is not average_drop:
            settings |= {"steps": 4, "batch_size": 5}
        found = tool(Scaled(), (images, numbers, more), maps, target, **settings)
        alone = []
        for image, number, marked in zip(images, numbers, maps, strict=True):
            model = AddedTo(Weighted(WEIGHTS), float(number), 0.25)
            alone.append(tool(model, image[None], marked[None], target, **settings))
        if tool is average_drop:
            assert found == pytest.approx(np.mean(alone), rel=1e-5)
        else:
            torch.testing.assert_close(found.scores, torch.cat([one.scores for one in alone]))
            # The numbers matter: with those of another image the curves differ.
            other = tool(Scaled(), (images, numbers.flip(0), more), maps, target, **settings)
            assert not torch.allclose(found.scores[0], other.scores[0], atol=1e-3)
    assert numbers.tolist() == [1.0, -0.5, 2.0]


class AddedTo(nn.Module):
    """Scores times a factor plus a number."""

    def __init__(self, model, factor, number):
        super().__init__()
        self.model, self.factor, self.number = model, factor, number

    def forward(self, x):
        return self.model(x) * self.factor + self.number


def test_other_arguments_than_the_network_takes_are_refused():
    maps = torch.tensor([WEIGHTS])
    for tool in (deletion, insertion, average_drop):
        with pytest.raises(TypeError, match=r"`inputs` holds 1 argument, .*such as `inputs=\(x, "):
            tool(Scaled(), ONES, maps, 0)
        with pytest.raises(TypeError, match=r"`inputs` holds 2 arguments, but `forward` takes \(x"):
            tool(Weighted(WEIGHTS), (ONES, torch.ones(1)), maps, 0)
        with pytest.raises(ValueError, match="`inputs` is empty"):
            tool(Weighted(WEIGHTS), (), maps, 0)


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(1), nn.Dropout(0.5), nn.Dropout2d(0.5)])
def test_layers_in_train_mode_are_refused(layer):
    model = nn.Sequential(layer, Weighted(WEIGHTS)).train()
    for tool in (deletion, insertion, average_drop):
        with pytest.raises(ValueError, match=rf"in train mode, where {type(layer).__name__} would"):
            tool(model, ONES, torch.tensor([WEIGHTS]), 0)
    assert deletion(model.eval(), ONES, torch.tensor([WEIGHTS]), 0).scores.shape == (1, 33)
