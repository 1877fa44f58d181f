"""A browser that hangs is ended, and another one goes on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Error

from tests.site.watched import HungError, Launch, WatchedBrowser


def test_what_takes_too_long_ends_with_the_browser(launch: Launch) -> None:
    watched, other = WatchedBrowser(launch), WatchedBrowser(launch)
    page = watched.browser.new_page()
    with pytest.raises(HungError, match="not done in 1 s"), watched.limit(1):
        page.evaluate("new Promise(() => {})")
    assert not watched.browser.is_connected()
    with other.limit(30):
        assert other.browser.new_page().evaluate("1 + 1") == 2
    other.browser.close()


def test_a_wait_that_runs_out_ends_the_browser(launch: Launch) -> None:
    watched = WatchedBrowser(launch)
    page = watched.browser.new_page()
    with pytest.raises(HungError, match="Timeout 100ms"), watched.limit(30):
        page.wait_for_function("false", timeout=100)


def test_other_errors_are_what_they_are(launch: Launch) -> None:
    watched = WatchedBrowser(launch)
    with pytest.raises(Error, match="no such thing"), watched.limit(30):
        watched.browser.new_page().evaluate("() => { throw new Error('no such thing') }")
    watched.browser.close()
