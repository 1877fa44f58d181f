// Settings and numbers as Python source.

import type { Pair, Sides } from "../arithmetic/checks.ts";
import { repr } from "../arithmetic/errors.ts";
import type { PaddingSetting } from "../state/codec.ts";

type Nested = number | readonly Nested[];

/** Nested lists, one row of numbers a line. */
export function literal(values: Nested, indent = ""): string {
  if (typeof values === "number") return String(values);
  if (values.every((value) => typeof value === "number")) return `[${values.join(", ")}]`;
  const deeper = `${indent} `;
  const items = values.map((value) => literal(value, deeper));
  return `[${items.join(`,\n${deeper}`)}]`;
}

export const pair = ([height, width]: Pair): string =>
  height === width ? String(height) : repr([height, width]);

export const paddingOf = (padding: PaddingSetting): string =>
  typeof padding === "string" ? `"${padding}"` : repr(padding);

/** The padding of torch.nn.functional.pad: the last axis first. */
export const torchPad = ([[top, bottom], [left, right]]: Sides): string =>
  repr([left, right, top, bottom]);

export const callOf = (name: string, args: readonly string[]): string => `${name}(${args.join(", ")})`;
