"""Figures drawn from data with matplotlib: one module a topic, one function a figure.

Every function takes arrays and settings and returns a :class:`matplotlib.figure.Figure`.
It is made without pyplot, so that nothing is registered globally and nothing has to be closed.
`cnnref.figures.svg.to_svg` turns a figure into inline SVG that follows the page's palette.
"""
