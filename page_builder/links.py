"""The link check: every link of a built site leads to a file of the site, and to an anchor in it.

It needs only the files of the site. Links to other sites are not followed.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Scripts and formulas contain no links to the site, and would take longest to read.
_PASSED_OVER = re.compile(
    r"<!--.*?-->|<(script|style|template|cnnref-math)\b(?P<tag>[^>]*>).*?</\1>", re.DOTALL
)
_TAG = re.compile(r"""<([a-zA-Z][\w-]*)((?:"[^"]*"|'[^']*'|[^'"<>])*)>""")
_ATTRIBUTE = re.compile(r"""\s(href|src|id|name)=("[^"]*"|'[^']*'|[^\s"'<>]+)""")


@dataclass(frozen=True)
class PageLinks:
    """The addresses that a page links to, and the anchors that links may lead to."""

    addresses: frozenset[str]
    anchors: frozenset[str]


def read(page: str) -> PageLinks:
    """Find the links and anchors of a page's HTML."""
    addresses: set[str] = set()
    anchors: set[str] = set()
    opening = _PASSED_OVER.sub(lambda m: f"<{m[1]}{m['tag']}" if m[1] else "", page)
    for tag in _TAG.finditer(opening):
        for name, quoted in _ATTRIBUTE.findall(tag[2]):
            value = html.unescape(quoted.strip("\"'"))
            if name in ("href", "src"):
                addresses.add(value)
            elif name == "id" or tag[1] == "a":
                anchors.add(value)
    return PageLinks(frozenset(addresses), frozenset(anchors))


def broken(site: Path, address: str = "/") -> list[str]:
    """Return what is wrong with the links of a built site, one sentence for each.

    Args:
        site: The folder of the site.
        address: Where the site will be published; its path is what absolute links start with.
    """
    pages = {
        path.relative_to(site).as_posix(): read(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
    }
    base = posixpath.join(urlsplit(address).path or "/", "")
    return [
        f"{name}: links to {link}, {problem}"
        for name, page in pages.items()
        for link in sorted(page.addresses)
        for problem in _problems(link, name, base, site, pages)
    ]


def _problems(
    link: str, page: str, base: str, site: Path, pages: dict[str, PageLinks]
) -> Iterator[str]:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return
    path = posixpath.normpath(posixpath.join(base, posixpath.dirname(page), unquote(parts.path)))
    target = page if not parts.path else posixpath.relpath(path, base)
    if (site / target).is_dir():
        target = posixpath.normpath(f"{target}/index.html")
    if target.startswith("..") or not (site / target).is_file():
        yield "which is not a file of the site"
    elif (
        parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors
    ):
        yield "which has no such anchor"
