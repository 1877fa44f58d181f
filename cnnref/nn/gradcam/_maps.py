"""What all evidence maps share: how they are called and upsampled, without side effects."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import nn
from torch.nn.functional import interpolate

from cnnref._checks import as_int
from cnnref.nn._hooks import (
    Activations,
    Layers,
    each_tensor,
    eager,
    find_layers,
    recording,
    refuse_unheard,
)
from cnnref.nn._layouts import Layouts, ToMaps, as_maps, observed_layouts, one_call
from cnnref.nn._state import restored
from cnnref.nn._targets import Target, scores_of
from cnnref.nn._tensors import spatial_axes, wide
from cnnref.nn.gradcam._inputs import Inputs, acting_in_training, as_inputs, mixes_in_eval_mode

__all__ = [
    "EvidenceMap",
    "GradientMap",
    "Recorded",
    "ZeroMapWarning",
    "image_gradients",
    "normalize_maps",
    "space",
    "tensors_in",
    "upsample",
]


_CUT = (
    ": it is on another branch, or something between them cuts the graph (`detach`, "
    "`torch.no_grad`, an `argmax` or gradient checkpointing with `use_reentrant=True`)"
)


class ZeroMapWarning(UserWarning):
    """A map is zero everywhere: nothing in the layer is evidence for the target."""


class Recorded(NamedTuple):
    """What a pass showed: the network's output, the maps of each layer, how often each ran."""

    output: Any
    maps: dict[str, torch.Tensor]
    times: dict[str, int]


_Form: TypeAlias = tuple[torch.Size, torch.dtype]


@dataclass
class _Checked:
    """What earlier calls have checked, which holds as long as the network has the same modules.

    Attributes:
        modules: The network's modules.
        axes: How many spatial axes its input may have.
        outputs: For each shape of images, the form of each layer's output, whose layout is known.
    """

    modules: list[nn.Module] = field(default_factory=list)
    axes: tuple[int, ...] = ()
    outputs: dict[torch.Size, dict[str, list[_Form]]] = field(default_factory=dict)


