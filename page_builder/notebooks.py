r"""Labs: notebooks kept as percent scripts, executed while the site is built.

A lab is `docs/labs/<name>.py`. `execute` runs it through a Jupyter kernel and keeps the executed
notebook in `.cache/cnnref/labs` (`executed_path`), under a key made of everything that can change
its outputs: the lab, the package, this file, the kernels and the versions of the libraries.
mkdocs-jupyter then converts the executed notebook to HTML, and `page_html` makes a page of the site
out of that: Material's code blocks instead of 590 kB of JupyterLab styles, formulas by KaTeX, links
to pages resolved, and no script.

What a lab says about itself stands in its header and its cells:

    # ---
    # jupyter:
    #   cnnref:
    #     given: ["3×3", "stride 2"]    the numbers its prose may type: see page_builder.numbers
    # ---

    # %%
    # alt: A photograph of a cat beside its
    #   vertical edges.
    show(photograph, edges)

Every image a cell puts out needs such an `# alt:` comment at the top of the cell (one for each
image, in order; a continuation line is indented by three spaces). The page leaves the comment out
of the code it shows. A lab that raises, warns, or shows an image without alt text raises
`NotebookError`.
"""

from __future__ import annotations

import functools
import hashlib
import html
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import jupytext  # type: ignore[import-untyped]
import nbformat
from bs4 import BeautifulSoup, Tag
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from page_builder import katex, kernels
from page_builder.cache import sources_digest

CACHE = Path(".cache/cnnref/labs")

_ALT_START = re.compile(r"# alt: *(?P<text>.*)")
_ALT_MORE = re.compile(r"#   +(?P<text>.*)")
# Dollars as pymdownx.arithmatex reads them: two around block maths; one, with no space inside it,
# around inline maths.
_MATHS = re.compile(
    r"\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?=[^\s$])(?P<inline>(?:\\.|[^\\$])+?)(?<!\s)\$(?!\d)",
    re.DOTALL,
)


class NotebookError(Exception):
    """A lab that does not run, warns, or shows an image without saying what is on it."""


@dataclass(frozen=True)
class Lab:
    """An executed lab.

    Attributes:
        notebook: the executed notebook.
        given: the numbers its prose may type.
        alts: what its images show, in the order of the images.
    """

    notebook: Path
    given: list[str]
    alts: list[str]


def execute(source: Path, inputs: Iterable[Path], cache: Path = CACHE) -> Lab:
    """Execute the lab `source`, or take the notebook of an earlier run of the same code.

    Args:
        source: the percent script.
        inputs: the files the lab computes with, sources and stored results: part of the key.
        cache: where executed notebooks are kept.

    Raises:
        NotebookError: a cell raises, or an image has no alt text.
    """
    target = executed_path(source, inputs, cache)
    if target.exists():
        notebook = nbformat.read(target, as_version=4)  # type: ignore[no-untyped-call]
    else:
        notebook = jupytext.read(source)
        notebook.metadata.setdefault(
            "kernelspec", {"display_name": "Python 3", "language": "python", "name": "python3"}
        )
        _run(notebook, source)
        katex.write_atomically(target, nbformat.writes(notebook))  # type: ignore[no-untyped-call]
    given = list(notebook.metadata.get("cnnref", {}).get("given", []))
    alts = [
        output.metadata[mime]["alt"] for cell in notebook.cells for output, mime in _images(cell)
    ]
    return Lab(target, given, alts)


def executed_path(source: Path, inputs: Iterable[Path], cache: Path = CACHE) -> Path:
    """Return where the executed notebook of the lab `source` is kept, or will be.

    Args:
        source: the percent script.
        inputs: the files the lab computes with, sources and stored results: part of the key.
        cache: where executed notebooks are kept.
    """
    return (cache / source.stem / _key(source, inputs) / f"{source.stem}.ipynb").resolve()


def _key(source: Path, inputs: Iterable[Path]) -> str:
    """Return a hash of all that can change what a lab puts out."""
    sources = sources_digest([source, Path(__file__), Path(kernels.__file__), *inputs])
    return hashlib.sha256("\n".join([sources, *_versions()]).encode()).hexdigest()[:24]


@functools.cache
def _versions() -> list[str]:
    """Return the versions of Python and of all that is installed, which takes a while to read."""
    # A set: what stands twice on the path of one process stands there once in another's.
    installed = {f"{one.name}=={one.version}" for one in metadata.distributions()}
    return [sys.version, *sorted(installed)]


