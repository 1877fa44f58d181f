"""The derivation of a layer's cost: a literal, and the operation it must agree with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnref.networks.cost import cost as computed
from cnnref.networks.layers import Conv, Linear, Pool
from cnnref.worked.cost import cost


def test_as_text():
    solution = cost(Conv(64, (3, 2), padding=(1, 0), groups=2, name="stem"), (8, 5, 4))
    assert (
        solution.to_text()
        == """\
stem reads 8×5×4 and gives 64×5×3 (channels × height × width).

Parameters

Each filter has 24 weights and one bias.

  parameters = 64 * (8 / 2 * 3 * 2 + 1)
             = 64 * (24 + 1)
             = 64 * 25
             = 1600

Multiply-adds

Each output cell is a sum of 24 products.

  MACs = 64 * 5 * 3 * 24
       = 960 * 24
       = 23040

FLOPs

A multiply-add is one product and one addition.

  FLOPs = 2 * 23040
        = 46080

Activations

Each output cell takes 4 bytes as a float32.

  bytes = 64 * 5 * 3 * 4
        = 3840"""
    )


def test_a_fully_connected_layer():
    written = cost(Linear(4096, name="fc6"), (25088,)).to_text()
    assert "fc6 reads 25088 and gives 4096 (features)." in written
    assert "parameters = 4096 * (25088 + 1)\n             = 4096 * 25089\n" in written
    assert "MACs = 4096 * 25088\n       = 102760448\n" in written


def test_without_bias():
    written = cost(Conv(2, 1, bias=False), (1, 3, 3)).to_text()
    assert "Each filter has 1 weight and no bias." in written
    assert "parameters = 2 * 1 * 1 * 1\n             = 2 * 1\n             = 2\n" in written
    assert "Each output cell is a sum of 1 product." in written
    assert "parameters = 3 * 7\n             = 21\n" in cost(Linear(3, bias=False), (7,)).to_text()


def test_as_latex_and_markdown():
    solution = cost(Conv(64, 3, groups=2), (8, 5, 4))
    assert r"64 \cdot (\frac{8}{2} \cdot 3 \cdot 3 + 1)" in solution.to_latex()
    assert "cnnref-cells" in solution.to_markdown()
    assert "<div" not in solution._repr_markdown_()
    assert str(solution) == solution.to_text()


side = st.integers(1, 3)


@given(st.tuples(side, side), st.tuples(side, side), st.sampled_from([1, 2, 4]), st.booleans())
def test_agrees_with_the_operation(kernel, stride, groups, bias):
    layer = Conv(8, kernel, stride, groups=groups, bias=bias)
    solution, (found,) = cost(layer, (4, 6, 5)), computed([layer], (4, 6, 5)).layers
    assert solution.parameters == found.parameters
    assert (solution.macs, solution.flops) == (found.macs, found.flops)
    assert solution.activation_bytes == found.activation_bytes
    assert solution.output_shape == found.output_shape
    written = solution.to_text()
    for count in (found.parameters, found.macs, found.flops, found.activation_bytes):
        assert f" = {count}" in written


def test_errors():
    with pytest.raises(TypeError, match=r"must be a Conv or a Linear"):
        cost(Pool(2), (1, 4, 4))
    with pytest.raises(ValueError, match=r"layer 0 \(linear\): linear needs an input of shape"):
        cost(Linear(2), (1, 4, 4))
