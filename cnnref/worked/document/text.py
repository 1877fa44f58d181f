"""Worked solutions as plain text, with aligned columns and a star after each padding cell."""

from __future__ import annotations

from collections.abc import Sequence

from cnnref.worked.document import (
    Display,
    Document,
    Entry,
    Equation,
    Expression,
    Floor,
    Grid,
    Heading,
    Ledger,
    Mark,
    Matrix,
    Paragraph,
    Product,
    Quotient,
    Sum,
    Symbol,
    Term,
    has_mark,
)

_ELLIPSES = {"horizontal": "⋯", "vertical": "⋮", "diagonal": "⋱"}
_INDENT = "  "
_GAP = "   "


def render(document: Document) -> str:
    """Render a document as plain text."""
    return "\n\n".join(_block(block) for block in document.blocks)


def _block(block: object) -> str:
    match block:
        case Paragraph(parts):
            return "".join(part if isinstance(part, str) else _inline(part) for part in parts)
        case Heading(text):
            return text
        case Grid(cards):
            return "\n\n".join(
                "\n\n".join([card.title, *(_block(b) for b in card.blocks)]) for card in cards
            )
        case Display(matrix):
            return _indented(_matrix(matrix))
        case Equation():
            return _equation(block)
        case Ledger():
            return _ledger(block)
    raise TypeError(f"a {type(block).__name__} is not a part of a document")


def _inline(part: Entry | Expression) -> str:
    return _entry(part).strip() if isinstance(part, Entry) else _expression(part)


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"{_INDENT}{line}".rstrip() for line in lines)


def _entry(cell: Entry) -> str:
    match cell.mark:
        case Mark.PADDING:
            return f"{cell.text}*"
        case Mark.UNREAD:
            return "· "
        case Mark.ELLIPSIS:
            return f"{_ELLIPSES[cell.text]} "
    return f"{cell.text} "


def _matrix(matrix: Matrix) -> list[str]:
    # Every entry ends in a star or a space, so that the digits stay aligned.
    cells = [[_entry(cell) for cell in row] for row in matrix.rows]
    if not has_mark([matrix], Mark.PADDING):
        cells = [[cell[:-1] for cell in row] for row in cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    gap = " " if has_mark([matrix], Mark.PADDING) else "  "
    return [
        f"[ {gap.join(c.rjust(w) for c, w in zip(row, widths, strict=True))} ]" for row in cells
    ]


def _beside(blocks: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Put matrices of equal height side by side, each with a sign before its middle row."""
    height = len(blocks[0][1])
    lines = [""] * height
    for sign, block in blocks:
        for i, line in enumerate(block):
            before = f" {sign} " if i == height // 2 else "   "
            lines[i] += (before if sign else "") + line
    return lines


def _ledger(ledger: Ledger) -> str:
    # Each line is (left, name, number); the three columns are aligned over the whole ledger.
    lines: list[tuple[str, str, str]] = []
    for term in ledger.terms:
        lines += [*_term(term), ("", "", "")]
    total = ("", _called("total", ledger.adds_up), ledger.total.text)
    left, names, numbers = (max(len(line[i]) for line in (*lines, total)) for i in range(3))
    rows = [
        f"{a.ljust(left)}{_GAP}{b.ljust(names)}{_GAP}{c.rjust(numbers)}" for a, b, c in lines[:-1]
    ]
    rule = f"{'':{left}}{_GAP}{'-' * (names + len(_GAP) + numbers)}"
    last = f"{'':{left}}{_GAP}{total[1].ljust(names)}{_GAP}{total[2].rjust(numbers)}"
    return _indented([*rows, rule, last])


def _term(term: Term) -> list[tuple[str, str, str]]:
    if not term.is_sum:
        return [("", term.label, term.value.text)]
    called = _called("sum", term.adds_up)
    if not term.factors:
        return [(term.label, called, term.value.text)]
    blocks = [("⊙" if i else "", _matrix(factor)) for i, factor in enumerate(term.factors)]
    if term.product is not None:
        blocks.append(("=" if term.product_exact else "≈", _matrix(term.product)))
    lines = _beside(blocks)
    middle = len(lines) // 2
    return [
        (term.label, "", ""),
        *(
            (line, called, term.value.text) if i == middle else (line, "", "")
            for i, line in enumerate(lines)
        ),
    ]


def _called(name: str, adds_up: bool) -> str:
    return name if adds_up else f"{name} ≈"


def _equation(block: Equation) -> str:
    left = _expression(block.left)
    first, *rest = (_expression(step) for step in block.steps)
    return _indented([f"{left} = {first}", *(f"{'':{len(left)}} = {step}" for step in rest)])


def _expression(node: Expression) -> str:
    match node:
        case Symbol(name, index):
            return name + index
        case Sum(terms):
            signed = (f"{'+' if sign > 0 else '-'} {_expression(term)}" for sign, term in terms)
            return " ".join(signed).removeprefix("+ ")
        case Product(factors):
            return " * ".join(_bracketed(factor) for factor in factors)
        case Quotient(above, below):
            return f"{_bracketed(above)} / {_bracketed(below)}"
        case Floor(inner):
            return f"floor({_expression(inner)})"


def _bracketed(node: Expression) -> str:
    return f"({_expression(node)})" if isinstance(node, Sum) else _expression(node)
