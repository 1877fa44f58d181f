// Values in a link: compact, and made of characters that a URL does not escape. Every part is checked
// when it is read, and nothing of a link is ever put on the page as it is.

import { fill, range } from "../arithmetic/arrays.ts";
import type { Volume } from "../arithmetic/arrays.ts";
import type { Pair, Sides } from "../arithmetic/checks.ts";

/** A link that cannot be read. */
export class LinkError extends Error {}

/** The largest sizes that fields and links take, one by one; arithmetic/budget.ts limits them together. */
export const LIMITS = { channels: 8, filters: 8, size: 32, kernel: 11, setting: 64 } as const;

/** Numbers of a grid: up to six digits, up to four decimals. Sums of their products stay exact. */
const NUMBER = /^-?\d{1,6}(\.\d{1,4})?$/;
const INTEGER = /^-?\d{1,3}$/;

export type PaddingSetting = number | Pair | Sides | "same" | "valid";

/** Read a number from a field or a link; null if the text is not a number. */
export function parseNumber(text: string): number | null {
  return NUMBER.test(text) ? Number(text) + 0 : null;
}

export function parseInteger(text: string): number {
  if (!INTEGER.test(text)) throw new LinkError("one of its settings is not a whole number of at most 3 digits");
  return Number(text);
}

/** An integer that sizes something, and so has a limit. */
export function parseSize(text: string, limit: number): number {
  const size = parseInteger(text);
  if (size < 1 || size > limit) throw new LinkError(`one of its sizes is not from 1 to ${limit}`);
  return size;
}

/** Numbers one after another; `2*16` means 16 times the number 2. */
export function encodeNumbers(values: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const value of values) {
    const last = runs[runs.length - 1];
    if (last?.[0] === value) last[1] += 1;
    else runs.push([value, 1]);
  }
  return runs.map(([value, count]) => (count > 1 ? `${value}*${count}` : String(value))).join("_");
}

export function decodeNumbers(text: string, count: number): number[] {
  const values: number[] = [];
  for (const run of text.split("_")) {
    const [value, times = "1", ...rest] = run.split("*");
    const number = parseNumber(value);
    if (number === null || rest.length || !/^\d{1,5}$/.test(times)) {
      throw new LinkError("one of its numbers cannot be read");
    }
    const repeat = Number(times);
    // Before the array grows: a link of a few characters must not ask for a billion numbers.
    if (repeat < 1 || values.length + repeat > count) throw new LinkError(`it does not have the ${count} numbers that its sizes ask for`);
    for (let i = 0; i < repeat; i++) values.push(number);
  }
  if (values.length !== count) throw new LinkError(`it does not have the ${count} numbers that its sizes ask for`);
  return values;
}

/** `3x4x4.` and the numbers of a volume. */
export const encodeVolume = (volume: Volume): string =>
  `${volume.length}x${volume[0].length}x${volume[0][0].length}_${encodeNumbers(volume.flat(2))}`;

export function decodeVolume(text: string, limit: number): Volume {
  const [head, body] = splitOnce(text, "_");
  const sizes = head.split("x");
  if (sizes.length !== 3) throw new LinkError("a shape does not have 3 sizes");
  const channels = parseSize(sizes[0], LIMITS.channels);
  const [height, width] = [parseSize(sizes[1], limit), parseSize(sizes[2], limit)];
  return toVolume(decodeNumbers(body, channels * height * width), channels, height, width);
}

export function toVolume(
  values: readonly number[],
  channels: number,
  height: number,
  width: number,
): Volume {
  return range(channels).map((c) =>
    fill(height, width, (row, column) => values[(c * height + row) * width + column]),
  );
}

export const encodePair = ([height, width]: Pair): string =>
  height === width ? String(height) : `${height}x${width}`;

export function decodePair(text: string): Pair {
  const parts = text.split("x").map(parseInteger);
  if (parts.length > 2) throw new LinkError("a pair has more than 2 numbers");
  return [parts[0], parts[parts.length - 1]];
}

export function encodePadding(padding: PaddingSetting): string {
  if (typeof padding === "string" || typeof padding === "number") return String(padding);
  return padding.flat().join("x");
}

export function decodePadding(text: string): PaddingSetting {
  if (text === "same" || text === "valid") return text;
  const sides = text.split("x").map(parseInteger);
  switch (sides.length) {
    case 1:
      return sides[0];
    case 2:
      return [sides[0], sides[1]];
    case 4:
      return [
        [sides[0], sides[1]],
        [sides[2], sides[3]],
      ];
    default:
      throw new LinkError("the padding is not a known word or 1, 2 or 4 numbers");
  }
}

/** Fields by their letter, each once: `s2~p1`. */
export function joinFields(fields: Readonly<Record<string, string | null>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([letter, value]) => `${letter}${value}`)
    .join("~");
}

export function splitFields(text: string, letters: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of text.split("~")) {
    const letter = field.slice(0, 1);
    if (!letter || !letters.includes(letter) || fields.has(letter)) {
      throw new LinkError("it has a part that is unknown or repeated");
    }
    fields.set(letter, field.slice(1));
  }
  return fields;
}

export function need(fields: ReadonlyMap<string, string>, letter: string): string {
  const value = fields.get(letter);
  if (value === undefined) throw new LinkError("a part of it is missing");
  return value;
}

export function oneOf<T extends string>(text: string, words: readonly T[]): T {
  const word = words.find((candidate) => candidate === text);
  if (word === undefined) throw new LinkError("it has an unknown word");
  return word;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  if (at < 0) throw new LinkError("a part of it is cut off");
  return [text.slice(0, at), text.slice(at + 1)];
}
