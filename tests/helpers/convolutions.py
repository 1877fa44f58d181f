"""Convolutions on which every axis differs, and padding that PyTorch does not take."""

from __future__ import annotations

from typing import Any

import torch

CASES: dict[str, dict[str, Any]] = {
    "every axis differs": dict(x=(2, 3, 5, 4), w=(4, 3, 3, 2), stride=(2, 1), padding=(1, 0)),
    "sides differ": dict(x=(1, 2, 6, 7), w=(3, 2, 2, 3), padding=((1, 0), (2, 1))),
    "even kernel, same": dict(x=(2, 2, 5, 6), w=(3, 2, 4, 2), padding="same"),
    "same with dilation": dict(x=(1, 2, 7, 6), w=(1, 2, 2, 3), padding="same", dilation=(3, 2)),
    "stride does not divide": dict(x=(1, 1, 8, 9), w=(2, 1, 3, 3), stride=(3, 2), padding="valid"),
    "stride past the kernel": dict(x=(1, 2, 9, 8), w=(2, 2, 2, 1), stride=(4, 3)),
    "groups, dilation, stride": dict(
        x=(2, 6, 9, 8), w=(4, 3, 3, 2), stride=(2, 3), padding=(2, 1), dilation=(2, 3), groups=2
    ),
    "depthwise, two filters each": dict(x=(1, 3, 5, 6), w=(6, 1, 2, 3), groups=3),
    "1×1": dict(x=(2, 5, 3, 4), w=(7, 5, 1, 1)),
    "window as large as the input": dict(x=(1, 2, 4, 3), w=(2, 2, 4, 3)),
}
"""The shapes of the input (N, C, H, W) and the weight, and the settings."""


def torch_conv2d(
    x: torch.Tensor,
    w: torch.Tensor,
    b: torch.Tensor | None = None,
    *,
    padding: Any = 0,
    **options: Any,
) -> torch.Tensor:
    """Call PyTorch's conv2d, which does not take ((top, bottom), (left, right)) as padding."""
    if isinstance(padding, tuple) and isinstance(padding[0], tuple):
        (top, bottom), (left, right) = padding
        x, padding = torch.nn.functional.pad(x, (left, right, top, bottom)), 0
    return torch.nn.functional.conv2d(x, w, b, padding=padding, **options)
