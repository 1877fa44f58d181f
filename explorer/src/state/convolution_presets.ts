// The examples of the convolution explorer: those of the pages, and some to play with.

import { fill, range } from "../arithmetic/arrays.ts";
import type { Matrix, Volume } from "../arithmetic/arrays.ts";
import type { ConvolutionState } from "./convolution.ts";
import { PHOTOGRAPH } from "./photograph.ts";

/** The image of the questions: ones, twos, and rows that hold their own number. */
export const questionsImage = (): Volume => [
  fill(4, 4, () => 1),
  fill(4, 4, () => 2),
  fill(4, 4, (row) => row + 1),
];

const ones = (channels: number, size: number): Volume =>
  range(channels).map(() => fill(size, size, () => 1));

const state = (settings: Partial<ConvolutionState>): ConvolutionState => ({
  input: questionsImage(),
  weight: [ones(3, 3)],
  bias: null,
  stride: [1, 1],
  padding: 0,
  mode: "constant",
  dilation: [1, 1],
  groups: 1,
  cell: [0, 0, 0],
  ...settings,
});

const EDGE: Matrix = [
  [-1, 0, 1],
  [-2, 0, 2],
  [-1, 0, 1],
];

const DIAGONAL: Matrix = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

/** Strokes along two diagonals, one of them the filter's. */
const STROKES: Matrix = [
  [1, 0, 0, 0, 0, 0, 1],
  [0, 1, 0, 0, 0, 1, 0],
  [0, 0, 1, 0, 1, 0, 0],
  [0, 0, 0, 0, 0, 0, 0],
  [0, 0, 1, 0, 1, 0, 0],
  [0, 1, 0, 0, 0, 1, 0],
  [1, 0, 0, 0, 0, 0, 1],
];

/** Whole numbers of no pattern, the same at each visit: a linear congruential generator. */
export function randomNumbers(seed: number, low: number, high: number): () => number {
  let x = seed;
  return () => {
    x = (1664525 * x + 1013904223) % 2 ** 32;
    return low + Math.floor((x / 2 ** 32) * (high - low + 1));
  };
}

function randomState(): ConvolutionState {
  const [pixel, weight] = [randomNumbers(7, 0, 9), randomNumbers(11, -2, 2)];
  return state({
    input: range(2).map(() => fill(5, 5, pixel)),
    weight: range(2).map(() => range(2).map(() => fill(3, 3, weight))),
    bias: [1, -1],
  });
}

export const CONVOLUTION_PRESETS: Readonly<
  Record<string, { title: string; state: ConvolutionState }>
> = {
  "question-1": { title: "Question 1: no padding", state: state({}) },
  "question-2": { title: "Question 2: zero padding 1", state: state({ padding: 1 }) },
  "question-3": {
    title: "Question 3: dilation 2, padding 2",
    state: state({ padding: 2, dilation: [2, 2] }),
  },
  stride: { title: "Stride 2: a column is left over", state: state({ stride: [2, 2], weight: [ones(3, 3)] }) },
  edge: {
    title: "An edge",
    state: state({ input: [fill(6, 6, (_, column) => (column < 3 ? 0 : 9))], weight: [[EDGE]] }),
  },
  diagonal: {
    title: "A diagonal filter on diagonal strokes",
    state: state({ input: [STROKES], weight: [[DIAGONAL]] }),
  },
  random: { title: "Random numbers, two filters, bias", state: randomState() },
  photograph: {
    title: "A patch of a photograph",
    state: state({ input: [PHOTOGRAPH], weight: [[EDGE]] }),
  },
  depthwise: {
    title: "Depthwise: one filter per channel",
    state: state({
      weight: range(3).map(() => [fill(3, 3, (row, column) => (row === 1 && column === 1 ? 1 : 0))]),
      groups: 3,
    }),
  },
  pointwise: {
    title: "1×1: a sum over the channels",
    state: state({ weight: [[[[1]], [[10]], [[100]]]] }),
  },
};
