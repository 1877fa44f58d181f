"""Paper is light: a page prints in the same colours whatever the palette and the system."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.site.looking import DESK, NO_SEARCH, Site, visit

# Every element's colours, those inside the explorer's components included.
COLORS = """() => {
  const found = [];
  const look = (root) => {
    for (const element of root.querySelectorAll("*")) {
      const style = getComputedStyle(element);
      if (style.display === "none") continue;
      const name = element.tagName + "." + (element.getAttribute("class") ?? "");
      const paints = ["color", "backgroundColor", "borderTopColor", "fill", "stroke", "filter"];
      found.push([name, ...paints.map((paint) => style[paint])].join(" "));
      if (element.shadowRoot) look(element.shadowRoot);
    }
  };
  look(document);
  return found;
}"""


@pytest.mark.parametrize(
    "path", ["topics/padding/", "labs/edges/", "topics/gradcam/", "explorer/", "reference/pooling/"]
)
def test_dark_pages_print_like_light_ones(site: Site, browser: Browser, path: str) -> None:
    context = browser.new_context(viewport=DESK, color_scheme="light")
    context.add_init_script(NO_SEARCH)
    page = context.new_page()
    visit(page, site.url + path)
    printed = {}
    for palette, system, scheme in (
        ("light", "light", "default"),
        ("dark palette", "light", "slate"),
        ("dark system", "dark", "slate"),
    ):
        page.emulate_media(media="screen", color_scheme=system)  # type: ignore[arg-type]
        # What Material does when the reader presses the button, or the system changes.
        page.evaluate(
            "scheme => document.body.setAttribute('data-md-color-scheme', scheme)", scheme
        )
        page.emulate_media(media="print")
        printed[palette] = page.evaluate(COLORS)
        if palette == "light":
            paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert paper in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    context.close()
    assert len(printed["light"]) > 100
    for palette in ("dark palette", "dark system"):
        differ = [
            pair
            for pair in zip(printed["light"], printed[palette], strict=True)
            if pair[0] != pair[1]
        ]
        assert not differ, f"{len(differ)} elements print in other colours, among them {differ[:3]}"
