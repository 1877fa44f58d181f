"""What a network costs: parameters, multiply-adds and activation memory, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cnnref._checks import as_int
from cnnref.networks import _tables
from cnnref.networks.layers import (
    Activation,
    BatchNorm,
    Branches,
    Conv,
    ConvTranspose,
    Flatten,
    Layer,
    Linear,
    Pool,
    Shape,
    as_shape,
    walk,
)

# Activations whose derivative PyTorch computes from their output; it keeps the input of others.
_FROM_OUTPUT = ("relu", "sigmoid", "softmax", "tanh")


@dataclass(frozen=True)
class LayerCost:
    """The cost of one layer for one image.

    Attributes:
        name: The layer's name, or its kind.
        layer: The layer itself.
        input_shape: Shape of the input.
        output_shape: Shape of the output.
        parameters: Number of trained parameters.
        macs: Number of multiply-adds of weights with inputs.
        other_ops: Number of other operations; see `cost`.
        activation_bytes: Memory of the output and, in a block, of all outputs inside it.
        parts: The costs of the layers inside a block, path by path; empty for any other layer.
    """

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parameters: int
    macs: int
    other_ops: int
    activation_bytes: int
    parts: tuple[LayerCost, ...] = ()

    @property
    def flops(self) -> int:
        """Two per multiply-add: the product and the addition."""
        return 2 * self.macs

    @property
    def leaves(self) -> tuple[LayerCost, ...]:
        """This layer or, if it is a block, all layers inside it that are not blocks."""
        if not self.parts:
            return (self,)
        return tuple(leaf for part in self.parts for leaf in part.leaves)


@dataclass(frozen=True)
class Cost:
    """The cost of a network for one image, per layer and in total. It prints as a table.

    Attributes:
        layers: One record per layer of the list.
        input_shape: Shape of the image.
        saved_bytes: Memory that a training step keeps for the backward pass; see `cost`.
    """

    layers: tuple[LayerCost, ...]
    input_shape: Shape
    saved_bytes: int

    @cached_property
    def parameters(self) -> int:
        """Number of trained parameters of all layers."""
        return sum(layer.parameters for layer in self.layers)

    @cached_property
    def macs(self) -> int:
        """Number of multiply-adds of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def flops(self) -> int:
        """Two per multiply-add."""
        return 2 * self.macs

    @cached_property
    def other_ops(self) -> int:
        """Number of operations other than multiply-adds."""
        return sum(layer.other_ops for layer in self.layers)

    @cached_property
    def activation_bytes(self) -> int:
        """Memory of the outputs of all layers; the image is not counted."""
        return sum(layer.activation_bytes for layer in self.layers)

    @property
    def leaves(self) -> tuple[LayerCost, ...]:
        """All layers that are not blocks, including those inside blocks."""
        return tuple(leaf for layer in self.layers for leaf in layer.leaves)

    @property
    def output_shape(self) -> Shape:
        """Shape of the network's output."""
        return self.layers[-1].output_shape if self.layers else self.input_shape

    def _rows(self, only_weights: bool) -> list[list[str]]:
        rows = [
            _row(layer.name, layer.output_shape, layer)
            for layer in self.layers
            if layer.parameters or not only_weights
        ]
        return [*rows, _row("total", None, self)]

    def __str__(self) -> str:
        return _tables.to_text(_HEAD, self._rows(only_weights=False))

    def to_markdown(self, *, only_weights: bool = False) -> str:
        """Write the cost as a Markdown table.

        Args:
            only_weights: Leave out layers without parameters. The total still counts them.
        """
        return _tables.to_markdown(_HEAD, self._rows(only_weights), last_is_total=True)

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


_HEAD = ("layer", "output", "parameters", "MACs", "other ops", "bytes")


def _row(name: str, shape: Shape | None, cost: LayerCost | Cost) -> list[str]:
    counts = (cost.parameters, cost.macs, cost.other_ops, cost.activation_bytes)
    return [name, "×".join(map(str, shape or ())), *(f"{count:,}" for count in counts)]


