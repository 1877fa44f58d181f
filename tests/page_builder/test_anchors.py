"""What the link check is given of a page has the anchors of the page."""

from __future__ import annotations

import pytest
from htmlproofer.plugin import read_anchors

from page_builder.anchors import Anchors

PAGE = """<!doctype html><html><body id=top><nav><a href="#x" title="a > b" id='one"s'>x</a></nav>
<h2 class="c" id="two">Two <a name="three">3</a> <input name="not"></h2>
<img alt="id=none < > &lt;" src="x"><svg><path d="M0"/><g id="four"/></svg>
<template id="five"><p id="hidden"></p></template><p>text id="text" &lt;p id="escaped"&gt;</p>
<p
  data-id="not"
  id="six">end</p></body></html>"""


def test_the_same_anchors_from_less() -> None:
    taken = Anchors()
    handed = taken.take(PAGE)
    assert read_anchors(handed) == read_anchors(PAGE)
    assert read_anchors(PAGE) == {"top", 'one"s', "two", "three", "four", "five", "six"}
    assert len(handed) < len(PAGE) / 2
    assert taken.put_back(handed) == PAGE


def test_an_edit_in_between_is_not_lost_silently() -> None:
    taken = Anchors()
    with pytest.raises(ValueError, match="later"):
        taken.put_back(taken.take(PAGE) + "<p>edited</p>")
