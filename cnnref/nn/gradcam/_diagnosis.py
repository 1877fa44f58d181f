"""Why is my map blank, inverted or all over the place?"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnnref.nn._hooks import (
    Layers,
    each_tensor,
    eager,
    find_layers,
    record_activations,
    refuse_unheard,
)
from cnnref.nn._layouts import Layouts, ToMaps, as_maps, observed_layouts, one_call
from cnnref.nn._state import restored
from cnnref.nn._targets import Target, scores_of
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._findings import Diagnosis, Finding
from cnnref.nn.gradcam._inputs import Inputs, acting_in_training, as_inputs
from cnnref.nn.gradcam._maps import space, tensors_in
from cnnref.nn.gradcam._preprocessing import against_batch_norm, against_reference, image_layout

__all__ = ["diagnose"]


def diagnose(
    model: nn.Module,
    layers: Layers,
    images: Tensor | Sequence[Any],
    target: Target = None,
    *,
    to_maps: ToMaps | None = None,
    call: int | None = None,
    reference: Tensor | None = None,
) -> Diagnosis:
    """Look for the reasons why a map of evidence is blank, inverted or scattered.

    Some of them concern only hooks of your own (``in-place``, ``frozen``): the maps of this package
    are right there too. An empty result means that none of the reasons known here applies, not
    that the map shows what you expect.

    Args:
        model: Any network. It is left as it was.
        layers: One layer by name or module, or a list or predicate of layers.
        images: What you explain, as you give it to the network.
        target: As for a map: a class, one per image, a function, or None for the top class.
        to_maps: As for `GradCAM`.
        call: As for `GradCAM`.
        reference: The same photographs as the network's own preprocessing makes them, of the shape
            of the images. The order of channels and the mean can only be told by comparison.

    Returns:
        The findings; ``print`` shows them as sentences, each with its remedy.

    Raises:
        TypeError: If an argument is of the wrong kind, or a layer is scripted or exported.
        ValueError: If there is no such layer, or the target is out of range.

    Examples:
        >>> model = nn.Sequential(
        ...     nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        ...     nn.Linear(4, 2), nn.Softmax(dim=1),
        ... ).eval()
        >>> diagnose(model, "2", torch.randn(1, 3, 8, 8), target=1).kinds
        ('probabilities', 'no space')
    """
    refuse_unheard(model, find_layers(model, layers))
    first = images[0] if isinstance(images, (tuple, list)) and images else images
    found = image_layout(model, first)
    if found:
        return Diagnosis(tuple(found))  # The network cannot run on these.
    with torch.inference_mode(False), torch.enable_grad(), restored(model):
        inputs = as_inputs(images, model, "images")
        if reference is None:
            found += against_batch_norm(model, inputs)
        else:
            found += against_reference(inputs.images, reference)
        found += _mode(model)
        ran, hooked = _by_hooks(model, layers, inputs)
        found += hooked
        model.requires_grad_(False)
        if ran:
            found += _by_gradients(model, ran, inputs, target, to_maps, call)
    return Diagnosis(tuple(found))


def _mode(model: nn.Module) -> list[Finding]:
    """Return a finding if layers that act differently in training are in train mode."""
    active = acting_in_training(model)
    if not active:
        return []
    return [
        Finding(
            "train mode",
            f"The network is in train mode, and {', '.join(active)} acts on it: "
            "dropout scatters the map, and batch norm mixes the images of a batch",
            "Call `model.eval()` first",
        )
    ]


def _by_hooks(model: nn.Module, layers: Layers, inputs: Inputs) -> tuple[list[str], list[Finding]]:
    """Run the network with hooks as most code has them, which keep outputs without a copy.

    Returns:
        The names of the layers that ran, and what was found.
    """
    kept: dict[str, list[tuple[list[Tensor], list[int]]]] = {}
    with eager(), ExitStack() as hooks:
        for one in find_layers(model, layers):
            outputs = kept.setdefault(one.name, [])

            def keep(module: nn.Module, given: Any, output: Any, outputs: Any = outputs) -> None:
                tensors = tensors_in(output)
                outputs.append((tensors, [tensor._version for tensor in tensors]))

            hooks.enter_context(one.module.register_forward_hook(keep))
        inputs.run(model)
    found = []
    frozen = not all(one.requires_grad for one in model.parameters())
    for name, outputs in kept.items():
        if not outputs:
            found.append(
                Finding(
                    "did not run",
                    f"{name!r} did not run: `forward` calls its children or a function instead, or "
                    "it runs only in train mode",
                    "Name a layer that runs",
                    name,
                )
            )
        if any(
            tensor._version != version
            for tensors, versions in outputs
            for tensor, version in zip(tensors, versions, strict=True)
        ):
            found.append(
                Finding(
                    "in-place",
                    f"A later layer, such as `nn.ReLU(inplace=True)`, overwrites the output of "
                    f"{name!r}: a hook of your own that keeps it without a copy reads the numbers "
                    "of that later layer",
                    "Use `record_activations` or the maps of this package, which copy, or "
                    "`output.clone()` in the hook",
                    name,
                )
            )
        if frozen and outputs and not any(one.requires_grad for one in outputs[-1][0]):
            found.append(
                Finding(
                    "frozen",
                    f"The parameters up to {name!r} are frozen, so that `backward` ends before it: "
                    "a hook of your own gets no gradient. The maps of this package do not need it",
                    "Use them, or `images.requires_grad_()`",
                    name,
                )
            )
    return [name for name, outputs in kept.items() if outputs], found


@dataclass(frozen=True)
class _Read:
    """A layer's output in the call that is meant, and the maps in it."""

    name: str
    output: Any
    maps: Tensor


