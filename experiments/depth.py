"""What does training add to depth? Photographs compared at each layer, trained and untrained.

A photograph is described at a layer by the mean of each channel. Two questions are asked of the
descriptions, each with the cosine as the similarity:

- *Itself*: a photograph without its colours is compared with all photographs in colour. How often
  is the most similar one the same photograph?
- *Kind*: each photograph is compared with all others. How often is the most similar one of the same
  kind (animal, fish, monument or tool)?

The cosine is taken of the descriptions as they are, and after the mean description of all
photographs is subtracted. After a ReLU all channel means are positive, so that any two descriptions
point in similar directions until that mean is gone.

    python -m experiments.depth
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from cnnref.nn.pretrained import ImageNetwork, squeezenet
from experiments.data import image_folder, photographs
from experiments.results import Parts, write

LAYERS = ("relu1", *(f"fire{number}" for number in range(2, 10)))
SEEDS = range(3)
BATCH = 8


def main() -> None:
    """Measure the trained network and several untrained ones, and store the numbers."""
    torch.set_num_threads(1)
    parts = Parts(__file__)
    found = image_folder(photographs(), 256)
    colour = squeezenet(weights=False).crop(
        [image.permute(1, 2, 0).numpy() for image in found.images]
    )
    rows = [
        {"network": "trained", **parts.run("trained", measure, squeezenet(), colour, found.labels)}
    ]
    rows += [
        {
            "network": f"random {seed}",
            **parts.run(f"random {seed}", measure, untrained(seed), colour, found.labels),
        }
        for seed in SEEDS
    ]
    largest = float(found.labels.bincount().max() / len(found.labels))
    results = {
        "layers": list(LAYERS), "photographs": len(colour), "kinds": found.names,
        "largest kind": round(largest, 4), "rows": rows,
    }  # fmt: skip
    write("depth", __file__, results, seconds=parts.seconds)


def untrained(seed: int) -> ImageNetwork:
    """Return SqueezeNet with new weights, drawn as is usual before training."""
    model = squeezenet(weights=False)
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return model


def measure(model: ImageNetwork, colour: Tensor, labels: Tensor) -> dict[str, Any]:
    """Return, for each layer, the measures named in this module's docstring."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    grey = (colour * weights).sum(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    in_colour, in_grey = describe(model, colour), describe(model, grey)
    measured: dict[str, list[float]] = {}
    for layer in LAYERS:
        a, b = in_colour[layer], in_grey[layer]
        middle = a.mean(dim=0)
        for words, first, second in (("raw", a, b), ("centred", a - middle, b - middle)):
            same, kind, others = similarities(first, second, labels)
            measured.setdefault(f"{words} itself", []).append(same)
            measured.setdefault(f"{words} kind", []).append(kind)
            measured.setdefault(f"{words} others", []).append(others)
    return measured


def describe(model: ImageNetwork, photographs: Tensor) -> dict[str, Tensor]:
    """Return the mean of each channel of each layer, {layer: (N, C)}."""
    found: dict[str, list[Tensor]] = {layer: [] for layer in LAYERS}
    with torch.no_grad():
        for batch in photographs.split(BATCH):  # type: ignore[no-untyped-call]
            x = model.normalize(batch)
            for name, layer in model.features.named_children():
                x = layer(x)
                if name in found:
                    found[name].append(x.mean(dim=(2, 3)))
    return {layer: torch.cat(rows).double() for layer, rows in found.items()}


def similarities(colour: Tensor, grey: Tensor, labels: Tensor) -> tuple[float, float, float]:
    """Return the shares that find *itself* and their *kind*, and the mean similarity to others."""
    a, b = normalize(colour), normalize(grey)
    itself = (b @ a.T).argmax(dim=1) == torch.arange(len(a))
    pairs = a @ a.T
    apart = ~torch.eye(len(a), dtype=torch.bool)
    nearest = pairs.masked_fill(~apart, -2).argmax(dim=1)
    kind = labels[nearest] == labels
    shares = itself.double().mean(), kind.double().mean(), pairs[apart].mean()
    same, of_kind, others = (round(float(value), 4) for value in shares)
    return same, of_kind, others


if __name__ == "__main__":
    main()
