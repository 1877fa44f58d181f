// A grid of numbers: a real grid to a screen reader, moved through with the arrow keys, its cells
// edited in place. It changes only what changed, so that large inputs stay quick.

import { parseNumber } from "../state/codec.ts";

export interface GridCell {
  text: string;
  /** What a screen reader says about the cell: its place, its number, and what is special about it. */
  name: string;
  /** The looks that go with the number. */
  looks: string;
  editable: boolean;
}

export interface GridModel {
  label: string;
  cells: readonly (readonly GridCell[])[];
}

/** Looks that come and go with the step: `row,column` to class names. */
export type Marks = ReadonlyMap<string, string>;

export const at = (row: number, column: number): string => `${row},${column}`;

export interface CellEdit {
  row: number;
  column: number;
  value: number;
}

export interface CellPlace {
  row: number;
  column: number;
}

const MOVES: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

const CELL = document.createElement("td");
CELL.setAttribute("role", "gridcell");
CELL.tabIndex = -1;

export class Grid extends HTMLElement {
  #model: GridModel = { label: "", cells: [] };
  #marks: Marks = new Map();
  #table: HTMLTableElement | null = null;
  #cells: HTMLTableCellElement[][] = [];
  #stop: CellPlace = { row: 0, column: 0 };
  #editor: HTMLInputElement | null = null;
  #hovered: HTMLTableCellElement | null = null;

