"""What `fine_tune` trains on, and how: loaders, labels, losses, schedules, checkpoints."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from cnnref.nn.augmentation import mixup
from cnnref.nn.transfer import accuracy, fine_tune

SETTINGS = dict(
    head_epochs=2, top_epochs=2, top=1, head_rate=0.05, base_rate=0.01, batch_size=5, progress=False
)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
            nn.Sequential(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.ReLU()),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.3), nn.Linear(5, 3))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


@pytest.fixture
def model():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net = Network().train()
        net(1 + torch.randn(8, 2, 6, 6))
    return net.eval()


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(12) % 3
    return torch.randn(12, 2, 6, 6, generator=generator) + labels[:, None, None, None], labels


def assert_equal(one, other):
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def trained(model, *sets, **change):
    twin = copy.deepcopy(model)
    history = fine_tune(twin, *sets, **{**SETTINGS, **change})
    return twin, history


# --- Batches


class Shuffled:
    """Batches in the order in which `fine_tune` draws them, from the same seed."""

    def __init__(self, data, size, seed=0):
        self.data, self.size = data, size
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        order = torch.randperm(len(self.data[0]), generator=self.generator)
        for rows in order.split(self.size):
            yield self.data[0][rows], self.data[1][rows]


def identity(images, generator):
    return images


def test_batches_train_as_the_same_examples_in_tensors(model, data):
    # With an `augment` the base is not computed beforehand, as with batches.
    one, first = trained(model, data, data, augment=identity)
    other, second = trained(model, Shuffled(data, 5), [data])
    assert_equal(one, other)
    assert first == second
    third, _ = trained(model, Shuffled(data, 5, seed=1), [data])
    assert not torch.equal(third.classifier[1].weight, one.classifier[1].weight)


def test_a_loader_trains_as_a_loop_over_it(model, data):
    model.classifier[0].p = 0.0
    loader = DataLoader(
        TensorDataset(*data), 5, shuffle=True, generator=torch.Generator().manual_seed(3)
    )
    twin, history = trained(model, loader, DataLoader(TensorDataset(*data), 4), top_epochs=0)
    loader.generator.manual_seed(3)
    model.requires_grad_(False)
    head = model.classifier[1].requires_grad_(True)
    optimizer = torch.optim.Adam(head.parameters(), 0.05)
    for epoch in history.epochs:
        losses = []
        for images, labels in loader:
            loss = functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += [loss.item()] * len(labels)
        assert epoch.train_loss == pytest.approx(sum(losses) / 12, rel=1e-5)
        expected = functional.cross_entropy(model(data[0]), data[1]).item()
        assert epoch.validation_loss == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(twin.classifier[1].weight, head.weight)
    assert accuracy(twin, loader) == accuracy(twin, *data)


def test_a_loader_that_shuffles_by_the_global_generator_depends_on_the_seed_alone(model, data):
    loader = DataLoader(TensorDataset(*data), 5, shuffle=True)
    results = []
    for seed in (4, 4, 5):
        torch.rand(seed)  # The reader's own state has no part in it.
        results.append(trained(model, loader, [data], seed=seed)[0])
    assert_equal(results[0], results[1])
    assert not torch.equal(results[0].classifier[1].weight, results[2].classifier[1].weight)


def test_a_loader_without_a_length(model, data):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(zip(*data, strict=True))

    shares = []

    def schedule(share):
        shares.append(share)
        return 1.0

    stream = DataLoader(Stream(), 5)
    _, history = trained(model, stream, stream, schedule=schedule)
    assert len(history.epochs) == 4
    # The first call checks the schedule; after that 3 batches in each of 2 epochs of 2 phases.
    assert shares == [0.0] + ([0.0] * 3 + [0.5] * 3) * 2


def test_several_inputs_are_a_tuple(data):
    class Two(Network):
        def forward(self, images, shift):
            return super().forward(images + shift[:, None, None, None])

    torch.manual_seed(0)
    model = Two().eval()
    images, labels = data
    shift = torch.arange(12.0) / 10
    pairs = (images, shift), labels
    one, first = trained(model, pairs, pairs, augment=lambda inputs, _: inputs)
    other, second = trained(model, Shuffled2(images, shift, labels), [pairs])
    assert first == second
    assert_equal(one, other)
    assert accuracy(one, (images, shift), labels) == first.epochs[-1].validation_accuracy
    with pytest.raises(TypeError, match="`train` holds 1 argument, but `forward` takes"):
        fine_tune(model, data, data, **SETTINGS)
    with pytest.raises(TypeError, match="`inputs` holds 1 argument"):
        accuracy(model, *data)


class Shuffled2(Shuffled):
    def __init__(self, images, shift, labels):
        super().__init__((torch.arange(12), labels), 5)
        self.both = images, shift

    def __iter__(self):
        for rows, labels in super().__iter__():
            yield tuple(one[rows] for one in self.both), labels


# --- Labels


@pytest.mark.parametrize(
    "convert",
    [
        lambda labels: labels.to(torch.int32), lambda labels: labels.to(torch.uint8),
        lambda labels: labels.to(torch.uint16), lambda labels: labels.numpy(),
        lambda labels: labels.numpy().astype(np.uint64), lambda labels: labels.tolist(),
        lambda labels: labels.numpy()[::-1][::-1],
        lambda labels: functional.one_hot(labels, 3).float(),
        lambda labels: functional.one_hot(labels, 3).double().numpy(),
    ],
)  # fmt: skip
def test_labels_of_every_kind_train_alike(model, data, convert):
    one, first = trained(model, data, data)
    labels = convert(data[1])
    if getattr(labels, "dtype", None) == np.float64:
        labels = labels.astype(np.float32)
    other, second = trained(model, (data[0].numpy(), labels), (data[0], labels))
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)
    for here, there in zip(first.epochs, second.epochs, strict=True):
        assert here.validation_accuracy == there.validation_accuracy
        assert here.train_loss == pytest.approx(there.train_loss, rel=1e-4)
    assert accuracy(other, data[0], labels) == accuracy(other, *data)


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        (torch.arange(12) % 3 > 0, TypeError, "labels of dtype torch.bool"),
        ([0.5] * 12, TypeError, r"class numbers must be integers \(`labels.long\(\)`\)"),
        (["cat"] * 12, TypeError, "must be numbers"),
        (torch.ones(12, 3), ValueError, "do not sum to 1"),
        (torch.tensor([[2.0, -1.0, 0.0]] * 12), ValueError, "negative"),
        (torch.full((12, 2), 0.5), ValueError, r"probabilities must be \(N, 3\)"),
        (
            torch.zeros(12, 4, 4, dtype=torch.long),
            ValueError,
            r"shape \(N, 4, 4\); they must be \(N,\)",
        ),
        (torch.arange(11) % 3, ValueError, "12 inputs and labels of shape"),
        (torch.arange(12) % 4, ValueError, "labels from 0 to 3; they must be from 0 to 2"),
    ],
)
def test_labels_that_are_refused_change_nothing(model, data, labels, error, words):
    twin = copy.deepcopy(model)
    for sets, name in ((((data[0], labels), data), "train"), ((data, (data[0], labels)), "valid")):
        with pytest.raises(error, match=f"`{name}.*{words}"):
            fine_tune(model, *sets, **SETTINGS)
    batches = [data, (data[0], labels)]
    with pytest.raises(error, match=words):
        fine_tune(model, batches, [data], **SETTINGS)
    assert_equal(model, twin)
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("where", ["train", "validation"])
def test_a_late_batch_that_is_refused_gives_the_weights_back(model, data, where):
    class Late:
        """Not a sequence, so that nobody can look ahead."""

        def __iter__(self):
            yield data
            yield data[0], data[1] + 2

    model(data[0]).sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    twin = copy.deepcopy(model)
    modes = [(type(layer), layer.training) for layer in model.modules()]
    sets = (Late(), [data]) if where == "train" else ([data], Late())
    with pytest.raises(ValueError, match=f"`{where}` has labels from 2 to 4"):
        fine_tune(model, *sets, **SETTINGS)
    assert_equal(model, twin)
    assert [(type(layer), layer.training) for layer in model.modules()] == modes
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert parameter.grad is gradient


def test_an_error_after_an_epoch_keeps_what_was_trained(model, data):
    def interrupt(epoch):
        raise ValueError("the reader's own")

    twin = copy.deepcopy(model)
    with pytest.raises(ValueError, match="the reader's own"):
        fine_tune(model, data, data, **SETTINGS, on_epoch=interrupt)
    assert not torch.equal(model.classifier[1].weight, twin.classifier[1].weight)
    assert torch.equal(model.features[0][1].running_mean, twin.features[0][1].running_mean)


def test_a_refused_call_leaves_gradients_alone(model, data):
    model(data[0]).sum().backward()
    before = [parameter.grad for parameter in model.parameters()]
    with pytest.raises(ValueError, match="`top`"):
        fine_tune(model, data, data, **{**SETTINGS, "top": 9})
    assert [parameter.grad for parameter in model.parameters()] == before


@pytest.mark.parametrize(
    ("train", "error", "words"),
    [
        (lambda data: iter([data]), TypeError, "`train` is an iterator"),
        (lambda data: (batch for batch in [data]), TypeError, "yields its batches only once"),
        (lambda data: [], ValueError, "`train` has no batches"),
        (lambda data: data[0], TypeError, "`train` is a Tensor"),
        (lambda data: None, TypeError, "`train` is a NoneType"),
        (lambda data: {"x": data}, TypeError, "`train` is a dict"),
        (lambda data: [data[0]], TypeError, "`train` has a batch of Tensor"),
        (lambda data: [(*data, data[1])], TypeError, "`train` has a batch of 3 items"),
        (lambda data: [("images", data[1])], TypeError, "inputs of type str"),
        (lambda data: (data[0][:0], data[1][:0]), ValueError, "at least one"),
    ],
)
def test_sets_that_are_refused(model, data, train, error, words):
    twin = copy.deepcopy(model)
    with pytest.raises(error, match=words):
        fine_tune(model, train(data), data, **SETTINGS)
    assert_equal(model, twin)


def test_an_empty_source_is_refused(model, data):
    class Empty:
        def __iter__(self):
            return iter(())

    with pytest.raises(ValueError, match="`validation` has no batches"):
        fine_tune(model, data, Empty(), **SETTINGS)


# --- Maps of classes


def test_maps_of_classes_count_positions(data):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1))
    maps = (data[0].sum(1) > 1).long()
    loss = nn.CrossEntropyLoss(ignore_index=255)
    maps[:, 0] = 255
    with pytest.raises(ValueError, match="`train` has labels from 0 to 255"):
        fine_tune(model, (data[0], maps), (data[0], maps), **SETTINGS)
    history = fine_tune(model, (data[0], maps), (data[0], maps), **SETTINGS, loss=loss)
    hits = model(data[0]).argmax(1)[:, 1:] == maps[:, 1:]
    assert history.epochs[-1].validation_accuracy == pytest.approx(hits.double().mean().item())
    expected = loss(model(data[0]), maps).item()
    assert history.epochs[-1].validation_loss == pytest.approx(expected, rel=1e-5)


# --- The loss, the step and the augmentation


def test_the_loss_is_the_caller_s(model, data):
    smooth = nn.CrossEntropyLoss(label_smoothing=0.2)
    one, history = trained(model, data, data, loss=smooth)
    expected = smooth(one(data[0]), data[1]).item()
    assert history.epochs[-1].validation_loss == pytest.approx(expected, rel=1e-5)
    same, _ = trained(model, data, data, loss=functional.cross_entropy)
    plain, _ = trained(model, data, data)
    assert_equal(same, plain)
    assert not torch.equal(one.classifier[1].weight, plain.classifier[1].weight)


def test_a_loss_of_numbers_has_no_accuracy(model, data):
    targets = torch.randn(12, 3)

    def squared(outputs, wanted):
        return (outputs - wanted).square().mean()

    one, history = trained(model, (data[0], targets), [(data[0], targets)], loss=squared)
    expected = squared(one(data[0]), targets).item()
    assert history.epochs[-1].validation_loss == pytest.approx(expected, rel=1e-5)
    other = data[0], torch.randn(12)
    _, history = trained(
        model, other, other, loss=lambda outputs, wanted: (outputs[:, 0] - wanted).square().mean()
    )
    assert math.isnan(history.epochs[-1].validation_accuracy)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(loss="mse"), TypeError, r"`loss` \('mse'\) must be a function"),
        (dict(loss=nn.Sequential(nn.Linear(2, 2))), ValueError, "`loss` has parameters"),
        (dict(loss=lambda o, t: o), ValueError, r"`loss` returned \(\d+, 3\); it must return"),
        (dict(loss=lambda o, t: 1.0), ValueError, "`loss` returned float"),
        (dict(weight_decay=-0.1), ValueError, r"`weight_decay` \(-0.1\)"),
        (dict(weight_decay=math.nan), ValueError, r"`weight_decay` \(nan\)"),
        (dict(weight_decay=True), ValueError, r"`weight_decay` \(True\)"),
        (dict(max_norm=0), ValueError, r"`max_norm` \(0\)"),
        (dict(schedule=0.5), TypeError, r"`schedule` \(0.5\) must be a function"),
        (dict(schedule=lambda share: None), ValueError, "`schedule` returned None"),
        (dict(schedule=lambda share: -1.0), ValueError, "`schedule` returned -1.0"),
        (dict(schedule=lambda share: 1 if share < 0.1 else math.inf), ValueError, "returned inf"),
        (dict(on_epoch=3), TypeError, r"`on_epoch` \(3\) must be a function"),
        (dict(augment=3), TypeError, r"`augment` \(3\) must be a function"),
        (dict(augment=lambda images: images), TypeError, "`augment` takes 1 arguments"),
        (dict(augment=lambda i, g: i[:2]), ValueError, "`augment` has 2 inputs and labels"),
        (dict(augment=lambda i, y, g: i), TypeError, "`augment` returned a Tensor"),
        (dict(augment=lambda i, y, g: (i, y + 9)), ValueError, "`train` has labels from 9"),
    ],
)
def test_settings_that_are_refused_change_nothing(model, data, change, error, words):
    twin = copy.deepcopy(model)
    with pytest.raises(error, match=words):
        fine_tune(model, data, data, **{**SETTINGS, **change})
    assert_equal(model, twin)


def by_hand(model, data, *, steps, decay=0.0, factor=lambda number: 1.0, longest=None):
    """Train the head of a network without dropout, all examples in each batch."""
    model.requires_grad_(False)
    head = model.classifier[1].requires_grad_(True)
    optimizer = torch.optim.AdamW(head.parameters(), 0.05, weight_decay=decay)
    order = torch.Generator().manual_seed(0)
    for number in range(steps):
        rows = torch.randperm(12, generator=order)
        optimizer.param_groups[0]["lr"] = 0.05 * factor(number)
        optimizer.zero_grad()
        functional.cross_entropy(model(data[0][rows]), data[1][rows]).backward()
        if longest is not None:
            nn.utils.clip_grad_norm_(head.parameters(), longest)
        optimizer.step()


@pytest.mark.parametrize(
    ("change", "hand"),
    [
        (dict(weight_decay=0.3), dict(decay=0.3)),
        (dict(max_norm=0.01), dict(longest=0.01)),
        (dict(schedule=lambda share: 1 - share), dict(factor=lambda number: 1 - number / 4)),
    ],
)
def test_a_step_is_the_one_that_was_asked_for(model, data, change, hand):
    model.classifier[0].p = 0.0
    one, _ = trained(
        model, data, data, head_epochs=4, top_epochs=0, batch_size=12, augment=identity, **change
    )
    plain, _ = trained(
        model, data, data, head_epochs=4, top_epochs=0, batch_size=12, augment=identity
    )
    by_hand(model, data, steps=4, **hand)
    torch.testing.assert_close(one.classifier[1].weight, model.classifier[1].weight)
    assert not torch.allclose(plain.classifier[1].weight, model.classifier[1].weight, rtol=1e-3)


def test_the_schedule_counts_the_steps_of_each_phase(model, data):
    shares = []

    def schedule(share):
        shares.append(share)
        return 1.0

    one, _ = trained(model, data, data, schedule=schedule)
    # The first call checks it. Then 3 batches in each of 2 epochs, in each of 2 phases.
    assert shares == pytest.approx([0.0] + [number / 6 for number in range(6)] * 2)
    assert_equal(one, trained(model, data, data)[0])


def test_a_factor_of_zero_stops_both_rates(model, data):
    one, _ = trained(model, data, data, schedule=lambda share: 0.0)
    assert_equal(one, model)


def test_mixup_changes_images_and_labels(model, data):
    seen = []

    def augment(images, labels, generator):
        mixed = mixup(images, labels, 3, alpha=1.0, generator=generator)
        seen.append(mixed[1])
        return mixed

    one, history = trained(model, data, data, augment=augment)
    again, _ = trained(model, data, data, augment=augment)
    assert_equal(one, again)
    assert [len(labels) for labels in seen[:3]] == [5, 5, 2]
    assert all(labels.shape[1] == 3 for labels in seen)
    assert any(0.01 < float(labels[0].max()) < 0.99 for labels in seen)
    assert history.epochs[-1].train_loss != trained(model, data, data)[1].epochs[-1].train_loss


# --- Between epochs


def test_on_epoch_sees_every_epoch_and_the_model_in_eval_mode(model, data):
    seen = []

    def look(epoch):
        seen.append((epoch, model.training))

    history = fine_tune(model, data, data, **SETTINGS, on_epoch=look)
    assert seen == [(epoch, False) for epoch in history.epochs]


class Stop(Exception):
    pass


@pytest.mark.parametrize("patience", [None, 1, 5])
@pytest.mark.parametrize("stop", [1, 2, 3, 4])
@pytest.mark.parametrize("loader", [False, True])
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    model, data, tmp_path, patience, stop, loader
):
    def sets():
        if not loader:
            return data, data
        source = TensorDataset(*data)
        generator = torch.Generator().manual_seed(2)
        return DataLoader(source, 5, shuffle=True, generator=generator), DataLoader(source, 12)

    settings = {**SETTINGS, "patience": patience, "weight_decay": 0.1}
    twin = copy.deepcopy(model)
    expected = fine_tune(twin, *sets(), **settings)
    epochs = []

    def interrupt(epoch):
        epochs.append(epoch)
        if len(epochs) == stop:
            raise Stop

    file = tmp_path / "run.pt"
    start = copy.deepcopy(model)
    if stop <= len(expected.epochs):
        with pytest.raises(Stop):
            fine_tune(start, *sets(), **settings, checkpoint=file, on_epoch=interrupt)
    # Another process: a new model, and nothing else but the file.
    resumed = copy.deepcopy(model)
    history = fine_tune(resumed, *sets(), **settings, checkpoint=str(file))
    assert history == expected
    assert_equal(resumed, twin)
    # It is finished: the same call trains no more.
    again = copy.deepcopy(model)
    assert fine_tune(again, *sets(), **settings, checkpoint=file) == expected
    assert_equal(again, twin)
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(seed=1), r"seed \(0, now 1\)"),
        (dict(top="features.0"), r"top \(\['features.1'\], now \['features.0'\]\)"),
        (dict(head_rate=0.1, batch_size=4), r"rates .*batch_size \(5, now 4\)"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(model, data, tmp_path, change, words):
    file = tmp_path / "run.pt"
    trained(model, data, data, checkpoint=file)
    twin = copy.deepcopy(model)
    with pytest.raises(ValueError, match=f"`checkpoint` .*other settings: {words}"):
        fine_tune(model, data, data, **{**SETTINGS, **change}, checkpoint=file)
    wider = copy.deepcopy(model)
    wider.features[1][0] = nn.Conv2d(4, 5, 1)
    before = copy.deepcopy(wider)
    with pytest.raises(ValueError, match="belongs to a model with other layers"):
        fine_tune(wider, data, data, **SETTINGS, checkpoint=file)
    assert_equal(wider, before)
    file.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="is not a checkpoint of `fine_tune`"):
        fine_tune(model, data, data, **SETTINGS, checkpoint=file)
    assert_equal(model, twin)
