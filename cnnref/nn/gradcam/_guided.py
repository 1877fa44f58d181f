"""Guided backpropagation: negative gradients are set to zero on the way back through each ReLU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import hardtanh, relu, relu6, relu_
from torch.overrides import TorchFunctionMode

from cnnref.nn._hooks import Layers
from cnnref.nn._layouts import ToMaps
from cnnref.nn._targets import Target, scores_of
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._gradient_maps import GradCAM
from cnnref.nn.gradcam._input_maps import InputMap
from cnnref.nn.gradcam._inputs import Inputs
from cnnref.nn.gradcam._maps import image_gradients, upsample

__all__ = ["GuidedBackpropagation", "GuidedGradCAM", "GuidedInputXGradient"]

# As modules and as functions, in place or not, ReLUs are calls of these.
_RELUS = {relu, relu_, relu6, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
# What autograd calls them.
_NODES = ("ReluBackward", "HardtanhBackward")


class GuidedBackpropagation(InputMap):
    r"""The gradient with respect to the image, with negative ones dropped at every ReLU.

    At a ReLU with the input $z$, where $g$ is the gradient with respect to its output, the gradient
    with respect to its input is

    $$
    \mathbb{1}[z > 0]\, \max(0, g)
    $$

    instead of $\mathbb{1}[z > 0]\, g$. `attributions` returns the signed gradients $G$ of shape
    (N, C, H, W), which is what the method's pictures show; the map is
    $L_{i,j} = \max_k |G_{k,i,j}|$.

    Warning:
        Guided gradients make crisp, convincing pictures that hardly depend on what the network has
        learned: they fail the model randomisation test
        (`cnnref.nn.faithfulness.randomization_check`). Use them to show that, not to explain.

    ReLU and ReLU6 are guided as modules and as functions. Other activations, such as GELU, pass
    their gradient on as it is.

    Args:
        model: A network with ReLUs. It is left as it was.

    Raises:
        ValueError: When called: if no ReLU runs, or one that cannot be guided, as in a scripted
            module.

    Source:
        J. T. Springenberg et al., Striving for simplicity: the all convolutional net, 2014,
        arXiv:1412.6806; J. Adebayo et al., Sanity checks for saliency maps, 2018,
        arXiv:1810.03292.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)

    def _attributions(self, inputs: Inputs, target: Target) -> Tensor:
        return _guided_gradients(self.model, inputs, target)

    def _by_place(self, attributions: Tensor) -> Tensor:
        return attributions.abs().amax(dim=1)


class GuidedInputXGradient(InputMap):
    """`InputXGradient` with negative gradients set to zero on the way back through every ReLU.

    It is `GuidedBackpropagation` multiplied by the input. Neither source proposes the product; it
    makes the photograph itself a factor of the map. The warning there holds here.

    Args:
        model: A network with ReLUs. It is left as it was.
        relu: With ``False`` the outer maximum is left out.

    Raises:
        ValueError: When called: as for `GuidedBackpropagation`.

    Source:
        J. T. Springenberg et al., Striving for simplicity: the all convolutional net, 2014,
        arXiv:1412.6806; J. Adebayo et al., Sanity checks for saliency maps, 2018,
        arXiv:1810.03292.
    """

    def _attributions(self, inputs: Inputs, target: Target) -> Tensor:
        gradient = _guided_gradients(self.model, inputs, target)
        return wide(inputs.images.detach()) * wide(gradient)


class GuidedGradCAM(InputMap):
    r"""Guided Grad-CAM: the guided gradient, where the Grad-CAM map of a layer is.

    $$
    G_{k,i,j} \cdot \operatorname{upsample}(L)_{i,j}
    $$

    with the guided gradient $G$ of `GuidedBackpropagation` and the map $L$ of `GradCAM`. It is fine
    like the one and depends on the class like the other. `attributions` returns this product of
    shape (N, C, H, W); the map is the largest magnitude over the channels. The warning of
    `GuidedBackpropagation` holds for its detail.

    Args:
        model: A network with ReLUs. It is left as it was.
        layers: One layer, by name or module.
        to_maps: As for `GradCAM`.
        call: As for `GradCAM`.

    Raises:
        ValueError: If there are several layers; when called: as for `GuidedBackpropagation`.

    Source:
        R. R. Selvaraju et al., Grad-CAM, 2016, arXiv:1610.02391, section 3.2.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layers,
        *,
        to_maps: ToMaps | None = None,
        call: int | None = None,
    ) -> None:
        super().__init__(model)
        self._cam = GradCAM(model, layers, to_maps=to_maps, call=call)
        if len(self._cam.names) > 1:
            raise ValueError(
                f"`layers` picks {', '.join(map(repr, self._cam.names))}; it must pick one layer"
            )

    def _attributions(self, inputs: Inputs, target: Target) -> Tensor:
        self._cam._check(self._checked.modules)
        (coarse,) = self._cam._signed(inputs, target).values()
        map = upsample(coarse.relu(), inputs.images.shape[2:])
        return wide(_guided_gradients(self.model, inputs, target)) * map[:, None]

    def _by_place(self, attributions: Tensor) -> Tensor:
        return attributions.abs().amax(dim=1)


class _Guiding(TorchFunctionMode):
    """Inside the block, the gradient at the output of each ReLU loses its negative numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: set[Any] = set()

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        # `nn.ReLU6` calls `hardtanh` from 0 to 6.
        clips = func is hardtanh and (*args[1:], *(kwargs or {}).values())[:1] in {(0,), (0.0,)}
        if (clips or func in _RELUS) and output.requires_grad:
            output.register_hook(torch.relu)
            self.nodes.add(output.grad_fn)
        return output


def _guided_gradients(model: nn.Module, inputs: Inputs, target: Target) -> Tensor:
    """Return the guided gradient with respect to the images.

    Raises:
        ValueError: If no ReLU runs, or one where the gradient cannot be guided.
    """
    source = inputs.images.requires_grad_()
    with _Guiding() as guiding:
        output = inputs.run(model)
    scores = scores_of(output, target, len(source))
    relus = {node for node in _nodes(scores) if node.name().startswith(_NODES)}
    if scores.requires_grad and not relus:
        raise ValueError("`model` runs no ReLU or ReLU6, so no gradient can be guided")
    left = len(relus - guiding.nodes)
    if left:
        raise ValueError(
            f"`model` runs {left} ReLUs where the gradient cannot be guided, as in a scripted "
            "module; replace them by nn.ReLU"
        )
    return image_gradients(model, scores, {"input": source})["input"]


def _nodes(scores: Tensor) -> Sequence[Any]:
    """Return all operations that autograd recorded between the scores and the leaves."""
    found: dict[Any, None] = {}
    waiting = [scores.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found[node] = None
            waiting += [before for before, _ in node.next_functions]
    return list(found)
