"""What the parts of a build share: the page being built, what is kept, figures and formulas.

Figures and formulas are put on a page last, by `Site.finish`. Until then the page has only places
for them, because the search index and the checks would read every element of them. A place names
what belongs there, so that a page can be finished by another process than the one that rendered it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from page_builder.digests import Digests, text_digest
from page_builder.katex import Formulas, KatexError
from page_builder.numbers import strip_sentinels
from page_builder.store import Store

_FIGURE = re.compile(r"<!--cnnref-svg:([\w-]+)-->")
_SAID = re.compile(r"<(title|desc)\b.*?</\1>", re.DOTALL)


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
        claimed: True once a Markdown conversion has taken the page. Conversions inside it (the
            docstrings that mkdocstrings renders) are not pages and are left alone.
        code: All Python code of the page that is run, once it has been read.
    """

    path: str
    root: Path = field(default_factory=Path.cwd)
    claimed: bool = False
    code: str = ""

    def line_offset(self, source: str) -> int:
        """Count the lines of the file above `source`, from which the front matter was removed."""
        try:
            text = (self.root / self.path).read_text(encoding="utf-8")
        except OSError:
            return 0
        body = source.rstrip("\n")
        start = text.rfind(body) if body else -1
        return text.count("\n", 0, start) if start > 0 else 0


class Site:
    """One build after another of the same site.

    Args:
        root: The root of the repository.

    Attributes:
        root: The root of the repository.
        store: What earlier builds made.
        digests: The names of what is in the store.
        formulas: Renders formulas.
        page: The page that is being built.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / ".cache" / "cnnref")
        self.digests = Digests(root)
        self.formulas = Formulas(self.store)
        self.page: PageContext | None = None

    def formula(self, tex: str, *, display: bool) -> str:
        """Return the element that holds the place of a formula.

        Raises:
            KatexError: KaTeX does not accept the formula. The message names the page.
        """
        try:
            return self.formulas.element(tex, display=display)
        except KatexError as error:
            where = f"{self.page.path}: " if self.page is not None else ""
            raise KatexError(f"{where}{error}") from None

    def figure(self, svg: str, prefix: str) -> str:
        """Return the comment that holds the place of a figure, whose name starts with `prefix`."""
        name = f"{prefix}-{text_digest(svg)[:16]}"
        self.store.text(f"figures/{name}.svg", lambda: svg)
        return f"<!--cnnref-svg:{name}-->"

    def finish(self, page: str) -> str:
        """Put figures and formulas in their places, in the HTML of a page or of a part of it."""
        return strip_sentinels(self.formulas.fill(self.with_figures(page)))

    def with_figures(self, page: str) -> str:
        """Put figures in their places."""
        return self._with(page, lambda svg: svg)

    def with_titles(self, page: str) -> str:
        """Put only the words of figures in their places, for a check that reads nothing else."""
        return self._with(
            page, lambda svg: f"<svg>{''.join(text[0] for text in _SAID.finditer(svg))}</svg>"
        )

    def _with(self, page: str, shown: Callable[[str], str]) -> str:
        return _FIGURE.sub(lambda match: shown(self._stored_figure(match[1])), page)

    def _stored_figure(self, name: str) -> str:
        def missing() -> str:
            raise LookupError(f"the figure {name} is not in the store: build its page again")

        return self.store.text(f"figures/{name}.svg", missing)
