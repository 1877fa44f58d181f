"""SqueezeNet 1.1, made of fire modules: a narrow 1×1 convolution, then two wide ones."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from cnnref.nn.pretrained._network import ImageNetwork
from cnnref.nn.pretrained._weights import load_arrays, read_checked

__all__ = ["Fire", "squeezenet"]

_PACKAGE = "ndf"
_FILE = "example_models/weights/squeezenet_weights.pkl"
_SHA256 = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"


class Fire(nn.Module):
    """A fire module: squeeze to few channels, then expand by 1×1 and 3×3 in parallel.

    Args:
        in_channels: Input channels.
        squeeze: Channels after the first 1×1 convolution.
        expand: Channels of each of the two convolutions that follow; the output has both.

    Examples:
        >>> Fire(64, squeeze=16, expand=64)(torch.zeros(1, 64, 5, 5)).shape
        torch.Size([1, 128, 5, 5])

    Source:
        F. N. Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
        <0.5MB model size, 2016, arXiv:1602.07360, section 3.2.
    """

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze1x1 = nn.Conv2d(in_channels, squeeze, 1)
        self.squeeze_relu = nn.ReLU()
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.expand_relu = nn.ReLU()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the maps of both expansions, the 1×1 first."""
        narrow = self.squeeze_relu(self.squeeze1x1(input))
        wide = torch.cat([self.expand1x1(narrow), self.expand3x3(narrow)], dim=1)
        output: torch.Tensor = self.expand_relu(wide)
        return output


def squeezenet(weights: bool = True) -> ImageNetwork:
    """Return SqueezeNet 1.1 for photographs of 227×227, in eval mode.

    The head is a 1×1 convolution to 1000 maps, a ReLU and the mean of each map, in this order, so
    that no score is negative; `pool` passes the features through unchanged.

    Args:
        weights: Load the weights trained on ImageNet; otherwise they are PyTorch's random ones.

    Raises:
        ModuleNotFoundError: If the package with the weights is not installed.
        ValueError: If the file of weights is not the expected one.

    Examples:
        >>> model = squeezenet(weights=False)
        >>> sum(parameter.numel() for parameter in model.parameters())
        1235496
        >>> model.features[:4](torch.zeros(1, 3, 227, 227)).shape
        torch.Size([1, 128, 56, 56])

    Source:
        F. N. Iandola et al., arXiv:1602.07360. Version 1.1 and its head are in the authors'
        repository, DeepScale/SqueezeNet, SqueezeNet_v1.1/deploy.prototxt. The weights are those
        of the package `ndf` (MIT); as usual in Caffe, they expect blue, green, red minus a mean.
    """
    features = nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=nn.Conv2d(3, 64, 3, stride=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(3, stride=2),
            fire2=Fire(64, squeeze=16, expand=64),
            fire3=Fire(128, squeeze=16, expand=64),
            pool3=nn.MaxPool2d(3, stride=2),
            fire4=Fire(128, squeeze=32, expand=128),
            fire5=Fire(256, squeeze=32, expand=128),
            pool5=nn.MaxPool2d(3, stride=2),
            fire6=Fire(256, squeeze=48, expand=192),
            fire7=Fire(384, squeeze=48, expand=192),
            fire8=Fire(384, squeeze=64, expand=256),
            fire9=Fire(512, squeeze=64, expand=256),
        )
    )
    classifier = nn.Sequential(
        OrderedDict[str, nn.Module](
            dropout=nn.Dropout(0.5),
            conv10=nn.Conv2d(512, 1000, 1),
            relu10=nn.ReLU(),
            pool10=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
        )
    )
    model = ImageNetwork(
        features,
        nn.Identity(),
        classifier,
        input_size=227,
        mean=(103.939, 116.779, 123.68),
        scale=1.0,
        reads_bgr=True,
    )
    if weights:
        model.load_state_dict(_state())
    return model.eval()


def _state() -> dict[str, torch.Tensor]:
    """Return the arrays of the file under the names of this module, filters first."""
    state = {}
    for layer, (kernel, bias) in load_arrays(read_checked(_PACKAGE, _FILE, _SHA256)).items():
        part = "classifier" if layer == "conv10" else "features"
        name = f"{part}.{layer.replace('/', '.')}"
        # TensorFlow's (height, width, in, out) becomes (out, in, height, width).
        state[f"{name}.weight"] = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        state[f"{name}.bias"] = torch.from_numpy(bias.copy())
    return state
