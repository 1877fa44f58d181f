r"""The worked solution of an output shape: the formula with its numbers, and unread pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnnref._checks import AXES, as_shape
from cnnref._types import Bools, ConvPadding, IntOrPair
from cnnref.ops.convolution import conv2d_shape
from cnnref.worked.document import (
    Block,
    Card,
    Document,
    Equation,
    Expression,
    Floor,
    Grid,
    Paragraph,
    Product,
    Quotient,
    Sum,
    Symbol,
    difference,
    kept,
    listing,
    number,
)
from cnnref.worked.solution import Solution

_LONGEST = 1 << 20  # pixels of an axis with its padding; a derivation looks at each of them
_NAMES_SHOWN = 8  # rows or columns named in a sentence; of more, the first ones and the last


@dataclass(frozen=True)
class AxisSteps:
    """The steps of the formula along one axis.

    Attributes:
        size: Input size n.
        padding_before: Padding above or to the left.
        padding_after: Padding below or to the right.
        kernel_size: Filter size k.
        dilation: Dilation d.
        stride: Stride s.
        numerator: n + padding - d (k - 1) - 1, which is how far the first window can move.
        quotient: The numerator divided by the stride, rounded down.
        remainder: The pixels after the last window, which rounding down drops.
        result: quotient + 1, the output size.
        unread: Input rows or columns that no window reads, from 0.
        unread_before: Padding rows or columns before the input that no window reads, from 0 at the
            outer edge.
        unread_after: The same after the input, from 0 at the input's edge.
    """

    size: int
    padding_before: int
    padding_after: int
    kernel_size: int
    dilation: int
    stride: int
    numerator: int
    quotient: int
    remainder: int
    result: int
    unread: tuple[int, ...]
    unread_before: tuple[int, ...]
    unread_after: tuple[int, ...]


def _axis_steps(
    size: int, kernel_size: int, stride: int, padding: tuple[int, int], dilation: int
) -> AxisSteps:
    before, after = padding
    numerator = size + before + after - dilation * (kernel_size - 1) - 1
    quotient, remainder = divmod(numerator, stride)
    unread = ~_read(before + size + after, quotient * stride, kernel_size, stride, dilation)
    parts = (unread[before : before + size], unread[:before], unread[before + size :])
    inside, at_start, at_end = (tuple(map(int, np.flatnonzero(part))) for part in parts)
    return AxisSteps(
        size, before, after, kernel_size, dilation, stride,
        numerator, quotient, remainder, quotient + 1, inside, at_start, at_end,
    )  # fmt: skip


def _read(length: int, last: int, kernel_size: int, stride: int, dilation: int) -> Bools:
    """Return which pixels of an axis some window reads; the last window starts at ``last``."""
    starts = np.zeros((-(-length // dilation), dilation), np.int32)
    starts.ravel()[: last + 1 : stride] = 1
    # The taps of a window are one below the other in a column: count the windows open there.
    begun = starts.cumsum(axis=0, dtype=np.int32)
    begun[kernel_size:] -= begun[:-kernel_size].copy()
    return begun.ravel()[:length] > 0


@dataclass(frozen=True)
class OutputShapeDerivation(Solution):
    """The derivation of a convolution's output shape; make one with `output_shape`.

    Attributes:
        vertical: Steps of the formula for the height.
        horizontal: Steps of the formula for the width.
        depth: Number of output channels, which is the number of filters.
        in_channels: Number of channels of the input.
        groups: Number of groups of channels.
    """

    vertical: AxisSteps
    horizontal: AxisSteps
    depth: int
    in_channels: int
    groups: int

    @property
    def height(self) -> int:
        """Height of the output."""
        return self.vertical.result

    @property
    def width(self) -> int:
        """Width of the output."""
        return self.horizontal.result

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the output, (depth, height, width)."""
        return self.depth, self.height, self.width

    @property
    def unread_rows(self) -> tuple[int, ...]:
        """Input rows that no window reads, from 0."""
        return self.vertical.unread

    @property
    def unread_columns(self) -> tuple[int, ...]:
        """Input columns that no window reads, from 0."""
        return self.horizontal.unread

    def unread_sentences(self) -> tuple[str, ...]:
        """Describe what no window reads, counting rows and columns from 1."""
        rows = tuple(_unread("row", ("above", "below"), self.vertical))
        columns = tuple(_unread("column", ("on the left", "on the right"), self.horizontal))
        if not rows and not columns:
            return ("Every row and every column is read by some window.",)
        return (
            *(rows or ("Every row is read by some window.",)),
            *(columns or ("Every column is read by some window.",)),
        )

    def document(self) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it."""
        form = self._form()
        n, s, k, d, o, p = (Symbol(name) for name in "nskdop")
        before, after = (p, p) if form.equal_sides else (Symbol("p", "1"), Symbol("p", "2"))
        sides = (
            (p, " on each side") if form.equal_sides else (before, " before and ", after, " after")
        )
        window = (", filter size ", k, *((", dilation ", d) if form.dilated else ()))
        blocks: list[Block] = [
            Paragraph(
                (
                    "Along each axis, with input size ", n, ", padding ", *sides, *window,
                    " and stride ", s, ", the output size is",
                )
            ),
            Equation(o, (form(n, before, after, d, k, s),)),
        ]  # fmt: skip
        cards = [
            Card("Height", (_numbers("h", self.vertical, form),)),
            Card("Width", (_numbers("w", self.horizontal, form),)),
        ]
        blocks.append(Grid(tuple(cards)))
        filters = "filter gives" if self.depth == 1 else "filters give"
        blocks.append(
            Paragraph(
                (
                    "The depth is the number of filters: ",
                    f"{self.depth} {filters} {self.depth} output channel{_s(self.depth)}. ",
                    self._reads(),
                )
            )
        )
        blocks.append(
            Paragraph(
                (
                    f"The output is {self.height}×{self.width}×{self.depth} "
                    "(height × width × depth).",
                )
            )
        )
        blocks += [Paragraph((sentence,)) for sentence in self.unread_sentences()]
        return Document(tuple(blocks))

    def _form(self) -> _Formula:
        axes = (self.vertical, self.horizontal)
        return _Formula(
            dilated=any(axis.dilation > 1 for axis in axes),
            equal_sides=all(axis.padding_before == axis.padding_after for axis in axes),
        )

    def _reads(self) -> str:
        if self.groups == 1:
            all_of = (
                "the one input channel"
                if self.in_channels == 1
                else (f"all {self.in_channels} input channels")
            )
            return f"Each filter reads {all_of}."
        per_group = self.in_channels // self.groups
        return (
            f"Each filter reads {per_group} of the {self.in_channels} input channels, "
            f"those of its group of {self.groups}."
        )


def output_shape(
    input_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> OutputShapeDerivation:
    r"""Derive the shape of a convolution's output and list the input pixels that are never read.

    Along each axis

    $$\left\lfloor \frac{n + p_\text{before} + p_\text{after} - d(k - 1) - 1}{s} \right\rfloor
    + 1,$$

    and the depth is the number of filters. Without dilation and with equal padding $p$ on both
    sides, the derivation shows the short form $\lfloor (n + 2p - k)/s \rfloor + 1$.

    Args:
        input_shape: (C, H, W), or (N, C, H, W).
        weight_shape: (O, C / groups, kH, kW).
        stride: As for `conv2d`.
        padding: As for `conv2d`.
        dilation: As for `conv2d`.
        groups: As for `conv2d`.

    Returns:
        The derivation: its numbers as fields, and `to_text`, `to_latex`, `to_markdown`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, or a number is out of range: the errors of
            `conv2d`; or if an axis with its padding has more than 1,048,576 pixels.

    Examples:
        >>> solution = output_shape((32, 128, 128), (16, 32, 3, 3), stride=2)
        >>> solution.height, solution.width, solution.depth
        (63, 63, 16)
        >>> solution.unread_columns
        (127,)
        >>> solution.unread_sentences()[1]
        'The last column, column 128, is read by no window.'

    Source:
        V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, 2016,
        arXiv:1603.07285, section 2.4 (relationship 6) and section 5.1 (relationship 15, with
        dilation).
    """
    shape = conv2d_shape(
        as_shape(input_shape, "input_shape", "(C, H, W) or (N, C, H, W)", (3, 4)),
        as_shape(weight_shape, "weight_shape", "(O, C / groups, kH, kW)", (4,)),
        stride,
        padding,
        dilation,
        groups,
    )
    for name, size, sides in zip(AXES, shape.input_size, shape.padding, strict=True):
        if size + sum(sides) > _LONGEST:
            raise ValueError(
                f"`input_shape` ({size} in {name}, with `padding` {size + sum(sides)}) is too "
                f"large to list the unread pixels, which takes at most {_LONGEST}"
            )
    axes = [
        _axis_steps(
            shape.input_size[axis],
            shape.kernel_size[axis],
            shape.stride[axis],
            shape.padding[axis],
            shape.dilation[axis],
        )
        for axis in (0, 1)
    ]
    return OutputShapeDerivation(
        vertical=axes[0],
        horizontal=axes[1],
        depth=shape.filters,
        in_channels=shape.channels,
        groups=shape.groups,
    )


@dataclass(frozen=True)
class _Formula:
    """The formula of the output size, without the terms that this derivation does not need.

    Attributes:
        dilated: Whether an axis has a dilation above 1, so that a window is wider than the filter.
        equal_sides: Whether each axis has as much padding before the input as after it.
    """

    dilated: bool
    equal_sides: bool

    def __call__(
        self,
        n: Expression,
        before: Expression,
        after: Expression,
        d: Expression,
        k: Expression,
        s: Expression,
    ) -> Expression:
        one = number(1)
        padding = (
            ((1, Product((number(2), before))),) if self.equal_sides else ((1, before), (1, after))
        )
        reach = ((-1, Product((d, difference(k, one)))), (-1, one)) if self.dilated else ((-1, k),)
        return _plus_one(Floor(Quotient(Sum(((1, n), *padding, *reach)), s)))


def _plus_one(term: Expression) -> Expression:
    return Sum(((1, term), (1, number(1))))


def _numbers(name: str, axis: AxisSteps, form: _Formula) -> Equation:
    """Put the numbers into the formula and compute it, one step per line."""
    values = (
        axis.size, axis.padding_before, axis.padding_after, axis.dilation, axis.kernel_size,
        axis.stride,
    )  # fmt: skip
    return Equation(
        Symbol(name),
        (
            form(*map(number, values)),
            _plus_one(Floor(Quotient(number(axis.numerator), number(axis.stride)))),
            _plus_one(Floor(Symbol(_decimal(axis.numerator, axis.stride)))),
            _plus_one(number(axis.quotient)),
            number(axis.result),
        ),
    )


def _decimal(numerator: int, denominator: int) -> str:
    """Write a fraction with at most two decimals, followed by dots if there are more."""
    hundredths, rest = divmod(100 * numerator, denominator)
    whole, places = divmod(hundredths, 100)
    if rest:
        return f"{whole}.{places:02}…"
    return f"{whole}.{places:02}".rstrip("0").rstrip(".")


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _unread(name: str, sides: tuple[str, str], axis: AxisSteps) -> Iterator[str]:
    """Yield sentences about unread rows or columns: in the padding, in gaps, then at the end."""
    end = axis.size - _trailing(axis)
    dropped = [i for i in axis.unread if i >= end]
    gaps = [i + 1 for i in axis.unread if i < end]
    for count, unread, side in (
        (axis.padding_before, axis.unread_before, sides[0]),
        (axis.padding_after, axis.unread_after, sides[1]),
    ):
        if not unread:
            continue
        if count == 1:
            yield f"The one {name} of padding {side} is read by no window."
        elif count == len(unread):
            yield f"The {count} {name}s of padding {side} are read by no window."
        else:
            yield (
                f"Of the {count} {name}s of padding {side}, "
                f"{len(unread)} {'is' if len(unread) == 1 else 'are'} read by no window."
            )
    if gaps:
        verb = "lies" if len(gaps) == 1 else "lie"
        yield f"{_named(name, gaps)} {verb} in the gaps between the {name}s that windows read."
    if len(dropped) == 1:
        yield f"The last {name}, {name} {axis.size}, is read by no window."
    elif dropped:
        numbers = _numbered([i + 1 for i in dropped])
        yield f"The last {len(dropped)} {name}s, {numbers}, are read by no window."


def _trailing(axis: AxisSteps) -> int:
    """Return the number of input rows or columns after those that the last window reads."""
    last_read = axis.quotient * axis.stride + axis.dilation * (axis.kernel_size - 1)
    return max(0, axis.padding_before + axis.size - 1 - last_read)


def _named(name: str, numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"{name.capitalize()} {numbers[0]}"
    return f"{name.capitalize()}s {_numbered(numbers)}"


def _numbered(numbers: Sequence[int]) -> str:
    if len(numbers) <= _NAMES_SHOWN:
        return listing([str(i) for i in numbers])
    shown = ["…" if i is None else str(numbers[i]) for i in kept(len(numbers), _NAMES_SHOWN)]
    return f"{', '.join(shown)} ({len(numbers)} in all)"
