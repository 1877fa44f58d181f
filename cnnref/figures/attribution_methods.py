"""Maps of several methods for one small image, drawn as shaded numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_array, as_int
from cnnref.figures import _theme as theme
from cnnref.figures._picture import draw_shaded

__all__ = ["small_maps"]

_MARGIN = 0.2


def small_maps(maps: Sequence[tuple[str, ArrayLike]], *, columns: int = 3) -> Figure:
    """Draw small maps as shaded numbers, each under its heading, with a common scale.

    Args:
        maps: Pairs of a heading and a map (H, W), at most four cells a side.
        columns: Maps per row.

    Raises:
        TypeError: If a map does not hold real numbers.
        ValueError: If there are no maps, or one is not a matrix, is too large, or is not finite.
    """
    if not maps:
        raise ValueError("`maps` is empty")
    across = min(as_int(columns, "columns", 1), len(maps))
    checked = [(heading, as_array(values, "maps")) for heading, values in maps]
    for heading, values in checked:
        if values.ndim != 2 or not 0 < min(values.shape) <= max(values.shape) <= 4:
            raise ValueError(
                f"`maps` holds {heading} of shape {values.shape}; it must be at most (4, 4)"
            )
        if not np.isfinite(values).all():
            raise ValueError(f"`maps` holds {heading}, which is not finite")
    side = max(values.shape[1] for _, values in checked)
    tall = max(values.shape[0] for _, values in checked)
    step = max(side + 0.8, (theme.WIDTH - 2 * _MARGIN) / across)
    rows = -(-len(checked) // across)
    figure, axes = theme.canvas(2 * _MARGIN + across * step, rows * (tall + 1.5))
    low = min(0.0, *(float(values.min()) for _, values in checked))
    high = max(0.0, *(float(values.max()) for _, values in checked))
    for place, (heading, values) in enumerate(checked):
        x = _MARGIN + (place % across) * step
        y = (place // across) * (tall + 1.5)
        theme.write(
            axes, x, y + 0.5, heading, ha="left", bold=True, label=f"heading {place}",
            size=theme.fit(heading, step - 0.3, theme.LABEL_POINTS, bold=True),
        )  # fmt: skip
        draw_shaded(
            axes, values, x, y + 1.0, low=low, high=high if high > low else low + 1,
            decimals=0 if (values == np.round(values)).all() else 1, name=f"map {place}",
        )  # fmt: skip
    return figure
