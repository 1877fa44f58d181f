from __future__ import annotations

import gc
import weakref
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from cnnref.nn.activations import record_activations
from cnnref.nn.pretrained import squeezenet


def network(inplace=False):
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(2, 3, 2),
            relu=nn.ReLU(inplace=inplace),
            head=nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4 * 2 * 3, 5)),
        )
    )


X = torch.randn(2, 2, 3, 4, generator=torch.Generator().manual_seed(1))


def hooks(model):
    return sum(len(module._forward_hooks) for module in model.modules())


def test_the_record_holds_the_outputs_of_the_layers():
    model = network()
    with record_activations(model, ["conv", "head.0", ""]) as kept:
        output = model(X)
    conv = model.conv(X)
    assert list(kept) == ["conv", "head.0", ""]
    assert torch.equal(kept["conv"][0], conv)
    assert torch.equal(kept["head.0"][0], model.head[0](conv.relu()))
    assert torch.equal(kept[""][0], output)
    assert not kept["conv"][0].requires_grad


@pytest.mark.parametrize("gradients", [False, True])
def test_an_in_place_layer_does_not_change_the_record(gradients):
    model = network(inplace=True)
    with record_activations(model, ["conv", "relu"], gradients=gradients) as kept:
        output = model(X)
    conv = model.conv(X)
    assert (conv < 0).any()
    assert torch.equal(kept["conv"][0], conv)
    assert torch.equal(kept["relu"][0], conv.relu())
    assert torch.equal(output, model(X))


def test_an_ordinary_hook_is_overwritten():
    """This is why copies are recorded."""
    model, kept = network(inplace=True), []
    model.conv.register_forward_hook(lambda module, inputs, output: kept.append(output))
    model(X)
    assert not torch.equal(kept[0], model.conv(X))


def test_layers_by_name_module_and_predicate():
    model = network()
    for layers, names in (
        ("conv", ["conv"]),
        (model.head[0], ["head.0"]),
        (model.head, ["head"]),  # a Sequential is one layer
        (lambda name, module: isinstance(module, nn.Conv2d), ["conv", "head.0"]),
        ([lambda name, module: name.startswith("head."), "relu"],
         ["head.0", "head.1", "head.2", "relu"]),
        (["conv", model.conv, "conv"], ["conv"]),
    ):  # fmt: skip
        with record_activations(model, layers) as kept:
            model(X)
        assert list(kept) == names
        assert [len(calls) for calls in kept.values()] == [1] * len(names)


def test_several_calls_are_kept_in_order():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            return self.layer(self.layer(x))

    model, x = Twice(), torch.ones(1, 2)
    with record_activations(model, "layer") as kept:
        model(x)
        model(2 * x)
    first = model.layer(x)
    assert len(kept["layer"]) == 4
    assert torch.equal(kept["layer"][0], first)
    assert torch.equal(kept["layer"][1], model.layer(first))
    assert torch.equal(kept["layer"][2], model.layer(2 * x))


Pair = namedtuple("Pair", ["maps", "count"])


class Nested(nn.Module):
    def forward(self, x):
        return Pair([x, (2 * x,)], 3), {"maps": x, "places": torch.tensor([1, 2])}


@pytest.mark.parametrize("gradients", [False, True])
def test_nested_outputs_keep_their_form(gradients):
    model = nn.Sequential(OrderedDict(nested=Nested()))
    x = torch.arange(3.0)
    with record_activations(model, "nested", gradients=gradients) as kept:
        output = model(x)
    for pair, mapping in (kept["nested"][0], output):
        assert isinstance(pair, Pair)
        assert isinstance(pair.maps[1], tuple)
        assert pair.count == 3
        assert torch.equal(pair.maps[1][0], 2 * x)
        assert torch.equal(mapping["places"], torch.tensor([1, 2]))
    # What is kept shares no memory with what the network continues with.
    x.zero_()
    assert kept["nested"][0][1]["maps"].tolist() == [0, 1, 2]
    with torch.no_grad():
        output[1]["maps"].zero_()
        output[1]["places"].zero_()
    assert kept["nested"][0][1]["maps"].tolist() == [0, 1, 2]
    assert kept["nested"][0][1]["places"].tolist() == [1, 2]


