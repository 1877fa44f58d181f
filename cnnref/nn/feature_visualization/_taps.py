"""Read the outputs of layers in passes that end when the last one has been read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from cnnref.nn._hooks import Found, Layer, eager, find_layers, refuse_unheard
from cnnref.nn._layouts import Layouts, ToMaps, as_maps, observed_layouts, one_call

__all__ = ["Tap", "tapped"]

# Activations that are constant on part of their range: the gradient there is zero, and gradient
# ascent would not move.
_FLAT = (nn.ReLU, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Threshold)


@dataclass(frozen=True)
class Tap:
    """What to read: the output of a layer, or of the model.

    Attributes:
        layer: Dotted name of the layer, the layer, or a predicate that picks it; None is the
            model's own output.
        pre_activation: Read the *input* of the activation that ends the layer, if one does.
        call: Which call of the layer to read, if it runs more than once in a pass, counted from 0,
            or from the end if negative.
        maps: Read the output as (N, C, *spatial) or (N, C), and refuse others.
        to_maps: What turns the output into (N, C, *spatial), if it has another layout.
    """

    layer: Layer | None = None
    pre_activation: bool = True
    call: int | None = None
    maps: bool = False
    to_maps: ToMaps | None = None

    def __str__(self) -> str:
        if self.layer is None:
            return "the model's output"
        if isinstance(self.layer, str):
            return repr(self.layer)
        return f"the layer {getattr(self.layer, '__name__', type(self.layer).__name__)}"


class _AllRead(Exception):  # noqa: N818 - not an error: it ends a pass whose outputs are all read
    pass


class _Reader:
    """The outputs of the tapped layers in one pass, and which of them to read.

    The first pass keeps every call, to find out which layers run more than once. Later passes can
    end when the calls to read have been made.
    """

    def __init__(self, taps: Mapping[Tap, Found], *, needs_output: bool) -> None:
        self.taps = taps
        self.needs_output = needs_output
        self.outputs: dict[Tap, list[Any]] = {}
        # For each activation a copy of its input, and its output, to be found again by identity.
        self.entered: dict[nn.Module, Tensor] = {}
        self.left: dict[nn.Module, Any] = {}
        # Which call of each layer to read; empty before the first pass.
        self.calls: dict[Tap, int] = {}

    def enter(self, activation: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.entered[activation] = inputs[0].clone()

    def leave(self, activation: nn.Module, _: Any, output: Any) -> None:
        self.left[activation] = output

    def hook_of(self, tap: Tap) -> Callable[[nn.Module, Any, Any], None]:
        def hook(layer: nn.Module, _: Any, output: Any) -> None:
            value = next(
                (self.entered[one] for one, out in self.left.items() if out is output), None
            )
            if not tap.pre_activation or value is None:
                value = output.clone() if isinstance(output, Tensor) else output
            self.outputs.setdefault(tap, []).append(value)
            if self.calls and not self.needs_output and self._all_read():
                raise _AllRead

        return hook

    def _all_read(self) -> bool:
        return all(len(self.outputs.get(tap, ())) > call for tap, call in self.calls.items())

    def run(self, model: nn.Module, inputs: Sequence[Any]) -> tuple[Any, dict[Tap, Any]]:
        """Run the model, and return its output, None if it is not needed, and what was read."""
        output = None
        try:
            output = model(*inputs)
        except _AllRead:
            pass
        except Exception:
            # The rest of the network may refuse an image of this size, and is not needed.
            if self.needs_output or not all(map(self._read, self.taps)):
                raise
        read = {}
        for tap, found in self.taps.items():
            calls = self.outputs.get(tap, [])
            read[tap] = one_call(found.name, calls, self.calls.get(tap, tap.call), "layer")
            self.calls[tap] = self.calls.get(tap, (tap.call or 0) % len(calls))
        return output, read

    def _read(self, tap: Tap) -> bool:
        count, call = len(self.outputs.get(tap, ())), tap.call or 0
        return -count <= call < count

    def clear(self) -> None:
        for kept in (self.outputs, self.entered, self.left):
            kept.clear()


@contextmanager
def tapped(
    model: nn.Module, taps: tuple[Tap, ...], others: Sequence[Any] = ()
) -> Iterator[Callable[[Any, Tensor], Mapping[Tap, Any]]]:
    """Yield a function that runs the model and returns what each tap read.

    Its arguments are the model's input, and the images from which it was made. The first pass runs
    the model to its end, to find out how often the layers run. Each later pass ends when the last
    tap has been read. The function returns copies, since an in-place operation after the layer
    would overwrite its output; gradients flow through the copies.

    Args:
        model: The network.
        taps: What to read.
        others: The model's further arguments, of which each pass gets copies.

    Raises:
        TypeError: If a tap's layer is of the wrong kind, or part of a scripted or exported network;
            when it is run: if an output that has to be maps is not a tensor.
        ValueError: If the model has no such layer, or a predicate picks several; when it is run: if
            a layer runs more than once and no call is chosen, or if the layout of an output that
            has to be maps is unclear.
        RuntimeError: When it is run: if a layer does not run.
    """
    found = {tap: _one_layer(model, tap.layer) for tap in taps if tap.layer is not None}
    reader = _Reader(found, needs_output=len(found) < len(taps))

    def run(input: Any, images: Tensor) -> Mapping[Tap, Any]:
        is_first = not reader.calls
        try:
            with observed_layouts(model) if is_first else nullcontext() as layouts:
                output, read = reader.run(model, [input, *map(_copy, others)])
            for tap, layer in found.items():
                read[tap] = _laid_out(tap, read[tap], layer.name, images, layouts)
            return {tap: read.get(tap, output) for tap in taps}
        finally:
            reader.clear()

    with eager(), ExitStack() as hooks:
        wanted = [one.module for tap, one in found.items() if tap.pre_activation]
        inside = {one for layer in wanted for one in layer.modules() if isinstance(one, _FLAT)}
        # Registered first, so that an activation that is itself tapped is known when it is read.
        for one in inside:
            hooks.enter_context(one.register_forward_pre_hook(reader.enter))
            hooks.enter_context(one.register_forward_hook(reader.leave))
        for tap, layer in found.items():
            hooks.enter_context(layer.module.register_forward_hook(reader.hook_of(tap)))
        yield run


def _laid_out(tap: Tap, output: Any, name: str, images: Tensor, layouts: Layouts | None) -> Any:
    """Return an output with its channels on axis 1, if the tap asks for it.

    The layout is checked in the first pass, when layouts were observed.
    """
    plain = isinstance(output, Tensor) and output.ndim == 2 and tap.to_maps is None
    if not tap.maps or plain:
        return output
    if layouts is not None:
        return as_maps(
            output, images, name=name, to_maps=tap.to_maps, layouts=layouts, argument="layer"
        )
    return output if tap.to_maps is None else tap.to_maps(output)


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _one_layer(model: nn.Module, layer: Layer) -> Found:
    found = find_layers(model, layer, "layer")
    if len(found) > 1:
        names = ", ".join(repr(one.name) for one in found)
        raise ValueError(f"`layer` contains a predicate that picks {names}; it must pick one layer")
    refuse_unheard(model, found, "layer")
    return found[0]
