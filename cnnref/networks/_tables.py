"""Tables of numbers as plain text for a terminal, or Markdown for a page or notebook."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]


def to_text(head: Row, rows: Sequence[Row]) -> str:
    """Write a table with the first column aligned left and the others right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def to_markdown(head: Row, rows: Sequence[Row], last_is_total: bool = False) -> str:
    """Write a Markdown table with the first column aligned left and the others right."""
    if last_is_total:
        rows = [*rows[:-1], [f"**{cell}**" if cell else "" for cell in rows[-1]]]
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def half(value: float) -> str:
    """Write a number that is an integer or an integer plus a half."""
    return f"{value:g}"


def pair(values: tuple[float, float]) -> str:
    """Write a (height, width) pair, as one number if both are equal."""
    first, second = map(half, values)
    return first if first == second else f"{first} × {second}"
