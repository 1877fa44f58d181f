"""Givens and answers in LaTeX."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnref.worked.numbers import show


def matrix(values: Any, decimals: int | None = None) -> str:
    """Write a matrix, or a list of numbers as one row.

    Args:
        values: Numbers of shape (rows, columns) or (columns,).
        decimals: How many decimals to write; None writes each number as derivations do.
    """
    rows = np.atleast_2d(values)
    cells = [
        [str(show(value)) if decimals is None else f"{value:.{decimals}f}" for value in row]
        for row in rows
    ]
    body = r" \\ ".join(" & ".join(row) for row in cells)
    return rf"\begin{{pmatrix}} {body} \end{{pmatrix}}"
