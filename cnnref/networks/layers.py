"""A network as a list of layers: enough to know its shapes, its cost and what its cells see.

No layer here computes anything on an image. A layer knows its settings; given the shape that comes
in, it knows the shape that goes out, how many parameters it has and how much work it is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from cnnref._checks import as_int, as_padding, as_pair, as_sides
from cnnref._types import ConvPadding, IntOrPair, Padding, Pair, Sides
from cnnref.ops._windows import pooling_windows
from cnnref.ops.output_shape import output_size
from cnnref.ops.transposed_convolution import conv_transpose2d_shape

Shape: TypeAlias = tuple[int, ...]
"""(C, H, W) of one image, or (features,) after `Flatten`."""


class Window(NamedTuple):
    """What a layer's output cell reads of the layer's input, as (height, width) pairs.

    Attributes:
        kernel_size: Cells read.
        stride: Step from one window to the next.
        padding: ((top, bottom), (left, right)).
        dilation: Distance between neighbouring cells that are read.
    """

    kernel_size: Pair
    stride: Pair
    padding: Sides
    dilation: Pair


@dataclass(frozen=True)
class Layer(ABC):
    """What all layers have in common.

    Attributes:
        name: A name for tables; without one, tables show the kind.
    """

    name: str = field(default="", kw_only=True)

    has_view_output: ClassVar[bool] = False
    """True for a layer whose output is its input under another shape, with no memory of its own."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """What the layer is, in a word or two."""

    @property
    def label(self) -> str:
        """The name, or the kind of a layer without one."""
        return self.name or self.kind

    @property
    def window(self) -> Window | None:
        """What an output cell reads; None where it is the whole map, or not alike for all cells."""
        return _ONE_CELL

    @abstractmethod
    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape that goes out for the shape that comes in."""

    def parameters(self, input_shape: Shape) -> int:
        """Return the number of trained numbers."""
        return 0

    def macs(self, input_shape: Shape) -> int:
        """Return the multiply-adds of weights with inputs; a bias or a scale is none."""
        return 0

    def other_ops(self, input_shape: Shape) -> int:
        """Return the operations beside the multiply-adds, one an element; see `cost`."""
        return 0


_ONE_CELL = Window((1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1))


