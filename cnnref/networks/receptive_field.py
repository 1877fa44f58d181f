"""The part of the image that a cell deep in a network sees: size, jump and centre."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from cnnref._types import Pair
from cnnref.networks import _tables
from cnnref.networks.layers import Branches, ConvTranspose, Layer, Window, as_layers


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field after a layer, as (height, width) pairs in pixels of the input.

    Attributes:
        name: The layer's name, or its kind.
        size: The number of pixels from the first to the last that a cell reads, both included.
        jump: The distance between the fields of two neighbouring cells.
        first: The first pixel that the first cell reads, counted from 0; negative on the padding.
    """

    name: str
    size: Pair
    jump: Pair
    first: Pair

    @property
    def start(self) -> tuple[float, float]:
        """The centre of the first cell's field, where 0 is the centre of the first pixel."""
        return (
            self.first[0] + (self.size[0] - 1) / 2,
            self.first[1] + (self.size[1] - 1) / 2,
        )

    def pixels(self, row: int, column: int) -> tuple[slice, slice]:
        """Return the rows and columns of the input that a cell's field covers.

        Args:
            row: Row of the cell, counted from 0.
            column: Column of the cell, counted from 0.

        Returns:
            Two slices. They may start before the image or end after it, on the padding.
        """
        top = self.first[0] + row * self.jump[0]
        left = self.first[1] + column * self.jump[1]
        return slice(top, top + self.size[0]), slice(left, left + self.size[1])


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
            [f.name, _tables.pair(f.size), _tables.pair(f.jump), _tables.pair(f.start)]
            for f, last in zip(self, before, strict=False)
            if not only_changes or (f.size, f.jump, f.first) != (last.size, last.jump, last.first)
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


def receptive_field(layers: Sequence[Layer]) -> ReceptiveFields:
    r"""Return the receptive field after each layer: the pixels of the input that a cell sees.

    Start with one pixel, $r = j = 1$ and $f = 0$. A layer with filter size $k$, stride $s$,
    dilation $d$ and padding $p$ before the image gives

    $$r' = r + (k - 1)\, d\, j, \qquad f' = f - p\, j, \qquad j' = j\, s$$

    with $r$ the size, $j$ the jump from one cell to the next, and $f$ the first pixel that the
    first cell reads. The centre of the first cell's field is $f + (r - 1)/2$. Where paths join, a
    cell reads from the first pixel of any path to the last pixel of any path. If all paths have
    the same centre, as in most networks, that is the field of the widest path.

    The size is that of a cell far from the border. A field can contain pixels that are not read,
    between the taps of a dilated filter or where a stride is larger than its filter.

    The records end before the first layer whose output cells do not all have a field of one size.
    That is a layer that reads the whole map (`Flatten`, `Linear`, `GlobalAvgPool`), from which on
    a cell sees the whole image, or a `ConvTranspose` with its fields of different sizes. A block
    ends the records too if one of its paths contains such a layer.

    Args:
        layers: The layers, first to last. Pooling counts as convolution does.

    Returns:
        One record per layer that has a field. `end` says why a record does not follow.

    Raises:
        TypeError: If `layers` is not a list of layers.
        ValueError: If the paths of a block end with different jumps, so that they cannot be joined.

    Examples:
        >>> from cnnref.networks.layers import Conv, Flatten, Linear, Pool
        >>> print(receptive_field([Conv(8, 3, padding=1), Pool(2), Conv(8, 3, dilation=2)]))
        layer        size  jump  start
        conv 3×3        3     1      0
        max pool 2×2    4     2    0.5
        conv 3×3       12     2    4.5
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


PIXEL = ReceptiveField("input", (1, 1), (1, 1), (0, 0))
"""The field of the input itself: each pixel sees itself."""


def steps(layers: Sequence[Layer]) -> Iterator[tuple[Layer, ReceptiveField, ReceptiveField]]:
    """Yield each layer that has a field, with the field of its input and of its output."""
    field = PIXEL
    for layer in as_layers(layers):
        if _end(layer):
            return
        before, field = field, _after(field, layer)
        yield layer, before, field


def _end(layer: Layer) -> str:
    """Return why the output cells of a layer have no field of one size; empty if they have."""
    if isinstance(layer, Branches):
        inside = (_end(inner) for path in layer.paths for inner in path)
        reason = next(filter(None, inside), "")
        return f"{layer.label}: {reason}" if reason else ""
    if isinstance(layer, ConvTranspose):
        return f"{layer.label} has output cells with receptive fields of different sizes"
    if layer.window is None:
        return f"{layer.label} reads the whole map, so its receptive field is the image"
    return ""


def _after(field: ReceptiveField, layer: Layer) -> ReceptiveField:
    """Return the field after one more layer, one that has a field."""
    if isinstance(layer, Branches):
        return _join(layer, ends(field, layer))
    window = layer.window
    assert window is not None, "the records end before a layer without a window"
    (height, width) = (_grown(field, window, axis) for axis in (0, 1))
    size, jump, first = zip(height, width, strict=True)
    return ReceptiveField(layer.label, size, jump, first)


def ends(field: ReceptiveField, block: Branches) -> list[ReceptiveField]:
    """Return the field at the end of each path of a block."""
    found = []
    for path in block.paths:
        end = field
        for layer in path:
            end = _after(end, layer)
        found.append(end)
    return found


def _grown(field: ReceptiveField, window: Window, axis: int) -> tuple[int, int, int]:
    size, jump, first = field.size[axis], field.jump[axis], field.first[axis]
    size += (window.kernel_size[axis] - 1) * window.dilation[axis] * jump
    first -= window.padding[axis][0] * jump
    return size, jump * window.stride[axis], first


def _join(block: Branches, paths: Sequence[ReceptiveField]) -> ReceptiveField:
    jump = paths[0].jump
    if any(path.jump != jump for path in paths):
        jumps = ", ".join(_tables.pair(path.jump) for path in paths)
        raise ValueError(
            f"`paths` of {block.label} end with the jumps {jumps}, which must be equal to be joined"
        )
    height, width = (
        (
            min(path.first[axis] for path in paths),
            max(path.first[axis] + path.size[axis] for path in paths),
        )
        for axis in (0, 1)
    )
    return ReceptiveField(
        block.label, (height[1] - height[0], width[1] - width[0]), jump, (height[0], width[0])
    )


__all__ = ["ReceptiveField", "ReceptiveFields", "receptive_field"]
