"""Stored results of experiments, and the check that they belong to today's code.

An experiment runs for minutes, so the site does not repeat it at each build. It is stored with two
digests: one of the code that computed it, one of the numbers. `read` refuses a file when either
has changed since. There is no way to stamp a file without running its experiment.

The code is the script and every module that it reaches by import (`experiments.reached`). This
module writes numbers and makes none: it is left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from experiments.reached import Code

__all__ = ["ROOT", "Parts", "Results", "StaleResultsError", "code_digest", "read", "write"]

ROOT = Path(__file__).resolve().parents[1]

_NOT_COUNTED = "experiments/results.py"
_LIBRARIES = ("numpy", "torch")
_STARTED = time.perf_counter()


class StaleResultsError(Exception):
    """Stored results are missing, were edited, or were computed by other code than today's."""


@dataclass(frozen=True)
class Results:
    """What an experiment stored.

    Attributes:
        data: the numbers, as the script gave them.
        provenance: what computed them: "script", "machine", "libraries" and "seconds".
    """

    data: Any
    provenance: dict[str, Any]


def write(
    name: str, script: str | Path, data: Any, *, seconds: float | None = None, root: Path = ROOT
) -> Path:
    """Store the results of an experiment that has just run.

    Args:
        name: Stem of the file, `docs/labs/results/<name>.json`.
        script: The file that computed the data: give `__file__`.
        data: Numbers, strings, lists and dicts with string keys.
        seconds: How long the experiment took; by default the time since this module was imported.
        root: Folder of the repository.

    Returns:
        The file written.

    Raises:
        ValueError: If a number is not finite, or the script is no module of the project.
        TypeError: If the data hold something that JSON does not.
    """
    path = Path(script).resolve()
    took = time.perf_counter() - _STARTED if seconds is None else seconds
    # One trip through JSON first: what is checked is what will be read.
    plain = json.loads(json.dumps(data, allow_nan=False))
    stored = {
        "code": code_digest(path, root=root),
        "checksum": _checksum(plain),
        "provenance": {
            "script": path.relative_to(root.resolve()).as_posix(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}",
            "libraries": {library: metadata.version(library) for library in _LIBRARIES},
            "seconds": round(took),
        },
        "data": plain,
    }
    target = _file(name, root)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    return target


def read(name: str, *, root: Path = ROOT) -> Results:
    """Read stored results, if they belong to today's code.

    Args:
        name: Stem of the file, `docs/labs/results/<name>.json`.
        root: Folder of the repository.

    Raises:
        StaleResultsError: If the file is missing, its numbers were edited, or the code that
            computed them has changed.
    """
    path = _file(name, root)
    if not path.exists():
        raise StaleResultsError(f"{path.name} is missing: run `make labs`")
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored["checksum"] != _checksum(stored["data"]):
        raise StaleResultsError(f"the numbers in {path.name} were edited: run `make labs`")
    script = root / stored["provenance"]["script"]
    if not script.exists() or stored["code"] != code_digest(script, root=root):
        raise StaleResultsError(
            f"{path.name} was computed by other code than today's "
            f"{stored['provenance']['script']} and what it imports: run `make labs`"
        )
    return Results(stored["data"], stored["provenance"])


class Parts:
    """The parts of an experiment, each kept when it is done, so that a stopped run resumes.

    They lie in `.cache/cnnref/experiments`, under the digest of the code: a part that other code
    computed is never taken.

    Args:
        script: The file of the experiment: give `__file__`.
        root: Folder of the repository.

    Attributes:
        seconds: How long the parts took to compute, also those kept from an earlier run.

    Examples:
        ``` python
        parts = Parts(__file__)
        rows = [parts.run(f"seed {seed}", train, seed) for seed in range(5)]
        write("my_experiment", __file__, {"rows": rows}, seconds=parts.seconds)
        ```
    """

    def __init__(self, script: str | Path, *, root: Path = ROOT) -> None:
        path = Path(script).resolve()
        digest = code_digest(path, root=root)
        self._folder = root / ".cache/cnnref/experiments" / path.stem / digest[:24]
        self.seconds = 0.0

    def run(self, key: str, compute: Callable[..., Any], *arguments: Any) -> Any:
        """Return what `compute(*arguments)` gives, or gave in an earlier run of the same code.

        Args:
            key: Name of the part; all that sets it apart from the others.
            compute: Gives numbers, strings, lists and dicts with string keys.
            arguments: What it takes.
        """
        path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
        if not path.exists():
            start = time.perf_counter()
            value = compute(*arguments)
            took = time.perf_counter() - start
            text = json.dumps({"key": key, "seconds": took, "value": value}, allow_nan=False)
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)  # a run that is stopped here leaves no half file
            print(f"{key}: {took:.1f} s", flush=True)
        part = json.loads(path.read_text(encoding="utf-8"))
        self.seconds += part["seconds"]
        return part["value"]


def code_digest(script: str | Path, *, root: Path = ROOT) -> str:
    """Return a digest of a script and of the project's modules that it reaches by import.

    Args:
        script: A Python file in `cnnref` or `experiments`.
        root: Folder of the repository.

    Raises:
        ValueError: If the script lies elsewhere.
    """
    code = Code(root)
    name = Path(script).resolve().relative_to(root.resolve()).as_posix()
    reached = code.reached(code.text(name), name, without=[_NOT_COUNTED])
    return code.digest({name, *reached} - {_NOT_COUNTED})


def _checksum(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _file(name: str, root: Path) -> Path:
    return root / "docs/labs/results" / f"{name}.json"
