"""The eight augmentations."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cnnref._checks import as_int, as_pair
from cnnref._types import IntOrPair, Pair

__all__ = ["color_jitter", "crop", "cutout", "flip", "mixup", "rotate", "scale", "shift"]

PaddingMode = Literal["constant", "replicate", "reflect"]
FloatRange = float | tuple[float, float]

# Red, green and blue in brightness, as the eye weighs them (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)


def flip(
    images: Tensor, *, p: float = 0.5, vertical: bool = False, generator: torch.Generator
) -> Tensor:
    r"""Mirror images left to right, or top to bottom.

    $$\text{output}[n, c, i, j] = \text{images}[n, c, i, W - 1 - j]$$

    Args:
        images: Floats, shape (N, C, H, W).
        p: Probability that an image is mirrored.
        vertical: Mirror top to bottom instead.
        generator: Where the draws come from.

    Returns:
        Images of the same shape.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the shape is another, or `p` is not in 0 to 1.

    Examples:
        >>> x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
        >>> flip(x, p=1, generator=torch.Generator())
        tensor([[[[3., 2., 1.]]]])

    Source:
        Krizhevsky, Sutskever and Hinton, *ImageNet classification with deep convolutional neural
        networks*, 2012, "Data augmentation".
    """
    _check(images, generator)
    chosen = _chosen(images, p, generator)
    return _where(chosen, images.flip(2 if vertical else 3), images)


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
        padding_mode: What comes in at the border: zeros (``"constant"``), the last pixel
            (``"replicate"``), or the image mirrored in its last pixel (``"reflect"``).
        generator: Where the draws come from.

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
    _check(images, generator)
    count, _, height, width = images.shape
    moves = [
        _draw_ints(count, _int_range(value, name), generator)
        for value, name in ((down, "down"), (right, "right"))
    ]
    chosen = _chosen(images, p, generator)
    rows = torch.arange(height) - moves[0][:, None]
    columns = torch.arange(width) - moves[1][:, None]
    return _where(chosen, _take(images, rows, columns, _mode(padding_mode)), images)


def crop(
    images: Tensor,
    size: IntOrPair,
    *,
    padding: IntOrPair = 0,
    padding_mode: PaddingMode = "constant",
    generator: torch.Generator,
) -> Tensor:
    """Cut a window of a given size out of each image, at a place drawn for each.

    Every place at which the window fits the padded image is equally likely.

    Args:
        images: Floats, shape (N, C, H, W).
        size: Height and width of the window, in pixels.
        padding: Pixels added before cutting, above and below, left and right.
        padding_mode: What the added pixels hold; see `shift`.
        generator: Where the draws come from.

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
    _check(images, generator)
    count, _, *sides = images.shape
    window, pads = as_pair(size, "size", 1), as_pair(padding, "padding", 0)
    for side, length, pad, axis in zip(sides, window, pads, ("height", "width"), strict=True):
        if length > side + 2 * pad:
            raise ValueError(
                f"`size` has {axis} {length}, but the images have only {side + 2 * pad}, "
                f"`padding` (={padding!r}) included"
            )
    starts = [
        _draw_ints(count, (-pad, side + pad - length), generator)
        for side, length, pad in zip(sides, window, pads, strict=True)
    ]
    rows = starts[0][:, None] + torch.arange(window[0])
    columns = starts[1][:, None] + torch.arange(window[1])
    return _take(images, rows, columns, _mode(padding_mode))


