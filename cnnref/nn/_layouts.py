"""Which axis of a layer's output holds the channels, and which of several calls is meant.

Every tool that reads maps from a layer uses these rules, so that a layout or a call is never
guessed: where they cannot tell, they raise an error that says what to pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from cnnref._checks import as_int
from cnnref.nn._hooks import each_tensor

__all__ = [
    "Layouts",
    "ToMaps",
    "as_maps",
    "channels_first",
    "channels_last",
    "observed_layouts",
    "one_call",
    "places",
    "tokens_to_maps",
]

ToMaps: TypeAlias = Callable[[Any], Tensor]
"""From a layer's output to maps (N, C, *spatial); it only selects and rearranges numbers."""

# These read and write (N, C, *spatial), whatever their sizes.
_CHANNELS_FIRST = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
    nn.Upsample,
    nn.PixelShuffle,
)
_CHANNELS_LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm)


def channels_first(output: Tensor) -> Tensor:
    """Return a layer's output as it is: it has the shape (N, C, *spatial).

    Pass this as ``to_maps`` if the axes could be taken for channels-last ones but are not.

    Raises:
        TypeError: If the output is not a tensor.
        ValueError: If it has fewer than three axes.
    """
    return _with_axes(output, "(N, C, *spatial)")


def channels_last(output: Tensor) -> Tensor:
    """Return a layer's output (N, *spatial, C) as maps (N, C, *spatial).

    Pass this as ``to_maps`` for Swin transformers, the inside of ConvNeXt blocks and networks
    converted from Keras.

    Raises:
        TypeError: If the output is not a tensor.
        ValueError: If it has fewer than three axes.

    Examples:
        >>> channels_last(torch.zeros(1, 7, 5, 96)).shape
        torch.Size([1, 96, 7, 5])
    """
    return _with_axes(output, "(N, *spatial, C)").movedim(-1, 1)


def tokens_to_maps(size: int | Sequence[int], skip: int = 1) -> ToMaps:
    r"""Return the function that lays the tokens of a vision transformer out as maps.

    The output $T$ of shape (N, skip + hw, C) becomes maps $A$ of shape (N, C, h, w):

    $$
    A_{n,c,i,j} = T_{n,\; \text{skip} + iw + j,\; c}
    $$

    Args:
        size: The grid of patches, (h, w) or as many sides as the input has; one number is the side
            of a square. A ViT with patches of 16 pixels on images of 224 has 14.
        skip: How many tokens precede the patches: 1 for a class token, 0 for none, more with
            registers or a distillation token.

    Raises:
        TypeError: If a number is not an integer; when used: if the output is not a tensor.
        ValueError: If a side is less than 1 or `skip` is negative; when used: if the output does
            not have that many tokens.

    Examples:
        >>> tokens_to_maps((14, 14))(torch.zeros(1, 197, 192)).shape
        torch.Size([1, 192, 14, 14])

    Source:
        A. Dosovitskiy et al., An image is worth 16×16 words: transformers for image recognition at
        scale, 2020, arXiv:2010.11929, section 3.1.
    """
    given = (size, size) if isinstance(size, int) else tuple(size)
    sides = tuple(as_int(side, "size", 1) for side in given)
    if not sides:
        raise ValueError("`size` is empty; it must have one side per axis of the patches' grid")
    first = as_int(skip, "skip", 0)

    def to_maps(output: Tensor) -> Tensor:
        if not isinstance(output, Tensor):
            raise TypeError(
                f"`to_maps`: the layer outputs a {type(output).__name__}; `tokens_to_maps` needs "
                "one tensor (N, tokens, C)"
            )
        if output.ndim != 3 or output.shape[1] != first + math.prod(sides):
            raise ValueError(
                f"`to_maps`: the layer outputs shape {tuple(output.shape)}; `tokens_to_maps` with "
                f"`size` {sides} and `skip` {first} needs (N, {first + math.prod(sides)}, C)"
            )
        grid: Tensor = output[:, first:].mT
        return grid.reshape(*grid.shape[:2], *sides)

    return to_maps


