"""Augmentation: changed copies of training images, drawn anew at each call.

Eight functions on batches (N, C, H, W) of floats. Each draws its random numbers from the generator
it is given, **one number per image**, so two images of a batch change in different ways. The
numbers depend on the generator, the shape and the ranges, never on the pixels or their dtype: the
same seed gives the same numbers for another batch of the same shape.

A range is a pair ``(low, high)``; equal ends fix the number. A single number is the distance of
both ends from *no change*: ``degrees=10`` is ``(-10, 10)``, ``factor=0.2`` is ``(0.8, 1.2)``. ``p``
is the probability that an image is changed at all; other images are returned bit for bit.

Nothing is changed in place. The results have the dtype and the device of the images.
"""

from __future__ import annotations

from cnnref.nn.augmentation._geometry import crop, flip, rotate, scale, shift
from cnnref.nn.augmentation._values import color_jitter, cutout, mixup

__all__ = ["color_jitter", "crop", "cutout", "flip", "mixup", "rotate", "scale", "shift"]
