"""Formulas, rendered by KaTeX at build time: the browser runs no script for them.

KaTeX writes a hundred elements for a small formula, which the search index and the checks would
have to read. So a page first has a placeholder, an empty `<cnnref-math>` with the TeX in
`data-tex`. When all pages are rendered, one node process typesets what is not in the store.

The TeX includes the characters that mark what was computed, for the number check. KaTeX does not
see them.
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path

from page_builder import node
from page_builder.digests import text_digest
from page_builder.store import Store
from page_builder.values import strip_sentinels

_DIST = node.PACKAGES / "katex" / "dist"

_SCRIPT = Path(__file__).with_name("katex.mjs")
_DISPLAY = "cnnref-math--block"
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)
_PLACE = re.compile(r'<cnnref-math class="([^"]*)" data-tex="([^"]*)"></cnnref-math>')


class KatexError(Exception):
    """KaTeX does not accept a formula. The message names the page and the formula."""


def assets() -> dict[str, Path]:
    """Return the files that formulas load in a browser, by their paths in the site."""
    files = [_DIST / "katex.min.css", *sorted((_DIST / "fonts").glob("*.woff2"))]
    return {f"assets/katex/{file.relative_to(_DIST).as_posix()}": file for file in files}


def place(tex: str, *, display: bool) -> str:
    """Return the placeholder of a formula."""
    name = f"arithmatex {_DISPLAY}" if display else "arithmatex"
    return f'<cnnref-math class="{name}" data-tex="{html.escape(tex.strip())}"></cnnref-math>'


def mark(page: str) -> str:
    """Replace what `pymdownx.arithmatex` writes in its generic mode by placeholders."""
    page = _BLOCK.sub(lambda match: place(html.unescape(match[1]), display=True), page)
    return _INLINE.sub(lambda match: place(html.unescape(match[1]), display=False), page)


class Formulas:
    """Typesets formulas and keeps them in the store.

    Args:
        store: What earlier builds made.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def typeset(self, pages: Mapping[str, str]) -> None:
        """Typeset the formulas of pages that are not in the store.

        Args:
            pages: The HTML of each page by its name.

        Raises:
            KatexError: KaTeX does not accept a formula.
            NodeError: KaTeX is not installed.
        """
        missing = {
            formula: name
            for name, page in pages.items()
            for formula in map(_formula, _PLACE.finditer(page))
            if self._store.get(_entry(*formula)) is None
        }
        if not missing:
            return
        asked = json.dumps([{"tex": tex, "display": display} for tex, display in missing])
        answers = json.loads(node.run(_SCRIPT, needs=["katex"], stdin=asked))
        for (formula, name), answer in zip(missing.items(), answers, strict=True):
            if "error" in answer:
                raise KatexError(f"{name}: {answer['error']}\n  in the formula: {formula[0]}")
            self._store.put(_entry(*formula), answer["html"])

    def fill(self, page: str, name: str = "") -> str:
        """Insert the formulas of a page.

        Args:
            page: The HTML of the page.
            name: Its name in messages.

        Raises:
            KatexError: KaTeX does not accept a formula.
        """

        def typeset(match: re.Match[str]) -> str:
            rendered = self._store.get(_entry(*_formula(match)))
            return f'<cnnref-math class="{match[1]}">{rendered}</cnnref-math>'

        self.typeset({name: page})
        return _PLACE.sub(typeset, page)


def _formula(place: re.Match[str]) -> tuple[str, bool]:
    return strip_sentinels(html.unescape(place[2])), _DISPLAY in place[1]


def _entry(tex: str, display: bool) -> str:
    return f"formulas/{text_digest(_katex(), str(display), tex)}.html"


@functools.cache
def _katex() -> str:
    """Return what a typeset formula depends on besides its TeX."""
    package = _DIST.parent / "package.json"
    return (package.read_text() if package.exists() else "") + _SCRIPT.read_text()
