"""Residual blocks, drawn: the skip, a block in numbers, and gradients through many blocks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_array, as_int
from cnnref._types import Array
from cnnref.figures import _theme as theme
from cnnref.figures._grid import arrow, boxes, draw_grid, strokes

__all__ = ["block_on_a_row", "blocks", "gradients_by_depth"]

_MARGIN = 0.2
_STEP = 1.75  # from one box of a block to the next
_BOX = 1.15
_BLOCK = 5.6  # width of one block with its skip
_MOST_CELLS = 8

_ORDERS = {
    "plain": ["conv 3×3", "batch norm", "ReLU", "conv 3×3", "batch norm", "ReLU"],
    "post": ["conv 3×3", "batch norm", "ReLU", "conv 3×3", "batch norm", "+", "ReLU"],
    "pre": ["batch norm", "ReLU", "conv 3×3", "batch norm", "ReLU", "conv 3×3", "+"],
}
_TITLES = {"plain": "plain", "post": "residual", "pre": "pre-activation"}


def blocks(kinds: Sequence[str] = ("plain", "post", "pre")) -> Figure:
    """Draw blocks of two 3×3 convolutions next to each other, layer by layer, with their skips.

    Args:
        kinds: The blocks to draw. "plain" has no skip, "post" has a ReLU after the sum, and "pre"
            has batch norm and ReLU before each convolution and nothing after the sum.

    Raises:
        ValueError: If `kinds` is empty or holds another word.
    """
    for kind in kinds:
        if kind not in _ORDERS:
            raise ValueError(f"`kinds` holds {kind!r}; it must hold 'plain', 'post' or 'pre'")
    if not kinds:
        raise ValueError("`kinds` is empty")
    deepest = max(len(_ORDERS[kind]) for kind in kinds)
    height = 2.9 + _STEP * deepest + 0.9
    figure, axes = theme.canvas(_BLOCK * len(kinds) + 2 * _MARGIN, height)
    for place, kind in enumerate(kinds):
        _block(axes, _MARGIN + _BLOCK * place, kind, height)
    return figure


def _block(axes: Axes, x: float, kind: str, height: float) -> None:
    middle, left, width = x + 3.15, x + 1.2, 3.9
    theme.write(axes, middle, 0.55, _TITLES[kind], bold=True, label="title")
    theme.write(axes, middle, 1.5, "x", label=f"{kind} x")
    top = 2.9
    arrow(axes, (middle, 1.85), (middle, top))
    for row, word in enumerate(_ORDERS[kind]):
        y = top + _STEP * row
        if word == "+":
            boxes(axes, [(middle - 0.6, y, 1.2, _BOX)], fill=theme.WINDOW_FILL,
                  label=f"{kind} sum", edge=theme.WINDOW)  # fmt: skip
            theme.write(axes, middle, y + _BOX / 2, word, bold=True, label=f"{kind} layer")
            _skip(axes, x + 0.45, (middle, 2.25), (middle - 0.6, y + _BOX / 2), kind)
        else:
            fill = theme.FILTER if word.startswith("conv") else theme.PAD
            boxes(axes, [(left, y, width, _BOX)], fill=fill, label=f"{kind} box", edge=theme.FG)
            theme.write(axes, middle, y + _BOX / 2, word, label=f"{kind} layer")
        bottom = y + _STEP
        if row == len(_ORDERS[kind]) - 1:
            bottom = height - 0.95
        arrow(axes, (middle, y + _BOX), (middle, bottom))
    theme.write(axes, middle, height - 0.5, "y", label=f"{kind} y")


def _skip(
    axes: Axes, x: float, start: tuple[float, float], end: tuple[float, float], kind: str
) -> None:
    """Draw the skip: out to the left, down, and into the sum."""
    corners = [start, (x, start[1]), (x, end[1]), end]
    lines = list(itertools.pairwise(corners))
    lines += [((end[0] - 0.28, end[1] + side * 0.2), end) for side in (-1, 1)]
    strokes(axes, lines, colour=theme.WINDOW, width=2.4, label=f"{kind} skip")


def block_on_a_row(row: ArrayLike, first: ArrayLike, second: ArrayLike) -> Figure:
    """Draw a residual block on one row of numbers, step by step: y = ReLU(F(x) + x).

    F is a convolution with `first`, a ReLU, and a convolution with `second`. Both convolutions pad
    with one zero on each side, and there is no batch norm.

    Args:
        row: The input, (W,), at most eight numbers.
        first: The three weights of the first filter.
        second: The three weights of the second filter.

    Raises:
        ValueError: If an argument has the wrong shape.
        TypeError: If an argument does not hold real numbers.
    """
    x = as_array(row, "row")
    if x.ndim != 1 or not 1 <= len(x) <= _MOST_CELLS:
        raise ValueError(f"`row` has shape {x.shape}; it must be (W,) with W at most {_MOST_CELLS}")
    taps = [as_array(first, "first"), as_array(second, "second")]
    for name, weights in zip(("first", "second"), taps, strict=True):
        if weights.shape != (3,):
            raise ValueError(f"`{name}` has shape {weights.shape}; it must be (3,)")
    inner = _convolve(x, taps[0])
    kept = inner.clip(min=0)
    change = _convolve(kept, taps[1])
    steps = [
        ("x", x, theme.INPUT),
        (f"filter {_row(taps[0])}", inner, theme.FILTER),
        ("ReLU", kept, theme.PAD),
        (f"filter {_row(taps[1])}: F(x)", change, theme.FILTER),
        ("F(x) + x", change + x, theme.WINDOW_FILL),
        ("ReLU: y", (change + x).clip(min=0), theme.OUTPUT),
    ]
    names = 6.4
    figure, axes = theme.canvas(names + len(x) + 1.9, len(steps) * 1.6 + 0.4)
    right = names + len(x)
    for place, (text, values, fill) in enumerate(steps):
        y = 0.4 + 1.6 * place
        theme.write(axes, _MARGIN, y + 0.5, text, ha="left", label="step")
        draw_grid(axes, values[None], names, y, fill=fill, name=f"step {place}")
    start, end = (right + 0.1, 0.9), (right + 0.1, 0.9 + 1.6 * 4)
    corners = [start, (right + 0.9, start[1]), (right + 0.9, end[1]), end]
    lines = list(itertools.pairwise(corners))
    lines += [((end[0] + 0.28, end[1] + side * 0.2), end) for side in (-1, 1)]
    strokes(axes, lines, colour=theme.WINDOW, width=2.4, label="skip")
    theme.write(axes, right + 1.35, (start[1] + end[1]) / 2, "+", bold=True, label="plus")
    return figure


def _convolve(row: Array, weights: Array) -> Array:
    total: Array = weights[1] * row
    total[1:] += weights[0] * row[:-1]
    total[:-1] += weights[2] * row[1:]
    return total


def _row(weights: Array) -> str:
    return f"({', '.join(theme.number(weight) for weight in weights)})"


def gradients_by_depth(depths: Sequence[int], curves: Mapping[str, Sequence[float]]) -> Figure:
    """Draw how large a gradient is after it has passed back through many blocks, on a log scale.

    Args:
        depths: Numbers of blocks, in growing order.
        curves: The ratio of the gradient's size at the input to its size at the output, one number
            per depth, by name. The names are at the ends of the curves.

    Raises:
        ValueError: If there is nothing to draw, lengths differ, the depths do not grow, or a size
            is not a positive number.
        TypeError: If a depth is not an integer.
    """
    counts = [as_int(depth, "depths", 0) for depth in depths]
    if len(counts) < 2 or any(a >= b for a, b in itertools.pairwise(counts)):
        raise ValueError(f"`depths` ({list(depths)}) must hold growing numbers, at least two")
    if not curves:
        raise ValueError("`curves` is empty")
    for name, sizes in curves.items():
        if len(sizes) != len(counts):
            raise ValueError(f"`curves` has {len(sizes)} numbers for {name!r}, not {len(counts)}")
        if not all(0 < size < math.inf for size in sizes):
            raise ValueError(f"`curves` must hold positive numbers, not {list(sizes)} ({name!r})")
    logs = {name: [math.log10(size) for size in sizes] for name, sizes in curves.items()}
    low = math.floor(min(map(min, logs.values())))
    high = math.ceil(max(map(max, logs.values())))
    every = max(1, math.ceil((high - low) / 6))
    low, high = every * math.floor(low / every), max(every * math.ceil(high / every), low + every)
    left, top, wide, tall = 2.0, 1.5, 8.2, 9.0
    figure, axes = theme.canvas(17.0, top + tall + 2.1)
    theme.write(axes, _MARGIN, 0.6, "size of the gradient at the input", ha="left", label="title")

    def at(depth: float, log: float) -> tuple[float, float]:
        share = (depth - counts[0]) / (counts[-1] - counts[0])
        return left + wide * share, top + tall * (high - log) / (high - low)

    for log in range(low, high + 1, every):
        ends = at(counts[0], log), at(counts[-1], log)
        strokes(axes, [ends], colour=theme.GRID, width=1.6 if log == 0 else 0.6, label="decade")
        text = "1" if log == 0 else f"1e{theme.number(log)}"
        theme.write(axes, left - 0.25, ends[0][1], text, ha="right", label="scale")
    for depth in counts:
        x, y = at(depth, low)
        theme.write(axes, x, y + 0.55, str(depth), label="depth")
    theme.write(axes, left + wide / 2, top + tall + 1.4, "blocks", label="axis")
    for place, (name, values) in enumerate(logs.items()):
        points = [at(depth, log) for depth, log in zip(counts, values, strict=True)]
        colour = theme.WINDOW if place % 2 else theme.FG
        lines = list(itertools.pairwise(points))
        strokes(axes, lines, colour=colour, width=2.2, label=f"curve {name}")
        marks = [(x - 0.14, y - 0.14, 0.28, 0.28) for x, y in points]
        fill = colour if place % 2 else theme.BG
        boxes(axes, marks, fill=fill, edge=colour, label=f"marks {name}")
    _names(axes, {name: at(counts[-1], values[-1])[1] for name, values in logs.items()},
           left + wide + 0.4)  # fmt: skip
    return figure


def _names(axes: Axes, heights: Mapping[str, float], x: float) -> None:
    """Write each name at the end of its curve, moved down if it would touch another."""
    free = -math.inf
    for name, y in sorted(heights.items(), key=lambda item: item[1]):
        y = max(y, free)
        theme.write(axes, x, y, name, ha="left", label="name")
        free = y + 0.75
