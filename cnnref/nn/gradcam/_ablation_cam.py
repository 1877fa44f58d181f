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
from cnnref.nn._targets import Target, scores_of
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._inputs import Inputs, image_scores, image_targets, variants
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
    channel of zeros has weight 0. This takes one forward pass per other channel, of which only the
    part after the layer runs if the network allows it (the first batch shows whether it does).

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
        ablate: Callable[..., _Ablation],
        channels: Tensor,
        target: Target,
    ) -> Tensor:
        """Return the weights (C,) of the channels of one image, its maps (C, *spatial)."""
        picture = inputs.images[image : image + 1]
        alive = channels.flatten(1).abs().amax(dim=1).nonzero()[:, 0]
        weights = torch.zeros(len(channels), dtype=channels.dtype, device=channels.device)
        if len(alive) == 0:
            return weights
        whole = image_scores(self.model, inputs, picture, image, target)
        first, *rest = torch.split(alive, self.batch_size)
        with ablate(first):
            copies = picture.expand(len(first), *picture.shape[1:])
            losses = [whole - image_scores(self.model, inputs, copies, image, target)]
        # What runs before the layer is the same for all channels. Most networks work if it runs for
        # one image, and the layer's output alone has many rows; compare, then rely on it.
        one = variants(inputs, picture, image)
        shared = bool(rest) and self._runs_once(one, ablate, first, target, whole, losses[0])
        for picked in rest:
            with ablate(picked, repeat=shared):
                if shared:
                    output = one.output(self.model)
                    scores = wide(scores_of(output, target, len(picked)))
                else:
                    copies = picture.expand(len(picked), *picture.shape[1:])
                    scores = image_scores(self.model, inputs, copies, image, target)
            losses.append(whole - scores)
        weights[alive] = torch.cat(losses).to(weights.dtype)
        scale = float(whole.abs())
        return weights / scale if scale > 0 else weights

    def _runs_once(
        self,
        one: Inputs,
        ablate: Callable[..., _Ablation],
        channels: Tensor,
        target: Target,
        whole: Tensor,
        losses: Tensor,
    ) -> bool:
        """Tell whether one image gives the losses of as many copies as there are channels."""
        try:
            with ablate(channels, repeat=True):
                output = one.output(self.model)
            found = whole - wide(scores_of(output, target, len(channels)))
        except Exception:  # Some layer needs as many rows as there are images.
            return False
        return found.shape == losses.shape and torch.allclose(
            found, losses, rtol=0, atol=1e-3 * float(losses.abs().amax())
        )


class _Ablation:
    """Sets one channel of a layer's output to zero in each image of a batch, inside a block.

    With `repeat` the layer's output is that of one image, and becomes that of a batch of copies.
    """

    def __init__(
        self, cam: AblationCAM, name: str, call: int, channels: Tensor, *, repeat: bool = False
    ) -> None:
        self.cam, self.name, self.call, self.channels = cam, name, call, channels
        self.repeat = repeat
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
        count = len(self.channels)
        output = each_tensor(output, partial(_copies, count=count if self.repeat else 1))
        rows = torch.arange(count, device=self.channels.device)
        if self.cam.to_maps is None:
            output[rows, self.channels] = 0
            return output
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


def _copies(tensor: Tensor, count: int) -> Tensor:
    """Return a tensor with its first axis repeated."""
    return tensor.repeat(count, *[1] * (tensor.ndim - 1)) if tensor.ndim else tensor.clone()
