// The worked solution of a pooling, in the words of cnnref.worked.max_pool2d and avg_pool2d.

import { addsUp, DECIMALS, dividesTo, show } from "../arithmetic/numbers.ts";
import { pooledCell } from "../arithmetic/pooling.ts";
import type {
  AvgPooledCell,
  AvgPooling,
  MaxPooledCell,
  PooledWindow,
  Pooling,
} from "../arithmetic/pooling.ts";
import { entry, hasMark, kept, paragraph, sign, UNREAD } from "./document.ts";
import type { Block, Card, Matrix, Part } from "./document.ts";
import { CellLayout, MAX_SIZE } from "./layout.ts";
import type { Index } from "./layout.ts";

/** Write the whole solution, or only the cells given. */
export function poolingDocument(pooling: Pooling, cells?: readonly Index[]): Block[] {
  const layout = new PoolingLayout(pooling);
  const blocks: Block[] = cells
    ? [{ kind: "grid", cards: cells.map((index) => layout.card(index)) }]
    : layout.all((index) => layout.card(index));
  return [...layout.legend(), ...blocks];
}

class PoolingLayout extends CellLayout {
  readonly pooling: Pooling;
  readonly #windows: Matrix[] = [];

  constructor(pooling: Pooling) {
    super(pooling.output, pooling.whole, "channel");
    this.pooling = pooling;
  }

  card(index: Index): Card {
    const cell = pooledCell(this.pooling, ...index);
    const window = cell.kind === "max" ? this.#maxWindow(cell) : this.#window(cell, 0);
    this.#windows.push(window);
    const result = cell.kind === "max" ? this.#largest(cell) : this.#mean(cell);
    return {
      title: this.title(index),
      blocks: [{ kind: "display", matrix: window }, paragraph(...result)],
    };
  }

  #window(cell: PooledWindow, padding: number): Matrix {
    const values = cell.window.map((row, u) =>
      row.map((value, v) => (cell.padded[u][v] ? padding : value)),
    );
    const unread = cell.read.map((row, u) => row.map((read, v) => !read && !cell.padded[u][v]));
    return this.matrix(values, { padding: cell.padded, unread });
  }

  #maxWindow(cell: MaxPooledCell): Matrix {
    const plain = this.#window(cell, -Infinity);
    if (!this.#takesBrackets(cell)) return plain;
    const rows = kept(cell.window.length, MAX_SIZE);
    const columns = kept(cell.window[0].length, MAX_SIZE);
    const marked = plain.rows.map((row, i) =>
      row.map((shown, j) =>
        rows[i] === cell.winner[0] && columns[j] === cell.winner[1]
          ? entry(`(${shown.text})`)
          : shown,
      ),
    );
    return { ...plain, rows: marked };
  }

  /** A power of ten keeps its plain form, which the renderers know. */
  #takesBrackets = (cell: MaxPooledCell): boolean => /^[-.\d]*$/.test(show(cell.value, this.whole).text);

  #largest(cell: MaxPooledCell): Part[] {
    let end = cell.equals > 1 ? `, first of ${cell.equals}` : "";
    if (!this.#takesBrackets(cell)) {
      end += `, row ${cell.winner[0] + 1}, column ${cell.winner[1] + 1} of the window`;
    }
    return ["Largest: ", entry(this.show(cell.value).text), end];
  }

  #mean(cell: AvgPooledCell): Part[] {
    const [total, result] = [this.show(cell.sum), this.show(cell.value)];
    const read = cell.window.flatMap((row, u) => row.filter((_, v) => cell.read[u][v]));
    const terms = read.map((value) => show(value, this.whole));
    const about: Part[] = [sign("≈"), " "];
    return [
      "Sum ",
      ...(addsUp(terms, total) ? [] : about),
      entry(total.text),
      ", divided by ",
      entry(String(cell.divisor)),
      ": ",
      ...(dividesTo(total, cell.divisor, result) ? [] : about),
      entry(result.text),
    ];
  }

  /** Explain, before the blocks, the marks that they use. */
  legend(): Block[] {
    const { pooling } = this;
    const legend = pooling.kind === "max" ? [LARGEST] : divisorRule(pooling);
    if (hasMark(this.#windows, "padding")) {
      const example = entry(pooling.kind === "max" ? "-inf" : "0", "padding");
      legend.push(paragraph("A number marked like ", example, " is padding."));
    }
    if (hasMark(this.#windows, "unread")) {
      const dense = pooling.windows.dilation.every((step) => step === 1);
      const why = dense ? ": it lies past the padding" : "";
      legend.push(paragraph("A dot ", UNREAD, ` is a cell that is not read${why}.`));
    }
    if (this.rounded) legend.push(paragraph(`Numbers are rounded to ${DECIMALS} decimals.`));
    return legend;
  }
}

const LARGEST = paragraph(
  "The largest pixel of each window is in brackets, the first one if there is a tie.",
);

function divisorRule(pooling: AvgPooling): Block[] {
  if (pooling.divisorOverride !== null) {
    return [paragraph("Every sum is divided by the same number, whatever the window.")];
  }
  if (pooling.windows.padding.flat().every((side) => side === 0)) return [];
  const counted = pooling.countIncludePad ? "counts" : "does not count";
  return [paragraph(`Padding ${counted} in the divisor.`)];
}
