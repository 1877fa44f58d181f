"""A network as a list of layers: its shapes, its cost and what its cells see. NumPy alone.

Nothing here computes on an image. A layer knows its settings and no weights. The functions `cost`
and `receptive_field` are names of `cnnref`.
"""

from cnnref.networks.layers import (
    Activation,
    BatchNorm,
    Branches,
    Conv,
    ConvTranspose,
    Flatten,
    GlobalAvgPool,
    Layer,
    Linear,
    Pool,
    Shape,
    Window,
    residual,
    walk,
)
from cnnref.networks.literature import alexnet, lenet5, resnet50, vgg16

__all__ = [
    "Activation",
    "BatchNorm",
    "Branches",
    "Conv",
    "ConvTranspose",
    "Flatten",
    "GlobalAvgPool",
    "Layer",
    "Linear",
    "Pool",
    "Shape",
    "Window",
    "alexnet",
    "lenet5",
    "residual",
    "resnet50",
    "vgg16",
    "walk",
]
