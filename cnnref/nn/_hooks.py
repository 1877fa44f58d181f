"""Find layers, and read what they output while a network runs.

Every hook in `cnnref.nn` is registered so that it is removed at the end of a ``with`` block, also
after an exception.
"""

from __future__ import annotations

import copy
import operator
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.jit import ScriptModule
from torch.jit._trace import TopLevelTracedModule

__all__ = [
    "Activations",
    "Found",
    "Layer",
    "Layers",
    "Predicate",
    "each_tensor",
    "eager",
    "find_layers",
    "record_activations",
    "recording",
    "refuse_unheard",
]

Predicate: TypeAlias = Callable[[str, nn.Module], bool]
"""Called with each layer's dotted name and the layer; returns whether the layer is meant."""

Layer: TypeAlias = str | nn.Module | Predicate
Layers: TypeAlias = Layer | Sequence[Layer]

Activations: TypeAlias = dict[str, list[Any]]


@dataclass(frozen=True)
class Found:
    """A layer, its dotted name, and whether the caller named it (or a predicate picked it)."""

    name: str
    module: nn.Module
    named: bool


def find_layers(model: nn.Module, layers: Layers, argument: str = "layers") -> list[Found]:
    """Return the layers of a network that the caller means, each once, in the order given.

    Args:
        model: Any network.
        layers: One layer or several: dotted names as in ``model.named_modules()`` (``""`` is the
            network itself), modules of the network, or predicates of a name and a module.
        argument: Name of the caller's argument, for error messages.

    Raises:
        TypeError: If `model` is not a module, or `layers` contains something else.
        ValueError: If there is no such layer, a predicate picks none, or `layers` is empty.
    """
    if not isinstance(model, nn.Module):
        remedy = ": pass the network that was exported" if _is_exported(model) else ""
        raise TypeError(
            f"`model` is a {type(model).__name__}; it must be a torch.nn.Module{remedy}"
        )
    # A Sequential is a module; a list of layers is a list.
    several = isinstance(layers, (list, tuple))
    asked: Sequence[Layer] = layers if several else [layers]  # type: ignore[assignment,list-item]
    if not asked:
        raise ValueError(f"`{argument}` is empty; it must contain at least one layer")
    found: dict[str, Found] = {}
    for layer in asked:
        for one in _resolve(model, layer, argument):
            found.setdefault(one.name, one)
    return list(found.values())


def _is_exported(model: object) -> bool:
    return type(model).__name__ == "ExportedProgram"


def _resolve(model: nn.Module, layer: Layer, argument: str) -> list[Found]:
    if isinstance(layer, str):
        try:
            # A module shared by two parents has two names, and both are right.
            return [Found(layer, model.get_submodule(layer), True)]
        except (AttributeError, RuntimeError):  # No such layer, or a scripted model.
            modules = dict(model.named_modules(remove_duplicate=False))
        # `torch.compile` and `nn.DataParallel` put a module of their own around the network: names
        # without it count too.
        for name, module in list(modules.items()):
            modules.setdefault(_without_wrappers(name, modules), module)
        if layer not in modules:
            near = get_close_matches(layer, modules, n=3, cutoff=0.5) or list(modules)[1:4]
            raise ValueError(
                f"`{argument}` ({layer!r}) must be the name of a layer of `model`, such as "
                f"{', '.join(map(repr, near))} (see `model.named_modules()`)"
            )
        return [Found(layer, modules[layer], True)]
    if isinstance(layer, nn.Module):
        for name, module in model.named_modules():
            if module is layer:
                return [Found(name, module, True)]
        raise ValueError(f"`{argument}` contains a {type(layer).__name__} that is not in `model`")
    if callable(layer):
        picked = [
            Found(name, module, False)
            for name, module in model.named_modules()
            if layer(name, module)
        ]
        if not picked:
            raise ValueError(f"`{argument}` contains a predicate that picks no layer of `model`")
        return picked
    raise TypeError(
        f"`{argument}` contains {layer!r}; a layer is a dotted name, a module or a predicate of "
        "(name, module)"
    )


_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def _without_wrappers(name: str, modules: Mapping[str, nn.Module]) -> str:
    """Return a layer's name without the parts that modules around the network add to it."""
    parts, around, kept = name.split("."), "", []
    for part in parts:
        wraps = part == "_orig_mod" or (
            part == "module" and isinstance(modules.get(around), _PARALLEL)
        )
        around = f"{around}.{part}" if around else part
        if not wraps:
            kept.append(part)
    return ".".join(kept)


@contextmanager
def eager() -> Iterator[None]:
    """Run what `torch.compile` has compiled as plain Python inside the block.

    Compiled code does not call hooks that were registered after its compilation.
    """
    if "torch._dynamo" not in sys.modules:  # Nothing is compiled; importing it takes seconds.
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def refuse_unheard(model: nn.Module, found: Sequence[Found], argument: str = "layers") -> None:
    """Refuse layers that run where no hook hears of them, before anything is changed.

    Raises:
        TypeError: If a layer is part of a scripted, traced or exported network.
    """
    graphs = [(name, one) for name, one in model.named_modules() if isinstance(one, GraphModule)]
    for one in found:
        if isinstance(one.module, ScriptModule) and not isinstance(
            one.module, TopLevelTracedModule
        ):
            raise TypeError(
                f"`{argument}`: {one.name!r} is a scripted layer. These run outside Python, where "
                "no hook hears of them; use the network that was scripted, or load its weights "
                "(`state_dict`) into one"
            )
        for name, graph in graphs:
            inside = _inside(one.name, name)
            if inside and not any(
                f"{node.target}.".startswith(f"{inside}.")
                or f"{inside}.".startswith(f"{node.target}.")
                for node in graph.graph.nodes
                if node.op == "call_module"
            ):
                raise TypeError(
                    f"`{argument}`: {one.name!r} is a layer of a graph of functions, such as "
                    "`torch.export` makes. The graph uses the layer's weights without calling it; "
                    "use the network that was exported, or `torch.export.unflatten`"
                )


