"""How often does a trained network change its prediction when the image moves by one pixel?

A small network learns Fashion-MNIST with max pooling that halves its maps three times. Only what is
around each stride differs: nothing, a blur before it, an ideal low-pass filter before it, or the
same blur after it, which is too late. For each seed, the four networks start from the same weights
and see the same images in the same order. Then the test images move pixel by pixel, and we count
the predictions that change.

    python -m experiments.aliasing
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.data import fashion_mnist
from experiments.results import Parts, write

SEEDS = range(5)
TRAIN, TEST = 2000, 500
CHANNELS = (1, 8, 16, 32)
EPOCHS, BATCH_SIZE, RATE = 6, 20, 1e-2  # the rate at its peak
MOST = 8  # pixels that a test image moves: after the three strides, one cell
BORDER = 2  # pixels of zeros around the images, which makes a side of 32


def main() -> None:
    """Train every network and store the accuracies and the changed predictions."""
    torch.set_num_threads(1)
    parts = Parts(__file__)
    train, test = examples("train", TRAIN), examples("test", TEST)
    rows = []
    for seed in SEEDS:
        for way in WAYS:
            run = parts.run(f"seed {seed}, {way}", measure, way, seed, train, test)
            rows.append({"seed": seed, "way": way, **run})
    settings = {
        "seeds": len(SEEDS), "train": TRAIN, "test": TEST, "epochs": EPOCHS, "rate": RATE,
        "batch_size": BATCH_SIZE, "channels": list(CHANNELS), "side": train[0].shape[-1],
    }  # fmt: skip
    write("aliasing", __file__, {"settings": settings, "runs": rows}, seconds=parts.seconds)


def examples(part: str, count: int) -> tuple[Tensor, Tensor]:
    """Return images with a border of zeros, values about 0 and spread about 1, and their labels."""
    images, labels, *_ = fashion_mnist(part)
    pixels = functional.pad(images[:count].float() / 255, [BORDER] * 4)
    return (pixels - 0.22) / 0.34, labels[:count]


def binomial(maps: Tensor) -> Tensor:
    """Blur each channel with (1, 2, 1)/4 down and across."""
    for axis in (2, 3):
        maps = (maps.roll(1, axis) + 2 * maps + maps.roll(-1, axis)) / 4
    return maps


def ideal(maps: Tensor) -> Tensor:
    """Take out every wave that a stride of two would fold: 1/4 of a cycle per pixel and up."""
    *_, height, width = maps.shape
    down = torch.fft.fftfreq(height).abs()[:, None]
    kept = torch.maximum(down, torch.fft.rfftfreq(width)) < 0.25
    filtered: Tensor = torch.fft.irfft2(torch.fft.rfft2(maps) * kept, s=(height, width))
    return filtered


def same(maps: Tensor) -> Tensor:
    """Return the maps as they are."""
    return maps


# What happens to the maps before the stride, and after it.
WAYS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "no blur": (same, same),
    "blur before": (binomial, same),
    "ideal before": (ideal, same),
    "blur after": (same, binomial),
}


class Network(nn.Module):
    """Three convolutions, each with ReLU and max pooling that halves the map; then the mean.

    Everything wraps around at the border, so that a shift of the image by eight pixels shifts the
    last map by one cell and leaves its mean as it is. Between these shifts the strides decide.

    Args:
        way: What surrounds each stride, one of `WAYS`.
    """

    def __init__(self, way: str) -> None:
        super().__init__()
        self.before, self.after = WAYS[way]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(ins, outs, 3, padding=1, padding_mode="circular")
            for ins, outs in pairwise(CHANNELS)
        )
        self.head = nn.Linear(CHANNELS[-1], 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores, (N, 10)."""
        maps = images
        for convolution in self.convolutions:
            maps = functional.relu(convolution(maps))
            for axis in (2, 3):  # max pooling over 2×2 pixels at stride 1
                maps = torch.maximum(maps, maps.roll(-1, axis))
            maps = self.after(self.before(maps)[:, :, ::2, ::2])
        scores: Tensor = self.head(maps.mean((2, 3)))
        return scores


def measure(
    way: str, seed: int, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]
) -> dict[str, object]:
    """Train a network; return its accuracy and how many predictions each shift changes.

    Args:
        way: What surrounds each stride, one of `WAYS`.
        seed: The seed of the weights and of the order of the images.
        train: Images to learn from, and their labels.
        test: Images that are moved, and their labels.
    """
    torch.manual_seed(seed)
    network = Network(way)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    steps = EPOCHS * -(-len(train[0]) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        order = torch.randperm(len(train[0]))
        for rows in order.split(BATCH_SIZE):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            functional.cross_entropy(network(train[0][rows]), train[1][rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    network.eval()
    images, labels = test
    with torch.no_grad():
        predictions = [
            torch.cat([network(x) for x in images.roll(by, 3).split(500)]).argmax(1)  # type: ignore[no-untyped-call]
            for by in range(MOST + 1)
        ]
    first = predictions[0]
    flips = [share(one != two) for one, two in pairwise(predictions)]
    return {
        "accuracy": share(first == labels),
        "changed": [share(one != first) for one in predictions],
        "changed_by_a_pixel": round(sum(flips) / len(flips), 4),
    }


def share(which: Tensor) -> float:
    """Return the share of those that are true."""
    return round(which.double().mean().item(), 4)


if __name__ == "__main__":
    main()
