"""What the browser tests share: a built site, and a way to open its pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

CHECKS = Path(__file__).with_name("checks.js")
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
NO_SEARCH = "window.Worker = class extends EventTarget { postMessage() {} }"
"""Keeps a page from starting the worker of the search, which reads the text of all pages at each
load: half a second of a core."""


@dataclass(frozen=True)
class Site:
    """A built site: its folder, its address, and the address of the server behind that."""

    folder: Path
    url: str
    served_at: str

    @property
    def pages(self) -> list[str]:
        """The paths of all HTML files, the largest first."""
        files = sorted(self.folder.rglob("*.html"), key=lambda file: (-file.stat().st_size, file))
        return [file.relative_to(self.folder).as_posix() for file in files]


def visit(page: Page, url: str) -> None:
    """Open a page and wait until it has settled."""
    page.bring_to_front()  # A page behind another draws nothing and takes no palette.
    page.goto(url, wait_until="load")
    page.add_script_tag(path=CHECKS)
    # The checks look at explorers as a reader sees them: loaded.
    page.evaluate("checks.openExplorers()")
    page.evaluate("checks.settled()")
