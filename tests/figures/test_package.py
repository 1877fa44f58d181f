"""What importing cnnref.figures needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

# An entry of None hides a package, as if it were not installed.
HIDDEN = """
import sys
sys.modules["matplotlib"] = None
try:
    {statement}
except ModuleNotFoundError as error:
    print(error.name, "|", error)
"""


@pytest.mark.parametrize(
    "statement", ["import cnnref.figures", "from cnnref.figures import pooling"]
)
def test_without_matplotlib_the_error_names_the_extra_to_install(statement):
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN.format(statement=statement)],
        capture_output=True,
        text=True,
        check=True,
    )
    expected = "matplotlib | cnnref.figures needs matplotlib: pip install 'cnnref[figures]'"
    assert done.stdout.strip() == expected
