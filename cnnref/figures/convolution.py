"""The convolution, drawn: a window on the input, the filter, the sums, one cell of the output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from cnnref._checks import as_int
from cnnref._types import ConvPadding, IntOrPair
from cnnref.figures import _theme as theme
from cnnref.figures._checks import as_cell, as_matrix, refuse_larger
from cnnref.figures._grid import (
    KeyEntry,
    draw_grid,
    draw_key,
    key_height,
    outline,
    padding_mask,
    strokes,
)
from cnnref.figures._picture import as_picture, draw_picture
from cnnref.ops import conv2d, pad2d
from cnnref.ops.convolution import check_conv2d
from cnnref.ops.padding import PaddingMode

__all__ = ["cross_correlation_versus_convolution", "filtered_picture", "sliding_window"]

# More would be too small to read: a figure is for numbers a reader can check by hand.
_MOST_CELLS = 9
_MOST_CHANNELS = 4
_MARGIN = 0.2
_HEADING = 0.95


def sliding_window(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: IntOrPair = 1,
    padding: ConvPadding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    *,
    at: tuple[int, int] = (0, 0),
    filter: int = 0,
    padding_mode: PaddingMode = "constant",
) -> Figure:
    r"""Draw how one cell of a convolution's output is computed.

    There is one row per channel: the padded input with the window on it, the filter, and the sum of
    the window's products with the filter. On the right, the sums add up to the output cell, where
    $d$ is the dilation, $s$ the stride and $x$ the padded input:

    $$\text{out}_{i,j} = b + \sum_c \sum_{m,n} w_{c,m,n}\; x_{c,\, s i + d m,\, s j + d n}$$

    Padding cells are hatched. If the dilation is above 1, the cells that are read are ringed. A
    number of more than two characters makes all numbers of its matrix smaller.

    Args:
        input: One image, (C, H, W) or (1, C, H, W).
        weight: Filters, (O, C / groups, kH, kW).
        bias: One number per filter, (O,).
        stride: Int or (height, width).
        padding: Int, (height, width), "valid", "same" or ((top, bottom), (left, right)).
        dilation: Int or (height, width).
        groups: Number of groups. Only the channels that the filter reads are drawn.
        at: Row and column of the output cell, counted from 0. The labels count from 1.
        filter: Index of the filter, counted from 0.
        padding_mode: "constant" (zeros), "reflect", "replicate" or "circular".

    Raises:
        ValueError: If the convolution's arguments do not fit together, ``at`` or ``filter`` lies
            outside the output, or there is too much to read: more than one image, more than 4
            channels, or a padded input, filter or output with a side above 9.
        TypeError: If an argument has the wrong type.
    """
    checked = check_conv2d(input, weight, bias, stride, padding, dilation, groups)
    if checked.input.shape[0] != 1:
        raise ValueError(f"`input` must hold one image, got {checked.input.shape[0]}")
    row, column = as_cell(at, checked.output_size)
    filters, group_channels = checked.weight.shape[:2]
    if as_int(filter, "filter", 0) >= filters:
        raise ValueError(f"`filter` ({filter}) must be less than the number of filters, {filters}")
    first = filter // (filters // groups) * group_channels
    channels = range(first, first + group_channels)
    padded = pad2d(checked.input, checked.padding, padding_mode)[0]
    _check_readable(padded, checked.weight, checked.output_size)
    output = conv2d(
        padded, checked.weight, checked.bias, checked.stride, 0, checked.dilation, groups
    )[filter]
    kernel = checked.weight[filter]
    taps = [
        (row * checked.stride[0] + m * checked.dilation[0],
         column * checked.stride[1] + n * checked.dilation[1])
        for m, n in np.ndindex(*kernel.shape[1:])
    ]  # fmt: skip
    rows, columns = zip(*taps, strict=True)
    # In the output's dtype, so that unsigned or narrow integers wrap here as they do there.
    sums = [
        (padded[channel][rows, columns] * kernel[place].ravel()).sum(dtype=checked.dtype)
        for place, channel in enumerate(channels)
    ]
    pads = padding_mask(padded.shape[1:], checked.padding)
    reach = (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
    dilated = checked.dilation != (1, 1)

    padded_height, padded_width = padded.shape[1:]
    block = max(padded_height, kernel.shape[1]) + _HEADING
    # A narrow input is not as wide as its heading.
    filter_x = _MARGIN + max(padded_width + 0.9, 5.1)
    sum_x = filter_x + kernel.shape[2] + 0.25
    output_x = sum_x + 2.35
    shown: list[KeyEntry] = ["window"]
    if pads.any():
        shown.append("padding")
    if dilated:
        shown.append("read")
    key_bottom = _HEADING + key_height(shown)
    # The total is next to the middle channel and below the key, with the output under it.
    middle = max((len(channels) * block + _HEADING) / 2, key_bottom + 0.9)
    output_y = middle + (2.6 if bias is None else 3.5)
    right = max(output_x + output.shape[1], output_x + 4)
    height = max(len(channels) * block, output_y + output.shape[0]) + _MARGIN
    figure, axes = theme.canvas(right + _MARGIN, height)

    centres = []
    for place, channel in enumerate(channels):
        top = place * block + _HEADING
        names = f"channel {channel + 1}"
        x_grid = draw_grid(
            axes, padded[channel], _MARGIN, top, fill=theme.INPUT, padding=pads,
            marked=() if dilated else taps, ringed=taps if dilated else (),
            name=f"input {channel}",
        )  # fmt: skip
        outline(axes, x_grid, taps[0], reach)
        filter_y = x_grid.middle[1] - kernel.shape[1] / 2
        w_grid = draw_grid(
            axes, kernel[place], filter_x, filter_y, fill=theme.FILTER, name=f"filter {channel}"
        )
        centre = x_grid.middle[1]
        centres.append(centre)
        theme.write(axes, x_grid.x, top - 0.45, f"input, {names}", ha="left")
        theme.write(axes, w_grid.middle[0], filter_y - 0.45, "filter")
        theme.write(axes, (x_grid.right + filter_x) / 2, centre, "×", size=16)
        theme.write(axes, sum_x, centre - 0.95, "sum", ha="left")
        text = "= " + theme.number(sums[place])
        size = theme.fit(text, 1.7, 15)
        label = f"sum {channel}"
        theme.write(axes, sum_x, centre, text, ha="left", size=size, bold=True, label=label)
    _gather(axes, centres, output_x - 0.3, middle)
    total = theme.number(output[row, column])
    terms = None if checked.bias is None else checked.bias[filter]
    _total(axes, output_x, middle, sums, terms, total)
    o_grid = draw_grid(
        axes, output, output_x, output_y, fill=theme.OUTPUT, marked=[(row, column)], name="output"
    )
    outline(axes, o_grid, (row, column), (1, 1), label="output cell")
    heading = "output" if filters == 1 else f"output {filter + 1} of {filters}"
    theme.write(axes, output_x, output_y - 0.45, heading, ha="left")
    draw_key(axes, output_x, _HEADING, shown)
    return figure


def _check_readable(
    padded: NDArray[Any], weight: NDArray[Any], output_size: tuple[int, int]
) -> None:
    for name, sizes in (
        ("padded `input`", padded.shape[1:]),
        ("`weight`", weight.shape[2:]),
        ("output", output_size),
    ):
        refuse_larger(sizes, _MOST_CELLS, name)
    if weight.shape[1] > _MOST_CHANNELS:
        raise ValueError(
            f"`weight` reads {weight.shape[1]} channels: the figure draws at most {_MOST_CHANNELS}"
        )


def _gather(axes: Axes, centres: Sequence[float], x: float, middle: float) -> None:
    # A bracket that joins the channels' sums and points to the total.
    ends = [((x - 0.35, y), (x, y)) for y in centres]
    ends.append(((x, min(*centres, middle)), (x, max(*centres, middle))))
    ends.append(((x, middle), (x + 0.1, middle)))
    strokes(axes, ends, colour=theme.MUTED, width=1.2, label="bracket")


def _total(
    axes: Axes, x: float, y: float, sums: Sequence[Any], bias: Any | None, total: str
) -> None:
    line = " + ".join(theme.number(value) for value in sums)
    lines = [line.replace("+ \N{MINUS SIGN}", "\N{MINUS SIGN} ")]
    if bias is not None:
        lines.append(f"+ bias {theme.number(bias)}")
    for place, text in enumerate(lines):
        size = theme.fit(text, 4, 13)
        theme.write(axes, x, y + 0.9 * place, text, ha="left", size=size, label=f"total {place}")
    y += 0.9 * len(lines)
    text = f"= {total}"
    size = theme.fit(text, 3.6, 16)
    theme.write(axes, x, y, text, ha="left", size=size, bold=True, label="total")


def cross_correlation_versus_convolution(input: ArrayLike, weight: ArrayLike) -> Figure:
    r"""Draw a filter as it is and flipped, each with its output.

    On the left is what CNN layers compute and call convolution,
    $\sum_{m,n} w_{m,n}\, x_{i+m,\,j+n}$, which is a cross-correlation. On the right is the
    convolution of mathematics, with the filter turned by half a turn. The outlined cell is the same
    number of the filter in both.

    Args:
        input: One channel, (H, W).
        weight: One filter, (kH, kW). A symmetric one would hide the difference.

    Raises:
        ValueError: If an argument is not a matrix, the filter is larger than the input, or a side
            of the input is above 9.
        TypeError: If an argument does not hold real numbers.
    """
    image, kernel = as_matrix(input, "input"), as_matrix(weight, "weight")
    flipped = kernel[::-1, ::-1]
    outputs = [conv2d(image[None], each[None, None])[0] for each in (kernel, flipped)]
    _check_readable(image[None], kernel[None, None], outputs[0].shape)

    rows, columns = kernel.shape
    out_rows, out_columns = outputs[0].shape
    panel = max(columns, out_columns, 6)
    gap = 1.2
    width = max(2 * panel + gap, image.shape[1]) + 2 * _MARGIN
    filter_y = _HEADING + image.shape[0] + 2.9
    output_y = filter_y + rows + 1.7
    figure, axes = theme.canvas(width, output_y + out_rows + _MARGIN)
    left = (width - image.shape[1]) / 2
    x_grid = draw_grid(axes, image, left, _HEADING, fill=theme.INPUT, name="input")
    theme.write(axes, width / 2, _HEADING - 0.45, "input")
    panels = (
        ("cross-correlation", "filter as it is", kernel, (0, 0)),
        ("convolution", "filter flipped", flipped, (rows - 1, columns - 1)),
    )
    for place, (operation, heading, values, corner) in enumerate(panels):
        middle = width / 2 + (place - 0.5) * (panel + gap)
        start = (width / 2 + (place - 0.5) * 1.5, x_grid.bottom + 0.2)
        strokes(
            axes, [(start, (middle, filter_y - 1.85))], colour=theme.MUTED, width=1.2, label="link"
        )
        theme.write(axes, middle, filter_y - 1.4, operation, bold=True, size=13)
        theme.write(axes, middle, filter_y - 0.45, heading)
        w_grid = draw_grid(
            axes, values, middle - columns / 2, filter_y, fill=theme.FILTER,
            marked=[corner], mark_fill=theme.FILTER, name=f"filter {place}",
        )  # fmt: skip
        outline(axes, w_grid, corner, (1, 1), label="same cell")
        theme.write(axes, middle, output_y - 0.45, "output")
        draw_grid(
            axes, outputs[place], middle - out_columns / 2, output_y, fill=theme.OUTPUT,
            name=f"output {place}",
        )  # fmt: skip
    return figure


def filtered_picture(input: ArrayLike, weight: ArrayLike) -> Figure:
    """Draw a picture, a filter, and the response of the filter to the picture.

    In the response, mid-grey is zero, light is positive and dark is negative.

    Args:
        input: One channel, (H, W) or (1, H, W).
        weight: One filter, (kH, kW).

    Raises:
        ValueError: If an argument has the wrong shape, the filter is larger than the picture, or a
            side of the filter is above 9.
        TypeError: If an argument does not hold real numbers.
    """
    image, kernel = as_picture(input, "input"), as_matrix(weight, "weight")
    refuse_larger(kernel.shape, _MOST_CELLS, "`weight`")
    response = conv2d(image[None], kernel[None, None])[0]
    rows, columns = kernel.shape
    gap = 0.8
    width = (theme.WIDTH - 2 * _MARGIN - columns - 2 * gap) / 2
    tallest = max(width * image.shape[0] / image.shape[1], rows)
    figure, axes = theme.canvas(theme.WIDTH, _HEADING + tallest + _MARGIN)
    theme.write(axes, _MARGIN, _HEADING - 0.45, "picture", ha="left", bold=True)
    picture = draw_picture(
        axes, image, _MARGIN, _HEADING, width, low=float(image.min()), high=float(image.max()),
        name="picture",
    )  # fmt: skip
    filter_x, filter_y = _MARGIN + width + gap, _HEADING + (tallest - rows) / 2
    theme.write(axes, filter_x, filter_y - 0.45, "filter", ha="left", bold=True)
    draw_grid(axes, kernel, filter_x, filter_y, fill=theme.FILTER, name="filter")
    # One picture pixel is as large in the response, which has a border less.
    scale, bound = picture.scale, max(float(np.abs(response).max()), np.finfo(float).tiny)
    x = filter_x + columns + gap + (columns - 1) / 2 * scale
    y = _HEADING + (rows - 1) / 2 * scale
    theme.write(axes, x, _HEADING - 0.45, "response", ha="left", bold=True)
    draw_picture(
        axes, response, x, y, response.shape[1] * scale, low=-bound, high=bound, name="response"
    )
    return figure
