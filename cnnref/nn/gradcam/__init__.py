"""Where in an image the evidence for a class is: Grad-CAM and its relatives.

Create any of these classes with a network and a layer, and call it with images and a target;
`EvidenceMap` says what they share. `cnnref.nn.faithfulness` measures whether to believe a map.
"""

from __future__ import annotations

from cnnref.nn._layouts import ToMaps, channels_first, channels_last, tokens_to_maps
from cnnref.nn._targets import Target
from cnnref.nn.gradcam._ablation_cam import AblationCAM
from cnnref.nn.gradcam._averaged_gradients import IntegratedGradients, SmoothGrad
from cnnref.nn.gradcam._diagnosis import diagnose
from cnnref.nn.gradcam._eigen_cam import EigenCAM
from cnnref.nn.gradcam._findings import Diagnosis, Finding
from cnnref.nn.gradcam._gradient_maps import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from cnnref.nn.gradcam._guided import GuidedBackpropagation, GuidedGradCAM, GuidedInputXGradient
from cnnref.nn.gradcam._input_maps import InputMap, InputXGradient
from cnnref.nn.gradcam._maps import (
    EvidenceMap,
    GradientMap,
    ZeroMapWarning,
    normalize_maps,
    upsample,
)
from cnnref.nn.gradcam._output_targets import best_box, class_pixels, one_logit, scores_at
from cnnref.nn.gradcam._perturbation import RISE, Occlusion
from cnnref.nn.gradcam._score_cam import ScoreCAM

__all__ = [
    "RISE",
    "AblationCAM",
    "Diagnosis",
    "EigenCAM",
    "EvidenceMap",
    "Finding",
    "GradCAM",
    "GradCAMPlusPlus",
    "GradientMap",
    "GuidedBackpropagation",
    "GuidedGradCAM",
    "GuidedInputXGradient",
    "HiResCAM",
    "InputMap",
    "InputXGradient",
    "IntegratedGradients",
    "LayerCAM",
    "Occlusion",
    "ScoreCAM",
    "SmoothGrad",
    "Target",
    "ToMaps",
    "XGradCAM",
    "ZeroMapWarning",
    "best_box",
    "channels_first",
    "channels_last",
    "class_pixels",
    "diagnose",
    "normalize_maps",
    "one_logit",
    "scores_at",
    "tokens_to_maps",
    "upsample",
]
