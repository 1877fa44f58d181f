"""Use a trained network for another task: a new head, freezing, and two-phase training.

A model here is any ``torch.nn.Module``. Its *head* is the layer whose output it returns, and the
rest is the *base*. Where the head cannot be determined, name it: ``head="classifier.6"``. A layer
is always a dotted name, a module or a predicate of (name, module); the top of the base can also be
a count of its last parts.
"""

from __future__ import annotations

from cnnref.nn.transfer._fine_tuning import accuracy, fine_tune
from cnnref.nn.transfer._freezing import freeze, unfreeze, unfreeze_top
from cnnref.nn.transfer._heads import head_of, parameter_groups, replace_head
from cnnref.nn.transfer._history import Epoch, History

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
