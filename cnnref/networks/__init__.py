"""A network as a list of layers: its shapes, cost and receptive fields. Needs only NumPy.

Nothing here computes on an image. A layer has settings but no weights. Import the functions `cost`
and `receptive_field` from `cnnref`.
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
    Upsample,
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
    "Upsample",
    "Window",
    "alexnet",
    "lenet5",
    "residual",
    "resnet50",
    "vgg16",
    "walk",
]
