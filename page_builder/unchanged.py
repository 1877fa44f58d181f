"""Under `mkdocs serve`, a page whose source has not changed is not rendered again.

MkDocs renders every page at every rebuild. With the API pages that takes seconds, and a writer
waits for one page. So the first rendering of a page keeps all that rendering leaves behind: what
MkDocs notes on the page, the anchors that mkdocstrings registers, and the entries of the search
index. The next rebuild puts them back. A whole build keeps nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from page_builder.cache import sources_digest

T = TypeVar("T")


@dataclass
class _Rendered:
    """What one rendering left behind.

    Attributes:
        attributes: What it set on the page: its content, its table of contents, its title.
        anchors: What it registered, the arguments after the page.
    """

    attributes: dict[str, Any] = field(default_factory=dict)
    anchors: list[tuple[tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)


class _Warnings(logging.Handler):
    """Sees whether anything was warned about."""

    seen = False

    def emit(self, record: logging.LogRecord) -> None:
        """Note a warning or worse."""
        self.seen = self.seen or record.levelno >= logging.WARNING


class Unchanged:
    """The renderings of earlier builds of this process, by all that a rendering depends on."""

    def __init__(self) -> None:
        self._rendered: dict[str, _Rendered] = {}
        self._indexed: dict[str, list[Any]] = {}
        self._kept: dict[str, Any] = {}
        # What every page depends on. Empty in a whole build, which keeps nothing.
        self._base = ""
        # The page that is being rendered, and where its anchors are noted.
        self._current: _Rendered | None = None

    def begin(self, config: MkDocsConfig, files: Files, sources: Sequence[Path]) -> None:
        """Start a build: note what every page depends on, and look on at plugins.

        Args:
            config: The site's configuration, its plugins ready.
            files: The files of the site; which there are decides where links may go.
            sources: The files that pages are computed with, and by.
        """
        parts = [sources_digest([Path(config.config_file_path), *sources]), *sorted(files.src_uris)]
        self._base = "\n".join(parts)
        autorefs = config.plugins["autorefs"]
        autorefs.register_anchor = self._noting(autorefs.register_anchor)  # type: ignore[attr-defined]
        index = config.plugins["material/search"].search_index  # type: ignore[attr-defined]
        index.add_entry_from_context = self._indexing(index, index.add_entry_from_context)

    def watch(self, page: Page, markdown: str) -> None:
        """Let `page` take its earlier rendering if there is one, and keep the new one if not."""
        # The source of a lab is its executed notebook, which is named by what it depends on.
        source = str(page.file.abs_src_path)
        key = self._key(page.file.src_uri, source, repr(sorted(page.meta.items())), markdown)
        render = page.render

        def render_once(config: MkDocsConfig, files: Files) -> None:
            kept = self._rendered.get(key)
            if kept is None:
                before = dict(vars(page))
                self._current = kept = _Rendered()
                warnings = _Warnings()
                logging.getLogger("mkdocs").addHandler(warnings)
                try:
                    render(config, files)
                finally:
                    self._current = None
                    logging.getLogger("mkdocs").removeHandler(warnings)
                kept.attributes = {
                    name: value
                    for name, value in vars(page).items()
                    if name not in before or before[name] is not value
                }
                # What a page is warned about is to be said at every build, until it is mended.
                if not warnings.seen:
                    self._rendered[key] = kept
                return
            vars(page).update(kept.attributes)
            # The files of this build, whose pages may have lost an anchor.
            page.links_to_anchors = {
                files.get_file_from_path(file.src_uri) or file: links
                for file, links in (page.links_to_anchors or {}).items()
            }
            for positional, named in kept.anchors:
                config.plugins["autorefs"].register_anchor(page, *positional, **named)  # type: ignore[attr-defined]

        page.render = render_once  # type: ignore[method-assign]

    def keep(self, compute: Callable[[], T], *parts: str) -> T:
        """Return what `compute` returned when it was last called for these `parts`."""
        if not self._base:
            return compute()
        key = self._key(*parts)
        if key not in self._kept:
            self._kept[key] = compute()
        kept: T = self._kept[key]
        return kept

    def _noting(self, register: Callable[..., None]) -> Callable[..., None]:
        def noting(page: Page, *positional: Any, **named: Any) -> None:
            if self._current is not None:
                self._current.anchors.append((positional, named))
            register(page, *positional, **named)

        return noting

    def _indexing(self, index: Any, add: Callable[[Page], None]) -> Callable[[Page], None]:
        def indexing(page: Page) -> None:
            key = self._key(page.file.src_uri, repr(page.title), page.content or "")
            if key not in self._indexed:
                before = len(index.entries)
                add(page)
                self._indexed[key] = index.entries[before:]
            else:
                index.entries.extend(self._indexed[key])

        return indexing

    def _key(self, *parts: str) -> str:
        return hashlib.sha256("\0".join([self._base, *parts]).encode()).hexdigest()
