"""What all evidence maps share: how they are called and upsampled, without side effects."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import interpolate

from cnnref.nn._hooks import Layers, find_layers, record_activations
from cnnref.nn._state import restored
from cnnref.nn._targets import Target, scores_of
from cnnref.nn._tensors import as_batch, wide

__all__ = [
    "EvidenceMap",
    "GradientMap",
    "ZeroMapWarning",
    "image_gradients",
    "normalize_maps",
    "only_call",
    "upsample",
]


_CUT = (
    ": it is on another branch, or something between them cuts the graph (`detach`, "
    "`torch.no_grad` or an `argmax`)"
)


class ZeroMapWarning(UserWarning):
    """A map is zero everywhere: nothing in the layer is evidence for the target."""


class EvidenceMap(ABC):
    """A map over the image of the evidence for a target.

    Args:
        model: Any network. It is left as it was: no hooks, no gradients of parameters, and in
            train mode no change of running statistics or of torch's random state.
        layers: One layer by name or module, or a list or predicate of layers.
        relu: Set negative numbers of the map, which are evidence against the target, to zero.
    """

    def __init__(self, model: nn.Module, layers: Layers, *, relu: bool = True) -> None:
        self.model = model
        self.names = [one.name for one in find_layers(model, layers)]
        self.relu = relu
        self._single = isinstance(layers, (str, nn.Module))

    def __call__(self, inputs: torch.Tensor, target: Target = None) -> torch.Tensor:
        """Return the maps, upsampled to the size of the images.

        Args:
            inputs: Images as the network takes them, (N, C, H, W).
            target: The number of a class, or one for each image (a list or tensor); or a function
                from the network's output to the numbers to explain, (N,), or their sum; or None
                for each image's top class.

        Returns:
            (N, H, W) for one layer; (N, layers, H, W) if the layers were given as a list or a
            predicate. Maps in half precision are returned as float32.

        Warns:
            ZeroMapWarning: If a map is zero everywhere.

        Raises:
            TypeError: If an argument is of the wrong kind.
            ValueError: If a shape is wrong, the target is out of range, or the target is not a
                function although the network's output is not scores (N, classes).
            RuntimeError: If a layer does not run, or the target does not depend on it.
        """
        maps = self.layer_maps(inputs, target)
        size = (inputs.shape[2], inputs.shape[3])
        large = [upsample(one, size) for one in maps.values()]
        return large[0] if self._single else torch.stack(large, dim=1)

    def layer_maps(self, inputs: torch.Tensor, target: Target = None) -> dict[str, torch.Tensor]:
        """Return the maps in the layers' own sizes, (N, h, w) for each layer's name.

        Arguments, warnings and errors are those of a call.
        """
        # Tensors made in inference mode never have a gradient; copies of them can.
        with torch.inference_mode(False), torch.enable_grad(), restored(self.model):
            # Without gradients of parameters, autograd keeps nothing of the layers before a map.
            self.model.requires_grad_(False)
            maps = self._signed(as_batch(inputs, "inputs").detach().clone(), target)
        if self.relu:
            maps = {name: one.relu() for name, one in maps.items()}
        for name, one in maps.items():
            for place, biggest in enumerate(one.abs().amax(dim=(1, 2)).tolist()):
                if biggest == 0:
                    warnings.warn(
                        f"the map of image {place} at {name!r} is zero everywhere: nothing there "
                        "is evidence for the target",
                        ZeroMapWarning,
                        stacklevel=3,
                    )
        return maps

    @abstractmethod
    def _signed(self, inputs: torch.Tensor, target: Target) -> dict[str, torch.Tensor]:
        """Return the maps before negative numbers are set to zero."""


class GradientMap(EvidenceMap):
    """A map made of a layer's activations and the target's gradient with respect to them."""

    def _signed(self, inputs: torch.Tensor, target: Target) -> dict[str, torch.Tensor]:
        with record_activations(self.model, self.names, gradients=True) as record:
            output = self.model(inputs)
        activations = [only_call(name, calls, len(inputs)) for name, calls in record.items()]
        scores = scores_of(output, target, len(inputs))
        gradients = image_gradients(self.model, scores, dict(zip(record, activations, strict=True)))
        return {
            name: self._combine(wide(maps.detach()), wide(gradient))
            for name, maps, gradient in zip(record, activations, gradients, strict=True)
        }

    @abstractmethod
    def _combine(self, activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        """Return (N, h, w) from activations and gradients (N, C, h, w)."""


def only_call(name: str, calls: Sequence[object], count: int) -> torch.Tensor:
    """Return the output (N, C, h, w) of a layer that ran once.

    Raises:
        TypeError: If the output is anything but one tensor of floats.
        ValueError: If the layer ran several times, or its output has no spatial axes.
    """
    if len(calls) > 1:
        raise ValueError(
            f"`layers`: {name!r} runs {len(calls)} times in one pass; name a layer that runs once"
        )
    (maps,) = calls
    if not isinstance(maps, torch.Tensor) or not maps.is_floating_point():
        raise TypeError(
            f"`layers`: {name!r} outputs a {type(maps).__name__}; it must be one tensor of floats"
        )
    if maps.ndim != 4 or maps.shape[0] != count:
        raise ValueError(
            f"`layers`: {name!r} outputs shape {tuple(maps.shape)} for {count} images; a map needs "
            "a layer whose output is (N, C, h, w)"
        )
    return maps


def image_gradients(
    model: nn.Module, scores: torch.Tensor, tensors: dict[str, torch.Tensor]
) -> list[torch.Tensor]:
    """Return the gradient of each image's score with respect to its own row of some tensors.

    Raises:
        RuntimeError: If the scores do not depend on one of the tensors.
    """
    sources = list(tensors.values())
    if not scores.requires_grad:
        raise RuntimeError(f"the target does not depend on {', '.join(map(repr, tensors))}{_CUT}")
    found: tuple[torch.Tensor | None, ...]
    if scores.ndim == 0 or len(scores) == 1 or not any(one.training for one in model.modules()):
        # In eval mode no image affects another's score, so the sum has the gradients of all.
        found = torch.autograd.grad(scores.sum(), sources, allow_unused=True)
    else:
        # In train mode batch norm mixes the images, so each score needs a backward pass of its own.
        passes = [
            torch.autograd.grad(score, sources, retain_graph=True, allow_unused=True)
            for score in scores
        ]
        found = tuple(_own_rows(gradients) for gradients in zip(*passes, strict=True))
    gradients = []
    for name, gradient in zip(tensors, found, strict=True):
        if gradient is None:
            raise RuntimeError(f"the target does not depend on {name!r}{_CUT}")
        gradients.append(gradient)
    return gradients


def _own_rows(gradients: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    """Return row n of gradient n, for all n; None if no score depends on the tensor."""
    own = [gradient[n] for n, gradient in enumerate(gradients) if gradient is not None]
    return torch.stack(own) if own else None


def upsample(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    r"""Return maps (N, h, w) enlarged to ``size`` = (H, W), bilinearly, with cell centres kept.

    A cell of a map covers $H/h \times W/w$ pixels, and its number is put in the middle of them:
    the centre of cell $i$ is at pixel $(i + \tfrac12)\, H/h - \tfrac12$. That is
    ``align_corners=False``; ``True`` would move the centres of the outer cells to the border of the
    image. The middle is a convention: the network's padding may shift what the cell sees.

    Raises:
        TypeError: If the maps do not hold floats.
        ValueError: If they are not of shape (N, h, w), or a side is less than 1.

    Examples:
        >>> upsample(torch.tensor([[[0.0, 4.0]]]), (1, 4))
        tensor([[[0., 1., 3., 4.]]])
    """
    if not maps.is_floating_point():
        raise TypeError(f"`maps` has dtype {maps.dtype}; it must hold floats")
    if maps.ndim != 3 or 0 in maps.shape:
        raise ValueError(f"`maps` has shape {tuple(maps.shape)}; it must be (N, h, w)")
    if min(size) < 1:
        raise ValueError(f"`size` ({size}) must be at least 1 in both directions")
    large = interpolate(maps[:, None], size, mode="bilinear", align_corners=False)
    return large[:, 0]


def normalize_maps(maps: torch.Tensor) -> torch.Tensor:
    """Return each map (…, h, w) divided by its largest magnitude; a map of zeros stays as it is.

    Unlike the usual min-max rescaling, this keeps zeros and signs. Magnitudes are lost: afterwards
    you can compare the shapes of two maps, but not their strengths.

    Examples:
        >>> normalize_maps(torch.tensor([[[0.0, 2.0], [4.0, 8.0]], [[0.0, 0.0], [0.0, 0.0]]]))
        tensor([[[0.0000, 0.2500],
                 [0.5000, 1.0000]],
        <BLANKLINE>
                [[0.0000, 0.0000],
                 [0.0000, 0.0000]]])
    """
    largest = maps.abs().amax(dim=(-2, -1), keepdim=True)
    return maps / largest.where(largest > 0, torch.ones_like(largest))
