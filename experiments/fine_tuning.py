"""What protects a pre-trained base: the order of training, its learning rate, or its depth?

EfficientNet-Lite0 learns to tell animals, fish, monuments and tools apart, from ten photographs of
each. A factorial: the head is random when the base starts to train, or was trained first; the base
trains at the head's rate, a tenth or a thirtieth of it; its top trains, or all of it. Every cell of
it has the same splits, the same batches and the same augmentation. What is reached on the new task
is measured on photographs held out, and on blurred grey copies of them; what is left of the old one
with the old head, which is put back on the fine-tuned base.

    python -m experiments.fine_tuning
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from cnnref.nn.augmentation import color_jitter, crop, flip
from cnnref.nn.pretrained import ImageNetwork, efficientnet_lite0
from cnnref.nn.transfer import fine_tune, replace_head
from experiments.data import GCOMPRIS, fetch, image_folder, photographs
from experiments.rcc import read_rcc
from experiments.results import Parts, write

SEEDS = range(6)
# Photographs per class: to choose settings on (the same in every split), to learn from, to test on.
CHECK, TRAIN, TEST = 4, 10, 10
SIDE = 64  # pixels
BATCH = 16
HEAD_EPOCHS, BASE_EPOCHS = 12, 8
DEPTHS = {"top": 5, "all": 18}  # children of `features` that train
DIVISORS = (1, 10, 30)  # the base's rate is the head's divided by one of them
LONGER = (
    10  # with this divisor a random head and all layers also train for the epochs of both phases
)
HEAD_RATES, CHOICE_SEEDS = (1e-3, 3e-3, 1e-2), range(100, 103)
CHECK_SEED = 1000

# Photographs of other things, of which the new task knows nothing: the archive that contains them,
# and their folder in it.
_OTHERS = (
    ("categorization", "categorization/resource/images/renewable"),
    ("categorization", "categorization/resource/images/others"),
    ("explore_world_music", "explore_world_music/resource/music"),
)

Examples: TypeAlias = tuple[Tensor, Tensor]
Row: TypeAlias = dict[str, Any]


def main() -> None:
    """Choose the head's rate, run every cell on every split, and store what came of it."""
    torch.set_num_threads(1)
    parts = Parts(__file__)
    photos = image_folder(photographs(), SIDE)
    images, labels = photos.images.float() / 255, photos.labels
    others = other_photographs(SIDE).float() / 255
    choices = []
    for rate, seed in product(HEAD_RATES, CHOICE_SEEDS):
        name = f"head at {rate}, seed {seed}"
        choices.append(parts.run(name, try_head_rate, images, labels, rate, seed))
    rate = best_rate(choices)
    rows: list[Row] = []
    for seed in SEEDS:
        rows += parts.run(f"seed {seed}", factorial, images, labels, others, rate, seed)
    settings = {
        "classes": photos.names, "check": CHECK, "train": TRAIN, "test": TEST, "side": SIDE,
        "batch": BATCH, "head_epochs": HEAD_EPOCHS, "base_epochs": BASE_EPOCHS, "depths": DEPTHS,
        "divisors": DIVISORS, "head_rate": rate, "seeds": len(SEEDS), "others": len(others),
    }  # fmt: skip
    results = {"settings": settings, "choices": choices, "rows": rows}
    write("fine_tuning", __file__, results, seconds=parts.seconds)


def try_head_rate(images: Tensor, labels: Tensor, rate: float, seed: int) -> Row:
    """Return the loss of a head trained at a rate, on the photographs that choose settings."""
    check, train, _ = split(labels, seed)
    model = with_new_head(int(labels.max()) + 1, seed)
    found = train_on(model, images, labels, train, check, rate, 0, head=HEAD_EPOCHS, seed=seed)
    return {"rate": rate, "seed": seed, "check_loss": found["check_loss"]}


def best_rate(choices: list[Row], key: str = "rate") -> Any:
    """Return the setting with the lowest mean loss on the photographs that choose settings."""
    losses: dict[Any, list[float]] = {}
    for row in choices:
        losses.setdefault(row[key], []).append(row["check_loss"])
    return min(losses, key=lambda rate: sum(losses[rate]) / len(losses[rate]))


