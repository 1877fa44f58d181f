"""Can a model be called with these arguments?"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from torch import nn

__all__ = ["check_arguments"]


def check_arguments(model: nn.Module, given: Sequence[Any], argument: str = "inputs") -> None:
    """Check that a model's `forward` takes as many arguments as it would be given.

    Args:
        model: The network. Nothing runs.
        given: The positional arguments: the images first.
        argument: Name of the caller's argument that holds them, for error messages.

    Raises:
        TypeError: If an argument of `forward` is missing, or there are too many.
    """
    inner = getattr(model, "_orig_mod", model)  # That of a compiled model takes anything.
    try:
        signature = inspect.signature(inner.forward)
    except (TypeError, ValueError):
        return  # What is not written in Python has no signature to check.
    try:
        signature.bind(*given)
    except TypeError as error:
        names = ", ".join(signature.parameters)
        count = "1 argument" if len(given) == 1 else f"{len(given)} arguments"
        raise TypeError(
            f"`{argument}` holds {count}, but `forward` takes ({names}): {error}; pass them as a "
            f"tuple, the images first, such as `{argument}=({names})`"
        ) from None
