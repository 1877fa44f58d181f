"""One phase of training: epochs of steps, each followed by an evaluation."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from tqdm import tqdm

from cnnref.nn.transfer._checkpoints import Checkpoint, random_state, set_random_state
from cnnref.nn.transfer._data import Batch, Data, Examples, Loss, as_batch
from cnnref.nn.transfer._history import Epoch, Phase

__all__ = [
    "Augment",
    "Run",
    "Schedule",
    "Step",
    "as_factor",
    "device_of",
    "evaluate",
    "forward_all",
]

Augment: TypeAlias = Callable[..., Any]
Schedule: TypeAlias = Callable[[float], float]

# Inputs in one forward pass without gradients.
_AT_ONCE = 64


@dataclass(frozen=True)
class Step:
    """How the weights are updated.

    Attributes:
        rates: Learning rates of the head and of the base.
        loss: The loss.
        size: Examples per step, if the examples are tensors.
        weight_decay: Decoupled from the gradient, as in AdamW.
        schedule: Factor for both rates, a function of the share of the phase that is done.
        max_norm: The largest norm of the gradient.
        augment: Changes a batch (and its labels, if `relabels`).
        relabels: Whether `augment` takes and returns labels too.
    """

    rates: tuple[float, float]
    loss: Loss
    size: int
    weight_decay: float
    schedule: Schedule | None
    max_norm: float | None
    augment: Augment | None
    relabels: bool


@dataclass
class Run:
    """State that one epoch passes to the next, and the first phase to the second."""

    model: nn.Module
    step: Step
    generator: torch.Generator
    patience: int | None
    checkpoint: Checkpoint
    on_epoch: Callable[[Epoch], object] | None
    generators: list[torch.Generator]
    epochs: list[Epoch] = field(default_factory=list)
    best: int = -1
    lowest: float = math.inf
    weights: dict[str, Any] = field(default_factory=dict)
    # The state in which an earlier run was interrupted, until its phase is reached.
    interrupted: dict[str, Any] | None = None

    def phase(
        self,
        name: Phase,
        count: int,
        trained: list[nn.Module],
        net: nn.Module,
        sets: tuple[Data, Data],
        groups: list[dict[str, Any]],
        bar: tqdm[Any],
    ) -> None:
        """Train for `count` epochs, or until patience runs out."""
        # Created after the freezing, since only parameters that train belong in the optimiser.
        # With `weight_decay` 0 this is Adam.
        optimizer = torch.optim.AdamW(groups, weight_decay=self.step.weight_decay)
        learn, check = sets
        first, waited = self._resumed(name, optimizer)
        for done in range(first, count):
            self.model.eval()
            for part in trained:
                part.train()
            loss = self._pass(net, optimizer, learn, done, count)
            self.model.eval()
            validation_loss, share = evaluate(net, check, self.step.loss)
            if not math.isfinite(loss + validation_loss):
                raise FloatingPointError(
                    f"epoch {len(self.epochs) + 1} (phase {name!r}): the loss is not finite; "
                    f"lower `head_rate` ({self.step.rates[0]}) or `base_rate` "
                    f"({self.step.rates[1]})"
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
            ended = waited == self.patience or done + 1 == count
            self._keep(name, count if ended else done + 1, waited, optimizer)
            if self.on_epoch is not None:
                self.on_epoch(self.epochs[-1])
            if ended:
                bar.total -= count - done - 1
                break
        if self.patience is not None:
            self.model.load_state_dict(self.weights)

    def _pass(
        self, net: nn.Module, optimizer: torch.optim.Optimizer, data: Data, done: int, count: int
    ) -> float:
        """Take a step per batch and return the mean loss before the steps."""
        total, seen = 0.0, 0
        device = device_of(net)
        for number, (batch, batches) in enumerate(self._batches(data)):
            if self.step.schedule is not None:
                share = (done + (number / batches if batches else 0)) / count
                factor = as_factor(self.step.schedule(share))
                for group in optimizer.param_groups:
                    group["lr"] = factor * self.step.rates[0 if group["name"] == "head" else 1]
            batch = self._augmented(batch.to(device))
            outputs = net(*batch.inputs)
            self.step.loss.check(batch.labels, outputs, data.name)
            loss = self.step.loss(outputs, batch.labels)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            if self.step.max_norm is not None:
                trained = [one for group in optimizer.param_groups for one in group["params"]]
                nn.utils.clip_grad_norm_(trained, self.step.max_norm)
            optimizer.step()
            total += loss.item() * len(batch)
            seen += len(batch)
        return total / seen

    def _batches(self, data: Data) -> Iterator[tuple[Batch, int | None]]:
        """Return the batches of an epoch, with their number if it is known."""
        if isinstance(data, Examples):
            order = torch.randperm(len(data.batch), generator=self.generator)
            chosen = torch.split(order, self.step.size)
            for rows in chosen:
                yield data.batch[rows], len(chosen)
        else:
            count = data.count()
            for batch in data:
                yield batch, count

    def _augmented(self, batch: Batch) -> Batch:
        augment = self.step.augment
        if augment is None:
            return batch
        inputs: Any = batch.inputs[0] if len(batch.inputs) == 1 else batch.inputs
        if not self.step.relabels:
            return as_batch((augment(inputs, self.generator), batch.labels), "augment", free=True)
        changed = augment(inputs, batch.labels, self.generator)
        if not isinstance(changed, (tuple, list)) or len(changed) != 2:
            raise TypeError(
                f"`augment` returned a {type(changed).__name__}; a function of labels must return "
                "a pair (inputs, labels)"
            )
        return as_batch(changed, "augment", free=not self.step.loss.classifies)

    def _keep(self, phase: Phase, done: int, waited: int, optimizer: torch.optim.Optimizer) -> None:
        if self.checkpoint.path is None:
            return
        self.checkpoint.write(
            {
                "phase": phase,
                "done": done,
                "waited": waited,
                "epochs": [asdict(epoch) for epoch in self.epochs],
                "best": self.best,
                "lowest": self.lowest,
                "weights": self.weights,
                "model": self.model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "random": random_state(self.generators),
            }
        )

    def _resumed(self, phase: Phase, optimizer: torch.optim.Optimizer) -> tuple[int, int]:
        """Return how many epochs of a phase are done, and how many passed without a lower loss."""
        state = self.interrupted
        if state is None or state["phase"] != phase:
            return 0, 0
        self.interrupted = None
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        self.best, self.lowest, self.weights = state["best"], state["lowest"], state["weights"]
        self.model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        set_random_state(state["random"], self.generators)
        return state["done"], state["waited"]


def as_factor(value: Any) -> float:
    """Return a factor for the learning rates, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"`schedule` returned {value!r}; it must return a finite number from 0 up")
    return float(value)


