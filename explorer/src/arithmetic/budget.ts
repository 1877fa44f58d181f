// What one setting may ask of the page. The work is counted from the shapes alone, before anything
// is computed or drawn, so that neither a link nor a field can freeze the explorer.

import type { Convolution } from "./convolution.ts";
import { reachOf } from "./checks.ts";
import type { Pair, Sides } from "./checks.ts";
import { given, valueError } from "./errors.ts";
import { startOf } from "./windows.ts";
import type { Windows } from "./windows.ts";

/** Within these limits every change is on the screen in 300 ms; see benchmarks/explorer.py. */
export const BUDGET = {
  /** Cells in all the tables of an explorer. */
  cells: 6_000,
  /** Numbers that all windows of all channels read together. */
  reads: 500_000,
} as const;

/** The largest number up to which every whole number is exact. */
export const LARGEST_EXACT = Number.MAX_SAFE_INTEGER;

export interface Work {
  cells: number;
  reads: number;
}

const area = ([height, width]: Pair): number => height * width;

const paddedSize = (size: Pair, padding: Sides): Pair => [
  size[0] + padding[0][0] + padding[0][1],
  size[1] + padding[1][0] + padding[1][1],
];

/** The padded input, the outputs, and for one output cell what it reads, the weights, the products. */
export function convolutionWork(convolution: Convolution): Work {
  const { input, inputSize, weight, kernel, padding, outputSize } = convolution;
  const channels = weight[0].length;
  const outputs = weight.length * area(outputSize);
  const padded = input.length * area(paddedSize(inputSize, padding));
  return {
    cells: padded + outputs + 3 * channels * area(kernel),
    reads: outputs * channels * area(kernel),
  };
}

/** For each channel the input in its frame, the output, and the gradient of the input. */
export function poolingWork(channels: number, windows: Windows): Work {
  const outputs = area(windows.outputSize);
  return {
    cells: channels * (area(frameSize(windows)) + outputs + area(windows.inputSize)),
    reads: channels * outputs * area(windows.kernel),
  };
}

/** The padded image, and what the last window covers beyond it when sizes are rounded up. */
export function frameSize(windows: Windows): Pair {
  const [height, width] = ([0, 1] as const).map((axis) => {
    const last = startOf(windows, axis, windows.outputSize[axis] - 1);
    const end = last + reachOf(windows.kernel[axis], windows.dilation[axis]);
    const [before, after] = windows.padding[axis];
    return before + Math.max(windows.inputSize[axis] + after, end);
  });
  return [height, width];
}

/** Whether so many cells can be drawn at once. */
export const fits = (cells: number): boolean => cells <= BUDGET.cells;

/** Refuse work beyond the budget, and name what causes most of it: padding, window or input. */
export function checkWork(
  work: Work,
  geometry: { inputSize: Pair; kernel: Pair; padding: Sides },
): void {
  const { inputSize, kernel, padding } = geometry;
  const causes = [
    {
      argument: "padding",
      value: given(padding),
      size: area(paddedSize(inputSize, padding)) - area(inputSize),
      remedy: "less padding",
    },
    { argument: "kernel_size", value: given(kernel), size: area(kernel), remedy: "a smaller window" },
    {
      argument: "input",
      value: `(${inputSize.join("×")})`,
      size: area(inputSize),
      remedy: "a smaller input or fewer channels",
    },
  ];
  const cause = causes.reduce((largest, next) => (next.size > largest.size ? next : largest));
  const [unit, words] =
    work.cells > BUDGET.cells
      ? (["cells", "cells to draw"] as const)
      : (["reads", "numbers to read"] as const);
  if (work[unit] <= BUDGET[unit]) return;
  throw valueError(
    cause.argument,
    `\`${cause.argument}\` ${cause.value} leads to ${count(work[unit])} ${words}, and the ` +
      `explorer handles at most ${count(BUDGET[unit])}: use ${cause.remedy}`,
  );
}

/** Return a whole number, or refuse it where the page could not show it exactly. */
export function exact(value: number, what: string, argument: string): number {
  if (Math.abs(value) <= LARGEST_EXACT) return value;
  throw valueError(
    argument,
    `${what} is larger than ${count(LARGEST_EXACT)}, up to which this page counts exactly: use ` +
      "smaller sizes",
  );
}

const count = (value: number): string => value.toLocaleString("en");
