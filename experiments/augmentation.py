"""Measure what augmentation gains on little data, and what a leak does to the score.

Photographs first: the same small network is trained from scratch on ten photographs per class with
three recipes, on the same random splits, and tested on plain photographs it has never seen. Then
clothes, a few of each kind: once in the middle of the picture, once anywhere in it, with a network
that can tell positions apart. Then the mistake: changed copies are made *before* the split, so that
copies of one photograph are on both sides.

    python -m experiments.augmentation
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnref.nn.augmentation import color_jitter, crop, cutout, flip, rotate, scale, shift
from experiments.data import fashion_mnist, image_folder, photographs
from experiments.results import Parts, write

SEEDS = range(8)
SIDE = 48
TRAIN, TEST = 10, 14  # photographs per class
STEPS = 300
BATCH = 20
RATE = 3e-3

CLOTHES_SEEDS = range(5)
CLOTHES_TRAIN, CLOTHES_TEST = 20, 2000  # per class, and in total
CANVAS, CLOTHES_REACH = 40, 6  # the canvas of a 28-pixel picture, and how far it can move

LEAK_SEEDS = range(5)
POOL, NEW = 12, 12  # photographs per class: to split, and to set aside
COPIES = 6

Examples = tuple[Tensor, Tensor]
Augment = Callable[[Tensor, torch.Generator], Tensor]


def moved(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift by up to an eighth of the side, rotate, scale and flip."""
    reach = images.shape[-1] // 8
    images = shift(images, reach, reach, padding_mode="reflect", generator=generator)
    images = rotate(images, 15, padding_mode="reflect", generator=generator)
    images = scale(images, (0.8, 1.6), padding_mode="reflect", generator=generator)
    return flip(images, generator=generator)


