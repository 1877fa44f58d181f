"""Bad input gets an error of the right kind that names the argument."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def refused(error: type[Exception], argument: str, *words: str) -> Iterator[None]:
    """Expect exactly this error, and in its message the argument in backticks and the words."""
    with pytest.raises(error) as caught:
        yield
    message = str(caught.value)
    assert caught.type is error, f"{caught.type.__name__}, not {error.__name__}: {message}"
    assert f"`{argument}`" in message, f"does not name `{argument}`: {message}"
    for each in words:
        assert each in message, f"does not say {each!r}: {message}"
