"""The head of a network: find it, replace it, and give it a learning rate of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn.parameter import is_lazy

from cnnref._checks import as_int
from cnnref.nn._hooks import Found, Layer, Layers, find_layers
from cnnref.nn.transfer._flow import Ends, Flow, Untraceable, is_last, names_in, plain, traced

__all__ = ["as_rate", "changeable", "chosen_heads", "head_of", "parameter_groups", "replace_head"]

# The layers that `replace_head` can create, and that can be a head without being named.
_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

# How many layers an error message lists.
_SHOWN = 5


def head_of(model: nn.Module, *, head: Layer | None = None) -> nn.Module:
    """Return the head: the layer whose output the model returns.

    Layers without parameters may follow it, such as pooling or an activation. torch.fx traces the
    model's ``forward`` in eval mode, so the order in which layers were registered does not matter,
    and auxiliary heads used only in training do not count. Nothing is guessed: if the output comes
    from several layers, or from one that is not a plain linear layer or convolution (such as a
    cosine or weight-normed head), you must name the head.

    Args:
        model: The network; ``torch.compile`` and ``DataParallel`` around it do not matter.
        head: The head's dotted name, the layer, or a predicate of (name, module); None finds it.

    Raises:
        TypeError: If an argument is of the wrong kind, or the model is scripted or exported.
        ValueError: If the head cannot be determined, with the candidates; if `head` is not a layer
            of the model, has no parameters, or is tied to another layer by a shared parameter.

    Examples:
        >>> head_of(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 2)))
        Linear(in_features=8, out_features=2, bias=True)
    """
    return _one_head(model, head).module


def _one_head(model: nn.Module, head: Layer | None) -> Found:
    found = chosen_heads(model, head)
    if len(found) > 1:
        raise ValueError(f"`head` picks {_listed(found)}; it must pick one layer")
    return found[0]


def replace_head(
    model: nn.Module,
    classes: int,
    *,
    head: Layer | None = None,
    generator: torch.Generator | None = None,
) -> nn.Module:
    r"""Replace the last layer of a model by a new one for another number of classes.

    The new layer is of the same kind, with the same inputs and settings, and has ``classes``
    outputs. Its weights and biases are drawn from $U(-1/\sqrt{n},\, 1/\sqrt{n})$, with $n$ inputs
    to each output, as torch draws them. It trains, even if the old one was frozen.

    Args:
        model: The network, changed in place.
        classes: Outputs of the new layer.
        head: The layer to replace: its dotted name, the layer, or a predicate of (name, module);
            None finds it (`head_of`).
        generator: Source of the random numbers; torch's own if None.

    Returns:
        The new layer.

    Raises:
        TypeError: If `classes` is not an integer, or as for `head_of`.
        ValueError: As for `head_of`; if `classes` is below 1; if the layer is not exactly a
            ``Linear``, ``Conv1d``, ``Conv2d`` or ``Conv3d``, has groups or hooks, or is the whole
            model. The model is then unchanged.

    Examples:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 1000))
        >>> replace_head(model, 4, generator=torch.Generator().manual_seed(0))
        Linear(in_features=12, out_features=4, bias=True)
        >>> model[1].weight.abs().max().item() <= 12**-0.5
        True
    """
    outputs = as_int(classes, "classes", 1)
    old = _one_head(model, head)
    new = _like(old, outputs)
    new.to_empty(device=old.module.get_parameter("weight").device)
    bound = 1 / math.sqrt(new.get_parameter("weight")[0].numel())
    with torch.no_grad():
        for parameter in new.parameters():
            # A generator draws on its own device only.
            device = parameter.device if generator is None else generator.device
            drawn = torch.empty_like(parameter, device=device)
            parameter.copy_(nn.init.uniform_(drawn, -bound, bound, generator=generator))
    new.train(old.module.training)
    net = plain(model)
    for name, layer in list(net.named_modules(remove_duplicate=False)):
        if layer is old.module:  # A layer may have several names.
            parent, _, last = name.rpartition(".")
            setattr(net.get_submodule(parent), last, new)
    return new


def _like(old: Found, outputs: int) -> nn.Module:
    """Return a layer like the old one but for its outputs, without values."""
    layer: Any = old.module
    if old.name.endswith("_orig_mod"):
        raise ValueError(
            f"`head` ({old.name.removesuffix('._orig_mod')!r}) is compiled by itself; replace the "
            "layer first and compile the new one"
        )
    if not old.name:
        raise ValueError("`model` is itself the head; put it in a `torch.nn.Sequential` first")
    if reason := _peculiar(layer):
        raise ValueError(
            f"`head` ({old.name!r}) {reason}, which a new layer would not have; replace it "
            f"yourself: `model.{old.name} = ...`"
        )
    if layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks:
        raise ValueError(
            f"`head` ({old.name!r}) has hooks, which a new layer would not have; remove them first"
        )
    if layer.weight.is_inference():
        raise ValueError(
            "`model` was made in inference mode, so a new head could not train on it; pass "
            "`copy.deepcopy(model)`, made outside inference mode"
        )
    like: dict[str, Any] = {
        "bias": layer.bias is not None,
        "dtype": layer.weight.dtype,
        # On any other device the constructor would draw weights from torch's own generator.
        "device": "meta",
    }
    if isinstance(layer, nn.Linear):
        return nn.Linear(layer.in_features, outputs, **like)
    if layer.groups != 1:
        raise ValueError(
            f"`head` ({old.name!r}) has `groups` ({layer.groups}); a head must have 1, so that "
            "each class sees every channel"
        )
    for setting in ("kernel_size", "stride", "padding", "dilation", "padding_mode"):
        like[setting] = getattr(layer, setting)
    new: nn.Module = type(layer)(layer.in_channels, outputs, **like)
    return new


def parameter_groups(
    model: nn.Module,
    head_rate: float,
    base_rate: float,
    *,
    head: Layers | None = None,
) -> list[dict[str, Any]]:
    """Return parameter groups for an optimiser: the head at one learning rate, the base at another.

    They contain only parameters that train, so call this *after* freezing and unfreezing. A group
    without parameters is left out.

    Args:
        model: The network.
        head_rate: Learning rate of the head.
        base_rate: Learning rate of everything else.
        head: The layer or layers of the head: dotted names, modules or predicates of
            (name, module); None finds it (`head_of`).

    Returns:
        Dicts with ``name`` ("head" or "base"), ``params`` and ``lr``.

    Raises:
        TypeError: As for `head_of`.
        ValueError: As for `head_of`; if a rate is not a positive finite number, or no parameter
            trains.

    Examples:
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> [(g["name"], len(g["params"]), g["lr"]) for g in parameter_groups(model, 0.1, 0.001)]
        [('head', 2, 0.1), ('base', 2, 0.001)]
        >>> _ = model[0].requires_grad_(False)
        >>> [group["name"] for group in parameter_groups(model, 0.1, 0.001)]
        ['head']
    """
    rates = {"head": as_rate(head_rate, "head_rate"), "base": as_rate(base_rate, "base_rate")}
    in_head = {one for found in chosen_heads(model, head) for one in found.module.parameters()}
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


# --- Which layer is the head


def chosen_heads(model: nn.Module, head: Layers | None, flow: Flow | None = None) -> list[Found]:
    """Return the layers that are the head: those the caller names, or the one the model ends in.

    Args:
        model: The network.
        head: What the caller named, or None.
        flow: How the model computes its output, if that is known; otherwise it is traced.

    Raises:
        TypeError, ValueError: As for `head_of`.
    """
    net = changeable(model)
    if head is None:
        found = [_last(net, flow)]
    else:
        names = names_in(net)
        found = [
            Found(names[plain(one.module)], plain(one.module), one.named)
            for one in find_layers(net, head, "head")
        ]
        for one in found:
            if one.named and next(one.module.parameters(), None) is None:
                raise ValueError(f"`head` ({one.name!r}) has no parameters")
    _check_untied(net, found)
    return found


def changeable(model: nn.Module, argument: str = "model") -> nn.Module:
    """Return the network inside its wrappers, if its layers can be changed."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"`{argument}` is a {type(model).__name__}; it must be a torch.nn.Module")
    net = plain(model)
    for name, module in net.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            what = "is scripted" if not name else f"has a scripted layer ({name!r})"
            raise TypeError(
                f"`{argument}` {what}; pass the Python module it was made from, and script the "
                "result"
            )
        # An exported program refuses `train` and `eval` by attributes of its own.
        if isinstance(module, fx.GraphModule) and "train" in module.__dict__:
            raise TypeError(
                f"`{argument}` is exported; pass the Python module it was made from, and export "
                "the result"
            )
    lazy = [name for name, parameter in net.named_parameters() if is_lazy(parameter)]
    if lazy:
        raise ValueError(
            f"`{argument}` has no values yet in {lazy[0]!r}; run it once on an example"
        )
    return net


