// Argument checks: the rules and the wording of cnnref/ops/_checks.py, in the same order.

import { repr, typeError, valueError } from "./errors.ts";

/** (height, width). */
export type Pair = readonly [number, number];
/** ((top, bottom), (left, right)). */
export type Sides = readonly [Pair, Pair];

export const AXES = ["height", "width"] as const;

export function asInt(value: unknown, name: string, minimum: number): number {
  if (typeof value === "boolean") {
    throw typeError(name, `\`${name}\` (=${repr(value)}) must be an integer, not a bool`);
  }
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw typeError(name, `\`${name}\` (=${repr(value)}) must be an integer`);
  }
  if (value < minimum) {
    throw valueError(name, `\`${name}\` (=${value}) must be at least ${minimum}`);
  }
  return value;
}

export function asPair(value: unknown, name: string, minimum: number): Pair {
  if (!Array.isArray(value)) {
    const number = asInt(value, name, minimum);
    return [number, number];
  }
  if (value.length !== 2) {
    throw valueError(name, `\`${name}\` (=${repr(value)}) must be an int or a (height, width) pair`);
  }
  return [asInt(value[0], name, minimum), asInt(value[1], name, minimum)];
}

/** Numeric padding as four sides: a number, a pair, or ((top, bottom), (left, right)). */
export function asSides(value: unknown): Sides {
  if (Array.isArray(value)) {
    const nested = value.filter((item) => Array.isArray(item)).length;
    if (value.length === 2 && nested === 2) {
      return [asPair(value[0], "padding", 0), asPair(value[1], "padding", 0)];
    }
    if (value.length !== 2 || nested > 0) {
      throw valueError(
        "padding",
        `\`padding\` (=${repr(value)}) must be an int, a (height, width) pair ` +
          "or ((top, bottom), (left, right))",
      );
    }
  }
  const [height, width] = asPair(value, "padding", 0);
  return [
    [height, height],
    [width, width],
  ];
}

/** Padding of a convolution: numbers, "valid" or "same". An odd pixel goes to the end. */
export function asPadding(value: unknown, kernel: Pair, stride: Pair, dilation: Pair): Sides {
  if (typeof value !== "string") return asSides(value);
  if (value === "valid") {
    return [
      [0, 0],
      [0, 0],
    ];
  }
  if (value === "same") {
    if (stride[0] !== 1 || stride[1] !== 1) {
      throw valueError(
        "padding",
        `\`padding\` (='same') needs \`stride\` 1, not ${repr(stride)}: with a larger stride the ` +
          "padding depends on the input size; see `cnnref.same_padding`",
      );
    }
    const sides = ([0, 1] as const).map((axis): Pair => {
      const total = dilation[axis] * (kernel[axis] - 1);
      return [Math.floor(total / 2), total - Math.floor(total / 2)];
    });
    return [sides[0], sides[1]];
  }
  throw valueError("padding", `\`padding\` (=${repr(value)}) must be 'valid', 'same' or numbers`);
}

export function asFlag(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw typeError(name, `\`${name}\` (=${repr(value)}) must be True or False`);
}

/** How many pixels lie between the first and the last cell of a window, both included. */
export const reachOf = (kernel: number, dilation: number): number => dilation * (kernel - 1) + 1;

/** How many windows fit along one axis. */
export function outputLength(
  size: number,
  kernel: number,
  stride: number,
  padding: Pair,
  dilation: number,
  axis: string,
): number {
  const padded = size + padding[0] + padding[1];
  const reach = reachOf(kernel, dilation);
  if (reach > padded) {
    throw valueError(
      "kernel_size",
      `the window reaches ${reach} pixels in ${axis} (\`kernel_size\` ${kernel}, \`dilation\` ` +
        `${dilation}) but the padded input has only ${padded}`,
    );
  }
  return Math.floor((padded - reach) / stride) + 1;
}
