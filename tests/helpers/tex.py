r"""Evaluate the formulas of a page, so that they can be compared with what the code computes.

A symbol is a number, an array (read with its indices, zero outside) or a function. `\sum`, `\prod`
and `\max` run over the ranges that the caller gives for their indices.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

_TOKEN = re.compile(
    r"(?P<space>\\[,;:! ]|\\quad|\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])|[&\s~])"
    r"|\\(?:text|operatorname)\s*\{(?P<text>[^{}]*)\}|(?P<other>\d+(?:\.\d+)?|\\[A-Za-z]+|.)",
    re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", r"\lfloor": r"\rfloor", r"\lceil": r"\rceil", "|": "|", "{": "}"}
_FUNCTIONS = {r"\cos": math.cos, r"\sin": math.sin}
_ENDS = {"+", "-", "−", ",", *_CLOSING.values()}

Node = Callable[[Mapping[str, Any]], Any]


class UnreadableError(ValueError):
    """The formula contains something that cannot be evaluated."""


def equations(formula: str) -> list[list[str]]:
    """Split a formula into its equations, and each of them into its sides."""
    rows: list[str] = []
    for row in re.split(r"\\\\|\\qquad", re.sub(r"\\(?:begin|end)\{aligned\}", "", formula)):
        # A row without a left side of its own goes on with the row before.
        left = re.split(r"=(?![^{]*\})", row)[0]
        if rows and (left == row or not re.sub(r"[&\s]|\\quad", "", left)):
            rows[-1] += " " + row
        elif row.strip():
            rows.append(row)
    return [re.split(r"=(?![^{]*\})", row) for row in rows]


def evaluate(
    side: str,
    symbols: Mapping[str, Any],
    ranges: Mapping[str, range] | None = None,
    where: Callable[[Mapping[str, Any]], bool] = lambda _: True,
) -> float:
    r"""Evaluate one side of an equation.

    Args:
        side: The side, in TeX.
        symbols: The value of each symbol by its name, such as `s`, `p_before`, `r'` or `dL/dx`.
        ranges: What the indices of sums run over, if the formula does not say it.
        where: Which indices of a sum count.

    Raises:
        UnreadableError: A symbol has no value, or the TeX is not understood.
    """
    reader = _Reader(side, symbols, ranges or {}, where)
    node = reader.sum()
    if reader.next:
        raise UnreadableError(f"cannot read {reader.next!r} in {side!r}")
    return float(node(symbols))


def _added(a: Node, b: Node, sign: int) -> Node:
    return lambda env: a(env) + sign * b(env)


def _times(a: Node, b: Node, divides: bool) -> Node:
    return lambda env: a(env) / b(env) if divides else a(env) * b(env)


class _Reader:
    def __init__(
        self,
        side: str,
        symbols: Mapping[str, Any],
        ranges: Mapping[str, range],
        where: Callable[[Mapping[str, Any]], bool],
    ) -> None:
        found = [match for match in _TOKEN.finditer(side) if not match["space"]]
        self._tokens = [match["text"] or match["other"] for match in found] + [""]
        self._place = 0
        self._symbols, self._ranges, self._where = symbols, ranges, where
        self._indices = set(ranges)

    @property
    def next(self) -> str:
        return self._tokens[self._place]

    def _take(self, wanted: str = "") -> str:
        token = self.next
        if wanted and token != wanted:
            raise UnreadableError(f"{token!r} where {wanted!r} should be")
        self._place += 1
        return token

    def _takes(self, token: str) -> bool:
        """Take a token if it is the next one."""
        if self.next != token:
            return False
        self._place += 1
        return True

    def sum(self) -> Node:
        node = self._term()
        while self.next in ("+", "-", "−"):
            sign = 1 if self._take() == "+" else -1
            node = _added(node, self._term(), sign)
        return node

    def _term(self) -> Node:
        if self.next in ("-", "−"):
            self._take()
            node = self._term()
            return lambda env: -node(env)
        product = self._power()
        while self.next and self.next not in _ENDS:
            divides = self.next == "/"
            if self.next in (r"\cdot", r"\times", "/"):
                self._take()
            factor = self._power()
            product = _times(product, factor, divides)
        return product

    def _power(self) -> Node:
        node = self._factor()
        if self._takes("^"):
            exponent = self._group()
            return lambda env: node(env) ** exponent(env)
        return node

    def _group(self) -> Node:
        """Read an argument: something in braces, or the next factor."""
        if self._takes("{"):
            node = self.sum()
            self._take("}")
            return node
        if self.next[:1].isdigit() and len(self.next) > 1:
            # Without braces an argument is a single digit.
            digit, self._tokens[self._place] = self.next[0], self.next[1:]
            return lambda env: float(digit)
        return self._factor()

    def _list(self, closing: str) -> list[Node]:
        nodes = [self.sum()]
        while self._takes(","):
            nodes.append(self.sum())
        self._take(closing)
        return nodes

    def _factor(self) -> Node:
        token = self._take()
        if token[:1].isdigit():
            return lambda env: float(token)
        if token in _CLOSING:
            node = self.sum()
            self._take(_CLOSING[token])
            rounding = {r"\lfloor": math.floor, r"\lceil": math.ceil, "|": abs}.get(token)
            return node if rounding is None else lambda env: rounding(node(env))
        if token in (r"\frac", r"\tfrac", r"\binom"):
            return self._fraction(token)
        if token == r"\sqrt":
            root = self._group()
            return lambda env: math.sqrt(root(env))
        if token in _FUNCTIONS:
            argument = self._power()
            return lambda env: _FUNCTIONS[token](argument(env))
        if token in (r"\sum", r"\prod", r"\max"):
            return self._over(token)
        return self._symbol(token)

    def _fraction(self, kind: str) -> Node:
        if self._tokens[self._place + 1] == r"\partial":
            # The gradient of a loss is an array with the indices of what it belongs to.
            parts = ["{", r"\partial", None, "}", "{", r"\partial"]
            above = [self._take() if part is None else self._take(part) for part in parts][2]
            node = self._symbol(self._take(), f"d{above}/d")
            self._take("}")
            return node
        above, below = self._group(), self._group()
        if kind == r"\binom":
            return lambda env: math.comb(int(above(env)), int(below(env)))
        return lambda env: above(env) / below(env)

    def _over(self, kind: str) -> Node:
        """Read a sum or a maximum over indices, up to the end of the term."""
        if kind == r"\max" and self._takes("("):
            choices = self._list(")")
            return lambda env: max(choice(env) for choice in choices)
        self._take("_")
        names: list[str] = []
        first: Node | None = None
        braces = self._takes("{")
        while True:
            names.append(self._take())
            if not (braces and self._takes(",")):
                break
        if braces and self._takes("="):
            first = self.sum()
        if braces:
            self._take("}")
        last = self._group() if self._takes("^") else None
        self._indices.update(names)
        body = self._term()

        def over(env: Mapping[str, Any]) -> float:
            if first is not None and last is not None:
                spans = [range(int(first(env)), int(last(env)) + 1)] * len(names)
            else:
                spans = [self._ranges[name] for name in names]
            inner = (env | dict(zip(names, at, strict=True)) for at in itertools.product(*spans))
            values = [body(one) for one in inner if self._where(one)]
            return {r"\max": max, r"\prod": math.prod}.get(kind, math.fsum)(values)

        if first is None and (missing := set(names) - self._ranges.keys()):
            raise UnreadableError(f"nothing says what {missing} run over")
        return over

    def _symbol(self, name: str, prefix: str = "") -> Node:
        name = prefix + name
        if self._takes("'"):
            name += "'"
        indices: list[Node] = []
        if self.next in ("_", "["):
            value = self._symbols.get(name)
            if isinstance(value, np.ndarray):
                if self._take() == "[":
                    indices = self._list("]")
                else:
                    indices = self._list("}") if self._takes("{") else [self._factor()]
            elif self._takes("_"):
                braces = self._takes("{")
                name += "_" + self._take()
                if braces:
                    self._take("}")
        if callable(self._symbols.get(name)) and self._takes("("):
            arguments = self._list(")")
            return lambda env: env[name](*(argument(env) for argument in arguments))
        if name not in self._symbols and name not in self._indices:
            raise UnreadableError(f"{name!r} has no value")

        def look_up(env: Mapping[str, Any]) -> Any:
            if name not in env:
                raise UnreadableError(f"{name!r} is used outside its sum")
            value = env[name]
            if not isinstance(value, np.ndarray):
                return value
            at = tuple(round(index(env)) for index in indices)
            if len(at) != value.ndim:
                raise UnreadableError(f"{name} has {value.ndim} indices, not {len(at)}")
            inside = all(0 <= i < size for i, size in zip(at, value.shape, strict=True))
            return value[at] if inside else 0

        return look_up
