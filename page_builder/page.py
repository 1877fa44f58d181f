"""One page on its way from the Markdown that was written to the Markdown that is rendered.

Its fences are run, and their results are inserted. HTML that surrounds Markdown (a figure, a
derivation, folded code) is written as tokens in paragraphs of their own, because that works at any
indentation. Raw HTML does not work in lists, tabs and admonitions.
"""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from mkdocs.utils.meta import get_data

from page_builder import lint, runner, values
from page_builder.document import OPTIONS, Document, Fence, Prose
from page_builder.runner import Job, Request
from page_builder.site import PageContext, PageError, Site
from page_builder.values import Value

_TOKEN = re.compile(r"<p>\s*\ue010(\d+)\ue011\s*</p>|\ue010(\d+)\ue011")

Answer = Callable[[Fence, Request], str]


def compute(root: Path, path: str) -> None:
    """Run the fences of a page, so that the build finds their results in the store.

    A mistake on the page is left for the build to report.

    Args:
        root: The root of the repository.
        path: The page, relative to the root.
    """
    source, _ = get_data((root / path).read_text(encoding="utf-8-sig", errors="strict"))
    with contextlib.suppress(PageError):
        PageSource(Site(root), PageContext(path, root), source).rewrite()


class PageSource:
    """The Markdown of one page.

    Attributes:
        code: All Python code of the page that is run.

    Raises:
        PageError: The page cannot be built as it is written.
    """

    def __init__(self, site: Site, page: PageContext, source: str) -> None:
        self._site, self._page = site, page
        self._offset = page.line_offset(source)
        self._document = Document(source)
        if problems := lint.check(self._document):
            first, *others = problems
            rest = [f"{page.path}:{one.line + self._offset}: {one.message}" for one in others]
            raise self._error(first.line, "\n".join([first.message, *rest]))
        chains = self._document.chains
        self.code = "\n".join(chain.code for chain in chains if chain.syntax == "python")
        self._tags: list[str] = []

    def with_tags(self, text: str) -> str:
        """Replace each token, and the paragraph that Markdown made of it, by its tag."""
        return _TOKEN.sub(lambda match: self._tags[int(match[1] or match[2])], text)

    def rewrite(self) -> list[str]:
        """Run the fences and return the lines of the page with their results inserted.

        Raises:
            PageError: A fence raises, prints something other than the page says, and so on.
        """
        asked: dict[Fence, list[Request]] = {fence: [] for fence in self._document.fences}

        def ask(fence: Fence, request: Request) -> str:
            asked[fence].append(request)
            return ""

        # The page is written twice: first to see what it asks of its fences, then with the answers.
        self._write(ask)
        answers: dict[tuple[Fence, Request], str] = {}
        for chain in self._document.chains:
            if chain.runs:
                job = Job(self._page.path, chain, asked, self._offset)
                answers |= runner.run(job, self._site)
        return self._write(lambda fence, request: answers[fence, request])

    def _write(self, answer: Answer) -> list[str]:
        """Return the lines of the page, with what `answer` returns for each request."""
        self._tags.clear()
        parts = self._document.parts
        sources = [one for one in self._document.fences if one.chain.answers and not one.is_output]
        lines: list[str] = []
        folded: Fence | None = None
        for index, part in enumerate(parts):
            if isinstance(part, Prose):
                # A value uses the names of the last fence above it, or of the first on the page.
                above = [one for one in sources if one.line < part.line]
                source = next(iter(above[-1:] or sources[:1]), None)
                lines += self._prose(part, source, answer).split("\n")
            elif part is not folded:
                if "fold" in part.asked:
                    shown = (
                        p for p in parts[index + 1 :] if isinstance(p, Fence) or p.text.strip()
                    )
                    folded = part.chain.output if next(shown, None) is part.chain.output else None
                rows = self._fence(part, folded, answer)
                lines += [part.indent + row if row else "" for row in rows]
        return lines

    def _prose(self, prose: Prose, source: Fence | None, answer: Answer) -> str:
        def value(found: Value) -> str:
            line = prose.line + found.line
            if source is None:
                raise self._error(line, "there is an inline value, but no fence on the page is run")
            return answer(source, self._value(found, line))

        return values.fill(prose.text, value)

    def _value(self, value: Value, line: int) -> Request:
        return Request("value", value.expression, line + self._offset, spec=value.spec)

    def _fence(self, fence: Fence, folded: Fence | None, answer: Answer) -> list[str]:
        """Return what the page shows for a fence, without its indentation.

        Args:
            fence: The fence.
            folded: The output that is folded together with the fence.
            answer: Answers the requests of the fence.
        """
        if fence.is_output:
            return self._output(fence)
        options = (f' {key}="{fence.asked[key]}"' for key in OPTIONS if key in fence.asked)
        code = self._block(fence, fence.info + "".join(options))
        if fence.chain.has_mark("skip"):
            code = self._wrap('<div class="cnnref-not-run">', code, "</div>")
        shown = self._shown(fence, answer)
        if "fold" not in fence.asked:
            return code + shown
        if folded is not None:
            code += self._output(folded)
        summary = html.escape(fence.asked["fold"])
        opening = f'<details class="cnnref-fold"><summary>{summary}</summary>'
        return shown + self._wrap(opening, code, "</details>")

    def _shown(self, fence: Fence, answer: Answer) -> list[str]:
        """Return the figure and the derivation of a fence."""
        shown: list[str] = []
        asked, line = fence.asked, fence.asked_at + self._offset
        if "figure" in asked:
            fences = self._document.fences
            number = sum("figure" in one.asked for one in fences[: fences.index(fence) + 1])
            prefix = f"{self._slug()}-{number}"
            request = Request("figure", asked["figure"], line, alt=asked["alt"], id_prefix=prefix)
            opening = '<figure class="cnnref-figure">'
            opening += self._site.figure(answer(fence, request), prefix)
            caption: list[str] = []
            closing = "</figure>"
            if "caption" in asked:
                opening, closing = f"{opening}<figcaption>", f"</figcaption>{closing}"
                caption = [
                    values.fill(
                        asked["caption"],
                        lambda value: answer(fence, self._value(value, fence.asked_at)),
                    )
                ]
            shown += self._wrap(opening, caption, closing)
        if "render" in asked:
            rows = answer(fence, Request("markdown", asked["render"], line)).split("\n")
            shown += self._wrap('<div class="cnnref-derivation">', rows, "</div>")
        return shown

    def _slug(self) -> str:
        path = PurePosixPath(self._page.path).with_suffix("")
        return "fig-" + re.sub(r"\W+", "-", str(path)).strip("-").lower()

    def _output(self, fence: Fence) -> list[str]:
        block = self._block(fence, 'text title="Output"')
        return self._wrap('<div class="cnnref-output">', block, "</div>")

    def _block(self, fence: Fence, info: str) -> list[str]:
        """Return a fence as written, blank lines included, with another info string."""
        rows = [row.removeprefix(fence.indent) if row.strip() else "" for row in fence.rows]
        return [fence.ticks + info, *rows, fence.ticks]

    def _wrap(self, opening: str, rows: list[str], closing: str) -> list[str]:
        return ["", self._token(opening), "", *rows, "", self._token(closing), ""]

    def _token(self, tag: str) -> str:
        self._tags.append(tag)
        return f"\ue010{len(self._tags) - 1}\ue011"

    def _error(self, line: int, message: str) -> PageError:
        return PageError(self._page.path, line + self._offset, message)
