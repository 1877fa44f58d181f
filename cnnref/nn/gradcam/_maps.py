"""What all maps of evidence share: how they are asked for, upsampled, and free of side effects."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.functional import interpolate

from cnnref.nn._hooks import Layers, find_layers, record_activations
from cnnref.nn._targets import Target, scores_of

__all__ = [
    "EvidenceMap",
    "GradientMap",
    "ZeroMapWarning",
    "as_batch",
    "image_gradients",
    "normalize_maps",
    "only_call",
    "undisturbed",
    "upsample",
    "wide",
]


_CUT = (
    ": it lies on another branch, or the graph is cut on the way (by `detach`, `torch.no_grad` or "
    "an `argmax`)"
)


class ZeroMapWarning(UserWarning):
    """A map is zero everywhere: no place of the layer speaks for the target."""


class EvidenceMap(ABC):
    """A map over the image of what speaks for a target.

    Args:
        model: Any network. Nothing is left behind in it: no hooks, no gradients of parameters, and
            in train mode no change of running statistics.
        layers: One layer by name or module, or a list or predicate of layers.
        relu: Set negative numbers of the map, which speak against the target, to zero.
    """

    def __init__(self, model: nn.Module, layers: Layers, *, relu: bool = True) -> None:
        self.model = model
        self.names = [one.name for one in find_layers(model, layers)]
        self.relu = relu
        self._single = isinstance(layers, (str, nn.Module))

    def __call__(self, inputs: torch.Tensor, target: Target = None) -> torch.Tensor:
        """Return the maps, upsampled to the size of the images.

        Args:
            inputs: Images as the network reads them, (N, C, H, W).
            target: The number of a class, or one for each image (a list or tensor); or a function
                from what the network gives to the numbers to be explained, (N,), or their sum; or
                None for each image's top class.

        Returns:
            (N, H, W) for one layer; (N, layers, H, W) if the layers were given as a list or a
            predicate. Half precision comes back as float32.

        Warns:
            ZeroMapWarning: If a map is zero everywhere.

        Raises:
            TypeError: If an argument is of the wrong kind.
            ValueError: If a shape is wrong, the target is out of range, or the network's output
                holds no scores (N, classes) and the target is no function.
            RuntimeError: If a layer is not reached, or the target does not depend on it.
        """
        maps = self.layer_maps(inputs, target)
        size = (inputs.shape[2], inputs.shape[3])
        large = [upsample(one, size) for one in maps.values()]
        return large[0] if self._single else torch.stack(large, dim=1)

    def layer_maps(self, inputs: torch.Tensor, target: Target = None) -> dict[str, torch.Tensor]:
        """Return the maps in the layers' own sizes, (N, h, w) for each layer's name.

        Arguments, warnings and errors are those of a call.
        """
        # Tensors made in inference mode have no gradient anywhere; copies of them have.
        with (
            torch.inference_mode(False), torch.enable_grad(),
            undisturbed(self.model), _held(self.model),
        ):  # fmt: skip
            maps = self._signed(as_batch(inputs).detach().clone(), target)
        if self.relu:
            maps = {name: one.relu() for name, one in maps.items()}
        for name, one in maps.items():
            for place, biggest in enumerate(one.abs().amax(dim=(1, 2)).tolist()):
                if biggest == 0:
                    warnings.warn(
                        f"the map of image {place} at {name!r} is zero everywhere: nothing there "
                        "speaks for the target",
                        ZeroMapWarning,
                        stacklevel=3,
                    )
        return maps

    @abstractmethod
    def _signed(self, inputs: torch.Tensor, target: Target) -> dict[str, torch.Tensor]:
        """Return the maps before the last ReLU."""


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
    """Return the maps (N, C, h, w) of a layer that ran once.

    Raises:
        TypeError: If it gave something else than one tensor of floating numbers.
        ValueError: If it ran several times, or its output keeps no places.
    """
    if len(calls) > 1:
        raise ValueError(
            f"`layers`: {name!r} runs {len(calls)} times for one output, and a map needs one; "
            "name a layer that runs once"
        )
    (maps,) = calls
    if not isinstance(maps, torch.Tensor) or not maps.is_floating_point():
        raise TypeError(f"`layers`: {name!r} gives a {type(maps).__name__}, not one tensor of maps")
    if maps.ndim != 4 or maps.shape[0] != count:
        raise ValueError(
            f"`layers`: {name!r} gives shape {tuple(maps.shape)} for {count} images; a map needs a "
            "layer that keeps places, (N, C, h, w)"
        )
    return maps


def image_gradients(
    model: nn.Module, scores: torch.Tensor, tensors: dict[str, torch.Tensor]
) -> list[torch.Tensor]:
    """Return the gradient of each image's score with respect to its own part of some tensors.

    Raises:
        RuntimeError: If the scores do not depend on one of the tensors.
    """
    sources = list(tensors.values())
    if not scores.requires_grad:
        raise RuntimeError(f"the target does not depend on {', '.join(map(repr, tensors))}{_CUT}")
    found: tuple[torch.Tensor | None, ...]
    if scores.ndim == 0 or len(scores) == 1 or not any(one.training for one in model.modules()):
        # In eval mode no image has a part in another's score, so that the sum has their gradients.
        found = torch.autograd.grad(scores.sum(), sources, allow_unused=True)
    else:
        # In train mode batch norm mixes the images: each needs a pass of its own.
        rows = [
            torch.autograd.grad(score, sources, retain_graph=True, allow_unused=True)
            for score in scores
        ]
        found = tuple(_own_parts(parts) for parts in zip(*rows, strict=True))
    gradients = []
    for name, gradient in zip(tensors, found, strict=True):
        if gradient is None:
            raise RuntimeError(f"the target does not depend on {name!r}{_CUT}")
        gradients.append(gradient)
    return gradients


def _own_parts(gradients: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    """Return what gradient n says of image n, for all n."""
    own = [gradient[n] for n, gradient in enumerate(gradients) if gradient is not None]
    return torch.stack(own) if len(own) == len(gradients) else None


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Give every buffer its values back: in train mode, batch norm's statistics move as it runs."""
    moving = any(module.training for module in model.modules())
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()] if moving else []
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, values in kept:
                buffer.copy_(values)


