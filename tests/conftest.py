"""The site, built once, and a Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from page_builder.browser import FLAGS, find_chromium, serve
from tests.site.looking import ROOT, Site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, built with all its checks, and served."""
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
            timeout=600,
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
