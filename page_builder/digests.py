"""Digests of everything that a result depends on: the names under which results are kept."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from experiments.reached import PACKAGES, Code, Detail

ROOT = Path(__file__).resolve().parents[1]

_SHOWS_SOURCE = re.compile(r"\b(inspect|help|__doc__)\b")


def text_digest(*parts: str) -> str:
    """Hash texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def files_digest(files: Iterable[Path]) -> str:
    """Hash the names and contents of files."""
    return text_digest(
        *(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sorted(files))
    )


@functools.cache
def versions() -> str:
    """Return the versions of Python and of every installed package, importing none of them."""
    # A set, because a package can be on the path of one process twice and of another once.
    packages = (package.metadata for package in metadata.distributions())
    installed = {f"{package['Name']} {package['Version']}" for package in packages}
    return "\n".join([sys.version, *sorted(installed)])


class Digests:
    """Digests of the files of a repository, as they are when this object is made.

    Args:
        root: The root of the repository.
        builder: The root of the repository that the page builder is in.
    """

    def __init__(self, root: Path, builder: Path = ROOT) -> None:
        self._root = root
        self._builder = builder
        self._code = Code(root, (*PACKAGES, "page_builder"))
        self._results = files_digest(self._stored_results())
        runner = self._code if builder == root else Code(builder, (*PACKAGES, "page_builder"))
        self._runner = runner.digest(runner.reached("from page_builder import runner"))

    def chain(self, code: str, parts: Sequence[object]) -> str:
        """Return the digest of what a chain of fences computes.

        Args:
            code: The code, with the expressions that the page asks for.
            parts: What else the result depends on, as JSON can write it.
        """
        # Code that may show a docstring or a comment depends on those too.
        detail: Detail = "text" if _SHOWS_SOURCE.search(code) else "code"
        modules = self._modules(code, detail)
        return text_digest(self._runner, versions(), modules, code, json.dumps(parts))

    def lab(self, source: Path) -> str:
        """Return the digest of an executed lab, for which every character of code counts."""
        code = source.read_text(encoding="utf-8")
        builder = [self._builder / "page_builder" / name for name in ("notebooks.py", "kernels.py")]
        modules = self._modules(code, "text")
        return text_digest(files_digest([source, *builder]), modules, versions())

    def pages(self, config_file: Path, uris: Iterable[str]) -> str:
        """Return the digest of what every page depends on besides its own source.

        Args:
            config_file: The configuration of MkDocs.
            uris: The files of the site, which decide what links are valid.
        """
        modules = self._code.digest(self._code.names, "text")
        builder = files_digest((self._builder / "page_builder").rglob("*.py"))
        config = files_digest([config_file, *self._root.glob("pyproject.toml")])
        return text_digest(modules, self._results, builder, config, versions(), *sorted(uris))

    def _modules(self, code: str, detail: Detail) -> str:
        """Return the digest of the modules that code depends on, and of the results it reads."""
        try:
            reached = self._code.reached(code)
        except SyntaxError:  # Running it will report the error.
            return ""
        if "experiments/results.py" not in reached:
            return self._code.digest(reached, detail)
        # It refuses results that were not computed by today's experiments.
        names = (name for name in self._code.names if name.startswith("experiments/"))
        imports = (f"import {name.removesuffix('.py').replace('/', '.')}" for name in names)
        reached = self._code.reached("\n".join([code, *imports]))
        return text_digest(self._results, self._code.digest(reached, detail))

    def _stored_results(self) -> list[Path]:
        results = self._root / "docs" / "labs" / "results"
        return [path for path in results.glob("*") if path.suffix in {".json", ".webp"}]
