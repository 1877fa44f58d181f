"""Store the results of experiments, and check that they belong to today's code.

An experiment runs for minutes, so the site does not repeat it at each build. Its results are stored
with two digests: one of the code that computed them, one of everything in the file. `read` refuses
a file when either no longer fits, and so finds results that were edited by hand or that belong to
other code. The digests guard against mistakes. Anyone can compute them again, so they do not prove
a number; running its experiment again does (`make labs`).

The code is the script and every module that it reaches by import (`experiments.reached`). This
module does not count, because it stores numbers and computes none.

A notebook downloaded from the site brings its results and a copy of this module with it. The code
of the package is not next to them there, so only the content of the file is checked.
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
    """Stored results are missing, edited, or not computed by today's code."""


@dataclass(frozen=True)
class Results:
    """What an experiment stored.

    Attributes:
        data: the numbers, as the script passed them to `write`.
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
        ValueError: If a number is not finite, or the script is not a module of the project.
        TypeError: If the data contain something that JSON cannot hold.
    """
    path = Path(script).resolve()
    took = time.perf_counter() - _STARTED if seconds is None else seconds
    # One trip through JSON first: what is checked is what will be read.
    content = {
        "code": code_digest(path, root=root),
        "provenance": {
            "script": path.relative_to(root.resolve()).as_posix(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}",
            "libraries": {library: metadata.version(library) for library in _LIBRARIES},
            "seconds": round(took),
        },
        "data": json.loads(json.dumps(data, allow_nan=False)),
    }
    stored = {"checksum": _checksum(content), **content}
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
        StaleResultsError: If the file is missing or was edited, or the code that computed it has
            changed.
    """
    path = _file(name, root)
    if not path.exists():
        raise StaleResultsError(f"{path.name} is missing: run `make labs`")
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.pop("checksum") != _checksum(content):
        raise StaleResultsError(f"{path.name} was edited: run `make labs`")
    script = root / content["provenance"]["script"]
    if (root / "cnnref").exists() and not _is_of_today(content["code"], script, root):
        raise StaleResultsError(
            f"{path.name} was computed by other code than today's "
            f"{content['provenance']['script']} and what it imports: run `make labs`"
        )
    return Results(content["data"], content["provenance"])


class Parts:
    """The parts of an experiment, each stored when it is done, so that a stopped run resumes.

    They are in `.cache/cnnref/experiments`, under the digest of the code: a part that other code
    computed is never used.

    Args:
        script: The file of the experiment: give `__file__`.
        root: Folder of the repository.

    Attributes:
        seconds: How long the parts took to compute, including those of an earlier run.

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
        """Return `compute(*arguments)`, from an earlier run of the same code if there was one.

        Args:
            key: The name of the part, different from that of every other part.
            compute: Returns numbers, strings, lists and dicts with string keys.
            arguments: The arguments of `compute`.
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
            partial.replace(path)  # a run that is stopped leaves no half-written file
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
        ValueError: If the script is anywhere else.
    """
    code = Code(root)
    name = Path(script).resolve().relative_to(root.resolve()).as_posix()
    reached = code.reached(code.text(name), name, without=[_NOT_COUNTED])
    return code.digest({name, *reached} - {_NOT_COUNTED}, "results")


def _is_of_today(code: str, script: Path, root: Path) -> bool:
    return script.exists() and code == code_digest(script, root=root)


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _file(name: str, root: Path) -> Path:
    return root / "docs/labs/results" / f"{name}.json"
