"""Chains run as under pytest-codeblocks, and their results are kept and dropped rightly."""

import sys
import types

import pytest

from page_builder import digests, runner
from page_builder.digests import Digests
from page_builder.document import Chain, Fence
from page_builder.runner import Job, Request
from page_builder.site import PageError, Site


def job(*codes, requests=(), expected=None, first=10, must_raise=False, ignore_whitespace=False):
    """Return a chain of fences from line `first` on, the last of which is asked something."""
    fences = [block(code, line) for line, code in enumerate(codes, first)]
    output = None if expected is None else block(expected, 17)
    marks = ["pytest.mark.xfail"] if must_raise else []
    chain = Chain(fences, marks, output, ignore_whitespace)
    return Job("docs/a.md", chain, {**{one: [] for one in fences}, fences[-1]: list(requests)})


def block(code, line):
    return Fence(line, "", "```", "python", code, "```")


def value(expression, spec=""):
    return Request("value", expression, 30, spec)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "cnnref").mkdir()
    (tmp_path / "cnnref" / "ops.py").write_text("a = 1\n")
    (tmp_path / "cnnref" / "nn.py").write_text("a = 1\n")
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "results.py").write_text("c = 1\n")
    (tmp_path / "experiments" / "small.py").write_text("c = 1\n")
    (tmp_path / "docs" / "labs" / "results").mkdir(parents=True)
    (tmp_path / "docs" / "labs" / "results" / "lab.json").write_text("[1]\n")
    (tmp_path / "builder" / "page_builder").mkdir(parents=True)
    (tmp_path / "builder" / "page_builder" / "runner.py").write_text("b = 1\n")
    (tmp_path / "builder" / "page_builder" / "lint.py").write_text("b = 1\n")
    return tmp_path


@pytest.fixture
def site(root):
    """Return what gives the site of a new build."""

    def new():
        site = Site(root)
        site.digests = Digests(root, root / "builder")
        return site

    return new


@pytest.fixture
def run(tmp_path):
    """Return what runs a chain of a site without any other, and returns the answers."""
    return lambda job: list(runner.run(job, Site(tmp_path)).values())


@pytest.fixture
def runs(monkeypatch):
    """A module that counts how often code was run."""
    module = types.ModuleType("counted")
    module.count = 0
    monkeypatch.setitem(sys.modules, "counted", module)
    return module


COUNT = "import counted\ncounted.count += 1\n"


def test_pieces_share_a_namespace_and_chains_do_not(run):
    assert run(job("x = 1\n", "y = x + 1\n", requests=[value("x + y")])) == ["3"]
    with pytest.raises(PageError, match="NameError"):
        run(job("y = x + 1\n"))


def test_values_see_the_state_after_their_fence(run):
    first, second = block("x = 1\n", 1), block("x = 2\n", 5)
    asked = {first: [value("x")], second: [value("x", ".1f")]}
    assert run(Job("a.md", Chain([first, second], []), asked)) == ["1", "2.0"]


def test_globals_are_those_of_pytest_codeblocks(run):
    code = "names = sorted(k for k in globals() if k != 'names')\n"
    answers = run(job(code, requests=[value("(names, __name__)[1]"), value("names")]))
    assert answers == ["builtins", "['__MODULE__', '__builtins__']"]


def test_annotations_are_evaluated_unless_the_page_says_otherwise(run):
    asks = [value("f.__annotations__['a']")]
    assert run(job("def f(a: int): ...\n", requests=asks)) == ["<class 'int'>"]
    future = "from __future__ import annotations\n"
    assert run(job(future, "def f(a: int): ...\n", requests=asks)) == ["int"]


def test_error_names_page_line_and_traceback(run):
    with pytest.raises(PageError) as error:
        run(job("x = 1\n", "def f():\n    return 1 / 0\nf()\n"))
    text = str(error.value)
    # The fence opens at line 11 of the page, its second line of code is line 13.
    assert text.startswith("docs/a.md:13: the code raises ZeroDivisionError")
    assert "return 1 / 0" in text
    assert "runner.py" not in text


def test_syntax_error_names_its_line(run):
    with pytest.raises(PageError, match=r"^docs/a\.md:12: the code raises SyntaxError"):
        run(job("x = 1\nx = = 2\n"))


def test_system_exit_fails(run):
    with pytest.raises(PageError, match="SystemExit"):
        run(job("raise SystemExit(0)\n"))
    with pytest.raises(PageError, match="SystemExit"):
        run(job("raise SystemExit(0)\n", must_raise=True))


def test_xfail_must_raise(run):
    assert run(job("raise ValueError\n", must_raise=True)) == []
    with pytest.raises(PageError, match="does not raise"):
        run(job("x = 1\n", must_raise=True))


