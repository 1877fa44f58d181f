// Padding: the rows and columns put around an image; cnnref/ops/padding.py.

import { fill, sizeOf } from "./arrays.ts";
import type { Matrix, Volume } from "./arrays.ts";
import { AXES } from "./checks.ts";
import type { Sides } from "./checks.ts";
import { repr, valueError } from "./errors.ts";

export const PADDING_MODES = ["constant", "reflect", "replicate", "circular"] as const;
export type PaddingMode = (typeof PADDING_MODES)[number];

/** The pixel that a place of the padded image shows, along one axis; null is a zero. */
export function sourceOf(place: number, size: number, mode: PaddingMode): number | null {
  if (place >= 0 && place < size) return place;
  switch (mode) {
    case "constant":
      return null;
    case "replicate":
      return place < 0 ? 0 : size - 1;
    case "circular":
      return (place + size) % size;
    case "reflect":
      return place < 0 ? -place : 2 * (size - 1) - place;
  }
}

/** Pad each channel. What a mode cannot fill from the image is refused. */
export function pad2d(input: Volume, sides: Sides, mode: PaddingMode): Volume {
  if (!PADDING_MODES.includes(mode)) {
    const names = PADDING_MODES.map(repr).join(", ");
    throw valueError("mode", `\`mode\` (=${repr(mode)}) must be one of ${names}`);
  }
  const [height, width] = sizeOf(input[0]);
  checkFill(mode, height, Math.max(...sides[0]), AXES[0]);
  checkFill(mode, width, Math.max(...sides[1]), AXES[1]);
  return input.map((channel) => padChannel(channel, sides, mode));
}

function padChannel(channel: Matrix, sides: Sides, mode: PaddingMode): Matrix {
  const [[top, bottom], [left, right]] = sides;
  const [height, width] = sizeOf(channel);
  return fill(top + height + bottom, left + width + right, (row, column) => {
    const y = sourceOf(row - top, height, mode);
    const x = sourceOf(column - left, width, mode);
    return y === null || x === null ? 0 : channel[y][x];
  });
}

function checkFill(mode: PaddingMode, size: number, amount: number, axis: string): void {
  if (!amount || mode === "constant") return;
  const limit = { reflect: size - 1, replicate: amount, circular: size }[mode];
  if (amount > limit) {
    throw valueError(
      "padding",
      `\`padding\` (=${amount}) in ${axis} must be at most ${Math.max(limit, 0)} with mode ` +
        `${repr(mode)}: the input has ${size} pixels there`,
    );
  }
}
