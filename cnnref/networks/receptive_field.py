"""What a cell deep in a network sees of the image: size, step and centre, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnref._types import Pair
from cnnref.networks import _tables
from cnnref.networks.layers import Branches, ConvTranspose, Layer, Window, as_layers


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field after a layer, as (height, width) pairs in pixels of the input.

    Attributes:
        name: The layer's name, or its kind.
        size: How many pixels lie between the first and the last that a cell reads, both included.
        jump: The distance between what two neighbouring cells read.
        first: The first pixel that the first cell reads, counted from 0; negative on the padding.
    """

    name: str
    size: Pair
    jump: Pair
    first: Pair

    @property
    def start(self) -> tuple[float, float]:
        """The centre of the first cell's field; the middle of the image's first pixel is 0."""
        return (
            self.first[0] + (self.size[0] - 1) / 2,
            self.first[1] + (self.size[1] - 1) / 2,
        )

    def pixels(self, row: int, column: int) -> tuple[slice, slice]:
        """Return the rows and columns of the input between which a cell reads.

        Args:
            row: Row of the cell, counted from 0.
            column: Column of the cell, counted from 0.

        Returns:
            Two slices. They may begin before the image or end behind it, on the padding.
        """
        top = self.first[0] + row * self.jump[0]
        left = self.first[1] + column * self.jump[1]
        return slice(top, top + self.size[0]), slice(left, left + self.size[1])


class ReceptiveFields(tuple[ReceptiveField, ...]):
    """The receptive fields after each layer, first to last; they print as a table."""

    __slots__ = ()

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
        """Write the fields as a Markdown table, one number where height and width agree.

        Args:
            only_changes: Leave out layers that change nothing, such as activations.
        """
        return _tables.to_markdown(_HEAD, self._rows(only_changes))

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


_HEAD = ("layer", "size", "jump", "start")


def receptive_field(layers: Sequence[Layer]) -> ReceptiveFields:
    r"""Return what one cell sees of the input, after each layer.

    Begin with one pixel, $r = j = 1$ and $f = 0$. A layer with filter size $k$, stride $s$,
    dilation $d$ and padding $p$ before the image gives

    $$r' = r + (k - 1)\, d\, j, \qquad f' = f - p\, j, \qquad j' = j\, s$$

    with $r$ the size, $j$ the jump from one cell to the next, and $f$ the first pixel that the
    first cell reads. The centre of the first cell is $f + (r - 1)/2$. Where paths are joined, a
    cell reads from the first pixel of any path to the last of any: where the paths have one
    centre, as they do in networks in use, that is the widest path.

    The size is that of a cell far from the border. A field can hold pixels that are not read,
    between the taps of a dilated filter or beyond a stride that is wider than its filter.

    Args:
        layers: The layers, first to last. Pooling counts as convolution does.

    Returns:
        One record a layer, up to the first that reads the whole map (`Flatten`, `Linear`,
        `GlobalAvgPool`): from there on, a cell sees the whole image. `ConvTranspose` ends the
        records too: its cells do not all see equally much.

    Raises:
        TypeError: If `layers` is not a list of layers.
        ValueError: If the paths of a block differ in their jump, so that they do not fit on each
            other, or if one of them reads the whole map or is transposed.

    Examples:
        >>> from cnnref.networks.layers import Conv, Pool
        >>> print(receptive_field([Conv(8, 3, padding=1), Pool(2), Conv(8, 3, dilation=2)]))
        layer        size  jump  start
        conv 3×3        3     1      0
        max pool 2×2    4     2    0.5
        conv 3×3       12     2    4.5

    Source:
        A. Araujo, W. Norris and J. Sim, Computing Receptive Fields of Convolutional Neural
        Networks, Distill, 2019, doi:10.23915/distill.00021: single-path networks, and
        arbitrary computation graphs.
    """
    records: list[ReceptiveField] = []
    field = PIXEL
    for layer in as_layers(layers):
        if layer.window is None:
            break
        field = after(field, layer)
        records.append(field)
    return ReceptiveFields(records)


PIXEL = ReceptiveField("input", (1, 1), (1, 1), (0, 0))
"""The field of the input itself: each pixel sees itself."""


def after(field: ReceptiveField, layer: Layer) -> ReceptiveField:
    """Return the field after one more layer."""
    if isinstance(layer, Branches):
        return _join(layer, ends(field, layer))
    if isinstance(layer, ConvTranspose):
        raise ValueError(f"{layer.label} does not give all its cells a field of one size")
    if layer.window is None:
        raise ValueError(f"{layer.label} reads the whole map: its receptive field is the image")
    (height, width) = (_after(field, layer.window, axis) for axis in (0, 1))
    size, jump, first = zip(height, width, strict=True)
    return ReceptiveField(layer.label, size, jump, first)


def ends(field: ReceptiveField, block: Branches) -> list[ReceptiveField]:
    """Return the field at the end of each path of a block."""
    found = []
    for path in block.paths:
        end = field
        for layer in path:
            end = after(end, layer)
        found.append(end)
    return found


def _after(field: ReceptiveField, window: Window, axis: int) -> tuple[int, int, int]:
    size, jump, first = field.size[axis], field.jump[axis], field.first[axis]
    size += (window.kernel_size[axis] - 1) * window.dilation[axis] * jump
    first -= window.padding[axis][0] * jump
    return size, jump * window.stride[axis], first


def _join(block: Branches, paths: Sequence[ReceptiveField]) -> ReceptiveField:
    jump = paths[0].jump
    if any(path.jump != jump for path in paths):
        jumps = ", ".join(_tables.pair(path.jump) for path in paths)
        raise ValueError(f"the paths of {block.label} end with jumps {jumps}; they must be equal")
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