def _last(net: nn.Module, flow: Flow | None) -> Found:
    """Return the plain layer that the network's output comes from, or refuse to guess."""
    names = names_in(net)
    reason = ""
    try:
        ends = (flow or traced(net)).ends
    except Untraceable as error:
        ends, reason = Ends([]), f"its forward cannot be traced ({error})"
    if len(ends.layers) == 1 and not ends.loose and not ends.opaque:
        layer = ends.layers[0]
        peculiar = _peculiar(layer)
        if not peculiar:
            return Found(names[layer], layer, True)
        reason = f"it ends in {names[layer]!r}, which {peculiar}"
    elif ends.opaque:
        reason = f"{names[ends.opaque[0]]!r} cannot be traced"
    elif ends.loose:
        reason = f"its output depends on {ends.loose[0]!r} outside the layer that has it"
    elif ends.layers:
        # A network with several outputs, or a sum of several layers.
        reason = f"its output comes from {len(ends.layers)} layers"
    reason = reason or "its output comes from none of its layers"
    layers = [names[layer] for layer in ends.layers] or _last_names(net)
    if not layers:
        raise ValueError("`model` has no linear layer and no convolution; it needs one as its head")
    listed = ", ".join(map(repr, layers[:_SHOWN]))
    raise ValueError(
        f"`head` must be given, since the head of `model` cannot be determined: {reason}. "
        f"Candidates: {listed}; pass for example `head={layers[0]!r}`"
    )


