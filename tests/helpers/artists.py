"""Read texts, shapes and images back from a figure, by the labels that the figure gave them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.path import Path
from numpy.typing import NDArray

from cnnref.figures.svg import to_svg

MINUS = "\N{MINUS SIGN}"


def texts(figure: Figure, label: str) -> list[str]:
    """Return the texts with this label."""
    return [text.get_text() for text in figure.axes[0].texts if text.get_label() == label]


def cells(figure: Figure, name: str) -> dict[tuple[int, int], str]:
    """Return the texts in the cells of the grid ``name``, by (row, column)."""
    found = {}
    for text in figure.axes[0].texts:
        match = re.fullmatch(rf"{re.escape(name)}\[(\d+),(\d+)\]", str(text.get_label()))
        if match:
            found[int(match[1]), int(match[2])] = text.get_text()
    return found


def matrix(figure: Figure, name: str) -> NDArray[np.float64]:
    """Return the numbers in the cells of the grid ``name``, and NaN for an empty cell."""
    found = cells(figure, name)
    shape = tuple(np.max(list(found), axis=0) + 1)
    values = np.full(shape, np.nan)
    for cell, text in found.items():
        values[cell] = float(text.replace(MINUS, "-").replace("\N{INFINITY}", "inf"))
    return values


def images(figure: Figure) -> dict[str, AxesImage]:
    """Return the raster images of the figure by their labels."""
    return {str(image.get_label()): image for image in figure.axes[0].images}


def boxes(figure: Figure, label: str) -> list[tuple[float, float, float, float]]:
    """Return the (x, y, width, height) of every shape with this label, in cells."""
    return [
        (x0, y0, x1 - x0, y1 - y0)
        for path in _paths(figure, label)
        for (x0, y0), (x1, y1) in [(path.vertices.min(axis=0), path.vertices.max(axis=0))]
    ]


def _paths(figure: Figure, label: str) -> Iterator[Path]:
    # A compound path has one MOVETO per shape.
    for patch in figure.axes[0].patches:
        if patch.get_label() == label:
            path = patch.get_path()
            starts = np.flatnonzero(path.codes == Path.MOVETO)
            for vertices, codes in zip(
                np.split(path.vertices, starts[1:]), np.split(path.codes, starts[1:]), strict=True
            ):
                drawn = codes != Path.CLOSEPOLY
                yield Path(vertices[drawn])


def centre(figure: Figure, label: str) -> tuple[float, float]:
    """Return the position of the one text with this label."""
    (text,) = (text for text in figure.axes[0].texts if text.get_label() == label)
    return text.get_position()


def assert_legible(figure: Figure) -> None:
    """Check that no two texts overlap and that none leaves the canvas."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    shown = [(text.get_text(), text.get_window_extent(renderer)) for text in figure.axes[0].texts]
    for place, (text, box) in enumerate(shown):
        inside = (
            figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
            and figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
        )  # fmt: skip
        assert inside, f"{text!r} at {box} leaves the canvas {figure.bbox}"
        for other_text, other in shown[place + 1 :]:
            apart = (
                box.x1 <= other.x0 or other.x1 <= box.x0
                or box.y1 <= other.y0 or other.y1 <= box.y0
            )  # fmt: skip
            assert apart, f"{text!r} at {box} overlaps {other_text!r} at {other}"


def drawn_twice(draw: Callable[[], Figure]) -> str:
    """Return the SVG of a figure, having checked that drawing it again gives the same bytes."""
    first, second = (to_svg(draw(), alt="A figure", id_prefix="fig") for _ in range(2))
    assert first == second, "the second drawing differs from the first"
    return first