class EvidenceMap(ABC):
    """A map over the image of the evidence for a target.

    Signals (N, C, T) and volumes (N, C, D, H, W) get maps too, with one or three axes.

    Args:
        model: Any network. It is left as it was: no hooks, no gradients of parameters, and in
            train mode no change of running statistics or of torch's random state.
        layers: One layer by name or module, or a list or predicate of layers.
        relu: Set negative numbers of the map, which are evidence against the target, to zero.
        to_maps: What turns a layer's output into maps (N, C, h, w) if it has another form:
            `tokens_to_maps`, `channels_last`, or your own function, which must only select and
            rearrange numbers (``lambda output: output[0]`` picks from a tuple).
        call: Which call of a layer to explain if it runs more than once in a pass, counted from 0,
            or from the end if negative.
    """

    # Whether batches of variants of one image go through the network, and how large they are.
    _tries_variants = False
    batch_size = 1

    def __init__(
        self,
        model: nn.Module,
        layers: Layers,
        *,
        relu: bool = True,
        to_maps: ToMaps | None = None,
        call: int | None = None,
    ) -> None:
        self.model = model
        self.names = [one.name for one in find_layers(model, layers)]
        self.relu = relu
        if to_maps is not None and not callable(to_maps):
            raise TypeError(
                f"`to_maps` ({to_maps!r}) must be a function from a layer's output to maps"
            )
        self.to_maps = to_maps
        self.call = None if call is None else as_int(call, "call", -(2**63))
        self._single = isinstance(layers, (str, nn.Module))
        self._checked = _Checked()

    def __call__(self, inputs: torch.Tensor | Sequence[Any], target: Target = None) -> torch.Tensor:
        """Return the maps, upsampled to the size of the images.

        Args:
            inputs: Images as the network takes them, (N, C, H, W). For a network with several
                arguments, a tuple: the images first, then the others; the maps are laid over the
                images. A further tensor with N rows has one row for each image.
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
            ValueError: If a shape is wrong; if a layer's channels could be on the last axis, or it
                runs several times, and nothing says which is meant; if the target is out of range,
                or not a function although the network's output is not scores (N, classes).
            RuntimeError: If a layer does not run, or the target does not depend on it.
        """
        maps = self.layer_maps(inputs, target)
        images = inputs if isinstance(inputs, torch.Tensor) else inputs[0]
        large = [upsample(one, images.shape[2:]) for one in maps.values()]
        return large[0] if self._single else torch.stack(large, dim=1)

    def layer_maps(
        self, inputs: torch.Tensor | Sequence[Any], target: Target = None
    ) -> dict[str, torch.Tensor]:
        """Return the maps in the layers' own sizes, (N, h, w) for each layer's name.

        Arguments, warnings and errors are those of a call.
        """
        with self._undisturbed(inputs) as given:
            maps = self._signed(given, target)
        if self.relu:
            maps = {name: one.relu() for name, one in maps.items()}
        for name, one in maps.items():
            for place, biggest in enumerate(one.abs().flatten(1).amax(dim=1).tolist()):
                if biggest == 0:
                    warnings.warn(
                        f"the map of image {place} at {name!r} is zero everywhere: nothing there "
                        "is evidence for the target",
                        ZeroMapWarning,
                        stacklevel=3,
                    )
        return maps

    @abstractmethod
    def _signed(self, inputs: Inputs, target: Target) -> dict[str, torch.Tensor]:
        """Return the maps before negative numbers are set to zero."""

    @contextmanager
    def _undisturbed(self, inputs: torch.Tensor | Sequence[Any]) -> Iterator[Inputs]:
        """Check the inputs, prepare the model, and leave it at the end as it was."""
        acting = acting_in_training(self.model) if self._tries_variants else []
        if acting:
            raise ValueError(
                f"`model` is in train mode, where {', '.join(acting)} would mix or change the "
                f"variants of an image that {type(self).__name__} tries; call `model.eval()` first"
            )
        if self.batch_size > 1 and mixes_in_eval_mode(self.model.modules()):
            raise ValueError(
                f"`batch_size` ({self.batch_size}) must be 1: `model` has batch norm without "
                "running statistics, which would mix the variants of an image"
            )
        # Tensors made in inference mode never have a gradient; copies of them can. Without
        # gradients of parameters, autograd keeps nothing of the layers before a map.
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            eager(),
            restored(self.model, frozen=True) as modules,
        ):
            self._check(modules)
            yield as_inputs(inputs, self.model, axes=self._checked.axes)

    def _check(self, modules: list[nn.Module]) -> None:
        """Check the layers, unless that was done when the network had the same modules."""
        if self._checked.modules != modules:
            refuse_unheard(self.model, find_layers(self.model, self.names))
            self._checked = _Checked(modules, spatial_axes(modules))

    def _recorded(self, inputs: Inputs) -> Recorded:
        """Run the network once, without a graph, and record the layers."""
        with self._recording() as record, self._observed(inputs) as layouts:
            output = inputs.output(self.model)
        outputs = {name: one_call(name, calls, self.call) for name, calls in record.items()}
        times = {name: len(calls) for name, calls in record.items()}
        return Recorded(output, self._maps_in(outputs, inputs, layouts), times)

    def _recording(self, gradients: bool = False) -> AbstractContextManager[Activations]:
        return recording(find_layers(self.model, self.names), gradients=gradients)

    def _observed(self, inputs: Inputs) -> AbstractContextManager[Layouts | None]:
        """Observe the layouts in a pass, unless earlier passes showed what they are."""
        known = inputs.images.shape in self._checked.outputs
        return nullcontext() if known else observed_layouts(self.model)

    def _maps_in(
        self, outputs: Mapping[str, Any], inputs: Inputs, layouts: Layouts | None
    ) -> dict[str, torch.Tensor]:
        """Return the layers' outputs as maps, or refuse them."""
        images = inputs.images
        forms = {name: [*map(_form, tensors_in(one))] for name, one in outputs.items()}
        if self._checked.outputs.get(images.shape) == forms:
            to_maps = self.to_maps
            return {name: one if to_maps is None else to_maps(one) for name, one in outputs.items()}
        if layouts is None:  # Images of this shape had outputs of other shapes before.
            with observed_layouts(self.model) as layouts:
                inputs.output(self.model)
        maps = {
            name: as_maps(one, images, name=name, to_maps=self.to_maps, layouts=layouts)
            for name, one in outputs.items()
        }
        self._checked.outputs[images.shape] = forms
        return maps


