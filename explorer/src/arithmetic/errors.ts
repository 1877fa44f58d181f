// Errors of the same kind and about the same argument as those of cnnref. The words are the page's own:
// the argument, its value, the rule and the remedy, as a sentence without its full stop.

export type ErrorKind = "TypeError" | "ValueError";

/** A setting that cannot be computed. `argument` is the name of the one that can fix it. */
export class CheckError extends Error {
  readonly kind: ErrorKind;
  readonly argument: string;

  constructor(kind: ErrorKind, argument: string, message: string) {
    super(message);
    this.name = "CheckError";
    this.kind = kind;
    this.argument = argument;
  }
}

export const valueError = (argument: string, message: string): CheckError =>
  new CheckError("ValueError", argument, message);

export const typeError = (argument: string, message: string): CheckError =>
  new CheckError("TypeError", argument, message);

/** A value in parentheses, as it follows the name of its argument; equal numbers are shown as one. */
export function given(value: unknown): string {
  const [first, ...others] = Array.isArray(value) ? (value.flat() as unknown[]) : [];
  if (Number.isInteger(first) && others.length && others.every((n) => n === first)) {
    return `(${String(first)})`;
  }
  return Array.isArray(value) ? repr(value) : `(${repr(value)})`;
}

/** Write a value as Python's `repr` does; an array is written as a tuple. */
export function repr(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "string") return `'${value}'`;
  if (Array.isArray(value)) {
    return value.length === 1 ? `(${repr(value[0])},)` : `(${value.map(repr).join(", ")})`;
  }
  return String(value);
}
