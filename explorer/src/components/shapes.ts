// <cnnref-shapes>: a stack of layers, as rows or as text, and the shape after each.

import { html, nothing } from "lit";
import type { TemplateResult } from "lit";
import { live } from "lit/directives/live.js";

import { sizeText } from "../arithmetic/receptive_field.ts";
import { summarise } from "../arithmetic/summary.ts";
import type { Summary } from "../arithmetic/summary.ts";
import { KINDS, layerOf, MAX_ROWS, newRow, parseStack, stackCodec, StackError, writeStack } from "../state/stack.ts";
import type { KindName, Row, Stack } from "../state/stack.ts";
import { STACK_PRESETS } from "../state/stack_presets.ts";
import { Explorer } from "./explorer.ts";
import { typed } from "./fields.ts";
import { drawing } from "./volume_drawing.ts";

const PRESETS = Object.fromEntries(
  Object.entries(STACK_PRESETS).map(([name, { title, text }]) => [
    name,
    { title, state: parseStack(text) },
  ]),
);

const KIND_NAMES = Object.keys(KINDS) as KindName[];

export class ShapesExplorer extends Explorer<Stack> {
  static override properties = {
    ...Explorer.properties,
    typed: { state: true },
    wrong: { state: true },
    asText: { state: true },
  };

  /** A text that is not a stack yet; the state keeps the last valid stack. */
  declare private typed: string | null;
  /** What is wrong: with the text, or with a value of a row. */
  declare private wrong: { row: number | null; message: string } | null;
  declare private asText: boolean;
  protected readonly codec = stackCodec;
  protected readonly presets = PRESETS;
  protected readonly first = "small";

  constructor() {
    super();
    this.typed = null;
    this.wrong = null;
    this.asText = false;
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    // Undo or an example changed the stack, so the typed text no longer belongs to it.
    if (changed.has("history") && !changed.has("typed")) {
      this.typed = null;
      if (!changed.has("wrong")) this.wrong = null;
    }
  }

  protected body(): TemplateResult {
    const summary = summarise(this.current.rows.map(layerOf), this.current.input);
    return html`
      <div class="bar" role="group" aria-label="How to edit">
        ${this.button(this.asText ? "Edit as rows" : "Edit as text", () => (this.asText = !this.asText))}
      </div>
      ${this.asText ? this.#text() : this.#rows(summary)} ${this.#results(summary)}
    `;
  }

  // As text.

