"""Trade resolution for channels and back: no number is lost and none is computed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_images, as_int
from cnnref._types import Array


def space_to_depth_loops(input: npt.ArrayLike, block_size: int) -> Array:
    r"""Move blocks of pixels into channels, written as the definition: one loop per index.

    Same arguments, result and errors as `space_to_depth`; far slower. It is here to be read.

    Examples:
        >>> space_to_depth_loops([[[1, 2], [3, 4]]], 2).ravel()
        array([1, 2, 3, 4])

    Source:
        `torch.nn.functional.pixel_unshuffle`.
    """
    images, batched, r = _check_space_to_depth(input, block_size)
    batch, channels, height, width = images.shape
    output = np.empty((batch, channels * r * r, height // r, width // r), images.dtype)
    for n, c, u, v, i, j in np.ndindex(batch, channels, r, r, height // r, width // r):
        output[n, (c * r + u) * r + v, i, j] = images[n, c, i * r + u, j * r + v]
    return output if batched else output[0]


def space_to_depth(input: npt.ArrayLike, block_size: int) -> Array:
    r"""Move each block of pixels into the channels of one pixel: sides shrink, channels multiply.

    With block size $r$, for $0 \le u, v < r$,

    $$\text{output}[n,\, c r^2 + u r + v,\, i,\, j] = \text{input}[n,\, c,\, i r + u,\, j r + v]$$

    Each output channel is one input channel read at every $r$-th row and column; the $r^2$ ways to
    start give $r^2$ channels. `depth_to_space` is the exact inverse.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        block_size: Side $r$ of a block, in pixels; it must divide H and W.

    Returns:
        A new array of the same dtype, shape (N, C r², H / r, W / r), or without N. The channels are
        in the order of PyTorch: all of the first input channel, then all of the second.

    Raises:
        TypeError: If `block_size` is not an integer (a bool is not), or `input` holds no real
            numbers.
        ValueError: If `block_size` is below 1 or does not divide both sides, or the image is empty.

    Examples:
        >>> space_to_depth([[[1, 2, 3, 4], [5, 6, 7, 8]]], 2)
        array([[[1, 3]],
               [[2, 4]],
               [[5, 7]],
               [[6, 8]]])

    Source:
        `torch.nn.functional.pixel_unshuffle`, the inverse of the periodic shuffling of Shi et al.,
        arXiv:1609.05158, section 3.2.
    """
    images, batched, r = _check_space_to_depth(input, block_size)
    batch, channels, height, width = images.shape
    blocks = images.reshape(batch, channels, height // r, r, width // r, r)
    # (N, C, i, u, j, v) to (N, C, u, v, i, j); copied, so that the result never shares memory.
    moved = blocks.transpose(0, 1, 3, 5, 2, 4).copy()
    output = moved.reshape(batch, channels * r * r, height // r, width // r)
    return output if batched else output[0]


def depth_to_space_loops(input: npt.ArrayLike, block_size: int) -> Array:
    r"""Spread channels over blocks of pixels, written as the definition: one loop per index.

    Same arguments, result and errors as `depth_to_space`; far slower. It is here to be read.

    Examples:
        >>> depth_to_space_loops([[[1]], [[2]], [[3]], [[4]]], 2)
        array([[[1, 2],
                [3, 4]]])

    Source:
        `torch.nn.functional.pixel_shuffle`.
    """
    images, batched, r = _check_depth_to_space(input, block_size)
    batch, channels, height, width = images.shape
    output = np.empty((batch, channels // (r * r), height * r, width * r), images.dtype)
    for n, c, u, v, i, j in np.ndindex(batch, channels // (r * r), r, r, height, width):
        output[n, c, i * r + u, j * r + v] = images[n, (c * r + u) * r + v, i, j]
    return output if batched else output[0]


def depth_to_space(input: npt.ArrayLike, block_size: int) -> Array:
    r"""Spread the channels of each pixel over a block of pixels: sides grow, channels shrink.

    With block size $r$, for $0 \le u, v < r$,

    $$\text{output}[n,\, c,\, i r + u,\, j r + v] = \text{input}[n,\, c r^2 + u r + v,\, i,\, j]$$

    It is the exact inverse of `space_to_depth`.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        block_size: Side $r$ of a block, in pixels; its square must divide C.

    Returns:
        A new array of the same dtype, shape (N, C / r², H r, W r), or without N. The channels are
        taken in the order of PyTorch (ONNX: mode `CRD`).

    Raises:
        TypeError: If `block_size` is not an integer (a bool is not), or `input` holds no real
            numbers.
        ValueError: If `block_size` is below 1 or its square does not divide the number of channels,
            or the image is empty.

    Examples:
        >>> depth_to_space([[[1]], [[2]], [[5]], [[6]]], 2)
        array([[[1, 2],
                [5, 6]]])

    Source:
        `torch.nn.functional.pixel_shuffle`; Shi et al., arXiv:1609.05158, section 3.2 (periodic
        shuffling). ONNX operator `DepthToSpace`, mode `CRD`.
    """
    images, batched, r = _check_depth_to_space(input, block_size)
    batch, channels, height, width = images.shape
    blocks = images.reshape(batch, channels // (r * r), r, r, height, width)
    # (N, C, u, v, i, j) to (N, C, i, u, j, v); copied, so that the result never shares memory.
    moved = blocks.transpose(0, 1, 4, 2, 5, 3).copy()
    output = moved.reshape(batch, channels // (r * r), height * r, width * r)
    return output if batched else output[0]


def _check_space_to_depth(input: object, block_size: object) -> tuple[Array, bool, int]:
    images, batched, block = _check(input, block_size)
    for size, name in zip(images.shape[2:], ("height", "width"), strict=True):
        if size % block:
            raise ValueError(
                f"`input` has {name} {size}, which must be divisible by `block_size` ({block})"
            )
    return images, batched, block


def _check_depth_to_space(input: object, block_size: object) -> tuple[Array, bool, int]:
    images, batched, block = _check(input, block_size)
    if images.shape[1] % (block * block):
        raise ValueError(
            f"`input` has {images.shape[1]} channels, which must be divisible by the square of "
            f"`block_size` ({block}), {block * block}"
        )
    return images, batched, block


def _check(input: object, block_size: object) -> tuple[Array, bool, int]:
    images, batched = as_images(input)
    block = as_int(block_size, "block_size", 1)
    return images, batched, block


__all__ = ["depth_to_space", "depth_to_space_loops", "space_to_depth", "space_to_depth_loops"]
