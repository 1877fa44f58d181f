"""Spearman's rank correlation of maps."""

from __future__ import annotations

import torch

__all__ = ["rank_correlation"]


def rank_correlation(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return Spearman's rank correlation of two stacks of maps (N, H, W), map by map, (N,).

    Equal numbers share the mean of their ranks. The correlation is undefined, and the result nan,
    if one of the maps is constant or contains nan. Maps of signals (N, T) and of volumes
    (N, D, H, W) work too.

    Raises:
        TypeError: If the maps are not tensors.
        ValueError: If their shapes differ, or have no axis after the first.

    Examples:
        >>> a = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
        >>> rank_correlation(a, a.exp()), rank_correlation(a, -a)
        (tensor([1.]), tensor([-1.]))
        >>> rank_correlation(a, torch.zeros_like(a))
        tensor([nan])
    """
    for name, maps in (("first", first), ("second", second)):
        if not isinstance(maps, torch.Tensor):
            raise TypeError(f"`{name}` is a {type(maps).__name__}; it must be a torch.Tensor")
    if first.shape != second.shape or first.ndim < 2:
        raise ValueError(
            f"`first` has shape {tuple(first.shape)} and `second` {tuple(second.shape)}; both must "
            "be the same (N, H, W)"
        )
    a, b = (
        torch.stack([_ranks(one.detach().flatten()) for one in maps])
        if len(maps)
        else torch.empty(0, 1, dtype=torch.float64)
        for maps in (first, second)
    )
    a, b = (ranks - ranks.mean(dim=1, keepdim=True) for ranks in (a, b))
    lengths = a.norm(dim=1) * b.norm(dim=1)
    return torch.where(lengths > 0, (a * b).sum(dim=1) / lengths, torch.nan).float()


def _ranks(values: torch.Tensor) -> torch.Tensor:
    if values.isnan().any():
        return torch.full_like(values, torch.nan, dtype=torch.float64)
    _, place, counts = torch.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks: torch.Tensor = (last - (counts.double() - 1) / 2)[place]
    return ranks
