"""Template matching, drawn: the responses cell by cell, on a photograph, and as an angle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc, FancyArrow
from numpy.typing import ArrayLike, NDArray

from cnnref._checks import as_array
from cnnref.figures import _theme as theme
from cnnref.figures._checks import refuse_larger
from cnnref.figures._grid import Grid, boxes, draw_grid, outline, strokes
from cnnref.figures._picture import as_picture, draw_picture, draw_shaded
from cnnref.ops.template_matching import cross_correlation, normalized_cross_correlation

__all__ = ["on_a_picture", "responses", "two_pixels"]

_MOST_CELLS = 9
_MARGIN = 0.2
_HEADING = 0.95


def responses(input: ArrayLike, template: ArrayLike) -> Figure:
    """Draw an image, a template, and the raw and the normalised response, number by number.

    The best place is outlined in each response, and as a window on the image, with a dashed line
    for the raw form. Shades go from the lowest number (dark) to the highest (light).

    Args:
        input: One channel, (H, W) or (1, H, W).
        template: The patch to look for, (h, w) or (1, h, w).

    Raises:
        ValueError: If an argument has the wrong shape, a side of the image is above 9, or
            `normalized_cross_correlation` refuses them.
        TypeError: If an argument does not hold real numbers.
    """
    image, patch = as_picture(input, "input"), as_picture(template, "template")
    refuse_larger(image.shape, _MOST_CELLS, "`input`")
    raw = cross_correlation(image[None], patch[None])[0]
    normalised = normalized_cross_correlation(image[None], patch[None])[0]
    best = {"raw": _largest(raw), "normalised": _largest(normalised)}

    rows, columns = image.shape
    out_rows, out_columns = raw.shape
    panel, gap = max(out_columns, 7), 1.0
    template_x = _MARGIN + columns + gap
    width = max(2 * _MARGIN + 2 * panel + gap, template_x + max(patch.shape[1], 5) + _MARGIN)
    top = max(rows, patch.shape[0] + 4.4)
    response_y = _HEADING + top + 1.9
    figure, axes = theme.canvas(width, response_y + out_rows + _MARGIN)

    grid = draw_grid(axes, image, _MARGIN, _HEADING, fill=theme.INPUT, name="input")
    theme.write(axes, _MARGIN, _HEADING - 0.45, "image", ha="left", bold=True)
    for form, cell in best.items():
        _window(axes, grid, cell, patch.shape, form)
    draw_grid(axes, patch, template_x, _HEADING, fill=theme.FILTER, name="template")
    theme.write(axes, template_x, _HEADING - 0.45, "template", ha="left", bold=True)
    key_y = _HEADING + patch.shape[0] + 0.9
    theme.write(axes, template_x, key_y, "best window", ha="left")
    for place, form in enumerate(("normalised", "raw")):
        y = key_y + 0.7 + 1.3 * place
        boxes(axes, [(template_x, y, 1.0, 1.0)], fill=theme.INPUT, label="key")
        _window(axes, Grid(template_x, y, 1, 1), (0, 0), (1, 1), form, label="key")
        theme.write(axes, template_x + 1.3, y + 0.5, form, ha="left", label="key")

    shown: tuple[tuple[str, NDArray[Any], int], ...] = (
        ("raw", raw, 0),
        ("normalised", normalised, 1),
    )
    for place, (form, values, decimals) in enumerate(shown):
        x = _MARGIN + place * (panel + gap)
        response = draw_shaded(
            axes, values, x, response_y, low=float(values.min()), high=float(values.max()),
            decimals=decimals, name=form,
        )  # fmt: skip
        response.box(axes, best[form], (1, 1), label=f"best {form}", dashed=form == "raw")
        row, column = best[form]
        theme.write(axes, x, response_y - 1.15, f"{form} response", ha="left", bold=True)
        words = f"largest: row {row + 1}, column {column + 1}"
        theme.write(axes, x, response_y - 0.4, words, ha="left", size=10.5, label=f"where {form}")
    return figure


def _largest(values: NDArray[Any]) -> tuple[int, int]:
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    return int(row), int(column)


def _window(
    axes: Axes,
    grid: Grid,
    cell: tuple[int, int],
    size: tuple[int, ...],
    form: str,
    *,
    label: str = "",
) -> None:
    """Outline a window, with a solid line for the normalised form and a dashed one for the raw."""
    name = label or f"window {form}"
    outline(axes, grid, cell, (size[0], size[1]), label=name)
    if form == "raw":
        axes.patches[-1].set_linestyle((0, (1.6, 0.9)))


def on_a_picture(input: ArrayLike, template: ArrayLike) -> Figure:
    """Draw a picture with the best window of each form, and both responses as pictures.

    The template is next to the picture, stretched to full contrast. The line is dashed for the raw
    form and solid for the normalised one. In the responses, dark is low and light is high.

    Args:
        input: One channel, (H, W) or (1, H, W).
        template: The patch to look for, (h, w) or (1, h, w).

    Raises:
        ValueError: If an argument has the wrong shape, or `normalized_cross_correlation` refuses
            them.
        TypeError: If an argument does not hold real numbers.
    """
    image, patch = as_picture(input, "input"), as_picture(template, "template")
    found = {
        "raw": cross_correlation(image[None], patch[None])[0].astype(float),
        "normalised": normalized_cross_correlation(image[None], patch[None])[0],
    }
    width, gap = theme.WIDTH - 2 * _MARGIN, 0.8
    picture_width = 10.0
    scale = picture_width / image.shape[1]
    right = _MARGIN + picture_width + gap
    map_width = (width - gap) / 2
    map_height = map_width * found["raw"].shape[0] / found["raw"].shape[1]
    map_y = _HEADING + image.shape[0] * scale + 1.9
    figure, axes = theme.canvas(theme.WIDTH, map_y + map_height + _MARGIN)

    theme.write(axes, _MARGIN, _HEADING - 0.45, "picture", ha="left", bold=True)
    picture = draw_picture(
        axes, image, _MARGIN, _HEADING, picture_width, low=float(image.min()),
        high=float(image.max()), name="picture",
    )  # fmt: skip
    theme.write(axes, right, _HEADING - 0.45, "template", ha="left", bold=True)
    # Twice the scale of the picture, unless that leaves the canvas.
    template_width = min(2 * scale * patch.shape[1], theme.WIDTH - right - _MARGIN)
    small = draw_picture(
        axes, patch, right, _HEADING, template_width, low=float(patch.min()),
        high=float(patch.max()), enlarge=4, name="template",
    )  # fmt: skip
    key_y = _HEADING + small.height + 1.0
    theme.write(axes, right, key_y, "best window", ha="left")
    for place, form in enumerate(("normalised", "raw")):
        cell = _largest(found[form])
        picture.box(axes, cell, patch.shape, label=f"window {form}", dashed=form == "raw")
        y = key_y + 1.2 + 0.9 * place
        dashes = [(right, right + 1)] if form == "normalised" else [
            (right, right + 0.2), (right + 0.4, right + 0.6), (right + 0.8, right + 1.0)
        ]  # fmt: skip
        ends = [((start, y), (end, y)) for start, end in dashes]
        strokes(axes, ends, colour=theme.WINDOW, width=2.4, label="key")
        theme.write(axes, right + 1.3, y, form, ha="left", label="key")

        x = _MARGIN + (1 - place) * (map_width + gap)
        values = found[form]
        theme.write(axes, x, map_y - 1.15, f"{form} response", ha="left", bold=True)
        words = f"from {theme.number(values.min())} to {theme.number(values.max())}"
        theme.write(axes, x, map_y - 0.4, words, ha="left", size=10.5, label=f"range {form}")
        response = draw_picture(
            axes, values, x, map_y, map_width, low=float(values.min()), high=float(values.max()),
            shades="viridis", name=f"response {form}",
        )  # fmt: skip
        side = max(values.shape) / 16
        around = (cell[0] + 0.5 - side / 2, cell[1] + 0.5 - side / 2)
        response.box(axes, around, (side, side), label=f"best {form}", dashed=form == "raw")
    return figure


def two_pixels(template: ArrayLike, patches: dict[str, ArrayLike]) -> Figure:
    r"""Draw a template and patches of two pixels as arrows, whose lengths and angle matter.

    $$\text{response} = a \cdot b = \lVert a \rVert \lVert b \rVert \cos(\text{angle})$$

    Args:
        template: Two numbers.
        patches: Two numbers for each name, not both 0.

    Raises:
        ValueError: If a vector is not two finite numbers, not both 0, or a number is negative.
        TypeError: If a vector does not hold real numbers.
    """
    arrows = {"template": _vector(template, "template")}
    arrows |= {name: _vector(patch, name) for name, patch in patches.items()}
    most = max(float(np.abs(vector).max()) for vector in arrows.values())
    unit, side = 8.2 / most, 9.2
    x0, y0 = _MARGIN + 1.0, _HEADING + side
    lowest = min(0.0, *(float(vector.min()) for vector in arrows.values()))
    if lowest < 0:
        raise ValueError(f"`template` and `patches` must not hold negative numbers, got {lowest:g}")
    figure, axes = theme.canvas(theme.WIDTH, y0 + 1.2)
    ends = [((x0, y0), (x0 + side, y0)), ((x0, y0), (x0, y0 - side))]
    strokes(axes, ends, colour=theme.GRID, width=1.2, label="axis")
    theme.write(axes, x0 + side, y0 + 0.6, "first pixel", ha="right")
    theme.write(axes, x0 - 0.6, y0 - side - 0.3, "second pixel", ha="left")
    wanted = arrows["template"]
    for place, (name, vector) in enumerate(arrows.items()):
        colour = (theme.WINDOW, theme.FG, theme.MUTED)[min(place, 2)]
        dx, dy = vector * unit
        axes.add_patch(
            FancyArrow(
                x0, y0, dx, -dy, width=0.09, head_width=0.42, head_length=0.5,
                length_includes_head=True, color=colour, label=f"arrow {name}", clip_on=False,
            )
        )  # fmt: skip
        tip = (x0 + dx + 0.3, y0 - dy - 0.35)
        theme.write(axes, *tip, "abcdefgh"[place], ha="left", bold=True, colour=colour, size=14)
        y = _HEADING + 0.2 + 2.5 * place
        column = x0 + side + 0.7
        numbers = ", ".join(theme.number(value) for value in vector)
        theme.write(axes, column, y, f"{'abcdefgh'[place]}: {name}", ha="left", bold=True)
        theme.write(axes, column, y + 0.75, f"({numbers})", ha="left", label=f"pixels {name}")
        if place:
            product = float(wanted @ vector)
            words = f"raw {theme.number(product)}, angle {_angle(wanted, vector):.0f}°"
            size = theme.fit(words, theme.WIDTH - column - 0.1, 11)
            theme.write(axes, column, y + 1.5, words, ha="left", size=size, label=f"raw {name}")
            angles = sorted(math.degrees(math.atan2(v[1], v[0])) for v in (wanted, vector))
            if angles[1] - angles[0] > 1:
                radius = 2 * (2.0 + 0.7 * place)
                axes.add_patch(
                    Arc(
                        (x0, y0), radius, radius, theta1=-angles[1], theta2=-angles[0],
                        edgecolor=colour, linewidth=1.2, label=f"angle {name}", clip_on=False,
                    )
                )  # fmt: skip
    return figure


def _vector(value: ArrayLike, name: str) -> NDArray[np.float64]:
    vector = as_array(value, name).astype(float)
    if vector.shape != (2,) or not np.isfinite(vector).all() or not vector.any():
        raise ValueError(f"`{name}` ({value!r}) must be two finite numbers, not both 0")
    return vector


def _angle(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    cosine = float(first @ second) / (math.hypot(*first) * math.hypot(*second))
    return math.degrees(math.acos(min(max(cosine, -1.0), 1.0)))
