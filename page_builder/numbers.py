"""The number check: a number on a page was computed, is declared as given, or is refused.

The check turns the HTML of a page into one string of visible text, and notes for each character
where it comes from. Then it looks at each number.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from bs4 import BeautifulSoup
from bs4.element import Comment, NavigableString, Tag

from page_builder.values import CLOSE, OPEN

PROSE, TEX, CODE, COMPUTED = "ptcv"

_SKIPPED_TAGS = {"script", "style", "template", "noscript", "data"}
_SKIPPED_CLASSES = {
    "cnnref-derivation",  # computed
    "cnnref-output",  # compared with what the code prints
    "doc-object",  # docstrings, which doctest checks
    "linenos",
    "linenodiv",
    "headerlink",
    "footnote-ref",
}
_INLINE = {
    "a", "abbr", "b", "cite", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s", "small",
    "span", "strong", "sub", "sup", "u", "var", "wbr", "data", "time",
}  # fmt: skip
_ATTRIBUTES = ("alt", "aria-label", "title")

_SUPERS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_SUBS = "₀₁₂₃₄₅₆₇₈₉"
_FRACTIONS = "¼½¾⅓⅔⅛⅜⅝⅞⅙⅚⅕⅖⅗⅘"
_NUMBER = re.compile(
    rf"""
    (?:(?<![\w)\]}}])[-−])?
    (?:(?<!\w)|(?<=\dx))(?<!\d\.)
    (?:
        \d{{1,3}}(?:(?:[,\u202f\u00a0\u2009'’]|\{{,\}})\d{{3}})+(?!\d)(?:\.\d+)?
      | \d+(?:\.\d+)?
      | (?<!\d)\.\d+
    )
    (?:[eE][+\-−]?\d+)?
  | [{_SUPERS}]+ | (?<!\w)[{_SUBS}]+ | [{_FRACTIONS}]
    """,
    re.VERBOSE,
)

_SMALL = "one|two|three|four|five|six|seven|eight|nine|ten"
_LARGE = (
    "eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    "|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|billion"
)
_PARTS = "third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|sixteenth|hundredth|thousandth"
_MEASURED = (
    "milliseconds|seconds|minutes|hours|(?:percentage )?points|percent|per cent"
    "|seeds|epochs|splits|runs|parameters|MACs"
)
# A word carries a result if it is a large number, a ratio or a fraction, or counts what was
# measured. A small count of things on the page, such as two rows, may be written as a word.
_WORDS = re.compile(
    rf"""
    \b(?:
        (?:(?:{_SMALL}|{_LARGE})[\s-]+(?:and\s+)?)*(?:{_LARGE})(?:-(?:{_SMALL}))?\b
      | (?:{_SMALL})(?:[\s-]+times|-?fold)\b
      | (?!one\b)(?:{_SMALL})\s+(?:{_MEASURED})\b
      | (?:twice|half)\s+as\b
      | (?:a|{_SMALL})[\s-](?:quarters?|(?:{_PARTS})s)\b
      | (?:a|one)[\s-](?:{_PARTS})\s+(?:of|as)\b
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)

_LIST = r"(?:\d+(?:\.\d+)*[a-z]?)(?:\s*(?:,|–|-|and|or|to|, and)\s*\(?\d+(?:\.\d+)*\)?)*"
# What may be typed in prose: numbers that name a thing, not a result.
_NAMES = re.compile(
    rf"""
      (?:§§?|\bsections?|\bsec\.|\bequations?|\beqs?\.|\btables?|\bfigures?|\bfigs?\.
         |\bquestions?|\bchapters?)\s*\(?{_LIST}\)?
    | \barxiv:\s*\d{{4}}\.\d{{4,5}}(?:v\d+)?
    | \barxiv\.org/abs/\d{{4}}\.\d{{4,5}}(?:v\d+)?
    | \b(?:doi:\s*|doi\.org/)?10\.\d{{4,9}}/\S+
    """,
    re.VERBOSE | re.IGNORECASE,
)
_YEAR = re.compile(r"(?<![\w.,×*/=+−-])(?:19|20)\d\d(?![\w×*%=/]|[.,]\d|\s*[×*=])")
_LIST_MARKER = re.compile(r"^\s*\d{1,2}\.(?=\s+[^\W\d])", re.MULTILINE)
_NAMING = (_NAMES, _YEAR, _LIST_MARKER)
# A command of TeX, or a factor. An index is after an underscore, and names its letter.
_TEX_NAMES = re.compile(r"\\[A-Za-z]+|[^\W\d_](?=\d)")
# Names that networks give their layers; a page may only use those of its own code.
_LAYER = re.compile(
    r"\b(?:fc|fire|(?:dense|res)?block|layer|stage|pool|bn|norm|inception|conv)_?\d+(?:_\d+|[a-z])?\b"
    r"(?<![123]d)"
)
_NO_LAYER = "no code of this page has a layer of that name"
_TYPED = "typed result? insert it with {{= ... }} or declare the phrase under given:"
_TIMES = r"\s*(?:×|x|\\times(?![A-Za-z]))\s*"
_COMPUTED = re.compile(f"{OPEN}(.*?){CLOSE}", re.DOTALL)
_COLOURED = re.compile(r'<span class="[a-z][a-z0-9]?">([^<]*)</span>')


@dataclass(frozen=True)
class Problem:
    """A number that is neither computed nor given, or a given phrase that is not on the page."""

    number: str
    context: str
    reason: str

    def __str__(self) -> str:
        return f"{self.number!r} in {self.context!r}: {self.reason}"


def check_page(html: str, given: list[str], code: str = "") -> list[Problem]:
    """Check the HTML of a page's content.

    Args:
        html: The content, with the sentinels in it and formulas not yet typeset.
        given: The phrases that the front matter declares.
        code: The code of the page, which names the layers that its text may name.
    """
    stream = _Stream()
    # Most elements of a page colour a word of code.
    stream.walk(BeautifulSoup(_COLOURED.sub(r"\1", html), "html.parser"))
    return stream.problems(given, code)


class _Stream:
    """The text of a page and, for each character, its kind."""

    def __init__(self) -> None:
        self.text = ""
        self.kinds = ""
        self.shown = ""  # what code printed or rendered

    def add(self, text: str, kind: str) -> None:
        """Append text. What is between the sentinels is computed."""
        for index, part in enumerate(_COMPUTED.split(text)):
            self.text += part
            self.kinds += (COMPUTED if index % 2 else kind) * len(part)

    def walk(self, node: Tag, kind: str = PROSE) -> None:
        """Append the visible text of a node."""
        for child in node.children:
            if isinstance(child, Tag):
                self._tag(child, kind)
            elif isinstance(child, NavigableString) and not isinstance(child, Comment):
                self.add(str(child), kind)

    def _tag(self, tag: Tag, kind: str) -> None:
        classes = set(tag.get_attribute_list("class"))
        if tag.name == "data" and "computed" in classes:
            self.add(OPEN + tag.get_text() + CLOSE, kind)
            return
        if tag.name in _SKIPPED_TAGS or classes & _SKIPPED_CLASSES:
            self.shown += tag.get_text(" ")
            if "cnnref-output" in classes:  # What it shows was computed; its alt texts were typed.
                for image in tag.select("img, [role=img]"):
                    self._attributes(image)
            return
        self._attributes(tag)
        if tag.name == "svg":
            for words in tag.find_all(["title", "desc"]):
                self._block(words.get_text(), PROSE)
        elif tag.name == "cnnref-math":
            around = "\n" if "cnnref-math--block" in classes else ""
            self.add(around, kind)
            self.add(str(tag["data-tex"]), TEX)
            self.add(around, kind)
        elif _is_run_python(tag):
            for text in _code_prose(tag.get_text()):
                self._block(text, CODE)
        else:
            # An exponent or an index is not another digit: 3² is not 32.
            inline = {"sup": "^", "sub": "_"}.get(tag.name, "") if tag.name in _INLINE else None
            self.add("\n" if inline is None else inline, kind)
            self.walk(tag, CODE if tag.name in ("code", "pre") else kind)
            self.add("\n" if inline is None else "", kind)

    def _attributes(self, tag: Tag) -> None:
        for name in _ATTRIBUTES:
            if value := tag.get(name):
                self._block(str(value), PROSE)

    def _block(self, text: str, kind: str) -> None:
        self.add(f"\n{text}\n", kind)

    def problems(self, given: list[str], code: str) -> list[Problem]:
        """Look at every number of the stream."""
        found: list[Problem] = []
        vouched = [kind == COMPUTED for kind in self.kinds]
        named = [match.span() for pattern in _NAMING for match in pattern.finditer(self.text)]
        spans = [(start, end) for start, end in named if TEX not in self.kinds[start:end]]
        for phrase in given:
            if _NUMBER.fullmatch(phrase.strip("`$ ")):
                reason = "a bare number cannot be given: declare it with the words around it"
                found.append(Problem(phrase, "given:", reason))
            elif places := list(_phrase_spans(phrase, self.text)):
                spans += places
            else:
                reason = "declared under given:, but it is nowhere on the page"
                found.append(Problem(phrase, "given:", reason))
        for start, end in spans:
            vouched[start:end] = [True] * (end - start)
        numbers = _NUMBER.finditer(_TEX_NAMES.sub(self._without_names, self.text))
        places = [number.span() for number in numbers]
        places += [
            words.span()
            for words in _WORDS.finditer(self.text)
            if set(self.kinds[slice(*words.span())]) == {PROSE}
        ]
        for start, end in sorted(places):
            if not all(vouched[start:end]):
                context = " ".join(self.text[max(0, start - 30) : end + 30].split())
                found.append(Problem(self.text[start:end], context, _TYPED))
        known = set(_LAYER.findall(code + self.shown))
        for name in _LAYER.finditer(self.text):
            if name[0] not in known and not all(vouched[slice(*name.span())]):
                context = " ".join(self.text[max(0, name.start() - 30) : name.end() + 30].split())
                found.append(Problem(name[0], context, _NO_LAYER))
        return found

    def _without_names(self, match: re.Match[str]) -> str:
        r"""Blank a name in TeX, so that \frac12 and y26 show their numbers."""
        return " " * len(match[0]) if self.kinds[match.start()] == TEX else match[0]


def _is_run_python(tag: Tag) -> bool:
    """Tell whether a tag contains Python code that is run."""
    return (
        tag.name == "pre"
        and tag.find_parent(class_="language-python") is not None
        and tag.find_parent(class_="cnnref-not-run") is None
    )


def _code_prose(code: str) -> Iterator[str]:
    """Yield the comments and the bare strings of Python code: what is there for readers alone."""
    fresh = True
    pending: str | None = None
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                yield token.string
            elif token.type == tokenize.STRING and fresh:
                pending = (pending or "") + token.string
            elif token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
                if pending is not None:
                    yield pending
                pending, fresh = None, True
            elif token.type not in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
                pending, fresh = None, False
    except (tokenize.TokenError, SyntaxError):
        yield code


def _phrase_spans(phrase: str, text: str) -> Iterator[tuple[int, int]]:
    """Find a given phrase, whatever its white space, its case and the way it writes ×.

    The page has lost its backticks and dollar signs, so the phrase loses them too.
    """
    phrase = re.sub(r"[`$]", "", phrase).strip()
    parts = re.findall(r"\s+|\\times(?![A-Za-z])|[^\W_]+|.", phrase)
    pattern = ""
    for index, part in enumerate(parts):
        if part.isspace():
            between = parts[index - 1][-1].isalnum() and parts[index + 1][0].isalnum()
            pattern += r"\s+" if between else r"\s*"
        elif part in ("×", r"\times"):
            pattern += _TIMES
        elif part in ("-", "−"):
            pattern += r"\s*[-−]\s*"
        elif part.isalnum():
            # 3x3 is read as one word.
            pattern += re.sub(r"(?<=\d)x(?=\d)", lambda _: _TIMES, part)
        else:
            pattern += rf"\s*{re.escape(part)}\s*"
    # An index may follow a given of a formula: 2p is in 2p_h.
    before = r"(?<![^\W_])(?<!\d[.,])" if parts and parts[0][0].isalnum() else ""
    after = r"(?![^\W_]|[.,]\d)" if parts and parts[-1][-1].isalnum() else ""
    for match in re.finditer(before + pattern + after, text, re.IGNORECASE):
        yield match.span()
