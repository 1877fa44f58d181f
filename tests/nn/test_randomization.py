"""New weights from the last layer to the first (`cnnref.nn.faithfulness.randomization_check`)."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from cnnref.nn.faithfulness import randomization_check
from cnnref.nn.gradcam import GradCAM, InputXGradient

X = torch.randn(2, 1, 12, 12, generator=torch.Generator().manual_seed(0))


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            one=nn.Conv2d(1, 8, 3),
            relu=nn.ReLU(inplace=True),
            block=nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
            three=nn.Conv2d(8, 8, 1),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(8, 3),
        )
    ).eval()


ORDER = ["head", "three", "block.1", "block.0", "one"]


def looked_at(model, layers=None, run=True, x=X, **arguments):
    """Return the names, and the network's state at each explanation."""
    seen = []

    def explain(one):
        seen.append({name: value.clone() for name, value in one.state_dict().items()})
        if run:
            one(x)
        return torch.arange(6.0).view(1, 2, 3)

    found = randomization_check(model, explain, layers, **arguments)
    return list(found), seen


def changed(state, other):
    return {name for name in state if not torch.equal(state[name], other[name])}


def test_a_map_of_the_image_alone_does_not_notice():
    found = randomization_check(network(), lambda one: X[:, 0].abs(), seeds=[0, 1])
    assert list(found) == ORDER
    assert all(torch.equal(values, torch.ones(2, 2)) for values in found.values())
    found = randomization_check(network(), lambda one: GradCAM(one, "three", relu=False)(X, 0))
    assert list(found) == ORDER
    assert all(values.shape == (1, 2) for values in found.values())
    assert max(float(values.abs().max()) for values in found.values()) < 0.95


def test_every_layer_down_to_the_one_named_is_drawn_anew():
    model = network()
    names, (whole, *states) = looked_at(model)
    assert names == ORDER
    weights = [
        {"head.weight", "head.bias"}, {"three.weight", "three.bias"}, set(),
        {"block.0.weight", "block.0.bias"}, {"one.weight", "one.bias"},
    ]  # fmt: skip
    for count, state in enumerate(states, 1):
        assert changed(whole, state) == set().union(*weights[:count])
    # Layers keep their new weights while the next ones follow.
    assert not changed(states[0], states[1]) & weights[0]

    names, (whole, *states) = looked_at(model, ["one", "block"])
    assert names == ["block", "one"]
    assert changed(whole, states[0]) == set().union(*weights[:4])
    assert changed(whole, states[1]) == set().union(*weights)


def test_layers_by_module_predicate_and_container():
    model = network()
    for layers, names in (
        (model.three, ["three"]),
        ("block.1", ["block.1"]),
        (lambda name, one: isinstance(one, nn.Conv2d), ["three", "block.0", "one"]),
        (["", "head"], ["head", ""]),
    ):
        assert looked_at(model, layers)[0] == names


def test_the_order_is_that_in_which_layers_run():
    class Backwards(nn.Module):
        """Registers its layers in another order than they run, and runs one of them twice."""

        def __init__(self):
            super().__init__()
            self.token = nn.Parameter(torch.ones(1))
            self.head = nn.Linear(12, 2)
            self.twice = nn.Conv2d(1, 1, 3, padding=1)
            self.late, self.early = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
            self.used_by_a_function = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            x = self.early(self.twice(x)) + self.token
            x = nn.functional.conv2d(x, self.used_by_a_function.weight)
            return self.head(self.twice(self.late(x)).mean(dim=(1, 2)))

    names, _ = looked_at(Backwards())
    assert [name for name in names if name != "used_by_a_function"] == [
        "head", "twice", "late", "early", ""
    ]  # fmt: skip
    # If no layer runs, or no hook hears of it, they follow in the order of their registration.
    names, _ = looked_at(Backwards(), run=False)
    assert names == ["used_by_a_function", "early", "late", "twice", "head", ""]


