"""Which maps are faithful? The Grad-CAM family on photographs and on pictures of clothes.

Each map explains the class that the network predicts. It is measured by deletion, insertion and
average drop (`cnnref.nn.faithfulness`), and compared with two maps that do not depend on the
network: random numbers, and a blob in the middle, where photographers put things. Every map sees
the same images, so the measures can be compared in pairs.

SqueezeNet and EfficientNet-Lite0 end in the mean of each map, where HiResCAM equals Grad-CAM or
nearly does. The two differ at an earlier layer of Lite0, and in small networks with a flattening
head, which are trained here.

    python -m experiments.gradcam
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnnref.nn.faithfulness import average_drop, deletion, insertion
from cnnref.nn.gradcam import (
    GradCAM,
    HiResCAM,
    InputXGradient,
    LayerCAM,
    ZeroMapWarning,
)
from cnnref.nn.pretrained import ImageNetwork, class_names, efficientnet_lite0, squeezenet
from cnnref.nn.transfer import accuracy
from experiments import clothes
from experiments.data import image_folder, photographs
from experiments.results import Parts, write

STEPS = 12
SCIKIT_IMAGE = ("chelsea", "coffee", "rocket", "astronaut", "camera")
# Of the photographs of GCompris, those that both networks name alike and are sure of; of these,
# some drawn at random.
SURE, DRAWN = 0.5, 5
CLOTHES_SEEDS, CLOTHES_TRAIN, CLOTHES_TEST, CLOTHES_EPOCHS = range(3), 3000, 60, 4

Method = Callable[[nn.Module, str, Tensor, Tensor], Tensor]
METHODS: Mapping[str, Method] = {
    "Grad-CAM": lambda model, layer, x, target: GradCAM(model, layer)(x, target),
    "HiResCAM": lambda model, layer, x, target: HiResCAM(model, layer)(x, target),
    "LayerCAM": lambda model, layer, x, target: LayerCAM(model, layer)(x, target),
    "gradient × input": lambda model, layer, x, target: InputXGradient(model)(x, target),
    "random": lambda model, layer, x, target: random(x),
    "middle": lambda model, layer, x, target: middle(x),
}
NETWORKS: Mapping[str, tuple[Callable[[], ImageNetwork], str, Sequence[str]]] = {
    "SqueezeNet, fire9": (squeezenet, "features.fire9", list(METHODS)),
    # Here HiResCAM is Grad-CAM.
    "EfficientNet-Lite0, final": (
        efficientnet_lite0, "features.final", ("Grad-CAM", "LayerCAM", "random", "middle"),
    ),
    "EfficientNet-Lite0, block10": (
        efficientnet_lite0, "features.block10", ("Grad-CAM", "HiResCAM"),
    ),
}  # fmt: skip
ON_CLOTHES = ("Grad-CAM", "HiResCAM", "LayerCAM", "gradient × input", "random", "middle")


def main() -> None:
    """Measure every map and store the numbers."""
    torch.set_num_threads(1)  # there is little to share among threads when images come one by one
    parts = Parts(__file__)
    names = [name.split(",")[0] for name in class_names()]
    drawn = parts.run("photographs", known_photographs)
    pictures = [*SCIKIT_IMAGE, *drawn]
    runs: list[dict[str, Any]] = []
    for network, (build, layer, methods) in NETWORKS.items():
        model = build()
        for name in pictures:
            x = model.preprocess(picture(name))
            with torch.no_grad():
                target = model(x).argmax(dim=1)
            for method in methods:
                key = f"{network}, {name}, {method}"
                measured = parts.run(key, measure, model, layer, x, target, method)
                about = {"network": network, "image": name, "class": names[int(target)]}
                runs.append({**about, "method": method, **{k: v[0] for k, v in measured.items()}})
    settings = {"steps": STEPS, "photographs": pictures, "methods": list(METHODS)}
    settings["clothes"] = {
        "seeds": len(CLOTHES_SEEDS), "train": CLOTHES_TRAIN, "test": CLOTHES_TEST,
        "epochs": CLOTHES_EPOCHS,
    }  # fmt: skip
    on_clothes = [
        parts.run(f"clothes, seed {seed}", measure_clothes, seed) for seed in CLOTHES_SEEDS
    ]
    results = {"settings": settings, "runs": runs, "clothes": on_clothes}
    write("gradcam", __file__, results, seconds=parts.seconds)


def known_photographs() -> list[str]:
    """Return photographs of GCompris, as `class/file`, drawn from those that both networks know."""
    found = image_folder(photographs(), 256)
    squares = [square.permute(1, 2, 0).numpy() for square in found.images]
    agree: Tensor | None = None
    known = torch.ones(len(squares), dtype=torch.bool)
    for model in (squeezenet(), efficientnet_lite0()):
        with torch.no_grad():
            rows = [model(model.preprocess(square)).softmax(dim=1) for square in squares]
        top = torch.cat(rows).max(dim=1)
        known &= top.values > SURE
        known &= torch.tensor(True) if agree is None else top.indices == agree
        agree = top.indices
    candidates = known.nonzero().flatten().tolist()
    drawn = np.random.default_rng(0).choice(candidates, DRAWN, replace=False)
    return [found.files[index] for index in sorted(drawn.tolist())]


def picture(name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a photograph in three colours: one of scikit-image, or `class/file` of GCompris."""
    from PIL import Image
    from skimage import data

    if "/" in name:
        with Image.open(photographs() / name) as opened:
            return np.asarray(opened.convert("RGB"))
    photograph: np.ndarray[Any, np.dtype[np.uint8]] = getattr(data, name)()
    return np.stack([photograph] * 3, axis=-1) if photograph.ndim == 2 else photograph


def random(x: Tensor) -> Tensor:
    """Return maps of random numbers, the same in each call."""
    return torch.rand(len(x), *x.shape[2:], generator=torch.Generator().manual_seed(0))


def middle(x: Tensor) -> Tensor:
    """Return maps of a blob in the middle of the image."""
    down, across = (torch.linspace(-1, 1, side) ** 2 for side in x.shape[2:])
    return torch.exp(-2 * (down[:, None] + across)).expand(len(x), -1, -1).clone()


def measure(
    model: nn.Module, layer: str, x: Tensor, target: Tensor, method: str
) -> dict[str, list[float]]:
    """Return how faithful the maps are, one number per image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroMapWarning)
        maps = METHODS[method](model, layer, x, target)
    gone = deletion(model, x, maps, target, steps=STEPS).area
    shown = insertion(model, x, maps, target, steps=STEPS).area
    drops = [
        average_drop(model, x[i : i + 1], maps[i : i + 1], target[i : i + 1]) for i in range(len(x))
    ]
    measured = {"deletion": gone.tolist(), "insertion": shown.tolist(), "drop": drops}
    return {name: [round(value, 4) for value in values] for name, values in measured.items()}


def measure_clothes(seed: int) -> dict[str, Any]:
    """Train a network with a flattening head, and measure its maps of pictures it has not seen."""
    model = clothes.untrained(seed)
    clothes.train(model, *clothes.as_inputs("train", CLOTHES_TRAIN), CLOTHES_EPOCHS, seed)
    x, labels = clothes.as_inputs("test", CLOTHES_TEST)
    with torch.no_grad():
        target = model(x).argmax(dim=1)
    measured = {method: measure(model, clothes.LAYER, x, target, method) for method in ON_CLOTHES}
    return {"accuracy": round(accuracy(model, x, labels), 4), "methods": measured}


if __name__ == "__main__":
    main()
