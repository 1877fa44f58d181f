"""The scripts of the explorers, which esbuild bundles while the site is built.

`node explorer/build.ts` bundles the TypeScript in `explorer/` into a loader for all pages and a
module for each explorer, which the loader fetches when the explorer comes into view.
"""

from __future__ import annotations

from pathlib import Path

from page_builder import node
from page_builder.digests import ROOT, files_digest
from page_builder.store import Store

SOURCES = ROOT / "explorer"
FOLDER = "assets/javascripts/explorer"
"""Where they are in the site."""
ELEMENTS = ("cnnref-convolution", "cnnref-pooling", "cnnref-shapes")


def assets(store: Store) -> dict[str, Path]:
    """Return the files of the explorers by their paths in the site.

    Raises:
        NodeError: esbuild or Lit is not installed, or the sources have an error.
    """
    lock = ROOT / "package-lock.json"
    name = files_digest([lock, SOURCES / "build.ts", *(SOURCES / "src").rglob("*.ts")])
    folder = store.path(f"explorer/{name}", _bundle)
    return {f"{FOLDER}/{file.name}": file for file in sorted(folder.iterdir())}


def _bundle(folder: Path) -> None:
    node.run(SOURCES / "build.ts", folder, needs=["esbuild", "lit"])
