"""Exercises with fresh numbers, computed answers, and the mistakes that lead elsewhere.

`draw` draws one exercise of a kind, `sheet` one of each kind of a topic. The modules of this
package define the kinds; importing them here registers them.
"""

import importlib
import pkgutil

from cnnref.exercises._answers import (
    Answer,
    AnswerError,
    Choice,
    Explanation,
    Matrix,
    Number,
    Ordering,
    Shape,
)
from cnnref.exercises._exercise import Draft, Exercise, Grade, Mistake
from cnnref.exercises._kinds import Sheet, draw, kind, kinds, sheet

__all__ = [
    "Answer",
    "AnswerError",
    "Choice",
    "Draft",
    "Exercise",
    "Explanation",
    "Grade",
    "Matrix",
    "Mistake",
    "Number",
    "Ordering",
    "Shape",
    "Sheet",
    "draw",
    "kind",
    "kinds",
    "sheet",
]

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
