"""Draw a matrix that is too large for numbers as a picture, or cells shaded by their value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import PathPatch
from numpy.typing import ArrayLike, NDArray

from cnnref._checks import as_array
from cnnref.figures import _theme as theme
from cnnref.figures._grid import boxes, rectangle

__all__ = [
    "Map",
    "Picture",
    "as_colours",
    "as_picture",
    "draw_colours",
    "draw_picture",
    "draw_shaded",
]

Map = Literal["gray", "viridis"]

# A picture does not follow the page's palette, so what is drawn on it must not either. These are
# not colours of the theme, so `to_svg` leaves them as they are.
_DARK, _LIGHT, _OUTLINE = "#101214", "#ffffff", "#b83c0a"


@dataclass(frozen=True)
class Picture:
    """The position of a picture on the canvas; `scale` is the side of one pixel, in cells."""

    x: float
    y: float
    rows: int
    columns: int
    scale: float

    @property
    def width(self) -> float:
        """The width on the canvas, in cells."""
        return self.columns * self.scale

    @property
    def height(self) -> float:
        """The height on the canvas, in cells."""
        return self.rows * self.scale

    def box(
        self,
        axes: Axes,
        corner: tuple[float, float],
        size: tuple[float, float],
        *,
        label: str,
        dashed: bool = False,
    ) -> None:
        """Outline ``size`` = (rows, columns) pixels, with their top left corner at ``corner``.

        A light line under the coloured one keeps the outline visible on every picture.
        """
        x, y = self.x + corner[1] * self.scale, self.y + corner[0] * self.scale
        width, height = size[1] * self.scale, size[0] * self.scale
        path = rectangle(x, y, width, height)
        styles: tuple[tuple[str, float, str, Any], ...] = (
            (_LIGHT, 4.2, "halo", "solid"),
            (_OUTLINE, 2.2, label, (0, (1.4, 1.2)) if dashed else "solid"),
        )
        for colour, line, name, style in styles:
            axes.add_patch(
                PathPatch(
                    path, label=name, clip_on=False, facecolor="none", edgecolor=colour,
                    linewidth=line, linestyle=style, joinstyle="miter",
                )
            )  # fmt: skip


def as_picture(value: ArrayLike, name: str) -> NDArray[Any]:
    """Return a matrix (H, W) from (H, W) or (1, H, W).

    Raises:
        TypeError: If it does not hold real numbers.
        ValueError: If it has another shape, is empty, or holds NaN or an infinity.
    """
    array = as_array(value, name)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"`{name}` has shape {array.shape}; it must be (H, W) or (1, H, W)")
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}` must be finite: it holds NaN or an infinity")
    return array


def draw_picture(
    axes: Axes,
    values: NDArray[Any],
    x: float,
    y: float,
    width: float,
    *,
    low: float,
    high: float,
    shades: Map = "gray",
    enlarge: int = 1,
    name: str = "",
) -> Picture:
    """Draw a matrix as an image, one pixel per number, and return its position.

    Args:
        axes: The axes of a `theme.canvas`.
        values: The matrix, (H, W).
        x: Left edge, in cells.
        y: Top edge, in cells.
        width: Width, in cells.
        low: The number drawn darkest.
        high: The number drawn lightest.
        shades: The colour map. Both are perceptually uniform and ordered by lightness.
        enlarge: How many times to repeat each pixel down and across, for a picture shown larger
            than it is. A browser would blur it otherwise.
        name: Label of the image, by which tests find it.
    """
    scale = width / values.shape[1]
    height = values.shape[0] * scale
    shown = np.repeat(np.repeat(values, enlarge, 0), enlarge, 1)
    with theme.rc_context():
        artist = axes.imshow(
            shown, cmap=shades, vmin=low, vmax=high, interpolation="none",
            extent=(x, x + width, y + height, y), aspect="auto",
        )  # fmt: skip
    artist.set_label(name)
    artist.set_clip_on(False)
    return Picture(x, y, values.shape[0], values.shape[1], scale)


def as_colours(value: ArrayLike, name: str) -> NDArray[np.uint8]:
    """Return a colour picture of dtype uint8, (H, W, 3).

    Args:
        value: The picture.
        name: The name of the argument, for error messages.

    Raises:
        TypeError: If its dtype is not uint8.
        ValueError: If it has another shape or no pixels.
    """
    picture: NDArray[Any] = np.asarray(value)
    if picture.dtype != np.uint8:
        raise TypeError(f"`{name}` holds a picture of dtype {picture.dtype}; it must be uint8")
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"`{name}` holds a picture of shape {picture.shape}; it must be (H, W, 3)")
    return picture


def draw_colours(
    axes: Axes,
    picture: NDArray[np.uint8],
    corner: tuple[float, float],
    size: tuple[float, float],
    *,
    name: str,
    least: int = 0,
) -> None:
    """Draw a colour picture in a box of the canvas.

    Args:
        axes: The axes of a `theme.canvas`.
        picture: The picture, (H, W, 3).
        corner: Left and top edge of the box, in cells.
        size: Width and height of the box, in cells.
        name: Label of the image, by which tests find it.
        least: Repeat the pixels until there are about as many across. A browser would blur fewer.
    """
    enlarge = max(1, least // picture.shape[1])
    shown = picture.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
    (x, y), (width, height) = corner, size
    with theme.rc_context():
        artist = axes.imshow(
            shown, interpolation="none", extent=(x, x + width, y + height, y), aspect="auto"
        )
    artist.set_label(name)
    artist.set_clip_on(False)


def draw_shaded(
    axes: Axes,
    values: ArrayLike,
    x: float,
    y: float,
    *,
    low: float,
    high: float,
    decimals: int = 0,
    name: str,
) -> Picture:
    """Draw a matrix as cells shaded by their value, with numbers, and return its position.

    Args:
        axes: The axes of a `theme.canvas`.
        values: The matrix, (rows, columns).
        x: Left edge, in cells.
        y: Top edge, in cells.
        low: The number drawn darkest.
        high: The number drawn lightest.
        decimals: How many decimals to write.
        name: Label of the numbers, ``name[row,column]``, by which tests find them.
    """
    # Adding 0 turns a -0.0 that rounding gives into 0.
    matrix = np.round(np.asarray(values, dtype=float), decimals) + 0.0
    norm, colours = Normalize(low, high, clip=True), mpl.colormaps["viridis"]
    texts = {
        (row, column): f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}").replace("0.", ".")
        if abs(value) < 1 and value and decimals
        else f"{value:.0f}".replace("-", "\N{MINUS SIGN}")
        for (row, column), value in np.ndenumerate(matrix)
    }
    # A decimal point is half as wide as a digit.
    size = min(
        theme.fit(text.replace(".", ""), 0.86 - 0.2 * text.count("."), theme.NUMBER_POINTS)
        for text in texts.values()
    )
    for cell, text in texts.items():
        colour = colours(float(norm(matrix[cell])))
        corner = (x + cell[1], y + cell[0], 1.0, 1.0)
        boxes(axes, [corner], fill=mpl.colors.to_hex(colour), label="shaded")
        theme.write(
            axes, corner[0] + 0.5, corner[1] + 0.5, text, size=size,
            colour=_readable_on(colour), label=f"{name}[{cell[0]},{cell[1]}]",
        )  # fmt: skip
    return Picture(x, y, matrix.shape[0], matrix.shape[1], 1.0)


def _readable_on(colour: tuple[float, float, float, float]) -> str:
    """Return the darker or lighter text colour, whichever has more contrast (WCAG 2) here."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return _DARK if luminance > 0.183 else _LIGHT
