"""`make topic` writes a skeleton; filled in, the tests of topics accept it, and not before."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.repository import ROOT
from tools.topic import BLANK, Topic
from tools.topic.__main__ import write_skeleton

FILLINGS = Path(__file__).parent / "flip.txt"
COPIED = [".github", "cnnref", "docs", "experiments", "page_builder", "tests", "tools"]
COPIED += ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "mkdocs.yml", "pyproject.toml"]


@pytest.fixture
def copy(tmp_path):
    """What a topic touches and its tests read, in another place."""
    for name in COPIED:
        duplicate = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        duplicate(ROOT / name, tmp_path / name)
    return tmp_path


def run(root, *command, expected=0):
    """Run a module in the copy; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout


def check(root, *arguments, expected=0):
    """Run tests of the copy."""
    options = ("-q", "-p", "no:cacheprovider", "--no-header", "--tb=short")
    return run(root, "pytest", *options, *arguments, expected=expected)


def fillings():
    """Return, for each file, the blanks of its skeleton and what a newcomer writes there."""
    filled = {}
    for part in re.split(r"^# (?=\S+\.(?:py|md)$)", FILLINGS.read_text(), flags=re.MULTILINE)[1:]:
        name, rest = part.split("\n", 1)
        texts = rest.split("~~~\n")[1:-1]
        filled[name] = [(old[:-1], new[:-1]) for old, new in zip(*[iter(texts)] * 2, strict=True)]
    return filled


def test_a_skeleton_is_refused_until_it_is_filled_in(copy):
    arguments = ("--title", "Flips", "--question", "What does a flip do?")
    run(copy, "tools.topic", "flip", *arguments)
    printed = check(copy, "tests/test_topics.py", "-k", "flip", expected=1)
    failed = re.findall(r"^FAILED \S+::(\S+)", printed, re.MULTILINE)
    assert failed == ["test_nothing_is_left_to_fill_in[flip]"], printed
    (count,) = re.findall(r"(\d+) places to fill in:", printed)[:1]
    assert int(count) > 40
    topic = Topic("flip", "ops", "flip")
    files = [*topic.parts, *topic.derivation, *topic.exercises]
    for name in files:
        assert re.search(rf"{name}:\d+: {BLANK}: ", printed), f"{name} is not named: {printed}"

    for name, places in fillings().items():
        text = (copy / name).read_text()
        for blank, filling in places:
            assert blank in text, f"{name} has no {blank!r}"
            text = text.replace(blank, filling, 1)
        (copy / name).write_text(text)
    # One folder at a time: to run the doctests of a module, pytest imports it a second time.
    for folder in ("cnnref/", "docs/", "tests/"):
        whole = ["test_topics.py", "page_builder/test_reference.py"] if folder == "tests/" else []
        own = [name for name in files if name.startswith(folder)]
        check(copy, *(folder + name for name in whole), *own)
    python = [name for name in files if name.endswith(".py")]
    run(copy, "ruff", "check", "--quiet", *python)
    run(copy, "ruff", "format", "--quiet", "--check", *python)
    run(copy, "page_builder.lint", "docs")


def test_a_part_that_is_missing_is_named(copy):
    topic = Topic("padding", "ops", "padding")
    assert topic.missing(copy) == []
    for name in ("cnnref/figures/padding.py", "tests/ops/test_padding.py"):
        (copy / name).unlink()
    assert topic.missing(copy) == ["cnnref/figures/padding.py", "tests/ops/test_padding.py"]


def test_a_derivation_needs_its_tests(copy):
    topic = Topic("pooling", "ops", "pooling")
    assert topic.missing(copy) == []
    (copy / "tests/worked/test_pooling.py").unlink()
    assert topic.missing(copy) == ["tests/worked/test_pooling.py"]
    (copy / "cnnref/worked/pooling.py").unlink()
    assert topic.missing(copy) == []


@pytest.mark.parametrize(
    ("topic", "title", "complaint"),
    [
        (Topic("padding", "ops", "padding"), "Again", "`STEM` (padding) is the stem of a topic"),
        (Topic("Max-Unpool", "ops", "max"), "Max", "`STEM` (Max-Unpool) must be the name of a mod"),
        (Topic("deep", "networks", "deep"), "Deep", "`NETWORKS` (deep) must be a module of cnnref"),
        (Topic("flip", "ops", "flip"), "", "`TITLE` is empty"),
    ],
)
def test_a_topic_that_cannot_be_is_refused_before_anything_is_written(
    copy, topic, title, complaint
):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=re.escape(complaint)):
        write_skeleton(copy, topic, title)
    assert before == {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("topic", "written"),
    [
        (
            Topic("asymmetric", "ops", "padding"),
            ["docs/topics/asymmetric.md", "cnnref/figures/asymmetric.py",
             "tests/figures/test_asymmetric.py", "cnnref/exercises/asymmetric.py",
             "tests/exercises/test_asymmetric.py", "mkdocs.yml"],
        ),
        (
            Topic("pruning", "nn", "pruning"),
            ["docs/topics/pruning.md", "cnnref/figures/pruning.py", "tests/figures/test_pruning.py",
             "cnnref/nn/pruning.py", "tests/nn/test_pruning.py", "docs/reference/pruning.md",
             "cnnref/exercises/pruning.py", "tests/exercises/test_pruning.py", "mkdocs.yml"],
        ),
    ],
)  # fmt: skip
def test_other_kinds_of_topic_get_the_parts_they_lack(copy, topic, written):
    assert write_skeleton(copy, topic, "A title") == written
    assert topic.missing(copy) == []
    navigation = (copy / "mkdocs.yml").read_text()
    for page in (f"topics/{topic.stem}.md", f"reference/{topic.module}.md"):
        assert navigation.count(f": {page}\n") == 1, f"{page} must be in the navigation once"
