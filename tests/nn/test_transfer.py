from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import nn

from cnnref.nn.transfer import (
    accuracy,
    fine_tune,
    freeze,
    head_of,
    parameter_groups,
    replace_head,
    unfreeze,
    unfreeze_top,
)


class Small(nn.Module):
    """Three blocks with batch norm, and a head with dropout."""

    def __init__(self, classes=3):
        super().__init__()
        blocks = [
            nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())
            for before, after in ((2, 4), (4, 5), (5, 6))
        ]
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(nn.Dropout(0.3), nn.Linear(6, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean(dim=(2, 3)))


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Small()
        # Statistics unlike those of a new layer.
        net.train()(3 + torch.randn(8, 2, 6, 6))
    return net.eval()


@pytest.fixture
def data():
    """Three classes of images that differ in the means of their channels."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(24) % 3
    means = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])[labels]
    return means[:, :, None, None] + torch.randn(24, 2, 6, 6, generator=generator), labels


def state_of(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(before, module):
    after = module.state_dict()
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


SETTINGS = dict(
    head_epochs=2, top_epochs=2, top=1, head_rate=0.05, base_rate=0.01, batch_size=7, progress=False
)


# --- freeze and unfreeze


def train_a_little(model, data):
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9, weight_decay=0.1
    )
    for _ in range(3):
        model.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data[0]), data[1]).backward()
        optimizer.step()


def test_frozen_numbers_stay_to_the_bit_through_train(model, data):
    freeze(model.features)
    before = state_of(model)
    train_a_little(model, data)
    assert changed(before, model) == {"classifier.1.weight", "classifier.1.bias"}


def test_requires_grad_alone_lets_the_statistics_move(model, data):
    model.features.requires_grad_(False)
    before = state_of(model.features)
    train_a_little(model, data)
    moved = changed(before, model.features)
    assert moved == {
        f"{block}.1.{name}"
        for block in range(3)
        for name in ("running_mean", "running_var", "num_batches_tracked")
    }


def test_a_frozen_layer_normalises_by_its_statistics_in_train_mode(model, data):
    expected = model.features(data[0])
    freeze(model.features)
    assert torch.equal(model.train().features(data[0]), expected)
    assert model.classifier[0].training


def test_freeze_drops_gradients_that_an_optimizer_would_use(model, data):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    nn.functional.cross_entropy(model(data[0]), data[1]).backward()
    before = state_of(freeze(model))
    optimizer.step()
    assert not changed(before, model)


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(4), nn.BatchNorm3d(4), nn.SyncBatchNorm(4)])
def test_every_kind_of_batch_norm_is_frozen_and_unfrozen(layer):
    kind = type(layer)
    freeze(layer)
    assert isinstance(layer, kind)
    assert not layer.train().training
    assert type(layer).__name__ == f"Frozen{kind.__name__}"
    unfreeze(layer)
    assert type(layer) is kind
    assert layer.train().training


def test_instance_norm_is_frozen_if_it_has_statistics():
    with_statistics = freeze(nn.InstanceNorm2d(4, track_running_stats=True)).train()
    without = freeze(nn.InstanceNorm2d(4)).train()
    assert not with_statistics.training
    assert without.training


def test_freezing_twice_is_freezing_once(model):
    freeze(freeze(model))
    unfreeze(model)
    assert all(type(layer).__name__ != "FrozenBatchNorm2d" for layer in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_unfreeze_can_leave_the_statistics_frozen(model, data):
    unfreeze(freeze(model), statistics=False)
    before = state_of(model)
    train_a_little(model, data)
    moved = changed(before, model)
    assert "features.0.1.weight" in moved
    assert not any("running" in name or "tracked" in name for name in moved)


def test_a_frozen_model_can_be_copied_and_saved(model, data):
    freeze(model.features)
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    for twin in (copy.deepcopy(model), torch.load(buffer, weights_only=False)):
        assert not changed(state_of(model), twin)
        train_a_little(twin, data)
        assert changed(state_of(model), twin) == {"classifier.1.weight", "classifier.1.bias"}
        # The copy is unfrozen, and the original stays frozen.
        unfreeze(twin)
        assert twin.train().features[0][1].training
        assert not model.train().features[0][1].training


def test_the_names_of_a_frozen_state_are_the_old_ones(model):
    names = list(model.state_dict())
    assert list(freeze(model).state_dict()) == names


# --- the head


@pytest.mark.parametrize("bias", [True, False])
def test_replace_head_linear(bias):
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 10, bias=bias).double())
    freeze(model)
    new = replace_head(model, 3)
    assert model[2] is new
    assert new.weight.shape == (3, 4)
    assert new.weight.dtype == torch.float64
    assert (new.bias is not None) == bias
    assert new.weight.requires_grad
    assert not model[0].weight.requires_grad


def test_replace_head_keeps_the_settings_of_a_convolution():
    old = nn.Conv2d(6, 9, (3, 1), stride=(2, 1), padding=(1, 0), dilation=(1, 2), bias=False)
    model = Small()
    model.classifier = nn.Sequential(old, nn.ReLU(), nn.Flatten())
    replace_head(model, 2)
    new = model.classifier[0]
    images = torch.randn(1, 6, 7, 5)
    assert new(images).shape == (1, 2, *old(images).shape[2:])
    assert new.bias is None


def test_the_head_is_the_layer_whose_output_is_returned():
    model = Small()
    model.auxiliary = nn.Linear(6, 8)  # registered last, and no head
    new = replace_head(model, 2)
    assert model.classifier[1] is new
    assert head_of(model) is new


def test_replace_head_with_a_classifier_that_is_the_layer():
    model = Small()
    model.classifier = nn.Linear(6, 3)
    assert replace_head(model, 5) is model.classifier
    assert model.classifier.out_features == 5


def test_the_generator_decides_the_new_head_and_torch_keeps_its_own():
    state = torch.get_rng_state()
    heads = (
        [
            replace_head(
                nn.Sequential(nn.Linear(4, 9)), 3, generator=torch.Generator().manual_seed(s)
            )
            for s in (0, 0, 1)
        ]
        if (torch.set_rng_state(state) is None)
        else []
    )
    assert torch.equal(heads[0].weight, heads[1].weight)
    assert not torch.equal(heads[0].weight, heads[2].weight)
    assert heads[0].weight.abs().max() <= 0.5
    assert heads[0].weight.unique().numel() == 12


def test_a_replaced_head_keeps_the_mode():
    model = Small().eval()
    assert not replace_head(model, 2).training
    assert replace_head(model.train(), 2).training


@pytest.mark.parametrize(
    ("model", "classes", "error", "words"),
    [
        (Small(), 0, ValueError, "`classes` \\(0\\)"),
        (Small(), 2.0, TypeError, "`classes`"),
        (nn.Sequential(nn.ReLU()), 2, ValueError, "no linear layer"),
        (nn.Linear(3, 2), 2, ValueError, "`model` is itself the head"),
        (nn.Sequential(nn.Conv2d(4, 4, 1, groups=2)), 2, ValueError, "`groups` \\(2\\)"),
    ],
)
def test_replace_head_refuses(model, classes, error, words):
    with pytest.raises(error, match=words):
        replace_head(model, classes)


# --- the top and its groups


def test_unfreeze_top_opens_the_last_children_alone(model):
    freeze(model)
    opened = unfreeze_top(model, 2)
    assert opened == [model.features[1], model.features[2]]
    training = {name.rsplit(".", 2)[0] for name, p in model.named_parameters() if p.requires_grad}
    assert training == {"features.1", "features.2"}
    assert not model.train().features[2][1].training
    unfreeze_top(model, 1, statistics=True)
    assert model.train().features[2][1].training
    assert not model.features[1][1].training


def test_unfreeze_top_of_nothing_opens_nothing(model):
    assert unfreeze_top(freeze(model), 0) == []
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    ("model", "count", "error", "words"),
    [
        (Small(), 4, ValueError, "`top` \\(4\\) must be at most 3, the number of parts"),
        (Small(), -1, ValueError, "`top` \\(-1\\)"),
        (Small(), True, TypeError, "`top`"),
        (Small(), 1.5, TypeError, "`top` contains 1.5"),
        (Small(), "features.7", ValueError, "`top` \\('features.7'\\) must be the name"),
        (Small(), "features.0.2", ValueError, "`top` \\('features.0.2'\\) must have parameters"),
        (nn.Linear(2, 2), 1, ValueError, "`top` \\(1\\) must be at most 0"),
    ],
)
def test_unfreeze_top_refuses(model, count, error, words):
    with pytest.raises(error, match=words):
        unfreeze_top(model, count)


def test_groups_hold_what_trains_at_its_own_rate(model):
    freeze(model)
    unfreeze(model.classifier)
    unfreeze_top(model, 1)
    head, base = parameter_groups(model, head_rate=0.5, base_rate=0.25)
    assert (head["name"], head["lr"], base["name"], base["lr"]) == ("head", 0.5, "base", 0.25)
    assert {id(p) for p in head["params"]} == {id(p) for p in model.classifier.parameters()}
    assert {id(p) for p in base["params"]} == {id(p) for p in model.features[2].parameters()}


def test_a_step_moves_each_group_by_its_rate():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = state_of(model)
    optimizer = torch.optim.SGD(parameter_groups(model, head_rate=0.5, base_rate=0.25))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for name, rate in (("0.weight", 0.25), ("0.bias", 0.25), ("1.weight", 0.5), ("1.bias", 0.5)):
        torch.testing.assert_close(model.state_dict()[name], before[name] - rate)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ((0, 0.1), "`head_rate` \\(0\\)"),
        ((0.1, -1.0), "`base_rate` \\(-1.0\\)"),
        ((float("nan"), 0.1), "`head_rate`"),
        ((0.1, True), "`base_rate`"),
    ],
)
def test_groups_refuse_rates(rates, words):
    with pytest.raises(ValueError, match=words):
        parameter_groups(Small(), *rates)


def test_groups_refuse_a_model_that_does_not_train(model):
    with pytest.raises(ValueError, match="`model` has no parameter that trains"):
        parameter_groups(freeze(model), 0.1, 0.1)


# --- accuracy


def test_accuracy_counts_and_restores_the_modes(model, data):
    model.train()
    model.features[1].eval()
    modes = [layer.training for layer in model.modules()]
    before = state_of(model)
    found = accuracy(model, *data)
    model.eval()
    expected = (model(data[0]).argmax(1) == data[1]).float().mean().item()
    assert found == pytest.approx(expected)
    model.train()
    model.features[1].eval()
    assert [layer.training for layer in model.modules()] == modes
    assert not changed(before, model)


def test_accuracy_of_more_than_one_chunk():
    outputs = torch.eye(3)[torch.arange(200) % 3]
    assert accuracy(nn.Identity(), outputs, torch.zeros(200, dtype=torch.long)) == 67 / 200


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        (torch.tensor([0, 1]), ValueError, "3 inputs and labels of shape \\(2,\\)"),
        (torch.tensor([0.0, 1.0, 2.0]), TypeError, "torch.float32"),
        (
            torch.tensor([0, 1, 3]),
            ValueError,
            "labels from 0 to 3; they must be from 0 to 2:",
        ),
        (torch.tensor([0, -1, 2]), ValueError, "labels from -1 to 2"),
    ],
)
def test_accuracy_refuses(labels, error, words):
    with pytest.raises(error, match=words):
        accuracy(nn.Identity(), torch.eye(3), labels)


def test_accuracy_refuses_nothing_at_all():
    with pytest.raises(ValueError, match="at least one"):
        accuracy(nn.Identity(), torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))


# --- fine_tune


def test_the_phases_train_what_they_say(model, data):
    before = state_of(model)
    fine_tune(model, data, data, **{**SETTINGS, "top_epochs": 0})
    assert changed(before, model) == {"classifier.1.weight", "classifier.1.bias"}
    before = state_of(model)
    fine_tune(model, data, data, **SETTINGS)
    moved = changed(before, model)
    assert {name.rsplit(".", 1)[0] for name in moved} == {
        "classifier.1", "features.2.0", "features.2.1",
    }  # fmt: skip
    assert not any("running" in name or "tracked" in name for name in moved)


def test_it_learns(model, data):
    history = fine_tune(model, data, data, **{**SETTINGS, "head_epochs": 15, "top_epochs": 15})
    assert [epoch.phase for epoch in history.epochs] == ["head"] * 15 + ["top"] * 15
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss
    assert history.epochs[-1].validation_accuracy == accuracy(model, *data)
    assert accuracy(model, *data) > 0.9


@pytest.mark.parametrize("mode", [True, False])
def test_modes_flags_and_the_random_state_are_restored(model, data, mode):
    model.train(mode)
    model.features[0].train(not mode)
    freeze(model.features[1])
    modes = [(layer.training, type(layer)) for layer in model.modules()]
    flags = [parameter.requires_grad for parameter in model.parameters()]
    random = torch.get_rng_state()
    fine_tune(model, data, data, **SETTINGS)
    assert [(layer.training, type(layer)) for layer in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_modes_are_restored_after_an_error(model, data):
    def broken(images, generator):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        fine_tune(model, data, data, augment=broken, **SETTINGS)
    assert all(type(layer).__name__ != "FrozenBatchNorm2d" for layer in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


def noise(images, generator):
    return images + 0.1 * torch.randn(images.shape, generator=generator)


@pytest.mark.parametrize("augment", [None, noise])
def test_the_same_seed_gives_the_same_bits(model, data, augment):
    twins = [copy.deepcopy(model) for _ in range(3)]
    histories = []
    for seed, twin in zip((5, 5, 6), twins, strict=True):
        torch.manual_seed(torch.initial_seed() + seed)  # the reader's own state has no part in it
        histories.append(fine_tune(twin, data, data, seed=seed, augment=augment, **SETTINGS))
    assert histories[0] == histories[1]
    assert histories[0] != histories[2]
    assert not changed(state_of(twins[0]), twins[1])
    assert changed(state_of(twins[0]), twins[2])


def test_features_kept_from_the_base_change_nothing(model, data):
    """In the first phase the base runs once per set, or at every epoch if there is an `augment`."""
    runs = []
    handle = model.features.register_forward_hook(lambda *_: runs.append(1))
    settings = {**SETTINGS, "head_epochs": 4, "top_epochs": 0, "batch_size": 24}
    twin = copy.deepcopy(model)
    kept = fine_tune(model, data, data, **settings)
    once = len(runs)
    anew = fine_tune(twin, data, data, augment=lambda images, _: images, **settings)
    handle.remove()
    assert once == 3  # one image to find the head, then the training and the validation set
    assert [epoch.train_loss for epoch in kept.epochs] == pytest.approx(
        [epoch.train_loss for epoch in anew.epochs], rel=1e-4
    )
    torch.testing.assert_close(
        model.classifier[1].weight, twin.classifier[1].weight, rtol=1e-3, atol=1e-4
    )


def test_a_model_that_does_more_than_its_head_is_run_whole(data):
    class Doubled(Small):
        def forward(self, x):
            return 2 * super().forward(x)

    model = Doubled()
    history = fine_tune(model, data, data, **{**SETTINGS, "top_epochs": 0})
    assert history.epochs[-1].validation_accuracy == accuracy(model, *data)
    expected = nn.functional.cross_entropy(model.eval()(data[0]), data[1]).item()
    assert history.epochs[-1].validation_loss == pytest.approx(expected)


def test_the_training_loss_is_the_mean_over_all_images(model, data):
    # Steps this small change nothing, and 24 images in batches of 7 leave a smaller last batch.
    model.classifier[0].p = 0.0
    settings = {**SETTINGS, "head_epochs": 1, "top_epochs": 0, "head_rate": 1e-12}
    history = fine_tune(model, data, data, **{**settings, "batch_size": 7})
    expected = nn.functional.cross_entropy(model.eval()(data[0]), data[1]).item()
    assert history.epochs[0].train_loss == pytest.approx(expected, rel=1e-4)


def test_of_equally_good_epochs_the_first_is_the_best(model, data):
    settings = {**SETTINGS, "head_epochs": 3, "top_epochs": 0, "head_rate": 1e-12}
    history = fine_tune(model, data, data, patience=3, **settings)
    assert len({epoch.validation_loss for epoch in history.epochs}) == 1
    assert history.best == 0


def test_early_stopping_restores_the_best_weights(model, data):
    # The validation labels are wrong, so that learning soon increases the loss.
    wrong = data[0], (data[1] + 1) % 3
    settings = {**SETTINGS, "head_epochs": 20, "top_epochs": 20}
    history = fine_tune(model, data, wrong, patience=2, **settings)
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.restored
    assert len(losses) < 40
    assert history.best == losses.index(min(losses))
    assert losses[history.best] < losses[-1]
    model.eval()
    found = nn.functional.cross_entropy(model(wrong[0]), wrong[1]).item()
    assert found == pytest.approx(losses[history.best], rel=1e-5)
    # Each phase waited two epochs after its start or after the best epoch.
    heads = sum(epoch.phase == "head" for epoch in history.epochs)
    assert heads == max(history.best, -1) + 3 if history.best < heads else heads == 20
    assert len(losses) - heads == 2


def test_without_patience_every_epoch_runs_and_the_last_weights_stay(model, data):
    wrong = data[0], (data[1] + 1) % 3
    history = fine_tune(model, data, wrong, **SETTINGS)
    assert len(history.epochs) == 4
    assert not history.restored
    model.eval()
    found = nn.functional.cross_entropy(model(wrong[0]), wrong[1]).item()
    assert found == pytest.approx(history.epochs[-1].validation_loss, rel=1e-5)


def test_augment_sees_training_batches_alone(model, data):
    seen = []

    def record(images, generator):
        seen.append(len(images))
        return images

    fine_tune(model, data, data, augment=record, **SETTINGS)
    assert seen == [7, 7, 7, 3] * 4


def test_progress_is_shown_on_demand(model, data, capsys):
    fine_tune(model, data, data, **SETTINGS)
    assert capsys.readouterr().err == ""
    fine_tune(model, data, data, **{**SETTINGS, "progress": True})
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "phase=top" in shown


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(head_epochs=-1), ValueError, "`head_epochs` \\(-1\\)"),
        (dict(head_epochs=0, top_epochs=0), ValueError, "both 0"),
        (dict(top=0), ValueError, "`top` \\(0\\) must be at least 1"),
        (dict(top=4), ValueError, "`top` \\(4\\) must be at most 3"),
        (dict(head_rate=0), ValueError, "`head_rate`"),
        (dict(base_rate=float("inf")), ValueError, "`base_rate`"),
        (dict(batch_size=0), ValueError, "`batch_size`"),
        (dict(seed=1.5), TypeError, "`seed`"),
        (dict(patience=0), ValueError, "`patience`"),
    ],
)
def test_fine_tune_refuses_settings(model, data, change, error, words):
    before = state_of(model)
    with pytest.raises(error, match=words):
        fine_tune(
            model, data, data, **{**SETTINGS, **change, "head_epochs": change.get("head_epochs", 0)}
        )
    assert not changed(before, model)


def test_fine_tune_refuses_labels_without_an_output(model, data):
    too_many = data[0], data[1] + 1
    with pytest.raises(ValueError, match="`train` has labels from 1 to 3"):
        fine_tune(model, too_many, data, **SETTINGS)
    with pytest.raises(ValueError, match="`validation` has labels from 1 to 3"):
        fine_tune(model, data, too_many, **SETTINGS)
    with pytest.raises(TypeError, match="`train` has labels of dtype"):
        fine_tune(model, (data[0], data[1].float()), data, **SETTINGS)
    with pytest.raises(ValueError, match="`validation` has 24 inputs"):
        fine_tune(model, data, (data[0], data[1][:5]), **SETTINGS)


def test_fine_tune_refuses_a_loss_that_is_not_finite(model, data):
    broken = torch.full_like(data[0], float("inf")), data[1]
    with pytest.raises(FloatingPointError, match=r"`head_rate` \(0.05\)"):
        fine_tune(model, broken, data, **SETTINGS)


def test_fine_tune_refuses_outputs_that_are_no_classes(data):
    model = nn.Sequential(nn.Conv2d(2, 3, 3))
    with pytest.raises(ValueError, match="must output \\(N, classes\\)"):
        fine_tune(model, data, data, **{**SETTINGS, "top_epochs": 0})
