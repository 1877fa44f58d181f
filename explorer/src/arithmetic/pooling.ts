// Max and average pooling, derived cell by cell, with the gradient's way back. Indices count from 0.

import { fill, range, sizeOf, sum, zeros } from "./arrays.ts";
import type { Matrix, Volume } from "./arrays.ts";
import { asFlag, asInt, reachOf } from "./checks.ts";
import type { Pair } from "./checks.ts";
import { checkWindows, startOf } from "./windows.ts";
import type { Windows, WindowSettings } from "./windows.ts";

interface Shared {
  input: Volume;
  windows: Windows;
  output: Volume;
}

export interface MaxPooling extends Shared {
  kind: "max";
  /** Whether all numbers are whole; cnnref then keeps them as integers. */
  whole: boolean;
  /** For each output cell the winner's place, y · W + x. */
  indices: Volume;
}

export interface AvgPooling extends Shared {
  kind: "avg";
  /** An average is computed in floats. */
  whole: false;
  countIncludePad: boolean;
  divisorOverride: number | null;
  divisors: Matrix;
}

export type Pooling = MaxPooling | AvgPooling;

export interface AvgSettings extends Omit<WindowSettings, "dilation"> {
  count_include_pad: unknown;
  divisor_override: unknown;
}

/** One window: what it reads, and what of it is padding. */
export interface PooledWindow {
  /** 0 where the window does not lie on the image. */
  window: Matrix;
  read: boolean[][];
  padded: boolean[][];
}

export interface MaxPooledCell extends PooledWindow {
  kind: "max";
  channel: number;
  row: number;
  column: number;
  value: number;
  /** Row and column of the winner, in the window. */
  winner: Pair;
  /** How many pixels of the window are as large as the winner. */
  equals: number;
}

export interface AvgPooledCell extends PooledWindow {
  kind: "avg";
  channel: number;
  row: number;
  column: number;
  value: number;
  sum: number;
  divisor: number;
}

export function maxPool2d(input: Volume, settings: WindowSettings): MaxPooling {
  const windows = checkWindows(sizeOf(input[0]), settings);
  const width = windows.inputSize[1];
  const [ys, xs] = placesOf(windows);
  const indices = input.map((channel) =>
    fill(...windows.outputSize, (i, j) => {
      let [row, column] = [ys[i][0], xs[j][0]];
      for (const y of ys[i]) {
        for (const x of xs[j]) {
          // The first of equal pixels wins: only a larger one takes its place.
          if (channel[y][x] > channel[row][column]) [row, column] = [y, x];
        }
      }
      return row * width + column;
    }),
  );
  const output = indices.map((places, c) =>
    places.map((row) => row.map((place) => input[c][Math.floor(place / width)][place % width])),
  );
  const whole = input.flat(2).every(Number.isInteger);
  return { kind: "max", input, windows, output, indices, whole };
}

export function avgPool2d(input: Volume, settings: AvgSettings): AvgPooling {
  const windows = checkWindows(sizeOf(input[0]), { ...settings, dilation: 1 });
  const countIncludePad = asFlag(settings.count_include_pad, "count_include_pad");
  const override = settings.divisor_override;
  const divisorOverride = override === null ? null : asInt(override, "divisor_override", 1);
  const counts = ([0, 1] as const).map((axis) =>
    range(windows.outputSize[axis]).map((window) => countOf(windows, axis, window, countIncludePad)),
  );
  const divisors = fill(
    ...windows.outputSize,
    (i, j) => divisorOverride ?? counts[0][i] * counts[1][j],
  );
  const [ys, xs] = placesOf(windows);
  const output = input.map((channel) =>
    fill(...windows.outputSize, (i, j) => {
      let total = 0;
      for (const y of ys[i]) for (const x of xs[j]) total += channel[y][x];
      return total / divisors[i][j];
    }),
  );
  return {
    kind: "avg",
    input,
    windows,
    output,
    whole: false,
    countIncludePad,
    divisorOverride,
    divisors,
  };
}

/** For each axis and each window along it, the rows or columns of the image that it reads. */
const placesOf = (windows: Windows): number[][][] =>
  ([0, 1] as const).map((axis) =>
    range(windows.outputSize[axis]).map((window) => placesAlong(windows, axis, window)),
  );

const placesAlong = (windows: Windows, axis: 0 | 1, window: number): number[] =>
  range(windows.kernel[axis])
    .map((tap) => startOf(windows, axis, window) + tap * windows.dilation[axis])
    .filter((place) => place >= 0 && place < windows.inputSize[axis]);

