// What the worked solutions of convolution and pooling share: titles, cells chosen, the output.

import type { Volume } from "../arithmetic/arrays.ts";
import { range } from "../arithmetic/arrays.ts";
import { show } from "../arithmetic/numbers.ts";
import type { Shown } from "../arithmetic/numbers.ts";
import { kept, matrixOf, paragraph } from "./document.ts";
import type { Block, Card, Matrix } from "./document.ts";

export type Index = readonly [channel: number, row: number, column: number];

const MAX_CELLS = 16;
export const MAX_SIZE = 8;
export const MAX_CHANNELS = 8;

/** Write cells of an output, counted from 1, and remember whether a number is rounded. */
export class CellLayout {
  rounded = false;
  readonly output: Volume;
  readonly whole: boolean;
  /** What an output channel is called: filter, channel. */
  readonly word: string;

  constructor(output: Volume, whole: boolean, word: string) {
    this.output = output;
    this.whole = whole;
    this.word = word;
  }

  matrix(
    values: readonly (readonly number[])[],
    marks: { padding?: boolean[][]; unread?: boolean[][] } = {},
  ): Matrix {
    const matrix = matrixOf(values, { ...marks, whole: this.whole, maxSize: MAX_SIZE });
    this.rounded ||= matrix.rounded;
    return matrix;
  }

  show(value: number): Shown {
    const shown = show(value, this.whole);
    this.rounded ||= shown.rounded;
    return shown;
  }

  title([channel, row, column]: Index): string {
    const words = `${this.#prefix(channel)}row ${row + 1}, column ${column + 1}`;
    return words[0].toUpperCase() + words.slice(1);
  }

  #prefix(channel: number): string {
    return this.output.length > 1 ? `${this.word} ${channel + 1}, ` : "";
  }

  /** All cells as cards, broken by a sentence where cells are left out, then the whole output. */
  all(card: (index: Index) => Card): Block[] {
    const [channels, rows, columns] = [
      this.output.length,
      this.output[0].length,
      this.output[0][0].length,
    ];
    const count = channels * rows * columns;
    const blocks: Block[] = [];
    let cards: Card[] = [];
    for (const i of kept(count, MAX_CELLS)) {
      if (i === null) {
        const left = count - MAX_CELLS;
        const words = left === 1 ? "cell" : "cells";
        blocks.push({ kind: "grid", cards }, paragraph(`… ${left} more ${words} …`));
        cards = [];
      } else {
        const place = i % (rows * columns);
        cards.push(card([Math.floor(i / (rows * columns)), Math.floor(place / columns), place % columns]));
      }
    }
    return [...blocks, { kind: "grid", cards }, ...this.#outputs()];
  }

  #outputs(): Block[] {
    const count = this.output.length;
    return kept(count, MAX_CELLS).flatMap((channel): Block[] => {
      if (channel === null) return [paragraph(`… ${count - MAX_CELLS} more …`)];
      const named = this.#prefix(channel).slice(0, -2);
      return [
        { kind: "heading", text: named ? `Output of ${named}` : "Output" },
        { kind: "display", matrix: this.matrix(this.output[channel]) },
      ];
    });
  }
}

export const not = (flags: readonly (readonly boolean[])[]): boolean[][] =>
  flags.map((row) => row.map((flag) => !flag));

/** Every cell of an output, in order. */
export const indicesOf = (output: Volume): Index[] =>
  range(output.length).flatMap((channel) =>
    output[channel].flatMap((line, row) => line.map((_, column): Index => [channel, row, column])),
  );