def factorial(images: Tensor, labels: Tensor, others: Tensor, rate: float, seed: int) -> list[Row]:
    """Return a row for every cell on one split, and one for the head alone.

    Every cell starts from the same random head or from that head after `HEAD_EPOCHS`, and then
    takes `BASE_EPOCHS` with the same batches, augmentation and dropout. One more cell starts from
    the random head and takes the epochs of both phases.
    """
    check, train, test = split(labels, seed)
    old = original()
    classes = int(labels.max()) + 1
    heads = {"random": with_new_head(classes, seed), "trained": with_new_head(classes, seed)}
    train_on(heads["trained"], images, labels, train, check, rate, 0, head=HEAD_EPOCHS, seed=seed)
    cells = [
        (order, depth, divisor, BASE_EPOCHS)
        for order, depth, divisor in product(heads, DEPTHS, DIVISORS)
    ]
    cells.append(("random", "all", LONGER, HEAD_EPOCHS + BASE_EPOCHS))
    rows = []
    for order, depth, divisor, epochs in [("trained", "head", 0, BASE_EPOCHS), *cells]:
        model = copy.deepcopy(heads[order])
        row: Row = {"seed": seed, "order": order, "depth": depth, "divisor": divisor}
        row |= {"epochs": epochs, "gradient": {}}
        if depth != "head" and divisor == 1:
            row["gradient"] = {
                name: base_gradient(model, images[places], labels[places])
                for name, places in (("learned", train), ("new", test))
            }
        row |= train_on(
            model, images, labels, train, check, rate, rate / divisor if divisor else 0,
            head=epochs if depth == "head" else 0, base=0 if depth == "head" else epochs,
            top=DEPTHS.get(depth, 0), seed=seed,
        )  # fmt: skip
        exam = images[test], labels[test]
        row |= measure(model, exam)
        row["shifted"] = measure(model, (grey_and_blurred(exam[0]), exam[1]))
        row["old"] = {
            name: old_task(model, old, of) for name, of in (("others", others), ("test", exam[0]))
        }
        rows.append(row)
    return rows


def split(labels: Tensor, seed: int, train: int = TRAIN) -> tuple[list[int], list[int], list[int]]:
    """Return positions of photographs that choose settings, that train, and that test.

    Those that choose are the same for every seed, so they never test. A smaller training set is
    the beginning of the larger one, class by class.
    """
    fixed = torch.Generator().manual_seed(CHECK_SEED)
    draw = torch.Generator().manual_seed(seed)
    sets: tuple[list[int], list[int], list[int]] = [], [], []
    for label in range(int(labels.max()) + 1):
        places = torch.nonzero(labels == label).flatten()
        places = places[torch.randperm(len(places), generator=fixed)]
        rest = places[CHECK:]
        rest = rest[torch.randperm(len(rest), generator=draw)]
        sets[0].extend(places[:CHECK].tolist())
        sets[1].extend(rest[:train].tolist())
        sets[2].extend(rest[TRAIN : TRAIN + TEST].tolist())
    return sets


def original() -> ImageNetwork:
    """Return EfficientNet-Lite0 in the memory layout that is fastest here."""
    model = efficientnet_lite0()
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model


def with_new_head(classes: int, seed: int) -> ImageNetwork:
    """Return EfficientNet-Lite0 with a random head."""
    model = original()
    replace_head(model, classes, generator=torch.Generator().manual_seed(seed))
    return model


def train_on(
    model: ImageNetwork,
    images: Tensor,
    labels: Tensor,
    train: list[int],
    check: list[int],
    head_rate: float,
    base_rate: float,
    *,
    head: int = 0,
    base: int = 0,
    top: int = 0,
    seed: int,
) -> Row:
    """Fine-tune with augmentation; return the losses of the last epoch.

    Both rates fall linearly to 0 in each phase.
    """
    examples = [(prepared(model, images[places]), labels[places]) for places in (train, check)]
    history = fine_tune(
        model, *examples, head_epochs=head, top_epochs=base, top=top, head_rate=head_rate,
        base_rate=base_rate or head_rate, batch_size=BATCH, seed=seed, augment=augment_for(model),
        schedule=lambda share: 1 - share, progress=False,
    )  # fmt: skip
    last = history.epochs[-1]
    return {
        "train_loss": round(last.train_loss, 5),
        "check_loss": round(last.validation_loss, 5),
        "check_accuracy": round(last.validation_accuracy, 5),
    }


