"""The parts of a topic, and a skeleton of them to fill in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

BLANK = "FILL IN"
"""What marks a place of the skeleton that is not filled yet."""

LAYERS = {"ops": "operation", "networks": "", "nn": "network"}
"""The packages whose modules pages are about, each with the skeleton of a new module."""


class TopicError(ValueError):
    """The topic cannot be read or made."""


@dataclass(frozen=True)
class Topic:
    """One topic: the stem of its page, and the module of `cnnref` that the page is about.

    Attributes:
        stem: The name of its page, its figures, its exercises and their tests.
        layer: The package of the module, one of `LAYERS`.
        module: The name of the module: the stem, unless several pages share the module.
    """

    stem: str
    layer: str
    module: str

    @classmethod
    def of(cls, page: Path) -> Topic:
        """Return the topic of a page, from its front matter.

        Raises:
            TopicError: The front matter names no module, or several.
        """
        front = front_matter(page)
        layers = [layer for layer in LAYERS if layer in front]
        if len(layers) != 1:
            raise TopicError(
                f"{page.name}: the front matter must name one module, in one of {', '.join(LAYERS)}"
            )
        return cls(page.stem, layers[0], front[layers[0]])

    @property
    def parts(self) -> dict[str, str]:
        """The files the topic must have, each with the file of the skeleton it starts from."""
        return {
            f"docs/topics/{self.stem}.md": "page.md",
            f"cnnref/figures/{self.stem}.py": "figure.py",
            f"tests/figures/test_{self.stem}.py": "test_figure.py",
            f"cnnref/{self.layer}/{self.module}.py": f"{LAYERS[self.layer]}.py",
            f"tests/{self.layer}/test_{self.module}.py": f"test_{LAYERS[self.layer]}.py",
            f"docs/reference/{self.module}.md": "reference.md",
        }

    @property
    def derivation(self) -> dict[str, str]:
        """The files the topic has too where its numbers can be followed by hand."""
        return {
            f"cnnref/worked/{self.module}.py": "worked.py",
            f"tests/worked/test_{self.module}.py": "test_worked.py",
        }

    @property
    def exercises(self) -> dict[str, str]:
        """The files with its exercises, which a new topic has and some older ones lack."""
        return {
            f"cnnref/exercises/{self.stem}.py": "exercises.py",
            f"tests/exercises/test_{self.stem}.py": "test_exercises.py",
        }

    def missing(self, root: Path) -> list[str]:
        """Return the parts that do not exist. A module may be a package.

        A derivation and exercises may be absent, but not their tests without them.
        """
        optional = [self.derivation, self.exercises]
        tests = [test for module, test in optional if _exists(root / module)]
        return [path for path in [*self.parts, *tests] if not _exists(root / path)]

    def blanks(self, root: Path) -> list[str]:
        """Return what is still to be filled in, as ``path:line: what``."""
        found = []
        for name in self.parts | self.derivation | self.exercises:
            path = root / name
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
            found += [
                f"{name}:{number}: {line[line.index(BLANK) :].strip()}"
                for number, line in enumerate(lines, 1)
                if BLANK in line
            ]
        return found


def front_matter(page: Path) -> dict[str, Any]:
    """Return the front matter of a page."""
    found: dict[str, Any] = yaml.safe_load(page.read_text(encoding="utf-8").split("---\n")[1])
    return found


def _exists(path: Path) -> bool:
    return path.is_file() or (
        path.suffix == ".py" and (path.with_suffix("") / "__init__.py").is_file()
    )
