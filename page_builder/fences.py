"""The fences of a Markdown source, read as pytest-codeblocks 0.18 reads them.

pytest-codeblocks joins fences into chains: `cont` appends a fence to the one before, and
`expected-output` says what the whole chain prints. It keeps neither the lines nor the indentation
of the fences, which the page needs, so this module reads the source again. It compares the result
with what pytest-codeblocks reads, so the tests and the build always run the same code.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass, field

from pytest_codeblocks import extract_from_buffer

RUNNABLE = ("python", "sh", "bash")

_KEYWORD = re.compile(r"<!--[-\s]*pytest-codeblocks:(.*)-->")
_MARK = re.compile(r"<!--[-\s]*(pytest\.mark\..*)-->")


class FenceError(ValueError):
    """The source cannot be read; `line` says where."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Fence:
    """One fenced block.

    Attributes:
        line: Line of the opening fence, from 1.
        end: Line of the closing fence.
        indent: The white space before the opening backticks.
        ticks: Number of backticks.
        info: The text after the backticks.
        code: The content, dedented.
        role: "start" of a chain, its continuation "cont", or the chain's "output".
        closer: The closing line as written.
    """

    line: int
    end: int
    indent: str
    ticks: int
    info: str
    code: str
    role: str
    closer: str


@dataclass
class Chain:
    """Fences that run in one namespace, and what they print together."""

    fences: list[Fence]
    marks: list[str]
    output: Fence | None = None
    ignore_whitespace: bool = False

    @property
    def syntax(self) -> str:
        """The info string of the first fence, which decides for the whole chain."""
        return self.fences[0].info

    @property
    def code(self) -> str:
        """The code that pytest-codeblocks runs."""
        return "".join(fence.code for fence in self.fences)

    @property
    def expected(self) -> str | None:
        """The output that the page gives for the chain."""
        return None if self.output is None else self.output.code

    def has_mark(self, name: str) -> bool:
        """Tell whether the chain carries the mark `pytest.mark.name`."""
        return any(re.match(rf"pytest\.mark\.{name}\b", mark) for mark in self.marks)

    @property
    def runs(self) -> bool:
        """Whether the page builder runs the chain."""
        return self.syntax == "python" and not self.has_mark("skip")


@dataclass
class Comment:
    """A comment for pytest-codeblocks: its line, and either a keyword or a mark."""

    line: int
    keyword: str | None = None
    mark: str | None = None


@dataclass
class Document:
    """A Markdown source taken apart."""

    lines: list[str]
    fences: list[Fence] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)

    def outside(self) -> list[tuple[int, str]]:
        """The lines that belong to no fence, with their numbers."""
        inside = {n for fence in self.fences for n in range(fence.line, fence.end + 1)}
        return [(n, text) for n, text in enumerate(self.lines, 1) if n not in inside]


def parse(source: str) -> Document:
    """Read the fences and chains of a Markdown source.

    Raises:
        FenceError: A fence is not closed, or a comment belongs to no fence.
    """
    document = Document(source.split("\n"))
    if document.lines[0].strip() == "<!--pytest-codeblocks:skipfile-->":
        raise FenceError(1, "`skipfile` keeps every fence of the page from being run")
    _Reader(document).read()
    _compare(document, source)
    return document


class _Reader:
    """Walks the lines of a document once, as pytest-codeblocks does."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.marks: list[str] = []
        self.continued: Chain | None = None
        self.printed: Chain | None = None
        self.ignore_whitespace = False

    def read(self) -> None:
        lines = self.document.lines
        index = 0
        while index < len(lines):
            text = lines[index]
            stripped = text.strip()
            if keyword := _KEYWORD.match(stripped):
                self._keyword(index + 1, keyword.group(1).strip("- "))
            elif mark := _MARK.match(stripped):
                self.marks.append(mark.group(1))
                self.document.comments.append(Comment(index + 1, mark=mark.group(1)))
            elif stripped.startswith("```"):
                index = self._fence(index)
            index += 1

    def _keyword(self, line: int, keyword: str) -> None:
        chains = self.document.chains
        self.document.comments.append(Comment(line, keyword=keyword))
        if keyword in ("expected-output", "expected-output-ignore-whitespace", "cont"):
            if not chains:
                raise FenceError(line, f"there is no fence above `{keyword}`")
            if keyword == "cont":
                self.continued = chains[-1]
                return
            if chains[-1].output is not None:
                raise FenceError(line, "the fence above has its expected output already")
            self.printed = chains[-1]
            if keyword == "expected-output-ignore-whitespace":
                self.ignore_whitespace = True
        elif not re.match(r"(skip|importorskip|expect-exception|expect-error)", keyword):
            raise FenceError(line, f"unknown pytest-codeblocks keyword `{keyword}`")

    def _fence(self, index: int) -> int:
        """Read the fence that opens at `index` and return the index of its closing line."""
        lines = self.document.lines
        text = lines[index]
        indent = text[: len(text) - len(text.lstrip())]
        ticks = len(text.lstrip()) - len(text.lstrip().lstrip("`"))
        content: list[str] = []
        end = index + 1
        while end < len(lines) and not lines[end].lstrip().startswith("`" * ticks):
            # The line end counts as white space to be cut: pytest-codeblocks drops the blank lines
            # of an indented fence, from the code and from the expected output.
            row = lines[end] + "\n"
            content.append(row[min(len(indent), len(row) - len(row.lstrip())) :])
            end += 1
        if end == len(lines):
            raise FenceError(index + 1, "the fence is never closed")
        fence = Fence(
            line=index + 1,
            end=end + 1,
            indent=indent,
            ticks=ticks,
            info=text.strip()[ticks:],
            code="".join(content),
            role="start",
            closer=lines[end],
        )
        self.document.fences.append(fence)
        self._place(fence)
        return end

    def _place(self, fence: Fence) -> None:
        if self.continued is not None:
            fence.role = "cont"
            self.continued.fences.append(fence)
            self.continued = None
        elif self.printed is not None:
            fence.role = "output"
            self.printed.output = fence
            self.printed.ignore_whitespace = self.ignore_whitespace
            self.printed = None
            self.ignore_whitespace = False
        else:
            self.document.chains.append(Chain([fence], self.marks))
            self.marks = []


def _compare(document: Document, source: str) -> None:
    """Raise if pytest-codeblocks would run something other than what was read here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            blocks = extract_from_buffer(io.StringIO(source + "\n"))
        except RuntimeError as error:
            raise FenceError(1, f"pytest-codeblocks cannot read the page: {error}") from error
    theirs = [(block.lineno, block.syntax, block.code, block.expected_output) for block in blocks]
    ours = [
        (chain.fences[0].line, chain.syntax, chain.code, chain.expected)
        for chain in document.chains
    ]
    for mine, their in zip(ours, theirs, strict=False):
        if mine != their:
            raise FenceError(mine[0], "pytest-codeblocks reads this fence differently")
    if len(ours) != len(theirs):
        raise FenceError(1, "pytest-codeblocks finds a different number of fences on this page")
