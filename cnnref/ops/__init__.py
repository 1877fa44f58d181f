"""What a layer computes, in NumPy alone."""

from cnnref.ops.convolution import conv2d, conv2d_loops
from cnnref.ops.output_shape import output_size, same_padding, unread_pixels
from cnnref.ops.padding import pad2d

__all__ = ["conv2d", "conv2d_loops", "output_size", "pad2d", "same_padding", "unread_pixels"]
