// The fields of a padding: one number, one a direction, one a side, or by name.

import type { Sides } from "../arithmetic/checks.ts";
import type { PaddingSetting } from "../state/codec.ts";
import { menu, setting } from "./fields.ts";
import type { FieldGroup } from "./fields.ts";

type Form = "number" | "pair" | "sides" | "same" | "valid";

const FORMS: Readonly<Record<Form, string>> = {
  number: "all sides alike",
  pair: "down and across",
  sides: "each side",
  same: "“same”",
  valid: "“valid”: none",
};

function formOf(padding: PaddingSetting): Form {
  if (typeof padding === "string") return padding;
  if (typeof padding === "number") return "number";
  return typeof padding[0] === "number" ? "pair" : "sides";
}

/** The four sides that a setting means, if it names them itself. */
function sidesOf(padding: PaddingSetting): Sides {
  const form = formOf(padding);
  if (form === "sides") return padding as Sides;
  const [down, across] =
    form === "pair" ? (padding as [number, number]) : form === "number" ? [padding, padding] : [0, 0];
  return [
    [down as number, down as number],
    [across as number, across as number],
  ];
}

/** Write the same padding in another form, as closely as that form allows. */
function toForm(padding: PaddingSetting, form: Form): PaddingSetting {
  const sides = sidesOf(padding);
  switch (form) {
    case "number":
      return sides[0][0];
    case "pair":
      return [sides[0][0], sides[1][0]];
    case "sides":
      return sides;
    case "same":
    case "valid":
      return form;
  }
}

export function paddingFields(
  padding: PaddingSetting,
  set: (padding: PaddingSetting) => void,
): FieldGroup["content"] {
  const form = formOf(padding);
  const [[top, bottom], [left, right]] = sidesOf(padding);
  const side = (t: number, b: number, l: number, r: number): PaddingSetting => [
    [t, b],
    [l, r],
  ];
  const numbers = {
    number: [setting("pixels", top, set)],
    pair: [
      setting("down", top, (value) => set([value, left])),
      setting("across", left, (value) => set([top, value])),
    ],
    sides: [
      setting("top", top, (value) => set(side(value, bottom, left, right))),
      setting("bottom", bottom, (value) => set(side(top, value, left, right))),
      setting("left", left, (value) => set(side(top, bottom, value, right))),
      setting("right", right, (value) => set(side(top, bottom, left, value))),
    ],
    same: [],
    valid: [],
  }[form];
  return [menu("given as", form, FORMS, (next) => set(toForm(padding, next))), ...numbers];
}
