r"""Labs: notebooks written as percent scripts, executed while the site is built.

A lab is `docs/labs/<name>.py`. `execute` runs it in a Jupyter kernel and keeps the executed
notebook. mkdocs-jupyter converts that to HTML, and `page_html` makes a page of the site out of it:
Material's code blocks instead of 590 kB of JupyterLab styles, formulas by KaTeX, links to pages
resolved, and no script.

The header and the cells of a lab say what the page needs to know:

    # ---
    # jupyter:
    #   cnnref:
    #     given: ["3×3", "stride 2"]    phrases its prose may contain: see page_builder.numbers
    # ---

    # %%
    # alt: A photograph of a cat beside its
    #   vertical edges.
    show(photograph, edges)

Each image that a cell shows needs such an `# alt:` comment at the top of the cell, in the same
order. A continuation line is indented by three spaces. The page shows the code without the
comments.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext  # type: ignore[import-untyped]
import nbformat
from bs4 import BeautifulSoup, Tag
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from page_builder import katex, kernels
from page_builder.site import Site

_ALT = re.compile(r"# alt: *(.*(?:\n#   +.*)*)(?:\n|$)")
# As pymdownx.arithmatex reads dollars: two around block maths; one around inline maths, with no
# space next to it.
_MATHS = re.compile(
    r"\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?=[^\s$])(?P<inline>(?:\\.|[^\\$])+?)(?<!\s)\$(?!\d)",
    re.DOTALL,
)


class NotebookError(Exception):
    """A lab that does not run, warns, or shows an image without alt text."""


@dataclass(frozen=True)
class Lab:
    """An executed lab.

    Attributes:
        notebook: The executed notebook.
        given: The phrases with numbers that its prose may contain.
        alts: The alt texts of its images, in order.
    """

    notebook: Path
    given: list[str]
    alts: list[str]


def execute(source: Path, site: Site) -> Lab:
    """Execute a lab, or take the notebook of an earlier run of the same code.

    Raises:
        NotebookError: A cell raises or warns, or an image has no alt text.
    """
    path = site.store.path(
        f"labs/{source.stem}/{site.digests.lab(source)}/{source.stem}.ipynb",
        lambda path: _run(source, path),
    )
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    given = list(notebook.metadata.get("cnnref", {}).get("given", []))
    images = [image for cell in notebook.cells for image in _images(cell)]
    return Lab(path, given, [output.metadata[mime]["alt"] for output, mime in images])


def _run(source: Path, target: Path) -> None:
    """Execute a lab and write its notebook."""
    notebook = jupytext.read(source)
    notebook.metadata.setdefault(
        "kernelspec", {"display_name": "Python 3", "language": "python", "name": "python3"}
    )
    alts: dict[str, list[str]] = {}
    for number, cell in enumerate(notebook.cells):
        # jupytext draws random ids, but the same source must give the same file.
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            alts[cell["id"]], cell.source = split_alt(cell.source)
    kernels.fork_kernels()
    client = NotebookClient(
        notebook,
        timeout=600,
        record_timing=False,
        # What a cell prints is one output, even if the kernel sends it in two messages.
        coalesce_streams=True,
        extra_arguments=["--Application.log_level=ERROR"],
        resources={"metadata": {"path": str(Path.cwd())}},
    )
    # The runner of fences sets a backend for this process, and labs need another.
    env = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    try:
        # In a thread, because an event loop may be running in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, client.async_execute(env=env)).result()
    except CellExecutionError as error:
        raise NotebookError(f"{source.name}: a cell raises\n{error}") from None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _check(cell, alts[cell["id"]], source)
    target.write_text(nbformat.writes(notebook), encoding="utf-8")  # type: ignore[no-untyped-call]


def _check(cell: Any, texts: list[str], source: Path) -> None:
    """Refuse warnings and images without alt text; note the alt text of each image."""
    for output in cell.outputs:
        # A warning is for the author, and would show a path of this machine.
        if output.get("name") == "stderr":
            raise NotebookError(f"{source.name}: a cell writes to stderr:\n{output['text']}")
    images = _images(cell)
    if len(images) != len(texts) or not all(texts):
        raise NotebookError(
            f"{source.name}: a cell shows {len(images)} image(s) and has {len(texts)} `# alt:` "
            f"comment(s) at its top; each image needs one that says what is seen. The cell:\n"
            f"{cell.source}"
        )
    for (output, mime), text in zip(images, texts, strict=True):
        output.metadata.setdefault(mime, {})["alt"] = text


def split_alt(code: str) -> tuple[list[str], str]:
    """Split a cell into the texts of its leading `# alt:` comments and the rest of its code."""
    texts: list[str] = []
    while comment := _ALT.match(code):
        texts.append(" ".join(comment[1].replace("\n#", " ").split()))
        code = code[comment.end() :]
    return texts, code


def _images(cell: Any) -> list[tuple[Any, str]]:
    """Return the outputs of a cell that are images, each with its MIME type."""
    return [
        (output, mime)
        for output in cell.get("outputs", [])
        for mime in output.get("data", {})
        if mime.startswith("image/")
    ]


def page_html(converted: str, lab: Lab, resolve: Callable[[str], str]) -> str:
    """Turn the HTML that mkdocs-jupyter makes of an executed notebook into a page of the site.

    Args:
        converted: The HTML.
        lab: The lab.
        resolve: Takes a link as it is in the lab and returns it as it must be on the page.
    """

    def prose(text: Tag) -> str:
        return _prose(text, resolve)

    soup = BeautifulSoup(converted, "html.parser")
    alts = iter(lab.alts)
    parts: list[str] = []
    for cell in soup.select(".jp-Notebook > .jp-Cell"):
        if (text := cell.select_one(".jp-MarkdownOutput")) is not None:
            parts.append(prose(text))
            continue
        if (code := cell.select_one(".highlight-ipynb pre")) is not None:
            parts.append(_code_block(code, "language-python highlight"))
        for output in cell.select(".jp-OutputArea-output"):
            shown = _output(output, alts, prose)
            parts.append(f'<div class="cnnref-output cnnref-output--lab">{shown}</div>')
    before, end_of_heading, after = "\n".join(parts).partition("</h1>")
    return f"{before}{end_of_heading}\n{_download_line(lab.notebook.stem)}\n{after}"


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
    _mark_maths(text)
    return text.decode_contents().strip()


def _output(output: Tag, alts: Iterator[str], prose: Callable[[Tag], str]) -> str:
    if "jp-RenderedImage" in output["class"]:
        image = output.find("img")
        assert isinstance(image, Tag)
        return f'<img src="{image["src"]}" alt="{html.escape(next(alts))}">'
    if "jp-RenderedSVG" in output["class"]:
        label = html.escape(next(alts))
        return f'<div role="img" aria-label="{label}">{output.decode_contents().strip()}</div>'
    if output.get("data-mime-type") in {"text/markdown", "text/latex"}:
        return prose(output)
    if (pre := output.find("pre", recursive=False)) is not None and isinstance(pre, Tag):
        return f"<pre><code>{pre.decode_contents().strip(chr(10))}</code></pre>"
    return output.decode_contents().strip()


def _mark_maths(text: Tag) -> None:
    """Replace maths in dollars by elements that hold the places of formulas."""

    def place(match: re.Match[str]) -> str:
        tex = html.unescape(match["block"] or match["inline"])
        return katex.place(tex, display=match["block"] is not None)

    for string in list(text.find_all(string=_MATHS)):
        if string.find_parent(["code", "pre", "svg"]) is None:
            marked = _MATHS.sub(place, html.escape(string, quote=False))
            string.replace_with(*list(BeautifulSoup(marked, "html.parser").contents))
