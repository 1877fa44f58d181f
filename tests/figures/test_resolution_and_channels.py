from __future__ import annotations

import numpy as np
import pytest

from cnnref.figures.resolution_and_channels import places, volumes
from cnnref.ops.resolution_and_channels import space_to_depth
from tests.helpers.artists import assert_legible, boxes, cells, matrix, texts

IMAGE = np.arange(1, 17).reshape(1, 4, 4)


@pytest.mark.parametrize(
    ("image", "block"), [(IMAGE, 2), (IMAGE, 1), (IMAGE, 4), (np.arange(12).reshape(1, 2, 6), 2)]
)
def test_the_image_and_the_channels_hold_their_numbers(image, block):
    if block == 4:
        with pytest.raises(ValueError, match="in blocks of at most 3×3"):
            places(image, block)
        return
    figure = places(image, block)
    np.testing.assert_array_equal(matrix(figure, "input"), image[0])
    for channel, values in enumerate(space_to_depth(image, block)):
        np.testing.assert_array_equal(matrix(figure, f"output {channel}"), values)


def test_a_number_keeps_its_letter():
    figure = places(IMAGE)
    numbers, letters = cells(figure, "input"), cells(figure, "input letter")
    before = {numbers[cell]: letters[cell] for cell in numbers}
    for channel in range(4):
        numbers, letters = (cells(figure, f"output {channel}{kind}") for kind in ("", " letter"))
        assert {letters[cell] for cell in letters} == {"abcd"[channel]}
        assert all(before[numbers[cell]] == letters[cell] for cell in numbers)
    assert before["1"] == "a"
    assert before["16"] == "d"


def test_thick_lines_part_the_blocks():
    assert len(boxes(places(IMAGE), "block")) == 3 + 3


def test_volumes_are_to_scale_and_carry_their_counts():
    figure = volumes([(1, 16, 16), (4, 8, 8), (16, 4, 4)])
    assert [texts(figure, f"count {i}") for i in range(3)] == [["= 256"]] * 3
    assert [texts(figure, f"shape {i}") for i in range(3)] == [["16×16×1"], ["8×8×4"], ["4×4×16"]]
    faces = boxes(figure, "face")
    sides = [face[2] for face in faces]
    assert sides[0] == pytest.approx(2 * sides[1])
    assert sides[0] == pytest.approx(4 * sides[2])
    # The lines that separate the channels: two each, for one channel less than there are.
    assert len(boxes(figure, "channel")) == 2 * (0 + 3 + 15)
    assert len(boxes(figure, "pixel")) == 2 * (15 + 7 + 3)


def test_volumes_are_on_one_floor_and_do_not_overlap():
    figure = volumes([(4, 16, 16), (8, 8, 8), (16, 4, 4)])
    faces = boxes(figure, "face")
    assert len({round(y + height, 6) for _, y, _, height in faces}) == 1
    assert figure.get_size_inches()[0] * 72 / 24 <= 17.01


def test_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="one channel of one image"):
        places(np.ones((2, 4, 4)))
    with pytest.raises(ValueError, match="at most 6×6"):
        places(np.ones((1, 8, 8)))
    with pytest.raises(ValueError, match="must be divisible by `block_size`"):
        places(IMAGE, 3)
    with pytest.raises(ValueError, match="1 to 4 shapes"):
        volumes([])
    with pytest.raises(ValueError, match=r"each must be \(C, H, W\)"):
        volumes([(1, 2)])
    with pytest.raises(ValueError, match=r"`shapes` \(0\) must be at least 1"):
        volumes([(1, 0, 2)])


@pytest.mark.parametrize(
    "figure",
    [
        places(IMAGE),
        places(np.full((1, 6, 6), -1000), 3),
        places([[[7]]], 1),
        volumes([(1, 16, 16), (4, 8, 8), (16, 4, 4)]),
        volumes([(64, 8, 8), (3, 224, 224)]),
        volumes([(1, 1, 1)]),
    ],
)
def test_texts_do_not_overlap(figure):
    assert_legible(figure)
