"""Every derivation refuses a bad choice of cells, parts and limits by its name."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from cnnref import worked
from cnnref.networks import Conv
from tests.helpers.arrays import arange
from tests.helpers.refusals import refused

X, W = arange((2, 4, 5)), arange((3, 2, 2, 2))
SOLUTIONS: dict[str, worked.Solution] = {
    "convolution": worked.convolution(X, W),
    "convolution_matrix": worked.convolution_matrix(X, W),
    "max_pool2d": worked.max_pool2d(X, 2),
    "avg_pool2d": worked.avg_pool2d(X / 4, 2),
    "space_to_depth": worked.space_to_depth(X[:, :, :4], 2),
    "template_matching": worked.template_matching(X, W[0]),
    "transposed_convolution": worked.transposed_convolution(X[:1, :2, :2], W[:1]),
    "gradients": worked.gradients(X, W, arange((3, 3, 4))),
    "receptive_field": worked.receptive_field([Conv(1, 3)]),
    "cost": worked.cost(Conv(1, 3), (1, 4, 4)),
    "output_shape": worked.output_shape((1, 4, 4), (1, 1, 2, 2)),
}
LIMITS = [
    (name, parameter)
    for name, solution in SOLUTIONS.items()
    for parameter in inspect.signature(solution.document).parameters
    if parameter.startswith("max_")
]


def test_every_kind_of_derivation_is_here():
    kinds = {kind for name in worked.__all__ if (kind := getattr(worked, name)) in subclasses()}
    concrete = {kind for kind in kinds if not inspect.isabstract(kind)}
    assert {type(solution) for solution in SOLUTIONS.values()} == concrete


def subclasses() -> set[type]:
    found, new = set(), {worked.Solution}
    while new:
        found |= new
        new = {sub for kind in new for sub in kind.__subclasses__()}
    return found


@pytest.mark.parametrize("form", ["to_text", "to_latex", "to_markdown"])
@pytest.mark.parametrize(("name", "parameter"), LIMITS)
def test_limits(name, parameter, form):
    write = getattr(SOLUTIONS[name], form)
    for wrong in ("a", 2.0, True, None):
        with refused(TypeError, parameter, "must be an integer"):
            write(**{parameter: wrong})
    for wrong in (1, 0, -3):
        with refused(ValueError, parameter, f"({wrong}) must be at least 2"):
            write(**{parameter: wrong})
    assert write(**{parameter: 2})


@pytest.mark.parametrize(
    "name", [n for n, s in SOLUTIONS.items() if isinstance(s, worked.CellSolution)]
)
def test_cells(name):
    solution = SOLUTIONS[name]
    names = solution.cell_names
    for wrong in (1, "ab", 2.5, {0: 1}):
        with refused(TypeError, "cells", "must be a list of cells"):
            solution.cells_at(wrong)
    for wrong in (1, "ab", None, 0.5):
        with refused(TypeError, "cells", f"must be ({', '.join(names[1:])})"):
            solution.cells_at([wrong])
    for wrong in ((), (0,), (0,) * (len(names) + 1), (0,) * (len(names) - 2)):
        with refused(ValueError, "cells", f"or ({', '.join(names)})"):
            solution.cells_at([wrong])
    for place, axis in enumerate(names):
        index = [0] * len(names)
        for wrong in (-1, solution.shape[place]):
            index[place] = wrong
            with refused(IndexError, axis, f"({wrong})"):
                solution.cells_at([index])
        index[place] = 0.0
        with refused(TypeError, axis, "must be an integer"):
            solution.cells_at([index])
    last = tuple(size - 1 for size in solution.shape)
    first, without_image, end = solution.cells_at([(0,) * len(names), (0,) * len(last[1:]), last])
    assert repr(first) == repr(without_image) != repr(end)
    if "cells" in inspect.signature(solution.document).parameters:
        with refused(TypeError, "cells", "must be a list of cells"):
            solution.to_text(cells=3)


def test_parts_of_gradients():
    solution = SOLUTIONS["gradients"]
    for wrong in (1, None, "input"):
        with refused(TypeError, "parts", "must be a list of strings"):
            solution.to_text(parts=wrong)
    with refused(TypeError, "parts", "must be 'input', 'weight' or 'bias'"):
        solution.to_text(parts=[1])
    with refused(ValueError, "parts", "('output') must be 'input', 'weight' or 'bias'"):
        solution.to_text(parts=["bias", "output"])
    assert solution.to_text(parts=("bias",)).startswith("Gradient with respect to the bias")


def test_iterating_yields_every_cell_once():
    solution = SOLUTIONS["convolution"]
    places = [(cell.image, cell.filter, cell.row, cell.column) for cell in solution]
    assert places == list(np.ndindex(1, 3, 3, 4))
    assert len(solution) == len(places)


def test_a_notebook_shows_plain_markdown():
    for solution in SOLUTIONS.values():
        assert solution._repr_markdown_() == solution.to_markdown(grid=False)
        assert str(solution) == solution.to_text()
        assert "<div" not in solution._repr_markdown_()
