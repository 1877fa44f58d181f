"""Plant seeded faults that digits do not cover, and count how many a check notices.

Run as `python -m tests.planted_faults --count 100 --seed 0`. A fault is planted in a copy of a text
in memory: a number word, a paper's number, a layer's name, a formula, a link of README.md,
CONTRIBUTING.md or CHANGELOG.md, or the provenance of stored results. No file is changed.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import markdown
from mkdocs.config import load_config
from mkdocs.utils.meta import get_data

from experiments import results
from page_builder import numbers, sources
from page_builder.extension import PageExtension
from page_builder.site import PageContext, PageError, Site
from tests.helpers.repository import ROOT
from tests.test_formulas import formulas, problem

TOPICS = sorted((ROOT / "docs/topics").glob("*.md"))
_CODE = re.compile(
    r"^ *```.*?^ *```$|\A---.*?^---$|\{\{=.*?\}\}|\]\([^)]*\)|\{#[^}]*\}", re.S | re.M
)
_WORD = re.compile(rf"\b(?:{numbers._SMALL}|{numbers._LARGE})\b", re.I)

Fault = tuple[str, Callable[[], bool]]


@cache
def _converter() -> tuple[Site, list[object], dict[str, dict[str, object]]]:
    config = load_config(str(ROOT / "mkdocs.yml"))
    site = Site(ROOT)
    others = [name for name in config.markdown_extensions if name != "page_builder.extension"]
    return site, [*others, PageExtension(site)], config.mdx_configs


def refused(path: Path, source: str) -> bool:
    """Tell whether the build refuses a page with this source."""
    site, extensions, configs = _converter()
    text, meta = get_data(source)
    site.page = PageContext(str(path.relative_to(ROOT)), ROOT)
    converter = markdown.Markdown(extensions=extensions, extension_configs=configs)  # type: ignore[arg-type]
    try:
        html = site.with_figures(converter.convert(text))
    except PageError:
        return True
    return bool(numbers.check_page(html, meta.get("given", []), site.page.code))


def _places(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    hidden = [match.span() for match in _CODE.finditer(text)]
    return [
        match
        for match in pattern.finditer(text)
        if not any(start <= match.start() < end for start, end in hidden)
    ]


def _with(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def number_word(rng: random.Random) -> Fault:
    """Another number in a phrase that carries a result."""
    while True:
        path = rng.choice(TOPICS)
        text = path.read_text(encoding="utf-8")
        if places := _places(numbers._WORDS, text):
            phrase = rng.choice(places)
            words = [*_WORD.finditer(phrase[0])]
            old = rng.choice(words)[0] if words else phrase[0].split()[0]
            ratio = {"half": "twice", "twice": "half", "a": "three"}.get(old.lower())
            new = ratio or rng.choice([w for w in ("three", "seven", "twelve") if w != old.lower()])
            changed = _with(text, phrase, phrase[0].replace(old, new, 1))
            return f"{path.name}: {phrase[0]!r}, {old} → {new}", partial(refused, path, changed)


def layer_name(rng: random.Random) -> Fault:
    """Another layer than the one that the code of the page names."""
    while True:
        path = rng.choice(TOPICS)
        text = path.read_text(encoding="utf-8")
        if places := _places(numbers._LAYER, text):
            name = rng.choice(places)
            new = re.sub(r"\d+", lambda n: str(int(n[0]) + rng.choice([1, 11])), name[0], count=1)
            changed = _with(text, name, new)
            return f"{path.name}: {name[0]} → {new}", partial(refused, path, changed)


def paper(rng: random.Random) -> Fault:
    """One digit of an arXiv number, or the number of another paper."""
    bibliography = (ROOT / sources.BIBLIOGRAPHY).read_text(encoding="utf-8")
    files = [path for pattern in sources.CITING[:4] for path in sorted(ROOT.glob(pattern))]
    while True:
        path = rng.choice(files)
        text = path.read_text(encoding="utf-8")
        if places := [*sources._NUMBER.finditer(text)]:
            break
    match = rng.choice(places)
    number = match[1]
    new = rng.choice(sources._NUMBER.findall(bibliography))
    if rng.random() < 0.5 or new == number:
        at = rng.randrange(5, len(number))
        new = number[:at] + str((int(number[at]) + 1 + rng.randrange(8)) % 10) + number[at + 1 :]
    changed = text[: match.start(1)] + new + text[match.end(1) :]

    def caught() -> bool:
        own = path == ROOT / sources.BIBLIOGRAPHY
        entries = sources.read_bibliography(changed if own else bibliography)
        return bool([*sources.wrong_entries(entries), *sources.wrong_citations(changed, entries)])

    return f"{path.name}: {number} → {new}", caught


def formula(rng: random.Random) -> Fault:
    """Another sign, digit or index in a formula."""
    while True:
        path = rng.choice(TOPICS)
        found = formulas(path.read_text(encoding="utf-8"))
        if not found:
            continue
        old = rng.choice(found)
        places = [
            *re.finditer(r"(?<=[\w) ])[-+](?=[\w\\( ])|\d|(?<=[_{,; ])[ijuvcknspd](?=[,_\s}])", old)
        ]
        if places:
            break
    place = rng.choice(places)
    swap = {"+": "-", "-": "+"}
    others = [letter for letter in "ijuvck" if letter != place[0]]
    digit = str((int(place[0]) + 1) % 10) if place[0].isdigit() else ""
    new = _with(old, place, swap.get(place[0]) or digit or rng.choice(others))
    return f"{path.stem}: {old} → {new}", lambda: problem(path.stem, new) is not None


def link(rng: random.Random) -> Fault:
    """A link, a picture or the name of a file with a letter left out."""
    path = ROOT / rng.choice(["README.md", "CONTRIBUTING.md"])  # the changelog has no links
    text = path.read_text(encoding="utf-8")
    prose = sources._FENCED.sub(lambda fence: " " * len(fence[0]), text)
    places = [*sources._LINK.finditer(prose), *sources._NAMED.finditer(prose)]
    match = rng.choice([one for one in places if not re.match(r"[a-z]+:", one[1])])
    at = rng.choice([i for i, letter in enumerate(match[1]) if letter.isalpha()])
    new = match[1][:at] + match[1][at + 1 :]
    changed = text[: match.start(1)] + new + text[match.end(1) :]
    return (
        f"{path.name}: {match[1]} → {new}",
        lambda: bool([*sources.broken_links(changed, path.parent)]),
    )


def provenance(rng: random.Random) -> Fault:
    """Another digit in what is stored about how results were computed."""
    path = rng.choice(sorted((ROOT / "docs/labs/results").glob("*.json")))
    content = json.loads(path.read_text(encoding="utf-8"))
    stored = json.dumps(content["provenance"])
    at = rng.choice([match.start() for match in re.finditer(r"\d", stored)])
    changed = stored[:at] + str((int(stored[at]) + 1) % 9 + 1) + stored[at + 1 :]
    content["provenance"] = json.loads(changed)

    def caught() -> bool:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True)
            copy.write_text(json.dumps(content), encoding="utf-8")
            try:
                results.read(path.stem, root=Path(folder))
            except results.StaleResultsError:
                return True
            return False

    return f"{path.name}: {stored[max(0, at - 20) : at + 5]}", caught


KINDS = (number_word, layer_name, paper, formula, link, provenance)


def main() -> None:
    """Plant faults of all kinds in turn and print those that nothing notices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    caught: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    for number in range(options.count):
        kind = KINDS[number % len(KINDS)]
        what, is_caught = kind(rng)
        planted[kind.__name__] += 1
        if is_caught():
            caught[kind.__name__] += 1
        else:
            print(f"not noticed, {kind.__name__}: {what}")
    for name, count in planted.items():
        print(f"{name}: {caught[name]} of {count}")
    print(f"together: {caught.total()} of {planted.total()}")


if __name__ == "__main__":
    main()
