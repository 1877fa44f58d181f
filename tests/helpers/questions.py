"""What the text of an exercise says, read back from it."""

from __future__ import annotations

import re


def integers(text: str) -> list[int]:
    """Return the integers of a text in order; 1,234 is one of them."""
    return [int(one.replace(",", "")) for one in re.findall(r"-?\d+(?:,\d{3})*", text)]


def matrices(text: str) -> list[list[list[float]]]:
    """Return the matrices of a text, row by row."""
    bodies = re.findall(r"\\begin{pmatrix}(.*?)\\end{pmatrix}", text, re.DOTALL)
    return [
        [[float(cell) for cell in row.split("&")] for row in body.split(r"\\")] for body in bodies
    ]
