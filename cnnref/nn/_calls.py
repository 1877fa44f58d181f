"""Can a model be called with these arguments?"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from torch import nn

__all__ = ["check_arguments", "check_others"]


def check_arguments(model: nn.Module, given: Sequence[Any], argument: str = "inputs") -> None:
    """Check that a model's `forward` takes as many arguments as it would be given.

    Args:
        model: The network. Nothing runs.
        given: The positional arguments: the images first.
        argument: Name of the caller's argument that holds them, for error messages.

    Raises:
        TypeError: If an argument of `forward` is missing, or there are too many.
    """
    error = _misfit(model, given)
    if error is not None:
        names = ", ".join(inspect.signature(_inner(model).forward).parameters)
        count = "1 argument" if len(given) == 1 else f"{len(given)} arguments"
        raise TypeError(
            f"`{argument}` holds {count}, but `forward` takes ({names}): {error}; pass them as a "
            f"tuple, the images first, such as `{argument}=({names})`"
        )


def check_others(model: nn.Module, others: Sequence[Any]) -> None:
    """Check that a network can be called with images and the caller's further arguments.

    Nothing runs.

    Raises:
        TypeError: If its `forward` has other arguments without defaults, or fewer.
    """
    error = _misfit(model, [None, *others])
    if error is None:
        return
    images, *rest = inspect.signature(_inner(model).forward).parameters or ("",)
    named = ", ".join(rest) + "," * (len(rest) == 1)
    if others:
        count = "1 argument" if len(others) == 1 else f"{len(others)} arguments"
        raise TypeError(
            f"`others` holds {count}, but after {images!r} `forward` takes ({named}): {error}"
        )
    raise TypeError(
        f"`model` cannot be called with images alone ({error}); pass its further arguments as "
        f"`others`, such as `others=({named})`"
    )


def _misfit(model: nn.Module, given: Sequence[Any]) -> str | None:
    """Return why `forward` cannot take these arguments; None if it can, or has no signature."""
    try:
        signature = inspect.signature(_inner(model).forward)
    except (TypeError, ValueError):
        return None  # What is not written in Python has no signature to check.
    try:
        signature.bind(*given)
    except TypeError as error:
        return str(error)
    return None


def _inner(model: nn.Module) -> nn.Module:
    inner: nn.Module = getattr(
        model, "_orig_mod", model
    )  # That of a compiled model takes anything.
    return inner
