"""Small networks with a flattening head, trained on Fashion-MNIST.

Between the last maps and the scores there is one linear layer that reads every cell, not only the
mean of each map. So the gradient differs from cell to cell, and HiResCAM from Grad-CAM.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.data import fashion_mnist

__all__ = ["LAYER", "as_inputs", "train", "untrained"]

LAYER = "4"  # the ReLU before the last pooling: maps of 14×14
_BATCH, _RATE = 64, 2e-3


def as_inputs(part: str, count: int) -> tuple[Tensor, Tensor]:
    """Return the first images of a part of Fashion-MNIST, from 0 to 1, and their labels."""
    images = fashion_mnist(part)
    return images.images[:count].float() / 255, images.labels[:count]


def untrained(seed: int) -> nn.Sequential:
    """Return the network with new weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
        ).eval()  # fmt: skip


def train(
    model: nn.Sequential, images: Tensor, labels: Tensor, epochs: int, seed: int
) -> nn.Sequential:
    """Train a network with Adam, and return it. It has no layer that acts differently in training.

    Args:
        model: The network.
        images: The images, (N, 1, 28, 28), from 0 to 1.
        labels: Their classes, (N,).
        epochs: How often each image is seen.
        seed: The seed of the order of the images.
    """
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), _RATE)
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=order).split(_BATCH):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            functional.cross_entropy(model(images[rows]), labels[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model
