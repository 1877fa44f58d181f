"""Runs tests on mutants, in forked processes that have imported the libraries already."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from coverage import CoverageData

from tools.mutants.mutations import Mutant, mutated

# They need a browser or build pages: what they say of the package, faster tests say too.
LEFT_OUT = ("tests/site", "tests/explorer", "tests/page_builder", "tests/experiments")
LIBRARIES = ("numpy", "torch", "matplotlib.pyplot", "PIL.Image", "skimage.transform")
MEMORY = 8 << 30  # bytes that the tests of a mutant may allocate
PASSED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
WIDER = 60.0  # seconds of tests that only touch the file of the mutant


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: killed by a test, survived, or not done in time."""

    mutant: Mutant
    status: str
    test: str = ""


class Suite:
    """The tests of the package: what each executes, and how long it takes.

    Attributes:
        failed: Those that fail without a mutant. They tell nothing, and are left out.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        record = json.loads((folder / "tests.json").read_text(encoding="utf-8"))
        self.failed: list[str] = record["failed"]
        self._seconds: dict[str, float] = record["seconds"]
        self._root = root
        self._data = CoverageData(str(folder / "lines"))
        self._data.read()

    def that_can_tell(self, mutant: Mutant) -> list[str]:
        """Return the tests to run: those that execute the statement, then some of its file."""
        by_line = self._data.contexts_by_lineno(str(self._root / mutant.file))
        passed = self._seconds.keys() - set(self.failed)
        touch = passed & {test for tests in by_line.values() for test in tests}
        execute = passed & {test for line in mutant.lines for test in by_line.get(line, ())}
        if not execute:  # The statement runs when the module is imported.
            execute, touch = touch, set()
        own = f"test_{Path(mutant.file).stem.strip('_')}"
        return [*self._in_order(execute, own), *self._within(WIDER, touch - execute, own)]

    def seconds(self, tests: Iterable[str]) -> float:
        """Return how long tests take without a mutant."""
        return sum(self._seconds[test] for test in tests)

    def _in_order(self, tests: set[str], own: str) -> list[str]:
        """Sort by file, so that fixtures are made once: the module's own, then the fastest."""
        total: dict[str, float] = {}
        for test in tests:
            file = test.partition("::")[0]
            total[file] = total.get(file, 0.0) + self._seconds[test]

        def place(test: str) -> tuple[bool, float, str, float]:
            file = test.partition("::")[0]
            return not Path(file).stem.startswith(own), total[file], file, self._seconds[test]

        return sorted(tests, key=place)

    def _within(self, seconds: float, tests: set[str], own: str) -> Iterator[str]:
        for test in self._in_order(tests, own):
            seconds -= self._seconds[test]
            if seconds > 0:
                yield test


