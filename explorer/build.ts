// Bundles the explorers: `node explorer/build.ts <folder>`. Prints the files it wrote, as JSON.

import { basename } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

const { metafile } = await build({
  entryPoints: [
    source("loader.ts"),
    ...["convolution", "pooling", "shapes"].map((name) => source(`components/${name}.ts`)),
  ],
  outdir: process.argv[2],
  // All in one folder, so that the loader finds the bundles beside itself.
  entryNames: "[name]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  // What several explorers need is loaded once for all of them.
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "linked",
  metafile: true,
  logLevel: "warning",
});
process.stdout.write(JSON.stringify(Object.keys(metafile.outputs).map((path) => basename(path))));
