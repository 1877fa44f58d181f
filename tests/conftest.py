"""Serve the site to a Chromium, and set pytest up."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import torch
from playwright.sync_api import Browser, sync_playwright

from tests.site.building import ADDRESS, ROOT, built_site
from tests.site.looking import Site
from tests.site.watched import Launch
from tools.browser import FLAGS, find_chromium, serve

# As in the build of the site: neither the settings of a user nor the fonts of another environment.
os.environ.setdefault("MPLCONFIGDIR", str(ROOT / ".cache" / "matplotlib"))

# So that a bare assert in a helper says what differs, like one in a test.
pytest.register_assert_rewrite("tests.helpers")

_QUICK = ("ops", "networks", "worked", "exercises", "nn", "figures")
QUICK = ("cnnref/", *(f"tests/{name}/" for name in _QUICK))
"""The tests that take milliseconds each."""


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Start each test from the same random state, so that no test depends on luck."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Serve the built site to the browser of these tests."""
    folder = built_site()
    with serve(folder) as served_at:
        yield Site(folder, ADDRESS, served_at)


@pytest.fixture(scope="session")
def launch(site: Site) -> Iterator[Launch]:
    """Return what starts a Chromium for which the site's address is this session's server."""
    executable = find_chromium()
    if executable is None:
        reason = "no Chromium found: install one, or name it in CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    host, server = urlsplit(site.url).hostname, urlsplit(site.served_at).netloc
    resolve = f"--host-resolver-rules=MAP {host}:80 {server}"
    with sync_playwright() as playwright:
        yield lambda *flags: playwright.chromium.launch(
            executable_path=executable, args=[*FLAGS, resolve, *flags]
        )


@pytest.fixture(scope="session")
def browser(launch: Launch) -> Iterator[Browser]:
    """Keep one Chromium for the session."""
    chromium = launch()
    yield chromium
    chromium.close()


def pytest_configure() -> None:
    """Collect garbage less often than after 700 new objects: parsed pages are millions."""
    gc.set_threshold(50_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in the order that keeps all workers busy until the end."""
    items.sort(key=turn)


def turn(item: pytest.Item) -> int:
    """Return when a test starts.

    First the build of the site, which takes longest; beside it what takes long and needs no site;
    then what needs the site, or takes the results that the build has computed; last what takes no
    time, so that no worker waits for a long test of another.
    """
    if item.name == "test_the_site_builds":
        return 0
    if "site" in getattr(item, "fixturenames", ()) or "test_changed_digits" in item.nodeid:
        return 2
    return 3 if item.nodeid.startswith(QUICK) else 1
