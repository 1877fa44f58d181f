r"""The small language in which worked solutions are written.

A derivation builds a [`Document`][cnnref.worked.document.Document] from these parts. `latex`,
`markdown` and `text` each render every part. All numbers are already text here, so that the three
renderings show the same digits.
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
    """What is special about a cell of a matrix."""

    PLAIN = "plain"
    PADDING = "padding"
    UNREAD = "unread"
    ELLIPSIS = "ellipsis"


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell of a matrix; also allowed inside a paragraph, to explain the marks."""

    text: str
    mark: Mark = Mark.PLAIN


UNREAD = Entry("", Mark.UNREAD)
"""A cell inside a dilated window that the filter does not read."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix of entries, row by row, with rows and columns left out where it was too large.

    Attributes:
        rows: The rows, all of one length.
        rounded: True when the text of some number was rounded.
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
            max_size: Rows and columns shown at most; one row or column of dots stands for the
                others.
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
    """Choose which of `count` things to show: all; or the first, None for the gap, the last.

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


# Expressions: enough for the formulas of a page, not a computer algebra system.


@dataclass(frozen=True, slots=True)
class Symbol:
    """A letter with an index, a word, a number without sign, or one of the signs ⊙ and ≈."""

    name: str
    index: str = ""


@dataclass(frozen=True, slots=True)
class Sum:
    """Terms with their signs in front: `(1, n), (-1, k)` is n - k."""

    terms: tuple[tuple[int, Expression], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """Factors side by side; sums among them stand in brackets."""

    factors: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Quotient:
    """A fraction."""

    numerator: Expression
    denominator: Expression


@dataclass(frozen=True, slots=True)
class Floor:
    """The largest whole number that is not above the inner expression."""

    inner: Expression


Expression: TypeAlias = Symbol | Sum | Product | Quotient | Floor


# Blocks.


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words, with entries and expressions among them. Words are plain: no Markdown, no LaTeX."""

    parts: tuple[str | Entry | Expression, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a part of the solution."""

    text: str


@dataclass(frozen=True, slots=True)
class Display:
    """A matrix on its own."""

    matrix: Matrix


@dataclass(frozen=True, slots=True)
class Equation:
    """A chain of equal expressions, one under the other."""

    left: Expression
    steps: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a ledger: where a number comes from, and the number.

    Attributes:
        label: A short name, such as ``channel 1``.
        value: The number that goes into the total.
        factors: The matrices that are multiplied cell by cell; none when there is nothing to show.
        product: Their product, when there is more than one factor.
        product_exact: Whether the shown factors give the shown product exactly.
        adds_up: Whether the shown cells add up to the shown number exactly.
        is_sum: Whether the number is the sum of the cells shown or named, and is to be called so.
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
    """Numbers under one another, a rule, and their total."""

    terms: tuple[Term, ...]
    total: Shown
    adds_up: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A titled block that stands on its own, such as one output cell."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Cards that may stand beside one another where there is room."""

    cards: tuple[Card, ...]


Block: TypeAlias = Paragraph | Heading | Display | Equation | Ledger | Grid


@dataclass(frozen=True, slots=True)
class Document:
    """A worked solution from beginning to end."""

    blocks: tuple[Block, ...]


def difference(first: Expression, *rest: Expression) -> Sum:
    """Return first - rest[0] - rest[1] ..."""
    return Sum(((1, first), *((-1, term) for term in rest)))


def number(value: int) -> Symbol:
    """Return a whole number as an expression."""
    return Symbol(str(value))


def listing(words: Sequence[str]) -> str:
    """Join words as in a sentence.

    Examples:
        >>> listing(["1", "2", "3"])
        '1, 2 and 3'
    """
    return " and ".join([part for part in (", ".join(words[:-1]), *words[-1:]) if part])


def has_mark(matrices: Sequence[Matrix], mark: Mark) -> bool:
    """Say whether any entry of any of the matrices carries the mark."""
    rows = itertools.chain.from_iterable(matrix.rows for matrix in matrices)
    return any(entry.mark is mark for row in rows for entry in row)
