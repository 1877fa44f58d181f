"""A training run in a file, so that it can resume after an interruption."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

__all__ = ["Checkpoint", "random_state", "set_random_state"]


@dataclass(frozen=True)
class Checkpoint:
    """A file with the state of a run, and the settings it belongs to.

    Attributes:
        path: The file; None keeps nothing.
        settings: What must be the same for the run to resume.
    """

    path: Path | None
    settings: dict[str, Any]

    def read(self, model: nn.Module) -> dict[str, Any] | None:
        """Return the state of an interrupted run, or None if there is no file.

        Only tensors and plain values are read: a file cannot run code.

        Raises:
            ValueError: If the file is not from a run with these settings on such a model.
        """
        if self.path is None or not self.path.exists():
            return None
        try:
            stored = torch.load(self.path, map_location="cpu", weights_only=True)
            settings, state = stored["settings"], stored["state"]
            shapes = {name: one.shape for name, one in state["model"].items()}
        except Exception as reason:
            raise ValueError(
                f"`checkpoint` ({str(self.path)!r}) is not a checkpoint of `fine_tune`"
            ) from reason
        other = [
            f"{name} ({settings.get(name)!r}, now {value!r})"
            for name, value in self.settings.items()
            if settings.get(name) != value
        ]
        if other:
            raise ValueError(
                f"`checkpoint` ({str(self.path)!r}) belongs to a run with other settings: "
                f"{', '.join(other)}; delete the file or name another one"
            )
        if shapes != {name: one.shape for name, one in model.state_dict().items()}:
            raise ValueError(
                f"`checkpoint` ({str(self.path)!r}) belongs to a model with other layers than "
                "`model`; delete the file or name another one"
            )
        found: dict[str, Any] = state
        return found

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file by one with this state, at once or not at all."""
        if self.path is None:
            return
        unfinished = self.path.with_name(self.path.name + ".part")
        torch.save({"settings": self.settings, "state": state}, unfinished)
        os.replace(unfinished, self.path)


def random_state(generators: Iterable[torch.Generator]) -> dict[str, Any]:
    """Return the state of torch's own generators and of others."""
    cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if cuda else [],
        "others": [one.get_state() for one in generators],
    }


def set_random_state(state: dict[str, Any], generators: Iterable[torch.Generator]) -> None:
    """Set every generator to a state that `random_state` returned."""
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
    for generator, one in zip(generators, state["others"], strict=True):
        generator.set_state(one)
