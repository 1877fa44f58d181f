"""Citations fit the bibliography, and files outside docs link to what there is."""

from __future__ import annotations

import pytest

from page_builder import sources
from tests.helpers.repository import ROOT

BIBLIOGRAPHY = """
### He and others {#he}

Kaiming He, Xiangyu Zhang, Shaoqing Ren and Jian Sun, [*Deep Residual
Learning*](https://arxiv.org/abs/1512.03385), 2015, arXiv:1512.03385.

### LeCun and others {#lecun}

Yann LeCun and others, [*Gradient-Based Learning*](https://doi.org/10.1109/5.726791), 1998.
"""
ENTRIES = sources.read_bibliography(BIBLIOGRAPHY)

README = """# cnnref

![A page](docs/a.png), [the rules](CONTRIBUTING.md), [below](#where-things-are), [a site](https://x.y)
and `docs/a.md`, in `docs/`.

```
[code](nowhere.md)
```

## Where things are
"""


def test_the_repository_has_no_wrong_citation_and_no_broken_link():
    assert sources.problems(ROOT) == []


@pytest.mark.parametrize(
    "text",
    [
        "- K. He and others, [*Deep residual\n  learning*](https://arxiv.org/abs/1512.03385),\n"
        "  arXiv:1512.03385, section 1; later arXiv:1512.03385.",
        "# - K. He, [*Deep residual\n#   learning*](https://arxiv.org/abs/1512.03385).",
        "See He et al., arXiv:1512.03385, section 4.1.",
        "[*Gradient-based learning*](https://doi.org/10.1109/5.726791), doi:10.1109/5.726791.",
        'given:\n  - "arXiv:1512.03385"\n\n[*Deep residual learning*](https://arxiv.org/abs/1512.03385)',
    ],
)
def test_good_citations(text):
    assert list(sources.wrong_citations(text, ENTRIES)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("He, arXiv:1512.03386.", "1: 1512.03386 is not in the bibliography"),
        ("\n[*Learning*](https://arxiv.org/abs/1512.0338)", "2: 1512.0338 is not in the"),
        ("[*Other*](https://arxiv.org/abs/1512.03385)", "cited as *Other*, which it is not"),
        ("Simonyan, arXiv:1512.03385.", "no author of 1512.03385 is named"),
        ("LeCun, doi:10.1109/5.726792.", "10.1109/5.726792 is not in the bibliography"),
    ],
)
def test_wrong_citations(text, problem):
    (message,) = sources.wrong_citations(text, ENTRIES)
    assert problem in message


def test_an_entry_prints_the_number_that_it_links_to():
    assert list(sources.wrong_entries(ENTRIES)) == []
    changed = BIBLIOGRAPHY.replace("arXiv:1512.03385", "arXiv:1512.03358")
    (message,) = sources.wrong_entries(sources.read_bibliography(changed))
    assert "1512.03358" in message


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("", "", None),
        ("docs/a.png", "docs/b.png", "3: there is no docs/b.png"),
        ("(CONTRIBUTING.md)", "(CONTRIBUTE.md)", "3: there is no CONTRIBUTE.md"),
        ("#where-things-are", "#where", "3: there is no heading for #where"),
        ("`docs/a.md`", "`docs/b.md`", "4: there is no docs/b.md"),
    ],
)
def test_links_of_a_readme(tmp_path, old, new, problem):
    (tmp_path / "docs").mkdir()
    for name in ("docs/a.png", "docs/a.md", "CONTRIBUTING.md"):
        (tmp_path / name).touch()
    found = list(sources.broken_links(README.replace(old, new), tmp_path))
    assert found == ([] if problem is None else [problem])
