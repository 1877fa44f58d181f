"""The networks that readers bring, small, with the structure and the names of the originals.

Each function builds one architecture. With its default arguments it is a toy that runs in
milliseconds; with those in `tests/nn/against_torchvision.py` it is torchvision's network to the
bit, so that state dicts can be exchanged.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

CLASSES = 6


# Residual networks: one in-place ReLU per block, which runs twice.


class BasicBlock(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, width: int = 4, classes: int = CLASSES, blocks: int = 2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for number, (before, after) in enumerate([(1, 1), (1, 2), (2, 4), (4, 8)], 1):
            first = BasicBlock(width * before, width * after, 1 if number == 1 else 2)
            rest = [BasicBlock(width * after, width * after, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{number}", nn.Sequential(first, *rest))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width * 8, classes)

    def maps(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.flatten(self.avgpool(self.maps(x)), 1))


# Plain, Inception and dense networks.


class VGG(nn.Module):
    def __init__(self, width: int = 2, hidden: int = 16, classes: int = CLASSES) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for step in [1, "M", 2, "M", 4, 4, "M", 8, 8, "M", 8, 8, "M"]:
            if isinstance(step, str):
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(before, width * step, 3, padding=1), nn.ReLU(inplace=True)]
            before = width * step
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(width * 8 * 49, hidden), nn.ReLU(True), nn.Dropout(0.5),
            nn.Linear(hidden, hidden), nn.ReLU(True), nn.Dropout(0.5),
            nn.Linear(hidden, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class ConvBNFunctional(nn.Module):
    """Calls `functional.relu` in place, which no hook can see."""

    def __init__(self, channels: int, width: int, **settings: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, bias=False, **settings)
        self.bn = nn.BatchNorm2d(width, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)), inplace=True)


class InceptionBlock(nn.Module):
    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        one, reduce3, three, reduce5, five, pool = widths
        block = ConvBNFunctional
        self.branch1 = block(channels, one, kernel_size=1)
        self.branch2 = nn.Sequential(
            block(channels, reduce3, kernel_size=1),
            block(reduce3, three, kernel_size=3, padding=1),
        )
        # torchvision's "5×5" branch has 3×3 filters, as in the original weights.
        self.branch3 = nn.Sequential(
            block(channels, reduce5, kernel_size=1), block(reduce5, five, kernel_size=3, padding=1)
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, 1, 1, ceil_mode=True), block(channels, pool, kernel_size=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionAux(nn.Module):
    def __init__(self, channels: int, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.conv = ConvBNFunctional(channels, width, kernel_size=1)
        self.fc1 = nn.Linear(width * 16, hidden)
        self.fc2 = nn.Linear(hidden, classes)
        self.dropout = nn.Dropout(p=0.7)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.flatten(self.conv(functional.adaptive_avg_pool2d(x, (4, 4))), 1)
        return self.fc2(self.dropout(functional.relu(self.fc1(x), inplace=True)))


class GoogLeNetOutputs(NamedTuple):
    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


_INCEPTION = {
    "3a": (192, (64, 96, 128, 16, 32, 32)),
    "3b": (256, (128, 128, 192, 32, 96, 64)),
    "4a": (480, (192, 96, 208, 16, 48, 64)),
    "4b": (512, (160, 112, 224, 24, 64, 64)),
    "4c": (512, (128, 128, 256, 24, 64, 64)),
    "4d": (512, (112, 144, 288, 32, 64, 64)),
    "4e": (528, (256, 160, 320, 32, 128, 128)),
    "5a": (832, (256, 160, 320, 32, 128, 128)),
    "5b": (832, (384, 192, 384, 48, 128, 128)),
}


class GoogLeNet(nn.Module):
    """Returns scores in eval mode, and a named tuple with those of two auxiliary heads in train."""

    def __init__(self, divide: int = 16, classes: int = CLASSES) -> None:
        super().__init__()
        block = ConvBNFunctional
        self.conv1 = block(3, 64 // divide, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = block(64 // divide, 64 // divide, kernel_size=1)
        self.conv3 = block(64 // divide, 192 // divide, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        after = 192 // divide
        for name, (_, widths) in _INCEPTION.items():
            if name == "4a":
                self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
            if name == "5a":
                self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
            narrow = [width // divide for width in widths]
            setattr(self, f"inception{name}", InceptionBlock(after, narrow))
            after = narrow[0] + narrow[2] + narrow[4] + narrow[5]
        aux = partial(InceptionAux, width=128 // divide, hidden=1024 // divide, classes=classes)
        self.aux1 = aux(self._width("4a", divide))
        self.aux2 = aux(self._width("4d", divide))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=0.2)
        self.fc = nn.Linear(after, classes)

    @staticmethod
    def _width(name: str, divide: int) -> int:
        one, _, three, _, five, pool = (width // divide for width in _INCEPTION[name][1])
        return one + three + five + pool

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        x = self.maxpool2(self.conv3(self.conv2(self.maxpool1(self.conv1(x)))))
        x = self.inception4a(self.maxpool3(self.inception3b(self.inception3a(x))))
        first = self.aux1(x) if self.training else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        second = self.aux2(x) if self.training else None
        x = self.inception5b(self.inception5a(self.maxpool4(self.inception4e(x))))
        scores = self.fc(self.dropout(torch.flatten(self.avgpool(x), 1)))
        if first is None or second is None:
            return scores
        return GoogLeNetOutputs(scores, second, first)


class DenseLayer(nn.Module):
    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, features: list[Tensor]) -> Tensor:
        narrow = self.conv1(self.relu1(self.norm1(torch.cat(features, 1))))
        return self.conv2(self.relu2(self.norm2(narrow)))


class DenseBlock(nn.ModuleDict):
    def __init__(self, count: int, channels: int, growth: int) -> None:
        super().__init__()
        for number in range(count):
            self.add_module(
                f"denselayer{number + 1}", DenseLayer(channels + number * growth, growth)
            )

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class DenseNet(nn.Module):
    """Overwrites the output of `features` with its ReLU."""

    def __init__(
        self, growth: int = 4, blocks: Sequence[int] = (2, 2, 2, 2), classes: int = CLASSES
    ) -> None:
        super().__init__()
        width = 2 * growth
        self.features = nn.Sequential(
            OrderedDict[str, nn.Module](
                conv0=nn.Conv2d(3, width, 7, 2, 3, bias=False),
                norm0=nn.BatchNorm2d(width),
                relu0=nn.ReLU(inplace=True),
                pool0=nn.MaxPool2d(3, 2, 1),
            )
        )
        for number, count in enumerate(blocks, 1):
            self.features.add_module(f"denseblock{number}", DenseBlock(count, width, growth))
            width += count * growth
            if number < len(blocks):
                transition = nn.Sequential(
                    OrderedDict[str, nn.Module](
                        norm=nn.BatchNorm2d(width),
                        relu=nn.ReLU(inplace=True),
                        conv=nn.Conv2d(width, width // 2, 1, bias=False),
                        pool=nn.AvgPool2d(2, 2),
                    )
                )
                self.features.add_module(f"transition{number}", transition)
                width //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(width))
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.features(x), inplace=True)
        return self.classifier(torch.flatten(functional.adaptive_avg_pool2d(out, (1, 1)), 1))


# MobileNetV3 (small): squeeze and excitation, hard swish, two linear layers at the end.


def rounded(channels: float) -> int:
    """Return a multiple of 8 that is not more than 10 % below the number."""
    found = max(8, int(channels + 4) // 8 * 8)
    return found + 8 if found < 0.9 * channels else found


def conv_norm(
    channels: int, width: int, kernel: int = 3, stride: int = 1, groups: int = 1,
    activation: Callable[..., nn.Module] | None = nn.ReLU,
) -> nn.Sequential:  # fmt: skip
    conv = nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    norm = nn.BatchNorm2d(width, eps=0.001, momentum=0.01)
    return nn.Sequential(conv, norm, *([] if activation is None else [activation(inplace=True)]))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeeze, 1)
        self.fc2 = nn.Conv2d(squeeze, channels, 1)
        self.activation = nn.ReLU()
        self.scale_activation = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        small = self.activation(self.fc1(self.avgpool(x)))
        return self.scale_activation(self.fc2(small)) * x


class InvertedResidual(nn.Module):
    def __init__(
        self, channels: int, kernel: int, wide: int, width: int, excites: bool, hard: bool,
        stride: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.adds = stride == 1 and channels == width
        activation = nn.Hardswish if hard else nn.ReLU
        layers: list[nn.Module] = []
        if wide != channels:
            layers.append(conv_norm(channels, wide, 1, activation=activation))
        layers.append(conv_norm(wide, wide, kernel, stride, wide, activation=activation))
        if excites:
            layers.append(SqueezeExcitation(wide, rounded(wide // 4)))
        layers.append(conv_norm(wide, width, 1, activation=None))
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out = self.block(x)
        if self.adds:
            out += x
        return out


_MOBILE = [
    # Channels, kernel, expanded, output, squeeze and excitation, hard swish, stride.
    (16, 3, 16, 16, True, False, 2),
    (16, 3, 72, 24, False, False, 2),
    (24, 3, 88, 24, False, False, 1),
    (24, 5, 96, 40, True, True, 2),
    (40, 5, 240, 40, True, True, 1),
    (40, 5, 240, 40, True, True, 1),
    (40, 5, 120, 48, True, True, 1),
    (48, 5, 144, 48, True, True, 1),
    (48, 5, 288, 96, True, True, 2),
    (96, 5, 576, 96, True, True, 1),
    (96, 5, 576, 96, True, True, 1),
]


class MobileNetV3(nn.Module):
    def __init__(
        self, multiply: float = 0.25, rows: Sequence[int] = (0, 1, 3, 8), hidden: int = 16,
        classes: int = CLASSES,
    ) -> None:  # fmt: skip
        super().__init__()
        width = rounded(16 * multiply)
        layers: list[nn.Module] = [conv_norm(3, width, 3, 2, activation=nn.Hardswish)]
        for row in rows:
            _, kernel, wide, after, excites, hard, stride = _MOBILE[row]
            wide, after = rounded(wide * multiply), rounded(after * multiply)
            layers.append(InvertedResidual(width, kernel, wide, after, excites, hard, stride))
            width = after
        layers.append(conv_norm(width, 6 * width, 1, activation=nn.Hardswish))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * width, hidden), nn.Hardswish(inplace=True),
            nn.Dropout(p=0.2, inplace=True), nn.Linear(hidden, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


# Networks whose layers put channels last, or turn images into tokens.


class Permute(nn.Module):
    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = tuple(order)

    def forward(self, x: Tensor) -> Tensor:
        return torch.permute(x, self.order)


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class StochasticDepth(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        shape = [len(x)] + [1] * (x.ndim - 1)
        noise = torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(1 - self.p)
        return x * noise / (1 - self.p)


class CNBlock(nn.Module):
    def __init__(self, width: int, drop: float) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 7, padding=3, groups=width), Permute([0, 2, 3, 1]),
            nn.LayerNorm(width, eps=1e-6), nn.Linear(width, 4 * width), nn.GELU(),
            nn.Linear(4 * width, width), Permute([0, 3, 1, 2]),
        )  # fmt: skip
        self.layer_scale = nn.Parameter(torch.ones(width, 1, 1) * 1e-6)
        self.stochastic_depth = StochasticDepth(drop)

    def forward(self, x: Tensor) -> Tensor:
        return self.stochastic_depth(self.layer_scale * self.block(x)) + x


class ConvNeXt(nn.Module):
    def __init__(
        self, widths: Sequence[int] = (8, 8, 16, 16), depths: Sequence[int] = (1, 1, 2, 1),
        classes: int = CLASSES,
    ) -> None:  # fmt: skip
        super().__init__()
        first = nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), LayerNorm2d(widths[0], eps=1e-6))
        layers: list[nn.Module] = [first]
        total, done = sum(depths), 0
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            drops = [0.1 * (done + place) / (total - 1.0) for place in range(depth)]
            layers.append(nn.Sequential(*(CNBlock(width, drop) for drop in drops)))
            done += depth
            if number < len(widths) - 1:
                halve = nn.Conv2d(width, widths[number + 1], 2, 2)
                layers.append(nn.Sequential(LayerNorm2d(width, eps=1e-6), halve))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            LayerNorm2d(widths[-1], eps=1e-6), nn.Flatten(1), nn.Linear(widths[-1], classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


class WindowAttention(nn.Module):
    """Attention inside windows of an image (N, H, W, C), shifted in every second block."""

    def __init__(self, width: int, window: int, shift: int, heads: int) -> None:
        super().__init__()
        self.window, self.shift, self.heads = window, shift, heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        places = torch.cartesian_prod(torch.arange(window), torch.arange(window))
        apart = places[:, None] - places[None] + window - 1
        index = (apart[..., 0] * (2 * window - 1) + apart[..., 1]).flatten()
        self.register_buffer("relative_position_index", index)

    def forward(self, x: Tensor) -> Tensor:
        count, height, width, channels = x.shape
        side = self.window
        padded = functional.pad(x, (0, 0, 0, -width % side, 0, -height % side))
        down, across = padded.shape[1:3]
        shifts = [0 if side >= size else self.shift for size in (down, across)]
        if any(shifts):
            padded = torch.roll(padded, [-shift for shift in shifts], (1, 2))
        grid = (count, down // side, side, across // side, side, channels)
        tokens = padded.view(grid).transpose(2, 3).reshape(-1, side * side, channels)
        qkv = self.qkv(tokens).view(*tokens.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = qkv
        scores = query * (channels // self.heads) ** -0.5 @ key.transpose(-2, -1)
        bias = self.relative_position_bias_table[self.relative_position_index]
        scores = scores + bias.view(side * side, side * side, -1).permute(2, 0, 1)[None]
        if any(shifts):
            region = torch.zeros(down, across, device=x.device)
            cuts = [[(0, -side), (-side, -shift), (-shift, None)] for shift in shifts]
            for row, (top, bottom) in enumerate(cuts[0]):
                for column, (left, right) in enumerate(cuts[1]):
                    region[top:bottom, left:right] = 3 * row + column
            region = region.view(down // side, side, across // side, side).transpose(1, 2)
            region = region.reshape(-1, side * side)
            blocked = region[:, None] != region[:, :, None]
            mask = torch.zeros(blocked.shape, device=x.device).masked_fill(blocked, -100.0)
            scores = scores.view(count, len(mask), *scores.shape[1:]) + mask[None, :, None]
            scores = scores.view(-1, *scores.shape[2:])
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(tokens.shape)
        out = self.proj(mixed).view(count, down // side, across // side, side, side, channels)
        out = out.transpose(2, 3).reshape(count, down, across, channels)
        if any(shifts):
            out = torch.roll(out, shifts, (1, 2))
        return out[:, :height, :width].contiguous()


def mlp(width: int, wide: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, wide), nn.GELU(), nn.Dropout(0.0), nn.Linear(wide, width), nn.Dropout(0.0)
    )


class SwinBlock(nn.Module):
    def __init__(self, width: int, window: int, shift: int, heads: int, drop: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-5)
        self.attn = WindowAttention(width, window, shift, heads)
        self.stochastic_depth = StochasticDepth(drop)
        self.norm2 = nn.LayerNorm(width, eps=1e-5)
        self.mlp = mlp(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class PatchMerging(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (0, 0, 0, x.shape[-2] % 2, 0, x.shape[-3] % 2))
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(corners, -1)))


class Swin(nn.Module):
    """The output of every layer of `features` is (N, H, W, C)."""

    def __init__(
        self, width: int = 8, depths: Sequence[int] = (2, 2), heads: Sequence[int] = (1, 2),
        window: int = 4, classes: int = CLASSES,
    ) -> None:  # fmt: skip
        super().__init__()
        layers: list[nn.Module] = [
            nn.Sequential(
                nn.Conv2d(3, width, 4, 4), Permute([0, 2, 3, 1]), nn.LayerNorm(width, eps=1e-5)
            )
        ]
        total, done = sum(depths), 0
        for stage, (depth, number) in enumerate(zip(depths, heads, strict=True)):
            blocks = []
            for place in range(depth):
                shift, drop = (window // 2 if place % 2 else 0), 0.2 * done / (total - 1)
                blocks.append(SwinBlock(width, window, shift, number, drop))
                done += 1
            layers.append(nn.Sequential(*blocks))
            if stage < len(depths) - 1:
                layers.append(PatchMerging(width))
                width *= 2
        self.features = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.permute(self.norm(self.features(x)))
        return self.head(self.flatten(self.avgpool(maps)))


class EncoderBlock(nn.Module):
    def __init__(self, heads: int, width: int, wide: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.dropout = nn.Dropout(0.0)
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = mlp(width, wide)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.ln_1(x)
        mixed, _ = self.self_attention(normed, normed, normed, need_weights=False)
        x = self.dropout(mixed) + x
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(self, tokens: int, depth: int, heads: int, width: int, wide: int) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, tokens, width).normal_(std=0.02))
        self.dropout = nn.Dropout(0.0)
        self.layers = nn.Sequential(
            OrderedDict[str, nn.Module](
                (f"encoder_layer_{number}", EncoderBlock(heads, width, wide))
                for number in range(depth)
            )
        )
        self.ln = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(x + self.pos_embedding)))


class ViT(nn.Module):
    """Its layers output tokens (N, 1 + places, C); the first is the class token."""

    def __init__(
        self, size: int = 64, patch: int = 16, depth: int = 2, heads: int = 2, width: int = 8,
        wide: int = 16, classes: int = CLASSES,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv_proj = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.encoder = Encoder((size // patch) ** 2 + 1, depth, heads, width, wide)
        self.heads = nn.Sequential(OrderedDict[str, nn.Module](head=nn.Linear(width, classes)))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.conv_proj(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), tokens], 1)
        return self.heads(self.encoder(tokens)[:, 0])


# Other inputs and outputs.


class DoubleConv(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.double_conv(x)


class UNet(nn.Module):
    """Returns a score per class and pixel, (N, classes, H, W)."""

    def __init__(self, width: int = 4, classes: int = CLASSES) -> None:
        super().__init__()
        self.inc = DoubleConv(3, width)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(width, 2 * width))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(2 * width, 4 * width))
        self.up1 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.conv1 = DoubleConv(4 * width, 2 * width)
        self.up2 = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.conv2 = DoubleConv(2 * width, width)
        self.outc = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.inc(x)
        second = self.down1(first)
        x = self.conv1(torch.cat([second, self.up1(self.down2(second))], 1))
        return self.outc(self.conv2(torch.cat([first, self.up2(x)], 1)))


class TemporalBlock(nn.Module):
    """Two causal convolutions with weight norm: padded on both sides, and cut at the end."""

    def __init__(self, channels: int, width: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.cut = (kernel - 1) * dilation
        norm = nn.utils.parametrizations.weight_norm
        settings = {"padding": self.cut, "dilation": dilation}
        self.conv1 = norm(nn.Conv1d(channels, width, kernel, **settings))
        self.relu1 = nn.ReLU()
        self.dropout1 = nn.Dropout(0.2)
        self.conv2 = norm(nn.Conv1d(width, width, kernel, **settings))
        self.relu2 = nn.ReLU()
        self.dropout2 = nn.Dropout(0.2)
        self.downsample = nn.Conv1d(channels, width, 1) if channels != width else None
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.dropout1(self.relu1(self.conv1(x)[..., : -self.cut]))
        out = self.dropout2(self.relu2(self.conv2(out)[..., : -self.cut]))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class TCN(nn.Module):
    """Classifies signals (N, C, L) from the last time step."""

    def __init__(self, widths: Sequence[int] = (6, 6, 6), classes: int = CLASSES) -> None:
        super().__init__()
        blocks = []
        for number, (before, after) in enumerate(zip((3, *widths), widths, strict=False)):
            blocks.append(TemporalBlock(before, after, 3, 2**number))
        self.network = nn.Sequential(*blocks)
        self.linear = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.network(x)[:, :, -1])


class Conv3DSimple(nn.Conv3d):
    def __init__(self, channels: int, width: int, stride: int = 1) -> None:
        super().__init__(channels, width, 3, stride, 1, bias=False)


class VideoBlock(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            Conv3DSimple(channels, width, stride), nn.BatchNorm3d(width), nn.ReLU(inplace=True)
        )
        self.conv2 = nn.Sequential(Conv3DSimple(width, width), nn.BatchNorm3d(width))
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(
                nn.Conv3d(channels, width, 1, stride, bias=False), nn.BatchNorm3d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(self.conv1(x))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class VideoResNet(nn.Module):
    """R3D-18: classifies videos (N, C, frames, H, W)."""

    def __init__(self, width: int = 2, classes: int = CLASSES, blocks: int = 1) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(3, width, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False),
            nn.BatchNorm3d(width), nn.ReLU(inplace=True),
        )  # fmt: skip
        for number, (before, after) in enumerate([(1, 1), (1, 2), (2, 4), (4, 8)], 1):
            first = VideoBlock(width * before, width * after, 1 if number == 1 else 2)
            rest = [VideoBlock(width * after, width * after, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{number}", nn.Sequential(first, *rest))
        self.avgpool = nn.AdaptiveAvgPool3d((1, 1, 1))
        self.fc = nn.Linear(width * 8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        return self.fc(self.avgpool(x).flatten(1))


class TwoHeads(nn.Module):
    """Returns the scores of two tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = small()
        self.kind = nn.Linear(8, CLASSES)
        self.colour = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.backbone(x).mean((2, 3))
        return self.kind(features), self.colour(features)


