r"""The worked solution of a receptive field: size, jump and first pixel, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnref.networks.layers import Branches, Conv, Layer, Pool, Window
from cnnref.networks.receptive_field import PIXEL, ReceptiveField, ends, enlarges, steps
from cnnref.worked.document import (
    Block,
    Card,
    Document,
    Equation,
    Expression,
    Grid,
    Heading,
    Paragraph,
    Product,
    Quotient,
    Sum,
    Symbol,
    difference,
    listing,
    number,
)
from cnnref.worked.numbers import show
from cnnref.worked.solution import Solution

_AXES = ("Height", "Width")


@dataclass(frozen=True)
class FieldStep:
    """The receptive field before and after one layer.

    Attributes:
        name: The layer's name, or its kind.
        window: The part of the input that an output cell reads; None for a block.
        before: The field of the layer's input.
        after: The field of its output.
        paths: In a block, the field at the end of each path.
    """

    name: str
    window: Window | None
    before: ReceptiveField
    after: ReceptiveField
    paths: tuple[ReceptiveField, ...] = ()


@dataclass(frozen=True)
class ReceptiveFieldDerivation(Solution):
    """The derivation of a receptive field; make one with `receptive_field`.

    Attributes:
        steps: One step per convolution, pooling and block.
        left_out: Names of the layers that read one cell each and so change nothing.
    """

    steps: tuple[FieldStep, ...]
    left_out: tuple[str, ...]

    @property
    def result(self) -> ReceptiveField:
        """The field after the last layer."""
        return self.steps[-1].after if self.steps else PIXEL

    def document(self) -> Document:
        """Lay out the worked solution; `to_text`, `to_latex` and `to_markdown` render it."""
        blocks: list[Block] = [*_rules()]
        if self.left_out:
            names = listing(self.left_out)
            blocks.append(Paragraph((f"Layers that read one cell change nothing: {names}.",)))
        if all(_square(step) for step in self.steps):
            blocks += self._axis(1)
        else:
            for axis, name in enumerate(_AXES):
                blocks += [Heading(name), *self._axis(axis)]
        return Document(tuple(blocks))

    def _axis(self, axis: int) -> Iterator[Block]:
        if self.steps:
            yield Grid(tuple(_card(i, step, axis) for i, step in enumerate(self.steps, start=1)))
        first, size = self.result.first[axis], self.result.size[axis]
        yield Paragraph(("The centre of the first cell's field, its start, is",))
        half = Quotient(difference(number(size), number(1)), number(2))
        yield Equation(
            Symbol("start"),
            (
                Sum((*_signed(first).terms, (1, half))),
                _signed(first + (size - 1) / 2),
            ),
        )


def receptive_field(layers: Sequence[Layer]) -> ReceptiveFieldDerivation:
    r"""Derive the receptive field of a network's last cell, layer by layer.

    $$r_1 = r_0 + (k - 1)\, d\, j_0, \qquad f_1 = f_0 - p\, j_0, \qquad j_1 = j_0\, s$$

    Args:
        layers: The layers, first to last. The derivation ends before the first layer that reads
            the whole map, as in `cnnref.receptive_field`, and before the first that enlarges it,
            because its cells see different numbers of pixels.

    Returns:
        The derivation. Height and width are derived separately only if they differ.

    Raises:
        TypeError: If `layers` is not a list of layers.
        ValueError: If the paths of a block end with different jumps.

    Examples:
        >>> from cnnref.networks.layers import Conv, Pool
        >>> solution = receptive_field([Conv(8, 3), Pool(2), Conv(8, 3)])
        >>> solution.result.size, solution.result.jump
        ((8, 8), (2, 2))

    Source:
        A. Araujo, W. Norris and J. Sim, Computing Receptive Fields of Convolutional Neural
        Networks, Distill, 2019, doi:10.23915/distill.00021.
    """
    found: list[FieldStep] = []
    left_out: list[str] = []
    for layer, before, after in steps(layers):
        if enlarges(layer):
            break
        if isinstance(layer, Branches):
            found.append(FieldStep(layer.label, None, before, after, tuple(ends(before, layer))))
        elif isinstance(layer, (Conv, Pool)):
            found.append(FieldStep(layer.label, layer.window, before, after))
        else:
            left_out.append(layer.label)
    return ReceptiveFieldDerivation(tuple(found), tuple(dict.fromkeys(left_out)))


def _rules() -> Iterator[Block]:
    r, j, f, k, s, d, p = (Symbol(name) for name in "rjfksdp")
    size, jump, first = (Symbol(name, "0") for name in "rjf")
    yield Paragraph(
        (
            "Along each axis a cell reads a field of ", r, " pixels. Its neighbour reads ", j,
            " pixels further on. The first cell begins at pixel ", f, ", counted from 0; the "
            "padding in front of the image has negative numbers.",
        )
    )  # fmt: skip
    yield Paragraph(
        (
            "The image itself has ", size, " = 1, ", jump, " = 1 and ", first, " = 0. A layer with "
            "window size ", k, ", stride ", s, ", dilation ", d, " and padding ", p,
            " in front makes of them",
        )
    )  # fmt: skip
    rules = _rules_of(size, jump, Sum(((1, first),)), k, s, p, d)
    for name, rule in zip("rfj", rules, strict=True):
        yield Equation(Symbol(name, "1"), (rule,))


def _rules_of(
    size: Expression,
    jump: Expression,
    first: Sum,
    kernel: Expression,
    stride: Expression,
    padding: Expression,
    dilation: Expression,
) -> tuple[Expression, Expression, Expression]:
    """Return the new size, first pixel and jump, as letters or numbers."""
    reach = Product((difference(kernel, number(1)), dilation, jump))
    moved = Sum((*first.terms, (-1, Product((padding, jump)))))
    return Sum(((1, size), (1, reach))), moved, Product((jump, stride))


def _card(index: int, step: FieldStep, axis: int) -> Card:
    if step.window is None:
        return Card(f"{index}. {step.name}", tuple(_joined(index, step, axis)))
    window, before, found = step.window, step.before, step.after
    kernel, stride = window.kernel_size[axis], window.stride[axis]
    padding, dilation = window.padding[axis][0], window.dilation[axis]
    settings = [f"Window {kernel}", f"stride {stride}"]
    settings += [f"padding {padding}"] if padding else []
    settings += [f"dilation {dilation}"] if dilation > 1 else []
    rules = _rules_of(
        number(before.size[axis]),
        _jump(before, axis),
        _signed(before.first[axis]),
        number(kernel),
        number(stride),
        number(padding),
        number(dilation),
    )
    results: tuple[Expression, ...] = (
        number(found.size[axis]),
        _signed(found.first[axis]),
        _jump(found, axis),
    )
    equations = [
        Equation(Symbol(name, str(index)), (rule, result))
        for name, rule, result in zip("rfj", rules, results, strict=True)
    ]
    return Card(f"{index}. {step.name}", (Paragraph((", ".join(settings) + ".",)), *equations))


def _joined(index: int, step: FieldStep, axis: int) -> Iterator[Block]:
    for place, path in enumerate(step.paths, start=1):
        first, size = path.first[axis], path.size[axis]
        yield Paragraph(
            (
                f"Path {place} reads {size} pixel{'' if size == 1 else 's'}, from ",
                _signed(first), " to ", _signed(first + size - 1), ".",
            )
        )  # fmt: skip
    first, size = step.after.first[axis], step.after.size[axis]
    yield Paragraph(
        (
            "The block reads from the first of these pixels to the last, from ", _signed(first),
            " to ", _signed(first + size - 1), "; each path steps by ",
            _jump(step.after, axis), ".",
        )
    )  # fmt: skip
    yield Equation(Symbol("r", str(index)), (number(size),))
    yield Equation(Symbol("f", str(index)), (_signed(first),))
    yield Equation(Symbol("j", str(index)), (_jump(step.after, axis),))


def _jump(field: ReceptiveField, axis: int) -> Symbol:
    """Return the jump, which is a whole number as long as nothing enlarges the map."""
    return number(int(field.jump[axis]))


def _signed(value: float) -> Sum:
    """Return a number as a sum of one term with its sign."""
    return Sum(((-1 if value < 0 else 1, Symbol(show(abs(value)).text)),))


def _square(step: FieldStep) -> bool:
    """Return whether height and width have the same settings, so that they share a derivation."""
    pairs: list[tuple[float, float]] = [step.after.size, step.after.jump, step.after.first]
    if step.window is not None:
        window = step.window
        before = (window.padding[0][0], window.padding[1][0])
        pairs += [window.kernel_size, window.stride, window.dilation, before]
    for path in step.paths:
        pairs += [path.first, path.size]
    return all(height == width for height, width in pairs)


__all__ = ["FieldStep", "ReceptiveFieldDerivation", "receptive_field"]
