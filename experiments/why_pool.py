"""How much time does pooling save in a training step?

The network of the page *Why pool*, with and without its poolings, on the same images. Only the
ratio of the two times is worth keeping; both are measured in turn, in CPU seconds of one thread.

    python -m experiments.why_pool
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from experiments.cost import TURNS, in_turn
from experiments.results import write

IMAGES = 16
SIDE = 64
CHANNELS = (3, 16, 32, 64)


def main() -> None:
    """Measure and store the ratios."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    times = in_turn({"with": training_step(pooled=True), "without": training_step(pooled=False)})
    ratios = [round(a / b, 3) for a, b in zip(times["without"], times["with"], strict=True)]
    settings = {"turns": TURNS, "images": IMAGES, "side": SIDE, "channels": list(CHANNELS)}
    write("why_pool", __file__, {"settings": settings, "ratios": ratios})


def network(pooled: bool) -> nn.Sequential:
    """Return three convolutions, each followed by max pooling or not, and a classifier."""
    layers: list[nn.Module] = []
    for before, after in pairwise(CHANNELS):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        if pooled:
            layers.append(nn.MaxPool2d(2))
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS[-1], 10)]
    return nn.Sequential(*layers, *head)


def training_step(pooled: bool) -> Callable[[], None]:
    """Return a function that takes one step of training on random images."""
    model = network(pooled)
    images, labels = torch.randn(IMAGES, 3, SIDE, SIDE), torch.arange(IMAGES) % 10
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
