"""Each rule of the lint, with a source that breaks it and one that keeps it."""

import pytest

from page_builder import lint
from page_builder.document import Document

OK = "```python\nx = 1\n```\n"

GOOD = {
    "bare": OK,
    "indented": '=== "a"\n\n    ```python\n    x = 1\n    ```\n',
    "toml": '```toml title="x"\na = 1\n```\n',
    "pytorch-like language": "```pythonic-text\nx\n```\n",
    "skip": '<!--pytest.mark.skip(reason="needs a network")-->\n' + OK,
    "xfail": "<!--pytest.mark.xfail-->\n" + OK,
    "cont": OK + "<!--pytest-codeblocks:cont-->\n" + OK,
    "output": OK + "<!--pytest-codeblocks:expected-output-->\n```\n1\n```\n",
    "shown": '<!--pytest.mark.skip(reason="shows a page")-->\n````markdown\n' + OK + "````\n",
    "image": "![A cat](cat.webp)\n",
    "img": '<img src="cat.webp" alt="A cat">\n',
    "img in code": "Write `<img src=x>` or `![](x)`.\n",
    "figure": '<!--cnnref: figure="fig" alt="A grid"-->\n' + OK,
}
BAD = {
    "info with title": ('```python title="x"\nx = 1\n```\n', 1, "does not run"),
    "braces": ("```{.python}\nx = 1\n```\n", 1, "does not run"),
    "space": ("``` python\nx = 1\n```\n", 1, "does not run"),
    "py": ("```py\nx = 1\n```\n", 1, "does not run"),
    "python3": ("```python3\nx = 1\n```\n", 1, "does not run"),
    "capital": ("```Python\nx = 1\n```\n", 1, "does not run"),
    "pycon": ("```pycon\n>>> 1\n```\n", 1, "does not run"),
    "prompt": ("```\n>>> 1\n```\n", 2, "prompt"),
    "bare prompt": ("Text\n\n>>> 1\n", 3, "prompt"),
    "tilde": ("~~~python\nx = 1\n~~~\n", 1, "~~~"),
    "quote": ("> ```python\n> x = 1\n> ```\n", 1, "list or quote"),
    "list": ("- ```python\n  x = 1\n  ```\n```\n", 1, "list or quote"),
    "html": ('<pre><code class="language-python">x</code></pre>\n', 1, "HTML"),
    "skip": ("<!--pytest-codeblocks:skip-->\n" + OK, 1, "not used here"),
    "skipif": ("<!--pytest-codeblocks:skipif(True)-->\n" + OK, 1, "not used here"),
    "expect-error": ("<!--pytest-codeblocks:expect-error-->\n" + OK, 1, "not used here"),
    "importorskip": ("<!--pytest-codeblocks:importorskip(x)-->\n" + OK, 1, "not used here"),
    "skipfile": ("<!--pytest-codeblocks:skipfile-->\n" + OK, 1, "skipfile"),
    "no reason": ("<!--pytest.mark.skip-->\n" + OK, 2, "needs a reason"),
    "empty reason": ('<!--pytest.mark.skip(reason="")-->\n' + OK, 2, "needs a reason"),
    "mark": ("<!--pytest.mark.skipif(True, reason='x')-->\n" + OK, 2, "only skip and xfail"),
    "mark on toml": ("<!--pytest.mark.xfail-->\n```toml\n```\n", 2, "not run"),
    "mark on cont": (
        OK + "<!--pytest-codeblocks:cont-->\n<!--pytest.mark.xfail-->\n" + OK,
        5,
        "first fence of a chain",
    ),
    "text after a mark": (
        '<!--pytest.mark.skip(reason="x")--> Text.\n' + OK,
        2,
        "reads this fence differently",
    ),
    "mark on nothing": (OK + "<!--pytest.mark.xfail-->\n", 4, "no fence follows"),
    "four": ("````markdown\n" + OK + "````\n", 2, "inside another fence"),
    "cont on toml": ("```toml\n```\n<!--pytest-codeblocks:cont-->\n" + OK, 4, "`cont` joins"),
    "output of toml": (
        "```toml\n```\n<!--pytest-codeblocks:expected-output-->\n```\n```\n",
        4,
        "not run",
    ),
    "output of skip": (
        '<!--pytest.mark.skip(reason="x")-->\n'
        + OK
        + "<!--pytest-codeblocks:expected-output-->\n```\n```\n",
        6,
        "not compared",
    ),
    "closer": ("```python\nx = 1\n```python\n", 3, "closed with the same"),
    "closer indent": ("    ```python\n    x = 1\n```\n", 3, "same indentation"),
    "image": ("![](cat.webp)\n", 1, "alt text"),
    "img": ('<img src="cat.webp">\n', 1, "alt text"),
    "img empty": ('<img src="cat.webp" alt="">\n', 1, "alt text"),
    "figure": ('<!--cnnref: figure="fig"-->\n' + OK, 1, "needs `alt`"),
    "unknown key": ('<!--cnnref: titel="x"-->\n' + OK, 1, "unknown key"),
    "lonely": ('<!--cnnref: title="x"-->\nText\n' + OK, 1, "no fence right after"),
    "forged data": ('The sum is <data class="computed">26</data>.\n', 1, "computed"),
    "forged class": ("The sum is 26.\n{: .cnnref-output }\n", 2, "computed"),
    "forged sentinel": ("The sum is \ue00026\ue001.\n", 1, "computed"),
}


@pytest.mark.parametrize("source", GOOD.values(), ids=GOOD)
def test_good(source):
    assert lint.check(Document(source)) == []


@pytest.mark.parametrize(("source", "line", "message"), BAD.values(), ids=BAD)
def test_bad(source, line, message):
    problems = lint.check(Document(source))
    assert any(p.line == line and message in p.message for p in problems), problems


def test_command_line(tmp_path, capsys):
    (tmp_path / "good.md").write_text(OK)
    assert lint.main([str(tmp_path)]) == 0
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "bad.md").write_text("Text\n\n```py\n```\n")
    assert lint.main([str(tmp_path)]) == 1
    assert f"{tmp_path}/sub/bad.md:3: " in capsys.readouterr().out
