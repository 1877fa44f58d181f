r"""The worked solution of a convolution's gradients with respect to input, weight and bias."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_choice, as_int, shown
from cnnref._types import Array, ConvPadding, IntOrPair
from cnnref.ops.convolution import Conv2dArguments, check_conv2d
from cnnref.ops.gradients import (
    check_input_grad,
    conv2d_bias_grad,
    conv2d_input_grad,
    conv2d_weight_grad,
)
from cnnref.worked._range import magnitudes, refuse_wrapping
from cnnref.worked.document import Block, Card, Display, Document, Entry, Heading, Paragraph
from cnnref.worked.layout import ROUNDED_WITH_SIGN
from cnnref.worked.solution import Index, Solution, check_index
from cnnref.worked.sums import (
    Contribution,
    SummedCell,
    Writer,
    beside,
    chosen,
    summed,
    tap_at,
)

_PIXEL = ("image", "channel", "row", "column")
_WEIGHT = ("filter", "channel", "row", "column")


@dataclass(frozen=True, eq=False)
class GradientsDerivation(Solution):
    """The derivation of the three gradients of a convolution; make one with `gradients`.

    Attributes:
        arguments: The convolution's arguments in their normal form: `input`, `weight`, `stride`,
            `padding`, `dilation`, `groups`, `output_size`, `dtype`, `batched`.
        output_grad: The gradient with respect to the output, shape (N, O, oH, oW).
    """

    arguments: Conv2dArguments
    output_grad: Array

    def input_cell(self, *, row: int, column: int, channel: int = 0, image: int = 0) -> SummedCell:
        """Derive the gradient with respect to one pixel: one product per output cell that read it.

        The first factor of a contribution is at that index of the weight, the second of
        `output_grad`. All indices count from 0.

        Raises:
            TypeError: If an index is not an integer.
            IndexError: If an index is outside the input.
        """
        a = self.arguments
        index = check_index((image, channel, row, column), a.input.shape, _PIXEL)
        (top, _), (left, _) = a.padding
        filters, group_channels, height, width = a.weight.shape
        group, c = divmod(channel, group_channels)
        per_group = filters // a.groups
        found = []
        for o in range(group * per_group, (group + 1) * per_group):
            for i, j in np.ndindex(*a.output_size):
                u = tap_at(row + top - i * a.stride[0], a.dilation[0], height)
                v = tap_at(column + left - j * a.stride[1], a.dilation[1], width)
                if u is not None and v is not None:
                    found.append(self._product(a.weight, (o, c, u, v), (image, o, i, j)))
        return summed(index, found, None, a.dtype)

    def weight_cell(
        self, *, row: int, column: int, filter: int = 0, channel: int = 0
    ) -> SummedCell:
        """Derive the gradient with respect to one weight: one product per pixel it met.

        The first factor of a contribution is at that index of the input, the second of
        `output_grad`. Padding contributes nothing. All indices count from 0.

        Raises:
            TypeError: If an index is not an integer.
            IndexError: If an index is outside the weight.
        """
        a = self.arguments
        index = check_index((filter, channel, row, column), a.weight.shape, _WEIGHT)
        (top, _), (left, _) = a.padding
        images, _, height, width = a.input.shape
        filters, group_channels, _, _ = a.weight.shape
        c = filter // (filters // a.groups) * group_channels + channel
        found = []
        for n in range(images):
            for i, j in np.ndindex(*a.output_size):
                y = i * a.stride[0] + row * a.dilation[0] - top
                x = j * a.stride[1] + column * a.dilation[1] - left
                if 0 <= y < height and 0 <= x < width:
                    found.append(self._product(a.input, (n, c, y, x), (n, filter, i, j)))
        return summed(index, found, None, a.dtype)

    def _product(self, array: Array, first: Index, second: Index) -> Contribution:
        factors = array[first], self.output_grad[second]
        return Contribution(first, second, factors, factors[0] * factors[1])

    @cached_property
    def input_grad(self) -> Array:
        """The gradient with respect to the input: the totals of `input_cell`."""
        grad = np.empty(self.arguments.input.shape, self.arguments.dtype)
        for index in np.ndindex(*grad.shape):
            grad[index] = self._input_cell_at(index).total
        return grad if self.arguments.batched else grad[0]

    @cached_property
    def weight_grad(self) -> Array:
        """The gradient with respect to the weight: the totals of `weight_cell`."""
        grad = np.empty(self.arguments.weight.shape, self.arguments.dtype)
        for index in np.ndindex(*grad.shape):
            grad[index] = self._weight_cell_at(index).total
        return grad

    @cached_property
    def bias_grad(self) -> Array:
        """The gradient with respect to the bias: the output gradient, summed per filter."""
        return conv2d_bias_grad(self.output_grad)

    def _input_cell_at(self, index: Index) -> SummedCell:
        return self.input_cell(**dict(zip(_PIXEL, index, strict=True)))

    def _weight_cell_at(self, index: Index) -> SummedCell:
        return self.weight_cell(**dict(zip(_WEIGHT, index, strict=True)))

    def document(
        self,
        *,
        parts: Sequence[str] = ("input", "weight", "bias"),
        max_cells: int = 16,
        max_size: int = 8,
        max_terms: int = 8,
    ) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it.

        The text counts rows, columns and channels from 1, as on paper.

        Args:
            parts: Which gradients to write: any of "input", "weight" and "bias".
            max_cells: Largest number of cells to write per gradient: the first ones and the last.
            max_size: Largest number of rows and columns to write; dots replace the others.
            max_terms: Largest number of terms to write in a sum.

        Raises:
            TypeError: If an argument is of the wrong kind.
            ValueError: If a limit is less than 2, or there is no part of that name.
        """
        writer = Writer(max_size, max_terms)
        as_int(max_cells, "max_cells", 2)
        sections: dict[str, Callable[[Writer, int], list[Block]]] = {
            "input": self._input_section,
            "weight": self._weight_section,
            "bias": self._bias_section,
        }
        if not isinstance(parts, (list, tuple)):
            raise TypeError(f"`parts` ({shown(parts)}) must be a list of strings")
        blocks: list[Block] = []
        for part in parts:
            blocks += sections[as_choice(part, "parts", sections)](writer, max_cells)
        return Document((*([ROUNDED_WITH_SIGN] if writer.rounded else []), *blocks))

    def _input_section(self, writer: Writer, limit: int) -> list[Block]:
        words = "For each output cell that read the pixel: the weight it read it with, times that "
        return [
            Heading("Gradient with respect to the input"),
            Paragraph((words, "cell's gradient.")),
            *self._cells(writer, limit, self.arguments.input.shape, self._input_cell_at, _PIXEL),
        ]

    def _weight_section(self, writer: Writer, limit: int) -> list[Block]:
        words = (
            "For each place of the window: the pixel that the weight met, times the gradient of "
        )
        return [
            Heading("Gradient with respect to the weight"),
            Paragraph((words, "the output cell it went into.")),
            *self._cells(writer, limit, self.arguments.weight.shape, self._weight_cell_at, _WEIGHT),
        ]

    def _cells(
        self,
        writer: Writer,
        limit: int,
        shape: Index,
        derive: Callable[[Index], SummedCell],
        names: Sequence[str],
    ) -> list[Block]:
        """Write the cells of one gradient, then its matrices."""
        indices = list(np.ndindex(*shape))
        cards = []
        for index in chosen(indices, limit):
            cell, named = derive(index), _named(index, shape, names)
            title = f"Row {index[2] + 1}, column {index[3] + 1}" + (f" ({named})" if named else "")
            nothing = Paragraph(("No window reads this pixel: ", Entry("0")))
            if names is _WEIGHT:
                nothing = Paragraph(("This weight met padding alone: ", Entry("0")))
            cards.append(Card(title, (writer.sum(cell) if cell.contributions else nothing,)))
        blocks = beside(cards, len(indices), limit)
        whole = self.input_grad if names is _PIXEL else self.weight_grad
        for outer in chosen(list(np.ndindex(*shape[:2])), limit):
            named = _named(outer, shape, names)
            blocks.append(Paragraph((f"Together ({named}):" if named else "Together:",)))
            blocks.append(Display(writer.matrix(whole.reshape(shape)[outer])))
        return blocks

    def _bias_section(self, writer: Writer, limit: int) -> list[Block]:
        blocks: list[Block] = [
            Heading("Gradient with respect to the bias"),
            Paragraph(("The bias is added to every output cell: their gradients add up.",)),
        ]
        many = len(self.bias_grad) > 1
        for (o,) in chosen([(o,) for o in range(len(self.bias_grad))], limit):
            sentence = writer.terms(list(self.output_grad[:, o].flat), self.bias_grad[o])
            named = (f"Filter {o + 1}: ",) if many else ()
            blocks.append(Paragraph((*named, *sentence.parts)))
        return blocks


