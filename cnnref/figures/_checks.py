"""Argument checks that several figures share."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from cnnref._checks import as_array, as_pair


def as_matrix(value: ArrayLike, name: str) -> NDArray[Any]:
    """Return a matrix of real numbers.

    Raises:
        TypeError: If the value does not hold real numbers.
        ValueError: If it is not a matrix.
    """
    matrix = as_array(value, name)
    if matrix.ndim != 2:
        raise ValueError(f"`{name}` must be a matrix, got shape {matrix.shape}")
    return matrix


def as_cell(
    value: object, size: tuple[int, ...], *, name: str = "at", of: str = "output"
) -> tuple[int, int]:
    """Return the (row, column) of a cell of a matrix of this size, which messages call ``of``.

    Raises:
        TypeError: If the value does not hold integers.
        ValueError: If it lies outside the matrix.
    """
    row, column = as_pair(value, name, 0)
    if row >= size[0] or column >= size[1]:
        raise ValueError(f"`{name}` ({value}) must lie in the {of}, which is {size[0]}×{size[1]}")
    return row, column


def refuse_larger(shape: tuple[int, ...], most: int, name: str) -> None:
    """Refuse a matrix whose numbers would be too small to read in a figure.

    Raises:
        ValueError: If it has more than ``most`` rows or columns.
    """
    rows, columns = shape
    if max(shape) > most:
        raise ValueError(
            f"the {name} is {rows}×{columns}: the figure draws at most {most}×{most} cells"
        )
