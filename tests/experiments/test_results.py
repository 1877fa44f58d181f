from __future__ import annotations

import json
import shutil
import textwrap

import pytest

from experiments.results import ROOT, Parts, StaleResultsError, code_digest, read, write

POOLING = '"""Pool."""\n\n\ndef pool(x):\n    """Take two."""\n    return x * 2\n'
FILES = {
    "cnnref/__init__.py": "from cnnref.ops.pooling import pool\n",
    "cnnref/ops/__init__.py": "",
    "cnnref/ops/pooling.py": POOLING,
    "cnnref/nn/__init__.py": "",
    "cnnref/nn/net.py": "from cnnref.nn import layers\n\n\ndef net():\n    return layers.DEPTH\n",
    "cnnref/nn/layers.py": "DEPTH = 3\n",
    "cnnref/nn/other.py": "UNUSED = 1\n",
    "experiments/__init__.py": "",
    "experiments/results.py": "ANYTHING = 1\n",
    "experiments/tiny.py": """
        import math

        from cnnref.nn.net import net
        from experiments.results import ANYTHING


        def run():
            from cnnref.ops import pooling  # inside a function counts too

            return pooling.pool(net())
    """,
}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path


def edit(root, name, old, new):
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def digest(root):
    return code_digest(root / "experiments/tiny.py", root=root)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("experiments/tiny.py", "pooling.pool(net())", "pooling.pool(net() + 1)"),
        ("cnnref/nn/net.py", "layers.DEPTH", "layers.DEPTH + 1"),
        ("cnnref/nn/layers.py", "3", "4"),
        ("cnnref/ops/pooling.py", "x * 2", "x * 3"),
    ],
)
def test_the_digest_changes_with_every_module_reached(root, name, old, new):
    before = digest(root)
    edit(root, name, old, new)
    assert digest(root) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("cnnref/ops/pooling.py", "Take two.", "Take two, and say so."),
        ("cnnref/ops/pooling.py", '"""Pool."""', '"""Pool."""  # a comment'),
        ("cnnref/ops/pooling.py", "return x * 2", "return (\n        x * 2\n    )"),
        ("cnnref/nn/other.py", "1", "2"),
        ("experiments/results.py", "1", "2"),
    ],
)
def test_the_digest_keeps_with_docstrings_layout_and_modules_not_reached(root, name, old, new):
    before = digest(root)
    edit(root, name, old, new)
    assert digest(root) == before


def test_a_docstring_may_come_and_go(root):
    before = digest(root)
    edit(root, "cnnref/nn/layers.py", "DEPTH", '"""Layers."""\nDEPTH')
    edit(root, "cnnref/nn/net.py", "def net():", 'def net():\n    """Return it."""')
    assert digest(root) == before


def test_a_package_counts_where_names_are_taken_from_it(root):
    edit(root, "experiments/tiny.py", "import math", "import math\n\nimport cnnref")
    before = digest(root)
    edit(root, "cnnref/__init__.py", "import pool", "import pool as pool_under_another_name")
    assert digest(root) != before


@pytest.mark.parametrize("statement", ["from . import other", "from .other import UNUSED"])
def test_relative_imports_are_followed(root, statement):
    edit(root, "cnnref/nn/net.py", "from cnnref.nn import layers", statement)
    before = digest(root)
    edit(root, "cnnref/nn/other.py", "1", "2")
    assert digest(root) != before


def test_modules_that_import_each_other_end(root):
    edit(root, "cnnref/nn/layers.py", "DEPTH", "from cnnref.nn import net\n\nDEPTH")
    assert len(digest(root)) == 64


