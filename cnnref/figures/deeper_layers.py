"""What a convolution layer does and what changes with depth: vectors, shapes, and patches."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_int
from cnnref.figures import _theme as theme
from cnnref.figures._grid import boxes, draw_grid, outline
from cnnref.figures._picture import as_colours, draw_colours
from cnnref.ops.convolution import check_conv2d, conv2d

__all__ = ["patch_rows", "patches_and_filter", "shapes"]

_MARGIN = 0.2
_HEADING = 0.95


def patches_and_filter(
    input: ArrayLike, weight: ArrayLike, cell: tuple[int, int] = (0, 0)
) -> Figure:
    """Draw a patch and a filter as two vectors, and the output cell that is their dot product.

    At the top are the channels of the image with the patch outlined. Below are the patch and the
    filter, each written as one row of numbers per channel, and the activation map.

    Args:
        input: The image, (C, H, W). All channels must fit next to each other.
        weight: One filter, (1, C, kH, kW), with at most nine cells per channel.
        cell: Row and column of the output cell, counted from 0.

    Raises:
        ValueError: If the shapes do not fit together or do not fit in the figure, or the cell lies
            outside the map.
        TypeError: If an argument is of the wrong kind.
    """
    checked = check_conv2d(input, weight, None, 1, 0, 1, 1)
    if checked.batched or checked.weight.shape[0] != 1:
        raise ValueError("`input` must be one image (C, H, W) and `weight` one filter (1, C, h, w)")
    image, filters = checked.input[0], checked.weight[0]
    channels, rows, columns = image.shape
    _, height, width = filters.shape
    if height * width > 9 or channels * (columns + 1) - 1 > theme.WIDTH - 2 * _MARGIN:
        raise ValueError(
            f"an image of {channels}×{rows}×{columns} with a filter of {height}×{width} does not "
            "fit in the figure"
        )
    output = conv2d(image, filters[None])[0]
    row, column = as_int(cell[0], "cell", 0), as_int(cell[1], "cell", 0)
    if row >= output.shape[0] or column >= output.shape[1]:
        raise ValueError(f"`cell` ({cell}) is not in a map of {output.shape[0]}×{output.shape[1]}")
    patch = image[:, row : row + height, column : column + width]

    long = height * width
    map_x = _MARGIN + long + 1.9
    patch_y = _HEADING + rows + 1.3
    filter_y = patch_y + max(channels, output.shape[0]) + 1.3
    figure, axes = theme.canvas(
        max(2 * _MARGIN + channels * (columns + 1) - 1, map_x + max(output.shape[1], 5.4)),
        filter_y + max(channels, 2) + _MARGIN,
    )
    theme.write(axes, _MARGIN, _HEADING - 0.45, "image, patch outlined", ha="left", bold=True)
    for channel in range(channels):
        x = _MARGIN + channel * (columns + 1)
        grid = draw_grid(
            axes, image[channel], x, _HEADING, fill=theme.INPUT, name=f"input {channel}"
        )
        outline(axes, grid, (row, column), (height, width))
    for values, y, fill, name in (
        (patch, patch_y, theme.WINDOW_FILL, "patch"),
        (filters, filter_y, theme.FILTER, "filter"),
    ):
        heading = f"{name}: {values.size} numbers"
        theme.write(axes, _MARGIN, y - 0.45, heading, ha="left", bold=True, label=f"{name} heading")
        draw_grid(axes, values.reshape(channels, long), _MARGIN, y, fill=fill, name=name)
    theme.write(axes, map_x, patch_y - 0.45, "activation map", ha="left", bold=True)
    grid = draw_grid(axes, output, map_x, patch_y, fill=theme.OUTPUT, name="output")
    outline(axes, grid, (row, column), (1, 1), label="output cell")
    products = (patch * filters).reshape(channels, -1).sum(axis=1)
    terms = " + ".join(theme.number(float(term)) for term in products)
    theme.write(axes, map_x, filter_y + 0.5, "dot product", ha="left", bold=True)
    words = f"{terms} = {theme.number(float(output[row, column]))}"
    size = theme.fit(words, figure.get_figwidth() * 72 / theme.CELL_POINTS - map_x, 12)
    theme.write(axes, map_x, filter_y + 1.5, words, ha="left", size=size, label="sum")
    return figure


def shapes(layers: Sequence[tuple[str, Sequence[int]]]) -> Figure:
    """Draw the side and the number of channels of a network's maps, one line per layer.

    Args:
        layers: Pairs of a name and a shape (C, H, W), first to last.

    Raises:
        ValueError: If there are no layers, or a shape is not three numbers of at least 1.
        TypeError: If a shape does not hold integers.
    """
    if not layers:
        raise ValueError("`layers` is empty")
    found: list[tuple[str, int, int, int]] = []
    for name, shape in layers:
        if len(shape) != 3:
            raise ValueError(
                f"`layers` gives {name} the shape {tuple(shape)}; it must be (C, H, W)"
            )
        channels, height, width = (as_int(number, "layers", 1) for number in shape)
        found.append((name, channels, height, width))
    longest = max(len(name) for name, *_ in found)
    name_width = 0.32 * longest + 0.5
    bar = (theme.WIDTH - 2 * _MARGIN - name_width - 1.0) / 2
    # The number is after its bar, so the longest bar leaves room for it.
    drawn = bar - 2.0
    left, right = _MARGIN + name_width, _MARGIN + name_width + bar + 1.0
    figure, axes = theme.canvas(theme.WIDTH, _HEADING + len(found) + _MARGIN)
    theme.write(axes, left, _HEADING - 0.5, "height × width", ha="left", bold=True)
    theme.write(axes, right, _HEADING - 0.5, "channels", ha="left", bold=True)
    widest = max(max(height, width) for _, _, height, width in found)
    deepest = max(channels for _, channels, _, _ in found)
    for place, (name, channels, height, width) in enumerate(found):
        y = _HEADING + place
        theme.write(axes, _MARGIN, y + 0.45, name, ha="left", label=f"name {place}")
        for x, share, words, fill, label in (
            (left, max(height, width) / widest, f"{height}×{width}", theme.INPUT, "side"),
            (right, channels / deepest, str(channels), theme.FILTER, "channels"),
        ):
            length = max(share * drawn, 0.05)
            boxes(axes, [(x, y + 0.1, length, 0.7)], fill=fill, label=f"{label} {place}")
            theme.write(
                axes, x + length + 0.15, y + 0.45, words, ha="left", size=11,
                label=f"{label} number {place}",
            )  # fmt: skip
    return figure


def patch_rows(rows: Sequence[tuple[str, Sequence[ArrayLike]]]) -> Figure:
    """Draw small colour pictures of one size in rows, each row under a line of text.

    Args:
        rows: Pairs of a heading and the row's pictures, one to six uint8 arrays (H, W, 3).

    Raises:
        ValueError: If there are no rows, a row has no picture or more than six, or a picture has
            the wrong shape.
        TypeError: If a picture is not uint8.
    """
    if not rows:
        raise ValueError("`rows` is empty")
    checked = [(heading, [as_colours(picture, "rows") for picture in row]) for heading, row in rows]
    most = max(len(row) for _, row in checked)
    if not 1 <= min(len(row) for _, row in checked) <= most <= 6:
        raise ValueError("`rows` must hold one to six pictures each")
    gap = 0.2
    side = (theme.WIDTH - 2 * _MARGIN - (most - 1) * gap) / most
    line = 0.95 + side
    figure, axes = theme.canvas(theme.WIDTH, line * len(checked) + _MARGIN)
    for number, (heading, row) in enumerate(checked):
        y = number * line
        theme.write(axes, _MARGIN, y + 0.5, heading, ha="left", label=f"heading {number}")
        for place, picture in enumerate(row):
            corner = _MARGIN + place * (side + gap), y + 0.95
            draw_colours(
                axes, picture, corner, (side, side), name=f"patch {number},{place}", least=72
            )
    return figure
