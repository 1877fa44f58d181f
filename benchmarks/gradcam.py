"""The time of a map beside other libraries', on a network built like ResNet-18.

The libraries are not dependencies of the project: `pip install captum grad-cam torchcam` for this
comparison. Those that are missing are left out. Each is called as its documentation does, once per
map, and returns the map in its own form: ours and pytorch-grad-cam's in the size of the image.
Methods with many passes run on a smaller image.

Times are the CPU time of this process, which runs one thread, so that other programs disturb them
little. The ratio is the median over rounds, in each of which both are called, in turn first.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import statistics
import sys
import time
import types
import warnings
from importlib import metadata, util

import _paired  # noqa: F401 - first: it holds the libraries to one thread
import torch
from torch import nn

from cnnref.nn import gradcam
from cnnref.nn.residual import BasicBlock

TARGET = 3
ROUNDS = 15
FEW = 5  # rounds of the methods with many passes
SIDE, SMALL = 224, 64  # of the image
STEPS, BATCH, WINDOW = 32, 16, 8


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


def add_stand_in():
    """Make an empty torchvision, from which pytorch-grad-cam imports what it does not use here."""
    if "torchvision" in sys.modules:
        return
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError, AttributeError):
        for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
            module = types.ModuleType(name)
            module.Compose = module.Normalize = module.ToTensor = module.resize = None
            sys.modules[name] = module


def by_pytorch_grad_cam(name):
    """Return a function that prepares pytorch-grad-cam's method."""

    def prepare(model, layer, x):
        add_stand_in()
        library = importlib.import_module("pytorch_grad_cam")
        targets = importlib.import_module("pytorch_grad_cam.utils.model_targets")
        cam = getattr(library, name)(model=model, target_layers=[layer])
        wanted = [targets.ClassifierOutputTarget(TARGET)]
        return lambda: cam(input_tensor=x, targets=wanted)

    return prepare


def by_torchcam(name):
    """Return a function that prepares torchcam's method."""

    def prepare(model, layer, x):
        library = importlib.import_module("torchcam.methods")
        cam = getattr(library, name)(model, target_layer=layer, input_shape=tuple(x.shape[1:]))
        return lambda: cam(TARGET, model(x))

    return prepare


def by_captum(name):
    """Return a function that prepares captum's method."""

    def prepare(model, layer, x):
        captum = importlib.import_module("captum.attr")
        leaf = x.clone().requires_grad_()
        if name == "GradCAM":
            explain = captum.LayerGradCam(model, layer)
            return lambda: explain.attribute(x, TARGET, relu_attributions=True)
        if name == "GuidedGradCAM":
            explain = captum.GuidedGradCam(model, layer)
            return lambda: explain.attribute(leaf, TARGET, interpolate_mode="bilinear")
        if name == "GuidedBackpropagation":
            explain = captum.GuidedBackprop(model)
            return lambda: explain.attribute(leaf, TARGET)
        if name == "InputXGradient":
            explain = captum.InputXGradient(model)
            return lambda: explain.attribute(leaf, TARGET)
        if name == "IntegratedGradients":
            explain = captum.IntegratedGradients(model)
            return lambda: explain.attribute(
                x, target=TARGET, n_steps=STEPS, internal_batch_size=BATCH
            )
        if name == "SmoothGrad":
            explain = captum.NoiseTunnel(captum.Saliency(model))
            return lambda: explain.attribute(
                x, nt_samples=STEPS, nt_samples_batch_size=BATCH, target=TARGET
            )
        explain = captum.Occlusion(model)
        window = (3, WINDOW, WINDOW)
        return lambda: explain.attribute(
            x, window, window, target=TARGET, perturbations_per_eval=BATCH
        )

    return prepare


def by_cnnref(name):
    """Return a function that prepares our method."""
    options = {
        "IntegratedGradients": {"steps": STEPS, "batch_size": BATCH},
        "SmoothGrad": {"samples": STEPS, "batch_size": BATCH},
        "Occlusion": {"window": WINDOW, "stride": WINDOW, "batch_size": BATCH},
        "EigenCAM": {"center": True},
    }
    at_input = {
        "GuidedBackpropagation",
        "InputXGradient",
        "IntegratedGradients",
        "SmoothGrad",
        "Occlusion",
    }

    def prepare(model, layer, x):
        given = (model,) if name in at_input else (model, layer)
        cam = getattr(gradcam, name)(*given, **options.get(name, {}))
        return lambda: cam(x, TARGET)

    return prepare


