"""Spans that colour nothing go; text and colours stay."""

from __future__ import annotations

from bs4 import BeautifulSoup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from page_builder.plain_code import drop_plain_spans

CODE = "def area(a, b):  # of a rectangle\n    return a * b if a < b else 'x'\n"


def test_the_text_stays_and_half_of_the_spans_go() -> None:
    before = highlight(CODE, PythonLexer(), HtmlFormatter())
    after = drop_plain_spans(before)
    soup, plain = BeautifulSoup(before, "html.parser"), BeautifulSoup(after, "html.parser")
    assert plain.get_text() == soup.get_text()
    assert len(plain.find_all("span")) < len(soup.find_all("span")) / 2


def test_what_is_coloured_keeps_its_span() -> None:
    after = drop_plain_spans(highlight(CODE, PythonLexer(), HtmlFormatter()))
    for coloured in ('class="k">def', 'class="nf">area', 'class="c1"># of', 'class="k">return'):
        assert coloured in after


def test_other_spans_are_left_alone() -> None:
    for html in ('<span class="new">x</span>', '<span class="n"><b>x</b></span>', "<span>x</span>"):
        assert drop_plain_spans(html) == html
