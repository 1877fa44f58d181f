r"""The parts of which worked solutions consist.

A derivation builds a [`Document`][cnnref.worked.document.Document] from these parts. `latex`,
`markdown` and `text` render every part. Numbers are already text here, so that all three show the
same digits.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnref.worked.numbers import Shown, show


class Mark(Enum):
    """The kind of a cell of a matrix."""

    PLAIN = "plain"
    PADDING = "padding"
    UNREAD = "unread"
    ELLIPSIS = "ellipsis"


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell of a matrix. A paragraph may contain one to explain a mark."""

    text: str
    mark: Mark = Mark.PLAIN


UNREAD = Entry("", Mark.UNREAD)
"""A cell inside a dilated window that the filter does not read."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix of entries, without some rows and columns if it was too large.

    Attributes:
        rows: The rows, all of the same length.
        rounded: True if a number was rounded.
    """

    rows: tuple[tuple[Entry, ...], ...]
    rounded: bool = False

    @classmethod
    def of(
        cls,
        values: NDArray[Any],
        *,
        padding: NDArray[np.bool_] | None = None,
        unread: NDArray[np.bool_] | None = None,
        max_size: int,
    ) -> Matrix:
        """Write a 2-D array as a matrix.

        Args:
            values: Array of shape (H, W).
            padding: True where a cell is padding; shape (H, W).
            unread: True where a cell is not read and shows as a dot; shape (H, W).
            max_size: Largest number of rows and columns to show; one row or column of dots
                replaces the others.
        """
        rounded = False
        rows = []
        for r in kept(values.shape[0], max_size):
            row = []
            for c in kept(values.shape[1], max_size):
                if r is None or c is None:
                    row.append(Entry(_ellipsis(r, c), Mark.ELLIPSIS))
                elif unread is not None and unread[r, c]:
                    row.append(UNREAD)
                else:
                    shown = show(values[r, c])
                    rounded |= shown.rounded
                    padded = padding is not None and padding[r, c]
                    row.append(Entry(shown.text, Mark.PADDING if padded else Mark.PLAIN))
            rows.append(tuple(row))
        return cls(tuple(rows), rounded)


def kept(count: int, limit: int) -> list[int | None]:
    """Choose which of `count` things to show: all, or the first ones, None for a gap, the last.

    `limit` counts the things shown, not the gap.

    Examples:
        >>> kept(3, 3), kept(9, 3)
        ([0, 1, 2], [0, 1, None, 8])
    """
    if count <= limit:
        return list(range(count))
    return [*range(limit - 1), None, count - 1]


def _ellipsis(row: int | None, column: int | None) -> str:
    if row is None and column is None:
        return "diagonal"
    return "vertical" if row is None else "horizontal"


# Expressions: enough for the formulas of a page.


@dataclass(frozen=True, slots=True)
class Symbol:
    """A letter with an index, a word, a number without sign, or one of the signs ⊙ and ≈."""

    name: str
    index: str = ""


@dataclass(frozen=True, slots=True)
class Sum:
    """Terms with their signs: `(1, n), (-1, k)` is n - k."""

    terms: tuple[tuple[int, Expression], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """Factors; those that are sums are written in brackets."""

    factors: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Quotient:
    """A fraction."""

    numerator: Expression
    denominator: Expression


@dataclass(frozen=True, slots=True)
class Floor:
    """The inner expression rounded down to an integer."""

    inner: Expression


Expression: TypeAlias = Symbol | Sum | Product | Quotient | Floor


# Blocks.


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words with entries and expressions. The words contain no Markdown and no LaTeX."""

    parts: tuple[str | Entry | Expression, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a part of the solution."""

    text: str


@dataclass(frozen=True, slots=True)
class Display:
    """A matrix on a line of its own."""

    matrix: Matrix


@dataclass(frozen=True, slots=True)
class Equation:
    """A chain of equal expressions, one below the other."""

    left: Expression
    steps: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a ledger: where a number comes from, and the number.

    Attributes:
        label: A short name, such as ``channel 1``.
        value: The number that is added to the total.
        factors: The matrices that are multiplied cell by cell; empty if there is nothing to show.
        product: Their product, if there is more than one factor.
        product_exact: Whether the shown factors give the shown product exactly.
        adds_up: Whether the shown cells add up to the shown number exactly.
        is_sum: Whether the number is labelled as the sum of the cells.
    """

    label: str
    value: Shown
    factors: tuple[Matrix, ...] = ()
    product: Matrix | None = None
    product_exact: bool = True
    adds_up: bool = True
    is_sum: bool = True


@dataclass(frozen=True, slots=True)
class Ledger:
    """Numbers below each other, a line, and their total."""

    terms: tuple[Term, ...]
    total: Shown
    adds_up: bool


@dataclass(frozen=True, slots=True)
class Card:
    """Blocks with a title, such as one output cell."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Cards that may be next to each other if there is room."""

    cards: tuple[Card, ...]


Block: TypeAlias = Paragraph | Heading | Display | Equation | Ledger | Grid


@dataclass(frozen=True, slots=True)
class Document:
    """A whole worked solution."""

    blocks: tuple[Block, ...]


def difference(first: Expression, *rest: Expression) -> Sum:
    """Return first - rest[0] - rest[1] ..."""
    return Sum(((1, first), *((-1, term) for term in rest)))


def number(value: int) -> Symbol:
    """Return an integer as an expression."""
    return Symbol(str(value))


def listing(words: Sequence[str]) -> str:
    """Join words as in a sentence.

    Examples:
        >>> listing(["1", "2", "3"])
        '1, 2 and 3'
    """
    return " and ".join([part for part in (", ".join(words[:-1]), *words[-1:]) if part])


def has_mark(matrices: Sequence[Matrix], mark: Mark) -> bool:
    """Return whether any entry of the matrices has the mark."""
    rows = itertools.chain.from_iterable(matrix.rows for matrix in matrices)
    return any(entry.mark is mark for row in rows for entry in row)
