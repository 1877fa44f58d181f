r"""The worked solution of a normalised match: means, deviations, their products and lengths."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from cnnref._types import Array, Pair
from cnnref.ops.template_matching import _check
from cnnref.worked.document import (
    Block,
    Card,
    Document,
    Entry,
    Expression,
    Grid,
    Ledger,
    Paragraph,
    Symbol,
    Term,
)
from cnnref.worked.layout import ROUNDED_WITH_SIGN, Layout
from cnnref.worked.numbers import Shown, adds_up, multiplies_to, show
from cnnref.worked.solution import CellSolution, check_index

_MAX_SIZE = 8  # rows and columns to write of a matrix; dots replace the others

Part = str | Entry | Expression


@dataclass(frozen=True, eq=False)
class Deviations:
    """A patch minus its mean.

    Attributes:
        patch: The patch, shape (C, h, w).
        total: The sum of its pixels.
        mean: The sum divided by their number.
        values: The patch minus the mean, shape (C, h, w).
        energy: The sum of the squares of the values.
        length: The square root of the energy: the length of the values as one vector.
    """

    patch: Array
    total: float
    mean: float
    values: npt.NDArray[np.float64]
    energy: float
    length: float


@dataclass(frozen=True, eq=False)
class WindowMatch:
    """One window compared with the template. Indices count from 0.

    Attributes:
        image: Index of the image in the batch.
        row: Row of the window's top left pixel, and of the response.
        column: Its column.
        window: The window minus its mean.
        template: The template minus its mean.
        products: Product of the deviations, pixel by pixel, shape (C, h, w).
        product: Their sum.
        response: The product divided by both lengths; 0 for a flat window.
    """

    image: int
    row: int
    column: int
    window: Deviations
    template: Deviations
    products: npt.NDArray[np.float64]
    product: float
    response: float


@dataclass(frozen=True, eq=False)
class TemplateMatchingDerivation(CellSolution[WindowMatch]):
    """The derivation of a normalised cross-correlation; make one with `template_matching`.

    Windows are computed on request. Iterating yields every window, image by image, row by row.

    Attributes:
        input: Images, shape (N, C, H, W).
        template: The template, shape (C, h, w).
        output_size: Height and width of the response.
    """

    cell_names: ClassVar = ("image", "row", "column")

    input: Array
    template: Array
    output_size: Pair

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of images, height and width of the response."""
        return (len(self.input), *self.output_size)

    @cached_property
    def output(self) -> Array:
        """The responses, shape (N, oH, oW)."""
        return np.array([match.response for match in self]).reshape(self.shape)

    def cell(self, *, row: int, column: int, image: int = 0) -> WindowMatch:
        """Derive one response. Indices count from 0.

        Raises:
            TypeError: If an index is not an integer.
            IndexError: If an index is outside the response.
        """
        image, row, column = check_index((image, row, column), self.shape, self.cell_names)
        _, height, width = self.template.shape
        found = _deviations(self.input[image, :, row : row + height, column : column + width])
        wanted = _deviations(self.template)
        products = found.values * wanted.values
        product = math.fsum(products.flat)
        response = product / (found.length * wanted.length) if found.length else 0.0
        return WindowMatch(
            image, row, column, found, wanted, products, product, min(max(response, -1.0), 1.0)
        )

    def document(self, cells: Sequence[tuple[int, ...]] | None = None) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it.

        The text counts rows, columns and channels from 1, as on paper.

        Args:
            cells: The windows to write out, each (row, column) or (image, row, column), counted
                from 0. None writes the best match.

        Raises:
            TypeError: If `cells` is not a list of tuples of integers.
            ValueError: If a cell does not have 2 or 3 indices.
            IndexError: If a cell is outside the response.
        """
        layout = _Layout(len(self.input) > 1)
        matches = [self.best()] if cells is None else self.cells_at(cells)
        cards = tuple(layout.card(match) for match in matches)
        blocks: list[Block] = [
            Paragraph(
                (
                    "The sign ",
                    Symbol("⊙"),
                    " multiplies the deviations of window and template pixel by pixel. "
                    "A length is the root of the sum of the squares.",
                )
            )
        ]
        if layout.rounded:
            blocks.append(ROUNDED_WITH_SIGN)
        return Document((*blocks, Grid(cards)))

    def best(self) -> WindowMatch:
        """Return the window with the largest response, the first one if there is a tie."""
        return max(self, key=lambda match: match.response)


def _deviations(patch: Array) -> Deviations:
    exact = patch.astype(np.float64)
    # Relative to the first pixel, so that a flat patch gives zeros and not rounding errors.
    shifted = exact - exact.flat[0]
    values = shifted - math.fsum(shifted.flat) / patch.size
    total = math.fsum(exact.flat)
    energy = math.fsum((values * values).flat)
    return Deviations(patch, total, total / patch.size, values, energy, math.sqrt(energy))


def template_matching(input: npt.ArrayLike, template: npt.ArrayLike) -> TemplateMatchingDerivation:
    r"""Derive normalised cross-correlation window by window: mean, deviations, product, lengths.

    With $a$ the window minus its mean and $b$ the template minus its mean, each as one vector,

    $$\text{response} = \frac{a \cdot b}{\lVert a \rVert \, \lVert b \rVert}$$

    For the raw form, use `convolution` with the template as its filter.

    Args:
        input: Images, shape (N, C, H, W) or (C, H, W).
        template: The patch to look for, shape (C, h, w). It must not be flat.

    Returns:
        The derivation: data for every window, and `to_text`, `to_latex`, `to_markdown`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: The errors of `normalized_cross_correlation`; or if the input is not finite.

    Examples:
        >>> solution = template_matching([[[1, 2, 3], [4, 7, 5]]], [[[5, 0], [0, 3]]])
        >>> print(solution.to_text([(0, 0)]))
        The sign ⊙ multiplies the deviations of window and template pixel by pixel. A length is the
        root of the sum of the squares.
        <BLANKLINE>
        Numbers are rounded to 4 decimals; the sign ≈ marks results that the rounded numbers do not
        give exactly.
        <BLANKLINE>
        Row 1, column 1
        <BLANKLINE>
        Mean of the window: 14 / 4 = 3.5. Mean of the template: 8 / 4 = 2.
        <BLANKLINE>
          deviations
          [ -2.5  -1.5 ]   [  3  -2 ]   [ -7.5    3 ]
          [  0.5   3.5 ] ⊙ [ -2   1 ] = [   -1  3.5 ]   sum     -2
                                                        ----------
                                                        total   -2
        <BLANKLINE>
        Squares of the window's deviations: sum 21, length ≈ 4.5826.
        <BLANKLINE>
        Squares of the template's deviations: sum 18, length ≈ 4.2426.
        <BLANKLINE>
        Response: -2 / (4.5826 × 4.2426) ≈ -0.1029.

    Source:
        J. P. Lewis, "Fast Normalized Cross-Correlation", Vision Interface, 1995, section 2.
    """
    a = _check(input, template, needs_contrast=True)
    if not np.isfinite(a.input).all():
        raise ValueError("`input` holds NaN or an infinity, but must be finite to be written out")
    return TemplateMatchingDerivation(a.input, a.template, a.windows.output_size)


class _Layout(Layout):
    """Turns windows into blocks of a document."""

    def __init__(self, many_images: bool) -> None:
        super().__init__(_MAX_SIZE)
        self.many_images = many_images

    def card(self, match: WindowMatch) -> Card:
        title = f"image {match.image + 1}, " if self.many_images else ""
        title += f"row {match.row + 1}, column {match.column + 1}"
        blocks: list[Block] = [
            Paragraph(
                (
                    *self._mean("Mean of the window: ", match.window),
                    *self._mean(" Mean of the template: ", match.template),
                )
            ),
            self._ledger(match),
            Paragraph(self._length("window", match.window)),
            Paragraph(self._length("template", match.template)),
            Paragraph(self._response(match)),
        ]
        return Card(title[0].upper() + title[1:], tuple(blocks))

    def _mean(self, words: str, patch: Deviations) -> Iterator[Part]:
        total, mean = self.show(patch.total), self.show(patch.mean)
        count = str(patch.patch.size)
        exact = multiplies_to([mean, Shown(count, rounded=False)], total)
        yield from (words, Entry(total.text), " / ", Entry(count), " ", _relation(exact), " ")
        yield from (Entry(mean.text), ".")

    def _ledger(self, match: WindowMatch) -> Ledger:
        terms = []
        for channel, products in enumerate(match.products):
            found, wanted = match.window.values[channel], match.template.values[channel]
            value = self.show(math.fsum(products.flat))
            shown = [show(number) for number in products.flat]
            exact = all(
                multiplies_to([show(a), show(b)], product)
                for a, b, product in zip(found.flat, wanted.flat, shown, strict=True)
            )
            terms.append(
                Term(
                    "deviations" if len(match.products) == 1 else f"channel {channel + 1}",
                    value,
                    (self.matrix(found), self.matrix(wanted)),
                    self.matrix(products),
                    product_exact=exact,
                    adds_up=adds_up(shown, value),
                )
            )
        total = self.show(match.product)
        return Ledger(tuple(terms), total, adds_up([term.value for term in terms], total))

    def _length(self, name: str, patch: Deviations) -> tuple[Part, ...]:
        energy, length = self.show(patch.energy), self.show(patch.length)
        exact = multiplies_to([length, length], energy)
        root = ("length ", *((Symbol("≈"), " ") if not exact else ()), Entry(length.text), ".")
        return (f"Squares of the {name}'s deviations: sum ", Entry(energy.text), ", ", *root)

    def _response(self, match: WindowMatch) -> tuple[Part, ...]:
        if not match.window.length:
            zero = Entry("0")
            return ("Response: the window is flat, ", zero, " / ", zero, "; taken as ", zero, ".")
        product, response = self.show(match.product), self.show(match.response)
        lengths = [self.show(patch.length) for patch in (match.window, match.template)]
        exact = multiplies_to([response, *lengths], product)
        return (
            "Response: ",
            Entry(product.text),
            " / (",
            Entry(lengths[0].text),
            " × ",
            Entry(lengths[1].text),
            ") ",
            _relation(exact),
            " ",
            Entry(response.text),
            ".",
        )


def _relation(exact: bool) -> Symbol:
    return Symbol("=" if exact else "≈")


__all__ = ["Deviations", "TemplateMatchingDerivation", "WindowMatch", "template_matching"]
