"""Maps of evidence, drawn: over their photograph, and as a weighted sum in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from cnnref._checks import as_array, as_int
from cnnref.figures import _theme as theme
from cnnref.figures._grid import draw_grid
from cnnref.figures._picture import as_colours, draw_colours

__all__ = ["overlays", "weighted_sum"]

_MARGIN = 0.2
_HEADING = 1.0
_GAP = 0.35
_BAR = 0.5
_OPACITY = 0.6
_MOST_PIXELS = 256


def overlays(
    photograph: ArrayLike,
    maps: Sequence[tuple[str, ArrayLike]],
    *,
    scale: Literal["common", "own"] = "common",
    columns: int = 3,
    title: str = "photograph",
) -> Figure:
    """Draw a photograph, then maps over it, with a bar that shows what the colours mean.

    Under a map the photograph is grey and shines through. The bar shows the colours of the map
    without the photograph.

    Args:
        photograph: uint8, (H, W, 3).
        maps: Pairs of a heading and a map (H, W) without negative numbers.
        scale: Whether the brightest colour stands for the largest number of all maps (`common`), so
            that they can be compared, or of each map (`own`).
        columns: Pictures per row, including the photograph.
        title: Heading of the photograph.

    Raises:
        TypeError: If the photograph is not uint8, or a map does not hold real numbers.
        ValueError: If a shape is wrong, a map holds a number that is negative or not finite, there
            are no maps, or `scale` is another word.
    """
    picture = as_colours(photograph, "photograph")
    if not maps:
        raise ValueError("`maps` is empty")
    if scale not in ("common", "own"):
        raise ValueError(f"`scale` ({scale!r}) must be 'common' or 'own'")
    across = min(as_int(columns, "columns", 1), len(maps) + 1)
    checked = [(heading, _as_map(values, picture)) for heading, values in maps]
    largest = max(float(values.max()) for _, values in checked)

    width = (theme.WIDTH - 2 * _MARGIN - (across - 1) * _GAP) / across
    height = width * picture.shape[0] / picture.shape[1]
    rows = -(-(len(maps) + 1) // across)
    line = _HEADING + height + (1.1 if scale == "own" else 0.0)
    figure, axes = theme.canvas(theme.WIDTH, rows * line + 0.3 + (1.5 if scale == "common" else 0))
    grey = np.repeat(picture.mean(axis=2, keepdims=True) / 255, 3, axis=2)
    for place, (heading, values) in enumerate([(title, None), *checked]):
        x = _MARGIN + (place % across) * (width + _GAP)
        y = (place // across) * line
        size = theme.fit(heading, width, theme.LABEL_POINTS, bold=True)
        theme.write(
            axes, x, y + 0.5, heading, ha="left", bold=True, size=size, label=f"heading {place}"
        )
        corner = (x, y + _HEADING)
        if values is None:
            _draw(axes, picture / 255, corner, width, height, name="photograph")
            continue
        most = largest if scale == "common" else float(values.max())
        colours = mpl.colormaps["viridis"](values / most if most else values)[:, :, :3]
        mixed = (1 - _OPACITY) * grey + _OPACITY * colours
        _draw(axes, mixed, corner, width, height, name=f"map {place - 1}")
        if scale == "own":
            _bar(axes, x, y + _HEADING + height + 0.15, width, most)
    if scale == "common":
        _bar(axes, _MARGIN, rows * line + 0.3, theme.WIDTH - 2 * _MARGIN, largest)
    return figure


def weighted_sum(maps: ArrayLike, weights: ArrayLike, *, heading: str = "weight × map") -> Figure:
    """Draw small maps with their weights, their weighted sum, and the sum after a ReLU.

    Args:
        maps: (C, H, W), with at most three columns and four channels.
        weights: (C,).
        heading: The heading of the maps.

    Raises:
        TypeError: If an argument does not hold real numbers.
        ValueError: If a shape is wrong or too large for the figure.
    """
    channels, factors = as_array(maps, "maps"), as_array(weights, "weights")
    if channels.ndim != 3 or factors.shape != channels.shape[:1] or 0 in channels.shape:
        raise ValueError(
            f"`maps` of shape {channels.shape} and `weights` of shape {factors.shape} must be "
            "(C, H, W) and (C,)"
        )
    count, rows, columns = channels.shape
    if count > 4 or columns > 3 or rows > 4:
        raise ValueError(f"`maps` (of shape {channels.shape}) does not fit in the figure")
    total = np.tensordot(factors, channels, axes=1)
    weight_width = 2.0
    sums = _MARGIN + weight_width + columns + 1.3
    bottom = 1.0 + count * (rows + 0.6)
    figure, axes = theme.canvas(sums + 2 * columns + 2.2 + _MARGIN, bottom)
    theme.write(axes, _MARGIN, 0.5, heading, ha="left", bold=True, label="heading")
    for channel, (factor, values) in enumerate(zip(factors, channels, strict=True)):
        y = 1.0 + channel * (rows + 0.6)
        words = f"{theme.number(float(factor))} ×"
        theme.write(
            axes, _MARGIN + weight_width - 0.3, y + rows / 2, words, ha="right",
            size=theme.fit(words, weight_width - 0.3, theme.NUMBER_POINTS),
            label=f"weight {channel}",
        )  # fmt: skip
        draw_grid(axes, values, _MARGIN + weight_width, y, fill=theme.INPUT, name=f"map {channel}")
    middle = 1.0 + (bottom - 1.0 - rows - 0.6) / 2
    theme.write(axes, sums - 0.65, middle + rows / 2, "=", size=theme.NUMBER_POINTS, label="equals")
    theme.write(axes, sums, middle - 0.45, "sum", ha="left", bold=True, label="sum heading")
    draw_grid(axes, total, sums, middle, fill=theme.FILTER, name="sum")
    last = sums + columns + 1.6
    theme.write(axes, last - 0.8, middle + rows / 2, "→", size=theme.NUMBER_POINTS, label="arrow")
    theme.write(axes, last, middle - 0.45, "ReLU", ha="left", bold=True, label="ReLU heading")
    draw_grid(axes, np.maximum(total, 0), last, middle, fill=theme.OUTPUT, name="ReLU")
    return figure


def _as_map(value: ArrayLike, picture: NDArray[Any]) -> NDArray[Any]:
    values = as_array(value, "maps")
    if values.shape != picture.shape[:2]:
        raise ValueError(
            f"`maps` holds a map of shape {values.shape}; it must have that of the photograph, "
            f"{picture.shape[:2]}"
        )
    if not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("`maps` holds a number that is negative or not finite")
    return values


def _draw(
    axes: Axes, colours: NDArray[Any], corner: tuple[float, float], width: float, height: float,
    *, name: str,
) -> None:  # fmt: skip
    # A phone shows no more pixels, and the page stays small.
    step = -(-max(colours.shape[:2]) // _MOST_PIXELS)
    shown = np.round(colours[::step, ::step] * 255).astype(np.uint8)
    draw_colours(axes, shown, corner, (width, height), name=name)


def _bar(axes: Axes, x: float, y: float, width: float, largest: float) -> None:
    """Draw the colours from 0 to the largest number, with a number at each end."""
    left, right = x + 0.7, x + width - 1.7
    colours = mpl.colormaps["viridis"](np.linspace(0, 1, 256))[None, :, :3]
    _draw(axes, colours.repeat(8, axis=0), (left, y), right - left, _BAR, name="bar")
    theme.write(axes, left - 0.2, y + _BAR / 2, "0", ha="right", label="bar low")
    words = f"{largest:.2g}" if largest else "0"
    theme.write(axes, right + 0.2, y + _BAR / 2, words, ha="left", label="bar high")
