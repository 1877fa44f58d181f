"""Which layers a network's output comes from, and in which order a module calls the ones below it.

The order of registration does not reveal this: the last layer registered may be an auxiliary head.
So the network is run on an example (`ran`), or torch.fx traces each module's ``forward``, one level
at a time (`traced`). Many networks that cannot be traced as a whole can be traced level by level.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.conv import _ConvNd

from cnnref.nn._hooks import eager
from cnnref.nn._state import restored

__all__ = [
    "Ends",
    "Flow",
    "Untraceable",
    "is_last",
    "names_in",
    "plain",
    "ran",
    "traced",
    "weighted",
]

# Methods and attributes that read a tensor's shape or kind, and none of its values.
_ABOUT = {"shape", "size", "dim", "ndim", "numel", "dtype", "device", "type", "is_cuda", "__len__"}


class Untraceable(Exception):  # noqa: N818 - caught: the caller is then asked to name layers
    """A ``forward`` that torch.fx cannot follow, such as one with a condition on values."""


@dataclass(frozen=True)
class Ends:
    """What a network's output comes from, with nothing that has parameters in between.

    Attributes:
        layers: Layers whose outputs reach the network's output.
        loose: Names of parameters that are used outside a layer's own ``forward``.
        opaque: Modules that could not be traced; the output comes from a layer inside.
    """

    layers: Sequence[nn.Module]
    loose: Sequence[str] = ()
    opaque: Sequence[nn.Module] = ()


@dataclass(frozen=True)
class Flow:
    """How a network computes its output.

    Attributes:
        ends: What the output comes from.
        calls: Returns the modules that a module calls directly, in the order of the calls. It
            raises `Untraceable` if it cannot trace the module.
        reached: Parameters that get a gradient from the output; None if the network was not run.
    """

    ends: Ends
    calls: Callable[[nn.Module], list[nn.Module]]
    reached: frozenset[Tensor] | None = None


def plain(model: nn.Module) -> nn.Module:
    """Return the network inside ``torch.compile``, ``DataParallel`` and their like."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(model, wrappers):
            model = model.module
        elif "_orig_mod" in dict(model.named_children()):
            model = model.get_submodule("_orig_mod")
        else:
            return model


def weighted(module: nn.Module) -> bool:
    """Return whether a module has parameters, its own or those of its children."""
    return next(module.parameters(), None) is not None


def is_last(module: nn.Module) -> bool:
    """Return whether a module with parameters has no layers with parameters inside."""
    if isinstance(module, (nn.Linear, _ConvNd)):
        return True  # It may have a child that computes its weight, such as weight norm.
    return not any(weighted(child) for child in module.children())


# --- By running the network


def ran(model: nn.Module, inputs: Sequence[Tensor]) -> tuple[Flow, Any]:
    """Run a network in eval mode and follow its output back; leave the network as it was.

    Args:
        model: The network.
        inputs: Its arguments.

    Returns:
        The flow, and the output.
    """
    run = _Run()
    net = plain(model)
    with restored(net), eager(), torch.enable_grad(), ExitStack() as hooks:
        net.eval()
        for parameter in net.parameters():
            if parameter.is_floating_point():
                parameter.requires_grad_(True)
        names: dict[Tensor, str] = {one: name for name, one in net.named_parameters()}
        for module in net.modules():
            hooks.enter_context(module.register_forward_pre_hook(run.enters))
            hooks.enter_context(module.register_forward_hook(run.leaves, always_call=True))
        output = net(*inputs)
        ends = run.ends(output, names)
        reached = frozenset(_leaves(output))
    return Flow(ends, lambda module: run.called.get(module, []), reached), output


@dataclass
class _Run:
    """What the hooks saw: who called whom, and the graph's node of each layer's output."""

    stack: list[nn.Module] = field(default_factory=list)
    called: dict[nn.Module, list[nn.Module]] = field(default_factory=dict)
    # Holding the nodes keeps their identity: a freed node's could be given to another.
    nodes: dict[Any, nn.Module] = field(default_factory=dict)

    def enters(self, module: nn.Module, _: Any) -> None:
        self.stack.append(module)

    def leaves(self, module: nn.Module, _: Any, output: Any) -> None:
        self.stack.pop()
        if self.stack:
            calls = self.called.setdefault(self.stack[-1], [])
            if module in calls:  # A module that runs twice is where it runs last.
                calls.remove(module)
            calls.append(module)
        if weighted(module) and is_last(module):
            for tensor in _tensors(output):
                if tensor.grad_fn is not None:
                    self.nodes[tensor.grad_fn] = module

    def ends(self, output: Any, names: Mapping[Tensor, str]) -> Ends:
        layers: dict[nn.Module, None] = {}
        loose: dict[str, None] = {}
        for node in _nodes(output, lambda node: node in self.nodes):
            if node in self.nodes:
                layers[self.nodes[node]] = None
            elif hasattr(node, "variable"):
                loose[names.get(node.variable, "a parameter")] = None
            elif "Checkpoint" in type(node).__name__:  # What ran inside is not in the graph.
                loose["a parameter inside a checkpoint"] = None
        return Ends(list(layers), list(loose))


def _leaves(output: Any) -> Iterator[Tensor]:
    """Return the parameters that get a gradient from any part of an output."""
    for node in _nodes(output, lambda node: False):
        if hasattr(node, "variable"):
            yield node.variable


