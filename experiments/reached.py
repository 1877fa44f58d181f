"""Find the modules of this project that a piece of code imports, and hash them.

Experiments and the site keep what they computed until the code that computed it changes. That code
is the code itself and everything it reaches by import. It is hashed as a syntax tree without
docstrings, so that a comment, a line break or a better sentence does not ask for another run.
Stored results depend on less than pages do, which print error messages: see `Detail`.

A module reached by `from cnnref.nn.transfer import freeze` counts, and so does everything it
imports. The `__init__` files of the packages above it do not count, because no name comes from
them. They do count where names are taken from the package itself, as in `import cnnref`.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["PACKAGES", "Code", "Detail"]

PACKAGES = ("cnnref", "experiments")

# What counts as a change of code. "text": every character. "code": everything but comments,
# docstrings and layout. "results": of that, what can change a result, which leaves out annotations
# and the text of the errors that are raised.
Detail = Literal["text", "code", "results"]

_KINDS_OF_FIELDS = re.compile(r"\b(ClassVar|InitVar|KW_ONLY)\b")


class Code:
    """The modules of a repository as they are on disk now.

    Args:
        root: The folder of the repository.
        packages: The folders in it whose modules count.
    """

    def __init__(self, root: Path, packages: Iterable[str] = PACKAGES) -> None:
        self._texts = {
            path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for package in packages
            for path in (root / package).rglob("*.py")
        }
        self._imports: dict[str, set[str]] = {}
        self._kept: dict[tuple[frozenset[str], Detail], str] = {}

    @property
    def names(self) -> list[str]:
        """The paths of all modules, from the root."""
        return sorted(self._texts)

    def text(self, name: str) -> str:
        """Return the text of a module.

        Raises:
            ValueError: If there is no such module.
        """
        if name not in self._texts:
            raise ValueError(f"`name` ({name!r}) must be a module of this project")
        return self._texts[name]

    def reached(self, source: str, name: str = "", without: Collection[str] = ()) -> list[str]:
        """Return the names of the modules that code reaches by import, in order.

        Args:
            source: The code.
            name: The path of its file, such as `experiments/gradcam.py`, for relative imports.
            without: Modules to leave out, together with what is reached only through them.

        Raises:
            SyntaxError: If the code cannot be parsed.
        """
        found: set[str] = set()
        waiting = self._imported(source, name)
        while waiting:
            module = waiting.pop()
            if module not in found and module not in without:
                found.add(module)
                if module not in self._imports:
                    self._imports[module] = self._imported(self._texts[module], module)
                waiting |= self._imports[module]
        return sorted(found)

    def libraries(self, source: str, names: Collection[str] = ()) -> set[str]:
        """Return the packages that code and some modules import from outside this project.

        Args:
            source: The code.
            names: The paths of the modules, from the root.
        """
        texts = [source, *(self._texts[name] for name in names)]
        imported = {one.parts[0] for text in texts for one in _imports(text) if not one.level}
        own = {name.split("/")[0] for name in self._texts}
        return imported - own - set(sys.stdlib_module_names)

    def digest(self, names: Collection[str], detail: Detail = "code") -> str:
        """Return a digest of modules.

        Args:
            names: The paths of the modules, from the root.
            detail: What counts as a change. Code that shows the source of other code needs "text".
        """
        key = frozenset(names), detail
        if key not in self._kept:
            text = "\n".join(
                f"{name} {canonical(self._texts[name], detail)}" for name in sorted(names)
            )
            self._kept[key] = hashlib.sha256(text.encode()).hexdigest()
        return self._kept[key]

    def _imported(self, source: str, name: str) -> set[str]:
        """Return the modules that code imports itself."""
        folder = name.split("/")
        found: set[str] = set()
        for one in _imports(source):
            above = folder[: -one.level] if one.level else []
            if one.name is None:
                found.update(self._module([*above, *one.parts]))
            else:
                submodule = list(self._module([*above, *one.parts, one.name]))
                found.update(submodule or self._module([*above, *one.parts]))
        return found

    def _module(self, parts: list[str]) -> Iterator[str]:
        """Yield the name of a module of this project; nothing for other modules and for names."""
        path = "/".join(parts)
        yield from (name for name in (f"{path}.py", f"{path}/__init__.py") if name in self._texts)


@dataclass(frozen=True)
class _Import:
    """One imported thing: a module, or a name of one, which may be a module too."""

    parts: tuple[str, ...]
    name: str | None = None
    level: int = 0


@functools.cache
def _imports(source: str) -> tuple[_Import, ...]:
    """Return what code imports, inside functions too."""
    found: dict[_Import, None] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds `a`, and through it everything that the `__init__` of a names.
                parts = alias.name.split(".")
                found |= {_Import(tuple(parts[:n])): None for n in range(1, len(parts) + 1)}
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            found |= {_Import(tuple(parts), one.name, node.level): None for one in node.names}
    return tuple(found)


@functools.cache
def canonical(source: str, detail: Detail = "code") -> str:
    """Write code so that the text changes only when something that counts does."""
    if detail == "text":
        return source
    tree = ast.parse(source)
    return _canonical(_ForResults().visit(tree) if detail == "results" else tree)


class _ForResults(ast.NodeTransformer):
    """Removes what no result depends on: annotations and the text of errors."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc.args = [one for one in node.exc.args if not _is_text(one)]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        # In the body of a class, `name: type` makes a field of a dataclass or a named tuple, and
        # some types decide which kind of field.
        for one in node.body:
            if not isinstance(one, ast.AnnAssign):
                self.visit(one)
            elif not _KINDS_OF_FIELDS.search(ast.unparse(one.annotation)):
                one.annotation = ast.Constant(...)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return self.generic_visit(ast.Assign([node.target], node.value)) if node.value else None


def _is_text(node: ast.expr) -> bool:
    """Tell whether an expression is a string, perhaps with values put in."""
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left=left, right=right):
            return _is_text(left) or _is_text(right)
        case ast.Call(func=ast.Attribute(value=value)):
            return _is_text(value)
    return False


def _canonical(value: Any) -> str:
    """Write a syntax tree, or a value in one.

    `ast.dump` writes the empty fields in some versions of Python and not in others.
    """
    if isinstance(value, list):
        return f"[{', '.join(_canonical(item) for item in value if not _is_docstring(item))}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    fields = {name: _canonical(field) for name, field in ast.iter_fields(value)}
    empty = () if isinstance(value, ast.Constant) else ("None", "[]")
    kept = [f"{name}={text}" for name, text in fields.items() if text not in empty]
    return f"{type(value).__name__}({', '.join(kept)})"


def _is_docstring(node: Any) -> bool:
    """Tell whether a node is a string that is a statement of its own."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