def rotate(
    images: Tensor,
    degrees: FloatRange,
    *,
    p: float = 1.0,
    padding_mode: PaddingMode = "constant",
    generator: torch.Generator,
) -> Tensor:
    r"""Turn images about their centre, counter-clockwise as seen.

    With the offsets $(x, y)$ of an output pixel from the centre, $x$ to the right and $y$ down, and
    $\theta$ the angle, the output there is the image at

    $$(x \cos\theta - y \sin\theta,\; x \sin\theta + y \cos\theta)$$

    read between the pixels by bilinear interpolation: the mean of the four nearest pixels, the near
    ones counting more.

    Args:
        images: Floats, shape (N, C, H, W).
        degrees: Range of the angle, in degrees.
        p: Probability that an image is turned.
        padding_mode: What the corners show that were outside of the image; see `shift`.
        generator: Where the draws come from.

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
    _check(images, generator)
    angle = torch.deg2rad(_draw(len(images), _range(degrees, "degrees", around=0), generator))
    chosen = _chosen(images, p, generator)
    cosine, sine = angle.cos(), angle.sin()
    matrix = torch.stack([cosine, -sine, sine, cosine], dim=1).reshape(-1, 2, 2)
    return _where(chosen, _warp(images, matrix, _mode(padding_mode)), images)


def scale(
    images: Tensor,
    factor: FloatRange,
    *,
    p: float = 1.0,
    padding_mode: PaddingMode = "constant",
    generator: torch.Generator,
) -> Tensor:
    r"""Enlarge or shrink what is in the images, about their centre; their size stays.

    The output at the offset $(x, y)$ from the centre is the image at $(x, y) / \text{factor}$, read
    by bilinear interpolation. There is no blur before shrinking, so factors far below one alias.

    Args:
        images: Floats, shape (N, C, H, W).
        factor: Range of the factor, above 0: 2 is twice as large, 0.5 half as large.
        p: Probability that an image is scaled.
        padding_mode: What the border shows when the image has shrunk; see `shift`.
        generator: Where the draws come from.

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
    _check(images, generator)
    low, high = _range(factor, "factor", around=1)
    if low <= 0:
        raise ValueError(f"`factor` (={factor!r}) must be above 0 throughout its range")
    factors = _draw(len(images), (low, high), generator)
    chosen = _chosen(images, p, generator)
    matrix = torch.eye(2, dtype=factors.dtype) / factors[:, None, None]
    return _where(chosen, _warp(images, matrix, _mode(padding_mode)), images)


def color_jitter(
    images: Tensor,
    *,
    brightness: FloatRange = 0.0,
    contrast: FloatRange = 0.0,
    saturation: FloatRange = 0.0,
    p: float = 1.0,
    generator: torch.Generator,
) -> Tensor:
    r"""Change brightness, contrast and saturation, in this order.

    Each mixes an image with a poorer one by a factor $f$ and cuts what leaves 0 to 1 off:

    $$\text{output} = f \cdot \text{images} + (1 - f) \cdot \text{poorer}$$

    The poorer image is black (brightness), the image's mean grey everywhere (contrast), or its own
    grey picture (saturation). A factor of 1 changes nothing, 0 gives the poorer image, above 1
    leads away from it.

    Args:
        images: Floats in 0 to 1, shape (N, C, H, W); C is 1 (grey) or 3 (red, green, blue).
        brightness: Range of the factor, at least 0.
        contrast: Range of the factor, at least 0.
        saturation: Range of the factor, at least 0; changes nothing in grey images.
        p: Probability that an image is changed.
        generator: Where the draws come from.

    Returns:
        Images of the same shape, in 0 to 1.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a shape or a range is impossible, or a pixel is not in 0 to 1, as after
            normalising: jitter comes before that.

    Examples:
        >>> x = torch.tensor([[[[0.2, 0.4, 0.6]]]])
        >>> color_jitter(x, brightness=(2, 2), generator=torch.Generator())
        tensor([[[[0.4000, 0.8000, 1.0000]]]])
        >>> color_jitter(x, contrast=(0.5, 0.5), generator=torch.Generator())
        tensor([[[[0.3000, 0.4000, 0.5000]]]])

    Source:
        `PIL.ImageEnhance`: Brightness, Contrast and Color, and what a factor of 0 means there.
    """
    _check(images, generator)
    channels = images.shape[1]
    if channels not in (1, 3):
        raise ValueError(
            f"`images` has {channels} channels; colours need 3 (red, green, blue), grey 1"
        )
    if images.numel() and not bool(((images >= 0) & (images <= 1)).all()):
        raise ValueError(
            f"`images` holds {float(images.min()):.3g} to {float(images.max()):.3g}; it must be in "
            "0 to 1: change colours before you normalise"
        )
    factors = []
    for value, name in (
        (brightness, "brightness"),
        (contrast, "contrast"),
        (saturation, "saturation"),
    ):
        low, high = _range(value, name, around=1)
        if low < 0:
            raise ValueError(f"`{name}` (={value!r}) must be at least 0 throughout its range")
        drawn = _draw(len(images), (low, high), generator)
        factors.append(drawn.to(images.device, images.dtype)[:, None, None, None])
    chosen = _chosen(images, p, generator)
    changed = _mix(images, torch.zeros_like(images), factors[0])
    changed = _mix(changed, _grey(changed).mean((2, 3), keepdim=True), factors[1])
    changed = _mix(changed, _grey(changed), factors[2])
    return _where(chosen, changed, images)


