"""A page goes in as Markdown and comes out with what its code computed."""

import re
import subprocess
import sys
import types

import pytest
from bs4 import BeautifulSoup
from markdown import Markdown

from page_builder.extension import PageExtension
from page_builder.numbers import check_page
from page_builder.site import PageContext, PageError, Site
from page_builder.values import strip_sentinels

EXTENSIONS = [
    "admonition",
    "attr_list",
    "md_in_html",
    "tables",
    "toc",
    "pymdownx.arithmatex",
    "pymdownx.details",
    "pymdownx.highlight",
    "pymdownx.superfences",
    "pymdownx.tabbed",
]
CONFIG = {
    "pymdownx.arithmatex": {"generic": True},
    "pymdownx.highlight": {"pygments_lang_class": True, "anchor_linenums": True},
    "pymdownx.tabbed": {"alternate_style": True},
}
SVG = '<svg id="{id}"><title>{alt}</title><defs><path d="M 0 0\n\n    L *1* _2_"/></defs></svg>'


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return what converts a page and puts its figures in."""
    site = Site(tmp_path)
    svg = types.ModuleType("cnnref.figures.svg")
    svg.to_svg = lambda fig, *, alt, id_prefix: SVG.format(id=id_prefix, alt=alt)
    monkeypatch.setitem(sys.modules, "cnnref.figures.svg", svg)

    def convert(source, path="docs/topics/page.md", meta="", figures=True):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(meta + source)
        site.page = PageContext(path, tmp_path)
        extensions = [PageExtension(site), *EXTENSIONS]
        html = Markdown(extensions=extensions, extension_configs=CONFIG).convert(source)
        return site.with_figures(html) if figures else html

    return convert


def soup(html):
    return BeautifulSoup(html, "html.parser")


CODE = """class Figure:
    savefig = None
    def to_markdown(self):
        return "The **sum**:\\n\\n$$\\n1 + 25 = 26\\n$$"
x = 26
print(x)
"""
PAGE = f"""# The sum is {{{{= x }}}}

<!--cnnref: title="conv.py" hl_lines="2" figure="Figure()" alt="a grid, {{{{= x }}}}"
    caption="It *is* {{{{= x + 1 }}}}: $y = {{{{= x }}}}$" render="Figure()"-->
```python
{CODE}```

<!--pytest-codeblocks:expected-output-->
```
26
```

| a | b |
|---|---|
| {{{{= x + 2 }}}} | $z = {{{{= x + 3 :.1f }}}}$ |

`y = {{{{= x }}}}` and

