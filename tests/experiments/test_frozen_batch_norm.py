from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from cnnref.nn.pretrained import efficientnet_lite0
from experiments import frozen_batch_norm
from experiments.frozen_batch_norm import PHOTOGRAPHS, SIZE, WAYS, crops, train_head


@pytest.fixture(scope="module")
def lite0():
    return efficientnet_lite0()


def test_the_halves_of_the_photographs_share_no_crop(lite0):
    train, labels = crops(lite0, 0, 2, seed=0)
    test, _ = crops(lite0, 1, 2, seed=0)
    assert train.shape == (2 * len(PHOTOGRAPHS), 3, SIZE, SIZE)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert not any(torch.equal(a, b) for a in train for b in test)
    again, _ = crops(lite0, 0, 2, seed=0)
    other, _ = crops(lite0, 0, 2, seed=1)
    assert torch.equal(train, again)
    assert not torch.equal(train, other)


def test_both_ways_train_the_head_alone_and_only_freeze_holds_the_statistics(lite0, monkeypatch):
    monkeypatch.setattr(frozen_batch_norm, "EPOCHS", 1)
    before = copy.deepcopy(lite0.state_dict())
    train, test = crops(lite0, 0, 1, seed=0), crops(lite0, 1, 1, seed=1)
    trained = {}

    def kept(way, original):
        def freeze(model):
            trained[way] = model
            return original(model)

        return freeze

    for way in WAYS:
        monkeypatch.setitem(frozen_batch_norm.WAYS, way, kept(way, WAYS[way]))
    for way in WAYS:
        shares = train_head(lite0, way, 2, 0, train, test)
        assert all(0 <= share <= 1 for share in shares.values())
    for way, model in trained.items():
        moved = {
            name
            for name, value in model.state_dict().items()
            if not name.startswith("classifier") and not torch.equal(value, before[name])
        }
        parameters = {name for name, _ in model.named_parameters()}
        assert not moved & parameters
        assert bool(moved) == (way == "requires_grad")
        head = [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
        assert head.weight.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in lite0.state_dict().items())
