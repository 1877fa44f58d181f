// The worked solution of a convolution, in the words of cnnref.worked.convolution.

import { fill, sum } from "../arithmetic/arrays.ts";
import type { Matrix as Numbers } from "../arithmetic/arrays.ts";
import type { ChannelStep, Convolution, OutputCell } from "../arithmetic/convolution.ts";
import { addsUp, DECIMALS, multipliesTo, show } from "../arithmetic/numbers.ts";
import { entry, hasMark, kept, paragraph, sign, UNREAD } from "./document.ts";
import type { Block, Ledger, Matrix, Term } from "./document.ts";
import { CellLayout, MAX_CHANNELS, not } from "./layout.ts";
import type { Index } from "./layout.ts";

/** Write the whole solution, or only the cells given. */
export function convolutionDocument(convolution: Convolution, cells?: readonly Index[]): Block[] {
  const layout = new ConvolutionLayout(convolution);
  const blocks: Block[] = cells
    ? [{ kind: "grid", cards: cells.map((index) => layout.card(index)) }]
    : layout.all((index) => layout.card(index));
  return [...layout.legend(blocks), ...blocks];
}

class ConvolutionLayout extends CellLayout {
  readonly convolution: Convolution;
  readonly allOnes: boolean;

  constructor(convolution: Convolution) {
    super(convolution.output, convolution.whole, "filter");
    this.convolution = convolution;
    this.allOnes = convolution.weight.flat(3).every((weight) => weight === 1);
  }

  card(index: Index) {
    return { title: this.title(index), blocks: [this.#ledger(this.convolution.cell(...index))] };
  }

  #ledger(cell: OutputCell): Ledger {
    const steps = cell.channels;
    const terms = kept(steps.length, MAX_CHANNELS).map((i, position) =>
      i === null ? this.#leftOut(steps.slice(position, -1)) : this.#term(steps[i]),
    );
    if (cell.bias !== null) {
      const value = this.show(cell.bias);
      terms.push({ ...plainTerm("bias"), value, isSum: false });
    }
    const total = this.show(cell.total);
    const values = terms.map((term) => term.value);
    return { kind: "ledger", terms, total, addsUp: addsUp(values, total) };
  }

  #term(step: ChannelStep): Term {
    const unread = not(step.read);
    const window = this.matrix(step.window, { padding: step.padded, unread });
    const value = this.show(step.sum);
    const texts = (numbers: number[]) => numbers.map((number) => show(number, this.whole));
    const products = texts(step.products.flat());
    const term = {
      ...plainTerm(`channel ${step.channel + 1}`),
      value,
      factors: [window],
      addsUp: addsUp(products, value),
    };
    if (this.allOnes) return term;
    const reads = texts(step.window.flat().filter((_, i) => step.read.flat()[i]));
    const weights = texts(step.weight.flat());
    return {
      ...term,
      factors: [window, this.matrix(spread(step.weight, step.read), { unread })],
      product: this.matrix(spread(step.products, step.read), { unread }),
      productExact: products.every((product, i) => multipliesTo([reads[i], weights[i]], product)),
    };
  }

  #leftOut(steps: readonly ChannelStep[]): Term {
    const [first, last] = [steps[0].channel + 1, steps[steps.length - 1].channel + 1];
    const label = steps.length > 1 ? `channels ${first} to ${last}` : `channel ${first}`;
    return { ...plainTerm(label), value: this.show(sum(steps.map((step) => step.sum))) };
  }

  /** Explain, before the blocks, the marks they use and what they leave out. */
  legend(blocks: readonly Block[]): Block[] {
    const matrices = blocks.flatMap(matricesOf);
    const { groups, mode } = this.convolution;
    const legend = [
      this.allOnes
        ? paragraph("Every weight is 1, so each product is the window cell itself.")
        : paragraph(
            "The sign ",
            sign("⊙"),
            " multiplies a window and its filter channel cell by cell.",
          ),
    ];
    if (groups > 1) {
      legend.push(
        paragraph(
          `The channels form ${groups} groups; each filter reads the channels of its own group.`,
        ),
      );
    }
    if (hasMark(matrices, "padding")) {
      const [example, filled] = mode === "constant" ? ["0", ""] : ["a", ` (mode ${mode})`];
      legend.push(
        paragraph("A number marked like ", entry(example, "padding"), ` is padding${filled}.`),
      );
    }
    if (hasMark(matrices, "unread")) {
      legend.push(
        paragraph("A dot ", UNREAD, " is a cell that the dilated filter does not read."),
      );
    }
    if (this.rounded) {
      legend.push(
        paragraph(
          `Numbers are rounded to ${DECIMALS} decimals; the sign `,
          sign("≈"),
          " marks results that the rounded numbers do not give exactly.",
        ),
      );
    }
    return legend;
  }
}

const plainTerm = (label: string): Term => ({
  label,
  value: show(0, true),
  factors: [],
  product: null,
  productExact: true,
  addsUp: true,
  isSum: true,
});

/** The windows of all ledgers; the marks explained are theirs. */
function matricesOf(block: Block): Matrix[] {
  if (block.kind === "grid") return block.cards.flatMap((card) => card.blocks.flatMap(matricesOf));
  return block.kind === "ledger" ? block.terms.flatMap((term) => term.factors) : [];
}

/** Put values at the cells that are read, as a dilated filter lies over its window. */
function spread(values: Numbers, read: readonly (readonly boolean[])[]): Numbers {
  const queue = values.flat();
  let next = 0;
  return fill(read.length, read[0].length, (u, v) => (read[u][v] ? queue[next++] : 0));
}
