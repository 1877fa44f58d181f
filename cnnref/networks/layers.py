"""The layers of a network: their shapes, parameters and operations.

A layer computes nothing on an image. It knows its settings and, given the shape of its input, the
shape of its output, its number of parameters and its number of operations.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from cnnref._checks import as_choice, as_flag, as_int, as_padding, as_pair, as_sides, shown
from cnnref._types import ConvPadding, IntOrPair, Padding, Pair, Sides
from cnnref.ops._windows import pooling_windows
from cnnref.ops.output_shape import output_size
from cnnref.ops.transposed_convolution import conv_transpose2d_shape

Shape: TypeAlias = tuple[int, ...]
"""(C, H, W) of one image, or (features,) after `Flatten`."""

# Blocks inside blocks are walked by recursion, which Python limits. Published networks need 2 or 3.
_DEEPEST = 50


class Window(NamedTuple):
    """The part of a layer's input that one output cell reads, as (height, width) pairs.

    Attributes:
        kernel_size: Number of cells read.
        stride: Distance from one window to the next.
        padding: ((top, bottom), (left, right)).
        dilation: Distance between neighbouring cells of the window.
    """

    kernel_size: Pair
    stride: Pair
    padding: Sides
    dilation: Pair


@dataclass(frozen=True)
class Layer(ABC):
    """The base class of all layers.

    Attributes:
        name: A name for tables. Without a name, tables show the kind.
    """

    name: str = field(default="", kw_only=True)

    has_view_output: ClassVar[bool] = False
    """True for a layer whose output is its input in another shape and takes no memory."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"`name` ({shown(self.name)}) must be a string")

    def _set(self, **settings: object) -> None:
        """Store settings in their normal form: counts that are NumPy integers could overflow."""
        for name, value in settings.items():
            object.__setattr__(self, name, value)

    @property
    @abstractmethod
    def kind(self) -> str:
        """What the layer is, in a few words."""

    @property
    def label(self) -> str:
        """The name, or the kind if there is no name."""
        return self.name or self.kind

    @property
    def window(self) -> Window | None:
        """What an output cell reads; None if it is the whole map or differs between cells."""
        return _ONE_CELL

    @abstractmethod
    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output for a shape of the input."""

    def parameters(self, input_shape: Shape) -> int:
        """Return the number of trained parameters."""
        return 0

    def macs(self, input_shape: Shape) -> int:
        """Return the number of multiply-adds of weights with inputs."""
        return 0

    def other_ops(self, input_shape: Shape) -> int:
        """Return the number of operations other than multiply-adds; see `cost`."""
        return 0


_ONE_CELL = Window((1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1))


@dataclass(frozen=True)
class Conv(Layer):
    """A convolution. The number of input channels follows from the input.

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
        super().__post_init__()
        self._set(
            out_channels=as_int(self.out_channels, "out_channels", 1),
            groups=as_int(self.groups, "groups", 1),
            bias=as_flag(self.bias, "bias"),
        )
        _divisible(self.out_channels, "out_channels", self.groups)
        _ = self.window

    @property
    def kind(self) -> str:
        """`conv` and the size of the filter."""
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
        """Return the weights of all filters, and one bias per filter."""
        return self.out_channels * (self._taps(input_shape) + self.bias)

    def macs(self, input_shape: Shape) -> int:
        """Return the number of output cells times the number of weights of one filter."""
        return math.prod(self.output_shape(input_shape)) * self._taps(input_shape)

    def other_ops(self, input_shape: Shape) -> int:
        """Return one addition of the bias per output cell."""
        return math.prod(self.output_shape(input_shape)) if self.bias else 0

    def _in_channels(self, input_shape: Shape) -> int:
        channels = _as_map(input_shape, self.kind)[0]
        return _divisible(channels, "in_channels", self.groups)

    def _taps(self, input_shape: Shape) -> int:
        return self._in_channels(input_shape) // self.groups * math.prod(self.window.kernel_size)


