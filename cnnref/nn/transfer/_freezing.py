"""What may change while a network trains: its parameters, and the statistics of batch norm."""

from __future__ import annotations

from typing import Any, Self

from torch import nn

__all__ = ["freeze", "unfreeze"]


class _Held(nn.Module):
    """Mixed into the class of a frozen layer with statistics: `train()` leaves it in eval mode.

    A flag is not enough: `model.train()` sets it again on every layer of the model at every epoch.
    """

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickling cannot find a class made at run time by its name.
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
    gradient; ``requires_grad=False`` stops that. The running mean $m$ and variance of batch norm
    change in the *forward* pass of a layer in training mode,
    $m \leftarrow (1 - \alpha)\, m + \alpha\, \mu$ with the batch's mean $\mu$ and the layer's
    ``momentum`` $\alpha$; no flag on parameters stops that. So layers with such statistics are put
    in eval mode, where they use them and do not change them. A later ``model.train()`` leaves them
    in eval mode. ``print(model)`` shows them as ``FrozenBatchNorm2d``.

    Dropout has nothing to freeze and stays in the mode of the model.

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
        *Transfer learning & fine-tuning* (``trainable = False`` freezes them too).
    """
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        # An optimiser updates whatever has a gradient, even an old one.
        parameter.grad = None
    for layer in module.modules():
        if _keeps_statistics(layer) and not isinstance(layer, _Held):
            layer.__class__ = _held(type(layer))
            layer.eval()
    return module


def unfreeze(module: nn.Module, *, statistics: bool = True) -> nn.Module:
    """Let a module's parameters train again and, by default, its statistics change.

    The layers keep their current mode until the next ``train()`` or ``eval()``.

    Args:
        module: A network, or a part of one. It is changed in place.
        statistics: Whether batch norm follows ``train()`` again too. With ``False`` its scale and
            shift train while its running mean and variance stay fixed, as fine-tuning needs.

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
