"""Every tool of `cnnref.nn` on every network of the zoo: right, or refused with a clear error.

A cell of the matrix is one tool on one network. The tool is called as a reader would call it who
knows nothing but a layer's name and a class. If it refuses, it is called again with what
the network needs, such as ``to_maps=channels_last``. A result is compared with one computed here by
hand: hooks, autograd and loops on the bare network. A refusal must name an argument of the tool and
leave the model as it was, bit for bit.
"""

from __future__ import annotations

import copy
import inspect
import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional

from cnnref.nn.activations import record_activations
from cnnref.nn.faithfulness import average_drop, deletion, insertion, randomization_check
from cnnref.nn.feature_visualization import (
    Priors,
    channel,
    logit,
    measure,
    neuron,
    response,
    visualize,
)
from cnnref.nn.gradcam import (
    RISE,
    AblationCAM,
    EigenCAM,
    GradCAM,
    GradCAMPlusPlus,
    GuidedBackpropagation,
    GuidedGradCAM,
    GuidedInputXGradient,
    HiResCAM,
    InputXGradient,
    IntegratedGradients,
    LayerCAM,
    Occlusion,
    ScoreCAM,
    SmoothGrad,
    XGradCAM,
    channels_last,
    diagnose,
    scores_at,
    tokens_to_maps,
)
from cnnref.nn.patches import layer_field, layer_maps, top_patches
from cnnref.nn.pretrained import layer_lists, top_classes
from cnnref.nn.transfer import (
    accuracy,
    fine_tune,
    freeze,
    head_of,
    parameter_groups,
    replace_head,
    unfreeze,
    unfreeze_top,
)
from tests.helpers import zoo
from tests.helpers.models import difference, snapshot
from tests.helpers.repository import ROOT

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
COUNT = 2
CLASS = 1
CHANNEL = 1

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Network:
    """A network, and what a reader knows of it.

    Attributes:
        build: Returns the network, without weights worth mentioning.
        layer: The last layer with maps.
        head: The layer whose output is the scores.
        top: A layer before the head.
        shape: Shape of one input.
        wrap: Changes the network as a reader would: compiles it, freezes it, ...
        prefix: What `wrap` puts before the names of layers.
        bare: Returns the network inside the wrapper, on which results are computed by hand.
        maps: From the layer's output to maps (N, C, *spatial).
        places: Where the numbers of a channel are in the layer's output.
        scores: From the network's output to scores (N, classes).
        findings: What `diagnose` finds, sorted.
        others: Further arguments of the network.
        options: What a reader can pass to tools that refuse the plain call, by argument.
        dtype: Of the parameters and inputs.
        inference: Whether it is built in inference mode.
        seed: Of its weights; with some seeds a map is zero, which proves nothing.
        about: What the page says of it.
        says: What the page says of each option.
    """

    build: Callable[[], nn.Module]
    layer: str = "backbone"
    head: str = "fc"
    top: str = "backbone.conv2"
    shape: tuple[int, ...] = (3, 64, 64)
    wrap: Callable[[nn.Module], nn.Module] = lambda model: model
    prefix: str = ""
    bare: Callable[[nn.Module], nn.Module] = lambda model: model
    maps: Callable[[Any], Tensor] = lambda output: output
    places: Callable[[int], tuple[Any, ...]] = lambda k: (slice(None), k)
    scores: Callable[[Any], Tensor] = lambda output: output
    findings: tuple[str, ...] = ()
    others: tuple[Tensor, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32
    inference: bool = False
    seed: int = 0
    about: str = ""
    says: Mapping[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> Tensor:
        """The same images every time."""
        generator = torch.Generator().manual_seed(7)
        images = torch.randn(COUNT, *self.shape, generator=generator)
        return images.to(DEVICE, self.dtype)

    @property
    def arguments(self) -> tuple[Tensor, ...]:
        return (self.inputs, *(one.to(DEVICE, self.dtype) for one in self.others))

    def make(self) -> nn.Module:
        """Return the network in eval mode, the same every time."""
        with torch.inference_mode(self.inference), torch.random.fork_rng():
            return self._make()

    def make_bare(self) -> nn.Module:
        """Return the network without its wrapper, and not built in inference mode."""
        with torch.random.fork_rng():
            return self.bare(self._make())

    def _make(self) -> nn.Module:
        torch.manual_seed(self.seed)
        model = self.build()
        with torch.no_grad():
            _lively(model)
        return self.wrap(model.to(DEVICE, self.dtype).eval())

    def run(self, bare: nn.Module, images: Tensor | None = None) -> Tensor:
        """Return the scores (N, classes)."""
        arguments = self.arguments
        if images is not None:
            rows = len(images) // COUNT if len(images) > COUNT else 1
            rest = [one[: len(images)].repeat(rows, 1) for one in arguments[1:]]
            arguments = (images, *rest)
        return self.scores(bare(*arguments))


def _lively(model: nn.Module) -> None:
    """Give all layers weights and statistics with which every part matters."""
    for name, one in model.named_parameters():
        if one.ndim > 1 and "original0" not in name:
            one.normal_(std=(2 / one[0].numel()) ** 0.5)
        elif name.endswith("layer_scale"):
            one.fill_(0.5)
        elif name.endswith("bias"):
            one.uniform_(0.0, 0.3)  # Units that never respond would prove nothing.
    for name, one in model.named_buffers():
        if name.endswith("running_mean"):
            one.normal_(std=0.1)
        if name.endswith("running_var"):
            one.uniform_(0.5, 1.5)
    for one in model.modules():
        if isinstance(one, nn.Dropout | zoo.StochasticDepth):
            one.p = 0.0  # What is trained can then be compared with what is trained by hand.


class Wrapped(nn.Module):
    """What the page advises for networks with other inputs or outputs: scores from one tensor."""

    def __init__(
        self, network: nn.Module, scores: Callable[[Any], Tensor], *others: Tensor
    ) -> None:
        super().__init__()
        self.network = network
        self.scores = scores
        self.others = others

    def forward(self, images: Tensor) -> Tensor:
        return self.scores(
            self.network(images, *(one[:1].expand(len(images), -1) for one in self.others))
        )


def _frozen(model: nn.Module) -> nn.Module:
    return model.requires_grad_(False)


def _pixels(output: Tensor) -> Tensor:
    return output.mean((2, 3))


NUMBERS = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.2, -0.7]])
_TOKENS = tokens_to_maps((4, 4))


