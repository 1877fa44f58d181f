"""Receptive fields: by hand, as published, and equal to the support of torch's gradient."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnref.networks import alexnet, lenet5, resnet50, vgg16
from cnnref.networks.layers import (
    Activation,
    BatchNorm,
    Branches,
    Conv,
    ConvTranspose,
    Flatten,
    GlobalAvgPool,
    Linear,
    Pool,
    Upsample,
    residual,
)
from cnnref.networks.receptive_field import Axis, ReceptiveField, receptive_field


def record(name, size, jump, first):
    """Return the field of a layer whose cells all see equally many pixels."""
    axes = [Axis(((f, f + r - 1),), j) for r, j, f in zip(size, jump, first, strict=True)]
    return ReceptiveField(name, tuple(axes))


def test_by_hand():
    layers = [
        Conv(1, (3, 2), stride=(2, 1), padding=(1, 0), name="a"),
        Conv(1, 3, dilation=(1, 2), padding=(0, 1), name="b"),
        Pool(2, padding=1, name="c"),
    ]
    assert list(receptive_field(layers)) == [
        # height: 1 + 2·1·1 = 3; width: 1 + 1·1·1 = 2
        record("a", (3, 2), (2, 1), (-1, 0)),
        # height: 3 + 2·1·2 = 7; width: 2 + 2·2·1 = 6, begins 1·1 earlier
        record("b", (7, 6), (2, 1), (-1, -1)),
        # height: 7 + 1·1·2 = 9, begins 1·2 earlier; width: 6 + 1·1·1 = 7, begins 1·1 earlier
        record("c", (9, 7), (4, 2), (-3, -2)),
    ]
    last = receptive_field(layers)[-1]
    assert last.start == (1, 1)
    assert last.pixels(2, 1) == (slice(5, 14), slice(0, 7))


def test_dilation_counts():
    plain = receptive_field([Conv(1, 3), Conv(1, 3), Conv(1, 3)])[-1]
    dilated = receptive_field([Conv(1, 3), Conv(1, 3, dilation=2), Conv(1, 3, dilation=4)])[-1]
    assert (plain.size, dilated.size) == ((7, 7), (15, 15))  # 1 + 2·3; 1 + 2·(1 + 2 + 4)


def test_paths_are_joined_from_the_first_to_the_last_pixel():
    block = Branches([[Conv(1, 1)], [Conv(1, 3, padding=1)], [Conv(1, 5, padding=2)], []])
    assert receptive_field([block])[-1] == record("concat of 4 paths", (5, 5), (1, 1), (-2, -2))
    # An even filter and its mirror image: neither path alone reads all three pixels.
    shifted = Branches([[Conv(1, 2, padding=((1, 0), (0, 0)))], [Conv(1, 2)]])
    assert receptive_field([shifted])[-1].size == (3, 2)


def test_layers_of_one_cell_change_nothing_and_the_whole_map_ends_the_list():
    layers = [Conv(4, 3), BatchNorm(), Activation(), GlobalAvgPool(), Flatten(), Linear(2)]
    fields = receptive_field(layers)
    assert [field.name for field in fields] == ["conv 3×3", "batch norm", "relu"]
    assert {field.size for field in fields} == {(3, 3)}
    assert fields.end == "global avg pool reads the whole map, so its receptive field is the image"
    assert len(receptive_field([])) == 0
    assert receptive_field(layers[:3]).end == ""


@pytest.mark.parametrize(
    "layer", [GlobalAvgPool(name="last"), Flatten(name="last"), Linear(2, name="last")]
)
def test_the_fields_end_alike_at_a_layer_alone_and_inside_a_block(layer):
    reason = "last reads the whole map, so its receptive field is the image"
    alone = receptive_field([Conv(1, 3, name="first"), layer, Conv(1, 3)])
    block = Branches([[], [Conv(1, 3, 2), residual([layer, Conv(1, 3)], name="inner")]], name="b")
    inside = receptive_field([Conv(1, 3, name="first"), block, Conv(1, 3)])
    assert list(alone) == list(inside) == [record("first", (3, 3), (1, 1), (0, 0))]
    assert (alone.end, inside.end) == (reason, f"b: inner: {reason}")


def test_transposed_convolution_by_hand():
    """Output o reads input i if o = 2·i + u for a tap u of 0, 1 and 2; an input is 2 pixels."""
    field = receptive_field([Conv(1, 2, stride=2), ConvTranspose(1, 3, stride=2)])[-1]
    # o = 0: i = 0 (u = 0) and −1 (u = 2). o = 1: i = 0 (u = 1). o = 2: i = 1 and 0.
    assert field.axes[0] == Axis(((-2, 1), (0, 1)), 2)
    assert (field.size, field.smallest, field.jump) == ((4, 4), (2, 2), (1, 1))
    assert (field.first, field.start) == ((-2, -2), (-0.5, -0.5))
    assert field.pixels(5, 4) == (slice(4, 6), slice(2, 6))


def test_upsampling_by_hand():
    nearest = receptive_field([Upsample(3), Conv(1, 2)])[-1]
    # Cells 0, 1, 2 are copies of pixel 0; a filter of two sees a second pixel from cell 2 on.
    assert nearest.axes[1] == Axis(((0, 0), (0, 0), (0, 1)), 1)
    assert nearest.jump == (1 / 3, 1 / 3)
    bilinear = receptive_field([Upsample((2, 3), "bilinear")])[-1]
    # Cell 0 of two lies at −1/4, cell 1 at 1/4. Cell 1 of three lies exactly on pixel 0.
    assert bilinear.axes == (Axis(((-1, 0), (0, 1)), 1), Axis(((-1, 0), (0, 0), (0, 1)), 1))


def test_enlarging_and_reducing_again_ends_with_one_field():
    field = receptive_field([ConvTranspose(1, 2, stride=2), Conv(1, 2, stride=2)])[-1]
    assert field.axes[0] == Axis(((0, 0),), 1)


def test_cells_that_read_nothing():
    fields = receptive_field([ConvTranspose(1, 1, stride=3), Conv(1, 2)])
    assert fields[0].axes[0] == Axis(((0, 0), None, None), 1)
    assert (fields[0].size, fields[0].smallest) == ((1, 1), (0, 0))
    assert fields[0].pixels(1, 3) == (slice(0, 0), slice(1, 2))
    assert fields[1].axes[0] == Axis(((0, 0), None, (1, 1)), 1)
    assert str(fields).splitlines()[1] == "transposed conv 1×1   0–1  0.333333      0"


def v_net():
    """Return V-Net along one axis (arXiv:1606.04797, Figure 2) as nested blocks, unnamed."""

    def stage(count):
        return [residual([Conv(1, 5, padding=2) for _ in range(count)])]

    down, up = Conv(1, 2, stride=2), ConvTranspose(1, 2, stride=2)
    inner = [down, *stage(3), up]
    for left, right in ((3, 3), (3, 3), (2, 2)):
        inner = [down, *stage(left), Branches([inner, []]), *stage(right), up]
    return [*stage(1), Branches([inner, []]), *stage(1)]


def test_v_net_sees_what_its_gradient_says_and_less_than_its_table():
    # The table of the paper says 476, 528, 546 and 551 for the four stages on the right.
    decoder = []

    def collect(layers, field_of):
        for place, layer in enumerate(layers):
            if isinstance(layer, Branches) and layer.join == "concat":
                collect(
                    layer.paths[0], lambda inner, before=layers[:place]: field_of([*before, *inner])
                )
                last = receptive_field(field_of(layers[: place + 2]))[-1]
                decoder.append((last.smallest[0], last.size[0]))

    collect(v_net(), lambda layers: layers)
    assert decoder == [(468, 468), (516, 516), (532, 532), (532, 548)]


def test_a_filter_of_any_size_is_answered_at_once():
    huge = 2**30
    field = receptive_field([ConvTranspose(1, huge, stride=2), Conv(1, huge)])[-1]
    # Cell o reads inputs (o − huge)/2 to o/2; the convolution reads cells o to o + huge − 1.
    assert field.axes[0] == Axis(((1 - huge // 2, huge // 2 - 1), (1 - huge // 2, huge // 2)), 1)


def test_squeeze_and_excitation_sees_the_whole_image():
    gate = Branches([[], [GlobalAvgPool(name="squeeze"), Conv(1, 1)]], "product", name="gate")
    fields = receptive_field([Conv(1, 3), gate, Conv(1, 3)])
    assert [field.size for field in fields] == [(3, 3)]
    assert fields.end == "gate: squeeze reads the whole map, so its receptive field is the image"


def test_closed_form():
    layers = [Conv(1, 7, 2), Pool(3, 2), Conv(1, 3, dilation=2), Conv(1, 5, 3), Conv(1, 2)]
    size = 1 + 6 * 1 + 2 * 2 + 2 * 2 * 4 + 4 * 4 + 1 * 12
    assert receptive_field(layers)[-1].size == (size, size)


# Araujo, Norris and Sim, RECEPTIVE_FIELD_TABLE.md in google-research/receptive_field: size, jump.
PUBLISHED = {
    "alexnet": {
        "conv1": (11, 4), "pool1": (19, 8), "conv2": (51, 8), "conv3": (99, 16), "conv4": (131, 16),
        "conv5": (163, 16), "pool5": (195, 32),
    },
    "vgg16": {
        "conv1_1": (3, 1), "pool1": (6, 2), "conv2_1": (10, 2), "pool2": (16, 4),
        "conv3_1": (24, 4), "conv3_2": (32, 4), "pool3": (44, 8), "conv4_1": (60, 8),
        "conv4_2": (76, 8), "pool4": (100, 16), "conv5_1": (132, 16), "conv5_2": (164, 16),
        "pool5": (212, 32),
    },
}  # fmt: skip


@pytest.mark.parametrize("network", [alexnet, vgg16])
def test_published_sizes_and_jumps(network):
    fields = {field.name: field for field in receptive_field(network())}
    for name, (size, jump) in PUBLISHED[network.__name__].items():
        assert (fields[name].size, fields[name].jump) == ((size, size), (jump, jump)), name


def test_published_padding_of_vgg16():
    assert receptive_field(vgg16())[-1].first == (-90, -90)
    assert {field.name: field.size for field in receptive_field(vgg16())}["conv5_3"] == (196, 196)


def test_published_sizes_of_resnet50():
    fields = {field.name: field for field in receptive_field(resnet50())}
    ends = ["conv2_3", "conv3_4", "conv4_6", "conv5_3"]
    assert [fields[name].size[0] for name in ends] == [35, 99, 291, 483]
    assert fields["conv5_3"].first == (-241, -241)  # the table's padding at 321 pixels
    # With the stride in the 3×3, that filter still steps finely: the fields are smaller.
    fields = {field.name: field for field in receptive_field(resnet50("v1.5"))}
    assert [fields[name].size[0] for name in ends] == [35, 91, 267, 427]


def test_the_published_table_strides_elsewhere_and_comes_to_the_same():
    # TF-Slim, from which the table comes, strides in the 3×3 of the LAST block of a stage, and
    # not after the last stage.
    layers = [Conv(1, 7, 2, 3), Pool(3, 2, 1)]
    sizes = []
    for stage, blocks in enumerate([3, 4, 6, 3]):
        for place in range(blocks):
            stride = 2 if place == blocks - 1 and stage < 3 else 1
            shortcut = [Pool(1, stride)] if stride > 1 else []
            layers.append(
                residual([Conv(1, 1), Conv(1, 3, stride, padding=1), Conv(1, 1)], shortcut)
            )
        sizes.append(receptive_field(layers)[-1].size[0])
    assert sizes == [35, 99, 291, 483]


def test_two_towers_and_lenet():
    assert receptive_field(alexnet("two towers"))[-1].size == (195, 195)
    assert [field.size[0] for field in receptive_field(lenet5()) if field.name != "tanh"] == [
        5, 6, 14, 16,
    ]  # fmt: skip


pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
sides = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))


@st.composite
def windows(draw, strides=True):
    stride = draw(st.tuples(st.integers(1, 2), st.integers(1, 3))) if strides else (1, 1)
    kernel, dilation = draw(pair), draw(pair)
    top, bottom, left, right = draw(sides)
    return Conv(1, kernel, stride, ((top, bottom), (left, right)), dilation)


@st.composite
def blocks(draw):
    """Two paths of equal stride whose maps are equally large, as a sum needs."""
    stride = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    paths = []
    for _ in range(2):
        # With a reach beyond the first cell, and the same amount of padding, sizes agree.
        kernel, dilation = draw(pair), draw(pair)
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        before = [draw(st.integers(0, length)) for length in reach]
        padding = tuple((b, r - b) for b, r in zip(before, reach, strict=True))
        paths.append([Conv(1, kernel, 1, padding, dilation), Conv(1, 1, stride)])
    if stride == (1, 1) and draw(st.booleans()):
        paths.append([])
    return Branches(paths, "sum")


def run(layers, x):
    """Run layers as torch convolutions of ones in float64: no product is zero, none cancels."""
    for layer in layers:
        if isinstance(layer, Branches):
            x = torch.stack([run(path, x) for path in layer.paths]).sum(0)
        elif isinstance(layer, Upsample):
            x = torch.nn.functional.interpolate(x, scale_factor=layer.factors, mode=layer.mode)
        elif isinstance(layer, ConvTranspose):
            stamp = layer.stamp
            ones = torch.ones(1, 1, *stamp.kernel_size, dtype=x.dtype)
            x = torch.nn.functional.conv_transpose2d(
                x, ones, None, stamp.stride, 0, 0, 1, stamp.dilation
            )
            (top, bottom), (left, right) = stamp.padding
            x = x[..., top : x.shape[2] - bottom, left : x.shape[3] - right]
        else:
            window = layer.window
            (top, bottom), (left, right) = window.padding
            x = torch.nn.functional.pad(x, (left, right, top, bottom))
            ones = torch.ones(1, 1, *window.kernel_size, dtype=x.dtype)
            x = torch.nn.functional.conv2d(x, ones, None, window.stride, 0, window.dilation)
    return x


def support(layers, size, cell):
    """Return the first and the last row and column with a gradient, of one cell."""
    x = torch.zeros(1, 1, *size, dtype=torch.float64, requires_grad=True)
    run(layers, x)[0, 0][cell].backward()
    rows, columns = torch.nonzero(x.grad[0, 0], as_tuple=True)
    return [(int(axis.min()), int(axis.max())) for axis in (rows, columns)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(windows(), blocks()), min_size=1, max_size=4))
def test_equals_the_support_of_the_gradient(layers):
    field = receptive_field(layers)[-1]
    # A cell whose field lies on the image, with room behind it.
    cell = tuple(
        max(0, math.ceil(-first / jump))
        for first, jump in zip(field.first, field.jump, strict=True)
    )
    seen = field.pixels(*cell)
    size = [axis.stop + 12 * jump for axis, jump in zip(seen, field.jump, strict=True)]
    assert support(layers, size, cell) == [(axis.start, axis.stop - 1) for axis in seen]
    # The centre of the first cell, and the step from it.
    centres = [
        start + index * jump
        for start, index, jump in zip(field.start, cell, field.jump, strict=True)
    ]
    assert centres == [sum(ends) / 2 for ends in support(layers, size, cell)]


@st.composite
def upsampling(draw):
    factor, kernel = draw(pair), draw(pair)
    if draw(st.booleans()):
        return Upsample(factor, draw(st.sampled_from(["nearest", "bilinear"])))
    # No more is cut off than the filter adds, so that a map remains.
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    sides = [
        (draw(st.integers(0, d * (k - 1) // 2)), draw(st.integers(0, d * (k - 1) // 2)))
        for k, d in zip(kernel, dilation, strict=True)
    ]
    return ConvTranspose(1, kernel, factor, tuple(sides), dilation=dilation)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(windows(), blocks()), max_size=2),
    upsampling(),
    st.lists(st.one_of(windows(), blocks(), upsampling()), max_size=2),
    st.tuples(st.integers(0, 11), st.integers(0, 11)),
)
def test_equals_the_support_of_the_gradient_behind_upsampling(before, enlarging, after, beyond):
    layers = [*before, enlarging, *after]
    fields = receptive_field(layers)
    # The axes are followed one by one: a path that reads nothing in a row counts in the column.
    holes = any(None in axis.spans for field in fields for axis in field.axes)
    assume(not (holes and any(isinstance(layer, Branches) for layer in after)))
    field = fields[-1]
    # A cell far enough from the border that nothing on the way to it is cut off.
    cell = tuple(
        math.ceil((60 - first) / jump) + extra
        for first, jump, extra in zip(field.first, field.jump, beyond, strict=True)
    )
    seen = field.pixels(*cell)
    size = [max(axis.stop, 60) + 80 for axis in seen]
    x = torch.zeros(1, 1, *size, dtype=torch.float64, requires_grad=True)
    run(layers, x)[0, 0][cell].backward()
    rows, columns = torch.nonzero(x.grad[0, 0], as_tuple=True)
    if any(axis.stop == axis.start for axis in seen):
        assert len(rows) == 0
    else:
        assert (int(rows.min()), int(rows.max()) + 1) == (seen[0].start, seen[0].stop)
        assert (int(columns.min()), int(columns.max()) + 1) == (seen[1].start, seen[1].stop)


@pytest.mark.parametrize("network", [alexnet, vgg16, resnet50])
def test_equals_the_support_of_the_gradient_of_real_networks(network):
    # One row of one channel, with pooling by the mean: a maximum would let one pixel through.
    fields = receptive_field(network())
    layers = [layer for layer in network()[: len(fields)] if not isinstance(layer, BatchNorm)]
    field = fields[-1]
    column = math.ceil(-field.first[1] / field.jump[1])
    seen = field.pixels(0, column)[1]

    def flat(layer):
        if isinstance(layer, Branches):
            return Branches([[flat(inner) for inner in path] for path in layer.paths], "sum")
        window = layer.window
        across = window.padding[1]
        return Conv(
            1, (1, window.kernel_size[1]), (1, window.stride[1]), ((0, 0), across),
            (1, window.dilation[1]),
        )  # fmt: skip

    layers = [flat(layer) for layer in layers]
    _, columns = support(layers, (1, seen.stop + 64), (0, column))
    assert columns == (seen.start, seen.stop - 1)


@pytest.mark.parametrize(
    ("layers", "error", "words"),
    [
        (
            [Branches([[Conv(1, 3, 2)], [Conv(1, 3)]], name="mixed")],
            ValueError,
            "`paths` of mixed end with the jumps 2, 1, which must be equal",
        ),
        (
            [Upsample(100), Upsample(100, name="last")],
            ValueError,
            "`layers` enlarge the map too much: the receptive fields of last repeat only after 100",
        ),
        ([3], TypeError, "item 0 of `layers` (3) is not a Layer"),
        ([Flatten(), Conv], TypeError, "item 1 of `layers` (<class"),
        (Conv(1, 3), TypeError, "`layers` must be a list of layers, not Conv"),
    ],
)
def test_errors(layers, error, words):
    with pytest.raises(error) as caught:
        receptive_field(layers)
    assert words in str(caught.value)


def test_tables():
    fields = receptive_field([Conv(1, (3, 2), name="a"), Pool(2, name="b")])
    assert str(fields) == "layer   size  jump    start\na      3 × 2     1  1 × 0.5\n" + (
        "b      4 × 3     2  1.5 × 1"
    )
    assert fields.to_markdown().splitlines() == [
        "| layer | size | jump | start |",
        "| --- | ---: | ---: | ---: |",
        "| a | 3 × 2 | 1 | 1 × 0.5 |",
        "| b | 4 × 3 | 2 | 1.5 × 1 |",
    ]
    assert fields._repr_markdown_() == fields.to_markdown()
    fields = receptive_field([Activation(), Conv(1, 3), BatchNorm(), Conv(1, 1), Pool(2)])
    lines = fields.to_markdown(only_changes=True).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| conv 3×3", "| max pool 2×2"]
