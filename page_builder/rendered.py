"""The rendering of each page, kept until something changes that the page depends on.

Rendering all pages takes most of the time of a build, and a writer waits for one page. A rendering
leaves behind what MkDocs notes on the page, the anchors that mkdocstrings registers and the
entries of the search index. They are stored, and a later build puts them back.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from page_builder.digests import text_digest
from page_builder.site import Site


class _Warnings(logging.Handler):
    """Sees whether there was a warning."""

    seen = False

    def emit(self, record: logging.LogRecord) -> None:
        """Note a warning or an error."""
        self.seen = self.seen or record.levelno >= logging.WARNING


class Rendered:
    """The renderings of one build.

    Args:
        site: The site.
        config: The configuration of MkDocs, its plugins ready.
        files: The files of the site.
        labs: The script of each lab by its URI.
    """

    def __init__(
        self, site: Site, config: MkDocsConfig, files: Files, labs: dict[str, Path]
    ) -> None:
        self._site = site
        self._config, self._files = config, files
        base = site.digests.pages(Path(config.config_file_path), files.src_uris)
        self._names = {
            file.src_uri: self._name(
                base,
                str(config.site_url),
                repr(config.extra),
                file.src_uri,
                site.digests.lab(labs[file.src_uri])
                if file.src_uri in labs
                else file.content_string,
            )
            for file in files.documentation_pages()
        }
        # Where the anchors of the page that is being rendered are noted.
        self._anchors: list[tuple[tuple[Any, ...], dict[str, Any]]] | None = None
        self._note_anchors(config.plugins["autorefs"])
        self._keep_entries(config.plugins["material/search"].search_index)  # type: ignore[attr-defined]

    def has(self, uri: str) -> bool:
        """Whether a page need not be rendered."""
        return self._site.store.find(self._names[uri]) is not None

    def replace_render(self, page: Page, complete: Callable[[], None]) -> None:
        """Let `page` take its earlier rendering, or keep the one it makes.

        Args:
            page: A page whose source has been read.
            complete: Called after the page has been rendered anew, to change its content.
        """
        render = page.render
        name = self._names[page.file.src_uri]

        def render_once(config: MkDocsConfig, files: Files) -> None:
            if (stored := self._site.store.find(name)) is not None:
                self._restore(page, stored)
                return
            before = dict(vars(page))
            anchors: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
            self._anchors = anchors
            warnings = _Warnings()
            logging.getLogger("mkdocs").addHandler(warnings)
            try:
                render(config, files)
                complete()
            finally:
                self._anchors = None
                logging.getLogger("mkdocs").removeHandler(warnings)
            # A warning is to be repeated by every build until its cause is gone.
            if not warnings.seen:
                changed = {
                    name: value
                    for name, value in vars(page).items()
                    if name not in before or before[name] is not value
                }
                links = changed.pop("links_to_anchors", None) or {}
                uris = {file.src_uri: anchors for file, anchors in links.items()}
                self._keep(name, (changed, uris, anchors))

        page.render = render_once  # type: ignore[method-assign]

    def _restore(self, page: Page, stored: Path) -> None:
        changed, links, anchors = pickle.loads(stored.read_bytes())
        vars(page).update(changed)
        # The files of this build, whose pages may have lost an anchor.
        page.links_to_anchors = {
            file: links[uri] for uri in links if (file := self._files.get_file_from_path(uri))
        }
        for positional, named in anchors:
            self._config.plugins["autorefs"].register_anchor(page, *positional, **named)  # type: ignore[attr-defined]

    def _note_anchors(self, autorefs: Any) -> None:
        register = autorefs.register_anchor

        def noting(page: Page, *positional: Any, **named: Any) -> None:
            if self._anchors is not None:
                self._anchors.append((positional, named))
            register(page, *positional, **named)

        autorefs.register_anchor = noting

    def _keep_entries(self, index: Any) -> None:
        add = index.add_entry_from_context

        def adding(page: Page) -> None:
            rendering = self._names[page.file.src_uri]
            name = self._name(rendering, repr(page.title), page.content or "")
            if (stored := self._site.store.find(name)) is not None:
                index.entries.extend(pickle.loads(stored.read_bytes()))
            else:
                before = len(index.entries)
                add(page)
                self._keep(name, index.entries[before:])

        index.add_entry_from_context = adding

    def _keep(self, name: str, value: object) -> None:
        def write(made: Path) -> None:
            made.write_bytes(pickle.dumps(value))

        self._site.store.path(name, write)

    @staticmethod
    def _name(*parts: str) -> str:
        return f"pages/{text_digest(*parts)}.pickle"