@contextmanager
def _held(model: nn.Module) -> Iterator[None]:
    """Ask for no gradients of parameters, so that no graph is kept of what lies before a layer."""
    held = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in held:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def as_batch(inputs: object) -> torch.Tensor:
    """Return images (N, C, H, W) of floating numbers.

    Raises:
        TypeError: If it is no tensor, or holds no floating numbers.
        ValueError: If it has another shape, or holds nothing.
    """
    if not isinstance(inputs, torch.Tensor):
        raise TypeError(f"`inputs` is a {type(inputs).__name__}; it must be a tensor (N, C, H, W)")
    if inputs.ndim != 4 or 0 in inputs.shape:
        raise ValueError(f"`inputs` has shape {tuple(inputs.shape)}; it must be (N, C, H, W)")
    if not inputs.is_floating_point():
        raise TypeError(f"`inputs` has dtype {inputs.dtype}; it must be floating")
    return inputs


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """Return half precision as float32, since sums over a map lose too much in it."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def upsample(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    r"""Return maps (N, h, w) enlarged to ``size`` = (H, W), bilinearly, with cell centres kept.

    A cell of a map stands for $H/h \times W/w$ pixels, and its number is put in their
    middle (a convention: what the cell sees may lie to a side of that, by the network's padding):
    the centre of cell $i$ lies at pixel $(i + \tfrac12)\, H/h - \tfrac12$. That
    is ``align_corners=False``. With ``True`` the outer cells' centres would be pulled to the border
    of the image.

    Raises:
        TypeError: If the maps hold no floating numbers.
        ValueError: If they are not of shape (N, h, w), or a side is less than 1.

    Examples:
        >>> upsample(torch.tensor([[[0.0, 4.0]]]), (1, 4))
        tensor([[[0., 1., 3., 4.]]])
    """
    if not maps.is_floating_point():
        raise TypeError(f"`maps` has dtype {maps.dtype}; it must be floating")
    if maps.ndim != 3 or 0 in maps.shape:
        raise ValueError(f"`maps` has shape {tuple(maps.shape)}; it must be (N, h, w)")
    if min(size) < 1:
        raise ValueError(f"`size` (={size}) must be at least 1 in both directions")
    large = interpolate(maps[:, None], size, mode="bilinear", align_corners=False)
    return large[:, 0]


def normalize_maps(maps: torch.Tensor) -> torch.Tensor:
    """Return each map (…, h, w) divided by its largest magnitude; a map of zeros stays one.

    Zero stays zero and signs stay, other than with the usual min-max rescaling. The magnitude is
    lost: two maps can be compared for their shape afterwards, not for their strength.

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