def _last_names(net: nn.Module) -> list[str]:
    """Return the names of the layers registered last, the last one first."""
    return [name for name, layer in net.named_modules() if _weighs(layer)][::-1]


def _weighs(layer: nn.Module) -> bool:
    """Return whether a layer multiplies its input by weights of its own."""
    return is_last(layer) and any(one.ndim > 1 for one in layer.parameters())


def _peculiar(layer: nn.Module) -> str:
    """Return what sets a layer apart from torch's own linear layers and convolutions, if anything.

    A new layer of torch would lack it: a weight that is computed, or another forward.
    """
    own = set(layer._parameters)
    if hasattr(layer, "parametrizations") or (
        isinstance(layer, _KINDS) and own != {"weight", "bias"}
    ):
        return "computes its weight from others (weight or spectral norm)"
    if type(layer) not in _KINDS:
        return f"is a {type(layer).__name__}"
    return ""


def _check_untied(net: nn.Module, heads: Sequence[Found]) -> None:
    """Refuse a head that shares a parameter with a layer outside it."""
    inside = {module for one in heads for module in one.module.modules()}
    owned = {parameter for one in heads for parameter in one.module.parameters()}
    for name, module in net.named_modules():
        for key, parameter in module._parameters.items():
            if module not in inside and parameter in owned:
                tied = f"{name}.{key}".strip(".")
                raise ValueError(
                    f"`head` ({heads[0].name!r}) shares its weights with {tied!r} (tied weights): "
                    "changing one changes the other. Give the head a copy of its own: "
                    f"`model.{heads[0].name} = copy.deepcopy(model.{heads[0].name})`"
                )


def _listed(found: Sequence[Found]) -> str:
    return ", ".join(repr(one.name) for one in found[:_SHOWN])
