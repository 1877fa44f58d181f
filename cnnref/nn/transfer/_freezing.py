"""What may change while a network trains: parameters, and the statistics of batch norm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from torch import nn

__all__ = ["freeze", "preserved", "unfreeze"]


class _Held(nn.Module):
    """Mixed into the class of a frozen layer with statistics: `train()` leaves it in eval mode.

    A flag would not do, since `model.train()` sets it on every layer below it, at every epoch.
    """

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    def __reduce__(self) -> tuple[Any, ...]:
        # A class made at run time cannot be found by its name when a copy is read back.
        return _new_held, (type(self).__mro__[2],), self.__dict__


def _held(kind: type[nn.Module]) -> type[nn.Module]:
    return type(f"Frozen{kind.__name__}", (_Held, kind), {"__doc__": kind.__doc__})


def _new_held(kind: type[nn.Module]) -> nn.Module:
    held = _held(kind)
    return held.__new__(held)


def _keeps_statistics(layer: nn.Module) -> bool:
    return getattr(layer, "running_mean", None) is not None


def freeze(module: nn.Module) -> nn.Module:
    r"""Freeze a module: neither its parameters nor its batch norm statistics change in training.

    A layer has two kinds of numbers. *Parameters* change in the optimiser's step, along the
    gradient; ``requires_grad=False`` stops that. The running mean $m$ and variance of batch
    norm change in the *forward* pass of a layer in training mode,
    $m \leftarrow (1 - \alpha)\, m + \alpha\, \mu$ with the batch's mean $\mu$ and the
    layer's ``momentum`` $\alpha$; no flag on parameters stops that. So the layers that keep
    such statistics are put in eval mode, where they normalise by them and leave them alone, and
    they stay so: a later ``model.train()`` does not reach them. ``print(model)`` shows them as
    ``FrozenBatchNorm2d``.

    Dropout is left as it is, in the mode of the model: it has nothing to freeze.

    Args:
        module: A network, or a part of one. It is changed in place.

    Returns:
        The same module.

    Examples:
        >>> import torch
        >>> layer = freeze(torch.nn.BatchNorm1d(2)).train()
        >>> _ = layer(torch.tensor([[1.0, 5.0], [3.0, 7.0]]))
        >>> layer.running_mean.tolist(), layer.weight.requires_grad, layer.training
        ([0.0, 0.0], False, False)

    Source:
        Ioffe and Szegedy, *Batch normalization*, arXiv:1502.03167 (the statistics); the Keras guide
        *Transfer learning & fine-tuning* (``trainable = False`` holds them as well).
    """
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        # An optimiser moves whatever has a gradient, also one left from before.
        parameter.grad = None
    for layer in module.modules():
        if _keeps_statistics(layer) and not isinstance(layer, _Held):
            layer.__class__ = _held(type(layer))
            layer.eval()
    return module


def unfreeze(module: nn.Module, *, statistics: bool = True) -> nn.Module:
    """Let a module's parameters train again and, unless told otherwise, its statistics move.

    The layers stay in the mode they are in until the next ``train()`` or ``eval()``.

    Args:
        module: A network, or a part of one. It is changed in place.
        statistics: Whether batch norm follows ``train()`` again too. With ``False`` its scale and
            shift train while its running mean and variance are held, as fine-tuning wants it.

    Returns:
        The same module.

    Examples:
        >>> import torch
        >>> layer = freeze(torch.nn.BatchNorm2d(2))
        >>> unfreeze(layer, statistics=False).train().training, layer.weight.requires_grad
        (False, True)
        >>> unfreeze(layer).train().training
        True
    """
    for parameter in module.parameters():
        parameter.requires_grad_(True)
    if statistics:
        for layer in module.modules():
            if isinstance(layer, _Held):
                layer.__class__ = type(layer).__mro__[2]
    return module


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Give every layer its mode, and every parameter its flag, back at the end."""
    modes = [(layer, layer.training, type(layer)) for layer in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        yield
    finally:
        for layer, mode, kind in modes:
            layer.__class__ = kind
            layer.training = mode
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
            parameter.grad = None
