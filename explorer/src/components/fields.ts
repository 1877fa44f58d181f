// Fields for settings: whole numbers with a label, and the message of an error next to their group.

import { html, nothing } from "lit";
import type { TemplateResult } from "lit";
import { live } from "lit/directives/live.js";

import { valueError } from "../arithmetic/errors.ts";
import type { CheckError } from "../arithmetic/errors.ts";
import { LIMITS } from "../state/codec.ts";

export interface NumberField {
  label: string;
  value: number | null;
  min: number;
  max: number;
  set: (value: number) => void;
}

/** Settings that belong together, and the error that one of them causes. */
export interface FieldGroup {
  legend: string;
  /** The arguments of cnnref whose errors are shown here. */
  about: readonly string[];
  content: readonly (NumberField | TemplateResult)[];
}

const isNumber = (item: NumberField | TemplateResult): item is NumberField => "set" in item;

/** A group of fields; `refuse` is called with a number that a field cannot accept. */
export function fieldGroup(
  group: FieldGroup,
  error: CheckError | null,
  refuse: (error: CheckError) => void,
): TemplateResult {
  const wrong = error !== null && group.about.includes(error.argument);
  const id = `error-${group.legend.toLowerCase().replace(/\W+/g, "-")}`;
  return html`<fieldset>
    <legend>${group.legend}</legend>
    ${group.content.map((item) =>
      isNumber(item) ? numberField(item, wrong ? id : null, group.about[0], refuse) : item,
    )}
    ${wrong ? html`<p class="error" id=${id}>${error.message}</p>` : nothing}
  </fieldset>`;
}

/** What a field shows: the state's value, or the typed text while it is invalid. */
export const typed = (value: string, wrong: boolean): unknown => (wrong ? value : live(value));

function numberField(
  field: NumberField,
  errorId: string | null,
  argument: string,
  refuse: (error: CheckError) => void,
): TemplateResult {
  const onChange = (event: Event) => {
    const input = event.target as HTMLInputElement;
    const value = input.value.trim() === "" ? NaN : Number(input.value);
    if (Number.isInteger(value) && value >= field.min && value <= field.max) {
      field.set(value);
    } else {
      refuse(
        valueError(
          argument,
          `${field.label} (${input.value || "empty"}) must be a whole number from ${field.min} to ${field.max}`,
        ),
      );
    }
  };
  return html`<label>
    ${field.label}
    <input
      type="number"
      inputmode="numeric"
      min=${field.min}
      max=${field.max}
      .value=${typed(field.value === null ? "" : String(field.value), errorId !== null)}
      aria-invalid=${errorId ? "true" : nothing}
      aria-describedby=${errorId ?? nothing}
      @change=${onChange}
    />
  </label>`;
}

/** A setting of an operation, which checks it; the field only limits its size. */
export const setting = (
  label: string,
  value: number | null,
  set: (value: number) => void,
): NumberField => ({ label, value, min: -LIMITS.setting, max: LIMITS.setting, set });

export const size = (
  label: string,
  value: number,
  max: number,
  set: (value: number) => void,
): NumberField => ({ label, value, min: 1, max, set });

export function menu<T extends string>(
  label: string,
  value: T,
  choices: Readonly<Record<T, string>>,
  set: (value: T) => void,
): TemplateResult {
  return html`<label>
    ${label}
    <select @change=${(event: Event) => set((event.target as HTMLSelectElement).value as T)}>
      ${Object.entries<string>(choices).map(
        ([name, words]) => html`<option value=${name} .selected=${name === value}>${words}</option>`,
      )}
    </select>
  </label>`;
}

export const checkbox = (
  label: string,
  checked: boolean,
  set: (checked: boolean) => void,
): TemplateResult =>
  html`<label class="inline">
    <input
      type="checkbox"
      .checked=${checked}
      @change=${(event: Event) => set((event.target as HTMLInputElement).checked)}
    />
    ${label}
  </label>`;
