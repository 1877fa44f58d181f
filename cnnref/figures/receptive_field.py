"""The receptive field, drawn: windows that grow through the layers, and a gradient's reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_int, as_pair
from cnnref.figures import _theme as theme
from cnnref.figures._checks import as_matrix, refuse_larger
from cnnref.figures._grid import boxes, draw_grid, hatch, outline, strokes
from cnnref.networks.layers import Branches, Conv, Layer, Pool, Window, as_layers
from cnnref.networks.receptive_field import PIXEL, ReceptiveField, receptive_field
from cnnref.ops.output_shape import output_size

__all__ = ["gradient_support", "nested_windows"]

_MARGIN = 0.2
_NAMES = 3.6  # width of the column of names on the left
_STEP = 2.7  # from one row of cells to the next
_MOST_CELLS = 13
_MOST_PIXELS = 16


@dataclass(frozen=True)
class _Row:
    """One row of cells: a layer's output, or the image.

    Attributes:
        field: The receptive field of its cells.
        width: The number of cells.
        padding: Cells that the layer above adds on each side.
        ways: For each cell that matters, the number of paths from it to the chosen output cell.
        window: How the layer above reads this row. None for the output.
    """

    field: ReceptiveField
    width: int
    padding: tuple[int, int]
    ways: Counter[int]
    window: Window | None = None

    @property
    def inside(self) -> dict[int, int]:
        """The paths from the cells that are not padding, which are the only ones that read on."""
        return {place: n for place, n in self.ways.items() if 0 <= place < self.width}

    @property
    def places(self) -> range:
        """The cells to draw, including padding."""
        return range(-self.padding[0], self.width + self.padding[1])

    def x(self, place: int) -> float:
        """Return the position of a cell's centre, in pixels of the image."""
        return self.field.start[1] + place * self.field.jump[1]


def nested_windows(layers: Sequence[Layer], input_size: int, cell: int | None = None) -> Figure:
    """Draw what one output cell reads along the width, back through the layers.

    There is one row of cells per layer, from the output at the top to the image at the bottom. A
    cell is above the centre of what it reads, so the distance between neighbours is the jump. Lines
    lead from each cell that matters to those it reads. The number in it is the number of paths from
    there to the output cell. Padding is hatched.

    Args:
        layers: Convolutions and poolings. Layers that read one cell are not drawn.
        input_size: Width of the image in pixels.
        cell: Index of the output cell, counted from 0. None means the middle one.

    Raises:
        ValueError: If there is no convolution or pooling, there are branches, no window fits,
            `cell` lies outside the output, or a row with its padding is too wide to draw: more than
            13 pixels.
        TypeError: If an argument is of the wrong kind.
    """
    rows = _rows(layers, as_int(input_size, "input_size", 1), cell)
    left = min(row.x(row.places[0]) for row in rows) - 0.5
    right = max(row.x(row.places[-1]) for row in rows) + 0.5
    if right - left > _MOST_CELLS:
        raise ValueError(
            f"the rows span {right - left:g} pixels with their padding: the figure draws at most "
            f"{_MOST_CELLS}"
        )
    offset = _MARGIN + _NAMES - left
    top = 1.5
    bottom = top + _STEP * (len(rows) - 1) + 1
    width = max(offset + right + _MARGIN, 14.0)
    if rows[0].width > 1:  # room for the text next to the jump
        width = max(width, offset + rows[0].x(1) + 5.0)
    figure, axes = theme.canvas(width, bottom + 2.6)
    for place, row in enumerate(rows):
        y = top + _STEP * place
        if place + 1 < len(rows):
            _lines(axes, row, rows[place + 1], offset, y)
        _cells(axes, row, offset, y)
        _name(axes, row, y)
    _jump(axes, rows[0], offset, top)
    _field(axes, rows[0].field, min(rows[0].ways), offset, bottom)
    words = "in a cell: the ways from it to the output cell"
    theme.write(axes, _MARGIN, bottom + 2.1, words, ha="left", colour=theme.MUTED)
    return figure


def _rows(layers: Sequence[Layer], input_size: int, cell: int | None) -> list[_Row]:
    """Return the rows from the output down to the image."""
    drawn = [layer for layer in as_layers(layers) if isinstance(layer, (Conv, Pool, Branches))]
    windows = [layer.window for layer in drawn if isinstance(layer, (Conv, Pool))]
    if not windows or len(windows) < len(drawn):
        raise ValueError("`layers` must hold convolutions or poolings, and no branches")
    widths = [input_size]
    for layer, window in zip(drawn, windows, strict=True):
        _, width = output_size(
            (1, widths[-1]), (1, window.kernel_size[1]), (1, window.stride[1]),
            ((0, 0), window.padding[1]), (1, window.dilation[1]),
            isinstance(layer, Pool) and layer.ceil_mode,
        )  # fmt: skip
        widths.append(width)
    chosen = widths[-1] // 2 if cell is None else as_int(cell, "cell", 0)
    if chosen >= widths[-1]:
        raise ValueError(f"`cell` ({cell}) must be less than the output's width, {widths[-1]}")

    fields = [PIXEL, *receptive_field(drawn)]
    rows = [_Row(fields[-1], widths[-1], (0, 0), Counter({chosen: 1}))]
    for field, width, window in zip(fields[-2::-1], widths[-2::-1], windows[::-1], strict=True):
        ways: Counter[int] = Counter()
        for place, count in rows[-1].inside.items():
            for tap in _taps(window, place):
                ways[tap] += count
        rows.append(_Row(field, width, window.padding[1], ways, window))
    return rows