def test_a_part_that_is_not_called_counts_with_the_module_around_it():
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(8, 2)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.first = nn.Linear(1, 8)

        def forward(self, x):
            tokens = self.first(x.flatten(1)[..., None])
            return self.last(self.attention(tokens, tokens, tokens)[0].mean(dim=1))

    names, (whole, *states) = looked_at(Attending(), x=X[..., :2, :2])
    assert names == ["last", "attention.out_proj", "attention", "first"]
    assert changed(whole, states[1]) >= {"attention.out_proj.weight", "last.weight"}
    assert "attention.in_proj_weight" in changed(whole, states[2])


@pytest.mark.parametrize("seed", [0, 5])
def test_layers_draw_by_their_own_reset(seed):
    """The weights are those of a layer that is made with the same random numbers."""
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(400, 3))
    _, (_, first, both) = looked_at(model, seeds=seed)
    draws = torch.Generator().manual_seed(seed)
    for state, name, layer in ((first, "2", nn.Linear), (both, "0", nn.Conv2d)):
        torch.manual_seed(int(torch.randint(2**62, (), generator=draws)))
        fresh = layer(400, 3) if layer is nn.Linear else layer(1, 4, 3)
        assert torch.equal(state[f"{name}.weight"], fresh.weight)
        assert torch.equal(state[f"{name}.bias"], fresh.bias)


def test_parameters_without_a_reset_are_drawn_with_their_size():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.large = nn.Parameter(torch.full((2000,), 3.0))
            self.scalar = nn.Parameter(torch.tensor(2.0))
            self.count = nn.Parameter(torch.tensor([1, 2]), requires_grad=False)

        def forward(self, x):
            return x

    _, (whole, state) = looked_at(Own())
    assert changed(whole, state) == {"large", "scalar"}
    assert float(state["large"].std()) == pytest.approx(3, rel=0.1)
    assert float(state["large"].mean()) == pytest.approx(0, abs=0.3)


def test_batch_norm_gets_the_statistics_of_a_new_layer():
    model = network()
    with torch.no_grad():
        for tensor in (model.block[1].weight, model.block[1].running_mean):
            tensor.normal_()
    names, (whole, *states) = looked_at(model)
    state = states[names.index("block.1")]
    assert {"block.1.weight", "block.1.running_mean"} <= changed(whole, state)
    assert torch.equal(state["block.1.weight"], torch.ones(8))
    assert torch.equal(state["block.1.running_mean"], torch.zeros(8))


@pytest.mark.parametrize("normalize", [
    parametrizations.weight_norm, parametrizations.spectral_norm, nn.utils.spectral_norm,
    pytest.param(nn.utils.weight_norm, marks=pytest.mark.filterwarnings("ignore:.*weight_norm")),
])  # fmt: skip
def test_weights_that_are_computed_from_others_are_drawn_too(normalize):
    model = nn.Sequential(normalize(nn.Conv2d(1, 4, 3)), nn.Flatten(), nn.Linear(400, 3)).eval()
    before = model(X).detach()
    seen = []

    def explain(one):
        one(X)
        seen.append(one[0].weight.detach().clone())
        return torch.arange(4.0).view(1, 2, 2)

    randomization_check(model, explain, "0")
    assert not torch.allclose(seen[0], seen[1], atol=0.05)
    assert torch.equal(model(X), before)


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was_found(fails):
    model = network()
    model.tied = nn.Linear(8, 3)
    model.tied.weight = model.head.weight
    model.rnn = nn.LSTM(2, 3)
    model.forward = lambda x: nn.Sequential.forward(model[:7], x)
    model.block[2].train()
    model.one.weight.requires_grad_(False)
    model.one.bias.grad = torch.ones(8)
    graph = model(X).sum()  # a graph that the caller has not used yet
    parameters = dict(model.named_parameters(remove_duplicate=False))
    pointers = {name: (one.data_ptr(), one._version) for name, one in parameters.items()}
    flat = [one.data_ptr() for one in model.rnn._flat_weights]
    buffers = dict(model.named_buffers())
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    calls = 0

    def explain(one):
        nonlocal calls
        calls += 1
        if fails and calls == 4:
            raise KeyError
        assert one.head.weight is one.tied.weight
        assert not one.one.weight.requires_grad
        one(X).sum().backward()
        torch.rand(3)
        return torch.arange(4.0).view(1, 2, 2)

    if fails:
        with pytest.raises(KeyError):
            randomization_check(model, explain, seeds=[0, 1])
    else:
        randomization_check(model, explain, seeds=[0, 1])
    after = dict(model.named_parameters(remove_duplicate=False))
    assert list(after) == list(parameters)
    for name, one in after.items():
        assert one is parameters[name]
        assert (one.data_ptr(), one._version) == pointers[name]
        assert one.grad is None or name == "one.bias"
    assert torch.equal(model.one.bias.grad, torch.ones(8))
    assert not model.one.weight.requires_grad
    assert [one.data_ptr() for one in model.rnn._flat_weights] == flat
    assert all(value is buffers[name] for name, value in model.named_buffers())
    assert not changed(state, model.state_dict())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())
    assert model.block[2].training
    assert not model.head.training
    graph.backward()