  #text(): TemplateResult {
    const error = this.wrong?.row === null ? this.wrong.message : null;
    return html`<label class="wide">
        One layer per line, after the shape of the input
        <textarea
          rows="12"
          spellcheck="false"
          autocomplete="off"
          aria-invalid=${error ? "true" : nothing}
          aria-describedby="text-help text-error"
          .value=${live(this.typed ?? writeStack(this.current))}
          @input=${(event: Event) => this.#type((event.target as HTMLTextAreaElement).value)}
        ></textarea>
      </label>
      <p class="error" id="text-error">${error ?? nothing}</p>
      <p id="text-help">
        For example <code>conv 64 3 stride 2 padding 1</code>: 64 filters of 3×3. A pair is
        <code>3x5</code>. Layers: ${KIND_NAMES.join(", ")}.
      </p>`;
  }

  #type(text: string): void {
    this.typed = text;
    this.#take(() => parseStack(text), null);
  }

  /** Use a stack, or keep the last one and say what is wrong. */
  #take(make: () => Stack, row: number | null): void {
    try {
      this.change(make());
      this.wrong = null;
    } catch (error) {
      if (!(error instanceof StackError)) throw error;
      this.wrong = { row, message: row === null ? error.message : error.reason };
    }
  }

  // As rows.

  #rows(summary: Summary): TemplateResult {
    const { rows } = this.current;
    const inputError = this.wrong?.row === -1 ? this.wrong.message : this.#reasonAt(summary, -1);
    return html`<ol class="rows">
        <li>
          <label>
            input (channels x rows x columns)
            <input
              type="text"
              class="shape"
              .value=${typed(this.current.input.join("x"), inputError !== null)}
              aria-invalid=${inputError ? "true" : nothing}
              @change=${(event: Event) => this.#setInput((event.target as HTMLInputElement).value)}
            />
          </label>
          ${inputError ? html`<p class="error">${inputError}</p>` : nothing}
        </li>
        ${rows.map((row, place) => this.#row(row, place, summary))}
      </ol>
      <div class="bar">
        ${this.button(
          "Add a layer",
          () => this.#edit([...rows, newRow("conv")], `Layer ${rows.length + 1} added`),
          rows.length >= MAX_ROWS,
        )}
      </div>`;
  }

  #reasonAt(summary: Summary, place: number): string | null {
    return summary.broken?.place === place ? summary.broken.reason : null;
  }

  #row(row: Row, place: number, summary: Summary): TemplateResult {
    const { rows } = this.current;
    const error = this.wrong?.row === place ? this.wrong.message : this.#reasonAt(summary, place);
    const { needs, options, flags } = KINDS[row.kind];
    const id = `row-error-${place}`;
    const name = `layer ${place + 1}`;
    const moved = (to: number) => {
      const others = rows.filter((_, i) => i !== place);
      this.#edit([...others.slice(0, to), row, ...others.slice(to)], `Now layer ${to + 1}`);
    };
    return html`<li>
      <fieldset aria-describedby=${error ? id : nothing}>
        <legend>${place + 1}</legend>
        <label>
          layer
          <select
            @change=${(event: Event) =>
              this.#replace(place, newRow((event.target as HTMLSelectElement).value as KindName))}
          >
            ${KIND_NAMES.map(
              (kind) =>
                html`<option value=${kind} .selected=${kind === row.kind}>${KINDS[kind].title}</option>`,
            )}
          </select>
        </label>
        ${[...needs, ...options].map(
          (field) => html`<label>
            ${field}
            <input
              type="text"
              placeholder=${DEFAULTS[field] ?? nothing}
              .value=${typed(row.values[field] ?? "", error !== null)}
              aria-invalid=${error ? "true" : nothing}
              @change=${(event: Event) =>
                this.#setValue(place, field, (event.target as HTMLInputElement).value)}
            />
          </label>`,
        )}
        ${flags.map(
          (flag) => html`<label class="inline">
            <input
              type="checkbox"
              .checked=${row.flags.includes(flag)}
              @change=${() => this.#toggle(place, flag)}
            />
            ${FLAG_WORDS[flag]}
          </label>`,
        )}
        <span class="bar tools">
          ${this.button("↑", () => moved(place - 1), place === 0, `Move ${name} up`)}
          ${this.button("↓", () => moved(place + 1), place === rows.length - 1, `Move ${name} down`)}
          ${this.button(
            "✕",
            () => this.#edit(rows.filter((_, i) => i !== place), `Layer ${place + 1} removed`),
            false,
            `Remove ${name}`,
          )}
        </span>
        ${error ? html`<p class="error" id=${id}>${error}</p>` : nothing}
      </fieldset>
    </li>`;
  }

  #edit(rows: readonly Row[], words: string): void {
    this.change({ ...this.current, rows });
    this.announce(words);
  }

  #replace(place: number, row: Row): void {
    const rows = this.current.rows.map((old, i) => (i === place ? row : old));
    this.change({ ...this.current, rows });
  }

  #toggle(place: number, flag: string): void {
    const row = this.current.rows[place];
    const flags = row.flags.includes(flag)
      ? row.flags.filter((other) => other !== flag)
      : [...row.flags, flag];
    this.#replace(place, { ...row, flags });
  }

  /** Read a value as part of the text, so that rows and text follow the same rules. */
  #setValue(place: number, field: string, typed: string): void {
    const row = this.current.rows[place];
    const values = { ...row.values };
    if (typed.trim()) values[field] = typed.trim().replaceAll("×", "x");
    else delete values[field];
    const rows = this.current.rows.map((old, i) => (i === place ? { ...row, values } : old));
    this.#take(() => parseStack(writeStack({ ...this.current, rows })), place);
  }

  #setInput(typed: string): void {
    const [, ...rows] = writeStack(this.current).split("\n");
    const text = [`input ${typed.trim().replaceAll("×", "x")}`, ...rows].join("\n");
    this.#take(() => parseStack(text), -1);
  }

  // The results.

  #results(summary: Summary): TemplateResult {
    const { costs, totals, broken, fieldError } = summary;
    return html`
      ${broken
        ? html`<p class="notice">
            ${broken.place < 0 ? "The input" : `Layer ${broken.place + 1}`} cannot be computed:
            ${broken.reason}.
          </p>`
        : nothing}
      ${fieldError === null ? nothing : html`<p class="notice">“Sees” ends early: ${fieldError}.</p>`}
      ${drawing([this.current.input, ...costs.map(({ output }) => output)])}
      <div class="scroll" tabindex="0" role="group" aria-label="Layers and their cost">
        <table class="costs">
          <caption class="hidden">
            Each layer, its output, and what it costs
          </caption>
          <thead>
            <tr>
              <th scope="col">layer</th>
              <th scope="col">output</th>
              <th scope="col">how it is computed</th>
              <th scope="col">parameters</th>
              <th scope="col">MACs</th>
              <th scope="col">bytes</th>
              <th scope="col">sees</th>
            </tr>
          </thead>
          <tbody>
            ${costs.map((layer, place) => {
              const field = summary.fields[place];
              return html`<tr>
                <th scope="row">${place + 1}. ${layer.label}</th>
                <td>${layer.output.join("×")}</td>
                <td class="formula">${layer.steps.map((step) => html`<div>${step.formula} = ${step.result}</div>`)}</td>
                <td>${number(layer.parameters)}</td>
                <td>${number(layer.macs)}</td>
                <td>${number(layer.activation_bytes)}</td>
                <td>${field ? sizeText(field) : "—"}</td>
              </tr>`;
            })}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">total</th>
              <td></td>
              <td></td>
              <td>${number(totals.parameters)}</td>
              <td>${number(totals.macs)}</td>
              <td>${number(totals.activation_bytes)}</td>
              <td></td>
            </tr>
          </tfoot>
        </table>
      </div>
      <p>
        Bytes are those of a layer's output in float32, for one image. “Sees” is the receptive field,
        in pixels of the input. Behind a transposed convolution it can differ from cell to cell: then the
        smallest and the largest are shown. A dash means that the cells see the whole image.
      </p>
    `;
  }
}

/** What an empty field means; the stride of a pooling is its kernel. */
const DEFAULTS: Readonly<Record<string, string>> = { padding: "0", dilation: "1", groups: "1", extra: "0" };

const FLAG_WORDS: Readonly<Record<string, string>> = {
  nobias: "no bias",
  ceil: "round up",
  project: "1×1 on the shortcut",
};

const number = (value: number): string => value.toLocaleString("en");

customElements.define("cnnref-shapes", ShapesExplorer);