def _inside(name: str, around: str) -> str:
    """Return the part of a layer's name after that of a module around it, or an empty string."""
    if not around:
        return name
    return name.removeprefix(f"{around}.") if name.startswith(f"{around}.") else ""


@contextmanager
def record_activations(
    model: nn.Module, layers: Layers, *, gradients: bool = False
) -> Iterator[Activations]:
    """Record the outputs of some layers each time they run inside a ``with`` block.

    The record holds copies. An operation that overwrites a layer's output later on, such as an
    ``nn.ReLU(inplace=True)`` after it, does not change the copy.

    The record stays readable after the block. The network keeps nothing of it: the hooks are
    removed at the end of the block. If something in the block raises, the record is emptied too.

    Args:
        model: Any network, on any device.
        layers: One layer or a list: dotted names (``"features.fire9"``), modules of the network, or
            predicates called with each name and module.
        gradients: By default the copies are detached from the graph, and gradients through the
            network are what they would be without them. If true, the copies are *in* the graph,
            so that ``torch.autograd.grad(score, copy)`` is the gradient with respect to the
            layer's output. This also works on a network whose parameters are all frozen.

    Yields:
        For each layer's dotted name the list of its outputs, one entry per call, in order: a layer
        that runs twice has two. Outputs that are tuples, lists, dictionaries, dataclasses or other
        objects with tensors as attributes keep that form. A network compiled by `torch.compile` is
        run without its compiled code, which calls no hooks.

    Raises:
        TypeError: If an argument is of the wrong kind, or a layer is part of a scripted or exported
            network, which runs it where no hook hears of it.
        ValueError: If a layer does not exist; if `gradients` is true and the network was made in
            inference mode.
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
    refuse_unheard(model, found)
    if gradients and any(one.is_inference() for one in model.parameters()):
        raise ValueError(
            "`model` was made in inference mode, so nothing that it computes has a gradient; pass "
            "`copy.deepcopy(model)`, made outside inference mode"
        )
    with eager(), recording(found, gradients=gradients) as record:
        yield record


@contextmanager
def recording(found: Sequence[Found], *, gradients: bool = False) -> Iterator[Activations]:
    """Record like `record_activations`, whose checks the caller has made: it takes less time."""
    record: Activations = {one.name: [] for one in found}
    with ExitStack() as hooks:
        for one in found:
            hook = _recorder(record[one.name], gradients)
            hooks.enter_context(one.module.register_forward_hook(hook))
        try:
            yield record
        except BaseException:
            _empty(record)
            raise
    missing = [one.name for one in found if one.named and not record[one.name]]
    if missing or not any(record.values()):
        names = ", ".join(repr(name) for name in missing or record)
        _empty(record)
        raise RuntimeError(
            f"`layers`: {names} did not run inside the block. Either `model` was not called there, "
            "or its `forward` bypasses the layer (it may call the layer's children, or a function, "
            "instead)"
        )


def _empty(record: Activations) -> None:
    """Release the outputs before an error leaves the block: its traceback refers to the record."""
    for outputs in record.values():
        outputs.clear()
    record.clear()


def _recorder(outputs: list[Any], gradients: bool) -> Callable[[nn.Module, Any, Any], Any]:
    def keep(module: nn.Module, inputs: Any, output: Any) -> Any:
        if not gradients:
            outputs.append(each_tensor(output, lambda tensor: tensor.detach().clone()))
            return None  # Leaves the output as it is.
        copies = each_tensor(output, _in_graph)
        outputs.append(copies)
        # The network continues with copies of the copies, which it may overwrite.
        return each_tensor(copies, torch.Tensor.clone)

    return keep


def _in_graph(tensor: Tensor) -> Tensor:
    """Return a copy through which the rest of the network depends on the tensor."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return tensor.clone()  # Integers have no gradient.
    if tensor.requires_grad:
        return tensor.clone()
    return tensor.detach().clone().requires_grad_(torch.is_grad_enabled())


def each_tensor(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Apply a function to every tensor of a nested output, and return it in the same form.

    Tuples, lists, mappings, dataclasses and objects with tensors as attributes are copied. Other
    objects, and what contains no tensor, are returned as they are.
    """
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        # A copy keeps its class: some libraries return subclasses of a dictionary.
        result: Any = copy.copy(value)
        for key, item in value.items():
            result[key] = each_tensor(item, function)
        return result
    if isinstance(value, (tuple, list)):
        items = [each_tensor(item, function) for item in value]
        # A tuple without tensors cannot be overwritten; some, such as torch.Size, take no items.
        if isinstance(value, tuple) and all(map(operator.is_, items, value)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    names = _attributes(value)
    if not names:
        return value
    result = copy.copy(value)
    for name in names:
        # Not by `setattr`, which a frozen dataclass refuses.
        object.__setattr__(result, name, each_tensor(getattr(value, name), function))
    return result


def _attributes(value: Any) -> list[str]:
    """Return the attributes of an output that can contain tensors."""
    if is_dataclass(value) and not isinstance(value, type):
        # A field without a value, and without a default, is an attribute that is not there.
        return [field.name for field in fields(value) if hasattr(value, field.name)]
    if isinstance(value, (type, nn.Module)) or not hasattr(value, "__dict__"):
        return []
    own = vars(value)
    return list(own) if any(isinstance(item, Tensor) for item in own.values()) else []
