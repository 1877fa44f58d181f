"""Do deeper networks train worse? Plain and residual networks of growing depth, on clothes.

The networks are smaller versions of those of He et al. (arXiv:1512.03385, section 4.2): 6n + 2
layers with batch norm, the same convolutions with and without shortcuts that have no weights. The
question is about the *training* loss, which is low in a network that overfits.

    python -m experiments.degradation
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnref.nn.residual import ResidualNet
from experiments.data import ImageSet, fashion_mnist
from experiments.results import Parts, write

BLOCKS = (1, 3, 5, 7)  # in each of three stages: 8, 20, 32 and 44 layers
WIDTHS = (8, 16, 32)
RATES = (
    0.1,
    0.03,
)  # more than one, because a rate that suits one network can harm another
SEEDS = (0, 1, 2)
IMAGES = 2000
EPOCHS = 12
LONGER = 36  # the deepest plain network again, to see whether it only needs more time
BATCH = 100

Examples = tuple[Tensor, Tensor]


def main() -> None:
    """Train every network and store the curves."""
    torch.set_num_threads(2)
    train, test = (shrunk(fashion_mnist(part), IMAGES) for part in ("train", "test"))
    parts = Parts(__file__)
    gradients, runs = [], []
    for blocks, residual, seed in product(BLOCKS, (False, True), SEEDS):
        net = {"layers": 6 * blocks + 2, "kind": "residual" if residual else "plain", "seed": seed}
        name = f"{net['kind']} net, {net['layers']} layers, seed {seed}"
        norms = parts.run(f"{name}, gradients", gradient_norms, blocks, residual, seed, train)
        gradients.append({**net, "norms": norms})
        longer = [LONGER] if blocks == max(BLOCKS) and not residual else []
        for rate, epochs in product(RATES, [EPOCHS, *longer]):
            key = f"{name}, rate {rate}, {epochs} epochs"
            run = parts.run(key, train_net, blocks, residual, seed, rate, epochs, train, test)
            runs.append({**net, "rate": rate, "epochs": epochs, **run})
    settings = {
        "widths": WIDTHS, "images": IMAGES, "epochs": EPOCHS, "longer": LONGER, "batch": BATCH,
        "rates": RATES, "seeds": len(SEEDS),
    }  # fmt: skip
    results = {"settings": settings, "gradients": gradients, "runs": runs}
    write("degradation", __file__, results, seconds=parts.seconds)


def shrunk(clothes: ImageSet, count: int) -> Examples:
    """Return the first images at half their size, with mean 0 and standard deviation 1."""
    images = functional.avg_pool2d(clothes.images[:count].float(), 2)
    return (images - images.mean()) / images.std(), clothes.labels[:count]


def make_net(blocks: int, residual: bool, seed: int) -> ResidualNet:
    """Return a network with `blocks` blocks per stage, its weights drawn from the seed."""
    torch.manual_seed(seed)
    return ResidualNet((blocks,) * len(WIDTHS), widths=WIDTHS, in_channels=1, residual=residual)


def gradient_norms(blocks: int, residual: bool, seed: int, train: Examples) -> list[float]:
    """Return the norm of the loss's gradient with respect to each convolution's weights.

    The loss is that of the first batch before training. The layer next to the input comes first.
    """
    net = make_net(blocks, residual, seed)
    loss = functional.cross_entropy(net(train[0][:BATCH]), train[1][:BATCH])
    loss.backward()  # type: ignore[no-untyped-call]
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    gradients = [layer.weight.grad for layer in layers if layer.weight.grad is not None]
    return [float(f"{gradient.norm().item():.4g}") for gradient in gradients]


def train_net(
    blocks: int,
    residual: bool,
    seed: int,
    rate: float,
    epochs: int,
    train: Examples,
    test: Examples,
) -> dict[str, Any]:
    """Train a network and return its training loss in each epoch and its errors at the end.

    Args:
        blocks: Blocks in each stage.
        residual: Whether they have shortcuts.
        seed: The seed of the weights and of the order of the images.
        rate: The highest learning rate. It falls to zero along a cosine.
        epochs: Passes over the images.
        train: Images and labels to learn from.
        test: Images and labels for the last measurement.
    """
    net = make_net(blocks, residual, seed)
    curve = fit(net, seed, rate, epochs, train)
    return {"loss": curve, "train_error": error(net, *train), "test_error": error(net, *test)}


def fit(net: nn.Module, seed: int, rate: float, epochs: int, train: Examples) -> list[float]:
    """Train a network in place and return its mean training loss in each epoch.

    Args:
        net: The network, in train mode.
        seed: The seed of the order of the images.
        rate: The highest learning rate. It falls to zero along a cosine.
        epochs: Passes over the images.
        train: Images and labels to learn from.
    """
    images, labels = train
    optimizer = torch.optim.SGD(net.parameters(), rate, momentum=0.9, weight_decay=1e-4)
    steps = epochs * len(images) // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = torch.Generator().manual_seed(seed)
    curve = []
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(images), generator=order).view(-1, BATCH):
            loss = functional.cross_entropy(net(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        curve.append(round(total / len(images), 4))
    return curve


@torch.inference_mode()
def error(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images that a network classifies wrongly."""
    net.eval()
    wrong: Tensor = net(images).argmax(1) != labels
    return round(float(wrong.float().mean()), 4)


if __name__ == "__main__":
    main()
