// Errors with the words of cnnref: the argument, its value and the rule.

export type ErrorKind = "TypeError" | "ValueError";

/** A setting that cannot be computed. `argument` is the field that can mend it. */
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

/** Write a value as Python's `repr` does; an array stands for a tuple. */
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
