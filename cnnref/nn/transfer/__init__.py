"""A network trained for one task, made over for another: head, freezing, and two-phase training.

A model here is any ``torch.nn.Module``. Where it has a module `classifier`, that is its *head*, and
the rest is the *base*; where it has none, the head is its last linear layer or convolution. The
children of its module `features` are the parts that `unfreeze_top` counts.
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
