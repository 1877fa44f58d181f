"""The part of the image that a cell deep in a network sees: size, jump and centre."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from cnnref._types import Pair
from cnnref.networks import _tables
from cnnref.networks.layers import (
    Branches,
    ConvTranspose,
    Layer,
    Upsample,
    Window,
    as_layers,
)

Span: TypeAlias = tuple[int, int]
"""The first and the last pixel that a cell reads."""

# Behind upsampling the fields of neighbouring cells differ, and are stored for one period each.
_LONGEST_PERIOD = 4096


@dataclass(frozen=True)
class Axis:
    """What the cells along one axis read.

    Without upsampling the fields of all cells are equal but for their place, and one is enough.
    Behind an upsampling layer they repeat after several cells.

    Attributes:
        spans: The first and the last pixel that cells 0, 1, … of one period read, counted from 0;
            None for a cell that reads nothing.
        step: The distance, in pixels, from a cell's field to that of the same cell in the next
            period.
    """

    spans: tuple[Span | None, ...]
    step: int

    def span(self, cell: int) -> Span | None:
        """Return the first and the last pixel that a cell reads."""
        period, place = divmod(cell, len(self.spans))
        span = self.spans[place]
        return span and (span[0] + period * self.step, span[1] + period * self.step)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of pixels from the first to the last, of each cell of a period."""
        return tuple(span[1] - span[0] + 1 if span else 0 for span in self.spans)

    @property
    def jump(self) -> float:
        """The distance between the fields of two neighbouring cells, on average."""
        whole, rest = divmod(self.step, len(self.spans))
        return self.step / len(self.spans) if rest else whole


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field after a layer, as (height, width) pairs in pixels of the input.

    Attributes:
        name: The layer's name, or its kind.
        axes: What the cells of a column and of a row read.
    """

    name: str
    axes: tuple[Axis, Axis]

    @property
    def size(self) -> Pair:
        """The number of pixels from the first to the last that a cell reads, both included.

        Behind upsampling cells may differ. Then it is the largest number; see `smallest`.
        """
        return max(self.axes[0].sizes), max(self.axes[1].sizes)

    @property
    def smallest(self) -> Pair:
        """The size for the cell that sees least: smaller than `size` only behind upsampling."""
        return min(self.axes[0].sizes), min(self.axes[1].sizes)

    @property
    def jump(self) -> tuple[float, float]:
        """The distance between the fields of two neighbouring cells, below 1 in enlarged maps."""
        return self.axes[0].jump, self.axes[1].jump

    @property
    def first(self) -> Pair:
        """The first pixel that the first cell reads, counted from 0; negative on the padding."""
        return self._of_cell(0, 0)[0].start, self._of_cell(0, 0)[1].start

    @property
    def start(self) -> tuple[float, float]:
        """The centre of the first cell's field, where 0 is the centre of the first pixel."""
        rows, columns = self._of_cell(0, 0)
        return (rows.start + rows.stop - 1) / 2, (columns.start + columns.stop - 1) / 2

    def pixels(self, row: int, column: int) -> tuple[slice, slice]:
        """Return the rows and columns of the input that a cell's field covers.

        Args:
            row: Row of the cell, counted from 0.
            column: Column of the cell, counted from 0.

        Returns:
            Two slices. They may start before the image or end after it, on the padding. A cell that
            reads nothing has empty slices.
        """
        return self._of_cell(row, column)

    def _of_cell(self, *cell: int) -> tuple[slice, slice]:
        rows, columns = (
            slice(span[0], span[1] + 1) if span else slice(0, 0)
            for span in (axis.span(place) for axis, place in zip(self.axes, cell, strict=True))
        )
        return rows, columns


class ReceptiveFields(tuple[ReceptiveField, ...]):
    """The receptive fields after each layer, first to last. They print as a table.

    Attributes:
        end: Why there is no field after the next layer, in words; empty if all layers have one.
    """

    end: str

    def __new__(cls, fields: Iterable[ReceptiveField], end: str = "") -> Self:
        """Make the fields, with the reason why there are no more."""
        found = super().__new__(cls, fields)
        found.end = end
        return found

    def _rows(self, only_changes: bool = False) -> list[list[str]]:
        before = (PIXEL, *self)
        return [
            [f.name, _sizes(f), _tables.pair(f.jump), _tables.pair(f.start)]
            for f, last in zip(self, before, strict=False)
            if not only_changes or f.axes != last.axes
        ]

    def __str__(self) -> str:
        return _tables.to_text(_HEAD, self._rows())

    def to_markdown(self, *, only_changes: bool = False) -> str:
        """Write the fields as a Markdown table, with one number if height and width are equal.

        Args:
            only_changes: Leave out layers that change nothing, such as activations.
        """
        return _tables.to_markdown(_HEAD, self._rows(only_changes))

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


_HEAD = ("layer", "size", "jump", "start")


def _sizes(field: ReceptiveField) -> str:
    """Write the size of a field, as a range if cells differ."""
    height, width = (
        f"{least}–{most}" if least < most else f"{most}"
        for least, most in zip(field.smallest, field.size, strict=True)
    )
    return height if height == width else f"{height} × {width}"