class GradientMap(EvidenceMap):
    """A map made of a layer's activations and the target's gradient with respect to them."""

    def _signed(self, inputs: Inputs, target: Target) -> dict[str, torch.Tensor]:
        with self._recording(gradients=True) as record:
            with self._observed(inputs) as layouts:
                output = inputs.run(self.model)
            # With gradient checkpointing the layers run again in the backward pass, which must see
            # the same hooks; what they record then does not count.
            outputs = {
                name: one_call(name, list(calls), self.call) for name, calls in record.items()
            }
            maps = self._maps_in(outputs, inputs, layouts)
            scores = scores_of(output, target, len(inputs.images))
            gradients = image_gradients(self.model, scores, outputs, self.to_maps)
        return {
            name: self._combine(wide(one.detach()), wide(gradients[name]))
            for name, one in maps.items()
        }

    @abstractmethod
    def _combine(self, activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        """Return (N, *spatial) from activations and gradients (N, C, *spatial)."""


def space(tensor: torch.Tensor) -> tuple[int, ...]:
    """Return the spatial axes of maps (N, C, *spatial)."""
    return tuple(range(2, tensor.ndim))


def image_gradients(
    model: nn.Module,
    scores: torch.Tensor,
    outputs: Mapping[str, Any],
    to_maps: ToMaps | None = None,
) -> dict[str, torch.Tensor]:
    """Return the gradient of each image's score with respect to its own part of some outputs.

    Args:
        model: The network.
        scores: One per image, (N,), or their sum, ().
        outputs: Tensors (N, ...), or outputs that `to_maps` makes such tensors of, by the name of
            their layer.
        to_maps: Rearranges an output's gradient like the output.

    Raises:
        RuntimeError: If the scores do not depend on any tensor of an output.
    """
    sources = {name: tensors_in(output) for name, output in outputs.items()}
    wanted = [one for tensors in sources.values() for one in tensors if one.requires_grad]
    if not scores.requires_grad or not wanted:
        raise RuntimeError(f"the target does not depend on {', '.join(map(repr, outputs))}{_CUT}")
    if scores.ndim == 0 or len(scores) == 1 or not _mixes(model):
        # No image affects another's score, so the sum has the gradients of all.
        passes = [torch.autograd.grad(scores.sum(), wanted, allow_unused=True)]
    else:
        # Batch norm mixes the images, so each score needs a backward pass of its own.
        passes = [
            torch.autograd.grad(score, wanted, retain_graph=True, allow_unused=True)
            for score in scores
        ]
    rows: dict[str, list[torch.Tensor]] = {name: [] for name in outputs}
    for image, found in enumerate(passes):
        by_tensor = {id(one): gradient for one, gradient in zip(wanted, found, strict=True)}
        for name, output in outputs.items():
            if any(by_tensor.get(id(one)) is not None for one in sources[name]):
                gradient = each_tensor(output, partial(_gradient_of, by_tensor))
                arranged = gradient if to_maps is None else to_maps(gradient)
                rows[name].append(arranged if len(passes) == 1 else arranged[image])
    for name, found_rows in rows.items():
        if not found_rows:
            raise RuntimeError(f"the target does not depend on {name!r}{_CUT}")
    if len(passes) == 1:
        return {name: one for name, (one,) in rows.items()}
    return {name: torch.stack(found_rows) for name, found_rows in rows.items()}


def _mixes(model: nn.Module) -> bool:
    """Tell whether one image's score may depend on another image of the batch."""
    modules = list(model.modules())
    return any(one.training for one in modules) or mixes_in_eval_mode(modules)


def tensors_in(output: Any) -> list[torch.Tensor]:
    """Return the tensors of a nested output, in order."""
    found: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        found.append(tensor)
        return tensor

    each_tensor(output, keep)
    return found


def _form(tensor: torch.Tensor) -> _Form:
    return tensor.shape, tensor.dtype


def _gradient_of(
    by_tensor: Mapping[int, torch.Tensor | None], tensor: torch.Tensor
) -> torch.Tensor:
    gradient = by_tensor.get(id(tensor))
    return torch.zeros_like(tensor) if gradient is None else gradient


_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def upsample(maps: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    r"""Return maps (N, h, w) enlarged to ``size`` = (H, W), bilinearly, with cell centres kept.

    A cell of a map covers $H/h \times W/w$ pixels, and its number is put in the middle of them:
    the centre of cell $i$ is at pixel $(i + \tfrac12)\, H/h - \tfrac12$. That is
    ``align_corners=False``; ``True`` would move the centres of the outer cells to the border of the
    image. The middle is a convention: the network's padding may shift what the cell sees.

    Maps of signals (N, t) and of volumes (N, d, h, w) are enlarged in the same way.

    Raises:
        TypeError: If the maps do not hold floats.
        ValueError: If they are not of shape (N, h, w), `size` has another number of sides, or a
            side is less than 1.

    Examples:
        >>> upsample(torch.tensor([[[0.0, 4.0]]]), (1, 4))
        tensor([[[0., 1., 3., 4.]]])
    """
    if not maps.is_floating_point():
        raise TypeError(f"`maps` has dtype {maps.dtype}; it must hold floats")
    if maps.ndim - 1 not in _MODES or 0 in maps.shape:
        raise ValueError(f"`maps` has shape {tuple(maps.shape)}; it must be (N, h, w)")
    sides = tuple(size)
    if len(sides) != maps.ndim - 1 or min(sides) < 1:
        raise ValueError(
            f"`size` ({sides}) must be {maps.ndim - 1} numbers of at least 1, one per axis of a map"
        )
    large = interpolate(maps[:, None], sides, mode=_MODES[len(sides)], align_corners=False)
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
