r"""Inception blocks: several filter sizes side by side on one input, their maps concatenated.

The arguments have the names of the columns in Table 1 of the paper, so that a row of it can be
written down: `ch3x3red` is "#3×3 reduce", the 1×1 filters before the 3×3. Every convolution has a
bias and a ReLU after it, and pads so that the map keeps its sides.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cnnref._checks import as_int, as_pair
from cnnref._types import IntOrPair
from cnnref.networks.layers import Activation, Branches, Conv, Layer, Pool


class _Inception(nn.Module):
    """Branches from one input, their maps one after another along the channels.

    Attributes:
        branches: The branches by name, in the order of the output's channels.
        in_channels: Channels that come in.
    """

    def __init__(self, in_channels: int, branches: Mapping[str, nn.Sequential]) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.branches = nn.ModuleDict(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Return the concatenated maps of (N, in_channels, H, W); the sides stay."""
        return torch.cat([branch(x) for branch in self.branches.values()], dim=1)

    def layers(self) -> list[Layer]:
        """Return the block as a list of layers, for `cnnref.cost` and `cnnref.receptive_field`."""
        paths = [[_as_layer(part) for part in path.children()] for path in self.branches.values()]
        return [Branches(paths, name="inception")]


class NaiveInception(_Inception):
    """The naive block: 1×1, 3×3, 5×5 and a max pooling that keeps all the channels.

    Args:
        in_channels: Channels that come in; the pooling branch hands on as many.
        ch1x1: Filters of 1×1.
        ch3x3: Filters of 3×3.
        ch5x5: Filters of 5×5.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1.

    Examples:
        >>> import torch
        >>> block = NaiveInception(192, ch1x1=64, ch3x3=128, ch5x5=32)
        >>> tuple(block(torch.zeros(1, 192, 7, 7)).shape)  # 64 + 128 + 32 + 192
        (1, 416, 7, 7)

    Source:
        C. Szegedy et al., arXiv:1409.4842, section 4 and Figure 2(a).
    """

    def __init__(self, in_channels: int, *, ch1x1: int, ch3x3: int, ch5x5: int) -> None:
        _check(in_channels=in_channels, ch1x1=ch1x1, ch3x3=ch3x3, ch5x5=ch5x5)
        super().__init__(
            in_channels,
            {
                "1x1": _path(in_channels, (ch1x1, 1)),
                "3x3": _path(in_channels, (ch3x3, 3)),
                "5x5": _path(in_channels, (ch5x5, 5)),
                "pool": nn.Sequential(_pool()),
            },
        )


class Inception(_Inception):
    """The reduced block: 1×1 convolutions before the 3×3 and the 5×5, and after the pooling.

    Args:
        in_channels: Channels that come in.
        ch1x1: Filters of 1×1 in the first branch.
        ch3x3red: Filters of 1×1 before the 3×3.
        ch3x3: Filters of 3×3.
        ch5x5red: Filters of 1×1 before the 5×5.
        ch5x5: Filters of 5×5.
        pool_proj: Filters of 1×1 after the max pooling.
        large: Side of the larger filter. The paper has 5; torchvision's GoogLeNet has 3.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1, or `large` is even.

    Examples:
        >>> import torch
        >>> block = Inception(
        ...     192, ch1x1=64, ch3x3red=96, ch3x3=128, ch5x5red=16, ch5x5=32, pool_proj=32
        ... )
        >>> tuple(block(torch.zeros(1, 192, 7, 7)).shape)
        (1, 256, 7, 7)

    Source:
        C. Szegedy et al., arXiv:1409.4842, section 4 and Figure 2(b).
    """

    def __init__(
        self,
        in_channels: int,
        *,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
        large: int = 5,
    ) -> None:
        _check(
            in_channels=in_channels, ch1x1=ch1x1, ch3x3red=ch3x3red, ch3x3=ch3x3,
            ch5x5red=ch5x5red, ch5x5=ch5x5, pool_proj=pool_proj,
        )  # fmt: skip
        _check_odd(large=large)
        super().__init__(
            in_channels,
            {
                "1x1": _path(in_channels, (ch1x1, 1)),
                "3x3": _path(in_channels, (ch3x3red, 1), (ch3x3, 3)),
                "5x5": _path(in_channels, (ch5x5red, 1), (ch5x5, large)),
                "pool": _projected_pool(in_channels, pool_proj),
            },
        )


