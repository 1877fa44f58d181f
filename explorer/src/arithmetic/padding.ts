// Padding: the rows and columns added around an image; cnnref/ops/padding.py.

import { fill, sizeOf } from "./arrays.ts";
import type { Matrix, Volume } from "./arrays.ts";
import { AXES } from "./checks.ts";
import type { Pair, Sides } from "./checks.ts";
import { given, repr, valueError } from "./errors.ts";

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

/** Refuse a mode that does not exist, and padding that a mode cannot fill from the image. */
export function checkPadding(size: Pair, sides: Sides, mode: PaddingMode): void {
  if (!PADDING_MODES.includes(mode)) {
    const names = PADDING_MODES.map(repr).join(", ");
    throw valueError("mode", `\`mode\` ${given(mode)} must be one of ${names}`);
  }
  for (const axis of [0, 1] as const) {
    checkFill(mode, size[axis], Math.max(...sides[axis]), AXES[axis]);
  }
}

/** Pad each channel; the settings are checked already. */
export const pad2d = (input: Volume, sides: Sides, mode: PaddingMode): Volume =>
  input.map((channel) => padChannel(channel, sides, mode));

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
      `\`padding\` (${amount}) in ${axis} must be at most ${Math.max(limit, 0)} with the mode ` +
        `${repr(mode)}, because the input has ${size} pixels there`,
    );
  }
}