def cutout(
    images: Tensor,
    size: IntOrPair,
    *,
    p: float = 1.0,
    fill: float = 0.0,
    generator: torch.Generator,
) -> Tensor:
    """Hide a rectangle of each image, in all channels.

    Its centre is any pixel, each equally likely, so near the border part of the rectangle lies
    outside of the image and less is hidden. An even side has one pixel more before its centre.

    Args:
        images: Floats, shape (N, C, H, W).
        size: Height and width of the rectangle, in pixels.
        p: Probability that an image loses a rectangle.
        fill: What the hidden pixels hold. After normalising, 0 is the mean colour.
        generator: Where the draws come from.

    Returns:
        Images of the same shape.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a shape or a number is impossible.

    Examples:
        >>> x = torch.ones(1, 1, 3, 4)
        >>> cutout(x, 2, generator=torch.Generator().manual_seed(4))
        tensor([[[[1., 0., 0., 1.],
                  [1., 0., 0., 1.],
                  [1., 1., 1., 1.]]]])

    Source:
        DeVries and Taylor, *Improved regularization of convolutional neural networks with
        cutout*, arXiv:1708.04552.
    """
    _check(images, generator)
    hole = as_pair(size, "size", 1)
    inside = []
    for side, length in zip(images.shape[2:], hole, strict=True):
        start = _draw_ints(len(images), (0, side - 1), generator)[:, None] - length // 2
        places = torch.arange(side)
        inside.append((places >= start) & (places < start + length))
    chosen = _chosen(images, p, generator)
    hidden = (inside[0][:, None, :, None] & inside[1][:, None, None, :]).to(images.device)
    return images.masked_fill(hidden & chosen, _number(fill, "fill"))