def prepared(model: ImageNetwork, images: Tensor) -> Tensor:
    """Return images with values from 0 to 1 as the network takes them."""
    return model.normalize(255 * images).contiguous(memory_format=torch.channels_last)


def augment_for(model: ImageNetwork) -> Callable[[Tensor, torch.Generator], Tensor]:
    """Return the augmentation of all cells, for images that are prepared for a network."""

    def augment(inputs: Tensor, generator: torch.Generator) -> Tensor:
        images = ((inputs * model.scale + model.mean) / 255).clamp(0, 1)
        return prepared(model, augmented(images, generator))

    return augment


def augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flip, move and recolour images with values from 0 to 1 at random."""
    side = images.shape[-1]
    images = flip(images, generator=generator)
    images = crop(images, side, padding=side // 8, padding_mode="reflect", generator=generator)
    return color_jitter(images, brightness=0.2, contrast=0.2, saturation=0.2, generator=generator)


def grey_and_blurred(images: Tensor) -> Tensor:
    """Return images without color and with half the resolution, at the same size."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    grey = (images * weights).sum(dim=1, keepdim=True)
    small = functional.interpolate(grey, scale_factor=1 / 2, mode="bilinear", antialias=True)
    large = functional.interpolate(small, size=images.shape[-2:], mode="bilinear")
    return large.expand(-1, 3, -1, -1).clamp(0, 1)


@torch.inference_mode()
def measure(model: ImageNetwork, examples: Examples) -> Row:
    """Return accuracy and loss on images with values from 0 to 1."""
    images, labels = examples
    scores = torch.cat([model.eval()(some) for some in torch.split(prepared(model, images), 64)])
    return {
        "accuracy": round((scores.argmax(1) == labels).float().mean().item(), 5),
        "loss": round(functional.cross_entropy(scores, labels).item(), 5),
    }


def old_task(model: ImageNetwork, old: ImageNetwork, images: Tensor) -> Row:
    """Put the old network's head on a fine-tuned base, and compare with the old network.

    Returns:
        "agreement": the share of images for which the most likely of the thousand classes is still
        the same. "divergence": the Kullback-Leibler divergence of the new probabilities from the
        old ones, in nats, mean over the images.
    """
    with torch.inference_mode():
        inputs = torch.split(prepared(old, images), 64)
        before = torch.cat([old(some) for some in inputs])
        features = [model.eval().pool(model.features(some)) for some in inputs]
        after = old.classifier(torch.cat(features))
    same = before.argmax(1) == after.argmax(1)
    divergence = functional.kl_div(
        after.log_softmax(1), before.log_softmax(1), log_target=True, reduction="batchmean"
    )
    return {
        "agreement": round(same.float().mean().item(), 5),
        "divergence": round(divergence.item(), 4),
    }


def base_gradient(model: ImageNetwork, images: Tensor, labels: Tensor) -> float:
    """Return the length of the loss's gradient with respect to all parameters of the base."""
    parameters = list(model.features.parameters())
    loss = functional.cross_entropy(model.eval()(prepared(model, images)), labels)
    gradients = torch.autograd.grad(loss, parameters)
    return round(torch.stack([one.square().sum() for one in gradients]).sum().sqrt().item(), 4)


def other_photographs(side: int) -> Tensor:
    """Return photographs of other things from the same collection: uint8 (N, 3, side, side)."""
    archives = fetch(GCOMPRIS) / "usr/share/gcompris-qt/rcc"
    found = []
    for archive, inside in _OTHERS:
        files = read_rcc((archives / f"{archive}.rcc").read_bytes())
        for path in sorted(files):
            if path.startswith(f"gcompris/src/activities/{inside}/") and path.endswith(".webp"):
                picture = Image.open(io.BytesIO(files[path])).convert("RGB")
                square = ImageOps.fit(picture, (side, side), Image.Resampling.BICUBIC)
                found.append(torch.from_numpy(np.array(square)).permute(2, 0, 1))
    return torch.stack(found)


if __name__ == "__main__":
    main()
