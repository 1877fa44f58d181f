"""What earlier builds made, kept on disk under a digest of everything it depends on."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from page_builder.digests import files_digest


class Store:
    """A folder of entries, each a file or a folder that is made once.

    The digest of an entry's content is kept next to it. An entry that does not match its digest,
    because a build was killed or the disk was full, is made again. The date of the digest's file is
    that of the last use.

    Args:
        folder: Where the entries are. It is created with the first of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts: dict[str, str] = {}

    def find(self, name: str) -> Path | None:
        """Return the path of an entry, or None if there is none or it is damaged."""
        path = self._folder / name
        try:
            if _sum_of(path).read_text() != _digest(path):
                return None
            os.utime(_sum_of(path))
        except (OSError, ValueError):
            return None
        return path

    def path(self, name: str, make: Callable[[Path], None]) -> Path:
        """Return the path of an entry, making it first if it is missing.

        Args:
            name: Its path in the store.
            make: Writes the entry to the path it is given. If it raises, nothing is kept. Another
                build that runs at the same time sees the whole entry or none.
        """
        path = self._folder / name
        if self.find(name) is not None:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as part:
            made = Path(part, path.name)
            make(made)
            _sum_of(made).write_text(_digest(made))
            # Another build may have made the entry in the meantime.
            if self.find(name) is None:
                if path.is_dir():
                    shutil.rmtree(path)
                made.replace(path)
                _sum_of(made).replace(_sum_of(path))
        return path

    def prune(self, days: float) -> None:
        """Remove the entries that no build has used for some days."""
        limit = time.time() - days * 24 * 60 * 60
        for sum_file in list(self._folder.rglob("*.sha256")):
            if sum_file.stat().st_mtime < limit:
                path = sum_file.with_name(sum_file.name.removesuffix(".sha256"))
                sum_file.unlink()
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)

    def text(self, name: str, compute: Callable[[], str]) -> str:
        """Return a text, computing it first if it is not in the store."""
        kept = self.get(name)
        return self.put(name, compute()) if kept is None else kept

    def get(self, name: str) -> str | None:
        """Return a text, or None if it is not in the store."""
        if name not in self._texts and (path := self.find(name)) is not None:
            # Bytes, because writing and reading text would change its line ends.
            self._texts[name] = path.read_bytes().decode()
        return self._texts.get(name)

    def put(self, name: str, text: str) -> str:
        """Keep a text and return it."""
        self.path(name, lambda path: _write(path, text))
        return self._texts.setdefault(name, text)


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def _sum_of(path: Path) -> Path:
    """Return the path of the file that holds the digest of an entry."""
    return path.with_name(f"{path.name}.sha256")


def _digest(path: Path) -> str:
    files = path.rglob("*") if path.is_dir() else [path]
    return files_digest(file for file in files if not file.is_dir())
