"""Inline values land in the form that their place needs."""

import pytest

from page_builder import values
from page_builder.values import Value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x", Value("x")),
        (" x :.2f ", Value("x", ".2f")),
        ("x[1:2]", Value("x[1:2]")),
        ("x[1 :2]", Value("x[1 :2]")),
        ("{'a': 1}['a']", Value("{'a': 1}['a']")),
        ("f(a, b) :,", Value("f(a, b)", ",")),
    ],
)
def test_parse(text, value):
    assert values.parse_value(text) == value


DATA = '<data class="computed">26</data>'
BARE = "\ue00026\ue001"


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("is {{= x }}.", f"is {DATA}."),
        ("| a | {{=x}} |", f"| a | {DATA} |"),
        ("$y = {{= x }}$ {{= x }}", f"$y = {BARE}$ {DATA}"),
        ("$$\ny = {{= x }}\n$$", f"$$\ny = {BARE}\n$$"),
        (r"\(y = {{= x }}\)", rf"\(y = {BARE}\)"),
        (r"costs \$5, {{= x }}, \$6", rf"costs \$5, {DATA}, \$6"),
        ("`y = {{= x }}` {{= x }}", f"`y = {BARE}` {DATA}"),
        ('<i title="{{= x }}">{{= x }}</i>', f'<i title="{BARE}">{DATA}</i>'),
        ("![a {{= x }}](x.png)", f"![a {BARE}](x.png)"),
        ("[a {{= x }}](x.md)", f"[a {DATA}](x.md)"),
        ("<!-- {{= x }} --> {{= x }}", f"<!-- {{{{= x }}}} --> {DATA}"),
        ("{{= d['$'] }} and {{= d['$'] }}", f"{DATA} and {DATA}"),
        ("{{= {'a': x}['a'] }}", DATA),
    ],
)
def test_fill(text, filled):
    assert values.fill(text, lambda _: "26") == filled


def test_each_value_knows_how_many_lines_are_above_it():
    asked = []
    values.fill(
        "{{= a }} {{= b }}\n<!-- {{= c }} -->\n{{= d :.1f }}", lambda v: asked.append(v) or ""
    )
    assert asked == [Value("a"), Value("b"), Value("d", ".1f", 2)]


def test_strip_sentinels():
    assert values.strip_sentinels("a \ue00026\ue001 b") == "a 26 b"


def test_markup_in_a_value_is_shown_as_it_is():
    assert values.fill("{{= x }}", lambda _: "a*b|<i>") == (
        '<data class="computed">a&#42;b&#124;&#60;i&#62;</data>'
    )
    assert values.fill("$ab{{= x }}$", lambda _: "a_1") == "$ab\ue000a_1\ue001$"
