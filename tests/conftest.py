"""The site, built once, and a Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, sync_playwright

from page_builder.browser import FLAGS, find_chromium, serve
from tests.site.looking import BUILT_FOR, ROOT, Site


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built with all its checks by the worker that comes first."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, said = shared / "site", shared / "site.log"
    with FileLock(shared / "site.lock"):
        if not said.exists():
            # No --quiet: it would drop the warnings before strict mode counts them.
            done = subprocess.run(
                [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
                cwd=ROOT,
                env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "CNNREF_SITE_URL": BUILT_FOR},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            said.write_text("" if done.returncode == 0 else f"{done.stdout}\n{done.stderr}")
    problems = said.read_text()
    assert not problems, f"the site does not build:\n{problems}"
    return folder


@pytest.fixture(scope="session")
def site(built: Path) -> Iterator[Site]:
    """The site, served."""
    with serve(built) as url:
        yield Site(built, url)


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
