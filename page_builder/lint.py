"""Find what would go unnoticed: Python that is not run, pictures without alt text, wrong citations.

Run as `python -m page_builder.lint docs README.md CONTRIBUTING.md` in the root of the repository.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from page_builder import sources
from page_builder.document import RUNNABLE, Chain, Document, Fence, Problem

_PYTHON = re.compile(r"\s*\{?\s*\.?(python|py|pycon|ipython|pyi|pytb|numpy)\d*(?![\w-])", re.I)
_PREFIXED = re.compile(r"\s*(?:(?:[>*+-]|\d+[.)])[ \t]*)+(?:`{3,}|~{3,})")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")
_IMAGE = re.compile(r"!\[\s*\]\s*[(\[]")
_IMG = re.compile(r"<img\b[^>]*>?", re.I)
_ALT = re.compile(r"""\balt\s*=\s*("\s*[^"\s]|'\s*[^'\s])""", re.I)
_FORGED = re.compile(
    r"[\ue000-\ue01f]|<data\b|<!--\s*cnnref-svg|\bcnnref-(output|derivation|figure|fold)\b"
    r"|\b(jp-\w+|doc-object|linenos|linenodiv|headerlink|footnote-ref|clipboard-copy-txt)\b"
    r"|<(template|noscript)\b",
    re.I,
)
_SKIP_REASON = re.compile(r"""pytest\.mark\.skip\(\s*reason\s*=\s*(["'])\s*\S.*\1\s*\)""")
_MARK = re.compile(r"pytest\.mark\.(skip|xfail)\b(?!if)")


def check(document: Document) -> list[Problem]:
    """Return what is wrong with a source, in order of lines."""
    problems = list(document.problems)
    for fence in document.fences:
        problems += _check_fence(fence)
    for chain in document.chains:
        problems += _check_chain(chain)
    for prose in document.prose:
        for line, row in enumerate(prose.written.split("\n"), prose.line):
            problems += (Problem(line, message) for message in _check_row(row))
    return sorted(problems, key=lambda problem: problem.line)


def _check_fence(fence: Fence) -> Iterator[Problem]:
    if fence.closer != fence.indent + fence.ticks:
        message = f"the fence opened at line {fence.line} must be closed with the same backticks"
        yield Problem(fence.line + len(fence.rows) + 1, f"{message}, at the same indentation")
    if fence.is_output:
        if fence.info not in ("", "text"):
            yield Problem(fence.line, "an expected output is a bare fence")
        return
    if fence.info != "python" and _PYTHON.match(fence.info):
        yield Problem(
            fence.line,
            f"pytest-codeblocks does not run a fence that opens with `{fence.info}`; "
            "write ```python and put options in a <!--cnnref: ...--> comment",
        )
    shows = fence is fence.chain.fences[0] and any(map(_SKIP_REASON.fullmatch, fence.chain.marks))
    if fence.info not in RUNNABLE and not shows:
        yield from _check_unrun_content(fence)


def _check_unrun_content(fence: Fence) -> Iterator[Problem]:
    for line, row in enumerate(fence.rows, fence.line + 1):
        opening = re.match(r"\s*(?:`{3,}|~{3,})(.*)", row)
        if opening and _PYTHON.match(opening[1]):
            yield Problem(
                line,
                "a Python fence inside another fence is not run; if it only shows how to write "
                'one, put <!--pytest.mark.skip(reason="...")--> before the outer fence',
            )
        if row.lstrip().startswith(">>>"):
            yield Problem(line, "a Python prompt in a fence that is not run")


def _check_chain(chain: Chain) -> Iterator[Problem]:
    runnable = chain.syntax in RUNNABLE
    first, output = chain.fences[0], chain.output
    for mark in chain.marks:
        if not _MARK.match(mark):
            yield Problem(first.line, f"`{mark}`: only skip and xfail are understood here")
        elif mark.startswith("pytest.mark.skip") and not _SKIP_REASON.fullmatch(mark):
            message = 'a skip needs a reason: <!--pytest.mark.skip(reason="...")-->'
            yield Problem(first.line, message)
    if chain.marks and not runnable and first.ticks == "```":
        yield Problem(first.line, "a pytest mark before a fence that is not run")
    for fence in chain.fences[1:]:
        if fence.info != chain.syntax or not runnable:
            message = f"`cont` joins this fence to one that opens with `{chain.syntax}`"
            yield Problem(fence.line, f"{message}, so it is not run as Python")
    if output is None:
        return
    if not runnable:
        yield Problem(output.line, "an expected output below a fence that is not run")
    elif chain.has_mark("skip") or chain.has_mark("xfail"):
        yield Problem(output.line, "the output of a marked fence is not compared")
    if output.line < chain.fences[-1].line:
        yield Problem(output.line, "the output is above the last fence of its chain")


def _check_row(row: str) -> Iterator[str]:
    """Yield what is wrong with a line of prose."""
    if _FORGED.search(row):
        yield "this marks text as computed; only the page builder may write it"
    if re.match(r"\s*~{3,}", row):
        yield "pytest-codeblocks does not know ~~~ fences; use backticks"
    if (prefixed := _PREFIXED.match(row)) and _PYTHON.match(row[prefixed.end() :]):
        yield "a fence after a list or quote sign is not run; put it on its own line"
    text = _CODE_SPAN.sub("", row)
    if re.match(r"\s*(>\s+)*>>> ", text):
        yield "a Python prompt outside a fence is not run"
    if re.search(r"<code\b[^>]*\bpython", text, re.I):
        yield "Python in HTML is not run; use a fence"
    if _IMAGE.search(text):
        yield "an image without alt text"
    if not all(map(_ALT.search, _IMG.findall(text))):
        yield "an <img> without alt text, or not on one line"


def main(names: list[str]) -> int:
    """Check files, and the Markdown in folders; print problems and return the exit status."""
    status = 0
    for path in map(Path, names):
        for file in sorted(path.rglob("*.md")) if path.is_dir() else [path]:
            for problem in check(Document(file.read_text(encoding="utf-8"))):
                print(f"{file}:{problem.line}: {problem.message}")
                status = 1
    for message in sources.problems(Path.cwd()) if Path(sources.BIBLIOGRAPHY).exists() else ():
        print(message)
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
