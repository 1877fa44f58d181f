"""Write the skeleton of a topic, to be filled in.

`make topic STEM=flip TITLE="Flips"` writes every part that `tests/test_topics.py` asks for, with
FILL IN at each place to fill. The tests list the places that are left.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from tools.topic import LAYERS, Topic, TopicError

SKELETON = Path(__file__).parent / "skeleton"


def write_skeleton(root: Path, topic: Topic, title: str, question: str = "") -> list[str]:
    """Write the parts of a new topic and enter it in the lists that name it.

    A module that already exists is left as it is, with its tests, reference page and derivation.

    Args:
        root: The repository.
        topic: The topic.
        title: Its title in the navigation.
        question: The question that its page answers, for the home page; empty for none.

    Returns:
        The files written or changed.

    Raises:
        TopicError: The title is empty, the stem cannot be the name of a module, the topic exists,
            or it is about a module of `cnnref.networks` that does not exist.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", topic.stem):
        raise TopicError(f"`STEM` ({topic.stem}) must be the name of a module, like max_unpooling")
    if (root / f"docs/topics/{topic.stem}.md").exists():
        raise TopicError(f"`STEM` ({topic.stem}) is the stem of a topic already: choose another")
    if not title:
        raise TopicError("`TITLE` is empty: give the title that the navigation shows")
    parts = topic.parts | topic.exercises
    missing = topic.missing(root)
    missing += [
        name for name in topic.exercises if name not in missing and not (root / name).exists()
    ]
    new_module = f"cnnref/{topic.layer}/{topic.module}.py" in missing
    if new_module and topic.layer == "networks":
        raise TopicError(f"`NETWORKS` ({topic.module}) must be a module of cnnref.networks")
    if new_module and topic.layer == "ops":
        parts |= topic.derivation
        missing += topic.derivation
    home = (root / "docs/index.md").read_text(encoding="utf-8")
    number = len(re.findall(r"^\d+\. ", home, re.MULTILINE)) + 1
    words = {
        "stem": topic.stem,
        "module": topic.module,
        "layer": topic.layer,
        "title": title,
        "Name": _class_name(topic.module),
        "import": f"from cnnref.nn import {topic.module}"
        if topic.layer == "nn"
        else "import cnnref",
        "questions": f"[{number}]" if question else "[]",
        "anchor": f" {{#question-{number}}}" if question else "",
    }
    for name in missing:
        text = (SKELETON / f"{parts[name]}.txt").read_text(encoding="utf-8")
        text = re.sub(r"@(\w+)@", lambda found: words[found[1]], text)
        (root / name).write_text(text, encoding="utf-8")

    entries = _entries(topic, title, new_module)
    if question:
        link = f"{number}. [{question}](topics/{topic.stem}.md#question-{number})"
        entries.append(("docs/index.md", r"\d+\. \[.+", link))
    for name, place, line in entries:
        _insert(root / name, place, line)
    changed = list(dict.fromkeys(name for name, _, _ in entries))
    python = [root / name for name in [*missing, *changed] if name.endswith(".py")]
    for command in (["check", "--select=I,RUF022", "--fix"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--quiet", *map(str, python)]
        subprocess.run(ruff, cwd=root, check=True)
    return [*missing, *changed]


def _entries(topic: Topic, title: str, new_module: bool) -> list[tuple[str, str, str]]:
    """Return the lists that name the topic: the file, the entry to follow, and the new entry."""
    entries = [("mkdocs.yml", r"      - .+: topics/.+", f"      - {title}: topics/{topic.stem}.md")]
    if new_module:
        group = "Operations" if topic.layer == "ops" else "Networks"
        page = f"          - {title}: reference/{topic.module}.md"
        entries.append(
            ("mkdocs.yml", rf"      - {group}:\n(          - .+\n)*          - .+", page)
        )
    if new_module and topic.layer == "ops":
        module, derivation = topic.module, f"{_class_name(topic.module)}Derivation"
        for package, names in {
            "ops": [module, f"{module}_loops"],
            "worked": [derivation, module],
        }.items():
            path = f"cnnref/{package}/__init__.py"
            line = f"from cnnref.{package}.{module} import {', '.join(names)}"
            entries.append((path, r"from cnnref\.\w+\.\w+ import (\([^)]+\)|.+)", line))
            entries.append((path, r"__all__ = \[", "".join(f'"{name}",' for name in names)))
    return entries


def _class_name(module: str) -> str:
    return "".join(part.capitalize() for part in module.split("_"))


def _insert(path: Path, place: str, line: str) -> None:
    """Insert a line after the last place in a file that matches."""
    text = path.read_text(encoding="utf-8")
    found = list(re.finditer(f"^{place}$", text, re.MULTILINE))
    if not found:
        raise TopicError(f"{path.name}: no line matches {place!r}, after which to write {line!r}")
    end = found[-1].end()
    path.write_text(f"{text[:end]}\n{line}{text[end:]}", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write the skeleton that the arguments ask for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.topic", description=__doc__)
    parser.add_argument("stem", help="the name of the page, its module, its figures and its tests")
    parser.add_argument("--title", required=True, help="the title in the navigation")
    parser.add_argument("--question", default="", help="a question of the home page it answers")
    about = parser.add_mutually_exclusive_group()
    for layer in LAYERS:
        text = f"the module of cnnref.{layer} that the page is about"
        about.add_argument(f"--{layer}", metavar="MODULE", help=text)
    chosen = vars(parser.parse_args(arguments))
    layer = next((layer for layer in LAYERS if chosen[layer]), "ops")
    topic = Topic(chosen["stem"], layer, chosen[layer] or chosen["stem"])
    root = Path.cwd()
    try:
        written = write_skeleton(root, topic, chosen["title"], chosen["question"])
    except TopicError as error:
        print(error, file=sys.stderr)
        return 2
    print(*written, sep="\n")
    print(f"\nNow fill in what these tests ask for: pytest tests/test_topics.py -k {topic.stem}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
