r"""Augmentation: changed copies of training images, drawn anew each time they are asked for.

Eight functions on batches (N, C, H, W) of floats. Each draws its numbers from the generator it is
given, **one draw an image**, so two images of a batch change in different ways. What is drawn
depends on the generator, on the shape and on the ranges, never on the pixels or their dtype: the
same seed gives the same draws for a second batch of the same shape.

A range is a pair ``(low, high)``; equal ends fix the number. A single number says how far the range
goes to either side of *nothing changes*: ``degrees=10`` is ``(-10, 10)``, ``factor=0.2`` is
``(0.8, 1.2)``. ``p`` is the probability that an image is changed at all; the others come back
bit for bit.

Nothing is changed in place. The results have the dtype and the device of the images.
"""

from __future__ import annotations

from cnnref.nn.augmentation._operations import (
    color_jitter,
    crop,
    cutout,
    flip,
    mixup,
    rotate,
    scale,
    shift,
)

__all__ = ["color_jitter", "crop", "cutout", "flip", "mixup", "rotate", "scale", "shift"]
