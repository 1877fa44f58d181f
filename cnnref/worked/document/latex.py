r"""Worked solutions as LaTeX for documents that load `amsmath`. KaTeX reads the formulas too."""

from __future__ import annotations

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
)

_ELLIPSES = {"horizontal": r"\cdots", "vertical": r"\vdots", "diagonal": r"\ddots"}
_SIGNS = {"⊙": r"\odot", "≈": r"\approx"}
_SPACE = r"& & \\[-0.8em]"  # an empty row, drawn up: `\\[0.4em]` adds nothing below a tall matrix
_LINE_EM = 10.0  # longest line of a ledger, so that it fits a phone of 360 px


def render(document: Document) -> str:
    """Render a document as a LaTeX fragment, without preamble."""
    return "\n\n".join(_block(block) for block in document.blocks)


def _block(block: object) -> str:
    match block:
        case Paragraph():
            return paragraph(block)
        case Heading(text):
            return rf"\paragraph{{{text}}}"
        case Grid(cards):
            return "\n\n".join(
                "\n".join([rf"\paragraph{{{card.title}}}", *(_block(b) for b in card.blocks)])
                for card in cards
            )
        case _:
            return f"\\[\n{formula(block)}\n\\]"


def paragraph(block: Paragraph) -> str:
    """Render words, with formulas in dollar signs."""
    return "".join(part if isinstance(part, str) else f"${inline(part)}$" for part in block.parts)


def inline(part: Entry | Expression) -> str:
    """Render an entry or an expression, without the dollar signs."""
    return entry(part) if isinstance(part, Entry) else expression(part)


def formula(block: object) -> str:
    """Render a display formula, without its delimiters."""
    match block:
        case Display(shown):
            return matrix(shown)
        case Equation():
            return equation(block)
        case Ledger():
            return ledger(block)
    raise TypeError(f"a {type(block).__name__} is not a formula")


def number(text: str) -> str:
    r"""Render the text of a number: `1.5e-7` becomes $1.5 \cdot 10^{-7}$."""
    if text.lstrip("-") == "inf":
        return text.replace("inf", r"\infty")
    if text == "nan":
        return r"\text{nan}"
    mantissa, e, exponent = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{exponent}}}" if e else text


def entry(cell: Entry) -> str:
    """Render one cell of a matrix: padding underlined, an unread cell as a dot."""
    match cell.mark:
        case Mark.PADDING:
            return rf"\underline{{{number(cell.text)}}}"
        case Mark.UNREAD:
            return r"\cdot"
        case Mark.ELLIPSIS:
            return _ELLIPSES[cell.text]
    return number(cell.text)


def matrix(shown: Matrix) -> str:
    """Render a matrix in square brackets."""
    rows = r" \\ ".join(" & ".join(entry(cell) for cell in row) for row in shown.rows)
    # amsmath and KaTeX both stop at ten columns in `bmatrix`; an array has no such limit.
    columns = len(shown.rows[0])
    if columns > 10:
        return rf"\left[\begin{{array}}{{{'c' * columns}}} {rows} \end{{array}}\right]"
    return rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"


def ledger(block: Ledger) -> str:
    r"""Render a ledger as an array of matrices, names and numbers; the total is below `\hline`."""
    terms = [(term, _pieces(term)) for term in block.terms]
    widths = [0.0] * max((len(pieces) for _, pieces in terms), default=0)
    for _, pieces in terms:
        for i, (_, width) in enumerate(pieces):
            widths[i] = max(widths[i], width)
    rows: list[str] = []
    for term, pieces in terms:
        rows += _term(term, [text for text, _ in pieces], widths)
    total = rf"& {_called('total', block.adds_up)} & {number(block.total.text)}"
    return "\n".join([r"\begin{array}{lrr}", *rows, r"\hline", total, r"\end{array}"])


def _term(term: Term, pieces: list[str], widths: list[float]) -> list[str]:
    value = number(term.value.text)
    if not term.is_sum:
        return [rf"& \text{{{term.label}}} & {value} \\", _SPACE]
    tail = rf"& {_called('sum', term.adds_up)} & {value} \\"
    lines = _fill(pieces, widths)
    if not lines:
        return [rf"\text{{{term.label}}} {tail}", _SPACE]
    rows = [rf"\text{{{term.label}}} & & \\"]
    for line in lines[:-1]:
        rows += [rf"{line} & & \\", _SPACE]
    return [*rows, f"{lines[-1]} {tail}", _SPACE]


def _called(name: str, adds_up: bool) -> str:
    return rf"\text{{{name}}}" if adds_up else rf"\text{{{name}}} \approx"


def _pieces(term: Term) -> list[tuple[str, float]]:
    """Return the pieces to the left of a term's number, each with its width in em."""
    pieces = []
    for i, factor in enumerate(term.factors):
        pieces.append(((r"\odot " if i else "") + matrix(factor), _width(factor) + 1.2 * bool(i)))
    if term.product is not None:
        relation = "=" if term.product_exact else r"\approx"
        pieces.append((rf"{relation} {matrix(term.product)}", _width(term.product) + 1.2))
    return pieces


def _width(shown: Matrix) -> float:
    columns = zip(*shown.rows, strict=True)
    digits = (0.5 * max(max(len(cell.text.strip()), 1) for cell in column) for column in columns)
    return sum(digits) + len(shown.rows[0])


def _fill(pieces: list[str], widths: list[float]) -> list[str]:
    """Put as many pieces on a line as fit; all terms of a ledger break at the same places.

    The last piece, the product, carries the number, so it begins a line unless all fit on one.
    """
    if sum(widths) <= _LINE_EM or len(pieces) < 2:
        return [" ".join(pieces)] if pieces else []
    *factors, product = pieces
    # The first factor has no sign before it; a gap of a sign's width keeps the matrices in line.
    factors[0] = rf"\phantom{{\odot}} {factors[0]}"
    if sum(widths[:-1]) <= _LINE_EM:
        return [" ".join(factors), product]
    return [*factors, product]


def equation(block: Equation) -> str:
    """Render a chain of equal expressions, aligned at the equals sign."""
    first, *rest = (expression(step) for step in block.steps)
    lines = [f"{expression(block.left)} &= {first}", *(f"&= {step}" for step in rest)]
    body = " \\\\\n".join(lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def _symbol(name: str) -> str:
    if name[0].isdigit():
        return name.replace("…", r"\ldots")
    return _SIGNS.get(name, name) if len(name) == 1 else rf"\text{{{name}}}"


def expression(node: Expression) -> str:
    """Render an expression."""
    match node:
        case Symbol(name, index):
            base = _symbol(name)
            return f"{base}_{{{index}}}" if index else base
        case Sum(terms):
            signed = (f"{'+' if sign > 0 else '-'} {expression(term)}" for sign, term in terms)
            return " ".join(signed).removeprefix("+ ")
        case Product(factors):
            return r" \cdot ".join(
                f"({expression(x)})" if isinstance(x, Sum) else expression(x) for x in factors
            )
        case Quotient(above, below):
            return rf"\frac{{{expression(above)}}}{{{expression(below)}}}"
        case Floor(inner):
            return rf"\left\lfloor {expression(inner)} \right\rfloor"
