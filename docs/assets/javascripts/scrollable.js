// A box that scrolls sideways must be reachable by keyboard. Which boxes scroll depends on the width of the window, so
// this looks again after each page change and each change of size.
(() => {
  const boxes =
    ".cnnref-math--block, .md-typeset__scrollwrap, .cnnref-figure, .cnnref-cells, .cnnref-output, .md-typeset pre > code";
  const label = (box) => {
    if (box.matches(".cnnref-math--block")) return "Formula";
    if (box.matches(".md-typeset__scrollwrap")) return "Table";
    if (box.matches(".cnnref-figure")) return "Figure";
    return "Code or output";
  };
  const update = (box) => {
    if (box.scrollWidth > box.clientWidth + 1) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `${label(box)}, scrolls sideways`);
    } else if (box.hasAttribute("tabindex")) {
      box.removeAttribute("tabindex");
      box.removeAttribute("role");
      box.removeAttribute("aria-label");
    }
  };
  const observer = new ResizeObserver((entries) => entries.forEach((entry) => update(entry.target)));
  const watch = () => {
    observer.disconnect();
    document.querySelectorAll(boxes).forEach((box) => observer.observe(box));
  };
  // Material wraps tables in their scrolling box, and opens folded parts, after the page has been put in.
  document$.subscribe(() => requestAnimationFrame(() => requestAnimationFrame(watch)));
  document.addEventListener("toggle", watch, true);
})();
