"""Examples to train on: two tensors, or batches that a loader yields; and their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "Batch",
    "Batches",
    "Data",
    "Examples",
    "Loss",
    "LossFunction",
    "as_batch",
    "as_data",
    "as_labels",
]

LossFunction: TypeAlias = Callable[[Any, Tensor], Tensor]

# How far the probabilities of a soft label may be from a sum of 1.
_SLACK = 1e-3


@dataclass(frozen=True)
class Batch:
    """Some examples: the model's arguments, each (N, ...), and their labels, (N, ...)."""

    inputs: tuple[Tensor, ...]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Tensor | slice) -> Batch:
        return Batch(tuple(one[rows] for one in self.inputs), self.labels[rows])

    def split(self, size: int) -> list[Batch]:
        """Return batches of `size` examples, the last one of the rest."""
        return [self[start : start + size] for start in range(0, len(self), size)]

    def to(self, device: torch.device | None) -> Batch:
        """Return the batch on a device; None leaves it where it is."""
        if device is None:
            return self
        return Batch(tuple(one.to(device) for one in self.inputs), self.labels.to(device))


@dataclass(frozen=True)
class Examples:
    """All examples at once, in memory."""

    batch: Batch
    name: str

    def first(self) -> Batch:
        """Return one example."""
        return self.batch[:1]

    def known(self) -> Iterator[Batch]:
        """Return what can be checked before training: everything."""
        yield self.batch


@dataclass(frozen=True)
class Batches:
    """Anything that yields batches each time it is iterated over."""

    source: Iterable[Any]
    name: str
    free: bool

    def __iter__(self) -> Iterator[Batch]:
        for item in self.source:
            yield as_batch(item, self.name, free=self.free)

    def first(self) -> Batch:
        """Return one example of the first batch, and leave the random state as it was."""
        with self._undrawn():
            for batch in self:
                return batch[:1]
        raise ValueError(f"`{self.name}` has no batches; it must have at least one")

    def known(self) -> Iterator[Batch]:
        """Return the batches of a sequence, which can be checked without loading them twice."""
        if isinstance(self.source, Sequence):
            yield from self

    def count(self) -> int | None:
        """Return the number of batches, or None if the source does not know."""
        try:
            return len(self.source)  # type: ignore[arg-type]
        except TypeError:
            return None

    def generators(self) -> list[torch.Generator]:
        """Return the generators of a DataLoader, from which its order comes."""
        owners = (self.source, getattr(self.source, "sampler", None))
        found = {id(one): one for one in (getattr(owner, "generator", None) for owner in owners)}
        return [one for one in found.values() if isinstance(one, torch.Generator)]

    @contextmanager
    def _undrawn(self) -> Iterator[None]:
        states = [(one, one.get_state()) for one in self.generators()]
        with torch.random.fork_rng([]):
            yield
        for generator, state in states:
            generator.set_state(state)


Data: TypeAlias = Examples | Batches


def as_data(given: Any, name: str, *, free: bool = False) -> Data:
    """Return examples, or a source of batches.

    Args:
        given: A pair (inputs, labels), or an iterable of such pairs.
        name: Name of the caller's argument, for error messages.
        free: Whether labels may be anything, for a loss of the caller's own.

    Raises:
        TypeError: If it is neither, or the labels are of the wrong kind.
        ValueError: If inputs and labels do not match, or there are none.
    """
    if _is_pair(given):
        return Examples(as_batch(given, name, free=free), name)
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes, Tensor, np.ndarray, dict)):
        raise TypeError(
            f"`{name}` is a {type(given).__name__}; it must be a pair (inputs, labels), or an "
            "iterable of such pairs, such as a DataLoader"
        )
    if isinstance(given, Iterator):
        raise TypeError(
            f"`{name}` is an iterator, which yields its batches only once; pass a DataLoader or a "
            "list of batches"
        )
    if isinstance(given, Sequence) and not given:
        raise ValueError(f"`{name}` has no batches; it must have at least one")
    return Batches(given, name, free)


