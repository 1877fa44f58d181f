r"""Residual blocks, plain blocks to compare them with, and small networks of either.

A residual block adds its input to what its layers compute, $y = F(x) + x$, so that the layers learn
the difference from the input. `PlainBlock` has the same layers and adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from torch import Tensor, nn

from cnnref._checks import as_int

__all__ = ["BasicBlock", "Bottleneck", "IdentityShortcut", "PlainBlock", "ResidualNet"]

Order: TypeAlias = Literal["post", "pre"]
ShortcutKind: TypeAlias = Literal["identity", "projection"]


class PlainBlock(nn.Module):
    r"""Two 3×3 convolutions with batch norm and ReLU: a `BasicBlock` without its skip.

    Args:
        in_channels: Input channels.
        channels: Output channels.
        stride: Step of the first convolution, in pixels.
        order: "post" puts batch norm and ReLU after each convolution, "pre" before it.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1 or `order` is neither "post" nor "pre".

    Examples:
        >>> import torch
        >>> block = PlainBlock(16, 32, stride=2)
        >>> tuple(block(torch.zeros(1, 16, 8, 8)).shape)
        (1, 32, 4, 4)
    """

    def __init__(
        self, in_channels: int, channels: int, *, stride: int = 1, order: Order = "post"
    ) -> None:
        super().__init__()
        convolutions = _basic(in_channels, channels, stride)
        self.out_channels = channels
        self.before, self.body, self.after = _arrange(convolutions, order)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the layers for (N, in_channels, H, W)."""
        y: Tensor = self.after(self.body(self.before(x)))
        return y


class _Residual(nn.Module):
    """The sum of some convolutions and a shortcut: the base of both residual blocks."""

    def __init__(
        self,
        convolutions: Sequence[nn.Conv2d],
        stride: int,
        order: Order,
        shortcut: ShortcutKind,
        zero_init_last: bool,
    ) -> None:
        super().__init__()
        in_channels = convolutions[0].in_channels
        self.out_channels = convolutions[-1].out_channels
        _one_of(shortcut, "shortcut", ("identity", "projection"))
        self.before, self.body, self.after = _arrange(convolutions, order)
        self.projects = shortcut == "projection"
        self.shortcut: nn.Module
        if self.projects:
            project = nn.Conv2d(in_channels, self.out_channels, 1, stride, bias=False)
            # In pre-activation order nothing comes between a convolution and the sum.
            norm = [nn.BatchNorm2d(self.out_channels)] if order == "post" else []
            self.shortcut = nn.Sequential(project, *norm)
        else:
            self.shortcut = IdentityShortcut(in_channels, self.out_channels, stride)
        if zero_init_last:
            last = self.body[-1]
            assert isinstance(last, (nn.BatchNorm2d, nn.Conv2d))
            nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the block for (N, in_channels, H, W)."""
        start: Tensor = self.before(x)
        # A projection takes what the layers take; an identity passes the block's input through.
        skip: Tensor = self.shortcut(start if self.projects else x)
        y: Tensor = self.after(self.body(start) + skip)
        return y


class BasicBlock(_Residual):
    r"""A residual block of two 3×3 convolutions.

    $$y = \operatorname{ReLU}(F(x) + x) \quad\text{(post)}, \qquad
    y = F(x) + x \quad\text{(pre)}$$

    In the order "post", $F$ is convolution, batch norm, ReLU, convolution, batch norm, and a ReLU
    follows the sum. In the order "pre", $F$ is batch norm, ReLU, convolution, twice, and nothing
    follows the sum: with $F = 0$ the block is the identity for every $x$.

    Args:
        in_channels: Input channels.
        channels: Output channels.
        stride: Step of the first convolution and of the shortcut, in pixels.
        order: "post" puts batch norm and ReLU after each convolution, "pre" before it.
        shortcut: "identity" adds the input itself (`IdentityShortcut` adapts its shape);
            "projection" adds a 1×1 convolution of it.
        zero_init_last: Start with $F = 0$: with a last batch norm of scale zero in the order
            "post", and a last convolution of zeros in the order "pre".

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1, an option is not one of the above, or an identity would
            have to drop channels.

    Examples:
        >>> import torch
        >>> block = BasicBlock(8, 8, order="pre", zero_init_last=True)
        >>> x = torch.randn(2, 8, 5, 5)
        >>> torch.equal(block(x), x)
        True

    Source:
        K. He, X. Zhang, S. Ren and J. Sun, arXiv:1512.03385, section 3.2 and Figure 5 ("post");
        arXiv:1603.05027 ("pre"). P. Goyal et al., arXiv:1706.02677, section 5.1 (zero scale of the
        last batch norm).
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        stride: int = 1,
        order: Order = "post",
        shortcut: ShortcutKind = "identity",
        zero_init_last: bool = False,
    ) -> None:
        convolutions = _basic(in_channels, channels, stride)
        super().__init__(convolutions, stride, order, shortcut, zero_init_last)