@dataclass(frozen=True)
class Boxes:
    places: torch.Tensor
    scores: list[torch.Tensor]
    note: str = "a note"


@dataclass(slots=True)
class Detected:
    boxes: Boxes
    count: int = 3
    missing: torch.Tensor = field(init=False)


class Holder:
    """Neither a dataclass nor a container."""

    def __init__(self, maps):
        self.maps, self.shape = maps, maps.shape


class Detector(nn.Module):
    def forward(self, x):
        return Detected(Boxes(x, [2 * x])), SimpleNamespace(x=x), Holder(x)


@pytest.mark.parametrize("gradients", [False, True])
def test_dataclasses_and_other_objects_are_copied(gradients):
    model = nn.Sequential(OrderedDict(detector=Detector()))
    x = torch.arange(3.0)
    with record_activations(model, "detector", gradients=gradients) as kept:
        output = model(x)
    (found,) = kept["detector"]
    for detected, space, holder in (found, output):
        assert isinstance(detected, Detected)
        assert isinstance(detected.boxes, Boxes)
        assert (detected.count, detected.boxes.note) == (3, "a note")
        assert not hasattr(detected, "missing")
        assert isinstance(space, SimpleNamespace)
        assert isinstance(holder, Holder)
        assert holder.shape == (3,)
    if gradients:
        total = output[0].boxes.scores[0].sum() + output[1].x.sum() + 3 * output[2].maps.sum()
        inputs = [found[0].boxes.scores[0], found[1].x, found[2].maps]
        found_gradients = torch.autograd.grad(total, inputs)
        assert [one.tolist() for one in found_gradients] == [[1] * 3, [1] * 3, [3] * 3]
    x.zero_()
    with torch.no_grad():
        for tensor in (output[0].boxes.places, output[0].boxes.scores[0], output[1].x):
            tensor.zero_()
        output[2].maps.zero_()
    assert found[0].boxes.places.tolist() == [0, 1, 2]
    assert found[0].boxes.scores[0].tolist() == [0, 2, 4]
    assert found[1].x.tolist() == [0, 1, 2]
    assert found[2].maps.tolist() == [0, 1, 2]


def test_what_holds_no_tensor_is_kept_as_it_is():
    things = (torch.Size([2, 3]), "word", object(), SimpleNamespace(a=1), None, range(3))

    class Things(nn.Module):
        def forward(self, x):
            return things

    model = nn.Sequential(OrderedDict(things=Things()))
    with record_activations(model, "things", gradients=True) as kept:
        output = model(torch.ones(1))
    for found in (*kept["things"], output):
        assert all(one is other for one, other in zip(found, things, strict=True))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("inplace", [False, True])
def test_gradients_are_those_with_respect_to_the_layer(frozen, inplace):
    model = network(inplace).requires_grad_(not frozen)
    with record_activations(model, ["conv", "relu"], gradients=True) as kept:
        score = model(X)[:, 1].sum()
    conv, relu = kept["conv"][0], kept["relu"][0]
    ours = torch.autograd.grad(score, [conv, relu])
    free = network(False)
    leaf = free.conv(X).detach().requires_grad_()
    after = leaf.relu()
    theirs = torch.autograd.grad(free.head(after)[:, 1].sum(), [leaf, after])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
    assert model.conv.weight.grad is None


def test_recording_does_not_change_the_gradients_of_the_network():
    model = network()
    model(X).sum().backward()
    expected = model.conv.weight.grad.clone()
    for gradients in (False, True):
        model.zero_grad()
        with record_activations(model, "conv", gradients=gradients):
            model(X).sum().backward()
        assert torch.equal(model.conv.weight.grad, expected)


