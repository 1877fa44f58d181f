"""Targets for outputs that are not scores (N, classes): pixels, boxes, dictionaries, one logit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from cnnref._checks import as_int
from cnnref.nn._targets import Target, scores_of

__all__ = ["best_box", "class_pixels", "one_logit", "scores_at"]

Key: TypeAlias = str | int

_OutputTarget: TypeAlias = Callable[[Any], Tensor]


def one_logit(positive: bool = True) -> _OutputTarget:
    r"""Return a target for a network with one logit: its positive class, or the other one.

    With the logit $z$, the positive class has the probability $\sigma(z)$ and the other one
    $\sigma(-z)$, so their scores are $z$ and $-z$.

    Args:
        positive: Explain the class that a positive logit means; otherwise the other one.

    Raises:
        TypeError: If `positive` is not a bool; when used: if the output is not a tensor.
        ValueError: When used: if the output has another shape than (N,) or (N, 1).

    Examples:
        >>> one_logit(False)(torch.tensor([[2.0], [-1.0]]))
        tensor([-2.,  1.])
    """
    if not isinstance(positive, bool):
        raise TypeError(f"`positive` ({positive!r}) must be True or False")

    def target(output: Any) -> Tensor:
        scores = _tensor(output, "one_logit")
        if scores.ndim == 0 or scores.numel() != len(scores):
            raise ValueError(
                f"`one_logit` needs one number per image, (N,) or (N, 1); the output has shape "
                f"{tuple(scores.shape)}"
            )
        logits = scores.flatten()
        return logits if positive else -logits

    return target


def class_pixels(index: int, where: Tensor | None = None) -> _OutputTarget:
    r"""Return a target for a segmentation network: the scores of one class, summed over pixels.

    $$
    y = \sum_{(i,j) \in M} s_{c,i,j}
    $$

    for the scores $s$, the class $c$ and a set of pixels $M$.

    Args:
        index: Number of the class, counted from 0.
        where: The pixels, true where they count, (H, W) or (N, H, W); by default those at which the
            network's highest score is that of the class.

    Raises:
        TypeError: If `index` is not an integer, or `where` does not hold bools; when used: if the
            output is not a tensor.
        ValueError: If `index` is negative; when used: if the output is not (N, classes, H, W), has
            no such class or size, or no pixel of an image counts.

    Examples:
        >>> scores = torch.tensor([[[[1.0, 5.0]], [[2.0, 3.0]]]])
        >>> class_pixels(1)(scores), class_pixels(1, torch.tensor([[True, True]]))(scores)
        (tensor([2.]), tensor([5.]))

    Source:
        K. Vinogradova, A. Dibrov and G. Myers, Towards interpretable semantic segmentation via
        gradient-weighted class activation mapping, 2020, arXiv:2002.11434.
    """
    number = as_int(index, "index", 0)
    if where is not None and not (isinstance(where, Tensor) and where.dtype == torch.bool):
        raise TypeError("`where` must be a tensor of bools, true where a pixel counts")

    def target(output: Any) -> Tensor:
        scores = _tensor(output, "class_pixels")
        if scores.ndim < 3:
            raise ValueError(
                f"`class_pixels` needs scores (N, classes, H, W); the output has shape "
                f"{tuple(scores.shape)}"
            )
        _check_class(number, scores.shape[1])
        picked = scores[:, number]
        chosen = scores.argmax(dim=1) == number if where is None else where.to(scores.device)
        if chosen.shape not in {picked.shape, picked.shape[1:]}:
            raise ValueError(
                f"`where` has shape {tuple(chosen.shape)}; the output needs "
                f"{tuple(picked.shape[1:])} or {tuple(picked.shape)}"
            )
        chosen = chosen.expand_as(picked)
        empty = ~chosen.flatten(1).any(dim=1)
        if bool(empty.any()):
            image = int(empty.nonzero()[0, 0])
            raise ValueError(
                f"`where` is false everywhere in image {image}; choose at least one pixel"
                if where is not None
                else f"`index` ({number}) has the highest score at no pixel of image {image}; pass "
                "`where` to say which pixels to explain"
            )
        return torch.where(chosen, picked, torch.zeros_like(picked)).flatten(1).sum(dim=1)

    return target


def best_box(index: int) -> _OutputTarget:
    r"""Return a target for a detector: a class's score at the box where it is highest.

    $$
    y = \max_b s_{b,c}
    $$

    Args:
        index: Number of the class, counted from 0.

    Raises:
        TypeError: If `index` is not an integer; when used: if the scores are not a tensor.
        ValueError: If `index` is negative; when used: if the scores are not (N, boxes, classes), or
            there is no such class.

    Examples:
        >>> best_box(0)(torch.tensor([[[1.0, 5.0], [2.0, 3.0]]]))
        tensor([2.])
    """
    number = as_int(index, "index", 0)

    def target(output: Any) -> Tensor:
        scores = _tensor(output, "best_box")
        if scores.ndim != 3 or scores.shape[1] == 0:
            raise ValueError(
                f"`best_box` needs scores (N, boxes, classes); the output has shape "
                f"{tuple(scores.shape)}"
            )
        _check_class(number, scores.shape[2])
        return scores[:, :, number].amax(dim=1)

    return target


@dataclass(frozen=True)
class _At:
    """Picks part of an output, and a target in it."""

    path: tuple[Key, ...]
    target: Target

    def __call__(self, output: Any) -> Tensor:
        part = output
        for done, key in enumerate(self.path):
            part = _part(part, key, self.path[:done])
        count = len(part) if isinstance(part, Tensor) and part.ndim else 1
        return scores_of(part, self.target, count)


def scores_at(key: Key | tuple[Key, ...], target: Target = None) -> _OutputTarget:
    """Return a target in one part of an output: an entry of a dictionary, tuple or dataclass.

    Args:
        key: A key of a dictionary, an index of a tuple or list, the name of an attribute, or a
            tuple of these, followed from the outside in: ``("heads", 0)``.
        target: What to explain in that part, as for a map: a class, one per image, a function such
            as `class_pixels` or `best_box`, or None for each image's top class.

    Raises:
        KeyError: When used: if the output has no such part.
        TypeError: When used: as for a target.
        ValueError: If `key` is an empty tuple; when used: as for a target.

    Examples:
        >>> output = {"out": torch.tensor([[1.0, 5.0]]), "aux": torch.tensor([[2.0, 3.0]])}
        >>> scores_at("aux", 0)(output)
        tensor([2.])
    """
    path = key if isinstance(key, tuple) else (key,)
    if not path:
        raise ValueError("`key` is an empty tuple; it must name a part of the output")
    for one in path:
        if isinstance(one, bool) or not isinstance(one, (str, int)):
            raise TypeError(f"`key` contains {one!r}; it must be a string or an integer")
    return _At(path, target)


def _part(value: Any, key: Key, path: tuple[Key, ...]) -> Any:
    where = "the output" + "".join(f"[{one!r}]" for one in path)
    if isinstance(value, Mapping):
        if key in value:
            return value[key]
        names = ", ".join(map(repr, value))
    elif isinstance(key, str):
        if hasattr(value, key) and not isinstance(value, Tensor):
            return getattr(value, key)
        names = ", ".join(map(repr, getattr(value, "__dict__", {}))) or f"a {type(value).__name__}"
    else:
        if isinstance(value, (tuple, list)) and -len(value) <= key < len(value):
            return value[key]
        size = f" of {len(value)}" if isinstance(value, (tuple, list)) else ""
        names = f"a {type(value).__name__}{size}"
    raise KeyError(f"`key` ({key!r}) is not a part of {where}, which has {names}")


def _tensor(output: Any, name: str) -> Tensor:
    if not isinstance(output, Tensor):
        raise TypeError(
            f"`{name}` needs a tensor; the network outputs a {type(output).__name__}: pick a part "
            f"of it with `scores_at(key, {name}(...))`"
        )
    return output


def _check_class(number: int, classes: int) -> None:
    if number >= classes:
        raise ValueError(
            f"`index` ({number}) must be at most {classes - 1}: the output has {classes} classes, "
            "counted from 0"
        )
