"""The gradients and the transposed convolution of cnnref beside torch's; see `_paired.py`.

The gradients are compared with ``torch.nn.grad``, which computes one alone.
"""

from __future__ import annotations

from functools import partial

import _paired  # first: it holds the libraries to one thread
import numpy as np
import torch

import cnnref

LAYER = ((8, 64, 56, 56), (64, 64, 3, 3))
SMALL = "transposed: 1×3×32×32, 16 of 3×3"


def normal(*shape):
    """Return random numbers as an array and as the tensor that shares its memory."""
    x = np.random.default_rng(len(shape)).standard_normal(shape, dtype=np.float32)
    return x, torch.from_numpy(x)


def transposed(shape, filters, **options):
    """Return the two ways to compute a transposed convolution."""
    (x, tensor), (w, weight) = normal(*shape), normal(*filters)
    return (
        lambda: cnnref.conv_transpose2d(x, w, **options),
        lambda: torch.nn.functional.conv_transpose2d(tensor, weight, **options),
    )


def input_grad(shape, filters, **options):
    """Return the two ways to compute the gradient to the input."""
    (_, tensor), (w, weight) = normal(*shape), normal(*filters)
    y, grad = normal(*torch.nn.functional.conv2d(tensor, weight, **options).shape)
    return (
        lambda: cnnref.conv2d_input_grad(shape, w, y, **options),
        lambda: torch.nn.grad.conv2d_input(shape, weight, grad, **options),
    )


def weight_grad(shape, filters, **options):
    """Return the two ways to compute the gradient to the weight."""
    (x, tensor), (_, weight) = normal(*shape), normal(*filters)
    y, grad = normal(*torch.nn.functional.conv2d(tensor, weight, **options).shape)
    return (
        lambda: cnnref.conv2d_weight_grad(x, filters, y, **options),
        lambda: torch.nn.grad.conv2d_weight(tensor, filters, grad, **options),
    )


CASES = {
    "input: 8×64×56×56, 64 of 3×3": partial(input_grad, *LAYER, padding=1),
    "input: the same, stride 2": partial(input_grad, *LAYER, padding=1, stride=2),
    "weight: 8×64×56×56, 64 of 3×3": partial(weight_grad, *LAYER, padding=1),
    "weight: the same, stride 2": partial(weight_grad, *LAYER, padding=1, stride=2),
    "transposed: 8×64×28×28, 64 of 4×4, stride 2": partial(
        transposed, (8, 64, 28, 28), (64, 64, 4, 4), padding=1, stride=2
    ),
    SMALL: partial(transposed, (1, 3, 32, 32), (3, 16, 3, 3)),
}

if __name__ == "__main__":
    _paired.main(CASES, warm=SMALL)
