"""The types that annotations share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt

Pair = tuple[int, int]
"""(height, width)."""

Sides = tuple[Pair, Pair]
"""((top, bottom), (left, right))."""

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]

# What a caller may write: for a pair, for the sides of a pooling, for those of a convolution.
IntOrPair = int | Pair
Padding = int | Pair | Sides
ConvPadding = Padding | Literal["valid", "same"]

_Call = TypeVar("_Call", bound=Callable[..., Any])


def typed_like(other: _Call) -> Callable[[Callable[..., Any]], _Call]:
    """Give a function the type of another one with the same arguments, overloads included."""
    return lambda function: cast(_Call, function)
