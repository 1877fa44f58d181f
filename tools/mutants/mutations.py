"""The small faults that `make mutants` plants, one at a time, in a module's syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
OPPOSITES = [("min", "max"), ("any", "all"), ("minimum", "maximum"), ("floor", "ceil")]
OPPOSITES += [("argmin", "argmax"), ("zeros", "ones"), ("amin", "amax"), ("append", "extend")]
SILENT = {"strict", "copy"}
"""Keyword arguments that guard or speed up, and change no result."""
NAMES = dict(OPPOSITES) | {right: left for left, right in OPPOSITES}


@dataclass(frozen=True)
class Mutant:
    """One change to one place of one file.

    Attributes:
        file: The file, relative to the root of the repository.
        where: The function or class around the place.
        lines: The lines of the statement, counted from 1, without those of its body.
        before: The statement, as `ast.unparse` writes it.
        after: The changed statement.
        nth: How many mutants with the same text come before this one.
        place: Where in the syntax tree it is, and which of the changes there.
    """

    file: str
    where: str
    lines: range
    before: str
    after: str
    nth: int
    place: tuple[int, int]

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What identifies the mutant for as long as its statement stays the same."""
        return self.file, self.where, self.before, self.after, self.nth


def mutants_of(root: Path, file: str) -> Iterator[Mutant]:
    """Yield every mutant of a file."""
    tree = ast.parse((root / file).read_text(encoding="utf-8"))
    seen: dict[tuple[str, str, str], int] = {}
    for index, spot in enumerate(_spots(tree)):
        before = _header(spot.statement)
        for variant, changed in enumerate(spot.variants()):
            with_change = spot.put(changed)
            after = _header(spot.statement) if with_change is None else _header(with_change)
            spot.put_back()
            if before == after:
                continue
            text = (spot.where, before, after)
            seen[text] = seen.get(text, -1) + 1
            lines = _lines(spot.statement)
            yield Mutant(file, spot.where, lines, before, after, seen[text], (index, variant))


def mutated(root: Path, mutant: Mutant) -> str:
    """Return the source of the mutant's module, with the change."""
    tree = ast.parse((root / mutant.file).read_text(encoding="utf-8"))
    index, variant = mutant.place
    spot = list(_spots(tree))[index]
    spot.put(list(spot.variants())[variant])
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


@dataclass
class _Spot:
    """A node that can be changed, and what is around it."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    statement: ast.stmt
    where: str
    in_raise: bool

    def put(self, changed: ast.AST) -> ast.stmt | None:
        """Put a node in the place of this one; return it if it replaces the whole statement."""
        if self.index is None:
            setattr(self.parent, self.field, changed)
        else:
            getattr(self.parent, self.field)[self.index] = changed
        return changed if self.node is self.statement and isinstance(changed, ast.stmt) else None

    def put_back(self) -> None:
        self.put(self.node)

    def variants(self) -> Iterator[ast.AST]:
        """Yield what can be put in the place of the node."""
        node = self.node
        if isinstance(node, ast.Constant):
            yield from _constants(node, wording=self.in_raise)
        elif isinstance(node, ast.Compare):
            for i, operator in enumerate(node.ops):
                if new := COMPARISONS.get(type(operator)):
                    yield _with(node, ops=[*node.ops[:i], new(), *node.ops[i + 1 :]])
        elif isinstance(node, ast.BinOp | ast.AugAssign):
            if new_operator := ARITHMETIC.get(type(node.op)):
                yield _with(node, op=new_operator())
            if isinstance(node, ast.AugAssign):
                yield ast.Assign([node.target], node.value, lineno=node.lineno)
        elif isinstance(node, ast.BoolOp):
            yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            yield node.operand
        elif isinstance(node, ast.IfExp):
            yield from (node.body, node.orelse)
        elif isinstance(node, ast.If | ast.While):
            yield _with(node, test=ast.Constant(False))
            if isinstance(node, ast.If):
                yield _with(node, test=ast.Constant(True))
        elif isinstance(node, ast.Raise | ast.Expr):
            yield ast.Pass()
        elif isinstance(node, ast.Break | ast.Continue):
            yield ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        elif isinstance(node, ast.Call):
            for i, keyword in enumerate(node.keywords):
                if keyword.arg and keyword.arg not in SILENT:
                    yield _with(node, keywords=[*node.keywords[:i], *node.keywords[i + 1 :]])
        elif isinstance(node, ast.Name | ast.Attribute) and self.field == "func":
            name = "id" if isinstance(node, ast.Name) else "attr"
            if opposite := NAMES.get(getattr(node, name)):
                yield _with(node, **{name: opposite})
        elif isinstance(node, ast.Slice):
            yield from (
                _with(node, **{end: None}) for end in ("lower", "upper") if getattr(node, end)
            )
        elif isinstance(node, ast.comprehension) and node.ifs:
            yield _with(node, ifs=[])


def _constants(node: ast.Constant, *, wording: bool) -> Iterator[ast.Constant]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1))
    elif isinstance(value, str) and value and not wording:
        yield ast.Constant(f"{value}XX")


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _spots(tree: ast.Module) -> Iterator[_Spot]:
    """Walk through a module, leaving out annotations, docstrings, decorators and imports."""

    def walk(
        parent: ast.AST, statement: ast.stmt | None, where: str, in_raise: bool
    ) -> Iterator[_Spot]:
        for field, value in ast.iter_fields(parent):
            if field in {"annotation", "returns", "decorator_list", "format_spec"}:
                continue
            for i, node in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(node, ast.AST) or _left_out(node):
                    continue
                around = node if isinstance(node, ast.stmt) else statement
                inner = where
                if isinstance(node, ast.keyword) and node.arg in SILENT:
                    continue
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    inner = f"{where}.{node.name}".lstrip(".")
                raising = in_raise or isinstance(node, ast.Raise)
                if around is not None:
                    index = i if isinstance(value, list) else None
                    yield _Spot(node, parent, field, index, around, inner, raising)
                yield from walk(node, around, inner, raising)

    return walk(tree, None, "", in_raise=False)


def _left_out(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Call)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Assign):
        target = node.targets[0]
        return isinstance(target, ast.Name) and target.id in {"__all__", "__slots__"}
    return isinstance(node, ast.Import | ast.ImportFrom)


def _header(statement: ast.stmt) -> str:
    """Write a statement without its body."""
    empty: dict[str, list[object]] = {
        name: [] for name in ("body", "orelse", "finalbody", "handlers") if hasattr(statement, name)
    }
    return ast.unparse(_with(statement, **empty) if empty else statement)


def _lines(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    end = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(end, statement.lineno) + 1)