def _by_gradients(
    model: nn.Module,
    names: list[str],
    inputs: Inputs,
    target: Target,
    to_maps: ToMaps | None,
    call: int | None,
) -> list[Finding]:
    """Run the network as the maps do, and look at its output, the layers and their gradients."""
    with (
        record_activations(model, names, gradients=True) as record,
        observed_layouts(model) as layouts,
    ):
        output = inputs.run(model)
        record = {name: list(calls) for name, calls in record.items()}
        found, explainable = _output(output, target, len(inputs.images))
        read = []
        for name, calls in record.items():
            if len(calls) > 1 and call is None:
                found.append(_several(name, len(calls)))
                continue
            kept = one_call(name, calls, call)
            about, maps = _layer(name, kept, inputs.images, to_maps, layouts)
            found += about
            if maps is not None:
                read.append(_Read(name, kept, maps))
        if not explainable or not read:
            return found
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Probabilities are a finding already.
            scores = scores_of(output, target, len(inputs.images))
        tensors = [one for each in read for one in tensors_in(each.output) if one.requires_grad]
        found_gradients: tuple[Tensor | None, ...] = (None,) * len(tensors)
        if scores.requires_grad:
            found_gradients = torch.autograd.grad(scores.sum(), tensors, allow_unused=True)
    gradients = {
        id(tensor): gradient
        for tensor, gradient in zip(tensors, found_gradients, strict=True)
        if gradient is not None
    }
    for each in read:
        if not any(id(one) in gradients for one in tensors_in(each.output)):
            found.append(_cut(model, each.name, inputs, target))
            continue
        gradient = each_tensor(
            each.output, lambda one: gradients.get(id(one), torch.zeros_like(one))
        )
        found += _evidence(each, wide(gradient if to_maps is None else to_maps(gradient)))
    return found


def _output(output: Any, target: Target, count: int) -> tuple[list[Finding], bool]:
    """Return what the network's output shows, and whether the target can be computed from it."""
    by_function = callable(target) and not isinstance(target, Tensor)
    scores = isinstance(output, Tensor) and output.ndim == 2 and output.shape[0] == count
    if not scores:
        if by_function:
            return [], True
        what = (
            f"shape {tuple(output.shape)}"
            if isinstance(output, Tensor)
            else f"a {type(output).__name__}"
        )
        return [
            Finding(
                "output form",
                f"The network outputs {what}, not scores (N, classes), so a class alone does not "
                "say what to explain",
                "Pass a function as the target: `scores_at`, `class_pixels`, `one_logit`, or "
                "your own, such as `lambda output: output[0][:, 281]`",
            )
        ], False
    values = wide(output.detach())
    found = []
    if output.shape[1] == 1 and not by_function:
        found.append(
            Finding(
                "single logit",
                "The network outputs one number per image: None is always that number, also where "
                "it is negative and the network sees the other class, and then the map is inverted",
                "Pass `one_logit(True)` for the class that a positive number means, "
                "`one_logit(False)` for the other",
            )
        )
    elif output.shape[1] > 1 and _sums_to_one(values) and bool((values >= 0).all()):
        found.append(
            Finding(
                "probabilities",
                "The output sums to 1, as after a softmax: its gradient vanishes where the network "
                "is confident, and mixes in the other classes",
                "Explain the scores before the softmax: cut it off, or use the layer before it",
            )
        )
    elif output.shape[1] > 1 and _sums_to_one(values.exp()):
        found.append(
            Finding(
                "log-probabilities",
                "The exponentials of the output sum to 1, as after a log-softmax: the map of a "
                "class contains the evidence against every other class",
                "Explain the scores before it: cut the log-softmax off",
            )
        )
    return found, True


