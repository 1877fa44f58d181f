"""Padding, drawn: what the cells around an image contain, and where an odd one goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_int, as_sides
from cnnref._types import Padding
from cnnref.figures import _theme as theme
from cnnref.figures._checks import as_matrix, refuse_larger
from cnnref.figures._grid import draw_grid, outline, padding_mask
from cnnref.ops import pad2d, same_padding
from cnnref.ops.padding import PaddingMode

__all__ = ["modes", "same_sides"]

_MOST_CELLS = 9
_MOST_PIXELS = 16
_MARGIN = 0.2
_HEADING = 0.95
_EXTRAS: tuple[Literal["end", "start"], ...] = ("end", "start")
_MODE_NAMES = {
    "constant": "constant: zeros",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
}


def modes(input: ArrayLike, padding: Padding = 1) -> Figure:
    """Draw one image padded in each of the four modes, with the padding hatched.

    Args:
        input: One channel, (H, W).
        padding: Int, (height, width) or ((top, bottom), (left, right)), below the image's size.

    Raises:
        ValueError: If ``input`` is not a matrix, ``padding`` does not fit it, or a padded side is
            above 9.
        TypeError: If an argument has the wrong type.
    """
    image = as_matrix(input, "input")
    sides = as_sides(padding)
    names: tuple[PaddingMode, ...] = get_args(PaddingMode)
    padded = [pad2d(image[None], sides, mode)[0] for mode in names]
    rows, columns = padded[0].shape
    refuse_larger(padded[0].shape, _MOST_CELLS, "padded `input`")
    pads = padding_mask((rows, columns), sides)
    panel, block, gap = max(columns, 5), rows + _HEADING, 1.0
    figure, axes = theme.canvas(2 * panel + gap + 2 * _MARGIN, 2 * block + 0.3 + _MARGIN)
    for place, (mode, values) in enumerate(zip(names, padded, strict=True)):
        x = _MARGIN + (place % 2) * (panel + gap)
        y = _HEADING + (place // 2) * (block + 0.3)
        grid = draw_grid(axes, values, x, y, fill=theme.INPUT, padding=pads, name=mode)
        corner = (sides[0][0], sides[1][0])
        outline(axes, grid, corner, image.shape, colour=theme.FG, label="image")
        theme.write(axes, x, y - 0.45, _MODE_NAMES[mode], ha="left", bold=True)
    return figure


def same_sides(
    kernel_sizes: Sequence[int] = (3, 4), input_size: int = 5, stride: int = 1
) -> Figure:
    """Draw where 'same' padding puts its cells along one axis, with the first window on them.

    Each kernel size has two lines: one with the odd cell at the end (PyTorch, TensorFlow, ONNX
    SAME_UPPER) and one with it at the start (ONNX SAME_LOWER). If the total is even, the two lines
    are equal. Pixels are numbered from 1. Padding cells are hatched and contain 0.

    Args:
        kernel_sizes: The kernel sizes, each with two lines.
        input_size: Number of pixels.
        stride: Step of the window. PyTorch refuses ``padding="same"`` with a stride above 1.
            TensorFlow and ONNX accept it, and their padding depends on the input's size.

    Raises:
        ValueError: If a number is below 1, there is no kernel size, or a line has more than 16
            cells.
        TypeError: If a number is not an integer.
    """
    pixels = as_int(input_size, "input_size", 1)
    step = as_int(stride, "stride", 1)
    kernels = [as_int(kernel, "kernel_sizes", 1) for kernel in kernel_sizes]
    if not kernels:
        raise ValueError("`kernel_sizes` must hold at least one number")
    splits = {
        (kernel, extra): same_padding(pixels, kernel, step, extra=extra)[1]
        for kernel in kernels
        for extra in _EXTRAS
    }
    before = max(start for start, _ in splits.values())
    width = before + pixels + max(end for _, end in splits.values())
    if width > _MOST_PIXELS:
        raise ValueError(f"a line of {width} cells is too wide to draw: at most {_MOST_PIXELS}")
    # PyTorch allows "same" with stride 1 only. TensorFlow and ONNX also pad for larger strides.
    upper = "PyTorch, SAME_UPPER" if step == 1 else "TensorFlow, SAME_UPPER"
    users = {"end": upper, "start": "SAME_LOWER"}
    line, block = 2.1, 2 * 2.1 + 1.2
    figure, axes = theme.canvas(max(width, 13.2) + 2 * _MARGIN, block * len(kernels) + _MARGIN)
    for place, kernel in enumerate(kernels):
        top = place * block
        total = sum(splits[kernel, "end"])
        heading = f"kernel {kernel}, stride {step}: {total} in total"
        theme.write(axes, _MARGIN, top + 0.6, heading, ha="left", bold=True)
        for row, extra in enumerate(_EXTRAS):
            start, end = splits[kernel, extra]
            y = top + 2.1 + row * line
            words = f"{start} before, {end} after: {users[extra]}"
            theme.write(axes, _MARGIN, y - 0.45, words, ha="left")
            values = np.zeros((1, start + pixels + end), dtype=int)
            values[0, start : start + pixels] = np.arange(1, pixels + 1)
            pads = padding_mask((1, values.shape[1]), ((0, 0), (start, end)))
            grid = draw_grid(
                axes, values, _MARGIN + before - start, y, fill=theme.INPUT, padding=pads,
                marked=[(0, column) for column in range(kernel)], name=f"kernel {kernel} {extra}",
            )  # fmt: skip
            outline(axes, grid, (0, 0), (1, kernel))
    return figure
