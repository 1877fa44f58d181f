"""With few images per class, train your own network or start from a pre-trained one?

Ways to classify photographs of animals, fish, monuments and tools, each on the same random splits:
from their mean color; by a small network trained from scratch; by a linear head on the frozen
features of EfficientNet-Lite0; and by fine-tuning its top or all of it, from a random head or from
that trained head. Then the same ways where the pictures are unlike those that Lite0 has seen: small
grey pictures of clothes. The augmentation is the same in every way, and settings are chosen on
images that never test.

    python -m experiments.small_data
"""

from __future__ import annotations

import base64
import copy
import io
import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from cnnref.nn.transfer import accuracy
from experiments import fine_tuning
from experiments.data import ImageSet, credits_of, fashion_mnist, image_folder, photographs
from experiments.fine_tuning import (
    BATCH,
    CHOICE_SEEDS,
    DEPTHS,
    DIVISORS,
    Examples,
    Row,
    augmented,
    best_rate,
    measure,
    split,
    train_on,
    with_new_head,
)
from experiments.results import Parts, read, write

SEEDS, COUNTS = fine_tuning.SEEDS, (2, 5, 10)  # splits, and photographs per class
SIDE = fine_tuning.SIDE
HEAD_STEPS, BASE_STEPS, SCRATCH_STEPS = 36, 24, 200
SCRATCH_RATES = (1e-3, 3e-3, 1e-2)

CLOTHES_SEEDS, CLOTHES_COUNTS = range(5), (10, 100)
CLOTHES_CHECK, CLOTHES_TEST = 500, 1000  # images in total
CLOTHES_HEAD_EPOCHS, CLOTHES_SCRATCH_EPOCHS = 2, 15  # at least

WAYS = tuple(product(("random", "trained"), DEPTHS))
Chosen = dict[tuple[str, str], int]


def main() -> None:
    """Choose the settings, run every split, and store the accuracies."""
    torch.set_num_threads(1)
    parts = Parts(__file__)
    photos = image_folder(photographs(), SIDE)
    images, labels = photos.images.float() / 255, photos.labels
    factorial = read("fine_tuning").data
    rate = factorial["settings"]["head_rate"]

    scratch = []
    for one, seed in product(SCRATCH_RATES, CHOICE_SEEDS[:2]):
        name = f"photographs, scratch at {one}, seed {seed}"
        scratch.append(parts.run(name, try_scratch, images, labels, one, seed))
    divisors = chosen_divisors(factorial["rows"])
    rows = [
        {"seed": row["seed"], "count": max(COUNTS), "way": name_of(row["order"], row["depth"])}
        | {"accuracy": row["accuracy"], "loss": row["loss"]}
        for row in factorial["rows"]
        if row["depth"] == "head" or is_chosen(row, divisors)
    ]
    for seed, count in product(SEEDS, COUNTS):
        name = f"photographs, seed {seed}, {count} per class"
        found = parts.run(
            name, on_photographs, images, labels, seed, count, rate, best_rate(scratch), divisors
        )
        rows += [{"seed": seed, "count": count, **row} for row in found]

    clothes = [fashion_mnist(part) for part in ("train", "test")]
    trials = [
        parts.run(f"clothes, seed {seed}", try_on_clothes, clothes[0], rate, seed)
        for seed in CHOICE_SEEDS[:1]
    ]
    own = chosen_divisors(trials[0]["tuned"])
    own_scratch = best_rate(trials[0]["scratch"])
    other_rows = []
    for count, seed in product(CLOTHES_COUNTS, CLOTHES_SEEDS):
        name = f"clothes, seed {seed}, {count} per class"
        found = parts.run(name, on_clothes, *clothes, seed, count, rate, own_scratch, own)
        other_rows += [{"seed": seed, "count": count, **row} for row in found]

    credits = credits_of(photos.files)
    results = {
        "settings": {
            "classes": dict(zip(photos.names, labels.bincount().tolist(), strict=True)),
            "test": fine_tuning.TEST, "check": fine_tuning.CHECK, "side": SIDE,
            "head_rate": rate, "steps": [HEAD_STEPS, BASE_STEPS, SCRATCH_STEPS],
            "scratch_rate": best_rate(scratch), "clothes_scratch_rate": own_scratch,
            "divisors": {name_of(*way): divisors[way] for way in WAYS},
            "clothes_divisors": {name_of(*way): own[way] for way in WAYS},
            "clothes_check": CLOTHES_CHECK, "clothes_test": CLOTHES_TEST,
        },
        "choices": {"photographs": scratch, "clothes": trials},
        "photographs": rows,
        "clothes": other_rows,
        "sheet": contact_sheet(photos),
        "credits": {name: credit._asdict() for name, credit in credits.items()},
    }  # fmt: skip
    write("small_data", __file__, results, seconds=parts.seconds)


def name_of(order: str, depth: str) -> str:
    """Return the name of a way to use the pre-trained network."""
    return "frozen" if depth == "head" else f"{depth}, {order} head"


