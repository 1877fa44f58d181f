"""Fresh modules under `mkdocs serve`, whose one process has imported the old ones."""

from __future__ import annotations

import sys
from pathlib import Path

from page_builder.cache import sources_digest

_seen: dict[str, str] = {}


def drop_changed(package: str, folder: Path) -> bool:
    """Forget the modules of `package` if its sources have changed since the last call.

    Returns:
        Whether they had changed.
    """
    now = sources_digest(folder.rglob("*.py"))
    changed = _seen.get(package, now) != now
    _seen[package] = now
    if changed:
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
            del sys.modules[name]
    return changed
