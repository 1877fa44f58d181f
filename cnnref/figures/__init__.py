"""Figures drawn from data with matplotlib: one module per topic, one function per figure.

Every function takes arrays and settings and returns a `matplotlib.figure.Figure`. It does not use
pyplot, so nothing is registered globally and nothing has to be closed. `cnnref.figures.svg.to_svg`
turns a figure into inline SVG that follows the page's palette.
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("matplotlib") is None:
    raise ModuleNotFoundError(
        "cnnref.figures needs matplotlib: pip install 'cnnref[figures]'", name="matplotlib"
    )
