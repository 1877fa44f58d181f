"""Score-CAM: channels weighted by the score when only what they mark is visible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from tqdm import tqdm

from cnnref._checks import as_int
from cnnref.nn._hooks import Layers
from cnnref.nn._layouts import ToMaps
from cnnref.nn._targets import Target
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._inputs import Inputs, image_scores, image_targets
from cnnref.nn.gradcam._maps import EvidenceMap, upsample

__all__ = ["ScoreCAM"]


class ScoreCAM(EvidenceMap):
    r"""Score-CAM: no gradient; each channel is tried as a mask on the image.

    $$
    w_k = \operatorname{softmax}_k\big(y(x \odot H_k) - y(0)\big), \qquad
    L_{i,j} = \max\Big(0,\, \sum_k w_k A_{k,i,j}\Big)
    $$

    where the mask $H_k$ is channel $k$, upsampled to the size of the image and rescaled to 0 to 1,
    and $y(0)$ is the score of an input of zeros, the mean colour for most networks. A constant
    channel makes no mask and gets weight 0. This takes one forward pass per channel.

    The softmax runs over the **channels**, and over raw scores, so that a few channels, often one,
    get nearly all the weight. The authors' code differs from their paper: its weight is the
    *probability* of the class behind the mask, a softmax over the **classes**, without a softmax
    over the channels and without $y(0)$. With ``weights="probability"`` you get that.

    Args:
        model: Any network. It is left as it was.
        layers: One layer by name or module, or a list or predicate of layers.
        weights: ``"softmax"`` as in the paper, or ``"probability"`` as in the authors' code. What a
            function as the target returns is the probability then.
        relu: With ``False`` the outer maximum is left out.
        to_maps: As for `GradCAM`.
        call: As for `GradCAM`.
        batch_size: How many masked images go through the network at once.
        progress: Show a progress bar.

    Raises:
        TypeError: If `batch_size` is not an integer.
        ValueError: If it is less than 1, or `weights` is another word.

    Source:
        H. Wang et al., Score-CAM: score-weighted visual explanations for convolutional neural
        networks, 2019, arXiv:1910.01279, definitions 2 and 3 and algorithm 1; the authors' code,
        github.com/haofanwang/Score-CAM.
    """

    _tries_variants = True

    def __init__(
        self,
        model: nn.Module,
        layers: Layers,
        *,
        weights: Literal["softmax", "probability"] = "softmax",
        relu: bool = True,
        to_maps: ToMaps | None = None,
        call: int | None = None,
        batch_size: int = 32,
        progress: bool = False,
    ) -> None:
        super().__init__(model, layers, relu=relu, to_maps=to_maps, call=call)
        if weights not in {"softmax", "probability"}:
            raise ValueError(f'`weights` ({weights!r}) must be "softmax" or "probability"')
        self.weights = weights
        self.batch_size = as_int(batch_size, "batch_size", 1)
        self.progress = progress

    @torch.no_grad()
    def _signed(self, inputs: Inputs, target: Target) -> dict[str, Tensor]:
        output, recorded, _ = self._recorded(inputs)
        targets = image_targets(self.model, inputs, target, output)
        maps = {}
        for name, one in recorded.items():
            activations = wide(one)
            weights = [
                self._weights(inputs, image, activations[image], wanted)
                for image, wanted in enumerate(targets)
            ]
            shape = (*activations.shape[:2], *[1] * (activations.ndim - 2))
            maps[name] = (torch.stack(weights).view(shape) * activations).sum(dim=1)
        return maps

    def _weights(self, inputs: Inputs, image: int, channels: Tensor, target: Target) -> Tensor:
        """Return the weights (C,) of the channels of one image, its maps (C, *spatial)."""
        picture = inputs.images[image]
        flat = channels.flatten(1)
        alive = torch.nonzero(flat.amax(dim=1) > flat.amin(dim=1))[:, 0]
        weights = torch.zeros(len(channels), dtype=channels.dtype, device=channels.device)
        if len(alive) == 0:
            return weights
        if self.weights == "probability" and isinstance(target, int):
            target = _probability_of(target)
        found = []
        batches = torch.split(alive, self.batch_size)
        for picked in tqdm(batches, disable=not self.progress, desc="Score-CAM"):
            masks = upsample(channels[picked], picture.shape[1:])
            axes = tuple(range(1, masks.ndim))
            bottom, top = masks.amin(axes, keepdim=True), masks.amax(axes, keepdim=True)
            masked = picture * ((masks - bottom) / (top - bottom))[:, None].to(picture.dtype)
            found.append(image_scores(self.model, inputs, masked, image, target))
        scores = torch.cat(found)
        if self.weights == "softmax":
            zeros = torch.zeros_like(picture)[None]
            nothing = image_scores(self.model, inputs, zeros, image, target)
            scores = (scores - nothing).softmax(dim=0)
        weights[alive] = scores.to(weights.dtype)
        return weights


def _probability_of(number: int) -> Callable[[Tensor], Tensor]:
    return lambda scores: wide(scores).softmax(dim=1)[:, number]
