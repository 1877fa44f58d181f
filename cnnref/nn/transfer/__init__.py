"""Use a trained network for another task: a new head, freezing, and two-phase training.

A model here is any ``torch.nn.Module``. Its module `classifier` is its *head*, and the rest is the
*base*; without a `classifier`, the head is its last linear layer or convolution. `unfreeze_top`
counts the children of its module `features`.
"""

from __future__ import annotations

from cnnref.nn.transfer._fine_tuning import Epoch, History, accuracy, fine_tune
from cnnref.nn.transfer._freezing import freeze, unfreeze
from cnnref.nn.transfer._heads import head_of, parameter_groups, replace_head, unfreeze_top

__all__ = [
    "Epoch",
    "History",
    "accuracy",
    "fine_tune",
    "freeze",
    "head_of",
    "parameter_groups",
    "replace_head",
    "unfreeze",
    "unfreeze_top",
]
