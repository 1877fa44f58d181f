"""The cost of a network, drawn: where its parameters are, and where its work is."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnref.figures import _theme as theme
from cnnref.figures._grid import boxes
from cnnref.networks.cost import Cost

__all__ = ["parameters_against_macs", "short"]

_MARGIN = 0.2
_NAMES = 3.2
_BAR = 3.9  # width of the longest bar
_NUMBER = 2.6  # room for the number after it
_GAP = 0.4
_MOST_LAYERS = 40


def parameters_against_macs(cost: Cost) -> Figure:
    """Draw the parameters and multiply-adds of each layer as two bars with their numbers.

    Parameters are on the left and MACs on the right, each on its own scale, on which the longest
    bar is the largest layer. Layers without weights are left out. `Branches` count as one layer.

    Args:
        cost: The cost of a network.

    Raises:
        ValueError: If no layer has weights, or more than 40 have.
    """
    layers = [layer for layer in cost.layers if layer.parameters]
    if not 0 < len(layers) <= _MOST_LAYERS:
        raise ValueError(
            f"`cost` has {len(layers)} layers with parameters: the figure draws 1 to {_MOST_LAYERS}"
        )
    first = _MARGIN + _NAMES
    second = first + _BAR + _NUMBER + _GAP
    figure, axes = theme.canvas(second + _BAR + _NUMBER + _MARGIN, len(layers) + 2.9)
    for x, word in ((first, "parameters"), (second, "MACs")):
        theme.write(axes, x, 0.6, word, ha="left", bold=True, size=13, label="heading")
    for row, layer in enumerate(layers):
        _name(axes, layer.name, row + 1.7)
    _bars(axes, [layer.parameters for layer in layers], first, theme.FILTER, "parameters")
    _bars(axes, [layer.macs for layer in layers], second, theme.WINDOW_FILL, "macs")
    y = len(layers) + 2.2
    _name(axes, "total", y)
    for x, total in ((first, cost.parameters), (second, cost.macs)):
        theme.write(axes, x, y, short(total), ha="left", bold=True, label="total")
    return figure


def short(count: int) -> str:
    """Write a large count with three digits and a unit: k, M or G."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        # 999.5 or more of the smaller unit would be rounded to 1000, which has four digits.
        if count >= size - size // 2000:
            value = count / size
            places = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{places}f} {unit}"
    return str(count)


def _name(axes: Axes, name: str, y: float) -> None:
    points = theme.fit(name, _NAMES - 0.3, theme.LABEL_POINTS)
    theme.write(axes, _MARGIN, y, name, ha="left", size=points, label="name")


def _bars(axes: Axes, counts: Sequence[int], x: float, fill: str, label: str) -> None:
    most = max(1, *counts)
    for row, count in enumerate(counts):
        length = _BAR * count / most
        if count:
            boxes(axes, [(x, row + 1.3, length, 0.8)], fill=fill, label=label, edge=theme.FG)
        text = short(count)
        theme.write(axes, x + length + 0.15, row + 1.7, text, ha="left", label=f"{label} count")