@dataclass(frozen=True)
class ConvTranspose(Layer):
    """A transposed convolution. The number of input channels follows from the input.

    Attributes:
        out_channels: Number of output channels.
        kernel_size: Int or (height, width).
        stride: Int or (height, width).
        padding: Pixels to cut off, as for `conv_transpose2d`.
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
        super().__post_init__()
        self._set(
            out_channels=as_int(self.out_channels, "out_channels", 1),
            groups=as_int(self.groups, "groups", 1),
            bias=as_flag(self.bias, "bias"),
        )
        _divisible(self.out_channels, "out_channels", self.groups)
        _ = self.stamp
        as_pair(self.output_padding, "output_padding", 0)

    @property
    def kind(self) -> str:
        """`transposed conv` and the size of the filter."""
        return f"transposed conv {_times(self.stamp.kernel_size)}"

    @property
    def window(self) -> None:
        """None: with a stride, output cells read different numbers of input cells."""
        return

    @property
    def stamp(self) -> Window:
        """What one input cell adds to in the output: the window of the convolution back."""
        return Window(
            as_pair(self.kernel_size, "kernel_size", 1),
            as_pair(self.stride, "stride", 1),
            as_sides(self.padding),
            as_pair(self.dilation, "dilation", 1),
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (out_channels, H, W)."""
        channels = _divisible(_as_map(input_shape, self.kind)[0], "in_channels", self.groups)
        weight_shape = (channels, self.out_channels // self.groups, *self.stamp.kernel_size)
        shape = conv_transpose2d_shape(
            input_shape, weight_shape, self.stride, self.padding, self.output_padding, self.groups,
            self.dilation,
        )  # fmt: skip
        return self.out_channels, *shape.output_size

    def parameters(self, input_shape: Shape) -> int:
        """Return the weights of all input channels, and one bias per output channel."""
        return input_shape[0] * self._taps() + self.out_channels * self.bias

    def macs(self, input_shape: Shape) -> int:
        """Return input cells times the output cells each one adds to, cut off or not."""
        return math.prod(input_shape) * self._taps()

    def other_ops(self, input_shape: Shape) -> int:
        """Return one addition of the bias per output cell."""
        return math.prod(self.output_shape(input_shape)) if self.bias else 0

    def _taps(self) -> int:
        return self.out_channels // self.groups * math.prod(self.stamp.kernel_size)


@dataclass(frozen=True)
class Upsample(Layer):
    """Enlarge a map by a whole number, as `torch.nn.Upsample` does with `align_corners=False`.

    Attributes:
        scale_factor: Int or (height, width).
        mode: "nearest" repeats each cell. "bilinear" mixes the two nearest cells along each axis.
    """

    scale_factor: IntOrPair
    mode: Literal["nearest", "bilinear"] = "nearest"

    def __post_init__(self) -> None:
        super().__post_init__()
        as_choice(self.mode, "mode", ("nearest", "bilinear"))
        _ = self.factors

    @property
    def kind(self) -> str:
        """The mode, `upsample` and the factors."""
        return f"{self.mode} upsample {_times(self.factors)}"

    @property
    def factors(self) -> Pair:
        """The scale factors as (height, width)."""
        return as_pair(self.scale_factor, "scale_factor", 1)

    @property
    def window(self) -> None:
        """None: neighbouring output cells read the same input cells, or overlapping ones."""
        return

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C, H, W), with as many channels as the input."""
        channels, height, width = _as_map(input_shape, self.kind)
        return channels, height * self.factors[0], width * self.factors[1]

    def other_ops(self, input_shape: Shape) -> int:
        """Return four per output cell for "bilinear", and none for "nearest", which only copies."""
        return 4 * math.prod(self.output_shape(input_shape)) if self.mode == "bilinear" else 0


@dataclass(frozen=True)
class Pool(Layer):
    """Max or average pooling.

    Attributes:
        kernel_size: Int or (height, width).
        stride: Int or (height, width). None means `kernel_size`.
        padding: As for `max_pool2d`, at most half of `kernel_size` on each side.
        dilation: Int or (height, width); max pooling only.
        ceil_mode: Whether to round the output size up, as in `output_size`.
        mode: "max" or "avg".
    """

    kernel_size: IntOrPair
    stride: IntOrPair | None = None
    padding: ConvPadding = 0
    dilation: IntOrPair = 1
    ceil_mode: bool = False
    mode: Literal["max", "avg"] = "max"

    def __post_init__(self) -> None:
        super().__post_init__()
        as_choice(self.mode, "mode", ("max", "avg"))
        self._set(ceil_mode=as_flag(self.ceil_mode, "ceil_mode"))
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
        """Return (C, H, W), with as many channels as the input."""
        channels, height, width = _as_map(input_shape, self.kind)
        return channels, *pooling_windows((height, width), *self.window, self.ceil_mode).output_size

    def other_ops(self, input_shape: Shape) -> int:
        """Return one comparison or addition per cell of each window."""
        return math.prod(self.output_shape(input_shape)) * math.prod(self.window.kernel_size)


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """The mean of each channel over the whole map, from (C, H, W) to (C, 1, 1)."""

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
        """Return one addition per input cell."""
        return math.prod(input_shape)


@dataclass(frozen=True)
class Flatten(Layer):
    """The map as one row of numbers, from (C, H, W) to (C H W,)."""

    has_view_output: ClassVar[bool] = True

    @property
    def kind(self) -> str:
        """`flatten`."""
        return "flatten"

    @property
    def window(self) -> None:
        """None: the output is not a map."""
        return

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C H W,)."""
        return (math.prod(input_shape),)


