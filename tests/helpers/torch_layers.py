"""Build a list of layers as a torch module, and count what it does while it runs."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import torch
from torch import nn

from cnnref.networks.layers import (
    Activation,
    BatchNorm,
    Branches,
    Conv,
    ConvTranspose,
    Flatten,
    GlobalAvgPool,
    Linear,
    Pool,
    Upsample,
)

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


class Joined(nn.Module):
    """Paths from one input, added, multiplied or concatenated."""

    def __init__(self, paths, join):
        super().__init__()
        self.paths, self.join = nn.ModuleList(paths), join

    def forward(self, x):
        ends = [path(x) for path in self.paths]
        if self.join == "concat":
            return torch.cat(ends, 1)
        return functools.reduce(torch.add if self.join == "sum" else torch.mul, ends)


def as_torch(layers):
    """Build the network. torch finds the numbers of input channels when it first runs."""
    return nn.Sequential(*map(module, layers))


def module(layer):
    match layer:
        case Conv():
            return nn.LazyConv2d(
                layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation,
                layer.groups, layer.bias,
            )  # fmt: skip
        case ConvTranspose():
            return nn.LazyConvTranspose2d(
                layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
                layer.output_padding, layer.groups, layer.bias, layer.dilation,
            )  # fmt: skip
        case Pool(mode="max"):
            return nn.MaxPool2d(
                layer.kernel_size, layer.stride, layer.padding, layer.dilation,
                ceil_mode=layer.ceil_mode,
            )  # fmt: skip
        case Upsample():
            return nn.Upsample(scale_factor=layer.factors, mode=layer.mode)
        case Pool():
            return nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode)
        case Linear():
            return nn.LazyLinear(layer.out_features, layer.bias)
        case BatchNorm():
            return nn.LazyBatchNorm2d()
        case Activation():
            return ACTIVATIONS[layer.function]()
        case GlobalAvgPool():
            return nn.AdaptiveAvgPool2d(1)
        case Flatten():
            return nn.Flatten()
        case Branches():
            return Joined([as_torch(path) for path in layer.paths], layer.join)
    raise TypeError(layer)


@dataclass
class Counted:
    parameters: int = 0
    macs: int = 0
    activations: int = 0
    shapes: list = field(default_factory=list)


def count(net, input_shape):
    """Run the network once and count, with hooks, what its layers really do."""
    counted = Counted()

    def after(layer, inputs, output):
        if not isinstance(layer, nn.Flatten):  # a view
            counted.activations += output[0].numel()
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            # Each output is one dot product with one row of the weight.
            counted.macs += output[0].numel() * layer.weight[0].numel()

    def top(layer, inputs, output):
        counted.shapes.append(tuple(output.shape[1:]))

    hooks = [
        layer.register_forward_hook(after)
        for layer in net.modules()
        if isinstance(layer, Joined) or not isinstance(layer, (nn.Sequential, nn.ModuleList))
    ]
    hooks += [layer.register_forward_hook(top) for layer in net]
    with torch.no_grad():
        net.eval()(torch.zeros(1, *input_shape))
    for hook in hooks:
        hook.remove()
    counted.parameters = sum(parameter.numel() for parameter in net.parameters())
    return counted
