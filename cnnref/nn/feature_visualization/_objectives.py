"""What to maximise: numbers read from a network; you can add, subtract and scale them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import normalize

from cnnref._checks import as_int
from cnnref.nn._hooks import Layer
from cnnref.nn._layouts import ToMaps
from cnnref.nn._tensors import one_per_axis, wide
from cnnref.nn.feature_visualization._taps import Tap

__all__ = ["Objective", "channel", "diversity", "logit", "measure", "neuron"]


@dataclass(frozen=True)
class Objective:
    """A number that depends on an image through a network.

    You can add, subtract and scale objectives: `channel("fire4", 3) - 0.5 * logit(281)`. To
    minimise one, negate it: `-measure(loss, "fire4")` is descent on a loss.

    Attributes:
        taps: What to read while the network runs.
        value: Function from what was read to one number, a tensor without axes.
    """

    taps: tuple[Tap, ...]
    value: Callable[[Mapping[Tap, Any]], Tensor]

    def __add__(self, other: Objective) -> Objective:
        if not isinstance(other, Objective):
            return NotImplemented
        # Each tap once: a pass ends when as many outputs as taps have been read.
        taps = tuple(dict.fromkeys(self.taps + other.taps))
        return Objective(taps, lambda read: self.value(read) + other.value(read))

    def __mul__(self, factor: float) -> Objective:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            return NotImplemented
        return Objective(self.taps, lambda read: factor * self.value(read))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1

    def __sub__(self, other: Objective) -> Objective:
        if not isinstance(other, Objective):
            return NotImplemented
        return self + -other


def channel(
    layer: Layer,
    index: int,
    *,
    pre_activation: bool = True,
    to_maps: ToMaps | None = None,
    call: int | None = None,
) -> Objective:
    r"""Return the mean of one channel of a layer over all positions and all images.

    $$\frac{1}{HW} \sum_{i,j} A_{k,i,j}$$

    for the channel $k$ of the layer's output $A$.

    Args:
        layer: The dotted name of the layer as in `model.named_modules()`, the layer, or a
            predicate of name and module that picks it.
        index: Number of the channel, counted from 0.
        pre_activation: If the layer ends with an activation module that is constant on part of its
            range (ReLU, ReLU6, hard swish, ...), read the activation's input: where a ReLU outputs
            zero there is no gradient to follow. A hook cannot see `functional.relu`; name the layer
            before it.
        to_maps: What turns the layer's output into maps (N, C, H, W), if it has another form:
            `cnnref.nn.gradcam.tokens_to_maps` for a vision transformer, `channels_last` for a Swin
            transformer.
        call: Which call of the layer to read if it runs more than once in a pass, counted from 0,
            or from the end if negative.

    Raises:
        TypeError: If the index is not an integer; when used: if the output is not one tensor.
        ValueError: If the index is negative; when used: if the layer has no such channel, runs more
            than once without a `call`, or could have its channels on the last axis.
    """
    number = as_int(index, "index", 0)
    tap = Tap(layer, pre_activation, call, True, to_maps)
    return Objective((tap,), lambda read: _channel(read[tap], number, tap).mean())


def neuron(
    layer: Layer,
    index: int,
    position: int | Sequence[int] | None = None,
    *,
    pre_activation: bool = True,
    to_maps: ToMaps | None = None,
    call: int | None = None,
) -> Objective:
    """Return one number of a layer's output: one channel at one position.

    Args:
        layer: As for `channel`.
        index: Number of the channel, counted from 0.
        position: Row and column in the channel's map, counted from 0; None is the middle. A map of
            a signal has one number, a map of a volume three.
        pre_activation: As for `channel`.
        to_maps: As for `channel`.
        call: As for `channel`.

    Raises:
        TypeError: As for `channel`.
        ValueError: As for `channel`; when used: if the layer's output has no such position.
    """
    number = as_int(index, "index", 0)
    given: tuple[int, ...] | None = None
    if position is not None:
        # How many numbers it must have is known when the layer has run.
        axes = len(position) if isinstance(position, Sized) else 1
        given = one_per_axis(position, "position", 0, axes)
    tap = Tap(layer, pre_activation, call, True, to_maps)

    def value(read: Mapping[Tap, Any]) -> Tensor:
        maps = _channel(read[tap], number, tap)
        size = tuple(maps.shape[1:])
        if not 1 <= len(size) <= 3:
            raise ValueError(
                f"`layer`: the output of {tap} has shape {tuple(read[tap].shape)}; a neuron needs "
                "(N, C, H, W): use `channel`"
            )
        place = tuple(side // 2 for side in size) if given is None else given
        if len(place) != len(size):
            raise ValueError(
                f"`position` ({position}) must have one number per axis of the map of {tap}, "
                f"{len(size)}"
            )
        if any(at >= side for at, side in zip(place, size, strict=True)):
            raise ValueError(
                f"`position` ({place}) is outside the {'×'.join(map(str, size))} map of {tap}; "
                "places are counted from 0"
            )
        for at in place:
            maps = maps[:, at]
        return maps.mean()

    return Objective((tap,), value)


def diversity(
    layer: Layer,
    *,
    pre_activation: bool = False,
    to_maps: ToMaps | None = None,
    call: int | None = None,
) -> Objective:
    r"""Return how unlike the images of a batch are in a layer, to be added to another objective.

    $$
    -\frac{1}{N} \sum_{a} \sum_{b \ne a}
    \frac{\langle G_a, G_b \rangle}{\lVert G_a \rVert \lVert G_b \rVert},
    \qquad (G_a)_{k,l} = \sum_{i,j} A_{a,k,i,j}\, A_{a,l,i,j}
    $$

    The Gram matrix $G_a$ says which channels respond in the same places, wherever these are, which
    is a measure of the texture of image $a$. The number is between $1 - N$, for images of the same
    texture, and $N - 1$. How much of it to add depends on the other objective:
    ``channel("fire6", 3) + 100 * diversity("fire6")``.

    Args:
        layer: As for `channel`.
        pre_activation: As for `channel`, but off, as in the source.
        to_maps: As for `channel`.
        call: As for `channel`.

    Raises:
        TypeError: When used: as for `channel`.
        ValueError: When used: if the batch holds one image, or as for `channel`.

    Examples:
        >>> import torch
        >>> from cnnref.nn.feature_visualization import response
        >>> model = torch.nn.Sequential(torch.nn.Identity())
        >>> a, b = torch.zeros(2, 2, 8, 8)
        >>> a[0], b[1] = 1, 1
        >>> [response(model, diversity("0"), torch.stack(pair)) for pair in ((a, a), (a, b))]
        [-1.0, 0.0]

    Source:
        C. Olah, A. Mordvintsev and L. Schubert, Feature visualization, Distill, 2017, "Diversity",
        and its library lucid (optvis/objectives.py), which divides by $N$.
    """
    tap = Tap(layer, pre_activation, call, True, to_maps)

    def value(read: Mapping[Tap, Any]) -> Tensor:
        maps = read[tap]
        if len(maps) < 2:
            raise ValueError("`batch` must be at least 2 for `diversity`, which compares images")
        if maps.ndim < 3:
            raise ValueError(
                f"`layer`: the output of {tap} has shape {tuple(maps.shape)}; `diversity` needs "
                "(N, C, H, W)"
            )
        flat = wide(maps).flatten(2)  # products of half precision overflow
        grams = normalize((flat @ flat.mT).flatten(1), dim=1)
        alike = grams @ grams.mT
        return (alike.diagonal().sum() - alike.sum()) / len(maps)

    return Objective((tap,), value)


def logit(index: int) -> Objective:
    """Return the model's score of one class: its output, before any softmax.

    Args:
        index: Number of the class, counted from 0.

    Raises:
        TypeError: If the index is not an integer; when used: if the output is not a tensor.
        ValueError: If it is negative; when used: if there is no such class, or the output is not
            of shape (N, classes).
    """
    number = as_int(index, "index", 0)
    tap = Tap()

    def value(read: Mapping[Tap, Any]) -> Tensor:
        scores = read[tap]
        if not isinstance(scores, Tensor):
            raise TypeError(
                f"`model` outputs a {type(scores).__name__}, not a tensor of scores; use "
                "`measure`, whose function gets it unchanged"
            )
        if scores.ndim != 2:
            raise ValueError(
                f"`model` outputs shape {tuple(scores.shape)}; `logit` needs scores (N, classes): "
                "use `channel` or `measure` on a layer"
            )
        if number >= scores.shape[1]:
            raise ValueError(
                f"`index` ({number}) must be less than {scores.shape[1]}, the number of classes"
            )
        return scores[:, number].mean()

    return Objective((tap,), value)


def measure(
    function: Callable[..., Tensor],
    *layers: Layer | None,
    pre_activation: bool = False,
    call: int | None = None,
) -> Objective:
    """Return a number computed from the outputs of layers by your own function.

    Args:
        function: Called with one output per layer, in the order of `layers`; returns a tensor with
            one element, computed by differentiable operations.
        layers: As for `channel`; None is the model's own output.
        pre_activation: As for `channel`, but off: the function may need what the next layer sees.
        call: As for `channel`; the same for all layers.

    Raises:
        ValueError: If no layer is given; when used: if the function returns several numbers.
        TypeError: When used: if it does not return a tensor.

    Examples:
        >>> energy = measure(lambda maps: maps.square().mean(), "features.fire6")
        >>> len(energy.taps)
        1
    """
    if not layers:
        raise ValueError("`layers` is empty; use None for the model's own output")
    taps = tuple(
        Tap(layer, pre_activation, call) if layer is not None else Tap() for layer in layers
    )

    def value(read: Mapping[Tap, Any]) -> Tensor:
        number = function(*(read[tap] for tap in taps))
        if not isinstance(number, Tensor):
            raise TypeError(
                f"`function` returned a {type(number).__name__}; it must return a torch.Tensor"
            )
        if number.numel() != 1:
            raise ValueError(
                f"`function` returned shape {tuple(number.shape)}; it must return one number"
            )
        return number.reshape(())

    return Objective(tuple(dict.fromkeys(taps)), value)


def _channel(maps: Tensor, index: int, tap: Tap) -> Tensor:
    if index >= maps.shape[1]:
        raise ValueError(
            f"`index` ({index}) must be less than {maps.shape[1]}, the number of channels of {tap}"
        )
    return maps[:, index]
