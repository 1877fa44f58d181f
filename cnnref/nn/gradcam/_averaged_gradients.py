"""Gradients averaged over inputs: along a path from a baseline, or over noise."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cnnref._checks import as_int
from cnnref.nn._targets import Target
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._input_maps import InputMap, input_gradients
from cnnref.nn.gradcam._inputs import Inputs, as_share, image_targets, variants

__all__ = ["IntegratedGradients", "SmoothGrad"]


class IntegratedGradients(InputMap):
    r"""Integrated gradients: the gradient along the straight path from a baseline to the image.

    $$
    G_k = (x_k - x'_k) \int_0^1 \frac{\partial y}{\partial x_k}\big(x' + t\,(x - x')\big)\, dt
    $$

    for each number $x_k$ of the image and $x'_k$ of the baseline. The sum over all numbers is the
    difference of the scores, $y(x) - y(x')$: compare the sum of `attributions` with it to see
    whether `steps` is enough. The integral is computed by the Gauss–Legendre rule, which is exact
    for scores whose gradient is a polynomial of degree less than twice the number of steps along
    the path. The map is the sum over the channels.

    Args:
        model: Any network. It is left as it was.
        baseline: What stands for *nothing*: a number, or a tensor that broadcasts to the images.
        steps: Number of points on the path.
        batch_size: How many of them go through the network at once.
        relu: With ``False`` evidence against the target stays in the map.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If one is less than 1; when called: if the baseline does not broadcast.

    Source:
        M. Sundararajan, A. Taly and Q. Yan, Axiomatic attribution for deep networks, 2017,
        arXiv:1703.01365, section 3, equation 1.
    """

    _tries_variants = True

    def __init__(
        self,
        model: nn.Module,
        *,
        baseline: Tensor | float = 0.0,
        steps: int = 50,
        batch_size: int = 16,
        relu: bool = True,
    ) -> None:
        super().__init__(model, relu=relu)
        self.baseline = baseline
        self.steps = as_int(steps, "steps", 1)
        self.batch_size = as_int(batch_size, "batch_size", 1)

    def _attributions(self, inputs: Inputs, target: Target) -> Tensor:
        start = inputs.like(self.baseline, "baseline")
        way = inputs.images - start
        nodes, weights = np.polynomial.legendre.leggauss(self.steps)
        points = torch.from_numpy((nodes + 1) / 2).to(way)
        shares = torch.from_numpy(weights / 2).to(wide(way))
        targets = image_targets(self.model, inputs, target)
        means = []
        for image, wanted in enumerate(targets):
            total = torch.zeros_like(wide(way[image]))
            for some, share in zip(
                torch.split(points, self.batch_size),
                torch.split(shares, self.batch_size),
                strict=True,
            ):
                along = some.view(-1, *[1] * way[image].ndim) * way[image]
                batch = variants(inputs, start[image] + along, image)
                gradient = wide(input_gradients(self.model, batch, wanted))
                total += torch.einsum("b,b...->...", share, gradient)
            means.append(total)
        return wide(way) * torch.stack(means)


class SmoothGrad(InputMap):
    r"""SmoothGrad: the gradient with respect to the image, averaged over noisy copies of it.

    $$
    G = \frac{1}{n} \sum_{m=1}^{n} \frac{\partial y}{\partial x}(x + \varepsilon_m), \qquad
    \varepsilon_m \sim \mathcal{N}\big(0,\, \sigma^2 (\max x - \min x)^2\big)
    $$

    `attributions` returns $G$ with its signs; the map is $L_{i,j} = \max_k |G_{k,i,j}|$.

    Args:
        model: Any network. It is left as it was.
        samples: Number of noisy copies, $n$.
        noise: Standard deviation $\sigma$ of the noise, as a share of the image's range; the paper
            suggests 0.1 to 0.2. With 0 the map is that of the plain gradient (Simonyan et al.).
        seed: Determines the noise, which is the same for all images.
        batch_size: How many copies go through the network at once.

    Raises:
        TypeError: If a number is of the wrong kind.
        ValueError: If `samples` or `batch_size` is less than 1, or `noise` is negative.

    Source:
        D. Smilkov et al., SmoothGrad: removing noise by adding noise, 2017, arXiv:1706.03825;
        K. Simonyan, A. Vedaldi and A. Zisserman, Deep inside convolutional networks, 2013,
        arXiv:1312.6034, section 3.1, for the maximum over the channels.
    """

    _tries_variants = True

    def __init__(
        self,
        model: nn.Module,
        *,
        samples: int = 50,
        noise: float = 0.15,
        seed: int = 0,
        batch_size: int = 16,
    ) -> None:
        super().__init__(model)
        self.samples = as_int(samples, "samples", 1)
        self.noise = as_share(noise, "noise", most=float("inf"))
        self.seed = as_int(seed, "seed", 0)
        self.batch_size = as_int(batch_size, "batch_size", 1)

    def _attributions(self, inputs: Inputs, target: Target) -> Tensor:
        images = inputs.images
        targets = image_targets(self.model, inputs, target)
        means = []
        for image, wanted in enumerate(targets):
            one = images[image]
            spread = self.noise * float(one.amax() - one.amin())
            total = torch.zeros_like(wide(one))
            generator = torch.Generator().manual_seed(self.seed)
            for first in range(0, self.samples, self.batch_size):
                count = min(self.batch_size, self.samples - first)
                # One by one, so that the noise does not depend on the size of a batch.
                drawn = [torch.randn(one.shape, generator=generator) for _ in range(count)]
                batch = variants(inputs, one + spread * torch.stack(drawn).to(one), image)
                total += wide(input_gradients(self.model, batch, wanted)).sum(dim=0)
            means.append(total / self.samples)
        return torch.stack(means)

    def _by_place(self, attributions: Tensor) -> Tensor:
        return attributions.abs().amax(dim=1)