def mixup(
    images: Tensor,
    targets: Tensor,
    num_classes: int | None = None,
    *,
    alpha: float = 0.2,
    p: float = 1.0,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    r"""Mix each image with another of the batch, and their targets by the same share.

    With $\lambda_n$ from the distribution $\text{Beta}(\alpha, \alpha)$ and a random order $m$ of
    the batch,

    $$x_n = \lambda_n x_n + (1 - \lambda_n) x_{m(n)}, \qquad
      y_n = \lambda_n y_n + (1 - \lambda_n) y_{m(n)}$$

    The targets are probabilities, which `torch.nn.functional.cross_entropy` takes as they are.
    Since the loss is linear in them, it is
    $\lambda_n \ell(x_n, y_n) + (1 - \lambda_n) \ell(x_n, y_{m(n)})$ with the mixed $x_n$.

    Args:
        images: Floats, shape (N, C, H, W).
        targets: Class numbers, integers of shape (N,), or probabilities, floats of shape (N, K).
        num_classes: K; needed for class numbers.
        alpha: Above 0. Small: mostly one image with a trace of the other; 1: every share alike.
        p: Probability that an image is mixed; others keep their target (as probabilities).
        generator: Where the draws come from.

    Returns:
        The images, of the same shape, and their targets as probabilities, shape (N, K), in the
        dtype of the images.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a shape or a number is impossible, or a class number is not below K.

    Examples:
        >>> x, y = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1), torch.tensor([0, 1])
        >>> mixed, soft = mixup(x, y, 2, alpha=1, generator=torch.Generator().manual_seed(4))
        >>> torch.equal(mixed.flatten(), soft[:, 1])
        True

    Source:
        Zhang, Cissé, Dauphin and Lopez-Paz, *mixup: beyond empirical risk minimization*, 2018,
        arXiv:1710.09412.
    """
    _check(images, generator)
    soft = _soft_targets(images, targets, num_classes)
    if _number(alpha, "alpha") <= 0:
        raise ValueError(f"`alpha` (={alpha!r}) must be above 0")
    count = len(images)
    # PyTorch's Beta distribution takes no generator. NumPy's does, with a seed from ours.
    seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
    drawn = torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count))
    order = torch.randperm(count, generator=generator, device=generator.device).to(images.device)
    chosen = _chosen(images, p, generator)
    share = drawn.to(images.device, images.dtype)[:, None, None, None]
    mixed = share * images + (1 - share) * images[order]
    share = share[:, :, 0, 0]
    mixed_targets = share * soft + (1 - share) * soft[order]
    return _where(chosen, mixed, images), _where(chosen[:, :, 0, 0], mixed_targets, soft)


def _check(images: Tensor, generator: torch.Generator) -> None:
    if not isinstance(images, Tensor):
        raise TypeError(f"`images` is a {type(images).__name__}; it must be a torch.Tensor")
    if not images.is_floating_point():
        raise TypeError(f"`images` has dtype {images.dtype}; it must hold floats")
    if images.ndim != 4:
        raise ValueError(f"`images` has shape {tuple(images.shape)}; it must be (N, C, H, W)")
    if 0 in images.shape[1:]:
        raise ValueError(f"`images` (of shape {tuple(images.shape)}) has no pixels")
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            f"`generator` (={generator!r}) must be a torch.Generator, "
            "such as torch.Generator().manual_seed(0)"
        )


def _number(value: object, name: str) -> float:
    """Return a finite real number; a bool is a slip."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"`{name}` (={value!r}) must be a number")
    if not math.isfinite(value):
        raise ValueError(f"`{name}` (={value!r}) must be finite")
    return float(value)


def _range(value: FloatRange, name: str, *, around: float) -> tuple[float, float]:
    """Return a range of floats; a single number is the distance from ``around`` to its ends."""
    if not isinstance(value, (tuple, list)):
        reach = _number(value, name)
        if reach < 0:
            raise ValueError(f"`{name}` (={value!r}) must be at least 0, or a pair (low, high)")
        return around - reach, around + reach
    if len(value) != 2:
        raise ValueError(f"`{name}` (={value!r}) must be a number or a pair (low, high)")
    low, high = _number(value[0], name), _number(value[1], name)
    if low > high:
        raise ValueError(f"`{name}` (={value!r}) must have its low end first")
    return low, high


def _int_range(value: IntOrPair, name: str) -> Pair:
    """Return a range of whole numbers, both ends included; a single number reaches both ways."""
    if not isinstance(value, (tuple, list)):
        reach = as_int(value, name, 0)
        return -reach, reach
    if len(value) != 2:
        raise ValueError(f"`{name}` (={value!r}) must be an integer or a pair (low, high)")
    # Far below any image: as_int wants a minimum, and a shift may be negative.
    low, high = (as_int(end, name, -(2**31)) for end in value)
    if low > high:
        raise ValueError(f"`{name}` (={value!r}) must have its low end first")
    return low, high


def _mode(value: str) -> PaddingMode:
    for mode in get_args(PaddingMode):
        if value == mode:
            return mode  # type: ignore[no-any-return]
    raise ValueError(f"`padding_mode` (={value!r}) must be 'constant', 'replicate' or 'reflect'")


def _draw(count: int, ends: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Draw one float64 an image, evenly from the range, on the CPU."""
    unit = torch.rand(count, generator=generator, device=generator.device, dtype=torch.float64)
    return (ends[0] + (ends[1] - ends[0]) * unit).cpu()


