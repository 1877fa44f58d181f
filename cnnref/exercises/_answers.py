r"""The kinds of answer an exercise can ask for: how each is read, compared and written.

An answer reads what a reader types: spaces, brackets, fractions and the multiplication sign are
a matter of form. The value has to be right.
"""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Rational, Real
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np

from cnnref._types import Array
from cnnref.exercises._latex import matrix
from cnnref.worked.numbers import show

_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?:\s*/\s*\d+)?")
_BLANK = re.compile(r"[\s\[\](){},;|&\\×x*]*")
_THOUSANDS = re.compile(r"(?<=\d)[,'’_\u00a0\u202f](?=\d{3}(?!\d))")
_MINUS = str.maketrans("−–", "--")
TOLERANCE = 1e-9
"""How far two numbers that count as equal may differ, relative to the larger one."""


Rows: TypeAlias = "tuple[tuple[float | Fraction, ...], ...]"
"""Numbers as a reader gave them, row by row."""


class AnswerError(ValueError):
    """What a reader gave cannot be read as an answer; the message says what to write."""


class Answer(ABC):
    """The right answer to an exercise, or the wrong one that a mistake leads to."""

    wanted: ClassVar[str]
    """What to write, as the end of the sentence "Write …"."""

    @abstractmethod
    def read(self, given: object) -> Any:
        """Turn what a reader gave into a value to compare.

        Raises:
            AnswerError: It cannot be read.
        """

    @abstractmethod
    def agrees(self, value: Any) -> bool:
        """Whether a value that `read` returned is this answer."""

    @abstractmethod
    def to_markdown(self) -> str:
        """Write the answer as Markdown with LaTeX maths."""

    @abstractmethod
    def like(self, value: object) -> Answer:
        """Return another answer of this form: the same unit, digits or options.

        Raises:
            TypeError: No reader could give the value as an answer of this form.
        """

    @abstractmethod
    def as_given(self) -> object:
        """Return the answer as a reader could give it."""

    def hint(self, value: Any) -> str:
        """Say where a wrong value differs from this answer, without giving the answer away."""
        return ""

    def refuse(self, given: object) -> AnswerError:
        """Return the error for what cannot be read."""
        return AnswerError(f"{given!r} is not an answer to this exercise. Write {self.wanted}.")


@dataclass(frozen=True)
class Number(Answer):
    """A number.

    Attributes:
        value: The number.
        unit: What it counts, such as ``"weights"``.
        digits: The significant digits asked for; None asks for the exact number.
    """

    value: int | float | Fraction
    unit: str = ""
    digits: int | None = None

    wanted: ClassVar[str] = "a number, such as 12, -0.5 or 1/3"

    def read(self, given: object) -> float | Fraction:
        if isinstance(given, str):
            text = _THOUSANDS.sub("", given.translate(_MINUS)).strip()
            text = text.removesuffix(self.unit).strip() if self.unit else text
            if not _NUMBER.fullmatch(text):
                raise self.refuse(given)
            return _exact(text, self)
        if isinstance(given, np.ndarray) and given.size == 1:
            given = given.item()
        if isinstance(given, np.generic):
            given = given.item()
        if isinstance(given, (bool, np.bool_)) or not isinstance(given, Real):
            raise self.refuse(given)
        return Fraction(given) if isinstance(given, Rational) else float(given)

    def agrees(self, value: float | Fraction) -> bool:
        if self.digits is None:
            return _close(value, self.value)
        # Right to the digits asked for: within half of the last one, and a little for rounding.
        size = abs(float(self.value))
        unit = 10.0 ** (np.floor(np.log10(size)) + 1 - self.digits) if size else 10.0**-self.digits
        return abs(float(value) - float(self.value)) <= 0.501 * unit

    def to_markdown(self) -> str:
        if self.digits is not None:
            shown = f"{float(self.value):.{self.digits}g}"
            text = str(int(float(shown))) if "e" in shown and float(shown).is_integer() else shown
        elif isinstance(self.value, Fraction) and self.value.denominator > 1:
            text = f"{self.value.numerator}/{self.value.denominator}"
        else:
            text = str(show(float(self.value) if isinstance(self.value, Fraction) else self.value))
        text = f"{int(text):,}" if text.lstrip("-").isdigit() else text
        return f"{text.replace('-', '−')} {self.unit}".strip()

    def like(self, value: object) -> Number:
        wrong = _same_kind(self, value)
        return replace(self, value=wrong.value)

    def as_given(self) -> object:
        return self.value


