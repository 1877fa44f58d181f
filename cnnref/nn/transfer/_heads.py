"""The head of a network, its base, and the parameters of each that train."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from cnnref._checks import as_int
from cnnref.nn.transfer._freezing import unfreeze

__all__ = ["as_rate", "head_of", "parameter_groups", "replace_head", "unfreeze_top"]


def head_of(model: nn.Module) -> nn.Module:
    """Return the head: ``model.classifier``, or else the last linear layer or convolution.

    Raises:
        ValueError: If the model has neither.

    Examples:
        >>> head_of(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 2)))
        Linear(in_features=8, out_features=2, bias=True)
    """
    classifier = getattr(model, "classifier", None)
    return classifier if isinstance(classifier, nn.Module) else _last_layer(model)[2]


def _last_layer(model: nn.Module) -> tuple[nn.Module, str, nn.Linear | nn.Conv2d]:
    """Return the parent of the layer that outputs the scores, its name there, and the layer."""
    classifier = getattr(model, "classifier", None)
    where, prefix = (classifier, "classifier") if isinstance(classifier, nn.Module) else (model, "")
    found = [
        (f"{prefix}.{name}".strip("."), layer)
        for name, layer in where.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer is not model
    ]
    if not found:
        raise ValueError(
            "`model` has no linear layer and no 2-D convolution; its head must be one or the other"
        )
    path, last = found[-1]
    parent, _, name = path.rpartition(".")
    return model.get_submodule(parent), name, last


def replace_head(
    model: nn.Module, num_classes: int, *, generator: torch.Generator | None = None
) -> nn.Module:
    r"""Replace the last layer of a model by a new one for another number of classes.

    The last linear layer or 2-D convolution of the head (in the order in which the modules were
    registered) is replaced by one of the same kind, with the same inputs and settings and with
    ``num_classes`` outputs. Its weights and biases are drawn from
    $U(-1/\sqrt{n},\, 1/\sqrt{n})$, with $n$ inputs to each output, as torch draws them. The new
    layer trains, even if the old one was frozen.

    Args:
        model: The network, changed in place.
        num_classes: Outputs of the new layer.
        generator: Source of the random numbers; torch's own if None.

    Returns:
        The new layer.

    Raises:
        TypeError: If `num_classes` is not an integer.
        ValueError: If it is below 1, or the model has no such layer, or that layer has groups.

    Examples:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 1000))
        >>> replace_head(model, 4, generator=torch.Generator().manual_seed(0))
        Linear(in_features=12, out_features=4, bias=True)
        >>> model[1].weight.abs().max().item() <= 12**-0.5
        True
    """
    classes = as_int(num_classes, "num_classes", 1)
    parent, name, old = _last_layer(model)
    like: dict[str, Any] = {
        "bias": old.bias is not None,
        "dtype": old.weight.dtype,
        # On any other device the constructor would draw weights from torch's own generator.
        "device": "meta",
    }
    new: nn.Linear | nn.Conv2d
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, classes, **like)
    elif old.groups != 1:
        raise ValueError(
            f"`model` ends in `{name}` with `groups` ({old.groups}); a head must have 1, so that "
            "each class sees every channel"
        )
    else:
        for setting in ("kernel_size", "stride", "padding", "dilation", "padding_mode"):
            like[setting] = getattr(old, setting)
        new = nn.Conv2d(old.in_channels, classes, **like)
    new.to_empty(device=old.weight.device)
    bound = 1 / math.sqrt(new.weight[0].numel())
    for parameter in new.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    setattr(parent, name, new.train(old.training))
    return new


def unfreeze_top(model: nn.Module, count: int, *, statistics: bool = False) -> list[nn.Module]:
    """Let the last children of ``model.features`` train, and leave the others unchanged.

    Args:
        model: A network with a module `features`.
        count: How many children, from the output backwards; those without parameters count too.
        statistics: Whether their batch norm statistics change again; see `unfreeze`.

    Returns:
        The children that now train, in the order in which they are registered.

    Raises:
        TypeError: If `count` is not an integer.
        ValueError: If it is negative or more than the number of children, or the model has no
            `features`.

    Examples:
        >>> model = nn.Module()
        >>> model.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
        >>> _ = model.requires_grad_(False)
        >>> unfreeze_top(model, 1)
        [Conv2d(8, 8, kernel_size=(3, 3), stride=(1, 1))]
        >>> [parameter.requires_grad for parameter in model.parameters()]
        [False, False, True, True]
    """
    features = getattr(model, "features", None)
    if not isinstance(features, nn.Module):
        raise ValueError("`model` has no module `features`; unfreeze its top layers by `unfreeze`")
    children, wanted = list(features.children()), as_int(count, "count", 0)
    if wanted > len(children):
        raise ValueError(
            f"`count` ({wanted}) must be at most {len(children)}, the number of children of "
            "`model.features`"
        )
    return [unfreeze(child, statistics=statistics) for child in children[len(children) - wanted :]]


def parameter_groups(model: nn.Module, head_rate: float, base_rate: float) -> list[dict[str, Any]]:
    """Return parameter groups for an optimiser: the head at one learning rate, the base at another.

    They contain only parameters that train, so call this *after* freezing and unfreezing. A group
    without parameters is left out.

    Args:
        model: The network.
        head_rate: Learning rate of the head (see `head_of`).
        base_rate: Learning rate of everything else.

    Returns:
        Dicts with ``name`` ("head" or "base"), ``params`` and ``lr``.

    Raises:
        ValueError: If a rate is not a positive finite number, or no parameter trains.

    Examples:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> [(g["name"], len(g["params"]), g["lr"]) for g in parameter_groups(model, 0.1, 0.001)]
        [('head', 2, 0.1), ('base', 2, 0.001)]
        >>> _ = model[0].requires_grad_(False)
        >>> [group["name"] for group in parameter_groups(model, 0.1, 0.001)]
        ['head']
    """
    rates = {"head": as_rate(head_rate, "head_rate"), "base": as_rate(base_rate, "base_rate")}
    in_head = set(head_of(model).parameters())
    groups: dict[str, list[nn.Parameter]] = {"head": [], "base": []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups["head" if parameter in in_head else "base"].append(parameter)
    if not any(groups.values()):
        raise ValueError("`model` has no parameter that trains; unfreeze some first")
    return [
        {"name": name, "params": group, "lr": rates[name]}
        for name, group in groups.items()
        if group
    ]


def as_rate(value: float, name: str) -> float:
    """Return a learning rate, or refuse it."""
    if isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"`{name}` ({value!r}) must be a positive, finite number")
    return float(value)