def _target(scores: Callable[[Any], Tensor]) -> Callable[[Any], Tensor]:
    return lambda output: scores(output)[:, CLASS]


NETWORKS: dict[str, Network] = {
    "ResNet-18": Network(
        zoo.ResNet, "layer4", "fc", "layer4",
        about="Each block runs one in-place ReLU twice.",
    ),
    "VGG-11": Network(
        zoo.VGG, "features", "classifier.6", "features",
        about="Its classifier has several linear layers; only the last one is the head.",
    ),
    "GoogLeNet": Network(
        zoo.GoogLeNet, "inception5b", "fc", "inception5b",
        about="It has auxiliary heads, which run in train mode, and calls ReLU as a function.",
    ),
    "DenseNet": Network(
        zoo.DenseNet, "features", "classifier", "features", findings=("in-place",),
        about="It overwrites the output of `features` by a ReLU.",
    ),
    "MobileNetV3": Network(
        zoo.MobileNetV3, "features", "classifier.3", "features",
        about="It has squeeze-and-excitation, hard swish and a classifier of several layers.",
    ),
    "ConvNeXt": Network(
        zoo.ConvNeXt, "features", "classifier.2", "features",
        about="Inside its blocks, channels are on the last axis. It has no ReLU.",
    ),
    "Swin": Network(
        zoo.Swin, "features.2", "head", "features.2",
        maps=lambda output: output.permute(0, 3, 1, 2), places=lambda k: (..., k),
        options={"to_maps": channels_last}, findings=("layout",),
        about="The channels of every layer are on the last axis. It has no ReLU.",
        says={"to_maps": "`to_maps=channels_last`"},
    ),
    "ViT": Network(
        partial(zoo.ViT, depth=3), "encoder.layers.encoder_layer_0", "heads.head",
        "encoder.layers.encoder_layer_2.mlp",
        maps=lambda output: output[:, 1:].transpose(1, 2).reshape(len(output), -1, 4, 4),
        places=lambda k: (slice(None), slice(1, None), k),
        options={"to_maps": _TOKENS, "head": "heads.head"}, findings=("layout",),
        about="Its layers output tokens. It has no ReLU.",
        says={
            "to_maps": "`to_maps=tokens_to_maps((rows, columns))`",
            "head": '`head="heads.head"`',
        },
    ),
    "U-Net": Network(
        zoo.UNet, "down2", "outc", "conv2", shape=(3, 32, 32), seed=5,
        scores=_pixels, options={"target": _target(_pixels), "wrap": _pixels},
        findings=("output form",),
        about="It outputs a score for each class and pixel.",
        says={"target": "a function as `target`, such as `class_pixels`"},
    ),
    "TCN": Network(
        zoo.TCN, "network.1", "linear", "network", shape=(3, 40),
        about="A temporal convolutional network: it classifies signals (N, C, T).",
    ),
    "R3D-18": Network(
        zoo.VideoResNet, "layer2", "fc", "layer4", shape=(3, 8, 32, 32), seed=1,
        about="A residual network of volumetric convolutions: it classifies videos "
        "(N, C, T, H, W).",
    ),
    "Two heads": Network(
        zoo.TwoHeads, head="kind", scores=lambda output: output[0],
        options={
            "target": scores_at(0, CLASS), "wrap": lambda output: output[0], "head": "kind",
        },
        findings=("output form",),
        about="It returns a tuple with the scores of two tasks.",
        says={"target": "`target=scores_at(task, index)`", "head": '`head="kind"`'},
    ),
    "Two inputs": Network(
        zoo.TwoInputs, others=(NUMBERS,), seed=1,
        options={"inputs": (NUMBERS,), "others": (NUMBERS,), "wrap": lambda output: output},
        about="It takes an image and numbers that go with it.",
        says={
            "inputs": "the tuple `(images, numbers)` as inputs", "others": "`others=(numbers,)`",
        },
    ),
    "Dictionary": Network(
        zoo.DictOutput, scores=lambda output: output["out"],
        options={
            "target": scores_at("out", CLASS), "wrap": lambda output: output["out"],
            "head": "fc",
        },
        findings=("output form",),
        about='It returns a dictionary whose entry `"out"` holds the scores.',
        says={"target": '`target=scores_at("out", index)`', "head": '`head="fc"`'},
    ),
    "Dataclass": Network(
        zoo.DataclassOutput, scores=lambda output: output.logits,
        options={
            "target": scores_at("logits", CLASS), "wrap": lambda output: output.logits,
            "head": "fc",
        },
        findings=("output form",),
        about="It returns a dataclass whose field `logits` holds the scores.",
        says={"target": '`target=scores_at("logits", index)`', "head": '`head="fc"`'},
    ),
    "Compiled": Network(
        zoo.Small, wrap=lambda model: torch.compile(model, backend="eager"),
        prefix="_orig_mod.", bare=lambda model: model._orig_mod,
        about="`torch.compile(model)`, whose layers have `_orig_mod.` before their names.",
    ),
    "DataParallel": Network(
        zoo.Small, wrap=nn.DataParallel, prefix="module.", bare=lambda model: model.module,
        about="`nn.DataParallel(model)`, whose layers have `module.` before their names.",
    ),
    "Half precision": Network(
        zoo.Small, dtype=torch.float16,
        about="`model.half()`, with inputs in half precision.",
    ),
    "Frozen": Network(
        zoo.Small, wrap=_frozen, findings=("frozen",),
        about="`model.requires_grad_(False)`.",
    ),
    "Inference mode": Network(
        zoo.Small, inference=True, findings=("frozen",),
        about="Built inside `torch.inference_mode()`.",
    ),
    "Gradient checkpointing": Network(
        zoo.Checkpointed,
        about="`torch.utils.checkpoint` runs its backbone again in the backward pass.",
    ),
    "Tied weights": Network(
        zoo.TiedWeights, options={"head": "fc"}, seed=1,
        about="Its head has the same matrix as another layer.",
        says={"head": '`head="fc"`'},
    ),
}  # fmt: skip


# Results by hand.