@dataclass(frozen=True)
class Shape(Answer):
    """A shape or a size along several axes, such as 3×32×32."""

    sizes: tuple[int, ...]

    wanted: ClassVar[str] = "one number per axis, such as 3×32×32 or (3, 32, 32)"

    def read(self, given: object) -> tuple[float | Fraction, ...]:
        rows = _table(given, self)
        return tuple(number for row in rows for number in row)

    def agrees(self, value: tuple[float | Fraction, ...]) -> bool:
        return len(value) == len(self.sizes) and all(map(_close, value, self.sizes))

    def to_markdown(self) -> str:
        return "×".join(map(str, self.sizes))

    def like(self, value: object) -> Shape:
        return _same_kind(self, value)

    def as_given(self) -> object:
        return self.sizes

    def hint(self, value: tuple[float | Fraction, ...]) -> str:
        if len(value) != len(self.sizes):
            return f"The answer has {len(self.sizes)} numbers; yours has {len(value)}."
        axis = [*map(_close, value, self.sizes)].index(False)
        return f"Number {axis + 1} is not right yet."


@dataclass(frozen=True, eq=False)
class Matrix(Answer):
    """A matrix, row by row, or a list of numbers as one row.

    Attributes:
        values: The numbers, of shape (rows, columns).
        decimals: The decimals asked for; None asks for the exact numbers.
    """

    values: Array
    decimals: int | None = None

    wanted: ClassVar[str] = "the numbers row by row, such as 1 2; 3 4 or [[1, 2], [3, 4]]"

    def read(self, given: object) -> Rows:
        return _table(given, self)

    def agrees(self, value: Rows) -> bool:
        return self._shape(value) == self.values.shape and self._wrong(value) is None

    def to_markdown(self) -> str:
        return f"$$\n{matrix(self.values, self.decimals)}\n$$"

    def like(self, value: object) -> Matrix:
        wrong = _same_kind(self, value)
        return replace(self, values=wrong.values)

    def as_given(self) -> object:
        return self.values

    def hint(self, value: Rows) -> str:
        shape = self._shape(value)
        if shape != self.values.shape:
            right, yours = ("×".join(map(str, s)) for s in (self.values.shape, shape))
            return f"The answer has the shape {right}; yours has {yours}."
        wrong = self._wrong(value)
        assert wrong is not None, "a right matrix has no hint"
        row, column = wrong
        return f"The first wrong number is in row {row + 1}, column {column + 1}."

    @staticmethod
    def _shape(value: Rows) -> tuple[int, int]:
        return len(value), len(value[0])

    def _wrong(self, value: Rows) -> tuple[int, int] | None:
        """Return the first cell that differs."""
        for row, column in np.ndindex(*self.values.shape):
            right, yours = self.values[row, column].item(), value[row][column]
            if self.decimals is None:
                same = _close(yours, right)
            else:
                same = abs(float(yours) - right) <= 0.501 * 10.0**-self.decimals
            if not same:
                return row, column
        return None


@dataclass(frozen=True)
class Choice(Answer):
    """One of several statements.

    Attributes:
        options: The statements in the order shown; a reader answers with a letter or the text.
        right: The index of the right one.
    """

    options: tuple[str, ...]
    right: int

    wanted: ClassVar[str] = "the letter of one option"

    def read(self, given: object) -> int:
        text = str(given).strip().rstrip(".)").lower()
        letters = "abcdefghijklmnopqrstuvwxyz"[: len(self.options)]
        if len(text) == 1 and text in letters:
            return letters.index(text)
        found = [i for i, option in enumerate(self.options) if option.lower().rstrip(".") == text]
        if not found:
            raise self.refuse(given)
        return found[0]

    def agrees(self, value: int) -> bool:
        return value == self.right

    def to_markdown(self) -> str:
        return f"**{chr(ord('a') + self.right)})** {self.options[self.right]}"

    def like(self, value: object) -> Choice:
        if not isinstance(value, int) or not 0 <= value < len(self.options):
            raise TypeError(f"`value` ({value!r}) must be the index of an option")
        return replace(self, right=value)

    def as_given(self) -> object:
        return chr(ord("a") + self.right)


