"""The fences are read exactly as pytest-codeblocks reads them."""

import io

import pytest
from pytest_codeblocks import extract_from_buffer

from page_builder import document
from page_builder.document import Document

TABS = """
=== "NumPy"

    ```python
    for i in range(2):

        print(i)
    ```

    <!--pytest-codeblocks:expected-output-->
    ```
    0
    1
    ```

=== "PyTorch"

    ```python
    print("other")
    ```
"""
ADMONITION = """
???+ example "An example"

    Text.

    ```python
    text = \"\"\"a

    b\"\"\"
    print(text)
    ```
    Between.
    <!--pytest-codeblocks:expected-output-ignore-whitespace-->

    ```text
    a
    b
    ```
"""
LIST = """
1. First

    ```python
    x = 1
    ```

2. Second

    <!--pytest-codeblocks:cont-->

    ```python
    print(x)
    ```

   - deeper

      ```python
  less = "indented less than the fence"
      ```
"""
FOUR = """
````markdown
```python
never_run()
```
<!--pytest-codeblocks:cont-->
````

```python
a = 1
```

<!-- pytest-codeblocks:cont -->
```python
b = a + 1
```

Prose.

<!--pytest-codeblocks:cont-->
```python
print(b)
```

<!--pytest-codeblocks:expected-output-->
```
2
```
"""
OTHERS = """
```toml
a = 1
```

``` python
spaced = True
```

```python title="x"
titled = True
```

<!--pytest.mark.xfail(reason="wrong")-->
```python
raise ValueError
```
<!--pytest.mark.skip(reason="slow")-->
```bash
sleep 1
```
`````python
five = "```"
`````
"""
LATE = """
```python
print(1)
```
```text
breaks the chain
```
<!--pytest-codeblocks:cont-->
```python
lost = 1
```
"""
TIGHT = "```python\nx = 1\n```\n```python\n\ty = 1\n\n\n```\n \t```python\n \tz = 1\n\t```\n"


@pytest.mark.parametrize("source", [TABS, ADMONITION, LIST, FOUR, OTHERS, LATE, TIGHT, "", "a\n"])
def test_same_as_pytest_codeblocks(source):
    theirs = extract_from_buffer(io.StringIO(source))
    ours = Document(source).chains
    assert [
        (
            c.lineno,
            c.syntax,
            c.code,
            c.expected_output,
            c.expected_output_ignore_whitespace,
            c.marks,
        )
        for c in ours
    ] == [
        (
            b.lineno,
            b.syntax,
            b.code,
            b.expected_output,
            b.expected_output_ignore_whitespace,
            b.marks,
        )
        for b in theirs
    ]


def test_corpus_is_not_trivial():
    assert len(Document(FOUR).chains[1].fences) == 3
    assert Document(FOUR).chains[1].expected_output == "2\n"
    assert [c.runs for c in Document(OTHERS).chains] == [False, False, False, True, False, True]
    # pytest-codeblocks drops blank lines in an indented fence.
    assert Document(TABS).chains[0].code == "for i in range(2):\n    print(i)\n"


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("text\n```python\nx = 1\n", 2, "never closed"),
        ("<!--pytest-codeblocks:cont-->\n```python\n```\n", 1, "no fence above"),
        ("<!--pytest-codeblocks:expected-output-->\n", 1, "no fence above"),
        ("```python\n```\n<!--pytest-codeblocks:wrong-->\n", 3, "unknown"),
        ("<!--pytest-codeblocks:skipfile-->\n", 1, "skipfile"),
    ],
)
def test_unreadable_sources(source, line, message):
    problems = Document(source).problems
    assert any(p.line == line and message in p.message for p in problems), problems


def test_disagreement_with_pytest_codeblocks_is_an_error(monkeypatch):
    source = "```python\nx = 1\n```\n"
    (block,) = extract_from_buffer(io.StringIO(source))
    monkeypatch.setattr(document, "extract_from_buffer", lambda buffer: [])
    (problem,) = Document(source).problems
    assert "a different number of fences" in problem.message
    block.code = "x = 2\n"
    monkeypatch.setattr(document, "extract_from_buffer", lambda buffer: [block])
    (problem,) = Document(source).problems
    assert "reads this fence differently" in problem.message
