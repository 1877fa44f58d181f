"""Batch normalisation at train and eval time, ReLU and softmax."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cnnref._checks import IMAGE_AXES, as_array, as_flag, as_int, as_real, as_vector, refuse_empty
from cnnref._dtypes import as_floats, float_dtype, sum_dtype
from cnnref._types import Array


class BatchNormResult(NamedTuple):
    """What `batch_norm` returns.

    Attributes:
        output: The normalised input, of its shape and dtype.
        running_mean: The mean to use from now on, shape (C,); at eval time the one given.
        running_var: The variance to use from now on, shape (C,); at eval time the one given.
    """

    output: Array
    running_mean: Array | None
    running_var: Array | None


def batch_norm(
    input: npt.ArrayLike,
    running_mean: npt.ArrayLike | None,
    running_var: npt.ArrayLike | None,
    weight: npt.ArrayLike | None = None,
    bias: npt.ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> BatchNormResult:
    r"""Bring every channel to mean 0 and variance 1, then scale and shift it.

    $$\text{output} = \text{weight}_c \, \frac{\text{input} - \mu_c}{\sqrt{\sigma^2_c +
    \varepsilon}} + \text{bias}_c$$

    At eval time (``training=False``) $\mu$ and $\sigma^2$ are the running values, and nothing
    changes. At train time they are the mean and the biased variance of this batch, over images,
    rows and columns, $m$ numbers per channel; and the running values move towards the batch's, with
    the unbiased variance:

    $$\mu_\text{run} \leftarrow (1 - \alpha)\,\mu_\text{run} + \alpha\,\mu, \qquad
    \sigma^2_\text{run} \leftarrow (1 - \alpha)\,\sigma^2_\text{run} +
    \alpha\,\frac{m}{m - 1}\,\sigma^2$$

    PyTorch writes the new running values over the arrays it was given; here no argument is changed.
    The new ones are always returned with the output, so that the result has one form:
    ``output, running_mean, running_var = batch_norm(...)``, or ``batch_norm(...).output``.

    Args:
        input: A batch, shape (N, C, H, W) or (N, C). There is no form without batch axis:
            PyTorch reads three axes as (N, C, L), not (C, H, W).
        running_mean: Shape (C,). None at train time only, and then none is kept.
        running_var: Shape (C,). None together with `running_mean`.
        weight: Scale, shape (C,), or None for 1.
        bias: Shift, shape (C,), or None for 0.
        training: Whether to use the batch's own statistics and move the running ones.
        momentum: The share $\alpha$ of the new value, from 0 to 1. (Keras calls $1 - \alpha$ the
            momentum.)
        eps: Added to the variance; above 0.

    Returns:
        The output and the running values. Floats keep their dtype, integers give float64. Sums are
        taken in float64.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If shapes do not fit together, a number is out of range, running values are
            missing at eval time, or there is only one value per channel at train time, whose
            variance estimates nothing.

    Examples:
        >>> output, mean, var = batch_norm([[1.0], [3.0]], [0.0], [1.0], training=True, eps=1e-9)
        >>> output.round(3).tolist(), mean.round(3).tolist(), var.round(3).tolist()
        ([[-1.0], [1.0]], [0.2], [1.1])

    Source:
        S. Ioffe and C. Szegedy, Batch normalization, 2015, arXiv:1502.03167, algorithms 1 and 2;
        `torch.nn.functional.batch_norm` for the running values.
    """
    x = as_array(input, "input")
    if x.ndim not in (2, 4):
        raise ValueError(f"`input` has shape {x.shape}; it must be (N, C, H, W) or (N, C)")
    refuse_empty(x.shape[1:], "input", IMAGE_AXES)
    as_flag(training, "training")
    share = as_real(momentum, "momentum")
    if not 0 <= share <= 1:
        raise ValueError(f"`momentum` ({momentum!r}) must be from 0 to 1")
    small = as_real(eps, "eps")
    if not 0 < small < math.inf:
        raise ValueError(f"`eps` ({eps!r}) must be above 0 and finite")
    dtype = float_dtype(x.dtype)
    channels = x.shape[1]
    kept_mean = _per_channel(running_mean, "running_mean", channels)
    kept_var = _per_channel(running_var, "running_var", channels)
    scale, offset = _per_channel(weight, "weight", channels), _per_channel(bias, "bias", channels)
    if (kept_mean is None) != (kept_var is None):
        raise ValueError("`running_mean` and `running_var` must both be given, or both be None")

    with np.errstate(all="ignore"):  # NaN and ∞ go through, as in PyTorch
        if training:
            mean, var, kept_mean, kept_var = _batch_statistics(x, kept_mean, kept_var, share)
        elif kept_mean is None or kept_var is None:
            raise ValueError("`running_mean` and `running_var` are needed when `training` is False")
        else:
            mean, var = kept_mean.astype(np.float64), kept_var.astype(np.float64)

        factor = 1 / np.sqrt(var + small) if scale is None else scale / np.sqrt(var + small)
        each = (channels, *(1,) * (x.ndim - 2))  # one number per channel, next to (N, C, H, W)
        output = (x - mean.reshape(each)) * factor.reshape(each)
        if offset is not None:
            output += offset.reshape(each)
        output = output.astype(dtype, copy=False)
    return BatchNormResult(output, kept_mean, kept_var)


def relu(input: npt.ArrayLike) -> Array:
    r"""Replace negative numbers with zero: $\max(0, x)$.

    Args:
        input: Numbers of any shape.

    Returns:
        A new array of the input's shape and dtype; NaN stays NaN, as in PyTorch.

    Raises:
        TypeError: If the input does not hold integers or real floats.

    Examples:
        >>> relu([-2, 0, 3])
        array([0, 0, 3])

    Source:
        `torch.nn.functional.relu`.
    """
    array = as_array(input, "input")
    return np.asarray(np.maximum(array, array.dtype.type(0)))


def softmax(input: npt.ArrayLike, dim: int) -> Array:
    r"""Turn scores into shares that add up to 1 along one axis.

    $$\text{output}_i = \frac{e^{x_i}}{\sum_j e^{x_j}} =
    \frac{e^{x_i - m}}{\sum_j e^{x_j - m}}, \qquad m = \max_j x_j$$

    The second form is the one computed: $e^{x}$ of a large score would overflow, $e^{x-m}$ cannot.

    Args:
        input: Scores of any shape.
        dim: The axis along which the shares add up to 1; negative counts from the last.

    Returns:
        An array of the input's shape. Floats keep their dtype (float16 is computed in float32),
        integers give float64. A slice with a NaN or +∞, or nothing but −∞, gives NaN there, as in
        PyTorch.

    Raises:
        TypeError: If the input does not hold real numbers, or `dim` is not an integer.
        ValueError: If `dim` is not an axis of the input.

    Examples:
        >>> softmax([1000.0, 1000.0], dim=0)
        array([0.5, 0.5])

    Source:
        `torch.nn.functional.softmax`.
    """
    array = as_array(input, "input")
    axes = max(array.ndim, 1)  # a single number has an axis 0, as in PyTorch
    axis = as_int(dim, "dim", -axes)
    if axis >= axes:
        raise ValueError(f"`dim` ({dim!r}) must be from {-axes} to {axes - 1}")
    dtype = float_dtype(array.dtype)
    scores = array.astype(sum_dtype(dtype), copy=False)
    scores = scores.reshape(array.shape or 1)
    with np.errstate(invalid="ignore"):  # ∞ − ∞: the NaN is the answer
        powers = np.exp(scores - scores.max(axis=axis, keepdims=True, initial=-np.inf))
        shares = powers / powers.sum(axis=axis, keepdims=True)
    return np.asarray(shares.astype(dtype, copy=False).reshape(array.shape))


def _batch_statistics(
    x: Array, running_mean: Array | None, running_var: Array | None, share: float
) -> tuple[Array, Array, Array | None, Array | None]:
    """Return the batch's mean and biased variance, and the running values moved towards them."""
    count = x.size // x.shape[1]
    if count < 2:
        raise ValueError(
            f"`input` (of shape {x.shape}) has {count} value(s) per channel; at train time there "
            "must be more than 1"
        )
    over = (0, *range(2, x.ndim))
    mean, var = x.mean(axis=over, dtype=np.float64), x.var(axis=over, dtype=np.float64)
    if running_mean is None or running_var is None:
        return mean, var, None, None
    unbiased = var * (count / (count - 1))
    new_mean = (1 - share) * running_mean + share * mean
    new_var = (1 - share) * running_var + share * unbiased
    return mean, var, new_mean.astype(running_mean.dtype), new_var.astype(running_var.dtype)


def _per_channel(value: object, name: str, channels: int) -> Array | None:
    return None if value is None else as_floats(as_vector(value, name, channels, "channel"))


__all__ = ["BatchNormResult", "batch_norm", "relu", "softmax"]
