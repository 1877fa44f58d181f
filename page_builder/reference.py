"""The lists of the API pages, made from the package: a new function needs no line there.

A reference page names a module. `expand` replaces that line by one mkdocstrings directive for each
public function and class of the module, with the options that follow the line. Functions come
first, then the loops that define them, then classes, each in the order of the source. If the page
also names a function or class by itself, to give it another place or other options, the list leaves
it out::

    ::: cnnref.ops.pooling.*

``<topic>`` means every topic in the navigation that has such a module. Each gets a heading and a
link to its page::

    ::: cnnref.figures.<topic>.*

Modules are parsed, not imported, so the lists need no PyTorch even where the functions do.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from page_builder.digests import ROOT

_LIST = re.compile(r"^::: ?(cnnref[\w.]*(?:\.<topic>)?)\.\* *\n((?:    .*\n)*)", re.MULTILINE)
_NAME = re.compile(r"^::: ?(cnnref[\w.]*) *$", re.MULTILINE)
_TOPIC = re.compile(r"^ +- (.+): topics/(\w+)\.md *$", re.MULTILINE)

Definition = ast.FunctionDef | ast.ClassDef


class ApiListError(Exception):
    """A reference page lists a module that does not exist or has nothing public."""


def topics(root: Path = ROOT) -> dict[str, str]:
    """Return the title of each topic by its stem, in the order of the navigation."""
    found = _TOPIC.findall((root / "mkdocs.yml").read_text(encoding="utf-8"))
    return {stem: title for title, stem in found}


def expand(text: str, root: Path = ROOT) -> str:
    """Replace each line that lists a module by the directives of its functions and classes.

    Raises:
        ApiListError: A line lists a module that does not exist or has nothing public.
    """
    by_hand = set(_NAME.findall(text))

    def directives(found: re.Match[str]) -> str:
        return "\n".join(
            heading
            + "\n".join(
                f"::: {name}\n{found[2]}"
                for name in public_names(module, root)
                if name not in by_hand
            )
            for heading, module in _modules(found[1], root)
        )

    return _LIST.sub(directives, text)


def _modules(listed: str, root: Path) -> Iterator[tuple[str, str]]:
    """Yield each module that a line lists, with the heading to write above it."""
    if not listed.endswith(".<topic>"):
        yield "", listed
        return
    for stem, title in topics(root).items():
        module = listed.replace("<topic>", stem)
        if _is_module(*module.rpartition(".")[::2], root):
            yield f"## {title}\n\nSee the page [{title}](../topics/{stem}.md).\n\n", module


def public_names(module: str, root: Path = ROOT) -> list[str]:
    """Return the full names of a module's public functions and classes.

    A name is the one by which a reader imports it: from the module's package if that lists it, and
    from ``cnnref`` if the package is ``cnnref.ops``. One that is also the name of a module of the
    package is given in full, since the short name is that of the module.

    Raises:
        ApiListError: The module does not exist or has nothing public.
    """
    package, _, stem = module.rpartition(".")
    listed = _listed(_parse(package, root)) or ()
    private = stem.startswith("_")
    found = [node for name, node in _public(module, root).items() if name in listed or not private]
    if not found:
        raise ApiListError(f"`{module}` has no public function or class")
    found.sort(key=lambda node: (isinstance(node, ast.ClassDef), node.name.endswith("_loops")))
    short = "cnnref" if package == "cnnref.ops" else package
    return [
        f"{short}.{node.name}"
        if node.name in listed and not _is_module(package, node.name, root)
        else f"{module}.{node.name}"
        for node in found
    ]


def _is_module(package: str, name: str, root: Path) -> bool:
    folder = root.joinpath(*package.split("."))
    return (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()


def _public(module: str, root: Path) -> dict[str, Definition]:
    """Return a module's public definitions by name: its own, and what it imports and lists."""
    tree = _parse(module, root)
    listed = _listed(tree)
    found: dict[str, Definition] = {}
    for node in tree.body:
        offered: dict[str, Definition] = {}
        if isinstance(node, Definition):
            offered = {node.name: node}
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("cnnref."):
            wanted = {alias.name for alias in node.names} & set(listed or ())
            if wanted:
                every = _public(str(node.module), root).items()
                offered = {name: definition for name, definition in every if name in wanted}
        for name, definition in offered.items():
            if name in listed if listed is not None else not name.startswith("_"):
                found.setdefault(name, definition)  # the overloads of a function come before it
    return found


def _parse(module: str, root: Path) -> ast.Module:
    path = root.joinpath(*module.split("."))
    for source in (path.with_suffix(".py"), path / "__init__.py"):
        if source.is_file():
            return ast.parse(source.read_text(encoding="utf-8"))
    raise ApiListError(f"`{module}` does not exist")


def _listed(tree: ast.Module) -> list[str] | None:
    """Return the ``__all__`` of a module, or None if it has none written out."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            try:
                names: list[str] = ast.literal_eval(node.value)
            except ValueError:  # `cnnref` makes its own from those of its packages
                return None
            return names
    return None
