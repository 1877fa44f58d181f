from __future__ import annotations

import numpy as np
import pytest

from cnnref.ops.template_matching import normalized_cross_correlation
from cnnref.worked.template_matching import template_matching
from tests.worked.test_rendering import formulas, run_katex

IMAGE = [[[1, 2, 3], [4, 7, 5]]]
TEMPLATE = [[[5, 0], [0, 3]]]


def test_one_window_by_hand():
    # Mean 14/4 = 3.5 and 8/4 = 2; products -7.5 + 3 - 1 + 3.5 = -2; squares 21 and 18.
    match = template_matching(IMAGE, TEMPLATE).cell(row=0, column=0)
    assert match.window.mean == 3.5
    assert match.template.mean == 2
    assert match.window.values.tolist() == [[[-2.5, -1.5], [0.5, 3.5]]]
    assert match.template.values.tolist() == [[[3, -2], [-2, 1]]]
    assert match.products.tolist() == [[[-7.5, 3], [-1, 3.5]]]
    assert match.product == -2
    assert (match.window.energy, match.template.energy) == (21, 18)
    assert match.response == pytest.approx(-2 / 378**0.5)


def test_every_window_equals_the_operation():
    generator = np.random.default_rng(0)
    images, template = generator.random((2, 3, 6, 5)), generator.random((3, 4, 2))
    images[0, :, :4, :2] = 0.1  # a flat window
    solution = template_matching(images, template)
    expected = normalized_cross_correlation(images, template)
    assert len(solution) == expected.size
    found = np.array([match.response for match in solution]).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-14)
    assert found[0, 0, 0, 0] == 0
    best = solution.best()
    assert (best.image, best.row, best.column) == np.unravel_index(
        expected[:, 0].argmax(), expected[:, 0].shape
    )


def test_text_of_several_channels_images_and_exact_numbers():
    images = np.array([[[[3, 0]], [[1, 0]]], [[[5, 5]], [[5, 5]]]])
    words = template_matching(images, [[[3, 0]], [[1, 0]]]).to_text([(0, 0), (1, 0, 0)])
    assert "Image 1, row 1, column 1" in words
    assert "channel 2" in words
    # Deviations 2, -1, 0, -1: squares 6, and √6 is rounded.
    assert "sum 6, length ≈ 2.4495." in words
    assert "Response: 6 / (2.4495 × 2.4495) ≈ 1." in words
    assert "Response: the window is flat, 0 / 0; taken as 0." in words
    exact = template_matching([[[3, 1, 1, 3]]], [[[9, 5, 9, 5]]]).to_text([(0, 0)])
    assert "≈" not in exact
    assert "Response: 0 / (2 × 4) = 0." in exact


def test_a_rounded_number_is_never_called_equal():
    words = template_matching([[[1, 0, 0]]], [[[1, 0, 0]]]).to_text([(0, 0)])
    assert "Mean of the window: 1 / 3 ≈ 0.3333." in words
    assert "Numbers are rounded to 4 decimals" in words


@pytest.mark.parametrize("grid", [True, False])
def test_formulas_parse_in_katex(grid):
    generator = np.random.default_rng(1)
    images = np.concatenate([generator.random((1, 2, 4, 4)) * 1e-6, np.ones((1, 2, 4, 4))])
    solution = template_matching(images, -generator.random((2, 2, 3)))
    markdown = solution.to_markdown([(0, 0), (0, 1, 1), (1, 0, 0)], grid=grid)
    assert ("cnnref-cells" in markdown) is grid
    found = formulas(markdown)
    assert len(found) > 30
    result = run_katex(found)
    assert result.returncode == 0, result.stderr
    assert r"\odot" in solution.to_latex([(0, 0)])


def test_a_notebook_and_print_show_the_best_window():
    solution = template_matching([[[7, 9, 5, 5]]], [[[0, 1]]])
    assert "Row 1, column 1" in str(solution)
    assert "**Row 1, column 1**" in solution._repr_markdown_()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda s: s.cell(row=1, column=0), IndexError, "`row` (1) must be from 0 to 0"),
        (lambda s: s.cell(row=True, column=0), TypeError, "not a bool"),
        (lambda s: s.cell(row=0.0, column=0), TypeError, "`row` (0.0) must be an integer"),
        (lambda s: s.to_text([(0,)]), ValueError, "must be (row, column) or (image, row, column)"),
        (lambda s: s.to_text([(1, 0, 0)]), IndexError, "`image` (1)"),
        (lambda s: template_matching([[[np.nan, 1]]], [[[0, 1]]]), ValueError, "must be finite"),
        (lambda s: template_matching(IMAGE, [[[1, 1]]]), ValueError, "`template` is flat"),
    ],
)
def test_bad_arguments_are_refused_in_words(call, error, words):
    with pytest.raises(error) as caught:
        call(template_matching(IMAGE, TEMPLATE))
    assert words in str(caught.value)