@dataclass(frozen=True)
class Linear(Layer):
    """A fully connected layer. The number of input features follows from the input.

    Attributes:
        out_features: Number of outputs.
        bias: Whether each output has a bias.
    """

    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            out_features=as_int(self.out_features, "out_features", 1),
            bias=as_flag(self.bias, "bias"),
        )

    @property
    def kind(self) -> str:
        """`linear`."""
        return "linear"

    @property
    def window(self) -> None:
        """None: it reads the whole input."""
        return

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (out_features,)."""
        if len(input_shape) != 1:
            raise ValueError(
                f"linear needs an input of shape (features,), not {input_shape}: put a Flatten "
                "before it"
            )
        return (self.out_features,)

    def parameters(self, input_shape: Shape) -> int:
        """Return the number of outputs times inputs, and one bias per output."""
        return self.out_features * (input_shape[0] + self.bias)

    def macs(self, input_shape: Shape) -> int:
        """Return the number of outputs times inputs."""
        return self.out_features * input_shape[0]

    def other_ops(self, input_shape: Shape) -> int:
        """Return one addition of the bias per output."""
        return self.out_features if self.bias else 0


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation: one scale and one shift per channel, both trained."""

    @property
    def kind(self) -> str:
        """`batch norm`."""
        return "batch norm"

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the input."""
        return input_shape

    def parameters(self, input_shape: Shape) -> int:
        """Return two per channel: running statistics are not trained."""
        return 2 * input_shape[0]

    def other_ops(self, input_shape: Shape) -> int:
        """Return two per cell: at test time it is one product and one addition."""
        return 2 * math.prod(input_shape)


@dataclass(frozen=True)
class Activation(Layer):
    """A function applied to each number.

    Attributes:
        function: The name of the function.
    """

    function: str = "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.function, str):
            raise TypeError(f"`function` ({shown(self.function)}) must be a string")

    @property
    def kind(self) -> str:
        """The name of the function."""
        return self.function

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the input."""
        return input_shape

    def other_ops(self, input_shape: Shape) -> int:
        """Return one per cell."""
        return math.prod(input_shape)


