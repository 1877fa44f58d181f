"""Activations, drawn: channels of a layer as pictures, and small maps as shaded numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from cnnref._checks import as_array
from cnnref.figures import _theme as theme
from cnnref.figures._picture import draw_picture, draw_shaded

__all__ = ["Scale", "channel_rows", "shaded_maps"]

Scale = Literal["own", "row", "common"]

_MARGIN = 0.2
_GAP = 0.2
_HEADING = 1.0
_BELOW = 0.8
_MOST = 6
_PIXELS = 112
_SAID: dict[Scale, str] = {
    "own": "dark: zero, or the lowest number below; light: the largest of each picture",
    "row": "dark: zero, or the lowest number below; light: the largest of the row",
    "common": "dark: zero, or the lowest number below; light: the largest of all",
}


def channel_rows(
    rows: Sequence[tuple[str, ArrayLike]], *, scale: Scale = "row", labels: bool = True
) -> Figure:
    """Draw channels as pictures, one row per layer, and say what dark and light mean.

    Args:
        rows: Pairs of a heading and maps (K, H, W), with one to six maps.
        scale: Whether the lightest colour stands for the largest number of each picture (`own`),
            of its row (`row`) or of the whole figure (`common`). The darkest stands for zero or,
            if there are negative numbers, for the lowest.
        labels: Whether to write the range of its numbers under each picture.

    Raises:
        TypeError: If maps do not hold real numbers.
        ValueError: If there are no rows, maps are not finite or have the wrong shape, a row has
            too many, or `scale` is another word.
    """
    if scale not in _SAID:
        raise ValueError(f"`scale` ({scale!r}) must be 'own', 'row' or 'common'")
    if not rows:
        raise ValueError("`rows` is empty")
    checked = [(heading, _as_maps(maps)) for heading, maps in rows]
    most = max(len(maps) for _, maps in checked)
    width = (theme.WIDTH - 2 * _MARGIN - (most - 1) * _GAP) / most
    heights = [width * maps.shape[1] / maps.shape[2] for _, maps in checked]
    below = _BELOW if labels else 0.15
    total = sum(_HEADING + height + below for height in heights) + 1.0
    figure, axes = theme.canvas(theme.WIDTH, total)
    everything = _span(*(maps for _, maps in checked))
    y = 0.0
    for number, ((heading, maps), height) in enumerate(zip(checked, heights, strict=True)):
        size = theme.fit(heading, theme.WIDTH - 2 * _MARGIN, theme.LABEL_POINTS, bold=True)
        theme.write(
            axes, _MARGIN, y + 0.5, heading, ha="left", bold=True, size=size,
            label=f"heading {number}",
        )  # fmt: skip
        for place, values in enumerate(maps):
            x = _MARGIN + place * (width + _GAP)
            low, high = {"own": _span(values), "row": _span(maps), "common": everything}[scale]
            # A picture of equal numbers has no range. It is drawn dark.
            draw_picture(
                axes, values, x, y + _HEADING, width, low=low, high=high if high > low else low + 1,
                shades="viridis", enlarge=max(1, _PIXELS // values.shape[1]),
                name=f"map {number},{place}",
            )  # fmt: skip
            if labels:
                words = f"{_short(values.min())} to {_short(values.max())}"
                theme.write(
                    axes, x + width / 2, y + _HEADING + height + 0.4, words, colour=theme.MUTED,
                    size=theme.fit(words, width, 10.5), label=f"range {number},{place}",
                )  # fmt: skip
        y += _HEADING + height + below
    said = _SAID[scale]
    theme.write(
        axes, _MARGIN, y + 0.5, said, ha="left", colour=theme.MUTED,
        size=theme.fit(said, theme.WIDTH + 1.5, 11), label="scale",
    )  # fmt: skip
    return figure


def shaded_maps(maps: ArrayLike, names: Sequence[str]) -> Figure:
    """Draw small maps as shaded numbers: at the top on a common scale, below each on its own.

    Args:
        maps: (C, H, W), at most four maps with at most four rows and columns.
        names: The heading of each map.

    Raises:
        TypeError: If the maps do not hold real numbers.
        ValueError: If the shape is wrong or too large, or there is not one name per map.
    """
    channels = _as_maps(maps)
    count, rows, columns = channels.shape
    if count > 4 or rows > 4 or columns > 4 or count * (columns + 2) > theme.WIDTH:
        raise ValueError(f"`maps` (of shape {channels.shape}) does not fit in the figure")
    if len(names) != count:
        raise ValueError(f"`names` holds {len(names)} names for {count} maps")
    line = 2.2 + rows
    width = max(2 * _MARGIN + count * (columns + 2) - 2, 12.0)
    figure, axes = theme.canvas(width, 2 * line + 0.2)
    everything = _span(channels)
    for place, heading in enumerate(("one scale for all", "each on its own scale")):
        top = place * line
        theme.write(axes, _MARGIN, top + 0.5, heading, ha="left", bold=True, label="heading")
        for channel, (name, values) in enumerate(zip(names, channels, strict=True)):
            x = _MARGIN + channel * (columns + 2)
            theme.write(
                axes, x, top + 1.4, name, ha="left", size=theme.fit(name, columns + 1.7, 12),
                label=f"name {place},{channel}",
            )  # fmt: skip
            low, high = everything if place == 0 else _span(values)
            draw_shaded(
                axes, values, x, top + 2.0, low=low, high=high if high > low else low + 1,
                decimals=0 if (values == np.round(values)).all() else 1,
                name=f"{'common' if place == 0 else 'own'} {channel}",
            )  # fmt: skip
    return figure


def _as_maps(value: ArrayLike) -> NDArray[Any]:
    maps = as_array(value, "maps")
    if maps.ndim != 3 or 0 in maps.shape:
        raise ValueError(f"`maps` has shape {maps.shape}; it must be (K, H, W)")
    if len(maps) > _MOST:
        raise ValueError(f"`maps` holds {len(maps)} maps: a row has room for at most {_MOST}")
    if not np.isfinite(maps).all():
        raise ValueError("`maps` must be finite: it holds NaN or an infinity")
    return maps


def _span(*arrays: NDArray[Any]) -> tuple[float, float]:
    """Return the lowest and the largest number, including zero, so that dark means no response."""
    return (
        min(0.0, *(float(one.min()) for one in arrays)),
        max(0.0, *(float(one.max()) for one in arrays)),
    )


def _short(value: float) -> str:
    return theme.number(float(f"{float(value):.2g}"))
