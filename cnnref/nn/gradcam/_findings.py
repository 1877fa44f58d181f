"""What a diagnosis finds, as data and as sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Diagnosis", "Finding", "Kind"]

Kind: TypeAlias = Literal[
    "image layout",
    "range",
    "mean",
    "channel order",
    "other image",
    "train mode",
    "output form",
    "probabilities",
    "log-probabilities",
    "single logit",
    "did not run",
    "several calls",
    "layout",
    "no space",
    "in-place",
    "frozen",
    "detached",
    "other branch",
    "not finite",
    "dead layer",
    "no gradient",
    "all negative",
]
"""The kinds of findings, in the order in which they are looked for."""


@dataclass(frozen=True)
class Finding:
    """One reason why a map is blank, inverted or scattered.

    Attributes:
        kind: What it is, one of `Kind`.
        message: What was seen, and what it does to a map.
        remedy: What to do about it.
        layer: Name of the layer; empty if it concerns the images, the network or the target.
    """

    kind: Kind
    message: str
    remedy: str
    layer: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}. {self.remedy}."


@dataclass(frozen=True)
class Diagnosis:
    """Everything that `diagnose` found.

    Attributes:
        findings: In the order of a pass: images, network, layers, evidence.
    """

    findings: tuple[Finding, ...]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of the findings, each once."""
        return tuple(dict.fromkeys(finding.kind for finding in self.findings))

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings)) or "No reason for a wrong map was found."
