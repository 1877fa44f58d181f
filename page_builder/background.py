"""The labs of a build, executed beside it.

A lab runs in a Jupyter kernel, a process of its own, and takes seconds. So a build starts all that
have to be executed at its beginning, renders its other pages meanwhile and the labs' pages last.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from page_builder import kernels, notebooks

# The build itself is at work too: with one process more, two cores have enough to do.
_WORKERS = 1


class Labs:
    """The labs of one build after another, by the URIs of their sources."""

    def __init__(self) -> None:
        self._sources: dict[str, tuple[Path, list[Path]]] = {}
        self._running: dict[str, Future[notebooks.Lab]] = {}
        self._pool: ProcessPoolExecutor | None = None

    def begin(self) -> None:
        """Forget the labs of the last build."""
        self._sources.clear()
        self._running.clear()

    def start(self, uri: str, source: Path, inputs: Iterable[Path]) -> None:
        """Start to execute a lab, if an earlier run of the same code has not.

        Args:
            uri: What the lab is called here.
            source: The percent script.
            inputs: The files the lab computes with.
        """
        files = list(inputs)
        self._sources[uri] = source, files
        if not notebooks.executed_path(source, files).exists():
            if self._pool is None:
                self._pool = ProcessPoolExecutor(_WORKERS, kernels.context())
            self._running[uri] = self._pool.submit(notebooks.execute, source, files)

    def __contains__(self, uri: object) -> bool:
        return uri in self._sources

    def wait(self, uri: str) -> notebooks.Lab:
        """Return an executed lab; wait for it where it is still running.

        Raises:
            NotebookError: A cell of it raises or warns, or an image has no alt text.
        """
        if uri in self._running:
            return self._running[uri].result()
        return notebooks.execute(*self._sources[uri])

    def end(self) -> None:
        """End the processes that were started. What has not begun yet is given up."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
