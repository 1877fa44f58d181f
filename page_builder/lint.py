"""Finds what would go unnoticed: Python that is not run, pictures without alt text.

Run as `python -m page_builder.lint docs README.md CONTRIBUTING.md`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from page_builder import directives, fences
from page_builder.directives import Directive
from page_builder.fences import Chain, Document, Fence, FenceError

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
_DEPRECATED = re.compile(r"(skip|importorskip|expect-error|expect-exception)")


@dataclass(frozen=True)
class LintProblem:
    """What is wrong at a line of a source."""

    line: int
    message: str


def read(source: str) -> tuple[Document, dict[int, Directive], list[LintProblem]]:
    """Parse one Markdown source and check it.

    Returns:
        The document; its directives by the lines of their fences; what is wrong, in order of lines.
    """
    problems: list[LintProblem] = []
    found: dict[int, Directive] = {}
    try:
        document = fences.parse(source)
    except FenceError as error:
        problems.append(LintProblem(error.line, str(error)))
        document = Document(source.split("\n"))
    else:
        problems += _check_fences(document)
        problems += _check_chains(document)
        problems += _check_comments(document)
        try:
            found = directives.find(document)
        except FenceError as error:
            problems.append(LintProblem(error.line, str(error)))
    problems += _check_prose(document)
    return document, found, sorted(problems, key=lambda problem: problem.line)


def check_source(source: str) -> list[LintProblem]:
    """Check one Markdown source."""
    return read(source)[2]


def _check_fences(document: Document) -> Iterator[LintProblem]:
    outputs = [chain.output for chain in document.chains]
    reasons = {
        chain.fences[0].line
        for chain in document.chains
        if any(_SKIP_REASON.fullmatch(mark) for mark in chain.marks)
    }
    for fence in document.fences:
        if fence.closer != fence.indent + "`" * fence.ticks:
            message = (
                f"the fence opened at line {fence.line} must be closed with the same backticks"
            )
            yield LintProblem(fence.end, f"{message}, at the same indentation")
        if fence in outputs:
            if fence.info not in ("", "text"):
                yield LintProblem(fence.line, "an expected output is a bare fence")
            continue
        if fence.info != "python" and _PYTHON.match(fence.info):
            yield LintProblem(
                fence.line,
                f"pytest-codeblocks does not run a fence that opens with `{fence.info}`; "
                "write ```python and put options in a <!--cnnref: ...--> comment",
            )
        if fence.info not in fences.RUNNABLE and fence.line not in reasons:
            yield from _check_unrun_content(fence)


def _check_unrun_content(fence: Fence) -> Iterator[LintProblem]:
    for number, row in enumerate(fence.code.split("\n"), fence.line + 1):
        opening = re.match(r"\s*(?:`{3,}|~{3,})(.*)", row)
        if opening and _PYTHON.match(opening.group(1)):
            yield LintProblem(
                number,
                "a Python fence inside another fence is not run; if it only shows how to write "
                'one, put <!--pytest.mark.skip(reason="...")--> before the outer fence',
            )
        if row.lstrip().startswith(">>>"):
            yield LintProblem(number, "a Python prompt in a fence that is not run")


def _check_chains(document: Document) -> Iterator[LintProblem]:
    for chain in document.chains:
        yield from _check_marks(chain)
        for fence in chain.fences[1:]:
            if fence.info != chain.syntax or chain.syntax not in fences.RUNNABLE:
                message = f"`cont` joins this fence to one that opens with `{chain.syntax}`"
                yield LintProblem(fence.line, f"{message}, so it is not run as Python")
        if chain.output is None:
            continue
        if chain.syntax not in fences.RUNNABLE:
            yield LintProblem(chain.output.line, "an expected output under a fence that is not run")
        elif chain.has_mark("skip") or chain.has_mark("xfail"):
            yield LintProblem(chain.output.line, "the output of a marked fence is not compared")
        if chain.output.line < chain.fences[-1].line:
            yield LintProblem(chain.output.line, "the output is above the last fence of its chain")


def _check_marks(chain: Chain) -> Iterator[LintProblem]:
    line = chain.fences[0].line
    for mark in chain.marks:
        if not _MARK.match(mark):
            yield LintProblem(line, f"`{mark}`: only skip and xfail are understood here")
        elif mark.startswith("pytest.mark.skip") and not _SKIP_REASON.fullmatch(mark):
            yield LintProblem(line, 'a skip says why: <!--pytest.mark.skip(reason="...")-->')
    if chain.marks and chain.syntax not in fences.RUNNABLE and chain.fences[0].ticks == 3:
        yield LintProblem(line, "a pytest mark before a fence that is not run")


def _check_comments(document: Document) -> Iterator[LintProblem]:
    starts = [chain.fences[0].line for chain in document.chains]
    openers = [fence.line for fence in document.fences]
    for comment in document.comments:
        following = next((line for line in openers if line > comment.line), None)
        if comment.keyword and _DEPRECATED.match(comment.keyword):
            message = f"`{comment.keyword}` is not used here; write a pytest.mark with a reason"
            yield LintProblem(comment.line, message)
        elif following is None:
            yield LintProblem(comment.line, "no fence follows this comment")
        elif comment.mark and following not in starts:
            yield LintProblem(comment.line, "a mark must be before the first fence of a chain")


def _check_prose(document: Document) -> Iterator[LintProblem]:
    for line, raw in document.outside():
        if _FORGED.search(raw):
            yield LintProblem(line, "this marks text as computed; only the page builder writes it")
        if re.match(r"\s*~{3,}", raw):
            yield LintProblem(line, "pytest-codeblocks does not know ~~~ fences; use backticks")
        if (prefixed := _PREFIXED.match(raw)) and _PYTHON.match(raw[prefixed.end() :]):
            message = "a fence behind a list or quote sign is not run; give it its own line"
            yield LintProblem(line, message)
        text = _CODE_SPAN.sub("", raw)
        if re.match(r"\s*(>\s+)*>>> ", text):
            yield LintProblem(line, "a Python prompt outside a fence is not run")
        if re.search(r"<code\b[^>]*\bpython", text, re.I):
            yield LintProblem(line, "Python in HTML is not run; use a fence")
        if _IMAGE.search(text):
            yield LintProblem(line, "an image without alt text")
        for image in _IMG.findall(text):
            if not _ALT.search(image):
                yield LintProblem(line, "an <img> without alt text, or not on one line")


def _sources(names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        path = Path(name)
        if path.is_dir():
            yield from sorted(path.rglob("*.md"))
        else:
            yield path


def main(names: list[str]) -> int:
    """Check files and folders; print the problems and return the exit status."""
    status = 0
    for path in _sources(names):
        for problem in check_source(path.read_text(encoding="utf-8")):
            print(f"{path}:{problem.line}: {problem.message}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
