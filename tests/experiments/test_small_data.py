from __future__ import annotations

import base64
import io

import numpy as np
import torch
from PIL import Image

from experiments import small_data
from experiments.data import ImageSet
from experiments.small_data import (
    WAYS,
    chosen_divisors,
    clothes_epochs,
    clothes_split,
    from_scratch,
    nearest_color,
    scored,
)  # fmt: skip


def test_the_divisor_of_a_way_has_the_lowest_loss_on_what_chooses_and_other_lengths_do_not_count():
    rows = []
    for place, (order, depth) in enumerate(WAYS):
        for divisor, loss in ((1, 0.9), (10, 0.2 + place % 2), (30, 0.5)):
            row = {"order": order, "depth": depth, "divisor": divisor, "check_loss": loss}
            rows.append({**row, "epochs": 8})
            rows.append({**row, "divisor": 1, "check_loss": 0.0, "epochs": 20})
    found = chosen_divisors(rows)
    assert [found[way] for way in WAYS] == [10, 30, 10, 30]


def test_clothes_that_choose_settings_never_train(monkeypatch):
    monkeypatch.setattr(small_data, "CLOTHES_CHECK", 20)
    labels = torch.arange(200) % 10
    pictures = ImageSet(torch.zeros(200, 1, 2, 2), labels, [str(n) for n in range(10)], [])
    splits = [clothes_split(pictures, seed, 3) for seed in range(3)]
    for train, check in splits:
        assert check.equal(splits[0][1])
        assert not set(train.tolist()) & set(check.tolist())
        assert labels[train].bincount().tolist() == [3] * 10
    assert not splits[0][0].equal(splits[1][0])


def test_every_size_gets_its_steps():
    head, base = clothes_epochs(100)
    assert head * 7 >= small_data.HEAD_STEPS
    assert base * 7 >= small_data.BASE_STEPS
    assert clothes_epochs(1000) == (small_data.CLOTHES_HEAD_EPOCHS, 1)


def test_the_nearest_mean_color_wins():
    images = torch.zeros(6, 3, 4, 4)
    images[:3, 0], images[3:, 2] = 0.8, 0.6
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    assert nearest_color(images, labels, [0, 1, 3, 4], [2, 5]) == 1
    assert nearest_color(images, labels.flip(0), [0, 1, 3, 4], [2, 5]) == 1
    images[2] = images[5]
    assert nearest_color(images, labels, [0, 1, 3, 4], [2, 5]) == 0.5


def test_the_small_network_learns_two_colors():
    images = torch.zeros(12, 3, 32, 32)
    images[::2, 0], images[1::2, 2] = 0.8, 0.8
    labels = torch.arange(12) % 2
    net = from_scratch((images[:8], labels[:8]), 0, 3e-3, 60)
    assert scored(net, (images[8:], labels[8:]))["accuracy"] == 1


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
