"""Can you believe a map? Change what it marks, or the network, and see what happens.

A map says which pixels matter. Remove them: the probability should fall (`deletion`). Show only
them: it should rise (`insertion`), and should not be much lower than before (`average_drop`).
Randomize the network's weights: the map should change (`randomization_check`). None of this says
whether a map looks right to a person.
"""

from __future__ import annotations

from cnnref.nn.faithfulness._curves import Curve, average_drop, blurred, deletion, insertion
from cnnref.nn.faithfulness._probabilities import Output
from cnnref.nn.faithfulness._randomization import randomization_check
from cnnref.nn.faithfulness._ranks import rank_correlation

__all__ = [
    "Curve",
    "Output",
    "average_drop",
    "blurred",
    "deletion",
    "insertion",
    "randomization_check",
    "rank_correlation",
]