def _is_pair(given: Any) -> bool:
    """Return whether this is (inputs, labels), and not a sequence of two such batches."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        return False
    arrays = (Tensor, np.ndarray)
    inputs, labels = given
    if isinstance(inputs, (tuple, list)):
        return isinstance(labels, arrays)
    return isinstance(inputs, arrays)


def as_batch(item: Any, name: str, *, free: bool = False) -> Batch:
    """Return a pair (inputs, labels) as tensors that match.

    Raises:
        TypeError: If it is not such a pair, or the labels are of the wrong kind.
        ValueError: If the numbers of inputs and labels differ, or there are none.
    """
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        what = f"{len(item)} items" if isinstance(item, (tuple, list)) else type(item).__name__
        raise TypeError(f"`{name}` has a batch of {what}; a batch must be a pair (inputs, labels)")
    given, labels = item
    several = given if isinstance(given, (tuple, list)) else [given]
    inputs = []
    for one in several:
        if not isinstance(one, (Tensor, np.ndarray)):
            raise TypeError(
                f"`{name}` has inputs of type {type(one).__name__}; they must be a tensor, or a "
                "tuple of tensors if the model takes several"
            )
        inputs.append(_usable(torch.as_tensor(one)))
    batch = Batch(tuple(inputs), _usable(as_labels(labels, name, free=free)))
    counts = [len(one) if one.ndim else 0 for one in (*inputs, batch.labels)]
    if len(set(counts)) != 1 or not counts[0]:
        raise ValueError(
            f"`{name}` has {counts[0]} inputs and labels of shape {tuple(batch.labels.shape)}; it "
            "must have one label per input, and at least one"
        )
    return batch


def _usable(tensor: Tensor) -> Tensor:
    """Return a tensor that autograd accepts, which one made in inference mode is not."""
    return tensor.clone() if tensor.is_inference() else tensor


def as_labels(labels: Any, name: str, *, free: bool = False) -> Tensor:
    """Return labels as a tensor: class numbers as int64, or probabilities as they are."""
    if not isinstance(labels, Tensor):
        array = np.asarray(labels)
        if array.dtype.kind not in "iufb":
            raise TypeError(f"`{name}` has labels of type {array.dtype}; they must be numbers")
        labels = torch.from_numpy(array.copy())
    given: Tensor = labels
    if free:
        return given
    if given.dtype == torch.bool or given.is_complex():
        raise TypeError(
            f"`{name}` has labels of dtype {given.dtype}; they must be integers, or probabilities "
            "of shape (N, classes)"
        )
    if not given.is_floating_point():
        return given.long()
    if given.ndim < 2:
        raise TypeError(
            f"`{name}` has labels of dtype {given.dtype} and shape {tuple(given.shape)}; class "
            "numbers must be integers (`labels.long()`), and probabilities (N, classes)"
        )
    return given


class Loss:
    """The loss, and the outputs and labels it accepts.

    Args:
        function: Of the output and the labels; None is cross-entropy.

    Raises:
        TypeError: If it is not callable.
        ValueError: If it has parameters of its own, which would not be trained.
    """

    def __init__(self, function: LossFunction | None) -> None:
        if function is not None and not callable(function):
            raise TypeError(
                f"`loss` ({function!r}) must be a function of the output and the labels"
            )
        if isinstance(function, nn.Module) and any(True for _ in function.parameters()):
            raise ValueError(
                "`loss` has parameters, which `fine_tune` does not train; put them in the model"
            )
        self._function = function or functional.cross_entropy
        # Any other loss may take other labels.
        self.classifies = self._function is functional.cross_entropy or isinstance(
            function, nn.CrossEntropyLoss
        )
        self._ignored = getattr(function, "ignore_index", None)

    def __call__(self, outputs: Any, labels: Tensor) -> Tensor:
        """Return the mean loss of a batch, a tensor of one number."""
        loss = self._function(outputs, labels)
        if not isinstance(loss, Tensor) or loss.ndim:
            what = type(loss).__name__ if not isinstance(loss, Tensor) else tuple(loss.shape)
            raise ValueError(f"`loss` returned {what}; it must return a tensor of one number, ()")
        return loss

    def check(self, labels: Tensor, outputs: Any, name: str) -> None:
        """Refuse labels that are not classes of these outputs, (n, classes, ...).

        Only the first axes may differ: one output is enough to check all labels.
        """
        if not self.classifies:
            return
        if not isinstance(outputs, Tensor):
            raise TypeError(
                f"`model` outputs a {type(outputs).__name__}; it must output a tensor "
                "(N, classes), or `loss` must be a function of what it outputs"
            )
        if outputs.ndim < 2 or (outputs.ndim > 2 and labels.ndim == 1):
            raise ValueError(
                f"`model` outputs shape {tuple(outputs.shape)}; it must output (N, classes), or "
                "have a label for each position"
            )
        if labels.is_floating_point():
            _check_soft(labels, outputs, name)
            return
        if labels.shape[1:] != outputs.shape[2:]:
            raise ValueError(
                f"`{name}` has labels of shape {_shape(labels.shape[1:])}; they must be "
                f"{_shape(outputs.shape[2:])}: `model` outputs {_shape(outputs.shape[1:])}"
            )
        meant = labels if self._ignored is None else labels[labels != self._ignored]
        classes = outputs.shape[1]
        if meant.numel() and (int(meant.min()) < 0 or int(meant.max()) >= classes):
            raise ValueError(
                f"`{name}` has labels from {int(meant.min())} to {int(meant.max())}; they must be "
                f"from 0 to {classes - 1}: `model` has {classes} outputs"
            )

    def right(self, outputs: Any, labels: Tensor) -> tuple[int, int]:
        """Return how many labels are the largest output, and how many there are."""
        if not isinstance(outputs, Tensor) or outputs.ndim < 2:
            return 0, 0
        soft = labels.is_floating_point()
        if labels.shape != (outputs.shape if soft else outputs[:, 0].shape):
            return 0, 0
        classes = labels.argmax(dim=1) if soft else labels
        hits = outputs.argmax(dim=1) == classes
        if self._ignored is not None and not soft:
            hits = hits[labels != self._ignored]
        return int(hits.sum()), hits.numel()


def _check_soft(labels: Tensor, outputs: Tensor, name: str) -> None:
    if labels.shape[1:] != outputs.shape[1:]:
        raise ValueError(
            f"`{name}` has labels of shape {_shape(labels.shape[1:])}; probabilities must be "
            f"{_shape(outputs.shape[1:])}, the shape of the output of `model`"
        )
    sums = labels.sum(dim=1)
    if not (labels >= 0).all() or not torch.allclose(sums, torch.ones_like(sums), atol=_SLACK):
        raise ValueError(
            f"`{name}` has probabilities that are negative or do not sum to 1 over the classes"
        )


def _shape(sizes: Sequence[int]) -> str:
    """Return the shape of N examples of these sizes."""
    return f"(N, {', '.join(map(str, sizes))})" if sizes else "(N,)"
