"""Which dtype an operation computes in, and which one it returns."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnref._types import Array

DType = np.dtype[Any]
_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)


def sum_dtype(dtype: DType) -> DType:
    """Return the dtype to sum in: float32 for float16, which has too few digits for a sum."""
    return _SINGLE if dtype == _HALF else dtype


def float_dtype(dtype: DType) -> DType:
    """Return a dtype that can hold a mean: floats stay as they are, integers become float64."""
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


def as_dtype(array: Array, dtype: DType) -> Array:
    """Return an array in a dtype: itself if it has it already, sooner than `astype` would."""
    return array if array.dtype == dtype else array.astype(dtype)


def as_floats(array: Array) -> Array:
    """Return an array of floats as it is and one of integers as float64."""
    return array.astype(float_dtype(array.dtype), copy=False)


def result_dtype(**arrays: Array | None) -> DType:
    """Return NumPy's result type of the named arrays, leaving out those that are None.

    Raises:
        TypeError: If all arrays hold integers but no integer type holds the values of all of them.
            NumPy would compute int64 with uint64 in float64, and round.
    """
    different = {array.dtype for array in arrays.values() if array is not None}
    if len(different) == 1:
        return different.pop()  # what NumPy would say, a microsecond sooner
    given = {name: array.dtype for name, array in arrays.items() if array is not None}
    dtype = np.result_type(*given.values())
    if dtype.kind == "f" and all(each.kind in "iu" for each in given.values()):
        kinds = " and ".join(f"`{name}` ({each})" for name, each in given.items())
        raise TypeError(
            f"{kinds} have no integer type in common; convert them to the same dtype, for example "
            "with `.astype(np.int64)`"
        )
    return dtype
