"""Argument checks shared by every operation: one rule, one wording.

Each function returns the argument in its normal form (a pair, four sides, an array) or raises
``TypeError`` (wrong kind of value) or ``ValueError`` (right kind, impossible value). Messages name
the argument, its value and the rule: ``"`stride` (=0) must be at least 1"``.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]
Array = npt.NDArray[Any]
# What a caller may write: for pairs (height, width), for the sides of a pooling, of a convolution.
IntOrPair = int | Pair
Padding = int | Pair | Sides
ConvPadding = Padding | Literal["valid", "same"]


def as_int(value: object, name: str, minimum: int) -> int:
    """Return ``value`` as an int of at least ``minimum``; a bool or a float is a TypeError."""
    if type(value) is int and value >= minimum:
        return value
    # bool is an int to Python; stride=True is a slip, not a stride.
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"`{name}` (={value!r}) must be an integer, not a bool")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"`{name}` (={value!r}) must be an integer") from None
    if number < minimum:
        raise ValueError(f"`{name}` (={value!r}) must be at least {minimum}")
    return number


def as_pair(value: object, name: str, minimum: int) -> Pair:
    """Return an int or a (height, width) pair as a pair of ints of at least ``minimum``."""
    items = None if type(value) is int else _sequence(value)
    if items is None:
        number = as_int(value, name, minimum)
        return number, number
    if len(items) != 2:
        raise ValueError(f"`{name}` (={value!r}) must be an int or a (height, width) pair")
    return as_int(items[0], name, minimum), as_int(items[1], name, minimum)


def as_sides(value: object, name: str = "padding") -> Sides:
    """Return numeric padding as ((top, bottom), (left, right))."""
    items = _sequence(value)
    if items is not None and len(items) == 2 and all(_sequence(item) is not None for item in items):
        return as_pair(items[0], name, 0), as_pair(items[1], name, 0)
    if items is not None and (
        len(items) != 2 or any(_sequence(item) is not None for item in items)
    ):
        raise ValueError(
            f"`{name}` (={value!r}) must be an int, a (height, width) pair "
            "or ((top, bottom), (left, right))"
        )
    height, width = as_pair(value, name, 0)
    return (height, height), (width, width)


def as_padding(value: object, kernel_size: Pair, stride: Pair, dilation: Pair) -> Sides:
    """Return convolution padding, ``"valid"`` and ``"same"`` included, as four sides.

    ``"same"`` puts the odd pixel of an even reach at the end (bottom, right), as PyTorch does.
    """
    if not isinstance(value, str):
        return as_sides(value)
    if value == "valid":
        return (0, 0), (0, 0)
    if value == "same":
        if stride != (1, 1):
            raise ValueError(
                f"`padding` (='same') needs `stride` 1, not {stride}: with a larger stride the "
                "padding depends on the input size; see `cnnref.same_padding`"
            )
        top, left = (d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True))
        return (top // 2, top - top // 2), (left // 2, left - left // 2)
    raise ValueError(f"`padding` (={value!r}) must be 'valid', 'same' or numbers")


def as_array(value: object, name: str) -> Array:
    """Return anything ``numpy.asarray`` takes as an array of integers or real floats."""
    try:
        array = np.asarray(value)
    except (RuntimeError, TypeError, ValueError) as error:
        # A tensor that requires grad, one on another device, or a ragged list: their own words
        # say what to do (`.detach()`, `.cpu()`), ours say which argument it was.
        raise TypeError(f"`{name}` cannot be read as an array: {error}") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(f"`{name}` has dtype {array.dtype}; it must hold integers or real floats")
    return array


def as_images(value: object, name: str = "input") -> tuple[Array, bool]:
    """Return images as (N, C, H, W) and whether the caller's array had the batch axis."""
    array = as_array(value, name)
    if array.ndim not in (3, 4):
        raise ValueError(f"`{name}` has shape {array.shape}; it must be (C, H, W) or (N, C, H, W)")
    batched = array.ndim == 4
    return (array if batched else array[None]), batched


