"""Networks from the literature as lists of layers.

Dropout and AlexNet's local response normalisation are left out: they have no parameters and no
multiply-adds and do not change shapes or receptive fields.
"""

from __future__ import annotations

from typing import Literal

from cnnref._checks import as_choice
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
    residual,
)


def lenet5(classes: int = 10) -> list[Layer]:
    """Return LeNet-5 for images of 1×32×32, in the form used today.

    The original differs: its third layer reads only some of the maps per filter, its pooling has
    trained coefficients, and its output layer measures distances.

    Args:
        classes: Number of outputs.

    Source:
        Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document
        recognition, Proceedings of the IEEE 86(11), 1998, section II.B.
    """
    return [
        Conv(6, 5, name="conv1"),
        Activation("tanh"),
        Pool(2, mode="avg", name="pool1"),
        Conv(16, 5, name="conv2"),
        Activation("tanh"),
        Pool(2, mode="avg", name="pool2"),
        *_classifier((120, 84, classes), first=3, activation="tanh"),
    ]


def alexnet(version: Literal["one tower", "two towers"] = "one tower") -> list[Layer]:
    """Return AlexNet for images of 3×224×224.

    Both versions pad the first convolution by two, as torchvision does, so that an image of 224
    pixels gives a map of 55×55. The paper shows that map in Figure 2 but does not mention padding.

    Args:
        version: "one tower" is the later, narrower form without groups, which torchvision uses.
            "two towers" is the form of the 2012 paper: the second, fourth and fifth convolutions
            are split into two groups, one per GPU.

    Source:
        A. Krizhevsky, I. Sutskever and G. Hinton, ImageNet classification with deep convolutional
        neural networks, NeurIPS 2012, section 3.5; A. Krizhevsky, arXiv:1404.5997, for one tower.
    """
    as_choice(version, "version", ("one tower", "two towers"))
    one = version == "one tower"
    groups = 1 if one else 2
    filters = (64, 192, 384, 256, 256) if one else (96, 256, 384, 384, 256)
    return [
        Conv(filters[0], 11, stride=4, padding=2, name="conv1"),
        Activation(),
        Pool(3, stride=2, name="pool1"),
        Conv(filters[1], 5, padding=2, groups=groups, name="conv2"),
        Activation(),
        Pool(3, stride=2, name="pool2"),
        Conv(filters[2], 3, padding=1, name="conv3"),
        Activation(),
        Conv(filters[3], 3, padding=1, groups=groups, name="conv4"),
        Activation(),
        Conv(filters[4], 3, padding=1, groups=groups, name="conv5"),
        Activation(),
        Pool(3, stride=2, name="pool5"),
        *_classifier((4096, 4096, 1000), first=6),
    ]


def vgg16() -> list[Layer]:
    """Return VGG-16, configuration D of the paper, for images of 3×224×224.

    Source:
        K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image
        recognition, 2014, arXiv:1409.1556, Table 1.
    """
    layers: list[Layer] = []
    for block, (filters, convolutions) in enumerate(
        [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], start=1
    ):
        for place in range(1, convolutions + 1):
            layers += [Conv(filters, 3, padding=1, name=f"conv{block}_{place}"), Activation()]
        layers.append(Pool(2, name=f"pool{block}"))
    return [*layers, *_classifier((4096, 4096, 1000), first=6)]


def resnet50(version: Literal["v1", "v1.5"] = "v1") -> list[Layer]:
    """Return ResNet-50 for images of 3×224×224.

    Args:
        version: Where the first block of stages three to five has its stride: in the first 1×1
            convolution ("v1", as in the paper) or in the 3×3 convolution ("v1.5", as in
            torchvision).

    Source:
        K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015,
        arXiv:1512.03385, Table 1 and section 3.3.
    """
    as_choice(version, "version", ("v1", "v1.5"))
    layers: list[Layer] = [
        *_normalised(64, 7, stride=2, padding=3, name="conv1"),
        Activation(),
        Pool(3, stride=2, padding=1, name="pool1"),
    ]
    for stage, (filters, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=2):
        for place in range(1, blocks + 1):
            first = place == 1
            stride = 2 if first and stage > 2 else 1
            name = f"conv{stage}_{place}"
            layers += [_bottleneck(filters, stride, first, version, name), Activation()]
    return [*layers, GlobalAvgPool(name="pool5"), Flatten(), Linear(1000, name="fc")]


def _bottleneck(filters: int, stride: int, project: bool, version: str, name: str) -> Branches:
    """Return 1×1, 3×3 and 1×1 convolutions with a shortcut; the last has 4 times the filters."""
    early, late = (stride, 1) if version == "v1" else (1, stride)
    main = [
        *_normalised(filters, 1, stride=early, name="1×1, narrow"),
        Activation(),
        *_normalised(filters, 3, stride=late, padding=1, name="3×3"),
        Activation(),
        *_normalised(4 * filters, 1, name="1×1, wide"),
    ]
    shortcut = _normalised(4 * filters, 1, stride=stride, name="shortcut") if project else []
    return residual(main, shortcut, name=name)


def _normalised(
    filters: int, kernel_size: int, stride: int = 1, padding: int = 0, *, name: str
) -> list[Layer]:
    """Return a convolution and batch norm, whose shift replaces the bias."""
    return [Conv(filters, kernel_size, stride, padding, bias=False, name=name), BatchNorm()]


def _classifier(widths: tuple[int, ...], first: int, activation: str = "relu") -> list[Layer]:
    layers: list[Layer] = [Flatten()]
    for place, width in enumerate(widths):
        layers.append(Linear(width, name=f"fc{first + place}"))
        if place < len(widths) - 1:
            layers.append(Activation(activation))
    return layers


__all__ = ["alexnet", "lenet5", "resnet50", "vgg16"]
