// Computes cases for tests/explorer/test_parity.py: one JSON case a line in, one JSON answer a line
// out. An error is an answer too: its kind and the argument that it names.

import { createInterface } from "node:readline";

import type { Volume } from "../src/arithmetic/arrays.ts";
import { Convolution } from "../src/arithmetic/convolution.ts";
import type { ConvolutionSettings } from "../src/arithmetic/convolution.ts";
import { CheckError } from "../src/arithmetic/errors.ts";
import { checkLayer, cost } from "../src/arithmetic/layers.ts";
import type { Layer, LayerCost, Shape } from "../src/arithmetic/layers.ts";
import { avgPool2d, inputGradient, maxPool2d } from "../src/arithmetic/pooling.ts";
import type { AvgSettings } from "../src/arithmetic/pooling.ts";
import { receptiveFields } from "../src/arithmetic/receptive_field.ts";
import type { WindowSettings } from "../src/arithmetic/windows.ts";
import { layerOf, parseStack } from "../src/state/stack.ts";
import { STACK_PRESETS } from "../src/state/stack_presets.ts";
import { convolutionDocument } from "../src/worked/convolution.ts";
import { toLatex } from "../src/worked/latex.ts";
import type { Index } from "../src/worked/layout.ts";
import { poolingDocument } from "../src/worked/pooling.ts";
import { toText } from "../src/worked/text.ts";

interface ConvolutionCase extends ConvolutionSettings {
  kind: "convolution";
  /** Fractions that name an output cell and an input pixel, whatever the sizes turn out to be. */
  at: [number, number, number];
}
type PoolingCase = { input: Volume; gradient: number } & (
  | ({ kind: "max" } & WindowSettings)
  | ({ kind: "avg" } & AvgSettings)
);
type StackCase = { kind: "stack"; layers: Layer[]; input_shape: Shape } | { kind: "presets" };
type Case = ConvolutionCase | PoolingCase | StackCase;

const place = (fractions: readonly number[], sizes: readonly number[]): Index => {
  const [a, b, c] = sizes.map((size, i) => Math.floor(fractions[i] * size));
  return [a, b, c];
};

function convolutionAnswer(given: ConvolutionCase): unknown {
  const convolution = new Convolution(given);
  const index = place(given.at, convolution.shape);
  const pixel = place(given.at, [
    given.input.length,
    given.input[0].length,
    given.input[0][0].length,
  ]);
  const whole = convolutionDocument(convolution);
  const one = convolutionDocument(convolution, [index]);
  return {
    output: convolution.output,
    unread: [convolution.unread(0), convolution.unread(1)],
    padding: convolution.padding,
    index,
    cell: convolution.cell(...index),
    pixel,
    readers: convolution.readers(...pixel),
    text: [toText(whole), toText(one)],
    latex: [toLatex(whole), toLatex(one)],
  };
}

function poolingAnswer(given: PoolingCase): unknown {
  const pooling = given.kind === "max" ? maxPool2d(given.input, given) : avgPool2d(given.input, given);
  const gradient = pooling.output.map((channel) =>
    channel.map((row, i) => row.map((_, j) => given.gradient * (i + 1) + j)),
  );
  const blocks = poolingDocument(pooling);
  return {
    output: pooling.output,
    indices: pooling.kind === "max" ? pooling.indices : null,
    gradient: inputGradient(pooling, gradient),
    text: toText(blocks),
    latex: toLatex(blocks),
  };
}

const leaf = (layer: LayerCost): unknown => ({
  label: layer.label,
  output: layer.output,
  counts: [layer.parameters, layer.macs, layer.other_ops, layer.activation_bytes],
  // The derivation is text: that its formula gives its result is checked where it can be evaluated.
  steps: layer.steps,
  parts: layer.parts.map(leaf),
});

function stackAnswer(layers: readonly Layer[], input: Shape): unknown {
  layers.forEach(checkLayer);
  const rows = cost(layers, input).map(leaf);
  return { rows, fields: attempt(() => [...receptiveFields(layers)]) };
}

function presets(): unknown {
  return Object.fromEntries(
    Object.entries(STACK_PRESETS).map(([name, { text }]) => {
      const { input, rows } = parseStack(text);
      const layers = rows.map(layerOf);
      return [name, { layers, input, answer: stackAnswer(layers, input) }];
    }),
  );
}

function answer(given: Case): unknown {
  switch (given.kind) {
    case "convolution":
      return convolutionAnswer(given);
    case "max":
    case "avg":
      return poolingAnswer(given);
    case "stack":
      return stackAnswer(given.layers, given.input_shape);
    case "presets":
      return presets();
  }
}

function attempt(compute: () => unknown): unknown {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof CheckError)) throw error;
    return { error: { kind: error.kind, argument: error.argument } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const given = JSON.parse(line) as Case;
  process.stdout.write(`${JSON.stringify(attempt(() => answer(given)))}\n`);
}