@dataclass(frozen=True)
class Conv(Layer):
    """A convolution. Its number of input channels is that of what comes in.

    Attributes:
        out_channels: Number of filters.
        kernel_size: Int or (height, width).
        stride: Int or (height, width).
        padding: As for `conv2d`.
        dilation: Int or (height, width).
        groups: Number of groups of channels.
        bias: Whether each filter has a bias.
    """

    out_channels: int
    kernel_size: IntOrPair
    stride: IntOrPair = 1
    padding: ConvPadding = 0
    dilation: IntOrPair = 1
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        as_int(self.out_channels, "out_channels", 1)
        as_int(self.groups, "groups", 1)
        _divisible(self.out_channels, "out_channels", self.groups)
        _ = self.window

    @property
    def kind(self) -> str:
        """`conv` and the size of its filter."""
        return f"conv {_times(self.window.kernel_size)}"

    @property
    def window(self) -> Window:
        """The filter's window."""
        kernel = as_pair(self.kernel_size, "kernel_size", 1)
        stride = as_pair(self.stride, "stride", 1)
        dilation = as_pair(self.dilation, "dilation", 1)
        return Window(kernel, stride, as_padding(self.padding, kernel, stride, dilation), dilation)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (out_channels, H, W)."""
        self._in_channels(input_shape)
        _, height, width = input_shape
        return self.out_channels, *output_size((height, width), *self.window)

    def parameters(self, input_shape: Shape) -> int:
        """Return filters times the cells of one, and one a filter for the bias."""
        return self.out_channels * (self._taps(input_shape) + self.bias)

    def macs(self, input_shape: Shape) -> int:
        """Return output cells times the cells of one filter."""
        return math.prod(self.output_shape(input_shape)) * self._taps(input_shape)

    def other_ops(self, input_shape: Shape) -> int:
        """Return one addition an output cell for the bias."""
        return math.prod(self.output_shape(input_shape)) if self.bias else 0

    def _in_channels(self, input_shape: Shape) -> int:
        channels = _as_map(input_shape, self.kind)[0]
        return _divisible(channels, "in_channels", self.groups)

    def _taps(self, input_shape: Shape) -> int:
        return self._in_channels(input_shape) // self.groups * math.prod(self.window.kernel_size)


@dataclass(frozen=True)
class ConvTranspose(Layer):
    """A transposed convolution. Its number of input channels is that of what comes in.

    Attributes:
        out_channels: Number of output channels.
        kernel_size: Int or (height, width).
        stride: Int or (height, width).
        padding: Pixels that are cut off, as for `conv_transpose2d`.
        output_padding: Int or (height, width).
        groups: Number of groups of channels.
        bias: Whether each output channel has a bias.
        dilation: Int or (height, width).
    """

    out_channels: int
    kernel_size: IntOrPair
    stride: IntOrPair = 1
    padding: Padding = 0
    output_padding: IntOrPair = 0
    groups: int = 1
    bias: bool = True
    dilation: IntOrPair = 1

    def __post_init__(self) -> None:
        as_int(self.out_channels, "out_channels", 1)
        as_int(self.groups, "groups", 1)
        _divisible(self.out_channels, "out_channels", self.groups)
        as_pair(self.kernel_size, "kernel_size", 1)
        as_pair(self.stride, "stride", 1)
        as_pair(self.dilation, "dilation", 1)
        as_sides(self.padding)
        as_pair(self.output_padding, "output_padding", 0)

    @property
    def kind(self) -> str:
        """`transposed conv` and the size of its filter."""
        return f"transposed conv {_times(as_pair(self.kernel_size, 'kernel_size', 1))}"

    @property
    def window(self) -> None:
        """None: with a stride, neighbouring cells read different numbers of input cells."""
        return

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (out_channels, H, W)."""
        channels = _divisible(_as_map(input_shape, self.kind)[0], "in_channels", self.groups)
        kernel = as_pair(self.kernel_size, "kernel_size", 1)
        weight_shape = (channels, self.out_channels // self.groups, *kernel)
        shape = conv_transpose2d_shape(
            input_shape, weight_shape, self.stride, self.padding, self.output_padding, self.groups,
            self.dilation,
        )  # fmt: skip
        return self.out_channels, *shape.output_size

    def parameters(self, input_shape: Shape) -> int:
        """Return input channels times the cells of one stamp, and one an output channel."""
        return input_shape[0] * self._stamp() + self.out_channels * self.bias

    def macs(self, input_shape: Shape) -> int:
        """Return input cells times the cells that each of them stamps, cut off or not."""
        return math.prod(input_shape) * self._stamp()

    def other_ops(self, input_shape: Shape) -> int:
        """Return one addition an output cell for the bias."""
        return math.prod(self.output_shape(input_shape)) if self.bias else 0

    def _stamp(self) -> int:
        kernel = as_pair(self.kernel_size, "kernel_size", 1)
        return self.out_channels // self.groups * math.prod(kernel)


@dataclass(frozen=True)
class Pool(Layer):
    """Max or average pooling.

    Attributes:
        kernel_size: Int or (height, width).
        stride: Int or (height, width); None is the kernel's size.
        padding: As for `max_pool2d`, at most half the kernel on each side.
        dilation: Int or (height, width); max pooling only.
        ceil_mode: Round the output's size up, as `output_size` does.
        mode: "max" or "avg".
    """

    kernel_size: IntOrPair
    stride: IntOrPair | None = None
    padding: ConvPadding = 0
    dilation: IntOrPair = 1
    ceil_mode: bool = False
    mode: Literal["max", "avg"] = "max"

    def __post_init__(self) -> None:
        if self.mode not in ("max", "avg"):
            raise ValueError(f"`mode` ({self.mode!r}) must be 'max' or 'avg'")
        window = self.window
        for size, sides in zip(window.kernel_size, window.padding, strict=True):
            if max(sides) > size // 2:
                raise ValueError(
                    f"`padding` ({self.padding!r}) must be at most half of `kernel_size` "
                    f"({self.kernel_size!r})"
                )
        if self.mode == "avg" and window.dilation != (1, 1):
            raise ValueError(f"`dilation` ({self.dilation!r}) must be 1 for average pooling")

    @property
    def kind(self) -> str:
        """`max pool` or `avg pool` and the size of the window."""
        return f"{self.mode} pool {_times(self.window.kernel_size)}"

    @property
    def window(self) -> Window:
        """The pooling window."""
        kernel = as_pair(self.kernel_size, "kernel_size", 1)
        stride = kernel if self.stride is None else as_pair(self.stride, "stride", 1)
        dilation = as_pair(self.dilation, "dilation", 1)
        return Window(kernel, stride, as_padding(self.padding, kernel, stride, dilation), dilation)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C, H, W): the channels stay."""
        channels, height, width = _as_map(input_shape, self.kind)
        return channels, *pooling_windows((height, width), *self.window, self.ceil_mode).output_size

    def other_ops(self, input_shape: Shape) -> int:
        """Return one operation for each cell of each window: a comparison, or an addition."""
        return math.prod(self.output_shape(input_shape)) * math.prod(self.window.kernel_size)


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """The mean of each channel over the whole map: (C, H, W) becomes (C, 1, 1)."""

    @property
    def kind(self) -> str:
        """`global avg pool`."""
        return "global avg pool"

    @property
    def window(self) -> None:
        """None: it reads the whole map."""
        return

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C, 1, 1)."""
        return _as_map(input_shape, self.kind)[0], 1, 1

    def other_ops(self, input_shape: Shape) -> int:
        """Return one addition an input cell."""
        return math.prod(input_shape)


