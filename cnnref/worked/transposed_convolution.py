"""The worked solution of a transposed convolution: the stamps, then the sums of the stamps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_int
from cnnref._types import Array, IntOrPair, Padding
from cnnref.ops.transposed_convolution import (
    ConvTranspose2dArguments,
    check_conv_transpose2d,
    conv_transpose2d,
)
from cnnref.worked._range import magnitudes, refuse_wrapping
from cnnref.worked.document import (
    UNREAD,
    Block,
    Card,
    Display,
    Document,
    Entry,
    Heading,
    Paragraph,
)
from cnnref.worked.layout import ROUNDED_WITH_SIGN
from cnnref.worked.solution import CellSolution, Index, check_index
from cnnref.worked.sums import (
    Contribution,
    SummedCell,
    Writer,
    beside,
    chosen,
    summed,
    tap_at,
)


@dataclass(frozen=True, eq=False)
class Stamp:
    """The contribution of one input cell to one output channel. All indices count from 0.

    Attributes:
        image: Index of the image in the batch.
        channel: Index of the input channel.
        filter: Index of the output channel.
        row: Row of the input cell.
        column: Column of the input cell.
        value: The number in the input cell.
        weight: The filter, shape (kH, kW).
        product: The value times the filter, shape (kH, kW).
        top: Output row of the stamp's first row; negative where padding cuts it off.
        left: Output column of the stamp's first column; negative where padding cuts it off.
        values: The stamp on the output channel, zero elsewhere, shape (oH, oW).
        touched: True where a tap of the stamp lies on the output channel, shape (oH, oW).
    """

    image: int
    channel: int
    filter: int
    row: int
    column: int
    value: Any
    weight: Array
    product: Array
    top: int
    left: int
    values: Array
    touched: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TransposedConvolutionDerivation(CellSolution[SummedCell]):
    """The derivation of a transposed convolution; make one with `transposed_convolution`.

    Iterating yields every output cell, image by image, channel by channel, row by row.

    Attributes:
        arguments: The arguments in their normal form: `input`, `weight`, `bias`, `stride`,
            `padding`, `output_padding`, `dilation`, `groups`, `output_size`, `dtype`, `batched`.
    """

    cell_names: ClassVar = ("image", "filter", "row", "column")

    arguments: ConvTranspose2dArguments

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of images, number of output channels, output height, output width."""
        a = self.arguments
        return (len(a.input), a.weight.shape[1] * a.groups, *a.output_size)

    @cached_property
    def output(self) -> Array:
        """The output, shape (N, O, oH, oW), or (O, oH, oW) if the input had no batch axis.

        It consists of the totals of the cells.
        """
        output = np.empty(self.shape, self.arguments.dtype)
        for cell in self:
            output[cell.index] = cell.total
        return output if self.arguments.batched else output[0]

    def stamp(
        self, *, row: int, column: int, channel: int = 0, filter: int = 0, image: int = 0
    ) -> Stamp:
        """Derive the stamp of one input cell on one output channel. Indices count from 0.

        Raises:
            TypeError: If an index is not an integer.
            IndexError: If an index is out of range.
            ValueError: If the two channels are not in the same group.
        """
        a, (_, filters, height, width) = self.arguments, self.shape
        index, limits = (image, channel, row, column, filter), (*a.input.shape, filters)
        check_index(index, limits, ("image", "channel", "row", "column", "filter"))
        if channel not in self.channels_of(filter):
            raise ValueError(f"`channel` ({channel}) and `filter` ({filter}) must be in one group")
        value = a.input[image, channel, row, column]
        weight = a.weight[channel, filter % a.weight.shape[1]]
        top = row * a.stride[0] - a.padding[0][0]
        left = column * a.stride[1] - a.padding[1][0]
        values, touched = np.zeros((height, width), a.dtype), np.zeros((height, width), bool)
        product = (value * weight).astype(a.dtype, copy=False)
        for u, v in np.ndindex(*weight.shape):
            y, x = top + u * a.dilation[0], left + v * a.dilation[1]
            if 0 <= y < height and 0 <= x < width:
                values[y, x], touched[y, x] = product[u, v], True
        return Stamp(
            image, channel, filter, row, column, value, weight, product, top, left, values, touched
        )

    def channels_of(self, filter: int) -> range:
        """Return the input channels that stamp an output channel, those of its group."""
        a = self.arguments
        count, group = a.input.shape[1] // a.groups, filter // a.weight.shape[1]
        return range(group * count, (group + 1) * count)

    def cell(self, *, row: int, column: int, filter: int = 0, image: int = 0) -> SummedCell:
        """Derive one output cell as the sum of the stamps on it. Indices count from 0.

        The first factor of a contribution is at that index of `arguments.input`, the second of
        `arguments.weight`.

        Raises:
            TypeError: If an index is not an integer.
            IndexError: If an index is outside the output.
        """
        a = self.arguments
        index = check_index((image, filter, row, column), self.shape, self.cell_names)
        _, _, rows, columns = a.input.shape
        found = []
        for c in self.channels_of(filter):
            for i, j in np.ndindex(rows, columns):
                u = tap_at(
                    row + a.padding[0][0] - i * a.stride[0], a.dilation[0], a.weight.shape[2]
                )
                v = tap_at(
                    column + a.padding[1][0] - j * a.stride[1], a.dilation[1], a.weight.shape[3]
                )
                if u is None or v is None:
                    continue
                first, second = (image, c, i, j), (c, filter % a.weight.shape[1], u, v)
                factors = a.input[first], a.weight[second]
                found.append(Contribution(first, second, factors, factors[0] * factors[1]))
        return summed(index, found, None if a.bias is None else a.bias[filter], a.dtype)

    def _stamp_indices(self) -> list[Index]:
        return [
            (n, c, o, i, j)
            for n, o in np.ndindex(*self.shape[:2])
            for c in self.channels_of(o)
            for i, j in np.ndindex(*self.arguments.input.shape[2:])
        ]

    def document(self, *, max_cells: int = 16, max_size: int = 8, max_terms: int = 8) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it.

        The text counts rows, columns and channels from 1, as on paper.

        Args:
            max_cells: Largest number of stamps, and of output cells, to write: the first ones and
                the last.
            max_size: Largest number of rows and columns to write; dots replace the others.
            max_terms: Largest number of terms to write in a sum.

        Raises:
            TypeError: If a limit is not an integer.
            ValueError: If a limit is less than 2.
        """
        writer = Writer(max_size, max_terms)
        as_int(max_cells, "max_cells", 2)
        stamps, cells = self._stamp_indices(), list(np.ndindex(*self.shape))
        blocks: list[Block] = [
            Heading("The stamps"),
            *beside([self._stamp_card(writer, *index) for index in chosen(stamps, max_cells)],
                    len(stamps), max_cells),
            Heading("The sums"),
            Paragraph(("Each output cell adds up what the stamps leave there: the input cell "
                       "times the weight.",)),
            *beside([self._cell_card(writer, *index) for index in chosen(cells, max_cells)],
                    len(cells), max_cells),
        ]  # fmt: skip
        output = self.output.reshape(self.shape)
        for image, filter in list(np.ndindex(*self.shape[:2]))[:max_cells]:
            named = self._named(image, None, filter)
            blocks.append(Heading(f"Output: {named}" if named else "Output"))
            blocks.append(Display(writer.matrix(output[image, filter])))
        legend: list[Block] = [
            Paragraph(("A dot ", UNREAD, " is an output cell where the stamp leaves nothing."))
        ]
        return Document((*legend, *([ROUNDED_WITH_SIGN] if writer.rounded else []), *blocks))

    def _named(self, image: int, channel: int | None, filter: int) -> str:
        a = self.arguments
        parts = [f"image {image + 1}"] if len(a.input) > 1 else []
        if channel is not None and a.input.shape[1] > 1:
            parts.append(f"channel {channel + 1}")
        if self.shape[1] > 1:
            parts.append(f"output channel {filter + 1}")
        return ", ".join(parts)

    def _stamp_card(
        self, writer: Writer, image: int, channel: int, filter: int, row: int, column: int
    ) -> Card:
        stamp = self.stamp(image=image, channel=channel, filter=filter, row=row, column=column)
        title = f"Input row {row + 1}, column {column + 1}"
        named = self._named(image, channel, filter)
        title += f" ({named})" if named else ""
        value = Entry(writer.show(stamp.value).text)
        cut = stamp.product.size - int(stamp.touched.sum())
        rest = " times the filter; the padding cuts off a part:" if cut else " times the filter:"
        if cut == stamp.product.size:
            return Card(title, (Paragraph((value, " times the filter, all of it cut off.")),))
        matrix = writer.matrix(stamp.values, unread=~stamp.touched)
        return Card(title, (Paragraph((value, rest)), Display(matrix)))

    def _cell_card(self, writer: Writer, image: int, filter: int, row: int, column: int) -> Card:
        cell = self.cell(image=image, filter=filter, row=row, column=column)
        title, named = f"Row {row + 1}, column {column + 1}", self._named(image, None, filter)
        title += f" ({named})" if named else ""
        if not cell.contributions and cell.bias is None:
            return Card(title, (Paragraph(("No stamp reaches this cell: ", Entry("0"))),))
        return Card(title, (writer.sum(cell),))


def transposed_convolution(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    output_padding: IntOrPair = 0,
    groups: int = 1,
    dilation: IntOrPair = 1,
) -> TransposedConvolutionDerivation:
    r"""Derive a transposed convolution: each input cell's stamp, then each output cell's sum.

    Input cell $(c, i, j)$ adds $\text{input}[c, i, j] \; \text{weight}[c, o, u, v]$ to output cell
    $(o,\; i s_h + u d_h - p_\text{top},\; j s_w + v d_w - p_\text{left})$.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        weight: Filters, shape (C, O / groups, kH, kW).
        bias: One number per output channel, shape (O,), or None.
        stride: Step between stamps in pixels, an int or a (height, width) pair.
        padding: Pixels to cut off each side: an int, a pair or ((top, bottom), (left, right)).
        output_padding: Extra rows and columns at the bottom and on the right.
        groups: Number of groups of channels.
        dilation: Distance between neighbouring taps, an int or a pair.

    Returns:
        The derivation: data for every stamp and cell, and `to_text`, `to_latex`, `to_markdown`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, or a number is out of range: the errors of
            `conv_transpose2d`; or if integers may wrap.

    Examples:
        >>> solution = transposed_convolution([[[1, 2]]], [[[[1, 10]]]])
        >>> print(solution)
        A dot · is an output cell where the stamp leaves nothing.
        <BLANKLINE>
        The stamps
        <BLANKLINE>
        Input row 1, column 1
        <BLANKLINE>
        1 times the filter:
        <BLANKLINE>
          [ 1  10  · ]
        <BLANKLINE>
        Input row 1, column 2
        <BLANKLINE>
        2 times the filter:
        <BLANKLINE>
          [ ·  2  20 ]
        <BLANKLINE>
        The sums
        <BLANKLINE>
        Each output cell adds up what the stamps leave there: the input cell times the weight.
        <BLANKLINE>
        Row 1, column 1
        <BLANKLINE>
        1 · 1 = 1
        <BLANKLINE>
        Row 1, column 2
        <BLANKLINE>
        1 · 10 + 2 · 1 = 10 + 2 = 12
        <BLANKLINE>
        Row 1, column 3
        <BLANKLINE>
        2 · 10 = 20
        <BLANKLINE>
        Output
        <BLANKLINE>
          [ 1  12  20 ]

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, 2016,
        arXiv:1603.07285, chapter 4.
    """
    a = check_conv_transpose2d(
        input, weight, bias, stride, padding, output_padding, groups, dilation
    )
    if a.dtype.kind in "iu":
        bounds = conv_transpose2d(
            magnitudes(a.input),
            magnitudes(a.weight),
            None if a.bias is None else magnitudes(a.bias),
            a.stride,
            output_padding=a.output_padding,
            groups=a.groups,
            dilation=a.dilation,
        )
        refuse_wrapping("`input` and `weight`", a.dtype, bounds)
    return TransposedConvolutionDerivation(a)


__all__ = ["Stamp", "TransposedConvolutionDerivation", "transposed_convolution"]
