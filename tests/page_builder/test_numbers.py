"""The number check: what it refuses, and what it lets stand."""

import pytest

from page_builder.numbers import check_page

PYTHON = (
    '<div class="language-python highlight"><span class="filename">{title}</span>'
    "<pre><span></span><code>{code}</code></pre></div>"
)

REFUSED = {
    "prose": ("<p>The sum is 26.</p>", "26"),
    "decimal": ("<p>The mean is 0.25, nearly.</p>", "0.25"),
    "leading dot": ("<p>It is .25.</p>", ".25"),
    "no marker": ("<p>26. 5</p>", "26"),
    "sentence end": ("<p>The sum is 26. So it is.</p>", "26"),
    "sign": ("<p>It is -7.</p>", "-7"),
    "minus": ("<p>It is −7.</p>", "−7"),
    "thousands": ("<p>It has 1,000,000 cells.</p>", "1,000,000"),
    "exponent": ("<p>About 1e-5.</p>", "1e-5"),
    "after times": ("<p>A 3x5 image.</p>", "5"),
    "percent": ("<p>So 26% of it.</p>", "26"),
    "heading": ("<h2>The 26</h2>", "26"),
    "cell": ("<table><tr><td>26</td></tr></table>", "26"),
    "inline code": ("<p><code>size=26</code></p>", "26"),
    "list item": ("<ul><li>26</li></ul>", "26"),
    "alt": ('<img alt="a 26">', "26"),
    "aria": ('<svg aria-label="a 26"></svg>', "26"),
    "svg title": ("<svg><title>a 26</title></svg>", "26"),
    "caption": ("<figure><figcaption><p>a 26</p></figcaption></figure>", "26"),
    "tex": (r'<cnnref-math data-tex="x = 26"></cnnref-math>', "26"),
    "tex frac": (r'<cnnref-math data-tex="\frac12"></cnnref-math>', "12"),
    "tex factor": (r'<cnnref-math data-tex="x + y26"></cnnref-math>', "26"),
    "data-tex": ('<cnnref-math class="arithmatex" data-tex="x=26">y</cnnref-math>', "26"),
    "superscript": ("<p>3² is nine</p>", "²"),
    "sup": ("<p>n<sup>26</sup></p>", "26"),
    "fraction": ("<p>½ of it</p>", "½"),
    "comment": (PYTHON.format(title="a.py", code="x = 1  # gives 26\n"), "26"),
    "docstring": (PYTHON.format(title="a.py", code='def f():\n    """Give 26."""\n'), "26"),
    "bare string": (PYTHON.format(title="a.py", code='x = 1\n"it is 26"\n'), "26"),
    "code title": (PYTHON.format(title="26.py", code="x = 1\n"), "26"),
    "text block": ('<div class="language-text highlight"><pre><code>26</code></pre></div>', "26"),
    "not run": (
        '<div class="cnnref-not-run">' + PYTHON.format(title="a", code="x = 26\n") + "</div>",
        "26",
    ),
    "forged output": (
        '<div class="language-text highlight"><span class="filename">Output</span>'
        "<pre><code>26</code></pre></div>",
        "26",
    ),
    "half computed": ('<p>It is 1<data class="computed">26</data>.</p>', "126"),
    "half computed sentinels": ("<p>It is \ue00026\ue001.5</p>", "26.5"),
    "year-like": ("<p>2026 × 3</p>", "2026"),
    "times": ("<p>It is four times slower.</p>", "four times"),
    "fold": ("<p>A tenfold gain.</p>", "tenfold"),
    "percent in words": ("<p>So five percent are lost.</p>", "five percent"),
    "twice as": ("<p>It is twice as fast.</p>", "twice as"),
    "fraction in words": ("<p>It leaves a quarter.</p>", "a quarter"),
    "tenths": ("<p>nine tenths of it</p>", "nine tenths"),
    "one third of": ("<p>one third of the pixels</p>", "one third of"),
    "large word": ("<p>about forty-two cells</p>", "forty-two"),
    "two large words": ("<p>two thousand images</p>", "two thousand"),
    "measured": ("<p>the mean of five seeds</p>", "five seeds"),
    "words in alt": ('<img alt="three times as high">', "three times"),
    "year in tex": ('<cnnref-math data-tex="2026"></cnnref-math>', "2026"),
}
ALLOWED = {
    "name": "<p>conv2d, float32, x_2, v1.2.3 and Conv2D</p>",
    "data": '<p>It is <data class="computed">26</data>.</p>',
    "sentinels": '<cnnref-math data-tex="x = \ue000-26\ue001"></cnnref-math>',
    "alt": '<img alt="a \ue00026\ue001">',
    "code": PYTHON.format(title="a.py", code="x = 26\nprint('is 26', f(\n  '26'))\n"),
    "output": '<div class="cnnref-output"><pre><code>26</code></pre></div>',
    "derivation": '<div class="cnnref-derivation"><p>26</p></div>',
    "svg": "<svg><title>a grid</title><text>26</text></svg>",
    "year": "<p>LeCun (1998) and others, 2014, 2015; in 2016.</p>",
    "section": "<p>See § 3.2, section 3 and sections 4 and 5.</p>",
    "equation": "<p>Equation 2, eq. 2, Eq. (7), equations 1–3.</p>",
    "table": "<p>Table 1, Figure 2, Fig. 3b.</p>",
    "arxiv": "<p>arXiv:1603.07285v2</p>",
    "doi": "<p>doi:10.1109/5.726791</p>",
    "question": "<p>Question 7; questions 1, 2 and 8.</p>",
    "index": r'<cnnref-math data-tex="x_1 + x_2"></cnnref-math>',
    "marker": "<p><strong>1.</strong> Question</p><p>12. Which one?</p>",
    "words": "<p>three by three</p>",
    "count": "<p>two rows, three channels, ten ways, the third time, at times, one second</p>",
    "words in code": PYTHON.format(title="a.py", code="x = 1  # four times slower\n"),
    "computed times": '<p><data class="computed">4</data> times slower</p>',
    "style": "<style>p {margin: 26px}</style><script>x = 26</script><!-- 26 -->",
    "docstrings": '<div class="doc doc-object"><p>26</p></div>',
}