MODULES = {"captum": "captum", "pytorch-grad-cam": "pytorch_grad_cam", "torchcam": "torchcam"}
NAMES = {"pytorch-grad-cam": "grad-cam"}

# Method, image side, rounds, and each library's name of it.
METHODS = [
    ("GradCAM", SIDE, ROUNDS, {"captum": "GradCAM", "pytorch-grad-cam": "GradCAM",
                               "torchcam": "GradCAM"}),
    ("HiResCAM", SIDE, ROUNDS, {"pytorch-grad-cam": "HiResCAM"}),
    ("GradCAMPlusPlus", SIDE, ROUNDS, {"pytorch-grad-cam": "GradCAMPlusPlus",
                                       "torchcam": "GradCAMpp"}),
    ("LayerCAM", SIDE, ROUNDS, {"pytorch-grad-cam": "LayerCAM", "torchcam": "LayerCAM"}),
    ("XGradCAM", SIDE, ROUNDS, {"pytorch-grad-cam": "XGradCAM", "torchcam": "XGradCAM"}),
    ("EigenCAM", SIDE, ROUNDS, {"pytorch-grad-cam": "EigenCAM"}),
    ("InputXGradient", SIDE, ROUNDS, {"captum": "InputXGradient"}),
    ("GuidedBackpropagation", SIDE, ROUNDS, {"captum": "GuidedBackpropagation"}),
    ("GuidedGradCAM", SIDE, ROUNDS, {"captum": "GuidedGradCAM"}),
    ("IntegratedGradients", SMALL, FEW, {"captum": "IntegratedGradients"}),
    ("SmoothGrad", SMALL, FEW, {"captum": "SmoothGrad"}),
    ("Occlusion", SMALL, FEW, {"captum": "Occlusion"}),
    ("ScoreCAM", SMALL, FEW, {"pytorch-grad-cam": "ScoreCAM", "torchcam": "ScoreCAM"}),
    ("AblationCAM", SMALL, FEW, {"pytorch-grad-cam": "AblationCAM"}),
]  # fmt: skip

PREPARE = {"captum": by_captum, "pytorch-grad-cam": by_pytorch_grad_cam, "torchcam": by_torchcam}


def seconds(call):
    """Return the CPU time of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def compare(method, library, name, side, rounds):
    """Return the two times in seconds and the quartiles of their ratio."""
    x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    model, other = network(), network()  # each with its own hooks
    mine = by_cnnref(method)(model, model[11], x)
    theirs = PREPARE[library](name)(other, other[11], x)
    mine(), theirs()
    times = []
    for number in range(rounds):
        if number % 2:
            times.append((seconds(mine), seconds(theirs)))
        else:
            times.append((seconds(theirs), seconds(mine))[::-1])
    ratios = statistics.quantiles([a / b for a, b in times], n=4)
    return [statistics.median(column) for column in zip(*times, strict=True)], ratios


def main(only=()):
    """Print one row for each method and library."""
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread; ratio = cnnref / other, median [middle half]")
    for library, module in MODULES.items():
        if util.find_spec(module) is None:
            print(f"{library:18} not installed")
    for method, side, rounds, names in METHODS:
        for library, name in names.items():
            if util.find_spec(MODULES[library]) is None or (only and method not in only):
                continue
            with contextlib.redirect_stderr(io.StringIO()):  # their progress bars
                (mine, theirs), (low, middle, high) = compare(method, library, name, side, rounds)
            version = metadata.version(NAMES.get(library, library))
            print(
                f"{method:22} {library:17} {version:7} {mine * 1e3:8.1f} ms {theirs * 1e3:8.1f} ms "
                f"{middle:6.2f} [{low:4.2f}, {high:4.2f}]",
                flush=True,
            )


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        main(sys.argv[1:])
