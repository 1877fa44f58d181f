"""Argument checks that every operation shares: one rule, one wording.

Each function returns the argument in its normal form (a pair, four sides, an array) or raises
``TypeError`` (wrong kind of value) or ``ValueError`` (right kind, impossible value). A message
names the argument, its value and the rule: ``"`stride` (0) must be at least 1"``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from cnnref._types import Array, Pair, Sides

AXES = ("height", "width")

# Sizes in pixels stay below 2**31, as in PyTorch, so that no product of two of them overflows.
MOST_PIXELS = 2**31 - 1


def as_int(value: object, name: str, minimum: int, maximum: int = 2**63 - 1) -> int:
    """Return an integer between two bounds, included; a bool or a float is a TypeError."""
    number = value if type(value) is int else _index(value, name)
    if number < minimum:
        raise ValueError(f"`{name}` ({shown(value)}) must be at least {minimum}")
    if number > maximum:
        raise ValueError(f"`{name}` ({shown(value)}) must be at most {maximum}")
    return number


def _index(value: object, name: str) -> int:
    """Return what can serve as an index as an int."""
    # A bool is an int to Python, and a bool tensor can index a list; as a size it is a mistake.
    if isinstance(value, bool) or "bool" in str(getattr(value, "dtype", "")):
        raise TypeError(f"`{name}` ({shown(value)}) must be an integer, not a bool")
    # Tensors of one element and masked numbers can be indices too, whatever their shape and mask.
    if not getattr(value, "ndim", 0) and not isinstance(value, np.ma.MaskedArray):
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(f"`{name}` ({shown(value)}) must be an integer")


def as_index(value: object, name: str, size: int) -> int:
    """Return an index from 0 to ``size - 1``; anything else is an IndexError or a TypeError."""
    number = value if type(value) is int else _index(value, name)
    if not 0 <= number < size:
        raise IndexError(f"`{name}` ({shown(value)}) must be from 0 to {size - 1}")
    return number


def as_pair(value: object, name: str, minimum: int) -> Pair:
    """Return an int or a (height, width) pair as a pair of ints of at least ``minimum``."""
    items = None if type(value) is int else _sequence(value)
    if items is None:
        number = as_int(value, name, minimum, MOST_PIXELS)
        return number, number
    if len(items) != 2:
        raise ValueError(f"`{name}` ({shown(value)}) must be an int or a (height, width) pair")
    height, width = (as_int(item, name, minimum, MOST_PIXELS) for item in items)
    return height, width


def as_sides(value: object, name: str = "padding") -> Sides:
    """Return numeric padding as ((top, bottom), (left, right))."""
    items = None if type(value) is int else _sequence(value)
    if items is not None:
        nested = [_sequence(item) is not None for item in items]
        if len(items) == 2 and all(nested):
            return as_pair(items[0], name, 0), as_pair(items[1], name, 0)
        if len(items) != 2 or any(nested):
            raise ValueError(
                f"`{name}` ({shown(value)}) must be an int, a (height, width) pair "
                "or ((top, bottom), (left, right))"
            )
    height, width = as_pair(value, name, 0)
    return (height, height), (width, width)


def as_padding(value: object, kernel_size: Pair, stride: Pair, dilation: Pair) -> Sides:
    """Return the padding of a convolution, ``"valid"`` and ``"same"`` included, as four sides.

    ``"same"`` puts the odd pixel of an even reach at the end (bottom, right), as PyTorch does.
    """
    if not isinstance(value, str):
        return as_sides(value)
    if value == "valid":
        return (0, 0), (0, 0)
    if value == "same":
        if stride != (1, 1):
            raise ValueError(
                f"`padding` ('same') needs `stride` 1, not {stride}: with a larger stride the "
                "padding depends on the input size; see `cnnref.same_padding`"
            )
        height, width = (d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True))
        return (height // 2, height - height // 2), (width // 2, width - width // 2)
    raise ValueError(f"`padding` ({shown(value)}) must be 'valid', 'same' or numbers")


def as_flag(value: object, name: str) -> bool:
    """Return a bool; a number is a TypeError, since it was most likely meant for another argument.

    So is the text ``"False"``, which is true to Python.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(f"`{name}` ({shown(value)}) must be True or False")


def as_choice(value: object, name: str, choices: Iterable[str]) -> str:
    """Return a word that is one of a few."""
    words = tuple(choices)
    rule = f"`{name}` ({shown(value)}) must be {', '.join(map(repr, words[:-1]))} or {words[-1]!r}"
    if not isinstance(value, str):
        raise TypeError(rule)
    if value not in words:
        raise ValueError(rule)
    return value