/** The pixels of the image that a window reads, row by row. */
export function pixelsOf(windows: Windows, row: number, column: number): Pair[] {
  const [ys, xs] = [placesAlong(windows, 0, row), placesAlong(windows, 1, column)];
  return ys.flatMap((y) => xs.map((x): Pair => [y, x]));
}

/** Which rows (axis 0) or columns of the image no window reads. */
export function unreadAlong(windows: Windows, axis: 0 | 1): boolean[] {
  const read = new Set(placesOf(windows)[axis].flat());
  return range(windows.inputSize[axis]).map((place) => !read.has(place));
}

/** Over how many cells along an axis a window averages; what lies past the padding never counts. */
function countOf(windows: Windows, axis: 0 | 1, window: number, includePadding: boolean): number {
  const [before, after] = includePadding ? windows.padding[axis] : [0, 0];
  const start = startOf(windows, axis, window);
  const end = Math.min(start + windows.kernel[axis], windows.inputSize[axis] + after);
  return end - Math.max(start, -before);
}

function windowAt(pooling: Pooling, channel: number, row: number, column: number): PooledWindow {
  const { windows, input } = pooling;
  const places = ([0, 1] as const).map((axis) =>
    range(reachOf(windows.kernel[axis], windows.dilation[axis])).map((step) => {
      const place = startOf(windows, axis, [row, column][axis]) + step;
      const [before, after] = windows.padding[axis];
      const tap = step % windows.dilation[axis] === 0;
      return {
        place,
        onImage: tap && place >= 0 && place < windows.inputSize[axis],
        onPadding: tap && place >= -before && place < windows.inputSize[axis] + after,
      };
    }),
  );
  const [ys, xs] = places;
  const map = <T>(value: (y: (typeof ys)[0], x: (typeof xs)[0]) => T) =>
    ys.map((y) => xs.map((x) => value(y, x)));
  const isRead = (y: (typeof ys)[0], x: (typeof xs)[0]) => y.onImage && x.onImage;
  return {
    window: map((y, x) => (isRead(y, x) ? input[channel][y.place][x.place] : 0)),
    read: map(isRead),
    padded: map((y, x) => y.onPadding && x.onPadding && !isRead(y, x)),
  };
}

export function pooledCell(
  pooling: Pooling,
  channel: number,
  row: number,
  column: number,
): MaxPooledCell | AvgPooledCell {
  const at = windowAt(pooling, channel, row, column);
  const value = pooling.output[channel][row][column];
  const pixels = pixelsOf(pooling.windows, row, column).map(([y, x]) => pooling.input[channel][y][x]);
  const shared = { ...at, channel, row, column, value };
  if (pooling.kind === "avg") {
    return { ...shared, kind: "avg", sum: sum(pixels), divisor: pooling.divisors[row][column] };
  }
  const place = pooling.indices[channel][row][column];
  const { windows } = pooling;
  const width = windows.inputSize[1];
  const winner: Pair = [
    Math.floor(place / width) - startOf(windows, 0, row),
    (place % width) - startOf(windows, 1, column),
  ];
  const equals = pixels.filter((pixel) => pixel === value).length;
  return { ...shared, kind: "max", winner, equals };
}

/** Send the gradient of each output cell back to the pixels it came from. */
export function inputGradient(pooling: Pooling, outputGradient: Volume): Volume {
  return outputGradient.map((given, channel) =>
    pooling.kind === "max" ? toWinners(pooling, channel, given) : toAll(pooling, given),
  );
}

/** The winner of a window gets all of it. */
function toWinners(pooling: MaxPooling, channel: number, given: Matrix): Matrix {
  const width = pooling.windows.inputSize[1];
  const gradient = zeros(...pooling.windows.inputSize);
  for (const [i, places] of pooling.indices[channel].entries()) {
    for (const [j, place] of places.entries()) {
      gradient[Math.floor(place / width)][place % width] += given[i][j];
    }
  }
  return gradient;
}

/** Every pixel of a window gets an equal share. Tap by tap, the order in which cnnref adds. */
function toAll(pooling: AvgPooling, given: Matrix): Matrix {
  const { windows, divisors } = pooling;
  const [height, width] = windows.inputSize;
  const gradient = zeros(height, width);
  const shares = given.map((row, i) => row.map((value, j) => value / divisors[i][j]));
  for (const u of range(windows.kernel[0])) {
    for (const v of range(windows.kernel[1])) {
      for (const [i, row] of shares.entries()) {
        const y = startOf(windows, 0, i) + u;
        if (y < 0 || y >= height) continue;
        for (let j = 0; j < row.length; j++) {
          const x = startOf(windows, 1, j) + v;
          if (x >= 0 && x < width) gradient[y][x] += row[j];
        }
      }
    }
  }
  return gradient;
}
