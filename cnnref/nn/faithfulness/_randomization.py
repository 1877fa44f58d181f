"""Draw a network's weights anew, from its last layer to its first, and compare the maps."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cnnref._checks import as_int
from cnnref.nn._hooks import Layers, eager, find_layers
from cnnref.nn._state import restored
from cnnref.nn.faithfulness._ranks import rank_correlation
from cnnref.nn.gradcam import ZeroMapWarning

__all__ = ["randomization_check"]

Explain = Callable[[nn.Module], Tensor]


def randomization_check(
    model: nn.Module,
    explain: Explain,
    layers: Layers | None = None,
    *,
    seeds: int | Sequence[int] = 0,
) -> dict[str, Tensor]:
    r"""Draw a network's weights anew, from its last layer to its first, and compare the maps.

    The weights are drawn in a cascade: when the map at `layers` = ``"fire6"`` is compared, *every*
    layer that runs after ``fire6`` starts has new weights, ``fire6`` included. A map that explains
    what the network has learned must change. One that does not (a correlation near 1 to the end)
    shows the image and not the network.

    A layer draws its weights by its own ``reset_parameters``. Parameters without one, such as a
    class token, are drawn from a normal distribution with mean 0 and the root mean square of the
    old numbers as its standard deviation.

    The weights are drawn in the model itself, which is left exactly as it was found: copies of
    its tensors take their place until the end, also if there is an error.

    Args:
        model: The network.
        explain: Called with the network; returns maps (N, H, W). It must return the same maps each
            time for the same weights. Random numbers that it draws from torch are the same in each
            call.
        layers: Down to which layers: one or several names, modules or predicates; each may contain
            other layers. By default every module that has parameters of its own.
        seeds: One seed or several. Each draws all weights once.

    Returns:
        For each layer's name, from the last to run to the first, the rank correlation of each map
        with that of the intact network, (seeds, N). It is nan where a map is constant, which has no
        rank correlation.

    Raises:
        ValueError: If there is no such layer, it has no parameters, or a map has the wrong shape.
        TypeError: If an argument is of the wrong kind, or the network is scripted.

    Examples:
        >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
        >>> x = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0))
        >>> found = randomization_check(model, lambda one: x[:, 0], seeds=[0, 1])
        >>> list(found), found["0"].flatten().tolist()  # a "map" of the image alone
        (['3', '0'], [1.0, 1.0])

    Source:
        J. Adebayo et al., Sanity checks for saliency maps, 2018, arXiv:1810.03292, "Cascading
        randomization".
    """
    numbers = [seeds] if isinstance(seeds, int) else list(seeds)
    if not numbers:
        raise ValueError("`seeds` is empty; it must contain at least one seed")
    drawn = [as_int(seed, "seeds", 0) for seed in numbers]
    named = [] if layers is None else find_layers(model, layers)
    if any(isinstance(one, torch.jit.ScriptModule) for one in model.modules()):
        raise TypeError(
            "`model` is scripted, so its layers cannot draw new weights; pass the network that was "
            "scripted"
        )
    modules = dict(model.named_modules())
    owners = [name for name, one in modules.items() if any(_own(one))]
    parts = {name: [name] for name in owners} if layers is None else {}
    for one in named:
        within = set(one.module.modules())
        parts[one.name] = [name for name in owners if modules[name] in within]
        if not parts[one.name]:
            raise ValueError(f"`layers` names {one.name!r}, which has no parameters to draw anew")

    with torch.inference_mode(False), eager(), restored(model):
        with _starts(modules) as starts:
            whole = _maps(explain, model)
        places = _places(owners, starts)
        cascade = sorted(owners, key=lambda name: places[name], reverse=True)
        depth = {name: max(map(cascade.index, inside)) for name, inside in parts.items()}
        ordered = sorted(depth, key=lambda name: depth[name])
        result: dict[str, list[Tensor]] = {name: [] for name in ordered}
        for seed in drawn:
            with _copies_in_place(model):
                draws = torch.Generator().manual_seed(seed)
                done = 0
                for name in ordered:
                    for owner in cascade[done : depth[name] + 1]:
                        _draw(modules[owner], draws)
                    done = max(done, depth[name] + 1)
                    result[name].append(rank_correlation(whole, _maps(explain, model)).cpu())
    return {name: torch.stack(rows) for name, rows in result.items()}


def _own(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, one) for name, one in module._parameters.items() if one is not None)


@contextmanager
def _starts(modules: dict[str, nn.Module]) -> Iterator[dict[str, int]]:
    """Record the order in which modules start to run; if one runs again, when it does so last.

    What runs after the network has ended does not count: gradient checkpointing runs layers again
    in the backward pass.
    """
    starts: dict[str, int] = {}
    calls = 0
    ended = False

    def hook_of(name: str) -> Callable[[nn.Module, Any], None]:
        def hook(module: nn.Module, inputs: Any) -> None:
            nonlocal calls, ended
            ended = ended and name != ""
            if not ended:
                starts[name] = calls = calls + 1

        return hook

    def end(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal ended
        ended = True

    with ExitStack() as hooks:
        hooks.enter_context(modules[""].register_forward_hook(end))
        for name, module in modules.items():
            hooks.enter_context(module.register_forward_pre_hook(hook_of(name)))
        yield starts


def _places(owners: list[str], starts: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Return the place of each owner of parameters in the order of the pass, to sort by.

    A module that is not called, because a function or a parent uses its parameters, counts with
    the nearest module around it that is, or else with the owner registered before it.
    """
    places: dict[str, tuple[int, int]] = {}
    before = 0
    for index, name in enumerate(owners):
        around = name
        while around and around not in starts:
            around = around.rpartition(".")[0]
        # The network itself starts first, and says nothing about the place of a part of it.
        start = before if name and not around else starts.get(around, 0)
        places[name] = (start, index)
        before = start
    return places


