// Cells of the grids, and the small matrices and keys next to them.

import { html } from "lit";
import type { TemplateResult } from "lit";

import { show } from "../arithmetic/numbers.ts";
import type { GridCell } from "./grid.ts";

/** A result as the worked solution shows it. */
export const numberText = (value: number, whole: boolean): string => show(value, whole).text;

export const placeName = (row: number, column: number): string =>
  `row ${row + 1}, column ${column + 1}`;

/** A cell and its name: its place, its number, and what is special about it. */
export const cell = (
  place: string,
  text: string,
  looks: string,
  options: { editable?: boolean; notes?: readonly string[] } = {},
): GridCell => ({
  text,
  looks,
  name: [place, text, ...(options.notes ?? [])].join(", "),
  editable: options.editable ?? false,
});

/** Terms of a sum; a negative one in brackets. */
export const sumText = (terms: readonly string[]): string =>
  terms.map((term, i) => (i && term.startsWith("-") ? `(${term})` : term)).join(" + ");

/** A matrix that is only looked at. */
export function matrix(
  label: string,
  rows: readonly (readonly string[])[],
  looks: (row: number, column: number) => string = () => "",
): TemplateResult {
  return html`<table class="matrix" aria-label=${label}>
    ${rows.map(
      (row, i) =>
        html`<tr>
          ${row.map((text, j) => html`<td class=${looks(i, j)}>${text}</td>`)}
        </tr>`,
    )}
  </table>`;
}

/** What the looks of the cells mean. */
export const keyOf = (entries: readonly (readonly [looks: string, words: string])[]): TemplateResult =>
  html`<ul class="key">
    ${entries.map(
      ([looks, words]) =>
        html`<li><span class="cells"><span class="swatch ${looks}">1</span></span> ${words}</li>`,
    )}
  </ul>`;
