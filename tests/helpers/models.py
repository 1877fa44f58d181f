"""What tests ask of any torch module."""

from __future__ import annotations

from torch import nn


def count_parameters(module: nn.Module) -> int:
    """Return the number of weights and biases."""
    return sum(parameter.numel() for parameter in module.parameters())
