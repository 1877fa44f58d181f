"""The `<!--cnnref: key="value" ...-->` comments: what the page does with the next fence."""

from __future__ import annotations

import re
from dataclasses import dataclass

from page_builder.fences import Document, Fence, FenceError

KEYS = ("title", "hl_lines", "linenums", "figure", "alt", "caption", "render", "fold")

_START = re.compile(r"\s*<!--[-\s]*cnnref:")
_PAIR = re.compile(r"""\s*([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.DOTALL)
_PYTEST = re.compile(r"\s*<!--[-\s]*pytest[-.]")


@dataclass(frozen=True)
class Directive:
    """One directive: its first and last line, and its keys."""

    line: int
    end: int
    values: dict[str, str]

    def get(self, key: str) -> str | None:
        """The value of `key`, or None."""
        return self.values.get(key)

    def header(self) -> str:
        """The options as superfences wants them after the language."""
        keys = ("title", "hl_lines", "linenums")
        return "".join(f' {key}="{self.values[key]}"' for key in keys if key in self.values)


def parse_values(text: str, line: int) -> dict[str, str]:
    """Read the `key="value"` pairs of a directive.

    Raises:
        FenceError: A key is unknown or doubled, a quote is missing, or keys do not fit together.
    """
    values: dict[str, str] = {}
    position = 0
    text = text.strip()
    while position < len(text):
        pair = _PAIR.match(text, position)
        if pair is None:
            raise FenceError(line, f"cannot read the directive at `{text[position:][:40]}`")
        key = pair.group(1)
        value = pair.group(2) if pair.group(2) is not None else pair.group(3)
        if key not in KEYS:
            raise FenceError(line, f"unknown key `{key}`; known are {', '.join(KEYS)}")
        if key in values:
            raise FenceError(line, f"the key `{key}` is given twice")
        # An author may break a long alt text over lines.
        values[key] = " ".join(value.split())
        position = pair.end()
    if not values:
        raise FenceError(line, "the directive has no keys")
    if empty := [key for key, value in values.items() if not value]:
        raise FenceError(line, f"the key `{empty[0]}` is empty")
    if "figure" in values and "alt" not in values:
        raise FenceError(line, "a figure needs `alt`: what is seen in it")
    if "figure" not in values and (lone := {"alt", "caption"} & values.keys()):
        raise FenceError(line, f"`{min(lone)}` without `figure`")
    if any('"' in values.get(key, "") for key in ("title", "hl_lines", "linenums")):
        raise FenceError(line, "`title`, `hl_lines` and `linenums` cannot contain a double quote")
    return values


def find(document: Document) -> dict[int, Directive]:
    """Find the directives of a document, by the line of the fence they belong to.

    Raises:
        FenceError: A directive is malformed, or no fence follows it.
    """
    outside = dict(document.outside())
    openers: dict[int, Fence] = {fence.line: fence for fence in document.fences}
    found: dict[int, Directive] = {}
    last = 0
    for line, text in outside.items():
        if line <= last or not _START.match(text):
            continue
        last = _closing_line(outside, line)
        comment = "\n".join(outside[n] for n in range(line, last + 1))
        body = comment.split("cnnref:", 1)[1].rsplit("-->", 1)[0]
        directive = Directive(line, last, parse_values(body, line))
        target = last + 1
        while target in outside and (not outside[target].strip() or _PYTEST.match(outside[target])):
            target += 1
        fence = openers.get(target)
        if fence is None or fence.role == "output":
            raise FenceError(line, "the directive has no fence right after it")
        needs_run = {"figure", "render"} & directive.values.keys()
        if needs_run and not _runs(document, fence):
            raise FenceError(line, f"`{min(needs_run)}` needs a Python fence that is run")
        found[target] = directive
    return found


def _runs(document: Document, fence: Fence) -> bool:
    chain = next(chain for chain in document.chains if fence in chain.fences)
    return chain.runs and not chain.has_mark("xfail")


def _closing_line(outside: dict[int, str], line: int) -> int:
    last = line
    while "-->" not in outside[last]:
        last += 1
        if last not in outside:
            raise FenceError(line, "the directive is never closed")
    if outside[last].rstrip().rpartition("-->")[2]:
        raise FenceError(last, "there is text after the directive on its last line")
    return last
