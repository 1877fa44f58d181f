"""Resolution and channels, drawn: where each pixel goes, and volumes with their counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_images, as_int
from cnnref.figures import _theme as theme
from cnnref.figures._grid import boxes, strokes
from cnnref.ops.resolution_and_channels import space_to_depth

__all__ = ["places", "volumes"]

_MARGIN = 0.2
_HEADING = 0.95
_SIDE = 1.5  # a cell contains a number and, below it, the letter of its place in the block
_MOST_CELLS = 6
_MOST_BLOCK = 3
# The letters carry the meaning. The fills only help the eye.
_FILLS = (theme.INPUT, theme.FILTER, theme.OUTPUT, theme.WINDOW_FILL, theme.PAD, theme.UNREAD)
_DEPTH = 0.36  # the depth of one channel, as a fraction of one pixel's side


def places(input: ArrayLike, block_size: int = 2) -> Figure:
    r"""Draw which pixel space_to_depth puts into which channel, for one channel of input.

    At the top is the image. Each cell contains a pixel and a letter, which is the place of the
    pixel in its block. Below are the output channels, each with the pixels of one letter.

    Args:
        input: One channel, (1, H, W).
        block_size: Side $r$ of a block.

    Raises:
        ValueError: If ``input`` is not one channel of one image, `block_size` does not divide its
            sides or is above 3, or a side is above 6.
        TypeError: If an argument has the wrong type.
    """
    images, _ = as_images(input)
    if images.shape[:2] != (1, 1):
        raise ValueError(f"`input` must be one channel of one image, got shape {images.shape}")
    output = space_to_depth(images[0], block_size)
    rows, columns = images.shape[2:]
    if max(rows, columns) > _MOST_CELLS or block_size > _MOST_BLOCK:
        raise ValueError(
            f"the figure draws at most {_MOST_CELLS}×{_MOST_CELLS} pixels in blocks of at most "
            f"{_MOST_BLOCK}×{_MOST_BLOCK}, got {rows}×{columns} in blocks of "
            f"{block_size}×{block_size}"
        )
    letters = [chr(ord("a") + place) for place in range(block_size**2)]
    channel_rows, channel_columns = output.shape[1:]
    panel = max(channel_columns * _SIDE, 4.0)
    # The channels are arranged like their letters in a block, if the figure is wide enough.
    across = min(block_size, int((theme.WIDTH - 2 * _MARGIN + 0.7) // (panel + 0.7)))
    down = math.ceil(len(output) / across)
    below = across * (panel + 0.7) - 0.7
    width = max(columns * _SIDE, below, 6) + 2 * _MARGIN
    line = channel_rows * _SIDE + _HEADING + 0.3
    top = _HEADING + rows * _SIDE + 0.7
    figure, axes = theme.canvas(width, top + down * line + _MARGIN)

    left = (width - columns * _SIDE) / 2
    words = f"{rows}×{columns}×1"
    theme.write(axes, width / 2, _HEADING - 0.45, f"input, {words}", bold=True)
    for (row, column), value in np.ndenumerate(images[0, 0]):
        place = row % block_size * block_size + column % block_size
        _cell(axes, left, _HEADING, (row, column), value, letters, place, "input")
    # Thick lines separate the blocks.
    height = rows * _SIDE
    cuts = [
        ((left + x * _SIDE, _HEADING), (left + x * _SIDE, _HEADING + height))
        for x in range(0, columns + 1, block_size)
    ] + [
        ((left, _HEADING + y * _SIDE), (left + columns * _SIDE, _HEADING + y * _SIDE))
        for y in range(0, rows + 1, block_size)
    ]
    strokes(axes, cuts, colour=theme.FG, width=2.0, label="block")
    start = (width - below) / 2
    for channel, values in enumerate(output):
        x = start + channel % across * (panel + 0.7)
        y = top + channel // across * line + _HEADING
        theme.write(axes, x, y - 0.45, f"channel {channel + 1}", ha="left")
        for cell, value in np.ndenumerate(values):
            _cell(axes, x, y, (cell[0], cell[1]), value, letters, channel, f"output {channel}")
    return figure


def _cell(
    axes: Axes,
    x: float,
    y: float,
    cell: tuple[int, int],
    value: float,
    letters: Sequence[str],
    place: int,
    name: str,
) -> None:
    corner = (x + cell[1] * _SIDE, y + cell[0] * _SIDE)
    boxes(
        axes, [(*corner, _SIDE, _SIDE)], fill=_FILLS[place % len(_FILLS)], label=f"{name} cell"
    )  # fmt: skip
    middle = corner[0] + _SIDE / 2
    number = theme.number(value)
    size = theme.fit(number, 0.9 * _SIDE, theme.NUMBER_POINTS)
    label = f"{name}[{cell[0]},{cell[1]}]"
    theme.write(axes, middle, corner[1] + 0.5, number, size=size, bold=True, label=label)
    theme.write(
        axes, middle, corner[1] + 1.12, letters[place], size=11, colour=theme.MUTED,
        label=f"{name} letter[{cell[0]},{cell[1]}]",
    )  # fmt: skip


def volumes(shapes: Iterable[tuple[int, int, int]]) -> Figure:
    r"""Draw volumes of activations in a row, all on one scale, each with its count.

    Height and width are the front face, and channels are the depth.

    Args:
        shapes: The volumes, each (C, H, W).

    Raises:
        ValueError: If there is no shape or more than 4, a shape is not three numbers, or a number
            is below 1.
        TypeError: If a number is not an integer.
    """
    sizes = [tuple(as_int(size, "shapes", 1) for size in shape) for shape in shapes]
    if not 1 <= len(sizes) <= 4:
        raise ValueError(f"`shapes` must hold 1 to 4 shapes, got {len(sizes)}")
    for shape in sizes:
        if len(shape) != 3:
            raise ValueError(f"`shapes` holds {shape}; each must be (C, H, W)")
    gap = 0.8
    room = theme.WIDTH - 2 * _MARGIN - gap * (len(sizes) - 1)
    unit = _unit(sizes, room)
    panels = [_panel(shape, unit) for shape in sizes]
    width = sum(panels) + gap * (len(sizes) - 1) + 2 * _MARGIN
    tallest = max((h + _DEPTH * c) * unit for c, h, _ in sizes)
    figure, axes = theme.canvas(width, tallest + 2.6)
    x, floor = _MARGIN, tallest + _MARGIN
    for place, ((channels, height, wide), panel) in enumerate(zip(sizes, panels, strict=True)):
        back = _DEPTH * channels * unit
        face_x, face_y = x, floor - height * unit
        w, h = wide * unit, height * unit
        # The outline of the block: front face, top and right side.
        boxes(axes, [(face_x, face_y, w, h)], fill=theme.INPUT, label="face", edge=theme.FG)
        edges = [
            ((face_x, face_y), (face_x + back, face_y - back)),
            ((face_x + w, face_y), (face_x + w + back, face_y - back)),
            ((face_x + w, face_y + h), (face_x + w + back, face_y + h - back)),
            ((face_x + back, face_y - back), (face_x + w + back, face_y - back)),
            ((face_x + w + back, face_y - back), (face_x + w + back, face_y + h - back)),
        ]
        strokes(axes, edges, colour=theme.FG, width=1.0, label="edge")
        # One line per channel on the top and side and one per pixel on the face: what is counted.
        slices = []
        for channel in range(1, channels):
            step = _DEPTH * channel * unit
            slices += [
                ((face_x + step, face_y - step), (face_x + w + step, face_y - step)),
                ((face_x + w + step, face_y - step), (face_x + w + step, face_y + h - step)),
            ]
        strokes(axes, slices, colour=theme.GRID, width=0.6, label="channel")
        lines = [
            ((face_x + i * unit, face_y), (face_x + i * unit, face_y + h)) for i in range(1, wide)
        ] + [
            ((face_x, face_y + i * unit), (face_x + w, face_y + i * unit)) for i in range(1, height)
        ]
        strokes(axes, lines, colour=theme.GRID, width=0.6, label="pixel")
        text = f"{height}×{wide}×{channels}"
        size = theme.fit(text, panel, theme.LABEL_POINTS)
        theme.write(axes, x, floor + 0.7, text, ha="left", size=size, label=f"shape {place}")
        count = f"= {channels * height * wide}"
        size = theme.fit(count, panel, 14)
        label = f"count {place}"
        theme.write(axes, x, floor + 1.7, count, ha="left", size=size, bold=True, label=label)
        x += panel + gap
    return figure


def _panel(shape: tuple[int, ...], unit: float) -> float:
    # The text needs 3.4 cells, even if the volume is narrower.
    return max((shape[2] + _DEPTH * shape[0]) * unit, 3.4)


def _unit(shapes: Sequence[tuple[int, ...]], room: float) -> float:
    """Return the largest side of a pixel, at most 1 cell, at which the volumes fit."""
    unit = 1.0
    while unit > 0.01 and sum(_panel(shape, unit) for shape in shapes) > room:
        unit *= 0.98
    return unit
