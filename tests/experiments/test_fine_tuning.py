from __future__ import annotations

import copy

import pytest
import torch

from experiments import fine_tuning
from experiments.fine_tuning import best_rate, grey_and_blurred, old_task, original, split

LABELS = torch.tensor([0] * 24 + [1] * 30 + [2] * 27)


def test_what_chooses_settings_is_the_same_in_every_split_and_never_tests():
    splits = [split(LABELS, seed) for seed in range(4)]
    check = splits[0][0]
    assert LABELS[check].bincount().tolist() == [4, 4, 4]
    for first, train, test in splits:
        assert first == check
        assert len({*check, *train, *test}) == len(check) + len(train) + len(test)
        assert LABELS[train].bincount().tolist() == LABELS[test].bincount().tolist() == [10] * 3
    assert splits[0][1] != splits[1][1]


def test_a_smaller_training_set_is_part_of_the_larger_one_with_the_same_test():
    _, large, test = split(LABELS, 0)
    _, small, same = split(LABELS, 0, train=3)
    assert set(small) < set(large)
    assert LABELS[small].bincount().tolist() == [3, 3, 3]
    assert same == test


def test_the_setting_with_the_lowest_mean_loss_is_chosen():
    losses = {0.1: (0.1, 0.9), 0.2: (0.4, 0.4)}
    rows = [{"rate": rate, "check_loss": loss} for rate in losses for loss in losses[rate]]
    assert best_rate(rows) == 0.2


def test_gray_and_blurred_photographs_have_no_color_and_no_fine_detail():
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    changed = grey_and_blurred(images)
    assert changed.shape == images.shape
    assert changed[:, 0].equal(changed[:, 1])
    assert changed[:, 0].std() < 0.6 * images.mean(dim=1).std()
    assert changed.mean() == pytest.approx(
        (images * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1).mean().item(), abs=0.02
    )


def test_all_of_the_old_task_is_left_before_fine_tuning_and_little_after_a_change():
    old, images = original(), torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = copy.deepcopy(old)
    assert old_task(model, old, images) == {"agreement": 1.0, "divergence": 0.0}
    torch.nn.init.zeros_(model.features.final.norm.weight)
    assert old_task(model, old, images)["divergence"] > 0.005


def test_augmented_images_are_prepared_as_plain_ones(monkeypatch):
    monkeypatch.setattr(fine_tuning, "augmented", lambda images, generator: images)
    model = original()
    inputs = fine_tuning.prepared(model, torch.rand(2, 3, 8, 8))
    torch.testing.assert_close(fine_tuning.augment_for(model)(inputs, torch.Generator()), inputs)
