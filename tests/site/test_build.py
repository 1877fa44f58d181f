"""The site builds with all its checks: links, numbers, formulas, figures, notebooks.

It is a test of its own and starts first: it takes the longest, and the tests of the pages use the
site that it leaves.
"""

from __future__ import annotations

from tests.site.building import built_site


def test_the_site_builds() -> None:
    site = built_site()
    assert {"index.html", "404.html"} <= {path.name for path in site.iterdir()}
    assert len(list(site.rglob("*.html"))) > 40
