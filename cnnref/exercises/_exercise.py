"""An exercise: its question, its answer, the way to it, and the mistakes that lead elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cnnref.exercises._answers import Answer, AnswerError, Choice, Explanation, Ordering, as_answer
from cnnref.worked.solution import Solution

Level: TypeAlias = Literal["easy", "standard", "exam"]
Task: TypeAlias = Literal["compute", "inverse", "design", "find the bug", "estimate", "explain"]

LEVELS: tuple[Level, ...] = ("easy", "standard", "exam")
TASKS: tuple[Task, ...] = ("compute", "inverse", "design", "find the bug", "estimate", "explain")


@dataclass(frozen=True)
class Mistake:
    """A known mistake, and the answer it leads to.

    Attributes:
        answer: The wrong answer.
        explanation: One sentence to the reader who gave it: "You …".
        section: Where the topic's page explains it, as an anchor such as ``"#counting"``, or "".
    """

    answer: Answer
    explanation: str
    section: str = ""


@dataclass(frozen=True)
class Grade:
    """What came of an answer.

    Attributes:
        right: Whether the answer is right; None if only the reader can tell, as with explanations.
        mistakes: The known mistakes that lead to this answer. Two may lead to the same one.
        message: What to tell the reader.
    """

    right: bool | None
    mistakes: tuple[Mistake, ...]
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Draft:
    """What the author of a kind returns for one draw.

    Attributes:
        question: The question with all givens, as Markdown with LaTeX maths.
        answer: The right answer; a plain number, a tuple of sizes or a matrix will do.
        solution: How to get there: a derivation of `cnnref.worked`, Markdown, or several of these.
        mistakes: Known mistakes as (answer, explanation) or (answer, explanation, section). One
            whose answer is None does not apply to these givens.
    """

    question: str
    answer: object
    solution: str | Solution | Iterable[str | Solution]
    mistakes: Iterable[tuple[object, str] | tuple[object, str, str]] = ()


@dataclass(frozen=True)
class Exercise:
    """One exercise with its numbers.

    Attributes:
        kind: The kind it was drawn from, such as ``"padding.size"``.
        seed: The seed that draws it again.
        level: How hard it is.
        task: What it asks the reader to do.
        question: The question with all givens, as Markdown with LaTeX maths.
        answer: The right answer.
        solution: How to get there, as Markdown with LaTeX maths.
        mistakes: The known mistakes, and where each leads.
    """

    kind: str
    seed: int
    level: Level
    task: Task
    question: str
    answer: Answer = field(repr=False)
    solution: str = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(repr=False)

    @property
    def topic(self) -> str:
        """The stem of the page that teaches it."""
        return self.kind.split(".")[0]

    def grade(self, answer: object) -> Grade:
        """Compare an answer with the right one and with what known mistakes lead to.

        Args:
            answer: A number, a sequence, an array, or the text a reader typed: ``"1/3"``,
                ``"3×32×32"``, ``"1 2; 3 4"``, the letter of an option.

        Returns:
            Whether it is right, which mistakes lead to it, and a message. An answer that cannot be
            read is not an error: it is not right, and the message says what to write.

        Example:
            >>> from cnnref import exercises
            >>> exercise = exercises.draw("padding.size", seed=0)
            >>> exercise.grade(exercise.answer.to_markdown()).right
            True
        """
        try:
            value = self.answer.read(answer)
        except AnswerError as error:
            return Grade(False, (), str(error))
        if isinstance(self.answer, Explanation):
            return Grade(None, (), self.answer.to_markdown())
        if self.answer.agrees(value):
            return Grade(True, (), "Right.")
        made = tuple(mistake for mistake in self.mistakes if mistake.answer.agrees(value))
        told = " ".join(mistake.explanation for mistake in made) or self.answer.hint(value)
        return Grade(False, made, f"Not right. {told}".rstrip())

    def question_markdown(self) -> str:
        """Write the question, with its options if it has any."""
        match self.answer:
            case Choice(listed, _) | Ordering(listed, _):
                letters = [f"- **{chr(ord('a') + i)})** {text}" for i, text in enumerate(listed)]
                return "\n".join([self.question, "", *letters])
        return self.question

    def to_markdown(self, number: int | None = None) -> str:
        """Write the exercise as Markdown with its answer folded, as the site's pages show it.

        Args:
            number: The number to put in front.
        """
        head = f"**{number}.** " if number is not None else ""
        answer = self.answer.to_markdown()
        if not isinstance(self.answer, Explanation):
            answer = f"**Answer.**{chr(10) * 2 if answer.startswith('$$') else ' '}{answer}"
        parts = [answer, self.solution]
        if self.mistakes:
            parts.append("**If you have something else**")
            parts.append("\n".join(map(_mistake, self.mistakes)))
        inside = "\n\n".join(part for part in parts if part)
        folded = "\n".join(f"    {row}" if row else "" for row in inside.split("\n"))
        label = f"{head}*({self.level}, {self.task})* {self.question_markdown()}"
        return f'{label}\n\n??? success "Answer"\n\n{folded}'

    def __str__(self) -> str:
        return self.question_markdown()


def finish(kind: str, seed: int, level: Level, task: Task, draft: Draft) -> Exercise | None:
    """Make an exercise of a draft; None if a mistake would lead to the right answer."""
    answer = as_answer(draft.answer)
    mistakes = []
    for wrong, explanation, *section in draft.mistakes:
        if wrong is not None:
            mistakes.append(Mistake(answer.like(wrong), explanation, *section))
            if answer.agrees(answer.read(mistakes[-1].answer.as_given())):
                return None
    listed = draft.solution
    parts = [listed] if isinstance(listed, (str, Solution)) else list(listed)
    solution = "\n\n".join(
        part.to_markdown(grid=False) if isinstance(part, Solution) else part for part in parts
    )
    return Exercise(kind, seed, level, task, draft.question, answer, solution, tuple(mistakes))


def _mistake(mistake: Mistake) -> str:
    link = f" [See above.]({mistake.section})" if mistake.section else ""
    answer = mistake.answer.to_markdown()
    if answer.startswith("$$"):  # in a display of its own, which scrolls if it is too wide
        shown = "\n".join(f"    {row}" for row in answer.split("\n"))
        return f"- {mistake.explanation}{link}\n\n{shown}\n"
    return f"- {answer}: {mistake.explanation}{link}"