def _read(bare: nn.Module, network: Network, images: Tensor | None = None) -> tuple[Any, Any]:
    """Return the scores and the layer's output, with gradients through a copy of the latter."""
    kept: list[Any] = []

    def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
        if kept:  # A checkpointed layer runs again in the backward pass.
            return kept[0].clone()
        if output.requires_grad:
            kept.append(output.clone())
        else:
            kept.append(output.detach().clone().requires_grad_())
        return kept[0].clone()

    with bare.get_submodule(network.layer).register_forward_hook(hook):
        scores = network.run(bare, images)
        if not scores.requires_grad:
            raise AssertionError("the scores must depend on the copy")
        (gradient,) = torch.autograd.grad(scores[:, CLASS].sum(), kept[0])
    return kept[0].detach(), gradient


def _maps(bare: nn.Module, network: Network) -> tuple[Tensor, Tensor]:
    output, gradient = _read(bare, network)
    return network.maps(output).float(), network.maps(gradient).float()


def _large(maps: Tensor, network: Network) -> Tensor:
    size = network.shape[1:]
    mode = ("linear", "bilinear", "trilinear")[len(size) - 1]
    return functional.interpolate(maps[:, None], size, mode=mode, align_corners=False)[:, 0]


def _axes(maps: Tensor) -> tuple[int, ...]:
    return tuple(range(2, maps.ndim))


def _grad_cam(a: Tensor, g: Tensor) -> Tensor:
    return (g.mean(_axes(a), keepdim=True) * a).sum(1)


def _grad_cam_plus_plus(a: Tensor, g: Tensor) -> Tensor:
    alpha = 1 / (2 + a.sum(_axes(a), keepdim=True) * g)
    return ((alpha * g.relu()).sum(_axes(a), keepdim=True) * a).sum(1)


def _x_grad_cam(a: Tensor, g: Tensor) -> Tensor:
    total = a.sum(_axes(a), keepdim=True)
    moment = (a * g).sum(_axes(a), keepdim=True)
    return (torch.where(total == 0, 0.0, moment / total) * a).sum(1)


def _eigen_cam(a: Tensor, g: Tensor) -> Tensor:
    found = []
    for maps in a:
        places = maps.flatten(1).T.double()
        _, _, transposed = torch.linalg.svd(places, full_matrices=False)
        component = places @ transposed[0]
        sign = 1 if component @ places.sum(1) >= 0 else -1
        found.append((sign * component).view(maps.shape[1:]))
    return torch.stack(found).float()


RULES = {
    EigenCAM: _eigen_cam,
    GradCAM: _grad_cam,
    GradCAMPlusPlus: _grad_cam_plus_plus,
    HiResCAM: lambda a, g: (a * g).sum(1),
    LayerCAM: lambda a, g: (a * g.relu()).sum(1),
    XGradCAM: _x_grad_cam,
}


def _ablation_cam(bare: nn.Module, network: Network) -> Tensor:
    a, _ = _maps(bare, network)
    layer = bare.get_submodule(network.layer)
    with torch.no_grad():
        whole = network.run(bare)[:, CLASS].float()
        losses = []
        for k in range(a.shape[1]):

            def without(module: nn.Module, inputs: Any, output: Tensor, k: int = k) -> Tensor:
                changed = output.clone()
                changed[network.places(k)] = 0
                return changed

            with layer.register_forward_hook(without):
                losses.append(whole - network.run(bare)[:, CLASS].float())
    weights = torch.stack(losses, 1) / whole.abs()[:, None]
    return _large(torch.einsum("nk,nk...->n...", weights, a), network)


def _score_cam(bare: nn.Module, network: Network) -> Tensor:
    a, _ = _maps(bare, network)
    images, found = network.inputs, []
    with torch.no_grad():
        nothing = network.run(bare, torch.zeros_like(images))[:, CLASS].float()
        gains = []
        for k in range(a.shape[1]):
            mask = _large(a[:, k], network)
            low, high = mask.flatten(1).amin(1), mask.flatten(1).amax(1)
            shape = (-1,) + (1,) * (mask.ndim - 1)
            mask = (mask - low.view(shape)) / (high - low).view(shape).clamp(min=1e-30)
            masked = network.run(bare, images * mask[:, None].to(images.dtype))[:, CLASS].float()
            alive = a[:, k].flatten(1).amax(1) > a[:, k].flatten(1).amin(1)
            gains.append(torch.where(alive, masked - nothing, -torch.inf))
        weights = torch.stack(gains, 1).softmax(1)
        for n in range(len(images)):
            found.append(sum(w * one for w, one in zip(weights[n], a[n], strict=True)))
    return _large(torch.stack(found), network)


def _gradient_at(bare: nn.Module, network: Network, images: Tensor) -> Tensor:
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network.run(bare, leaf.clone())[:, CLASS].sum(), leaf)
    return gradient.float()


def _input_gradient(bare: nn.Module, network: Network) -> Tensor:
    images = network.inputs
    return (images.float() * _gradient_at(bare, network, images)).sum(1)


def _integrated(bare: nn.Module, network: Network) -> Tensor:
    images, (nodes, weights) = network.inputs, np.polynomial.legendre.leggauss(3)
    total = sum(
        weight / 2 * _gradient_at(bare, network, (node + 1) / 2 * images)
        for node, weight in zip(nodes, weights, strict=True)
    )
    return (images.float() * total).sum(1)


def _smooth(bare: nn.Module, network: Network) -> Tensor:
    images = network.inputs
    noise = torch.Generator().manual_seed(0)
    drawn = [torch.randn(images.shape[1:], generator=noise) for _ in range(2)]
    spread = (images.flatten(1).amax(1) - images.flatten(1).amin(1)).float() * 0.15
    spread = spread.view(-1, *[1] * (images.ndim - 1))
    total = sum(
        _gradient_at(bare, network, images + (spread * one.to(DEVICE)).to(images.dtype))
        for one in drawn
    )
    return (total / 2).abs().amax(1)


