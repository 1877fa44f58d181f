"""Grad-CAM and its relatives: one rule each for a layer's activations and gradients."""

from __future__ import annotations

import torch

from cnnref.nn.gradcam._maps import GradientMap, space

__all__ = ["GradCAM", "GradCAMPlusPlus", "HiResCAM", "LayerCAM", "XGradCAM"]


class GradCAM(GradientMap):
    r"""Grad-CAM: a layer's channels, weighted by the mean of the target's gradient over each.

    $$
    \alpha_k = \frac{1}{hw} \sum_{i,j} \frac{\partial y}{\partial A_{k,i,j}}, \qquad
    L_{i,j} = \max\Big(0,\, \sum_k \alpha_k A_{k,i,j}\Big)
    $$

    with the target's score $y$ before any softmax and the layer's feature maps $A$. The weights
    are signed. If only a mean over space and a linear layer follow, this is the class activation
    map (CAM) divided by the number of cells.

    Args:
        model: Any network. It is left as it was.
        layers: One layer by name or module, or a list or predicate of layers; often the
            last one with maps.
        relu: With ``False`` the outer maximum is left out, so evidence against the target stays.
        to_maps: What turns the layer's output into maps, if it has another form: `tokens_to_maps`
            for a vision transformer, `channels_last` for a Swin transformer.
        call: Which call of the layer to explain, counted from 0, if it runs more than once.

    Examples:
        >>> from skimage import data
        >>> from cnnref.nn.pretrained import efficientnet_lite0
        >>> model = efficientnet_lite0()
        >>> cam = GradCAM(model, "features.final")
        >>> cam(model.preprocess(data.coffee()), 967).shape
        torch.Size([1, 224, 224])

    Source:
        R. R. Selvaraju et al., Grad-CAM: visual explanations from deep networks via gradient-based
        localization, 2016, arXiv:1610.02391, section 3, equations 1 and 2.
    """

    def _combine(self, activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        weights = gradients.mean(dim=space(gradients), keepdim=True)
        return (weights * activations).sum(dim=1)


class HiResCAM(GradientMap):
    r"""HiResCAM: each activation times its own gradient, without a mean over space.

    $$
    L_{i,j} = \max\Big(0,\, \sum_k \frac{\partial y}{\partial A_{k,i,j}}\, A_{k,i,j}\Big)
    $$

    If only one linear layer follows, the map without the maximum (``relu=False``) sums to the score
    minus its bias: it shows what each place contributed.

    Args:
        model: Any network. It is left as it was.
        layers: One layer by name or module, or a list or predicate of layers.
        relu: With ``False`` the outer maximum is left out; the paper has none.
        to_maps: As for `GradCAM`.
        call: As for `GradCAM`.

    Source:
        R. L. Draelos and L. Carin, Use HiResCAM instead of Grad-CAM for faithful explanations of
        convolutional neural networks, 2020, arXiv:2011.08891.
    """

    def _combine(self, activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        return (gradients * activations).sum(dim=1)


class GradCAMPlusPlus(GradientMap):
    r"""Grad-CAM++: positive gradients, weighted so that each of several objects counts.

    With $g = \partial y / \partial A$ and the sum $S_k$ of a channel,

    $$
    w_k = \sum_{i,j} \alpha_{k,i,j} \max(0, g_{k,i,j}), \qquad
    \alpha_{k,i,j} = \frac{g^2}{2 g^2 + S_k\, g^3} = \frac{1}{2 + S_k\, g_{k,i,j}}
    $$

    and the map is $\max(0, \sum_k w_k A_k)$. The paper explains $e^y$ instead of $y$, which
    multiplies the whole map by $e^y$; that factor is left out, since it overflows. The method is
    meant for the output of a ReLU: with negative activations $\alpha$ can be negative or huge.

    Args:
        model: Any network. It is left as it was.
        layers: One layer by name or module, or a list or predicate of layers.
        relu: With ``False`` the outer maximum is left out.
        to_maps: As for `GradCAM`.
        call: As for `GradCAM`.

    Source:
        A. Chattopadhyay et al., Grad-CAM++: improved visual explanations for deep convolutional
        networks, 2017, arXiv:1710.11063.
    """

    def _combine(self, activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        below = 2 + activations.sum(dim=space(activations), keepdim=True) * gradients
        # Zero where the product is -2: after a ReLU that happens only where the gradient is
        # negative, and has no weight.
        alpha = torch.where(below == 0, torch.zeros_like(below), 1 / below)
        weights = (alpha * gradients.relu()).sum(dim=space(alpha), keepdim=True)
        return (weights * activations).sum(dim=1)


class LayerCAM(GradientMap):
    r"""LayerCAM: each activation times its own gradient where that is positive.

    $$
    L_{i,j} = \max\Big(0,\, \sum_k \max\Big(0, \frac{\partial y}{\partial A_{k,i,j}}\Big)
    A_{k,i,j}\Big)
    $$

    Args:
        model: Any network. It is left as it was.
        layers: One layer by name or module, or a list or predicate of layers; early ones work too.
        relu: With ``False`` the outer maximum is left out.
        to_maps: As for `GradCAM`.
        call: As for `GradCAM`.

    Source:
        P.-T. Jiang et al., LayerCAM: exploring hierarchical class activation maps for localization,
        IEEE Transactions on Image Processing 30, 2021.
    """

    def _combine(self, activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        return (gradients.relu() * activations).sum(dim=1)


class XGradCAM(GradientMap):
    r"""XGrad-CAM: a channel's gradient, averaged where the channel is active.

    $$
    w_k = \sum_{i,j} \frac{A_{k,i,j}}{\sum_{u,v} A_{k,u,v}}\,
    \frac{\partial y}{\partial A_{k,i,j}}, \qquad
    L_{i,j} = \max\Big(0,\, \sum_k w_k A_{k,i,j}\Big)
    $$

    The map before the maximum sums to the same number as that of `HiResCAM`. A channel whose sum is
    zero has weight 0. The method is meant for the output of a ReLU: with negative activations a sum
    near zero makes a weight huge.

    Args:
        model: Any network. It is left as it was.
        layers: One layer by name or module, or a list or predicate of layers.
        relu: With ``False`` the outer maximum is left out.
        to_maps: As for `GradCAM`.
        call: As for `GradCAM`.

    Source:
        R. Fu et al., Axiom-based Grad-CAM: towards accurate visualization and explanation of CNNs,
        2020, arXiv:2008.02312.
    """

    def _combine(self, activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        axes = space(activations)
        total = activations.sum(dim=axes, keepdim=True)
        moment = (activations * gradients).sum(dim=axes, keepdim=True)
        weights = torch.where(total == 0, torch.zeros_like(total), moment / total)
        return (weights * activations).sum(dim=1)