def receptive_field(layers: Sequence[Layer]) -> ReceptiveFields:
    r"""Return the receptive field after each layer: the pixels of the input that a cell sees.

    Start with one pixel, $r = j = 1$ and $f = 0$. A layer with filter size $k$, stride $s$,
    dilation $d$ and padding $p$ before the image gives

    $$r' = r + (k - 1)\, d\, j, \qquad f' = f - p\, j, \qquad j' = j\, s$$

    with $r$ the size, $j$ the jump from one cell to the next, and $f$ the first pixel that the
    first cell reads. The centre of the first cell's field is $f + (r - 1)/2$. Written out for
    layers $1$ to $n$, the size is

    $$r = 1 + \sum_{l=1}^{n} (k_l - 1)\, d_l \prod_{i=1}^{l-1} s_i$$

    Where paths join, a cell reads from the first pixel of any path to the last pixel of any path.
    If all paths have the same centre, as in most networks, that is the field of the widest path.

    Cell $o$ of a transposed convolution reads the input cells $i$ with $i\, s + u\, d - p = o$ for
    a tap $u$ of the filter, and a cell of an `Upsample` reads the nearest input cell or the two
    around it. So neighbouring cells can see different numbers of pixels. Each record then has the
    fields of one period of cells (`axes`), and the table shows the smallest and the largest size.

    Height and width are followed one by one. If a path reads nothing along one of them, because a
    transposed convolution left holes there, it still counts along the other where paths join.

    The size is that of a cell far from the border. A field can contain pixels that are not read,
    between the taps of a dilated filter or where a stride is larger than its filter.

    The records end before the first layer that reads the whole map (`Flatten`, `Linear`,
    `GlobalAvgPool`). From there on a cell sees the whole image. A block ends the records too if
    one of its paths contains such a layer, as a squeeze-and-excitation block does.

    Args:
        layers: The layers, first to last. Pooling counts as convolution does.

    Returns:
        One record per layer that has a field. `end` says why a record does not follow.

    Raises:
        TypeError: If `layers` is not a list of layers.
        ValueError: If the paths of a block end with different jumps, so that they cannot be joined,
            or if the fields repeat only after more than 4096 cells.

    Examples:
        >>> from cnnref.networks.layers import Conv, Flatten, Linear, Pool
        >>> print(receptive_field([Conv(8, 3, padding=1), Pool(2), Conv(8, 3, dilation=2)]))
        layer        size  jump  start
        conv 3×3        3     1      0
        max pool 2×2    4     2    0.5
        conv 3×3       12     2    4.5
        >>> from cnnref.networks.layers import ConvTranspose
        >>> print(receptive_field([Conv(8, 2, stride=2), ConvTranspose(8, 3, stride=2)]))
        layer                size  jump  start
        conv 2×2                2     2    0.5
        transposed conv 3×3   2–4     1   -0.5
        >>> receptive_field([Conv(8, 3), Flatten(), Linear(10)]).end
        'flatten reads the whole map, so its receptive field is the image'

    Source:
        A. Araujo, W. Norris and J. Sim, Computing Receptive Fields of Convolutional Neural
        Networks, Distill, 2019, doi:10.23915/distill.00021: single-path networks, and
        arbitrary computation graphs.
    """
    given = as_layers(layers)
    fields = [field for _, _, field in steps(given)]
    return ReceptiveFields(fields, next(filter(None, map(_end, given)), ""))


PIXEL = ReceptiveField("input", (Axis(((0, 0),), 1), Axis(((0, 0),), 1)))
"""The field of the input itself: each pixel sees itself."""


def steps(layers: Sequence[Layer]) -> Iterator[tuple[Layer, ReceptiveField, ReceptiveField]]:
    """Yield each layer that has a field, with the field of its input and of its output."""
    field = PIXEL
    for layer in as_layers(layers):
        if _end(layer):
            return
        before, field = field, _after(field, layer)
        yield layer, before, field


def enlarges(layer: Layer) -> bool:
    """Return whether a layer is an upsampling layer, or a block that contains one."""
    if isinstance(layer, Branches):
        return any(enlarges(inner) for path in layer.paths for inner in path)
    return isinstance(layer, (ConvTranspose, Upsample))


def _end(layer: Layer) -> str:
    """Return why the output cells of a layer have no field of their own; empty if they have."""
    if isinstance(layer, Branches):
        inside = (_end(inner) for path in layer.paths for inner in path)
        reason = next(filter(None, inside), "")
        return f"{layer.label}: {reason}" if reason else ""
    if layer.window is None and not enlarges(layer):
        return f"{layer.label} reads the whole map, so its receptive field is the image"
    return ""


def _after(field: ReceptiveField, layer: Layer) -> ReceptiveField:
    """Return the field after one more layer, one that has a field."""
    if isinstance(layer, Branches):
        return _join(layer, ends(field, layer))
    height, width = (_one_axis(field.axes[axis], layer, axis) for axis in (0, 1))
    return ReceptiveField(layer.label, (height, width))


