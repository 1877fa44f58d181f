"""What the layers of a network give out on the way: recorded while the network runs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from cnnref.nn._layers import Layer, Layers, Predicate, find_layers

__all__ = ["Layer", "Layers", "Predicate", "record_activations"]

Activations = dict[str, list[Any]]


@contextmanager
def record_activations(
    model: nn.Module, layers: Layers, *, gradients: bool = False
) -> Iterator[Activations]:
    """Record what some layers give out each time they run inside a ``with`` block.

    What is kept is a copy. An operation that overwrites the layer's output later on, such as
    ``nn.ReLU(inplace=True)`` right behind it, does not change the copy.

    The record stays readable after the block. The network keeps nothing of it: the hooks are taken
    off at the end of the block, also when something in it raises, and then the record is emptied.

    Args:
        model: Any network, on any device.
        layers: One layer or a list: dotted names (``"features.fire9"``), modules of the network, or
            predicates called with each name and module.
        gradients: By default the copies are cut off from the graph, and gradients through the
            network are what they would be without them. If true, the copies stand *in* the graph,
            so that ``torch.autograd.grad(score, copy)`` is the gradient with respect to the
            layer's output. This also works on a network whose parameters are all frozen.

    Yields:
        For each layer's dotted name the list of what it gave, one entry a call, in order. Outputs
        that are tuples, lists or dictionaries are kept in that form.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a layer does not exist.
        RuntimeError: At the end of the block, if a layer that was named did not run in it (or
            none of those a predicate picked).

    Examples:
        >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
        >>> with record_activations(model, ["0", "1"]) as kept:
        ...     output = model(torch.ones(1, 1, 5, 5))
        >>> [tuple(kept[name][0].shape) for name in kept]
        [(1, 2, 3, 3), (1, 2, 3, 3)]
        >>> torch.equal(kept["0"][0].relu(), kept["1"][0])
        True
    """
    found = find_layers(model, layers)
    record: Activations = {one.name: [] for one in found}
    handles = [
        one.module.register_forward_hook(_hook(record[one.name], gradients)) for one in found
    ]
    try:
        yield record
    except BaseException:
        # A traceback may be kept for long; it must not keep the maps.
        record.clear()
        raise
    finally:
        for handle in handles:
            handle.remove()
    missing = [one.name for one in found if one.named and not record[one.name]]
    if missing or not any(record.values()):
        names = ", ".join(repr(name) for name in missing or record)
        record.clear()
        raise RuntimeError(
            f"`layers`: {names} did not run inside the block. Either the network was not called "
            "there, or its `forward` goes past the layer (it may call the layer's children, or a "
            "function, instead)"
        )


def _hook(kept: list[Any], gradients: bool) -> Callable[[nn.Module, Any, Any], Any]:
    def keep(module: nn.Module, inputs: Any, output: Any) -> Any:
        if not gradients:
            kept.append(_each(output, lambda tensor: tensor.detach().clone()))
            return None  # the output goes on as it was
        copies = _each(output, _in_graph)
        kept.append(copies)
        # The network goes on with copies of the copies, which it may overwrite.
        return _each(copies, torch.Tensor.clone)

    return keep


def _in_graph(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy through which the rest of the network depends on the tensor."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return tensor.clone()  # integers have no gradient
    if tensor.requires_grad:
        return tensor.clone()
    return tensor.detach().clone().requires_grad_(torch.is_grad_enabled())


def _each(value: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Apply a function to every tensor of a nested output and return it in the same form."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, Mapping):
        # A copy keeps subclasses, such as the outputs of some libraries, what they are.
        result: Any = copy.copy(value)
        for key, item in value.items():
            result[key] = _each(item, function)
        return result
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_each(item, function) for item in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_each(item, function) for item in value)
    return value
