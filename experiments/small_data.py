"""With a few photographs per class, train your own network or start from a pre-trained one?

Five ways to classify photographs of animals, fish, monuments and tools, each on the same random
splits: from their mean color; by a small network trained from scratch; by a linear head on the
frozen features of EfficientNet-Lite0; and by fine-tuning its top, or all of it, after that head.
Then two of these ways where the pictures are unlike those that Lite0 has seen: patches of three
textures, and small grey pictures of clothes.

    python -m experiments.small_data
"""

from __future__ import annotations

import base64
import io
import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from cnnref.nn.augmentation import color_jitter, crop, flip
from cnnref.nn.pretrained import ImageNetwork, efficientnet_lite0
from cnnref.nn.transfer import accuracy, fine_tune, replace_head
from experiments.data import ImageSet, credits_of, fashion_mnist, image_folder, photographs
from experiments.results import Parts, write

SEEDS, OTHER_SEEDS = range(5), range(4)  # for the photographs; for textures and clothes
COUNTS = (2, 5, 10)  # photographs per class to learn from
TEST, CHECK = 12, 2  # photographs per class to test on, and to monitor training
SIDE, SCRATCH_SIDE = 160, 64  # the image sizes of Lite0 and of the small network
BATCH = 16
STEPS = {"head": 100, "base": 30, "scratch": 300}
HEAD_RATE, SCRATCH_RATE = 3e-3, 3e-3
# What is fine-tuned after the head: how many children of `features`, and at which learning rate.
FINE_TUNED = {"top": (4, 1e-4), "all": (18, 1e-4)}
FINE_TUNED_FAST = {"top, fast": (4, 1e-3), "all, fast": (18, 1e-3)}

TEXTURES, TEXTURE_SIDE = ("brick", "grass", "gravel"), 64
TEXTURE_COUNTS, TEXTURE_TEST = (1, 5), 100
CLOTHES_COUNTS, CLOTHES_TEST, CLOTHES_SIDE = (2, 10, 100), 1000, 96

Examples = tuple[Tensor, Tensor]
Rows = list[dict[str, Any]]


def main() -> None:
    """Run every split and store the accuracies."""
    torch.set_num_threads(2)
    parts = Parts(__file__)
    folder = photographs()
    large, small = image_folder(folder, SIDE), image_folder(folder, SCRATCH_SIDE)
    clothes = fashion_mnist("train"), fashion_mnist("test")
    rows: dict[str, Rows] = {"photographs": [], "textures": [], "clothes": []}
    for seed, count in product(SEEDS, COUNTS):
        key = f"photographs, seed {seed}, {count} a class"
        rows["photographs"] += parts.run(key, on_photographs, large, small, seed, count)
    for seed in OTHER_SEEDS:
        rows["textures"] += parts.run(f"textures, seed {seed}", on_textures, seed)
    for seed in OTHER_SEEDS:
        rows["clothes"] += parts.run(f"clothes, seed {seed}", on_clothes, *clothes, seed)
    credits = credits_of(large.files)
    results = {
        "settings": {
            "classes": dict(zip(large.names, large.labels.bincount().tolist(), strict=True)),
            "test": TEST, "side": SIDE, "scratch_side": SCRATCH_SIDE, "steps": STEPS,
            "fine_tuned": {**FINE_TUNED, **FINE_TUNED_FAST},
            "seeds": len(SEEDS), "other_seeds": len(OTHER_SEEDS),
        },
        **rows,
        "sheet": contact_sheet(large),
        "credits": {name: credit._asdict() for name, credit in credits.items()},
    }  # fmt: skip
    write("small_data", __file__, results, seconds=parts.seconds)


