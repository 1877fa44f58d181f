"""Every kind of exercise: its answer is graded right, each of its mistakes by name."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from cnnref import exercises
from cnnref.exercises import (
    Choice,
    Draft,
    Exercise,
    Explanation,
    Matrix,
    Number,
    Ordering,
    Shape,
)
from cnnref.exercises._answers import as_answer
from cnnref.exercises._exercise import LEVELS, TASKS, finish
from cnnref.exercises._kinds import kind
from cnnref.worked import output_shape
from tests.helpers.refusals import refused
from tests.helpers.repository import ROOT

KINDS, SEEDS = exercises.kinds(), range(50)
each_kind = pytest.mark.parametrize("name", KINDS)


def exercise(answer, mistakes=(), solution="") -> Exercise:
    made = finish("flip.it", 0, "easy", "compute", Draft("?", answer, solution, mistakes))
    assert made is not None, "a mistake leads to the right answer"
    return made


@each_kind
def test_the_answer_is_right_and_each_mistake_is_named(name):
    for seed in SEEDS:
        drawn = exercises.draw(name, seed)
        grade = drawn.grade(drawn.answer.as_given())
        expected = None if isinstance(drawn.answer, Explanation) else True
        assert grade.right is expected, f"seed {seed}: {grade}"
        for mistake in drawn.mistakes:
            grade = drawn.grade(mistake.answer.as_given())
            assert grade.right is False, f"seed {seed}: {mistake} is graded right"
            assert mistake in grade.mistakes, f"seed {seed}: {mistake} is not named"
            assert mistake.explanation in grade.message


@each_kind
def test_what_a_page_shows_can_be_typed_back(name):
    for seed in SEEDS:
        answer = exercises.draw(name, seed).answer
        if isinstance(answer, (Number, Shape, Ordering)):
            assert answer.agrees(answer.read(answer.to_markdown())), f"seed {seed}: {answer}"


@each_kind
def test_a_seed_draws_the_same_exercise_again(name):
    first = [exercises.draw(name, seed).to_markdown() for seed in SEEDS]
    assert first == [exercises.draw(name, seed).to_markdown() for seed in SEEDS]
    if exercises.draw(name).task != "explain":
        assert len(set(first)) > 1, "every seed draws the same numbers"


@each_kind
def test_a_kind_belongs_to_a_page_and_links_to_its_sections(name):
    drawn = exercises.draw(name)
    page = ROOT / f"docs/topics/{drawn.topic}.md"
    assert page.is_file(), f"{page} does not exist"
    assert drawn.level in LEVELS
    assert drawn.task in TASKS
    for mistake in drawn.mistakes:
        assert mistake.explanation.endswith((".", "?")), f"not a sentence: {mistake.explanation}"


def test_kinds_are_listed_by_level():
    levels = [LEVELS.index(exercises.draw(name).level) for name in exercises.kinds("padding")]
    assert levels == sorted(levels)
    assert set(exercises.kinds("padding")) < set(KINDS) or len(KINDS) == len(levels)


def test_a_sheet_has_one_exercise_of_each_kind():
    sheet = exercises.sheet("padding", seed=4)
    assert [one.kind for one in sheet.exercises] == list(exercises.kinds("padding"))
    assert {one.seed for one in sheet.exercises} == {4}
    hard = exercises.sheet(["padding"], level="exam")
    assert {one.level for one in hard.exercises} == {"exam"}
    text = sheet.to_markdown()
    assert text.startswith("**1.** *(easy, compute)* ")
    assert text.count('\n\n??? success "Answer"\n\n    ') == len(sheet.exercises)
    assert str(sheet).startswith("1. ")
    assert "Answer" not in str(sheet)
    assert sheet._repr_markdown_() == text


def test_bad_arguments_are_refused_by_name():
    with refused(ValueError, "kind", "'padding.sise'"):
        exercises.draw("padding.sise")
    with refused(ValueError, "seed", "-1"):
        exercises.draw("padding.size", -1)
    with refused(TypeError, "seed"):
        exercises.draw("padding.size", 0.5)
    with refused(ValueError, "topic", "'pading'"):
        exercises.kinds("pading")
    with refused(ValueError, "level", "'hard'"):
        exercises.sheet("padding", level="hard")


def test_a_name_is_registered_once():
    with refused(ValueError, "name", "'padding.size'"):
        kind("padding.size", level="easy", task="compute")(lambda rng: Draft("?", 1, ""))


@pytest.mark.parametrize(
    ("answer", "right", "wrong"),
    [
        (12, [12, 12.0, "12", " 12 ", "12.0", "1.2e1", "24/2", np.int64(12), np.array(12)],
         [13, "−12"]),
        (-9, ["-9", "−9", -9.0], ["9"]),
        (4096, ["4,096", "4096"], ["4.096"]),
        (Fraction(1, 3), ["1/3", "2 / 6", Fraction(1, 3), 1 / 3], ["0.33", 0.333]),
        (0.1, ["0.1", "1/10", 0.1], ["0.11"]),
        (Number(35, "weights"), ["35", "35 weights"], ["36 weights"]),
        (Number(3.14159, digits=3), ["3.14", "3.142", 3.1416], ["3.1", "3.15"]),
        (Number(0.0, digits=2), ["0"], ["0.1"]),
        ((3, 32, 32), ["3×32×32", "3x32x32", "(3, 32, 32)", [3, 32, 32], (3, 32, 32)],
         ["32×32×3", "3×32"]),
        (np.array([[1, 2], [3, 4]]),
         ["1 2; 3 4", "[[1, 2], [3, 4]]", "1,2\n3,4", [[1, 2], [3, 4]], np.array([[1, 2], [3, 4]]),
          torch.tensor([[1, 2], [3, 4]]), r"1 & 2 \\ 3 & 4"],
         ["1 2 3 4", "1 3; 2 4", [[1, 2, 3], [4, 5, 6]]]),
        (np.array([5, 6]), ["5 6", [5, 6], [[5, 6]]], ["5; 6"]),
        (Matrix(np.array([[0.123, 0.5]]), decimals=2), ["0.12 0.50", [[0.123, 0.5]]], ["0.13 0.5"]),
        (Choice(("Yes.", "No."), 1), ["b", "B)", "No", "no."], ["a", "yes"]),
        (Ordering(("x", "y", "z"), (2, 0, 1)), ["c, a, b", "cab", ["c", "a", "b"]], ["abc"]),
    ],
)  # fmt: skip
def test_form_is_forgiven_and_value_is_not(answer, right, wrong):
    asked = exercise(answer)
    for given_ in right:
        assert asked.grade(given_).right is True, f"{given_!r}: {asked.grade(given_)}"
    for given_ in wrong:
        assert asked.grade(given_).right is False, f"{given_!r} is graded right"


@pytest.mark.parametrize(
    ("answer", "given_", "told"),
    [
        (12, "many", "Write a number"),
        (12, True, "Write a number"),
        (12, "1/0", "Write a number"),
        (12, "1e999", "Write a number"),
        (12, None, "Write a number"),
        ((2, 3), "two", "Write one number per axis"),
        ((2, 3), "2×3×4", "The answer has 2 numbers; yours has 3"),
        ((2, 3), "3×2", "Number 1 is not right yet"),
        (np.eye(2), "1 0; 0", "Write the numbers row by row"),
        (np.eye(2), "1 0; 1 1", "The first wrong number is in row 2, column 1"),
        (np.eye(2), "1 0 0; 0 1 0", "The answer has the shape 2×2; yours has 2×3"),
        (np.eye(2), "", "Write the numbers row by row"),
        (np.eye(2), [[True, 0], [0, 1]], "Write a number"),
        (Choice(("Yes.", "No."), 0), "c", "Write the letter"),
        (Ordering(("x", "y"), (1, 0)), "a", "Write the letters in order"),
        (Ordering(("x", "y"), (1, 0)), "ab", "Place 1 is not right yet"),
        (Explanation(("Because.",)), " ", "Write a few sentences"),
    ],
)
def test_a_wrong_or_unreadable_answer_gets_a_sentence(answer, given_, told):
    grade = exercise(answer).grade(given_)
    assert grade.right is False
    assert told in str(grade)
    assert not grade.mistakes


def test_two_mistakes_with_one_answer_are_both_named():
    asked = exercise(5, [(6, "You added."), (6, "You counted twice."), (None, "Not here.")])
    assert len(asked.mistakes) == 2
    assert str(asked.grade(6)) == "Not right. You added. You counted twice."


def test_a_mistake_that_leads_to_the_right_answer_spoils_the_draw():
    assert finish("flip.it", 0, "easy", "compute", Draft("?", 5, "", [(5.0, "By chance.")])) is None


def test_a_mistake_is_written_like_the_answer():
    asked = exercise(Number(2, "weights"), [(3, "You counted the bias.", "#bias")])
    text = asked.to_markdown(7)
    assert text.startswith("**7.** *(easy, compute)* ?\n")
    assert "- 3 weights: You counted the bias. [See above.](#bias)" in text
    with pytest.raises(TypeError, match="must be a Number"):
        exercise(5, [((5, 6), "Another form.")])


def test_a_solution_can_be_a_derivation():
    steps = output_shape((1, 8, 8), (4, 1, 3, 3))
    text = exercise(5, solution=["First.", steps]).to_markdown()
    assert "    First." in text
    assert steps.to_markdown(grid=False).split("\n")[0] in text


def test_an_explanation_is_compared_by_the_reader():
    grade = exercise(Explanation(("It is linear.",))).grade("It adds up.")
    assert grade.right is None
    assert "- It is linear." in grade.message


def test_other_answers_are_refused():
    for wrong in (True, "12", None, np.zeros((2, 2, 2)), np.zeros((0, 2))):
        with refused(TypeError, "answer"):
            as_answer(wrong)


@given(st.one_of(st.text(), st.lists(st.lists(st.text())), st.none(), st.booleans(), st.floats()))
@example("9" * 5000)
@example("1e400")
@example(float("nan"))
@example([[]])
def test_no_answer_raises(given_):
    for answer in (3, (2, 3), np.eye(2), Choice(("x", "y"), 0), Ordering(("x", "y"), (1, 0))):
        assert isinstance(exercise(answer).grade(given_).message, str)