class Bottleneck(_Residual):
    r"""A residual block of 1×1, 3×3 and 1×1 convolutions, the 3×3 on fewer channels.

    Args:
        in_channels: Input channels.
        channels: Channels of the 3×3; the output has four times as many.
        stride: Step of the block, in pixels.
        order: As for `BasicBlock`.
        shortcut: As for `BasicBlock`.
        stride_in: Which convolution takes the stride: "first" is the 1×1, as in the paper
            (ResNet v1), "middle" the 3×3, as in torchvision (v1.5).
        zero_init_last: As for `BasicBlock`.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1, an option is not one of the above, or an identity would
            have to drop channels.

    Examples:
        >>> import torch
        >>> block = Bottleneck(256, 64)
        >>> tuple(block(torch.zeros(1, 256, 7, 7)).shape)
        (1, 256, 7, 7)

    Source:
        K. He, X. Zhang, S. Ren and J. Sun, arXiv:1512.03385, section 4.1 and Figure 5.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        stride: int = 1,
        order: Order = "post",
        shortcut: ShortcutKind = "identity",
        stride_in: Literal["first", "middle"] = "first",
        zero_init_last: bool = False,
    ) -> None:
        _one_of(stride_in, "stride_in", ("first", "middle"))
        early, late = (stride, 1) if stride_in == "first" else (1, stride)
        convolutions = [
            _conv(in_channels, channels, 1, early),
            _conv(channels, channels, 3, late),
            _conv(channels, self.expansion * channels, 1),
        ]
        super().__init__(convolutions, stride, order, shortcut, zero_init_last)


class IdentityShortcut(nn.Module):
    """The unchanged input or, where the block changes its shape, a version without parameters.

    A stride keeps every `stride`-th row and column, where the windows of the block have their
    centres. New channels are zeros: option A of the paper.

    Args:
        in_channels: Input channels.
        out_channels: Output channels, at least as many.
        stride: Step, in pixels.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1, or channels would have to be dropped.

    Examples:
        >>> import torch
        >>> shortcut = IdentityShortcut(1, 2, stride=2)
        >>> shortcut(torch.arange(16.0).reshape(1, 1, 4, 4))[0, :, 0]
        tensor([[0., 2.],
                [0., 0.]])

    Source:
        K. He, X. Zhang, S. Ren and J. Sun, arXiv:1512.03385, section 3.3.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        before = as_int(in_channels, "in_channels", 1)
        after = as_int(out_channels, "out_channels", 1)
        if after < before:
            raise ValueError(
                f"`out_channels` ({after}) must be at least `in_channels` ({before}), since an "
                "identity shortcut cannot drop channels; use `shortcut='projection'`"
            )
        self.stride, self.extra = as_int(stride, "stride", 1), after - before

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, with fewer pixels and more channels if the block needs it."""
        if self.stride > 1:
            x = x[..., :: self.stride, :: self.stride]
        return nn.functional.pad(x, (0, 0, 0, 0, 0, self.extra)) if self.extra else x


class ResidualNet(nn.Module):
    r"""A small network of basic blocks, residual or plain, for small images.

    It is a 3×3 convolution, one stage of blocks for each entry of `depths`, global average pooling
    and a fully connected layer. Each stage but the first halves height and width. With $n$ blocks
    in each of three stages there are $6n + 2$ layers with weights, as in the paper's networks for
    CIFAR-10.

    Args:
        depths: Number of blocks in each stage.
        widths: Channels of each stage.
        in_channels: Channels of the image.
        num_classes: Number of logits.
        residual: True uses `BasicBlock`, False `PlainBlock`, with the same convolutions.
        order: As for `BasicBlock`.
        shortcut: Shortcut of the blocks that change the shape; all others have an identity.
        zero_init_last: As for `BasicBlock`; not for plain blocks, whose output would be zero.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is below 1, an option is not one of the above, or `depths` and
            `widths` differ in length or are empty.

    Examples:
        >>> import torch
        >>> net = ResidualNet((3, 3, 3))
        >>> net.weighted_layers, tuple(net(torch.zeros(1, 3, 32, 32)).shape)
        (20, (1, 10))

    Source:
        K. He, X. Zhang, S. Ren and J. Sun, arXiv:1512.03385, section 4.2.
    """

    def __init__(
        self,
        depths: Sequence[int],
        *,
        widths: Sequence[int] = (16, 32, 64),
        in_channels: int = 3,
        num_classes: int = 10,
        residual: bool = True,
        order: Order = "post",
        shortcut: ShortcutKind = "identity",
        zero_init_last: bool = False,
    ) -> None:
        super().__init__()
        if not depths or len(depths) != len(widths):
            raise ValueError(
                f"`depths` ({depths!r}) must have one number for each of `widths` ({widths!r})"
            )
        if zero_init_last and not residual:
            raise ValueError(
                "`zero_init_last` (True) needs `residual`: the output of a plain net would be 0"
            )
        blocks = [as_int(depth, "depths", 1) for depth in depths]
        self.weighted_layers = 2 * sum(blocks) + 2
        first = [_conv(in_channels, widths[0], 3)]
        # In pre-activation order each block starts with its own batch norm and ReLU.
        after_stem = [nn.BatchNorm2d(widths[0]), nn.ReLU()] if order == "post" else []
        self.stem = nn.Sequential(*first, *after_stem)
        self.stages = nn.Sequential()
        channels = widths[0]
        for stage, (count, width) in enumerate(zip(blocks, widths, strict=True)):
            row = nn.Sequential()
            for place in range(count):
                stride = 2 if place == 0 and stage > 0 else 1
                changes = stride > 1 or channels != width
                if residual:
                    kind: ShortcutKind = shortcut if changes else "identity"
                    row.append(
                        BasicBlock(
                            channels, width, stride=stride, order=order, shortcut=kind,
                            zero_init_last=zero_init_last,
                        )
                    )  # fmt: skip
                else:
                    row.append(PlainBlock(channels, width, stride=stride, order=order))
                channels = width
            self.stages.append(row)
        # In a pre-activation net no batch norm and no ReLU has followed the last sum yet.
        last = [nn.BatchNorm2d(channels), nn.ReLU()] if order == "pre" else []
        self.last = nn.Sequential(*last)
        self.fc = nn.Linear(channels, as_int(num_classes, "num_classes", 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, num_classes) for images (N, in_channels, H, W)."""
        maps: Tensor = self.last(self.stages(self.stem(x)))
        logits: Tensor = self.fc(maps.mean(dim=(2, 3)))
        return logits