def on_photographs(large: ImageSet, small: ImageSet, seed: int, count: int) -> Rows:
    """Return the accuracy of each way on one split, with `count` photographs per class."""
    model = efficientnet_lite0()
    inputs = model.normalize(large.images.float())
    features = features_of(model, inputs)
    train, check, test = split(large.labels, [max(COUNTS), CHECK, TEST], seed)
    few = first_of_each(train, count, max(COUNTS))

    def examples(of: Tensor, places: list[int]) -> Examples:
        return of[places], large.labels[places]

    def parts(of: Tensor) -> tuple[Examples, Examples, Examples]:
        return examples(of, few), examples(of, check), examples(of, test)

    colors = small.images.float().mean(dim=(2, 3))
    colors = (colors - colors[few].mean(dim=0)) / colors[few].std(dim=0)
    head, frozen = head_on(*parts(features), seed=seed)
    found = {
        "colors": head_on(*parts(colors), seed=seed, rate=0.1)[1],
        "scratch": from_scratch(examples(small.images, few), examples(small.images, test), seed),
        "frozen": frozen,
    }
    ways = FINE_TUNED | (FINE_TUNED_FAST if count == max(COUNTS) else {})
    for way, (top, rate) in ways.items():
        tuned = efficientnet_lite0()
        replace_head(tuned, len(large.names))
        # `fine_tune` would train the head first. Here it was trained once, for all the ways.
        tuned.classifier.load_state_dict(head.state_dict())
        fine_tune(
            tuned, examples(inputs, few), examples(inputs, check), head_epochs=0,
            top_epochs=passes("base", len(few)), top=top, head_rate=rate, base_rate=rate,
            batch_size=BATCH, seed=seed, progress=False,
        )  # fmt: skip
        found[way] = accuracy(tuned, *examples(inputs, test))
    return [row(seed, count, way, value) for way, value in found.items()]


def on_textures(seed: int, counts: Sequence[int] = TEXTURE_COUNTS) -> Rows:
    """Compare a head on frozen features with training from scratch, on patches of textures."""
    train, test = texture_patches(seed, max(counts), TEXTURE_TEST)
    return contest(train, test, counts, seed, side=TEXTURE_SIDE)


def on_clothes(train: ImageSet, test: ImageSet, seed: int) -> Rows:
    """Compare the same two ways on small grey pictures of clothes."""
    (chosen,) = split(train.labels, [max(CLOTHES_COUNTS)], seed)
    learn = train.images[chosen].expand(-1, 3, -1, -1), train.labels[chosen]
    exam = test.images[:CLOTHES_TEST].expand(-1, 3, -1, -1), test.labels[:CLOTHES_TEST]
    return contest(learn, exam, CLOTHES_COUNTS, seed, side=CLOTHES_SIDE)


def contest(
    train: Examples, test: Examples, counts: Sequence[int], seed: int, *, side: int
) -> Rows:
    """Return the accuracy of a head on frozen features, and from scratch, for each count.

    Args:
        train: Images grouped by class, the same number of each, and their labels.
        test: Images and labels.
        counts: Numbers of images per class to learn from.
        seed: The seed of everything that is random.
        side: The side to which images are enlarged for the pre-trained network.
    """
    model = efficientnet_lite0()
    features = []
    for images, _ in (train, test):
        enlarged = functional.interpolate(images.float(), size=(side, side), mode="bilinear")
        features.append(features_of(model, model.normalize(enlarged)))
    rows = []
    for count in counts:
        few = first_of_each(list(range(len(train[1]))), count, max(counts))
        learned = features[0][few], train[1][few]
        found = {
            "frozen": head_on(learned, learned, (features[1], test[1]), seed=seed)[1],
            "scratch": from_scratch((train[0][few], train[1][few]), test, seed),
        }
        rows += [row(seed, count, way, value) for way, value in found.items()]
    return rows


def first_of_each(places: list[int], count: int, of: int) -> list[int]:
    """Return the first `count` of every `of` places, so that larger sets contain smaller ones."""
    return [place for number, place in enumerate(places) if number % of < count]


def passes(what: str, images: int) -> int:
    """Return the number of epochs: enough for the steps, and except for the base at least 20."""
    return max(math.ceil(STEPS[what] / math.ceil(images / BATCH)), 20 if what != "base" else 1)


def row(seed: int, count: int, way: str, value: float) -> dict[str, Any]:
    """Return one measurement."""
    return {"seed": seed, "count": count, "way": way, "accuracy": round(value, 4)}


