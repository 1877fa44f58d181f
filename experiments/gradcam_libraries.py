"""Do three libraries' Grad-CAM maps equal ours, with and without in-place ReLUs?

Nothing else in the project needs these libraries. `make labs` installs them; by hand:

    pip install --constraint requirements.lock --editable '.[labs]'
    python -m experiments.gradcam_libraries

pytorch-grad-cam imports torchvision for helpers that Grad-CAM does not use. If torchvision cannot
be imported with this version of torch, an empty module takes its place.
"""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from collections.abc import Callable, Mapping
from importlib import metadata, util
from typing import Any

import torch
from torch import Tensor, nn

from cnnref.nn.gradcam import GradCAM, upsample
from experiments.results import write

PACKAGES = {"captum": "captum", "grad-cam": "pytorch_grad_cam", "torchcam": "torchcam"}
LAYERS = {"conv": "convolution", "norm": "batch norm", "relu": "ReLU"}
SIZE = (32, 32)
TARGET = 3


def main() -> None:
    """Compare the maps on one small network and store how far apart they are."""
    missing = [name for name, module in PACKAGES.items() if util.find_spec(module) is None]
    if missing:
        raise SystemExit(f"not installed: {', '.join(missing)}; `make labs` installs them")
    stand_in = not importable("torchvision")
    if stand_in:
        add_stand_in()
    x = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    rows = []
    for inplace in (False, True):
        for layer, words in LAYERS.items():
            # The right map does not depend on where the next layer writes its output.
            right = stretched(GradCAM(network(False), layer).layer_maps(x, TARGET)[layer])
            for library, compute in LIBRARIES.items():
                found = compute(network(inplace), layer, x)
                expected = upsample(right, SIZE) if tuple(found.shape[1:]) == SIZE else right
                off = float((stretched(found) - stretched(expected)).abs().max())
                about = {"inplace": inplace, "layer": words, "library": library}
                rows.append({**about, "off": round(off, 3)})
                print(rows[-1], flush=True)
    versions = {name: metadata.version(name) for name in PACKAGES if name != "grad-cam"}
    versions["pytorch-grad-cam"] = version_of_grad_cam()
    data = {"versions": versions, "torchvision stand-in": stand_in, "rows": rows}
    write("gradcam_libraries", __file__, data)


def network(inplace: bool) -> nn.Sequential:
    """Return a small network with the same weights in each call."""
    torch.manual_seed(0)
    layers: dict[str, nn.Module] = {
        "first": nn.Conv2d(3, 16, 3, stride=2, padding=1),
        "first_relu": nn.ReLU(inplace=inplace),
        "conv": nn.Conv2d(16, 32, 3, stride=2, padding=1),
        "conv_relu": nn.ReLU(inplace=inplace),
        "last": nn.Conv2d(32, 32, 3, padding=1),
        "norm": nn.BatchNorm2d(32),
        "relu": nn.ReLU(inplace=inplace),
        "pool": nn.AdaptiveAvgPool2d(2),
        "flatten": nn.Flatten(),
        "head": nn.Linear(128, 10),
    }
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model.eval()


def stretched(maps: Tensor) -> Tensor:
    """Stretch maps to the range from 0 to 1, as two of the libraries do."""
    return (maps - maps.min()) / (maps.max() - maps.min())


def by_cnnref(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    """Return this package's map."""
    return GradCAM(model, layer).layer_maps(x, TARGET)[layer]


def by_captum(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    """Return captum's map."""
    captum = importlib.import_module("captum.attr")
    explain = captum.LayerGradCam(model, model.get_submodule(layer))
    maps: Tensor = explain.attribute(x, TARGET, relu_attributions=True)
    return maps.detach()[:, 0]


def by_pytorch_grad_cam(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    """Return pytorch-grad-cam's map, which has the size of the image."""
    library = importlib.import_module("pytorch_grad_cam")
    targets = importlib.import_module("pytorch_grad_cam.utils.model_targets")
    with library.GradCAM(model=model, target_layers=[model.get_submodule(layer)]) as cam:
        return torch.from_numpy(
            cam(input_tensor=x, targets=[targets.ClassifierOutputTarget(TARGET)])
        )


def by_torchcam(model: nn.Module, layer: str, x: Tensor) -> Tensor:
    """Return torchcam's map."""
    library = importlib.import_module("torchcam.methods")
    with library.GradCAM(model, target_layer=layer) as cam:
        maps: Tensor = cam(TARGET, model(x))[0]
    return maps


LIBRARIES: Mapping[str, Callable[[nn.Module, str, Tensor], Tensor]] = {
    "cnnref": by_cnnref,
    "captum": by_captum,
    "pytorch-grad-cam": by_pytorch_grad_cam,
    "torchcam": by_torchcam,
}


def importable(name: str) -> bool:
    """Tell whether a package can be imported; an installed one may not fit this torch."""
    try:
        importlib.import_module(name)
    except (ImportError, RuntimeError, OSError, AttributeError):
        return False
    return True


def add_stand_in() -> None:
    """Make an empty torchvision, with the names that pytorch-grad-cam imports."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        module: Any = types.ModuleType(name)
        module.Compose = module.Normalize = module.ToTensor = module.resize = None
        sys.modules[name] = module


def version_of_grad_cam() -> str:
    """Return the version of the distribution, whose name differs from its module's."""
    try:
        return metadata.version("grad-cam")
    except metadata.PackageNotFoundError:
        return "unknown"


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the libraries
        main()
