"""The convolution of cnnref beside torch's; see `_paired.py`. Run it with ``make bench``."""

from __future__ import annotations

from functools import partial

import _paired  # first: it holds the libraries to one thread
import numpy as np
import torch

import cnnref

SMALL = "1×3×32×32, 16 of 3×3"


def pair(shape, filters, **options):
    """Return the two ways to compute a convolution."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal(shape, dtype=np.float32)
    w = generator.standard_normal(filters, dtype=np.float32)
    tensor, weight = torch.from_numpy(x), torch.from_numpy(w)

    def by_torch():
        with torch.inference_mode():
            return torch.nn.functional.conv2d(tensor, weight, **options)

    return (lambda: cnnref.conv2d(x, w, **options)), by_torch


CASES = {
    SMALL: partial(pair, (1, 3, 32, 32), (16, 3, 3, 3)),
    "8×3×224×224, 64 of 7×7, stride 2": partial(
        pair, (8, 3, 224, 224), (64, 3, 7, 7), stride=2, padding=3
    ),
    "8×64×56×56, 64 of 3×3": partial(pair, (8, 64, 56, 56), (64, 64, 3, 3), padding=1),
    "8×256×14×14, 256 of 3×3, dilation 2": partial(
        pair, (8, 256, 14, 14), (256, 256, 3, 3), padding=2, dilation=2
    ),
}

if __name__ == "__main__":
    _paired.main(CASES, warm=SMALL)
