"""A browser that is ended when it stands still.

Chromium has been seen to answer no more, and Playwright waits for most answers without end. Whoever
waits gets an error when the browser is ended.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator

import psutil
from playwright.sync_api import Browser, Error

Launch = Callable[..., Browser]


class StoodStillError(Exception):
    """The browser did not come to an end in time, and was ended."""


class WatchedBrowser:
    """A Chromium of its own, known by a flag that means nothing to it.

    Args:
        launch: Starts Chromium with the flags it is given.
    """

    def __init__(self, launch: Launch) -> None:
        self._flag = f"--cnnref-watched={uuid.uuid4()}"
        self.browser = launch(self._flag)

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """End the browser if what stands inside takes longer.

        Raises:
            StoodStillError: It did.
        """
        late = threading.Event()

        def end() -> None:
            late.set()
            self._kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            yield
        except Error:
            if not late.is_set():
                raise
        finally:
            timer.cancel()
        if late.is_set():
            raise StoodStillError(f"not done in {seconds} s")

    def _kill(self) -> None:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if self._flag in process.cmdline():
                    process.kill()
