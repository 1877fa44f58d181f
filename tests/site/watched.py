"""A browser that is ended when it hangs.

Chromium sometimes stops answering, or does not tell a page about a new palette. Playwright waits
for most answers without a limit. When the browser is ended, whoever waits for it gets an error.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator

import psutil
from playwright.sync_api import Browser, Error, TimeoutError

Launch = Callable[..., Browser]


class HungError(Exception):
    """The browser was not done in time, and was ended."""


class WatchedBrowser:
    """A Chromium of its own. A flag that Chromium does not know tells it from the others.

    Args:
        launch: Starts Chromium with the flags it is given.
    """

    def __init__(self, launch: Launch) -> None:
        self._flag = f"--cnnref-watched={uuid.uuid4()}"
        self.browser = launch(self._flag)

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """End the browser if the block inside takes longer, or a wait in it runs out.

        Raises:
            HungError: The block took longer, or a wait ran out.
        """
        late = threading.Event()

        def end() -> None:
            late.set()
            self._kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            yield
        except TimeoutError as error:
            self._kill()
            raise HungError(error.message) from error
        except Error:
            if not late.is_set():
                raise
        finally:
            timer.cancel()
        if late.is_set():
            raise HungError(f"not done in {seconds} s")

    def _kill(self) -> None:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if self._flag in process.cmdline():
                    process.kill()