def _conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    """Return a convolution without a bias, which batch norm replaces; stride 1 keeps the size.

    Its initial weights follow He et al. (arXiv:1502.01852), for ReLU.
    """
    layer = nn.Conv2d(
        as_int(in_channels, "in_channels", 1),
        as_int(out_channels, "channels", 1),
        kernel_size,
        as_int(stride, "stride", 1),
        kernel_size // 2,
        bias=False,
    )
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer


def _basic(in_channels: int, channels: int, stride: int) -> list[nn.Conv2d]:
    return [_conv(in_channels, channels, 3, stride), _conv(channels, channels, 3)]


def _arrange(
    convolutions: Sequence[nn.Conv2d], order: Order
) -> tuple[nn.Module, nn.Sequential, nn.Module]:
    """Arrange batch norm and ReLU around the convolutions: return before, body and after.

    A projection shortcut takes the output of `before`; `after` follows the sum.
    """
    _one_of(order, "order", ("post", "pre"))
    body = nn.Sequential()
    if order == "post":
        for place, convolution in enumerate(convolutions):
            if place:
                body.append(nn.ReLU())
            body.extend([convolution, nn.BatchNorm2d(convolution.out_channels)])
        return nn.Identity(), body, nn.ReLU()
    for place, convolution in enumerate(convolutions):
        if place:
            body.extend([nn.BatchNorm2d(convolution.in_channels), nn.ReLU()])
        body.append(convolution)
    before = nn.Sequential(nn.BatchNorm2d(convolutions[0].in_channels), nn.ReLU())
    return before, body, nn.Identity()


def _one_of(value: str, name: str, allowed: tuple[str, str]) -> None:
    if value not in allowed:
        raise ValueError(f"`{name}` ({value!r}) must be {allowed[0]!r} or {allowed[1]!r}")
