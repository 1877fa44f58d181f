// The checks of test_pages.py that run inside the page.
window.checks = {
  // The value of a promise, or after a while an error that says what was awaited: a test would wait forever.
  async within(what, promise, seconds = 30) {
    let clock;
    const late = new Promise((_, reject) => {
      clock = setTimeout(() => reject(new Error(`after ${seconds} s not yet: ${what}`)), seconds * 1000);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(clock));
  },

  // Wait until the page has its fonts, and Material and scrollable.js have adapted to its size and palette.
  async settled() {
    await this.within("the fonts", document.fonts.ready);
    await new Promise((done) => setTimeout(done, 50));
    // Finish what moves instead of waiting for it: a page that is not drawn has no frames to wait for.
    const moving = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
    moving.forEach((one) => one.finish());
  },

  // Open everything that is folded, and take the focus away.
  async rest() {
    document.querySelectorAll("details").forEach((fold) => (fold.open = true));
    document.activeElement?.blur();
    await this.settled();
    // The search box may have had the focus last, which opens the search.
    document.querySelectorAll("[data-md-toggle=search]:checked").forEach((toggle) => toggle.click());
    window.scrollTo(0, 0);
    return this.settled();
  },

  // Take the text out of the page and put it back: axe takes thirty times as long with it.
  detachArticle() {
    this.article = document.querySelector("article");
    this.gap = document.createComment("");
    this.article.replaceWith(this.gap);
  },
  attachArticle() {
    this.gap.replaceWith(this.article);
  },

  // The violations axe finds in a part of the page, one line per element. "colors and sizes" are the rules whose
  // outcome depends on the palette and the width.
  async axe(tags, rules, part) {
    const depending = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"];
    const restore = this.simplify();
    const result = await axe.run(part === "body" ? document : part, {
      runOnly: rules === "every rule" ? { type: "tag", values: tags } : { type: "rule", values: depending },
      resultTypes: ["violations"],
    });
    restore();
    return result.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary.split("\n")[1]}`),
    );
  },

  // KaTeX writes a hundred elements for a small formula, and Pygments one for each word of code. Axe spends most of its
  // time on them, and judges no color of a single letter. Leave two narrow letters of each color, background and size in
  // a formula or a block of code of the same size, and the text of MathML. Return what puts the rest back.
  simplify() {
    const backgrounds = new Map();
    const background = (element, block) => {
      if (!backgrounds.has(element)) {
        const { backgroundColor } = getComputedStyle(element);
        const none = backgroundColor === "rgba(0, 0, 0, 0)" && element !== block;
        backgrounds.set(element, none ? background(element.parentElement, block) : backgroundColor);
      }
      return backgrounds.get(element);
    };
    const blocks = document.querySelectorAll(".katex-html, .katex-mathml math, pre > code:not(:has(a, button))");
    const changes = [...blocks].map((block) => {
      const { width, height } = block.getBoundingClientRect();
      const styles = new Set();
      for (const part of block.matches("math") ? [] : [block, ...block.querySelectorAll("*")]) {
        if (![...part.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())) continue;
        const { color, fontSize, fontWeight, opacity } = getComputedStyle(part);
        styles.add(`color: ${color}; background: ${background(part, block)}; opacity: ${opacity};
          font: ${fontWeight} ${fontSize} serif; letter-spacing: -0.15em`);
      }
      const size = `display: inline-block; width: ${Math.max(width, block.scrollWidth)}px; height: ${height}px`;
      return { block, styles, size, style: block.getAttribute("style"), children: [...block.childNodes] };
    });
    for (const { block, styles, size } of changes) {
      if (block.matches("math")) {
        block.replaceChildren(block.textContent);
        continue;
      }
      block.setAttribute("style", size);
      block.replaceChildren(
        ...[...styles].map((style) => Object.assign(document.createElement("span"), { style, textContent: "ii" })),
      );
    }
    return () => {
      for (const { block, style, children } of changes) {
        block.replaceChildren(...children);
        if (style === null) block.removeAttribute("style");
        else block.setAttribute("style", style);
      }
    };
  },

  // Scroll each explorer into view, which loads it, and wait until it is drawn.
  async openExplorers() {
    for (const explorer of document.querySelectorAll("cnnref-convolution, cnnref-pooling, cnnref-shapes")) {
      explorer.scrollIntoView();
      await this.within(`the script of ${explorer.localName}`, customElements.whenDefined(explorer.localName));
      await this.within(`${explorer.localName} drawn`, explorer.updateComplete);
    }
    window.scrollTo(0, 0);
  },

  // All elements below a root, including those of shadow trees, in the order of the page.
  all(root) {
    return [...root.querySelectorAll("*")].flatMap((element) =>
      element.shadowRoot ? [element, ...this.all(element.shadowRoot)] : [element],
    );
  },

  // Number what Tab must reach in a part of the page, which is all that is visible and can be pressed, opened or
  // scrolled; return the names. Material's own hidden checkboxes and radio buttons work through labels; a set of tabs is one stop.
  markTargets(part) {
    const wanted = this.all(document.querySelector(part)).filter((element) => {
      if (element.matches(".tabbed-set > input")) return element.checked;
      if (element.closest(".tabbed-labels")) return false;
      const shown =
        element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
        element.getClientRects().length > 0 &&
        !element.closest("[hidden], [inert]");
      if (!shown) return false;
      if (element.matches("a[href], button, summary, input[type=text]")) return true;
      if (element.getRootNode() !== document) return element.matches("input, select, textarea, [tabindex='0']");
      return (
        element.closest(".md-typeset") &&
        ["auto", "scroll"].includes(getComputedStyle(element).overflowX) &&
        element.clientWidth > 1 &&
        element.scrollWidth > element.clientWidth + 1
      );
    });
    wanted.forEach((element, index) => element.setAttribute("data-test-target", index));
    return wanted.map((element) => `${this.name(element)} ${element.textContent.trim().slice(0, 40)}`);
  },

  // The element that has the focus: its number, and whether the focus is visible. The search box shows it by its
  // own background and caret; the radio buttons of the palette, by their label.
  focused() {
    let element = document.activeElement;
    if (!element || element === document.body) return null;
    while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    const shown = element.matches(".md-option") ? element.nextElementSibling : element;
    const style = getComputedStyle(shown);
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return {
      target: element.getAttribute("data-test-target"),
      visible: ring || element.matches(".md-search__input"),
      name: this.name(element),
    };
  },

  // Record what `focused` says at each stop, so that Tab can be pressed without a question in between. The first
  // Tab goes to the first stop in the part of the page.
  watchFocus(part) {
    this.stops = [];
    if (part !== "body") {
      const start = document.createElement("span");
      start.tabIndex = -1;
      document.querySelector(part).before(start);
      start.focus();
    }
    // A move inside a shadow tree is not reported outside of it.
    const shadows = this.all(document.body).flatMap(({ shadowRoot }) => shadowRoot ?? []);
    for (const root of [document, ...shadows]) {
      root.addEventListener("focusin", (event) => {
        if (root === document && event.target.shadowRoot) return;
        const stop = this.focused();
        if (stop) this.stops.push(stop);
      });
    }
  },

  // Give the focus to everything in a part of the page that Tab would stop at, in a tenth of the time of pressing Tab.
  // It does not find a trap: see `what_the_keyboard_misses`.
  focusEach(part) {
    // The theme shows the focus by a class that it sets after a key and not after the pointer moved.
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "Tab", bubbles: true }));
    for (const element of this.all(document.querySelector(part))) {
      if (element.tabIndex >= 0) element.focus({ focusVisible: true, preventScroll: true });
    }
  },

  // Count what instant navigation must keep.
  kept() {
    const figures = [...document.querySelectorAll(".cnnref-figure svg")];
    return {
      formulas: document.querySelectorAll("cnnref-math .katex-html").length,
      figures: figures.length,
      drawn: figures.every((svg) => svg.getBoundingClientRect().height > 40),
    };
  },

  name(element) {
    return `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}">`;
  },
};