def cost(layers: Sequence[Layer], input_shape: Sequence[int], bytes_per_number: int = 4) -> Cost:
    r"""Return what a network costs for one image, layer by layer.

    A convolution with $O$ filters of size $k_h \times k_w$ over $C$ channels in $g$ groups, whose
    output is a map of $H \times W$, has

    $$\text{parameters} = O \left(\tfrac{C}{g}\, k_h k_w + 1\right), \qquad
    \text{MACs} = O\, H\, W \cdot \tfrac{C}{g}\, k_h k_w$$

    and a fully connected layer is a convolution with $H = W = k_h = k_w = 1$. A MAC is one product
    and one addition, so it counts as 2 FLOPs. Only products of weights with inputs are MACs.
    `other_ops` counts what else is computed: per output cell, one operation for a bias, two for
    batch norm at test time, one for an activation and one for each map added in a sum; and one
    per cell of each pooling window (per cell of the map in global pooling).

    `activation_bytes` is the memory of the outputs of all layers. `Flatten` needs none of its own.
    Only trained parameters are counted, not the running statistics of batch norm.

    `saved_bytes` is the memory that a training step keeps until the backward pass, as PyTorch's
    autograd does it: the input of each convolution, linear layer, batch norm and pooling, and the
    output of each ReLU, sigmoid, tanh and softmax (of other activations the input). A tensor that
    two layers need is kept once, and the image is one of these tensors. Max pooling adds the
    positions of its maxima, as 64-bit integers, and batch norm two numbers per channel. Sums and
    concatenations keep nothing, products their factors. Parameters are not counted.

    Args:
        layers: The layers, first to last.
        input_shape: Shape of one image, (C, H, W), or (features,).
        bytes_per_number: 4 for float32, 2 for half precision.

    Returns:
        The cost. Its counts are exact ints.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a layer cannot read the shape of its input. The message names the layer.

    Examples:
        >>> from cnnref.networks.layers import Conv, Flatten, Linear
        >>> net = cost([Conv(8, 3, name="conv"), Flatten(), Linear(10, name="fc")], (3, 6, 6))
        >>> net.parameters, net.macs
        (1514, 4736)

    Source:
        K. Simonyan and A. Zisserman, arXiv:1409.1556, Table 2 (parameters); K. He et al.,
        arXiv:1512.03385, Table 1 (it calls MACs "FLOPs (multiply-adds)").
    """
    size = as_int(bytes_per_number, "bytes_per_number", 1)
    costs, saved = _costs(layers, input_shape, size), _Saved(size)
    saved.run(layers, as_shape(input_shape), saved.new(as_shape(input_shape)))
    return Cost(costs, as_shape(input_shape), saved.bytes)


def _costs(
    layers: Sequence[Layer], input_shape: Sequence[int], bytes_per_number: int
) -> tuple[LayerCost, ...]:
    found = []
    for layer, before, after in walk(layers, input_shape):
        parts: tuple[LayerCost, ...] = ()
        kept = 0 if layer.has_view_output else math.prod(after) * bytes_per_number
        if isinstance(layer, Branches):
            parts = tuple(
                part for path in layer.paths for part in _costs(path, before, bytes_per_number)
            )
            # The joined map is stored in addition to the outputs of the paths, concatenated or not.
            kept += sum(part.activation_bytes for part in parts)
        counts = layer.parameters(before), layer.macs(before), layer.other_ops(before)
        found.append(LayerCost(layer.label, layer, before, after, *counts, kept, parts))
    return tuple(found)


class _Saved:
    """The tensors that a forward pass keeps for the backward pass, each once.

    A tensor is a number here. `run` follows it through the layers, so that two layers that keep the
    same tensor are recognised.
    """

    def __init__(self, bytes_per_number: int) -> None:
        self.bytes = 0
        self._bytes_per_number = bytes_per_number
        self._sizes: list[int] = []
        self._kept: set[int] = set()

    def new(self, shape: Shape) -> int:
        """Return a new tensor."""
        self._sizes.append(math.prod(shape) * self._bytes_per_number)
        return len(self._sizes) - 1

    def run(self, layers: Sequence[Layer], shape: Shape, tensor: int) -> int:
        """Pass a tensor through some layers, and return the tensor that comes out."""
        for layer, before, after in walk(layers, shape):
            source = tensor
            match layer:
                case Branches():
                    ends = [self.run(path, before, source) for path in layer.paths]
                    tensor = self.new(after)
                    if layer.join == "product":
                        self._keep(*ends)
                case Flatten():
                    pass
                case _:
                    tensor = self.new(after)
            match layer:
                case Activation():
                    self._keep(tensor if layer.function in _FROM_OUTPUT else source)
                case Conv() | ConvTranspose() | Linear():
                    self._keep(source)
                case BatchNorm():
                    self._keep(source, self.new((2, before[0])))
                case Pool():
                    self._keep(source)
                    if layer.mode == "max":
                        self.bytes += 8 * math.prod(after)
        return tensor

    def _keep(self, *tensors: int) -> None:
        self.bytes += sum(self._sizes[tensor] for tensor in set(tensors) - self._kept)
        self._kept.update(tensors)


__all__ = ["Cost", "LayerCost", "cost"]
