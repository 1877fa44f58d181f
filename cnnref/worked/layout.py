"""Layouts that derivations share: matrices, numbers, titles, cards and the output at the end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_int
from cnnref._types import Array
from cnnref.worked.document import (
    Block,
    Card,
    Display,
    Grid,
    Heading,
    Matrix,
    Paragraph,
    Symbol,
    kept,
)
from cnnref.worked.numbers import DECIMALS, Shown, show
from cnnref.worked.solution import Cell, CellSolution

ROUNDED = Paragraph((f"Numbers are rounded to {DECIMALS} decimals.",))
ROUNDED_WITH_SIGN = Paragraph(
    (
        f"Numbers are rounded to {DECIMALS} decimals; the sign ",
        Symbol("≈"),
        " marks results that the rounded numbers do not give exactly.",
    )
)


class Layout:
    """Writes parts of a document and records whether it rounded a number.

    Args:
        max_size: Largest number of rows and columns to write; dots replace the others.

    Raises:
        TypeError: If the limit is not an integer.
        ValueError: If the limit is less than 2, for the first and the last row.
    """

    def __init__(self, max_size: int) -> None:
        self.max_size = as_int(max_size, "max_size", 2)
        self.rounded = False  # True once a number has been rounded

    def matrix(
        self,
        values: Array,
        padding: npt.NDArray[np.bool_] | None = None,
        unread: npt.NDArray[np.bool_] | None = None,
    ) -> Matrix:
        """Return a matrix to show, with rows and columns beyond the limit left out."""
        matrix = Matrix.of(values, padding=padding, unread=unread, max_size=self.max_size)
        self.rounded |= matrix.rounded
        return matrix

    def show(self, value: Any) -> Shown:
        """Return a number to show."""
        shown = show(value)
        self.rounded |= shown.rounded
        return shown


class CellLayout(Layout, Generic[Cell]):
    """Writes the cells of an output, counting images, channels, rows and columns from 1.

    Args:
        result: The solution whose cells are written.
        max_size: As for `Layout`.
    """

    def __init__(self, result: CellSolution[Cell], max_size: int) -> None:
        super().__init__(max_size)
        self.result = result

    @abstractmethod
    def card(self, cell: Cell) -> Card:
        """Return the derivation of a cell."""

    def cells(self, chosen: Sequence[Sequence[int]] | None, limit: int) -> list[Block]:
        """Write the chosen cells or, without a choice, the first ones, the last and the output."""
        limit = as_int(limit, "max_cells", 2)
        if chosen is not None:
            return [Grid(tuple(map(self.card, self.result.cells_at(chosen))))]
        # One row of cards, interrupted by a sentence where cells are left out.
        blocks: list[Block] = []
        cards: list[Card] = []
        for i in kept(len(self.result), limit):
            if i is not None:
                index = [int(n) for n in np.unravel_index(i, self.result.shape)]
                cards.append(self.card(self.result.cell_at(index)))
                continue
            left_out = len(self.result) - limit
            words = "cell" if left_out == 1 else "cells"
            blocks += [Grid(tuple(cards)), Paragraph((f"… {left_out} more {words} …",))]
            cards = []
        return [*blocks, Grid(tuple(cards)), *self.outputs(limit)]

    def title(self, image: int, channel: int, row: int, column: int) -> str:
        """Return the place of a cell; its image and channel are named if there are several."""
        words = f"{self._prefix(image, channel)}row {row + 1}, column {column + 1}"
        return words[0].upper() + words[1:]

    def outputs(self, limit: int) -> Iterator[Block]:
        """Write the whole output, one matrix per channel and at most ``limit`` matrices."""
        images, channels = self.result.shape[:2]
        output = np.reshape(self.result.output, self.result.shape)
        count = images * channels
        for i in kept(count, limit):
            if i is None:
                yield Paragraph((f"… {count - limit} more …",))
                continue
            image, channel = divmod(i, channels)
            named = self._prefix(image, channel).removesuffix(", ")
            yield Heading(f"Output of {named}" if named else "Output")
            yield Display(self.matrix(output[image, channel]))

    def _prefix(self, image: int, channel: int) -> str:
        images, channels = self.result.shape[:2]
        channel_word = self.result.cell_names[1]  # filter or channel
        named = f"image {image + 1}, " if images > 1 else ""
        return named + (f"{channel_word} {channel + 1}, " if channels > 1 else "")
