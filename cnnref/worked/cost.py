r"""The worked solution of a layer's cost: parameters, multiply-adds, FLOPs and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cnnref.networks.cost import cost as computed
from cnnref.networks.layers import Conv, Layer, Linear, Shape
from cnnref.worked.document import (
    Block,
    Card,
    Document,
    Equation,
    Expression,
    Grid,
    Paragraph,
    Product,
    Quotient,
    Sum,
    Symbol,
    number,
)
from cnnref.worked.solution import Solution

_BYTES = 4  # of a float32


@dataclass(frozen=True)
class CostDerivation(Solution):
    """The derivation of the cost of one layer for one image; make one with `cost`.

    Attributes:
        name: The layer's name, or its kind.
        input_shape: Shape of the input.
        output_shape: Shape of the output.
        kernel_size: (height, width) of a filter; None for a fully connected layer.
        groups: Number of groups of channels; 1 for a fully connected layer.
        has_bias: Whether each filter has a bias.
        weights_each: Weights of one filter, which is the number of products in an output cell.
        parameters: Weights and biases of all filters.
        macs: Number of multiply-adds.
        activation_bytes: Memory of the output in float32.
    """

    name: str
    input_shape: Shape
    output_shape: Shape
    kernel_size: tuple[int, int] | None
    groups: int
    has_bias: bool
    weights_each: int
    parameters: int
    macs: int
    activation_bytes: int

    @property
    def flops(self) -> int:
        """Two per multiply-add: the product and the addition."""
        return 2 * self.macs

    def document(self) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it."""
        blocks: list[Block] = [
            Paragraph(
                (
                    f"{self.name} reads {_shape(self.input_shape)} and gives "
                    f"{_shape(self.output_shape)} ({self._order()}).",
                )
            ),
            Grid((self._parameters(), self._macs(), self._flops(), self._memory())),
        ]
        return Document(tuple(blocks))

    def _order(self) -> str:
        return "channels × height × width" if self.kernel_size else "features"

    def _weights_each(self) -> Expression:
        channels: Expression = number(self.input_shape[0])
        if self.groups > 1:
            channels = Quotient(channels, number(self.groups))
        if self.kernel_size is None:
            return channels
        return Product((channels, *map(number, self.kernel_size)))

    def _parameters(self) -> Card:
        filters, each = number(self.output_shape[0]), number(self.weights_each)
        what = "filter" if self.kernel_size else "output"
        bias = "and one bias" if self.has_bias else "and no bias"
        steps: list[Expression] = []
        if self.has_bias:
            one = (1, number(1))
            steps.append(Product((filters, Sum(((1, self._weights_each()), one)))))
            if self.kernel_size:
                steps.append(Product((filters, Sum(((1, each), one)))))
            steps.append(Product((filters, number(self.weights_each + 1))))
        else:
            steps.append(Product((filters, self._weights_each())))
            if self.kernel_size:
                steps.append(Product((filters, each)))
        steps.append(number(self.parameters))
        words = f"Each {what} has {_count(self.weights_each, 'weight')} {bias}."
        return Card(
            "Parameters", (Paragraph((words,)), Equation(Symbol("parameters"), tuple(steps)))
        )

    def _macs(self) -> Card:
        cells = math.prod(self.output_shape)
        words = f"Each output cell is a sum of {_count(self.weights_each, 'product')}."
        steps: list[Expression] = [
            Product((*map(number, self.output_shape), number(self.weights_each)))
        ]
        if self.kernel_size:
            steps.append(Product((number(cells), number(self.weights_each))))
        steps.append(number(self.macs))
        return Card("Multiply-adds", (Paragraph((words,)), Equation(Symbol("MACs"), tuple(steps))))

    def _flops(self) -> Card:
        words = "A multiply-add is one product and one addition."
        steps = (Product((number(2), number(self.macs))), number(self.flops))
        return Card("FLOPs", (Paragraph((words,)), Equation(Symbol("FLOPs"), steps)))

    def _memory(self) -> Card:
        words = f"Each output cell takes {_BYTES} bytes as a float32."
        steps = (
            Product((*map(number, self.output_shape), number(_BYTES))),
            number(self.activation_bytes),
        )
        return Card("Activations", (Paragraph((words,)), Equation(Symbol("bytes"), steps)))


def cost(layer: Layer, input_shape: Sequence[int]) -> CostDerivation:
    r"""Derive the cost of a convolution or a fully connected layer for one image.

    $$\text{parameters} = O \left(\tfrac{C}{g}\, k_h k_w + 1\right), \qquad
    \text{MACs} = O\, H\, W \cdot \tfrac{C}{g}\, k_h k_w$$

    Args:
        layer: A `Conv` or a `Linear`; other layers have no weights to multiply with.
        input_shape: Shape of its input: (C, H, W), or (features,).

    Returns:
        The derivation: its numbers as fields, and `to_text`, `to_latex`, `to_markdown`.

    Raises:
        TypeError: If the layer is of another kind.
        ValueError: If it cannot read that shape.

    Examples:
        >>> solution = cost(Conv(8, 3, padding=1), (4, 10, 10))
        >>> solution.parameters, solution.macs
        (296, 28800)
    """
    if not isinstance(layer, (Conv, Linear)):
        raise TypeError(f"`layer` ({layer!r}) must be a Conv or a Linear")
    (found,) = computed([layer], input_shape, _BYTES).layers
    return CostDerivation(
        name=found.name,
        input_shape=found.input_shape,
        output_shape=found.output_shape,
        kernel_size=layer.window.kernel_size if isinstance(layer, Conv) else None,
        groups=layer.groups if isinstance(layer, Conv) else 1,
        has_bias=layer.bias,
        weights_each=found.macs // math.prod(found.output_shape),
        parameters=found.parameters,
        macs=found.macs,
        activation_bytes=found.activation_bytes,
    )


def _shape(shape: Shape) -> str:
    return "×".join(map(str, shape))


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


__all__ = ["CostDerivation", "cost"]
