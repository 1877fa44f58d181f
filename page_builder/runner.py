"""Runs the chains of a page as pytest-codeblocks runs them, but fence by fence.

After each fence the expressions that the page asks for are evaluated: figures, derivations, inline
values. All results are text, so that they can be kept on disk.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import difflib
import io
import json
import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from page_builder.document import Chain, Fence
from page_builder.site import PageError, Site
from page_builder.values import Value, fill_plain

_FUTURE = 0
for _name in __future__.all_feature_names:
    _FUTURE |= getattr(__future__, _name).compiler_flag


@dataclass(frozen=True)
class Request:
    """An expression to evaluate after a fence.

    Attributes:
        kind: "value", "figure" or "markdown".
        expression: What to evaluate.
        line: The line of the page with the request.
        spec: How a value is formatted.
        alt: The alt text of a figure, with inline values.
        id_prefix: What the ids in a figure start with.
    """

    kind: str
    expression: str
    line: int
    spec: str = ""
    alt: str = ""
    id_prefix: str = ""


@dataclass(frozen=True)
class Job:
    """A chain to run.

    Attributes:
        path: The page, for messages.
        chain: The chain.
        asked: What the page asks after each fence of the chain.
        offset: The number of lines in the page above the source that the chain was read from.
    """

    path: str
    chain: Chain
    asked: Mapping[Fence, Sequence[Request]]
    offset: int = 0

    @property
    def must_raise(self) -> bool:
        """Whether the code is expected to raise."""
        return self.chain.has_mark("xfail")

    def error(self, fence: Fence, message: str, line: int | None = None) -> PageError:
        """Return an error at a line of the page, by default that of a fence."""
        return PageError(self.path, line or fence.line + self.offset, message)


def run(job: Job, site: Site) -> dict[tuple[Fence, Request], str]:
    """Run a chain, or take its result from the store, and compare what it prints.

    Returns:
        The answer to each request of each fence.

    Raises:
        PageError: The code or an expression raises, the chain prints something other than the page
            says, or it should raise and does not.
    """
    # Lines are not part of the name: a chain computes the same if it moves down the page.
    asked = [(fence, request) for fence in job.chain.fences for request in job.asked[fence]]
    parts = [
        [fence.code, [{**asdict(request), "line": None} for request in job.asked[fence]]]
        for fence in job.chain.fences
    ]
    code = "\n".join([job.chain.code, *(request.expression.strip() for _, request in asked)])
    name = f"chains/{site.digests.chain(code, [parts, job.must_raise])}.json"
    stdout, answers = json.loads(site.store.text(name, lambda: json.dumps(_execute(job))))
    _compare(job, stdout)
    return dict(zip(asked, answers, strict=True))


def _execute(job: Job) -> tuple[str, list[str]]:
    # The globals that pytest-codeblocks sets. There is no `__name__`, so that of builtins is found.
    namespace: dict[str, Any] = {"__MODULE__": "__main__"}
    printed = io.StringIO()
    answers: list[str] = []
    flags = 0
    with _isolated():
        for fence in job.chain.fences:
            try:
                with contextlib.redirect_stdout(printed):
                    source = "\n" * (fence.line + job.offset) + fence.code
                    code = compile(source, job.path, "exec", flags=flags, dont_inherit=True)
                    flags |= code.co_flags & _FUTURE
                    exec(code, namespace)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                if job.must_raise and isinstance(error, Exception):
                    return printed.getvalue(), answers
                raise _failure(job, fence, error) from error
            answers += [_answer(job, request, namespace, flags) for request in job.asked[fence]]
    if job.must_raise:
        message = "the fence is marked xfail, but the code does not raise"
        raise job.error(job.chain.fences[0], message)
    return printed.getvalue(), answers


@contextlib.contextmanager
def _isolated() -> Iterator[None]:
    """Undo what a chain sets in NumPy and matplotlib, for the next chain."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    import numpy as np  # here, because a page from the store does not need it

    try:
        with np.printoptions():
            yield
    finally:
        if matplotlib := sys.modules.get("matplotlib"):
            matplotlib.rcdefaults()
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close("all")


def _failure(job: Job, fence: Fence, error: BaseException) -> PageError:
    lines = [f"{row}\n" for row in [""] * (fence.line + job.offset) + fence.code.split("\n")]
    linecache.cache[job.path] = (0, None, lines, job.path)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    line = next((f.lineno for f in reversed(frames) if f.filename == job.path), None)
    if line is None and isinstance(error, SyntaxError):
        line = error.lineno
    text = "".join(traceback.format_list(frames) + traceback.format_exception_only(error))
    del linecache.cache[job.path]
    kind = "the code leaves Python" if isinstance(error, SystemExit) else "the code raises"
    return job.error(fence, f"{kind} {type(error).__name__}\n{text}", line)


def _evaluate(job: Job, line: int, expression: str, namespace: dict[str, Any], flags: int) -> Any:
    try:
        code = compile(expression.strip(), job.path, "eval", flags=flags, dont_inherit=True)
        return eval(code, namespace)
    except Exception as error:
        message = f"`{expression}` raises {type(error).__name__}: {error}"
        raise PageError(job.path, line, message) from error


def _answer(job: Job, request: Request, namespace: dict[str, Any], flags: int) -> str:
    def formatted(value: Value) -> str:
        result = _evaluate(job, request.line, value.expression, namespace, flags)
        names = {n.id for n in ast.walk(ast.parse(value.expression)) if isinstance(n, ast.Name)}
        if not names & namespace.keys():
            message = f"`{value.expression}` uses nothing that the code made, so it is typed"
            raise PageError(job.path, request.line, message)
        try:
            text = format(result, value.spec)
        except (TypeError, ValueError) as error:
            message = f"`{value.expression}` cannot be formatted with `{value.spec}`: {error}"
            raise PageError(job.path, request.line, message) from error
        if "\n" in text:
            message = f"`{value.expression}` has several lines; use `render` for that"
            raise PageError(job.path, request.line, message)
        return text

    if request.kind == "value":
        return formatted(Value(request.expression, request.spec))
    result = _evaluate(job, request.line, request.expression, namespace, flags)
    if request.kind == "figure":
        if not hasattr(result, "savefig"):
            message = f"`{request.expression}` is a {type(result).__name__}, not a Figure"
            raise PageError(job.path, request.line, message)
        from cnnref.figures.svg import to_svg

        svg: str = to_svg(
            result, alt=fill_plain(request.alt, formatted), id_prefix=request.id_prefix
        )
        return svg
    markdown = result if isinstance(result, str) else getattr(result, "to_markdown", None)
    if markdown is None:
        message = f"`{request.expression}` is a {type(result).__name__} without to_markdown()"
        raise PageError(job.path, request.line, message)
    return markdown if isinstance(markdown, str) else str(markdown())


def _compare(job: Job, stdout: str) -> None:
    output, expected = job.chain.output, job.chain.expected_output
    if output is None or expected is None:
        return
    printed, said = stdout, expected
    if job.chain.expected_output_ignore_whitespace:
        printed, said = re.sub(r"\s+", "", printed), re.sub(r"\s+", "", said)
    if printed != said:
        rows = difflib.unified_diff(
            expected.splitlines(keepends=True),
            stdout.splitlines(keepends=True),
            "the page says",
            "the code prints",
        )
        message = "the code prints something other than the page says\n" + "".join(rows)
        raise job.error(output, message)
