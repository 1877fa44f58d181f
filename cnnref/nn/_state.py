"""Leave a model as it was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

__all__ = ["restored"]


@contextmanager
def restored(model: nn.Module, *, trained: bool = False) -> Iterator[None]:
    """Restore a model's modes, flags, gradients and buffers, and torch's random state, at the end.

    Inside the block everything but the parameters' values may be changed: put the model in eval
    mode, freeze it, run it. Parameters and buffers made in inference mode are ordinary tensors
    inside, so that gradients can pass through them. Gradients that parameters had before are out of
    reach inside. Hooks are removed by whoever registers them (`cnnref.nn._hooks`).

    Args:
        model: The network. Every module in it gets back its class, too, since freezing changes it.
        trained: The block trains the model, so that its parameters and buffers keep their new
            values, and gradients are removed.
    """
    modules = list(model.modules())  # Once: walking through a large network takes time.
    inference = [] if trained else _without_inference_tensors(modules)
    layers = [(layer, type(layer), layer.training) for layer in modules]
    parameters = [(one, one.requires_grad, one.grad) for one in model.parameters()]
    buffers = [
        (layer, name, buffer, buffer.detach().clone())
        for layer in modules
        for name, buffer in layer._buffers.items()
        if buffer is not None and not trained
    ]
    for parameter, _, _ in parameters:
        parameter.grad = None
    uses_cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count()) if uses_cuda else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        for layer, kind, mode in layers:
            # Setting an attribute of a module is slow, and most have not changed.
            if type(layer) is not kind:
                layer.__class__ = kind
            if layer.training != mode:
                layer.training = mode
        for parameter, flag, gradient in parameters:
            parameter.requires_grad_(flag)
            parameter.grad = None if trained else gradient
        with torch.no_grad():
            for layer, name, buffer, values in buffers:
                # A layer may overwrite a buffer, or put another tensor in its place.
                layer._buffers[name] = buffer
                # Writing values that are there already would still make autograd refuse a graph
                # that the caller built through this buffer.
                if not torch.equal(buffer, values):
                    buffer.copy_(values)
        for kept, name, tensor in inference:
            kept[name] = tensor


def _without_inference_tensors(
    modules: Sequence[nn.Module],
) -> list[tuple[dict[str, Any], str, torch.Tensor]]:
    """Put copies in the place of tensors made in inference mode, which autograd refuses.

    Returns:
        The dictionaries of parameters and buffers, the names in them, and the tensors replaced.
    """
    replaced: list[tuple[dict[str, Any], str, torch.Tensor]] = []
    copies: dict[torch.Tensor, torch.Tensor] = {}  # One copy of a tensor that layers share.
    for layer in modules:
        tables: tuple[dict[str, Any], ...] = (layer._parameters, layer._buffers)
        for kept in tables:
            for name, tensor in kept.items():
                if tensor is None or not tensor.is_inference():
                    continue
                if tensor not in copies:
                    with torch.inference_mode(False):
                        copy = tensor.detach().clone()
                    is_parameter = isinstance(tensor, nn.Parameter)
                    copies[tensor] = nn.Parameter(copy, False) if is_parameter else copy
                replaced.append((kept, name, tensor))
                kept[name] = copies[tensor]
    return replaced
