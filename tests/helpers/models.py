"""What tests ask of any torch module."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def count_parameters(module: nn.Module) -> int:
    """Return the number of weights and biases."""
    return sum(parameter.numel() for parameter in module.parameters())


def snapshot(model: nn.Module) -> dict[str, Any]:
    """Return all that must be restored, by name, and the identity of what could be replaced."""
    found: dict[str, Any] = {"random state": torch.get_rng_state()}
    for name, layer in model.named_modules():
        found[f"mode of {name}"] = layer.training
        found[f"class of {name}"] = type(layer).__name__
        found[f"hooks of {name}"] = len(layer._forward_hooks) + len(layer._forward_pre_hooks)
    for name, parameter in model.named_parameters():
        found[f"flag of {name}"] = parameter.requires_grad
        found[f"value of {name}"] = parameter.detach().clone()
        found[f"gradient of {name}"] = None if parameter.grad is None else parameter.grad.clone()
        found[f"identity of gradient of {name}"] = id(parameter.grad)
    for name, buffer in model.named_buffers():
        found[f"buffer {name}"] = buffer.clone()
        found[f"identity of buffer {name}"] = id(buffer)
    return found


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of what changed."""
    assert before.keys() == after.keys()
    return [
        name
        for name, value in before.items()
        if not (
            torch.equal(value, after[name])
            if isinstance(value, torch.Tensor) and isinstance(after[name], torch.Tensor)
            else value == after[name]
        )
    ]
