"""What MkDocs calls while it builds the site. The work is done in the modules this file imports.

MkDocs loads this file once. Under `mkdocs serve` an edit of `cnnref` is taken up by the next
rebuild, an edit of `page_builder` by the next start.
"""

from __future__ import annotations

import functools
import logging
import posixpath
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

from page_builder import (
    context,
    explorer,
    extension,
    katex,
    notebooks,
    numbers,
    plain_code,
    reload,
)
from page_builder.cache import inputs
from page_builder.unchanged import Unchanged

ROOT = Path(__file__).resolve().parents[1]

log = logging.getLogger("mkdocs.page_builder")

_labs: dict[str, notebooks.Lab] = {}
_serving = False
_unchanged = Unchanged()


def on_startup(command: str, dirty: bool) -> None:
    """Note what MkDocs was started for."""
    global _serving
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
    """Execute the labs and add the files that are made, before htmlproofer lists all files."""
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
    lab = notebooks.execute(source, inputs(ROOT))
    _labs[file.src_uri] = lab
    for name, text in notebooks.downloads(source, lab.notebook).items():
        uri = f"labs/{source.stem}/{name}"
        files.append(File.generated(config, uri, content=text))


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> None:
    """Point mkdocs-jupyter, which has picked its scripts by now, to the executed notebooks."""
    for uri, lab in _labs.items():
        file = files.get_file_from_path(uri)
        assert file is not None
        file.abs_src_path = str(lab.notebook)
    if _serving:
        builder = Path(__file__).parent.rglob("*.py")
        _unchanged.begin(config, files, [*inputs(ROOT), *builder])


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
    uri = page.file.src_uri
    lab = _labs.get(uri)
    if lab is not None:
        resolver = _resolver(page, files)
        html, typed = _unchanged.keep(lambda: _finish_lab(html, lab, resolver), uri, html)
        given = lab.given
    else:
        typed, given = extension.insert_figures(html), list(page.meta.get("given", []))
    for problem in _check(typed, tuple(given)):
        log.warning("%s: %s", uri, problem)
    return numbers.strip_sentinels(html)


def _finish_lab(html: str, lab: notebooks.Lab, resolver: Callable[[str], str]) -> tuple[str, str]:
    """Return a lab's page and the prose on it."""
    page = notebooks.page_html(html, lab, resolver)
    return page, notebooks.prose_of(page)


@functools.lru_cache(maxsize=256)
def _check(html: str, given: tuple[str, ...]) -> list[numbers.Problem]:
    return numbers.check_page(html, list(given))


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Put in the figures and formulas, which search index and link check were to be spared."""
    output = plain_code.drop_plain_spans(output)
    return numbers.strip_sentinels(katex.fill(extension.insert_figures(output)))


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
    """End the node process of this build, if it needed one."""
    katex.renderer.close()
