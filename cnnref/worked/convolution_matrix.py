r"""The worked solution of a convolution as a matrix product, by im2col and by a Toeplitz matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_int
from cnnref._types import Array, ConvPadding, IntOrPair, Pair, Sides
from cnnref.ops.convolution import check_conv2d, conv2d
from cnnref.ops.convolution_matrix import im2col, toeplitz_matrix
from cnnref.worked._range import magnitudes, refuse_wrapping
from cnnref.worked.document import (
    UNREAD,
    Block,
    Display,
    Document,
    Entry,
    Equation,
    Expression,
    Heading,
    Mark,
    Matrix,
    Paragraph,
    Product,
    Sum,
    Symbol,
    has_mark,
)
from cnnref.worked.layout import ROUNDED
from cnnref.worked.numbers import show
from cnnref.worked.solution import Solution

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ConvolutionMatrixDerivation(Solution):
    """A convolution written as two matrix products; make one with `convolution_matrix`.

    Attributes:
        input: One image, shape (C, H, W).
        weight: Filters, shape (O, C, kH, kW).
        stride: (down, right).
        padding: ((top, bottom), (left, right)).
        dilation: (down, right).
        output_size: Height and width of the output.
        columns: The windows, one per column, shape (C · kH · kW, oH · oW).
        is_padding: True where a cell of `columns` is padding.
        rows: The filters, one per row, shape (O, C · kH · kW).
        matrix: The Toeplitz matrix, shape (O · oH · oW, C · H · W).
        is_weight: True where a cell of `matrix` holds a weight, even a weight of zero.
    """

    input: Array
    weight: Array
    stride: Pair
    padding: Sides
    dilation: Pair
    output_size: Pair
    columns: Array
    is_padding: Bools
    rows: Array
    matrix: Array
    is_weight: Bools

    @cached_property
    def product(self) -> Array:
        """The filters times the windows, shape (O, oH · oW)."""
        return np.asarray(self.rows @ self.columns)

    @cached_property
    def output(self) -> Array:
        """The output, shape (O, oH, oW): each row of the product, read row by row."""
        return self.product.reshape(len(self.rows), *self.output_size)

    def document(self, *, max_size: int = 16) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it.

        Args:
            max_size: Largest number of rows and columns to write; dots replace the others.

        Raises:
            TypeError: If the limit is not an integer.
            ValueError: If the limit is less than 2.
        """
        as_int(max_size, "max_size", 2)
        columns = Matrix.of(self.columns, padding=self.is_padding, max_size=max_size)
        matrix = Matrix.of(self.matrix, unread=~self.is_weight, max_size=max_size)
        rows, product, pixels, cells = (
            Matrix.of(values, max_size=max_size)
            for values in (
                self.rows,
                self.product,
                self.input.reshape(1, -1),
                (self.matrix @ self.input.ravel())[None],
            )
        )
        windows, one = self.columns.shape[1], len(self.rows) == 1
        order = "row by row" if len(self.input) == 1 else "channel by channel, row by row"
        blocks: list[Block] = [
            Heading("Windows as columns"),
            Paragraph((f"Each of the {windows} windows, read {order}, is a column:",)),
            Display(columns),
        ]
        if has_mark([columns], Mark.PADDING):
            zero = Entry("0", Mark.PADDING)
            blocks.append(Paragraph(("A number marked like ", zero, " is padding.")))
        blocks += [
            Paragraph((f"{'The' if one else 'Each'} filter, read {order}, is a row:",)),
            Display(rows),
            Paragraph((f"{'Row' if one else 'Rows'} times columns, one dot product a cell:",)),
            Display(product),
        ]
        if not (rows.rounded or columns.rounded or product.rounded):
            blocks += _dot_product(self.rows[0], self.columns[:, 0], self.product[0, 0])
        for place, channel in enumerate(self.output):
            which = "The product" if one else f"Row {place + 1} of the product"
            which += f", written as {'×'.join(map(str, self.output_size))}, is the output of "
            blocks += [
                Paragraph((f"{which}{'the' if one else 'this'} filter:",)),
                Display(Matrix.of(channel, max_size=max_size)),
            ]
        blocks += [
            Heading("The whole convolution as one matrix"),
            Paragraph((f"The image, read {order}, is a vector x; written here as a row:",)),
            Display(pixels),
            Paragraph(
                (
                    "The matrix T has a row for each output cell and a column for each pixel. "
                    "A dot ",
                    UNREAD,
                    " is a zero that no weight can change:",
                )
            ),
            Display(matrix),
            Paragraph(("T times x, written as a row, is the output again:",)),
            Display(cells),
        ]
        if any(m.rounded for m in (columns, rows, product, matrix)):
            blocks.append(ROUNDED)
        return Document(tuple(blocks))


