// <cnnref-convolution>: change the numbers and see the arithmetic of a convolution follow.

import { html, nothing } from "lit";
import type { TemplateResult } from "lit";

import { range, sizeOf } from "../arithmetic/arrays.ts";
import { checkWork, convolutionWork, fits } from "../arithmetic/budget.ts";
import { Convolution } from "../arithmetic/convolution.ts";
import type { ChannelStep, OutputCell, Reader } from "../arithmetic/convolution.ts";
import { convolutionAsCnnref, convolutionAsTorch } from "../snippets/convolution.ts";
import { convolutionCodec } from "../state/convolution.ts";
import type { ConvolutionState } from "../state/convolution.ts";
import { CONVOLUTION_PRESETS } from "../state/convolution_presets.ts";
import { convolutionDocument } from "../worked/convolution.ts";
import type { Index } from "../worked/layout.ts";
import { cell, keyOf, matrix, numberText, sumText } from "./cells.ts";
import {
  editableCells,
  inputCells,
  isPadded,
  outputCells,
  outputMarks,
  readersText,
  windowMarks,
  windowText,
} from "./convolution_cells.ts";
import type { Pixel } from "./convolution_cells.ts";
import { convolutionSettings } from "./convolution_settings.ts";
import { GridExplorer, NO_MARKS } from "./grid_explorer.ts";
import type { CellPlace } from "./grid.ts";
import { withPixel, withWeight } from "./volumes.ts";

/** What the reader points at: an output cell, or an input pixel. */
type Pointed = { kind: "output"; index: Index } | { kind: "pixel"; pixel: Pixel };

export class ConvolutionExplorer extends GridExplorer<ConvolutionState, Convolution> {
  static override properties = { ...GridExplorer.properties, pointed: { state: true } };

  declare private pointed: Pointed | null;
  protected readonly codec = convolutionCodec;
  protected readonly presets = CONVOLUTION_PRESETS;
  protected readonly first = "question-2";
  protected readonly word = "filter";

  constructor() {
    super();
    this.pointed = null;
  }

  protected compute(state: ConvolutionState): Convolution {
    const convolution = new Convolution({ ...state, padding_mode: state.mode });
    checkWork(convolutionWork(convolution), convolution);
    return convolution;
  }

  protected shapeOf = (convolution: Convolution) => convolution.shape;
  protected document = convolutionDocument;

  protected snippets(convolution: Convolution): Record<string, string> {
    return {
      PyTorch: convolutionAsTorch(this.current, convolution),
      cnnref: convolutionAsCnnref(this.current),
    };
  }

  protected settings() {
    return convolutionSettings(this.current, (state) => this.change(state));
  }

  protected tell(convolution: Convolution, index: Index): string {
    const { channels, bias, total } = convolution.cell(...index);
    const sums = channels.map(
      ({ channel, sum }) => `channel ${channel + 1} ${numberText(sum, convolution.whole)}`,
    );
    const all = bias === null ? sums : [...sums, `bias ${numberText(bias, convolution.whole)}`];
    return `${all.join(", ")}, total ${numberText(total, convolution.whole)}`;
  }

  /** There is no output, but the numbers can be changed if they are few enough to be drawn. */
  protected editableBody(): TemplateResult {
    const { input, weight, cell } = this.current;
    // As with an output, one filter is shown: all of them can hold as many cells as the input.
    const filter = Math.min(cell[0], weight.length - 1);
    if (!fits(input.flat(2).length + weight[filter].flat(2).length)) return html``;
    const channels = input.map((values, c) => {
      const label = `Input channel ${c + 1}`;
      return this.figure(
        label,
        { label, cells: editableCells(values, "input") },
        { edit: (edit) => this.set({ input: withPixel(input, c, edit) }) },
      );
    });
    const filters = weight[filter].map((_, c) => this.#filter(filter, c));
    return html`<div class="volume">${channels} ${filters}</div>`;
  }

  protected computedBody(convolution: Convolution, own: Index): TemplateResult {
    const { pointed } = this;
    const index = pointed?.kind === "output" ? pointed.index : own;
    const derived = convolution.cell(...index);
    const readers = pointed?.kind === "pixel" ? readersOf(convolution, pointed.pixel) : [];
    const nameOf = (other: Index) => this.cellName(other, convolution.shape);
    const about =
      pointed?.kind === "pixel"
        ? readersText(pointed.pixel, readers, nameOf)
        : windowText(convolution, nameOf(index));
    return html`
      <h4>Output</h4>
      <div class="volume">
        ${range(convolution.weight.length).map((f) => this.#output(convolution, f, own, readers))}
      </div>
      <p class="sum result">${this.#sum(convolution, derived)}</p>
      <p class="about">${about}</p>
      ${convolution.input.map((_, channel) => this.#channel(convolution, channel, derived))}
      ${derived.bias === null ? nothing : this.#bias(derived.filter, derived.bias)}
      ${keyOf([
        ["tap", "read by the window"],
        ["reader", "reads the pixel you point at"],
        ...(isPadded(convolution) ? ([["pad", "padding"]] as const) : []),
        ...(convolution.hasUnread ? ([["unread", "read by no window"]] as const) : []),
      ])}
    `;
  }

  #output(convolution: Convolution, filter: number, own: Index, readers: Reader[]) {
    const several = convolution.weight.length > 1;
    const size = convolution.outputSize.join(" × ");
    return this.figure(
      several ? `filter ${filter + 1}: ${size}` : size,
      {
        label: several ? `Output of filter ${filter + 1}` : "Output",
        cells: outputCells(convolution, filter),
      },
      {
        marks: outputMarks(filter, own, readers),
        focus: ({ row, column }) => {
          this.pointed = { kind: "output", index: [filter, row, column] };
          this.say(convolution, [filter, row, column]);
        },
        choose: ({ row, column }) => {
          this.pointed = null;
          this.goTo(convolution, [filter, row, column]);
        },
        hover: (place) => {
          this.pointed = place && { kind: "output", index: [filter, place.row, place.column] };
        },
        blur: () => (this.pointed = null),
      },
    );
  }

