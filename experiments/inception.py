"""Does reducing the channels pay? Inception networks of equal cost, naive and reduced, on clothes.

Three small networks differ in their two inception blocks. The *reduced* one has the filters of
GoogLeNet's modules 3a and 3b, divided by 8. The *naive* one has no 1×1 convolutions before its
filters, and so few filters that it needs the same multiply-adds (within 1 %). The *wide* one is
naive too. It has as many filters as the reduced one, and needs three times the multiply-adds. All
start from the same seeds and see the same images in the same order. The learning rate of each is
chosen with other seeds, on images that neither train nor test.

    python -m experiments.inception
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import cnnref
from cnnref.networks import Conv, Layer, Pool
from cnnref.nn.inception import Inception, NaiveInception
from experiments.data import fashion_mnist
from experiments.degradation import Examples, error, shrunk
from experiments.results import Parts, write

STEM = 24
SIDE = 14
# The filters of the 1×1, the 3×3 and the 5×5 in each of the two blocks.
NAIVE = ((3, 7, 1), (6, 9, 5))
WIDE = ((8, 16, 4), (16, 24, 12))
KINDS = ("reduced", "naive", "wide")
RATES = (0.003, 0.01)
TRIAL_SEEDS = (100, 101)  # for choosing the rate
SEEDS = (0, 1, 2, 3, 4)
IMAGES = 2000
VALIDATION = 1000
EPOCHS = 6
BATCH = 100


def main() -> None:
    """Train all networks and store their errors."""
    torch.set_num_threads(1)
    clothes = shrunk(fashion_mnist("train"), IMAGES + VALIDATION)
    images, labels = clothes
    train = images[:IMAGES], labels[:IMAGES]
    validation = images[IMAGES:], labels[IMAGES:]
    test = shrunk(fashion_mnist("test"), IMAGES)
    parts = Parts(__file__)
    trials, runs = [], []
    for kind in KINDS:
        for rate, seed in product(RATES, TRIAL_SEEDS):
            key = f"trial: {kind}, seed {seed}, rate {rate}"
            run = parts.run(key, train_net, kind, seed, rate, train, validation)
            trials.append({"kind": kind, "seed": seed, "rate": rate, **run})
        rate = best_rate([trial for trial in trials if trial["kind"] == kind])
        for seed in SEEDS:
            key = f"{kind}, seed {seed}, rate {rate}"
            run = parts.run(key, train_net, kind, seed, rate, train, test)
            runs.append({"kind": kind, "seed": seed, "rate": rate, **run})
    settings = {
        "images": IMAGES, "validation": VALIDATION, "epochs": EPOCHS, "batch": BATCH,
        "rates": RATES, "seeds": len(SEEDS), "stem": STEM, "side": SIDE,
        "naive": NAIVE, "wide": WIDE,
    }  # fmt: skip
    costs = {}
    for kind in KINDS:
        cost = cnnref.cost(layers(kind), (1, SIDE, SIDE))
        costs[kind] = {"parameters": cost.parameters, "macs": cost.macs}
    results = {"settings": settings, "costs": costs, "trials": trials, "runs": runs}
    write("inception", __file__, results, seconds=parts.seconds)


def best_rate(trials: list[dict[str, Any]]) -> float:
    """Return the rate with the lowest mean error over its trials."""
    rates: list[float] = sorted({trial["rate"] for trial in trials})
    return min(
        rates,
        key=lambda rate: sum(trial["error"] for trial in trials if trial["rate"] == rate),
    )


def blocks(kind: str) -> tuple[Inception | NaiveInception, Inception | NaiveInception, int]:
    """Return the two inception blocks of a network, and its number of output channels."""
    if kind == "reduced":
        first = Inception(
            STEM, ch1x1=8, ch3x3red=12, ch3x3=16, ch5x5red=2, ch5x5=4, pool_proj=4
        )  # fmt: skip
        second = Inception(
            32, ch1x1=16, ch3x3red=16, ch3x3=24, ch5x5red=4, ch5x5=12, pool_proj=8
        )  # fmt: skip
        return first, second, 16 + 24 + 12 + 8
    near, far = NAIVE if kind == "naive" else WIDE
    between = sum(near) + STEM  # the pooling branch keeps its channels
    return (
        NaiveInception(STEM, ch1x1=near[0], ch3x3=near[1], ch5x5=near[2]),
        NaiveInception(between, ch1x1=far[0], ch3x3=far[1], ch5x5=far[2]),
        sum(far) + between,
    )


def make_net(kind: str, seed: int) -> nn.Sequential:
    """Return a network: a convolution, a block, a pooling, a block, and a classifier."""
    torch.manual_seed(seed)
    first, second, channels = blocks(kind)
    return nn.Sequential(
        nn.Conv2d(1, STEM, 3, padding=1), nn.ReLU(), first, nn.MaxPool2d(2), second,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10),
    )  # fmt: skip


def layers(kind: str) -> list[Layer]:
    """Return the layers of a network up to its last block, for `cnnref.cost`."""
    first, second, _ = blocks(kind)
    return [Conv(STEM, 3, padding=1), *first.layers(), Pool(2), *second.layers()]


def train_net(
    kind: str, seed: int, rate: float, train: Examples, other: Examples
) -> dict[str, Any]:
    """Train a network with Adam; return its last training loss and its error on other images."""
    net = make_net(kind, seed)
    images, labels = train
    optimizer = torch.optim.Adam(net.parameters(), rate)
    steps = EPOCHS * len(images) // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = torch.Generator().manual_seed(seed)
    total = 0.0
    for _ in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(images), generator=order).view(-1, BATCH):
            loss = functional.cross_entropy(net(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
    return {"loss": round(total / len(images), 4), "error": error(net, *other)}


if __name__ == "__main__":
    main()