def chosen_divisors(rows: list[Row]) -> Chosen:
    """Return for each order and depth the divisor with the lowest loss on what chooses settings."""
    found: Chosen = {}
    for order, depth in WAYS:
        of_way = [
            row for row in rows if (row["order"], row["depth"]) == (order, depth) and usual(row)
        ]
        found[order, depth] = best_rate(of_way, "divisor")
    return found


def usual(row: Row) -> bool:
    """Return whether a row of the factorial took the epochs of the second phase alone."""
    return bool(row.get("epochs", fine_tuning.BASE_EPOCHS) == fine_tuning.BASE_EPOCHS)


def is_chosen(row: Row, divisors: Chosen) -> bool:
    """Return whether a row of the factorial has the divisor that was chosen for its way."""
    return usual(row) and divisors[row["order"], row["depth"]] == int(row["divisor"])


def try_scratch(images: Tensor, labels: Tensor, rate: float, seed: int) -> Row:
    """Return the loss of a network trained from scratch, on the photographs that choose."""
    check, train, _ = split(labels, seed)
    net = from_scratch((images[train], labels[train]), seed, rate, SCRATCH_STEPS)
    return {"rate": rate, "check_loss": scored(net, (images[check], labels[check]))["loss"]}


def on_photographs(
    images: Tensor,
    labels: Tensor,
    seed: int,
    count: int,
    rate: float,
    scratch_rate: float,
    divisors: Chosen,
) -> list[Row]:
    """Return the accuracy of each way on one split, with `count` photographs per class.

    With the largest count, the pre-trained network's accuracies come from the factorial.
    """
    check, train, test = split(labels, seed, count)
    exam = images[test], labels[test]
    net = from_scratch((images[train], labels[train]), seed, scratch_rate, SCRATCH_STEPS)
    rows = [
        {"way": "colors", "accuracy": nearest_color(images, labels, train, test)},
        {"way": "scratch", **scored(net, exam)},
    ]
    if count < max(COUNTS):
        batches = math.ceil(len(train) / BATCH)
        epochs = math.ceil(HEAD_STEPS / batches), math.ceil(BASE_STEPS / batches)
        sets = (images, labels, train, check)
        rows += tuned(sets, exam, rate, divisors, epochs, seed)
    return rows


def tuned(
    sets: tuple[Tensor, Tensor, list[int], list[int]],
    exam: Examples,
    rate: float,
    divisors: Chosen,
    epochs: tuple[int, int],
    seed: int,
) -> list[Row]:
    """Return the accuracy of a head on frozen features, and of fine-tuning from either head."""
    classes = int(sets[1].max()) + 1
    heads = {"random": with_new_head(classes, seed), "trained": with_new_head(classes, seed)}
    train_on(heads["trained"], *sets, rate, 0, head=epochs[0], seed=seed)
    frozen = copy.deepcopy(heads["trained"])
    train_on(frozen, *sets, rate, 0, head=epochs[1], seed=seed)
    rows = [{"way": "frozen", **measure(frozen, exam)}]
    for order, depth in WAYS:
        model = copy.deepcopy(heads[order])
        gentle = rate / divisors[order, depth]
        train_on(model, *sets, rate, gentle, base=epochs[1], top=DEPTHS[depth], seed=seed)
        rows.append({"way": name_of(order, depth), **measure(model, exam)})
    return rows