def test_under_no_grad_gradients_are_left_out():
    model = network()
    with torch.no_grad(), record_activations(model, "conv", gradients=True) as kept:
        model(X)
    assert not kept["conv"][0].requires_grad


def test_hooks_and_memory_are_gone():
    model = network()
    with record_activations(model, ["conv", "relu"]) as kept:
        model(X)
        assert hooks(model) == 2
    assert hooks(model) == 0
    gone = weakref.ref(kept["conv"][0])
    del kept
    gc.collect()
    assert gone() is None


def test_hooks_and_memory_are_gone_after_an_exception():
    model = network()
    found = {}

    def fail():
        with record_activations(model, ["conv", "relu"]) as kept:
            model(X)
            found["record"], found["maps"] = kept, weakref.ref(kept["conv"][0])
            model(torch.ones(1, 2, 9, 9))  # the linear layer cannot take it

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fail()
    assert hooks(model) == 0
    assert found["record"] == {}
    gc.collect()
    assert found["maps"]() is None


@pytest.mark.parametrize("gradients", [False, True])
def test_the_maps_are_released_after_an_error(gradients):
    """Whoever keeps the traceback, the record or a list of it must not keep the maps with it."""
    model = network()
    released = []

    def fail():
        with record_activations(model, ["conv", "relu"], gradients=gradients) as record:
            model(X)
            released.extend([record, *record.values()])
            assert [len(one) for one in released] == [2, 1, 1]
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [len(one) for one in released] == [0, 0, 0]
    assert hooks(model) == 0


def test_the_maps_are_released_when_a_layer_did_not_run():
    model = network()
    model.spare = nn.ReLU()
    model.forward = lambda x: model.head(model.relu(model.conv(x)))
    context = record_activations(model, ["conv", "spare"])
    record = context.__enter__()
    model(X)
    outputs = record["conv"]
    with pytest.raises(RuntimeError, match="'spare' did not run"):
        context.__exit__(None, None, None)
    assert not record
    assert not outputs


def test_a_block_in_a_block():
    model = network(inplace=True)
    with record_activations(model, "conv") as outer, record_activations(model, "conv") as inner:
        model(X)
    assert torch.equal(outer["conv"][0], inner["conv"][0])
    assert torch.equal(outer["conv"][0], model.conv(X))


def test_a_shared_module_answers_to_both_its_names():
    shared = nn.Linear(2, 2)
    model = nn.Sequential(OrderedDict(one=shared, two=shared))
    with record_activations(model, ["one", "two"]) as kept:
        model(torch.ones(1, 2))
    assert len(kept["one"]) == len(kept["two"]) == 2
    with record_activations(model, lambda name, module: isinstance(module, nn.Linear)) as kept:
        model(torch.ones(1, 2))
    assert list(kept) == ["one"]


def test_a_layer_that_does_not_exist_is_named_with_its_neighbours():
    with (
        pytest.raises(
            ValueError, match=r"`layers` \('features.fire10'\) must be .*'features.fire9'"
        ),
        record_activations(squeezenet(weights=False), "features.fire10"),
    ):
        pass


@pytest.mark.parametrize(
    ("layers", "error", "words"),
    [
        ([], ValueError, "`layers` is empty"),
        (nn.ReLU(), ValueError, "a ReLU that is not in `model`"),
        # With no similar name, the first layers of the network.
        ("zzzz", ValueError, r"such as 'conv', 'relu', 'head' \(see"),
        (lambda name, module: False, ValueError, "predicate that picks no layer"),
        (3, TypeError, "`layers` contains 3; a layer is"),
        (["conv", None], TypeError, "`layers` contains None; a layer is"),
    ],
)
def test_refuses(layers, error, words):
    model = network()
    with pytest.raises(error, match=words), record_activations(model, layers):
        pass
    assert hooks(model) == 0