def convolution_matrix(
    input: npt.ArrayLike,
    weight: npt.ArrayLike,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
) -> ConvolutionMatrixDerivation:
    r"""Derive a convolution as a matrix product, twice.

    Once as (filters as rows) times (windows as columns), once as $T\,x$ with the doubly blocked
    Toeplitz matrix $T$ of the filters and the image $x$ as a vector.

    Args:
        input: One image, shape (C, H, W) or (1, C, H, W).
        weight: Filters, shape (O, C, kH, kW).
        stride: As for `conv2d`.
        padding: As for `conv2d`.
        dilation: As for `conv2d`.

    Returns:
        The derivation: its matrices as fields, and `to_text`, `to_latex`, `to_markdown`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, a number is out of range, or there is more than
            one image: the errors of `conv2d` and `toeplitz_matrix`; or if integers may wrap.

    Examples:
        >>> solution = convolution_matrix([[[1, 2, 3]]], [[[[10, 1]]]])
        >>> solution.columns
        array([[1, 2],
               [2, 3]])
        >>> solution.matrix
        array([[10,  1,  0],
               [ 0, 10,  1]])
        >>> solution.output
        array([[[12, 23]]])

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, 2016,
        arXiv:1603.07285, section 4.1.
    """
    a = check_conv2d(input, weight, None, stride, padding, dilation, 1)
    if len(a.input) != 1:
        raise ValueError(f"`input` holds {len(a.input)} images, but must hold one")
    settings: dict[str, Any] = dict(stride=a.stride, padding=a.padding, dilation=a.dilation)
    size, kernel = a.input.shape[2:], a.weight.shape[2:]
    if a.dtype.kind in "iu":
        bounds = conv2d(magnitudes(a.input), magnitudes(a.weight), **settings)
        refuse_wrapping("`input` and `weight`", a.dtype, bounds)
    image, ones = a.input[0], np.ones(a.input.shape[1:], np.int8)
    return ConvolutionMatrixDerivation(
        input=image,
        weight=a.weight,
        stride=a.stride,
        padding=a.padding,
        dilation=a.dilation,
        output_size=a.output_size,
        columns=im2col(image, kernel, **settings),
        is_padding=im2col(ones, kernel, **settings) == 0,
        rows=a.weight.reshape(len(a.weight), -1),
        matrix=toeplitz_matrix(a.weight, size, **settings),
        is_weight=toeplitz_matrix(np.ones_like(a.weight, np.int8), size, **settings) == 1,
    )


def _dot_product(row: Array, column: Array, total: Any) -> Iterator[Equation]:
    """Write out the first cell of the product, with the sign of each term before it.

    Nothing is written if a number is rounded: the rounded numbers may not add up to the total.
    """
    numbers = [show(value) for value in (*row, *column, total)]
    if any(shown.rounded for shown in numbers):
        return
    terms: list[tuple[int, Expression]] = []
    for weight, pixel in zip(row, column, strict=True):
        sign = -1 if (weight < 0) != (pixel < 0) else 1
        factors = tuple(Symbol(show(abs(value)).text) for value in (weight, pixel))
        terms.append((sign, Product(factors)))
    result = Symbol(show(abs(total)).text)
    last: Expression = Sum(((-1, result),)) if total < 0 else result
    yield Equation(Symbol("first cell"), (Sum(tuple(terms)), last))
