"""The Python-Markdown extension that runs a page's fences and puts in what they computed.

A preprocessor rewrites the source before any other extension sees it. What must become HTML around
Markdown (a figure, a derivation, folded code) is written as a token in a paragraph of its own,
because that works at any indentation: in lists, tabs and admonitions, where raw HTML does not. A
postprocessor turns the tokens into tags.
"""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor

from page_builder import context, directives, fences, lint, runner, values
from page_builder.cache import Cache
from page_builder.context import PageContext, PageError
from page_builder.directives import Directive
from page_builder.fences import Chain, Document, Fence

_TOKEN = re.compile(r"<p>\s*\ue010(\d+)\ue011\s*</p>|\ue010(\d+)\ue011")
_SVG_PLACE = re.compile(r"<!--cnnref-svg:([\w-]+)-->")
_SAID = re.compile(r"<(title|desc)\b.*?</\1>", re.DOTALL)

# The SVGs of the pages built so far, by the prefix of their ids.
_figures: dict[str, str] = {}


def insert_figures(page: str) -> str:
    """Put the SVGs in their places. Done after the search index is built, which is to lack them."""
    return _SVG_PLACE.sub(lambda match: _figures[match.group(1)], page)


def insert_titles(page: str) -> str:
    """Put only what the SVGs say in their places, for a check that looks at no line of them."""

    def said(match: re.Match[str]) -> str:
        texts = [text[0] for text in _SAID.finditer(_figures[match.group(1)])]
        return f"<svg>{''.join(texts)}</svg>"

    return _SVG_PLACE.sub(said, page)


class PageExtension(Extension):
    """Registers the preprocessor and the postprocessor."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (the name is Python-Markdown's)
        """Register with `md`."""
        tags: list[str] = []
        # Before Python-Markdown normalises white space (30), so that code is run as it is written.
        md.preprocessors.register(PagePreprocessor(md, tags), "cnnref_page", 100)
        md.postprocessors.register(TagPostprocessor(md, tags), "cnnref_tags", 1)


def makeExtension(**kwargs: Any) -> PageExtension:  # noqa: N802 (the name is Python-Markdown's)
    """Python-Markdown's entry."""
    return PageExtension(**kwargs)


class TagPostprocessor(Postprocessor):
    """Turns the tokens into the tags they stand for."""

    def __init__(self, md: Markdown, tags: list[str]) -> None:
        super().__init__(md)
        self.tags = tags

    def run(self, text: str) -> str:
        """Replace every token and the paragraph that Markdown made of it."""
        return _TOKEN.sub(lambda match: self.tags[int(match.group(1) or match.group(2))], text)


class PagePreprocessor(Preprocessor):
    """Runs the page and rewrites its source."""

    def __init__(self, md: Markdown, tags: list[str]) -> None:
        super().__init__(md)
        self.tags = tags

    def run(self, lines: list[str]) -> list[str]:
        """Rewrite the lines of a page. A conversion nested in a page's own is left alone."""
        page = context.current.get() or PageContext("<markdown>")
        if page.claimed:
            return lines
        page.claimed = True
        self.tags.clear()
        return _Page(page, "\n".join(lines), self.tags).build()


class _Page:
    """One page on its way from source to source."""

    def __init__(self, page: PageContext, source: str, tags: list[str]) -> None:
        self.page = page
        self.tags = tags
        self.offset = page.line_offset(source)
        if problems := lint.check_source(source):
            first = problems[0].line + self.offset
            rest = [f"{page.path}:{p.line + self.offset}: {p.message}" for p in problems[1:]]
            raise PageError(page.path, first, "\n".join([problems[0].message, *rest]))
        self.document: Document = fences.parse(source)
        self.directives = directives.find(self.document)
        self.figures = 0
        # What each running fence is asked, by its line, and the answers not yet used.
        self.pieces: dict[int, runner.Piece] = {}
        self.answers: dict[int, list[str]] = {}

    def build(self) -> list[str]:
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
        """The prose between fences, with the comments that steer the builder taken out."""
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
        """The fence whose namespace serves a value at `line`: the last above, else the first."""
        usable = [
            fence.line
            for chain in self.document.chains
            if chain.runs and not chain.has_mark("xfail")
            for fence in chain.fences
        ]
        if not usable:
            raise self._error(line, "an inline value, but no fence on the page is run")
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
        cache = Cache(self.page.root) if chains else None
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
            for fence, answers in zip(chain.fences, runner.run(job, cache), strict=True):
                self.answers[fence.line] = list(answers)

    def _fill(self, start: int, text: str) -> str:
        if not values.find(text):
            return text
        # Every value of a region stands after the same fence.
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
        """What stands on the page for a fence, not yet indented."""
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
        """The figure and the derivation of a fence."""
        shown: list[str] = []
        answers = self.answers.get(fence.line, [])
        if directive.get("figure"):
            requests = self.pieces[fence.line].requests
            name = next(r.id_prefix for r in requests if r.kind == "figure")
            _figures[name] = answers.pop(0)
            place = f'<figure class="cnnref-figure"><!--cnnref-svg:{name}-->'
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
        """Whether nothing but steering comments stands between a fence and its output."""
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
        """The content as written, without the fence's indentation, blank lines kept."""
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