def test_what_is_written_is_read(root):
    data = {"accuracy": [0.5, 0.25], "names": ["a", "b"], "none": None}
    path = write("tiny", root / "experiments/tiny.py", data, seconds=12.4, root=root)
    assert path == root / "docs/labs/results/tiny.json"
    stored = read("tiny", root=root)
    assert stored.data == data
    assert stored.provenance["script"] == "experiments/tiny.py"
    assert stored.provenance["seconds"] == 12
    assert stored.provenance["libraries"].keys() == {"numpy", "torch"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "docs/labs/results/tiny.json").unlink(), "tiny.json is missing"),
        (lambda root: edit(root, "docs/labs/results/tiny.json", "0.25", "0.35"), "was edited"),
        (
            lambda root: edit(root, "docs/labs/results/tiny.json", '"torch": "', '"torch": "9'),
            "was edited",
        ),
        (
            lambda root: edit(root, "docs/labs/results/tiny.json", '"seconds": ', '"seconds": 9'),
            "was edited",
        ),
        (lambda root: edit(root, "cnnref/nn/layers.py", "3", "4"), "other code than today's"),
        (lambda root: (root / "experiments/tiny.py").unlink(), "other code than today's"),
    ],
)
def test_stale_results_are_refused(root, change, message):
    write("tiny", root / "experiments/tiny.py", {"accuracy": [0.5, 0.25]}, root=root)
    change(root)
    with pytest.raises(StaleResultsError, match=rf"{message}.*run `make labs`"):
        read("tiny", root=root)


def test_results_stay_fresh_when_a_docstring_changes(root):
    write("tiny", root / "experiments/tiny.py", [1], root=root)
    edit(root, "cnnref/ops/pooling.py", "Take two.", "Twice.")
    assert read("tiny", root=root).data == [1]


def test_results_stay_fresh_when_a_message_or_an_annotation_changes(root):
    edit(
        root,
        "cnnref/ops/pooling.py",
        "    return x",
        "    if x is None:\n        raise ValueError('no')\n    return x",
    )
    write("tiny", root / "experiments/tiny.py", [1], root=root)
    edit(root, "cnnref/ops/pooling.py", "'no'", "'`x` must not be None'")
    edit(root, "cnnref/ops/pooling.py", "def pool(x):", "def pool(x: int) -> int:")
    assert read("tiny", root=root).data == [1]


def test_results_that_were_taken_along_without_the_package_are_checked_for_edits(root):
    write("tiny", root / "experiments/tiny.py", [1], root=root)
    shutil.rmtree(root / "cnnref")
    assert read("tiny", root=root).data == [1]
    edit(root, "docs/labs/results/tiny.json", "1\n ]", "2\n ]")
    with pytest.raises(StaleResultsError, match="was edited"):
        read("tiny", root=root)


def test_a_number_that_is_not_one_is_refused(root):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write("tiny", root / "experiments/tiny.py", {"loss": float("nan")}, root=root)


def test_a_script_outside_the_repository_is_refused(root, tmp_path_factory):
    script = tmp_path_factory.mktemp("elsewhere") / "script.py"
    script.write_text("")
    with pytest.raises(ValueError, match="not in the subpath"):
        write("tiny", script, {}, root=root)


def test_a_script_that_is_no_module_of_the_project_is_refused(root):
    (root / "script.py").write_text("")
    with pytest.raises(ValueError, match=r"`name` \('script.py'\) must be a module"):
        write("tiny", root / "script.py", {}, root=root)


def test_a_part_is_computed_once_while_the_code_stays(root, capsys):
    calls = []

    def compute():
        calls.append(1)
        return {"loss": 0.5}

    script = root / "experiments/tiny.py"
    first, second = Parts(script, root=root), Parts(script, root=root)
    assert first.run("seed 0", compute) == second.run("seed 0", compute) == {"loss": 0.5}
    assert len(calls) == 1
    assert first.seconds == second.seconds > 0
    first.run("seed 1", compute)
    assert len(calls) == 2
    edit(root, "cnnref/nn/layers.py", "3", "4")
    Parts(script, root=root).run("seed 0", compute)
    assert len(calls) == 3


def test_a_part_that_fails_is_not_kept(root):
    parts = Parts(root / "experiments/tiny.py", root=root)
    with pytest.raises(ZeroDivisionError):
        parts.run("seed 0", lambda: 1 / 0)
    assert parts.run("seed 0", lambda: 7) == 7


STORED = sorted((ROOT / "docs/labs/results").glob("*.json"))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_the_stored_results_belong_to_todays_code(path):
    stored = read(path.stem)
    assert stored.data
    assert json.loads(path.read_text())["provenance"] == stored.provenance


def test_each_experiment_has_stored_results_and_no_results_are_left_over():
    scripts = {
        path.stem
        for path in (ROOT / "experiments").glob("*.py")
        if "__main__" in path.read_text(encoding="utf-8")
    }
    assert scripts == {path.stem for path in STORED}
