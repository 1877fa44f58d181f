"""Pyramids, drawn: the levels of a picture, the window on each, and halving without a blur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from cnnref._checks import as_array, as_int, as_pair
from cnnref.figures import _theme as theme
from cnnref.figures._grid import draw_grid
from cnnref.figures._picture import as_picture, draw_picture
from cnnref.ops.pyramids import blur, gaussian_pyramid, laplacian_pyramid, pyramid_reduce

__all__ = ["decimated_pictures", "decimated_row", "laplacian_levels", "window_on_levels"]

_MARGIN = 0.2
_HEADING = 0.95
_GAP = 0.4
_WORDS = 2.5  # room for the text under a small picture
_MOST_PIXELS = 16


def window_on_levels(
    input: ArrayLike,
    window: int | tuple[int, int],
    places: Sequence[tuple[int, int]],
    notes: Sequence[str] = (),
) -> Figure:
    """Draw the levels of a Gaussian pyramid at true size, the same window on each.

    The windows are equally large on their levels. Dashed outlines on the largest level show what
    each covers of the original: $2^l$ times its size on level $l$.

    Args:
        input: One channel, (H, W) or (1, H, W).
        window: The window's size in pixels, an int or a (height, width) pair.
        places: The (row, column) of the window's top left pixel on each level. There are as many
            levels as places.
        notes: A line of text for each level, or none.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the input has the wrong shape, there are too many levels, a window lies
            outside its level, or the number of notes is not that of the levels.
    """
    image = as_picture(input, "input")
    height, width = as_pair(window, "window", 1)
    levels = [level[0] for level in gaussian_pyramid(image[None], len(places))]
    if notes and len(notes) != len(levels):
        raise ValueError(f"`notes` holds {len(notes)} lines for {len(levels)} levels")
    for index, (level, place) in enumerate(zip(levels, places, strict=True)):
        row, column = as_pair(place, "places", 0)
        if row + height > level.shape[0] or column + width > level.shape[1]:
            raise ValueError(
                f"the window at {place} of level {index} must lie inside its "
                f"{level.shape[0]}×{level.shape[1]} pixels"
            )
    scale = _common_scale([level.shape[1] for level in levels])
    tall = levels[0].shape[0] * scale
    lines = 2 if notes else 1
    figure, axes = theme.canvas(theme.WIDTH, _HEADING + tall + 0.85 * lines + 2 * _MARGIN)
    x = _MARGIN
    low, high = float(image.min()), float(image.max())
    first = None
    for index, (level, place) in enumerate(zip(levels, places, strict=True)):
        picture = draw_picture(
            axes, level, x, _HEADING, level.shape[1] * scale, low=low, high=high,
            name=f"level {index}",
        )  # fmt: skip
        first = first or picture
        if index:
            corner = (place[0] * 2**index, place[1] * 2**index)
            covered = (height * 2**index, width * 2**index)
            first.box(axes, corner, covered, label=f"covered {index}", dashed=True)
        picture.box(axes, place, (height, width), label=f"window {index}")
        theme.write(axes, x, _HEADING - 0.45, f"level {index}", ha="left", bold=True)
        words = [f"{level.shape[0]}×{level.shape[1]}", *notes[index : index + 1]]
        for line, text in enumerate(words):
            y = _HEADING + picture.height + 0.55 + 0.85 * line
            size = theme.fit(text, max(picture.width, _WORDS) + _GAP / 2, 11)
            theme.write(axes, x, y, text, ha="left", size=size, label=f"note {index}")
        x += max(picture.width, _WORDS) + _GAP
    return figure


def _common_scale(widths: Sequence[int]) -> float:
    """Return the largest scale at which the pictures, and the text under small ones, fit."""
    free = theme.WIDTH - 2 * _MARGIN - _GAP * (len(widths) - 1)
    low, high = 0.0, free / widths[0]
    for _ in range(40):
        middle = (low + high) / 2
        fits = sum(max(width * middle, _WORDS) for width in widths) <= free
        low, high = (middle, high) if fits else (low, middle)
    return low


def laplacian_levels(input: ArrayLike, levels: int) -> Figure:
    """Draw the Gaussian pyramid and, under it, the Laplacian one, at true size.

    In a difference, middle grey is zero. Each difference is stretched to its own largest number,
    which is written below it. The last level of both pyramids is the same picture.

    Args:
        input: One channel, (H, W) or (1, H, W).
        levels: The number of levels.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the input has the wrong shape, or there are too many levels.
    """
    image = as_picture(input, "input")
    count = as_int(levels, "levels", 1)
    pyramids = {
        "Gaussian": [level[0] for level in gaussian_pyramid(image[None], count)],
        "Laplacian": [level[0] for level in laplacian_pyramid(image[None], count)],
    }
    widths = [level.shape[1] for level in pyramids["Gaussian"]]
    scale = (theme.WIDTH - 2 * _MARGIN - _GAP * (count - 1)) / sum(widths)
    tall = image.shape[0] * scale
    block = _HEADING + tall + 0.9
    figure, axes = theme.canvas(theme.WIDTH, 2 * block + _MARGIN)
    for line, (name, pictures) in enumerate(pyramids.items()):
        x, y = _MARGIN, _HEADING + line * block
        theme.write(axes, x, y - 0.45, f"{name} pyramid", ha="left", bold=True)
        for index, level in enumerate(pictures):
            difference = name == "Laplacian" and index < count - 1
            most = max(float(np.abs(level).max()), 1e-300)
            low, high = (-most, most) if difference else (float(image.min()), float(image.max()))
            picture = draw_picture(
                axes, level, x, y, level.shape[1] * scale, low=low, high=high,
                name=f"{name} {index}",
            )  # fmt: skip
            words = f"±{theme.number(round(most, 1))}" if difference else ""
            if words and picture.width > 1.5:
                below = y + picture.height + 0.5
                theme.write(axes, x, below, words, ha="left", size=10.5, label=f"range {index}")
            x += picture.width + _GAP
    return figure


def decimated_row(row: ArrayLike) -> Figure:
    """Draw a row of pixels, every second one of them, and every second one after a blur.

    The blur is that of the pyramid, along the row, mirrored at its ends. The first, third, fifth …
    pixels are kept.

    Args:
        row: 3 to 16 numbers, (W,).

    Raises:
        TypeError: If the row does not hold real numbers.
        ValueError: If it has another shape.
    """
    pixels = as_array(row, "row")
    if pixels.ndim != 1 or not 3 <= len(pixels) <= _MOST_PIXELS:
        raise ValueError(
            f"`row` has shape {pixels.shape}; it must be 3 to {_MOST_PIXELS} numbers in a row"
        )
    blurred = blur(np.broadcast_to(pixels, (1, 3, len(pixels))))[0, :1]
    lines: tuple[tuple[str, str, NDArray[Any]], ...] = (
        ("pixels", "pixels", pixels[None]),
        ("every second", "every second pixel", pixels[None, ::2]),
        ("blurred", "blurred", blurred),
        ("blurred, every second", "blurred, every second pixel", blurred[:, ::2]),
    )
    step = 1 + _HEADING + 0.25
    figure, axes = theme.canvas(
        max(len(pixels), 10) + 2 * _MARGIN, step * len(lines) + _MARGIN - 0.25
    )
    for place, (name, words, values) in enumerate(lines):
        y = _HEADING + place * step
        kept = [(0, column) for column in range(0, len(pixels), 2)]
        draw_grid(
            axes, values, _MARGIN, y, fill=theme.OUTPUT if place % 2 else theme.INPUT,
            ringed=() if place % 2 else kept, name=name,
        )  # fmt: skip
        theme.write(axes, _MARGIN, y - 0.45, words, ha="left", bold=bool(place % 2))
    return figure


def decimated_pictures(input: ArrayLike, steps: int = 1) -> Figure:
    """Draw a picture, and the picture halved without and with a blur, all at one size.

    Args:
        input: One channel, (H, W) or (1, H, W).
        steps: How many times to halve it.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If the input has the wrong shape or is too small.
    """
    image = as_picture(input, "input")
    count = as_int(steps, "steps", 1)
    factor = 2**count
    blurred = image[None]
    for _ in range(count):
        blurred = pyramid_reduce(blurred)
    shown = (
        ("original", image, 1),
        ("no blur", image[::factor, ::factor], factor),
        ("blurred first", blurred[0], factor),
    )
    side = (theme.WIDTH - 2 * _MARGIN - 2 * _GAP) / 3
    figure, axes = theme.canvas(theme.WIDTH, _HEADING + side * image.shape[0] / image.shape[1] + 1)
    for place, (name, picture, enlarge) in enumerate(shown):
        x = _MARGIN + place * (side + _GAP)
        drawn = draw_picture(
            axes, picture, x, _HEADING, side, low=float(image.min()), high=float(image.max()),
            enlarge=enlarge, name=name,
        )  # fmt: skip
        theme.write(axes, x, _HEADING - 0.45, name, ha="left", bold=True)
        words = f"{picture.shape[0]}×{picture.shape[1]}"
        y = _HEADING + drawn.height + 0.5
        theme.write(axes, x, y, words, ha="left", size=10.5, label=f"size {name}")
    return figure
