"""Which axis holds the channels, drawn: a list of tokens, and the map it becomes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_array, as_int
from cnnref.figures import _theme as theme
from cnnref.figures._grid import arrow, draw_grid

__all__ = ["tokens_and_map"]

_MARGIN = 0.2


def tokens_and_map(tokens: ArrayLike, size: tuple[int, int], *, skip: int = 1) -> Figure:
    """Draw one channel of a list of tokens, and the map that its patches make.

    The tokens at the start that belong to no place in the image, such as the class token, are
    crossed out. The rest fill the map row by row.

    Args:
        tokens: One number per token, (skip + rows × columns,), at most 13.
        size: Rows and columns of the map.
        skip: How many tokens at the start belong to no place.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the tokens do not fill the map, or do not fit in the figure.
    """
    row = as_array(tokens, "tokens")
    rows, columns = (as_int(side, "size", 1) for side in size)
    first = as_int(skip, "skip", 0)
    if row.ndim != 1 or len(row) != first + rows * columns:
        raise ValueError(
            f"`tokens` has shape {row.shape}; it must be ({first + rows * columns},): "
            f"`skip` ({first}) and {rows}×{columns} patches"
        )
    if len(row) > 13:
        raise ValueError(f"`tokens` ({len(row)} of them) must be at most 13 to fit in the figure")
    figure, axes = theme.canvas(max(len(row), columns, 9) + 2 * _MARGIN, 5.3 + rows)
    theme.write(axes, _MARGIN, 0.5, "one channel of the tokens", ha="left", bold=True)
    draw_grid(
        axes, row[None], _MARGIN, 1.0, fill=theme.INPUT, crossed=[(0, k) for k in range(first)],
        name="token",
    )  # fmt: skip
    if first:
        words = "crossed out: not a patch"
        theme.write(axes, _MARGIN, 2.5, words, ha="left", colour=theme.MUTED, size=11, label="note")
    arrow(axes, (_MARGIN + 0.5, 3.0), (_MARGIN + 0.5, 3.9))
    theme.write(axes, _MARGIN, 4.5, "its map", ha="left", bold=True, label="map heading")
    patches = np.asarray(row[first:]).reshape(rows, columns)
    draw_grid(axes, patches, _MARGIN, 5.0, fill=theme.OUTPUT, name="map")
    return figure
