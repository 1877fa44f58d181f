"""Every page in a real browser: errors, requests, width, accessibility, keyboard.

The pages are known only once the site is built, so a fixed number of tests share them, and each
test names every page that fails. A page is opened once and checked on a desktop and on a phone, in
light and in dark colours. What is around the text (header, navigation, footer) comes from the same
templates on every page: its colors, its search and its keyboard are checked on one page of each
part of the site. A page that passed is not checked again until it changes, or what it loads, or
these tests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page

from page_builder.digests import files_digest
from page_builder.explorer import ELEMENTS
from tests.site.building import ROOT
from tests.site.keys import keys_of
from tests.site.looking import DESK, NO_SEARCH, PHONE, Site, visit
from tests.site.watched import HungError, Launch, WatchedBrowser

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PARTS = 8
PATIENCE = 120  # seconds for a page, which takes three; fifteen on a slow machine
FOUND_GOOD = ROOT / ".cache" / "cnnref" / "found_good"


@pytest.mark.parametrize("part", range(PARTS))
def test_pages(site: Site, browser: Browser, launch: Launch, part: int) -> None:
    FOUND_GOOD.mkdir(parents=True, exist_ok=True)
    around = everything_around(site, browser.version)
    marks = {
        path: FOUND_GOOD / hashlib.sha256(around + (site.folder / path).read_bytes()).hexdigest()
        for path in site.pages[part::PARTS]
    }
    window: Window | None = None
    problems: list[str] = []
    changed = [path for path, mark in marks.items() if not mark.exists()]
    # The others are opened without the search, which is for good.
    changed.sort(key=lambda path: path not in framed(site.pages))
    for path in changed:
        window = window or Window(site, launch)
        try:
            window.look(path)
        except HungError:
            # Not the page's fault, unless it happens again.
            problems += window.problems
            window = Window(site, launch)
            window.look(path)
    if window:
        problems += window.close()
    assert not problems, "\n".join(problems)
    # Only now: a late message of a page arrives while the next page is checked.
    for path in changed:
        marks[path].touch()


class Window:
    """A browser of its own that checks one page after another.

    Attributes:
        problems: What is wrong with the pages checked so far.
    """

    def __init__(self, site: Site, launch: Launch) -> None:
        self.problems: list[str] = []
        self._site = site
        self._framed = framed(site.pages)
        self._looking_at = ""
        self._chromium = WatchedBrowser(launch)
        desk = self._chromium.browser.new_context(viewport=DESK)
        self._page = desk.new_page()
        self._devtools = desk.new_cdp_session(self._page)
        self._searches = True
        self._listen()

    def _listen(self) -> None:
        note, page = self._note, self._page
        page.on("console", lambda m: note(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: note(str(error)))
        page.on("requestfailed", lambda r: note(f"failed {r.url}"))
        page.on("response", lambda r: note(f"{r.status} {r.url}") if r.status >= 400 else None)
        ours = (self._site.url, "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(ours) else note(f"asks {r.url}"))

    def _note(self, problem: str) -> None:
        self.problems.append(f"{self._looking_at}: {problem}")

    def look(self, path: str) -> None:
        """Check a page and note what is wrong with it.

        Raises:
            HungError: The browser hung. What it reported about this page is dropped.
        """
        self._looking_at, before = path, len(self.problems)
        try:
            with self._chromium.limit(PATIENCE):
                url, around = self._site.url + path, path in self._framed
                if not around and self._searches:
                    self._page.add_init_script(NO_SEARCH)
                    self._searches = False
                for problem in look(self._page, self._devtools, url, around=around):
                    self._note(problem)
        except HungError as error:
            del self.problems[before:]
            raise HungError(f"{path}: {error}") from error

    def close(self) -> list[str]:
        """Close the browser and return the problems."""
        self._chromium.browser.close()
        return self.problems


def everything_around(site: Site, seen_by: str) -> bytes:
    """Hash what the checks of a page depend on besides its file: what it loads, and the checks."""
    loaded = [path for path in (site.folder / "assets").rglob("*") if path.is_file()]
    pictures = [path for path in site.folder.rglob("*") if path.suffix in {".png", ".webp", ".svg"}]
    ours = [*Path(__file__).parent.glob("*.py"), *Path(__file__).parent.glob("*.js"), AXE]
    return f"{seen_by} {files_digest({*loaded, *pictures, *ours})}".encode()


def framed(pages: list[str]) -> set[str]:
    """Return a small page of each part of the site, where what is around the text is checked.

    Args:
        pages: The paths of all pages, the largest first.
    """
    return set({path.split("/")[0]: path for path in pages}.values())


def look(page: Page, devtools: CDPSession, url: str, *, around: bool) -> Iterator[str]:
    """Open a page and yield everything that is wrong with it.

    Args:
        page: The browser's page.
        devtools: A session with it.
        url: What to open.
        around: Whether to check the keyboard and all colors of what is around the text, too.
    """
    part = "body" if around else "article"
    show(page, devtools, DESK, "light")
    visit(page, url)
    # Explorers listen to keys and could keep the focus; the rest of a text could not.
    explorers = page.locator(", ".join(ELEMENTS)).count()
    yield from what_the_keyboard_misses(page, part, tab=around or explorers > 0)
    page.evaluate("checks.rest()")
    page.add_script_tag(path=AXE)
    yield from violations(page, "desk, light", "every rule", "body")
    if around:
        # The colors of the text do not depend on the width, so one width is enough in each
        # palette. What is around the text differs between the widths, and is checked at both.
        page.evaluate("checks.detachArticle()")
        show(page, devtools, DESK, "dark")
        yield from violations(page, "desk, dark", "colors and sizes", "body")
        show(page, devtools, PHONE, "light")
        yield from violations(page, "phone, light", "colors and sizes", "body")
        page.evaluate("checks.attachArticle()")
    show(page, devtools, PHONE, "dark")
    width = page.evaluate("document.scrollingElement.scrollWidth")
    if width > PHONE["width"]:
        yield f"{width} px wide on a phone"
    yield from violations(page, "phone, dark", "colors and sizes", part)


def show(page: Page, devtools: CDPSession, size: dict[str, int], scheme: str) -> None:
    """Give the page the size and the palette of a device."""
    page.emulate_media(
        color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
    )
    devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": size is PHONE})
    page.set_viewport_size(size)  # type: ignore[arg-type]
    if page.url != "about:blank":
        shown = {"light": "default", "dark": "slate"}[scheme]
        page.wait_for_function(
            "shown => document.body.dataset.mdColorScheme === shown", arg=shown, polling=50
        )
        page.evaluate("checks.settled()")


def violations(page: Page, device: str, rules: str, part: str) -> Iterator[str]:
    """Yield what axe finds in a part of the page, by all rules or those on colours and sizes."""
    call = "([tags, rules, part]) => checks.axe(tags, rules, part)"
    for violation in page.evaluate(call, [WCAG, rules, part]):
        yield f"{device}: {violation}"


def what_the_keyboard_misses(page: Page, part: str, *, tab: bool) -> Iterator[str]:
    """Move the focus through a part of the page; yield what is never reached or shows no focus.

    Args:
        page: The browser's page.
        part: The part, as a CSS selector.
        tab: Whether to press Tab, as a reader does. Otherwise a script moves the focus, which is
            faster and finds everything but a stop that Tab cannot leave.
    """
    targets: list[str] = page.evaluate("part => checks.markTargets(part)", part)
    page.evaluate("part => checks.watchFocus(part)", part)
    reached: set[int] = set()
    stops: list[dict[str, Any]] = []
    keys = keys_of(page)
    # More steps than stops: the back-to-top button may disappear while it has the focus, and the
    # focus leaves the page between the last stop and the first.
    for steps in (len(targets) + 10, len(targets) + 30):
        if tab:
            for _ in range(steps):
                keys.press("Tab")
        else:
            page.evaluate("part => checks.focusEach(part)", part)
        stops = page.evaluate("checks.stops")
        reached = {int(stop["target"]) for stop in stops if stop["target"] is not None}
        if len(reached) == len(targets):
            break
    yield from (f"not reached: {name}" for i, name in enumerate(targets) if i not in reached)
    for name in sorted({stop["name"] for stop in stops if not stop["visible"]}):
        yield f"focus cannot be seen on {name}"
