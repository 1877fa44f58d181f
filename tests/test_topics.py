"""One topic, one stem: every part of every topic exists, and every question has its place.

What a topic consists of is in `tools.topic`, from which `make topic` writes a skeleton.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnnref import exercises
from tests.helpers.repository import ROOT
from tools.topic import BLANK, Topic, front_matter

PAGES = sorted((ROOT / "docs/topics").glob("*.md"))
SECTIONS = ["The definition as code", "What goes wrong", "Exercises", "Sources"]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def test_there_are_topics():
    assert {page.stem for page in PAGES} >= {"convolution", "padding", "output_shape", "dilation"}


@each_page
def test_a_topic_has_all_its_parts(page):
    missing = Topic.of(page).missing(ROOT)
    assert not missing, f"write these files, or let `make topic` write them: {missing}"


@each_page
def test_nothing_is_left_to_fill_in(page):
    left = Topic.of(page).blanks(ROOT)
    assert not left, "\n".join([f"{len(left)} places to fill in:", *left])


@each_page
def test_a_page_has_the_form(page):
    text = page.read_text()
    headings = re.findall(r"^## (.+?)(?: \{.*)?$", text, re.MULTILINE)
    assert headings, "the page has no sections"
    assert headings[0].startswith("The worked example"), f"the first section is {headings[0]!r}"
    found = [heading for heading in headings if heading in SECTIONS]
    assert found == SECTIONS, f"the page must have the sections {SECTIONS}; it has {found}"
    assert 'figure="' in text.split("\n## ")[0], "a figure must come before the first section"


@each_page
def test_exercises_are_folded_and_computed(page):
    text = page.read_text().split("## Exercises")[1].split("## Sources")[0]
    folded = re.split(r"^\?\?\? question ", text, flags=re.MULTILINE)[1:]
    for answer in folded:
        computed = "```python" in answer and ("expected-output" in answer or 'render="' in answer)
        assert computed, f"the answer must be computed: {answer.splitlines()[0]}"
    drawn = exercises.kinds(page.stem) if f'exercises.sheet("{page.stem}"' in text else ()
    count = len(folded) + len(drawn)
    least = 6 if drawn else 3
    assert count >= least, f"the page has {count} exercises; write at least {least}"


@each_page
def test_a_question_has_its_anchor_and_its_link(page):
    text, home = page.read_text(), (ROOT / "docs/index.md").read_text()
    for number in front_matter(page)["questions"]:
        anchor = f"question-{number}"
        assert f"{{#{anchor}}}" in text, f"question {number} needs a heading with {{#{anchor}}}"
        link = rf"^{number}\. \[.+\]\(topics/{page.stem}\.md#{anchor}\)$"
        assert re.search(link, home, re.MULTILINE), f"docs/index.md must link question {number}"


def test_every_question_of_the_home_page_is_answered_by_one_page():
    home = (ROOT / "docs/index.md").read_text()
    listed = [int(number) for number in re.findall(r"^(\d+)\. ", home, re.MULTILINE)]
    # Markdown counts a list up from its first number, whatever the others say.
    assert listed == list(range(1, len(listed) + 1)), f"the home page counts {listed}"
    answered = sorted(number for page in PAGES for number in front_matter(page)["questions"])
    assert answered == listed, f"pages answer {answered}, the home page lists {listed}"


@each_page
def test_the_navigation_names_every_topic(page):
    navigation, topic = (ROOT / "mkdocs.yml").read_text(), Topic.of(page)
    for entry in (f"topics/{topic.stem}.md", f"reference/{topic.module}.md"):
        assert f": {entry}\n" in navigation, f"mkdocs.yml must name {entry} under `nav`"


def test_the_table_in_contributing_names_every_part():
    table = (ROOT / "CONTRIBUTING.md").read_text().split("## A page")[0]
    named = re.findall(r"`([\w/<>.]+\.(?:py|md|yml))`", table)
    topic = Topic("<stem>", "ops", "<stem>")
    every = [*topic.parts, *topic.derivation, *topic.exercises]
    missing = [path for path in every if path not in named]
    assert not missing, f"the table of CONTRIBUTING.md must name {missing}"
    gone = [path for path in named if "<" not in path and not (ROOT / path).is_file()]
    assert not gone, f"CONTRIBUTING.md names files that do not exist: {gone}"


def page(text: str, folder: Path) -> Path:
    path = folder / "flip.md"
    path.write_text(f"---\n{text}\n---\n")
    return path


def test_a_topic_is_read_from_the_front_matter_of_its_page(tmp_path):
    assert Topic.of(page("ops: shift", tmp_path)) == Topic("flip", "ops", "shift")
    with pytest.raises(ValueError, match="must name one module"):
        Topic.of(page("title: Flips", tmp_path))


def test_what_is_left_to_fill_in_is_found_by_line(tmp_path):
    for name in Topic("flip", "ops", "flip").parts:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"one\n  two {BLANK}: what\n")
    left = Topic("flip", "ops", "flip").blanks(tmp_path)
    assert len(left) == 6
    assert f"docs/topics/flip.md:2: {BLANK}: what" in left
