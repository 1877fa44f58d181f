// What the explorers of an operation on grids share: settings, steps through the output, the
// solution and the code to copy.

import { html, nothing } from "lit";
import type { TemplateResult } from "lit";

import { CheckError } from "../arithmetic/errors.ts";
import type { Block } from "../worked/document.ts";
import { toLatex } from "../worked/latex.ts";
import type { Index } from "../worked/layout.ts";
import { toText } from "../worked/text.ts";
import { placeName } from "./cells.ts";
import { Explorer } from "./explorer.ts";
import { fieldGroup } from "./fields.ts";
import type { FieldGroup } from "./fields.ts";
import type { CellEdit, CellPlace, GridModel, Marks } from "./grid.ts";
import "./grid.ts";
import { placeOf, Player, stepped, within } from "./stepper.ts";

/** What a figure does when its cells are touched. */
export interface GridActions {
  marks?: Marks;
  edit?: (edit: CellEdit) => void;
  /** The focus came to a cell, perhaps only in passing. */
  focus?: (place: CellPlace) => void;
  /** The reader chose a cell: with an arrow key, a click or Enter. */
  choose?: (place: CellPlace) => void;
  hover?: (place: CellPlace | null) => void;
  blur?: () => void;
}

export const NO_MARKS: Marks = new Map();

/** Whether two states give the same output: at most the derived cell differs. */
function sameSettings<State extends object>(a: State, b: State): boolean {
  return (Object.keys(a) as (keyof State)[]).every((key) => key === "cell" || a[key] === b[key]);
}

export abstract class GridExplorer<
  State extends { readonly cell: Index },
  Result extends object,