@pytest.mark.parametrize(("html", "number"), REFUSED.values(), ids=REFUSED)
def test_refused(html, number):
    assert number in [problem.number for problem in check_page(html, [])]


@pytest.mark.parametrize("html", ALLOWED.values(), ids=ALLOWED)
def test_allowed(html):
    assert check_page(html, []) == []


@pytest.mark.parametrize(
    ("phrase", "html"),
    [
        ("3×3", "<p>a 3×3 filter, a 3 x 3 filter, a 3x3 filter</p>"),
        ("3x3", "<p>a 3×3 filter</p>"),
        ("3×3", r'<p>a <cnnref-math data-tex="3 \times 3"></cnnref-math> filter</p>'),
        ("stride 2", "<p>Stride\n2 and <em>stride</em> 2.</p>"),
        ("stride 2", r'<p>stride <cnnref-math data-tex="2"></cnnref-math></p>'),
        ("k - 1", r'<cnnref-math data-tex="d(k-1)"></cnnref-math>'),
        ("+ 2p", r'<cnnref-math data-tex="n + 2p_h"></cnnref-math>'),
        ("`stride=2` in $2p$", "<p><code>stride=2</code> in <b>2p</b></p>"),
        ("stride=2", "<p><code>f(x, stride=2)</code></p>"),
        ("ten times the rate", "<p>at ten times\nthe rate</p>"),
    ],
)
def test_given(phrase, html):
    assert check_page(html, [phrase]) == []
    assert check_page(html, []) != []


@pytest.mark.parametrize(
    "html",
    [
        "<p>stride 26, stride 2</p>",
        "<p>stride 2.5, stride 2</p>",
        "<p>stride 2,500, stride 2</p>",
        "<p>stride -2, stride 2</p>",
        "<p>stride 2, and 2</p>",
    ],
)
def test_given_covers_its_own_words_only(html):
    assert len(check_page(html, ["stride 2"])) == 1


def test_stale_phrase():
    (problem,) = check_page("<p>nothing</p>", ["stride 2"])
    assert "nowhere" in problem.reason


def test_bare_number_is_no_phrase():
    problems = check_page("<p>It is 26.</p>", ["26"])
    assert {"bare number" in p.reason for p in problems} == {True, False}


def test_message():
    (problem,) = check_page("<p>The sum is 26.</p>", [])
    assert "'26' in 'The sum is 26.'" in str(problem)
    assert "{{= ... }}" in str(problem)


LAYERS = "names = ['fire5', 'conv1_1']"


@pytest.mark.parametrize("name", ["fire6", "conv1_2", "fc7", "layer4"])
def test_a_layer_that_no_code_names_is_refused(name):
    html = f"<p>The map of <code>{name}</code>, and fire5 before conv1_1.</p>"
    (problem,) = check_page(html, [], LAYERS)
    assert problem.number == name
    assert "layer" in problem.reason
    assert check_page(html, [f"map of {name}"], LAYERS) == []


def test_a_layer_may_be_named_by_what_code_printed():
    html = '<div class="cnnref-output"><pre><code>fc7: 0.5</code></pre></div><p>So fc7 does.</p>'
    assert check_page(html, [], "") == []
    assert check_page("<p>conv2d, conv3d, Conv2d, pool2d and norm2d</p>", [], "") == []
