"""Why pool, drawn: the same filter covers more of the image after each pooling."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from cnnref._checks import as_int
from cnnref.figures import _theme as theme
from cnnref.figures._grid import Grid, boxes, draw_grid, outline

__all__ = ["same_filter_sees_more"]

_MARGIN = 0.2
_MOST_PIXELS = 16


def same_filter_sees_more(
    input_size: int = 16, kernel_size: int = 3, levels: int = 3, pool: int = 2
) -> Figure:
    """Draw a line of pixels and the maps pooled from it, with the same filter on each.

    Each pooled cell is drawn as wide as the pixels that it summarises, so that the filter's outline
    shows what it covers of the image.

    Args:
        input_size: Number of pixels, a multiple of ``pool ** (levels - 1)``.
        kernel_size: Cells the filter reads.
        levels: Number of lines: one for the image and one for each pooling.
        pool: Kernel size and stride of the pooling.

    Raises:
        ValueError: If a number is too small, there are more than 16 pixels, their number is not
            such a multiple, or the last map is smaller than the filter.
        TypeError: If a number is not an integer.
    """
    pixels, kernel = as_int(input_size, "input_size", 1), as_int(kernel_size, "kernel_size", 1)
    count, factor = as_int(levels, "levels", 1), as_int(pool, "pool", 2)
    last = factor ** (count - 1)
    if pixels > _MOST_PIXELS:
        raise ValueError(f"`input_size` ({pixels}) must be at most {_MOST_PIXELS}")
    if pixels % last or pixels // last < kernel:
        raise ValueError(
            f"`input_size` ({pixels}) must be a multiple of {last} and hold {kernel} cells of the "
            "last map"
        )
    line = 2.5
    figure, axes = theme.canvas(max(pixels, 14.5) + 2 * _MARGIN, line * count + _MARGIN)
    for level in range(count):
        size = factor**level
        y = level * line + 1
        words = "image" if level == 0 else f"pooled {level}×"
        heading = f"{words}: the filter covers {kernel * size} pixels"
        theme.write(axes, _MARGIN, y - 0.5, heading, ha="left", label=f"heading {level}")
        if level == 0:
            draw_grid(
                axes, np.arange(1, pixels + 1)[None], _MARGIN, y, fill=theme.INPUT, name="pixel",
                marked=[(0, column) for column in range(kernel)],
            )  # fmt: skip
        else:
            cells = [(_MARGIN + i * size, y, float(size), 1.0) for i in range(pixels // size)]
            boxes(axes, cells[:kernel], fill=theme.WINDOW_FILL, label=f"seen {level}")
            boxes(axes, cells[kernel:], fill=theme.OUTPUT, label=f"cell {level}")
        outline(axes, Grid(_MARGIN, y, 1, pixels), (0, 0), (1, kernel * size))
    return figure
