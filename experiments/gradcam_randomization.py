"""Do the maps depend on what the network has learned? Both tests of Adebayo and others.

The cascade: SqueezeNet's weights are drawn anew, from the head down to the first layer, with
several seeds, and each map is compared with that of the trained network by rank correlation.

Random labels: small networks are trained on Fashion-MNIST, with the true labels and with shuffled
ones, which they can only memorise. Their maps of pictures that neither has seen are compared. For
reference, two networks with the true labels are compared that differ in their seed alone.

    python -m experiments.gradcam_randomization
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cnnref.nn.faithfulness import randomization_check, rank_correlation
from cnnref.nn.gradcam import (
    GradCAM,
    GuidedBackpropagation,
    InputXGradient,
    ZeroMapWarning,
)
from cnnref.nn.pretrained import ImageNetwork, squeezenet
from cnnref.nn.transfer import accuracy
from experiments import clothes
from experiments.gradcam import SCIKIT_IMAGE, picture
from experiments.results import Parts, write

SEEDS = range(5)
PHOTOGRAPHS = SCIKIT_IMAGE[:3]
PARTS = ("classifier", *(f"features.fire{n}" for n in range(9, 1, -1)), "features.conv1")
LABEL_SEEDS, LABEL_TRAIN, LABEL_TEST = range(3), 500, 60
EPOCHS = {"true": 12, "shuffled": 60}

# Signs are dropped at the input, as in pictures of these maps.
METHODS: Mapping[str, Callable[[nn.Module, str, Tensor, Tensor], Tensor]] = {
    "Grad-CAM": lambda model, layer, x, target: GradCAM(model, layer)(x, target),
    "gradient × input": lambda model, layer, x, target: InputXGradient(model, relu=False)(
        x, target
    ).abs(),
    "guided backpropagation": lambda model, layer, x, target: GuidedBackpropagation(model)(
        x, target
    ),
}


def main() -> None:
    """Run both tests and store the correlations."""
    torch.set_num_threads(1)
    parts = Parts(__file__)
    model = squeezenet()
    cascade = {
        method: {
            name: parts.run(f"{method}, {name}", check, model, name, method) for name in PHOTOGRAPHS
        }
        for method in METHODS
    }
    labels = [parts.run(f"labels, seed {seed}", compare_labels, seed) for seed in LABEL_SEEDS]
    settings = {
        "seeds": len(SEEDS), "parts": list(PARTS), "photographs": list(PHOTOGRAPHS),
        "labels": {"seeds": len(LABEL_SEEDS), "train": LABEL_TRAIN, "test": LABEL_TEST, **EPOCHS},
    }  # fmt: skip
    results = {"settings": settings, "cascade": cascade, "labels": labels}
    write("gradcam_randomization", __file__, results, seconds=parts.seconds)


def check(model: ImageNetwork, name: str, method: str) -> list[list[float | None]]:
    """Return the rank correlations of one photograph's map, one row per part, one number per seed.

    Where the new weights switch the class off for the whole image, the map is blank and has no rank
    correlation: None.
    """
    x = model.preprocess(picture(name))
    with torch.no_grad():
        target = model(x).argmax(dim=1)

    def explain(one: nn.Module) -> Tensor:
        return METHODS[method](one, "features.fire9", x, target)

    found = randomization_check(model, explain, list(PARTS), seeds=SEEDS)
    return [_without_nan(found[part][:, 0]) for part in PARTS]


def compare_labels(seed: int) -> dict[str, Any]:
    """Train with true and shuffled labels; return how the maps of unseen pictures correlate."""
    images, labels = clothes.as_inputs("train", LABEL_TRAIN)
    order = torch.randperm(LABEL_TRAIN, generator=torch.Generator().manual_seed(seed))
    given = {"true": labels, "shuffled": labels[order], "again": labels}
    models, learned = {}, {}
    for name, targets in given.items():
        start = 100 + seed if name == "again" else seed
        epochs = EPOCHS["shuffled" if name == "shuffled" else "true"]
        models[name] = clothes.train(clothes.untrained(start), images, targets, epochs, start)
        learned[name] = round(accuracy(models[name], images, targets), 4)
    x, truth = clothes.as_inputs("test", LABEL_TEST)
    with torch.no_grad():
        target = models["true"](x).argmax(dim=1)
    correlations = {}
    for method, explain in METHODS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ZeroMapWarning)
            maps = {
                name: explain(model, clothes.LAYER, x, target) for name, model in models.items()
            }
        correlations[method] = {
            name: _without_nan(rank_correlation(maps["true"], maps[name]))
            for name in ("shuffled", "again")
        }
    return {
        "learned": learned,
        "test": round(accuracy(models["true"], x, truth), 4),
        "correlations": correlations,
    }


def _without_nan(values: Tensor) -> list[float | None]:
    return [None if value != value else round(value, 4) for value in values.tolist()]


if __name__ == "__main__":
    main()
