"""One page on its way from the Markdown that was written to the Markdown that is rendered.

Its fences are run and what they computed is put in. What must become HTML around Markdown (a
figure, a derivation, folded code) is written as a token in a paragraph of its own, because that
works at any indentation: in lists, tabs and admonitions, where raw HTML does not.
"""

from __future__ import annotations

import contextlib
import html
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from mkdocs.utils.meta import get_data

from page_builder import lint, runner, values
from page_builder.directives import Directive
from page_builder.fences import Chain, Fence
from page_builder.site import PageContext, PageError, Site

_TOKEN = re.compile(r"<p>\s*\ue010(\d+)\ue011\s*</p>|\ue010(\d+)\ue011")


def compute(root: Path, path: str) -> None:
    """Run the fences of a page, so that the build finds in the store what they computed.

    A mistake on the page is left to the build, which comes across it again.

    Args:
        root: The root of the repository.
        path: The page, relative to the root.
    """
    source, _ = get_data((root / path).read_text(encoding="utf-8-sig", errors="strict"))
    with contextlib.suppress(PageError):
        PageSource(Site(root), PageContext(path, root), source).rewrite()


class PageSource:
    """The Markdown of one page.

    Raises:
        PageError: The page cannot be built as it is written.
    """

    def __init__(self, site: Site, page: PageContext, source: str) -> None:
        self.site = site
        self.page = page
        self.tags: list[str] = []
        self.offset = page.line_offset(source)
        self.document, self.directives, problems = lint.read(source)
        if problems:
            first = problems[0].line + self.offset
            rest = [f"{page.path}:{p.line + self.offset}: {p.message}" for p in problems[1:]]
            raise PageError(page.path, first, "\n".join([problems[0].message, *rest]))
        self.figures = 0
        # What each running fence is asked, by its line, and the answers not yet used.
        self.pieces: dict[int, runner.Piece] = {}
        self.answers: dict[int, list[str]] = {}

    @property
    def code(self) -> str:
        """All Python code of the page that is run."""
        chains = self.document.chains
        return "\n".join(chain.code for chain in chains if chain.syntax == "python")

    def with_tags(self, text: str) -> str:
        """Replace each token, and the paragraph that Markdown made of it, by its tag."""
        return _TOKEN.sub(lambda match: self.tags[int(match.group(1) or match.group(2))], text)

    def rewrite(self) -> list[str]:
        """Run the fences and return the lines of the page with what they computed.

        Raises:
            PageError: A fence raises, prints something other than the page says, and so on.
        """
        regions = self._regions()
        chains = [chain for chain in self.document.chains if chain.runs]
        for chain in chains:
            for fence in chain.fences:
                self.pieces[fence.line] = runner.Piece(fence.code, fence.line + self.offset)
        for start, text in regions:
            for position, value in values.find(text):
                line = start + text.count("\n", 0, position)
                self._ask_value(self._source_of(line), value, line)
        for line, directive in self.directives.items():
            self._ask(line, directive)
        self._run(chains)
        filled = {start: self._fill(start, text) for start, text in regions}
        return self._emit(filled)

    def _regions(self) -> list[tuple[int, str]]:
        """Return the prose between fences without the comments for builder and tests."""
        steering = {n for d in self.directives.values() for n in range(d.line, d.end + 1)}
        steering |= {comment.line for comment in self.document.comments}
        regions: list[tuple[int, list[str]]] = []
        before = -1
        for line, text in self.document.outside():
            if line != before + 1:
                regions.append((line, []))
            regions[-1][1].append("" if line in steering else text)
            before = line
        return [(start, "\n".join(rows)) for start, rows in regions]

    def _source_of(self, line: int) -> int:
        """Return the line of the fence whose names a value uses: the last above, or the first."""
        usable = [
            fence.line
            for chain in self.document.chains
            if chain.runs and not chain.has_mark("xfail")
            for fence in chain.fences
        ]
        if not usable:
            raise self._error(line, "there is an inline value, but no fence on the page is run")
        return max((n for n in usable if n < line), default=min(usable))

    def _ask_value(self, fence: int, value: values.Value, line: int) -> None:
        self.pieces[fence].requests.append(
            runner.Request("value", value.expression, line + self.offset, spec=value.spec)
        )

    def _ask(self, line: int, directive: Directive) -> None:
        """Append what the directive asks of its fence, after the inline values in prose."""
        at = directive.line + self.offset
        if figure := directive.get("figure"):
            self.figures += 1
            self.pieces[line].requests.append(
                runner.Request(
                    "figure",
                    figure,
                    at,
                    alt=directive.values["alt"],
                    id_prefix=f"{self._slug()}-{self.figures}",
                )
            )
        if render := directive.get("render"):
            self.pieces[line].requests.append(runner.Request("markdown", render, at))
        for _, value in values.find(directive.get("caption") or ""):
            self._ask_value(line, value, directive.line)

    def _slug(self) -> str:
        path = PurePosixPath(self.page.path).with_suffix("")
        return "fig-" + re.sub(r"\W+", "-", str(path)).strip("-").lower()

    def _run(self, chains: list[Chain]) -> None:
        for chain in chains:
            job = runner.Job(
                path=self.page.path,
                pieces=[self.pieces[fence.line] for fence in chain.fences],
                must_raise=chain.has_mark("xfail"),
            )
            if chain.output is not None:
                job = replace(
                    job,
                    expected=chain.output.code,
                    expected_line=chain.output.line + self.offset,
                    ignore_whitespace=chain.ignore_whitespace,
                )
            for fence, answers in zip(chain.fences, runner.run(job, self.site), strict=True):
                self.answers[fence.line] = list(answers)

    def _fill(self, start: int, text: str) -> str:
        if not values.find(text):
            return text
        # Every value of a region comes after the same fence.
        source = self._source_of(start)
        return values.fill(text, lambda _: self.answers[source].pop(0))

    def _emit(self, filled: dict[int, str]) -> list[str]:
        out: list[str] = []
        by_line = {fence.line: fence for fence in self.document.fences}
        drawn: set[int] = set()
        line = 1
        while line <= len(self.document.lines):
            if line in filled:
                out += filled[line].split("\n")
                line += filled[line].count("\n") + 1
                continue
            fence = by_line[line]
            if line not in drawn:
                out += self._indented(fence, self._fence(fence, drawn))
            line = fence.end + 1
        return out

    def _fence(self, fence: Fence, drawn: set[int]) -> list[str]:
        """Return what the page shows for a fence, not yet indented."""
        directive = self.directives.get(fence.line)
        chain = next(
            chain
            for chain in self.document.chains
            if fence in chain.fences or fence is chain.output
        )
        if fence is chain.output:
            return self._output(fence)
        code = self._code(fence, directive.header() if directive else "")
        if chain.has_mark("skip"):
            code = self._wrap('<div class="cnnref-not-run">', code, "</div>")
        if directive is None:
            return code
        shown = self._shown(fence, directive)
        summary = directive.get("fold")
        if summary is None:
            return code + shown
        if chain.output is not None and self._follows(fence, chain.output):
            code += self._output(chain.output)
            drawn.add(chain.output.line)
        opening = f'<details class="cnnref-fold"><summary>{html.escape(summary)}</summary>'
        return shown + self._wrap(opening, code, "</details>")

    def _shown(self, fence: Fence, directive: Directive) -> list[str]:
        """Return the figure and the derivation of a fence."""
        shown: list[str] = []
        answers = self.answers.get(fence.line, [])
        if directive.get("figure"):
            requests = self.pieces[fence.line].requests
            name = next(r.id_prefix for r in requests if r.kind == "figure")
            place = f'<figure class="cnnref-figure">{self.site.figure(answers.pop(0), name)}'
            markdown = answers.pop(0) if directive.get("render") else ""
            if caption := directive.get("caption"):
                text = values.fill(caption, lambda _: answers.pop(0))
                place += "<figcaption>"
                shown += self._wrap(place, [text], "</figcaption></figure>")
            else:
                shown += self._wrap(place, [], "</figure>")
        else:
            markdown = answers.pop(0) if directive.get("render") else ""
        if markdown:
            shown += self._wrap('<div class="cnnref-derivation">', markdown.split("\n"), "</div>")
        return shown

    def _follows(self, fence: Fence, output: Fence) -> bool:
        """Whether there are only comments for the builder between a fence and its output."""
        steering = {comment.line for comment in self.document.comments}
        return output.line > fence.end and all(
            n in steering or not self.document.lines[n - 1].strip()
            for n in range(fence.end + 1, output.line)
        )

    def _code(self, fence: Fence, header: str) -> list[str]:
        ticks = "`" * fence.ticks
        return [f"{ticks}{fence.info}{header}", *self._raw(fence), ticks]

    def _output(self, fence: Fence) -> list[str]:
        ticks = "`" * fence.ticks
        block = [f'{ticks}text title="Output"', *self._raw(fence), ticks]
        return self._wrap('<div class="cnnref-output">', block, "</div>")

    def _raw(self, fence: Fence) -> list[str]:
        """Return the content as written, blank lines included, without the fence's indentation."""
        rows = self.document.lines[fence.line : fence.end - 1]
        return [row.removeprefix(fence.indent) if row.strip() else "" for row in rows]

    def _wrap(self, opening: str, rows: list[str], closing: str) -> list[str]:
        return ["", self._token(opening), "", *rows, "", self._token(closing), ""]

    def _token(self, tag: str) -> str:
        self.tags.append(tag)
        return f"\ue010{len(self.tags) - 1}\ue011"

    @staticmethod
    def _indented(fence: Fence, rows: list[str]) -> list[str]:
        return [fence.indent + row if row else "" for row in rows]

    def _error(self, line: int, message: str) -> PageError:
        return PageError(self.page.path, line + self.offset, message)
