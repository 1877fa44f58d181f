"""Draw a matrix as a grid of cells with numbers in them. All figures use this.

Colour is never the only sign of a meaning. Padding is hatched, a window has a thick outline, a cell
that is read has a ring around its number, and a pixel that is never read is crossed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray

from cnnref.figures import _theme as theme

__all__ = [
    "Grid",
    "KeyEntry",
    "arrow",
    "boxes",
    "cross",
    "draw_grid",
    "draw_key",
    "hatch",
    "key_height",
    "outline",
    "padding_mask",
    "rectangle",
    "ring",
    "strokes",
]

Cell = tuple[int, int]
KeyEntry = Literal["window", "padding", "read", "unread"]
Point = tuple[float, float]
Segment = tuple[Point, Point]

# The radius of a ring, and the distance of a cross from the edges of its cell.
_RING_RADIUS = 0.41
_CROSS_INSET = 0.12
_KEY_STEP = 1.3


@dataclass(frozen=True)
class Grid:
    """The position of a matrix on the canvas: its top left corner and its size, in cells."""

    x: float
    y: float
    rows: int
    columns: int

    @property
    def right(self) -> float:
        """The x coordinate of the right edge."""
        return self.x + self.columns

    @property
    def bottom(self) -> float:
        """The y coordinate of the bottom edge."""
        return self.y + self.rows

    @property
    def middle(self) -> tuple[float, float]:
        """The (x, y) of the centre of the matrix."""
        return self.x + self.columns / 2, self.y + self.rows / 2

    def centre(self, cell: Cell) -> tuple[float, float]:
        """Return the (x, y) of the centre of the cell (row, column)."""
        return self.x + cell[1] + 0.5, self.y + cell[0] + 0.5


def rectangle(x: float, y: float, width: float, height: float) -> Path:
    """Return the outline of a rectangle, given by its top left corner and its size."""
    return Path(
        [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)],
        [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY],
    )


def _add(axes: Axes, path: Path, label: str, **style: object) -> None:
    # A single compound path for all cells of a kind keeps the SVG small.
    axes.add_patch(PathPatch(path, label=label, clip_on=False, **style))


def boxes(
    axes: Axes,
    rectangles: Iterable[tuple[float, float, float, float]],
    *,
    fill: str,
    label: str,
    edge: str = theme.GRID,
) -> None:
    """Fill rectangles given as (x, y, width, height)."""
    paths = [rectangle(*box) for box in rectangles]
    if paths:
        path = Path.make_compound_path(*paths)
        _add(axes, path, label, facecolor=fill, edgecolor=edge, linewidth=0.8)


def strokes(
    axes: Axes, segments: Iterable[Segment], *, colour: str, width: float, label: str
) -> None:
    """Draw straight lines, each given by its two ends."""
    paths = [Path([start, end]) for start, end in segments]
    if paths:
        path = Path.make_compound_path(*paths)
        _add(
            axes, path, label, facecolor="none", edgecolor=colour, linewidth=width,
            capstyle="round",
        )  # fmt: skip


def arrow(
    axes: Axes,
    start: Point,
    end: Point,
    *,
    head: tuple[float, float] = (0.28, 0.2),
    width: float = 1.6,
) -> None:
    """Draw a muted arrow to the right or down; ``head`` is the length and half width of its tip."""
    length, half = head
    sides = (-half, half)
    if start[1] == end[1]:
        barbs = [(end[0] - length, end[1] + side) for side in sides]
    else:
        barbs = [(end[0] + side, end[1] - length) for side in sides]
    lines = [(start, end), *((barb, end) for barb in barbs)]
    strokes(axes, lines, colour=theme.MUTED, width=width, label="arrow")


def hatch(axes: Axes, corners: Iterable[tuple[float, float]], *, label: str = "hatch") -> None:
    """Hatch cells, given by their top left corners, with three rising lines per cell."""
    ends: list[Segment] = []
    for x, y in corners:
        ends += [
            ((x, y + 0.5), (x + 0.5, y)),
            ((x, y + 1), (x + 1, y)),
            ((x + 0.5, y + 1), (x + 1, y + 0.5)),
        ]
    strokes(axes, ends, colour=theme.GRID, width=0.5, label=label)


def outline(
    axes: Axes,
    grid: Grid,
    cell: Cell,
    size: tuple[int, int],
    *,
    colour: str = theme.WINDOW,
    label: str = "window",
) -> None:
    """Outline ``size`` = (rows, columns) cells with a thick line, starting at ``cell``."""
    path = rectangle(grid.x + cell[1], grid.y + cell[0], size[1], size[0])
    _add(
        axes, path, label, facecolor="none", edgecolor=colour, linewidth=2.6, joinstyle="round"
    )  # fmt: skip


def ring(axes: Axes, grid: Grid, cells: Iterable[Cell], *, label: str = "read") -> None:
    """Draw rings around the numbers in ``cells``, which are the ones that are read."""
    circles = [Path.circle(grid.centre(cell), _RING_RADIUS) for cell in cells]
    if circles:
        path = Path.make_compound_path(*circles)
        _add(
            axes, path, label, facecolor=theme.WINDOW_FILL, edgecolor=theme.WINDOW, linewidth=1.4
        )  # fmt: skip


def cross(axes: Axes, grid: Grid, cells: Iterable[Cell], *, label: str = "cross") -> None:
    """Cross out ``cells``, which no window reads."""
    near, far = _CROSS_INSET, 1 - _CROSS_INSET
    ends: list[Segment] = []
    for row, column in cells:
        x, y = grid.x + column, grid.y + row
        ends.append(((x + near, y + near), (x + far, y + far)))
        ends.append(((x + near, y + far), (x + far, y + near)))
    strokes(axes, ends, colour=theme.WINDOW, width=1.2, label=label)


def padding_mask(
    shape: tuple[int, int], padding: tuple[tuple[int, int], tuple[int, int]]
) -> NDArray[np.bool_]:
    """Return a mask of a padded matrix of ``shape``: True for the cells that are padding."""
    (top, bottom), (left, right) = padding
    mask = np.ones(shape, dtype=bool)
    mask[top : shape[0] - bottom, left : shape[1] - right] = False
    return mask


def draw_grid(
    axes: Axes,
    values: ArrayLike,
    x: float,
    y: float,
    *,
    fill: str,
    padding: NDArray[np.bool_] | None = None,
    marked: Iterable[Cell] = (),
    ringed: Iterable[Cell] = (),
    crossed: Iterable[Cell] = (),
    mark_fill: str = theme.WINDOW_FILL,
    name: str = "",
) -> Grid:
    """Draw a matrix with a number in every cell and return its position.

    Args:
        axes: The axes of a `theme.canvas`.
        values: The matrix, (rows, columns).
        x: Left edge, in cells.
        y: Top edge, in cells.
        fill: Colour of an ordinary cell.
        padding: Mask of the cells that are padding, (rows, columns). They are hatched.
        marked: Cells filled with ``mark_fill``. Their numbers are bold.
        ringed: Cells with a ring around the number. Their numbers are bold.
        crossed: Cells that are crossed out and have no number.
        mark_fill: Colour of the marked cells.
        name: Label of the numbers, ``name[row,column]``, by which tests find them.

    Raises:
        ValueError: If ``values`` is not a matrix.
    """
    matrix = np.asarray(values)
    if matrix.ndim != 2:
        raise ValueError(f"`values` must be a matrix, got shape {matrix.shape}")
    rows, columns = matrix.shape
    grid = Grid(x, y, rows, columns)
    pads = np.zeros(matrix.shape, dtype=bool) if padding is None else padding
    rings, crosses = set(ringed), set(crossed)
    marks = set(marked)
    kinds: dict[str, list[Cell]] = {"cell": [], "padding": [], "marked": [], "unread": []}
    for cell in np.ndindex(rows, columns):
        row, column = cell
        if cell in marks:
            kinds["marked"].append((row, column))
        elif cell in crosses:
            kinds["unread"].append((row, column))
        elif pads[cell]:
            kinds["padding"].append((row, column))
        else:
            kinds["cell"].append((row, column))
    fills = {
        "cell": fill,
        "padding": theme.PAD,
        "marked": mark_fill,
        "unread": theme.UNREAD,
    }
    for kind, cells in kinds.items():
        corners = [(x + column, y + row, 1.0, 1.0) for row, column in cells]
        boxes(axes, corners, fill=fills[kind], label=kind)
    hatch(axes, [(x + column, y + row) for row, column in zip(*np.nonzero(pads), strict=True)])
    ring(axes, grid, sorted(rings))
    cross(axes, grid, sorted(crosses))
    numbers = {
        (cell[0], cell[1]): theme.number(value)
        for cell, value in np.ndenumerate(matrix)
        if cell not in crosses
    }
    # All numbers of a matrix have one size, so that a short one does not look more important.
    room = 0.74 if rings else 0.9
    bold = set(numbers) & (set(marks) | set(rings))
    size = min(
        (
            theme.fit(text, room, theme.NUMBER_POINTS, bold=cell in bold)
            for cell, text in numbers.items()
        ),
        default=theme.NUMBER_POINTS,
    )
    for cell, text in numbers.items():
        centre = grid.centre(cell)
        label = f"{name}[{cell[0]},{cell[1]}]"
        theme.write(axes, *centre, text, size=size, bold=cell in bold, label=label)
    return grid


def draw_key(axes: Axes, x: float, y: float, entries: Sequence[KeyEntry]) -> None:
    """Draw a key that explains outline, hatch, ring and cross, with one line per entry."""
    for place, entry in enumerate(entries):
        sample = Grid(x, y + place * _KEY_STEP, 1, 1)
        corner = (sample.x, sample.y)
        fill = {"window": theme.WINDOW_FILL, "padding": theme.PAD, "unread": theme.UNREAD}
        boxes(axes, [(*corner, 1.0, 1.0)], fill=fill.get(entry, theme.INPUT), label="key")
        if entry == "window":
            outline(axes, sample, (0, 0), (1, 1), label="key")
        elif entry == "padding":
            hatch(axes, [corner], label="key")
        elif entry == "read":
            ring(axes, sample, [(0, 0)], label="key")
        else:
            cross(axes, sample, [(0, 0)], label="key")
        words = {"read": "read", "unread": "never read"}.get(entry, entry)
        theme.write(axes, x + 1.3, sample.y + 0.5, words, ha="left", label="key")


def key_height(entries: Sequence[KeyEntry]) -> float:
    """Return the height of the key that `draw_key` draws for ``entries``, in cells."""
    return _KEY_STEP * len(entries) - (_KEY_STEP - 1)
