"""The address of the repository is one setting, and pages link to it without asking it anything."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from jinja2 import Template
from mkdocs.config import load_config

from tests.helpers.repository import ROOT

ADDRESS = "https://code.example/someone/cnnref"
FOOTER = "page_builder/theme/partials/copyright.html"


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_the_address_comes_from_the_environment(address, monkeypatch):
    monkeypatch.setenv("CNNREF_REPOSITORY", address)
    config = load_config(str(ROOT / "mkdocs.yml"))
    assert (config.extra["repository"] or "") == address
    # With `repo_url`, every page would ask GitHub for the number of stars when it is opened.
    assert config.repo_url is None


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_the_footer_links_to_the_repository_if_there_is_an_address(address):
    footer = Template((ROOT / FOOTER).read_text(encoding="utf-8"))
    config = SimpleNamespace(copyright="MIT licence.", extra=SimpleNamespace(repository=address))
    found = BeautifulSoup(footer.render(config=config), "html.parser")
    assert "MIT licence." in found.text
    assert [link["href"] for link in found.select("a")] == ([address] if address else [])


def test_no_other_file_has_an_address_of_its_own():
    workflow = (ROOT / ".github/workflows/site.yml").read_text(encoding="utf-8")
    assert "CNNREF_REPOSITORY: ${{ github.server_url }}/${{ github.repository }}" in workflow
    for name in ("README.md", "pyproject.toml", "mkdocs.yml", "CONTRIBUTING.md"):
        assert "github.com/" not in (ROOT / name).read_text(encoding="utf-8"), name
