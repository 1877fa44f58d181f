"""Integer overflow: operations wrap, but a derivation that wrapped would print false sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cnnref._types import Array


def magnitudes(array: Array) -> npt.NDArray[np.float64]:
    """Return absolute values as floats. Their sums bound every partial sum of the numbers."""
    return np.abs(array.astype(np.float64))


def refuse_wrapping(names: str, dtype: np.dtype[Any], bounds: Array) -> None:
    """Refuse integers whose products or sums may not fit into their dtype.

    Args:
        names: The arguments that hold them, for the message.
        dtype: The dtype of the products and sums.
        bounds: The result, computed from `magnitudes`.

    Raises:
        ValueError: If a product or a partial sum may be too large.
    """
    if dtype.kind in "iu" and (most := np.iinfo(dtype).max) < (largest := bounds.max(initial=0)):
        raise ValueError(
            f"{names} give {dtype}, which holds numbers up to {most}, and a product or sum may "
            f"reach {largest:.0f}: convert them to a wider dtype or to floats"
        )
