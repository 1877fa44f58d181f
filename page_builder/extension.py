"""The Python-Markdown extension that makes a page of what its code computes.

It works without MkDocs. It writes placeholders for figures and formulas, which `Site.finish`
replaces.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from markdown import Markdown
from markdown.extensions import Extension

from page_builder import explorer, katex, reference
from page_builder.page import PageSource
from page_builder.site import PageContext, Site


class PageExtension(Extension):
    """Runs the fences of a page, and writes its API lists and the placeholders of its formulas.

    Args:
        site: The site that the page belongs to.
    """

    def __init__(self, site: Site | None = None) -> None:
        super().__init__()
        self.site = site or Site(Path.cwd())

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (the name is Python-Markdown's)
        """Register what reads the page first and what reads it last."""
        source: PageSource | None = None

        def run_page(lines: list[str]) -> list[str]:
            nonlocal source
            page = self.site.page or PageContext("<markdown>")
            source = None
            if page.claimed:  # This conversion is of a part of the page, such as a docstring.
                return lines
            page.claimed = True
            source = PageSource(self.site, page, "\n".join(lines))
            page.code = source.code
            return source.rewrite()

        def list_api(lines: list[str]) -> list[str]:
            return reference.expand("\n".join([*lines, ""])).split("\n")

        def finish(text: str) -> str:
            return katex.mark(source.with_tags(text) if source else text)

        # Before Python-Markdown normalises white space (30), so that code is run as it is written.
        md.preprocessors.register(SimpleNamespace(run=run_page), "cnnref_page", 100)  # type: ignore[arg-type]
        # After superfences (25) has taken the fences out.
        md.preprocessors.register(SimpleNamespace(run=list_api), "cnnref_api", 22)  # type: ignore[arg-type]
        # Last, so that all HTML that Python-Markdown has set aside is back.
        md.postprocessors.register(SimpleNamespace(run=finish), "cnnref_finish", 0)  # type: ignore[arg-type]
        # A page can write Markdown inside an explorer's element, to be read until it has loaded.
        md.block_level_elements = [*md.block_level_elements, *explorer.ELEMENTS]


makeExtension = PageExtension  # noqa: N816 (the name is Python-Markdown's)
