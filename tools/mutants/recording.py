"""A pytest plugin that records which test executes which line, how long it takes and how it ends.

Set by the environment: MUTANTS_RECORD names the folder that the records go to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage

FOLDER = Path(os.environ["MUTANTS_RECORD"])


class Recorder:
    """Records one process of the run: a worker of pytest-xdist."""

    def __init__(self) -> None:
        data = str(FOLDER / "lines")
        self._coverage = Coverage(data, data_suffix=True, source=["cnnref"], config_file=False)
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note the lines that run from here on as the test's."""
        self._coverage.switch_context(item.nodeid)
        result = yield
        self._coverage.switch_context("")
        return result

    def pytest_sessionfinish(self) -> None:
        """Write down which test executed which line."""
        self._coverage.stop()
        self._coverage.save()


class Clock:
    """Keeps the seconds of each test, in the process that the workers report to."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up the seconds of a test, and note whether it failed."""
        if report.outcome == "failed":
            self._failed.add(report.nodeid)
        before = self._seconds.get(report.nodeid, 0.0)
        self._seconds[report.nodeid] = before + report.duration

    def pytest_sessionfinish(self) -> None:
        """Write down the seconds of each test, and which failed."""
        record = {"seconds": self._seconds, "failed": sorted(self._failed)}
        (FOLDER / "tests.json").write_text(json.dumps(record), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Record in a worker; keep the time in the process that the workers report to."""
    config.pluginmanager.register(Recorder() if hasattr(config, "workerinput") else Clock())
