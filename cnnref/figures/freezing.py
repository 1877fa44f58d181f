"""Why the base is frozen first, drawn: one step of a two-layer network, number by number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cnnref._checks import as_array
from cnnref.figures import _theme as theme
from cnnref.figures._grid import draw_grid

__all__ = ["one_step"]

_MARGIN = 0.2
_GAP = 2.7  # room for the sign and the learning rate between two matrices
_MOST = 3


def one_step(
    base: ArrayLike, heads: Sequence[ArrayLike], input: ArrayLike, target: float, rate: float
) -> Figure:
    r"""Draw what one step of gradient descent does to a base, under several heads.

    The network is $y = v \cdot (W x)$ with base $W$ and head $v$. The loss is
    $\frac12 (y - t)^2$. There is one row per head: the base, its gradient
    $(y - t)\, v\, x^\top$, and the base after the step.

    Args:
        base: W, (rows, columns), at most 3 × 3.
        heads: One v for each row of the figure, each (rows,).
        input: x, (columns,).
        target: t.
        rate: Learning rate.

    Raises:
        TypeError: If an array does not hold real numbers.
        ValueError: If a shape does not fit, `base` is too large to read, or there is no head.
    """
    weights, x = as_array(base, "base"), as_array(input, "input")
    if weights.ndim != 2 or not 0 < min(weights.shape) <= max(weights.shape) <= _MOST:
        raise ValueError(f"`base` has shape {weights.shape}; it must be at most ({_MOST}, {_MOST})")
    rows, columns = weights.shape
    if x.shape != (columns,):
        raise ValueError(f"`input` has shape {x.shape}; it must be ({columns},)")
    if not len(heads):
        raise ValueError("`heads` is empty; there must be at least one")
    step, line = columns + _GAP, rows + 1.6
    figure, axes = theme.canvas(
        max(3 * columns + 2 * _GAP, 11.2) + 2 * _MARGIN, line * len(heads) + 1.1
    )
    for place, words in enumerate(("base", "gradient", "after")):
        middle = _MARGIN + place * step + columns / 2
        theme.write(axes, middle, 0.5, words, bold=True, label="column")
    for place, head in enumerate(heads):
        v = as_array(head, f"heads[{place}]")
        if v.shape != (rows,):
            raise ValueError(f"`heads[{place}]` has shape {v.shape}; it must be ({rows},)")
        error = float(v @ weights @ x - target)
        # Adding 0 turns a -0.0 among the products into 0.
        gradient = error * np.outer(v, x) + 0.0
        after = np.round(weights - rate * gradient, 12) + 0.0
        top = 1.1 + place * line
        numbers = ", ".join(theme.number(value) for value in v)
        words = f"head ({numbers}): error {theme.number(error)}"
        theme.write(axes, _MARGIN, top + 0.5, words, ha="left", label=f"heading {place}")
        changed = [(int(r), int(c)) for r, c in zip(*np.nonzero(gradient), strict=True)]
        y = top + 1.1
        for column, (matrix, fill, marked, name) in enumerate(
            (
                (weights, theme.FILTER, [], "base"),
                (gradient, theme.INPUT, [], "gradient"),
                (after, theme.FILTER, changed, "after"),
            )
        ):
            x0 = _MARGIN + column * step
            draw_grid(axes, matrix, x0, y, fill=fill, marked=marked, name=f"{name} {place}")
        middle = y + rows / 2
        sign = f"\N{MINUS SIGN} {theme.number(rate)} ×"
        theme.write(axes, _MARGIN + columns + _GAP / 2, middle, sign, label="sign")
        theme.write(axes, _MARGIN + step + columns + _GAP / 2, middle, "=", label="sign")
    return figure
