"""Read the outputs of layers while a network runs, in the graph, so that gradients flow back."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

__all__ = ["Layer", "Tap", "tapped"]

Layer = str | nn.Module

# Activations with a flat part: there the gradient is zero, and an ascent would stand still.
_FLAT = (nn.ReLU, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Threshold)


@dataclass(frozen=True)
class Tap:
    """What to read: the output of a layer, or of the model.

    Attributes:
        layer: Dotted name of the layer, or the layer; None is the model's own output.
        pre_activation: Read what goes *into* the activation that ends the layer, if one does.
    """

    layer: Layer | None = None
    pre_activation: bool = True

    def __str__(self) -> str:
        if self.layer is None:
            return "the model's output"
        return self.layer if isinstance(self.layer, str) else type(self.layer).__name__


class _Enough(Exception):  # noqa: N818 - no error: it stops a pass that has nothing more to give
    pass


@contextmanager
def tapped(
    model: nn.Module, taps: tuple[Tap, ...]
) -> Iterator[Callable[[Tensor], Mapping[Tap, Any]]]:
    """Give a function that runs the model and returns what each tap read.

    The pass ends when the last tap has been read: later layers are not run. What is read is a
    copy, since an in-place operation after the layer would overwrite it; the gradient flows
    through the copy. Of a layer that is called more than once, the first call is read. The hooks
    are gone when the block ends, also after an exception.

    Args:
        model: The network.
        taps: What to read.

    Raises:
        ValueError: If the model has no such layer; when it is run: if a layer was not reached.
    """
    read: dict[Tap, Any] = {}
    layers = {tap: _find(model, tap.layer) for tap in taps if tap.layer is not None}
    # For each activation: a copy of what went in, and what came out, to be found again by identity.
    entered: dict[nn.Module, Tensor] = {}
    left: dict[nn.Module, Any] = {}

    def enters(activation: nn.Module, inputs: tuple[Any, ...]) -> None:
        entered[activation] = inputs[0].clone()

    def leaves(activation: nn.Module, _: Any, output: Any) -> None:
        left[activation] = output

    def reads(tap: Tap) -> Callable[[nn.Module, Any, Any], None]:
        def hook(layer: nn.Module, _: Any, output: Any) -> None:
            before = next((entered[one] for one, out in left.items() if out is output), None)
            if tap.pre_activation and before is not None:
                read.setdefault(tap, before)
            else:
                read.setdefault(tap, output.clone() if isinstance(output, Tensor) else output)
            if len(read) == len(taps):
                raise _Enough

        return hook

    def run(input: Tensor) -> Mapping[Tap, Any]:
        read.clear()
        try:
            output = model(input)
        except _Enough:
            return dict(read)
        finally:
            entered.clear()
            left.clear()
        for tap in taps:
            if tap.layer is None:
                read[tap] = output
            elif tap not in read:
                raise ValueError(f"layer {tap} was not reached when the model ran")
        return dict(read)

    with ExitStack() as hooks:
        wanted = [layer for tap, layer in layers.items() if tap.pre_activation]
        inside = {one for layer in wanted for one in layer.modules() if isinstance(one, _FLAT)}
        # Registered first, so that an activation that is itself tapped is known when it is read.
        for one in inside:
            hooks.callback(one.register_forward_pre_hook(enters).remove)
            hooks.callback(one.register_forward_hook(leaves).remove)
        for tap, layer in layers.items():
            hooks.callback(layer.register_forward_hook(reads(tap)).remove)
        yield run


def _find(model: nn.Module, layer: Layer) -> nn.Module:
    if isinstance(layer, nn.Module):
        if not any(layer is one for one in model.modules()):
            raise ValueError(f"`layer` (={type(layer).__name__}) is no part of the model")
        return layer
    layers: dict[str, nn.Module] = dict(model.named_modules())
    if layer not in layers:
        near = difflib.get_close_matches(layer, layers, n=3, cutoff=0.4)
        hint = f"; near to it: {', '.join(near)}" if near else ""
        raise ValueError(f"`layer` (={layer!r}) is no layer of the model{hint}")
    return layers[layer]
