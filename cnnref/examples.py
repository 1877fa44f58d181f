"""The image and the filter that the pages return to: the givens of the site's exercises."""

from __future__ import annotations

import numpy as np

from cnnref._types import Array


def questions_image() -> Array:
    """Return the image of the questions: 3 channels, 4×4, integers.

    Channel 1 is all ones, channel 2 all twos, and each row of channel 3 holds its own number,
    counted from 1.

    Examples:
        >>> questions_image()[2]
        array([[1, 1, 1, 1],
               [2, 2, 2, 2],
               [3, 3, 3, 3],
               [4, 4, 4, 4]])
    """
    image = np.empty((3, 4, 4), dtype=np.int64)
    image[0], image[1], image[2] = 1, 2, np.arange(1, 5)[:, None]
    return image


def questions_filter() -> Array:
    """Return the filter of the questions: one filter of 3 channels, 3×3, all ones.

    Examples:
        >>> questions_filter().shape
        (1, 3, 3, 3)
    """
    return np.ones((1, 3, 3, 3), dtype=np.int64)
