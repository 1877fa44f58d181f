// The examples of the pooling explorer.

import type { PoolingState } from "./pooling.ts";
import { questionsImage } from "./convolution_presets.ts";
import { PHOTOGRAPH } from "./photograph.ts";

const state = (settings: Partial<PoolingState>): PoolingState => ({
  mode: "max",
  input: questionsImage(),
  kernel: [2, 2],
  stride: null,
  padding: 0,
  dilation: [1, 1],
  ceilMode: false,
  countIncludePad: true,
  divisorOverride: null,
  cell: [0, 0, 0],
  ...settings,
});

const MIXED = [
  [1, 3, 2, 0, 4],
  [5, 5, 1, 2, 2],
  [0, 7, 7, 1, 3],
  [2, 1, 0, 6, 6],
  [4, 4, 8, 1, 9],
];

export const POOLING_PRESETS: Readonly<Record<string, { title: string; state: PoolingState }>> = {
  "question-11": { title: "Question 11: max pooling 2×2", state: state({}) },
  overlap: {
    title: "Overlapping windows, with ties",
    state: state({ input: [MIXED], kernel: [3, 3], stride: [1, 1] }),
  },
  padded: {
    title: "Padding of minus infinity",
    state: state({ input: [MIXED.map((row) => row.map((value) => 0 - value))], kernel: [3, 3], stride: [2, 2], padding: 1 }),
  },
  ceil: { title: "Rounded up: a window sticks out", state: state({ input: [MIXED], ceilMode: true }) },
  average: { title: "Average pooling", state: state({ mode: "avg", input: [MIXED], stride: [1, 1] }) },
  "average-padded": {
    title: "Average, padding counted or not",
    state: state({ mode: "avg", input: [MIXED], kernel: [3, 3], stride: [2, 2], padding: 1 }),
  },
  photograph: { title: "A patch of a photograph", state: state({ input: [PHOTOGRAPH] }) },
};
