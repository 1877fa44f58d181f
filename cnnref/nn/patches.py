"""The patches of photographs that excite one channel of a network most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import pad

from cnnref._checks import as_int
from cnnref._types import Pair
from cnnref.networks.receptive_field import ReceptiveField, receptive_field
from cnnref.nn._images import Images, as_tensors, resized
from cnnref.nn._state import restored
from cnnref.nn.pretrained import ImageNetwork, layer_lists
from cnnref.nn.pretrained._network import check_image_network

__all__ = ["Patch", "layer_field", "layer_maps", "top_patches"]

# Grey, where a receptive field extends beyond the photograph.
_BEYOND = 128.0


@dataclass(frozen=True, eq=False)
class Patch:
    """What one cell of a map sees of a photograph, and how strongly it responds.

    Attributes:
        image: Number of the photograph, counted from 0.
        cell: Row and column of the cell, counted from 0.
        response: The number in the cell.
        picture: The cell's receptive field, uint8, (height, width, 3); grey beyond the photograph.
    """

    image: int
    cell: Pair
    response: float
    picture: npt.NDArray[np.uint8]


def layer_field(model: ImageNetwork, layer: str) -> ReceptiveField:
    """Return the receptive field of a cell in the output of one of the network's parts.

    Args:
        model: A network of `cnnref.nn.pretrained`.
        layer: Name of a child of `model.features`.

    Raises:
        TypeError: If the model is not an `ImageNetwork`.
        ValueError: If there is no such child.

    Examples:
        >>> from cnnref.nn.pretrained import squeezenet
        >>> layer_field(squeezenet(weights=False), "fire5").size
        (63, 63)
    """
    names = _up_to(model, layer)
    lists = layer_lists(model)
    return receptive_field([one for name in names for one in lists[name]])[-1]


def layer_maps(model: ImageNetwork, layer: str, images: Images) -> list[torch.Tensor]:
    """Return the output of one of the network's parts for whole photographs.

    Each photograph is resized so that its shorter side has 256 pixels, and not cropped: the layers
    before the head take any size.

    Args:
        model: A network of `cnnref.nn.pretrained`.
        layer: Name of a child of `model.features`.
        images: As for `ImageNetwork.crop`.

    Returns:
        One tensor (C, H, W) per photograph.

    Raises:
        TypeError: If the model is not an `ImageNetwork`, or the images are of the wrong kind or
            dtype.
        ValueError: If there is no such child, or the images are wrong.
    """
    names = _up_to(model, layer)
    part = model.features[: len(names)]
    with torch.no_grad(), restored(model):
        return [maps for image in _whole(images) for maps in part(model.normalize(image))]


def top_patches(
    model: ImageNetwork, layer: str, channels: Sequence[int], images: Images, count: int = 4
) -> list[list[Patch]]:
    """Return the patches of photographs that excite each of some channels most.

    Two patches of one photograph are at least half a receptive field apart, vertically or
    horizontally; otherwise they would all show the same spot. Only responses above zero count.

    Args:
        model: A network of `cnnref.nn.pretrained`.
        layer: Name of a child of `model.features`.
        channels: Numbers of the channels, counted from 0.
        images: As for `layer_maps`.
        count: Maximum number of patches per channel.

    Returns:
        For each channel its patches, strongest response first.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If there is no such child or channel, `count` is less than 1, or the images
            are wrong.

    Source:
        M. D. Zeiler and R. Fergus, Visualizing and understanding convolutional networks, 2013,
        arXiv:1311.2901, Figure 2 (patches next to the reconstructions); B. Zhou et al., Object
        detectors emerge in deep scene CNNs, 2014, arXiv:1412.6856.
    """
    most = as_int(count, "count", 1)
    field = layer_field(model, layer)
    maps = layer_maps(model, layer, images)
    photographs = [photo for image in _whole(images) for photo in image]
    number = maps[0].shape[0]
    found = []
    for channel in channels:
        if as_int(channel, "channels", 0) >= number:
            raise ValueError(
                f"`channels` holds {channel}; it must be at most {number - 1}, since {layer!r} has "
                f"{number} channels, counted from 0"
            )
        # A copy, since `_peaks` sets what it has taken to zero.
        peaks = _peaks([one[channel].clone() for one in maps], field, most)
        found.append(
            [
                Patch(image, cell, response, _picture(photographs[image], field, cell))
                for image, cell, response in peaks
            ]
        )
    return found


def _up_to(model: ImageNetwork, layer: str) -> list[str]:
    check_image_network(model)
    names = [name for name, _ in model.features.named_children()]
    if layer not in names:
        raise ValueError(f"`layer` ({layer!r}) must be one of {', '.join(map(repr, names))}")
    return names[: names.index(layer) + 1]


def _whole(images: Images) -> list[torch.Tensor]:
    return [resized(image) for image in as_tensors(images)]


def _peaks(
    maps: Sequence[torch.Tensor], field: ReceptiveField, count: int
) -> list[tuple[int, Pair, float]]:
    """Return (photograph, cell, response) of the largest numbers; their neighbours become zero."""
    down, across = (
        math.ceil(size / 2 / jump) for size, jump in zip(field.size, field.jump, strict=True)
    )
    peaks: list[tuple[int, Pair, float]] = []
    while len(peaks) < count:
        best = max(range(len(maps)), key=lambda number: float(maps[number].max()))
        response = float(maps[best].max())
        if response <= 0:
            break
        row, column = divmod(int(maps[best].argmax()), maps[best].shape[1])
        peaks.append((best, (row, column), response))
        top, left = max(row - down + 1, 0), max(column - across + 1, 0)
        maps[best][top : row + down, left : column + across] = 0
    return peaks


def _picture(photo: torch.Tensor, field: ReceptiveField, cell: Pair) -> npt.NDArray[Any]:
    """Return what a cell sees of a photograph (3, H, W), grey beyond its border."""
    height, width = field.size
    beyond = pad(photo, (width, width, height, height), value=_BEYOND)
    rows, columns = field.pixels(*cell)
    patch = beyond[
        :, rows.start + height : rows.stop + height, columns.start + width : columns.stop + width
    ]
    picture: npt.NDArray[Any] = patch.round().to(torch.uint8).permute(1, 2, 0).numpy()
    return picture
