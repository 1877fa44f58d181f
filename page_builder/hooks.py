"""What MkDocs calls while it builds the site. The work is done in the modules this file imports.

MkDocs loads this file once. Under `mkdocs serve` an edit of `cnnref` is taken up by the next
rebuild, an edit of `page_builder` by the next start.
"""

from __future__ import annotations

import functools
import logging
import os
import posixpath
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import CombinedEvent, event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

from page_builder import (
    anchors,
    context,
    explorer,
    extension,
    katex,
    needs,
    notebooks,
    numbers,
    plain_code,
    reload,
)
from page_builder.background import Labs
from page_builder.cache import inputs, inputs_of
from page_builder.downloads import Downloads
from page_builder.unchanged import Unchanged

ROOT = Path(__file__).resolve().parents[1]

log = logging.getLogger("mkdocs.page_builder")

_running = Labs()
_labs: dict[str, notebooks.Lab] = {}
_serving = False
_unchanged = Unchanged()
_anchors = anchors.Anchors()


def on_startup(command: str, dirty: bool) -> None:
    """Note what MkDocs was started for; leave a core to the labs, which run beside it."""
    global _serving
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _serving = command == "serve"


def on_config(config: MkDocsConfig) -> None:
    """Leave the link check to whole builds: it would take half of the time of a rebuild."""
    if _serving:
        config.plugins["htmlproofer"].config["enabled"] = False


def on_pre_build(config: MkDocsConfig) -> None:
    """Import what pages compute with anew where it has been edited since the last build."""
    for package in ("cnnref", "experiments"):
        reload.drop_changed(package, ROOT / package)


@event_priority(100)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Start the labs and add the files that are made, before htmlproofer lists all files."""
    _running.begin()
    _labs.clear()
    for file in list(files):
        if _is_lab(file) and not file.inclusion.is_excluded():  # type: ignore[no-untyped-call]
            _add_lab(files, file, config)
    for asset in [katex.DIST / "katex.min.css", *sorted((katex.DIST / "fonts").glob("*.woff2"))]:
        uri = f"assets/katex/{asset.relative_to(katex.DIST).as_posix()}"
        files.append(File.generated(config, uri, abs_src_path=str(asset)))
    for uri, script in explorer.assets().items():
        files.append(File.generated(config, uri, abs_src_path=str(script)))
    return files


def _is_lab(file: File) -> bool:
    return file.src_uri.startswith("labs/") and file.src_uri.endswith(".py")


def _add_lab(files: Files, file: File, config: MkDocsConfig) -> None:
    assert file.abs_src_path is not None
    source = Path(file.abs_src_path)
    _running.start(file.src_uri, source, inputs_of(source.read_text(encoding="utf-8"), ROOT))
    for ending in (".ipynb", ".py"):
        # What is in it is put in when the lab has been executed.
        uri = _download(source, source.stem + ending)
        files.append(File.generated(config, uri, content=""))
    # Pages are rendered in the order of the files: the labs last, when they have been executed.
    files.remove(file)
    files.append(file)


def _download(lab: Path, name: str) -> str:
    """The URI of a file that belongs to a lab."""
    return f"labs/{lab.stem}/{name}"


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> None:
    """Under `mkdocs serve`, start to look which pages have changed."""
    if _serving:
        builder = Path(__file__).parent.rglob("*.py")
        _unchanged.begin(config, files, [*inputs(ROOT), *builder])


@event_priority(100)
def on_pre_page(page: Page, config: MkDocsConfig, files: Files) -> None:
    """Wait for the lab whose page this is, and point mkdocs-jupyter to the executed notebook."""
    uri = page.file.src_uri
    if uri in _running:
        _labs[uri] = lab = _running.wait(uri)
        page.file.abs_src_path = str(lab.notebook)
        source = Path(config.docs_dir) / uri
        resolver = _resolver(page, files)
        taken_away = Downloads(ROOT, config.extra["repository"]).files(
            source, lab.notebook, lambda link: urljoin(page.canonical_url or "", resolver(link))
        )
        for name, text in taken_away.items():
            download = files.get_file_from_path(_download(source, name))
            assert download is not None
            download.content_string = text


@event_priority(-100)
def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> None:
    """Tell the Markdown extensions which page they are reading."""
    if _serving:
        _unchanged.watch(page, markdown)
    root = Path(config.config_file_path).resolve().parent
    path = Path(config.docs_dir).relative_to(root) / page.file.src_uri
    context.current.set(context.PageContext(path.as_posix(), dict(page.meta), root))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Finish a lab's page; check the numbers of every page."""
    html = plain_code.drop_plain_spans(html)
    uri = page.file.src_uri
    lab = _labs.get(uri)
    if lab is not None:
        resolver = _resolver(page, files)
        html, typed = _unchanged.keep(lambda: _finish_lab(html, lab, resolver), uri, html)
        given = lab.given
        code = Path(config.docs_dir, uri).read_text(encoding="utf-8")
    else:
        code = needs.code_of(page.markdown or "")
        typed, given = extension.insert_titles(html), list(page.meta.get("given", []))
    for problem in _check(typed, tuple(given)):
        log.warning("%s: %s", uri, problem)
    try:
        html = needs.with_line(html, code, ROOT, config.extra["repository"])
    except needs.NeedsError as error:
        log.warning("%s: %s", uri, error)
    return numbers.strip_sentinels(html)


def _finish_lab(html: str, lab: notebooks.Lab, resolver: Callable[[str], str]) -> tuple[str, str]:
    """Return a lab's page and the prose on it."""
    page = notebooks.page_html(html, lab, resolver)
    return page, notebooks.prose_of(page)


@functools.lru_cache(maxsize=256)
def _check(html: str, given: tuple[str, ...]) -> list[numbers.Problem]:
    return numbers.check_page(html, list(given))


@event_priority(100)
def _give_anchors(output: str, page: Page, config: MkDocsConfig) -> str:
    """Give the link check, next in the row, what it looks at."""
    return _anchors.take(output)


def _finish(output: str, page: Page, config: MkDocsConfig) -> str:
    """Put in the figures and formulas, which the link check was to be spared."""
    output = _anchors.put_back(output)
    return numbers.strip_sentinels(katex.fill(extension.insert_figures(output)))


on_post_page = CombinedEvent(_give_anchors, _finish)


def _resolver(page: Page, files: Files) -> Callable[[str], str]:
    """Return what turns a lab's link to a source file into a link to the page made of it."""

    def resolve(link: str) -> str:
        parts = urlsplit(link)
        if parts.scheme or not parts.path.endswith((".md", ".py")):
            return link
        target = posixpath.normpath(
            posixpath.join(posixpath.dirname(page.file.src_uri), parts.path)
        )
        file = files.get_file_from_path(target)
        if file is None:
            log.warning("%s: links to %s, which is not there", page.file.src_uri, link)
            return link
        url = file.url_relative_to(page.file)
        return f"{url}#{parts.fragment}" if parts.fragment else url

    return resolve


def on_post_build(config: MkDocsConfig) -> None:
    """End the processes of this build, if it needed any."""
    _running.end()
    katex.renderer.close()


def on_build_error(error: Exception) -> None:
    """Do not wait for labs that nobody will read."""
    _running.end()