def output_length(
    size: int, kernel: int, stride: int, padding: Pair, dilation: int, axis: str
) -> int:
    """Return how many windows fit along one axis; refuse a window larger than the padded input."""
    padded, reach = size + sum(padding), dilation * (kernel - 1) + 1
    if reach > padded:
        raise ValueError(
            f"the window reaches {reach} pixels in {axis} (`kernel_size` {kernel}, `dilation` "
            f"{dilation}) but the padded input has only {padded}"
        )
    return (padded - reach) // stride + 1


class Conv2dArguments(NamedTuple):
    """The arguments of a convolution in their normal form.

    Attributes:
        input: Images, shape (N, C, H, W), in the result's dtype.
        weight: Filters, shape (O, C / groups, kH, kW), in the result's dtype.
        bias: One number a filter, shape (O,), in the result's dtype, or None.
        stride: Step of the window (down, right), in pixels.
        padding: ((top, bottom), (left, right)), in pixels.
        dilation: Distance between neighbouring taps (down, right), in pixels; 1 is dense.
        groups: Number of groups the channels are split into.
        output_size: Height and width of the result.
        dtype: The result's dtype.
        batched: Whether the caller's input had the batch axis.
    """

    input: Array
    weight: Array
    bias: Array | None
    stride: Pair
    padding: Sides
    dilation: Pair
    groups: int
    output_size: Pair
    dtype: np.dtype[Any]
    batched: bool


def check_conv2d(
    input: object,
    weight: object,
    bias: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
) -> Conv2dArguments:
    """Check the arguments of a convolution, for the loops, the fast form and the derivation alike.

    Raises:
        TypeError: If an argument is of the wrong kind (bool, float where an int is due, text).
        ValueError: If shapes do not fit together, or a number is out of its range.
    """
    images, batched = as_images(input)
    filters = as_array(weight, "weight")
    if filters.ndim != 4:
        raise ValueError(f"`weight` has shape {filters.shape}; it must be (O, C / groups, kH, kW)")
    out_channels, group_channels, *kernel = filters.shape
    in_channels = images.shape[1]
    _refuse_empty(filters.shape, "weight", ("filters", "channels", "rows", "columns"))
    _refuse_empty(images.shape[1:], "input", ("channels", "rows", "columns"))
    group_count = as_int(groups, "groups", 1)
    for count, name in ((in_channels, "in_channels"), (out_channels, "out_channels")):
        if count % group_count:
            raise ValueError(f"`{name}` (={count}) must be divisible by `groups` (={group_count})")
    if group_channels != in_channels // group_count:
        raise ValueError(
            f"`weight` has {group_channels} channels a filter; `input` has {in_channels} channels "
            f"in {group_count} group(s), so each filter needs {in_channels // group_count}"
        )

    kernel_size = (kernel[0], kernel[1])
    stride_pair = as_pair(stride, "stride", 1)
    dilation_pair = as_pair(dilation, "dilation", 1)
    sides = as_padding(padding, kernel_size, stride_pair, dilation_pair)
    height, width = (
        output_length(
            images.shape[2 + axis],
            kernel_size[axis],
            stride_pair[axis],
            sides[axis],
            dilation_pair[axis],
            ("height", "width")[axis],
        )
        for axis in (0, 1)
    )

    dtype = np.result_type(images.dtype, filters.dtype)
    biases = None
    if bias is not None:
        biases = as_array(bias, "bias")
        if biases.shape != (out_channels,):
            raise ValueError(
                f"`bias` has shape {biases.shape}; it must be ({out_channels},), one a filter"
            )
        dtype = np.result_type(dtype, biases.dtype)
        biases = biases.astype(dtype, copy=False)
    return Conv2dArguments(
        images.astype(dtype, copy=False),
        filters.astype(dtype, copy=False),
        biases,
        stride_pair,
        sides,
        dilation_pair,
        group_count,
        (height, width),
        dtype,
        batched,
    )


def _refuse_empty(shape: tuple[int, ...], name: str, parts: tuple[str, ...]) -> None:
    if 0 in shape:
        raise ValueError(f"`{name}` (of shape {shape}) has no {parts[shape.index(0)]}")


def _sequence(value: object) -> Sequence[Any] | None:
    """Return a tuple, list or 1-D array as a sequence; None for a scalar or anything else."""
    if isinstance(value, (tuple, list)):
        return value
    if isinstance(value, np.ndarray) and value.ndim:
        return list(value)
    return None
