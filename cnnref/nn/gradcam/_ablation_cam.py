"""Ablation-CAM: channels weighted by what the score loses without them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cnnref._checks import as_int
from cnnref.nn._hooks import Layers, each_tensor, find_layers
from cnnref.nn._layouts import ToMaps, places
from cnnref.nn._targets import Target
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._inputs import Inputs, image_scores, image_targets
from cnnref.nn.gradcam._maps import EvidenceMap

__all__ = ["AblationCAM"]


class AblationCAM(EvidenceMap):
    r"""Ablation-CAM: no gradient; each channel is set to zero in turn.

    $$
    w_k = \frac{y - y_k}{|y|}, \qquad
    L_{i,j} = \max\Big(0,\, \sum_k w_k A_{k,i,j}\Big)
    $$

    where $y_k$ is the score with channel $k$ of the layer set to zero. The paper divides by $y$,
    which is the same where the score is positive and inverts the map where it is negative. A
    channel of zeros has weight 0. This takes one forward pass per other channel.

    Args:
        model: Any network. It is left as it was.
        layers: One layer by name or module, or a list or predicate of layers.
        relu: With ``False`` the outer maximum is left out.
        to_maps: As for `GradCAM`.
        call: As for `GradCAM`.
        batch_size: How many images go through the network at once.

    Raises:
        TypeError: If `batch_size` is not an integer.
        ValueError: If it is less than 1.

    Source:
        S. Desai and H. G. Ramaswamy, Ablation-CAM: visual explanations for deep convolutional
        network via gradient-free localization, WACV 2020.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layers,
        *,
        relu: bool = True,
        to_maps: ToMaps | None = None,
        call: int | None = None,
        batch_size: int = 32,
    ) -> None:
        super().__init__(model, layers, relu=relu, to_maps=to_maps, call=call)
        self.batch_size = as_int(batch_size, "batch_size", 1)

    _tries_variants = True

    @torch.no_grad()
    def _signed(self, inputs: Inputs, target: Target) -> dict[str, Tensor]:
        output, recorded, times = self._recorded(inputs)
        targets = image_targets(self.model, inputs, target, output)
        maps = {}
        for name, one in recorded.items():
            activations = wide(one)
            ablate = partial(_Ablation, self, name, (self.call or 0) % times[name])
            weights = [
                self._weights(inputs, image, ablate, activations[image], wanted)
                for image, wanted in enumerate(targets)
            ]
            maps[name] = torch.einsum("nk,nk...->n...", torch.stack(weights), activations)
        return maps

    def _weights(
        self,
        inputs: Inputs,
        image: int,
        ablate: Callable[[Tensor], _Ablation],
        channels: Tensor,
        target: Target,
    ) -> Tensor:
        """Return the weights (C,) of the channels of one image, its maps (C, *spatial)."""
        picture = inputs.images[image : image + 1]
        alive = channels.flatten(1).abs().amax(dim=1).nonzero()[:, 0]
        weights = torch.zeros(len(channels), dtype=channels.dtype, device=channels.device)
        whole = image_scores(self.model, inputs, picture, image, target)
        for picked in torch.split(alive, self.batch_size):
            copies = picture.expand(len(picked), *picture.shape[1:]).clone()
            with ablate(picked):
                scores = image_scores(self.model, inputs, copies, image, target)
            weights[picked] = (whole - scores).to(weights.dtype)
        scale = float(whole.abs())
        return weights / scale if scale > 0 else weights


class _Ablation:
    """Sets one channel of a layer's output to zero in each image of a batch, inside a block."""

    def __init__(self, cam: AblationCAM, name: str, call: int, channels: Tensor) -> None:
        self.cam, self.name, self.call, self.channels = cam, name, call, channels
        self.calls = 0

    def __enter__(self) -> None:
        module = find_layers(self.cam.model, self.name)[0].module
        self.handle = module.register_forward_hook(self._hook)

    def __exit__(self, *error: object) -> None:
        self.handle.remove()

    def _hook(self, module: nn.Module, given: object, output: Any) -> Any:
        number, self.calls = self.calls, self.calls + 1
        if number != self.call:
            return None
        rows = torch.arange(len(self.channels), device=self.channels.device)
        if self.cam.to_maps is None:
            changed = output.clone()
            changed[rows, self.channels] = 0
            return changed
        # Through `to_maps`, find where in the output the numbers of the channels are.
        zero = places(self.cam.to_maps, output, self.name)[rows, self.channels].flatten()
        start = 0

        def without(tensor: Tensor) -> Tensor:
            nonlocal start
            inside = zero[(zero >= start) & (zero < start + tensor.numel())] - start
            start += tensor.numel()
            flat = tensor.flatten().clone()
            flat[inside] = 0
            return flat.view(tensor.shape)

        return each_tensor(output, without)
