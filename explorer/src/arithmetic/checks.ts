// Argument checks: the rules of cnnref/_checks.py, in the same order.

import { given, repr, typeError, valueError } from "./errors.ts";

/** (height, width). */
export type Pair = readonly [number, number];
/** ((top, bottom), (left, right)). */
export type Sides = readonly [Pair, Pair];

export const AXES = ["height", "width"] as const;

export function asInt(value: unknown, name: string, minimum: number): number {
  if (typeof value === "boolean") {
    throw typeError(name, `\`${name}\` ${given(value)} must be a whole number, not true or false`);
  }
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw typeError(name, `\`${name}\` ${given(value)} must be a whole number`);
  }
  if (value < minimum) {
    throw valueError(name, `\`${name}\` (${value}) must be at least ${minimum}`);
  }
  return value;
}

export function asPair(value: unknown, name: string, minimum: number): Pair {
  if (!Array.isArray(value)) {
    const number = asInt(value, name, minimum);
    return [number, number];
  }
  if (value.length !== 2) {
    throw valueError(name, `\`${name}\` ${given(value)} must be one number, or a pair: height, width`);
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
        `\`padding\` ${given(value)} must be one number, a pair (height, width), or four sides ` +
          "((top, bottom), (left, right))",
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
        `\`padding\` ('same') works only with \`stride\` 1, not ${repr(stride)}: with a larger ` +
          "stride, give the padding as numbers",
      );
    }
    const sides = ([0, 1] as const).map((axis): Pair => {
      const total = dilation[axis] * (kernel[axis] - 1);
      return [Math.floor(total / 2), total - Math.floor(total / 2)];
    });
    return [sides[0], sides[1]];
  }
  throw valueError("padding", `\`padding\` ${given(value)} must be 'valid', 'same' or numbers`);
}

export function asFlag(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw typeError(name, `\`${name}\` ${given(value)} must be true or false`);
}

/** How many pixels a window spans, from its first to its last cell. */
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
      dilation > 1
        ? `\`kernel_size\` (${kernel}) with \`dilation\` (${dilation}) spans ${reach} pixels in ` +
            `${axis}, but the padded input has only ${padded}: use a smaller window or more padding`
        : `\`kernel_size\` (${kernel}) is larger in ${axis} than the padded input (${padded}): use a ` +
            "smaller window or more padding",
    );
  }
  return Math.floor((padded - reach) / stride) + 1;
}
