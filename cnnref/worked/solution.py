"""The base classes of all derivations: a document is laid out once and rendered in any form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from cnnref._checks import as_index, shown
from cnnref._types import Array
from cnnref.worked.document import Document, latex, markdown, text

Index = tuple[int, ...]
Cell = TypeVar("Cell")


class Solution(ABC):
    """A worked solution: data first, then plain text, LaTeX or Markdown.

    A derivation defines `document` and inherits the renderers. A notebook shows it as Markdown.
    """

    @abstractmethod
    def document(self, *args: Any, **layout: Any) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it."""

    def to_text(self, *args: Any, **layout: Any) -> str:
        """Write the solution as plain text.

        Args:
            *args: As for `document`.
            **layout: As for `document`.
        """
        return text.render(self.document(*args, **layout))

    def to_latex(self, *args: Any, **layout: Any) -> str:
        """Write the solution as a LaTeX fragment that needs `amsmath`.

        Args:
            *args: As for `document`.
            **layout: As for `document`.
        """
        return latex.render(self.document(*args, **layout))

    def to_markdown(self, *args: Any, grid: bool = True, **layout: Any) -> str:
        """Write the solution as Markdown with LaTeX maths.

        Args:
            *args: As for `document`.
            grid: Whether to wrap the cards in `div` elements, which the site's style sheet lays
                out as a grid. False gives plain Markdown, for notebooks.
            **layout: As for `document`.
        """
        return markdown.render(self.document(*args, **layout), grid=grid)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_markdown_(self) -> str:
        return self.to_markdown(grid=False)


class CellSolution(Solution, Generic[Cell]):
    """A solution whose output consists of cells, each derived on request.

    Iterating yields every cell, the last index changing fastest; `len` is the number of cells.
    """

    cell_names: ClassVar[tuple[str, ...]]
    """The names of a cell's indices, the image first."""

    @property
    @abstractmethod
    def shape(self) -> Index:
        """The number of cells along each index, the images first."""

    @property
    @abstractmethod
    def output(self) -> Array:
        """The whole output, with a batch axis if the input had one."""

    @abstractmethod
    def cell(self, *args: Any, **index: Any) -> Cell:
        """Derive one output cell. Indices count from 0.

        Raises:
            TypeError: If an index is not an integer.
            IndexError: If an index is outside the output.
        """

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def __iter__(self) -> Iterator[Cell]:
        return (self.cell_at(index) for index in np.ndindex(*self.shape))

    def cell_at(self, index: Sequence[int]) -> Cell:
        """Derive the cell at an index. Without an image, it is in the first one.

        Raises:
            ValueError: If the index has too few or too many numbers.
            TypeError: As for `cell`.
            IndexError: As for `cell`.
        """
        names = self.cell_names
        rule = f"must be ({', '.join(names[1:])}) or ({', '.join(names)})"
        if not isinstance(index, (tuple, list)):
            raise TypeError(f"a cell of `cells` ({shown(index)}) {rule}")
        full = (0, *index) if len(index) == len(names) - 1 else tuple(index)
        if len(full) != len(names):
            raise ValueError(f"a cell of `cells` ({index!r}) {rule}")
        return self.cell(**dict(zip(names, full, strict=True)))

    def cells_at(self, cells: Sequence[Sequence[int]]) -> list[Cell]:
        """Derive the cells at some indices.

        Raises:
            ValueError: As for `cell_at`.
            TypeError: If `cells` is not a list or tuple, or as for `cell_at`.
            IndexError: As for `cell`.
        """
        if not isinstance(cells, (tuple, list)):
            raise TypeError(f"`cells` ({shown(cells)}) must be a list of cells")
        return [self.cell_at(index) for index in cells]


def check_index(index: Index, shape: Index, names: Sequence[str]) -> Index:
    """Return an index as plain integers; refuse one that is not an integer or is out of range."""
    return tuple(
        as_index(value, name, size) for value, size, name in zip(index, shape, names, strict=True)
    )
