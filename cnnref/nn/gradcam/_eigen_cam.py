"""Eigen-CAM: the first principal component of a layer's channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cnnref.nn._hooks import Layers
from cnnref.nn._layouts import ToMaps
from cnnref.nn._targets import Target
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._inputs import Inputs
from cnnref.nn.gradcam._maps import EvidenceMap

__all__ = ["EigenCAM"]


class EigenCAM(EvidenceMap):
    r"""Eigen-CAM: what most of a layer's activation has in common, whatever the target.

    With the activations of an image as a matrix $X$ of one row per place and one column per
    channel, and its singular value decomposition $X = U \Sigma V^\top$,

    $$
    L = \max(0,\, X v_1)
    $$

    where $v_1$ is the first column of $V$. There is no gradient and **no target**: the map is the
    same for every class, so it cannot explain one. The decomposition leaves the sign open; here it
    is that of the sum of the channels, so that the map is bright where the layer is active.

    Args:
        model: Any network. It is left as it was.
        layers: One layer by name or module, or a list or predicate of layers.
        center: Subtract each channel's mean over the places first, as pytorch-grad-cam does; the
            paper does not.
        relu: With ``False`` the outer maximum is left out.
        to_maps: As for `GradCAM`.
        call: As for `GradCAM`.

    Source:
        M. B. Muhammad and M. Yeasin, Eigen-CAM: class activation map using principal components,
        2020, arXiv:2008.00299.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layers,
        *,
        center: bool = False,
        relu: bool = True,
        to_maps: ToMaps | None = None,
        call: int | None = None,
    ) -> None:
        super().__init__(model, layers, relu=relu, to_maps=to_maps, call=call)
        self.center = center

    @torch.no_grad()
    def _signed(self, inputs: Inputs, target: Target) -> dict[str, Tensor]:
        recorded = self._recorded(inputs).maps
        return {name: self._project(wide(maps)) for name, maps in recorded.items()}

    def _project(self, maps: Tensor) -> Tensor:
        rows = maps.flatten(2).mT.double()  # (N, places, channels)
        if self.center:
            rows = rows - rows.mean(dim=1, keepdim=True)
        # Of the two matrices of products, the smaller one; both have the same largest eigenvalue.
        if rows.shape[1] <= rows.shape[2]:
            values, vectors = torch.linalg.eigh(rows @ rows.mT)
            found = vectors[:, :, -1] * values[:, -1:].clamp(min=0).sqrt()
        else:
            vectors = torch.linalg.eigh(rows.mT @ rows).eigenvectors
            found = (rows @ vectors[:, :, -1:])[:, :, 0]
        along = (found * rows.sum(dim=2)).sum(dim=1, keepdim=True)
        return torch.where(along < 0, -found, found).to(maps.dtype).view(-1, *maps.shape[2:])
