r"""The worked solution of a convolution: each output cell from its windows, products and sums."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnref._types import Array, Pair, Sides
from cnnref.ops.convolution import check_conv2d
from cnnref.ops.padding import PaddingMode, pad2d
from cnnref.worked import latex, markdown, text
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
from cnnref.worked.layout import CellLayout
from cnnref.worked.numbers import DECIMALS, adds_up, multiplies_to, show

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ChannelStep:
    """What one channel gives to one output cell. All indices count from 0.

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
    """One cell of the output, with all that went into it. All indices count from 0.

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
class ConvolutionDerivation:
    """The derivation of a convolution, cell by cell; make one with `convolution`.

    Cells are computed when they are asked for, so a large input costs nothing until then. Iterating
    gives every cell, image by image, filter by filter, row by row; `len` says how many there are.

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
        batched: Whether the given input had a batch axis; the output has one then.
    """

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
        """The whole output, shape (N, O, oH, oW), or (O, oH, oW) when the input had no batch axis.

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
        """Return where one tap of the filter lands, for all the windows along an axis."""
        start, step = tap * self.dilation[axis], self.stride[axis]
        return slice(start, start + step * (self.output_size[axis] - 1) + 1, step)

    def channels_of(self, filter: int) -> range:
        """Return the input channels that a filter reads: those of its group."""
        count = self.weight.shape[1]
        group = filter // (len(self.weight) // self.groups)
        return range(group * count, (group + 1) * count)

    def cell(self, *, row: int, column: int, filter: int = 0, image: int = 0) -> OutputCell:
        """Derive one output cell. Indices count from 0.

        Raises:
            TypeError: If an index is not an integer.
            IndexError: If an index is outside the output.
        """
        index = (image, filter, row, column)
        for name, value, size in zip(_INDEX_NAMES, index, self.shape, strict=True):
            if isinstance(value, bool):
                raise TypeError(f"`{name}` (={value!r}) must be an integer, not a bool")
            if not 0 <= operator.index(value) < size:
                raise IndexError(f"`{name}` (={value}) must be from 0 to {size - 1}")
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

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def __iter__(self) -> Iterator[OutputCell]:
        for index in np.ndindex(*self.shape):
            yield self._cell_at(index)

    def _cell_at(self, index: tuple[int, ...]) -> OutputCell:
        return self.cell(**dict(zip(_INDEX_NAMES, index, strict=True)))

    def document(
        self,
        cells: Sequence[tuple[int, ...]] | None = None,
        *,
        max_cells: int = 16,
        max_size: int = 8,
        max_channels: int = 8,
    ) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it.

        Rows, columns, channels, filters and images are counted from 1 in what is written, as on
        paper.

        Args:
            cells: Only these cells, each (filter, row, column) or (image, filter, row, column),
                from 0, and no closing matrix of the output. None: all of them, in order, and the
                output at the end.
            max_cells: Cells written at most, when `cells` is None: the first ones and the last,
                with a line that says how many are left out. The same holds for the closing
                matrices.
            max_size: Rows and columns of a matrix written at most; dots stand for the others.
            max_channels: Channels of a cell written out at most; the others stand in one line with
                their sum.

        Raises:
            ValueError: If a limit is under 2, or a cell has not 3 or 4 indices.
            IndexError: If a cell is outside the output.
        """
        for name, limit in (
            ("max_cells", max_cells),
            ("max_size", max_size),
            ("max_channels", max_channels),
        ):
            if limit < 2:
                raise ValueError(f"`{name}` (={limit}) must be at least 2: the first and the last")
        layout = _Layout(self, max_size, max_channels)
        if cells is not None:
            chosen = [self._cell_at(_full_index(index)) for index in cells]
            blocks: list[Block] = [Grid(tuple(layout.card(cell) for cell in chosen))]
            return Document((*layout.legend(blocks), *blocks))
        # One row of cards, broken by a sentence where cells are left out.
        blocks = []
        cards: list[Card] = []
        for i in kept(len(self), max_cells):
            if i is not None:
                index = np.unravel_index(i, self.shape)
                cards.append(layout.card(self._cell_at(tuple(map(int, index)))))
                continue
            left_out = len(self) - max_cells
            blocks += [Grid(tuple(cards)), Paragraph((f"… {left_out} more {_cells(left_out)} …",))]
            cards = []
        blocks.append(Grid(tuple(cards)))
        blocks += layout.outputs(max_cells)
        return Document((*layout.legend(blocks), *blocks))

    def to_text(
        self,
        cells: Sequence[tuple[int, ...]] | None = None,
        *,
        max_cells: int = 16,
        max_size: int = 8,
        max_channels: int = 8,
    ) -> str:
        """Write the solution as plain text; for the arguments see `document`."""
        return text.render(
            self.document(cells, max_cells=max_cells, max_size=max_size, max_channels=max_channels)
        )

    def to_latex(
        self,
        cells: Sequence[tuple[int, ...]] | None = None,
        *,
        max_cells: int = 16,
        max_size: int = 8,
        max_channels: int = 8,
    ) -> str:
        """Write the solution as a LaTeX fragment (`amsmath`); for the arguments see `document`."""
        return latex.render(
            self.document(cells, max_cells=max_cells, max_size=max_size, max_channels=max_channels)
        )

    def to_markdown(
        self,
        cells: Sequence[tuple[int, ...]] | None = None,
        *,
        max_cells: int = 16,
        max_size: int = 8,
        max_channels: int = 8,
        grid: bool = True,
    ) -> str:
        """Write the solution as Markdown with LaTeX maths; for the other arguments see `document`.

        Args:
            cells: As for `document`.
            max_cells: As for `document`.
            max_size: As for `document`.
            max_channels: As for `document`.
            grid: Wrap the cells in `div` elements that the site's style sheet lays out as a
                responsive grid. False gives plain Markdown, as notebooks get it.
        """
        return markdown.render(
            self.document(cells, max_cells=max_cells, max_size=max_size, max_channels=max_channels),
            grid=grid,
        )

    def __str__(self) -> str:
        return self.to_text()

    def _repr_markdown_(self) -> str:
        return self.to_markdown(grid=False)


_INDEX_NAMES = ("image", "filter", "row", "column")


def _running_sum(values: Array) -> Any:
    # One after the other, as on paper and as in `output`; numpy.sum adds in another order.
    return np.cumsum(values, dtype=values.dtype)[-1]


def _full_index(index: tuple[int, ...]) -> tuple[int, ...]:
    if len(index) not in (3, 4):
        raise ValueError(
            f"a cell (={index!r}) must be (filter, row, column) or (image, filter, row, column)"
        )
    return (0, *index) if len(index) == 3 else tuple(index)


def _cells(count: int) -> str:
    return "cell" if count == 1 else "cells"


def convolution(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
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
        bias: One number a filter, shape (O,), or None.
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
            `conv2d` and `pad2d`.

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
    """Put values at the cells that are read, as a dilated filter lies over its window."""
    spread = np.zeros(read.shape, dtype=values.dtype)
    spread[read] = values.ravel()
    return spread


class _Layout(CellLayout):
    """Turns cells into blocks of a document."""

    def __init__(self, derivation: ConvolutionDerivation, max_size: int, max_channels: int) -> None:
        super().__init__(derivation, "filter", max_size)
        self.derivation = derivation
        self.max_channels = max_channels
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
        """Explain, before the blocks, the marks that they use and what is not written out."""
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
            yield Paragraph(
                (
                    f"Numbers are rounded to {DECIMALS} decimals; the sign ",
                    Symbol("≈"),
                    " stands where the rounded numbers do not give the result exactly.",
                )
            )
