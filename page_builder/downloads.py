"""Make the files of a lab that readers can download: a notebook and a script that run anywhere.

In the repository, a lab imports `experiments`, reads stored results and links to other sources of
the site. A reader's machine has none of these. The first cell of a download names the packages that
are missing, with the commands that install them. If the lab reads stored results, a second cell
unpacks them, together with the modules of `experiments` that the lab uses. Links go to the site.
"""

from __future__ import annotations

import ast
import base64
import copy
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext  # type: ignore[import-untyped]
import nbformat

from page_builder.needs import Needs, install, needs

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_RESULTS = Path("docs/labs/results")

_INSTALL = """\
# This cell says what this notebook needs and you do not have, and how to install it.
from importlib.util import find_spec

commands = {{
{commands}}}
missing = [command for name, command in commands.items() if find_spec(name) is None]
if missing:
    raise ModuleNotFoundError("first run in a terminal:\\n" + "\\n".join(missing))
"""
_UNPACK = """\
# This notebook brings its stored results with it, and the code of their experiments (from the
# folder `experiments` of the repository). This cell unpacks them into a temporary folder.
import base64
import io
import sys
import tempfile
import zipfile

packed = "{packed}"
unpacked = tempfile.TemporaryDirectory()  # removed when Python ends
zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))).extractall(unpacked.name)
sys.path.insert(0, unpacked.name)
"""


@dataclass(frozen=True)
class Downloads:
    """Makes the downloads of labs.

    Attributes:
        root: The root of the repository.
        repository: The address of the repository, or an empty string.
    """

    root: Path
    repository: str

    def files(self, source: Path, executed: Path, resolve: Callable[[str], str]) -> dict[str, str]:
        """Return the files of a lab by name: the executed notebook, and the script without outputs.

        Args:
            source: The percent script.
            executed: The executed notebook.
            resolve: Takes a link as it is in the lab and returns the address on the site.
        """
        code = source.read_text(encoding="utf-8")
        first = list(self._first_cells(code))
        script = jupytext.reads(code, "py:percent")
        notebook = nbformat.read(executed, as_version=4)  # type: ignore[no-untyped-call]
        for one in (script, notebook):
            for cell in one.cells:
                if cell.cell_type == "markdown":
                    cell.source = _LINK.sub(lambda link: f"]({resolve(link[1])})", cell.source)
            place = next(i for i, cell in enumerate(one.cells) if cell.cell_type == "code")
            one.cells[place:place] = copy.deepcopy(first)
        written = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
        return {executed.name: written, source.name: jupytext.writes(script, "py:percent")}

    def _first_cells(self, code: str) -> Iterator[Any]:
        wanted = needs(code, self.root)
        yield _cell("install", _INSTALL.format(commands=self._commands(wanted)))
        brought = [*wanted.experiments, *_results(code, self.root)]
        if brought:
            packed = _packed(self.root, sorted({"experiments/__init__.py", *brought}))
            cell = _cell("unpack", _UNPACK.format(packed=packed))
            cell.metadata["jupyter"] = {"source_hidden": True}
            yield cell

    def _commands(self, wanted: Needs) -> str:
        where = "" if self.repository else "  # in a copy of the repository"
        commands = {"cnnref": install((), self.repository) + where} | {
            name: f'pip install "{requirement}"' for name, requirement in wanted.packages.items()
        }
        return "".join(f"    {name!r}: {command!r},\n" for name, command in commands.items())


def _cell(name: str, code: str) -> Any:
    cell = nbformat.v4.new_code_cell(code.rstrip())  # type: ignore[no-untyped-call]
    cell["id"] = name  # nbformat draws random ids, but the same lab must give the same file
    return cell


def _results(code: str, root: Path) -> Iterator[str]:
    """Yield the files of stored results that a lab reads by name, and of their images."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Call(func=ast.Name("read"), args=[ast.Constant(value=str(name))]):
                yield (_RESULTS / f"{name}.json").as_posix()
                for image in sorted((root / _RESULTS).glob(f"{name}_*.webp")):
                    yield image.relative_to(root).as_posix()


def _packed(root: Path, names: list[str]) -> str:
    """Return files of the repository as a zip archive in base64, the same bytes each time."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(zipfile.ZipInfo(name), (root / name).read_bytes(), zipfile.ZIP_DEFLATED)
    return base64.b64encode(archive.getvalue()).decode()
