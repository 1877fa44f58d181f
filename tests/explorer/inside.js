// What the tests of test_browser.py ask of a page, inside the page.
window.inside = {
  // The violations axe finds in the explorers, one line per element. The tests of all pages look at the rest.
  async axe(rulesOrTags) {
    const result = await axe.run("cnnref-convolution, cnnref-pooling, cnnref-shapes", {
      runOnly: rulesOrTags,
      resultTypes: ["violations"],
    });
    return result.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
    );
  },

  // The median time of nine updates, from the act to the finished layout, in ms.
  timeOf(explorer, change) {
    const next = [...explorer.shadowRoot.querySelectorAll("button")].find((button) =>
      button.textContent.includes("Next"),
    );
    const acts = {
      step: () => next.click(),
      edit: (i) => {
        const input = structuredClone(explorer.current.input);
        input[0][0][0] = i + 2;
        explorer.change({ ...explorer.current, input });
      },
    };
    const times = [];
    for (let i = 0; i < 9; i++) {
      const start = performance.now();
      acts[change](i);
      // Lit would wait for the end of this script.
      explorer.performUpdate();
      document.body.getBoundingClientRect();
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[4];
  },
};
