"""The check of what no page shows: citations against the bibliography, links of files outside docs.

A paper's arXiv number or DOI must be in the bibliography, under the title and the authors it is
cited with. Every file that README.md, CONTRIBUTING.md and CHANGELOG.md link to or name must exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

BIBLIOGRAPHY = "docs/reference/bibliography.md"
LINKING = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
CITING = ("docs/**/*.md", "docs/**/*.py", "cnnref/**/*.py", "experiments/*.py", *LINKING)

_NUMBER = re.compile(r"\b(?:arXiv:|arxiv\.org/(?:abs|pdf)/)(\d{4}\.\d{4,5})", re.IGNORECASE)
_DOI = re.compile(r"\b(?:doi:|doi\.org/)(10\.\d{4,9}/[^\s)\]>,;`\"]*[^\s)\]>,:;`\".])")
_ENTRY = re.compile(r"^### .*?(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_TITLED = re.compile(r"\[(?!\[)([^\]]*)\]\s*\(https?://([^)\s]+)\)")
_COMMENT_SIGN = re.compile(r"\n[ ]*#[ ]?")
_LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")
_HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.-]*\.\w+)`")
_COMMON = {
    "a",
    "an",
    "and",
    "deep",
    "for",
    "in",
    "learning",
    "networks",
    "of",
    "on",
    "others",
    "the",
}


def problems(root: Path) -> list[str]:
    """Return what is wrong with the citations and links of a repository, one sentence for each."""
    entries = read_bibliography((root / BIBLIOGRAPHY).read_text(encoding="utf-8"))
    files = [path for pattern in CITING for path in sorted(root.glob(pattern))]
    found = list(wrong_entries(entries))
    for path in files:
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        found += (f"{name}:{one}" for one in wrong_citations(text, entries))
        if name in LINKING:
            found += (f"{name}:{one}" for one in broken_links(text, path.parent))
    return found


def read_bibliography(text: str) -> list[str]:
    """Return the entries of the bibliography as plain text, each on one line."""
    return [" ".join(entry.split()) for entry in _ENTRY.findall(text)]


def wrong_entries(entries: Iterable[str]) -> Iterator[str]:
    """Yield the entries that print another number than their links lead to."""
    for entry in entries:
        for pattern in (_NUMBER, _DOI):
            linked = [pattern.findall(link)[0] for link in _links(entry) if pattern.search(link)]
            printed = pattern.findall(_TITLED.sub("", entry))
            if linked and any(number not in linked for number in printed):
                yield f"{BIBLIOGRAPHY}: {entry[:40]}… prints {printed}, and links to {linked}"


def wrong_citations(text: str, entries: list[str]) -> Iterator[str]:
    """Yield the citations of a file that fit no entry of the bibliography."""
    text = _COMMENT_SIGN.sub(lambda sign: "\n" + " " * (len(sign[0]) - 1), text)
    titles = {match.end(2): match[1] for match in _TITLED.finditer(text)}
    named = " ".join(link for _, link in _TITLED.findall(text))
    for pattern in (_NUMBER, _DOI):
        for match in pattern.finditer(text):
            line, number = text.count("\n", 0, match.start()) + 1, match[1]
            own = [entry for entry in entries if number in pattern.findall(entry)]
            title = titles.get(match.end())
            if not own:
                yield f"{line}: {number} is not in the bibliography"
            elif title is not None and "*" in title and not _contains(own, title):
                yield f"{line}: {number} is cited as {' '.join(title.split())}, which it is not"
            elif not (title or number in named or _is_named(number, text, own)):
                yield f"{line}: no author of {number} is named before it"


def broken_links(text: str, folder: Path) -> Iterator[str]:
    """Yield the links, pictures and names of files of a Markdown file that lead nowhere."""
    prose = _FENCED.sub(lambda fence: "\n" * fence[0].count("\n"), text)
    anchors = {_anchor(heading) for heading in _HEADING.findall(prose)}
    for match in [*_LINK.finditer(prose), *_NAMED.finditer(prose)]:
        target, _, anchor = match[1].partition("#")
        line = prose.count("\n", 0, match.start()) + 1
        if re.match(r"[a-z]+:", target):
            continue
        if target and not (folder / target).exists():
            yield f"{line}: there is no {target}"
        elif not target and anchor not in anchors:
            yield f"{line}: there is no heading for #{anchor}"


def _links(entry: str) -> list[str]:
    return [link for _, link in _TITLED.findall(entry)]


def _contains(entries: Iterable[str], title: str) -> bool:
    """Tell whether an entry has a title, or the short form of it before a colon."""
    words = f" {_plain(title)} "
    return any(words in f" {_plain(entry)} " for entry in entries)


def _is_named(number: str, text: str, entries: Iterable[str]) -> bool:
    """Tell whether an author of an entry, or its title, is named before a number anywhere."""
    places = [match.start() for match in re.finditer(re.escape(number), text)]
    near = " ".join(f" {_plain(text[max(0, place - 400) : place])} " for place in places)
    for entry in entries:
        authors, _, rest = entry.partition("[")
        title = _plain(rest.partition("*](")[0].split(":")[0])
        names = {f" {name} " for name in set(_plain(authors).split()) - _COMMON}
        if any(name in near for name in [*names, f" {title} "]):
            return True
    return False


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.casefold()).split())


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.casefold()).replace(" ", "-")
