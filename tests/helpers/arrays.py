"""Arrays to test on, and what PyTorch computes from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray


def arange(
    shape: int | Sequence[int], dtype: DTypeLike = np.int64, start: int = -7, divisor: int = 4
) -> NDArray[Any]:
    """Return numbers of both signs, with ties, that differ along every axis.

    The floats are quarters unless ``divisor`` says otherwise: their sums and products are exact
    even in float32, so that two ways to compute them must agree to the last bit.
    """
    values = (np.arange(np.prod(shape, dtype=int)) * 5 % 23 + start).reshape(shape)
    return (values if np.dtype(dtype).kind in "iu" else values / divisor).astype(dtype)


def by_torch(
    function: Callable[..., torch.Tensor], *arrays: NDArray[Any] | None, **options: Any
) -> NDArray[Any]:
    """Call a PyTorch function on NumPy arrays and return its result as a NumPy array.

    PyTorch has no dilated or transposed convolution of int32, so int32 is computed in int64.
    """
    tensors = [None if array is None else torch.from_numpy(array) for array in arrays]
    if arrays[0] is not None and arrays[0].dtype == np.int32:
        tensors = [None if tensor is None else tensor.long() for tensor in tensors]
        return function(*tensors, **options).int().numpy()
    return function(*tensors, **options).numpy()
