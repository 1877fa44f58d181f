"""Convolutional neural networks by worked numbers.

The names here need NumPy and nothing heavier. `cnnref.worked` derives results step by step,
`cnnref.networks` describes networks as lists of layers, `cnnref.examples` holds the image and
filter of the exercises, and `cnnref.figures` draws (it needs matplotlib).
"""

from cnnref import ops
from cnnref.networks.cost import cost
from cnnref.networks.receptive_field import receptive_field
from cnnref.ops import *  # noqa: F403 -- what is public there is listed once, in ops

__all__ = [*ops.__all__, "cost", "receptive_field"]
