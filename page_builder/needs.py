"""Find out from the imports of a piece of code what must be installed to run it.

The answer is given in extras of `pyproject.toml`. If code imports a package that is in none of
them, the build reports it, because that is a mistake in the repository.
"""

from __future__ import annotations

import functools
import html
import itertools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from experiments.reached import Code

# The extras for readers. The others build the site, test it, or repeat its experiments.
EXTRAS = ("figures", "torch", "nn", "pages", "keras")

# The names of packages in `import`, where they differ from the names to install.
_IMPORTED_AS = {"pillow": "PIL", "scikit-image": "skimage"}
_CODE_BLOCK = '<div class="language-python highlight">'


class NeedsError(ValueError):
    """Code imports a package that is in no extra."""


@dataclass(frozen=True)
class Needs:
    """What a piece of code needs to run.

    Attributes:
        extras: The smallest extras of cnnref that contain everything it needs.
        packages: Each package it needs besides cnnref and NumPy, by its name in `import`, with the
            requirement to install, such as `"scikit-image>=0.25"`.
        modules: The modules of this repository that it reaches.
    """

    extras: tuple[str, ...]
    packages: dict[str, str]
    modules: tuple[str, ...]

    @property
    def experiments(self) -> list[str]:
        """The modules that it reaches and that are not in the package."""
        return [name for name in self.modules if not name.startswith("cnnref/")]


def needs(code: str, root: Path) -> Needs:
    """Return what Python code needs to run.

    Args:
        code: The code, which may import modules of the repository.
        root: The root of the repository.

    Raises:
        NeedsError: It imports a package that is in no extra for readers.
    """
    modules = Code(root)
    reached = modules.reached(code)
    imported = modules.libraries(code, reached) - {"numpy"}
    brought = {extra: _packages(root, extra) for extra in EXTRAS}
    if any(name.startswith("cnnref/nn/") for name in reached):
        imported |= brought["nn"].keys()  # weights are in packages that are read, not imported
    everything = {name: found for extra in EXTRAS for name, found in brought[extra].items()}
    if missing := imported - everything.keys():
        raise NeedsError(
            f"the code imports {', '.join(sorted(missing))}, and no extra for readers in "
            f"pyproject.toml ({', '.join(EXTRAS)}) contains it: add it to one of them"
        )
    combinations = itertools.chain.from_iterable(
        itertools.combinations(EXTRAS, count) for count in range(len(EXTRAS) + 1)
    )
    sizes = {
        extras: len(names)
        for extras in combinations
        if imported <= (names := set().union(*(brought[extra] for extra in extras)))
    }
    smallest = min(sizes, key=lambda extras: (sizes[extras], len(extras)))
    return Needs(smallest, {name: everything[name] for name in sorted(imported)}, tuple(reached))


@functools.cache
def _packages(root: Path, extra: str) -> dict[str, str]:
    """Return the requirements in an extra of `pyproject.toml`, by their names in `import`."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, str] = {}
    for requirement in project["optional-dependencies"][extra]:
        if own := re.fullmatch(rf"{project['name']}\[(.+)\]", requirement):
            for other in own[1].split(","):
                found |= _packages(root, other)
        else:
            name = re.match(r"[\w.-]+", requirement)[0]  # type: ignore[index]
            found[_IMPORTED_AS.get(name, name.replace("-", "_"))] = requirement
    return found


def install(extras: tuple[str, ...], repository: str) -> str:
    """Return the command that installs cnnref with some extras.

    Args:
        extras: Their names.
        repository: The address of the repository. If it is empty, the command is for a shell in a
            copy of the repository.
    """
    brackets = f"[{','.join(extras)}]" if extras else ""
    what = f"cnnref{brackets} @ git+{repository}" if repository else f".{brackets}"
    return f'pip install "{what}"'


def with_line(page: str, code: str, root: Path, repository: str, *, download: bool = False) -> str:
    """Insert a line that says what a page's code needs, before the first block not folded.

    Args:
        page: The HTML of the page.
        code: All Python code on the page.
        root: The root of the repository.
        repository: The address of the repository, or an empty string.
        download: Whether the page offers its code for download, with all that it needs.

    Raises:
        NeedsError: The code imports a package that is in no extra for readers.
    """
    blocks = [found.start() for found in re.finditer(re.escape(_CODE_BLOCK), page)]
    if not blocks:
        return page
    open_at = [page.count("<details", 0, at) == page.count("</details>", 0, at) for at in blocks]
    place = blocks[open_at.index(True)] if True in open_at else page.index("<details")
    wanted = needs(code, root)
    command = f"<code>{html.escape(install(wanted.extras, repository), quote=False)}</code>"
    where = "" if repository else ", in a copy of the repository"
    line = f"To run the code on this page: {command}{where}."
    if wanted.experiments:
        line += " The folder <code>experiments</code> is not part of the package: "
        line += "the downloads bring it." if download else "use a copy of the repository."
    return f'{page[:place]}<p class="cnnref-needs" data-search-exclude>{line}</p>\n{page[place:]}'
