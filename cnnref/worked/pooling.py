r"""The worked solution of pooling: each output cell is the largest number or mean of a window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_images
from cnnref._dtypes import sum_dtype
from cnnref._types import Array, ConvPadding, IntOrPair
from cnnref.ops import pooling
from cnnref.ops._windows import Windows, pooling_windows
from cnnref.ops.pooling import window_divisors
from cnnref.worked.document import (
    UNREAD,
    Card,
    Display,
    Document,
    Entry,
    Expression,
    Mark,
    Matrix,
    Paragraph,
    Symbol,
    has_mark,
    kept,
)
from cnnref.worked.layout import ROUNDED, CellLayout
from cnnref.worked.numbers import Shown, adds_up, show
from cnnref.worked.solution import CellSolution, check_index

Bools = npt.NDArray[np.bool_]
Parts = tuple[str | Entry | Expression, ...]


@dataclass(frozen=True, eq=False)
class PooledCell:
    """One cell of a pooling's output and its window. All indices count from 0.

    Attributes:
        image: Index of the image in the batch.
        channel: Index of the channel, the same in the input and the output.
        row: Row of the output.
        column: Column of the output.
        window: The whole window, shape (rH, rW), with reach r = dilation (k - 1) + 1; 0 outside
            the image.
        read: True where the window reads a pixel of the image, shape (rH, rW).
        padded: True where it reads a cell of the padding, shape (rH, rW).
        value: The cell's value.
    """

    image: int
    channel: int
    row: int
    column: int
    window: Array
    read: Bools
    padded: Bools
    value: Any


@dataclass(frozen=True, eq=False)
class MaxPooledCell(PooledCell):
    """One cell of max pooling.

    Attributes:
        winner: Row and column, in the window, of the largest pixel: the first one if there is a
            tie, the last one among several NaN.
        equals: Number of pixels of the window that are as large as the winner.
    """

    winner: tuple[int, int]
    equals: int


@dataclass(frozen=True, eq=False)
class AvgPooledCell(PooledCell):
    """One cell of average pooling.

    Attributes:
        sum: The sum of the pixels read, added row by row.
        divisor: The number that the sum is divided by.
    """

    sum: Any
    divisor: int


Cell = TypeVar("Cell", bound=PooledCell)


@dataclass(frozen=True, eq=False)
class PoolingDerivation(CellSolution[Cell]):
    """The derivation of pooling, cell by cell; make one with `max_pool2d` or `avg_pool2d`.

    Cells are computed on request. Iterating yields every cell, image by image, channel by channel,
    row by row; `len` is the number of cells.

    Attributes:
        input: Images, shape (N, C, H, W).
        windows: Where the windows lie: kernel size, stride, padding, dilation, output size.
        batched: Whether the input had a batch axis; the output then has one too.
        pooled: The whole output, shape (N, C, oH, oW), or (C, oH, oW) without a batch axis.
    """

    cell_names: ClassVar = ("image", "channel", "row", "column")

    input: Array
    windows: Windows
    batched: bool
    pooled: Array

    @property
    def output(self) -> Array:
        """The whole output, shape (N, C, oH, oW), or (C, oH, oW) without a batch axis."""
        return self.pooled

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of images, number of channels, output height, output width."""
        return (*self.input.shape[:2], *self.windows.output_size)

    def cell(self, *, row: int, column: int, channel: int = 0, image: int = 0) -> Cell:
        """Derive one output cell. Indices count from 0.

        Raises:
            TypeError: If an index is not an integer.
            IndexError: If an index is outside the output.
        """
        image, channel, row, column = check_index(
            (image, channel, row, column), self.shape, self.cell_names
        )
        w = self.windows
        on_image, on_padding, places = [], [], []
        for axis, position in enumerate((row, column)):
            reach = w.dilation[axis] * (w.kernel_size[axis] - 1) + 1
            place = int(w.starts(axis)[position]) + np.arange(reach)
            inside = (place >= 0) & (place < w.input_size[axis])
            before, after = w.padding[axis]
            framed = (place >= -before) & (place < w.input_size[axis] + after)
            # A dilated window reads every d-th cell of its reach.
            taps = np.arange(reach) % w.dilation[axis] == 0
            on_image.append(inside & taps)
            on_padding.append(framed & taps)
            places.append(np.clip(place, 0, w.input_size[axis] - 1))
        read = np.logical_and.outer(*on_image)
        padded = np.logical_and.outer(*on_padding) & ~read
        pixels = self.input[image, channel][np.ix_(*places)]
        window = np.where(read, pixels, pixels.dtype.type(0))
        return self._pool((image, channel, row, column), window, read, padded)

    @abstractmethod
    def _pool(
        self, index: tuple[int, int, int, int], window: Array, read: Bools, padded: Bools
    ) -> Cell: ...

    def document(
        self,
        cells: Sequence[tuple[int, ...]] | None = None,
        *,
        max_cells: int = 16,
        max_size: int = 8,
    ) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it.

        The text counts rows, columns, channels and images from 1, as on paper.

        Args:
            cells: The cells to write, each (channel, row, column) or (image, channel, row,
                column), counted from 0. None writes all cells in order, and the output at the end.
            max_cells: Largest number of cells to write if `cells` is None: the first ones and the
                last, with a line that says how many are left out. It also limits the number of
                matrices at the end.
            max_size: Largest number of rows and columns to write; dots replace the others.

        Raises:
            TypeError: If an argument is of the wrong kind.
            ValueError: If a limit is less than 2, or a cell does not have 3 or 4 indices.
            IndexError: If a cell is outside the output.
        """
        layout = self._layout(max_size)
        blocks = layout.cells(cells, max_cells)
        return Document((*layout.legend(), *blocks))

    @abstractmethod
    def _layout(self, max_size: int) -> _Layout[Cell]: ...


@dataclass(frozen=True, eq=False)
class MaxPoolingDerivation(PoolingDerivation[MaxPooledCell]):
    """The derivation of max pooling; see `PoolingDerivation`."""

    def _pool(
        self, index: tuple[int, int, int, int], window: Array, read: Bools, padded: Bools
    ) -> MaxPooledCell:
        places = [(int(u), int(v)) for u, v in np.argwhere(read)]
        winner = places[0]
        for place in places[1:]:
            if window[place] > window[winner] or np.isnan(window[place]):
                winner = place
        equals = int((window[read] == window[winner]).sum())
        return MaxPooledCell(*index, window, read, padded, window[winner], winner, equals)

    def _layout(self, max_size: int) -> _MaxLayout:
        return _MaxLayout(self, max_size)


@dataclass(frozen=True, eq=False)
class AvgPoolingDerivation(PoolingDerivation[AvgPooledCell]):
    """The derivation of average pooling; see `PoolingDerivation`.

    Attributes:
        count_include_pad: Whether padding counts in the divisor.
        divisor_override: The divisor of every window, or None for the count.
    """

    count_include_pad: bool
    divisor_override: int | None

    @cached_property
    def divisors(self) -> Array:
        """The divisor of each window, shape (oH, oW)."""
        return window_divisors(self.windows, self.count_include_pad, self.divisor_override)

    def _pool(
        self, index: tuple[int, int, int, int], window: Array, read: Bools, padded: Bools
    ) -> AvgPooledCell:
        # One after the other, as on paper and in the operation.
        total = np.cumsum(window[read], dtype=sum_dtype(window.dtype))[-1]
        divisor = int(self.divisors[index[2:]])
        value = window.dtype.type(total / total.dtype.type(divisor))
        return AvgPooledCell(*index, window, read, padded, value, total, divisor)

    def _layout(self, max_size: int) -> _AvgLayout:
        return _AvgLayout(self, max_size)


def max_pool2d(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> MaxPoolingDerivation:
    r"""Derive max pooling cell by cell: the window, its largest pixel, the result.

    $$\text{output}[c, i, j] = \max_{u,v}\; \text{padded}[c,\; i s_h + u d_h,\; j s_w + v d_w]$$

    Padding is shown as $-\infty$: it is never the largest.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        kernel_size: Cells the window reads, an int or a (height, width) pair.
        stride: Step of the window in pixels; None means `kernel_size`.
        padding: As for `cnnref.max_pool2d`.
        dilation: Distance between neighbouring cells that the window reads.
        ceil_mode: Whether to round the output size up.

    Returns:
        The derivation: data for every cell, and `to_text`, `to_latex`, `to_markdown`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is out of range or the window does not fit: the errors of
            `cnnref.max_pool2d`.

    Examples:
        >>> print(max_pool2d([[[3, 1, 4, 1]]], kernel_size=(1, 2)).to_text([(0, 0, 1)]))
        The largest pixel of each window is in brackets, the first one if there is a tie.
        <BLANKLINE>
        Row 1, column 2
        <BLANKLINE>
          [ (4)  1 ]
        <BLANKLINE>
        Largest: 4

    Source:
        `torch.nn.functional.max_pool2d`.
    """
    output = pooling.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)
    images, batched = as_images(input)
    size = (images.shape[2], images.shape[3])
    windows = pooling_windows(size, kernel_size, stride, padding, dilation, ceil_mode)
    return MaxPoolingDerivation(images, windows, batched, output)


def avg_pool2d(
    input: npt.ArrayLike,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: ConvPadding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> AvgPoolingDerivation:
    r"""Derive average pooling cell by cell: the window, its sum, the divisor, the result.

    $$\text{output}[c, i, j] = \frac{1}{D} \sum_{u,v} \text{padded}[c,\; i s_h + u,\; j s_w + v]$$

    Args:
        input: Images of real floats, shape (N, C, H, W) or (C, H, W).
        kernel_size: Height and width of the window, an int or a pair.
        stride: Step of the window in pixels; None means `kernel_size`.
        padding: As for `cnnref.avg_pool2d`.
        ceil_mode: Whether to round the output size up.
        count_include_pad: Whether padding counts in the divisor.
        divisor_override: The divisor of every window, instead of the count.

    Returns:
        The derivation: data for every cell, and `to_text`, `to_latex`, `to_markdown`.

    Raises:
        TypeError: If an argument is of the wrong kind; integers are refused.
        ValueError: If a number is out of range or the window does not fit: the errors of
            `cnnref.avg_pool2d`.

    Examples:
        >>> print(avg_pool2d([[[3.0, 1.0, 4.0, 1.0]]], kernel_size=(1, 2)).to_text([(0, 0, 1)]))
        Row 1, column 2
        <BLANKLINE>
          [ 4  1 ]
        <BLANKLINE>
        Sum 5, divided by 2: 2.5

    Source:
        `torch.nn.functional.avg_pool2d`.
    """
    output = pooling.avg_pool2d(
        input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
    images, batched = as_images(input)
    size = (images.shape[2], images.shape[3])
    windows = pooling_windows(size, kernel_size, stride, padding, 1, ceil_mode)
    return AvgPoolingDerivation(
        images, windows, batched, output, count_include_pad, divisor_override
    )


class _Layout(CellLayout[Cell], ABC):
    """Turns cells into blocks of a document."""

    padding: Any  # the number in each padding cell

    def __init__(self, derivation: PoolingDerivation[Cell], max_size: int) -> None:
        super().__init__(derivation, max_size)
        self.derivation = derivation
        self.windows: list[Matrix] = []

    def card(self, cell: Cell) -> Card:
        window = self._window(cell)
        self.windows.append(window)
        title = self.title(cell.image, cell.channel, cell.row, cell.column)
        return Card(title, (Display(window), Paragraph(self._result(cell))))

    def _window(self, cell: Cell) -> Matrix:
        values = cell.window.astype(object)
        values[cell.padded] = self.padding
        return self.matrix(values, cell.padded, ~(cell.read | cell.padded))

    @abstractmethod
    def _result(self, cell: Cell) -> Parts: ...

    @abstractmethod
    def _rule(self) -> Iterator[Paragraph]: ...

    def legend(self) -> Iterator[Paragraph]:
        """Explain the marks on the cards."""
        yield from self._rule()
        if has_mark(self.windows, Mark.PADDING):
            example = Entry(show(self.padding).text, Mark.PADDING)
            yield Paragraph(("A number marked like ", example, " is padding."))
        if has_mark(self.windows, Mark.UNREAD):
            words = " is a cell that is not read"
            if self.derivation.windows.dilation == (1, 1):
                words += ": it lies past the padding"
            yield Paragraph(("A dot ", UNREAD, f"{words}."))
        if self.rounded:
            yield ROUNDED


class _MaxLayout(_Layout[MaxPooledCell]):
    padding = -np.inf

    def _window(self, cell: MaxPooledCell) -> Matrix:
        plain = super()._window(cell)
        if not _takes_brackets(cell):
            return plain
        rows = [list(row) for row in plain.rows]
        for i, u in enumerate(kept(cell.window.shape[0], self.max_size)):
            for j, v in enumerate(kept(cell.window.shape[1], self.max_size)):
                if (u, v) == cell.winner:
                    rows[i][j] = Entry(f"({rows[i][j].text})")
        return Matrix(tuple(map(tuple, rows)), plain.rounded)

    def _result(self, cell: MaxPooledCell) -> Parts:
        end = f", first of {cell.equals}" if cell.equals > 1 else ""
        if not _takes_brackets(cell):
            row, column = cell.winner
            end += f", row {row + 1}, column {column + 1} of the window"
        return ("Largest: ", Entry(self.show(cell.value).text), end)

    def _rule(self) -> Iterator[Paragraph]:
        yield Paragraph(
            ("The largest pixel of each window is in brackets, the first one if there is a tie.",)
        )


def _takes_brackets(cell: MaxPooledCell) -> bool:
    # The renderers recognise a power of ten, an infinity or NaN only in its plain form.
    return not show(cell.value).text.strip("-.0123456789")


class _AvgLayout(_Layout[AvgPooledCell]):
    padding = 0

    def _result(self, cell: AvgPooledCell) -> Parts:
        total, result = self.show(cell.sum), self.show(cell.value)
        terms = [show(value) for value in cell.window[cell.read]]
        about = (Symbol("≈"), " ")
        return (
            "Sum ",
            *(() if adds_up(terms, total) else about),
            Entry(total.text),
            ", divided by ",
            Entry(str(cell.divisor)),
            ": ",
            *(() if _divides(total, cell.divisor, result) else about),
            Entry(result.text),
        )

    def _rule(self) -> Iterator[Paragraph]:
        d = self.derivation
        assert isinstance(d, AvgPoolingDerivation)
        if d.divisor_override is not None:
            yield Paragraph(("Every sum is divided by the same number, whatever the window.",))
        elif d.windows.padding != ((0, 0), (0, 0)):
            counted = "counts" if d.count_include_pad else "does not count"
            yield Paragraph((f"Padding {counted} in the divisor.",))


def _divides(total: Shown, divisor: int, result: Shown) -> bool:
    """Return whether the shown numbers give the shown result; True if one is not finite."""
    try:
        return Fraction(total.text) / divisor == Fraction(result.text)
    except ValueError:
        return True


__all__ = [
    "AvgPooledCell",
    "AvgPoolingDerivation",
    "MaxPooledCell",
    "MaxPoolingDerivation",
    "PooledCell",
    "PoolingDerivation",
    "avg_pool2d",
    "max_pool2d",
]
