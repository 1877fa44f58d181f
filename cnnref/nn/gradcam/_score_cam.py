"""Score-CAM: channels weighted by the score when only what they mark is visible."""

from __future__ import annotations

import torch
from torch import nn
from tqdm import tqdm

from cnnref._checks import as_int
from cnnref.nn._hooks import Layers, record_activations
from cnnref.nn._targets import Target, chosen_classes, scores_of
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._maps import EvidenceMap, only_call, upsample

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

    Args:
        model: Any network. It is left as it was.
        layers: One layer by name or module, or a list or predicate of layers.
        relu: With ``False`` the outer maximum is left out.
        batch_size: How many masked images go through the network at once.
        progress: Show a progress bar.

    Raises:
        TypeError: If `batch_size` is not an integer.
        ValueError: If it is less than 1.

    Source:
        H. Wang et al., Score-CAM: score-weighted visual explanations for convolutional neural
        networks, 2019, arXiv:1910.01279.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layers,
        *,
        relu: bool = True,
        batch_size: int = 32,
        progress: bool = False,
    ) -> None:
        super().__init__(model, layers, relu=relu)
        self.batch_size = as_int(batch_size, "batch_size", 1)
        self.progress = progress

    @torch.no_grad()
    def _signed(self, inputs: torch.Tensor, target: Target) -> dict[str, torch.Tensor]:
        with record_activations(self.model, self.names) as record:
            output = self.model(inputs.clone())
        by_class = not callable(target) or isinstance(target, torch.Tensor)
        classes = chosen_classes(output, target, len(inputs)) if by_class else None
        maps = {}
        for name, calls in record.items():
            activations = wide(only_call(name, calls, len(inputs)))
            weights = [
                self._weights(image, channels, target if classes is None else int(classes[place]))
                for place, (image, channels) in enumerate(zip(inputs, activations, strict=True))
            ]
            maps[name] = (torch.stack(weights)[:, :, None, None] * activations).sum(dim=1)
        return maps

    def _weights(self, image: torch.Tensor, channels: torch.Tensor, target: Target) -> torch.Tensor:
        """Return the weights (C,) of the channels for one image (3, H, W), its maps (C, h, w)."""
        alive = torch.nonzero(channels.amax(dim=(1, 2)) > channels.amin(dim=(1, 2)))[:, 0]
        weights = torch.zeros(len(channels), dtype=channels.dtype, device=channels.device)
        if len(alive) == 0:
            return weights
        gains = []
        nothing = self._score(torch.zeros_like(image)[None], target)
        batches = torch.split(alive, self.batch_size)
        for picked in tqdm(batches, disable=not self.progress, desc="Score-CAM"):
            masks = upsample(channels[picked], (image.shape[1], image.shape[2]))
            bottom, top = (pick(masks, (1, 2), keepdim=True) for pick in (torch.amin, torch.amax))
            masks = (masks - bottom) / (top - bottom)
            masked = image[None] * masks[:, None].to(image.dtype)
            gains.append(self._score(masked, target) - nothing)
        weights[alive] = torch.cat(gains).softmax(dim=0).to(weights.dtype)
        return weights

    def _score(self, images: torch.Tensor, target: Target) -> torch.Tensor:
        scores = wide(scores_of(self.model(images), target, len(images)))
        if scores.ndim == 0:
            raise ValueError(
                "`target` returned one number for all images; Score-CAM needs one number per image"
            )
        return scores
