from __future__ import annotations

import base64
import hashlib
import io

import numpy as np
import pytest
import torch
from PIL import Image

from cnnref.nn.feature_visualization import channel, response
from cnnref.nn.pretrained import squeezenet
from experiments import feature_visualization as experiment
from experiments.results import Results, StaleResultsError


def test_channels_are_drawn_within_their_layer_and_repeat():
    first, second = experiment.walls(), experiment.walls()
    assert first == second
    for layer, count in experiment.LAYERS.items():
        assert len(set(first[layer])) == experiment.COUNT
        assert max(first[layer]) < count
        part = getattr(squeezenet(weights=False).features, layer)
        assert part.expand1x1.out_channels + part.expand3x3.out_channels == count


def test_the_fine_share_is_that_of_the_fine_waves():
    column = torch.arange(32.0)
    coarse = 0.5 + 0.3 * torch.cos(2 * torch.pi * 2 * column / 32).expand(3, 32, 32)
    fine = 0.3 * torch.cos(2 * torch.pi * 12 * column / 32).expand(3, 32, 32)
    assert experiment.fine_share(coarse) == pytest.approx(0, abs=1e-6)
    assert experiment.fine_share(coarse + fine) == pytest.approx(0.5, abs=1e-4)


def test_an_even_image_responds_alike_wherever_it_is_moved():
    model, objective = squeezenet(), channel("features.conv1", 3)
    grey = torch.full((3, 32, 32), 0.4)
    expected = response(model, objective, grey)
    assert experiment.moved_value(model, objective, grey) == pytest.approx(expected, rel=1e-4)
    edges = torch.zeros(3, 32, 32)
    edges[:, :, ::2] = 1
    still = response(model, objective, edges)
    assert experiment.moved_value(model, objective, edges) != pytest.approx(still, rel=1e-3)


@pytest.fixture
def row(monkeypatch):
    monkeypatch.setattr(experiment, "SIZE", 32)
    monkeypatch.setattr(experiment, "STEPS", 3)
    numbers = list(range(8))
    row = experiment.climb_row(squeezenet(), "fire2", numbers, "fourier", seed=0)
    return {"layer": "fire2", "kind": "fourier", "numbers": numbers, **row}


def stored_in(folder, row, monkeypatch):
    content = base64.b64decode(row["sheet"])
    path = folder / "docs/labs/results" / experiment.sheet_name(row["layer"], row["kind"])
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    monkeypatch.setattr(experiment, "ROOT", folder)
    data = {"rows": [{**row, "sha256": hashlib.sha256(content).hexdigest()}]}
    return path, Results(data, {})


def test_a_row_holds_a_value_an_image(row, tmp_path, monkeypatch):
    assert [len(row[name]) for name in ("values", "moved", "fine", "numbers")] == [8] * 4
    path, stored = stored_in(tmp_path, row, monkeypatch)
    pictures = experiment.pictures(stored, "fire2", "fourier")
    assert [picture.shape for picture in pictures] == [(32, 32, 3)] * 8
    sheet = np.asarray(Image.open(io.BytesIO(path.read_bytes())))
    np.testing.assert_array_equal(pictures[5], sheet[32:, 32:64])


def test_another_file_is_refused(row, tmp_path, monkeypatch):
    path, stored = stored_in(tmp_path, row, monkeypatch)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(StaleResultsError, match=r"fire2_fourier\.webp is missing or was changed"):
        experiment.pictures(stored, "fire2", "fourier")
    path.unlink()
    with pytest.raises(StaleResultsError, match="missing"):
        experiment.pictures(stored, "fire2", "fourier")


def test_the_four_kinds_are_two_by_two():
    kinds = experiment.KINDS.values()
    found = {(one["parametrization"], one["priors"] == experiment.USUAL_PRIORS) for one in kinds}
    assert len(found) == len(experiment.KINDS) == 4
    assert not any(
        one["priors"].moved(x := torch.rand(1, 3, 8, 8), torch.Generator()) is not x
        for one in kinds
        if one["priors"] != experiment.USUAL_PRIORS
    )


def test_another_seed_climbs_to_another_image(row):
    other = experiment.climb_row(squeezenet(), "fire2", list(range(8)), "fourier", seed=1)
    assert other["sheet"] != row["sheet"]
