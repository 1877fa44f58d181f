// Work is counted, and refused, before anything is computed or drawn.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BUDGET, checkWork, convolutionWork, exact, poolingWork } from "../src/arithmetic/budget.ts";
import { Convolution } from "../src/arithmetic/convolution.ts";
import { CheckError } from "../src/arithmetic/errors.ts";
import { summarise } from "../src/arithmetic/summary.ts";
import { checkWindows } from "../src/arithmetic/windows.ts";
import { convolutionCodec } from "../src/state/convolution.ts";
import { CONVOLUTION_PRESETS } from "../src/state/convolution_presets.ts";
import type { ConvolutionState } from "../src/state/convolution.ts";
import { poolingCodec } from "../src/state/pooling.ts";
import { POOLING_PRESETS } from "../src/state/pooling_presets.ts";
import type { PoolingState } from "../src/state/pooling.ts";
import { layerOf, parseStack } from "../src/state/stack.ts";

function convolve(state: ConvolutionState): void {
  const convolution = new Convolution({ ...state, padding_mode: state.mode });
  checkWork(convolutionWork(convolution), convolution);
}

function pool({ input, kernel, stride, padding, dilation, ceilMode }: PoolingState): void {
  const settings = { kernel_size: kernel, stride, padding, dilation, ceil_mode: ceilMode };
  const windows = checkWindows([input[0].length, input[0][0].length], settings);
  checkWork(poolingWork(input.length, windows), windows);
}

const refused = (act: () => void, argument: string, message: RegExp): void =>
  assert.throws(act, (error) => {
    assert.ok(error instanceof CheckError);
    assert.deepEqual([error.kind, error.argument], ["ValueError", argument]);
    assert.match(error.message, message);
    return true;
  });

test("every example is within the budget", () => {
  for (const { state } of Object.values(CONVOLUTION_PRESETS)) convolve(state);
  for (const { state } of Object.values(POOLING_PRESETS)) pool(state);
});

test("the work of question 2, counted by hand", () => {
  // 3 padded channels of 6×6, an output of 4×4, and 3 tables of 3 channels of 3×3.
  const { state } = CONVOLUTION_PRESETS["question-2"];
  const convolution = new Convolution({ ...state, padding_mode: state.mode });
  assert.deepEqual(convolutionWork(convolution), {
    cells: 3 * 36 + 16 + 3 * 27,
    reads: 16 * 27,
  });
  // 3 channels of 4×4, outputs of 2×2, gradients of 4×4; 4 numbers per window.
  const windows = checkWindows([4, 4], { kernel_size: 2, stride: null, padding: 0, dilation: 1, ceil_mode: false });
  assert.deepEqual(poolingWork(3, windows), { cells: 3 * (16 + 4 + 16), reads: 3 * 4 * 4 });
});

test("links that once froze the page are refused with the limit and the remedy", () => {
  const one = "x1x1x1_1~w1.1x1x1_1";
  const large = "x8x32x32_1*8192~w8.8x11x11_1*7744";
  const limit = /the explorer handles at most 6,000: use/;
  for (const link of [`${one}~p999`, `${one}~p300`, `${one}~p999~s999~d999`, `${large}~p64`]) {
    refused(() => convolve(convolutionCodec.decode(link)), "padding", limit);
  }
  refused(() => convolve(convolutionCodec.decode(large)), "input", /14,968 cells to draw/);
  for (const link of ["mmax~x1x1x1_1~k999~p499", "mavg~x1x1x1_1~k999~p499~s1"]) {
    refused(() => pool(poolingCodec.decode(link)), "kernel_size", limit);
  }
  refused(() => pool(poolingCodec.decode("mmax~x1x1x1_1~k999~s999~u")), "kernel_size", limit);
  // Few cells, but each window reads 32×32 numbers.
  refused(
    () => pool(poolingCodec.decode("mmax~x1x30x30_1*900~k32~s1~p16")),
    "padding",
    /984,064 numbers to read, and the explorer handles at most 500,000: use less padding/,
  );
});

test("the last setting within the budget is accepted", () => {
  const { state } = CONVOLUTION_PRESETS["question-1"];
  const cells = (padding: number) =>
    convolutionWork(new Convolution({ ...state, padding, padding_mode: "constant" })).cells;
  let padding = 0;
  while (cells(padding + 1) <= BUDGET.cells) padding += 1;
  convolve({ ...state, padding });
  refused(() => convolve({ ...state, padding: padding + 1 }), "padding", /cells to draw/);
});

test("a stack stops before the first count that is not exact", () => {
  const summaryOf = (text: string) => {
    const { input, rows } = parseStack(text);
    return summarise(rows.map(layerOf), input);
  };
  const grown = "\ntransposed 999999 999999 stride 999999";
  const texts = [
    "input 999999x999999x999999\nflatten",
    "input 999999x999999x999999\nconv 999999 999999",
    `input 3x9x9${grown.repeat(60)}`,
    `input 1x999999x999999${"\nconv 1 3 stride 2 padding 999999 dilation 99999".repeat(80)}`,
  ];
  for (const text of texts) {
    const { costs, totals, broken, fields, fieldError } = summaryOf(text);
    const shown = costs.flatMap((c) => [...c.output, c.parameters, c.macs, c.activation_bytes]);
    const sizes = fields.flatMap((field) => [...field.size, ...field.jump, ...field.first]);
    const numbers = [...shown, ...Object.values(totals), ...sizes];
    assert.ok(numbers.every(Number.isSafeInteger), text.slice(0, 60));
    assert.ok(broken !== null || fieldError !== null, text.slice(0, 60));
  }
  assert.match(summaryOf(texts[0]).broken?.reason ?? "", /9,007,199,254,740,991/);
});

test("the largest exact number is still shown", () => {
  assert.equal(exact(2 ** 53 - 1, "the count", "layers"), 2 ** 53 - 1);
  assert.throws(() => exact(2 ** 53, "the count", "layers"), CheckError);
  assert.throws(() => exact(NaN, "the count", "layers"), CheckError);
});
