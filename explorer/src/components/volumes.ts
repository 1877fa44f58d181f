// Volumes with one number changed, or another size.

import { fill, range } from "../arithmetic/arrays.ts";
import type { Matrix, Volume } from "../arithmetic/arrays.ts";
import type { CellEdit } from "./grid.ts";

/** New places get `value`; the others keep their numbers. */
export function resized(
  volume: Volume,
  [channels, height, width]: readonly [number, number, number],
  value: number,
): Volume {
  return range(channels).map((c) =>
    fill(height, width, (row, column) => volume[c]?.[row]?.[column] ?? value),
  );
}

const replaced = <T>(items: readonly T[], place: number, change: (item: T) => T): T[] =>
  items.map((item, i) => (i === place ? change(item) : item));

const withCell = (matrix: Matrix, { row, column, value }: CellEdit): Matrix =>
  replaced(matrix, row, (line) => replaced(line, column, () => value));

export const withPixel = (volume: Volume, channel: number, edit: CellEdit): Volume =>
  replaced(volume, channel, (matrix) => withCell(matrix, edit));

export const withWeight = (
  filters: readonly Volume[],
  filter: number,
  channel: number,
  edit: CellEdit,
): Volume[] => replaced(filters, filter, (volume) => withPixel(volume, channel, edit));
