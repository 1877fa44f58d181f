"""Which layers of a network are meant: by dotted name, by the module itself, or by a predicate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

from torch import nn

__all__ = ["Layer", "Layers", "Predicate", "find_layers"]

Predicate: TypeAlias = Callable[[str, nn.Module], bool]
"""Called with each layer's dotted name and the layer; says whether it is meant."""

Layer: TypeAlias = str | nn.Module | Predicate
Layers: TypeAlias = Layer | Sequence[Layer]


@dataclass(frozen=True)
class Found:
    """A layer, its dotted name, and whether the caller named it (or a predicate picked it)."""

    name: str
    module: nn.Module
    named: bool


def find_layers(model: nn.Module, layers: Layers) -> list[Found]:
    """Return the layers of a network that are meant, each once, in the order asked for.

    Args:
        model: Any network.
        layers: One layer or several: dotted names as in ``model.named_modules()`` (``""`` is the
            network itself), modules of the network, or predicates of a name and a module.

    Raises:
        TypeError: If `model` is no module, or `layers` holds something of another kind.
        ValueError: If there is no such layer, a predicate picks none, or `layers` is empty.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` is a {type(model).__name__}; it must be a torch.nn.Module")
    # A Sequential is a module; a list of layers is a list.
    several = isinstance(layers, (list, tuple))
    asked: Sequence[Layer] = layers if several else [layers]  # type: ignore[assignment,list-item]
    if not asked:
        raise ValueError("`layers` is empty; it must name at least one layer")
    found: dict[str, Found] = {}
    for layer in asked:
        for one in _resolve(model, layer):
            found.setdefault(one.name, one)
    return list(found.values())


def _resolve(model: nn.Module, layer: Layer) -> list[Found]:
    if isinstance(layer, str):
        # A module shared by two parents has two names, and both are right.
        modules = dict(model.named_modules(remove_duplicate=False))
        if layer not in modules:
            near = get_close_matches(layer, modules, n=3, cutoff=0.5) or list(modules)[1:4]
            raise ValueError(
                f"`layers` names {layer!r}, which the network has not; it has "
                f"{', '.join(map(repr, near))} and others (see `model.named_modules()`)"
            )
        return [Found(layer, modules[layer], True)]
    if isinstance(layer, nn.Module):
        for name, module in model.named_modules():
            if module is layer:
                return [Found(name, module, True)]
        raise ValueError(f"`layers` holds a {type(layer).__name__} that is no part of `model`")
    if callable(layer):
        picked = [
            Found(name, module, False)
            for name, module in model.named_modules()
            if layer(name, module)
        ]
        if not picked:
            raise ValueError("`layers` holds a predicate that picks no layer of `model`")
        return picked
    raise TypeError(
        f"`layers` holds a {type(layer).__name__}; it must hold names, modules or predicates"
    )