class TwoInputs(nn.Module):
    """Takes an image and three numbers that go with it."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = small()
        self.metadata = nn.Linear(3, 8)
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, image: Tensor, numbers: Tensor) -> Tensor:
        return self.fc(self.backbone(image).mean((2, 3)) + self.metadata(numbers))


class DictOutput(nn.Module):
    """Returns ``{"out": scores, "features": maps}``."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = small()
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = self.backbone(x)
        return {"out": self.fc(maps.mean((2, 3))), "features": maps}


@dataclass
class ClassifierOutput:
    logits: Tensor
    hidden: tuple[Tensor, ...] | None = None


class DataclassOutput(nn.Module):
    """Returns a dataclass, as the networks of transformers do; so does its backbone."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = small()
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> ClassifierOutput:
        maps = self.backbone(x)
        return ClassifierOutput(self.fc(maps.mean((2, 3))), (maps,))


class Checkpointed(nn.Module):
    """Recomputes its backbone in the backward pass (gradient checkpointing)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = small()
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        # The layers would not get a gradient if the input had none and the form were the old one.
        maps = checkpoint(self.backbone, x, use_reentrant=False)
        return self.fc(maps.mean((2, 3)))


class TiedWeights(nn.Module):
    """Uses one matrix twice: to embed the features, and as its head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = small()
        self.embed = nn.Linear(8, 8)
        self.fc = nn.Linear(8, 8)
        self.fc.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.embed(self.backbone(x).mean((2, 3)))))


def small() -> nn.Sequential:
    """Return a backbone from (N, 3, H, W) to (N, 8, H/4, W/4)."""
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=nn.Conv2d(3, 6, 3, 2, 1), bn1=nn.BatchNorm2d(6), relu1=nn.ReLU(inplace=True),
            conv2=nn.Conv2d(6, 8, 3, 2, 1), bn2=nn.BatchNorm2d(8), relu2=nn.ReLU(inplace=True),
        )
    )  # fmt: skip


class Small(nn.Module):
    """A backbone and a head, for wrappers and settings that concern any network."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = small()
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.backbone(x).mean((2, 3)))
