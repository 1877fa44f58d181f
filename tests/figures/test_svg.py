from __future__ import annotations

import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from cnnref.examples import questions_filter, questions_image
from cnnref.figures import _theme as theme
from cnnref.figures.convolution import sliding_window
from cnnref.figures.dilation import reach
from cnnref.figures.output_shape import floor_drops
from cnnref.figures.padding import modes
from cnnref.figures.svg import to_svg

FIGURES = {
    "sliding": lambda: sliding_window(
        questions_image(), questions_filter(), padding=2, dilation=2, at=(3, 0)
    ),
    "modes": lambda: modes(np.arange(9).reshape(3, 3), 2),
    "floor": lambda: floor_drops(128, 3, 2),
    "reach": reach,
}
SVG = "{http://www.w3.org/2000/svg}"


def with_references() -> Figure:
    """Return a figure in which matplotlib refers to ids: clip, hatch and markers."""
    figure = Figure()
    axes = figure.add_subplot()
    axes.bar([1, 2], [3, 4], hatch="//", color=theme.INPUT, edgecolor=theme.FG)
    axes.plot([1, 2], [3, 4], marker="o", color=theme.WINDOW)
    return figure


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_it_is_one_themed_svg_element(make):
    svg = to_svg(make(), alt="A figure", id_prefix="fig")
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert svg.startswith("<svg ")
    assert root.get("role") == "img"
    assert root.get("width") is None
    assert root.get("height") is None
    assert root.get("viewBox")
    assert root[0].tag == f"{SVG}title"
    assert root[0].get("id") == root.get("aria-labelledby")
    for unwanted in ("<?xml", "<!DOCTYPE", "<metadata", "<style", "<!--", "font-family"):
        assert unwanted not in svg
    assert not re.search("#[0-9a-fA-F]{3,8}", svg), "a colour that no palette can change"
    assert "currentColor" in svg


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_every_text_of_the_figure_is_text_in_the_svg(make):
    figure = make()
    root = ElementTree.fromstring(to_svg(figure, alt="A figure", id_prefix="fig"))
    written = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert sorted(written) == sorted(text.get_text() for text in figure.axes[0].texts)


def test_the_same_figure_gives_the_same_bytes():
    figure = FIGURES["sliding"]()
    first = to_svg(figure, alt="A figure", id_prefix="fig")
    assert to_svg(figure, alt="A figure", id_prefix="fig") == first
    assert to_svg(FIGURES["sliding"](), alt="A figure", id_prefix="fig") == first


def test_hash_randomisation_and_the_readers_settings_change_nothing():
    code = (
        "from cnnref.figures.svg import to_svg; from cnnref.figures.padding import modes;"
        "print(to_svg(modes([[1, 2], [3, 4]]), alt='a', id_prefix='f'))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
            check=True, capture_output=True, text=True,
        ).stdout.rstrip("\n")
        for seed in ("1", "2")
    ]  # fmt: skip
    settings = {"font.family": ["serif"], "svg.fonttype": "path", "text.color": "red"}
    with mpl.rc_context(settings):
        printed.append(to_svg(modes([[1, 2], [3, 4]]), alt="a", id_prefix="f"))
    assert len(set(printed)) == 1


def test_ids_and_what_points_to_them_carry_the_prefix():
    pages = [to_svg(with_references(), alt="A figure", id_prefix=prefix) for prefix in ("a", "b-1")]
    ids = [re.findall(r'\bid="([^"]+)"', svg) for svg in pages]
    assert not set(ids[0]) & set(ids[1])
    for prefix, svg, own in zip(("a", "b-1"), pages, ids, strict=True):
        assert len(own) == len(set(own))
        assert all(each.startswith(f"{prefix}-") for each in own)
        pointed = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg)
        assert any(url for url, _ in pointed)
        assert any(href for _, href in pointed)
        assert {url or href for url, href in pointed} <= set(own)
        assert re.search("<use [^>]*xlink:href=", svg), "plain href throws in Material's bundle"


def test_the_alt_text_is_escaped():
    alt = 'A < B & "C" > 0'
    root = ElementTree.fromstring(to_svg(reach(), alt=alt, id_prefix="fig"))
    assert root[0].text == alt


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_alt_is_required(alt):
    with pytest.raises(ValueError, match="`alt` must say what the figure shows"):
        to_svg(reach(), alt=alt, id_prefix="fig")


@pytest.mark.parametrize("prefix", ["", "1a", "a b", 'a"'])
def test_a_prefix_that_cannot_begin_an_id_is_refused(prefix):
    with pytest.raises(ValueError, match="`id_prefix`"):
        to_svg(reach(), alt="A figure", id_prefix=prefix)


def test_each_colour_has_one_name():
    assert len(set(theme.CSS.values())) == len(theme.CSS)
    assert all(colour == colour.lower() for colour in theme.CSS)


def test_drawing_leaves_no_trace_in_pyplot():
    code = (
        "import sys; from cnnref.figures.svg import to_svg;"
        "from cnnref.figures.dilation import reach;"
        "to_svg(reach(), alt='a', id_prefix='f'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
