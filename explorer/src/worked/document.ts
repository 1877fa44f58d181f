// The small language in which worked solutions are written; cnnref/worked/document.py. Numbers are
// text already here, so that the two renderings show the same digits.

import { show } from "../arithmetic/numbers.ts";
import type { Shown } from "../arithmetic/numbers.ts";

export type Mark = "plain" | "padding" | "unread" | "ellipsis";

/** One cell of a matrix; a sentence that explains the marks may contain one too. */
export interface Entry {
  kind: "entry";
  text: string;
  mark: Mark;
}

/** The signs ⊙ and ≈ in a sentence. */
export interface Sign {
  kind: "sign";
  text: "⊙" | "≈";
}

export type Part = string | Entry | Sign;

export interface Matrix {
  rows: Entry[][];
  rounded: boolean;
}

/** One line of a ledger: where a number comes from, and the number. */
export interface Term {
  label: string;
  value: Shown;
  factors: Matrix[];
  product: Matrix | null;
  /** Whether the shown factors give the shown product exactly. */
  productExact: boolean;
  /** Whether the shown cells add up to the shown number exactly. */
  addsUp: boolean;
  /** A bias is no sum. */
  isSum: boolean;
}

export interface Ledger {
  kind: "ledger";
  terms: Term[];
  total: Shown;
  addsUp: boolean;
}

export interface Card {
  title: string;
  blocks: Block[];
}

export type Block =
  | { kind: "paragraph"; parts: Part[] }
  | { kind: "heading"; text: string }
  | { kind: "display"; matrix: Matrix }
  | { kind: "grid"; cards: Card[] }
  | Ledger;

export const entry = (text: string, mark: Mark = "plain"): Entry => ({ kind: "entry", text, mark });
export const sign = (text: Sign["text"]): Sign => ({ kind: "sign", text });
export const paragraph = (...parts: Part[]): Block => ({ kind: "paragraph", parts });

/** A cell inside a window that is not read. */
export const UNREAD = entry("", "unread");

/** Which of `count` things to show: all; or the first, null for the gap, the last. */
export function kept(count: number, limit: number): (number | null)[] {
  const all = Array.from({ length: count }, (_, i) => i);
  return count <= limit ? all : [...all.slice(0, limit - 1), null, count - 1];
}

/** Write numbers as a matrix, with dots for the rows and columns that do not fit. */
export function matrixOf(
  values: readonly (readonly number[])[],
  options: {
    whole: boolean;
    maxSize: number;
    padding?: readonly (readonly boolean[])[];
    unread?: readonly (readonly boolean[])[];
  },
): Matrix {
  const { whole, maxSize, padding, unread } = options;
  let rounded = false;
  const rows = kept(values.length, maxSize).map((r) =>
    kept(values[0].length, maxSize).map((c) => {
      if (r === null || c === null) return entry(ellipsis(r, c), "ellipsis");
      if (unread?.[r][c]) return UNREAD;
      const shown = show(values[r][c], whole);
      rounded ||= shown.rounded;
      return entry(shown.text, padding?.[r][c] ? "padding" : "plain");
    }),
  );
  return { rows, rounded };
}

function ellipsis(row: number | null, column: number | null): string {
  if (row === null && column === null) return "diagonal";
  return row === null ? "vertical" : "horizontal";
}

export const hasMark = (matrices: readonly Matrix[], mark: Mark): boolean =>
  matrices.some(({ rows }) => rows.some((row) => row.some((cell) => cell.mark === mark)));
