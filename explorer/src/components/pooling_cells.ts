// The grids of a pooling: the padded input, what a window reads of it, the output, the gradient.

import { fill, range, sizeOf } from "../arithmetic/arrays.ts";
import type { Matrix } from "../arithmetic/arrays.ts";
import { reachOf } from "../arithmetic/checks.ts";
import { pixelsOf } from "../arithmetic/pooling.ts";
import type { Pooling } from "../arithmetic/pooling.ts";
import { startOf } from "../arithmetic/windows.ts";
import type { Index } from "../worked/layout.ts";
import { cell, numberText, placeName } from "./cells.ts";
import { at } from "./grid.ts";
import type { GridCell, Marks } from "./grid.ts";

/** What is drawn around the image: its padding, and what a window rounded up sticks out. */
export interface Frame {
  top: number;
  left: number;
  rows: number;
  columns: number;
}

export function frameOf({ windows }: Pooling): Frame {
  const ends = ([0, 1] as const).map((axis) => {
    const last = startOf(windows, axis, windows.outputSize[axis] - 1);
    const reach = last + reachOf(windows.kernel[axis], windows.dilation[axis]);
    return Math.max(windows.inputSize[axis] + windows.padding[axis][1], reach);
  });
  const [top, left] = [windows.padding[0][0], windows.padding[1][0]];
  return { top, left, rows: top + ends[0], columns: left + ends[1] };
}

export function inputCells(pooling: Pooling, channel: number): GridCell[][] {
  const { top, left, rows, columns } = frameOf(pooling);
  const { windows } = pooling;
  const [height, width] = windows.inputSize;
  const read = readPixels(pooling);
  const padding = pooling.kind === "max" ? "−∞" : "0";
  return fill(rows, columns, (row, column) => {
    const [y, x] = [row - top, column - left];
    const place = placeName(y, x);
    if (y >= 0 && y < height && x >= 0 && x < width) {
      const unread = !read.has(at(y, x));
      return cell(place, String(pooling.input[channel][y][x]), unread ? "input unread" : "input", {
        editable: true,
        notes: unread ? ["read by no window"] : [],
      });
    }
    const past = y >= height + windows.padding[0][1] || x >= width + windows.padding[1][1];
    return past ? cell(`past the padding, ${place}`, "·", "past") : cell(`padding, ${place}`, padding, "pad");
  });
}

function readPixels({ windows }: Pooling): Set<string> {
  const read = new Set<string>();
  for (const row of range(windows.outputSize[0])) {
    for (const column of range(windows.outputSize[1])) {
      for (const [y, x] of pixelsOf(windows, row, column)) read.add(at(y, x));
    }
  }
  return read;
}

export const hasUnread = (pooling: Pooling): boolean =>
  readPixels(pooling).size < pooling.windows.inputSize[0] * pooling.windows.inputSize[1];

/** The window of an output cell on its own channel: what it reads, the winner, what is as large. */
export function inputMarks(pooling: Pooling, channel: number, [own, row, column]: Index): Marks {
  const marks = new Map<string, string>();
  if (own !== channel) return marks;
  const { windows } = pooling;
  const { top, left } = frameOf(pooling);
  const [y0, x0] = [startOf(windows, 0, row) + top, startOf(windows, 1, column) + left];
  for (const u of range(reachOf(windows.kernel[0], windows.dilation[0]))) {
    for (const v of range(reachOf(windows.kernel[1], windows.dilation[1]))) {
      const tap = u % windows.dilation[0] === 0 && v % windows.dilation[1] === 0;
      marks.set(at(y0 + u, x0 + v), tap ? "tap" : "window");
    }
  }
  if (pooling.kind === "avg") return marks;
  const place = pooling.indices[channel][row][column];
  const value = pooling.output[channel][row][column];
  for (const [y, x] of pixelsOf(windows, row, column)) {
    if (pooling.input[channel][y][x] !== value) continue;
    const won = y * windows.inputSize[1] + x === place;
    marks.set(at(y + top, x + left), won ? "winner" : "tap tie");
  }
  return marks;
}

export const outputCells = (pooling: Pooling, channel: number): GridCell[][] =>
  pooling.output[channel].map((line, row) =>
    line.map((value, column) =>
      cell(placeName(row, column), numberText(value, pooling.whole), "output"),
    ),
  );

export const gradientCells = (gradient: Matrix): GridCell[][] =>
  fill(...sizeOf(gradient), (row, column) => {
    const value = gradient[row][column];
    return cell(placeName(row, column), numberText(value, false), value ? "filter" : "pad");
  });
