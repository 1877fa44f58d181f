"""A pre-trained network as lists of layers without weights, for cost and receptive fields."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from cnnref.networks.layers import (
    Activation,
    BatchNorm,
    Branches,
    Conv,
    Flatten,
    GlobalAvgPool,
    Layer,
    Linear,
    Pool,
    Shape,
    residual,
    walk,
)
from cnnref.nn.pretrained._efficientnet import InvertedResidual, SameConv2d
from cnnref.nn.pretrained._network import ImageNetwork, check_image_network
from cnnref.nn.pretrained._squeezenet import Fire
from cnnref.ops.output_shape import same_padding

__all__ = ["layer_lists"]


def layer_lists(model: ImageNetwork) -> dict[str, list[Layer]]:
    """Return each part of a network as a list of `cnnref.networks.layers`, first to last.

    The lists hold no weights. `cnnref.cost` counts their parameters and operations, and
    `cnnref.receptive_field` computes what a cell sees of the square photograph.

    Args:
        model: A network of this module.

    Returns:
        One list for each child of `features`, under its name, and one for `classifier`, which
        includes the pooling before it. Dropout, which does nothing in eval mode, is left out.

    Raises:
        TypeError: If the network is not an `ImageNetwork`, or contains a layer of another kind.

    Examples:
        >>> from cnnref.nn.pretrained import squeezenet
        >>> lists = layer_lists(squeezenet(weights=False))
        >>> [layer.label for layer in lists["fire2"]]
        ['squeeze1x1', 'squeeze_relu', 'concat of 2 paths', 'expand_relu']
    """
    check_image_network(model)
    shape: Shape = (3, model.input_size, model.input_size)
    lists = {}
    for name, child in model.features.named_children():
        lists[name], shape = _convert(name, child, shape)
    pooling, shape = _convert("pool", model.pool, shape)
    head, _ = _convert("classifier", model.classifier, shape)
    lists["classifier"] = pooling + head
    return lists


def _convert(name: str, module: nn.Module, shape: Shape) -> tuple[list[Layer], Shape]:
    """Return a module's layers and the output shape of the last one."""
    layers = _layers(name, module, shape)
    return layers, _end(layers, shape)


def _end(layers: Sequence[Layer], shape: Shape) -> Shape:
    return [shape, *(after for _, _, after in walk(layers, shape))][-1]


def _layers(name: str, module: nn.Module, shape: Shape) -> list[Layer]:
    match module:
        case nn.Dropout() | nn.Identity():
            return []
        case nn.ReLU() | nn.ReLU6():
            return [Activation(type(module).__name__.lower(), name=name)]
        case nn.BatchNorm2d():
            return [BatchNorm(name=name)]
        case nn.Flatten():
            return [Flatten(name=name)]
        case nn.AdaptiveAvgPool2d():
            return [GlobalAvgPool(name=name)]
        case nn.Linear():
            return [Linear(module.out_features, module.bias is not None, name=name)]
        case nn.MaxPool2d():
            return [Pool(_size(module.kernel_size), _size(module.stride), name=name)]
        case nn.Conv2d():
            return [_convolution(name, module, shape)]
        case Fire():
            squeeze, _ = _children(module, ["squeeze1x1", "squeeze_relu"], shape)
            narrow = _end(squeeze, shape)
            paths = [_children(module, [path], narrow)[0] for path in ("expand1x1", "expand3x3")]
            return [*squeeze, Branches(paths), Activation("relu", name="expand_relu")]
        case InvertedResidual():
            main, _ = _children(module, ["expand", "depthwise", "project"], shape)
            return [residual(main)] if module.has_skip else main
        case nn.Sequential():
            return _children(module, [name for name, _ in module.named_children()], shape)[0]
    raise TypeError(f"`model` contains a {type(module).__name__}, which has no counterpart here")


def _children(module: nn.Module, names: Sequence[str], shape: Shape) -> tuple[list[Layer], Shape]:
    layers: list[Layer] = []
    for name in names:
        more, shape = _convert(name, module.get_submodule(name), shape)
        layers += more
    return layers, shape


def _convolution(name: str, module: nn.Conv2d, shape: Shape) -> Conv:
    kernel, stride = _pair(module.kernel_size), _pair(module.stride)
    if isinstance(module, SameConv2d):
        padding = same_padding((shape[1], shape[2]), kernel, stride)
    else:
        assert not isinstance(module.padding, str)
        down, right = _pair(module.padding)
        padding = ((down, down), (right, right))
    return Conv(
        module.out_channels, kernel, stride, padding,
        groups=module.groups, bias=module.bias is not None, name=name,
    )  # fmt: skip


def _pair(value: tuple[int, ...]) -> tuple[int, int]:
    return value[0], value[1]


def _size(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else _pair(value)