def _draw_ints(count: int, ends: Pair, generator: torch.Generator) -> Tensor:
    """Draw one whole number an image, both ends included, on the CPU."""
    return torch.randint(
        ends[0], ends[1] + 1, (count,), generator=generator, device=generator.device
    ).cpu()


def _chosen(images: Tensor, p: float, generator: torch.Generator) -> Tensor:
    """Draw which images change: a mask of shape (N, 1, 1, 1)."""
    if not 0 <= _number(p, "p") <= 1:
        raise ValueError(f"`p` (={p!r}) must be in 0 to 1")
    # rand is in [0, 1): never below 0, always below 1.
    mask = _draw(len(images), (0, 1), generator) < p
    return mask.to(images.device)[:, None, None, None]


def _where(chosen: Tensor, changed: Tensor, images: Tensor) -> Tensor:
    return torch.where(chosen, changed, images)


def _fold(places: Tensor, size: int, mode: PaddingMode) -> tuple[Tensor, Tensor]:
    """Return places along an axis brought inside it, and whether each was inside before."""
    last = size - 1
    inside = (places >= 0) & (places <= last)
    if mode == "reflect" and last:
        places = last - (places.remainder(2 * last) - last).abs()
    return places.clamp(0, last), inside


def _take(images: Tensor, rows: Tensor, columns: Tensor, mode: PaddingMode) -> Tensor:
    """Return the pixels at whole ``rows`` (N, h) and ``columns`` (N, w), each image its own."""
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
    """Read each image at its matrix times the offset (x, y) from the centre, bilinearly."""
    height, width = images.shape[2:]
    # Half precision has too few digits for the places of pixels.
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
    # grid_sample counts from -1 to 1 between the outer edges of the outer pixels.
    grid = 2 * places / torch.tensor([width, height])
    warped = functional.grid_sample(
        images.to(dtype), grid.to(images.device, dtype), align_corners=False
    )
    return warped.to(images.dtype)


def _mix(images: Tensor, poorer: Tensor, factor: Tensor) -> Tensor:
    return (factor * images + (1 - factor) * poorer).clamp(0, 1)


def _grey(images: Tensor) -> Tensor:
    """Return brightness, shape (N, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(_LUMA, dtype=images.dtype, device=images.device)
    return torch.einsum("nchw,c->nhw", images, weights)[:, None]


def _soft_targets(images: Tensor, targets: Tensor, num_classes: int | None) -> Tensor:
    """Return class numbers (N,) or probabilities (N, K) as probabilities of the images' dtype."""
    if not isinstance(targets, Tensor) or targets.dtype == torch.bool:
        raise TypeError("`targets` must be a tensor of class numbers or of probabilities")
    classes = None if num_classes is None else as_int(num_classes, "num_classes", 1)
    if targets.is_floating_point():
        rule = "(N, K)" if classes is None else f"(N, {classes})"
        if (
            targets.ndim != 2
            or len(targets) != len(images)
            or classes not in (None, targets.shape[1])
        ):
            raise ValueError(
                f"`targets` has shape {tuple(targets.shape)}; for {len(images)} images its "
                f"probabilities must be {rule}"
            )
        return targets.to(images.device, images.dtype)
    if targets.shape != (len(images),):
        raise ValueError(
            f"`targets` has shape {tuple(targets.shape)}; for {len(images)} images its class "
            f"numbers must be ({len(images)},)"
        )
    if classes is None:
        raise TypeError("`num_classes` (=None) must be given with class numbers")
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < classes:
        raise ValueError(
            f"`targets` holds {int(targets.min())} to {int(targets.max())}; class numbers must be "
            f"in 0 to {classes - 1}, below `num_classes` (={classes})"
        )
    return functional.one_hot(targets.long(), classes).to(images.device, images.dtype)