def ends(field: ReceptiveField, block: Branches) -> list[ReceptiveField]:
    """Return the field at the end of each path of a block."""
    found = []
    for path in block.paths:
        end = field
        for layer in path:
            end = _after(end, layer)
        found.append(end)
    return found


def _one_axis(axis: Axis, layer: Layer, place: int) -> Axis:
    """Return what the output cells of a layer read, given what its input cells read."""
    if isinstance(layer, ConvTranspose):
        return _scattered(axis, layer.stamp, place, layer.label)
    if isinstance(layer, Upsample):
        return _enlarged(axis, layer.factors[place], layer.mode, layer.label)
    window = layer.window
    assert window is not None, "the records end before a layer without a window"
    return _gathered(axis, window, place)


def _gathered(axis: Axis, window: Window, place: int) -> Axis:
    """Return what the cells of a convolution or pooling read: cell o from o·s − p on."""
    kernel, stride, dilation = (pair[place] for pair in (window[0], window[1], window[3]))
    padding, period = window.padding[place][0], len(axis.spans)
    # Whatever the place of a tap in the period, the first or last tap there reaches furthest.
    taps = sorted({*range(min(kernel, period)), *range(max(kernel - period, 0), kernel)})
    cells = period // math.gcd(period, stride)
    spans = [
        _union(axis.span(cell * stride - padding + tap * dilation) for tap in taps)
        for cell in range(cells)
    ]
    return _shortest(spans, axis.step * stride * cells // period)


def _scattered(axis: Axis, stamp: Window, place: int, label: str) -> Axis:
    """Return what the cells of a transposed convolution read: o = i·s + u·d − p for a tap u."""
    kernel, stride, dilation = (pair[place] for pair in (stamp[0], stamp[1], stamp[3]))
    padding, period = stamp.padding[place][0], len(axis.spans)
    cells = _period(period * stride, label)
    every = stride // math.gcd(stride, dilation)  # from one tap that fits to the next
    spans = []
    for cell in range(cells):
        fits = (u for u in range(every) if (cell + padding - u * dilation) % stride == 0)
        taps = range(next(fits, kernel), kernel, every)
        outer = [*taps[:period], *taps[-period:]]  # as in `_gathered`
        spans.append(_union(axis.span((cell + padding - u * dilation) // stride) for u in outer))
    return _shortest(spans, axis.step)


def _enlarged(axis: Axis, factor: int, mode: str, label: str) -> Axis:
    """Return what the cells of an enlarged map read: the nearest cell, or the two around it."""
    spans = []
    for cell in range(_period(len(axis.spans) * factor, label)):
        if mode == "nearest":
            sources = [cell // factor]
        else:
            # The centre of the cell lies at (cell + 1/2) / factor − 1/2 in the smaller map.
            below, rest = divmod(2 * cell + 1 - factor, 2 * factor)
            sources = [below, below + 1] if rest else [below]
        spans.append(_union(map(axis.span, sources)))
    return _shortest(spans, axis.step)


def _period(cells: int, label: str) -> int:
    if cells > _LONGEST_PERIOD:
        raise ValueError(
            f"`layers` enlarge the map too much: the receptive fields of {label} repeat only after "
            f"{cells} cells, which must be at most {_LONGEST_PERIOD}"
        )
    return cells


def _union(spans: Iterable[Span | None]) -> Span | None:
    """Return the pixels from the first of all spans to the last; None if there is no span."""
    found = [span for span in spans if span]
    if not found:
        return None
    return min(first for first, _ in found), max(last for _, last in found)


def _shortest(spans: Sequence[Span | None], step: int) -> Axis:
    """Return an axis with the shortest period."""
    whole = Axis(tuple(spans), step)
    for period in range(1, len(spans)):
        if len(spans) % period == 0 and step * period % len(spans) == 0:
            short = Axis(whole.spans[:period], step * period // len(spans))
            if all(short.span(cell) == span for cell, span in enumerate(spans)):
                return short
    return whole


def _join(block: Branches, paths: Sequence[ReceptiveField]) -> ReceptiveField:
    jump = paths[0].jump
    if any(path.jump != jump for path in paths):
        jumps = ", ".join(_tables.pair(path.jump) for path in paths)
        raise ValueError(
            f"`paths` of {block.label} end with the jumps {jumps}, which must be equal to be joined"
        )
    height, width = (_joined([path.axes[axis] for path in paths], block) for axis in (0, 1))
    return ReceptiveField(block.label, (height, width))


def _joined(axes: Sequence[Axis], block: Branches) -> Axis:
    cells = _period(math.lcm(*(len(axis.spans) for axis in axes)), block.label)
    spans = [_union(axis.span(cell) for axis in axes) for cell in range(cells)]
    return _shortest(spans, axes[0].step * cells // len(axes[0].spans))


__all__ = ["Axis", "ReceptiveField", "ReceptiveFields", "receptive_field"]
