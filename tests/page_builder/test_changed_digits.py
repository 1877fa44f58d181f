"""Change one digit of a result on any page, and the checks go red."""

from __future__ import annotations

import random
import re
from pathlib import Path

import markdown
import pytest
from mkdocs.config import load_config
from mkdocs.utils.meta import get_data

from page_builder import numbers
from page_builder.extension import PageExtension
from page_builder.site import PageContext, PageError, Site

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs/index.md", *sorted((ROOT / "docs/topics").glob("*.md"))]
DIGITS_A_PAGE = 4

# Digits that are no results: code that is run (its results are printed), expressions, addresses and
# anchors, names (those of presets too), and the numbers of questions, sections and papers.
NOT_RESULTS = re.compile(
    r"""
    ^\ *```python\n.*?^\ *```$ | \{\{=.*?\}\} | <!--cnnref:.*?--> | \{\#[^}]*\} | \]\([^)]*\)
    | data-preset="[^"]*" | https?://\S+
    | ^(\?\?\?\ question\ ")?\s*\d+\.\s | [A-Za-z_]\d+ | arXiv:\S+ | doi:\S+
    | ([Qq]uestions?|[Ss]ections?|[Ff]igure|[Tt]able|[Ee]quations?|eq\.|relationship)\ \d[\d.]*
    | \b(19|20)\d\d\b
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)


@pytest.fixture(scope="module")
def convert():
    """Return a function that gives a page's problems, as the build finds them."""
    config = load_config(str(ROOT / "mkdocs.yml"))
    site = Site(ROOT)
    others = [name for name in config.markdown_extensions if name != "page_builder.extension"]
    extensions = [*others, PageExtension(site)]

    def problems(page, text, meta):
        site.page = PageContext(str(page.relative_to(ROOT)), ROOT)
        converter = markdown.Markdown(extensions=extensions, extension_configs=config.mdx_configs)
        try:
            html = site.with_figures(converter.convert(text))
        except PageError as error:
            return [str(error)]
        found = numbers.check_page(html, meta.get("given", []), site.page.code)
        return [str(problem) for problem in found]

    return problems


def results_in(text):
    """Return where digits of results, or of givens, are in a page's source."""
    spans = [match.span() for match in NOT_RESULTS.finditer(text)]
    return [
        match.start()
        for match in re.finditer(r"\d", text)
        if not any(start <= match.start() < end for start, end in spans)
    ]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_changed_digit_is_found(page, convert):
    text, meta = get_data(page.read_text())
    assert convert(page, text, meta) == []
    places = results_in(text)
    random.Random(page.stem).shuffle(places)
    missed = []
    for place in places[:DIGITS_A_PAGE]:
        changed = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
        if not convert(page, changed, meta):
            missed.append(changed[max(0, place - 30) : place + 30])
    assert missed == []