def device_of(net: nn.Module) -> torch.device | None:
    """Return the device of a network's first parameter, if it has one."""
    parameter = next(net.parameters(), None)
    return None if parameter is None else parameter.device


def forward(net: nn.Module, batch: Batch) -> Any:
    """Return the output for a batch, without gradients."""
    with torch.no_grad():
        return net(*batch.to(device_of(net)).inputs)


def forward_all(net: nn.Module, batch: Batch) -> Tensor | None:
    """Return the outputs for many examples, a few at a time; None if they are not tensors."""
    outputs = [forward(net, some) for some in batch.split(_AT_ONCE)]
    return torch.cat(outputs) if _are_tensors(outputs) else None


def evaluate(net: nn.Module, data: Data, loss: Loss) -> tuple[float, float]:
    """Return the mean loss and the share classified correctly, in the mode of `net`."""
    losses: list[tuple[float, int]] = []
    hits = counted = 0
    for outputs, batch in _answers(net, data):
        labels = batch.labels.to(device_of(net))
        loss.check(labels, outputs, data.name)
        losses.append((loss(outputs, labels).item(), len(batch)))
        right, count = loss.right(outputs, labels)
        hits, counted = hits + right, counted + count
    share = hits / counted if counted else math.nan
    if len(losses) == 1:
        return losses[0][0], share  # Times n and divided by n, it could be rounded.
    return sum(one * n for one, n in losses) / sum(n for _, n in losses), share


def _answers(net: nn.Module, data: Data) -> Iterator[tuple[Any, Batch]]:
    """Return outputs and the examples they are for: all at once if they are one tensor."""
    if not isinstance(data, Examples):
        for batch in data:
            yield forward(net, batch), batch
        return
    answers = [(forward(net, some), some) for some in data.batch.split(_AT_ONCE)]
    outputs = [output for output, _ in answers]
    if _are_tensors(outputs):
        answers = [(torch.cat(outputs), data.batch)]
    yield from answers


def _are_tensors(outputs: list[Any]) -> bool:
    return all(isinstance(one, Tensor) and one.ndim for one in outputs)
