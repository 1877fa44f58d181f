"""The zoo's networks equal torchvision's, name by name and number by number.

pytest runs this file only when you name it, because torchvision is not in the lock. Install it next
to the environment, without its dependencies, and put it on the path::

    pip install --no-deps --target /tmp/torchvision torchvision==0.28.0
    PYTHONPATH=/tmp/torchvision pytest tests/nn/against_torchvision.py
"""

from __future__ import annotations

import warnings

import pytest
import torch

from tests.helpers import zoo

NETWORKS = {
    "resnet18": (lambda: zoo.ResNet(64, 1000), {}),
    "vgg11": (lambda: zoo.VGG(64, 4096, 1000), {}),
    "googlenet": (
        lambda: zoo.GoogLeNet(1, 1000),
        {"aux_logits": True, "init_weights": False, "transform_input": False},
    ),
    "densenet121": (lambda: zoo.DenseNet(32, (6, 12, 24, 16), 1000), {}),
    "mobilenet_v3_small": (lambda: zoo.MobileNetV3(1, range(11), 1024, 1000), {}),
    "convnext_tiny": (lambda: zoo.ConvNeXt((96, 192, 384, 768), (3, 3, 9, 3), 1000), {}),
    "swin_t": (lambda: zoo.Swin(96, (2, 2, 6, 2), (3, 6, 12, 24), 7, 1000), {}),
    "vit_b_16": (lambda: zoo.ViT(224, 16, 12, 12, 768, 3072, 1000), {}),
    "r3d_18": (lambda: zoo.VideoResNet(64, 400, 2), {}),
}


@pytest.fixture(scope="module")
def models():
    # The compiled operators do not load beside the CPU build of torch; these two are all it asks
    # for when it is imported.
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchvision import models as found
    yield found
    del library


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_the_zoo_equals_torchvisions(models, name):
    build, settings = NETWORKS[name]
    torch.manual_seed(0)
    theirs = models.get_model(name, weights=None, **settings).eval()
    ours = build().eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    names = [(name, type(one).__name__) for name, one in theirs.named_modules()]
    layers = ("Conv", "Linear", "Norm", "ReLU", "Pool", "Dropout", "Hard", "GELU")
    common = [name for name, kind in names if any(word in kind for word in layers)]
    assert not set(common) - dict(ours.named_modules()).keys()
    images = torch.rand(1, 3, *((4, 64, 64) if name == "r3d_18" else (224, 224)))
    for mode in (False, True):
        with torch.no_grad():
            torch.manual_seed(1)
            expected = theirs.train(mode)(images.repeat(2, *[1] * (images.ndim - 1)))
            torch.manual_seed(1)
            found = ours.train(mode)(images.repeat(2, *[1] * (images.ndim - 1)))
        torch.testing.assert_close(found, expected, check_dtype=True)
