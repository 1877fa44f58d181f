"""Which page is being built, and how an error on it is reported."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class PageError(ValueError):
    """A page cannot be built as it is written. The message starts with `path:line`."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")


@dataclass
class PageContext:
    """The page that is being built.

    Attributes:
        path: The source file, relative to `root`.
        meta: The front matter.
        root: The root of the repository.
        claimed: True once a Markdown conversion has taken the page. Conversions nested in it (the
            docstrings that mkdocstrings renders) are no page of their own and are left alone.
    """

    path: str
    meta: dict[str, Any] = field(default_factory=dict)
    root: Path = field(default_factory=Path.cwd)
    claimed: bool = False

    def line_offset(self, source: str) -> int:
        """Count the lines of the file that stand before `source`, which lacks the front matter."""
        try:
            text = (self.root / self.path).read_text(encoding="utf-8")
        except OSError:
            return 0
        body = source.rstrip("\n")
        start = text.rfind(body) if body else -1
        return text.count("\n", 0, start) if start > 0 else 0


current: ContextVar[PageContext | None] = ContextVar("cnnref_page", default=None)