def copy_checkout(root: Path, to: Path) -> None:
    """Copy what git knows and does not ignore, and link the environment."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=root, text=True).split("\0"):
        if name and (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)
    for name in (".venv", "node_modules"):
        (to / name).symlink_to((root / name).resolve())


def recorded_tests(copy: Path, kept: Path) -> Suite:
    """Run the tests once without a mutant, or read the record of such a run on the same files."""
    digest = hashlib.sha256()
    code = (file for name in ("cnnref", "tests", "docs") for file in (copy / name).rglob("*"))
    for file in sorted(file for file in code if file.suffix in {".py", ".md"}):
        digest.update(f"{file.relative_to(copy)}\0".encode() + file.read_bytes())
    folder = kept / digest.hexdigest()[:16]
    root_file = folder / "root"
    if not root_file.exists():
        shutil.rmtree(kept, ignore_errors=True)
        folder.mkdir(parents=True)
        ignored = [f"--ignore={name}" for name in LEFT_OUT]
        options = ["-q", "-n2", "--dist=worksteal", "-p", "tools.mutants.recording", *ignored]
        subprocess.run(
            [sys.executable, "-m", "pytest", "-o", "timeout=0", *options],
            cwd=copy,
            env={**os.environ, "MUTANTS_RECORD": str(folder)},
            check=False,
        )
        data = CoverageData(str(folder / "lines"))
        for part in folder.glob("lines.*"):
            one = CoverageData(str(part))
            one.read()
            data.update(one)
        data.write()
        root_file.write_text(str(copy), encoding="utf-8")
    return Suite(folder, Path(root_file.read_text(encoding="utf-8")))


def run(mutants: Sequence[Mutant], tests: Suite, copies: Sequence[Path]) -> Iterator[Outcome]:
    """Run every mutant, each in a process of its own, one at a time in each copy."""
    import_libraries()
    free, waiting = list(copies), list(reversed(mutants))
    running: dict[int, tuple[Mutant, Path, float]] = {}
    while waiting or running:
        while waiting and free:
            mutant, copy = waiting.pop(), free.pop()
            chosen = tests.that_can_tell(mutant)
            late = time.monotonic() + 60 + 5 * tests.seconds(chosen)
            running[_start(copy, chosen, mutant)] = mutant, copy, late
        time.sleep(0.02)
        for pid, (mutant, copy, late) in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            timed_out = not ended and time.monotonic() > late
            if timed_out:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            if ended or timed_out:
                del running[pid]
                free.append(copy)
                _restore(copy, mutant)
                yield _outcome(mutant, copy, None if timed_out else status)


def _outcome(mutant: Mutant, copy: Path, status: int | None) -> Outcome:
    """Say what became of a mutant from the status its process ended with, None if it was late.

    Raises:
        RuntimeError: The tests did not run.
    """
    killed_by = (copy / "killed_by").read_text(encoding="utf-8")
    if status is None:
        return Outcome(mutant, "timeout")
    code = os.waitstatus_to_exitcode(status)
    if killed_by or code < 0:
        return Outcome(mutant, "killed", killed_by or f"signal {-code}")
    if code in PASSED:
        return Outcome(mutant, "survived")
    output = (copy / "output").read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"{mutant}: the tests did not run:\n{output}")


def fail_without_a_mutant(tests: Iterable[str], copy: Path) -> str:
    """Run tests on the code as it is; return the first that fails, or an empty text."""
    pid = _start(copy, sorted(tests), None)
    os.waitpid(pid, 0)
    return (copy / "killed_by").read_text(encoding="utf-8")


def import_libraries() -> None:
    """Import what takes long, so that forked processes have it."""
    for name in LIBRARIES:
        importlib.import_module(name)


def _start(copy: Path, tests: list[str], mutant: Mutant | None) -> int:
    """Fork a process that runs tests in a copy, and stops at the first that fails."""
    (copy / "killed_by").write_text("", encoding="utf-8")
    if mutant:
        _write(copy / mutant.file, mutated(copy, mutant))
    pid = os.fork()
    if pid:
        return pid
    status: int = pytest.ExitCode.INTERNAL_ERROR
    try:
        os.setpgid(0, 0)
        os.chdir(copy)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        output = os.open("output", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.path[:] = [str(copy), *sys.path[1:]]
        for name in [
            name for name in sys.modules if name.split(".")[0] in {"tests", "cnnref", "tools"}
        ]:
            del sys.modules[name]
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        options = ["-x", "-q", "--rootdir=.", "-p", "no:cacheprovider", "-p", "no:xdist"]
        status = pytest.main([*options, *files], plugins=[_Chosen(tests)]) if tests else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(status))


class _Chosen:
    """A pytest plugin that runs the chosen tests in their order, and keeps which one failed."""

    def __init__(self, tests: list[str]) -> None:
        self._order = {test: i for i, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._order]
        items[:] = sorted(chosen, key=lambda item: self._order[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            Path("killed_by").write_text(report.nodeid, encoding="utf-8")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            Path("killed_by").write_text(report.nodeid, encoding="utf-8")


_ORIGINALS: dict[Path, str] = {}
_CLOCK = iter(range(10**9, 2 * 10**9))


def _write(file: Path, text: str) -> None:
    """Write a module, with a time of its own: Python knows its compiled modules by that."""
    if file not in _ORIGINALS:
        _ORIGINALS[file] = file.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    moment = next(_CLOCK)
    os.utime(file, (moment, moment))


def _restore(copy: Path, mutant: Mutant) -> None:
    with contextlib.suppress(KeyError):
        _write(copy / mutant.file, _ORIGINALS[copy / mutant.file])