def _maps(explain: Explain, model: nn.Module) -> Tensor:
    """Return the maps; each call finds torch's random numbers in the same state."""
    with restored(model), warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroMapWarning)
        maps = explain(model)
    if not isinstance(maps, Tensor):
        raise TypeError(
            f"`explain` returned a {type(maps).__name__}; it must return a torch.Tensor"
        )
    return maps.detach().clone()


@contextmanager
def _copies_in_place(model: nn.Module) -> Iterator[None]:
    """Put copies in the place of all parameters and buffers, and these themselves back at the end.

    The tensors that were found are then not even written to: a graph that the caller built through
    them stays valid.
    """
    owned = [
        (module, name, one)
        for module in model.modules()
        for kept in (module._parameters, module._buffers)
        for name, one in kept.items()
        if one is not None
    ]
    copies: dict[Tensor, Tensor] = {}  # one of a tensor that layers share
    for _, _, one in owned:
        if one not in copies:
            copy = one.detach().clone()
            is_parameter = isinstance(one, nn.Parameter)
            copies[one] = nn.Parameter(copy, one.requires_grad) if is_parameter else copy
    with restored(model):
        try:
            for module, name, one in owned:
                # Some layers, such as nn.LSTM, keep another list of their parameters up to date.
                setattr(module, name, copies[one])
            yield
        finally:
            for module, name, one in owned:
                setattr(module, name, one)


@torch.no_grad()
def _draw(module: nn.Module, draws: torch.Generator) -> None:
    """Draw the parameters of a module anew, without those of the modules in it."""
    before = {name: (one, one._version, one.detach().clone()) for name, one in _own(module)}
    with restored(module, trained=True):  # for torch's random state
        torch.manual_seed(int(torch.randint(2**62, (), generator=draws)))
        reset = getattr(module, "reset_parameters", getattr(module, "_reset_parameters", None))
        if callable(reset):
            reset()
        for name, one in _own(module):
            old, version, values = before[name]
            # A layer whose weight is computed from other parameters, as by weight_norm, resets
            # only the result.
            written = one is not old or one._version != version or not torch.equal(one, values)
            if not written and values.is_floating_point():
                spread = values.double().square().mean().sqrt().to(values.dtype)
                one.copy_(spread * torch.randn_like(values))