def test_expected_output(run):
    run(job("print(1)\n", "print(2)\n", expected="1\n2\n"))
    with pytest.raises(PageError) as error:
        run(job("print(1)\n", "print(2)\n", expected="1\n3\n"))
    assert str(error.value).startswith("docs/a.md:17: ")
    assert "-3\n+2\n" in str(error.value)
    with pytest.raises(PageError):
        run(job("print(1, 2)\n", expected="12\n"))
    run(job("print(1, 2)\n", expected="12\n", ignore_whitespace=True))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (value("missing"), "`missing` raises NameError"),
        (value("x and 'a'", "d"), "cannot be formatted"),
        (value("x and 'a\\nb'"), "several lines"),
        (value("26"), "uses nothing that the code made"),
        (value("int('26')"), "uses nothing that the code made"),
        (Request("figure", "1", 30, alt="a"), "not a Figure"),
        (Request("markdown", "1", 30), "without to_markdown"),
    ],
)
def test_bad_expressions(request_, message, run):
    with pytest.raises(PageError, match=message) as error:
        run(job("x = 1\n", requests=[request_]))
    assert str(error.value).startswith("docs/a.md:30: ")


def test_markdown(run):
    code = "class Worked:\n    def to_markdown(self):\n        return '**26**'\n"
    asks = [Request("markdown", "Worked()", 30), Request("markdown", "'*a*'", 30)]
    assert run(job(code, requests=asks)) == ["**26**", "*a*"]


def test_figure_gets_alt_with_values_and_prefix(monkeypatch, run):
    svg = types.ModuleType("cnnref.figures.svg")
    svg.to_svg = lambda fig, *, alt, id_prefix: f"<svg>{alt}|{id_prefix}</svg>"
    monkeypatch.setitem(sys.modules, "cnnref.figures.svg", svg)
    code = "class Figure:\n    savefig = None\nx = 26\n"
    ask = Request("figure", "Figure()", 30, alt="gives {{= x }}", id_prefix="p-1")
    assert run(job(code, requests=[ask])) == ["<svg>gives \ue00026\ue001|p-1</svg>"]


def test_print_options_do_not_leak(run):
    asks = [value("np.array([1 / 3])")]
    code = "import numpy as np\n"
    before = run(job(code, requests=asks))
    run(job(code + "np.set_printoptions(precision=2)\n"))
    assert run(job(code, requests=asks)) == before


def test_cache_hit_runs_nothing(site, runs):
    for first in (10, 10, 99):
        moved = job(COUNT, requests=[value("counted.count")], first=first)
        assert list(runner.run(moved, site()).values()) == ["1"]
    assert runs.count == 1


def test_cache_hit_still_compares_the_output(site):
    runner.run(job("print(1)\n", expected="1\n"), site())
    with pytest.raises(PageError):
        runner.run(job("print(1)\n", expected="2\n"), site())


READS = COUNT + "if 0:\n    from cnnref import ops\n    from experiments import results\n"


@pytest.mark.parametrize(
    "changed",
    ["code", "request", "package", "results", "experiment", "stored", "builder", "version"],
)
def test_cache_miss(changed, root, site, runs, monkeypatch):
    runner.run(job(READS), site())
    again = job(READS)
    if changed == "code":
        again = job(READS + "x = 1\n")
    elif changed == "request":
        again = job(READS, requests=[value("counted.count")])
    elif changed == "package":
        (root / "cnnref" / "ops.py").write_text("a = 2\n")
    elif changed == "results":
        (root / "experiments" / "results.py").write_text("c = 2\n")
    elif changed == "experiment":
        # Not imported, but whoever reads stored results is refused those of other experiments.
        (root / "experiments" / "small.py").write_text("c = 2\n")
    elif changed == "stored":
        (root / "docs" / "labs" / "results" / "lab.json").write_text("[2]\n")
    elif changed == "builder":
        (root / "builder" / "page_builder" / "runner.py").write_text("b = 2\n")
    else:
        monkeypatch.setattr(digests, "versions", lambda: "numpy 99")
    runner.run(again, site())
    assert runs.count == 2


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cnnref/ops.py", '"""Words."""\n\na = 1  # why\n'),
        ("cnnref/nn.py", "a = 2\n"),
        ("builder/page_builder/lint.py", "b = 2\n"),
    ],
)
def test_what_the_code_does_not_depend_on_does_not_count(file, text, root, site, runs):
    runner.run(job(READS), site())
    (root / file).write_text(text)
    runner.run(job(READS), site())
    assert runs.count == 1


def test_stored_results_do_not_count_for_code_that_reads_none(root, site, runs):
    code = COUNT + "if 0:\n    from cnnref import ops\n"
    runner.run(job(code), site())
    (root / "docs" / "labs" / "results" / "lab.json").write_text("[2]\n")
    (root / "experiments" / "small.py").write_text("c = 2\n")
    runner.run(job(code), site())
    assert runs.count == 1


@pytest.mark.parametrize("shows", ["help(ops)", "inspect.getsource(ops)", "ops.__doc__"])
def test_words_count_where_the_code_may_show_them(shows, root, site, runs):
    code = READS + f"if 0:\n    {shows}\n"
    runner.run(job(code), site())
    (root / "cnnref" / "ops.py").write_text("a = 1  # why\n")
    runner.run(job(code), site())
    assert runs.count == 2


def test_failure_is_not_kept(site, runs):
    for _ in range(2):
        with pytest.raises(PageError):
            runner.run(job(COUNT + "1 / 0\n"), site())
    assert runs.count == 2


def test_versions_import_nothing():
    import subprocess

    code = (
        "import sys, page_builder.extension, page_builder.digests as c; c.versions();"
        "print([m for m in ('torch', 'matplotlib', 'numpy', 'cnnref') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
