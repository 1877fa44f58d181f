"""Maps computed at the input: the image times the gradient with respect to it."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import nn

from cnnref.nn._targets import Target, scores_of
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._inputs import Inputs
from cnnref.nn.gradcam._maps import EvidenceMap, image_gradients

__all__ = ["GuidedInputXGradient", "InputXGradient"]


class InputXGradient(EvidenceMap):
    r"""Each number of the input times the target's gradient with respect to it, summed by pixel.

    $$
    L_{i,j} = \max\Big(0,\, \sum_k x_{k,i,j} \frac{\partial y}{\partial x_{k,i,j}}\Big)
    $$

    with the input $x$ as the network takes it, in which zero is often the mean colour, not black.

    Args:
        model: Any network. It is left as it was.
        relu: With ``False`` the outer maximum is left out.

    Source:
        A. Shrikumar et al., Not just a black box: learning important features through propagating
        activation differences, 2016, arXiv:1605.01713.
    """

    def __init__(self, model: nn.Module, *, relu: bool = True) -> None:
        super().__init__(model, "", relu=relu)

    def _signed(self, inputs: Inputs, target: Target) -> dict[str, torch.Tensor]:
        source = inputs.images.requires_grad_()
        scores = scores_of(inputs.run(self.model), target, len(source))
        gradient = image_gradients(self.model, scores, {"input": source})["input"]
        return {"input": (wide(source.detach()) * wide(gradient)).sum(dim=1)}


class GuidedInputXGradient(InputXGradient):
    """`InputXGradient` with negative gradients set to zero on the way back through every ReLU.

    It is guided backpropagation (Springenberg et al.) multiplied by the input. Neither source
    proposes the product; it makes the photograph itself a factor of the map.

    Warning:
        Guided gradients make crisp, convincing pictures that hardly depend on what the network has
        learned: they fail the model randomisation test
        (`cnnref.nn.faithfulness.randomization_check`). Use them to show that, not to explain.

    Only ReLUs that are modules (``nn.ReLU``, ``nn.ReLU6``) are guided; a hook cannot see a call of
    the function.

    Args:
        model: A network with such modules. It is left as it was.
        relu: With ``False`` the outer maximum is left out.

    Raises:
        ValueError: If the network has no such module.

    Source:
        J. T. Springenberg et al., Striving for simplicity: the all convolutional net, 2014,
        arXiv:1412.6806; J. Adebayo et al., Sanity checks for saliency maps, 2018,
        arXiv:1810.03292.
    """

    def __init__(self, model: nn.Module, *, relu: bool = True) -> None:
        super().__init__(model, relu=relu)
        if not _relus(model):
            raise ValueError("`model` has no nn.ReLU or nn.ReLU6, so no gradient can be guided")

    def _signed(self, inputs: Inputs, target: Target) -> dict[str, torch.Tensor]:
        with ExitStack() as hooks:
            for one in _relus(self.model):
                hooks.enter_context(one.register_forward_hook(_guide))
            return super()._signed(inputs, target)


def _relus(model: nn.Module) -> list[nn.Module]:
    return [one for one in model.modules() if isinstance(one, (nn.ReLU, nn.ReLU6))]


def _guide(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
    if output.requires_grad:
        output.register_hook(torch.relu)  # type: ignore[no-untyped-call]
