// Hand-computed results, as literals, of what the parity test compares with cnnref.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Convolution } from "../src/arithmetic/convolution.ts";
import type { ConvolutionSettings } from "../src/arithmetic/convolution.ts";
import { avgPool2d, inputGradient, maxPool2d } from "../src/arithmetic/pooling.ts";
import { summarise } from "../src/arithmetic/summary.ts";
import { CONVOLUTION_PRESETS, questionsImage } from "../src/state/convolution_presets.ts";
import { layerOf, parseStack } from "../src/state/stack.ts";
import { convolutionDocument } from "../src/worked/convolution.ts";
import { toText } from "../src/worked/text.ts";

const convolution = (preset: string, changed: Partial<ConvolutionSettings> = {}): Convolution => {
  const { state } = CONVOLUTION_PRESETS[preset];
  return new Convolution({ ...state, padding_mode: state.mode, ...changed });
};

test("questions 1 to 3", () => {
  assert.deepEqual(convolution("question-1").output, [
    [
      [45, 45],
      [54, 54],
    ],
  ]);
  assert.deepEqual(convolution("question-2").output, [
    [
      [18, 27, 27, 18],
      [30, 45, 45, 30],
      [36, 54, 54, 36],
      [26, 39, 39, 26],
    ],
  ]);
  assert.deepEqual(convolution("question-3").output, [
    [
      [20, 20, 20, 20],
      [24, 24, 24, 24],
      [20, 20, 20, 20],
      [24, 24, 24, 24],
    ],
  ]);
});

test("the bottom row of question 2: 4 + 8 + 14", () => {
  const { channels, total } = convolution("question-2").cell(0, 3, 0);
  assert.deepEqual(
    channels.map(({ sum }) => sum),
    [4, 8, 14],
  );
  assert.equal(total, 26);
});

test("a filter of ones is not multiplied out in the worked solution", () => {
  const text = toText(convolutionDocument(convolution("question-2"), [[0, 3, 0]]));
  assert.match(text, /Every weight is 1/);
  assert.match(text, /total {3}26$/);
});

test("stride 2 leaves the last row and column", () => {
  const left = convolution("stride");
  assert.deepEqual(left.unread(0), [false, false, false, true]);
  assert.deepEqual(left.readers(0, 3, 3), []);
  assert.equal(left.readers(0, 0, 0).length, 1);
});

test("question 11", () => {
  const settings = { kernel_size: 2, stride: null, padding: 0, dilation: 1, ceil_mode: false };
  const pooling = maxPool2d(questionsImage(), settings);
  assert.deepEqual(pooling.output, [
    [
      [1, 1],
      [1, 1],
    ],
    [
      [2, 2],
      [2, 2],
    ],
    [
      [2, 2],
      [4, 4],
    ],
  ]);
});

test("the first of equal pixels gets the gradient; an average shares it", () => {
  const input = [
    [
      [1, 4],
      [4, 0],
    ],
  ];
  const settings = { kernel_size: 2, stride: null, padding: 0, ceil_mode: false };
  const max = maxPool2d(input, { ...settings, dilation: 1 });
  assert.deepEqual(inputGradient(max, [[[10]]]), [
    [
      [0, 10],
      [0, 0],
    ],
  ]);
  const avg = avgPool2d(input, { ...settings, count_include_pad: true, divisor_override: null });
  assert.deepEqual(inputGradient(avg, [[[10]]]), [
    [
      [2.5, 2.5],
      [2.5, 2.5],
    ],
  ]);
});

test("a stack breaks at its first bad layer, and says why", () => {
  const { rows, input } = parseStack("input 3x8x8\nconv 4 3\nlinear 10\nrelu");
  const { costs, broken } = summarise(rows.map(layerOf), input);
  assert.equal(costs.length, 1);
  assert.equal(broken?.place, 1);
  assert.match(broken?.reason ?? "", /put a flatten layer first/);
});
