"""Which maps can be believed? The family of Grad-CAM on five photographs and two networks.

Each map is for the network's own top class. It is measured by deletion, insertion and average drop
(`cnnref.nn.faithfulness`), beside two maps that know nothing of the network: random numbers, and a
blob in the middle, where photographers put things.

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
# One pass of the network for each of 1280 channels: minutes a map.
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
    torch.set_num_threads(1)  # images one by one leave little to share
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
    """Return a photograph of scikit-image, a grey one repeated for the three colours."""
    from skimage import data

    photograph: np.ndarray[Any, np.dtype[np.uint8]] = getattr(data, name)()
    return np.stack([photograph] * 3, axis=-1) if photograph.ndim == 2 else photograph


def random(x: Tensor) -> Tensor:
    """Return maps of random numbers, the same at each call."""
    return torch.rand(len(x), *x.shape[2:], generator=torch.Generator().manual_seed(0))


def middle(x: Tensor) -> Tensor:
    """Return maps of a blob in the middle of the image."""
    down, across = (torch.linspace(-1, 1, side) ** 2 for side in x.shape[2:])
    return torch.exp(-2 * (down[:, None] + across)).expand(len(x), -1, -1).clone()


def measure(model: ImageNetwork, layer: str, x: Tensor, target: int, method: str) -> dict[str, Any]:
    """Return what one map is worth, and how long it took to make."""
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