def _with_axes(output: object, shape: str) -> Tensor:
    if not isinstance(output, Tensor):
        raise TypeError(
            f"`to_maps`: the layer outputs a {type(output).__name__}; it must be one tensor {shape}"
        )
    if output.ndim < 3:
        raise ValueError(
            f"`to_maps`: the layer outputs shape {tuple(output.shape)}; it must be {shape}"
        )
    return output


@dataclass
class Layouts:
    """The shapes that modules with a known layout produced in a pass.

    Attributes:
        first: Shapes of outputs that have their channels on axis 1.
        last: Shapes of outputs that have their channels on the last axis.
    """

    first: set[tuple[int, ...]] = field(default_factory=set)
    last: set[tuple[int, ...]] = field(default_factory=set)

    def _keep(self, module: nn.Module, inputs: object, output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim < 3:
            return
        shape = tuple(output.shape)
        if isinstance(module, _CHANNELS_FIRST):
            self.first.add(shape)
            return
        channels: Any = (
            module.out_features if isinstance(module, nn.Linear) else module.normalized_shape[-1]  # type: ignore[index]
        )
        if shape[-1] == channels:
            self.last.add(shape)
        # Subclasses such as torchvision's LayerNorm2d move the channels to axis 1.
        if type(module) not in _CHANNELS_LAST and shape[1] == channels:
            self.first.add(shape)


@contextmanager
def observed_layouts(model: nn.Module) -> Iterator[Layouts]:
    """Note the shapes of outputs whose layout is certain, while a model runs inside the block."""
    layouts = Layouts()
    with ExitStack() as hooks:
        for module in model.modules():
            if isinstance(module, _CHANNELS_FIRST + _CHANNELS_LAST):
                hooks.enter_context(module.register_forward_hook(layouts._keep))
        yield layouts


def one_call(name: str, calls: Sequence[Any], call: int | None, argument: str = "layers") -> Any:
    """Return a layer's output in the call that is meant.

    Args:
        name: The layer's dotted name.
        calls: Its outputs in one pass, in order.
        call: Which call to read, counted from 0, or from the end if negative; None if the layer
            must run only once.
        argument: Name of the caller's argument, for error messages.

    Raises:
        RuntimeError: If the layer did not run.
        TypeError: If `call` is not an integer.
        ValueError: If the layer runs several times and `call` is None, or there is no such call.
    """
    if not calls:
        raise RuntimeError(
            f"`{argument}`: {name!r} did not run when `model` was called: its `forward` bypasses "
            "the layer, or this part runs only in train mode; name other layers"
        )
    if call is None:
        if len(calls) == 1:
            return calls[0]
        raise ValueError(
            f"`{argument}`: {name!r} runs {len(calls)} times in one pass; pass `call`, from 0 to "
            f"{len(calls) - 1}, to choose one, or name a layer that runs once, such as the block "
            "around it"
        )
    number = as_int(call, "call", -(2**63))
    if not -len(calls) <= number < len(calls):
        times = "once" if len(calls) == 1 else f"{len(calls)} times"
        raise ValueError(
            f"`call` ({number}) must be at most {len(calls) - 1}: {name!r} runs {times} in one "
            "pass, counted from 0"
        )
    return calls[number]


def as_maps(
    output: Any,
    images: Tensor,
    *,
    name: str,
    to_maps: ToMaps | None,
    layouts: Layouts,
    argument: str = "layers",
) -> Tensor:
    """Return a layer's output as maps (N, C, *spatial), or refuse it.

    Args:
        output: What the layer returned for `images`.
        images: What the network was given, (N, channels, *spatial).
        name: The layer's dotted name.
        to_maps: The caller's function, which settles the layout; None if it is to be found.
        layouts: What was observed in the pass.
        argument: Name of the caller's argument, for error messages.

    Raises:
        TypeError: If the output is not one tensor of floats, and no function makes one of it.
        ValueError: If the output has no spatial axes, its channels could be the last axis, or
            `to_maps` changes numbers.
    """
    count, spatial = images.shape[0], images.ndim - 2
    maps = output if to_maps is None else to_maps(output)
    source = (
        f"`{argument}`: {name!r} outputs" if to_maps is None else f"`to_maps` makes of {name!r}"
    )
    if not isinstance(maps, Tensor) or not maps.is_floating_point():
        what = f"dtype {maps.dtype}" if isinstance(maps, Tensor) else f"a {type(maps).__name__}"
        remedy = "; select it with `to_maps`, such as `lambda output: output[0]`"
        raise TypeError(
            f"{source} {what}; it must be one tensor of floats"
            + (remedy if to_maps is None and not isinstance(maps, Tensor) else "")
        )
    shape = tuple(maps.shape)
    if maps.ndim != spatial + 2 or shape[0] != count or 0 in shape:
        axes = "(N, C, " + {1: "t", 2: "h, w", 3: "d, h, w"}.get(spatial, "*spatial") + ")"
        raise ValueError(
            f"{source} shape {shape} for {count} images; a map needs a layer whose output is "
            f"{axes}{_tokens(shape, images) if to_maps is None else ''}"
        )
    if to_maps is None:
        _check_layout(shape, images, name, layouts, argument)
    else:
        places(to_maps, output, name)
    return maps


def _tokens(shape: tuple[int, ...], images: Tensor) -> str:
    """Say what to pass if a shape could be that of tokens (N, skip + patches, C)."""
    if len(shape) != 3 or images.ndim != 4 or shape[0] != images.shape[0]:
        return ""
    height, width = images.shape[2:]
    for skip in (1, 0, 2, 5):
        patches = shape[1] - skip
        rows = round(math.sqrt(max(patches, 0) * height / width))
        # Patches are squares, so that their grid has the image's ratio of sides.
        if rows and patches % rows == 0 and rows * width == (patches // rows) * height:
            grid = (rows, patches // rows)
            return f", or tokens with `to_maps=tokens_to_maps({grid}, skip={skip})`"
    return ", or tokens with `to_maps=tokens_to_maps((rows, columns), skip)`"


def _check_layout(
    shape: tuple[int, ...], images: Tensor, name: str, layouts: Layouts, argument: str
) -> None:
    first, last = shape in layouts.first, shape in layouts.last
    if first and not last:
        return
    if not last and not _could_be_last(shape, images):
        return
    verb = "has" if last and not first else "could have"
    raise ValueError(
        f"`{argument}`: {name!r} outputs shape {shape}, which {verb} its channels on the last "
        "axis; pass `to_maps=channels_last` if it does, `to_maps=channels_first` if it does not"
    )


def _could_be_last(shape: tuple[int, ...], images: Tensor) -> bool:
    """Tell whether axes 1 to -1 could be the image's, made smaller by the same factor.

    Each may be up to two cells off, since layers round and cut off borders.
    """
    sides = [*zip(shape[1:-1], images.shape[2:], strict=True)]
    factors = [image / side for side, image in sides]
    return min(factors) >= 1 and any(
        all(abs(side - image / factor) <= 2 for side, image in sides) for factor in factors
    )


def places(to_maps: ToMaps, output: Any, name: str) -> Tensor:
    """Return where in a layer's output each number of its maps is, as integers of their shape.

    Numbers are counted through all tensors of the output, in order. The function must only move
    them, since it is applied to the output's gradient too.

    Raises:
        ValueError: If the function changes, repeats or mixes numbers.
    """
    count = 0

    def numbered(tensor: Tensor) -> Tensor:
        nonlocal count
        start, count = count, count + tensor.numel()
        # Negative, so that a ReLU shows.
        values = torch.arange(-1 - start, -1 - count, -1, dtype=torch.float64)
        return values.view(tensor.shape).to(tensor.device)

    with torch.no_grad():
        numbers = each_tensor(output, numbered)
        marked = -1 - to_maps(numbers)
        found = marked.round().long()
        moves = bool(((marked == found) & (found >= 0) & (found < count)).all())
        if moves:
            seen = torch.zeros(count, dtype=torch.bool, device=found.device)
            seen[found.flatten()] = True
            moves = int(seen.sum()) == found.numel()
        # A mean of numbers can be one of them; the mean of their squares is not its square.
        moves = moves and torch.equal(
            to_maps(each_tensor(numbers, torch.square)), (1 + found.double()).square()
        )
    if not moves:
        raise ValueError(
            f"`to_maps` changes, repeats or mixes numbers of the output of {name!r}; it must only "
            "select and rearrange them"
        )
    return found