@dataclass(frozen=True)
class Ordering(Answer):
    """Items to put in order.

    Attributes:
        items: The items in the order shown; a reader answers with their letters.
        order: The indices of the items in the right order.
    """

    items: tuple[str, ...]
    order: tuple[int, ...]

    wanted: ClassVar[str] = "the letters in order, such as b, a, c"

    def read(self, given: object) -> tuple[int, ...]:
        text = given if isinstance(given, str) else " ".join(map(str, _sequence(given, self)))
        letters = re.findall(r"[a-z]", text.lower())
        indices = tuple(ord(letter) - ord("a") for letter in letters)
        if sorted(indices) != list(range(len(self.items))):
            raise self.refuse(given)
        return indices

    def agrees(self, value: tuple[int, ...]) -> bool:
        return value == self.order

    def to_markdown(self) -> str:
        return ", ".join(chr(ord("a") + index) for index in self.order)

    def like(self, value: object) -> Ordering:
        if not isinstance(value, tuple) or sorted(value) != sorted(self.order):
            raise TypeError(f"`value` ({value!r}) must be indices of items in another order")
        return replace(self, order=value)

    def as_given(self) -> object:
        return self.to_markdown()

    def hint(self, value: tuple[int, ...]) -> str:
        place = [*map(operator.eq, value, self.order)].index(False)
        return f"Place {place + 1} is not right yet."


@dataclass(frozen=True)
class Explanation(Answer):
    """An answer in sentences, which a reader compares with the points it should contain.

    Attributes:
        points: What a full answer says.
    """

    points: tuple[str, ...]

    wanted: ClassVar[str] = "a few sentences"

    def read(self, given: object) -> str:
        if not isinstance(given, str) or not given.strip():
            raise self.refuse(given)
        return given

    def agrees(self, value: str) -> bool:
        return False  # no rule can tell; `Exercise.grade` shows the points instead

    def to_markdown(self) -> str:
        return "A full answer says:\n\n" + "\n".join(f"- {point}" for point in self.points)

    def like(self, value: object) -> Explanation:
        raise TypeError("an explanation has no known wrong answers")

    def as_given(self) -> object:
        return " ".join(self.points)


def as_answer(value: object) -> Answer:
    """Return a plain value as an answer: a number, a tuple of sizes, or an array.

    Raises:
        TypeError: The value is none of these.
    """
    match value:
        case Answer():
            return value
        case bool() | np.bool_():
            pass
        case int() | float() | Fraction():
            return Number(value)
        case np.generic():
            return Number(value.item())
        case tuple():
            return Shape(tuple(int(size) for size in value))
        case np.ndarray() if value.ndim <= 2 and value.size:
            return Matrix(np.atleast_2d(value))
    raise TypeError(
        f"`answer` ({value!r}) must be a number, a tuple of sizes, a matrix or an Answer"
    )


Form = TypeVar("Form", bound=Answer)


def _same_kind(right: Form, value: object) -> Form:
    """Return a value as an answer of the same class."""
    wrong = as_answer(value)
    if not isinstance(wrong, type(right)):
        raise TypeError(f"`value` ({value!r}) must be a {type(right).__name__}")
    return wrong


def _close(a: float | Fraction, b: float | Fraction) -> bool:
    if isinstance(a, Rational) and isinstance(b, Rational):
        return a == b
    x, y = float(a), float(b)
    return x == y or abs(x - y) <= TOLERANCE * max(1.0, abs(x), abs(y))


def _exact(text: str, answer: Answer) -> Fraction:
    """Return the number that a text writes, as a fraction so that 0.1 is a tenth."""
    top, _, bottom = text.replace(" ", "").partition("/")
    if len(top) > 40 or abs(int((re.search(r"[eE]([-+]?\d+)$", top) or [0, 0])[1])) > 300:
        raise answer.refuse(text)
    try:
        return Fraction(top) / Fraction(bottom or 1)
    except ZeroDivisionError:
        raise answer.refuse(text) from None


def _sequence(given: object, answer: Answer) -> Sequence[Any]:
    if isinstance(given, np.ndarray) or hasattr(given, "tolist"):
        given = given.tolist()
    if not isinstance(given, (list, tuple)):
        raise answer.refuse(given)
    return given


def _table(given: object, answer: Answer) -> Rows:
    """Read rows of numbers from a text, a list, a list of lists or an array."""
    if isinstance(given, (int, float, Fraction)) and not isinstance(given, bool):
        given = [given]
    if isinstance(given, str):
        text = given.translate(_MINUS).strip()
        split = re.split(r"\]\s*,?\s*\[|[;\n]|\\\\", text)
        rows = [_numbers(row, answer) for row in split if _BLANK.sub("", row)]
    else:
        items = _sequence(given, answer)
        nested = [item if isinstance(item, (list, tuple)) else None for item in items]
        listed = items if all(item is not None for item in nested) else [items]
        rows = [tuple(Number(0).read(number) for number in row) for row in listed]
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise answer.refuse(given)
    return tuple(rows)


def _numbers(text: str, answer: Answer) -> tuple[float | Fraction, ...]:
    numbers = _NUMBER.findall(text)
    if _BLANK.sub("", _NUMBER.sub("", text)):
        raise answer.refuse(text)
    return tuple(_exact(number, answer) for number in numbers)
