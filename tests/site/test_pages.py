"""Every page in a real browser: errors, requests, width, accessibility, keyboard, search, copying.

Which pages there are is known once the site is built, so each test goes over all of them and
names every one that fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from page_builder.browser import FLAGS, find_chromium, serve

pytestmark = pytest.mark.xdist_group("browser")

ROOT = Path(__file__).resolve().parents[2]
CHECKS = Path(__file__).with_name("checks.js")
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


@dataclass(frozen=True)
class Site:
    """A built site: its folder, and the address it is served at."""

    folder: Path
    url: str

    @property
    def pages(self) -> list[str]:
        """The paths of all HTML files."""
        return sorted(
            file.relative_to(self.folder).as_posix() for file in self.folder.rglob("*.html")
        )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, built with all its checks."""
    folder = tmp_path_factory.mktemp("site")
    with serve(folder) as url:
        # No --quiet: it would drop the warnings before strict mode counts them.
        built = subprocess.run(
            [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
            cwd=ROOT,
            # Instant navigation works at the address the site was built for, port and all.
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "CNNREF_SITE_URL": url},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert built.returncode == 0, f"the site does not build:\n{built.stdout}\n{built.stderr}"
        yield Site(folder, url)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the session."""
    executable = find_chromium()
    if executable is None:
        reason = "no Chromium found: install one, or name it in CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=PHONE, has_touch=True)
    yield context
    context.close()


@pytest.fixture(scope="module")
def desk(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=DESK, permissions=["clipboard-read", "clipboard-write"])
    yield context
    context.close()


def visit(page: Page, url: str) -> None:
    page.goto(url, wait_until="load")
    page.evaluate("document.fonts.ready")
    # Material sets the page up, and scrollable.js looks at it, over the first frames.
    page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    page.add_script_tag(path=CHECKS)


def test_there_are_pages(site: Site) -> None:
    assert {"index.html", "404.html"} <= set(site.pages)
    assert len(site.pages) > 2


def test_no_error_and_no_foreign_request(site: Site, desk: BrowserContext) -> None:
    problems: list[str] = []
    page = desk.new_page()
    here = ""
    page.on(
        "console", lambda m: problems.append(f"{here}: {m.text}") if m.type == "error" else None
    )
    page.on("pageerror", lambda error: problems.append(f"{here}: {error}"))
    page.on("requestfailed", lambda r: problems.append(f"{here}: failed {r.url}"))
    page.on(
        "request",
        lambda r: (
            None
            if r.url.startswith((site.url, "data:", "blob:"))
            else problems.append(f"{here}: asks {r.url}")
        ),
    )
    page.on(
        "response",
        lambda r: problems.append(f"{here}: {r.status} {r.url}") if r.status >= 400 else None,
    )
    for here in site.pages:  # The handlers above read it.
        visit(page, site.url + here)
    page.close()
    assert not problems, "\n".join(problems)


def test_no_page_is_wider_than_a_phone(site: Site, phone: BrowserContext) -> None:
    problems: list[str] = []
    page = phone.new_page()
    for path in site.pages:
        visit(page, site.url + path)
        page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        width = page.evaluate("document.scrollingElement.scrollWidth")
        if width > PHONE["width"]:
            problems.append(f"{path}: {width} px wide")
    page.close()
    assert not problems, "\n".join(problems)


# Colours do not depend on the width, so the phone is looked at in one palette.
@pytest.mark.parametrize(
    ("device", "scheme"), [("desk", "light"), ("desk", "dark"), ("phone", "light")]
)
def test_axe_finds_no_violation(
    site: Site, device: str, scheme: str, request: pytest.FixtureRequest
) -> None:
    context: BrowserContext = request.getfixturevalue(device)
    problems: list[str] = []
    page = context.new_page()
    page.emulate_media(
        color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
    )
    for path in site.pages:
        visit(page, site.url + path)
        shown = page.evaluate("document.body.dataset.mdColorScheme")
        assert shown == {"light": "default", "dark": "slate"}[scheme]
        page.add_script_tag(path=AXE)
        problems += [
            f"{path}: {violation}" for violation in page.evaluate("tags => checks.axe(tags)", WCAG)
        ]
    page.close()
    assert not problems, "\n".join(problems)


def test_keyboard_reaches_everything(site: Site, desk: BrowserContext) -> None:
    problems: list[str] = []
    page = desk.new_page()
    for path in site.pages:
        visit(page, site.url + path)
        targets: list[str] = page.evaluate("checks.markTargets()")
        page.evaluate("checks.watchFocus()")
        reached: set[int] = set()
        # A few steps more than stops: the button to the top may go while it has the focus, and
        # the focus leaves the page between the last stop and the first.
        for steps in (len(targets) + 10, len(targets) + 30):
            for _ in range(steps):
                page.keyboard.press("Tab")
            stops = page.evaluate("checks.stops")
            reached = {int(stop["target"]) for stop in stops if stop["target"] is not None}
            if len(reached) == len(targets):
                break
        unseen = {stop["name"] for stop in stops if not stop["visible"]}
        problems += [f"{path}: not reached: {t}" for i, t in enumerate(targets) if i not in reached]
        problems += [f"{path}: focus cannot be seen on {name}" for name in sorted(unseen)]
    page.close()
    assert not problems, "\n".join(problems)


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
    page.keyboard.press("/")
    page.keyboard.type("dilation", delay=10)
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
