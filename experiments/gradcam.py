"""Which maps are faithful? The Grad-CAM family on five photographs and two networks.

Each map explains the class that the network predicts. It is measured by deletion, insertion and
average drop (`cnnref.nn.faithfulness`), and compared with two maps that do not depend on the
network: random numbers, and a blob in the middle, where photographers put things.

    python -m experiments.gradcam
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnref.nn.faithfulness import average_drop, deletion, insertion
from cnnref.nn.gradcam import (
    GradCAM,
    GradCAMPlusPlus,
    GuidedInputXGradient,
    HiResCAM,
    InputXGradient,
    LayerCAM,
    ScoreCAM,
    ZeroMapWarning,
)
from cnnref.nn.pretrained import ImageNetwork, class_names, efficientnet_lite0, squeezenet
from experiments.results import Parts, write

STEPS = 32
NETWORKS: Mapping[str, tuple[Callable[[], ImageNetwork], str]] = {
    "SqueezeNet": (squeezenet, "features.fire9"),
    "EfficientNet-Lite0": (efficientnet_lite0, "features.final"),
}
# One forward pass for each of 1280 channels takes minutes per map.
LEFT_OUT = {("EfficientNet-Lite0", "Score-CAM")}
PHOTOGRAPHS = ("chelsea", "coffee", "rocket", "astronaut", "camera")
METHODS: Mapping[str, Callable[[ImageNetwork, str, Tensor, int], Tensor]] = {
    "Grad-CAM": lambda model, layer, x, target: GradCAM(model, layer)(x, target),
    "HiResCAM": lambda model, layer, x, target: HiResCAM(model, layer)(x, target),
    "Grad-CAM++": lambda model, layer, x, target: GradCAMPlusPlus(model, layer)(x, target),
    "LayerCAM": lambda model, layer, x, target: LayerCAM(model, layer)(x, target),
    "Score-CAM": lambda model, layer, x, target: ScoreCAM(model, layer)(x, target),
    "gradient × input": lambda model, layer, x, target: InputXGradient(model)(x, target),
    "guided": lambda model, layer, x, target: GuidedInputXGradient(model)(x, target),
    "random": lambda model, layer, x, target: random(x),
    "middle": lambda model, layer, x, target: middle(x),
}


def main() -> None:
    """Measure every map and store the numbers."""
    torch.set_num_threads(1)  # there is little to share among threads when images come one by one
    names = [name.split(",")[0] for name in class_names()]
    parts = Parts(__file__)
    runs = []
    for network, (build, layer) in NETWORKS.items():
        model = build()
        for photograph in PHOTOGRAPHS:
            x = model.preprocess(picture(photograph))
            with torch.no_grad():
                target = int(model(x).argmax())
            for method in METHODS:
                if (network, method) in LEFT_OUT:
                    continue
                key = f"{network}, {photograph}, {method}"
                measured = parts.run(key, measure, model, layer, x, target, method)
                about = {"network": network, "photograph": photograph, "class": names[target]}
                runs.append({**about, "method": method, **measured})
    results = {"steps": STEPS, "methods": list(METHODS), "runs": runs}
    write("gradcam", __file__, results, seconds=parts.seconds)


def picture(name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a photograph of scikit-image in three colours, also if it is grey."""
    from skimage import data

    photograph: np.ndarray[Any, np.dtype[np.uint8]] = getattr(data, name)()
    return np.stack([photograph] * 3, axis=-1) if photograph.ndim == 2 else photograph


def random(x: Tensor) -> Tensor:
    """Return maps of random numbers, the same in each call."""
    return torch.rand(len(x), *x.shape[2:], generator=torch.Generator().manual_seed(0))


def middle(x: Tensor) -> Tensor:
    """Return maps of a blob in the middle of the image."""
    down, across = (torch.linspace(-1, 1, side) ** 2 for side in x.shape[2:])
    return torch.exp(-2 * (down[:, None] + across)).expand(len(x), -1, -1).clone()


def measure(model: ImageNetwork, layer: str, x: Tensor, target: int, method: str) -> dict[str, Any]:
    """Return how faithful one map is, and how long it took to compute."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ZeroMapWarning)
        maps = METHODS[method](model, layer, x, target)
    seconds = time.perf_counter() - started
    return {
        "deletion": round(float(deletion(model, x, maps, target, steps=STEPS).area), 4),
        "insertion": round(float(insertion(model, x, maps, target, steps=STEPS).area), 4),
        "drop": round(average_drop(model, x, maps, target), 4),
        "seconds": round(seconds, 3),
    }


if __name__ == "__main__":
    main()
