"""Inline values: `{{= EXPR }}` and `{{= EXPR :spec }}` in prose, tables, maths and alt texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

OPEN, CLOSE = "\ue000", "\ue001"
"""The characters around a computed value where it cannot be an HTML element."""

_VALUE = re.compile(r"\{\{=([^\n]*?)\}\}(?!\})")
_SPEC = re.compile(r"(.*?)\s+:([^\s\])}]+)", re.DOTALL)
_COMMENT_OR_VALUE = re.compile(rf"<!--(?s:.*?)-->|{_VALUE.pattern}")
# Where a value is inserted as bare text between the characters above: HTML inside code, maths or an
# attribute would be shown as it is, or would break them.
_VERBATIM = re.compile(
    r"""
      (?<!`)(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`)
    | (?<!\\)\$\$.+?\$\$
    | (?<![\\$])\$(?![\s$])(?:\\.|\n(?!\s*\n)|[^$\\\n])+?(?<!\s)\$(?!\d)
    | \\\(.+?\\\) | \\\[.+?\\\]
    | (?P<tag></?[A-Za-z](?:"[^"]*"|'[^']*'|[^<>"'])*>)
    | !\[[^\]]*\]\(
    """,
    re.DOTALL | re.VERBOSE,
)
_SLOT = re.compile("\ue002(\\d+)\ue003")


@dataclass(frozen=True)
class Value:
    """An expression, the format of its result, and the number of lines above it in its text."""

    expression: str
    spec: str = ""
    line: int = 0


def parse_value(text: str, line: int = 0) -> Value:
    """Parse the text between `{{=` and `}}`."""
    text = text.strip()
    if split := _SPEC.fullmatch(text):
        return Value(split[1], split[2], line)
    return Value(text, line=line)


def fill(text: str, answer: Callable[[Value], str]) -> str:
    """Insert the values of a Markdown text, except in comments."""
    answers: list[str] = []

    def slot(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        answers.append(answer(parse_value(match[1], text.count("\n", 0, match.start()))))
        return f"\ue002{len(answers) - 1}\ue003"

    def put(part: str, form: Callable[[str], str]) -> str:
        return _SLOT.sub(lambda match: form(answers[int(match[1])]), part)

    # Slots first, so that a dollar sign or a quote in an expression opens nothing.
    slots = _COMMENT_OR_VALUE.sub(slot, text)
    pieces: list[str] = []
    position = 0
    for verbatim in _VERBATIM.finditer(slots):
        pieces.append(put(slots[position : verbatim.start()], _element))
        pieces.append(put(verbatim[0], _bare_entities if verbatim["tag"] else _bare))
        position = verbatim.end()
    return "".join([*pieces, put(slots[position:], _element)])


def fill_plain(text: str, answer: Callable[[Value], str]) -> str:
    """Insert the values of a text that is not Markdown."""
    return _VALUE.sub(lambda match: _bare(answer(parse_value(match[1]))), text)


def strip_sentinels(text: str) -> str:
    """Remove the characters that mark computed text."""
    return text.replace(OPEN, "").replace(CLOSE, "")


def _element(text: str) -> str:
    return f'<data class="computed">{_entities(text)}</data>'


def _bare_entities(text: str) -> str:
    return _bare(_entities(text))


def _bare(text: str) -> str:
    return f"{OPEN}{text}{CLOSE}"


def _entities(text: str) -> str:
    """Write the characters that Markdown or HTML would read as markup as character references."""
    return re.sub(r"""[\\`*_{}\[\]<>&|~^$"'#!=+]""", lambda m: f"&#{ord(m[0])};", text)
