"""Visualize channels of SqueezeNet, from early to late layers, by gradient ascent on the image.

The channels are drawn at random, so that nobody picks the pretty ones. Each is maximised in four
ways, two by two: the image is made of waves or of pixels, and it is moved before each step or not.
So the effect of the parametrization can be told from that of the movements. Each ascent runs from
several starts. The images of the first start are stored next to the numbers as small WebP sheets,
and the numbers contain the digests of the sheets.

    python -m experiments.feature_visualization
"""

from __future__ import annotations

import base64
import hashlib
import io
import time
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnref.nn.feature_visualization import (
    USUAL_PRIORS,
    Objective,
    Priors,
    Visualization,
    channel,
    response,
    visualize,
)
from cnnref.nn.pretrained import ImageNetwork, squeezenet
from experiments.results import ROOT, Parts, Results, StaleResultsError, write

LAYERS = {
    "fire2": 128,
    "fire4": 256,
    "fire6": 384,
    "fire8": 512,
}  # channels per layer
CLASSES = (1, 88, 130, 207, 292, 340, 953, 980)  # indices of classes of ImageNet
KINDS: dict[str, dict[str, Any]] = {
    "fourier_moved": {"parametrization": "fourier", "priors": USUAL_PRIORS},
    "fourier": {"parametrization": "fourier", "priors": Priors()},
    "pixels_moved": {"parametrization": "pixels", "priors": USUAL_PRIORS},
    "pixels": {"parametrization": "pixels", "priors": Priors()},
}
SHOWN_IN_ALL = "fire8"  # the layer whose images are stored for every kind; of others, the first
COUNT, SIZE, STEPS = 8, 96, 96
SEEDS = (0, 1)
MOVES = 8  # random movements, to see whether an image's response survives them


def main() -> None:
    """Maximise every channel and class, and store the images and the numbers."""
    torch.set_num_threads(1)
    model = squeezenet()
    parts = Parts(__file__)
    rows = []
    for layer, numbers in walls().items():
        for kind in KINDS:
            starts = [
                parts.run(f"{layer}, {kind}, {seed}", climb_row, model, layer, numbers, kind, seed)
                for seed in SEEDS
            ]
            content = base64.b64decode(starts[0]["sheet"])
            row = {"layer": layer, "kind": kind, "numbers": numbers}
            row |= {name: [one[name] for one in starts] for name in ("values", "moved", "fine")}
            row["seconds"] = round(sum(one["seconds"] for one in starts), 1)
            if kind == next(iter(KINDS)) or layer == SHOWN_IN_ALL:
                path = ROOT / "docs/labs/results" / sheet_name(layer, kind)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                row["sha256"] = hashlib.sha256(content).hexdigest()
            rows.append(row)
    settings = {
        "count": COUNT, "size": SIZE, "steps": STEPS, "seeds": len(SEEDS), "moves": MOVES,
    }  # fmt: skip
    results = {"settings": settings, "rows": rows}
    write("feature_visualization", __file__, results, seconds=parts.seconds)


def walls() -> dict[str, list[int]]:
    """Return the indices of the channels of each layer, and of the classes."""
    random = np.random.default_rng(0)
    drawn = {
        layer: sorted(random.choice(channels, COUNT, replace=False).tolist())
        for layer, channels in LAYERS.items()
    }
    return {**drawn, "classes": list(CLASSES)}


def objective_of(layer: str, number: int) -> Objective:
    """Return what to maximise: a channel, or the map of a class, before its ReLU."""
    return channel("classifier.conv10" if layer == "classes" else f"features.{layer}", number)


def climb_row(
    model: ImageNetwork, layer: str, numbers: list[int], kind: str, seed: int
) -> dict[str, Any]:
    """Maximise some channels of a layer; return the numbers, and one sheet of images in base64."""
    start = time.perf_counter()
    found = [
        visualize(
            model, objective_of(layer, number), size=SIZE, steps=STEPS, seed=seed, progress=False,
            **KINDS[kind],
        )
        for number in numbers
    ]  # fmt: skip
    seconds = time.perf_counter() - start
    return {
        "values": [round(one.value, 2) for one in found],
        "moved": [
            round(moved_value(model, objective_of(layer, number), one.image), 2)
            for number, one in zip(numbers, found, strict=True)
        ],
        "fine": [round(fine_share(one.image), 4) for one in found],
        "seconds": seconds,
        "sheet": base64.b64encode(as_webp(found)).decode(),
    }


def moved_value(model: ImageNetwork, objective: Objective, image: Tensor) -> float:
    """Return the mean of the objective over small random movements of an image."""
    generator = torch.Generator().manual_seed(0)
    moved = [USUAL_PRIORS.moved(image[None], generator) for _ in range(MOVES)]
    return sum(response(model, objective, one) for one in moved) / MOVES


def fine_share(image: Tensor) -> float:
    """Return the share of an image's variance above a quarter of a cycle per pixel."""
    grey = image.mean(dim=0)
    power = torch.fft.fft2(grey - grey.mean()).abs() ** 2
    down, across = (torch.fft.fftfreq(size) for size in grey.shape)
    fine = torch.hypot(down[:, None], across) > 0.25
    return float(power[fine].sum() / power.sum())


def as_webp(found: list[Visualization]) -> bytes:
    """Return the images side by side, in two rows, as a WebP file."""
    half = len(found) // 2
    rows = [np.concatenate([one.picture for one in row], 1) for row in (found[:half], found[half:])]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(file, "WEBP", quality=88, method=6)
    return file.getvalue()


def sheet_name(layer: str, kind: str) -> str:
    """Return the name of the file that holds a layer's images."""
    return f"feature_visualization_{layer}_{kind}.webp"


def pictures(stored: Results, layer: str, kind: str) -> list[np.ndarray]:
    """Return the stored images of a layer, uint8 arrays (H, W, 3), in the order of its numbers.

    Raises:
        StaleResultsError: If the file is missing or does not belong to the numbers.
    """
    (row,) = (one for one in stored.data["rows"] if (one["layer"], one["kind"]) == (layer, kind))
    path = ROOT / "docs/labs/results" / sheet_name(layer, kind)
    content = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(content).hexdigest() != row["sha256"]:
        raise StaleResultsError(f"{path.name} is missing or was changed: run `make labs`")
    sheet = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return [one for line in np.split(sheet, 2) for one in np.split(line, COUNT // 2, axis=1)]


if __name__ == "__main__":
    main()
