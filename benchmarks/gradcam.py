"""The time of a Grad-CAM map beside other libraries', on a network built like ResNet-18.

The libraries are no dependencies of the project: `pip install captum grad-cam torchcam` for this
comparison. Those that are not there are left out. Each is called as its documentation does, once
a map, and gives it in its own form: ours and pytorch-grad-cam's in the size of the image.

The ratio is that of paired rounds, as in `_paired.py`.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import types
import warnings
from importlib import metadata, util

import _paired  # first: it holds the libraries to one thread
import torch
from torch import nn

from cnnref.nn.gradcam import GradCAM
from cnnref.nn.residual import BasicBlock

TARGET = 3
ROUNDS = 15


def network():
    """Return a network with the layers and sizes of ResNet-18, random weights, in eval mode."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    layers.append(nn.MaxPool2d(3, 2, 1))
    channels = 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        shortcut = "identity" if stride == 1 else "projection"
        layers.append(BasicBlock(channels, width, stride=stride, shortcut=shortcut))
        layers.append(BasicBlock(width, width))
        channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)]
    return nn.Sequential(*layers).eval()


def by_captum(model, layer, x):
    """Return captum's call."""
    captum = importlib.import_module("captum.attr")
    explain = captum.LayerGradCam(model, layer)
    return lambda: explain.attribute(x, TARGET, relu_attributions=True)


def by_pytorch_grad_cam(model, layer, x):
    """Return pytorch-grad-cam's call."""
    if util.find_spec("torchvision") is None:
        # It imports names from there that Grad-CAM does not use.
        for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
            module = types.ModuleType(name)
            module.Compose = module.Normalize = module.ToTensor = module.resize = None
            sys.modules[name] = module
    library = importlib.import_module("pytorch_grad_cam")
    targets = importlib.import_module("pytorch_grad_cam.utils.model_targets")
    cam = library.GradCAM(model=model, target_layers=[layer])
    wanted = [targets.ClassifierOutputTarget(TARGET)]
    return lambda: cam(input_tensor=x, targets=wanted)


def by_torchcam(model, layer, x):
    """Return torchcam's call."""
    library = importlib.import_module("torchcam.methods")
    cam = library.GradCAM(model, target_layer=layer)
    return lambda: cam(TARGET, model(x))


LIBRARIES = {
    "captum": ("captum", by_captum),
    "pytorch-grad-cam": ("pytorch_grad_cam", by_pytorch_grad_cam),
    "torchcam": ("torchcam", by_torchcam),
}
NAMES = {"pytorch-grad-cam": "grad-cam"}


def main():
    """Print one row a library."""
    torch.set_num_threads(1)
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    print(f"torch {torch.__version__}, one thread; ratio = cnnref / other, median [middle half]")
    for library, (module, build) in LIBRARIES.items():
        if util.find_spec(module) is None:
            print(f"{library:18} not installed")
            continue
        model, other = network(), network()  # each with its own hooks
        cam = GradCAM(model, model[11])
        theirs = build(other, other[11], x)

        def ours(cam=cam):
            return cam(x, TARGET)

        ours(), theirs()
        times = [(_paired.seconds(ours, 1), _paired.seconds(theirs, 1)) for _ in range(ROUNDS)]
        low, middle, high = statistics.quantiles([a / b for a, b in times], n=4)
        mine, other_time = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
        version = metadata.version(NAMES.get(library, library))
        print(
            f"{library:18} {version:8} {mine:7.1f} ms {other_time:7.1f} ms "
            f"{middle:6.2f} [{low:4.2f}, {high:4.2f}]"
        )


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        main()
