"""Each page says what its code needs, and its code needs nothing else."""

from __future__ import annotations

import html
import re
import sys
import tomllib

from tests.helpers.repository import ROOT
from tests.site.looking import Site

BLOCK = re.compile(r'<div class="language-python highlight">.*?</code>', re.DOTALL)
IMPORT = re.compile(r"^ *(?:>>> )?(?:import (\w+)|from (\w+)[\w.]* import )", re.MULTILINE)
LINE = re.compile(r'<p class="cnnref-needs".*?<code>pip install "(.*?)"</code>')
IMPORTED_AS = {"pillow": "PIL", "scikit-image": "skimage"}
HERE = {"cnnref", "numpy"}
"""What is there with no extra."""


def test_what_a_page_says_to_install_brings_what_its_blocks_import(site: Site) -> None:
    problems, lines = [], 0
    for path in site.pages:
        page = (site.folder / path).read_text(encoding="utf-8")
        blocks = [html.unescape(re.sub(r"<.*?>", "", block)) for block in BLOCK.findall(page)]
        imported = {a or b for block in blocks for a, b in IMPORT.findall(block)}
        imported -= HERE | sys.stdlib_module_names
        said = LINE.findall(page)
        lines += len(said)
        if blocks and len(said) != 1:
            problems.append(f"{path} has blocks of code and {len(said)} lines on what to install")
            continue
        brought = brings(re.findall(r"\w+", said[0].partition("@")[0])) if said else set()
        if "experiments" in imported and "<code>experiments</code> is not part of" in page:
            imported.remove("experiments")
        if missing := imported - brought:
            problems.append(f"{path} says {said} and imports {sorted(missing)}")
    assert not problems, "\n".join(problems)
    assert lines > 50


def brings(extras: list[str]) -> set[str]:
    """Return the names in `import` of what extras bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = set()
    for extra in set(extras) - {"cnnref"}:
        for requirement in project["optional-dependencies"][extra]:
            if inner := re.fullmatch(r"cnnref\[(.*)\]", requirement):
                found |= brings(inner[1].split(","))
            else:
                name = re.split(r"[<>=]", requirement)[0]
                found.add(IMPORTED_AS.get(name, name.replace("-", "_")))
    return found
