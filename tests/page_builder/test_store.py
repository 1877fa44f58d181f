"""What is made is made once, and whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from page_builder.store import Store


def test_a_text_is_computed_once(tmp_path: Path) -> None:
    computed: list[int] = []

    def compute() -> str:
        computed.append(1)
        return "a\r\nb\n"

    for store in (Store(tmp_path), Store(tmp_path)):
        assert [store.text("kind/name.txt", compute) for _ in range(2)] == ["a\r\nb\n"] * 2
    assert len(computed) == 1
    assert Store(tmp_path).find("kind/name.txt") == tmp_path / "kind" / "name.txt"


def test_nothing_is_kept_of_what_fails(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        folder.mkdir()
        (folder / "half").write_text("")
        raise ValueError("stopped")

    store = Store(tmp_path)
    with pytest.raises(ValueError, match="stopped"):
        store.path("kind/name", fail)
    assert store.find("kind/name") is None
    assert not list((tmp_path / "kind").iterdir())


def test_a_folder_that_another_build_made_meanwhile_is_taken(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def make(folder: Path) -> None:
        for one in (tmp_path / "kind" / "name", folder):
            one.mkdir(parents=True)
            (one / "file").write_text("same")

    assert (store.path("kind/name", make) / "file").read_text() == "same"
