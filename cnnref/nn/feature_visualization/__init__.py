"""The image that excites a unit of a network most, found by gradient ascent on the image.

Objectives define what to maximise, `Priors` what images to prefer, and `visualize` does the
ascent. Any `torch.nn.Module` will do.
"""

from __future__ import annotations

from cnnref.nn.feature_visualization._objectives import (
    Objective,
    channel,
    diversity,
    logit,
    measure,
    neuron,
)
from cnnref.nn.feature_visualization._priors import USUAL_PRIORS, Priors
from cnnref.nn.feature_visualization._visualize import Visualization, response, visualize

__all__ = [
    "USUAL_PRIORS",
    "Objective",
    "Priors",
    "Visualization",
    "channel",
    "diversity",
    "logit",
    "measure",
    "neuron",
    "response",
    "visualize",
]
