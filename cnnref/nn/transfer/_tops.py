"""The top of the base: the parts of a network that come last before its head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from torch import nn

from cnnref._checks import as_int
from cnnref.nn._hooks import Found, Layers, find_layers
from cnnref.nn.transfer._flow import (
    Flow,
    Untraceable,
    is_last,
    names_in,
    plain,
    traced,
    weighted,
)

__all__ = ["Top", "chosen_tops"]

Top: TypeAlias = int | Layers
"""How many parts before the head, or which layers: names, modules, predicates."""


def chosen_tops(
    model: nn.Module,
    top: Top,
    heads: Sequence[Found],
    flow: Flow | None = None,
    *,
    argument: str = "top",
    minimum: int = 0,
) -> list[Found]:
    """Return the parts of the base that the caller means, in the order in which they run.

    Args:
        model: The network.
        top: A count of the last parts before the head, or layers.
        heads: The head.
        flow: How the model computes its output, if that is known; otherwise it is traced.
        argument: Name of the caller's argument, for error messages.
        minimum: The smallest count.

    Raises:
        TypeError: If `top` is of the wrong kind.
        ValueError: If the count is out of range, the parts cannot be determined, a layer does not
            exist, or a layer that is named has no parameters outside the head.
    """
    net = plain(model)
    if isinstance(top, (int, np.integer)):
        count = as_int(top, argument, minimum)
        return _last_parts(net, count, heads, flow, argument) if count else []
    names = names_in(net)
    found = [
        Found(names[plain(one.module)], plain(one.module), one.named)
        for one in find_layers(net, top, argument)
    ]
    in_head = {parameter for one in heads for parameter in one.module.parameters()}
    outside = [one for one in found if any(p not in in_head for p in one.module.parameters())]
    for one in found:
        if one not in outside and (one.named or not outside):
            raise ValueError(
                f"`{argument}` ({one.name!r}) must have parameters that are not the head's"
            )
    return outside


def _last_parts(
    net: nn.Module, count: int, heads: Sequence[Found], flow: Flow | None, argument: str
) -> list[Found]:
    names = names_in(net)
    if len(heads) != 1:
        raise ValueError(
            f"`{argument}` ({count}) counts the parts before one head, and `head` picks "
            f"{len(heads)} layers; name the layers instead"
        )
    try:
        parts = _parts_before(net, heads[0].module, flow or traced(net), names)
    except Untraceable as reason:
        raise ValueError(
            f"`{argument}` ({count}) cannot be counted: the order of the layers cannot be "
            f"determined without running `model` ({reason}); name the layers instead"
        ) from reason
    if count > len(parts):
        last = ", ".join(repr(names[part]) for part in parts[-3:])
        raise ValueError(
            f"`{argument}` ({count}) must be at most {len(parts)}, the number of parts with "
            f"parameters before the head (the last ones are {last}); name layers inside "
            "them instead"
        )
    return [Found(names[part], part, True) for part in parts[len(parts) - count :]]


def _parts_before(
    net: nn.Module, head: nn.Module, flow: Flow, names: dict[nn.Module, str]
) -> list[nn.Module]:
    """Return the children before the head that have parameters, in the order of their calls.

    A module that contains the head counts as its own children before it, `features` counts as its
    children, and so does a part that is the whole base: a count of 1 would unfreeze all of it.
    """
    parts: list[nn.Module] = []
    if net is not head and not _collect(net, head, flow, names, parts):
        raise Untraceable("the head was not called as a layer")
    while len(parts) == 1 and not is_last(parts[0]):
        inner = [one for one in flow.calls(parts[0]) if weighted(one)]
        if not inner:
            break
        parts = inner
    return parts


def _collect(
    module: nn.Module,
    head: nn.Module,
    flow: Flow,
    names: dict[nn.Module, str],
    parts: list[nn.Module],
) -> bool:
    """Append what runs before the head; return whether the head was reached."""
    for called in flow.calls(module):
        inner = plain(called)
        if inner is head:
            return True
        if head in set(inner.modules()):
            return _collect(inner, head, flow, names, parts)
        if names[inner].rpartition(".")[2] == "features" and not is_last(inner):
            parts += [one for one in flow.calls(inner) if weighted(one)]
        elif weighted(inner):
            parts.append(inner)
    return False
