"""The lists of the API pages: what they expand to, and that they leave nothing public out."""

from __future__ import annotations

import collections
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from textwrap import dedent

import markdown
import pytest

import cnnref
from page_builder.reference import ApiListError, expand, public_names, topics
from tests.helpers.repository import ROOT

FILES = {
    "mkdocs.yml": """
        nav:
          - Home: index.md
          - Topics:
              - Flip: topics/flip.md
              - 1×1 & more: topics/point.md
          - Reference:
              - Flip: reference/flip.md
        """,
    "cnnref/ops/__init__.py": """
        from cnnref.ops.flip import flip, flip_loops
        from cnnref.ops.point import point

        __all__ = ["flip", "flip_loops", "point"]
        """,
    "cnnref/ops/flip.py": """
        from typing import overload
        from cnnref.ops.point import point

        class Flipped: ...
        def flip_loops(): ...
        @overload
        def flip(input: int): ...
        @overload
        def flip(input: float): ...
        def flip(input): ...
        def _turn(): ...
        """,
    "cnnref/ops/point.py": """
        __all__ = ["point", "shown", "Kind"]

        Kind = int | str
        def hidden(): ...
        def shown(): ...
        def point(): ...
        """,
    "cnnref/ops/nothing.py": "Kind = int",
    "cnnref/figures/__init__.py": "",
    "cnnref/nn/__init__.py": "",
    "cnnref/nn/maps/__init__.py": """
        from cnnref.nn.maps._one import Map
        from cnnref.nn.maps._two import draw as draw
        from cnnref.nn.maps._two import helper
        import torch

        __all__ = ["Map", "draw"]
        """,
    "cnnref/nn/maps/_one.py": '__all__ = ["Map"]\nclass Map: ...',
    "cnnref/nn/maps/_two.py": "def draw(): ...\ndef helper(): ...",
    "cnnref/figures/point.py": "def dots(): ...",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(dedent(text).lstrip())
    return tmp_path


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("cnnref.ops.flip", ["cnnref.flip", "cnnref.flip_loops", "cnnref.ops.flip.Flipped"]),
        ("cnnref.ops.point", ["cnnref.ops.point.shown", "cnnref.point"]),
        ("cnnref.nn.maps", ["cnnref.nn.maps.draw", "cnnref.nn.maps.Map"]),
        ("cnnref.nn.maps._one", ["cnnref.nn.maps.Map"]),
    ],
)
def test_public_names_are_those_a_reader_imports(root: Path, module: str, names: list[str]) -> None:
    # `flip` and `point` are named like their modules: cnnref.ops.flip would be the module.
    own = {"cnnref.flip": "cnnref.ops.flip.flip", "cnnref.point": "cnnref.ops.point.point"}
    assert public_names(module, root) == [own.get(name, name) for name in names]


def test_a_list_gives_its_options_to_each_name_and_leaves_out_what_is_listed_by_hand(
    root: Path,
) -> None:
    page = dedent("""\
        Before.

        ::: cnnref.flip_loops

        ::: cnnref.ops.flip.*
            options:
              members: false

        After.
        """)
    assert expand(page, root) == dedent("""\
        Before.

        ::: cnnref.flip_loops

        ::: cnnref.ops.flip.flip
            options:
              members: false

        ::: cnnref.ops.flip.Flipped
            options:
              members: false

        After.
        """)


def test_topic_stands_for_each_topic_that_has_the_module(root: Path) -> None:
    assert topics(root) == {"flip": "Flip", "point": "1×1 & more"}
    assert expand("::: cnnref.figures.<topic>.*\n", root) == dedent("""\
        ## 1×1 & more

        See the page [1×1 & more](../topics/point.md).

        ::: cnnref.figures.point.dots
        """)
    both = expand("::: cnnref.ops.<topic>.*\n", root)
    assert re.findall("^## (.*)$", both, re.MULTILINE) == ["Flip", "1×1 & more"]
    assert both.count(":::") == 5


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("::: cnnref.ops.flop.*", "`cnnref.ops.flop` does not exist"),
        ("::: cnnref.ops.nothing.*", "`cnnref.ops.nothing` has no public function or class"),
    ],
)
def test_a_list_of_nothing_stops_the_build(root: Path, line: str, complaint: str) -> None:
    with pytest.raises(ApiListError, match=re.escape(complaint)):
        expand(f"{line}\n", root)


def test_it_expands_what_is_on_a_page_and_not_what_is_in_a_fence() -> None:
    text = "::: cnnref.ops.padding.*\n\n```text\n::: cnnref.ops.padding.*\n```\n"
    extensions = ["pymdownx.superfences", "page_builder.extension"]
    html = markdown.markdown(text, extensions=extensions)
    assert "::: cnnref.pad2d" in html
    assert html.count("::: cnnref.ops.padding.*") == 1


def public_objects() -> dict[object, str]:
    """Return the functions and classes of cnnref's public modules, each with a name of its."""
    found: dict[object, str] = {}
    for module in pkgutil.walk_packages(cnnref.__path__, "cnnref."):
        if any(part.startswith("_") for part in module.name.split(".")):
            continue
        loaded = importlib.import_module(module.name)
        for name in getattr(loaded, "__all__", ()):
            member = getattr(loaded, name)
            if inspect.isfunction(member) or inspect.isclass(member):
                found.setdefault(member, f"{module.name}.{name}")
    return found


def named(path: str) -> object:
    """Return what a dotted name means: the longest module of it, then attributes."""
    parts = path.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"{path} names nothing")


def test_the_reference_holds_everything_public_once() -> None:
    pages = collections.defaultdict(list)
    for page in sorted((ROOT / "docs/reference").glob("*.md")):
        for name in re.findall(r"^::: (\S+)$", expand(page.read_text()), re.MULTILINE):
            pages[named(name)].append(f"{page.name}: {name}")
    missing = [name for member, name in public_objects().items() if member not in pages]
    repeated = [places for places in pages.values() if len(places) > 1]
    assert not missing, f"on no page of docs/reference: {missing}"
    assert not repeated, f"on the pages of docs/reference more than once: {repeated}"