def _named(index: Index, shape: Index, names: Sequence[str]) -> str:
    """Name the image or filter and the channel of an index if there are several."""
    return ", ".join(
        f"{name} {place + 1}"
        for place, size, name in zip(index[:2], shape, names, strict=False)
        if size > 1
    )


def gradients(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    output_grad: npt.ArrayLike,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> GradientsDerivation:
    r"""Derive the gradients of a convolution, cell by cell, from the gradient of its output.

    Each output cell is a sum of products. By the chain rule, each product passes the gradient of
    the cell to the pixel, multiplied by the weight, and to the weight, multiplied by the pixel.
    The bias receives it unchanged.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        weight: Filters, shape (O, C / groups, kH, kW).
        output_grad: Gradient of the loss with respect to the output, shape (N, O, oH, oW) or
            (O, oH, oW).
        stride: As for `conv2d`.
        padding: As for `conv2d`.
        dilation: As for `conv2d`.
        groups: As for `conv2d`.

    Returns:
        The derivation: data for every cell, and `to_text`, `to_latex`, `to_markdown`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, or a number is out of range: the errors of
            `conv2d` and `conv2d_input_grad`; or if integers may wrap.

    Examples:
        >>> solution = gradients([[[1, 2, 3]]], [[[[4, 5]]]], [[[10, 100]]])
        >>> solution.input_grad, solution.weight_grad, solution.bias_grad
        (array([[[ 40, 450, 500]]]), array([[[[210, 320]]]]), array([110]))
        >>> cell = solution.weight_cell(row=0, column=1)
        >>> [contribution.factors for contribution in cell.contributions]
        [(np.int64(2), np.int64(10)), (np.int64(3), np.int64(100))]

    Source:
        The chain rule applied to the sum in `conv2d_loops`.
    """
    a = check_conv2d(input, weight, None, stride, padding, dilation, groups)
    size = a.input.shape if a.batched else a.input.shape[1:]
    _, filters, grad = check_input_grad(
        size, a.weight, output_grad, a.stride, a.padding, a.dilation, a.groups
    )
    images = a.input.astype(filters.dtype, copy=False)
    a = replace(a, input=images, weight=filters, dtype=filters.dtype)
    if a.dtype.kind in "iu":
        x, w, g = magnitudes(a.input), magnitudes(a.weight), magnitudes(grad)
        settings = a.stride, a.padding, a.dilation, a.groups
        for bounds in (
            conv2d_input_grad(x.shape, w, g, *settings),
            conv2d_weight_grad(x, w.shape, g, *settings),
            conv2d_bias_grad(g),
        ):
            refuse_wrapping("`input`, `weight` and `output_grad`", a.dtype, bounds)
    return GradientsDerivation(a, grad)


__all__ = ["GradientsDerivation", "gradients"]
