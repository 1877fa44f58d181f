from __future__ import annotations

import pytest
import torch

from cnnref.nn.pretrained import squeezenet
from experiments import clothes, gradcam_randomization


def test_a_blank_map_has_no_correlation():
    values = torch.tensor([0.5, torch.nan, -0.25])
    assert gradcam_randomization._without_nan(values) == [0.5, None, -0.25]


@pytest.mark.parametrize("method", list(gradcam_randomization.METHODS))
def test_a_part_has_one_correlation_per_seed(method, monkeypatch):
    monkeypatch.setattr(gradcam_randomization, "SEEDS", range(2))
    monkeypatch.setattr(gradcam_randomization, "PARTS", ("classifier",))
    ((first, second),) = gradcam_randomization.check(squeezenet(), "coffee", method)
    assert first != second
    assert all(value is None or -1 <= value < 0.999 for value in (first, second))


def test_shuffled_labels_and_another_seed_are_compared(monkeypatch):
    images = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(clothes, "as_inputs", lambda part, n: (images[:n], torch.arange(n) % 10))
    monkeypatch.setattr(gradcam_randomization, "LABEL_TRAIN", 40)
    monkeypatch.setattr(gradcam_randomization, "LABEL_TEST", 4)
    monkeypatch.setattr(gradcam_randomization, "EPOCHS", {"true": 1, "shuffled": 1})
    found = gradcam_randomization.compare_labels(0)
    assert set(found["correlations"]) == set(gradcam_randomization.METHODS)
    for one in found["correlations"].values():
        assert [len(one[name]) for name in ("shuffled", "again")] == [4, 4]