def _taps(window: Window, place: int) -> range:
    """Return the cells of the row below that a cell reads."""
    first = place * window.stride[1] - window.padding[1][0]
    reach = window.dilation[1] * (window.kernel_size[1] - 1)
    return range(first, first + reach + 1, window.dilation[1])


def _cells(axes: Axes, row: _Row, offset: float, y: float) -> None:
    kinds: dict[str, list[int]] = {"padding": [], "cell": [], "read": []}
    for place in row.places:
        inside = 0 <= place < row.width
        kind = "read" if place in row.ways else "cell"
        kinds[kind if inside else "padding"].append(place)
    fills = {"padding": theme.PAD, "cell": theme.INPUT, "read": theme.WINDOW_FILL}
    for kind, places in kinds.items():
        corners = [(offset + row.x(place) - 0.5, y, 1.0, 1.0) for place in places]
        boxes(axes, corners, fill=fills[kind], label=kind)
        if kind == "padding":
            hatch(axes, [(x, y) for x, *_ in corners])
    for place, count in row.inside.items():
        x, text = offset + row.x(place), theme.number(count)
        size = theme.fit(text, 0.8, theme.LABEL_POINTS)
        theme.write(axes, x, y + 0.5, text, size=size, bold=True, label=f"ways {row.field.name}")


def _lines(axes: Axes, above: _Row, below: _Row, offset: float, y: float) -> None:
    """Join each cell that matters to those it reads, including padding."""
    assert below.window is not None
    ends = [
        ((offset + above.x(place), y + 1), (offset + below.x(tap), y + _STEP))
        for place in above.inside
        for tap in _taps(below.window, place)
    ]
    strokes(axes, ends, colour=theme.MUTED, width=0.9, label="reads")


def _name(axes: Axes, row: _Row, y: float) -> None:
    name, field = row.field.name, row.field
    points = theme.fit(name, _NAMES - 0.3, theme.LABEL_POINTS)
    theme.write(axes, _MARGIN, y + 0.05, name, ha="left", bold=True, size=points, label="name")
    text = f"r {field.size[1]}, j {field.jump[1]}"
    theme.write(axes, _MARGIN, y + 0.85, text, ha="left", label="field")


def _jump(axes: Axes, row: _Row, offset: float, top: float) -> None:
    """Mark the distance between the first two cells of the output, if it has two."""
    if row.width < 2:
        return
    start, end, y = offset + row.x(0), offset + row.x(1), top - 0.45
    ticks = [((x, y - 0.2), (x, y + 0.2)) for x in (start, end)]
    strokes(axes, [((start, y), (end, y)), *ticks], colour=theme.WINDOW, width=1.6, label="jump")
    text = f"jump {row.field.jump[1]}"
    theme.write(axes, end + 0.3, y, text, ha="left", label="jump")


def _field(axes: Axes, field: ReceptiveField, place: int, offset: float, y: float) -> None:
    """Mark the chosen cell's field under the image, and its centre."""
    first = field.first[1] + place * field.jump[1]
    centre = field.start[1] + place * field.jump[1]
    start, end, y = offset + first - 0.5, offset + first + field.size[1] - 0.5, y + 0.4
    marks = [(start, y - 0.2, y + 0.2), (end, y - 0.2, y + 0.2), (offset + centre, y, y + 0.4)]
    lines = [((start, y), (end, y)), *(((x, up), (x, down)) for x, up, down in marks)]
    strokes(axes, lines, colour=theme.WINDOW, width=1.6, label="receptive field")
    text = f"field {field.size[1]}, centre at {theme.number(centre)}"
    x = min(max(offset + centre, 4.5), axes.get_xlim()[1] - 4.5)
    theme.write(axes, x, y + 0.9, text, label="measure")


def gradient_support(
    gradient: ArrayLike, field: ReceptiveField, cell: tuple[int, int] = (0, 0)
) -> Figure:
    """Draw a gradient with respect to the image, and the receptive field from theory.

    Pixels whose gradient is not zero are tinted and bold. The thick line is the outline of the
    field, as far as it lies on the image.

    Args:
        gradient: Gradient of one output cell with respect to each pixel, (H, W).
        field: The receptive field of the cell's layer.
        cell: Row and column of the cell, counted from 0.

    Raises:
        ValueError: If the gradient is not a matrix or has a side above 16, or the field lies
            outside it.
        TypeError: If an argument is of the wrong kind.
    """
    values = as_matrix(gradient, "gradient")
    refuse_larger(values.shape, _MOST_PIXELS, "`gradient`")
    seen = field.pixels(*as_pair(cell, "cell", 0))
    starts = [max(axis.start, 0) for axis in seen]
    stops = [min(axis.stop, size) for axis, size in zip(seen, values.shape, strict=True)]
    size = (stops[0] - starts[0], stops[1] - starts[1])
    if min(size) < 1:
        raise ValueError(f"the field of `cell` ({cell}) lies outside the image")
    figure, axes = theme.canvas(max(values.shape[1], 10.0) + 2 * _MARGIN, values.shape[0] + 1.4)
    heading = f"field {field.size[0]}×{field.size[1]}"
    theme.write(axes, _MARGIN, 0.5, heading, ha="left", bold=True, label="heading")
    marked = [(int(row), int(column)) for row, column in np.argwhere(values)]
    grid = draw_grid(axes, values, _MARGIN, 1.1, fill=theme.INPUT, marked=marked, name="gradient")
    outline(axes, grid, (starts[0], starts[1]), size)
    return figure
