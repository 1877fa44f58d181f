from __future__ import annotations

import math

import matplotlib as mpl
import pytest

from cnnref.figures._theme import canvas, fit, number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (26, "26"),
        (-3, "\N{MINUS SIGN}3"),
        (2.0, "2"),
        (0.1 + 0.2, "0.3"),
        (12.3456, "12.3"),
        (-1234.5678, "\N{MINUS SIGN}1235"),
        (math.nan, "nan"),
        (-math.inf, "\N{MINUS SIGN}\N{INFINITY}"),
    ],
)
def test_numbers_as_figures_show_them(value, text):
    assert number(value) == text


def test_a_canvas_is_measured_in_cells_with_y_running_down():
    _, axes = canvas(3, 2)
    assert axes.get_xlim() == (0, 3)
    assert axes.get_ylim() == (2, 0)
    with pytest.raises(ValueError, match="must be positive"):
        canvas(0, 2)


def test_only_text_that_is_too_wide_shrinks():
    assert fit("26", 1, 12) == 12
    assert fit("123456", 1, 12) < 12


def test_a_reader_s_resolution_does_not_change_a_figure():
    with mpl.rc_context({"figure.dpi": 72}):
        figure, _ = canvas(3, 2)
    assert figure.dpi == canvas(3, 2)[0].dpi
