"""What MkDocs calls while it builds the site. The modules imported here do the work.

Under `mkdocs serve`, the next build uses an edited `cnnref`. An edit of `page_builder` needs a
restart.
"""

from __future__ import annotations

import gc
import logging
import os
import posixpath
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from jinja2 import Environment, FileSystemBytecodeCache
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

from experiments.reached import PACKAGES
from page_builder import explorer, katex, links, needs, notebooks, numbers, plain_code
from page_builder import page as pages
from page_builder.ahead import Ahead
from page_builder.digests import ROOT, files_digest
from page_builder.downloads import Downloads
from page_builder.rendered import Rendered
from page_builder.site import PageContext, Site
from page_builder.values import strip_sentinels

log = logging.getLogger("mkdocs.page_builder")

_FEW = 3
_DAYS_KEPT = 14


class PageBuilder:
    """Builds a site, again and again if it is served."""

    site: Site
    rendered: Rendered

    def __init__(self) -> None:
        self.serving = False
        self.ahead = Ahead()
        self.labs: dict[str, Path] = {}
        self.executed: dict[str, notebooks.Lab] = {}
        self._imported: dict[str, str] = {}

    def on_startup(self, command: str, dirty: bool) -> None:
        """Note what MkDocs was started for."""
        self.serving = command == "serve"
        # One thread per process, because the build has several processes.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ.setdefault("MPLBACKEND", "Agg")
        # Neither the settings of a user nor the list of fonts of another environment.
        os.environ.setdefault("MPLCONFIGDIR", str(ROOT / ".cache" / "matplotlib"))

    def on_config(self, config: MkDocsConfig) -> None:
        """Start a build with the files as they are now."""
        # Looking for cycles among the objects of parsed pages takes a sixth of a build.
        gc.disable()
        for package in PACKAGES:
            self.forget_edited(package, (ROOT / package).rglob("*.py"))
        self.site = Site(Path(config.config_file_path).resolve().parent)
        config.mdx_configs["page_builder.extension"] = {"site": self.site}

    def forget_edited(self, package: str, sources: Iterable[Path]) -> bool:
        """Forget the imported modules of a package if its sources have changed since the last call.

        Returns:
            Whether they have.
        """
        now = files_digest(sources)
        edited = self._imported.get(package, now) != now
        self._imported[package] = now
        if edited:
            for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
                del sys.modules[name]
        return edited

    @event_priority(100)
    def on_files(self, files: Files, config: MkDocsConfig) -> Files:
        """Add what formulas and explorers load, and let the pages of labs be rendered last."""
        self.labs.clear()
        for file in list(files):
            lab = file.src_uri.startswith("labs/") and file.src_uri.endswith(".py")
            if lab and not file.inclusion.is_excluded():  # type: ignore[no-untyped-call]
                assert file.abs_src_path is not None
                self.labs[file.src_uri] = Path(file.abs_src_path)
                # Pages are rendered in the order of the files.
                files.remove(file)
                files.append(file)
        for uri, asset in (katex.assets() | explorer.assets(self.site.store)).items():
            files.append(File.generated(config, uri, abs_src_path=str(asset)))
        return files

    def on_nav(self, nav: Navigation, config: MkDocsConfig, files: Files) -> None:
        """Start the work for the pages that have to be rendered."""
        self.rendered = Rendered(self.site, config, files, self.labs)
        uris = {file.src_uri: file for file in files.documentation_pages()}
        waiting = sorted(uri for uri in uris if not self.rendered.has(uri))
        pages_with_code = [uri for uri in waiting if "```python" in uris[uri].content_string]
        for uri in waiting:
            if uri in self.labs:
                self.ahead.start_here(uri, notebooks.execute, self.labs[uri], self.site)
            # Starting processes takes longer than running the few fences that an edit changes.
            elif uri in pages_with_code and len(pages_with_code) > _FEW:
                self.ahead.start(uri, pages.compute, self.site.root, self._path(uri, config))

    def _path(self, uri: str, config: MkDocsConfig) -> str:
        """Return the path of a page, relative to the root of the repository."""
        return (Path(config.docs_dir).relative_to(self.site.root) / uri).as_posix()

    @event_priority(100)
    def on_pre_page(self, page: Page, config: MkDocsConfig, files: Files) -> None:
        """Wait for what was started for a page; point mkdocs-jupyter to an executed notebook."""
        uri = page.file.src_uri
        self.ahead.wait(uri)
        if uri in self.labs:
            self.executed[uri] = lab = notebooks.execute(self.labs[uri], self.site)
            page.file.abs_src_path = str(lab.notebook)

    @event_priority(-100)
    def on_page_markdown(
        self, markdown: str, page: Page, config: MkDocsConfig, files: Files
    ) -> None:
        """Tell the Markdown extension which page it will read."""
        self.site.page = PageContext(self._path(page.file.src_uri, config), self.site.root)
        self.rendered.replace_render(page, lambda: self._complete(page, config, files))

    def _complete(self, page: Page, config: MkDocsConfig, files: Files) -> None:
        """Finish a lab's page; check the numbers of every page, and say what its code needs."""
        assert page.content is not None
        assert self.site.page is not None
        html = plain_code.drop_plain_spans(page.content)
        uri = page.file.src_uri
        if uri in self.labs:
            lab = self.executed[uri]
            html = notebooks.page_html(html, lab, lambda link: _resolve(link, page, files))
            # Noted on the page, so that they are kept with its rendering.
            vars(page)["downloads"] = Downloads(ROOT, config.extra["repository"]).files(
                self.labs[uri],
                lab.notebook,
                lambda link: urljoin(page.canonical_url or "", _resolve(link, page, files)),
            )
            given = lab.given
            code = self.labs[uri].read_text(encoding="utf-8")
        else:
            given = list(page.meta.get("given", []))
            code = self.site.page.code
        for problem in numbers.check_page(self.site.with_titles(html), given, code):
            log.warning("%s: %s", uri, problem)
        try:
            html = needs.with_line(
                html, code, ROOT, config.extra["repository"], download=uri in self.labs
            )
        except needs.NeedsError as error:
            log.warning("%s: %s", uri, error)
        page.content = strip_sentinels(html)

    def on_env(self, env: Environment, config: MkDocsConfig, files: Files) -> None:
        """Typeset the formulas of all rendered pages, and add the downloads of labs."""
        # MkDocs makes a new environment for each build, which would compile every template again.
        templates = self.site.root / ".cache" / "cnnref" / "templates"
        templates.mkdir(parents=True, exist_ok=True)
        env.bytecode_cache = FileSystemBytecodeCache(str(templates))
        pages = {uri: file.page for uri, file in files.src_uris.items() if file.page is not None}
        self.site.formulas.typeset(
            {self._path(uri, config): page.content or "" for uri, page in pages.items()}
        )
        for uri, source in self.labs.items():
            for name, text in vars(pages[uri])["downloads"].items():
                files.append(File.generated(config, f"labs/{source.stem}/{name}", content=text))

    def on_post_page(self, output: str, page: Page, config: MkDocsConfig) -> str:
        """Put figures and formulas in their places."""
        return self.site.finish(output, self._path(page.file.src_uri, config))

    def on_post_build(self, config: MkDocsConfig) -> None:
        """End the processes of this build; check its links, unless a writer waits for it."""
        self._end()
        if not self.serving:
            self.site.store.prune(_DAYS_KEPT)
            for problem in links.broken(Path(config.site_dir), config.site_url or "/"):
                log.warning(problem)

    def on_build_error(self, error: Exception) -> None:
        """End the processes without waiting for work that nobody needs any more."""
        self._end()

    def _end(self) -> None:
        self.ahead.end()
        gc.enable()


def _resolve(link: str, page: Page, files: Files) -> str:
    """Turn a lab's link to a source file into a link to the page made of it."""
    parts = urlsplit(link)
    if parts.scheme or not parts.path.endswith((".md", ".py")):
        return link
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), parts.path))
    file = files.get_file_from_path(target)
    if file is None:
        log.warning("%s: links to %s, which does not exist", page.file.src_uri, link)
        return link
    url = file.url_relative_to(page.file)
    return f"{url}#{parts.fragment}" if parts.fragment else url
