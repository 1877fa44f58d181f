"""The modules of this project that a piece of code reaches by import, and digests of them.

What was computed is kept, by experiments and by the site, until the code that computed it changes.
The code is what its imports lead to. It is compared as a syntax tree without docstrings, so that a
comment, a line break or a better sentence asks for no new run, and any other edit does.

A module reached as `from cnnref.nn.transfer import freeze` counts, and what it imports; the
`__init__` files of the packages above it give it nothing and do not count. They do where names are
taken from the package itself, as by `import cnnref`.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PACKAGES", "Code"]

PACKAGES = ("cnnref", "experiments")


class Code:
    """The modules of a repository as they stand on disk now.

    Args:
        root: Folder of the repository.
        packages: The folders in it whose modules count.
    """

    def __init__(self, root: Path, packages: Iterable[str] = PACKAGES) -> None:
        self._texts = {
            path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for package in packages
            for path in (root / package).rglob("*.py")
        }
        self._kept: dict[tuple[frozenset[str], bool], str] = {}

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
            raise ValueError(f"`name` (={name!r}) must be a module of this project")
        return self._texts[name]

    def reached(self, source: str, name: str = "", without: Collection[str] = ()) -> list[str]:
        """Return the names of the modules that code reaches by import, in order.

        Args:
            source: The code.
            name: Its own place, for imports relative to it, as `experiments/gradcam.py`.
            without: Modules that do not count, nor what they alone lead to.

        Raises:
            SyntaxError: If the code cannot be read.
        """
        found: set[str] = set()
        waiting = self._imported(source, name)
        while waiting:
            module = waiting.pop()
            if module not in found and module not in without:
                found.add(module)
                waiting |= self._imported(self._texts[module], module)
        return sorted(found)

    def digest(self, names: Collection[str], *, exact: bool = False) -> str:
        """Return a digest of modules.

        Args:
            names: Which.
            exact: Whether a comment, a docstring or a line break counts too, as it does for code
                that shows the source of other code.
        """
        key = frozenset(names), exact
        if key not in self._kept:
            read = str if exact else canonical
            text = "\n".join(f"{name} {read(self._texts[name])}" for name in sorted(names))
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
                # `import a.b` binds `a`, and through it all that a's `__init__` names.
                parts = alias.name.split(".")
                found |= {_Import(tuple(parts[:n])): None for n in range(1, len(parts) + 1)}
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            found |= {_Import(tuple(parts), one.name, node.level): None for one in node.names}
    return tuple(found)


@functools.cache
def canonical(source: str) -> str:
    """Write code as a syntax tree without docstrings, positions and empty fields."""
    return _canonical(ast.parse(source))


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
    """Say whether a node is a string that stands as a statement of its own."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
