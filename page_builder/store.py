"""What earlier builds made, kept on disk under a digest of everything it depends on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path


class Store:
    """A folder of files and folders, each made once.

    Args:
        folder: Where they are. It is created with the first of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts: dict[Path, str] = {}

    def find(self, name: str) -> Path | None:
        """Return the path of the file or folder of that name, or None if it has not been made."""
        path = self._folder / name
        return path if path.exists() else None

    def path(self, name: str, make: Callable[[Path], None]) -> Path:
        """Return the path of a file or folder, and make it first if there is none.

        Args:
            name: Its path in the store.
            make: Writes it to the path it is given. Nothing is kept if it raises. A build that
                runs at the same time sees the whole of it or nothing.
        """
        path = self._folder / name
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as part:
            made = Path(part, path.name)
            make(made)
            try:
                made.replace(path)
            except OSError:  # A folder that another build has made in the meantime.
                if not path.is_dir():
                    raise
        return path

    def text(self, name: str, compute: Callable[[], str]) -> str:
        """Return a text, and compute it first if it is not in the store."""
        path = self._folder / name
        if path not in self._texts:
            self.path(name, lambda made: _write(made, compute()))
            # Bytes, because reading text would change its line ends.
            self._texts[path] = path.read_bytes().decode()
        return self._texts[path]


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
