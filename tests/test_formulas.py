"""The formulas of the pages hold for what the code computes, at random settings.

A formula with an equals sign must have equal sides. An expression must be one of the quantities
that the page's settings know. What the evaluator cannot read is listed with its text, so that a
change of it is seen and looked at.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import cnnref
from cnnref import networks
from tests.helpers.repository import ROOT
from tests.helpers.tex import UnreadableError, equations, evaluate

PAGES = sorted(path.stem for path in (ROOT / "docs/topics").glob("*.md"))
_NOT_PROSE = re.compile(r"^ *```.*?^ *```$|\A---.*?^---$|<!--.*?-->", re.S | re.M)
_FORMULA = re.compile(r"\$\$(.*?)\$\$|(?<!\\)\$([^$\n]*\n?[^$\n]*)\$", re.S)
# Given or computed numbers, which the number check looks at.
_NUMBERS = re.compile(r".*\{\{=.*|[\w\s=]+=\s*[-(\d,. )]+", re.S)
_OPERATOR = re.compile(r"[=+/^]|\\frac|\\leftarrow|(?<![{\w])-|-(?!\w)|- ")


def formulas(text: str) -> list[str]:
    """Find the formulas of a page that say something about numbers."""
    found = _FORMULA.findall(_NOT_PROSE.sub("", text))
    written = [" ".join((display or inline).split()) for display, inline in found]
    return [one for one in written if _OPERATOR.search(one) and not _NUMBERS.fullmatch(one)]


@dataclass
class Setting:
    """What the symbols of a page stand for at one setting.

    Attributes:
        symbols: The value of each symbol, computed by the package.
        known: The values of expressions that the page writes without an equals sign.
        ranges: What the indices of sums run over.
        where: Which indices of a sum count.
    """

    symbols: dict[str, Any]
    known: dict[str, float] = field(default_factory=dict)
    ranges: dict[str, range] = field(default_factory=dict)
    where: Any = lambda _: True


def small(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-9, 10, shape)


def free(rng: np.random.Generator, **sizes: int) -> dict[str, int]:
    """Choose the indices that a formula leaves free."""
    return {name: int(rng.integers(size)) for name, size in sizes.items()}


def sizes(rng: np.random.Generator) -> dict[str, int]:
    drawn = {
        name: int(rng.integers(low, high))
        for name, low, high in (("n", 14, 40), ("k", 2, 6), ("s", 1, 5), ("d", 1, 4), ("p", 0, 4))
    }
    return drawn | {"p_before": int(rng.integers(4)), "p_after": int(rng.integers(4))}


def output_shape(rng: np.random.Generator) -> Setting:
    v = sizes(rng)
    sides = ((v["p_before"], v["p_after"]),) * 2
    o = cnnref.output_size((v["n"],) * 2, v["k"], v["s"], sides, v["d"])[0]
    plain = cnnref.output_size(v["n"], v["k"], v["s"], v["p"])
    step = cnnref.output_size(v["n"] + v["s"], v["k"], v["s"], v["p"]) - plain
    return Setting(v | {"o": o}, {"without dilation": plain, "a step": step})


def padding(rng: np.random.Generator) -> Setting:
    v = sizes(rng)
    total = sum(cnnref.same_padding(v["n"], v["k"], v["s"], v["d"])[0])
    full = cnnref.output_size(v["n"], v["k"], padding=v["k"] - 1)
    same = math.ceil(v["n"] / v["s"])
    return Setting(
        v | {"total": total, "p": (full - v["n"] + v["k"] - 1) // 2}, {"full": full, "same": same}
    )


def convolution(rng: np.random.Generator) -> Setting:
    s, d, p = int(rng.integers(1, 3)), int(rng.integers(1, 3)), int(rng.integers(3))
    x, w, b = small(rng, 2, 7, 8), small(rng, 3, 2, 3, 2), small(rng, 3)
    y = cnnref.conv2d(x, w, b, stride=s, padding=p, dilation=d)
    at = free(rng, o=3, i=y.shape[1], j=y.shape[2])
    return Setting(
        {"s": s, "d": d, "p": p, "x": x, "w": w, "b": b, "y": y} | at,
        ranges={"c": range(2), "u": range(3), "v": range(2)},
    )


def one_filter(rng: np.random.Generator, d: int = 1) -> Setting:
    x, w, b = small(rng, 2, 7, 8), small(rng, 2, 3, 2), int(rng.integers(9))
    if d > 1:
        b = 0
    y = cnnref.conv2d(x, w[None], [b], dilation=d)[0]
    at = free(rng, i=y.shape[0], j=y.shape[1])
    return Setting(
        {"d": d, "x": x, "w": w, "b": b, "y": y} | at,
        ranges={"c": range(2), "u": range(3), "v": range(2)},
    )


def dilation(rng: np.random.Generator) -> Setting:
    d, k = int(rng.integers(2, 4)), int(rng.integers(2, 9))
    setting = one_filter(rng, d)
    setting.symbols["k"] = k
    setting.known["reach"] = 200 - cnnref.output_size(200, k, dilation=d) + 1
    return setting


def convolution_matrix(rng: np.random.Generator) -> Setting:
    v = {"s_h": 2, "s_w": 1, "d_h": 1, "d_w": 2, "k_h": 3, "k_w": 2}
    padded = small(rng, 2, 9, 8)
    stride, gap = (v["s_h"], v["s_w"]), (v["d_h"], v["d_w"])
    columns = cnnref.im2col(padded, (3, 2), stride=stride, dilation=gap)
    height, width = cnnref.output_size((9, 8), (3, 2), stride, dilation=gap)
    at = free(rng, c=2, u=3, v=2, i=height, j=width)
    return Setting(v | {"padded": padded, "columns": columns, "o_w": width} | at)


def gradients(rng: np.random.Generator) -> Setting:
    s, d, p = int(rng.integers(1, 3)), int(rng.integers(1, 3)), int(rng.integers(3))
    x, w = small(rng, 2, 2, 5, 6), small(rng, 3, 2, 2, 3)
    settings = dict(stride=s, padding=p, dilation=d)
    g = small(rng, *cnnref.conv2d(x, w, **settings).shape)
    at = free(rng, n=2, c=2, o=3, a=5, b=6, u=2, v=3)
    names = {"x": x, "w": w, "g": g, "s": s, "d": d, "p": p}
    grads = {
        "dL/dx": cnnref.conv2d_input_grad(x.shape, w, g, **settings),
        "dL/dw": cnnref.conv2d_weight_grad(x, w.shape, g, **settings),
        "dL/db": cnnref.conv2d_bias_grad(g),
    }
    spans = dict(zip("noij", map(range, g.shape), strict=True)) | {"u": range(2), "v": range(3)}
    page = (ROOT / "docs/topics/gradients.md").read_text(encoding="utf-8")
    conditions = re.findall(r"\$([^$]* = [ab])\$", page)
    assert len(conditions) == 2

    def where(env: Any) -> bool:
        # In the gradient with respect to the input, the page's conditions choose the terms.
        if not env.get("of input"):
            return True
        pairs = (condition.split("=") for condition in conditions)
        return all(evaluate(left, env) == env[right.strip()] for left, right in pairs)

    return Setting(names | grads | at, ranges=spans, where=where)


def transposed_convolution(rng: np.random.Generator) -> Setting:
    v = sizes(rng) | {"a": int(rng.integers(1, 3))}
    v["s"] += 2
    size = (v["n"],) * 2
    transposed = cnnref.conv_transpose2d(
        np.ones((1, *size)), np.ones((1, 1, v["k"], v["k"])), None, v["s"], min(v["p"], 1),
        v["a"], 1, v["d"],
    )  # fmt: skip
    v["p"] = min(v["p"], 1)
    reach = 200 - cnnref.output_size(200, v["k"], dilation=v["d"]) + 1
    # With this padding, windows over the spread input are as many as the output has cells.
    spread = (v["n"] - 1) * v["s"] + 1
    gathered = transposed.shape[1] - v["a"]
    around = (
        next(q for q in range(99) if cnnref.output_size(spread, v["k"], 1, q, v["d"]) == gathered)
        if reach <= spread
        else 0
    )
    return Setting(
        v | {"o": transposed.shape[1], "p'": around},
        {"gaps": v["s"] - 1, "last stamp": spread - 1, "stamp": reach, "channels": v["s"] ** 2},
    )


def cost(rng: np.random.Generator) -> Setting:
    v = {"O": 8, "C": 4, "g": 2, "k_h": 3, "k_w": 2, "H": 5, "W": 7}
    layer = networks.Conv(8, (3, 2), groups=2)
    # Without padding, an output of H × W.
    (row,) = cnnref.cost([layer], (4, 7, 8)).layers
    depthwise, ordinary = 4 * 3 * 2 + 4 * 8, 4 * 8 * 3 * 2
    return Setting(
        v | {"parameters": row.parameters, "MACs": row.macs},
        {"separable": depthwise / ordinary},
    )


def grouped_convolution(rng: np.random.Generator) -> Setting:
    x, w = small(rng, 3, 4, 5), small(rng, 2, 3)
    y = cnnref.conv2d(x, w[:, :, None, None])
    v = {"k": int(rng.integers(2, 6)), "C": int(rng.integers(2, 9)), "O": int(rng.integers(2, 9))}
    weights = np.ones((v["O"], v["C"], v["k"], v["k"])).size
    return Setting(
        {"x": x, "w": w, "y": y} | v | free(rng, o=2, i=4, j=5),
        {"all": weights, "one per channel": weights / v["O"]},
        {"c": range(3)},
    )


def pooling(rng: np.random.Generator) -> Setting:
    s, d = 2, int(rng.integers(1, 3))
    padded, image = small(rng, 2, 8, 9), small(rng, 2, 4, 5)
    best = cnnref.max_pool2d(padded, 3, s, dilation=d)
    mean = cnnref.avg_pool2d(padded.astype(float), 3, s)
    at = free(rng, c=2, i=best.shape[1], j=best.shape[2], y=4, x=5)
    flat = np.arange(20).reshape(4, 5)[at["y"], at["x"]]
    means = cnnref.global_avg_pool2d(image.astype(float))[:, 0, 0]
    return Setting(
        {
            "max": best, "avg": mean, "padded": padded, "s": s, "d": d, "D": 9, "k": 3, "H": 4,
            "W": 5, "input": image, "output": means,
        } | at,
        {"index": flat, "weight": 1 / 9},
        {"u": range(3), "v": range(3), "y": range(4), "x": range(5)},
    )  # fmt: skip


def receptive_field(rng: np.random.Generator) -> Setting:
    k, d, s, p = (int(rng.integers(1, 5)) for _ in range(4))
    layers = [networks.Conv(1, 3, stride=2, padding=1), networks.Conv(1, k, s, p, d)]
    before, after = cnnref.receptive_field(layers[:1])[-1], cnnref.receptive_field(layers)[-1]
    names = {"r": "size", "f": "first", "j": "jump"}
    symbols: dict[str, Any] = {"k": k, "d": d, "s": s, "p": p}
    for name, attribute in names.items():
        symbols[name] = getattr(before, attribute)[0]
        symbols[f"{name}'"] = getattr(after, attribute)[0]
    dense = cnnref.receptive_field([layers[0], networks.Conv(1, k, s, p)])[-1]
    return Setting(
        symbols,
        {
            "grown": (after.size[0] - before.size[0]) / before.jump[0],
            "grown if dense": dense.size[0] - before.size[0],
            "centre": before.start[0],
        },
    )


def stack(rng: np.random.Generator) -> Setting:
    n = int(rng.integers(2, 6))
    k, d, s = (rng.integers(1, 4, n + 1) for _ in range(3))  # of layers 1 to n
    layers = [networks.Conv(1, *(int(v[i]) for v in (k, s)), 0, int(d[i])) for i in range(1, n + 1)]
    r = cnnref.receptive_field(layers)[-1].size[0]
    return Setting({"n": n, "k": k, "d": d, "s": s, "r": r})


def resolution_and_channels(rng: np.random.Generator) -> Setting:
    r = int(rng.integers(2, 4))
    x = small(rng, 2, 3 * r, 2 * r)
    at = free(rng, c=2, u=r, v=r, i=3, j=2)
    return Setting({"x": x, "y": cnnref.space_to_depth(x, r), "r": r} | at, {"channels": r * r})


def aliasing(rng: np.random.Generator) -> Setting:
    k, s_h, s_w = int(rng.integers(2, 4)), 2, 1
    padded = small(rng, 2, 8, 9).astype(float)
    line = {2: np.array([1.0, 1]), 3: np.array([1.0, 2, 1])}[k]
    weight = np.outer(line, line) / line.sum() ** 2
    output = cnnref.conv2d(padded[:, None], weight[None, None], stride=(s_h, s_w))[:, 0]
    at = free(rng, c=2, i=output.shape[1], j=output.shape[2])
    return Setting(
        {"output": output, "padded": padded, "k": k, "s_h": s_h, "s_w": s_w} | at,
        ranges={"u": range(k), "v": range(k)},
    )


def augmentation(rng: np.random.Generator) -> Setting:
    angle, x, y = rng.uniform(0, 6), *rng.uniform(-3, 3, 2)
    turned = complex(x, y) * complex(math.cos(angle), math.sin(angle))
    return Setting({"x": x, "y": y, r"\theta": angle, "x'": turned.real, "y'": turned.imag})


def inception(rng: np.random.Generator) -> Setting:
    r = int(rng.integers(1, 33))
    weights = np.ones((r, 192, 1, 1)).size + np.ones((32, r, 5, 5)).size
    return Setting({"r": r}, {"weights": weights})


def why_pool(rng: np.random.Generator) -> Setting:
    k, j = int(rng.integers(1, 7)), int(rng.integers(1, 9))
    layers = [networks.Conv(1, 1, stride=j), networks.Conv(1, k)]
    first, second = cnnref.receptive_field(layers)
    return Setting({"k": k, "j": j}, {"grown": second.size[0] - first.size[0]})


SETTINGS: dict[str, tuple[Any, ...]] = {
    "aliasing": (aliasing,),
    "augmentation": (augmentation,),
    "convolution": (convolution, one_filter),
    "convolution_matrix": (convolution_matrix,),
    "cost": (cost,),
    "dilation": (dilation,),
    "gradients": (gradients,),
    "grouped_convolution": (grouped_convolution,),
    "inception": (inception,),
    "output_shape": (output_shape,),
    "padding": (padding,),
    "pooling": (pooling,),
    "receptive_field": (receptive_field, stack),
    "resolution_and_channels": (resolution_and_channels,),
    "transposed_convolution": (transposed_convolution,),
    "why_pool": (why_pool,),
}

# Formulas that the evaluator cannot read, or that are givens of an example, as they must be.
AS_WRITTEN: dict[str, set[str]] = {}
for _line in (ROOT / "tests/formulas_as_written.txt").read_text(encoding="utf-8").splitlines():
    _page, _, _formula = _line.partition(" | ")
    AS_WRITTEN.setdefault(_page, set()).add(_formula)


def wrong(formula: str, setting: Setting) -> str | None:
    """Say what does not hold at a setting."""
    symbols = setting.symbols | {"of input": r"\partial x" in formula}
    for sides in equations(formula):
        values = [evaluate(side, symbols, setting.ranges, setting.where) for side in sides]
        if len(values) == 1:
            if not any(math.isclose(values[0], known) for known in setting.known.values()):
                return f"is {values[0]:g}, which is none of {setting.known}"
        elif not np.allclose(values, values[0]):
            return f"has the sides {values}"
    return None


def problem(page: str, formula: str, draws: int = 6) -> str | None:
    """Say why a formula of a page does not hold, or why nobody can tell."""
    if formula in AS_WRITTEN.get(page, ()):
        return None
    reasons = ["no setting for this page: add one to SETTINGS, or list the formula as written"]
    for make in SETTINGS.get(page, ()):
        try:
            found = [wrong(formula, make(np.random.default_rng(seed))) for seed in range(draws)]
        except UnreadableError as error:
            reasons.append(str(error))
        else:
            return next((reason for reason in found if reason), None)
    return f"cannot be evaluated: {reasons[-1]}"


@pytest.mark.parametrize("page", PAGES)
def test_the_formulas_of_a_page_hold(page: str) -> None:
    text = (ROOT / "docs/topics" / f"{page}.md").read_text(encoding="utf-8")
    found = formulas(text)
    problems = {formula: reason for formula in found if (reason := problem(page, formula))}
    assert problems == {}
    assert AS_WRITTEN.get(page, set()) <= set(found), "listed as written, but not on the page"


@pytest.mark.parametrize(
    ("page", "old", "new"),
    [
        ("output_shape", "- d", "+ d"),
        ("output_shape", r"\rfloor + 1", r"\rfloor - 1"),
        ("padding", r"\lceil", r"\lfloor"),
        ("gradients", "x_{n,", "x_{o,"),
        ("gradients", "u d - p = a", "u d + p = a"),
        ("convolution_matrix", "k_h + u", "k_w + u"),
        ("transposed_convolution", "- 2p", "- p"),
        ("transposed_convolution", "(k - 1) - p", "(k + 1) - p"),
        ("receptive_field", "- p", "+ p"),
        ("resolution_and_channels", "u\\,r + v", "v\\,r + u"),
    ],
)
def test_a_changed_formula_is_refused(page: str, old: str, new: str) -> None:
    found = formulas((ROOT / "docs/topics" / f"{page}.md").read_text(encoding="utf-8"))
    touched = [formula for formula in found if old in formula]
    assert touched
    for formula in touched:
        changed = formula.replace(old, new)
        assert problem(page, changed) is not None, changed


@pytest.mark.parametrize(
    ("side", "value"),
    [
        (r"\left\lfloor \frac{n + 2p - 3}{s} \right\rfloor + 1", 4),
        (r"-n^2 \cdot 2 / p", -98),
        (r"\sum_{i, j} a_{i,j - 1}\, i", 2),
        (r"\sum_{i = 0}^{1} a[i, 1] \prod_{j = 1}^{i} 2", 8),
        (r"\max(n,\, a_{1,\,1}) - \max_{i} a_{i, 0}", 5),
        (r"\tfrac12 \sqrt{9} + \binom{4}{2} + f(n) + |{-p}|", 16.5),
    ],
)
def test_the_evaluator(side: str, value: float) -> None:
    symbols = {"n": 7, "p": 1, "s": 2, "a": np.array([[1, 2], [2, 3]]), "f": lambda n: n + 1}
    ranges = {"i": range(2), "j": range(2)}
    assert evaluate(side, symbols, ranges) == value


@pytest.mark.parametrize("side", ["q + 1", r"\theta", "a_{1}", "(n", "n)", "i"])
def test_what_cannot_be_evaluated(side: str) -> None:
    with pytest.raises(UnreadableError):
        evaluate(side, {"n": 7, "a": np.zeros((2, 2))}, {"i": range(2)})
