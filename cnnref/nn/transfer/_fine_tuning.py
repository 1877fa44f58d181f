"""The two phases of fine-tuning: the head alone, then the head and the top of the base."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from cnnref._checks import as_int
from cnnref.nn._state import restored
from cnnref.nn.transfer._freezing import freeze, unfreeze
from cnnref.nn.transfer._heads import as_rate, head_of, parameter_groups, unfreeze_top

__all__ = ["Epoch", "History", "accuracy", "fine_tune"]

Examples = tuple[Tensor, Tensor]
Augment = Callable[[Tensor, torch.Generator], Tensor]

# Inputs in one forward pass without gradients.
_AT_ONCE = 64


def accuracy(model: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """Return the share of inputs whose largest output is that of their label.

    The model runs in eval mode and without gradients, and is left as it was.

    Args:
        model: The network; its output is (N, classes).
        inputs: Its inputs, (N, ...).
        labels: The classes, int64, (N,).

    Raises:
        TypeError: If the labels are not int64.
        ValueError: If there is no input, the numbers of inputs and labels differ, or a label is
            not a class of the model.

    Examples:
        >>> accuracy(nn.Identity(), torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
        0.5
    """
    images, classes = _examples((inputs, labels), "inputs")
    with restored(model):
        return _evaluate(model.eval(), images, classes)[1]


@dataclass(frozen=True)
class Epoch:
    """One pass over the training set.

    Attributes:
        phase: "head" (the base frozen) or "top" (the top of the base trains too).
        train_loss: Mean cross-entropy of the batches, each before its step.
        validation_loss: Mean cross-entropy on the validation set, after the epoch.
        validation_accuracy: Share of the validation set that is classified correctly.
    """

    phase: Literal["head", "top"]
    train_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class History:
    """What `fine_tune` did.

    Attributes:
        epochs: Every epoch, in order.
        best: Index in `epochs` of the lowest validation loss.
        restored: Whether the model ended with the weights of that epoch (`patience` given) rather
            than with the last ones.
    """

    epochs: tuple[Epoch, ...]
    best: int
    restored: bool


def fine_tune(
    model: nn.Module,
    train: Examples,
    validation: Examples,
    *,
    head_epochs: int,
    top_epochs: int,
    top: int,
    head_rate: float,
    base_rate: float,
    batch_size: int = 16,
    seed: int = 0,
    augment: Augment | None = None,
    patience: int | None = None,
    progress: bool = True,
) -> History:
    """Train a model's head, then its head and the top of its base together.

    First phase, "head": everything but the head (`head_of`) is frozen and in eval mode. Without
    `augment` the output of the base is then the same at every epoch, so it is computed once.
    Second phase, "top": the last `top` children of ``model.features`` train too, at `base_rate`,
    with a new optimiser; their batch norm statistics stay fixed (`unfreeze_top`). What does not
    train is in eval mode throughout. The optimiser is Adam, the loss cross-entropy.

    Afterwards every layer has the mode and every parameter the ``requires_grad`` it had before, and
    no gradient is left. The random numbers (shuffling, dropout, `augment`) come from `seed`, and
    torch's own generators are left as they were: on one machine, with the same number of threads,
    the same call gives the same weights, bit for bit.

    Args:
        model: A network whose output is (N, classes), with as many outputs as there are classes
            (`replace_head`). It is trained in place.
        train: Inputs as the model takes them (preprocessed), and their labels.
        validation: The same for the examples evaluated after each epoch, which never train.
        head_epochs: Epochs of the first phase; 0 leaves it out.
        top_epochs: Epochs of the second phase; 0 leaves it out.
        top: Number of children of ``model.features`` that train in the second phase.
        head_rate: Learning rate of the head, in both phases.
        base_rate: Learning rate of the unfrozen part of the base.
        batch_size: Examples per step.
        seed: Determines everything that is random.
        augment: Called on each training batch, with a generator; returns a batch of the same shape.
        patience: A phase ends after this many epochs in a row without a lower validation loss, and
            each phase ends with the weights of the lowest one so far. The validation set has then
            chosen the weights, so measure the result on a third set. None: every epoch is run and
            the last weights stay.
        progress: Whether to show a progress bar (on stderr).

    Raises:
        TypeError: If a count is not an integer, or labels are not int64.
        ValueError: If a count or rate is out of range, both numbers of epochs are 0, examples and
            labels do not match, or a label is not a class of the model.
        FloatingPointError: If the loss is not finite.

    Examples:
        >>> model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> points = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
        >>> data = points, torch.tensor([0, 1, 0, 1])
        >>> before = model[0].weight.clone()
        >>> history = fine_tune(model, data, data, head_epochs=40, top_epochs=0, top=0,
        ...                     head_rate=0.1, base_rate=0.01, progress=False)
        >>> len(history.epochs), torch.equal(model[0].weight, before)
        (40, True)

    Source:
        Kumar and others, *Fine-tuning can distort pretrained features and underperform
        out-of-distribution*, arXiv:2202.10054 (the head first, then everything).
    """
    epochs = {
        "head": as_int(head_epochs, "head_epochs", 0),
        "top": as_int(top_epochs, "top_epochs", 0),
    }
    if not any(epochs.values()):
        raise ValueError("`head_epochs` and `top_epochs` are both 0; one must be at least 1")
    opened = as_int(top, "top", 1 if epochs["top"] else 0)
    rates = as_rate(head_rate, "head_rate"), as_rate(base_rate, "base_rate")
    run = _Run(
        model,
        size=as_int(batch_size, "batch_size", 1),
        generator=torch.Generator().manual_seed(as_int(seed, "seed", 0)),
        augment=augment,
        patience=None if patience is None else as_int(patience, "patience", 1),
    )
    learn, check = _examples(train, "train"), _examples(validation, "validation")
    head = head_of(model)
    bar = tqdm(total=sum(epochs.values()), unit="epoch", disable=not progress)
    with bar, restored(model, trained=True):
        torch.manual_seed(seed)
        freeze(model).eval()
        unfreeze(head)
        _check_labels(model, learn, check)
        if epochs["head"]:
            net, sets = model, (learn, check)
            if augment is None:
                net, sets = _from_features(model, head, learn, check)
            run.phase("head", epochs["head"], [head], net, sets, rates, bar)
        if epochs["top"]:
            trained = [head, *unfreeze_top(model, opened)]
            run.phase("top", epochs["top"], trained, model, (learn, check), rates, bar)
    return History(tuple(run.epochs), run.best, run.patience is not None)


@dataclass
class _Run:
    """State that one epoch passes to the next, and the first phase to the second."""

    model: nn.Module
    size: int
    generator: torch.Generator
    augment: Augment | None
    patience: int | None
    epochs: list[Epoch] = field(default_factory=list)
    best: int = -1
    lowest: float = math.inf
    weights: dict[str, Any] = field(default_factory=dict)

    def phase(
        self,
        name: Literal["head", "top"],
        count: int,
        trained: list[nn.Module],
        net: nn.Module,
        sets: tuple[Examples, Examples],
        rates: tuple[float, float],
        bar: tqdm[Any],
    ) -> None:
        """Train for `count` epochs, or until patience runs out."""
        # Created after the freezing, since only parameters that train belong in the optimiser.
        optimizer = torch.optim.Adam(parameter_groups(self.model, *rates))
        learn, check = sets
        waited = 0
        for done in range(1, count + 1):
            self.model.eval()
            for part in trained:
                part.train()
            loss = self._pass(net, optimizer, *learn)
            self.model.eval()
            validation_loss, share = _evaluate(net, *check)
            if not math.isfinite(loss + validation_loss):
                raise FloatingPointError(
                    f"epoch {len(self.epochs) + 1} (phase {name!r}): the loss is not finite; "
                    f"lower `head_rate` ({rates[0]}) or `base_rate` ({rates[1]})"
                )
            self.epochs.append(Epoch(name, loss, validation_loss, share))
            bar.set_postfix(phase=name, loss=f"{loss:.3f}", accuracy=f"{share:.3f}", refresh=False)
            bar.update()
            waited += 1
            if validation_loss < self.lowest:
                waited = 0
                self.lowest, self.best = validation_loss, len(self.epochs) - 1
                if self.patience is not None:
                    self.weights = copy.deepcopy(self.model.state_dict())
            if waited == self.patience:
                bar.total -= count - done
                break
        if self.patience is not None:
            self.model.load_state_dict(self.weights)

    def _pass(
        self, net: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor, labels: Tensor
    ) -> float:
        """Take a step per batch, in random order, and return the mean loss before the steps."""
        total = 0.0
        order = torch.randperm(len(inputs), generator=self.generator)
        for rows in torch.split(order, self.size):
            images = inputs[rows]
            if self.augment is not None:
                images = self.augment(images, self.generator)
            loss = functional.cross_entropy(net(images), labels[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            total += loss.item() * len(rows)
        return total / len(inputs)


def _from_features(
    model: nn.Module, head: nn.Module, learn: Examples, check: Examples
) -> tuple[nn.Module, tuple[Examples, Examples]]:
    """Return the head and its inputs from the frozen base, so that the base runs only once.

    If the model does anything with the head's output but return it, return the model itself.
    """
    sets = []
    for inputs, labels in (learn, check):
        caught: list[Tensor] = []
        with head.register_forward_pre_hook(lambda _, args, kept=caught: kept.append(args[0])):
            outputs = _forward(model, inputs)
        features = torch.cat(caught)
        if len(features) != len(inputs) or not torch.equal(_forward(head, features), outputs):
            return model, (learn, check)
        sets.append((features, labels))
    return head, (sets[0], sets[1])


def _forward(net: nn.Module, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([net(images) for images in torch.split(inputs, _AT_ONCE)])


def _evaluate(net: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the mean cross-entropy and the share classified correctly, in the mode of `net`."""
    outputs = _forward(net, inputs)
    _check_range(labels, outputs, "labels")
    share = (outputs.argmax(dim=1) == labels).double().mean().item()
    return functional.cross_entropy(outputs, labels).item(), share


def _check_labels(model: nn.Module, learn: Examples, check: Examples) -> None:
    """Refuse labels that are no class of the model before any training."""
    outputs = _forward(model, learn[0][:1])
    _check_range(learn[1], outputs, "train")
    _check_range(check[1], outputs, "validation")


def _check_range(labels: Tensor, outputs: Tensor, name: str) -> None:
    if outputs.ndim != 2:
        raise ValueError(
            f"`model` outputs shape {tuple(outputs.shape)}; it must output (N, classes)"
        )
    low, high, classes = int(labels.min()), int(labels.max()), outputs.shape[1]
    if low < 0 or high >= classes:
        raise ValueError(
            f"`{name}` has labels from {low} to {high}; they must be from 0 to {classes - 1}: "
            f"`model` has {classes} outputs"
        )


def _examples(pair: Examples, name: str) -> Examples:
    inputs, labels = pair
    if labels.dtype != torch.int64:
        raise TypeError(f"`{name}` has labels of dtype {labels.dtype}; they must be torch.int64")
    if labels.shape != inputs.shape[:1] or not len(labels):
        raise ValueError(
            f"`{name}` has {len(inputs)} inputs and labels of shape {tuple(labels.shape)}; it must "
            "have one label per input, and at least one"
        )
    return inputs, labels