def _windows(size: Sequence[int]) -> list[tuple[slice, ...]]:
    halves = [(slice(0, side // 2), slice(side // 2, side)) for side in size]
    return list(itertools.product(*halves))


def _occluded(bare: nn.Module, network: Network) -> Tensor:
    images = network.inputs
    found = torch.zeros(COUNT, *network.shape[1:], device=DEVICE)
    with torch.no_grad():
        whole = network.run(bare)[:, CLASS].float()
        for window in _windows(network.shape[1:]):
            hidden = images.clone()
            hidden[:, :, *window] = 0
            fall = whole - network.run(bare, hidden)[:, CLASS].float()
            found[:, *window] = fall.view(-1, *[1] * len(window))
    return found


def _rise(bare: nn.Module, network: Network) -> Tensor:
    size = network.shape[1:]
    masks = RISE(bare, cells=2).draw(6, size, torch.Generator().manual_seed(0)).to(DEVICE)
    images = network.inputs
    with torch.no_grad():
        scores = [
            network.run(bare, images * mask.to(images.dtype))[:, CLASS].float() for mask in masks
        ]
    return torch.einsum("mn,m...->n...", torch.stack(scores), masks) / (6 * 0.5)


class _Guided(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        out = x.relu()
        context.save_for_backward(out)
        return out

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (out,) = context.saved_tensors
        return gradient.relu() * (out > 0)


class _GuideAll(torch.overrides.TorchFunctionMode):
    """Guides every ReLU, whether a module or a function calls it."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Any:
        if function in (functional.relu, torch.relu, torch.relu_, Tensor.relu, functional.relu_):
            return _Guided.apply(arguments[0])
        return function(*arguments, **(keywords or {}))


def _guided(bare: nn.Module, network: Network) -> Tensor:
    with _GuideAll():
        return _input_gradient(bare, network)


def _guided_backpropagation(bare: nn.Module, network: Network) -> Tensor:
    with _GuideAll():
        return _gradient_at(bare, network, network.inputs).abs().amax(1)


def _guided_grad_cam(bare: nn.Module, network: Network) -> Tensor:
    coarse = _large(_grad_cam(*_maps(bare, network)).relu(), network)
    return coarse * _guided_backpropagation(bare, network)


def _probabilities(bare: nn.Module, network: Network, given: Given, images: Tensor) -> Tensor:
    with torch.no_grad():
        scores = network.run(bare, images).float()
    return scores[:, CLASS] if "target" in given else scores.softmax(1)[:, CLASS]


def _evidence(network: Network) -> Tensor:
    """Return any maps without ties."""
    generator = torch.Generator().manual_seed(3)
    return torch.rand(COUNT, *network.shape[1:], generator=generator).to(DEVICE)


def _curve(
    bare: nn.Module, network: Network, given: Given, start: Tensor, end: Tensor
) -> Tensor:  # fmt: skip
    maps = _evidence(network).flatten(1)
    order = maps.argsort(1, descending=True)
    columns = []
    for step in range(3):
        many = round(step / 2 * maps.shape[1])
        chosen = torch.zeros_like(maps, dtype=torch.bool)
        for n in range(COUNT):
            chosen[n, order[n, :many]] = True
        made = torch.where(chosen.view(COUNT, 1, *network.shape[1:]), end, start)
        columns.append(_probabilities(bare, network, given, made))
    return torch.stack(columns, 1).cpu()


def _blurred(images: Tensor, sigma: float = 10.0) -> Tensor:
    """Return images, signals or volumes after a Gaussian, with border values repeated outside."""
    steps = torch.arange(-30, 31, device=images.device)
    weights = torch.exp(-(steps**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    found = images.float()
    for axis in range(2, images.ndim):
        size = found.shape[axis]
        near = (torch.arange(size, device=images.device)[:, None] + steps).clamp(0, size - 1)
        seen = found.movedim(axis, -1)[..., near]
        found = (seen * weights).sum(-1).movedim(-1, axis)
    return found.to(images.dtype)


# The tools.


@dataclass(frozen=True)
class Tool:
    """A public function or class: how it is called, and the same result by hand.

    Attributes:
        group: Part of `cnnref.nn` that it belongs to.
        function: What is called; its parameters are what an error may name.
        use: Called with the model, the network and what is passed; returns what is compared.
        truth: Called with the bare network, the network and what is passed.
        options: The options of a network that it takes.
        changes: Whether it changes the model. The model's state is then part of the result.
    """

    group: str
    function: Callable[..., Any]
    use: Callable[[nn.Module, Network, Given], Any]
    truth: Callable[[nn.Module, Network, Given], Any]
    options: tuple[str, ...] = ()
    changes: bool = False


def _inputs(network: Network, given: Given) -> Any:
    return network.arguments if "inputs" in given else network.inputs


def _keywords(given: Given, *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _layer(network: Network, given: Given, name: str | None = None) -> str:
    return given.get("prefix", network.prefix) + (network.layer if name is None else name)


def _map_tool(kind: Any) -> Tool:
    settings = {} if kind is GuidedGradCAM else {"relu": False}

    def use(model: nn.Module, network: Network, given: Given) -> Tensor:
        cam = kind(model, _layer(network, given), **settings, **_keywords(given, "to_maps"))
        return cam(_inputs(network, given), given.get("target", CLASS))

    def truth(bare: nn.Module, network: Network, given: Given) -> Tensor:
        if kind in RULES:
            return _large(RULES[kind](*_maps(bare, network)), network)
        rules = {
            AblationCAM: _ablation_cam, ScoreCAM: _score_cam, GuidedGradCAM: _guided_grad_cam,
        }  # fmt: skip
        return rules[kind](bare, network)

    return Tool("maps", kind, use, truth, ("to_maps", "target", "inputs", "wrap"))


def _input_tool(
    kind: Any, by_hand: Callable[[nn.Module, Network], Tensor], **settings: Any
) -> Tool:
    def use(model: nn.Module, network: Network, given: Given) -> Tensor:
        sides = {}
        if kind is Occlusion:
            half = [side // 2 for side in network.shape[1:]]
            sides = {"window": half, "stride": half}
        found = kind(model, **sides, **settings)
        return found(_inputs(network, given), given.get("target", CLASS))

    return Tool(
        "maps", kind, use, lambda bare, network, given: by_hand(bare, network),
        ("target", "inputs", "wrap"),
    )  # fmt: skip


def _diagnosed(model: nn.Module, network: Network, given: Given) -> list[str]:
    found = diagnose(
        model, _layer(network, given), _inputs(network, given), given.get("target", CLASS),
        **_keywords(given, "to_maps"),
    )  # fmt: skip
    return sorted(found.kinds)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [one for item in value.values() for one in _tensors(item)]
    if isinstance(value, Sequence):
        return [one for item in value for one in _tensors(item)]
    if hasattr(value, "__dataclass_fields__"):
        return [one for item in vars(value).values() for one in _tensors(item)]
    return []


def _recorded(model: nn.Module, network: Network, given: Given) -> list[Tensor]:
    """Return the copies of the layer's and of the whole network's output, and their gradient."""
    with record_activations(model, [_layer(network, given), ""]) as kept, torch.no_grad():
        model(*network.arguments) if "wrap" not in given else model(network.inputs)
    return [one for calls in kept.values() for one in _tensors(calls[0])]


def _recorded_by_hand(bare: nn.Module, network: Network, given: Given) -> list[Tensor]:
    kept: list[Any] = []
    layer = bare.get_submodule(network.layer)
    with (
        torch.no_grad(),
        layer.register_forward_hook(lambda module, _, out: kept.append(copy.deepcopy(out))),
    ):
        output = bare(*network.arguments)
    return [*_tensors(kept[0]), *_tensors(output)]


def _record_gradients(model: nn.Module, network: Network, given: Given) -> list[Tensor]:
    name = _layer(network, given)
    with record_activations(model, name, gradients=True) as kept:
        scores = network.scores(model(*network.arguments))
        copied = list(kept[name])
        gradient = torch.autograd.grad(scores[:, CLASS].sum(), copied[0])
    return [copied[0].detach(), *gradient]


def _faithful(function: Any) -> Tool:
    def use(model: nn.Module, network: Network, given: Given) -> Any:
        settings = {} if function is average_drop else {"steps": 2}
        target = given.get("target", CLASS)
        found = function(
            model, _inputs(network, given), _evidence(network), target, **settings,
            **_keywords(given, "output"),
        )  # fmt: skip
        return found if function is average_drop else found.scores

    def truth(bare: nn.Module, network: Network, given: Given) -> Any:
        images = network.inputs
        if function is deletion:
            return _curve(bare, network, given, images, torch.zeros_like(images))
        if function is insertion:
            return _curve(bare, network, given, _blurred(images), images)
        maps = _evidence(network)
        maps = maps / maps.flatten(1).amax(1).view(-1, *[1] * (maps.ndim - 1))
        before = _probabilities(bare, network, given, images)
        after = _probabilities(bare, network, given, images * maps[:, None].to(images.dtype))
        return ((before - after).clamp(min=0) / before).mean()

    return Tool("faithfulness", function, use, truth, ("target", "inputs", "output", "wrap"))


def _randomized(model: nn.Module, network: Network, given: Given) -> list[Any]:
    """Return the correlations, and what was left of the weights, seen from inside `explain`."""
    seen: list[tuple[Tensor, dict[str, Tensor], set[str]]] = []

    def explain(changed: nn.Module) -> Tensor:
        inner = changed
        if "wrap" in given:
            inner = changed.network
        bare = network.bare(inner)
        maps = _input_gradient(bare, network)
        weights = {name: one.detach().clone() for name, one in bare.named_parameters()}
        # The check goes from the last layer down to the one named.
        head = {id(one) for one in bare.get_submodule(network.head).parameters()}
        if isinstance(bare, zoo.TwoHeads):
            head |= {id(one) for one in bare.colour.parameters()}
        owned = {name for name, one in bare.named_parameters() if id(one) in head}
        seen.append((maps, weights, owned))
        return maps

    name = _layer(network, given, network.head)
    found = randomization_check(model, explain, [name])
    intact = seen[0]
    correlations = []
    for maps, weights, _ in seen[1:]:
        moved = {key for key, one in weights.items() if not torch.equal(one, intact[1][key])}
        inside = {key for key in weights if key in intact[2]}
        assert moved == inside, f"{sorted(moved)} changed, not {sorted(inside)}"
        rows = [
            spearmanr(a.flatten().cpu(), b.flatten().cpu()).statistic
            for a, b in zip(intact[0], maps, strict=True)
        ]
        correlations.append(float(np.mean(rows)))
    value = found[name]
    return [float(np.mean(np.atleast_1d(np.asarray(value, dtype=float)))), np.mean(correlations)]


_PLACE = (1, 0, 1)


def _objective(kind: str, network: Network, given: Given) -> Any:
    layouts = _keywords(given, "to_maps")
    if kind == "channel":
        return channel(_layer(network, given), CHANNEL, pre_activation=False, **layouts)
    if kind == "neuron":
        place = _PLACE[: len(network.shape) - 1]
        return neuron(_layer(network, given), CHANNEL, place, pre_activation=False, **layouts)
    if kind == "logit":
        return logit(CLASS)
    return measure(lambda output: output.square().mean(), _layer(network, given))


def _objective_by_hand(kind: str, bare: nn.Module, network: Network, image: Tensor) -> Tensor:
    kept: list[Tensor] = []
    layer = bare.get_submodule(network.layer)
    with torch.no_grad(), layer.register_forward_hook(lambda *all: kept.append(all[2].clone())):
        scores = network.run(bare, image)
    if kind == "measure":
        return kept[0].square().mean()
    if kind == "logit":
        return scores[:, CLASS].mean()
    maps = network.maps(kept[0])[:, CHANNEL]
    return maps.mean() if kind == "channel" else maps[:, *_PLACE[: maps.ndim - 1]].mean()


def _others(network: Network, given: Given) -> dict[str, Any]:
    """Return the further arguments of the first image, if they are passed."""
    return {"others": [one[:1] for one in network.arguments[1:]]} if "others" in given else {}


def _objective_tool(kind: str, function: Any, options: tuple[str, ...]) -> Tool:
    def use(model: nn.Module, network: Network, given: Given) -> float:
        objective = _objective(kind, network, given)
        return response(model, objective, network.inputs[0], **_others(network, given))

    def truth(bare: nn.Module, network: Network, given: Given) -> Tensor:
        return _objective_by_hand(kind, bare, network, network.inputs[:1])

    return Tool("feature visualization", function, use, truth, (*options, "wrap"))


def _visualized(model: nn.Module, network: Network, given: Given) -> list[Any]:
    """Return the values that were reported, and those of the image found, by hand."""
    found = visualize(
        model, _objective("channel", network, given), size=network.shape[1:], steps=3, rate=0.1,
        parametrization="pixels", priors=Priors(), progress=False, **_others(network, given),
    )  # fmt: skip
    assert found.value > found.start, "the ascent did not go up"
    inner = model.network if "wrap" in given else model
    image = found.image[None].to(DEVICE, network.dtype)
    return [found.value, _objective_by_hand("channel", network.bare(inner), network, image)]


# Transfer. What a tool does to the model is the result.


def _state(bare: nn.Module) -> dict[str, Any]:
    """Return all that training or freezing may change, by name."""
    found: dict[str, Any] = dict(bare.state_dict())
    for name, one in bare.named_parameters():
        found[f"flag of {name}"] = one.requires_grad
    return {key: one.clone() if isinstance(one, Tensor) else one for key, one in found.items()}


@torch.no_grad()
def _scores(bare: nn.Module, network: Network) -> Tensor:
    return network.run(bare)


def _head_keywords(network: Network, given: Given) -> dict[str, Any]:
    return _keywords(given, "head")


def _inner(model: nn.Module, network: Network, given: Given) -> nn.Module:
    return network.bare(model.network if "wrap" in given else model)


def _found_head(model: nn.Module, network: Network, given: Given) -> list[str]:
    found = head_of(model, **_head_keywords(network, given))
    return [name for name, one in _inner(model, network, given).named_modules() if one is found]


def _replaced(model: nn.Module, network: Network, given: Given) -> Any:
    generator = torch.Generator(DEVICE).manual_seed(1)
    made = replace_head(model, 4, generator=generator, **_head_keywords(network, given))
    bare = _inner(model, network, given)
    assert bare.get_submodule(network.head) is made
    return [_state(bare), _scores(bare, network)]


def _replaced_by_hand(bare: nn.Module, network: Network, given: Given) -> Any:
    old = bare.get_submodule(network.head)
    kind = type(old)
    bias = old.bias is not None
    if isinstance(old, nn.Linear):
        new: nn.Module = kind(old.in_features, 4, bias)
    else:
        new = kind(old.in_channels, 4, old.kernel_size, bias=bias)
    new.to(DEVICE, network.dtype)
    generator = torch.Generator(DEVICE).manual_seed(1)
    bound = new.weight[0].numel() ** -0.5
    for one in new.parameters():
        nn.init.uniform_(one, -bound, bound, generator=generator)
    parent, _, name = network.head.rpartition(".")
    setattr(bare.get_submodule(parent), name, new)
    return [_state(bare), _scores(bare, network)]


def _groups(model: nn.Module, network: Network, given: Given) -> Any:
    names = {id(one): name for name, one in _inner(model, network, given).named_parameters()}
    found = parameter_groups(model, 0.1, 0.01, **_head_keywords(network, given))
    return {
        group["name"]: (group["lr"], sorted(names[id(one)] for one in group["params"]))
        for group in found
    }


def _groups_by_hand(bare: nn.Module, network: Network, given: Given) -> Any:
    head = {id(one) for one in bare.get_submodule(network.head).parameters()}
    names: dict[str, list[str]] = {"head": [], "base": []}
    for name, one in bare.named_parameters():
        names["head" if id(one) in head else "base"].append(name)
    return {"head": (0.1, sorted(names["head"])), "base": (0.01, sorted(names["base"]))}


def _froze(model: nn.Module, network: Network, given: Given) -> Any:
    """Train a frozen model as if it were not: nothing may move."""
    freeze(model).train()
    with torch.no_grad():
        model(*network.arguments)
    return _state(_inner(model, network, given))


def _froze_by_hand(bare: nn.Module, network: Network, given: Given) -> Any:
    return {key: False if key.startswith("flag") else value for key, value in _state(bare).items()}


def _unfroze(model: nn.Module, network: Network, given: Given) -> Any:
    model.requires_grad_(False)
    unfreeze(model)
    return _state(_inner(model, network, given))


def _unfroze_by_hand(bare: nn.Module, network: Network, given: Given) -> Any:
    return {key: True if key.startswith("flag") else value for key, value in _state(bare).items()}


def _unfroze_top(model: nn.Module, network: Network, given: Given) -> Any:
    model.requires_grad_(False)
    unfreeze_top(model, [network.top])
    return _state(_inner(model, network, given))


def _unfroze_top_by_hand(bare: nn.Module, network: Network, given: Given) -> Any:
    bare.requires_grad_(False)
    bare.get_submodule(network.top).requires_grad_(True)
    return _state(bare)


def _tuned(model: nn.Module, network: Network, given: Given) -> Any:
    examples = _inputs(network, given), torch.tensor([2, 0], device=DEVICE)
    history = fine_tune(
        model, examples, examples, head_epochs=1, top_epochs=1,
        top=[given.get("prefix", "") + network.top], head_rate=0.01, base_rate=0.001,
        progress=False,
        **_head_keywords(network, given),
    )  # fmt: skip
    losses = [history.epochs[0].train_loss, history.epochs[1].validation_loss]
    return [losses, _state(_inner(model, network, given))]


def _tuned_by_hand(bare: nn.Module, network: Network, given: Given) -> Any:
    labels = torch.tensor([2, 0], device=DEVICE)
    flags = {name: one.requires_grad for name, one in bare.named_parameters()}
    head, top = bare.get_submodule(network.head), bare.get_submodule(network.top)
    losses = []
    for groups in ([(head, 0.01)], [(head, 0.01), (top, 0.001)]):
        bare.eval().requires_grad_(False)
        for part, _ in groups:
            part.requires_grad_(True)
        optimizer = torch.optim.Adam(
            [{"params": list(part.parameters()), "lr": rate} for part, rate in groups]
        )
        loss = functional.cross_entropy(network.run(bare), labels)
        losses.append(loss.item())
        torch.autograd.backward(loss)
        optimizer.step()
        bare.zero_grad()
    with torch.no_grad():
        after = functional.cross_entropy(network.run(bare), labels).item()
    for name, one in bare.named_parameters():
        one.requires_grad_(flags[name])
    return [[losses[0], after], _state(bare)]


def _accuracy(model: nn.Module, network: Network, given: Given) -> float:
    return accuracy(model, _inputs(network, given), _labels(network))


def _labels(network: Network) -> Tensor:
    """Return labels of which the first is right."""
    with torch.no_grad():
        top = network.run(network.make_bare()).argmax(1)
    return torch.stack([top[0], (top[1] + 1) % zoo.CLASSES])


def _needs_an_image_network(function: Any, *arguments: Any) -> Tool:
    def use(model: nn.Module, network: Network, given: Given) -> Any:
        return function(model, *arguments)

    return Tool("pre-trained networks", function, use, lambda bare, network, given: None)


PHOTOGRAPH = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)

TOOLS: dict[str, Tool] = {
    "record_activations": Tool(
        "activations", record_activations, _recorded, _recorded_by_hand, ("wrap",)
    ),
    "record_activations(gradients=True)": Tool(
        "activations", record_activations, _record_gradients,
        lambda bare, network, given: list(_read(bare, network)),
    ),
    **{
        one.__name__: _map_tool(one)
        for one in (*sorted(RULES, key=lambda one: one.__name__), AblationCAM, ScoreCAM)
    },
    "InputXGradient": _input_tool(InputXGradient, _input_gradient, relu=False),
    "IntegratedGradients": _input_tool(IntegratedGradients, _integrated, steps=3, relu=False),
    "SmoothGrad": _input_tool(SmoothGrad, _smooth, samples=2),
    "GuidedBackpropagation": _input_tool(GuidedBackpropagation, _guided_backpropagation),
    "GuidedInputXGradient": _input_tool(GuidedInputXGradient, _guided, relu=False),
    "GuidedGradCAM": _map_tool(GuidedGradCAM),
    "Occlusion": _input_tool(Occlusion, _occluded, relu=False),
    "RISE": _input_tool(RISE, _rise, masks=6, cells=2, relu=False),
    "diagnose": Tool(
        "maps", diagnose, _diagnosed, lambda bare, network, given: list(network.findings),
        ("to_maps", "target", "inputs", "wrap"),
    ),
    **{one.__name__: _faithful(one) for one in (deletion, insertion, average_drop)},
    "randomization_check": Tool(
        "faithfulness", randomization_check, _randomized, lambda bare, network, given: None,
        ("wrap",),
    ),
    "channel": _objective_tool("channel", channel, ("to_maps", "others")),
    "neuron": _objective_tool("neuron", neuron, ("to_maps", "others")),
    "logit": _objective_tool("logit", logit, ("others",)),
    "measure": _objective_tool("measure", measure, ("others",)),
    "visualize": Tool(
        "feature visualization", visualize, _visualized, lambda bare, network, given: None,
        ("to_maps", "others", "wrap"),
    ),
    "head_of": Tool(
        "transfer", head_of, _found_head, lambda bare, network, given: [network.head],
        ("head", "wrap"), changes=True,
    ),
    "replace_head": Tool(
        "transfer", replace_head, _replaced, _replaced_by_hand, ("head", "wrap"), changes=True
    ),
    "parameter_groups": Tool(
        "transfer", parameter_groups, _groups, _groups_by_hand, ("head", "wrap"), changes=True
    ),
    "freeze": Tool("transfer", freeze, _froze, _froze_by_hand, changes=True),
    "unfreeze": Tool("transfer", unfreeze, _unfroze, _unfroze_by_hand, changes=True),
    "unfreeze_top": Tool(
        "transfer", unfreeze_top, _unfroze_top, _unfroze_top_by_hand, changes=True
    ),
    "fine_tune": Tool(
        "transfer", fine_tune, _tuned, _tuned_by_hand, ("head", "inputs", "wrap"), changes=True
    ),
    "accuracy": Tool(
        "transfer", accuracy, _accuracy, lambda bare, network, given: 0.5, ("inputs", "wrap")
    ),
    "layer_lists": _needs_an_image_network(layer_lists),
    "top_classes": _needs_an_image_network(top_classes, PHOTOGRAPH),
    "layer_field": _needs_an_image_network(layer_field, "conv1"),
    "layer_maps": _needs_an_image_network(layer_maps, "conv1", PHOTOGRAPH),
    "top_patches": _needs_an_image_network(top_patches, "conv1", [0], PHOTOGRAPH),
}  # fmt: skip


# The cells.


@dataclass(frozen=True)
class Outcome:
    """What a tool does with a network.

    Attributes:
        right: Whether there is a right result.
        passed: What must be passed for it, beyond a layer and a class.
        error: The kind of error of the plain call, if it is refused.
        argument: The argument that the error names first.
        fault: What is wrong with the cell; empty in a correct matrix.
    """

    right: bool
    passed: tuple[str, ...] = ()
    error: str = ""
    argument: str = ""
    fault: str = ""

    def __str__(self) -> str:
        if self.fault:
            return f"FAULT {self.fault}"
        words = []
        if self.error:
            words.append(f"{self.error} `{self.argument}`")
        if self.right:
            words.append("right" + (" with " + ", ".join(self.passed) if self.passed else ""))
        return ", ".join(words)


def cell(tool: Tool, network: Network) -> Outcome:
    """Try a tool on a network: the plain call first, then with ever more of the options."""
    able = [name for name in network.options if name in tool.options]
    attempts = [
        chosen for count in range(len(able) + 1) for chosen in itertools.combinations(able, count)
    ]
    error = argument = ""
    # A wrapper is a way out for every tool, so it is tried last, and alone.
    attempts = [one for one in attempts if "wrap" not in one] + [("wrap",)] * ("wrap" in able)
    for passed in attempts:
        kind, name, fault = _attempt(tool, network, passed)
        if fault:
            with_options = f"with {', '.join(passed)}: " if passed else ""
            return Outcome(False, passed, error, argument, with_options + fault)
        if not kind:
            return Outcome(True, passed, error, argument)
        if not passed:
            error, argument = kind, name
    return Outcome(False, (), error, argument)


def _attempt(tool: Tool, network: Network, passed: Sequence[str]) -> tuple[str, str, str]:
    """Return the kind of error and the argument it names, or what is wrong with the cell."""
    given = {name: network.options[name] for name in passed}
    model = whole = network.make()
    if "wrap" in given:
        # The wrapper does not know which image a row is, so that it can have only one second input.
        others = tuple(one[:1].expand_as(one) for one in network.others)
        network = replace(network, others=others)
        model = Wrapped(whole, given["wrap"], *network.arguments[1:]).eval()
        given["prefix"] = f"network.{network.prefix}"
    before = snapshot(model)
    with _quiet():
        try:
            found = tool.use(model, network, given)
        except AssertionError as error:
            return "", "", f"wrong: {error}"
        except Exception as error:
            named = _named(str(error), tool.function)
            kind = type(error).__name__
            changed = difference(before, snapshot(model))
            if tool.changes and tool.function in (freeze, unfreeze, unfreeze_top):
                changed = []
            if changed:
                return kind, named, f"refused ({error}), but changed {', '.join(changed[:4])}"
            if not named or kind not in {"ValueError", "TypeError", "RuntimeError"}:
                return kind, named, f"unclear: {kind}: {str(error)[:300]}"
            return kind, named, ""
        if not tool.changes and (changed := difference(before, snapshot(model))):
            return "", "", f"changed {', '.join(changed[:4])}"
        truth = tool.truth(network.make_bare(), network, given)
        if truth is None:
            found, truth = found
        if tool.group == "maps" and isinstance(truth, Tensor) and float(truth.abs().max()) < 1e-5:
            return "", "", "the result by hand is zero everywhere, which proves nothing"
        return "", "", _compared(found, truth, network.dtype)


def _named(message: str, function: Any) -> str:
    """Return the first argument of the tool that a message names."""
    known = set(inspect.signature(function).parameters)
    if inspect.isclass(function):
        known |= set(inspect.signature(function.__call__).parameters)
    if function in (channel, neuron, logit, measure):
        known |= set(inspect.signature(response).parameters)
    if function is visualize:
        known |= set(inspect.signature(channel).parameters)
    return next((name for name in re.findall(r"`(\w+)`", message) if name in known), "")


def _compared(found: Any, truth: Any, dtype: torch.dtype) -> str:
    """Return what differs, or nothing."""
    if isinstance(truth, Mapping):
        if found.keys() != truth.keys():
            return f"wrong: {sorted(found.keys() ^ truth.keys())[:6]} on one side only"
        faults = [(key, _compared(found[key], truth[key], dtype)) for key in truth]
        return next((f"{key}: {fault}" for key, fault in faults if fault), "")
    if isinstance(truth, (list, tuple)):
        if len(found) != len(truth):
            return f"wrong: {found} instead of {truth}"
        faults = [_compared(a, b, dtype) for a, b in zip(found, truth, strict=True)]
        return next((fault for fault in faults if fault), "")
    if isinstance(truth, (str, bool)):
        return "" if found == truth else f"wrong: {found} instead of {truth}"
    a, b = (torch.as_tensor(one).detach().double().cpu() for one in (found, truth))
    if a.shape != b.shape:
        return f"wrong: shape {tuple(a.shape)} instead of {tuple(b.shape)}"
    if not torch.isfinite(b).all():
        return f"the result by hand is {b}"
    # In half precision a number that rounds across a ReLU's kink changes its whole gradient.
    half = dtype == torch.float16
    size = (a - b).norm() / b.norm() if half else (a - b).abs().max() / b.abs().max()
    if not (a.numel() == 0 or torch.equal(a, b) or float(size) <= (0.05 if half else 1e-4)):
        return f"wrong: differs by {float(size):.1e} of the numbers' size"
    return ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop warnings and compiled code; on a GPU, compute alike whatever the batch."""
    torch._dynamo.reset()
    exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with exact, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def matrix(
    tools: Sequence[str] | None = None, networks: Sequence[str] | None = None
) -> dict[str, dict[str, Outcome]]:
    """Return the outcome of each tool on each network, by network and tool."""
    return {
        network: {tool: cell(TOOLS[tool], NETWORKS[network]) for tool in tools or TOOLS}
        for network in networks or NETWORKS
    }


# The page.

PAGE = ROOT / "docs" / "reference" / "networks.md"
HEADING = "## The matrix\n"
WRAPPER = "[a wrapper](#a-wrapper-that-returns-scores)"

Matrix = Mapping[str, Mapping[str, Outcome]]


# These take only the package's own networks; the page says so once.
OWN = [name for name, tool in TOOLS.items() if tool.group == "pre-trained networks"]
_GROUPS = list(dict.fromkeys(tool.group for name, tool in TOOLS.items() if name not in OWN))
_PLAIN = "Right as they are"


def section(name: str, row: Mapping[str, Outcome]) -> str:
    """Return what the page says of one network: its tools by what must be passed."""
    network = NETWORKS[name]
    by_words: dict[str, list[str]] = {}
    for tool, outcome in row.items():
        if tool not in OWN:
            by_words.setdefault(_words(network, outcome), []).append(tool)
    plain = by_words.pop(_PLAIN, [])
    order = sorted(by_words, key=lambda words: words.startswith("Refused"))
    items = [f"{words}\n:   {_listed(by_words[words])}" for words in order]
    if plain:
        items.append(f"{_PLAIN}\n:   all other tools" if items else f"{_PLAIN}\n:   all tools")
    return "\n\n".join([f"### {name}", network.about, *items]) + "\n"


def _listed(tools: Sequence[str]) -> str:
    return ", ".join(f"`{tool}`" for tool in tools)


def _words(network: Network, outcome: Outcome) -> str:
    if not outcome.right:
        return f"Refused with a {outcome.error} that names `{outcome.argument}`"
    if not outcome.passed:
        return _PLAIN
    says = {"wrap": WRAPPER, **network.says}
    return f"Right with {' and '.join(says[one] for one in outcome.passed)}"


def table_row(name: str, row: Mapping[str, Outcome]) -> str:
    """Return a network's row of the table, which has a column for each group of tools."""
    cells = [f"[{name}](#{name.lower().replace(' ', '-')})"]
    for group in _GROUPS:
        outcomes = [outcome for tool, outcome in row.items() if TOOLS[tool].group == group]
        if all(one.right and not one.passed for one in outcomes):
            cells.append("right")
        elif all(one.right for one in outcomes):
            cells.append("right if you pass more")
        elif any(one.right for one in outcomes):
            cells.append("partly refused")
        else:
            cells.append("refused")
    return f"| {' | '.join(cells)} |\n"


def page(sections: Sequence[str], table_rows: Sequence[str]) -> str:
    """Return what the page has from its heading on."""
    table = f"| network | {' | '.join(_GROUPS)} |\n| --- |{' --- |' * len(_GROUPS)}\n"
    tools = [
        f"{group.capitalize()}\n:   "
        + _listed([name for name, tool in TOOLS.items() if tool.group == group])
        for group in _GROUPS
    ]
    own = (
        "Only for the [pre-trained networks](pretrained.md) of this package: any other network is "
        f"refused with a TypeError that names `model`\n:   {_listed(OWN)}\n"
    )
    beginning = [HEADING, table + "".join(table_rows), "### The tools\n"]
    return "\n".join([*beginning, "\n\n".join([*tools, own]), *sections])


def main() -> None:
    """Write the computed part of the page."""
    before, heading, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    assert heading, f"{PAGE} has no heading {HEADING!r}"
    found = matrix()
    faults = [
        f"{network}, {tool}: {outcome.fault}"
        for network, row in found.items()
        for tool, outcome in row.items()
        if outcome.fault
    ]
    if faults:
        raise SystemExit("\n".join(faults))
    sections = [section(name, row) for name, row in found.items()]
    rows = [table_row(name, row) for name, row in found.items()]
    PAGE.write_text(before + page(sections, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
