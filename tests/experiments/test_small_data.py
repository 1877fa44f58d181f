from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import nn

from cnnref.nn.transfer import fine_tune
from experiments import small_data
from experiments.data import ImageSet
from experiments.small_data import first_of_each, head_on, passes, split

LABELS = torch.tensor([0] * 7 + [1] * 9 + [2] * 8)


def test_a_split_holds_each_photograph_once_and_as_many_of_each_class():
    sets = split(LABELS, [4, 1, 2], seed=3)
    assert [len(one) for one in sets] == [12, 3, 6]
    assert len({place for one in sets for place in one}) == 21
    for one, count in zip(sets, [4, 1, 2], strict=True):
        assert LABELS[one].bincount().tolist() == [count] * 3
    assert split(LABELS, [4, 1, 2], seed=3) == sets
    assert split(LABELS, [4, 1, 2], seed=4) != sets


def test_a_smaller_training_set_lies_within_the_larger_and_has_each_class():
    (train,) = split(LABELS, [4], seed=0)
    few, more = first_of_each(train, 1, 4), first_of_each(train, 3, 4)
    assert set(few) < set(more) < set(train)
    assert LABELS[few].tolist() == [0, 1, 2]
    assert LABELS[more].bincount().tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    ("what", "images", "expected"),
    [("head", 8, 100), ("head", 40, 34), ("scratch", 1000, 20), ("base", 40, 10)],
)
def test_every_size_gets_its_steps_and_a_large_one_twenty_passes(what, images, expected):
    assert passes(what, images) == expected


def test_patches_to_learn_from_and_to_test_on_do_not_overlap(monkeypatch):
    columns = np.tile(np.arange(512, dtype=np.uint16)[None], (512, 1)).clip(0, 511)
    for name in small_data.TEXTURES:
        monkeypatch.setattr(data, name, lambda: (columns // 2).astype(np.uint8))
    train, test = small_data.texture_patches(0, 20, 50)
    assert train[0].shape == (60, 3, 64, 64)
    assert train[1].bincount().tolist() == [20, 20, 20]
    assert test[1].bincount().tolist() == [50, 50, 50]
    assert train[0].max() < 192 // 2
    assert test[0].min() >= 256 // 2


def test_the_head_on_features_is_the_one_that_fine_tune_trains_on_the_whole_network():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.ReLU())
            self.classifier = nn.Sequential()
            self.classifier.add_module("dropout", nn.Dropout(0.2))
            self.classifier.add_module("fc", nn.Linear(6, 3))

        def forward(self, x):
            return self.classifier(self.features(x).mean(dim=(2, 3)))

    images = torch.randn(24, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    model = Network()
    with torch.inference_mode():
        features = model.features(images).mean(dim=(2, 3)).clone()
    head, _ = head_on(*[(features, LABELS)] * 3, seed=5)
    small_data.replace_head(model, 3, generator=torch.Generator().manual_seed(5))
    fine_tune(
        model, (images, LABELS), (images, LABELS), head_epochs=passes("head", 24), top_epochs=0,
        top=0, head_rate=small_data.HEAD_RATE, base_rate=1e-3, seed=5, progress=False,
    )  # fmt: skip
    torch.testing.assert_close(head.state_dict(), model.classifier.state_dict())


def test_the_small_network_learns_two_colors():
    images = torch.zeros(12, 3, 32, 32, dtype=torch.uint8)
    images[::2, 0], images[1::2, 2] = 200, 200
    labels = torch.arange(12) % 2
    assert small_data.from_scratch((images[:8], labels[:8]), (images[8:], labels[8:]), 0) == 1


def test_the_sheet_shows_the_first_of_each_class_in_rows():
    images = torch.zeros(5, 3, 20, 20, dtype=torch.uint8)
    images[:2, 0], images[2:, 1] = 250, 250
    files = ["red/a", "red/b", "green/a", "green/b", "green/c"]
    photos = ImageSet(images, torch.tensor([0, 0, 1, 1, 1]), ["red", "green"], files)
    sheet = small_data.contact_sheet(photos, each=2, side=16)
    assert sheet["files"] == ["red/a", "red/b", "green/a", "green/b"]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet["webp"]))).convert("RGB"))
    assert pixels.shape == (32, 32, 3)
    assert pixels[4, 4, 0] > 200 > 50 > pixels[4, 4, 1]
    assert pixels[28, 28, 1] > 200 > 50 > pixels[28, 28, 0]
