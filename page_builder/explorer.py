"""The explorers' scripts, bundled by esbuild while the site is built.

`node explorer/build.ts` bundles the TypeScript in `explorer/` into a loader for every page and a
module for each explorer, which the loader fetches when the explorer comes into view.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from page_builder.digests import ROOT, files_digest
from page_builder.katex import NODE
from page_builder.store import Store

SOURCES = ROOT / "explorer"
PACKAGES = ROOT / "node_modules"
FOLDER = "assets/javascripts/explorer"
"""Where the site has them."""
ELEMENTS = ("cnnref-convolution", "cnnref-pooling", "cnnref-shapes")


class ExplorerError(Exception):
    """The explorers cannot be bundled."""


def assets(store: Store) -> dict[str, Path]:
    """Return the files of the explorers by their paths in the site.

    Raises:
        ExplorerError: esbuild or Lit is not installed, or the sources have an error.
    """
    lock = ROOT / "package-lock.json"
    name = files_digest([lock, SOURCES / "build.ts", *(SOURCES / "src").rglob("*.ts")])
    folder = store.path(f"explorer/{name}", _bundle)
    return {f"{FOLDER}/{file.name}": file for file in sorted(folder.iterdir())}


def _bundle(folder: Path) -> None:
    for package in ("esbuild", "lit"):
        if not (PACKAGES / package).is_dir():
            raise ExplorerError(f"{package} is not installed in {PACKAGES}: run `npm ci` or `make`")
    done = subprocess.run(
        [NODE, SOURCES / "build.ts", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise ExplorerError(f"esbuild failed:\n{done.stderr}")
