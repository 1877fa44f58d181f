"""The pooling of cnnref, and its gradients, beside torch's; see `_paired.py`.

The gradient of max pooling finds the winners itself, so torch's forward pass, which keeps them, is
timed with its backward pass.
"""

from __future__ import annotations

from functools import partial

import _paired  # first: it holds the libraries to one thread
import numpy as np
import torch

import cnnref

SETTINGS = {
    "8×64×112×112, 3×3, stride 2, padding 1": ((8, 64, 112, 112), (3, 2, 1)),
    "8×64×56×56, 2×2, stride 2": ((8, 64, 56, 56), (2, 2, 0)),
}
POOLS = {"max": "max_pool2d", "average": "avg_pool2d"}


def forward(name, shape, window):
    """Return the two ways to pool."""
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    tensor = torch.from_numpy(x)

    def by_torch():
        with torch.inference_mode():
            return getattr(torch.nn.functional, name)(tensor, *window)

    return (lambda: getattr(cnnref, name)(x, *window)), by_torch


def gradient(name, shape, window):
    """Return the two ways to compute the gradient to the input."""
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    pool = getattr(torch.nn.functional, name)
    output = pool(leaf, *window)
    output_grad = torch.ones_like(output)
    ones = output_grad.numpy()
    if name == "max_pool2d":
        return (
            lambda: cnnref.max_pool2d_input_grad(ones, x, *window),
            lambda: torch.autograd.grad(pool(leaf, *window), leaf, output_grad)[0],
        )
    return (
        lambda: cnnref.avg_pool2d_input_grad(ones, shape[2:], *window),
        lambda: torch.autograd.grad(output, leaf, output_grad, retain_graph=True)[0],
    )


CASES = {
    f"{word}{suffix}, {setting}": partial(way, name, *SETTINGS[setting])
    for setting in SETTINGS
    for word, name in POOLS.items()
    for suffix, way in (("", forward), (", gradient", gradient))
}

if __name__ == "__main__":
    _paired.main(CASES, warm="max, gradient, 8×64×56×56, 2×2, stride 2")
