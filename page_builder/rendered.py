"""The rendering of each page, kept until something changes that the page depends on.

Rendering all pages takes most of the time of a build, but a writer waits for one page. A rendering
is stored with all its effects, and a later build repeats them: what MkDocs notes on the page, the
anchors that mkdocstrings registers, the entries of the search index, and the page's figures.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from mkdocs.utils import CountHandler

from page_builder.digests import text_digest
from page_builder.site import Site


class Rendered:
    """The renderings of one build.

    Args:
        site: The site.
        config: The configuration of MkDocs, with its plugins ready.
        files: The files of the site.
        labs: The script of each lab by its URI.
    """

    def __init__(
        self, site: Site, config: MkDocsConfig, files: Files, labs: dict[str, Path]
    ) -> None:
        self._site = site
        self._files = files
        self._autorefs: Any = config.plugins["autorefs"]
        self._index: Any = config.plugins["material/search"].search_index  # type: ignore[attr-defined]
        # The entries are added when a page is rendered, so that they can be stored with it.
        self._add_entries = self._index.add_entry_from_context
        self._index.add_entry_from_context = lambda page: None
        base = site.digests.pages(Path(config.config_file_path), files.src_uris)
        self._names: dict[str, str] = {}
        for file in files.documentation_pages():
            uri = file.src_uri
            source = site.digests.lab(labs[uri]) if uri in labs else file.content_string
            name = text_digest(base, str(config.site_url), repr(config.extra), uri, source)
            self._names[uri] = f"pages/{name}.pickle"

    def has(self, uri: str) -> bool:
        """Whether a page need not be rendered."""
        return self._site.store.find(self._names[uri]) is not None

    def replace_render(self, page: Page, complete: Callable[[], None]) -> None:
        """Let a page take its earlier rendering, or keep the one it makes.

        Args:
            page: A page whose source has been read.
            complete: Called after the page has been rendered anew, to change its content.
        """
        render = page.render

        def render_once(config: MkDocsConfig, files: Files) -> None:
            stored = self._site.store.find(self._names[page.file.src_uri])
            if stored is not None:
                self._restore(page, pickle.loads(stored.read_bytes()))
            else:
                with self._keeping(page):
                    render(config, files)
                    complete()

        page.render = render_once  # type: ignore[method-assign]

    @contextlib.contextmanager
    def _keeping(self, page: Page) -> Iterator[None]:
        """Store what the rendering of a page leaves behind."""
        before = dict(vars(page))
        anchors: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        register = self._autorefs.register_anchor

        def register_and_note(page: Page, *positional: Any, **named: Any) -> None:
            anchors.append((positional, named))
            register(page, *positional, **named)

        warnings = CountHandler(level=logging.WARNING)
        logging.getLogger("mkdocs").addHandler(warnings)
        self._autorefs.register_anchor = register_and_note
        try:
            yield
        finally:
            self._autorefs.register_anchor = register
            logging.getLogger("mkdocs").removeHandler(warnings)
        known = len(self._index.entries)
        self._add_entries(page)
        # A warning must be repeated by every build until its cause is gone.
        if not warnings.get_counts():
            missing = object()
            changed = {k: v for k, v in vars(page).items() if before.get(k, missing) is not v}
            links = changed.pop("links_to_anchors", None) or {}
            kept = {
                "attributes": changed,
                "links": {file.src_uri: anchors for file, anchors in links.items()},
                "anchors": anchors,
                "entries": self._index.entries[known:],
                "figures": self._site.figures_of(page.content or ""),
            }
            name = self._names[page.file.src_uri]
            self._site.store.path(name, lambda path: _write(path, kept))

    def _restore(self, page: Page, kept: dict[str, Any]) -> None:
        vars(page).update(kept["attributes"])
        # The files of this build, whose pages may have lost an anchor.
        page.links_to_anchors = {
            file: links
            for uri, links in kept["links"].items()
            if (file := self._files.get_file_from_path(uri))
        }
        for positional, named in kept["anchors"]:
            self._autorefs.register_anchor(page, *positional, **named)
        self._index.entries.extend(kept["entries"])
        self._site.add_figures(kept["figures"])


def _write(path: Path, value: object) -> None:
    path.write_bytes(pickle.dumps(value))
