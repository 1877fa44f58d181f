"""The two phases of fine-tuning: the head alone, then the head and the top of the base."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from tqdm import tqdm

from cnnref._checks import as_int
from cnnref.nn._calls import check_arguments
from cnnref.nn._hooks import Found, Layers, eager
from cnnref.nn._state import restored
from cnnref.nn.transfer._checkpoints import Checkpoint
from cnnref.nn.transfer._data import Batch, Batches, Data, Examples, Loss, LossFunction, as_data
from cnnref.nn.transfer._flow import Flow, plain, ran, weighted
from cnnref.nn.transfer._freezing import freeze, unfreeze
from cnnref.nn.transfer._heads import as_rate, changeable, chosen_heads, parameter_groups
from cnnref.nn.transfer._history import Epoch, History
from cnnref.nn.transfer._phases import (
    Augment,
    Run,
    Schedule,
    Step,
    as_factor,
    device_of,
    evaluate,
    forward_all,
)
from cnnref.nn.transfer._tops import Top, chosen_tops

__all__ = ["accuracy", "fine_tune"]

Labels: TypeAlias = Tensor | npt.ArrayLike
Given: TypeAlias = tuple[Any, Labels] | Iterable[tuple[Any, Labels]]

# Steps of half precision round small changes of a weight to none.
_HALF = (torch.float16, torch.bfloat16)


def accuracy(model: nn.Module, inputs: Any, labels: Labels | None = None) -> float:
    """Return the share of inputs whose largest output is that of their label.

    The model runs in eval mode and without gradients, on its own device, and is left as it was.

    Args:
        model: The network; its output is (N, classes), or (N, classes, ...) for maps.
        inputs: Its inputs, (N, ...), a tuple of them if it takes several, or an iterable of
            batches (inputs, labels), such as a DataLoader.
        labels: The classes, integers of any dtype, (N,) or (N, ...); or probabilities of the shape
            of the output, whose largest one counts. None if `inputs` is an iterable of batches.

    Raises:
        TypeError: If the labels are of the wrong kind.
        ValueError: If there is no input, the numbers of inputs and labels differ, or a label is
            not a class of the model.

    Examples:
        >>> accuracy(nn.Identity(), torch.tensor([[2.0, 1.0], [0.0, 3.0]]), [0, 0])
        0.5
    """
    data = as_data(inputs if labels is None else (inputs, labels), "inputs")
    if isinstance(data, Examples):
        check_arguments(plain(model), data.batch.inputs)
    with restored(model), eager():
        return evaluate(model.eval(), data, Loss(None))[1]


def fine_tune(
    model: nn.Module,
    train: Given,
    validation: Given,
    *,
    head_epochs: int,
    top_epochs: int,
    top: Top,
    head_rate: float,
    base_rate: float,
    batch_size: int = 16,
    seed: int = 0,
    head: Layers | None = None,
    loss: LossFunction | None = None,
    weight_decay: float = 0.0,
    schedule: Schedule | None = None,
    max_norm: float | None = None,
    augment: Augment | None = None,
    patience: int | None = None,
    on_epoch: Callable[[Epoch], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> History:
    r"""Train a model's head, then its head and the top of its base together.

    First phase, "head": everything but the head is frozen and in eval mode. If the examples are
    tensors and there is no `augment`, the output of the base is then the same at every epoch, so it
    is computed once. Second phase, "top": the parts of the base that `top` names train too, at
    `base_rate`, with a new optimiser; their batch norm statistics stay fixed. What does not train
    is in eval mode throughout, the model itself included, so that auxiliary heads are off.

    The optimiser is AdamW (Adam, without `weight_decay`). With the learning rate $r$ of a
    parameter's group, a factor $f$ from `schedule` and the weight decay $\lambda$, its step is
    $w \leftarrow (1 - f r \lambda)\, w - f r \cdot \hat m / (\sqrt{\hat v} + \epsilon)$.

    Afterwards every layer has the mode and every parameter the ``requires_grad`` it had before, and
    no gradient is left. The random numbers (shuffling, dropout, `augment`) come from `seed`, and
    torch's own generators are left as they were: on one machine, with the same number of threads,
    the same call gives the same weights, bit for bit. The model trains on the device it is on, and
    uncompiled if it was compiled.

    Everything is checked before the first step, except for the later batches of a loader. They are
    checked as they come; if one is refused in the first epoch, the model gets back the weights and
    gradients it had. So a call that is refused leaves the model unchanged.

    Args:
        model: A network. Its output is (N, classes), with as many outputs as there are classes
            (`replace_head`), or (N, classes, ...) for maps. It is trained in place.
        train: Inputs as the model takes them (preprocessed), (N, ...), and their labels; or any
            iterable of such batches that can be iterated over again, such as a DataLoader. Several
            inputs are a tuple. Labels are integers of any dtype, (N,), or for maps (N, ...); or
            probabilities of the shape of the output.
        validation: The same for the examples evaluated after each epoch, which never train.
        head_epochs: Epochs of the first phase; 0 leaves it out.
        top_epochs: Epochs of the second phase; 0 leaves it out.
        top: What trains in the second phase besides the head: a count of the last parts before
            the head (see `unfreeze_top`), or layers: dotted names, modules, predicates.
        head_rate: Learning rate of the head, in both phases.
        base_rate: Learning rate of the unfrozen part of the base.
        batch_size: Examples per step, if `train` holds tensors.
        seed: Determines everything that is random.
        head: The layer or layers of the head: dotted names, modules or predicates of
            (name, module). None finds the layer whose output the model returns, by running it.
            Dropout right before the head trains with it.
        loss: A function of the output and the labels, which may then be of any kind, that returns
            the batch's mean as one number; None is cross-entropy.
        weight_decay: The factor $\lambda$ of the weights in each step.
        schedule: A function of the share of the phase that is done (0 at the first step, below 1
            at the last one) that returns a factor for both rates. If a loader does not know its
            length, the share only grows from epoch to epoch.
        max_norm: Largest norm of the gradient of all that trains; a longer one is scaled down.
        augment: Called on each training batch: ``augment(inputs, generator)`` returns inputs, and
            ``augment(inputs, labels, generator)`` returns both, as `cnnref.nn.augmentation.mixup`
            does.
        patience: A phase ends after this many epochs in a row without a lower validation loss, and
            each phase ends with the weights of the lowest one so far. The validation set has then
            chosen the weights, so measure the result on a third set. None: every epoch is run and
            the last weights stay.
        on_epoch: Called after each epoch with its `Epoch`; the model is then in eval mode.
        checkpoint: A file, written after each epoch. If it exists, the run resumes after the last
            epoch in it, and ends as if it had never been interrupted, provided that everything
            random comes from torch.
        progress: Whether to show a progress bar (on stderr).

    Raises:
        TypeError: If an argument is of the wrong kind, or the model is scripted or exported.
        ValueError: If a number is out of range, both numbers of epochs are 0, examples and labels
            do not match, a label is not a class of the model, the head cannot be determined or
            shares its weights, `top` does not exist, what trains is in half precision or has no
            values, or the checkpoint belongs to another run.
        FloatingPointError: If the loss is not finite.

    Examples:
        >>> model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> points = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
        >>> data = points, [0, 1, 0, 1]
        >>> before = model[0].weight.clone()
        >>> history = fine_tune(model, data, data, head_epochs=40, top_epochs=0, top=0,
        ...                     head_rate=0.1, base_rate=0.01, progress=False)
        >>> len(history.epochs), history.head, torch.equal(model[0].weight, before)
        (40, ('2',), True)

    Source:
        Kumar and others, *Fine-tuning can distort pretrained features and underperform
        out-of-distribution*, arXiv:2202.10054 (the head first, then everything); Loshchilov and
        Hutter, *Decoupled weight decay regularization*, arXiv:1711.05101 (AdamW).
    """
    counts = as_int(head_epochs, "head_epochs", 0), as_int(top_epochs, "top_epochs", 0)
    if not any(counts):
        raise ValueError("`head_epochs` and `top_epochs` are both 0; one must be at least 1")
    step = Step(
        rates=(as_rate(head_rate, "head_rate"), as_rate(base_rate, "base_rate")),
        loss=Loss(loss),
        size=as_int(batch_size, "batch_size", 1),
        weight_decay=_as_decay(weight_decay),
        schedule=schedule,
        max_norm=None if max_norm is None else as_rate(max_norm, "max_norm"),
        augment=augment,
        relabels=augment is not None and _takes_labels(augment),
    )
    start = as_int(seed, "seed", 0)
    waits = None if patience is None else as_int(patience, "patience", 1)
    net = changeable(model)
    free = not step.loss.classifies
    sets = as_data(train, "train", free=free), as_data(validation, "validation", free=free)
    _check_functions(schedule, on_epoch)

    heads, tops = _checked(model, sets, step, head, top, minimum=1 if counts[1] else 0)
    kept = Checkpoint(
        None if checkpoint is None else Path(checkpoint),
        {
            "head_epochs": counts[0], "top_epochs": counts[1], "head": [one.name for one in heads],
            "top": [one.name for one in tops], "rates": list(step.rates), "seed": start,
            "batch_size": step.size, "weight_decay": step.weight_decay, "max_norm": step.max_norm,
            "patience": waits,
        },
    )  # fmt: skip
    interrupted = kept.read(net)
    own = torch.Generator().manual_seed(start)
    loaders = [one for data in sets if isinstance(data, Batches) for one in data.generators()]
    run = Run(net, step, own, waits, kept, on_epoch, [own, *loaders], interrupted=interrupted)
    before = _Values(net, [one.module for one in (*heads, *tops)])
    bar = tqdm(total=sum(counts), unit="epoch", disable=not progress)
    try:
        with bar, restored(net, trained=True), eager():
            torch.manual_seed(start)
            _train(model, run, counts, (heads, tops), sets, bar)
    except (TypeError, ValueError):
        # A batch of a loader may have been refused after some steps.
        if not run.epochs:
            before.put_back()
        raise
    return History(
        tuple(run.epochs),
        run.best,
        waits is not None,
        tuple(one.name for one in heads),
        tuple(one.name for one in tops) if counts[1] else (),
    )


def _train(
    model: nn.Module,
    run: Run,
    counts: tuple[int, int],
    chosen: tuple[list[Found], list[Found]],
    sets: tuple[Data, Data],
    bar: tqdm[Any],
) -> None:
    """Run the two phases."""
    net = run.model
    heads, tops = chosen
    modules = [one.module for one in heads]
    freeze(net).eval()
    for module in modules:
        unfreeze(module)
    awake = _with_dropout(net, heads)
    if counts[0]:
        target, data = model, sets
        if run.step.augment is None and awake:
            target, data = _from_features(model, awake, sets)
        groups = parameter_groups(net, *run.step.rates, head=modules)
        run.phase("head", counts[0], awake, target, data, groups, bar)
    if counts[1]:
        for one in tops:
            unfreeze(one.module, statistics=False)
        groups = parameter_groups(net, *run.step.rates, head=modules)
        # The model itself stays in eval mode: in train mode it may return auxiliary outputs.
        top = [part for one in tops for part in _parts(net, one.module)]
        run.phase("top", counts[1], [*awake, *top], model, sets, groups, bar)


def _parts(net: nn.Module, module: nn.Module) -> list[nn.Module]:
    return list(net.children()) if module is net else [module]


def _with_dropout(net: nn.Module, heads: Sequence[Found]) -> list[nn.Module]:
    """Return the modules that are in train mode with the head: it, and dropout around it.

    They are the largest module below the model whose parameters are all the head's, or in a
    Sequential the dropout before the head and what follows it.
    """
    awake: list[nn.Module] = []
    inside = {parameter for one in heads for parameter in one.module.parameters()}
    for one in heads:
        path, module = one.name, one.module
        parent = path.rpartition(".")[0]
        while parent and inside.issuperset(net.get_submodule(parent).parameters()):
            path, parent = parent, parent.rpartition(".")[0]
            module = net.get_submodule(path)
        around = net.get_submodule(parent)
        if isinstance(around, nn.Sequential) and path:
            layers = list(around)
            first = last = layers.index(module)
            while first and isinstance(layers[first - 1], _DropoutNd):
                first -= 1
            while last + 1 < len(layers) and not weighted(layers[last + 1]):
                last += 1
            awake += layers[first : last + 1]
        else:
            awake += _parts(net, module)
    return list(dict.fromkeys(awake))


def _from_features(
    model: nn.Module, awake: list[nn.Module], sets: tuple[Data, Data]
) -> tuple[nn.Module, tuple[Data, Data]]:
    """Return the head and its inputs from the frozen base, so that the base runs only once.

    If the model does anything with the head's output but return it, or the examples come from a
    loader, which may change them, return the model itself.
    """
    net = awake[0] if len(awake) == 1 else nn.Sequential(*awake)
    found: list[Data] = []
    for data in sets:
        if not isinstance(data, Examples):
            return model, sets
        caught: list[Tensor] = []

        def keep(_: nn.Module, args: tuple[Any, ...], caught: list[Tensor] = caught) -> None:
            # A copy, since an activation may overwrite its input.
            caught.append(args[0].clone())

        with awake[0].register_forward_pre_hook(keep):
            outputs = forward_all(model, data.batch)
        if outputs is None or sum(map(len, caught)) != len(data.batch):
            return model, sets
        batch = Batch((torch.cat(caught),), data.batch.labels)
        again = forward_all(net, batch)
        if again is None or not torch.equal(again, outputs):
            return model, sets
        found.append(replace(data, batch=batch))
    return net, (found[0], found[1])


# --- Checks before the first step


def _checked(
    model: nn.Module,
    sets: tuple[Data, Data],
    step: Step,
    head: Layers | None,
    top: Top,
    minimum: int,
) -> tuple[list[Found], list[Found]]:
    """Return the head and the top, after checking everything that can be checked."""
    net = plain(model)
    for name, parameter in net.named_parameters():
        if parameter.is_meta:
            raise ValueError(f"`model` has no values: {name!r} is on the meta device")
        if parameter.is_inference():
            raise ValueError(
                f"`model` was made in inference mode, so {name!r} cannot be trained; pass "
                "`copy.deepcopy(model)`, made outside inference mode"
            )
    firsts = [data.first() for data in sets]
    for data, first in zip(sets, firsts, strict=True):
        check_arguments(net, first.inputs, data.name)
    flow, output = ran(net, firsts[0].to(device_of(net)).inputs)
    for data, first in zip(sets, firsts, strict=True):
        for batch in (first, *data.known()):
            step.loss.check(batch.labels, output, data.name)
    heads = chosen_heads(net, head, flow)
    tops = chosen_tops(net, top, heads, flow, minimum=minimum)
    if step.schedule is not None:
        as_factor(step.schedule(0.0))
    for argument, one in [("head", one) for one in heads] + [("top", one) for one in tops]:
        _check_reached(one, argument, flow)
        for name, parameter in one.module.named_parameters():
            if parameter.dtype in _HALF:
                raise ValueError(
                    f"`model` has {one.name + '.' + name!r} in {parameter.dtype}, in which small "
                    "steps are rounded away; train it in float32: `model.float()`"
                )
    return heads, tops


def _check_reached(one: Found, argument: str, flow: Flow) -> None:
    reached = flow.reached or frozenset()
    if not any(parameter in reached for parameter in one.module.parameters()):
        raise ValueError(
            f"`{argument}` ({one.name!r}) would get no gradient: the output of `model` in eval "
            "mode does not depend on it, or not as autograd sees it (`detach`, `no_grad`, or a "
            "checkpoint without `use_reentrant=False`)"
        )


def _check_functions(schedule: object, on_epoch: object) -> None:
    for name, function in (("schedule", schedule), ("on_epoch", on_epoch)):
        if function is not None and not callable(function):
            raise TypeError(f"`{name}` ({function!r}) must be a function")


def _takes_labels(augment: Augment) -> bool:
    """Return whether `augment` takes (inputs, labels, generator), not (inputs, generator)."""
    if not callable(augment):
        raise TypeError(f"`augment` ({augment!r}) must be a function")
    try:
        parameters = inspect.signature(augment).parameters.values()
    except ValueError:  # Some built-in functions have no signature.
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [one for one in parameters if one.kind in positional and one.default is one.empty]
    flexible = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    if len(required) not in (2, 3) and not flexible:
        raise TypeError(
            f"`augment` takes {len(required)} arguments; it must take (inputs, generator) or "
            "(inputs, labels, generator)"
        )
    return len(required) == 3


def _as_decay(value: float) -> float:
    if isinstance(value, bool) or not 0 <= value < math.inf:
        raise ValueError(f"`weight_decay` ({value!r}) must be a finite number from 0 up")
    return float(value)


class _Values:
    """What training may change in some modules, and the gradients of a network, as they are now."""

    def __init__(self, net: nn.Module, modules: Iterable[nn.Module]) -> None:
        self._gradients = [(one, one.grad) for one in net.parameters()]
        self._tensors = [
            (tensor, tensor.detach().clone())
            for module in modules
            for tensor in (*module.parameters(), *module.buffers())
        ]

    def put_back(self) -> None:
        """Give every tensor its values back, and every parameter its gradient."""
        with torch.no_grad():
            for tensor, values in self._tensors:
                tensor.copy_(values)
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
