r"""Inception blocks: several filter sizes in parallel on one input, their maps concatenated.

The arguments are named after the columns of Table 1 in the paper, so that you can copy a row of it:
`ch3x3red` is "#3×3 reduce", the 1×1 filters before the 3×3. Every convolution has a bias, is
followed by a ReLU, and pads so that height and width stay the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from cnnref._checks import as_int, as_pair
from cnnref._types import IntOrPair
from cnnref.networks.layers import Activation, Branches, Conv, Layer, Pool

__all__ = [
    "AsymmetricInception",
    "FactorizedInception",
    "Inception",
    "NaiveInception",
    "googlenet_3a",
]

# A convolution: how many filters, of which size.
Step: TypeAlias = tuple[int, IntOrPair]


class _Inception(nn.Module):
    """Branches from one input, their maps concatenated along the channels.

    Attributes:
        branches: The branches by name, in the order of the output's channels.
        in_channels: Input channels.
    """

    def __init__(self, in_channels: int, branches: Mapping[str, nn.Sequential]) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.branches = nn.ModuleDict(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Return the concatenated maps for (N, in_channels, H, W), of the same height and width."""
        return torch.cat([branch(x) for branch in self.branches.values()], dim=1)

    def layers(self) -> list[Layer]:
        """Return the block as a list of layers, for `cnnref.cost` and `cnnref.receptive_field`."""
        paths = [[_as_layer(part) for part in path.children()] for path in self.branches.values()]
        return [Branches(paths, name="inception")]


class _ReducedInception(_Inception):
    """An inception block with 1×1 convolutions before its larger filters, and after the pooling.

    Args:
        in_channels: Input channels.
        counts: The numbers of filters by the names of the caller's arguments, to be checked.
        medium: The convolutions of the second branch after its reduction.
        large: The convolutions of the third branch after its reduction.
    """

    def __init__(
        self,
        in_channels: int,
        counts: Mapping[str, int],
        medium: Sequence[Step],
        large: Sequence[Step],
    ) -> None:
        _check(in_channels=in_channels, **counts)
        super().__init__(
            in_channels,
            {
                "1x1": _path(in_channels, (counts["ch1x1"], 1)),
                "3x3": _path(in_channels, (counts["ch3x3red"], 1), *medium),
                "5x5": _path(in_channels, (counts["ch5x5red"], 1), *large),
                "pool": nn.Sequential(_pool(), *_path(in_channels, (counts["pool_proj"], 1))),
            },
        )


class NaiveInception(_Inception):
    """The naive block: 1×1, 3×3, 5×5 and a max pooling that keeps all channels.

    Args:
        in_channels: Input channels; the pooling branch outputs as many.
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


class Inception(_ReducedInception):
    """The reduced block: 1×1 convolutions before the 3×3 and the 5×5, and after the pooling.

    Args:
        in_channels: Input channels.
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
        _check_odd(large=large)
        counts = dict(
            ch1x1=ch1x1, ch3x3red=ch3x3red, ch3x3=ch3x3,
            ch5x5red=ch5x5red, ch5x5=ch5x5, pool_proj=pool_proj,
        )  # fmt: skip
        super().__init__(in_channels, counts, [(ch3x3, 3)], [(ch5x5, large)])


class FactorizedInception(_ReducedInception):
    """The reduced block with two 3×3 convolutions for the 5×5, with the same receptive field.

    Args:
        in_channels: Input channels.
        ch1x1: Filters of 1×1 in the first branch.
        ch3x3red: Filters of 1×1 before the 3×3.
        ch3x3: Filters of 3×3.
        ch5x5red: Filters of 1×1 before the two 3×3.
        ch5x5: Filters of the second 3×3.
        pool_proj: Filters of 1×1 after the max pooling.
        ch5x5mid: Filters of the first 3×3; None means `ch5x5`.

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
        counts = dict(
            ch1x1=ch1x1, ch3x3red=ch3x3red, ch3x3=ch3x3,
            ch5x5red=ch5x5red, ch5x5=ch5x5, pool_proj=pool_proj, ch5x5mid=middle,
        )  # fmt: skip
        super().__init__(in_channels, counts, [(ch3x3, 3)], [(middle, 3), (ch5x5, 3)])


class AsymmetricInception(_ReducedInception):
    """The reduced block with each n×n convolution as 1×n and then n×1.

    Both convolutions of a pair have the same number of filters. The paper uses n = 7, on maps with
    sides of 12 to 20 pixels, and reports that it does not work well in early layers.

    Args:
        in_channels: Input channels.
        ch1x1: Filters of 1×1 in the first branch.
        ch3x3red: Filters of 1×1 before the pair that replaces the 3×3.
        ch3x3: Filters of 1×3, and of 3×1.
        ch5x5red: Filters of 1×1 before the pair that replaces the 5×5.
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
        _check_odd(small=small, large=large)
        counts = dict(
            ch1x1=ch1x1, ch3x3red=ch3x3red, ch3x3=ch3x3,
            ch5x5red=ch5x5red, ch5x5=ch5x5, pool_proj=pool_proj,
        )  # fmt: skip
        medium: list[Step] = [(ch3x3, (1, small)), (ch3x3, (small, 1))]
        super().__init__(in_channels, counts, medium, [(ch5x5, (1, large)), (ch5x5, (large, 1))])


def googlenet_3a() -> Inception:
    """Return the first inception block of GoogLeNet; its input has 192 channels of 28×28 pixels.

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
            raise ValueError(f"`{name}` ({size}) must be odd: an even filter shifts the map")


def _path(in_channels: int, *steps: Step) -> nn.Sequential:
    """Return some convolutions one after another, with a ReLU after each."""
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


def _as_layer(module: nn.Module) -> Layer:
    """Return a module without its weights, from its own settings, so that counts match it."""
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
    raise TypeError(f"`module` is a {type(module).__name__}, which no inception block contains")
