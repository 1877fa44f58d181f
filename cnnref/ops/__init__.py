"""What a layer computes, in NumPy alone."""

from cnnref.ops.aliasing import blur_pool2d, blur_pool2d_loops, shift
from cnnref.ops.convolution import conv2d, conv2d_loops
from cnnref.ops.convolution_matrix import (
    col2im,
    col2im_loops,
    im2col,
    im2col_loops,
    toeplitz_matrix,
    toeplitz_matrix_loops,
)
from cnnref.ops.gradients import (
    conv2d_bias_grad,
    conv2d_bias_grad_loops,
    conv2d_input_grad,
    conv2d_input_grad_loops,
    conv2d_weight_grad,
    conv2d_weight_grad_loops,
)
from cnnref.ops.normalization import batch_norm, relu, softmax
from cnnref.ops.output_shape import output_size, same_padding, unread_pixels
from cnnref.ops.padding import pad2d
from cnnref.ops.pooling import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_loops,
    adaptive_max_pool2d,
    adaptive_max_pool2d_loops,
    avg_pool2d,
    avg_pool2d_loops,
    global_avg_pool2d,
    global_max_pool2d,
    max_pool2d,
    max_pool2d_loops,
    max_unpool2d,
    max_unpool2d_loops,
)
from cnnref.ops.pooling_gradients import avg_pool2d_input_grad, max_pool2d_input_grad
from cnnref.ops.pyramids import (
    blur,
    blur_loops,
    gaussian_pyramid,
    laplacian_pyramid,
    laplacian_reconstruct,
    pyramid_expand,
    pyramid_expand_loops,
    pyramid_reduce,
    pyramid_reduce_loops,
)
from cnnref.ops.resolution_and_channels import (
    depth_to_space,
    depth_to_space_loops,
    space_to_depth,
    space_to_depth_loops,
)
from cnnref.ops.template_matching import (
    cross_correlation,
    normalized_cross_correlation,
    normalized_cross_correlation_loops,
)
from cnnref.ops.transposed_convolution import (
    conv_transpose2d,
    conv_transpose2d_loops,
    output_padding,
)

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_loops",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_loops",
    "avg_pool2d",
    "avg_pool2d_input_grad",
    "avg_pool2d_loops",
    "batch_norm",
    "blur",
    "blur_loops",
    "blur_pool2d",
    "blur_pool2d_loops",
    "col2im",
    "col2im_loops",
    "conv2d",
    "conv2d_bias_grad",
    "conv2d_bias_grad_loops",
    "conv2d_input_grad",
    "conv2d_input_grad_loops",
    "conv2d_loops",
    "conv2d_weight_grad",
    "conv2d_weight_grad_loops",
    "conv_transpose2d",
    "conv_transpose2d_loops",
    "cross_correlation",
    "depth_to_space",
    "depth_to_space_loops",
    "gaussian_pyramid",
    "global_avg_pool2d",
    "global_max_pool2d",
    "im2col",
    "im2col_loops",
    "laplacian_pyramid",
    "laplacian_reconstruct",
    "max_pool2d",
    "max_pool2d_input_grad",
    "max_pool2d_loops",
    "max_unpool2d",
    "max_unpool2d_loops",
    "normalized_cross_correlation",
    "normalized_cross_correlation_loops",
    "output_padding",
    "output_size",
    "pad2d",
    "pyramid_expand",
    "pyramid_expand_loops",
    "pyramid_reduce",
    "pyramid_reduce_loops",
    "relu",
    "same_padding",
    "shift",
    "softmax",
    "space_to_depth",
    "space_to_depth_loops",
    "toeplitz_matrix",
    "toeplitz_matrix_loops",
    "unread_pixels",
]