  /** One channel: its input with the window, and what it contributes to the output cell. */
  #channel(convolution: Convolution, channel: number, derived: OutputCell): TemplateResult {
    const step = derived.channels.find((candidate) => candidate.channel === channel);
    const other = () =>
      html`<p>Filter ${derived.filter + 1} does not read this channel, which is in another group.</p>`;
    return html`<section class="channel" aria-label="Channel ${channel + 1}">
      <h4>Channel ${channel + 1}</h4>
      ${this.#input(convolution, channel, step ? derived : null)}
      ${step ? this.#products(convolution, step, derived.filter) : other()}
    </section>`;
  }

  #input(convolution: Convolution, channel: number, derived: OutputCell | null) {
    const [[top], [left]] = convolution.padding;
    const size = sizeOf(convolution.input[channel]).join(" × ");
    const marks = derived
      ? windowMarks(convolution, [derived.filter, derived.row, derived.column])
      : NO_MARKS;
    return this.figure(
      isPadded(convolution) ? `input ${size}, padded` : `input ${size}`,
      { label: `Input channel ${channel + 1}`, cells: inputCells(convolution, channel) },
      {
        marks,
        edit: (edit) => {
          const pixel = { ...edit, row: edit.row - top, column: edit.column - left };
          this.set({ input: withPixel(this.current.input, channel, pixel) });
        },
        focus: (place) => {
          this.#pointAt(convolution, channel, place);
          if (this.pointed?.kind !== "pixel") return;
          const { pixel } = this.pointed;
          const nameOf = (index: Index) => this.cellName(index, convolution.shape);
          this.announce(readersText(pixel, readersOf(convolution, pixel), nameOf));
        },
        hover: (place) => this.#pointAt(convolution, channel, place),
        blur: () => (this.pointed = null),
      },
    );
  }

  #pointAt(convolution: Convolution, channel: number, place: CellPlace | null): void {
    const onImage = place !== null && !convolution.isPadding(place.row, place.column);
    const [[top], [left]] = convolution.padding;
    this.pointed = onImage
      ? { kind: "pixel", pixel: { channel, row: place.row - top, column: place.column - left } }
      : null;
  }

  #filter(filter: number, channel: number): TemplateResult {
    const { weight } = this.current;
    const name = weight.length > 1 ? `filter ${filter + 1}` : "filter";
    const values = weight[filter][channel];
    const size = sizeOf(values).join(" × ");
    const label = `${name}, channel ${channel + 1}`;
    return this.figure(
      weight.length > 1 ? `${name}: ${size}` : `${name} ${size}`,
      {
        label: label[0].toUpperCase() + label.slice(1),
        cells: editableCells(values, "filter"),
      },
      { edit: (edit) => this.set({ weight: withWeight(weight, filter, channel, edit) }) },
    );
  }

  /** The cells read, times the weights, and the sum of the products. */
  #products(convolution: Convolution, step: ChannelStep, filter: number): TemplateResult {
    const { whole, dilation } = convolution;
    const name = `channel ${step.channel + 1}`;
    const taps = <T>(values: readonly (readonly T[])[]) =>
      step.weight.map((line, u) => line.map((_, v) => values[u * dilation[0]][v * dilation[1]]));
    const padded = taps(step.padded);
    const products = step.products.map((line) => line.map((value) => numberText(value, whole)));
    const group = convolution.channelsOf(filter).indexOf(step.channel);
    return html`<div class="products">
      ${matrix(`Cells read, ${name}`, taps(step.window).map((line) => line.map(String)), (u, v) =>
        padded[u][v] ? "pad" : "",
      )}
      <span class="sign">⊙</span>
      ${this.#filter(filter, group)}
      <span class="sign">=</span>
      ${matrix(`Products, ${name}`, products)}
      <span class="sum">sum ${numberText(step.sum, whole)}</span>
    </div>`;
  }

  /** The channels' sums and the bias, added up. */
  #sum(convolution: Convolution, derived: OutputCell): string {
    const { whole, shape } = convolution;
    const { filter, row, column, channels, bias, total } = derived;
    const name = this.cellName([filter, row, column], shape);
    const sums = channels.map((step) => numberText(step.sum, whole));
    const all = bias === null ? sums : [...sums, `bias ${numberText(bias, whole)}`];
    return `${name[0].toUpperCase()}${name.slice(1)}: ${sumText(all)} = ${numberText(total, whole)}`;
  }

  #bias(filter: number, value: number): TemplateResult {
    const name = `filter ${filter + 1}`;
    return this.figure(
      `Bias of ${name}`,
      {
        label: `Bias of ${name}`,
        cells: [[cell("bias", String(value), "filter", { editable: true })]],
      },
      {
        edit: (edit) => {
          const bias = this.current.bias?.map((old, f) => (f === filter ? edit.value : old));
          this.set({ bias: bias ?? null });
        },
      },
    );
  }
}

const readersOf = (convolution: Convolution, { channel, row, column }: Pixel): Reader[] =>
  convolution.readers(channel, row, column);

customElements.define("cnnref-convolution", ConvolutionExplorer);
