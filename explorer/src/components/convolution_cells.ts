// The grids of a convolution: their cells, and the cells that the window or a pixel marks.

import { range, sizeOf } from "../arithmetic/arrays.ts";
import type { Matrix } from "../arithmetic/arrays.ts";
import { reachOf } from "../arithmetic/checks.ts";
import type { Convolution, Reader } from "../arithmetic/convolution.ts";
import type { Index } from "../worked/layout.ts";
import { cell, numberText, placeName } from "./cells.ts";
import { at } from "./grid.ts";
import type { GridCell, Marks } from "./grid.ts";

/** A pixel of the input, counted without the padding. */
export interface Pixel {
  channel: number;
  row: number;
  column: number;
}

export const editableCells = (values: Matrix, looks: string): GridCell[][] =>
  values.map((line, row) =>
    line.map((value, column) =>
      cell(placeName(row, column), String(value), looks, { editable: true }),
    ),
  );

/** The padded input of a channel; what no window reads is marked. */
export function inputCells(convolution: Convolution, channel: number): GridCell[][] {
  const [[top], [left]] = convolution.padding;
  const [rows, columns] = [convolution.unread(0), convolution.unread(1)];
  return convolution.padded[channel].map((line, row) =>
    line.map((value, column) => {
      const unread = rows[row] || columns[column];
      const notes = unread ? ["read by no window"] : [];
      const looks = unread ? " unread" : "";
      if (convolution.isPadding(row, column)) {
        const place = `padding, ${placeName(row - top, column - left)}`;
        return cell(place, String(value), `pad${looks}`, { notes });
      }
      const place = placeName(row - top, column - left);
      return cell(place, String(value), `input${looks}`, { notes, editable: true });
    }),
  );
}

export const outputCells = (convolution: Convolution, filter: number): GridCell[][] =>
  convolution.output[filter].map((line, row) =>
    line.map((value, column) =>
      cell(placeName(row, column), numberText(value, convolution.whole), "output"),
    ),
  );

/** Where the window of an output cell lies, and which of its cells it reads. */
export function windowMarks(convolution: Convolution, [, row, column]: Index): Marks {
  const { stride, dilation, kernel } = convolution;
  const [top, left] = [row * stride[0], column * stride[1]];
  const marks = new Map<string, string>();
  for (const u of range(reachOf(kernel[0], dilation[0]))) {
    for (const v of range(reachOf(kernel[1], dilation[1]))) {
      const tap = u % dilation[0] === 0 && v % dilation[1] === 0;
      marks.set(at(top + u, left + v), tap ? "tap" : "window");
    }
  }
  return marks;
}

/** Mark the output cell that is derived, and those that read the pixel pointed at. */
export function outputMarks(filter: number, own: Index, readers: readonly Reader[]): Marks {
  const marks = new Map<string, string>();
  for (const reader of readers) {
    if (reader.filter === filter) marks.set(at(reader.row, reader.column), "reader");
  }
  if (own[0] === filter) {
    const place = at(own[1], own[2]);
    marks.set(place, `${marks.get(place) ?? ""} current`);
  }
  return marks;
}

const LISTED = 4;

/** Which outputs read a pixel, and with which weight: the transposed view in words. */
export function readersText(
  pixel: Pixel,
  readers: readonly Reader[],
  nameOf: (index: Index) => string,
): string {
  const place = `The pixel in channel ${pixel.channel + 1}, ${placeName(pixel.row, pixel.column)},`;
  if (!readers.length) return `${place} is read by no window.`;
  const cells = new Map<string, string>();
  for (const { filter, row, column, weight } of readers) {
    const name = nameOf([filter, row, column]);
    const before = cells.get(name);
    // A pixel that fills padding can be read more than once.
    cells.set(name, before === undefined ? String(weight) : `${before} and ${weight}`);
  }
  const listed = [...cells].slice(0, LISTED).map(([name, weights]) => `${name} (times ${weights})`);
  const more = cells.size > LISTED ? `; and ${cells.size - LISTED} more` : "";
  const count = cells.size === 1 ? "1 output cell" : `${cells.size} output cells`;
  return `${place} is read by ${count}: ${listed.join("; ")}${more}.`;
}

/** How large the window is and how much of it is read. */
export function windowText({ kernel, dilation }: Convolution, name: string): string {
  const [height, width] = [reachOf(kernel[0], dilation[0]), reachOf(kernel[1], dilation[1])];
  const [covered, read] = [height * width, kernel[0] * kernel[1]];
  const all = covered === read ? "reads them all" : `reads ${read} of them`;
  return `The window of ${name} covers ${height} × ${width} cells of each channel and ${all}.`;
}

export const isPadded = (convolution: Convolution): boolean =>
  sizeOf(convolution.padded[0]).some((size, axis) => size !== sizeOf(convolution.input[0])[axis]);
