"""The explorers' scripts: bundled once, small, and the elements that pages write."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest
from markdown import Markdown

from page_builder import explorer, node
from page_builder.extension import PageExtension
from page_builder.store import Store

NAMES = {"loader.js", "convolution.js", "pooling.js", "shapes.js"}


def test_bundles_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    made = explorer.assets(store)
    assert {f"{explorer.FOLDER}/{name}" for name in NAMES} <= set(made)
    # Every page has the loader.
    loader = made[f"{explorer.FOLDER}/loader.js"].read_bytes()
    assert len(gzip.compress(loader)) < 1000
    # The loader finds the bundles beside itself, under the names that pages use.
    for name in explorer.ELEMENTS:
        assert f"{explorer.FOLDER}/{name.removeprefix('cnnref-')}.js" in made

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("bundled again")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert explorer.assets(store) == made


def test_the_key_knows_sources_and_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer, "ROOT", tmp_path)
    monkeypatch.setattr(explorer, "SOURCES", tmp_path / "explorer")
    source = tmp_path / "explorer" / "src" / "loader.ts"
    source.parent.mkdir(parents=True)
    lock, build = tmp_path / "package-lock.json", tmp_path / "explorer" / "build.ts"
    for file in (lock, build, source):
        file.write_text("1", encoding="utf-8")
    monkeypatch.setattr(explorer, "_bundle", lambda folder: folder.mkdir())
    store = Store(tmp_path / "cache")
    explorer.assets(store)
    for file in (lock, build, source):
        file.write_text("2", encoding="utf-8")
        explorer.assets(store)
    made = [entry for entry in (tmp_path / "cache" / "explorer").iterdir() if entry.is_dir()]
    assert len(made) == 4


def test_an_error_in_the_sources_stops_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "explorer"
    (wrong / "src").mkdir(parents=True)
    (wrong / "build.ts").write_text("throw new Error('what is wrong');", encoding="utf-8")
    monkeypatch.setattr(explorer, "SOURCES", wrong)
    with pytest.raises(node.NodeError, match="what is wrong"):
        explorer.assets(Store(tmp_path / "cache"))
    assert not list((tmp_path / "cache" / "explorer").iterdir())


def test_packages_that_are_not_installed_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "PACKAGES", tmp_path)
    with pytest.raises(node.NodeError, match="esbuild is not installed"):
        explorer.assets(Store(tmp_path / "cache"))


def test_markdown_stands_inside_an_element() -> None:
    text = '<cnnref-pooling data-preset="a" markdown>\n\nSee *this*.\n\n</cnnref-pooling>\n\nAfter.'
    html = Markdown(extensions=["md_in_html", PageExtension()]).convert(text)
    assert html == (
        '<cnnref-pooling data-preset="a">\n<p>See <em>this</em>.</p>\n</cnnref-pooling>\n'
        "<p>After.</p>"
    )