class FactorizedInception(_Inception):
    """The reduced block with two 3×3 convolutions in place of the 5×5; they see as much.

    Args:
        in_channels: As for `Inception`, as all arguments but the last.
        ch1x1: Filters of 1×1 in the first branch.
        ch3x3red: Filters of 1×1 before the 3×3.
        ch3x3: Filters of 3×3.
        ch5x5red: Filters of 1×1 before the two 3×3.
        ch5x5: Filters of the second 3×3, in the place of the 5×5.
        pool_proj: Filters of 1×1 after the max pooling.
        ch5x5mid: Filters of the first 3×3; None is `ch5x5`.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1.

    Examples:
        >>> import torch
        >>> block = FactorizedInception(
        ...     192, ch1x1=64, ch3x3red=96, ch3x3=128, ch5x5red=16, ch5x5=32, pool_proj=32
        ... )
        >>> tuple(block(torch.zeros(1, 192, 7, 7)).shape)
        (1, 256, 7, 7)

    Source:
        C. Szegedy et al., arXiv:1512.00567, section 3.1 and Figure 5.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
        ch5x5mid: int | None = None,
    ) -> None:
        middle = ch5x5 if ch5x5mid is None else ch5x5mid
        _check(
            in_channels=in_channels, ch1x1=ch1x1, ch3x3red=ch3x3red, ch3x3=ch3x3,
            ch5x5red=ch5x5red, ch5x5=ch5x5, pool_proj=pool_proj, ch5x5mid=middle,
        )  # fmt: skip
        super().__init__(
            in_channels,
            {
                "1x1": _path(in_channels, (ch1x1, 1)),
                "3x3": _path(in_channels, (ch3x3red, 1), (ch3x3, 3)),
                "5x5": _path(in_channels, (ch5x5red, 1), (middle, 3), (ch5x5, 3)),
                "pool": _projected_pool(in_channels, pool_proj),
            },
        )


class AsymmetricInception(_Inception):
    """The reduced block with each n×n convolution as 1×n and then n×1.

    The filters between the two are as many as after them. The paper uses n = 7, on maps of 12 to
    20 pixels a side, and reports that it does not work well in early layers.

    Args:
        in_channels: As for `Inception`, as all arguments but the last two.
        ch1x1: Filters of 1×1 in the first branch.
        ch3x3red: Filters of 1×1 before the pair in the place of the 3×3.
        ch3x3: Filters of 1×3, and of 3×1.
        ch5x5red: Filters of 1×1 before the pair in the place of the 5×5.
        ch5x5: Filters of 1×5, and of 5×1.
        pool_proj: Filters of 1×1 after the max pooling.
        small: The n of the second branch.
        large: The n of the third branch.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1, or `small` or `large` is even.

    Examples:
        >>> block = AsymmetricInception(
        ...     192, ch1x1=64, ch3x3red=96, ch3x3=128, ch5x5red=16, ch5x5=32, pool_proj=32
        ... )
        >>> [layer.label for layer in block.layers()[0].paths[2]]
        ['conv 1×1', 'relu', 'conv 1×5', 'relu', 'conv 5×1', 'relu']

    Source:
        C. Szegedy et al., arXiv:1512.00567, section 3.2 and Figure 6.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
        small: int = 3,
        large: int = 5,
    ) -> None:
        _check(
            in_channels=in_channels, ch1x1=ch1x1, ch3x3red=ch3x3red, ch3x3=ch3x3,
            ch5x5red=ch5x5red, ch5x5=ch5x5, pool_proj=pool_proj,
        )  # fmt: skip
        _check_odd(small=small, large=large)
        super().__init__(
            in_channels,
            {
                "1x1": _path(in_channels, (ch1x1, 1)),
                "3x3": _path(in_channels, (ch3x3red, 1), (ch3x3, (1, small)), (ch3x3, (small, 1))),
                "5x5": _path(in_channels, (ch5x5red, 1), (ch5x5, (1, large)), (ch5x5, (large, 1))),
                "pool": _projected_pool(in_channels, pool_proj),
            },
        )


def googlenet_3a() -> Inception:
    """Return the first inception block of GoogLeNet; it reads 192 channels, on 28×28 pixels.

    Examples:
        >>> block = googlenet_3a()
        >>> sum(parameter.numel() for parameter in block.parameters())
        163696

    Source:
        C. Szegedy et al., arXiv:1409.4842, Table 1, row "inception (3a)".
    """
    return Inception(192, ch1x1=64, ch3x3red=96, ch3x3=128, ch5x5red=16, ch5x5=32, pool_proj=32)


def _check(**counts: int) -> None:
    for name, count in counts.items():
        as_int(count, name, 1)


def _check_odd(**sizes: int) -> None:
    for name, size in sizes.items():
        if as_int(size, name, 1) % 2 == 0:
            raise ValueError(f"`{name}` (={size}) must be odd: an even filter shifts the map")


def _path(in_channels: int, *steps: tuple[int, IntOrPair]) -> nn.Sequential:
    """Return convolutions of (filters, kernel size) in a row, a ReLU after each."""
    path = nn.Sequential()
    channels = in_channels
    for filters, size in steps:
        kernel = as_pair(size, "kernel_size", 1)
        padding = kernel[0] // 2, kernel[1] // 2
        path.append(nn.Conv2d(channels, filters, kernel, padding=padding))
        path.append(nn.ReLU())
        channels = filters
    return path


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=1, padding=1)


def _projected_pool(in_channels: int, filters: int) -> nn.Sequential:
    return nn.Sequential(_pool(), *_path(in_channels, (filters, 1)))


def _as_layer(module: nn.Module) -> Layer:
    """Read off the settings of a module, so that what is counted is what is there."""
    match module:
        case nn.Conv2d():
            return Conv(
                module.out_channels,
                as_pair(module.kernel_size, "kernel_size", 1),
                as_pair(module.stride, "stride", 1),
                as_pair(module.padding, "padding", 0),
                bias=module.bias is not None,
            )
        case nn.MaxPool2d():
            kernel = as_pair(module.kernel_size, "kernel_size", 1)
            padding = as_pair(module.padding, "padding", 0)
            return Pool(kernel, as_pair(module.stride, "stride", 1), padding)
        case nn.ReLU():
            return Activation()
    raise TypeError(f"an inception block holds no {type(module).__name__}")


__all__ = [
    "AsymmetricInception",
    "FactorizedInception",
    "Inception",
    "NaiveInception",
    "googlenet_3a",
]
