"""Work that a build starts early and waits for when it needs the result.

Fences and labs compute for seconds. Meanwhile the build renders other pages.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from page_builder import kernels

# Each process keeps PyTorch in memory.
_PROCESSES = min(4, os.cpu_count() or 1)


class Ahead:
    """Work in other processes and threads, by name."""

    def __init__(self) -> None:
        self._running: dict[str, Future[Any]] = {}
        self._processes: Executor | None = None
        self._thread: Executor | None = None

    def start(self, name: str, work: Callable[..., Any], *arguments: Any) -> None:
        """Call `work` with `arguments`, all of which can be pickled, in another process."""
        if self._processes is None:
            self._processes = ProcessPoolExecutor(_PROCESSES, kernels.context())
        self._running[name] = self._processes.submit(work, *arguments)

    def start_here(self, name: str, work: Callable[..., Any], *arguments: Any) -> None:
        """Call `work` in a thread: a lab computes in a process of its own anyway."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1)
        self._running[name] = self._thread.submit(work, *arguments)

    def wait(self, name: str) -> None:
        """Wait until the work of that name is done, if it was started.

        Raises:
            Exception: What the work raised.
        """
        if name in self._running:
            self._running.pop(name).result()

    def end(self) -> None:
        """End the processes, and drop work that has not begun."""
        self._running.clear()
        for pool in (self._processes, self._thread):
            if pool is not None:
                pool.shutdown(cancel_futures=True)
        self._processes = self._thread = None
