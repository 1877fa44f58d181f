// Loads an explorer when it comes into view. Until then, and without JavaScript, the page shows the
// content of the element.

/** The bundles are next to this file, whatever the address of the page is. */
const BUNDLES = new Map(
  ["convolution", "pooling", "shapes"].map((name) => [
    `cnnref-${name}`,
    new URL(`./${name}.js`, import.meta.url).href,
  ]),
);

/** Material's stream of pages: instant navigation puts new elements into the same document. */
declare const document$: { subscribe(next: () => void): void } | undefined;

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    observer.unobserve(target);
    const bundle = BUNDLES.get(target.localName);
    if (bundle) void import(bundle);
  }
});

function watch(): void {
  observer.disconnect();
  for (const element of document.querySelectorAll([...BUNDLES.keys()].join())) {
    observer.observe(element);
  }
}

if (typeof document$ === "undefined") watch();
else document$.subscribe(watch);
