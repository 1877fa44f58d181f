// The grids of a pooling: the padded input, what a window reads of it, the output, the gradient.

import { fill, range, sizeOf } from "../arithmetic/arrays.ts";
import type { Matrix } from "../arithmetic/arrays.ts";
import { frameSize } from "../arithmetic/budget.ts";
import { reachOf } from "../arithmetic/checks.ts";
import { pixelsOf, unreadAlong } from "../arithmetic/pooling.ts";
import type { Pooling } from "../arithmetic/pooling.ts";
import { startOf } from "../arithmetic/windows.ts";
import type { Index } from "../worked/layout.ts";
import { cell, numberText, placeName } from "./cells.ts";
import { at } from "./grid.ts";
import type { GridCell, Marks } from "./grid.ts";

export function inputCells(pooling: Pooling, channel: number): GridCell[][] {
  const { windows } = pooling;
  const [[top], [left]] = windows.padding;
  const [height, width] = windows.inputSize;
  const [unreadRows, unreadColumns] = [unreadAlong(windows, 0), unreadAlong(windows, 1)];
  const padding = pooling.kind === "max" ? "−∞" : "0";
  return fill(...frameSize(windows), (row, column) => {
    const [y, x] = [row - top, column - left];
    const place = placeName(y, x);
    if (y >= 0 && y < height && x >= 0 && x < width) {
      const unread = unreadRows[y] || unreadColumns[x];
      return cell(place, String(pooling.input[channel][y][x]), unread ? "input unread" : "input", {
        editable: true,
        notes: unread ? ["read by no window"] : [],
      });
    }
    const past = y >= height + windows.padding[0][1] || x >= width + windows.padding[1][1];
    return past ? cell(`past the padding, ${place}`, "·", "past") : cell(`padding, ${place}`, padding, "pad");
  });
}

export const hasUnread = ({ windows }: Pooling): boolean =>
  unreadAlong(windows, 0).includes(true) || unreadAlong(windows, 1).includes(true);

/** The window of an output cell on its own channel: what it reads, the winner, and ties with it. */
export function inputMarks(pooling: Pooling, channel: number, [own, row, column]: Index): Marks {
  const marks = new Map<string, string>();
  if (own !== channel) return marks;
  const { windows } = pooling;
  const [[top], [left]] = windows.padding;
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
