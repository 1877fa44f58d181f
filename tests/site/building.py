"""The site that tests and checks look at: built strictly, and kept until its inputs change.

`python -m tests.site.building` builds it too, so that `make check` and `make test` share one build.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from page_builder.digests import text_digest, versions
from page_builder.store import Store

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".cache" / "cnnref" / "tested_site"
ADDRESS = "http://cnnref.localhost/"
"""Where the tests' browser finds the site. Instant navigation works only at the address that the
site was built for, so the address does not depend on which port is free."""


def built_site() -> Path:
    """Return the folder of the site, built with all its checks.

    Workers that ask at the same time get the same site: the second waits for the first.

    Raises:
        AssertionError: The build fails or warns. The message is what it printed.
    """
    store, name = Store(KEPT), _digest()
    KEPT.mkdir(parents=True, exist_ok=True)
    with FileLock(KEPT / "lock"):
        if store.find(name) is None:
            store.prune(days=0)
        return store.path(name, _build)


def _build(folder: Path) -> None:
    """Build into a folder."""
    # No --quiet: it would drop the warnings before strict mode counts them.
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "CNNREF_SITE_URL": ADDRESS},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"the site does not build:\n{done.stdout}\n{done.stderr}"


def _digest() -> str:
    """Hash everything that the site is built from: the files, and what is installed."""
    files = (
        f"{file.relative_to(ROOT).as_posix()} {hashlib.sha256(file.read_bytes()).hexdigest()}"
        for file in sorted(_sources())
    )
    return text_digest(versions(), *files)[:16]


def _sources() -> Iterator[Path]:
    for name in ("mkdocs.yml", "pyproject.toml", "package-lock.json"):
        yield ROOT / name
    for name in ("docs", "cnnref", "experiments", "explorer", "page_builder"):
        for file in (ROOT / name).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


if __name__ == "__main__":
    try:
        print(built_site())
    except AssertionError as error:
        sys.exit(str(error))
