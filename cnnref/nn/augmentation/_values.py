"""Augmentations that change the values of pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cnnref._checks import as_int, as_pair
from cnnref._types import IntOrPair
from cnnref.nn.augmentation._draws import Draws, FloatRange, as_number, float_range

__all__ = ["color_jitter", "cutout", "mixup"]

# Weights of red, green and blue in perceived brightness (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)


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

    Each mixes an image with a poorer one by a factor $f$ and clips the result to 0 to 1:

    $$\text{output} = f \cdot \text{images} + (1 - f) \cdot \text{poorer}$$

    The poorer image is black (brightness), the image's mean grey everywhere (contrast), or the
    image in grey (saturation). A factor of 1 changes nothing, 0 gives the poorer image, and a
    factor above 1 moves away from it.

    Args:
        images: Floats in 0 to 1, shape (N, C, H, W); C is 1 (grey) or 3 (red, green, blue).
        brightness: Range of the factor, at least 0.
        contrast: Range of the factor, at least 0.
        saturation: Range of the factor, at least 0; it does not change grey images.
        p: Probability that an image is changed.
        generator: Source of the random numbers.

    Returns:
        Images of the same shape, in 0 to 1.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a shape or a range is impossible, or a pixel is not between 0 and 1, as after
            normalising: jitter before that.

    Examples:
        >>> x = torch.tensor([[[[0.2, 0.4, 0.6]]]])
        >>> color_jitter(x, brightness=(2, 2), generator=torch.Generator())
        tensor([[[[0.4000, 0.8000, 1.0000]]]])
        >>> color_jitter(x, contrast=(0.5, 0.5), generator=torch.Generator())
        tensor([[[[0.3000, 0.4000, 0.5000]]]])

    Source:
        `PIL.ImageEnhance`: Brightness, Contrast and Color, and what a factor of 0 means there.
    """
    draws = Draws(images, generator, p)
    channels = images.shape[1]
    if channels not in (1, 3):
        raise ValueError(
            f"`images` has {channels} channels; it must have 3 (red, green, blue) or 1 (grey)"
        )
    if images.numel() and not bool(((images >= 0) & (images <= 1)).all()):
        raise ValueError(
            f"`images` holds {float(images.min()):.3g} to {float(images.max()):.3g}; it must be "
            "between 0 and 1: change colours before you normalise"
        )
    ranges = []
    for value, name in (
        (brightness, "brightness"),
        (contrast, "contrast"),
        (saturation, "saturation"),
    ):
        ends = float_range(value, name, around=1)
        if ends[0] < 0:
            raise ValueError(f"`{name}` ({value!r}) must be at least 0 throughout its range")
        ranges.append(ends)
    factors = [
        draws.floats(ends).to(images.device, images.dtype)[:, None, None, None] for ends in ranges
    ]
    chosen = draws.chosen()
    changed = _mix(images, torch.zeros_like(images), factors[0])
    changed = _mix(changed, _grey(changed).mean((2, 3), keepdim=True), factors[1])
    changed = _mix(changed, _grey(changed), factors[2])
    return torch.where(chosen, changed, images)


def cutout(
    images: Tensor,
    size: IntOrPair,
    *,
    p: float = 1.0,
    fill: float = 0.0,
    generator: torch.Generator,
) -> Tensor:
    """Hide a rectangle of each image, in all channels.

    Every pixel is equally likely to be its centre, so near the border part of the rectangle is
    outside the image and less is hidden. An even side has one more pixel before its centre.

    Args:
        images: Floats, shape (N, C, H, W).
        size: Height and width of the rectangle, in pixels.
        p: Probability that an image loses a rectangle.
        fill: What the hidden pixels hold. After normalising, 0 is the mean colour.
        generator: Source of the random numbers.

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
    draws = Draws(images, generator, p)
    hole, value = as_pair(size, "size", 1), as_number(fill, "fill")
    inside = []
    for side, length in zip(images.shape[2:], hole, strict=True):
        start = draws.integers((0, side - 1))[:, None] - length // 2
        places = torch.arange(side)
        inside.append((places >= start) & (places < start + length))
    chosen = draws.chosen()
    hidden = (inside[0][:, None, :, None] & inside[1][:, None, None, :]).to(images.device)
    return images.masked_fill(hidden & chosen, value)


def mixup(
    images: Tensor,
    targets: Tensor,
    num_classes: int | None = None,
    *,
    alpha: float = 0.2,
    p: float = 1.0,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    r"""Mix each image with another one of the batch, and their targets by the same share.

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
        num_classes: K; required with class numbers.
        alpha: Above 0. Small: mostly one image with a trace of the other; 1: all shares equally
            likely.
        p: Probability that an image is mixed; others keep their target (as probabilities).
        generator: Source of the random numbers.

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
    draws = Draws(images, generator, p)
    soft = _soft_targets(images, targets, num_classes)
    if as_number(alpha, "alpha") <= 0:
        raise ValueError(f"`alpha` ({alpha!r}) must be above 0")
    shares = draws.shares(alpha)
    order = draws.order().to(images.device)
    chosen = draws.chosen()
    share = shares.to(images.device, images.dtype)[:, None, None, None]
    mixed = share * images + (1 - share) * images[order]
    share = share[:, :, 0, 0]
    mixed_targets = share * soft + (1 - share) * soft[order]
    return (
        torch.where(chosen, mixed, images),
        torch.where(chosen[:, :, 0, 0], mixed_targets, soft),
    )


def _mix(images: Tensor, poorer: Tensor, factor: Tensor) -> Tensor:
    return (factor * images + (1 - factor) * poorer).clamp(0, 1)


def _grey(images: Tensor) -> Tensor:
    """Return brightness, shape (N, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(_LUMA, dtype=images.dtype, device=images.device)
    return torch.einsum("nchw,c->nhw", images, weights)[:, None]


def _soft_targets(images: Tensor, targets: Tensor, num_classes: int | None) -> Tensor:
    """Return class numbers (N,) or probabilities (N, K) as probabilities in the images' dtype."""
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
                f"`targets` has shape {tuple(targets.shape)}; probabilities for {len(images)} "
                f"images must be {rule}"
            )
        return targets.to(images.device, images.dtype)
    if targets.shape != (len(images),):
        raise ValueError(
            f"`targets` has shape {tuple(targets.shape)}; class numbers for {len(images)} images "
            f"must be ({len(images)},)"
        )
    if classes is None:
        raise TypeError("`num_classes` (None) must be an integer when `targets` are class numbers")
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < classes:
        raise ValueError(
            f"`targets` holds {int(targets.min())} to {int(targets.max())}; class numbers must be "
            f"from 0 to {classes - 1}, below `num_classes` ({classes})"
        )
    return functional.one_hot(targets.long(), classes).to(images.device, images.dtype)
