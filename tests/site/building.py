"""The site that the tests look at: built strictly, and kept until what goes into it changes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".cache" / "cnnref" / "tested_site"
ADDRESS = "http://cnnref.localhost/"
"""Where the tests' browser finds the site. Instant navigation works only at the address the site
was built for, so it is one that does not depend on which port was free."""


def built_site() -> Path:
    """Return the folder of the site, built with all its checks.

    Workers that ask at the same time get the same one; who comes second waits.

    Raises:
        AssertionError: The site does not build; the message has what the build said.
    """
    folder = KEPT / _digest()
    KEPT.mkdir(parents=True, exist_ok=True)
    with FileLock(KEPT / "lock"):
        if not folder.is_dir():
            for old in KEPT.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            _build(folder)
    return folder


def _build(folder: Path) -> None:
    """Build into a folder, which comes into being only when all went well."""
    with tempfile.TemporaryDirectory(dir=KEPT) as unfinished:
        # No --quiet: it would drop the warnings before strict mode counts them.
        done = subprocess.run(
            [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", f"{unfinished}/site"],
            cwd=ROOT,
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "CNNREF_SITE_URL": ADDRESS},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"the site does not build:\n{done.stdout}\n{done.stderr}"
        Path(unfinished, "site").rename(folder)


def _digest() -> str:
    """Hash all that the site is built from: the files, and what is installed."""
    digest = hashlib.sha256()
    for file in sorted(_sources()):
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    for name, version in sorted({(d.name, d.version) for d in distributions()}):
        digest.update(f"{name} {version}\0".encode())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    for name in ("mkdocs.yml", "pyproject.toml", "package-lock.json"):
        yield ROOT / name
    for name in ("docs", "cnnref", "experiments", "explorer", "page_builder"):
        for file in (ROOT / name).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file
