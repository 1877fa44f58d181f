r"""The worked solution of space_to_depth: which pixel goes into which channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnref._checks import as_images, as_index, as_int
from cnnref._types import Array
from cnnref.ops.resolution_and_channels import space_to_depth as computed
from cnnref.worked.document import (
    UNREAD,
    Block,
    Card,
    Display,
    Document,
    Entry,
    Equation,
    Grid,
    Heading,
    Mark,
    Matrix,
    Paragraph,
    Product,
    has_mark,
    kept,
    number,
)
from cnnref.worked.layout import ROUNDED
from cnnref.worked.solution import Solution


@dataclass(frozen=True, eq=False)
class PickedChannel:
    """One channel of the output, and where its pixels come from. All indices count from 0.

    Attributes:
        channel: Index of the output channel.
        source: Index of the input channel that it reads.
        row: First row it reads, which is the row of its pixels inside their blocks.
        column: First column it reads.
        picked: True where it reads the input channel, shape (H, W).
        values: Its pixels, shape (H / r, W / r).
    """

    channel: int
    source: int
    row: int
    column: int
    picked: npt.NDArray[np.bool_]
    values: Array


@dataclass(frozen=True, eq=False)
class SpaceToDepthDerivation(Solution):
    """The derivation of a space_to_depth, channel by channel; make one with `space_to_depth`.

    Iterating yields every output channel; `len` is the number of channels.

    Attributes:
        input: One image, shape (C, H, W).
        block_size: Side r of a block.
        output: Shape (C r², H / r, W / r).
    """

    input: Array
    block_size: int
    output: Array

    def __len__(self) -> int:
        return len(self.output)

    def __iter__(self) -> Iterator[PickedChannel]:
        return (self.channel(k) for k in range(len(self)))

    def channel(self, k: int) -> PickedChannel:
        """Return one output channel with its pixels. Indices count from 0.

        Raises:
            IndexError: If there is no such channel.
            TypeError: If the index is not an integer.
        """
        k = as_index(k, "k", len(self))
        source, place = divmod(k, self.block_size**2)
        row, column = divmod(place, self.block_size)
        picked = np.zeros(self.input.shape[1:], dtype=bool)
        picked[row :: self.block_size, column :: self.block_size] = True
        return PickedChannel(k, source, row, column, picked, self.output[k])

    @property
    def coefficients(self) -> int:
        """The number of values in the image, which does not change."""
        return self.input.size

    def document(self, max_size: int = 9, max_channels: int = 16) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it.

        Args:
            max_size: Largest number of rows and columns to write; dots replace the others.
            max_channels: Largest number of output channels to write.

        Raises:
            TypeError: If a limit is not an integer.
            ValueError: If a limit is less than 2.
        """
        as_int(max_size, "max_size", 2)
        as_int(max_channels, "max_channels", 2)
        r = self.block_size
        cards, matrices = [], []
        for k in kept(len(self), max_channels):
            if k is None:
                left_out = f"… {len(self) - max_channels} more …"
                cards.append(Card(left_out, ()))
                continue
            step = self.channel(k)
            read = self.input[step.source]
            shown = Matrix.of(read, unread=~step.picked, max_size=max_size)
            values = Matrix.of(step.values, max_size=max_size)
            matrices += [shown, values]
            cards.append(
                Card(
                    f"Output channel {k + 1}",
                    (Paragraph((self._sentence(step),)), Display(shown), Display(values)),
                )
            )
        marks = (
            ("The image is cut into blocks of ", f"{r}×{r} pixels. ")
            if r > 1
            else ("Each block is one pixel: nothing moves. ",)
        )
        blocks: list[Block] = [
            Paragraph((*marks, "Each output channel takes one place of every block."))
        ]
        if has_mark(matrices, Mark.UNREAD):
            legend: tuple[str | Entry, ...] = (
                "A dot ", UNREAD, " is a pixel that goes into another channel.",
            )  # fmt: skip
            blocks.append(Paragraph(legend))
        if any(matrix.rounded for matrix in matrices):
            blocks.append(ROUNDED)
        blocks += [Grid(tuple(cards)), Heading("The count of coefficients")]
        before, after = (
            Product((number(shape[1]), number(shape[2]), number(shape[0])))
            for shape in (self.input.shape, self.output.shape)
        )
        blocks += [
            Paragraph(("Height times width times channels, before:",)),
            Equation(before, (number(self.coefficients),)),
            Paragraph(("And after:",)),
            Equation(after, (number(self.output.size),)),
        ]
        return Document(tuple(blocks))

    def _sentence(self, step: PickedChannel) -> str:
        source = f"Input channel {step.source + 1}: " if len(self.input) > 1 else ""
        rows = self._places("row", step.row, self.input.shape[1])
        columns = self._places("column", step.column, self.input.shape[2])
        sentence = f"{source}{rows}, {columns}."
        return sentence[0].upper() + sentence[1:]

    def _places(self, name: str, first: int, size: int) -> str:
        places = list(range(first + 1, size + 1, self.block_size))
        numbers = ["…" if i is None else str(places[i]) for i in kept(len(places), 4)]
        joined = numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} and {numbers[-1]}"
        return f"{name}{'s' if len(places) > 1 else ''} {joined}"


def space_to_depth(input: npt.ArrayLike, block_size: int) -> SpaceToDepthDerivation:
    r"""Derive space_to_depth: the pixels of each output channel, then the number of values.

    Args:
        input: One image, shape (C, H, W) or (1, C, H, W).
        block_size: Side r of a block; it must divide H and W.

    Returns:
        The derivation: its numbers as fields, and `to_text`, `to_latex`, `to_markdown`.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If there is more than one image, or as for `cnnref.space_to_depth`.

    Examples:
        >>> solution = space_to_depth([[[1, 2], [3, 4]]], 2)
        >>> solution.channel(2).row, solution.channel(2).column, solution.channel(2).values
        (1, 0, array([[3]]))
        >>> solution.coefficients
        4

    Source:
        `torch.nn.functional.pixel_unshuffle`.
    """
    images, _ = as_images(input)
    if len(images) != 1:
        raise ValueError(f"`input` holds {len(images)} images, but must hold one")
    return SpaceToDepthDerivation(
        images[0], as_int(block_size, "block_size", 1), computed(images[0], block_size)
    )


__all__ = ["PickedChannel", "SpaceToDepthDerivation", "space_to_depth"]
