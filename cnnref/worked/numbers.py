r"""Numbers as worked solutions show them: short, with rounding made visible.

A number is turned into text once. Whether a sum adds up is decided from those texts, in exact
fractions, because the reader can check only what is written.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

DECIMALS = 4
"""Largest number of decimals shown; a number with more is rounded."""

_SMALLEST, _LARGEST = 1e-3, 1e9  # beyond these, a float is shown as mantissa and exponent


@dataclass(frozen=True, slots=True)
class Shown:
    """A number and its text.

    Attributes:
        text: The digits, such as ``-12``, ``0.25`` or ``1.5e-7``; ``inf`` and ``nan`` as they are.
        rounded: True if the text is not exact.
    """

    text: str
    rounded: bool

    def __str__(self) -> str:
        return self.text


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".")


def _scientific(value: float) -> str:
    mantissa, exponent = f"{value:.{DECIMALS}e}".split("e")
    return f"{_trim(mantissa)}e{int(exponent)}"


def show(value: Any) -> Shown:
    r"""Write a real number: integers exactly, floats with at most four decimals.

    Floats with an absolute value below $10^{-3}$ or from $10^9$ up have an exponent, so that only
    zero is shown as 0.

    Args:
        value: A real number from Python or NumPy.

    Returns:
        The text, and whether it is rounded.

    Examples:
        >>> show(2.50), show(1 / 3)
        (Shown(text='2.5', rounded=False), Shown(text='0.3333', rounded=True))
        >>> show(2e-7).text
        '2e-7'
    """
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return Shown(str(int(value)), rounded=False)
    number = float(value)
    if not math.isfinite(number):
        return Shown(str(number), rounded=False)
    if number == 0:
        return Shown("0", rounded=False)
    # str() of a NumPy float is the shortest text that reads back as the same number in its own
    # precision.
    return _shortened(number, str(value))


# A derivation shows each number many times: once for each window it is in.
@functools.lru_cache(maxsize=4096)
def _shortened(number: float, exact: str) -> Shown:
    plain = _SMALLEST <= abs(number) < _LARGEST
    text = _trim(f"{number:.{DECIMALS}f}") if plain else _scientific(number)
    return Shown(text, rounded=_read(text) != _read(exact))


_read = functools.lru_cache(maxsize=4096)(Fraction)


def adds_up(terms: Iterable[Shown], total: Shown) -> bool:
    """Return whether the shown terms add up to the shown total exactly.

    Sums with an infinity or nan have no exact form, so they count as exact.

    Examples:
        >>> adds_up([show(0.1), show(0.2)], show(0.1 + 0.2))
        True
        >>> adds_up([show(1 / 3), show(1 / 3), show(1 / 3)], show(1.0))
        False
    """
    return _holds(terms, total, product=False)


def multiplies_to(factors: Iterable[Shown], product: Shown) -> bool:
    """Return whether the product of the shown factors is exactly the shown product."""
    return _holds(factors, product, product=True)


def _holds(operands: Iterable[Shown], result: Shown, *, product: bool) -> bool:
    operands = list(operands)
    if not all(math.isfinite(float(x.text)) for x in (*operands, result)):
        return True
    values = [_read(x.text) for x in operands]
    combined = math.prod(values, start=Fraction(1)) if product else sum(values, start=Fraction(0))
    return combined == _read(result.text)
