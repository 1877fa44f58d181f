from __future__ import annotations

import pytest
import torch

import cnnref
from experiments import inception
from experiments.inception import best_rate, layers, make_net, train_net
from experiments.results import read

SHAPE = (1, inception.SIDE, inception.SIDE)


def test_reduced_and_naive_networks_cost_the_same_and_the_wide_one_three_times_as_much():
    macs = {kind: cnnref.cost(layers(kind), SHAPE).macs for kind in inception.KINDS}
    assert macs["naive"] / macs["reduced"] == pytest.approx(1, abs=0.01)
    assert macs["wide"] / macs["reduced"] == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("kind", inception.KINDS)
def test_the_layers_that_are_counted_are_those_that_are_trained(kind):
    net = make_net(kind, seed=0)
    trained = sum(p.numel() for p in net.parameters()) - sum(
        p.numel() for p in net[-1].parameters()
    )
    assert cnnref.cost(layers(kind), SHAPE).parameters == trained
    assert net(torch.zeros(2, *SHAPE)).shape == (2, 10)


def test_the_rate_is_that_with_the_lowest_mean_error():
    trials = [
        {"rate": 0.01, "error": 0.1}, {"rate": 0.01, "error": 0.5},
        {"rate": 0.1, "error": 0.2}, {"rate": 0.1, "error": 0.3},
    ]  # fmt: skip
    assert best_rate(trials) == 0.1


def test_training_repeats():
    draw = torch.Generator().manual_seed(0)
    examples = torch.randn(inception.BATCH, *SHAPE, generator=draw), torch.arange(100) % 10
    first, second = (train_net("reduced", 0, 0.01, examples, examples) for _ in range(2))
    assert first == second


def test_no_seed_that_chose_a_rate_was_used_to_compare():
    stored = read("inception").data
    assert {run["seed"] for run in stored["runs"]}.isdisjoint(
        trial["seed"] for trial in stored["trials"]
    )
