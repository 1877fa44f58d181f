from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.template_matching import on_a_picture, responses, two_pixels
from cnnref.ops.template_matching import cross_correlation, normalized_cross_correlation
from tests.helpers.artists import assert_legible, boxes, centre, drawn_twice, images, matrix, texts


def strokes():
    image = np.zeros((8, 9), int)
    for step in range(3):
        image[step, 1 + step] = image[step, 7 - step] = 3
    image[4:7, 3:6] = 6
    return image


DIAGONAL = 3 * np.eye(3, dtype=int)


def test_responses_shows_every_number():
    figure = responses(strokes(), DIAGONAL)
    np.testing.assert_array_equal(matrix(figure, "input"), strokes())
    np.testing.assert_array_equal(matrix(figure, "template"), DIAGONAL)
    raw = cross_correlation(strokes()[None], DIAGONAL[None])[0]
    np.testing.assert_array_equal(matrix(figure, "raw"), raw)
    normalised = normalized_cross_correlation(strokes()[None], DIAGONAL[None])[0]
    np.testing.assert_array_equal(matrix(figure, "normalised"), normalised.round(1))


def test_responses_outlines_the_best_window_of_each_form():
    figure = responses(strokes(), DIAGONAL)
    corner = np.subtract(centre(figure, "input[0,0]"), 0.5)
    # The stroke is at row 0, column 1; the bright patch at row 4, column 3.
    for form, (row, column) in {"normalised": (0, 1), "raw": (4, 3)}.items():
        ((x, y, width, height),) = boxes(figure, f"window {form}")
        assert (x, y) == pytest.approx((corner[0] + column, corner[1] + row))
        assert (width, height) == pytest.approx((3, 3))
        ((x, y, *_),) = boxes(figure, f"best {form}")
        cell = centre(figure, f"{form}[{row},{column}]")
        assert (x + 0.5, y + 0.5) == pytest.approx(cell)
        assert texts(figure, f"where {form}") == [f"largest: row {row + 1}, column {column + 1}"]


def test_raw_is_dashed_and_normalised_is_not():
    styles = {
        patch.get_label(): patch.get_linestyle()
        for patch in responses(strokes(), DIAGONAL).axes[0].patches
    }
    assert styles["window normalised"] == "solid" == styles["best normalised"]
    assert styles["window raw"] != "solid" != styles["best raw"]


def test_no_cell_shows_minus_zero():
    cells = responses(strokes(), DIAGONAL).axes[0].texts
    assert not any(text.get_text() in {"\N{MINUS SIGN}0", "-0"} for text in cells)


def photograph():
    image = np.add.outer(np.arange(24), 2 * np.arange(32)) % 17
    image[:6, 24:] = 200
    return image


def test_on_a_picture_holds_both_responses_and_both_windows():
    image, template = photograph(), photograph()[9:15, 4:12]
    figure = on_a_picture(image, template)
    shown = {label: image.get_array() for label, image in images(figure).items()}
    np.testing.assert_array_equal(shown["picture"], image)
    np.testing.assert_array_equal(
        shown["response raw"], cross_correlation(image[None], template[None])[0]
    )
    ((_, _, width, height),) = boxes(figure, "window raw")
    assert (width, height) == pytest.approx((10 * 8 / 32, 10 * 6 / 32))
    ((x, y, *_),) = boxes(figure, "window raw")
    ((left, top, *_),) = boxes(figure, "window normalised")
    assert (x, y) != (left, top)
    # The raw form prefers the bright corner.
    assert x > 0.2 + 10 * 20 / 32


def test_two_pixels_shows_products_and_angles():
    figure = two_pixels((1, 2), {"fainter": (0.6, 1.2), "flat": (3, 3)})
    assert texts(figure, "raw fainter") == ["raw 3, angle 0°"]
    assert texts(figure, "raw flat") == ["raw 9, angle 18°"]
    arrows = {patch.get_label() for patch in figure.axes[0].patches}
    assert {"arrow template", "arrow fainter", "arrow flat", "angle flat"} <= arrows
    assert "angle fainter" not in arrows


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="at most 9×9"):
        responses(np.eye(10), DIAGONAL)
    with pytest.raises(ValueError, match="`input` has shape"):
        responses(np.ones((2, 4, 4)), DIAGONAL)
    with pytest.raises(ValueError, match="`template` is flat"):
        responses(strokes(), np.ones((2, 2)))
    with pytest.raises(ValueError, match="`input` must be finite"):
        on_a_picture([[np.nan]], [[1]])
    with pytest.raises(ValueError, match="must be two finite numbers"):
        two_pixels((0, 0), {})
    with pytest.raises(ValueError, match="must not hold negative numbers"):
        two_pixels((1, -1), {})


@pytest.mark.parametrize(
    "figure",
    [
        responses(strokes(), DIAGONAL),
        responses(strokes()[:3, :4] * 1000, DIAGONAL),
        on_a_picture(photograph(), photograph()[9:15, 4:12]),
        two_pixels((1, 2), {"a fainter match": (0.6, 1.2), "bright and flat": (3, 3)}),
    ],
)
def test_texts_do_not_overlap_and_the_drawing_is_stable(figure):
    assert_legible(figure)
    drawn_twice(lambda: figure)
