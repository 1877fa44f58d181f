"""Cells that are sums of products, for transposed convolution and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnref._checks import as_int
from cnnref.worked.document import (
    Block,
    Card,
    Entry,
    Expression,
    Grid,
    Paragraph,
    kept,
)
from cnnref.worked.layout import Layout
from cnnref.worked.numbers import Shown, adds_up, multiplies_to
from cnnref.worked.solution import Index


@dataclass(frozen=True, eq=False)
class Contribution:
    """One product that goes into a cell. All indices count from 0.

    Attributes:
        first: Index of the first factor in its array.
        second: Index of the second factor in its array.
        factors: The two numbers.
        product: Their product, which is added to the cell.
    """

    first: Index
    second: Index
    factors: tuple[Any, Any]
    product: Any


@dataclass(frozen=True, eq=False)
class SummedCell:
    """One cell of a result and how it was computed. All indices count from 0.

    Attributes:
        index: Index of the cell in the result.
        contributions: The products, in the order in which they are added.
        bias: The number added last, or None.
        total: The sum.
    """

    index: Index
    contributions: tuple[Contribution, ...]
    bias: Any
    total: Any


def summed(
    index: Index, contributions: Sequence[Contribution], bias: Any, dtype: np.dtype[Any]
) -> SummedCell:
    """Add contributions one after the other, as on paper, in a dtype."""
    terms = [each.product for each in contributions] + ([] if bias is None else [bias])
    total = np.cumsum(np.array(terms, dtype), dtype=dtype)[-1] if terms else dtype.type(0)
    return SummedCell(index, tuple(contributions), bias, total)


class Writer(Layout):
    """Writes numbers, matrices and sums, and records whether it rounded a number."""

    def __init__(self, max_size: int, max_terms: int) -> None:
        super().__init__(max_size)
        self.max_terms = as_int(max_terms, "max_terms", 2)

    def sum(self, cell: SummedCell) -> Paragraph:
        """Write a cell as its products, their values and the total."""
        pairs = [tuple(self.show(x) for x in each.factors) for each in cell.contributions]
        values = [self.show(each.product) for each in cell.contributions]
        bias = [] if cell.bias is None else [self.show(cell.bias)]
        total = self.show(cell.total)
        exact = all(multiplies_to(*pair) for pair in zip(pairs, values, strict=True))
        parts = self._joined([*pairs, *((b,) for b in bias)])
        if len(pairs) > 1 or bias:
            parts += [" = " if exact else " ≈ ", *self._joined([(v,) for v in [*values, *bias]])]
            exact = adds_up([*values, *bias], total)
        parts += [" = " if exact else " ≈ ", Entry(total.text)]
        return Paragraph(tuple(parts))

    def terms(self, numbers: Sequence[Any], total: Any) -> Paragraph:
        """Write a sum of plain numbers and its total."""
        shown, result = [self.show(x) for x in numbers], self.show(total)
        relation = " = " if adds_up(shown, result) else " ≈ "
        return Paragraph((*self._joined([(x,) for x in shown]), relation, Entry(result.text)))

    def _joined(self, products: Sequence[tuple[Shown, ...]]) -> list[str | Entry | Expression]:
        """Write a + b · c + (-d) ..., with dots in place of the terms left out."""
        parts: list[str | Entry | Expression] = []
        for i in kept(len(products), self.max_terms):
            parts += [" + "] if parts else []
            if i is None:
                parts.append("…")
                continue
            for position, factor in enumerate(products[i]):
                parts += [" · "] if position else []
                entry = Entry(factor.text)
                # A sign after another sign goes into brackets.
                bare = len(parts) == 0 or not factor.text.startswith("-")
                parts += [entry] if bare else ["(", entry, ")"]
        return parts


def tap_at(distance: int, dilation: int, size: int) -> int | None:
    """Return which tap of a filter is this far from the first one, or None."""
    tap, rest = divmod(distance, dilation)
    return tap if rest == 0 and 0 <= tap < size else None


def chosen(indices: Sequence[Index], limit: int) -> list[Index]:
    """Return all indices, or the first ones and the last."""
    return [indices[i] for i in kept(len(indices), limit) if i is not None]


def beside(cards: Sequence[Card], count: int, limit: int) -> list[Block]:
    """Lay out cards, with a sentence before the last one if some of `count` are left out."""
    if count <= limit:
        return [Grid(tuple(cards))]
    gap = Paragraph((f"… {count - limit} more …",))
    return [Grid(tuple(cards[:-1])), gap, Grid((cards[-1],))]
