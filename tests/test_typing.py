"""A user's type checker accepts correct calls of the package and finds the wrong ones."""

from __future__ import annotations

import re

import pytest
from mypy import api

PREAMBLE = """\
import numpy as np
import numpy.typing as npt
import cnnref

x: npt.NDArray[np.float32] = np.ones((3, 8, 8), np.float32)
w = np.ones((4, 3, 3, 3), np.float32)
"""

GOOD = """\
y: npt.NDArray[np.float32] = cnnref.conv2d(x, w, stride=(2, 1), padding="same")
y = cnnref.conv2d([[[1, 2], [3, 4]]], [[[[1]]]], [1.0], padding=((1, 0), (0, 1)), groups=1)
y = cnnref.conv_transpose2d(x, w, stride=2, padding=1, output_padding=(1, 0))
y = cnnref.conv2d_input_grad(x.shape, w, y, padding="valid", dilation=(1, 2))
y = cnnref.max_pool2d(x, 2, None, 0, 1, True)
y = cnnref.max_pool2d(x, (2, 3), return_indices=False)
values, places = cnnref.max_pool2d(x, 2, return_indices=True)
y = values + places
y = cnnref.max_pool2d_loops(x, 2)
y = cnnref.adaptive_avg_pool2d(x, (3, 2))
y = cnnref.adaptive_max_pool2d(x, 3)
values, places = cnnref.adaptive_max_pool2d(x, 3, return_indices=True)
y = cnnref.max_unpool2d(values, places, 2, output_size=(1, 1, 8, 8))
values, places = cnnref.max_pool2d_loops(x, 2, return_indices=True)
y = cnnref.avg_pool2d(x, 3, stride=2, padding=1, divisor_override=4)
y = cnnref.pad2d(x, (1, 2), mode="reflect")
y = cnnref.batch_norm(x[None], None, None, training=True).output
columns = cnnref.im2col(x, kernel_size=3, padding="same")
size: int = cnnref.output_size(128, 3, stride=2)
pair: tuple[int, int] = cnnref.output_size((128, 64), 3, padding="same")
pair = cnnref.output_size(128, (3, 5))
pair = cnnref.output_size((128, 64), (3, 5), ceil_mode=True)
mask: npt.NDArray[np.bool_] = cnnref.unread_pixels(5, 2, stride=2)
y = cnnref.conv2d(x, w, padding=cnnref.same_padding(8, 3, extra="start"))
levels: list[npt.NDArray[np.float32]] = cnnref.gaussian_pyramid(x, 2)
"""

BAD = [
    'cnnref.conv2d(x, w, stride="2")',
    "cnnref.conv2d(x, w, stride=1.5)",
    "cnnref.conv2d(x, w, stride=(1, 2, 3))",
    'cnnref.conv2d(x, w, padding="full")',
    "cnnref.conv2d(x, w, padding=(1, (0, 1)))",
    "cnnref.conv2d(x, w, groups=(1, 1))",
    "cnnref.conv2d(x)",
    "cnnref.conv2d(x, w, strides=2)",
    "cnnref.conv2d(None, w)",
    'cnnref.conv2d_loops(x, w, dilation="2")',
    'cnnref.conv_transpose2d(x, w, padding="same")',
    'cnnref.conv_transpose2d(x, w, output_padding="1")',
    "cnnref.conv2d_input_grad(8, w, x)",
    'cnnref.conv2d_weight_grad(x, (4, 3, 3, 3), x, stride="2")',
    'cnnref.max_pool2d(x, "2")',
    'cnnref.max_pool2d(x, 2, return_indices="yes")',
    "cnnref.max_pool2d(x, 2, return_indices=True).shape",
    'cnnref.avg_pool2d(x, 2, ceil_mode="False")',
    'cnnref.adaptive_avg_pool2d(x, "3")',
    "cnnref.adaptive_max_pool2d(x, 3, return_indices=True).shape",
    'cnnref.max_unpool2d(x, x, 2, padding="same")',
    'cnnref.avg_pool2d_input_grad(x, "8", 2)',
    'cnnref.max_pool2d_input_grad(x, x, 2, dilation="1")',
    "size: int = cnnref.output_size((128, 64), 3)",
    "size: int = cnnref.output_size(128, (3, 5))",
    'cnnref.output_size("128", 3)',
    'cnnref.pad2d(x, 1, mode="mirror")',
    'cnnref.pad2d(x, "same")',
    'cnnref.same_padding(8, 3, extra="top")',
    'cnnref.im2col(x, "3")',
    'cnnref.toeplitz_matrix(w, input_size="8")',
    "cnnref.space_to_depth(x, 2.0)",
    'cnnref.softmax(x, dim="1")',
    "cnnref.pyramid_expand(x, (8, 8, 8))",
    "cnnref.conv3d(x, w)",
]


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Check one program with all calls in it; return its lines and what mypy says to each."""
    lines = [*PREAMBLE.splitlines(), *GOOD.splitlines(), *BAD]
    folder = tmp_path_factory.mktemp("user")
    program = folder / "program.py"
    program.write_text("\n".join(lines) + "\n", encoding="utf-8")
    # Not the repository's configuration: a user has none of it.
    settings = folder / "mypy.ini"
    settings.write_text("[mypy]\n", encoding="utf-8")
    out, err, _ = api.run(
        ["--strict", "--no-error-summary", "--config-file", str(settings),
         "--cache-dir", str(folder / "cache"), str(program)]
    )  # fmt: skip
    assert not err, err
    errors = {}
    for number, message in re.findall(r"program\.py:(\d+): error: (.*)", out):
        errors.setdefault(lines[int(number) - 1], message)
    elsewhere = [line for line in out.splitlines() if "error" in line and "program.py" not in line]
    assert not elsewhere, elsewhere
    return errors


def test_correct_calls_are_accepted(reported):
    wrong = {line: reported[line] for line in (PREAMBLE + GOOD).splitlines() if line in reported}
    assert not wrong


@pytest.mark.parametrize("line", BAD)
def test_a_wrong_call_is_found(reported, line):
    assert line in reported, "mypy has nothing against it"
    assert "import" not in reported[line], reported[line]


def test_the_package_says_that_it_is_typed(reported):
    # Without py.typed every name of the package would be Any, and nothing above would be found.
    assert '"conv3d"' in reported["cnnref.conv3d(x, w)"]
