"""Convolutional neural networks by worked numbers.

The names here need NumPy and nothing heavier. `cnnref.worked` derives results step by step,
`cnnref.networks` lists the layers of well-known networks, `cnnref.examples` holds the givens of the
exercises, `cnnref.figures` draws (it needs matplotlib).
"""

from cnnref import ops
from cnnref.ops import *  # noqa: F403 -- what is public is listed once, in ops

__all__ = ops.__all__
