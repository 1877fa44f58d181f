"""What tests ask of any torch module."""

from __future__ import annotations

from collections import OrderedDict
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


def small_network(inplace: bool = False, norm: bool = False, seed: int = 0) -> nn.Sequential:
    """Return a classifier of 9×10 images whose layers have names and sizes of their own."""
    torch.manual_seed(seed)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(3, 6, 3),
        relu=nn.ReLU(inplace=inplace),
        last=nn.Conv2d(6, 5, (3, 2), stride=2),
        after=nn.ReLU(inplace=inplace),
        flatten=nn.Flatten(),
        fc=nn.Linear(5 * 3 * 4, 4),
    )
    if norm:
        layers = OrderedDict([("norm", nn.BatchNorm2d(3)), *layers.items()])
    return nn.Sequential(layers).eval()


def small_images(count: int = 2, seed: int = 1) -> torch.Tensor:
    """Return random images for `small_network`."""
    return torch.randn(count, 3, 9, 10, generator=torch.Generator().manual_seed(seed))