  set model(model: GridModel) {
    const old = this.#model;
    this.#model = model;
    if (!this.#table || shape(old) !== shape(model)) this.#build();
    else this.#refresh(old);
    this.#table?.setAttribute("aria-label", model.label);
  }

  set marks(marks: Marks) {
    const old = this.#marks;
    this.#marks = marks;
    const inUse = this.#table?.contains(activeIn(this)) ?? false;
    for (const key of new Set([...old.keys(), ...marks.keys()])) {
      const [row, column] = key.split(",").map(Number);
      this.#look(row, column);
      // Tab enters the grid at the current cell of the steps.
      if (!inUse && marks.get(key)?.includes("current")) this.moveTo(row, column);
    }
  }

  /** The one cell that Tab stops at. */
  get stop(): HTMLTableCellElement {
    return this.#cells[this.#stop.row][this.#stop.column];
  }

  moveTo(row: number, column: number): void {
    if (!this.#cells[row]?.[column]) return;
    this.stop.tabIndex = -1;
    this.#stop = { row, column };
    this.stop.tabIndex = 0;
  }

  #build(): void {
    const table = document.createElement("table");
    table.className = "cells";
    table.setAttribute("role", "grid");
    const body = table.createTBody();
    this.#cells = this.#model.cells.map((line) => {
      const row = document.createElement("tr");
      row.setAttribute("role", "row");
      // Cloning is the fastest way to make thousands of cells.
      const cells = line.map(() => CELL.cloneNode() as HTMLTableCellElement);
      row.append(...cells);
      body.append(row);
      return cells;
    });
    this.#editor = null;
    this.#hovered = null;
    this.#table = table;
    this.#stop = { row: 0, column: 0 };
    this.stop.tabIndex = 0;
    for (const row of this.#cells.keys()) {
      for (const column of this.#cells[row].keys()) this.#write(row, column);
    }
    table.addEventListener("keydown", (event) => this.#onKey(event));
    table.addEventListener("focusin", (event) => this.#onFocus(event));
    table.addEventListener("focusout", (event) => this.#onBlur(event));
    table.addEventListener("click", (event) => this.#onClick(event));
    table.addEventListener("pointerover", (event) => this.#onHover(event));
    table.addEventListener("pointerleave", () => this.#hover(null));
    this.replaceChildren(table);
  }

  #refresh(old: GridModel): void {
    for (const [row, line] of this.#model.cells.entries()) {
      for (const [column, cell] of line.entries()) {
        const before = old.cells[row][column];
        if (cell.text !== before.text || cell.name !== before.name || cell.looks !== before.looks) {
          this.#write(row, column);
        }
      }
    }
  }

  #write(row: number, column: number): void {
    const { text, name, editable } = this.#model.cells[row][column];
    const cell = this.#cells[row][column];
    cell.textContent = text;
    cell.setAttribute("aria-label", name);
    if (editable) cell.removeAttribute("aria-readonly");
    else cell.setAttribute("aria-readonly", "true");
    this.#look(row, column);
  }

  #look(row: number, column: number): void {
    const cell = this.#cells[row]?.[column];
    if (!cell) return;
    const mark = this.#marks.get(at(row, column)) ?? "";
    cell.className = `${this.#model.cells[row][column].looks} ${mark}`.trim();
    if (mark.includes("current")) cell.setAttribute("aria-selected", "true");
    else cell.removeAttribute("aria-selected");
  }

  #placeOf(target: EventTarget | null): CellPlace | null {
    const cell = target instanceof Element ? target.closest("td") : null;
    if (!cell) return null;
    return { row: (cell.parentElement as HTMLTableRowElement).rowIndex, column: cell.cellIndex };
  }

  #onKey(event: KeyboardEvent): void {
    if (this.#editor) {
      this.#onEditorKey(event, this.#editor);
      return;
    }
    const { row, column } = this.#stop;
    const [rows, columns] = [this.#cells.length, this.#cells[0].length];
    const move = MOVES[event.key];
    if (move && !event.ctrlKey && !event.metaKey && !event.altKey) {
      this.#choose(row + move[0], column + move[1]);
    } else if (event.key === "Home") {
      this.#choose(event.ctrlKey ? 0 : row, 0);
    } else if (event.key === "End") {
      this.#choose(event.ctrlKey ? rows - 1 : row, columns - 1);
    } else if (event.key === "Enter" || event.key === "F2") {
      this.#choose(row, column);
      this.#edit(row, column, null);
    } else if (/^[-.\d]$/.test(event.key) && !event.ctrlKey && !event.metaKey) {
      this.#edit(row, column, event.key);
    } else {
      return;
    }
    event.preventDefault();
  }

  #focus(row: number, column: number): void {
    if (!this.#cells[row]?.[column]) return;
    this.moveTo(row, column);
    this.stop.focus();
  }

  /** Go to a cell on purpose; Tab only passes through. */
  #choose(row: number, column: number): void {
    if (!this.#cells[row]?.[column]) return;
    this.#focus(row, column);
    this.#tell("cell-choose", { row, column });
  }

  #onFocus(event: FocusEvent): void {
    const place = this.#placeOf(event.target);
    if (!place || event.target === this.#editor) return;
    this.moveTo(place.row, place.column);
    this.#tell("cell-focus", place);
  }

  #onBlur(event: FocusEvent): void {
    if (event.target === this.#editor) this.#commit();
    else if (!this.contains(event.relatedTarget as Node | null)) this.#tell("cell-blur", null);
  }

  #onClick(event: MouseEvent): void {
    const place = this.#placeOf(event.target);
    if (!place || event.target === this.#editor) return;
    this.#choose(place.row, place.column);
    this.#edit(place.row, place.column, null);
  }

  #onHover(event: PointerEvent): void {
    const cell = event.target instanceof Element ? event.target.closest("td") : null;
    if (cell !== this.#hovered) this.#hover(cell);
  }

  #hover(cell: HTMLTableCellElement | null): void {
    this.#hovered = cell;
    this.#tell("cell-hover", this.#placeOf(cell));
  }

  /** Open a field in the cell, with its number, or with what was typed. */
  #edit(row: number, column: number, typed: string | null): void {
    const model = this.#model.cells[row][column];
    if (!model.editable || this.#editor) return;
    const editor = document.createElement("input");
    editor.type = "text";
    editor.inputMode = "decimal";
    editor.autocomplete = "off";
    editor.setAttribute("aria-label", `New value for ${model.name}`);
    editor.value = typed ?? model.text;
    this.#cells[row][column].append(editor);
    this.#editor = editor;
    editor.focus();
    if (typed === null) editor.select();
  }

  #onEditorKey(event: KeyboardEvent, editor: HTMLInputElement): void {
    const { row, column } = this.#stop;
    if (event.key === "Escape") {
      this.#close();
      this.#focus(row, column);
    } else if (event.key === "Enter" || event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (parseNumber(editor.value.trim()) === null) {
        editor.setAttribute("aria-invalid", "true");
        this.#tell("cell-refused", { row, column });
      } else {
        this.#commit();
        const step = { Enter: 0, ArrowDown: 1, ArrowUp: -1 }[event.key];
        this.#focus(Math.min(Math.max(row + step, 0), this.#cells.length - 1), column);
      }
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Accept the number; a text that is not a number leaves the cell unchanged. */
  #commit(): void {
    if (!this.#editor) return;
    const value = parseNumber(this.#editor.value.trim());
    const place = this.#stop;
    this.#close();
    if (value === null) this.#tell("cell-refused", place);
    else if (String(value) !== this.#model.cells[place.row][place.column].text) {
      this.#tell("cell-edit", { ...place, value });
    }
  }

  #close(): void {
    const editor = this.#editor;
    // First: removing the field makes it lose the focus, which would commit it again.
    this.#editor = null;
    editor?.remove();
  }

  #tell(name: string, detail: CellPlace | CellEdit | null): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

const activeIn = (element: Element): Element | null =>
  (element.getRootNode() as Document | ShadowRoot).activeElement;

const shape = (model: GridModel): string => `${model.cells.length}x${model.cells[0]?.length ?? 0}`;

customElements.define("cnnref-grid", Grid);
