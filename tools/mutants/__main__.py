"""Plant a seeded sample of small faults in the package and list those that no test notices.

Run by `make mutants`; CONTRIBUTING, *Checks*, says how.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

from tools.mutants.mutations import Mutant, mutants_of
from tools.mutants.running import (
    Outcome,
    copy_checkout,
    fail_without_a_mutant,
    recorded_tests,
    run,
)

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ops", "networks", "worked", "nn")
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
KEPT = ROOT / ".cache" / "cnnref" / "mutants"
GOAL = 0.97


def main() -> int:
    """Run a sample and report on it; return 0 if the goal is met."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--only", default="cnnref/", help="a file or folder of the package")
    asked = parser.parse_args()
    everything = all_mutants(ROOT)
    equivalent = read_equivalent(everything)
    mine = [mutant for mutant in everything if mutant.file.startswith(asked.only)]
    sample = sampled(mine, asked.seed, asked.count)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [Path(folder).resolve() / name for name in ("one", "two")]
        for copy in copies:
            copy_checkout(ROOT, copy)
        tests = recorded_tests(copies[0], KEPT)
        if tests.failed:
            print(f"left out, since they fail without a mutant: {', '.join(tests.failed)}")
        to_run = [mutant for mutant in sample if mutant.key not in equivalent]
        outcomes: list[Outcome] = []
        for outcome in run(to_run, tests, copies):
            outcomes.append(outcome)
            place = f"{outcome.mutant.file}:{outcome.mutant.lines.start}"
            print(f"{len(outcomes):4} {outcome.status:8} {place} {outcome.test}", flush=True)
        killers = {outcome.test for outcome in outcomes if outcome.test}
        if wrong := fail_without_a_mutant(killers, copies[0]):
            print(f"{wrong} fails without a mutant when it runs alone: it proves nothing")
            return 1
    return report(outcomes, len(sample) - len(to_run))


def all_mutants(root: Path) -> list[Mutant]:
    """Return every mutant of the packages."""
    files = sorted(file for name in PACKAGES for file in (root / "cnnref" / name).rglob("*.py"))
    names = [file.relative_to(root).as_posix() for file in files]
    return [mutant for name in names for mutant in mutants_of(root, name)]


def sampled(mutants: list[Mutant], seed: str, count: int) -> list[Mutant]:
    """Draw a sample that an edit elsewhere does not change: each mutant has a place of its own."""

    def place(mutant: Mutant) -> bytes:
        return hashlib.sha256(repr((seed, mutant.key)).encode()).digest()

    return sorted(mutants, key=place)[:count]


def read_equivalent(mutants: list[Mutant]) -> dict[tuple[str, str, str, str, int], str]:
    """Return the mutants that change nothing anyone can see, each with the reason.

    Raises:
        SystemExit: An entry of the file fits no mutant: its code has changed.
    """
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("equivalent", [])
    known = {mutant.key for mutant in mutants}
    keys = {
        (one["file"], one["where"], one["before"], one["after"], one.get("nth", 0)): one["reason"]
        for one in entries
    }
    if stale := keys.keys() - known:
        sys.exit(f"{EQUIVALENT.name}: no such mutant any more: {sorted(stale)}")
    return keys


def report(outcomes: list[Outcome], equivalent: int) -> int:
    """Print the survivors as diffs, then the counts; return 0 if the goal is met."""
    for outcome in outcomes:
        if outcome.status == "survived":
            mutant = outcome.mutant
            print(f"\n{mutant.file}:{mutant.lines.start} {mutant.where} (nth = {mutant.nth})")
            lines = difflib.ndiff(mutant.before.splitlines(), mutant.after.splitlines())
            print("\n".join(line for line in lines if line[0] in "+-"))
    count = Counter(outcome.status for outcome in outcomes)
    killed = count["killed"] + count["timeout"]
    print(
        f"\n{killed} of {len(outcomes)} killed ({killed / max(len(outcomes), 1):.1%}), "
        f"{count['timeout']} of them by the time limit; {count['survived']} survived; "
        f"{equivalent} more are equivalent"
    )
    return int(killed < GOAL * len(outcomes))


if __name__ == "__main__":
    sys.exit(main())
