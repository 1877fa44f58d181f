"""Take the README's picture from the built site: ``python -m tools.screenshot``."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tools import browser

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs/assets/images/screenshot.png"


def main() -> int:
    """Photograph the page on padding and return the exit code."""
    executable = browser.find_chromium()
    if executable is None:
        print("no Chromium found: install it, or name it in CHROMIUM", file=sys.stderr)
        return 1
    with browser.serve(ROOT / "site") as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=browser.FLAGS)
        page = chromium.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(f"{address}topics/padding/", wait_until="networkidle")
        picture = Image.open(io.BytesIO(page.screenshot()))
        chromium.close()
    # A drawing has few colours: 128 of them look the same in a third of the bytes.
    picture.convert("RGB").quantize(128).save(TARGET, optimize=True)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size // 1024} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
