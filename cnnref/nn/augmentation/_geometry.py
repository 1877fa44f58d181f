"""Augmentations that move the content of images."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor
from torch.nn import functional

from cnnref._checks import as_pair
from cnnref._types import IntOrPair
from cnnref.nn.augmentation._draws import Draws, FloatRange, float_range, int_range

__all__ = ["PaddingMode", "crop", "flip", "rotate", "scale", "shift"]

PaddingMode: TypeAlias = Literal["constant", "replicate", "reflect"]


def flip(
    images: Tensor, *, p: float = 0.5, vertical: bool = False, generator: torch.Generator
) -> Tensor:
    r"""Mirror images left to right, or top to bottom.

    $$\text{output}[n, c, i, j] = \text{images}[n, c, i, W - 1 - j]$$

    Args:
        images: Floats, shape (N, C, H, W).
        p: Probability that an image is mirrored.
        vertical: Mirror top to bottom instead.
        generator: Source of the random numbers.

    Returns:
        Images of the same shape.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shape is another, or `p` is not between 0 and 1.

    Examples:
        >>> x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
        >>> flip(x, p=1, generator=torch.Generator())
        tensor([[[[3., 2., 1.]]]])

    Source:
        Krizhevsky, Sutskever and Hinton, *ImageNet classification with deep convolutional neural
        networks*, 2012, "Data augmentation".
    """
    chosen = Draws(images, generator, p).chosen()
    return torch.where(chosen, images.flip(2 if vertical else 3), images)


def shift(
    images: Tensor,
    down: IntOrPair = 0,
    right: IntOrPair = 0,
    *,
    p: float = 1.0,
    padding_mode: PaddingMode = "constant",
    generator: torch.Generator,
) -> Tensor:
    r"""Move images by whole pixels.

    $$\text{output}[n, c, i, j] = \text{images}[n, c, i - d_n, j - r_n]$$

    Args:
        images: Floats, shape (N, C, H, W).
        down: Range of $d$ in pixels, whole numbers; negative is up.
        right: Range of $r$ in pixels, whole numbers; negative is left.
        p: Probability that an image is moved.
        padding_mode: What fills the space at the border: zeros (``"constant"``), the last pixel
            (``"replicate"``), or the image mirrored at its last pixel (``"reflect"``).
        generator: Source of the random numbers.

    Returns:
        Images of the same shape.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a shape or a range is impossible.

    Examples:
        >>> x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
        >>> shift(x, right=(1, 1), generator=torch.Generator())
        tensor([[[[0., 1., 2.]]]])

    Source:
        `scipy.ndimage.shift` with order 0 moves the same pixels.
    """
    draws = Draws(images, generator, p)
    _check_mode(padding_mode)
    ends = int_range(down, "down"), int_range(right, "right")
    rows, columns = (
        torch.arange(side) - draws.integers(moves)[:, None]
        for side, moves in zip(images.shape[2:], ends, strict=True)
    )
    chosen = draws.chosen()
    return torch.where(chosen, _take(images, rows, columns, padding_mode), images)


def crop(
    images: Tensor,
    size: IntOrPair,
    *,
    padding: IntOrPair = 0,
    padding_mode: PaddingMode = "constant",
    generator: torch.Generator,
) -> Tensor:
    """Crop a window of a given size from each image, at a random place.

    Every place at which the window fits into the padded image is equally likely.

    Args:
        images: Floats, shape (N, C, H, W).
        size: Height and width of the window, in pixels.
        padding: Pixels added before cropping, above and below, left and right.
        padding_mode: What fills the added pixels; see `shift`.
        generator: Source of the random numbers.

    Returns:
        Images of shape (N, C, size[0], size[1]).

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a shape is impossible, or the window is larger than the padded image.

    Examples:
        >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> crop(x, 2, generator=torch.Generator().manual_seed(0))
        tensor([[[[ 8.,  9.],
                  [12., 13.]]]])

    Source:
        He, Zhang, Ren and Sun, *Deep residual learning for image recognition*, 2015, section 4.2:
        four pixels padded on each side, then a crop of the original size.
    """
    draws = Draws(images, generator)
    _check_mode(padding_mode)
    sides = images.shape[2:]
    window, pads = as_pair(size, "size", 1), as_pair(padding, "padding", 0)
    for side, length, pad, axis in zip(sides, window, pads, ("height", "width"), strict=True):
        if length > side + 2 * pad:
            raise ValueError(
                f"`size` has {axis} {length}; it must be at most {side + 2 * pad}, the {axis} of "
                f"the images with `padding` ({padding!r})"
            )
    starts = [
        draws.integers((-pad, side + pad - length))
        for side, length, pad in zip(sides, window, pads, strict=True)
    ]
    rows = starts[0][:, None] + torch.arange(window[0])
    columns = starts[1][:, None] + torch.arange(window[1])
    return _take(images, rows, columns, padding_mode)


def rotate(
    images: Tensor,
    degrees: FloatRange,
    *,
    p: float = 1.0,
    padding_mode: PaddingMode = "constant",
    generator: torch.Generator,
) -> Tensor:
    r"""Rotate images about their centre, counter-clockwise on the screen.

    With the offsets $(x, y)$ of an output pixel from the centre, $x$ to the right and $y$ down, and
    $\theta$ the angle, the output there is the image at

    $$(x \cos\theta - y \sin\theta,\; x \sin\theta + y \cos\theta)$$

    read between the pixels by bilinear interpolation: the mean of the four nearest pixels, weighted
    by nearness.

    Args:
        images: Floats, shape (N, C, H, W).
        degrees: Range of the angle, in degrees.
        p: Probability that an image is rotated.
        padding_mode: What fills the corners that come from outside the image; see `shift`.
        generator: Source of the random numbers.

    Returns:
        Images of the same shape.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a shape or a range is impossible.

    Examples:
        >>> x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> rotate(x, (90, 90), generator=torch.Generator()).round(decimals=4)
        tensor([[[[2., 4.],
                  [1., 3.]]]])

    Source:
        `kornia.geometry.rotate` and `scipy.ndimage.rotate` with order 1 give the same pixels.
    """
    draws = Draws(images, generator, p)
    _check_mode(padding_mode)
    angle = torch.deg2rad(draws.floats(float_range(degrees, "degrees", around=0)))
    chosen = draws.chosen()
    cosine, sine = angle.cos(), angle.sin()
    matrix = torch.stack([cosine, -sine, sine, cosine], dim=1).reshape(-1, 2, 2)
    return torch.where(chosen, _warp(images, matrix, padding_mode), images)


def scale(
    images: Tensor,
    factor: FloatRange,
    *,
    p: float = 1.0,
    padding_mode: PaddingMode = "constant",
    generator: torch.Generator,
) -> Tensor:
    r"""Enlarge or shrink the content of images about their centre; their size stays the same.

    The output at the offset $(x, y)$ from the centre is the image at $(x, y) / \text{factor}$, read
    by bilinear interpolation. There is no blur before shrinking, so factors far below 1 alias.

    Args:
        images: Floats, shape (N, C, H, W).
        factor: Range of the factor, above 0: 2 is twice as large, 0.5 half as large.
        p: Probability that an image is scaled.
        padding_mode: What fills the border of a shrunken image; see `shift`.
        generator: Source of the random numbers.

    Returns:
        Images of the same shape.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a shape or a range is impossible.

    Examples:
        >>> x = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])
        >>> scale(x, (2, 2), padding_mode="replicate", generator=torch.Generator())
        tensor([[[[1.7500, 2.2500, 2.7500, 3.2500]]]])

    Source:
        `kornia.geometry.scale` gives the same pixels.
    """
    draws = Draws(images, generator, p)
    _check_mode(padding_mode)
    ends = float_range(factor, "factor", around=1)
    if ends[0] <= 0:
        raise ValueError(f"`factor` ({factor!r}) must be above 0 throughout its range")
    factors = draws.floats(ends)
    chosen = draws.chosen()
    matrix = torch.eye(2, dtype=factors.dtype) / factors[:, None, None]
    return torch.where(chosen, _warp(images, matrix, padding_mode), images)


def _check_mode(mode: PaddingMode) -> None:
    if mode not in get_args(PaddingMode):
        raise ValueError(f"`padding_mode` ({mode!r}) must be 'constant', 'replicate' or 'reflect'")


def _fold(places: Tensor, size: int, mode: PaddingMode) -> tuple[Tensor, Tensor]:
    """Return places along an axis moved inside it, and whether each was inside before."""
    last = size - 1
    inside = (places >= 0) & (places <= last)
    if mode == "reflect" and last:
        places = last - (places.remainder(2 * last) - last).abs()
    return places.clamp(0, last), inside


def _take(images: Tensor, rows: Tensor, columns: Tensor, mode: PaddingMode) -> Tensor:
    """Return the pixels at integer `rows` (N, h) and `columns` (N, w), which differ by image."""
    count, channels, height, width = images.shape
    rows, in_rows = _fold(rows.to(images.device), height, mode)
    columns, in_columns = _fold(columns.to(images.device), width, mode)
    taken = images.gather(2, rows[:, None, :, None].expand(count, channels, -1, width))
    taken = taken.gather(3, columns[:, None, None, :].expand(count, channels, rows.shape[1], -1))
    if mode == "constant":
        outside = ~(in_rows[:, None, :, None] & in_columns[:, None, None, :])
        taken = taken.masked_fill(outside, 0)
    return taken


def _warp(images: Tensor, matrix: Tensor, mode: PaddingMode) -> Tensor:
    """Read each image bilinearly at its matrix times the offset (x, y) from the centre."""
    height, width = images.shape[2:]
    # Half precision has too few digits for the positions of pixels.
    dtype = images.dtype if images.dtype in (torch.float32, torch.float64) else torch.float32
    y = torch.arange(height, dtype=torch.float64) - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    offsets = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
    places = torch.einsum("nab,hwb->nhwa", matrix, offsets)
    if mode != "constant":
        folded = [
            _fold(places[..., axis] + (size - 1) / 2, size, mode)[0] - (size - 1) / 2
            for axis, size in enumerate((width, height))
        ]
        places = torch.stack(folded, dim=-1)
    # For grid_sample, -1 and 1 are the outer edges of the outer pixels.
    grid = 2 * places / torch.tensor([width, height])
    warped = functional.grid_sample(
        images.to(dtype), grid.to(images.device, dtype), align_corners=False
    )
    return warped.to(images.dtype)