def test_a_function_is_no_model():
    with (
        pytest.raises(TypeError, match="`model` is a function"),
        record_activations(lambda x: x, "conv"),
    ):
        pass


def test_a_layer_that_is_never_reached_is_an_error():
    model = network()
    model.spare = nn.ReLU()
    # A Sequential would run all its children; this `forward` bypasses one.
    model.forward = lambda x: model.head(model.relu(model.conv(x)))
    with (
        pytest.raises(RuntimeError, match="'spare' did not run"),
        record_activations(model, ["conv", "spare"]),
    ):
        model(X)
    assert hooks(model) == 0
    with (
        pytest.raises(RuntimeError, match="'conv' did not run inside the block"),
        record_activations(model, "conv"),
    ):
        pass
    # A predicate may also pick layers that do not run, but not only such layers.
    with record_activations(model, lambda name, module: isinstance(module, nn.ReLU)) as kept:
        model(X)
    assert [len(calls) for calls in kept.values()] == [1, 0]
    with (
        pytest.raises(RuntimeError, match="'spare' did not run"),
        record_activations(model, lambda name, module: name == "spare"),
    ):
        model(X)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes_are_kept(dtype):
    model = network().to(dtype)
    with record_activations(model, "conv", gradients=True) as kept:
        model(X.to(dtype))
    assert kept["conv"][0].dtype == dtype


@pytest.mark.parametrize("gradients", [False, True])
def test_a_compiled_network_is_recorded_by_either_name(gradients):
    model = network(inplace=True)
    compiled = torch.compile(model, backend="eager")
    compiled(X)
    for layers in (["conv", "head.2"], ["_orig_mod.conv", "_orig_mod.head.2"]):
        with record_activations(compiled, layers, gradients=gradients) as kept:
            output = compiled(X)
        assert list(kept) == layers
        conv, head = (calls[0] for calls in kept.values())
        assert torch.equal(conv, model.conv(X))
        assert torch.equal(head, output)


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize("make", [torch.jit.script, lambda model: torch.jit.trace(model, X)])
def test_a_layer_of_a_scripted_network_is_refused(make):
    for model in (make(network()), nn.ModuleDict({"scripted": make(network())})):
        for layer, one in model.named_modules():
            if isinstance(one, (nn.ModuleDict, torch.jit.TopLevelTracedModule)):
                continue
            with (
                pytest.raises(
                    TypeError, match=f"`layers`: '{layer}' is a scripted layer.*`state_d"
                ),
                record_activations(model, layer),
            ):
                pass
    # What Python calls is heard of.
    outer = nn.Sequential(torch.jit.trace(network(), X))
    with record_activations(outer, "0") as kept:
        output = outer(X)
    assert torch.equal(kept["0"][0], output)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_a_layer_of_an_exported_network_is_refused():
    program = torch.export.export(network(), (X,))
    with (
        pytest.raises(
            TypeError, match=r"ExportedProgram; it must be .*: pass the network that was"
        ),
        record_activations(program, "conv"),
    ):
        pass
    graph = program.module()
    for model, layer in ((graph, "conv"), (nn.ModuleDict({"graph": graph}), "graph.head.0")):
        with (
            pytest.raises(TypeError, match=f"'{layer}' is a layer of a graph of functions.*unflat"),
            record_activations(model, layer),
        ):
            pass
    with record_activations(graph, "") as kept:
        output = graph(X)
    assert torch.equal(kept[""][0], output)
    layers = ["conv", "head.0", "head"]
    whole = network()
    for model in (torch.export.unflatten(program), torch.fx.symbolic_trace(whole)):
        called = layers[:2] if isinstance(model, torch.fx.GraphModule) else layers
        with record_activations(model, called) as kept:
            model(X)
        with record_activations(whole, called) as expected:
            whole(X)
        for name in called:
            assert torch.equal(kept[name][0], expected[name][0])
