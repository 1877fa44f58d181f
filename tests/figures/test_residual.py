from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnref.figures.residual import block_on_a_row, blocks, gradients_by_depth
from cnnref.nn.residual import BasicBlock, PlainBlock
from tests.helpers.artists import assert_legible, boxes, matrix, texts

WORDS = {
    torch.nn.Conv2d: "conv 3×3",
    torch.nn.BatchNorm2d: "batch norm",
    torch.nn.ReLU: "ReLU",
}


def example():
    return block_on_a_row([2, -1, 3, 0, -2], (-1, 1, 0), (1, 1, 0))


def curves():
    return gradients_by_depth(
        [1, 5, 20], {"plain": [0.1, 1e-5, 1e-20], "skip": [1, 2, 5], "norm": [1, 2.5, 4]}
    )


@pytest.mark.parametrize(
    ("kind", "block"),
    [
        ("plain", PlainBlock(1, 1)),
        ("post", BasicBlock(1, 1)),
        ("pre", BasicBlock(1, 1, order="pre")),
    ],
)
def test_blocks_have_the_layers_of_the_modules(kind, block):
    names = [
        WORDS[type(module)]
        for part in (block.before, block.body, block.after)
        for module in part.modules()
        if type(module) in WORDS
    ]
    drawn = texts(blocks(), f"{kind} layer")
    assert [word for word in drawn if word != "+"] == names
    assert drawn.count("+") == (kind != "plain")
    # What is drawn after the sum is what the module does after it.
    if kind != "plain":
        assert drawn[drawn.index("+") + 1 :] == (["ReLU"] if kind == "post" else [])


def test_only_residual_blocks_have_a_skip():
    figure = blocks()
    assert not boxes(figure, "plain skip")
    assert boxes(figure, "post skip")
    assert boxes(figure, "pre skip")
    assert texts(figure, "title") == ["plain", "residual", "pre-activation"]
    assert texts(blocks(["pre"]), "title") == ["pre-activation"]


def test_a_row_by_hand():
    figure = example()
    steps = [
        [2, -1, 3, 0, -2],
        [2, -3, 4, -3, -2],
        [2, 0, 4, 0, 0],
        [2, 2, 4, 4, 0],
        [4, 1, 7, 4, -2],
        [4, 1, 7, 4, 0],
    ]
    for place, row in enumerate(steps):
        np.testing.assert_array_equal(matrix(figure, f"step {place}"), [row])
    assert texts(figure, "step")[1] == "filter (−1, 1, 0)"


def test_a_row_equals_the_block():
    rng = np.random.default_rng(0)
    row, first, second = rng.integers(-9, 9, 8), rng.integers(-2, 3, 3), rng.integers(-2, 3, 3)
    block = BasicBlock(1, 1).eval()
    for norm in (block.body[1], block.body[4]):
        norm.eps = 0.0
    for convolution, taps in ((block.body[0], first), (block.body[3], second)):
        torch.nn.init.zeros_(convolution.weight)
        convolution.weight.data[0, 0, 1] = torch.from_numpy(taps)
    with torch.no_grad():
        expected = block(torch.from_numpy(row[None, None, None]).float())[0, 0]
    drawn = matrix(block_on_a_row(row, first, second), "step 5")
    np.testing.assert_array_equal(drawn, expected.numpy())


def test_curves_are_at_their_decades():
    figure = curves()
    heights = {
        name: [y + height / 2 for _, y, _, height in boxes(figure, f"marks {name}")]
        for name in ("plain", "skip", "norm")
    }
    decade = (heights["plain"][1] - heights["plain"][0]) / 4  # from 0.1 to 1e-5
    assert heights["plain"][2] - heights["plain"][1] == pytest.approx(15 * decade)
    assert heights["skip"][0] == pytest.approx(heights["plain"][0] - decade)
    across = [x + width / 2 for x, _, width, _ in boxes(figure, "marks skip")]
    assert (across[2] - across[1]) / (across[1] - across[0]) == pytest.approx(15 / 4)
    assert texts(figure, "depth") == ["1", "5", "20"]
    assert "1" in texts(figure, "scale")
    assert sorted(texts(figure, "name")) == ["norm", "plain", "skip"]


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="`kinds` holds 'both'"):
        blocks(["both"])
    with pytest.raises(ValueError, match="`kinds` is empty"):
        blocks([])
    with pytest.raises(ValueError, match="`row` has shape"):
        block_on_a_row([[1, 2]], (1, 1, 1), (1, 1, 1))
    with pytest.raises(ValueError, match=r"`second` has shape \(2,\)"):
        block_on_a_row([1, 2], (1, 1, 1), (1, 1))
    with pytest.raises(ValueError, match="growing numbers"):
        gradients_by_depth([1, 1], {"a": [1, 1]})
    with pytest.raises(ValueError, match="`curves` is empty"):
        gradients_by_depth([1, 2], {})
    with pytest.raises(ValueError, match="has 1 numbers for 'a', not 2"):
        gradients_by_depth([1, 2], {"a": [1]})
    with pytest.raises(ValueError, match="positive numbers"):
        gradients_by_depth([1, 2], {"a": [1, 0]})
    with pytest.raises(TypeError, match="`depths`"):
        gradients_by_depth([1, 2.5], {"a": [1, 1]})


@pytest.mark.parametrize(
    "figure",
    [
        blocks(),
        blocks(["post"]),
        example(),
        block_on_a_row([100, -200], (-1.5, 1, 0.25), (1, 1, 0)),
        curves(),
        gradients_by_depth([1, 2], {"a": [1, 1], "b": [1, 1], "c": [1, 1.01]}),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
