"""A Markdown source taken apart: its fences, the prose between them, and what comments ask for.

pytest-codeblocks joins fences into chains: `cont` appends a fence to the one before, and
`expected-output` says what the whole chain prints. It keeps neither the ends nor the indentation of
the fences, which the page needs, so this module reads the source again. It compares the result with
what pytest-codeblocks reads, so that the tests and the build always run the same code.

A comment `<!--cnnref: key="value" ...-->` says what the page does with the next fence.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from pytest_codeblocks import extract_from_buffer

RUNNABLE = ("python", "sh", "bash")
OPTIONS = ("title", "hl_lines", "linenums")
KEYS = (*OPTIONS, "figure", "alt", "caption", "render", "fold")

_FENCE = re.compile(
    r"^(?P<indent>[^\S\n]*)(?P<ticks>`{3,}+)(?P<info>.*?)[^\S\n]*\n(?P<content>(?:.*\n)*?)"
    r"(?P<closer>[^\S\n]*(?P=ticks).*)$",
    re.MULTILINE,
)
_OPEN_FENCE = re.compile(r"^\s*```", re.MULTILINE)
_COMMENT = re.compile(
    r"^[^\S\n]*<!--[-\s]*(?:pytest-codeblocks:(?P<keyword>.*)-->|(?P<mark>pytest\.mark\..*)-->"
    r"|cnnref:(?P<pairs>(?:(?!```)(?s:.))*?)-->(?P<after>.*))[^\S\n]*$",
    re.MULTILINE,
)
_OPEN_DIRECTIVE = re.compile(r"^\s*<!--[-\s]*cnnref:", re.MULTILINE)
_PAIR = re.compile(r"""\s*([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.DOTALL)
_READ = attrgetter(
    *("lineno", "syntax", "code", "marks"),
    *("expected_output", "expected_output_ignore_whitespace"),
)
_DEPRECATED = re.compile(r"(skip|importorskip|expect-error|expect-exception)")


@dataclass(frozen=True)
class Problem:
    """What is wrong at a line of a source."""

    line: int
    message: str


@dataclass(eq=False)
class Fence:
    """One fenced block.

    Attributes:
        line: Line of the opening fence, from 1.
        indent: The white space before the opening backticks.
        ticks: The opening backticks.
        info: The text after the backticks.
        content: The lines inside, as written.
        closer: The closing line, as written.
        asked: What the comment before the fence asks for, by its keys.
        asked_at: The line of that comment.
        chain: The chain that the fence belongs to.
    """

    line: int
    indent: str
    ticks: str
    info: str
    content: str
    closer: str
    asked: dict[str, str] = field(init=False, default_factory=dict)
    asked_at: int = field(init=False, default=0)
    chain: Chain = field(init=False, repr=False)

    @property
    def rows(self) -> list[str]:
        """The lines inside, one by one."""
        return self.content.split("\n")[:-1]

    @property
    def code(self) -> str:
        """The content as pytest-codeblocks reads it.

        It counts the line end as white space, so blank lines of an indented fence disappear.
        """
        rows = (f"{row}\n" for row in self.rows)
        return "".join(row[min(len(self.indent), len(row) - len(row.lstrip())) :] for row in rows)

    @property
    def is_output(self) -> bool:
        """Whether this is the expected output of its chain."""
        return self is self.chain.output


@dataclass(eq=False)
class Chain:
    """Fences that run in one namespace. Its names are those of pytest-codeblocks' `CodeBlock`.

    Attributes:
        fences: The fences.
        marks: The pytest marks of the chain.
        output: The fence that says what they print together.
        expected_output_ignore_whitespace: Whether its white space is ignored.
    """

    fences: list[Fence]
    marks: list[str]
    output: Fence | None = None
    expected_output_ignore_whitespace: bool = False

    @property
    def lineno(self) -> int:
        """The line of the first fence."""
        return self.fences[0].line

    @property
    def syntax(self) -> str:
        """The info string of the first fence, which decides for the whole chain."""
        return self.fences[0].info

    @property
    def code(self) -> str:
        """The code that pytest-codeblocks runs."""
        return "".join(fence.code for fence in self.fences)

    @property
    def expected_output(self) -> str | None:
        """The output that the page gives for the chain."""
        return None if self.output is None else self.output.code

    def has_mark(self, name: str) -> bool:
        """Tell whether the chain carries the mark `pytest.mark.name`."""
        return any(re.match(rf"pytest\.mark\.{name}\b", mark) for mark in self.marks)

    @property
    def runs(self) -> bool:
        """Whether the page builder runs the chain."""
        return self.syntax == "python" and not self.has_mark("skip")

    @property
    def answers(self) -> bool:
        """Whether the page can use what the chain computes."""
        return self.runs and not self.has_mark("xfail")


@dataclass
class Prose:
    """Lines between fences.

    Attributes:
        line: The number of the first.
        written: The lines as written.
        text: The lines without the comments for the builder and the tests.
    """

    line: int
    written: str
    text: str


class Document:
    """A Markdown source taken apart.

    Attributes:
        parts: Its fences and the prose between them, in order.
        chains: Its chains.
        problems: What keeps the source from being read.
    """

    def __init__(self, source: str) -> None:
        self.parts: list[Fence | Prose] = []
        self.chains: list[Chain] = []
        self.problems: list[Problem] = []
        # What the comments since the last fence say about the next one.
        self._marks: list[tuple[int, str]] = []
        self._joins: tuple[int, str] | None = None
        self._directive: tuple[int, dict[str, str]] | None = None
        if source.partition("\n")[0].strip() == "<!--pytest-codeblocks:skipfile-->":
            self._problem(1, "`skipfile` keeps every fence of the page from being run")
        position = 0
        for match in _FENCE.finditer(source):
            if match.start() > position:
                self._read_prose(source[position : match.start() - 1], _line(source, position))
            self._read_fence(match, _line(source, match.start()))
            position = match.end() + 1
        if position <= len(source):
            self._read_prose(source[position:], _line(source, position))
        for line, _ in [*self._marks, *filter(None, [self._joins])]:
            self._problem(line, "no fence follows this comment")
        if self._directive is not None:
            self._no_fence_after(self._directive[0])
        if not self.problems:
            self.problems += _differences(self.chains, source)

    @property
    def fences(self) -> list[Fence]:
        """All fences."""
        return [part for part in self.parts if isinstance(part, Fence)]

    @property
    def prose(self) -> list[Prose]:
        """All prose."""
        return [part for part in self.parts if isinstance(part, Prose)]

    def _problem(self, line: int, message: str) -> None:
        self.problems.append(Problem(line, message))

    def _no_fence_after(self, directive: int) -> None:
        self._problem(directive, "the directive has no fence right after it")

    def _read_prose(self, written: str, line: int) -> None:
        def read(comment: re.Match[str]) -> str:
            self._read_comment(comment, line + written.count("\n", 0, comment.start()))
            return "\n" * comment[0].count("\n")

        text = _COMMENT.sub(read, written)
        if self._directive is not None:
            at = self._directive[0]
            if "".join(text.split("\n")[at - line :]).strip():
                self._no_fence_after(at)
                self._directive = None
        for pattern, what in ((_OPEN_FENCE, "fence"), (_OPEN_DIRECTIVE, "directive")):
            if found := pattern.search(text):
                at = line + text.count("\n", 0, found.end())
                self._problem(at, f"the {what} is never closed")
        self.parts.append(Prose(line, written, text))

    def _read_comment(self, comment: re.Match[str], line: int) -> None:
        if comment["mark"]:
            self._marks.append((line, comment["mark"]))
        elif comment["pairs"] is None:
            self._read_keyword(comment["keyword"].strip("- "), line)
        elif comment["after"].strip():
            self._problem(line, "there is text after the directive on its last line")
        else:
            if self._directive is not None:
                self._no_fence_after(self._directive[0])
            try:
                self._directive = line, parse_values(comment["pairs"])
            except ValueError as error:
                self._problem(line, str(error))

    def _read_keyword(self, keyword: str, line: int) -> None:
        if _DEPRECATED.match(keyword):
            message = f"`{keyword}` is not used here; write a pytest.mark with a reason"
            self._problem(line, message)
        elif keyword not in ("cont", "expected-output", "expected-output-ignore-whitespace"):
            self._problem(line, f"unknown pytest-codeblocks keyword `{keyword}`")
        elif not self.chains:
            self._problem(line, f"there is no fence above `{keyword}`")
        elif keyword != "cont" and self.chains[-1].output is not None:
            self._problem(line, "the fence above has its expected output already")
        else:
            self._joins = line, keyword

    def _read_fence(self, match: re.Match[str], line: int) -> None:
        fence = Fence(line, **match.groupdict())
        self.parts.append(fence)
        if self._joins is None:
            self.chains.append(Chain([fence], [mark for _, mark in self._marks]))
        else:
            for at, _ in self._marks:
                self._problem(at, "a mark must be before the first fence of a chain")
            if self._joins[1] == "cont":
                self.chains[-1].fences.append(fence)
            else:
                self.chains[-1].output = fence
                self.chains[-1].expected_output_ignore_whitespace = (
                    self._joins[1] != "expected-output"
                )
        fence.chain = self.chains[-1]
        self._marks, self._joins = [], None
        if self._directive is not None:
            fence.asked_at, fence.asked = self._directive
            self._directive = None
            unmet = {"figure", "render"} & fence.asked.keys()
            if fence.is_output:
                self._no_fence_after(fence.asked_at)
            elif unmet and not fence.chain.answers:
                message = f"`{min(unmet)}` needs a Python fence that is run"
                self._problem(fence.asked_at, message)


def parse_values(text: str) -> dict[str, str]:
    """Read the `key="value"` pairs of a directive.

    Raises:
        ValueError: A key is unknown or repeated, a quote is missing, or keys do not fit together.
    """
    values: dict[str, str] = {}
    rest = text.strip()
    while rest:
        pair = _PAIR.match(rest)
        if pair is None:
            raise ValueError(f"cannot read the directive at `{rest[:40]}`")
        key, rest = pair[1], rest[pair.end() :]
        if key not in KEYS:
            raise ValueError(f"unknown key `{key}`; known are {', '.join(KEYS)}")
        if key in values:
            raise ValueError(f"the key `{key}` is given twice")
        # An author may break a long alt text over lines.
        values[key] = " ".join((pair[2] or pair[3] or "").split())
        if not values[key]:
            raise ValueError(f"the key `{key}` is empty")
        if key in OPTIONS and '"' in values[key]:
            raise ValueError(f"`{key}` cannot contain a double quote")
    if not values:
        raise ValueError("the directive has no keys")
    if "figure" in values and "alt" not in values:
        raise ValueError("a figure needs `alt`: what is seen in it")
    if "figure" not in values and (lone := {"alt", "caption"} & values.keys()):
        raise ValueError(f"`{min(lone)}` without `figure`")
    return values


def _differences(chains: list[Chain], source: str) -> Iterator[Problem]:
    """Yield a problem if pytest-codeblocks would run something other than what was read here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            blocks = extract_from_buffer(io.StringIO(source + "\n"))
        except RuntimeError as error:
            yield Problem(1, f"pytest-codeblocks cannot read the page: {error}")
            return
    ours, theirs = [_READ(chain) for chain in chains], [_READ(block) for block in blocks]
    if len(ours) != len(theirs):
        yield Problem(1, "pytest-codeblocks finds a different number of fences on this page")
    for chain, mine, their in zip(chains, ours, theirs, strict=False):
        if mine != their:
            yield Problem(chain.lineno, "pytest-codeblocks reads this fence differently")
            return


def _line(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1