@dataclass(frozen=True)
class Flatten(Layer):
    """The map as one row of numbers: (C, H, W) becomes (C H W,)."""

    has_view_output: ClassVar[bool] = True

    @property
    def kind(self) -> str:
        """`flatten`."""
        return "flatten"

    @property
    def window(self) -> None:
        """None: after it there is no map."""
        return

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C H W,)."""
        return (math.prod(input_shape),)


@dataclass(frozen=True)
class Linear(Layer):
    """A fully connected layer. Its number of input features is that of what comes in.

    Attributes:
        out_features: Number of outputs.
        bias: Whether each output has a bias.
    """

    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        as_int(self.out_features, "out_features", 1)

    @property
    def kind(self) -> str:
        """`linear`."""
        return "linear"

    @property
    def window(self) -> None:
        """None: it reads everything."""
        return

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (out_features,)."""
        if len(input_shape) != 1:
            raise ValueError(
                f"linear reads a row of features, not the shape {input_shape}: put Flatten before"
            )
        return (self.out_features,)

    def parameters(self, input_shape: Shape) -> int:
        """Return outputs times inputs, and one an output for the bias."""
        return self.out_features * (input_shape[0] + self.bias)

    def macs(self, input_shape: Shape) -> int:
        """Return outputs times inputs."""
        return self.out_features * input_shape[0]

    def other_ops(self, input_shape: Shape) -> int:
        """Return one addition an output for the bias."""
        return self.out_features if self.bias else 0


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation: a scale and a shift a channel. Running statistics are not trained."""

    @property
    def kind(self) -> str:
        """`batch norm`."""
        return "batch norm"

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape that came in."""
        return input_shape

    def parameters(self, input_shape: Shape) -> int:
        """Return two a channel."""
        return 2 * input_shape[0]

    def other_ops(self, input_shape: Shape) -> int:
        """Return two a cell: at test time it is one product and one addition."""
        return 2 * math.prod(input_shape)


