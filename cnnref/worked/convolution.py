r"""The worked solution of a convolution: each output cell from its windows, products and sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_int
from cnnref._types import Array, ConvPadding, IntOrPair, Pair, Sides
from cnnref.ops.convolution import check_conv2d, conv2d
from cnnref.ops.padding import PaddingMode, pad2d
from cnnref.worked._range import magnitudes, refuse_wrapping
from cnnref.worked.document import (
    UNREAD,
    Block,
    Card,
    Document,
    Entry,
    Grid,
    Ledger,
    Mark,
    Paragraph,
    Symbol,
    Term,
    has_mark,
    kept,
)
from cnnref.worked.layout import ROUNDED_WITH_SIGN, CellLayout
from cnnref.worked.numbers import adds_up, multiplies_to, show
from cnnref.worked.solution import CellSolution, check_index

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ChannelStep:
    """The contribution of one channel to one output cell. All indices count from 0.

    Attributes:
        channel: Index of the input channel.
        window: The whole window of the padded channel, shape (rH, rW), with reach
            r = dilation (k - 1) + 1.
        padded: True where the window's cell is padding, shape (rH, rW).
        read: True where the filter reads the window's cell, shape (rH, rW); all True when dilation
            is 1.
        weight: The filter's channel, shape (kH, kW).
        products: The cells read times the weights, shape (kH, kW).
        sum: The sum of the products, added row by row.
    """

    channel: int
    window: Array
    padded: Bools
    read: Bools
    weight: Array
    products: Array
    sum: Any


@dataclass(frozen=True, eq=False)
class OutputCell:
    """One cell of the output and how it was computed. All indices count from 0.

    Attributes:
        image: Index of the image in the batch.
        filter: Index of the filter, which is the output's channel.
        row: Row of the output.
        column: Column of the output.
        channels: One step for each channel the filter reads.
        bias: The filter's bias, or None.
        total: The sum of the channels' sums, plus the bias.
    """

    image: int
    filter: int
    row: int
    column: int
    channels: tuple[ChannelStep, ...]
    bias: Any
    total: Any


@dataclass(frozen=True, eq=False)
class ConvolutionDerivation(CellSolution[OutputCell]):
    """The derivation of a convolution, cell by cell; make one with `convolution`.

    Cells are computed on request, so a large input costs nothing until then. Iterating yields
    every cell, image by image, filter by filter, row by row; `len` is the number of cells.

    Attributes:
        input: Images, shape (N, C, H, W).
        weight: Filters, shape (O, C / groups, kH, kW).
        bias: Shape (O,), or None.
        stride: (down, right).
        padding: ((top, bottom), (left, right)).
        dilation: (down, right).
        groups: Number of groups of channels.
        padding_mode: How padding cells were filled.
        padded: The padded images, shape (N, C, top + H + bottom, left + W + right).
        is_padding: True where a pixel of `padded` is padding, shape of its last two axes.
        output_size: Height and width of the output.
        batched: Whether the input had a batch axis; the output then has one too.
    """

    cell_names: ClassVar = ("image", "filter", "row", "column")

    input: Array
    weight: Array
    bias: Array | None
    stride: Pair
    padding: Sides
    dilation: Pair
    groups: int
    padding_mode: PaddingMode
    padded: Array
    is_padding: Bools
    output_size: Pair
    batched: bool

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of images, number of filters, output height, output width."""
        return (len(self.input), len(self.weight), *self.output_size)

    @cached_property
    def output(self) -> Array:
        """The whole output, shape (N, O, oH, oW), or (O, oH, oW) if the input had no batch axis.

        It is computed from this derivation's own windows and products, in the same order as each
        cell, so it equals the cells' totals to the last bit.
        """
        images, filters, height, width = self.shape
        per_group, kernel = filters // self.groups, self.weight.shape[2:]
        output = np.zeros(self.shape, dtype=self.padded.dtype)
        for group in range(self.groups):
            own = slice(group * per_group, (group + 1) * per_group)
            for c, channel in enumerate(self.channels_of(group * per_group)):
                channel_sum = np.zeros((images, per_group, height, width), dtype=output.dtype)
                for u, v in np.ndindex(*kernel):
                    tap = self.padded[:, channel, self._taps(0, u), self._taps(1, v)]
                    channel_sum += self.weight[own, c, u, v][:, None, None] * tap[:, None]
                output[:, own] += channel_sum
        if self.bias is not None:
            output += self.bias[:, None, None]
        return output if self.batched else output[0]

    def _taps(self, axis: int, tap: int) -> slice:
        """Return where one tap of the filter reads, for all windows along an axis."""
        start, step = tap * self.dilation[axis], self.stride[axis]
        return slice(start, start + step * (self.output_size[axis] - 1) + 1, step)

    def channels_of(self, filter: int) -> range:
        """Return the input channels that a filter reads, those of its group."""
        count = self.weight.shape[1]
        group = filter // (len(self.weight) // self.groups)
        return range(group * count, (group + 1) * count)

    def cell(self, *, row: int, column: int, filter: int = 0, image: int = 0) -> OutputCell:
        """Derive one output cell. Indices count from 0.

        Raises:
            TypeError: If an index is not an integer.
            IndexError: If an index is outside the output.
        """
        image, filter, row, column = check_index(
            (image, filter, row, column), self.shape, self.cell_names
        )
        (kernel_height, kernel_width), (down, right) = self.weight.shape[2:], self.dilation
        top, left = row * self.stride[0], column * self.stride[1]
        rows = slice(top, top + down * (kernel_height - 1) + 1)
        columns = slice(left, left + right * (kernel_width - 1) + 1)
        padded = self.is_padding[rows, columns]
        read = np.zeros(padded.shape, dtype=bool)
        read[::down, ::right] = True
        steps = []
        for c, channel in enumerate(self.channels_of(filter)):
            window, weight = self.padded[image, channel, rows, columns], self.weight[filter, c]
            products = window[::down, ::right] * weight
            total = _running_sum(products)
            steps.append(ChannelStep(channel, window, padded, read, weight, products, total))
        bias = None if self.bias is None else self.bias[filter]
        numbers = [step.sum for step in steps] + ([] if bias is None else [bias])
        total = _running_sum(np.array(numbers, dtype=self.padded.dtype))
        return OutputCell(image, filter, row, column, tuple(steps), bias, total)

    def document(
        self,
        cells: Sequence[tuple[int, ...]] | None = None,
        *,
        max_cells: int = 16,
        max_size: int = 8,
        max_channels: int = 8,
    ) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it.

        The text counts rows, columns, channels, filters and images from 1, as on paper.

        Args:
            cells: The cells to write, each (filter, row, column) or (image, filter, row, column),
                counted from 0. None writes all cells in order, and the output at the end.
            max_cells: Largest number of cells to write if `cells` is None: the first ones and the
                last, with a line that says how many are left out. It also limits the number of
                matrices at the end.
            max_size: Largest number of rows and columns to write; dots replace the others.
            max_channels: Largest number of channels to write out per cell; the sum of the others
                is on one line.

        Raises:
            TypeError: If an argument is of the wrong kind.
            ValueError: If a limit is less than 2, or a cell does not have 3 or 4 indices.
            IndexError: If a cell is outside the output.
        """
        layout = _Layout(self, max_size, max_channels)
        blocks = layout.cells(cells, max_cells)
        return Document((*layout.legend(blocks), *blocks))


def _running_sum(values: Array) -> Any:
    # One after the other, as on paper and as in `output`; numpy.sum adds in another order.
    return np.cumsum(values, dtype=values.dtype)[-1]


def convolution(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "constant",
) -> ConvolutionDerivation:
    r"""Derive a convolution cell by cell: windows, products, each channel's sum, the total.

    Output cell $(o, i, j)$ is the sum over the channels $c$ of

    $$\sum_{u,v} \text{weight}[o, c, u, v] \; \text{padded}[c,\; i s_h + u d_h,\; j s_w + v d_w],$$

    plus the bias of filter $o$. The filter is not flipped, as everywhere in CNNs.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        weight: Filters, shape (O, C / groups, kH, kW).
        bias: One number per filter, shape (O,), or None.
        stride: Step of the window in pixels, an int or a (height, width) pair.
        padding: An int, a pair, `"valid"`, `"same"` (stride 1) or ((top, bottom), (left, right)).
        dilation: Distance between neighbouring cells that the filter reads, an int or a pair.
        groups: Number of groups of channels; each filter reads the channels of its own group.
        padding_mode: `"constant"` (zeros), `"reflect"`, `"replicate"` or `"circular"`.

    Returns:
        The derivation: data for every cell, and `to_text`, `to_latex`, `to_markdown`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, or a number is out of range: the errors of
            `conv2d` and `pad2d`; or if integers may wrap, so that the derivation would be false.

    Examples:
        >>> solution = convolution([[[1, 2], [3, 4]]], [[[[1, 0], [0, -1]]]], bias=[10])
        >>> print(solution)
        The sign ⊙ multiplies a window and its filter channel cell by cell.
        <BLANKLINE>
        Row 1, column 1
        <BLANKLINE>
          channel 1
          [ 1  2 ]   [ 1   0 ]   [ 1   0 ]
          [ 3  4 ] ⊙ [ 0  -1 ] = [ 0  -4 ]   sum     -3
        <BLANKLINE>
                                             bias    10
                                             ----------
                                             total    7
        <BLANKLINE>
        Output
        <BLANKLINE>
          [ 7 ]
        <BLANKLINE>
        >>> solution.cell(row=0, column=0).channels[0].products
        array([[ 1,  0],
               [ 0, -4]])

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, 2016,
        arXiv:1603.07285, section 1.1 (discrete convolutions) and section 5.1 (dilation).
    """
    args = check_conv2d(input, weight, bias, stride, padding, dilation, groups)
    if args.dtype.kind in "iu":
        settings = args.stride, args.padding, args.dilation, args.groups
        bias = None if args.bias is None else magnitudes(args.bias)
        bounds = conv2d(magnitudes(args.input), magnitudes(args.weight), bias, *settings)
        refuse_wrapping("`input` and `weight`", args.dtype, bounds)
    is_padding = np.ones(
        [n + sum(sides) for n, sides in zip(args.input.shape[2:], args.padding, strict=True)],
        dtype=bool,
    )
    (top, _), (left, _) = args.padding
    is_padding[top : top + args.input.shape[2], left : left + args.input.shape[3]] = False
    return ConvolutionDerivation(
        input=args.input,
        weight=args.weight,
        bias=args.bias,
        stride=args.stride,
        padding=args.padding,
        dilation=args.dilation,
        groups=args.groups,
        padding_mode=padding_mode,
        padded=pad2d(args.input, args.padding, mode=padding_mode),
        is_padding=is_padding,
        output_size=args.output_size,
        batched=args.batched,
    )


def _spread(values: Array, read: Bools) -> Array:
    """Put values at the cells that a dilated filter reads, and zeros between them."""
    spread = np.zeros(read.shape, dtype=values.dtype)
    spread[read] = values.ravel()
    return spread


class _Layout(CellLayout[OutputCell]):
    """Turns cells into blocks of a document."""

    def __init__(self, derivation: ConvolutionDerivation, max_size: int, max_channels: int) -> None:
        super().__init__(derivation, max_size)
        self.derivation = derivation
        self.max_channels = as_int(max_channels, "max_channels", 2)
        self.all_ones = bool((derivation.weight == 1).all())

    def card(self, cell: OutputCell) -> Card:
        title = self.title(cell.image, cell.filter, cell.row, cell.column)
        return Card(title, (self._ledger(cell),))

    def _ledger(self, cell: OutputCell) -> Ledger:
        steps, terms = cell.channels, []
        for position, i in enumerate(kept(len(steps), self.max_channels)):
            if i is None:
                terms.append(self._left_out(steps[position:-1]))
            else:
                terms.append(self._term(steps[i]))
        if cell.bias is not None:
            terms.append(Term("bias", self.show(cell.bias), is_sum=False))
        total = self.show(cell.total)
        return Ledger(tuple(terms), total, adds_up([term.value for term in terms], total))

    def _term(self, step: ChannelStep) -> Term:
        unread = ~step.read
        window = self.matrix(step.window, step.padded, unread)
        value = self.show(step.sum)
        products = [show(x) for x in step.products.flat]
        label = f"channel {step.channel + 1}"
        if self.all_ones:
            return Term(label, value, (window,), adds_up=adds_up(products, value))
        reads = [show(x) for x in step.window[step.read]]
        weights = [show(x) for x in step.weight.flat]
        exact = all(
            multiplies_to(pair, product)
            for *pair, product in zip(reads, weights, products, strict=True)
        )
        return Term(
            label,
            value,
            (window, self.matrix(_spread(step.weight, step.read), None, unread)),
            self.matrix(_spread(step.products, step.read), None, unread),
            product_exact=exact,
            adds_up=adds_up(products, value),
        )

    def _left_out(self, steps: Sequence[ChannelStep]) -> Term:
        label = f"channel {steps[0].channel + 1}"
        if len(steps) > 1:
            label = f"channels {steps[0].channel + 1} to {steps[-1].channel + 1}"
        total = _running_sum(np.array([step.sum for step in steps]))
        return Term(label, self.show(total))

    def legend(self, blocks: Sequence[Block]) -> Iterator[Paragraph]:
        """Explain the marks in the blocks and what is not written out."""
        ledgers = [
            ledger
            for block in blocks
            if isinstance(block, Grid)
            for card in block.cards
            for ledger in card.blocks
            if isinstance(ledger, Ledger)
        ]
        matrices = [m for ledger in ledgers for term in ledger.terms for m in term.factors]
        if self.all_ones:
            yield Paragraph(("Every weight is 1, so each product is the window cell itself.",))
        else:
            yield Paragraph(
                (
                    "The sign ",
                    Symbol("⊙"),
                    " multiplies a window and its filter channel cell by cell.",
                )
            )
        if self.derivation.groups > 1:
            yield Paragraph(
                (
                    f"The channels form {self.derivation.groups} groups; "
                    "each filter reads the channels of its own group.",
                )
            )
        if has_mark(matrices, Mark.PADDING):
            constant = self.derivation.padding_mode == "constant"
            filled = "" if constant else f" (mode {self.derivation.padding_mode})"
            example = Entry("0" if constant else "a", Mark.PADDING)
            yield Paragraph(("A number marked like ", example, f" is padding{filled}."))
        if has_mark(matrices, Mark.UNREAD):
            yield Paragraph(("A dot ", UNREAD, " is a cell that the dilated filter does not read."))
        if self.rounded:
            yield ROUNDED_WITH_SIGN