def _run(notebook: Any, source: Path) -> None:
    alts: list[list[str]] = []
    for number, cell in enumerate(notebook.cells):
        # jupytext draws the ids by lot; the same source must give the same file.
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            texts, cell.source = split_alt(cell.source)
        else:
            texts = []
        alts.append(texts)
    kernels.fork_kernels()
    client = NotebookClient(
        notebook,
        timeout=600,
        record_timing=False,
        # What is printed in two messages or in one, as the kernel had time, is one output.
        coalesce_streams=True,
        extra_arguments=["--Application.log_level=ERROR"],
        resources={"metadata": {"path": str(Path.cwd())}},
    )
    try:
        # The caller's backend (the runner of the pages' fences sets one) is not the lab's.
        client.execute(
            env={**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        )
    except CellExecutionError as error:
        raise NotebookError(f"{source.name}: a cell raises\n{error}") from None
    for cell, texts in zip(notebook.cells, alts, strict=True):
        if cell.cell_type == "code":
            _refuse_warnings(cell, source)
            _describe_images(cell, texts, source)


def _refuse_warnings(cell: Any, source: Path) -> None:
    """A warning is for who writes the lab, and on the page it would show a path of this machine."""
    for output in cell.get("outputs", []):
        if output.get("name") == "stderr":
            raise NotebookError(f"{source.name}: a cell writes to stderr:\n{output['text']}")


def split_alt(code: str) -> tuple[list[str], str]:
    """Take the leading `# alt:` comments off a cell: return their texts and the code left."""
    texts: list[str] = []
    lines = code.splitlines()
    taken = 0
    for line in lines:
        if start := _ALT_START.fullmatch(line):
            texts.append(start["text"].strip())
        elif texts and (more := _ALT_MORE.fullmatch(line)):
            texts[-1] = f"{texts[-1]} {more['text'].strip()}".strip()
        else:
            break
        taken += 1
    return texts, "\n".join(lines[taken:])


def _describe_images(cell: Any, texts: Sequence[str], source: Path) -> None:
    images = _images(cell)
    if len(images) != len(texts) or not all(texts):
        raise NotebookError(
            f"{source.name}: a cell shows {len(images)} image(s) and has {len(texts)} `# alt:` "
            f"comment(s) at its top; each image needs one that says what is seen. The cell:\n"
            f"{cell.source}"
        )
    for (output, mime), text in zip(images, texts, strict=True):
        output.metadata.setdefault(mime, {})["alt"] = text


def _images(cell: Any) -> list[tuple[Any, str]]:
    """Return the outputs of a cell that are images, and as what."""
    return [
        (output, mime)
        for output in cell.get("outputs", [])
        for mime in output.get("data", {})
        if mime.startswith("image/")
    ]


def page_html(converted: str, lab: Lab, resolve: Callable[[str], str]) -> str:
    """Make a page of the site out of what mkdocs-jupyter made of an executed notebook.

    Args:
        converted: mkdocs-jupyter's HTML.
        lab: the lab.
        resolve: takes a link as written in the lab, returns it as it must stand on the page.
    """
    soup = BeautifulSoup(converted, "html.parser")
    alts = iter(lab.alts)
    parts: list[str] = []
    for cell in soup.select(".jp-Notebook > .jp-Cell"):
        if (text := cell.select_one(".jp-MarkdownOutput")) is not None:
            parts.append(_prose(text, resolve))
            continue
        if (code := cell.select_one(".highlight-ipynb pre")) is not None:
            parts.append(_code_block(code, "language-python highlight"))
        for output in cell.select(".jp-OutputArea-output"):
            shown = _output(output, alts, resolve)
            parts.append(f'<div class="cnnref-output cnnref-output--lab">{shown}</div>')
    before, end_of_heading, after = "\n".join(parts).partition("</h1>")
    return f"{before}{end_of_heading}\n{_download_line(lab.notebook.stem)}\n{after}"


def prose_of(page: str) -> str:
    """Return what was typed of a lab's page: all but the outputs, whose alt texts stay."""
    soup = BeautifulSoup(page, "html.parser")
    for output in soup.select(".cnnref-output, .cnnref-download"):
        alts = [
            str(image.get("alt") or image.get("aria-label"))
            for image in output.select("img, [role=img]")
        ]
        output.replace_with(*[soup.new_tag("p", string=alt) for alt in alts])
    return str(soup)


def _download_line(name: str) -> str:
    name = html.escape(name)
    return (
        f'<p class="cnnref-download"><a href="{name}.ipynb" download>Download this notebook '
        f'(.ipynb)</a>, or <a href="{name}.py" download>the same as a script (.py)</a>.</p>'
    )


def _code_block(pre: Tag, name: str) -> str:
    return (
        f'<div class="{name}"><pre><code>{pre.decode_contents().strip(chr(10))}</code></pre></div>'
    )


def _prose(text: Tag, resolve: Callable[[str], str]) -> str:
    for anchor in text.select("a.anchor-link"):
        heading = anchor.parent
        if heading is not None and heading.name == "h1":
            anchor.decompose()
        else:
            anchor["class"] = "headerlink"
            anchor["title"] = "Permanent link"
    for link in text.select("a[href]:not(.headerlink)"):
        link["href"] = resolve(str(link["href"]))
    for pre in text.select("div.highlight > pre"):
        block = BeautifulSoup(_code_block(pre, "highlight"), "html.parser")
        if pre.parent is not None:
            pre.parent.replace_with(block)
    _render_maths(text)
    return text.decode_contents().strip()


def _output(output: Tag, alts: Iterator[str], resolve: Callable[[str], str]) -> str:
    if "jp-RenderedImage" in output["class"]:
        image = output.find("img")
        assert isinstance(image, Tag)
        return f'<img src="{image["src"]}" alt="{html.escape(next(alts))}">'
    if "jp-RenderedSVG" in output["class"]:
        label = html.escape(next(alts))
        return f'<div role="img" aria-label="{label}">{output.decode_contents().strip()}</div>'
    if output.get("data-mime-type") in {"text/markdown", "text/latex"}:
        return _prose(output, resolve)
    if (pre := output.find("pre", recursive=False)) is not None and isinstance(pre, Tag):
        return f"<pre><code>{pre.decode_contents().strip(chr(10))}</code></pre>"
    return output.decode_contents().strip()


def _render_maths(text: Tag) -> None:
    for string in list(text.find_all(string=_MATHS)):
        if string.find_parent(["code", "pre", "svg"]) is None:
            fragment = BeautifulSoup("".join(_rendered(str(string))), "html.parser")
            string.replace_with(*list(fragment.contents))


def _rendered(text: str) -> Iterable[str]:
    end = 0
    for match in _MATHS.finditer(text):
        yield html.escape(text[end : match.start()], quote=False)
        yield katex.formula(match["block"] or match["inline"], display=match["block"] is not None)
        end = match.end()
    yield html.escape(text[end:], quote=False)
