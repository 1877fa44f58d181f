"""Maps computed at the input: the image times the gradient with respect to it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from cnnref.nn._targets import Target, scores_of
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._inputs import Inputs
from cnnref.nn.gradcam._maps import EvidenceMap, image_gradients

__all__ = ["InputMap", "InputXGradient", "input_gradients"]


class InputMap(EvidenceMap):
    """A map computed at the input, where each number of the image has its own evidence.

    Args:
        model: Any network. It is left as it was.
        relu: With ``False`` negative numbers of the map stay.
    """

    def __init__(self, model: nn.Module, *, relu: bool = True) -> None:
        super().__init__(model, "", relu=relu)

    def attributions(self, inputs: Tensor | Sequence[Any], target: Target = None) -> Tensor:
        """Return the evidence of each number of the images, (N, C, H, W), with its sign.

        Arguments and errors are those of a call.
        """
        with self._undisturbed(inputs) as given:
            return wide(self._attributions(given, target))

    def _signed(self, inputs: Inputs, target: Target) -> dict[str, Tensor]:
        return {"input": self._by_place(wide(self._attributions(inputs, target)))}

    def _by_place(self, attributions: Tensor) -> Tensor:
        """Return one number per place, (N, *spatial), from one per number, (N, C, *spatial)."""
        return attributions.sum(dim=1)

    @abstractmethod
    def _attributions(self, inputs: Inputs, target: Target) -> Tensor:
        """Return the evidence of each number of the images, (N, C, *spatial)."""


def input_gradients(model: nn.Module, inputs: Inputs, target: Target) -> Tensor:
    """Return the gradient of each image's score with respect to the image, (N, C, *spatial).

    Raises:
        RuntimeError: If the target does not depend on the images.
    """
    source = inputs.images.requires_grad_()
    scores = scores_of(inputs.run(model), target, len(source))
    return image_gradients(model, scores, {"input": source})["input"]


class InputXGradient(InputMap):
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

    def _attributions(self, inputs: Inputs, target: Target) -> Tensor:
        gradient = input_gradients(self.model, inputs, target)
        return wide(inputs.images.detach()) * wide(gradient)
