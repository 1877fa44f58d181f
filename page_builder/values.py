"""Inline values: `{{= EXPR }}` and `{{= EXPR :spec }}` in prose, tables, maths and alt texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

OPEN, CLOSE = "\ue000", "\ue001"

_VALUE = re.compile(r"\{\{=([^\n]*?)\}\}(?!\})")
_SPEC = re.compile(r"(.*?)\s+:([^\s\])}]+)", re.DOTALL)

# Where a value is put in as bare text between sentinels. HTML inside code, maths or an attribute
# would be shown or would break it.
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
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SLOT = re.compile("\ue002(\\d+)\ue003")


@dataclass(frozen=True)
class Value:
    """An expression and how its value is formatted."""

    expression: str
    spec: str = ""


def parse_value(text: str) -> Value:
    """Parse the text between `{{=` and `}}`."""
    text = text.strip()
    if split := _SPEC.fullmatch(text):
        return Value(split.group(1), split.group(2))
    return Value(text)


def find(text: str) -> list[tuple[int, Value]]:
    """Find the inline values of a text, with the offset of each; comments are passed over."""
    comments = [comment.span() for comment in _COMMENT.finditer(text)]
    return [
        (match.start(), parse_value(match.group(1)))
        for match in _VALUE.finditer(text)
        if not any(start <= match.start() < end for start, end in comments)
    ]


def fill(text: str, answer: Callable[[Value], str]) -> str:
    """Put the values of a Markdown text in, in the order in which `find` lists them."""
    answers: list[str] = []

    def slot(match: re.Match[str]) -> str:
        if match.group().startswith("<!--"):
            return match.group()
        answers.append(answer(parse_value(match.group(1))))
        return f"\ue002{len(answers) - 1}\ue003"

    def put(part: str, form: Callable[[str], str]) -> str:
        return _SLOT.sub(lambda match: form(answers[int(match.group(1))]), part)

    # Slots first, so that a dollar sign or a quote in an expression opens nothing.
    text = re.sub(f"{_COMMENT.pattern}|{_VALUE.pattern}", slot, text, flags=re.DOTALL)
    pieces: list[str] = []
    position = 0
    for verbatim in _VERBATIM.finditer(text):
        pieces.append(put(text[position : verbatim.start()], _element))
        form = _bare_entities if verbatim.group("tag") else _bare
        pieces.append(put(verbatim.group(), form))
        position = verbatim.end()
    pieces.append(put(text[position:], _element))
    return "".join(pieces)


def fill_plain(text: str, answer: Callable[[Value], str]) -> str:
    """Put the values of a text in as they are, each between the sentinels."""
    return _VALUE.sub(lambda match: _bare(answer(parse_value(match.group(1)))), text)


def _element(text: str) -> str:
    return f'<data class="computed">{_entities(text)}</data>'


def _bare_entities(text: str) -> str:
    return _bare(_entities(text))


def _bare(text: str) -> str:
    return f"{OPEN}{text}{CLOSE}"


def _entities(text: str) -> str:
    """Write what Markdown or HTML would read as markup as character references."""
    return re.sub(r"""[\\`*_{}\[\]<>&|~^$"'#!=+]""", lambda m: f"&#{ord(m.group())};", text)
