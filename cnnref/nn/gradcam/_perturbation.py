"""Maps without gradients: hide parts of the image, and see what becomes of the score."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cnnref._checks import as_int
from cnnref.nn._targets import Target
from cnnref.nn._tensors import wide
from cnnref.nn.gradcam._inputs import Inputs, as_share, image_scores, image_targets
from cnnref.nn.gradcam._maps import EvidenceMap, upsample

__all__ = ["RISE", "Occlusion"]


class Occlusion(EvidenceMap):
    r"""Occlusion: how much the score falls when a window is hidden.

    $$
    L_p = \max\Big(0,\, \frac{1}{|W_p|} \sum_{w \in W_p} \big(y(x) - y(x_w)\big)\Big)
    $$

    where $x_w$ is the image with the window $w$ replaced by the baseline, and $W_p$ are the windows
    that contain the pixel $p$. Windows at the right and lower border are cut off there. This takes
    one forward pass per window.

    Args:
        model: Any network. It is left as it was.
        window: Side of the window in pixels, or (height, width).
        stride: By how many pixels it moves; by default half its side, at least 1.
        baseline: What the pixels become: a number, or a tensor that broadcasts to the images.
        batch_size: How many images go through the network at once.
        relu: With ``False`` windows whose hiding raises the score keep their negative numbers.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If one is less than 1; when called: if the window is larger than the image, or
            the stride larger than the window.

    Source:
        M. D. Zeiler and R. Fergus, Visualizing and understanding convolutional networks, 2013,
        arXiv:1311.2901, section 4.2.
    """

    _tries_variants = True

    def __init__(
        self,
        model: nn.Module,
        window: int | Sequence[int] = 16,
        *,
        stride: int | Sequence[int] | None = None,
        baseline: Tensor | float = 0.0,
        batch_size: int = 32,
        relu: bool = True,
    ) -> None:
        super().__init__(model, "", relu=relu)
        self.window = window if isinstance(window, int) else tuple(window)
        self.stride = stride if stride is None or isinstance(stride, int) else tuple(stride)
        for name, value in (("window", self.window), ("stride", self.stride)):
            for side in value if isinstance(value, tuple) else (value,):
                if side is not None:
                    as_int(side, name, 1)
        self.baseline = baseline
        self.batch_size = as_int(batch_size, "batch_size", 1)

    @torch.no_grad()
    def _signed(self, inputs: Inputs, target: Target) -> dict[str, Tensor]:
        images, hidden = inputs.images, inputs.like(self.baseline, "baseline")
        places = list(itertools.product(*self._starts(images.shape[2:])))
        targets = image_targets(self.model, inputs, target)
        maps = []
        for image, wanted in enumerate(targets):
            whole = image_scores(self.model, inputs, images[image : image + 1], image, wanted)
            total = torch.zeros(images.shape[2:], dtype=whole.dtype, device=whole.device)
            covers = torch.zeros_like(total)
            for first in range(0, len(places), self.batch_size):
                some = places[first : first + self.batch_size]
                made = images[image].expand(len(some), *images[image].shape).clone()
                for one, window in zip(made, some, strict=True):
                    one[:, *window] = hidden[image][:, *window]
                falls = whole - image_scores(self.model, inputs, made, image, wanted)
                for fall, window in zip(falls, some, strict=True):
                    total[window] += fall
                    covers[window] += 1
            maps.append(total / covers)
        return {"input": torch.stack(maps)}

    def _starts(self, size: Sequence[int]) -> list[list[slice]]:
        """Return the ranges that the window covers along each axis."""
        window = _each_axis(self.window, "window", len(size))
        half = tuple(max(1, side // 2) for side in window)
        stride = half if self.stride is None else _each_axis(self.stride, "stride", len(size))
        axes = []
        for side, pixels, step in zip(window, size, stride, strict=True):
            if side > pixels:
                raise ValueError(f"`window` ({side}) must be at most {pixels}, the image's side")
            if step > side:
                raise ValueError(f"`stride` ({step}) must be at most {side}, the window's side")
            count = math.ceil((pixels - side) / step) + 1
            axes.append([slice(n * step, min(n * step + side, pixels)) for n in range(count)])
        return axes


def _each_axis(value: int | tuple[int, ...], name: str, axes: int) -> tuple[int, ...]:
    sides = (value,) * axes if isinstance(value, int) else value
    if len(sides) != axes:
        raise ValueError(f"`{name}` ({value}) must have {axes} sides, as the images do")
    return sides


class RISE(EvidenceMap):
    r"""RISE: the mean of random masks, each weighted by the score of the image behind it.

    $$
    L_p = \frac{1}{n\, q} \sum_{m=1}^{n} y(x \odot M_m)\, M_{m,p}
    $$

    A mask is a coarse grid of cells that are 1 with probability $q$ and 0 otherwise, enlarged
    bilinearly and shifted by a random part of a cell. The paper takes the *probability* of the
    class as $y$: pass ``lambda scores: scores.softmax(dim=1)[:, 281]``. With scores, add nothing to
    them: a constant in $y$ adds the mean of the masks, which is flat but noisy.

    The noise of the map falls with $1/\sqrt{n}$.

    Args:
        model: Any network. It is left as it was.
        masks: Number of masks, $n$; the paper takes 4000 to 8000.
        cells: Cells of the grid along each side.
        keep: Probability $q$ that a cell is visible.
        seed: Determines the masks. All images get the same ones.
        batch_size: How many masked images go through the network at once.
        relu: With ``False`` negative numbers stay, which negative scores bring about.

    Raises:
        TypeError: If a number is of the wrong kind.
        ValueError: If one is less than 1, or `keep` is not between 0 and 1.

    Source:
        V. Petsiuk, A. Das and K. Saenko, RISE: randomized input sampling for explanation of
        black-box models, 2018, arXiv:1806.07421, section 3.
    """

    _tries_variants = True

    def __init__(
        self,
        model: nn.Module,
        *,
        masks: int = 4000,
        cells: int = 7,
        keep: float = 0.5,
        seed: int = 0,
        batch_size: int = 32,
        relu: bool = True,
    ) -> None:
        super().__init__(model, "", relu=relu)
        self.masks = as_int(masks, "masks", 1)
        self.cells = as_int(cells, "cells", 1)
        self.keep = as_share(keep, "keep")
        if self.keep == 0:
            raise ValueError("`keep` (0) must be more than 0: no cell would ever be visible")
        self.seed = as_int(seed, "seed", 0)
        self.batch_size = as_int(batch_size, "batch_size", 1)

    @torch.no_grad()
    def _signed(self, inputs: Inputs, target: Target) -> dict[str, Tensor]:
        images = inputs.images
        targets = image_targets(self.model, inputs, target)
        generator = torch.Generator().manual_seed(self.seed)
        totals: list[Tensor | float] = [0.0] * len(images)
        for first in range(0, self.masks, self.batch_size):
            count = min(self.batch_size, self.masks - first)
            masks = self.draw(count, images.shape[2:], generator).to(wide(images))
            for image, wanted in enumerate(targets):
                masked = images[image] * masks[:, None].to(images.dtype)
                scores = image_scores(self.model, inputs, masked, image, wanted)
                totals[image] += torch.einsum("b,b...->...", scores, masks.to(scores.dtype))
        return {"input": torch.stack(totals) / (self.masks * self.keep)}  # type: ignore[arg-type]

    def draw(self, count: int, size: Sequence[int], generator: torch.Generator) -> Tensor:
        """Return random masks (count, *size) with numbers from 0 to 1."""
        steps = [math.ceil(side / self.cells) for side in size]
        # One cell more than fits, since the mask is shifted by up to a cell.
        shape = [self.cells + 1] * len(steps)
        grids, shifts = [], []
        for _ in range(count):  # One by one, so that masks do not depend on the size of a batch.
            grids.append((torch.rand(shape, generator=generator) < self.keep).float())
            shifts.append([int(torch.randint(step, (), generator=generator)) for step in steps])
        large = upsample(torch.stack(grids), [step * (self.cells + 1) for step in steps])
        return torch.stack(
            [
                mask[tuple(slice(by, by + side) for by, side in zip(shift, size, strict=True))]
                for mask, shift in zip(large, shifts, strict=True)
            ]
        )
