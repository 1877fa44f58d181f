"""What is made is made once, and whole or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from page_builder.store import Store

DAY = 24 * 60 * 60


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


def test_what_no_build_has_used_for_long_is_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("used.txt", "unused.txt"):
        store.text(f"kind/{name}", lambda: "text")
    store.path("kind/unused", lambda folder: (folder / "deep").mkdir(parents=True))
    (tmp_path / "kind" / "other.txt").write_text("not an entry")
    for path in (tmp_path / "kind").iterdir():
        os.utime(path, (time.time() - 15 * DAY,) * 2)
    assert Store(tmp_path).find("kind/used.txt") is not None
    Store(tmp_path).prune(days=14)
    left = {path.name for path in (tmp_path / "kind").iterdir()}
    assert left == {"used.txt", "used.txt.sha256", "other.txt"}


@pytest.mark.parametrize("damage", ["", "mo", "more and more"])
def test_a_damaged_text_is_computed_again(tmp_path: Path, damage: str) -> None:
    Store(tmp_path).text("kind/name.txt", lambda: "more")
    (tmp_path / "kind" / "name.txt").write_text(damage)
    assert Store(tmp_path).find("kind/name.txt") is None
    assert Store(tmp_path).text("kind/name.txt", lambda: "new") == "new"
    assert Store(tmp_path).text("kind/name.txt", lambda: "never") == "new"


@pytest.mark.parametrize("damage", ["emptied", "one missing", "one more"])
def test_a_damaged_folder_is_made_again(tmp_path: Path, damage: str) -> None:
    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "a").write_text("1")
        (folder / "b").write_text("2")
        (folder / "deep").mkdir()

    folder = Store(tmp_path).path("kind/name", make)
    if damage == "emptied":
        (folder / "a").write_text("")
    elif damage == "one missing":
        (folder / "a").unlink()
    else:
        (folder / "c").write_text("3")
    assert Store(tmp_path).find("kind/name") is None
    Store(tmp_path).path("kind/name", make)
    assert (folder / "deep").is_dir()
    assert {file.name: file.read_text() for file in folder.glob("?")} == {"a": "1", "b": "2"}


def test_an_entry_without_its_digest_is_made_again(tmp_path: Path) -> None:
    Store(tmp_path).text("name.txt", lambda: "old")
    (tmp_path / "name.txt.sha256").unlink()
    assert Store(tmp_path).text("name.txt", lambda: "new") == "new"


def test_a_folder_that_another_build_made_meanwhile_is_taken(tmp_path: Path) -> None:
    def make(folder: Path, text: str = "first") -> None:
        folder.mkdir()
        (folder / "file").write_text(text)

    def make_late(folder: Path) -> None:
        Store(tmp_path).path("kind/name", make)
        make(folder, "second")

    assert (Store(tmp_path).path("kind/name", make_late) / "file").read_text() == "first"
