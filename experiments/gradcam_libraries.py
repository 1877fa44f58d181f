"""Do the maps of three libraries equal ours: Grad-CAM with in-place ReLUs, and its whole family?

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
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import metadata, util
from typing import Any

import torch
from torch import Tensor, nn

from cnnref.nn import gradcam
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
    family = family_rows()
    data = {
        "versions": versions,
        "torchvision stand-in": stand_in,
        "rows": rows,
        "family": family,
    }
    write("gradcam_libraries", __file__, data)


def network(inplace: bool, stride: int = 2) -> nn.Sequential:
    """Return a small network with the same weights in each call."""
    torch.manual_seed(0)
    layers: dict[str, nn.Module] = {
        "first": nn.Conv2d(3, 16, 3, stride=stride, padding=1),
        "first_relu": nn.ReLU(inplace=inplace),
        "conv": nn.Conv2d(16, 32, 3, stride=stride, padding=1),
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


def family_rows() -> list[dict[str, Any]]:
    """Compare each method of the family with every library that has it.

    The difference is a share of the map's largest number. Libraries that stretch their maps are
    compared with our stretched map. Scores are large, so that the small numbers that libraries add
    to denominators do not count.
    """
    x = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    rows = []
    for method, library, compute in family():
        found, expected = compute(x)
        off = float((found - expected).abs().max() / expected.abs().max())
        rows.append({"method": method, "library": library, "off": round(off, 6)})
        print(rows[-1], flush=True)
    return rows


def confident(stride: int = 2) -> tuple[nn.Sequential, int]:
    """Return the network with large scores, and the class with the highest one."""
    model = network(False, stride)
    with torch.no_grad():
        model.get_parameter("head.weight").mul_(100)
    x = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    return model, int(model(x).argmax())


Pair = tuple[Tensor, Tensor]


def family() -> Iterator[tuple[str, str, Callable[[Tensor], Pair]]]:
    """Yield method, library, and a function that returns the library's map and ours."""
    for name in ("HiResCAM", "GradCAMPlusPlus", "XGradCAM", "LayerCAM", "EigenCAM", "AblationCAM"):
        yield name, "pytorch-grad-cam", partial(against_pytorch_grad_cam, name)
    # A principal component has no sign: the library takes what the decomposition returns.
    yield (
        "EigenCAM, other sign",
        "pytorch-grad-cam",
        partial(against_pytorch_grad_cam, "EigenCAM", sign=-1),
    )
    # Masks of the size of the image: the libraries enlarge smaller ones in other ways.
    yield "ScoreCAM", "pytorch-grad-cam", partial(against_pytorch_grad_cam, "ScoreCAM", stride=1)
    for name in ("GradCAMPlusPlus", "XGradCAM", "LayerCAM"):
        yield name, "torchcam", partial(against_torchcam, name)
    yield "ScoreCAM", "torchcam", partial(against_torchcam, "ScoreCAM", stride=1)
    for name in (
        "GuidedBackpropagation",
        "GuidedGradCAM",
        "InputXGradient",
        "IntegratedGradients",
        "Occlusion",
        "SmoothGrad",
    ):
        yield name, "captum", partial(against_captum, name)


def ours(name: str, model: nn.Module, x: Tensor, target: int, sign: int = 1) -> Tensor:
    """Return our map of the last ReLU, in its own size, or that of the opposite sign."""
    # pytorch-grad-cam subtracts the mean of each channel for Eigen-CAM.
    options = {"center": True} if name == "EigenCAM" else {}
    cam = getattr(gradcam, name)(model, "relu", relu=False, **options)
    maps: Tensor = cam.layer_maps(x, target)["relu"]
    return (sign * maps).relu()


def against_pytorch_grad_cam(name: str, x: Tensor, stride: int = 2, sign: int = 1) -> Pair:
    """Return pytorch-grad-cam's map and ours, stretched, in the size of the image."""
    library = importlib.import_module("pytorch_grad_cam")
    targets = importlib.import_module("pytorch_grad_cam.utils.model_targets")
    model, target = confident(stride)
    method = getattr(library, name)
    with method(model=model, target_layers=[model.get_submodule("relu")]) as cam:
        found = cam(input_tensor=x, targets=[targets.ClassifierOutputTarget(target)])
    expected = upsample(ours(name, confident(stride)[0], x, target, sign), SIZE)
    return stretched(torch.from_numpy(found)), stretched(expected)


def against_torchcam(name: str, x: Tensor, stride: int = 2) -> Pair:
    """Return torchcam's map and ours, stretched, in the size of the layer."""
    library = importlib.import_module("torchcam.methods")
    model, target = confident(stride)
    method = getattr(library, {"GradCAMPlusPlus": "GradCAMpp"}.get(name, name))
    options = {"input_shape": (3, *SIZE)}
    with method(model, target_layer="relu", **options) as cam:
        found = cam(target, model(x))[0]
    return stretched(found), stretched(ours(name, confident(stride)[0], x, target))


def against_captum(name: str, x: Tensor) -> Pair:
    """Return captum's attributions and ours, one for each number of the image."""
    captum = importlib.import_module("captum.attr")
    model, target = confident()
    mine = confident()[0]
    leaf = x.clone().requires_grad_()
    if name == "GuidedBackpropagation":
        found = captum.GuidedBackprop(model).attribute(leaf, target)
        return found, gradcam.GuidedBackpropagation(mine).attributions(x, target)
    if name == "GuidedGradCAM":
        explain = captum.GuidedGradCam(model, model.get_submodule("relu"))
        found = explain.attribute(leaf, target, interpolate_mode="bilinear")
        return found, gradcam.GuidedGradCAM(mine, "relu").attributions(x, target)
    if name == "InputXGradient":
        found = captum.InputXGradient(model).attribute(leaf, target)
        return found.detach(), gradcam.InputXGradient(mine).attributions(x, target)
    if name == "IntegratedGradients":
        found = captum.IntegratedGradients(model).attribute(x, target=target, n_steps=50)
        return found, gradcam.IntegratedGradients(mine, steps=50).attributions(x, target)
    if name == "Occlusion":
        window, stride = (5, 7), (2, 3)
        found = captum.Occlusion(model).attribute(x, (3, *window), (3, *stride), target=target)
        occlusion = gradcam.Occlusion(mine, window, stride=stride, relu=False)
        return found[:, 0], occlusion(x, target)
    # Noise cannot be handed to captum's NoiseTunnel, so the mean is taken over its plain gradients.
    smooth = gradcam.SmoothGrad(mine, samples=8, noise=0.1, seed=0)
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(x[0].shape, generator=generator) for _ in range(8)]
    spread = 0.1 * float(x.max() - x.min())
    noisy = (x + spread * torch.stack(noise)).requires_grad_()
    gradients = captum.Saliency(model).attribute(noisy, target, abs=False)
    return gradients.mean(dim=0, keepdim=True), smooth.attributions(x, target)


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