def _nodes(output: Any, is_end: Callable[[Any], bool]) -> Iterator[Any]:
    """Return each node of autograd's graph behind an output, without what is behind an end."""
    ahead = [tensor.grad_fn for tensor in _tensors(output)]
    seen: set[Any] = set()
    while ahead:
        node: Any = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        if not is_end(node):
            ahead += [before for before, _ in node.next_functions]


def _tensors(value: Any) -> Iterator[Tensor]:
    """Return every tensor of a nested output."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
    elif dataclasses.is_dataclass(value):
        for one in dataclasses.fields(value):
            yield from _tensors(getattr(value, one.name))


# --- By tracing each module's forward


def traced(model: nn.Module) -> Flow:
    """Trace a network's ``forward`` in eval mode, level by level, without an example.

    Raises:
        Untraceable: If the network's own ``forward`` cannot be traced.
    """
    net = plain(model)
    return Flow(_ends_of(net, whole=True), lambda module: _calls_of(module, whole=module is net))


def _ends_of(module: nn.Module, *, whole: bool = False) -> Ends:
    if is_last(module):
        return Ends([module] if weighted(module) else [])
    graph, modules = _level(module, whole)
    output = next(node for node in graph.nodes if node.op == "output")
    layers: dict[nn.Module, None] = {}
    loose: dict[str, None] = {}
    opaque: dict[nn.Module, None] = {}
    ahead, seen = list(output.all_input_nodes), set()
    while ahead:
        node = ahead.pop()
        if node in seen or _is_about(node):
            continue
        seen.add(node)
        if node.op == "get_attr":
            if isinstance(_attribute(modules[""], node.target), nn.Parameter):
                loose[str(node.target).removeprefix("of.")] = None
        elif node.op == "call_module" and weighted(modules[node.target]):
            inner = plain(modules[node.target])
            try:
                ends = _ends_of(inner)
            except Untraceable:
                ends = Ends([], opaque=[inner])
            layers |= dict.fromkeys(ends.layers)
            loose |= dict.fromkeys(ends.loose)
            opaque |= dict.fromkeys(ends.opaque)
        else:
            ahead += node.all_input_nodes
    return Ends(list(layers), list(loose), list(opaque))


def _calls_of(module: nn.Module, *, whole: bool) -> list[nn.Module]:
    graph, modules = _level(module, whole)
    calls: dict[nn.Module, None] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            called = modules[node.target]
            calls.pop(called, None)
            calls[called] = None
    return list(calls)


def _is_about(node: fx.Node) -> bool:
    """Return whether a node reads the shape or the kind of a tensor."""
    if node.op == "call_method":
        return node.target in _ABOUT
    return node.op == "call_function" and node.target is getattr and node.args[1] in _ABOUT


def _attribute(module: nn.Module, path: Any) -> Any:
    parent, _, name = str(path).rpartition(".")
    return getattr(module.get_submodule(parent), name)


class _Input(fx.Proxy):
    """An argument of the network. It is a batch, so that its length is a number of examples."""

    def __len__(self) -> int:
        return 2


class _AllLeaves(fx.Tracer):
    def __init__(self, whole: bool) -> None:
        super().__init__()
        self._whole = whole

    def proxy(self, node: fx.Node) -> fx.Proxy:
        # What a module inside gets may be a list, whose length may decide what it does.
        if self._whole and node.op == "placeholder":
            return _Input(node, self)
        return super().proxy(node)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


_Forward: TypeAlias = Callable[..., Any]

# A traced function must have as many parameters as the network gets arguments.
_FORWARDS: dict[int, _Forward] = {
    1: lambda self, a: self.of.forward(a),
    2: lambda self, a, b: self.of.forward(a, b),
    3: lambda self, a, b, c: self.of.forward(a, b, c),
}


class _Level(nn.Module):
    """Calls a module's ``forward`` itself, so that its children are the leaves of the trace."""

    def __init__(self, of: nn.Module) -> None:
        super().__init__()
        # A forward may set attributes. It sets those of a copy, which shares the layers.
        twin = copy.copy(of)
        for table in ("_parameters", "_buffers", "_modules"):
            twin.__dict__[table] = dict(of.__dict__[table])
        twin.__dict__["training"] = False
        self.of = twin


def _level(module: nn.Module, whole: bool) -> tuple[fx.Graph, dict[str, nn.Module]]:
    """Return the graph of one module's forward, and the modules by their names in the graph.

    Args:
        module: The network or a module in it.
        whole: Whether it is the network.

    Raises:
        Untraceable: If its forward cannot be traced.
    """
    try:
        forward = _FORWARDS[_arguments(module)]
        level = type("_Level", (_Level,), {"forward": forward})(module)
        graph = _AllLeaves(whole).trace(level)
        modules = dict(level.named_modules(remove_duplicate=False))
    # A forward may do anything with the proxy it gets instead of a tensor.
    except Exception as reason:
        raise Untraceable(str(reason).strip().split("\n")[0]) from reason
    return graph, modules


def _arguments(module: nn.Module) -> int:
    """Return how many arguments a module's forward must get, at least one."""
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    parameters = signature(module.forward).parameters.values()
    required = [p for p in parameters if p.kind in positional and p.default is Parameter.empty]
    return max(len(required), 1)


def names_in(model: nn.Module) -> dict[nn.Module, str]:
    """Return the dotted name of every module of a network (the first one of several)."""
    return {module: name for name, module in plain(model).named_modules()}