def moved_and_colored(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move, then change brightness, contrast and saturation."""
    images = moved(images, generator)
    return color_jitter(images, brightness=0.3, contrast=0.3, saturation=0.3, generator=generator)


def everything(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move and colour, then cover a square of a third of the side in grey."""
    images = moved_and_colored(images, generator)
    return cutout(images, images.shape[-1] // 3, fill=0.5, generator=generator)


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift as far as clothes can be from the middle of the canvas."""
    return shift(images, CLOTHES_REACH, CLOTHES_REACH, generator=generator)


RECIPES: dict[str, Augment | None] = {"none": None, "moved": moved, "everything": everything}
CLOTHES_RECIPES: dict[str, Augment | None] = {"none": None, "shifted": shifted}


def main() -> None:
    """Run every seed and store the results."""
    torch.set_num_threads(1)  # a second thread does not speed up networks this small
    parts = Parts(__file__)
    photos = image_folder(photographs(), SIDE)
    images, labels = photos.images.float() / 255, photos.labels
    recipes, clothes, leaks = [], [], []
    for shuffled in (False, True):
        for seed in LEAK_SEEDS:
            name = f"leak, labels {'shuffled' if shuffled else 'true'}, seed {seed}"
            found = parts.run(name, leak, images, labels, shuffled, seed)
            leaks += [{"shuffled": shuffled, "seed": seed, **one} for one in found]
    for where in ("middle", "anywhere"):
        learn, test = (on_canvas(*load_clothes(part), where) for part in ("train", "test"))
        exam = test[0][:CLOTHES_TEST], test[1][:CLOTHES_TEST]
        for seed in CLOTHES_SEEDS:
            (train,) = split(learn[1], (CLOTHES_TRAIN,), seed)
            few = learn[0][train], learn[1][train]
            for recipe, augment in CLOTHES_RECIPES.items():
                name = f"clothes, {where}, {recipe}, seed {seed}"
                found = parts.run(name, one_recipe, few, exam, augment, seed, CANVAS)
                clothes.append({"where": where, "recipe": recipe, "seed": seed, **found})
    for seed in SEEDS:
        train, test_part = split(labels, (TRAIN, TEST), seed)
        few, exam = ((images[part], labels[part]) for part in (train, test_part))
        for recipe, augment in RECIPES.items():
            name = f"photographs, {recipe}, seed {seed}"
            found = parts.run(name, one_recipe, few, exam, augment, seed)
            recipes.append({"recipe": recipe, "seed": seed, **found})
    settings = {
        "classes": len(photos.names), "photographs": len(labels), "side": SIDE, "train": TRAIN,
        "test": TEST, "steps": STEPS, "batch": BATCH, "clothes_train": CLOTHES_TRAIN,
        "clothes_test": CLOTHES_TEST, "canvas": CANVAS, "pool": POOL, "new": NEW, "copies": COPIES,
    }  # fmt: skip
    results = {"settings": settings, "recipes": recipes, "clothes": clothes, "leaks": leaks}
    write("augmentation", __file__, results, seconds=parts.seconds)


def load_clothes(part: str) -> Examples:
    """Return Fashion-MNIST as floats in 0 to 1, with its labels."""
    clothes = fashion_mnist(part)
    return clothes.images.float() / 255, clothes.labels


def on_canvas(clothes: Tensor, labels: Tensor, where: str) -> Examples:
    """Put each picture on a black canvas, in the middle or at its own fixed random place."""
    generator = torch.Generator().manual_seed(0)
    if where == "middle":
        return crop(clothes, CANVAS, padding=CLOTHES_REACH, generator=generator), labels
    return crop(clothes, CANVAS, padding=2 * CLOTHES_REACH, generator=generator), labels


def split(labels: Tensor, counts: tuple[int, ...], seed: int) -> list[Tensor]:
    """Return disjoint sets of indices with so many of each class, drawn from the seed."""
    generator = torch.Generator().manual_seed(seed)
    found: list[list[Tensor]] = [[] for _ in counts]
    for label in range(int(labels.max()) + 1):
        of_class = (labels == label).nonzero()[:, 0]
        of_class = of_class[torch.randperm(len(of_class), generator=generator)]
        start = 0
        for part, count in zip(found, counts, strict=True):
            part.append(of_class[start : start + count])
            start += count
    return [torch.cat(parts) for parts in found]


def make_net(channels: int, classes: int, seed: int, side: int | None = None) -> nn.Sequential:
    """Return a small network: three convolutions with batch norm and pooling, then a linear layer.

    Args:
        channels: Channels of the images.
        classes: Number of classes.
        seed: Decides the weights.
        side: Side of the images, for a linear layer that weighs each place on its own. Without
            it the last maps are averaged over all places first.
    """
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after in ((channels, 16), (16, 32), (32, 64)):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.MaxPool2d(2),
        ]  # fmt: skip
    places = 1 if side is None else (side // 8) ** 2
    if side is None:
        layers.append(nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * places, classes))


def train_net(
    train: Examples, classes: int, augment: Augment | None, seed: int, side: int | None = None
) -> nn.Module:
    """Train a new network; the seed decides its weights, the batches and the augmentation.

    Every recipe takes the same number of steps. The rate rises and falls along one cycle.
    """
    images, labels = train
    net = make_net(images.shape[1], classes, seed, side)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    step = 0
    while step < STEPS:
        order = torch.randperm(len(images), generator=generator)
        for batch in torch.split(order, BATCH)[: STEPS - step]:
            inputs = images[batch]
            if augment is not None:
                inputs = augment(inputs, generator)
            loss = functional.cross_entropy(net(inputs - 0.5), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            step += 1
    return net.eval()


@torch.inference_mode()
def tested(net: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return accuracy and mean loss."""
    logits = torch.cat([net(part - 0.5) for part in torch.split(images, 256)])
    right = (logits.argmax(1) == labels).float().mean()
    return round(float(right), 4), round(float(functional.cross_entropy(logits, labels)), 4)


def one_recipe(
    train: Examples, test: Examples, augment: Augment | None, seed: int, side: int | None = None
) -> dict[str, float]:
    """Train with a recipe, and test on the plain training images and on plain test images.

    With a recipe, also test on images that the recipe changed, which is a mistake.
    """
    net = train_net(train, int(train[1].max()) + 1, augment, seed, side)
    train_accuracy, train_loss = tested(net, *train)
    accuracy, loss = tested(net, *test)
    found = {
        "train_accuracy": train_accuracy, "train_loss": train_loss,
        "test_accuracy": accuracy, "test_loss": loss,
    }  # fmt: skip
    if augment is not None:
        changed = augment(test[0], torch.Generator().manual_seed(seed))
        found["changed_test_accuracy"] = tested(net, changed, test[1])[0]
    return found


def leak(images: Tensor, labels: Tensor, shuffled: bool, seed: int) -> list[dict[str, Any]]:
    """Make copies before the split and after it, and measure on the test part and on new images.

    Args:
        images: All photographs.
        labels: Their classes.
        shuffled: Whether to shuffle the labels first, so that there is nothing to learn.
        seed: The seed of everything else that is random.
    """
    generator = torch.Generator().manual_seed(seed)
    pool, new = split(labels, (POOL, NEW), seed)
    classes = int(labels.max()) + 1
    if shuffled:
        labels = labels[torch.randperm(len(labels), generator=generator)]
    rows = []

    copies = moved_and_colored(images[pool].repeat(COPIES, 1, 1, 1), generator)
    names = labels[pool].repeat(COPIES)
    test, train = halves(len(copies), generator)
    net = train_net((copies[train], names[train]), classes, None, seed)
    rows.append(scores("copies, then split", net, (copies[test], names[test]), images, labels, new))

    test, train = (pool[part] for part in halves(len(pool), generator))
    copies = moved_and_colored(images[train].repeat(COPIES, 1, 1, 1), generator)
    net = train_net((copies, labels[train].repeat(COPIES)), classes, None, seed)
    rows.append(
        scores("split, then copies", net, (images[test], labels[test]), images, labels, new)
    )
    return rows


def halves(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return a random quarter of 0 to count - 1 for the test, and the rest."""
    order = torch.randperm(count, generator=generator)
    return order[: count // 4], order[count // 4 :]


def scores(
    order: str, net: nn.Module, test: Examples, images: Tensor, labels: Tensor, new: Tensor
) -> dict[str, Any]:
    """Return the score that would be reported, and the score on photographs set aside."""
    return {
        "order": order,
        "reported": tested(net, *test)[0],
        "new": tested(net, images[new], labels[new])[0],
    }


if __name__ == "__main__":
    main()