def as_real(value: object, name: str) -> float:
    """Return a real number as a float; NaN and the infinities are real numbers too."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (Real, np.number)):
        raise TypeError(f"`{name}` ({shown(value)}) must be a real number")
    if isinstance(value, np.complexfloating):
        raise TypeError(f"`{name}` ({shown(value)}) must be a real number, not a complex one")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"`{name}` ({shown(value)}) is too large for a float") from None


def as_array(value: object, name: str) -> Array:
    """Return anything ``numpy.asarray`` takes as an array of integers or real floats."""
    if _holds_mask(value):
        raise TypeError(
            f"`{name}` is a masked array, and its mask would be lost: replace the masked cells "
            "first, for example with `.filled(0)`"
        )
    try:
        array = np.asarray(value)
    except (RuntimeError, TypeError, ValueError) as error:
        # A tensor that requires grad, one on another device, or a ragged list: their own words
        # say what to do (`.detach()`, `.cpu()`), ours say which argument it was.
        raise TypeError(f"`{name}` cannot be read as an array: {error}") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(f"`{name}` has dtype {array.dtype}; it must hold integers or real floats")
    return array


def as_images(value: object, name: str = "input", *, empty: bool = False) -> tuple[Array, bool]:
    """Return images as (N, C, H, W) and whether the caller's array had the batch axis.

    Args:
        value: The caller's argument.
        name: Its name.
        empty: Whether images without channels, rows or columns are allowed. A batch of no images
            always is.
    """
    array = as_array(value, name)
    if array.ndim not in (3, 4):
        raise ValueError(f"`{name}` has shape {array.shape}; it must be (C, H, W) or (N, C, H, W)")
    if not empty:
        refuse_empty(array.shape[-3:], name, IMAGE_AXES)
    batched = array.ndim == 4
    return (array if batched else array[None]), batched


def as_vector(value: object, name: str, length: int, item: str) -> Array:
    """Return one number for each of ``length`` items, such as filters."""
    array = as_array(value, name)
    if array.shape != (length,):
        raise ValueError(
            f"`{name}` has shape {array.shape}; it must be ({length},), one per {item}"
        )
    return array


IMAGE_AXES = ("channels", "rows", "columns")
FILTER_AXES = ("filters", *IMAGE_AXES)


def refuse_empty(shape: Sequence[int], name: str, axes: Sequence[str]) -> None:
    """Refuse a shape with a zero in it; ``axes`` says what each of its numbers counts."""
    if 0 in shape:
        raise ValueError(f"`{name}` (of shape {tuple(shape)}) has no {axes[shape.index(0)]}")


def as_shape(value: object, name: str, wanted: str, lengths: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of an array that is not given itself, of as many axes as ``lengths`` says.

    Args:
        value: The caller's argument.
        name: Its name.
        wanted: The shape in words, for the message.
        lengths: The numbers of axes it may have.
    """
    items = _sequence(value)
    if items is None:
        raise TypeError(f"`{name}` ({shown(value)}) must be a shape, {wanted}")
    if len(items) not in lengths:
        raise ValueError(f"`{name}` ({shown(value)}) must be {wanted}")
    return tuple(as_int(size, name, 0, MOST_PIXELS) for size in items)


def refuse_huge(shape: Sequence[int], name: str, value: object) -> None:
    """Refuse an argument that asks for an array with more bytes than an address can count.

    NumPy refuses it too, but without the name of the argument.
    """
    if math.prod(shape) >= 2**60:  # of 8 bytes each
        sizes = "×".join(map(str, shape))
        raise ValueError(f"`{name}` ({shown(value)}) asks for an array of {sizes} numbers")


def _sequence(value: object) -> Sequence[Any] | None:
    """Return a tuple, list or 1-D array as a sequence; None for a scalar or anything else."""
    if isinstance(value, (tuple, list)):
        return value
    if isinstance(value, np.ndarray) and value.ndim:
        return list(value)
    return None


def _holds_mask(value: object) -> bool:
    """Return whether a value is a masked array or a list with one in it, however deep."""
    if isinstance(value, (list, tuple)):
        return any(map(_holds_mask, value))
    return isinstance(value, np.ma.MaskedArray)


def shown(value: object) -> str:
    """Write a value for a message; Python refuses to write an integer of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    return repr(value)