def clothes_split(learn: ImageSet, seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Return positions to train on, as many of each class, and to choose settings on.

    Those that choose are the same for every seed.
    """
    fixed = torch.randperm(
        len(learn.labels), generator=torch.Generator().manual_seed(fine_tuning.CHECK_SEED)
    )
    check, rest = fixed[:CLOTHES_CHECK], fixed[CLOTHES_CHECK:]
    draw = torch.Generator().manual_seed(seed)
    rest = rest[torch.randperm(len(rest), generator=draw)]
    train = [rest[learn.labels[rest] == label][:count] for label in range(len(learn.names))]
    return torch.cat(train), check


def enlarged(images: Tensor) -> Tensor:
    """Return grey uint8 pictures as the pre-trained network's size and channels, from 0 to 1."""
    large = functional.interpolate(images.float() / 255, size=(SIDE, SIDE), mode="bilinear")
    return large.expand(-1, 3, -1, -1)


def as_scratch(images: Tensor) -> Tensor:
    """Return grey uint8 pictures with three equal channels, from 0 to 1."""
    return (images.float() / 255).expand(-1, 3, -1, -1)


def try_on_clothes(learn: ImageSet, rate: float, seed: int) -> dict[str, list[Row]]:
    """Return losses on the clothes that choose settings, for each of the settings."""
    train, check = clothes_split(learn, seed, CLOTHES_COUNTS[0])
    both = torch.cat([train, check])
    images, labels = enlarged(learn.images[both]), learn.labels[both]
    places = list(range(len(train))), list(range(len(train), len(both)))
    epochs = clothes_epochs(len(train))
    heads = {"random": with_new_head(10, seed), "trained": with_new_head(10, seed)}
    train_on(
        heads["trained"], images, labels, places[0], places[0], rate, 0, head=epochs[0], seed=seed
    )
    rows = []
    for (order, depth), divisor in product(WAYS, DIVISORS):
        model = copy.deepcopy(heads[order])
        train_on(
            model, images, labels, places[0], places[0], rate, rate / divisor, base=epochs[1],
            top=DEPTHS[depth], seed=seed,
        )  # fmt: skip
        loss = measure(model, (images[places[1]], labels[places[1]]))["loss"]
        rows.append({"order": order, "depth": depth, "divisor": divisor, "check_loss": loss})
    exam = as_scratch(learn.images[check]), learn.labels[check]
    scratch = []
    for one in SCRATCH_RATES:
        few = as_scratch(learn.images[train]), learn.labels[train]
        net = from_scratch(few, seed, one, SCRATCH_STEPS)
        scratch.append({"rate": one, "check_loss": scored(net, exam)["loss"]})
    return {"tuned": rows, "scratch": scratch}


def clothes_epochs(images: int) -> tuple[int, int]:
    """Return the epochs of the head and of the base: enough for the steps."""
    batches = math.ceil(images / BATCH)
    return (
        max(math.ceil(HEAD_STEPS / batches), CLOTHES_HEAD_EPOCHS),
        math.ceil(BASE_STEPS / batches),
    )


def on_clothes(
    learn: ImageSet,
    test: ImageSet,
    seed: int,
    count: int,
    rate: float,
    scratch_rate: float,
    divisors: Chosen,
) -> list[Row]:
    """Return the accuracy of each way on small grey pictures of clothes."""
    train, _ = clothes_split(learn, seed, count)
    few, labels = learn.images[train], learn.labels[train]
    exam, exam_labels = test.images[:CLOTHES_TEST], test.labels[:CLOTHES_TEST]
    steps = max(SCRATCH_STEPS, CLOTHES_SCRATCH_EPOCHS * math.ceil(len(few) / BATCH))
    net = from_scratch((as_scratch(few), labels), seed, scratch_rate, steps)
    every = list(range(len(few)))
    # Nothing is chosen here, so only two images are evaluated after each epoch.
    sets = (enlarged(few), labels, every, every[:2])
    found = tuned(
        sets, (enlarged(exam), exam_labels), rate, divisors, clothes_epochs(len(few)), seed
    )
    return [{"way": "scratch", **scored(net, (as_scratch(exam), exam_labels))}, *found]


def nearest_color(images: Tensor, labels: Tensor, train: list[int], test: list[int]) -> float:
    """Return the accuracy of choosing the class whose mean color is nearest."""
    colors = images.mean(dim=(2, 3))
    means = torch.stack(
        [
            colors[train][labels[train] == label].mean(dim=0)
            for label in range(int(labels.max()) + 1)
        ]
    )
    nearest = torch.cdist(colors[test], means).argmin(dim=1)
    return round((nearest == labels[test]).float().mean().item(), 5)


def small_network(classes: int, widths: Sequence[int] = (16, 32, 64, 128)) -> nn.Module:
    """Return 3×3 convolutions with batch norm and max pooling, then a global average and a head."""
    layers: list[nn.Module] = []
    channels = 3
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels, classes)]
    return nn.Sequential(*layers, *end)


def from_scratch(train: Examples, seed: int, rate: float, steps: int) -> nn.Module:
    """Train a small network from random weights, with the augmentation of all the ways.

    The rate falls linearly to 0, as in fine-tuning.
    """
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    images, labels = train
    net = small_network(int(labels.max()) + 1)
    batches = math.ceil(len(images) / BATCH)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for step in range(steps):
        if step % batches == 0:
            order = torch.randperm(len(images), generator=draw).tensor_split(batches)
        some = order[step % batches]
        loss = functional.cross_entropy(net(augmented(images[some], draw) - 0.5), labels[some])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return net


@torch.inference_mode()
def scored(net: nn.Module, examples: Examples) -> Row:
    """Return accuracy and loss of a network trained from scratch."""
    scores = net.eval()(examples[0] - 0.5)
    return {
        "accuracy": round(accuracy(net, examples[0] - 0.5, examples[1]), 5),
        "loss": round(functional.cross_entropy(scores, examples[1]).item(), 5),
    }


def contact_sheet(photos: ImageSet, each: int = 6, side: int = 64) -> dict[str, Any]:
    """Return one picture of the first photographs of each class, and their file names."""
    rows, chosen = [], []
    for label in range(len(photos.names)):
        places = torch.nonzero(photos.labels == label).flatten()[:each].tolist()
        shrunk = functional.interpolate(
            photos.images[places].float(), size=(side, side), mode="bilinear", antialias=True
        )
        rows.append(torch.cat(list(shrunk), dim=2))
        chosen += [photos.files[place] for place in places]
    sheet = torch.cat(rows, dim=1).round().clamp(0, 255).byte().permute(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(sheet.numpy()).save(file, "WEBP", quality=80, method=6)
    return {"webp": base64.b64encode(file.getvalue()).decode(), "files": chosen}


if __name__ == "__main__":
    main()
