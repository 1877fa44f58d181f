// What a cell deep in a network sees of the image; cnnref/networks/receptive_field.py.

import { exact } from "./budget.ts";
import type { Pair } from "./checks.ts";
import { valueError } from "./errors.ts";
import { labelOf, windowOf } from "./layers.ts";
import type { BranchesLayer, Layer, Window } from "./layers.ts";

/** As (height, width), in pixels of the input. */
export interface ReceptiveField {
  size: Pair;
  /** The distance between the fields of two neighboring cells. */
  jump: Pair;
  /** The first pixel that the first cell reads; negative in the padding. */
  first: Pair;
}

const PIXEL: ReceptiveField = { size: [1, 1], jump: [1, 1], first: [0, 0] };

/** The field after each layer, up to the first layer whose cells have no fields of one size. */
export function* receptiveFields(layers: readonly Layer[]): Generator<ReceptiveField> {
  let field = PIXEL;
  for (const layer of layers) {
    if (endOf(layer)) return;
    field = after(field, layer);
    yield field;
  }
}

/** Why the cells of a layer have no fields of one size; empty if they have. */
export function endOf(layer: Layer): string {
  if (layer.kind === "branches") {
    const reason = layer.paths.flat().map(endOf).find(Boolean);
    return reason ? `${labelOf(layer)}: ${reason}` : "";
  }
  if (windowOf(layer) !== null) return "";
  const why =
    layer.kind === "transposed"
      ? "has output cells with receptive fields of different sizes"
      : "reads the whole map, so its receptive field is the image";
  return `${labelOf(layer)} ${why}`;
}

function after(field: ReceptiveField, layer: Layer): ReceptiveField {
  if (layer.kind === "branches") return join(field, layer);
  // The fields end before a layer without a window.
  const window = windowOf(layer) as Window;
  return bothAxes((axis) => grown(field, window, axis));
}

function bothAxes(of: (axis: 0 | 1) => readonly [number, number, number]): ReceptiveField {
  const [height, width] = ([0, 1] as const).map((axis) =>
    of(axis).map((value) => exact(value, "the receptive field", "layers")),
  );
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

/** Where paths join, a cell reads from the first pixel of any path to the last pixel of any path. */
function join(field: ReceptiveField, block: BranchesLayer): ReceptiveField {
  const ends = block.paths.map((path) => path.reduce(after, field));
  const { jump } = ends[0];
  if (ends.some((end) => end.jump[0] !== jump[0] || end.jump[1] !== jump[1])) {
    const jumps = ends.map((end) => pairText(end.jump)).join(", ");
    throw valueError(
      "paths",
      `\`paths\` of ${labelOf(block)} end with the jumps ${jumps}, but the jumps must be equal for a ` +
        "receptive field of one size",
    );
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
