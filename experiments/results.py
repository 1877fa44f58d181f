"""Stored results of experiments, and the check that they belong to today's code.

An experiment runs for minutes, so the site does not repeat it at each build. It is stored with two
digests: one of the code that computed it, one of the numbers. `read` refuses a file when either
has changed since. There is no way to stamp a file without running its experiment.

The code is the script and every module of `cnnref` and `experiments` that it reaches by import. It
is compared as a syntax tree without docstrings, so that a comment, a line break or a better
sentence asks for no new run, and any other edit does. This module writes numbers and makes none:
it is left out.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Parts", "Results", "StaleResultsError", "code_digest", "read", "write"]

ROOT = Path(__file__).resolve().parents[1]

_PACKAGES = ("cnnref", "experiments")
_NOT_COUNTED = "experiments/results.py"
_LIBRARIES = ("numpy", "torch")
_STARTED = time.perf_counter()


class StaleResultsError(Exception):
    """Stored results are missing, were edited, or were computed by other code than today's."""


@dataclass(frozen=True)
class Results:
    """What an experiment stored.

    Attributes:
        data: the numbers, as the script gave them.
        provenance: what computed them: "script", "machine", "libraries" and "seconds".
    """

    data: Any
    provenance: dict[str, Any]


def write(
    name: str, script: str | Path, data: Any, *, seconds: float | None = None, root: Path = ROOT
) -> Path:
    """Store the results of an experiment that has just run.

    Args:
        name: Stem of the file, `docs/labs/results/<name>.json`.
        script: The file that computed the data: give `__file__`.
        data: Numbers, strings, lists and dicts with string keys.
        seconds: How long the experiment took; by default the time since this module was imported.
        root: Folder of the repository.

    Returns:
        The file written.

    Raises:
        ValueError: If a number is not finite, or the script lies outside `root`.
        TypeError: If the data hold something that JSON does not.
    """
    path = Path(script).resolve()
    took = time.perf_counter() - _STARTED if seconds is None else seconds
    # One trip through JSON first: what is checked is what will be read.
    plain = json.loads(json.dumps(data, allow_nan=False))
    stored = {
        "code": code_digest(path, root=root),
        "checksum": _checksum(plain),
        "provenance": {
            "script": path.relative_to(root.resolve()).as_posix(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}",
            "libraries": {library: metadata.version(library) for library in _LIBRARIES},
            "seconds": round(took),
        },
        "data": plain,
    }
    target = _file(name, root)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    return target


def read(name: str, *, root: Path = ROOT) -> Results:
    """Read stored results, if they belong to today's code.

    Args:
        name: Stem of the file, `docs/labs/results/<name>.json`.
        root: Folder of the repository.

    Raises:
        StaleResultsError: If the file is missing, its numbers were edited, or the code that
            computed them has changed.
    """
    path = _file(name, root)
    if not path.exists():
        raise StaleResultsError(f"{path.name} is missing: run `make labs`")
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored["checksum"] != _checksum(stored["data"]):
        raise StaleResultsError(f"the numbers in {path.name} were edited: run `make labs`")
    script = root / stored["provenance"]["script"]
    if not script.exists() or stored["code"] != code_digest(script, root=root):
        raise StaleResultsError(
            f"{path.name} was computed by other code than today's "
            f"{stored['provenance']['script']} and what it imports: run `make labs`"
        )
    return Results(stored["data"], stored["provenance"])


class Parts:
    """The parts of an experiment, each kept when it is done, so that a stopped run resumes.

    They lie in `.cache/cnnref/experiments`, under the digest of the code: a part that other code
    computed is never taken.

    Args:
        script: The file of the experiment: give `__file__`.
        root: Folder of the repository.

    Attributes:
        seconds: How long the parts took to compute, also those kept from an earlier run.

    Examples:
        ``` python
        parts = Parts(__file__)
        rows = [parts.run(f"seed {seed}", train, seed) for seed in range(5)]
        write("my_experiment", __file__, {"rows": rows}, seconds=parts.seconds)
        ```
    """

    def __init__(self, script: str | Path, *, root: Path = ROOT) -> None:
        path = Path(script).resolve()
        digest = code_digest(path, root=root)
        self._folder = root / ".cache/cnnref/experiments" / path.stem / digest[:24]
        self.seconds = 0.0

    def run(self, key: str, compute: Callable[..., Any], *arguments: Any) -> Any:
        """Return what `compute(*arguments)` gives, or gave in an earlier run of the same code.

        Args:
            key: Name of the part; all that sets it apart from the others.
            compute: Gives numbers, strings, lists and dicts with string keys.
            arguments: What it takes.
        """
        path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
        if not path.exists():
            start = time.perf_counter()
            value = compute(*arguments)
            took = time.perf_counter() - start
            text = json.dumps({"key": key, "seconds": took, "value": value}, allow_nan=False)
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)  # a run that is stopped here leaves no half file
            print(f"{key}: {took:.1f} s", flush=True)
        part = json.loads(path.read_text(encoding="utf-8"))
        self.seconds += part["seconds"]
        return part["value"]


def code_digest(script: str | Path, *, root: Path = ROOT) -> str:
    """Return a digest of a script and of the project's modules that it reaches by import.

    A module reached as `from cnnref.nn.transfer import freeze` counts, and what it imports; the
    `__init__` files of the packages above it give it nothing and do not count. They do where
    names are taken from the package itself, as by `import cnnref`.

    Args:
        script: A Python file below `root`.
        root: Folder of the repository.

    Raises:
        ValueError: If the script lies outside `root`.
    """
    start, top = Path(script).resolve(), root.resolve()
    trees: dict[str, ast.Module] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(top).as_posix()
        if name in trees or name == _NOT_COUNTED:
            continue
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
        waiting.extend(_imports(trees[name], path, top))
    text = "\n".join(f"{name} {_canonical(trees[name])}" for name in sorted(trees))
    return hashlib.sha256(text.encode()).hexdigest()


def _imports(tree: ast.Module, path: Path, root: Path) -> Iterator[Path]:
    """Yield the files of the project's modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds `a`, and through it all that a's `__init__` names.
                parts = alias.name.split(".")
                for depth in range(1, len(parts) + 1):
                    yield from _module(parts[:depth], root)
        elif isinstance(node, ast.ImportFrom):
            above = [] if not node.level else list(path.relative_to(root).parts[: -node.level])
            parts = above + (node.module.split(".") if node.module else [])
            for alias in node.names:
                submodule = list(_module([*parts, alias.name], root))
                yield from submodule or _module(parts, root)


def _module(parts: list[str], root: Path) -> Iterator[Path]:
    """Yield the file of a module of this project; nothing for other modules and for names."""
    if not parts or parts[0] not in _PACKAGES:
        return
    path = root.joinpath(*parts)
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            yield candidate


def _canonical(value: Any) -> str:
    """Write a syntax tree, or a value in one, without docstrings, positions and empty fields.

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


def _checksum(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _file(name: str, root: Path) -> Path:
    return root / "docs/labs/results" / f"{name}.json"