$$
y = {{{{= x + 4 }}}}
$$
"""


def test_page(build):
    html = build(PAGE)
    page = soup(html)
    assert page.h1.get_text() == "The sum is 26"
    assert page.h1.data["class"] == ["computed"]
    figure = page.select_one("figure.cnnref-figure")
    assert figure.parent.name == "[document]"
    svg = SVG.format(id="fig-docs-topics-page-1", alt="a grid, \ue00026\ue001")
    assert f'<figure class="cnnref-figure">{svg}<figcaption>' in html
    assert str(figure.figcaption.em) == "<em>is</em>"
    assert "27" in figure.figcaption.get_text()
    assert page.select_one(".language-python .filename").get_text() == "conv.py"
    assert len(page.select(".language-python .hll")) == 1
    assert page.select_one(".language-python code").get_text() == CODE
    output = page.select_one("div.cnnref-output .language-text")
    assert output.select_one(".filename").get_text() == "Output"
    assert output.code.get_text() == "26\n"
    derivation = page.select_one("div.cnnref-derivation")
    assert derivation.strong.get_text() == "sum"
    assert "1 + 25 = 26" in derivation.select_one(".arithmatex")["data-tex"]
    number, formula = page.select("td")
    assert number.get_text() == "28"
    assert formula.select_one(".arithmatex")["data-tex"] == "z = \ue00029.0\ue001"
    assert "`" not in page.get_text()
    assert "pytest-codeblocks" not in html
    assert "cnnref:" not in html
    assert not re.search("[\ue002-\ue01f]", html)
    assert check_page(html, []) == []


def test_figures_stay_out_of_what_is_indexed(build):
    assert "<svg" not in build(PAGE, figures=False)
    assert "<!--cnnref-svg:" not in build(PAGE)


def indent(text, by="    "):
    return "".join(by + row if row.strip() else row for row in text.splitlines(keepends=True))


CONTAINERS = {
    "admonition": '???+ example "The {{= x }}"\n\n' + "%s",
    "tab": '=== "NumPy"\n\n%s',
    "list": "1. First\n\n%s\n2. Second\n",
    "nested": '- a\n\n    !!! note\n\n        b\n\n    === "c"\n\n%s',
}


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("fold", [False, True])
def test_containers(build, name, fold):
    keys = 'figure="Figure()" alt="a grid" caption="It is {{= x }}" render="Figure()"'
    keys += ' fold="How <it> is made"' if fold else ""
    inner = (
        f"Before.\n\n<!--cnnref: {keys}-->\n```python\n{CODE}```\n\n"
        "<!--pytest-codeblocks:expected-output-->\n```\n26\n```\n\nAfter {{= x }}.\n"
    )
    by = "        " if name == "nested" else "    "
    page = soup(build(CONTAINERS[name] % indent(inner, by)))
    holder = page.select_one(
        {
            "admonition": "details.example",
            "tab": ".tabbed-block",
            "list": "ol > li",
            "nested": "ul > li .tabbed-block",
        }[name]
    )
    order = [child.name for child in holder.find_all(["figure", "div", "details"], recursive=False)]
    if fold:
        assert order == ["figure", "div", "details"]
        folded = holder.find("details", class_="cnnref-fold")
        assert folded.summary.get_text() == "How <it> is made"
        assert folded.code.get_text() == CODE
        assert folded.select_one(".cnnref-output code").get_text() == "26\n"
    else:
        assert order == ["div", "figure", "div", "div"] or order == ["div", "div", "figure", "div"]
    assert holder.figure.svg.parent.name == "figure"
    assert holder.select_one(".cnnref-derivation .arithmatex")
    assert len(holder.select(".cnnref-output")) == 1
    assert "After 26." in holder.get_text()
    assert page.p.find("figure") is None
    assert not re.search("[\ue002-\ue01f]", str(page))


def test_value_takes_the_chain_above(build):
    source = "```python\nx = 1\n```\n\nA{{= x }}\n\n```python\nx = 2\n```\n\nB{{= x }}\n\n"
    skip = '<!--pytest.mark.skip(reason="r")-->\n```python\nx = 3\n```\n\nC{{= x }}\n\n'
    cont = (
        "```python\ny = 4\n```\n\n<!--pytest-codeblocks:cont-->\n```python\nx = y\n```\nD{{= x }}"
    )
    text = soup(build(source + skip + cont)).get_text()
    assert re.findall("[A-D][0-9]", text) == ["A1", "B2", "C2", "D4"]


def test_skipped_fence_is_marked(build):
    html = build('<!--pytest.mark.skip(reason="r")-->\n```python\n1 / 0  # 26\n```\n')
    assert soup(html).select_one(".cnnref-not-run .language-python")
    assert check_page(html, [])


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("Text\n\n```python\n1 / 0\n```\n", 4, "ZeroDivisionError"),
        ("```python\nx = 1\n```\n\n{{= y }}\n", 5, "NameError"),
        ("{{= y }}\n", 1, "no fence"),
        ("```py\nx = 1\n```\n", 1, "does not run"),
        ('<!--cnnref: figure="x"-->\n```python\nx = 1\n```\n', 1, "needs `alt`"),
        ('<!--cnnref: titel="x"-->\n```python\nx = 1\n```\n', 1, "unknown key"),
        ('<!--cnnref: title="x"-->\n\nText\n', 1, "no fence"),
        ('<!--cnnref: render="x"-->\n```toml\n```\n', 1, "needs a Python fence"),
        ("![](a.png)\n", 1, "alt text"),
    ],
)
@pytest.mark.parametrize("meta", ["", "---\ntitle: A\n---\n\n"])
def test_errors_name_page_and_line(build, source, line, message, meta):
    with pytest.raises(PageError, match=message) as error:
        build(source, meta=meta)
    assert str(error.value).startswith(f"docs/topics/page.md:{line + meta.count(chr(10))}: ")


def test_same_bytes_each_time_and_from_the_cache(build, tmp_path):
    first = build(PAGE)
    assert list((tmp_path / ".cache" / "cnnref").iterdir())
    assert build(PAGE) == first


def test_nested_conversion_is_left_alone(tmp_path):
    site = Site(tmp_path)
    site.page = PageContext("a.md", tmp_path, claimed=True)
    extensions = [PageExtension(site), *EXTENSIONS]
    html = Markdown(extensions=extensions).convert("```python\n1 / 0\n```\n")
    assert "highlight" in html


def test_works_without_a_context(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    extensions = ["page_builder.extension", *EXTENSIONS]
    html = Markdown(extensions=extensions).convert("```python\nx = 2\n```\n\n{{= x + 1 }}\n")
    assert '<data class="computed">3</data>' in html


CHECKED = """The answer is {{= total }}, the 3×3 filter gives it.

```python
total = sum(range(8))
print(total, total / 8)
```

<!--pytest-codeblocks:expected-output-->
```
28 3.5
```

So $y = {{= total }}$ with a 3×3 filter.
"""


def passes(build, source):
    try:
        return check_page(build(source), ["3×3"]) == []
    except PageError:
        return False


def test_any_digit_of_the_output_changed_is_refused(build):
    assert passes(build, CHECKED)
    start = CHECKED.index("28 3.5")
    for position in (start, start + 1, start + 3, start + 5):
        other = "9" if CHECKED[position] != "9" else "1"
        assert not passes(build, CHECKED[:position] + other + CHECKED[position + 1 :])


def test_changed_code_is_refused(build):
    assert not passes(build, CHECKED.replace("range(8)", "range(9)"))


@pytest.mark.parametrize("typed", ["28", "3.5", "7", "-1", "2²", "`28`", "$y = 28$", "3×4"])
def test_typed_number_is_refused(build, typed):
    assert not passes(build, CHECKED + f"\nSo it is {typed}.\n")
    assert not passes(build, CHECKED.replace("{{= total }}", typed, 1))


def test_typed_comment_is_refused(build):
    assert not passes(build, CHECKED.replace("range(8))", "range(8))  # 28"))


def test_the_page_that_is_written_has_no_sentinels(build):
    assert not re.search("[\ue000-\ue01f]", strip_sentinels(build(PAGE)))


def test_pytest_codeblocks_agrees(tmp_path):
    """The page builds; pytest, run on the same file, passes it too and fails its mutation."""
    page = tmp_path / "page.md"
    for source, status in ((CHECKED, 0), (CHECKED.replace("28 3.5", "28 3.6"), 1)):
        page.write_text(source)
        command = [sys.executable, "-m", "pytest", "--codeblocks", "-q", "-p", "no:cacheprovider"]
        assert subprocess.run([*command, "page.md"], cwd=tmp_path, check=False).returncode == status
