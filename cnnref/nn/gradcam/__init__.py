"""Where in an image the evidence for a class lies: Grad-CAM and its relatives.

Every class here is made of a network and a layer, and called with images and a target; see
`EvidenceMap` for what they share. `cnnref.nn.faithfulness` measures whether a map can be believed.
"""

from __future__ import annotations

from cnnref.nn._targets import Target
from cnnref.nn.gradcam._gradient_maps import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM
from cnnref.nn.gradcam._input_maps import GuidedInputXGradient, InputXGradient
from cnnref.nn.gradcam._maps import (
    EvidenceMap,
    GradientMap,
    ZeroMapWarning,
    normalize_maps,
    upsample,
)
from cnnref.nn.gradcam._score_cam import ScoreCAM

__all__ = [
    "EvidenceMap",
    "GradCAM",
    "GradCAMPlusPlus",
    "GradientMap",
    "GuidedInputXGradient",
    "HiResCAM",
    "InputXGradient",
    "LayerCAM",
    "ScoreCAM",
    "Target",
    "ZeroMapWarning",
    "normalize_maps",
    "upsample",
]
