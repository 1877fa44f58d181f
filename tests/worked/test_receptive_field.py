"""The derivation of a receptive field: a literal, and the operation it must agree with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnref.networks import resnet50, vgg16
from cnnref.networks.layers import (
    Activation,
    Branches,
    Conv,
    Flatten,
    GlobalAvgPool,
    Pool,
    residual,
)
from cnnref.networks.receptive_field import receptive_field as computed
from cnnref.worked.receptive_field import receptive_field

LAYERS = [
    Conv(8, 3, padding=1, name="conv1"),
    Activation(),
    Pool(2, name="pool1"),
    Conv(8, 3, padding=2, dilation=2, name="conv2"),
]


def test_as_text():
    solution = receptive_field(LAYERS)
    assert solution.result == computed(LAYERS)[-1]
    assert (
        solution.to_text()
        == """\
Along each axis a cell reads a field of r pixels. Its neighbour reads j pixels further on. The \
first cell begins at pixel f, counted from 0; the padding in front of the image has negative \
numbers.

The image itself has r0 = 1, j0 = 1 and f0 = 0. A layer with window size k, stride s, dilation d \
and padding p in front makes of them

  r1 = r0 + (k - 1) * d * j0

  f1 = f0 - p * j0

  j1 = j0 * s

Layers that read one cell change nothing: relu.

1. conv1

Window 3, stride 1, padding 1.

  r1 = 1 + (3 - 1) * 1 * 1
     = 3

  f1 = 0 - 1 * 1
     = - 1

  j1 = 1 * 1
     = 1

2. pool1

Window 2, stride 2.

  r2 = 3 + (2 - 1) * 1 * 1
     = 4

  f2 = - 1 - 0 * 1
     = - 1

  j2 = 1 * 2
     = 2

3. conv2

Window 3, stride 1, padding 2, dilation 2.

  r3 = 4 + (3 - 1) * 2 * 2
     = 12

  f3 = - 1 - 2 * 2
     = - 5

  j3 = 2 * 1
     = 2

The centre of the first cell's field, its start, is

  start = - 5 + (12 - 1) / 2
        = 0.5"""
    )


def test_as_latex_and_markdown():
    solution = receptive_field(LAYERS)
    assert r"r_{3} &= 4 + (3 - 1) \cdot 2 \cdot 2" in solution.to_latex()
    assert r"\text{start} &= - 5 + \frac{12 - 1}{2} \\" in solution.to_markdown()
    assert "cnnref-cells" in solution.to_markdown()
    assert "<div" not in solution._repr_markdown_()
    assert str(solution) == solution.to_text()


def test_axes_that_differ_are_derived_apart():
    written = receptive_field([Conv(1, (3, 2), (1, 2), (0, 1))]).to_text()
    height, width = written.split("Height")[1].split("Width")
    assert "r1 = 1 + (3 - 1) * 1 * 1" in height
    assert "r1 = 1 + (2 - 1) * 1 * 1" in width
    assert "start = - 1 + (2 - 1) / 2\n        = - 0.5" in width


def test_a_block_names_each_path():
    block = Branches([[Conv(1, 5, padding=2)], []], name="mixed")
    written = receptive_field([Pool(2), block]).to_text()
    assert "Path 1 reads 10 pixels, from - 4 to 5.\n" in written
    assert "Path 2 reads 2 pixels, from 0 to 1.\n" in written
    assert "from the first of these pixels to the last, from - 4 to 5; each path steps by 2" in (
        written
    )
    assert "1 pixel, from" in receptive_field([residual([])]).to_text()


@pytest.mark.parametrize("layers", [vgg16(), resnet50(), [], [Flatten()]])
def test_agrees_with_the_operation_on_networks(layers):
    solution, fields = receptive_field(layers), computed(layers)
    if fields:
        assert (solution.result.size, solution.result.first) == (fields[-1].size, fields[-1].first)
    assert solution.to_markdown()


pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
conv = st.builds(Conv, st.just(1), pair, pair, pair, pair)


@settings(max_examples=80, deadline=None)
@given(st.lists(conv, min_size=1, max_size=4))
def test_agrees_with_the_operation(layers):
    solution = receptive_field(layers)
    assert [step.after for step in solution.steps] == list(computed(layers))
    written = solution.to_text()
    for step in solution.steps:
        for axis in (0, 1):
            assert f"     = {step.after.size[axis]}\n" in written


def test_errors_come_from_the_operation():
    with pytest.raises(TypeError, match=r"item 0 of `layers` \(3\) is not a Layer"):
        receptive_field([3])
    with pytest.raises(ValueError, match="end with the jumps 2, 1"):
        receptive_field([Branches([[Pool(2)], []])])


def test_ends_before_a_block_with_a_layer_that_has_no_field_of_one_size():
    block = residual([GlobalAvgPool(), Conv(1, 1)])
    solution = receptive_field([Conv(1, 3), block, Conv(1, 5)])
    assert [step.name for step in solution.steps] == ["conv 3×3"]
    assert solution.result.size == (3, 3)


def test_axes_that_are_alike_are_written_once():
    alike = receptive_field([Conv(1, 2, padding=((0, 1), (0, 1)))]).to_text()
    assert "Height" not in alike
    unlike = receptive_field([Conv(1, 2, padding=((1, 0), (0, 1)))]).to_text()
    assert unlike.index("Height") < unlike.index("Width")