@dataclass(frozen=True)
class Branches(Layer):
    """Several paths from one input, joined at their ends, as in an inception or residual block.

    Attributes:
        paths: One list of layers per path. An empty path passes its input through.
        join: "concat" puts the channels of the paths one after another, "sum" adds the maps, and
            "product" multiplies them; there one path may end with one number per channel,
            (C, 1, 1), as in a squeeze-and-excitation block.
        depth: How deep blocks are nested: 1 for a block that contains no other block.
    """

    paths: Sequence[Sequence[Layer]]
    join: Literal["concat", "sum", "product"] = "concat"
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        as_choice(self.join, "join", ("concat", "sum", "product"))
        if not isinstance(self.paths, (list, tuple)):
            raise TypeError(f"`paths` ({shown(self.paths)}) must be a list of paths")
        if not self.paths:
            raise ValueError("`paths` is empty, but a block needs at least one path")
        # Tuples, so that a block can be compared and hashed as the other layers are.
        paths = tuple(as_layers(path, "paths") for path in self.paths)
        inside = [layer.depth for path in paths for layer in path if isinstance(layer, Branches)]
        depth = 1 + max(inside, default=0)
        if depth > _DEEPEST:
            raise ValueError(f"`paths` nests blocks {depth} deep, which must be at most {_DEEPEST}")
        self._set(paths=paths, depth=depth)

    @property
    def kind(self) -> str:
        """The join and the number of paths."""
        return f"{self.join} of {len(self.paths)} paths"

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the joined paths."""
        ends = []
        for path in self.paths:
            steps = list(walk(path, input_shape))
            ends.append(steps[-1][2] if steps else input_shape)
        first = ends[0]
        if self.join == "sum":
            if any(end != first for end in ends):
                raise ValueError(
                    f"`paths` end in the shapes {_list(ends)}, which must be equal to be added"
                )
            return first
        if self.join == "product":
            full = max(ends, key=math.prod)
            if any(end not in (full, (full[0], *[1] * (len(full) - 1))) for end in ends):
                raise ValueError(
                    f"`paths` end in the shapes {_list(ends)}; to multiply them, they must be "
                    "equal or have one number per channel, (C, 1, 1)"
                )
            return full
        if any(len(end) != len(first) or end[1:] != first[1:] for end in ends):
            raise ValueError(
                f"`paths` end in the shapes {_list(ends)}; to concatenate them, only the number "
                "of channels may differ"
            )
        return sum(end[0] for end in ends), *first[1:]

    def parameters(self, input_shape: Shape) -> int:
        """Return the number of parameters of all paths."""
        return sum(layer.parameters(shape) for layer, shape in self._steps(input_shape))

    def macs(self, input_shape: Shape) -> int:
        """Return the number of multiply-adds of all paths."""
        return sum(layer.macs(shape) for layer, shape in self._steps(input_shape))

    def other_ops(self, input_shape: Shape) -> int:
        """Return the number of other operations of all paths and of the join."""
        inside = sum(layer.other_ops(shape) for layer, shape in self._steps(input_shape))
        return inside + self.join_ops(input_shape)

    def join_ops(self, input_shape: Shape) -> int:
        """Return the number of sums or products that join the paths; concatenating takes none."""
        if self.join == "concat":
            return 0
        return (len(self.paths) - 1) * math.prod(self.output_shape(input_shape))

    def _steps(self, input_shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        for path in self.paths:
            for layer, shape, _ in walk(path, input_shape):
                yield layer, shape


def residual(main: Sequence[Layer], shortcut: Sequence[Layer] = (), *, name: str = "") -> Branches:
    """Return a residual block, which adds the outputs of two paths.

    Args:
        main: The layers of the main path.
        shortcut: The layers of the shortcut. Without layers, it passes the input through.
        name: A name for tables.

    Examples:
        >>> residual([Conv(8, 3, padding=1)]).output_shape((8, 5, 5))
        (8, 5, 5)
    """
    paths = as_layers(main, "main"), as_layers(shortcut, "shortcut")
    return Branches(paths, "sum", name=name)


def walk(
    layers: Sequence[Layer], input_shape: Sequence[int]
) -> Iterator[tuple[Layer, Shape, Shape]]:
    """Yield each layer with the shape of its input and of its output.

    Args:
        layers: The layers, first to last.
        input_shape: (C, H, W), or (features,).

    Raises:
        TypeError: If `layers` is not a list of layers or `input_shape` not a list of ints.
        ValueError: If a layer cannot read the shape of its input. The message names the layer.

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
    """Return a list or tuple of layers as a tuple; anything else is a TypeError."""
    if not isinstance(layers, (list, tuple)):
        raise TypeError(f"`{name}` must be a list of layers, not {type(layers).__name__}")
    for place, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(f"item {place} of `{name}` ({shown(layer)}) is not a Layer")
    return tuple(layers)


def as_shape(shape: object) -> Shape:
    """Return the shape of an input, (C, H, W) or (features,), as a tuple of positive ints."""
    if not isinstance(shape, (list, tuple)) or len(shape) not in (1, 3):
        raise ValueError(f"`input_shape` ({shape!r}) must be (C, H, W) or (features,)")
    return tuple(as_int(size, "input_shape", 1) for size in shape)


def _as_map(shape: Shape, kind: str) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"{kind} needs an input of shape (C, H, W), not {shape}")
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
    "Upsample",
    "Window",
    "residual",
    "walk",
]
