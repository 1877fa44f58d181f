from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

import cnnref
from cnnref.nn.patches import layer_field, layer_maps, top_patches
from cnnref.nn.pretrained import efficientnet_lite0, squeezenet


@pytest.fixture(scope="module")
def model():
    return squeezenet()


def dots(*places, size=256):
    """A grey photograph of 256×256 with white dots of three pixels."""
    image = np.full((size, size, 3), 100, np.uint8)
    for row, column in places:
        image[row - 1 : row + 2, column - 1 : column + 2] = 255
    return image


@pytest.mark.parametrize(
    ("layer", "size", "jump"),
    [("conv1", 3, 2), ("pool1", 7, 4), ("fire3", 23, 4), ("fire5", 63, 8), ("fire9", 207, 16)],
)
def test_fields_of_squeezenet(model, layer, size, jump):
    """By hand: r += (k - 1) j, j *= s, a fire module counting as its 3×3."""
    field = layer_field(model, layer)
    assert (field.size, field.jump) == ((size, size), (jump, jump))


def test_fields_of_lite0():
    # stem 3, j 2; block0 7; block1 (stride 2) 11, j 4.
    model = efficientnet_lite0(weights=False)
    assert [layer_field(model, f"block{number}").size[0] for number in (0, 1, 2)] == [7, 11, 19]


def test_maps_are_those_of_the_whole_photograph(model):
    photograph = data.coffee()[:300, :450]
    (maps,) = layer_maps(model, "fire2", photograph)
    assert maps.shape == (128, 63, 95)  # 256×384, halved twice without padding
    # In a crop of the resized photograph that starts at a whole step, inner cells are the same.
    square = dots((60, 80), (150, 200))
    (whole,) = layer_maps(model, "conv1", square)
    with torch.no_grad():
        cut = model.features[:1](
            model.normalize(torch.from_numpy(square[16:200, 32:220]).permute(2, 0, 1)[None].float())
        )[0]
    torch.testing.assert_close(whole[:, 8 : 8 + cut.shape[1], 16 : 16 + cut.shape[2]], cut)


def test_the_patch_is_what_the_cell_sees(model):
    """The number in the cell stays the same when everything it does not see is replaced."""
    photograph = data.coffee()[60:316, 150:406]
    field = layer_field(model, "fire3")
    found = top_patches(model, "fire3", range(9, 20), photograph, count=1)
    inside = []
    for channel, (patch,) in enumerate(found, start=9):
        rows, columns = field.pixels(*patch.cell)
        if min(rows.start, columns.start) >= 0 and max(rows.stop, columns.stop) <= 256:
            inside.append((channel, patch, rows, columns))
    channel, patch, rows, columns = inside[0]
    np.testing.assert_array_equal(patch.picture, photograph[rows, columns])
    (maps,) = layer_maps(model, "fire3", photograph)
    assert patch.response == float(maps[channel].max())
    assert patch.response == float(maps[channel][patch.cell])
    other = np.zeros_like(photograph)
    other[rows, columns] = photograph[rows, columns]
    (again,) = layer_maps(model, "fire3", other)
    assert float(again[channel][patch.cell]) == pytest.approx(patch.response, rel=1e-5)


def test_beyond_the_photograph_is_grey(model):
    white = np.full((256, 256, 3), 255, np.uint8)
    (maps,) = layer_maps(model, "fire9", white)
    channel = int(maps.amax(dim=(1, 2)).argmax())
    ((patch,),) = top_patches(model, "fire9", [channel], white, count=1)
    rows, columns = layer_field(model, "fire9").pixels(*patch.cell)
    inside = np.zeros((207, 207), bool)
    inside[max(-rows.start, 0) : 256 - rows.start, max(-columns.start, 0) : 256 - columns.start] = (
        True
    )
    assert not inside.all()
    assert (patch.picture[inside] == 255).all()
    assert (patch.picture[~inside] == 128).all()


def test_patches_are_sorted_and_apart(model):
    images = [data.coffee(), data.chelsea()]
    field = layer_field(model, "fire3")
    for patches in top_patches(model, "fire3", [0, 12], images, count=6):
        responses = [patch.response for patch in patches]
        assert len(patches) == 6
        assert responses == sorted(responses, reverse=True)
        for place, one in enumerate(patches):
            for other in patches[:place]:
                apart = max(abs(a - b) for a, b in zip(one.cell, other.cell, strict=True))
                assert one.image != other.image or apart * field.jump[0] >= field.size[0] / 2


def test_the_strongest_of_all_photographs_comes_first(model):
    images = [data.coffee(), data.chelsea(), data.rocket()]
    maps = layer_maps(model, "fire5", images)
    (patches,) = top_patches(model, "fire5", [128], images, count=1)
    peaks = [float(one[128].max()) for one in maps]
    assert patches[0].response == max(peaks)
    assert patches[0].image == int(np.argmax(peaks))


def test_only_responses_above_zero_count(model):
    """A black photograph leaves most channels silent."""
    black = np.zeros((256, 256, 3), np.uint8)
    (maps,) = layer_maps(model, "relu1", black)
    silent = int((maps.amax(dim=(1, 2)) == 0).nonzero()[0])
    assert top_patches(model, "relu1", [silent], black) == [[]]


def test_refuses(model):
    photograph = data.chelsea()
    with pytest.raises(ValueError, match=r"`layer` \('fire1'\) must be one of 'conv1', 'relu1'"):
        layer_field(model, "fire1")
    with pytest.raises(ValueError, match="`channels` holds 64; it must be at most 63"):
        top_patches(model, "conv1", [64], photograph)
    with pytest.raises(TypeError, match="`channels`"):
        top_patches(model, "conv1", [1.0], photograph)
    with pytest.raises(ValueError, match="`count`"):
        top_patches(model, "conv1", [1], photograph, count=0)
    with pytest.raises(TypeError, match="uint8"):
        top_patches(model, "conv1", [1], photograph / 255)


def test_field_agrees_with_the_list_of_the_whole_network(model):
    from cnnref.nn.pretrained import layer_lists

    layers = [one for part in layer_lists(model).values() for one in part]
    fields = cnnref.receptive_field(layers)
    assert layer_field(model, "fire9").size in [field.size for field in fields]
