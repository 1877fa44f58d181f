// What a cell deep in a network sees of the image; cnnref/ops/receptive_field.py.

import type { Pair } from "./checks.ts";
import { valueError } from "./errors.ts";
import { labelOf, windowOf } from "./layers.ts";
import type { BranchesLayer, Layer, Window } from "./layers.ts";

/** As (height, width), in pixels of the input. */
export interface ReceptiveField {
  size: Pair;
  /** The distance between what two neighbouring cells read. */
  jump: Pair;
  /** The first pixel that the first cell reads; negative on the padding. */
  first: Pair;
}

const PIXEL: ReceptiveField = { size: [1, 1], jump: [1, 1], first: [0, 0] };

/** The field after each layer, up to the first whose cells do not all read a window alike. */
export function receptiveFields(layers: readonly Layer[]): ReceptiveField[] {
  const fields: ReceptiveField[] = [];
  let field = PIXEL;
  for (const layer of layers) {
    if (windowOf(layer) === null) break;
    field = after(field, layer);
    fields.push(field);
  }
  return fields;
}

function after(field: ReceptiveField, layer: Layer): ReceptiveField {
  if (layer.kind === "branches") return join(field, layer);
  const window = windowOf(layer);
  if (window === null) {
    const why =
      layer.kind === "transposed"
        ? "does not give all its cells a field of one size"
        : "reads the whole map: its receptive field is the image";
    throw valueError("", `${labelOf(layer)} ${why}`);
  }
  return bothAxes((axis) => grown(field, window, axis));
}

function bothAxes(of: (axis: 0 | 1) => readonly [number, number, number]): ReceptiveField {
  const [height, width] = [of(0), of(1)];
  return {
    size: [height[0], width[0]],
    jump: [height[1], width[1]],
    first: [height[2], width[2]],
  };
}

const grown = (field: ReceptiveField, window: Window, axis: 0 | 1) =>
  [
    field.size[axis] + (window.kernel[axis] - 1) * window.dilation[axis] * field.jump[axis],
    field.jump[axis] * window.stride[axis],
    field.first[axis] - window.padding[axis][0] * field.jump[axis],
  ] as const;

/** Where paths are joined, a cell reads from the first pixel of any path to the last of any. */
function join(field: ReceptiveField, block: BranchesLayer): ReceptiveField {
  const ends = block.paths.map((path) => path.reduce(after, field));
  const { jump } = ends[0];
  if (ends.some((end) => end.jump[0] !== jump[0] || end.jump[1] !== jump[1])) {
    const jumps = ends.map((end) => pairText(end.jump)).join(", ");
    throw valueError("", `the paths of ${labelOf(block)} end with jumps ${jumps}; they must be equal`);
  }
  return bothAxes((axis) => {
    const first = Math.min(...ends.map((end) => end.first[axis]));
    const last = Math.max(...ends.map((end) => end.first[axis] + end.size[axis]));
    return [last - first, jump[axis], first] as const;
  });
}

/** Write a (height, width) pair, as one number where both are equal. */
export const pairText = ([height, width]: Pair): string =>
  height === width ? String(height) : `${height} × ${width}`;