def _sums_to_one(values: Tensor) -> bool:
    sums = values.sum(dim=1)
    return torch.allclose(sums, torch.ones_like(sums), atol=1e-3)


def _several(name: str, times: int) -> Finding:
    return Finding(
        "several calls",
        f"{name!r} runs {times} times in one pass; a hook of your own keeps the last output, or "
        "multiplies one call's output by another's gradient",
        f"Pass `call`, from 0 to {times - 1}, or name the block around it",
        name,
    )


def _layer(
    name: str, output: Any, images: Tensor, to_maps: ToMaps | None, layouts: Layouts
) -> tuple[list[Finding], Tensor | None]:
    """Return what a layer's output shows, and its maps if it has any."""
    if isinstance(output, Tensor) and to_maps is None:
        one_cell = output.ndim == images.ndim and output.shape[2:].numel() == 1
        if output.ndim == 2 or one_cell:
            return [
                Finding(
                    "no space",
                    f"{name!r} outputs shape {tuple(output.shape)}: after global pooling or "
                    "flattening no place is left, and a map has the same number everywhere",
                    "Name the last layer before the pooling",
                    name,
                )
            ], None
    try:
        maps = wide(as_maps(output, images, name=name, to_maps=to_maps, layouts=layouts).detach())
    except (TypeError, ValueError) as error:
        return [
            Finding(
                "layout",
                str(error).split("; ")[0],
                "Pass `to_maps`: `channels_last`, `tokens_to_maps(size)`, `channels_first` or your "
                "own function",
                name,
            )
        ], None
    flat = maps.flatten(1)
    finite = flat.isfinite().all(dim=1)
    if not bool(finite.all()):
        return [
            Finding(
                "not finite",
                f"{name!r} outputs infinite numbers or nan{_where(~finite)}",
                "Use a wider dtype, and check the images and weights for nan",
                name,
            )
        ], None
    dead = flat.abs().amax(dim=1) == 0
    if not bool(dead.any()):
        return [], maps
    return [
        Finding(
            "dead layer",
            f"{name!r} outputs nothing but zeros{_where(dead)}: every unit is off, and so is the "
            "map",
            "Look at its input and weights, or name an earlier layer",
            name,
        )
    ], maps


def _where(which: Tensor) -> str:
    """Say for which images something holds."""
    images = [str(number) for number in which.nonzero()[:, 0].tolist()]
    return "" if len(images) == len(which) else f" for image {', '.join(images)}"


def _evidence(read: _Read, gradient: Tensor) -> list[Finding]:
    """Return what a layer's maps and their gradient show."""
    silent = gradient.flatten(1).abs().amax(dim=1) == 0
    found = []
    if bool(silent.any()):
        found.append(
            Finding(
                "no gradient",
                f"The gradient at {read.name!r} is zero everywhere{_where(silent)}: something "
                "after it is saturated, such as a ReLU that is off or a sigmoid",
                "Explain the number before it, or another class",
                read.name,
            )
        )
    weights = gradient.mean(dim=space(gradient), keepdim=True)
    signed = (weights * read.maps).sum(dim=1).flatten(1)
    against = (signed.amax(dim=1) <= 0) & (signed.amin(dim=1) < 0)
    if bool(against.any()):
        found.append(
            Finding(
                "all negative",
                f"Everywhere at {read.name!r} the evidence is against the target{_where(against)}: "
                "the ReLU of Grad-CAM leaves nothing, and a map rescaled from its smallest to its "
                "largest number shows the reverse",
                "Explain the class that the network predicts, or look at the map with `relu=False`",
                read.name,
            )
        )
    return found


def _cut(model: nn.Module, name: str, inputs: Inputs, target: Target) -> Finding:
    """Return why a target has no gradient at a layer: does it change when the output there does?"""

    def change(module: nn.Module, given: Any, output: Any) -> Any:
        return each_tensor(output, lambda one: one * 2 + 1 if one.is_floating_point() else one)

    def scores() -> Tensor:
        with torch.no_grad(), warnings.catch_warnings(), eager():
            warnings.simplefilter("ignore")
            return scores_of(inputs.run(model), target, len(inputs.images))

    before = scores()
    with find_layers(model, name)[0].module.register_forward_hook(change):
        after = scores()
    if torch.equal(before, after):
        return Finding(
            "other branch",
            f"The target does not change when the output of {name!r} does: the layer is on another "
            "branch of the network, such as an auxiliary head",
            "Name a layer on the way to the target",
            name,
        )
    return Finding(
        "detached",
        f"The target depends on {name!r}, but no gradient comes back: something after it cuts the "
        "graph (`detach`, `torch.no_grad`, `.numpy()`, an `argmax`, or gradient checkpointing with "
        "`use_reentrant=True`)",
        "Remove the cut, or name a layer after it",
        name,
    )
