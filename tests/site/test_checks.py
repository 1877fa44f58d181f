"""The checks of pages find the faults they are for, although they take shortcuts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.site.looking import Site, visit
from tests.site.test_pages import AXE, violations, what_the_keyboard_misses


@pytest.fixture(scope="module")
def page(site: Site, desk: BrowserContext) -> Page:
    """A small page with formulas and links."""
    html = {path: (site.folder / path).read_text("utf-8") for path in reversed(site.pages)}
    path = next(path for path, text in html.items() if "katex-html" in text and "<pre" in text)
    opened = desk.new_page()
    visit(opened, site.url + path)
    opened.add_script_tag(path=AXE)
    opened.evaluate("checks.rest()")
    # The theme adds to a page, a piece at a time, after it has loaded.
    seen = ""
    while seen != (seen := opened.locator("article").inner_html()):
        opened.wait_for_timeout(500)
    return opened


def test_a_check_leaves_the_page_as_it_was(page: Page) -> None:
    before = page.locator("article").inner_html()
    assert list(violations(page, "desk", "every rule", "body")) == []
    # The site's script looks anew at which code can be scrolled, a moment after it is back.
    as_before = "before => document.querySelector('article').innerHTML === before"
    page.wait_for_function(as_before, arg=before, timeout=10_000)


@pytest.mark.parametrize("letters", [".katex-html .mord", "pre > code span[class]"])
@pytest.mark.parametrize("pale", ["color", "background-color"])
def test_letters_that_can_hardly_be_seen_are_found(page: Page, letters: str, pale: str) -> None:
    last = page.locator(f"{letters}:visible").last
    # Neither black nor white is seen well on grey.
    shade = {"color": "#ddd", "background-color": "#666"}[pale]
    last.evaluate("(last, [pale, shade]) => last.style.setProperty(pale, shade)", [pale, shade])
    (problem,) = violations(page, "desk", "colors and sizes", "article")
    assert problem.startswith("desk: color-contrast: ")
    last.evaluate("(last, pale) => last.style.removeProperty(pale)", pale)


FAULTS = {
    "link => link.tabIndex = -1": r"not reached: <a ",
    "link => link.style.outline = 'none'": r"focus cannot be seen on <a ",
}


@pytest.mark.parametrize("tab", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_link_without_keyboard_or_focus_is_found(page: Page, fault: str, tab: bool) -> None:
    assert list(what_the_keyboard_misses(page, "article", tab=tab)) == []
    link = page.locator("article p > a[href]:visible").last
    link.evaluate(fault)
    (problem,) = what_the_keyboard_misses(page, "article", tab=tab)
    assert re.match(FAULTS[fault], problem)
    link.evaluate("link => { link.removeAttribute('tabindex'); link.removeAttribute('style'); }")
