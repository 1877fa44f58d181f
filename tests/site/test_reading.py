"""Do what a reader does on a page: copy, search, follow a link, download."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.site.keys import keys_of
from tests.site.looking import Site, visit


def first_page_with(site: Site, pattern: str) -> str:
    for path in site.pages:
        if re.search(pattern, (site.folder / path).read_text(encoding="utf-8")):
            return path
    pytest.fail(f"no page has {pattern!r}")


def test_copy_button_copies_the_code(site: Site, desk: BrowserContext) -> None:
    page = desk.new_page()
    visit(page, site.url + first_page_with(site, r'class="language-python highlight"'))
    code = page.locator(".language-python.highlight pre > code:visible").first
    expected = code.inner_text()
    assert expected.strip()
    button = page.locator(".language-python.highlight .md-code__button:visible").first
    button.scroll_into_view_if_needed()
    button.click()
    page.wait_for_selector(".md-dialog--active")
    assert page.evaluate("navigator.clipboard.readText()").strip() == expected.strip()
    page.close()


def test_search_finds_dilation(site: Site, desk: BrowserContext) -> None:
    page = desk.new_page()
    visit(page, site.url)
    keys_of(page).press("/")
    keys_of(page).write("dilation")
    result = page.locator(".md-search-result__link").first
    result.wait_for(state="visible", timeout=10_000)
    assert "dilation" in page.locator(".md-search-result__list").inner_text().lower()
    result.click()
    page.wait_for_url(re.compile(re.escape(site.url) + r"[^?#]+"))
    page.locator("article.md-content__inner", has_text=re.compile("dilation", re.I)).wait_for()
    page.close()


def test_instant_navigation_keeps_formulas_and_figures(site: Site, desk: BrowserContext) -> None:
    target = first_page_with(
        site, r'(?s)<cnnref-math.*class="cnnref-svg"|class="cnnref-svg".*<cnnref-math'
    )
    page = desk.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    visit(page, site.url + target)
    expected = page.evaluate("checks.kept()")
    assert expected["formulas"] > 0
    assert expected["figures"] > 0
    assert expected["drawn"]
    visit(page, site.url + "404.html")
    page.evaluate("window.sameDocument = true")
    address = target.removesuffix("index.html")
    page.locator(f'.md-nav a[href$="{address}"]').first.click()
    page.wait_for_url(re.compile(re.escape(address)))
    page.wait_for_selector(".cnnref-figure svg")
    assert page.evaluate("window.sameDocument"), "the page was loaded anew: not instant"
    assert page.evaluate("checks.kept()") == expected
    assert not errors
    page.close()


def test_downloads_of_labs(site: Site, desk: BrowserContext) -> None:
    page = desk.new_page()
    visit(page, site.url + first_page_with(site, r'class="cnnref-download"'))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download this notebook (.ipynb)").click()
    saved = Path(download.value.path())
    assert '"nbformat": 4' in saved.read_text(encoding="utf-8")
    page.close()
