"""Convolutional neural networks by worked numbers.

The names here need NumPy and nothing heavier. `cnnref.worked` derives results step by step,
`cnnref.examples` holds the givens of the exercises, `cnnref.figures` draws (it needs matplotlib).
"""

from cnnref.ops import conv2d, conv2d_loops, output_size, pad2d, same_padding, unread_pixels

__all__ = ["conv2d", "conv2d_loops", "output_size", "pad2d", "same_padding", "unread_pixels"]
