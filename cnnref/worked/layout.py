"""What the derivations of cell-by-cell results share: titles, matrices, and the closing output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cnnref._types import Array
from cnnref.worked.document import Block, Display, Heading, Matrix, Paragraph, kept
from cnnref.worked.numbers import Shown, show


class HasOutput(Protocol):
    """A derivation whose output has a shape (images, channels, rows, columns)."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The output's shape, with the batch axis."""

    @property
    def output(self) -> Array:
        """The output, with or without the batch axis."""


class Layout:
    """Writes parts of a document, and keeps in mind whether a number in it is rounded."""

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size
        self.rounded = False  # set as soon as one number of the document is

    def matrix(
        self,
        values: Array,
        padding: npt.NDArray[np.bool_] | None = None,
        unread: npt.NDArray[np.bool_] | None = None,
    ) -> Matrix:
        """Return a matrix to be shown, elided beyond the largest size."""
        matrix = Matrix.of(values, padding=padding, unread=unread, max_size=self.max_size)
        self.rounded |= matrix.rounded
        return matrix

    def show(self, value: Any) -> Shown:
        """Return a number to be shown."""
        shown = show(value)
        self.rounded |= shown.rounded
        return shown


class CellLayout(Layout):
    """Writes cells of an output with several images and channels, counted from 1."""

    def __init__(self, result: HasOutput, channel_word: str, max_size: int) -> None:
        super().__init__(max_size)
        self.result = result
        self.channel_word = channel_word  # what an output channel is called: filter, channel

    def title(self, image: int, channel: int, row: int, column: int) -> str:
        """Return where a cell stands; image and channel are named if there are several."""
        words = f"{self._prefix(image, channel)}row {row + 1}, column {column + 1}"
        return words[0].upper() + words[1:]

    def outputs(self, limit: int) -> Iterator[Block]:
        """Close with the whole output, one matrix a channel, at most ``limit`` of them."""
        images, channels, _, _ = self.result.shape
        output = np.reshape(self.result.output, self.result.shape)
        count = images * channels
        for i in kept(count, limit):
            if i is None:
                yield Paragraph((f"… {count - limit} more …",))
                continue
            image, channel = divmod(i, channels)
            named = self._prefix(image, channel).removesuffix(", ")
            yield Heading(f"Output of {named}" if named else "Output")
            yield Display(self.matrix(output[image, channel]))

    def _prefix(self, image: int, channel: int) -> str:
        images, channels, _, _ = self.result.shape
        named = f"image {image + 1}, " if images > 1 else ""
        return named + (f"{self.channel_word} {channel + 1}, " if channels > 1 else "")
