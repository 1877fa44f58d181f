"""One topic, one stem: every part of every topic is there, and every question has its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
TOPICS = sorted((ROOT / "docs/topics").glob("*.md"))
SECTIONS = ["The definition as code", "What goes wrong", "Exercises", "Sources"]


def front_matter(page):
    return yaml.safe_load(page.read_text().split("---\n")[1])


def part_paths(stem, front):
    """Return the files of a topic; `ops`, `networks` or `nn` in its front matter names a module."""
    (layer,) = {"ops", "networks", "nn"} & set(front)
    module = front[layer]
    package = f"cnnref/{layer}/{module}/__init__.py"
    yield package if (ROOT / package).is_file() else f"cnnref/{layer}/{module}.py"
    yield f"tests/{layer}/test_{module}.py"
    yield f"docs/reference/{module}.md"
    yield f"cnnref/figures/{stem}.py"
    yield f"tests/figures/test_{stem}.py"


def test_there_are_topics():
    assert {page.stem for page in TOPICS} >= {"convolution", "padding", "output_shape", "dilation"}


@pytest.mark.parametrize("page", TOPICS, ids=lambda page: page.stem)
def test_a_topic_has_all_its_parts(page):
    missing = [
        path for path in part_paths(page.stem, front_matter(page)) if not (ROOT / path).is_file()
    ]
    assert not missing


@pytest.mark.parametrize("page", TOPICS, ids=lambda page: page.stem)
def test_a_page_has_the_form(page):
    text = page.read_text()
    headings = re.findall(r"^## (.+?)(?: \{.*)?$", text, re.MULTILINE)
    assert headings[0].startswith("The worked example")
    assert [heading for heading in headings if heading in SECTIONS] == SECTIONS
    # The figure comes before the first section, the exercises are folded and computed.
    assert 'figure="' in text.split("\n## ")[0]
    exercises = text.split("## Exercises")[1].split("## Sources")[0]
    folded = re.split(r"^\?\?\? question ", exercises, flags=re.MULTILINE)[1:]
    assert len(folded) >= 3
    for answer in folded:
        assert "```python" in answer
        assert "expected-output" in answer or 'render="' in answer


@pytest.mark.parametrize("page", TOPICS, ids=lambda page: page.stem)
def test_a_question_has_its_anchor_and_its_link(page):
    home = (ROOT / "docs/index.md").read_text()
    for number in front_matter(page)["questions"]:
        assert f"{{#question-{number}}}" in page.read_text()
        assert re.search(
            rf"^{number}\. \[.+\]\(topics/{page.stem}\.md#question-{number}\)$", home, re.MULTILINE
        )


def test_the_home_page_lists_all_twenty_one_questions():
    home = (ROOT / "docs/index.md").read_text()
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", home, re.MULTILINE)]
    assert numbers == list(range(1, 22))


def test_the_navigation_names_every_topic():
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in TOPICS:
        assert f"topics/{page.name}" in navigation