def test_seeds():
    def explain(one):
        return InputXGradient(one, relu=False)(X, 0)

    runs = [randomization_check(network(), explain, seeds=seed) for seed in (0, [0, 1], [1])]
    for first, both, second in zip(*(run.values() for run in runs), strict=True):
        assert torch.equal(torch.cat([first, second]), both)
        assert not torch.equal(first, second)


def test_an_explanation_draws_the_same_random_numbers_each_time():
    drawn = []

    def explain(one):
        drawn.append(torch.rand(2))
        return X[:, 0]

    randomization_check(network(), explain, seeds=[0, 1])
    assert len(drawn) == 11
    assert all(torch.equal(one, drawn[0]) for one in drawn)


def test_a_constant_map_has_no_correlation():
    def explain(one):
        return torch.stack([X[0, 0], torch.zeros(12, 12)])

    found = randomization_check(network(), explain, "one")["one"]
    assert float(found[0, 0]) == 1
    assert found[0, 1].isnan()


def test_a_model_built_in_inference_mode():
    with torch.inference_mode():
        model = network()
    names, (whole, *states) = looked_at(model)
    assert names == ORDER
    assert "one.weight" in changed(whole, states[-1])
    with torch.inference_mode():
        assert looked_at(network())[0] == ORDER


def test_randomization_refuses():
    model = network()
    for layers, error, words in (
        ("relu", ValueError, "'relu', which has no parameters"),
        ("nine", ValueError, r"`layers` \('nine'\) must be the name of a layer"),
        ([], ValueError, "`layers` is empty"),
    ):
        with pytest.raises(error, match=words):
            looked_at(model, layers)
    for seeds, error, words in (
        ([], ValueError, "`seeds` is empty"),
        (-1, ValueError, r"`seeds` \(-1\)"),
        ([0.5], TypeError, r"`seeds` \(0.5\)"),
    ):
        with pytest.raises(error, match=words):
            looked_at(model, seeds=seeds)
    with pytest.raises(TypeError, match="`explain` returned a NoneType"):
        randomization_check(model, lambda one: None)


def test_a_compiled_model():
    model = network()
    _, states = looked_at(model)
    compiled = torch.compile(model, backend="eager")
    compiled(X)
    names, found = looked_at(compiled)
    assert [name.removeprefix("_orig_mod.") for name in names] == ORDER
    for one, other in zip(states, found, strict=True):
        assert not changed(one, {k.removeprefix("_orig_mod."): v for k, v in other.items()})
    assert looked_at(compiled, ["block", "one"])[0] == ["block", "one"]


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_a_scripted_model_is_refused():
    scripted = torch.jit.trace(network(), X)
    with pytest.raises(TypeError, match="`model` is scripted"):
        looked_at(scripted)
