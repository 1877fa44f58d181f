"""How numbers are written."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnref.worked.numbers import DECIMALS, adds_up, multiplies_to, show


@pytest.mark.parametrize(
    ("value", "text", "rounded"),
    [
        (26, "26", False),
        (-(10**30), "-1" + "0" * 30, False),
        (np.int64(2**62 + 1), str(2**62 + 1), False),
        (np.uint8(255), "255", False),
        (2.5, "2.5", False),
        (100.0, "100", False),
        (-0.0, "0", False),
        (0.1 + 0.2, "0.3", True),
        (np.float32(0.1), "0.1", False),
        (-2 / 3, "-0.6667", True),
        (0.00123, "0.0012", True),
        (0.000999, "9.99e-4", False),
        (123456.789, "123456.789", False),
        (1e9 - 1, "999999999", False),
        (1e9, "1e9", False),
        (1.5e9, "1.5e9", False),
        (1e300 / 3, "3.3333e299", True),
        (math.inf, "inf", False),
        (-math.inf, "-inf", False),
        (math.nan, "nan", False),
    ],
)
def test_show(value, text, rounded):
    assert (show(value).text, show(value).rounded) == (text, rounded)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_shown_is_near_and_never_hides_a_number(value):
    shown = show(value)
    near = Fraction(shown.text)
    assert abs(near - Fraction(value)) <= max(
        Fraction(1, 2 * 10**DECIMALS), abs(Fraction(value)) / (2 * 10**DECIMALS)
    )
    assert (near == 0) == (value == 0)
    assert len(shown.text) <= 16


def test_adding_up_is_decided_on_what_is_shown():
    assert adds_up([show(0.1), show(0.2)], show(0.1 + 0.2))
    assert not adds_up([show(1 / 3)] * 3, show(1.0))
    assert adds_up([show(math.inf), show(1)], show(math.inf))
    assert adds_up([], show(0))
    assert multiplies_to([show(-4), show(0.5)], show(-2.0))
    assert not multiplies_to([show(1 / 3), show(3)], show(1.0))