def split(labels: Tensor, counts: Sequence[int], seed: int) -> list[list[int]]:
    """Return disjoint random sets of positions, with the given counts per class."""
    draw = torch.Generator().manual_seed(seed)
    sets: list[list[int]] = [[] for _ in counts]
    for label in range(int(labels.max()) + 1):
        places = torch.nonzero(labels == label).flatten()
        order = places[torch.randperm(len(places), generator=draw)].tolist()
        for chosen, count in zip(sets, counts, strict=True):
            chosen += order[:count]
            order = order[count:]
    return sets


@torch.inference_mode()
def features_of(model: ImageNetwork, inputs: Tensor) -> Tensor:
    """Return the features that a network's last layer receives, for each input."""
    model.eval()
    batches = torch.tensor_split(inputs, math.ceil(len(inputs) / 32))
    return torch.cat([model.pool(model.features(some)).flatten(1) for some in batches])


def head_on(
    train: Examples, check: Examples, test: Examples, *, seed: int, rate: float = HEAD_RATE
) -> tuple[nn.Module, float]:
    """Train a linear head with dropout on features; return it and its accuracy.

    This equals the first phase of `fine_tune` on the whole network, whose frozen part computes the
    same features in every epoch.
    """
    classes = int(train[1].max()) + 1
    model = _HeadAlone(train[0].shape[1], classes)
    replace_head(model, classes, generator=torch.Generator().manual_seed(seed))
    fine_tune(
        model, train, check, head_epochs=passes("head", len(train[1])), top_epochs=0, top=0,
        head_rate=rate, base_rate=rate, batch_size=BATCH, seed=seed, progress=False,
    )  # fmt: skip
    return model.classifier, accuracy(model, *test)


class _HeadAlone(nn.Module):
    """The head of Lite0 by itself, as a network that takes features computed before."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        layers = {"dropout": nn.Dropout(0.2), "fc": nn.Linear(features, classes)}
        self.classifier = nn.Sequential(OrderedDict(layers))

    def forward(self, features: Tensor) -> Tensor:
        scores: Tensor = self.classifier(features)
        return scores


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


def from_scratch(train: Examples, test: Examples, seed: int) -> float:
    """Train a small network from random weights with augmentation; return its accuracy."""
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    images, labels = train[0].float() / 255, train[1]
    net = small_network(int(labels.max()) + 1)
    batches = math.ceil(len(images) / BATCH)
    steps = passes("scratch", len(images)) * batches
    optimizer = torch.optim.AdamW(net.parameters(), SCRATCH_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        if step % batches == 0:
            order = torch.randperm(len(images), generator=draw).tensor_split(batches)
        some = order[step % batches]
        loss = functional.cross_entropy(net(augmented(images[some], draw) - 0.5), labels[some])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return accuracy(net, test[0].float() / 255 - 0.5, test[1])


def augmented(images: Tensor, draw: torch.Generator) -> Tensor:
    """Flip, move and recolour images at random."""
    side = images.shape[-1]
    seen = crop(
        flip(images, generator=draw),
        side,
        padding=side // 8,
        padding_mode="reflect",
        generator=draw,
    )
    return color_jitter(seen, brightness=0.2, contrast=0.2, saturation=0.2, generator=draw)


def texture_patches(
    seed: int, count: int, tests: int, side: int = TEXTURE_SIDE
) -> tuple[Examples, Examples]:
    """Cut patches from three photographs of textures: train on the left part, test on the right.

    The photographs are CC0, from scikit-image.
    """
    from skimage import data

    draw = np.random.default_rng(seed)
    sets: list[Examples] = []
    for number, (low, high) in ((count, (0, 192)), (tests, (256, 512))):
        patches, labels = [], []
        for label, name in enumerate(TEXTURES):
            picture = getattr(data, name)()
            for _ in range(number):
                top, left = draw.integers(512 - side + 1), draw.integers(low, high - side + 1)
                patches.append(picture[top : top + side, left : left + side])
                labels.append(label)
        images = torch.from_numpy(np.stack(patches))[:, None].expand(-1, 3, -1, -1)
        sets.append((images, torch.tensor(labels)))
    return sets[0], sets[1]


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
