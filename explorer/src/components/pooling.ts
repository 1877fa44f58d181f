// <cnnref-pooling>: the maximum or the mean of each window, and where the gradient goes.

import { html } from "lit";
import type { TemplateResult } from "lit";

import { range, sizeOf } from "../arithmetic/arrays.ts";
import {
  avgPool2d,
  inputGradient,
  maxPool2d,
  pixelsOf,
  pooledCell,
} from "../arithmetic/pooling.ts";
import type { Pooling } from "../arithmetic/pooling.ts";
import { checkWork, fits, poolingWork } from "../arithmetic/budget.ts";
import { checkWindows } from "../arithmetic/windows.ts";
import { poolingAsCnnref, poolingAsTorch } from "../snippets/pooling.ts";
import { poolingCodec } from "../state/pooling.ts";
import type { PoolingState } from "../state/pooling.ts";
import { POOLING_PRESETS } from "../state/pooling_presets.ts";
import type { Index } from "../worked/layout.ts";
import { poolingDocument } from "../worked/pooling.ts";
import { keyOf, numberText } from "./cells.ts";
import { editableCells } from "./convolution_cells.ts";
import { GridExplorer } from "./grid_explorer.ts";
import { gradientCells, hasUnread, inputCells, inputMarks, outputCells } from "./pooling_cells.ts";
import { poolingSettings } from "./pooling_settings.ts";
import { withPixel } from "./volumes.ts";

export class PoolingExplorer extends GridExplorer<PoolingState, Pooling> {
  static override properties = { ...GridExplorer.properties, pointed: { state: true } };

  /** The output cell under the pointer. */
  declare private pointed: Index | null;
  protected readonly codec = poolingCodec;
  protected readonly presets = POOLING_PRESETS;
  protected readonly first = "question-11";
  protected readonly word = "channel";

  constructor() {
    super();
    this.pointed = null;
  }

  protected compute(state: PoolingState): Pooling {
    const { input, kernel, stride, padding, ceilMode } = state;
    const max = state.mode === "max";
    const dilation = max ? state.dilation : 1;
    const shared = { kernel_size: kernel, stride, padding, ceil_mode: ceilMode };
    const windows = checkWindows(sizeOf(input[0]), { ...shared, dilation });
    checkWork(poolingWork(input.length, windows), windows);
    if (max) return maxPool2d(input, { ...shared, dilation });
    return avgPool2d(input, {
      ...shared,
      count_include_pad: state.countIncludePad,
      divisor_override: state.divisorOverride,
    });
  }

  protected shapeOf(pooling: Pooling): readonly [number, number, number] {
    return [pooling.input.length, ...pooling.windows.outputSize];
  }

  protected document = poolingDocument;

  protected snippets(pooling: Pooling): Record<string, string> {
    const torch = poolingAsTorch(this.current, pooling);
    return { ...(torch === null ? {} : { PyTorch: torch }), cnnref: poolingAsCnnref(this.current) };
  }

  protected settings() {
    return poolingSettings(this.current, (state) => this.change(state));
  }

  protected tell(pooling: Pooling, index: Index): string {
    const cell = pooledCell(pooling, ...index);
    const value = numberText(cell.value, pooling.whole);
    if (cell.kind === "max") {
      return cell.equals > 1 ? `largest ${value}, first of ${cell.equals}` : `largest ${value}`;
    }
    return `sum ${numberText(cell.sum, false)}, divided by ${cell.divisor}: ${value}`;
  }

  protected editableBody(): TemplateResult {
    const { input } = this.current;
    if (!fits(input.flat(2).length)) return html``;
    return html`<div class="volume">
      ${input.map((values, c) => {
        const label = `Input channel ${c + 1}`;
        return this.figure(
          label,
          { label, cells: editableCells(values, "input") },
          { edit: (edit) => this.set({ input: withPixel(input, c, edit) }) },
        );
      })}
    </div>`;
  }

  protected computedBody(pooling: Pooling, own: Index): TemplateResult {
    const index = this.pointed ?? own;
    const name = this.cellName(index, this.shapeOf(pooling));
    // A one at each output cell: the gradient then says how often a pixel counts.
    const gradient = inputGradient(
      pooling,
      pooling.output.map((channel) => channel.map((row) => row.map(() => 1))),
    );
    const max = pooling.kind === "max";
    return html`
      <p class="about sum">
        ${name[0].toUpperCase() + name.slice(1)}: ${this.#sentence(pooling, index)}
      </p>
      ${range(pooling.input.length).map(
        (channel) =>
          html`<section class="channel" aria-label="Channel ${channel + 1}">
            <h4>Channel ${channel + 1}</h4>
            ${this.#input(pooling, channel, index)}
            <span class="sign">→</span>
            ${this.#output(pooling, channel, own)}
            <span class="sign">⇠</span>
            ${this.figure("where the gradient goes", {
              label: `Gradient with respect to channel ${channel + 1}`,
              cells: gradientCells(gradient[channel]),
            })}
          </section>`,
      )}
      ${keyOf([
        ["tap", "read by the window"],
        ...(max
          ? ([
              ["winner", "largest: gets the gradient"],
              ["tie", "just as large, but later: gets none"],
            ] as const)
          : []),
        ...(pooling.windows.padding.flat().some(Boolean)
          ? ([["pad", max ? "padding, minus infinity" : "padding"]] as const)
          : []),
        ...(hasUnread(pooling) ? ([["unread", "read by no window"]] as const) : []),
      ])}
    `;
  }

  #sentence(pooling: Pooling, index: Index): string {
    const words = this.tell(pooling, index);
    const count = pixelsOf(pooling.windows, index[1], index[2]).length;
    const cells = pooling.windows.kernel[0] * pooling.windows.kernel[1];
    const beyond = count < cells ? ` (${count} of its ${cells} cells lie on the image)` : "";
    return `${words}${beyond}.`;
  }

  #input(pooling: Pooling, channel: number, index: Index): TemplateResult {
    const [[top], [left]] = pooling.windows.padding;
    return this.figure(
      `input ${sizeOf(pooling.input[channel]).join(" × ")}`,
      { label: `Input channel ${channel + 1}`, cells: inputCells(pooling, channel) },
      {
        marks: inputMarks(pooling, channel, index),
        edit: (edit) => {
          const pixel = { ...edit, row: edit.row - top, column: edit.column - left };
          this.set({ input: withPixel(this.current.input, channel, pixel) });
        },
      },
    );
  }

  #output(pooling: Pooling, channel: number, own: Index): TemplateResult {
    const marks = own[0] === channel ? new Map([[`${own[1]},${own[2]}`, "current"]]) : undefined;
    return this.figure(
      `output ${pooling.windows.outputSize.join(" × ")}`,
      { label: `Output channel ${channel + 1}`, cells: outputCells(pooling, channel) },
      {
        ...(marks ? { marks } : {}),
        focus: ({ row, column }) => {
          this.pointed = [channel, row, column];
          this.say(pooling, [channel, row, column]);
        },
        choose: ({ row, column }) => {
          this.pointed = null;
          this.goTo(pooling, [channel, row, column]);
        },
        hover: (place) => {
          this.pointed = place && [channel, place.row, place.column];
        },
        blur: () => (this.pointed = null),
      },
    );
  }
}

customElements.define("cnnref-pooling", PoolingExplorer);
