"""What `make mutants` plants, which of it it draws, and which tests it runs."""

from __future__ import annotations

import json
import textwrap

import pytest
from coverage import CoverageData

from tests.helpers.repository import ROOT
from tools.mutants import __main__ as mutants
from tools.mutants.mutations import mutants_of, mutated
from tools.mutants.running import Suite

SOURCE = '''
    """Example."""

    def clamp(x: "int", low: int = 0) -> int:
        """Return x, at least low."""
        if x < low:
            raise ValueError(f"`x` ({x}) is too small")
        return max(x, low + 1)
'''


@pytest.fixture
def root(tmp_path):
    (tmp_path / "cnnref/ops").mkdir(parents=True)
    (tmp_path / "cnnref/ops/clamp.py").write_text(textwrap.dedent(SOURCE))
    return tmp_path


def changes(root):
    return [(one.before, one.after) for one in mutants_of(root, "cnnref/ops/clamp.py")]


def test_every_place_is_changed_but_wording_and_annotations(root):
    assert changes(root) == [
        ("def clamp(x: 'int', low: int=0) -> int:", "def clamp(x: 'int', low: int=1) -> int:"),
        ("def clamp(x: 'int', low: int=0) -> int:", "def clamp(x: 'int', low: int=-1) -> int:"),
        ("if x < low:", "if False:"),
        ("if x < low:", "if True:"),
        ("if x < low:", "if x <= low:"),
        ("raise ValueError(f'`x` ({x}) is too small')", "pass"),
        ("return max(x, low + 1)", "return min(x, low + 1)"),
        ("return max(x, low + 1)", "return max(x, low - 1)"),
        ("return max(x, low + 1)", "return max(x, low + 2)"),
        ("return max(x, low + 1)", "return max(x, low + 0)"),
    ]


def test_the_module_has_the_one_change(root):
    source = mutated(root, list(mutants_of(root, "cnnref/ops/clamp.py"))[4])
    namespace = {}
    exec(source, namespace)
    assert namespace["clamp"](2) == 2
    with pytest.raises(ValueError, match=r"`x` \(0\) is too small"):
        namespace["clamp"](0)


def test_an_edit_elsewhere_keeps_the_sample(root):
    everything = mutants.all_mutants(root)
    before = mutants.sampled(everything, "seed", 4)
    (root / "cnnref/ops/clamp.py").write_text(textwrap.dedent(SOURCE) + "\n\nname = None\n")
    after = mutants.sampled(mutants.all_mutants(root), "seed", 4)
    assert [one.key for one in after] == [one.key for one in before]
    assert mutants.sampled(everything, "another seed", 4) != before


def test_an_equivalent_mutant_is_known_until_its_code_changes(root, tmp_path, monkeypatch):
    file = tmp_path / "equivalent.toml"
    monkeypatch.setattr(mutants, "EQUIVALENT", file)
    entry = """
        [[equivalent]]
        file = "cnnref/ops/clamp.py"
        where = "clamp"
        before = "if x < low:"
        after = "if x <= low:"
        reason = "an example"
    """
    file.write_text(textwrap.dedent(entry))
    found = mutants.all_mutants(root)
    assert mutants.read_equivalent(found) == {found[4].key: "an example"}
    with pytest.raises(SystemExit, match=r"no such mutant any more.*if x < low"):
        mutants.read_equivalent(found[:4])


def test_every_equivalent_mutant_of_the_package_is_a_mutant():
    assert mutants.read_equivalent(mutants.all_mutants(ROOT))


def test_tests_that_execute_the_statement_come_first(root):
    data = CoverageData(str(root / "lines"))
    line = {"tests/ops/test_other.py::b": 8, "tests/ops/test_clamp.py::a": 8}
    for test, number in {**line, "tests/ops/test_clamp.py::c": 6, "tests/x.py::d": 6}.items():
        data.set_context(test)
        data.add_lines({str(root / "cnnref/ops/clamp.py"): [number]})
    data.write()
    seconds = dict.fromkeys([*line, "tests/ops/test_clamp.py::c", "tests/x.py::d"], 1.0)
    record = {"seconds": seconds, "failed": ["tests/x.py::d"]}
    (root / "tests.json").write_text(json.dumps(record))
    last = list(mutants_of(root, "cnnref/ops/clamp.py"))[-1]
    assert Suite(root, root).that_can_tell(last) == [
        "tests/ops/test_clamp.py::a",
        "tests/ops/test_other.py::b",
        "tests/ops/test_clamp.py::c",
    ]