@dataclass(frozen=True)
class Activation(Layer):
    """A function of each number by itself.

    Attributes:
        function: Its name.
    """

    function: str = "relu"

    @property
    def kind(self) -> str:
        """The function's name."""
        return self.function

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape that came in."""
        return input_shape

    def other_ops(self, input_shape: Shape) -> int:
        """Return one a cell."""
        return math.prod(input_shape)


@dataclass(frozen=True)
class Branches(Layer):
    """Several paths from one input, joined at their ends: an inception or a residual block.

    Attributes:
        paths: A list of layers each; an empty path hands its input on.
        join: "concat" puts the paths' channels one after another, "sum" adds the maps.
    """

    paths: Sequence[Sequence[Layer]]
    join: Literal["concat", "sum"] = "concat"

    def __post_init__(self) -> None:
        if self.join not in ("concat", "sum"):
            raise ValueError(f"`join` ({self.join!r}) must be 'concat' or 'sum'")
        # Tuples, so that a block can be compared and hashed as the other layers are.
        object.__setattr__(self, "paths", tuple(as_layers(path, "paths") for path in self.paths))
        if not self.paths:
            raise ValueError("`paths` is empty: a block needs at least one path")

    @property
    def kind(self) -> str:
        """`concat` or `sum` and the number of paths."""
        return f"{self.join} of {len(self.paths)} paths"

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the joined paths; all but the channels must agree to concatenate."""
        ends = []
        for path in self.paths:
            steps = list(walk(path, input_shape))
            ends.append(steps[-1][2] if steps else input_shape)
        first = ends[0]
        if self.join == "sum":
            if any(end != first for end in ends):
                raise ValueError(f"the paths end in shapes {_list(ends)}; a sum needs equal ones")
            return first
        if any(len(end) != len(first) or end[1:] != first[1:] for end in ends):
            raise ValueError(
                f"the paths end in shapes {_list(ends)}; to concatenate them all but the first "
                "number must be equal"
            )
        return sum(end[0] for end in ends), *first[1:]

    def parameters(self, input_shape: Shape) -> int:
        """Return the parameters of all paths."""
        return sum(layer.parameters(shape) for layer, shape in self._steps(input_shape))

    def macs(self, input_shape: Shape) -> int:
        """Return the multiply-adds of all paths."""
        return sum(layer.macs(shape) for layer, shape in self._steps(input_shape))

    def other_ops(self, input_shape: Shape) -> int:
        """Return the other operations of all paths, and the additions of a sum."""
        inside = sum(layer.other_ops(shape) for layer, shape in self._steps(input_shape))
        return inside + self.join_ops(input_shape)

    def join_ops(self, input_shape: Shape) -> int:
        """Return the additions that join the paths; putting maps side by side takes none."""
        if self.join == "concat":
            return 0
        return (len(self.paths) - 1) * math.prod(self.output_shape(input_shape))

    def _steps(self, input_shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        for path in self.paths:
            for layer, shape, _ in walk(path, input_shape):
                yield layer, shape


def residual(main: Sequence[Layer], shortcut: Sequence[Layer] = (), *, name: str = "") -> Branches:
    """Return a residual block: what `main` computes, plus the shortcut.

    Args:
        main: The layers on the long way.
        shortcut: The layers on the short way; none hands the input on as it is.
        name: A name for tables.

    Examples:
        >>> residual([Conv(8, 3, padding=1)]).output_shape((8, 5, 5))
        (8, 5, 5)
    """
    return Branches((main, shortcut), "sum", name=name)


def walk(layers: Sequence[Layer], input_shape: object) -> Iterator[tuple[Layer, Shape, Shape]]:
    """Yield each layer with the shape that comes in and the shape that goes out.

    Args:
        layers: The layers, first to last.
        input_shape: (C, H, W), or (features,).

    Raises:
        TypeError: If `layers` holds something else, or `input_shape` is not made of ints.
        ValueError: If a layer cannot read the shape that reaches it; the message names the layer.

    Examples:
        >>> for layer, _, shape in walk([Conv(4, 3), Pool(2), Flatten()], (1, 8, 8)):
        ...     print(layer.label, shape)
        conv 3×3 (4, 6, 6)
        max pool 2×2 (4, 3, 3)
        flatten (36,)
    """
    shape = as_shape(input_shape)
    for place, layer in enumerate(as_layers(layers)):
        try:
            output = layer.output_shape(shape)
        except ValueError as error:
            raise ValueError(f"layer {place} ({layer.label}): {error}") from error
        yield layer, shape, output
        shape = output


def as_layers(layers: object, name: str = "layers") -> tuple[Layer, ...]:
    """Return `layers` as a tuple; anything but a list or tuple of layers is a TypeError."""
    if not isinstance(layers, (list, tuple)):
        raise TypeError(f"`{name}` must be a list of layers, not {type(layers).__name__}")
    for place, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(f"`{name}` holds {layer!r} at place {place}, which is no layer")
    return tuple(layers)


def as_shape(shape: object) -> Shape:
    """Return the shape of an input, (C, H, W) or (features,), as a tuple of ints of at least 1."""
    if not isinstance(shape, (list, tuple)) or len(shape) not in (1, 3):
        raise ValueError(f"`input_shape` ({shape!r}) must be (C, H, W) or (features,)")
    return tuple(as_int(size, "input_shape", 1) for size in shape)


def _as_map(shape: Shape, kind: str) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"{kind} reads a map (C, H, W), not the shape {shape}")
    return shape[0], shape[1], shape[2]


def _divisible(count: int, name: str, groups: int) -> int:
    if count % groups:
        raise ValueError(f"`{name}` ({count}) must be divisible by `groups` ({groups})")
    return count


def _times(pair: Pair) -> str:
    return f"{pair[0]}×{pair[1]}"


def _list(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(str, shapes))


__all__ = [
    "Activation",
    "BatchNorm",
    "Branches",
    "Conv",
    "ConvTranspose",
    "Flatten",
    "GlobalAvgPool",
    "Layer",
    "Linear",
    "Pool",
    "Shape",
    "Window",
    "residual",
    "walk",
]
