"""Every link of a built site leads to a file of it, and to an anchor that the file has."""

from __future__ import annotations

from pathlib import Path

import pytest

from page_builder import links

PAGE = """<!doctype html><html><body id=top><nav><a href="#x" title="a > b" id='one"s'>x</a></nav>
<h2 class="c" id="two">Two <a name="three">3</a> <input name="not"></h2>
<img alt="id=none < > &lt;" src="x"><svg><path d="M0"/><g id="four"/></svg>
<template id="five"><p id="hidden"></p></template><p>text id="text" &lt;p id="escaped"&gt;</p>
<script id="seven" src="s.js">"<p id='code'>"</script><!-- <p id="comment"> <a href="c"> -->
<p
  data-id="not"
  id="six">end <a href="a&amp;b">ab</a></p></body></html>"""


def test_links_and_anchors_of_a_page() -> None:
    found = links.read(PAGE)
    assert found.anchors == {"top", 'one"s', "two", "three", "four", "five", "six", "seven"}
    assert found.addresses == {"#x", "x", "s.js", "a&b"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, text in {
        "index.html": '<h1 id="top"></h1>',
        "one/index.html": '<h2 id="a b"></h2>',
        "one/picture.svg": "<svg/>",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "link",
    [
        *("one/", "one/index.html", "one/#a%20b", "one/picture.svg#part", "#top", "#own", "./"),
        *("/base/one/", "/base/", "?q=1", "https://example.org/x", "//example.org", "mailto:a@b.c"),
        "data:image/png;base64,x",
    ],
)
def test_good_links(site: Path, link: str) -> None:
    (site / "index.html").write_text(f'<p id="own"><i id="top"></i><a href="{link}">x</a></p>')
    assert links.broken(site, "https://example.org/base/") == []


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("two/", "not a file"),
        ("one/two.svg", "not a file"),
        ("../one/", "not a file"),
        ("/one/", "not a file"),
        ("#nowhere", "no such anchor"),
        ("one/#nowhere", "no such anchor"),
    ],
)
@pytest.mark.parametrize("markup", ['<a href="{}">x</a>', "<img alt='' src='{}'>"])
def test_broken_links(site: Path, link: str, problem: str, markup: str) -> None:
    (site / "index.html").write_text(markup.format(link))
    (message,) = links.broken(site, "https://example.org/base/")
    assert message.startswith(f"index.html: links to {link}, ")
    assert problem in message