> extends Explorer<State> {
  static override properties = {
    ...Explorer.properties,
    refused: { state: true },
    solutionOpen: { state: true },
    codeOpen: { state: true },
  };

  /** A number that a field refuses; the state keeps the last valid one. */
  declare protected refused: CheckError | null;
  declare protected solutionOpen: boolean;
  declare protected codeOpen: boolean;
  readonly #player = new Player(this, () => this.#step(1));
  #computed: { state: State; result: Result | CheckError } | null = null;

  constructor() {
    super();
    this.refused = null;
    this.solutionOpen = false;
    this.codeOpen = false;
  }

  /** Compute the output; throws CheckError for settings that have none or that cost too much. */
  protected abstract compute(state: State): Result;
  /** Number of output channels, rows, columns. */
  protected abstract shapeOf(result: Result): readonly [number, number, number];
  /** What an output channel is called: filter, channel. */
  protected abstract readonly word: string;
  protected abstract settings(): FieldGroup[];
  /** The arithmetic of a cell in one sentence, for a screen reader. */
  protected abstract tell(result: Result, index: Index): string;
  protected abstract computedBody(result: Result, own: Index): TemplateResult;
  protected abstract editableBody(): TemplateResult;
  protected abstract document(result: Result, cells?: readonly Index[]): Block[];
  protected abstract snippets(result: Result): Readonly<Record<string, string>>;

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    // The next change, undo included, forgets a refused number.
    if (changed.has("history") && !changed.has("refused")) this.refused = null;
  }

  protected set(changed: Partial<State>): void {
    this.change({ ...this.current, ...changed });
  }

  /** The result of the current state, or why there is none. A step does not compute it again. */
  protected get result(): Result | CheckError {
    const state = this.current;
    if (this.#computed && sameSettings(this.#computed.state, state)) return this.#computed.result;
    const result = this.#attempt(state);
    this.#computed = { state, result };
    return result;
  }

  #attempt(state: State): Result | CheckError {
    try {
      return this.compute(state);
    } catch (error) {
      if (error instanceof CheckError) return error;
      throw error;
    }
  }

  protected override body(): TemplateResult {
    const { result } = this;
    const error = this.refused ?? (result instanceof CheckError ? result : null);
    return html`
      <div class="settings">
        ${this.settings().map((group) =>
          fieldGroup(group, error, (refused) => (this.refused = refused)),
        )}
      </div>
      ${result instanceof CheckError
        ? html`<p class="notice">There is no output for these settings: ${result.message}.</p>
            ${this.editableBody()}`
        : this.#stepped(result)}
    `;
  }

  #stepped(result: Result): TemplateResult {
    const shape = this.shapeOf(result);
    const own = within(this.current.cell, shape);
    const count = shape[0] * shape[1] * shape[2];
    return html`
      <div class="bar" role="group" aria-label="Step through the output">
        ${this.button("◀ Previous", () => this.#step(-1))}
        ${this.button(this.#player.playing ? "Pause" : "Play", () => this.#player.toggle())}
        ${this.button("Next ▶", () => this.#step(1))}
        <span class="place">
          Cell ${placeOf(own, shape) + 1} of ${count}: ${this.cellName(own, shape)}
        </span>
      </div>
      ${this.computedBody(result, own)} ${this.#solution(result, own)} ${this.#code(result)}
    `;
  }

  protected cellName([channel, row, column]: Index, shape: readonly number[]): string {
    const words = placeName(row, column);
    return shape[0] > 1 ? `${this.word} ${channel + 1}, ${words}` : words;
  }

  #step(by: number): void {
    const { result } = this;
    if (result instanceof CheckError) {
      this.#player.stop();
      return;
    }
    const shape = this.shapeOf(result);
    this.goTo(result, stepped(within(this.current.cell, shape), shape, by));
  }

  protected goTo(result: Result, index: Index): void {
    this.show({ ...this.current, cell: index });
    this.say(result, index);
  }

  /** Read out the arithmetic of a cell. */
  protected say(result: Result, index: Index): void {
    this.announce(`${this.cellName(index, this.shapeOf(result))}: ${this.tell(result, index)}`);
  }

  protected figure(caption: string, model: GridModel, on: GridActions = {}): TemplateResult {
    const told =
      <T>(act: ((detail: T) => void) | undefined) =>
      (event: CustomEvent<T>) =>
        act?.(event.detail);
    return html`<figure>
      <figcaption>${caption}</figcaption>
      <div class="scroll">
        <cnnref-grid
          .model=${model}
          .marks=${on.marks ?? NO_MARKS}
          @cell-edit=${told(on.edit)}
          @cell-focus=${told(on.focus)}
          @cell-choose=${told(on.choose)}
          @cell-hover=${told(on.hover)}
          @cell-blur=${told(on.blur)}
          @cell-refused=${() => {
            this.message =
              "That is not a number this cell can hold. Use at most 6 digits before the point and 4 after it.";
          }}
        ></cnnref-grid>
      </div>
    </figure>`;
  }

  #solution(result: Result, own: Index): TemplateResult {
    const copies = {
      "Copy as text": () => toText(this.document(result)),
      "Copy as LaTeX": () => toLatex(this.document(result)),
      "Copy this cell as text": () => toText(this.document(result, [own])),
      "Copy this cell as LaTeX": () => toLatex(this.document(result, [own])),
    };
    // A folded solution is not rendered: for a large input it would cost more than everything else.
    const inside = () =>
      html`<div class="bar">
          ${Object.entries(copies).map(([words, text]) =>
            this.button(words, () => void this.copy(text(), "The solution is")),
          )}
        </div>
        <pre tabindex="0" role="group" aria-label="Worked solution">
${toText(this.document(result))}</pre>`;
    return html`<details @toggle=${(event: ToggleEvent) => (this.solutionOpen = isOpen(event))}>
      <summary>The whole worked solution</summary>
      ${this.solutionOpen ? inside() : nothing}
    </details>`;
  }

  #code(result: Result): TemplateResult {
    const inside = () =>
      Object.entries(this.snippets(result)).map(
        ([title, code]) =>
          html`<div class="bar">
              <h4>${title}</h4>
              ${this.button(`Copy ${title}`, () => void this.copy(code, "The code is"))}
            </div>
            <pre tabindex="0" role="group" aria-label="Code, ${title}">${code}</pre>`,
      );
    return html`<details @toggle=${(event: ToggleEvent) => (this.codeOpen = isOpen(event))}>
      <summary>The same as code</summary>
      ${this.codeOpen ? inside() : nothing}
    </details>`;
  }
}

const isOpen = (event: Event): boolean => (event.target as HTMLDetailsElement).open;
