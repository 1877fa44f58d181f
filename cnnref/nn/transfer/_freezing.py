"""What may change while a network trains: its parameters, and the statistics of its layers."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from torch import nn

from cnnref.nn._hooks import Layer
from cnnref.nn.transfer._heads import changeable, chosen_heads
from cnnref.nn.transfer._tops import Top, chosen_tops

__all__ = ["freeze", "unfreeze", "unfreeze_top"]


class _Held(nn.Module):
    """Mixed into the class of a frozen layer with statistics: `train()` leaves it in eval mode.

    A flag is not enough: `model.train()` sets it again on every layer of the model at every epoch.
    """

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickling cannot find a class made at run time by its name.
        return _new_held, (_free(type(self)),), self.__dict__


class _HeldNorm(_Held):
    """A frozen batch norm, which also refuses to be replaced by one that is not frozen."""

    @property
    def num_features(self) -> int:
        # `convert_sync_batchnorm` creates a new layer of torch's class, which the next `train()`
        # would put in training mode. Other code may read this attribute too, so the caller decides.
        if sys._getframe(1).f_code.co_name == "convert_sync_batchnorm":
            raise ValueError(
                "`module` has frozen batch norm, which `convert_sync_batchnorm` would unfreeze; "
                "convert it before freezing (frozen statistics need no synchronisation)"
            )
        return int(self.__dict__["num_features"])


def _held(kind: type[nn.Module]) -> type[nn.Module]:
    mixin = _HeldNorm if issubclass(kind, nn.modules.batchnorm._BatchNorm) else _Held
    return type(f"Frozen{kind.__name__}", (mixin, kind), {"__doc__": kind.__doc__})


def _free(held: type[nn.Module]) -> type[nn.Module]:
    """Return the class of a held layer before it was frozen."""
    kinds = (one for one in held.__mro__ if issubclass(one, nn.Module))
    return next(one for one in kinds if not issubclass(one, _Held))


def _new_held(kind: type[nn.Module]) -> nn.Module:
    held = _held(kind)
    return held.__new__(held)


def _keeps_statistics(layer: nn.Module) -> bool:
    """Return whether a forward pass in training mode may change a layer's buffers.

    Batch norm keeps means and variances, spectral norm the vectors of its power iteration, and
    layers of other libraries keep theirs under names of their own.
    """
    floats = any(one is not None and one.is_floating_point() for one in layer._buffers.values())
    return floats and not any(True for _ in layer.children())


def _normalizes(layer: nn.Module) -> bool:
    return getattr(layer, "running_mean", None) is not None


def freeze(module: nn.Module) -> nn.Module:
    r"""Freeze a module: neither its parameters nor its batch norm statistics change in training.

    A layer has two kinds of numbers. *Parameters* change in the optimiser's step, along the
    gradient; ``requires_grad=False`` stops that. The running mean $m$ and variance of batch norm
    change in the *forward* pass of a layer in training mode,
    $m \leftarrow (1 - \alpha)\, m + \alpha\, \mu$ with the batch's mean $\mu$ and the layer's
    ``momentum`` $\alpha$; no flag on parameters stops that. So layers with such statistics are put
    in eval mode, where they use them and do not change them. A later ``model.train()`` leaves them
    in eval mode. ``print(model)`` shows them as ``FrozenBatchNorm2d``. The same holds for every
    other layer with floating-point buffers and no layers inside, such as spectral norm.

    Dropout has nothing to freeze and stays in the mode of the model. To synchronise batch norm
    across processes, convert the model *before* freezing: ``convert_sync_batchnorm`` makes new
    layers, and raises ValueError on frozen ones.

    Args:
        module: A network, or a part of one. It is changed in place.

    Returns:
        The same module.

    Raises:
        TypeError: If it is not a module, or is scripted or exported.
        ValueError: If it has lazy layers that have not run yet.

    Examples:
        >>> import torch
        >>> layer = freeze(torch.nn.BatchNorm1d(2)).train()
        >>> _ = layer(torch.tensor([[1.0, 5.0], [3.0, 7.0]]))
        >>> layer.running_mean.tolist(), layer.weight.requires_grad, layer.training
        ([0.0, 0.0], False, False)

    Source:
        Ioffe and Szegedy, *Batch normalization*, arXiv:1502.03167 (the statistics); the Keras guide
        *Transfer learning & fine-tuning* (``trainable = False`` freezes them too).
    """
    changeable(module, "module")
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        # An optimiser updates whatever has a gradient, even an old one.
        parameter.grad = None
    for layer in module.modules():
        if _keeps_statistics(layer) and not isinstance(layer, _Held):
            layer.__class__ = _held(type(layer))
            layer.eval()
    return module


def unfreeze(
    module: nn.Module,
    layers: Top | None = None,
    *,
    head: Layer | None = None,
    statistics: bool = True,
) -> nn.Module:
    """Let a module's parameters train again and, by default, its statistics change.

    The layers keep their current mode until the next ``train()`` or ``eval()``.

    Args:
        module: A network, or a part of one. It is changed in place.
        layers: What to unfreeze: dotted names, modules, predicates of (name, module), or a count
            of the last parts before the head (see `unfreeze_top`). None is the whole module.
        head: The head, for a count; None finds it (`head_of`).
        statistics: Whether batch norm follows ``train()`` again too. With ``False`` its scale and
            shift train while its running mean and variance stay fixed, as fine-tuning needs.

    Returns:
        The same module.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a layer does not exist or has no parameters, or as for `unfreeze_top`.

    Examples:
        >>> import torch
        >>> layer = freeze(torch.nn.BatchNorm2d(2))
        >>> unfreeze(layer, statistics=False).train().training, layer.weight.requires_grad
        (False, True)
        >>> unfreeze(layer).train().training
        True
        >>> net = freeze(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)))
        >>> _ = unfreeze(net, "1")
        >>> [parameter.requires_grad for parameter in net.parameters()]
        [False, False, True, True]
    """
    changeable(module, "module")
    parts = [module] if layers is None else _chosen(module, layers, head, "layers")
    _check_trainable(parts, "module")
    for part in parts:
        _unfreeze(part, statistics)
    return module


def unfreeze_top(
    model: nn.Module, top: Top, *, head: Layer | None = None, statistics: bool = False
) -> list[nn.Module]:
    """Let the top of the base train, and leave the other layers unchanged.

    Args:
        model: A network.
        top: How many parts, from the head backwards, or which layers: dotted names, modules, or
            predicates of (name, module). Parts are the children of the model that have parameters
            and run before the head. The children of a module `features` count one by one, and so
            do those of the module that contains the head, and those of a module that is the whole
            base: in a ResNet 1 is ``layer4``, in a VGG ``classifier.3``.
        head: The head, for a count; None finds it (`head_of`).
        statistics: Whether their batch norm statistics change again; see `unfreeze`.

    Returns:
        The parts that now train, in the order in which they run.

    Raises:
        TypeError: If `top` is of the wrong kind.
        ValueError: If a count is negative or more than the number of parts, the head or the order
            of the parts cannot be determined, a layer does not exist, or it has no parameters
            outside the head. The model is then unchanged.

    Examples:
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(),
        ...                       nn.Linear(8, 2)).requires_grad_(False)
        >>> unfreeze_top(model, 1)
        [Conv2d(8, 8, kernel_size=(3, 3), stride=(1, 1))]
        >>> [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        ['2.weight', '2.bias']
    """
    changeable(model)
    parts = _chosen(model, top, head, "top")
    _check_trainable(parts, "model")
    for part in parts:
        _unfreeze(part, statistics)
    return parts


def _chosen(model: nn.Module, layers: Top, head: Layer | None, argument: str) -> list[nn.Module]:
    counted = isinstance(layers, (int, np.integer)) or head is not None
    heads = chosen_heads(model, head) if counted else []
    return [one.module for one in chosen_tops(model, layers, heads, argument=argument)]


def _check_trainable(parts: Iterable[nn.Module], argument: str) -> None:
    """Refuse what autograd cannot train before anything is unfrozen."""
    if any(parameter.is_inference() for part in parts for parameter in part.parameters()):
        raise ValueError(
            f"`{argument}` was made in inference mode and cannot train; pass "
            f"`copy.deepcopy({argument})`, made outside inference mode"
        )


def _unfreeze(module: nn.Module, statistics: bool) -> None:
    for parameter in module.parameters():
        parameter.requires_grad_(True)
    for layer in module.modules():
        # Spectral norm has to follow a weight that trains.
        if isinstance(layer, _Held) and (statistics or not _normalizes(layer)):
            layer.__class__ = _free(type(layer))  # type: ignore[assignment]
