"""The number check: a number on a page was computed, is declared as given, or is refused.

Results are never typed. The check reads the HTML of a page and writes its visible text as one
string, with the kind of place that each character comes from. Then it looks at each number.
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
    "jp-OutputArea",
    "jp-InputPrompt",
    "jp-OutputPrompt",
    "clipboard-copy-txt",
    "doc-object",  # docstrings, held by doctest
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


@dataclass(frozen=True)
class Problem:
    """A number that is neither computed nor given, or a given phrase that is not on the page."""

    number: str
    context: str
    reason: str

    def __str__(self) -> str:
        return f"{self.number!r} in {self.context!r}: {self.reason}"


def check_page(html: str, given: list[str]) -> list[Problem]:
    """Check the HTML of a page's content.

    Args:
        html: The content, before KaTeX's markup counts as text and with the sentinels in it.
        given: The phrases that the front matter declares.
    """
    stream = _Stream()
    stream.walk(BeautifulSoup(html, "html.parser"))
    return stream.problems(given)


class _Stream:
    """The text of a page and, for each character, its kind."""

    def __init__(self) -> None:
        self.text = ""
        self.kinds = ""

    def add(self, text: str, kind: str) -> None:
        """Append text. What is between the sentinels is computed."""
        for index, part in enumerate(re.split(f"{OPEN}(.*?){CLOSE}", text, flags=re.DOTALL)):
            self.text += part
            self.kinds += (COMPUTED if index % 2 else kind) * len(part)

    def walk(self, node: Tag, kind: str = PROSE) -> None:
        """Append the visible text of a node."""
        for child in node.children:
            if isinstance(child, Comment):
                continue
            if isinstance(child, Tag):
                self._tag(child, kind)
            elif isinstance(child, NavigableString):
                self.add(str(child), kind)

    def _tag(self, tag: Tag, kind: str) -> None:
        classes = set(tag.get_attribute_list("class"))
        if tag.name == "data" and "computed" in classes:
            self.add(OPEN + tag.get_text() + CLOSE, kind)
            return
        if tag.name in _SKIPPED_TAGS or classes & _SKIPPED_CLASSES:
            return
        self._attributes(tag)
        if tag.name == "svg":
            for name in tag.find_all(["title", "desc"]):
                self._block(name.get_text(), PROSE)
        elif "arithmatex" in classes:
            tex = tag.get("data-tex")
            around = "\n" if tag.name == "div" or "cnnref-math--block" in classes else ""
            self.add(around, kind)
            self._tex(str(tex) if tex is not None else tag.get_text())
            self.add(around, kind)
        elif _is_run_python(tag, classes):
            for text in _code_prose(tag.get_text()):
                self._block(text, CODE)
        elif tag.name in _INLINE:
            # 3 with an exponent of 2 is not 32.
            self.add({"sup": "^", "sub": "_"}.get(tag.name, ""), kind)
            self.walk(tag, CODE if tag.name == "code" else kind)
        else:
            self.add("\n", kind)
            self.walk(tag, CODE if tag.name == "pre" else kind)
            self.add("\n", kind)

    def _attributes(self, tag: Tag) -> None:
        for name in _ATTRIBUTES:
            if value := tag.get(name):
                self._block(str(value), PROSE)

    def _block(self, text: str, kind: str) -> None:
        self.add("\n", kind)
        self.add(text, kind)
        self.add("\n", kind)

    def _tex(self, tex: str) -> None:
        tex = tex.strip()
        for opening, closing in ((r"\(", r"\)"), (r"\[", r"\]"), ("$$", "$$"), ("$", "$")):
            if tex.startswith(opening) and tex.endswith(closing):
                tex = tex[len(opening) : -len(closing)]
                break
        self.add(tex, TEX)

    def problems(self, given: list[str]) -> list[Problem]:
        """Look at every number of the stream."""
        found: list[Problem] = []
        vouched = [kind == COMPUTED for kind in self.kinds]
        for phrase in given:
            reason = ""
            if _NUMBER.fullmatch(phrase.strip("`$ ")):
                reason = "a bare number cannot be given: declare it with the words around it"
            elif not (spans := list(_phrase_spans(phrase, self.text))):
                reason = "declared under given:, but it is nowhere on the page"
            else:
                for start, end in spans:
                    vouched[start:end] = [True] * (end - start)
            if reason:
                found.append(Problem(phrase, "given:", reason))
        for start, end in self._named():
            vouched[start:end] = [True] * (end - start)
        for number in _NUMBER.finditer(self._without_commands()):
            if not all(vouched[number.start() : number.end()]):
                found.append(self._typed(number.start(), number.end()))
        return found

    def _named(self) -> Iterator[tuple[int, int]]:
        for pattern in (_NAMES, _YEAR, _LIST_MARKER):
            for match in pattern.finditer(self.text):
                if TEX not in self.kinds[match.start() : match.end()]:
                    yield match.span()

    def _without_commands(self) -> str:
        r"""The stream with TeX's command names blanked, so that \frac12 shows its numbers."""

        def blank(match: re.Match[str]) -> str:
            return " " * len(match.group()) if self.kinds[match.start()] == TEX else match.group()

        text = re.sub(r"\\[A-Za-z]+", blank, self.text)

        # In maths a letter before a number is a factor, not a name; an index is a name.
        def part(match: re.Match[str]) -> str:
            return " " if self.kinds[match.start()] == TEX else match.group()

        return re.sub(r"[^\W\d_](?=\d)", part, text)

    def _typed(self, start: int, end: int) -> Problem:
        left, right = max(0, start - 30), end + 30
        return Problem(
            self.text[start:end],
            " ".join(self.text[left:right].split()),
            "typed result? insert it with {{= ... }} or declare the phrase under given:",
        )


def _is_run_python(tag: Tag, classes: set[str]) -> bool:
    """Whether a tag holds code that is run: a Python fence, or the code cell of a notebook."""
    if tag.find_parent(class_="cnnref-not-run"):
        return False
    if tag.name == "code" or tag.name == "pre":
        holder = tag if "language-python" in classes else tag.find_parent(class_="language-python")
        cell = tag.find_parent(class_="jp-CodeCell")
        return (tag.name == "pre" or tag.find_parent("pre") is not None) and bool(holder or cell)
    return False


def _code_prose(code: str) -> Iterator[str]:
    """The comments and the bare strings of Python code: what only a reader reads."""
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
            pattern += r"\s*(?:×|x|\\times(?![A-Za-z]))\s*"
        elif part in ("-", "−"):
            pattern += r"\s*[-−]\s*"
        elif part.isalnum():
            # 3x3 is written without ×, and read as one word.
            pattern += re.sub(r"(?<=\d)x(?=\d)", r"\\s*(?:×|x|\\\\times(?![A-Za-z]))\\s*", part)
        else:
            pattern += r"\s*" + re.escape(part) + r"\s*"
    # An index may follow a given of a formula: 2p is in 2p_h.
    before = r"(?<![^\W_])(?<!\d[.,])" if parts and parts[0][0].isalnum() else ""
    after = r"(?![^\W_]|[.,]\d)" if parts and parts[-1][-1].isalnum() else ""
    for match in re.finditer(before + pattern + after, text, re.IGNORECASE):
        yield match.span()
