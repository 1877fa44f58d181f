"""What does batch norm in train mode cost a network whose parameters are frozen?

A new head is trained on EfficientNet-Lite0 twice: after `freeze`, which holds the running
statistics of batch norm, and after `requires_grad_(False)`, which does not. Both have the same
training crops, the same head and the same order of batches, so that each seed gives a pair.

    python -m experiments.frozen_batch_norm
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from skimage import data
from torch import Tensor, nn
from torch.nn import functional

from cnnref.nn.pretrained import ImageNetwork, efficientnet_lite0
from cnnref.nn.transfer import accuracy, freeze, replace_head
from experiments.results import Parts, write

SEEDS = range(10)
BATCH_SIZES = (4, 16)
TRAIN, TEST = 8, 25  # crops per photograph
SIZE = 48
EPOCHS, RATE = 8, 3e-3
PHOTOGRAPHS = ("chelsea", "coffee", "astronaut", "rocket")
WAYS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "freeze": freeze,
    "requires_grad": lambda model: model.requires_grad_(False),
}

Examples = tuple[Tensor, Tensor]


def main() -> None:
    """Train every head and store the accuracies."""
    torch.set_num_threads(1)  # the crops are small
    model = efficientnet_lite0()
    parts = Parts(__file__)
    rows = []
    for batch_size, seed in product(BATCH_SIZES, SEEDS):
        train = crops(model, 0, TRAIN, seed=seed)
        test = crops(model, 1, TEST, seed=100 + seed)
        for way in WAYS:
            key = f"batches of {batch_size}, seed {seed}, {way}"
            run = parts.run(key, train_head, model, way, batch_size, seed, train, test)
            rows.append({"batch_size": batch_size, "seed": seed, "way": way, **run})
    settings = {
        "seeds": len(SEEDS), "epochs": EPOCHS, "rate": RATE, "train": TRAIN, "test": TEST,
        "size": SIZE,
    }  # fmt: skip
    results = {"settings": settings, "runs": rows}
    write("frozen_batch_norm", __file__, results, seconds=parts.seconds)


def crops(model: ImageNetwork, side: int, count: int, seed: int) -> Examples:
    """Cut gray squares from one half of each photograph.

    Args:
        model: The network that will see them.
        side: 0 for the left halves of the photographs, 1 for the right halves.
        count: Crops per photograph.
        seed: The seed of the places they are cut from.
    """
    random, squares = np.random.default_rng(seed), []
    for name in PHOTOGRAPHS:
        half = np.array_split(getattr(data, name)() @ [0.299, 0.587, 0.114], 2, axis=1)[side]
        for _ in range(count):
            top, left = (random.integers(0, n - SIZE + 1) for n in half.shape)
            squares.append(half[top : top + SIZE, left : left + SIZE])
    images = torch.tensor(np.stack(squares), dtype=torch.float32)[:, None].repeat(1, 3, 1, 1)
    return model.normalize(images), torch.arange(len(PHOTOGRAPHS)).repeat_interleave(count)


def train_head(
    model: ImageNetwork, way: str, batch_size: int, seed: int, train: Examples, test: Examples
) -> dict[str, float]:
    """Train a new head in train mode; return its accuracies in eval mode.

    Args:
        model: The network, of which a copy is trained.
        way: How its parameters are frozen, one of `WAYS`.
        batch_size: Crops per step.
        seed: The seed of the head and of the order of the crops.
        train: Crops to learn from, and their labels.
        test: Crops for the last measurement, and their labels.
    """
    model = WAYS[way](copy.deepcopy(model))  # type: ignore[assignment]
    replace_head(model, len(PHOTOGRAPHS), generator=torch.Generator().manual_seed(seed))
    head = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(head, RATE)
    torch.manual_seed(seed)
    for _ in range(EPOCHS):
        model.train()
        for rows in torch.randperm(len(train[0])).split(batch_size):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            functional.cross_entropy(model(train[0][rows]), train[1][rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return {"train": round(accuracy(model, *train), 4), "test": round(accuracy(model, *test), 4)}


if __name__ == "__main__":
    main()
