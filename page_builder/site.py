"""What the parts of a build share: the page being built, the store, figures and formulas.

`Site.finish` inserts figures and formulas last. Until then the page has placeholders, because the
search index and the checks would read every element of a figure or a formula.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from page_builder.digests import Digests, text_digest
from page_builder.katex import Formulas
from page_builder.store import Store
from page_builder.values import strip_sentinels

_FIGURE = re.compile(r"<!--cnnref-svg:([\w-]+)-->")
_SAID = re.compile(r"<(?:title|desc)\b.*?</(?:title|desc)>", re.DOTALL)


class PageError(ValueError):
    """A page cannot be built as it is written. The message starts with `path:line`."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")


@dataclass
class PageContext:
    """The page that is being built.

    Attributes:
        path: The source file, relative to `root`.
        root: The root of the repository.
        claimed: Whether a Markdown conversion has taken the page. Conversions inside it, such as
            those of docstrings by mkdocstrings, are not of pages and are left alone.
        code: All Python code of the page that is run, once it has been read.
    """

    path: str
    root: Path = field(default_factory=Path.cwd)
    claimed: bool = False
    code: str = ""

    def line_offset(self, source: str) -> int:
        """Count the lines of the front matter, which has been removed from `source`."""
        try:
            text = (self.root / self.path).read_text(encoding="utf-8")
        except OSError:
            return 0
        return max(0, text.count("\n") - source.count("\n"))


class Site:
    """One build of a site.

    Args:
        root: The root of the repository.

    Attributes:
        root: The root of the repository.
        store: What earlier builds made.
        digests: The names of what is in the store.
        formulas: Typesets formulas.
        page: The page that is being built.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / ".cache" / "cnnref")
        self.digests = Digests(root)
        self.formulas = Formulas(self.store)
        self.page: PageContext | None = None
        self._figures: dict[str, str] = {}

    def figure(self, svg: str, prefix: str) -> str:
        """Return the placeholder of a figure, whose name starts with `prefix`."""
        name = f"{prefix}-{text_digest(svg)[:16]}"
        self._figures[name] = svg
        return f"<!--cnnref-svg:{name}-->"

    def figures_of(self, page: str) -> dict[str, str]:
        """Return the figures of a page by name."""
        return {name: self._figures[name] for name in _FIGURE.findall(page)}

    def add_figures(self, figures: dict[str, str]) -> None:
        """Add the figures of a page that an earlier build rendered."""
        self._figures |= figures

    def finish(self, page: str, name: str = "") -> str:
        """Insert figures and formulas into the HTML of a page or of a part of it.

        Raises:
            KatexError: KaTeX does not accept a formula. The message contains `name`.
        """
        return strip_sentinels(self.formulas.fill(self.with_figures(page), name))

    def with_figures(self, page: str) -> str:
        """Insert figures."""
        return _FIGURE.sub(lambda place: self._figures[place[1]], page)

    def with_titles(self, page: str) -> str:
        """Insert only the words of figures, for a check that reads nothing else."""
        return _FIGURE.sub(
            lambda place: f"<svg>{''.join(_SAID.findall(self._figures[place[1]]))}</svg>", page
        )
