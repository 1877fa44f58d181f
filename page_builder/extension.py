"""The Python-Markdown extension that makes a page of what its code computes.

It works without MkDocs. Nothing but the page decides what it does, and what it leaves open (the
places of figures and formulas) `Site.finish` completes.
"""

from __future__ import annotations

from pathlib import Path

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor

from page_builder import explorer, katex, reference
from page_builder.page import PageSource
from page_builder.site import PageContext, Site


class PageExtension(Extension):
    """Runs the fences of a page, lists its API and places its formulas.

    Args:
        site: The site that the page belongs to.
    """

    def __init__(self, site: Site | None = None) -> None:
        super().__init__()
        self.site = site or Site(Path.cwd())

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (the name is Python-Markdown's)
        """Register what reads the page first and what reads it last."""
        site = self.site
        pages: list[PageSource] = []
        # Before Python-Markdown normalises white space (30), so that code is run as it is written.
        md.preprocessors.register(_RunPage(md, site, pages), "cnnref_page", 100)
        # After superfences (25) has taken the fences out.
        md.preprocessors.register(_ListApi(md), "cnnref_reference", 22)
        md.postprocessors.register(_WriteTags(md, pages), "cnnref_tags", 1)
        # Last, so that no stashed HTML is left to come.
        md.postprocessors.register(_PlaceFormulas(md, site), "cnnref_katex", 0)
        # A page can write Markdown inside an explorer's element, to be read until it has loaded.
        md.block_level_elements = [*md.block_level_elements, *explorer.ELEMENTS]


makeExtension = PageExtension  # noqa: N816 (the name is Python-Markdown's)


class _RunPage(Preprocessor):
    """Rewrites the source of the page. A conversion inside a page's own is left alone."""

    def __init__(self, md: Markdown, site: Site, pages: list[PageSource]) -> None:
        super().__init__(md)
        self.site, self.pages = site, pages

    def run(self, lines: list[str]) -> list[str]:
        page = self.site.page or PageContext("<markdown>")
        self.pages.clear()
        if page.claimed:
            return lines
        page.claimed = True
        self.pages.append(PageSource(self.site, page, "\n".join(lines)))
        page.code = self.pages[0].code
        return self.pages[0].rewrite()


class _ListApi(Preprocessor):
    """Expands the lists of an API page."""

    def run(self, lines: list[str]) -> list[str]:
        return reference.expand("\n".join([*lines, ""])).split("\n")


class _WriteTags(Postprocessor):
    """Replaces the tokens that the rewritten source has for tags."""

    def __init__(self, md: Markdown, pages: list[PageSource]) -> None:
        super().__init__(md)
        self.pages = pages

    def run(self, text: str) -> str:
        return self.pages[0].with_tags(text) if self.pages else text


class _PlaceFormulas(Postprocessor):
    """Replaces arithmatex's elements by elements that hold the place of a formula."""

    def __init__(self, md: Markdown, site: Site) -> None:
        super().__init__(md)
        self.site = site

    def run(self, text: str) -> str:
        return katex.find(text, self.site.formula)
