// A stack of layers as a reader types it: one layer per line, a word and its numbers.

import type { Layer, Shape } from "../arithmetic/layers.ts";
import { LinkError } from "./codec.ts";
import type { Codec } from "./link.ts";

/** What one kind of row takes, in written order. */
interface Kind {
  /** What the layer is called in a menu. */
  title: string;
  /** Numbers that must be given. */
  needs: readonly string[];
  /** Named settings that may be given. */
  options: readonly string[];
  /** Words that may be given. */
  flags: readonly string[];
}

const kind = (
  title: string,
  needs: readonly string[] = [],
  options: readonly string[] = [],
  flags: readonly string[] = [],
): Kind => ({ title, needs, options, flags });

export const KINDS = {
  conv: kind(
    "convolution",
    ["filters", "kernel"],
    ["stride", "padding", "dilation", "groups"],
    ["nobias"],
  ),
  transposed: kind(
    "transposed convolution",
    ["filters", "kernel"],
    ["stride", "padding", "extra", "dilation", "groups"],
    ["nobias"],
  ),
  maxpool: kind("max pooling", ["kernel"], ["stride", "padding", "dilation"], ["ceil"]),
  avgpool: kind("average pooling", ["kernel"], ["stride", "padding"], ["ceil"]),
  inception: kind("inception block", [
    "1×1",
    "before 3×3",
    "3×3",
    "before 5×5",
    "5×5",
    "after pool",
  ]),
  residual: kind("residual block", ["filters"], ["stride"], ["project"]),
  batchnorm: kind("batch norm"),
  relu: kind("ReLU"),
  tanh: kind("tanh"),
  globalavgpool: kind("global average pooling"),
  flatten: kind("flatten"),
  linear: kind("linear", ["features"], [], ["nobias"]),
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;

/** One line of the text. Values are kept as they were typed: `3`, `3x5`, `same`. */
export interface Row {
  readonly kind: KindName;
  readonly values: Readonly<Record<string, string>>;
  readonly flags: readonly string[];
}

export interface Stack {
  readonly input: Shape;
  readonly rows: readonly Row[];
}

/** A text that is not a stack, and the line that is wrong, counted from 1. */
export class StackError extends LinkError {
  readonly line: number;
  readonly reason: string;

  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`);
    this.line = line;
    this.reason = reason;
  }
}

export const MAX_ROWS = 80;
/** A number, a pair, four sides. */
const VALUE = /^(\d{1,6}(x\d{1,6}){0,3}|same|valid)$/;

/** The values a new row begins with. */
export function newRow(name: KindName): Row {
  const first: Record<string, string> = { filters: "16", kernel: "3", features: "10" };
  const values = Object.fromEntries(KINDS[name].needs.map((need) => [need, first[need] ?? "16"]));
  return { kind: name, values, flags: [] };
}

export function parseStack(text: string): Stack {
  const lines = text.split("\n").map((line) => line.trim().replace(/\s+/g, " "));
  const written = lines.flatMap((line, i) => (line ? [{ line, number: i + 1 }] : []));
  const [first, ...others] = written;
  const input = /^input (\d{1,6}(?:x\d{1,6}){2}|\d{1,6})$/.exec(first?.line ?? "");
  if (!input) {
    throw new StackError(first?.number ?? 1, "begin with the shape of the input, for example input 3x224x224");
  }
  if (others.length > MAX_ROWS) {
    throw new StackError(others[MAX_ROWS].number, `the explorer takes at most ${MAX_ROWS} layers`);
  }
  return {
    input: input[1].split("x").map(Number),
    rows: others.map(({ line, number }) => parseRow(line, number)),
  };
}

const isKind = (word: string): word is KindName => Object.hasOwn(KINDS, word);

function parseRow(line: string, number: number): Row {
  const [name, ...words] = line.split(" ");
  if (!isKind(name)) {
    throw new StackError(number, `there is no such layer; use one of ${Object.keys(KINDS).join(", ")}`);
  }
  const { needs, options, flags }: Kind = KINDS[name];
  const row = { kind: name, values: {} as Record<string, string>, flags: [] as string[] };
  for (const need of needs) {
    const word = words.shift();
    if (word === undefined || !VALUE.test(word)) {
      throw new StackError(number, `${name} needs numbers of at most 6 digits for ${needs.join(", ")}`);
    }
    row.values[need] = word;
  }
  while (words.length) {
    const word = words.shift() as string;
    if (flags.includes(word) && !row.flags.includes(word)) {
      row.flags.push(word);
    } else if (options.includes(word) && !(word in row.values)) {
      const value = words.shift();
      if (value === undefined || !VALUE.test(value)) {
        throw new StackError(number, `${word} needs a number, for example ${word} 2`);
      }
      row.values[word] = value;
    } else {
      const known = [...options, ...flags].join(", ");
      throw new StackError(
        number,
        known
          ? `after its numbers, ${name} takes each of ${known} at most once`
          : `${name} takes no further settings`,
      );
    }
  }
  return row;
}

export function writeStack({ input, rows }: Stack): string {
  return [`input ${input.join("x")}`, ...rows.map(writeRow)].join("\n");
}

function writeRow(row: Row): string {
  const { needs, options, flags }: Kind = KINDS[row.kind];
  return [
    row.kind,
    ...needs.map((need) => row.values[need]),
    ...options.flatMap((option) => (option in row.values ? [option, row.values[option]] : [])),
    ...flags.filter((flag) => row.flags.includes(flag)),
  ].join(" ");
}

/** In a link, `_` means a space and `~` a new line. */
export const stackCodec: Codec<Stack> = {
  key: "shapes",
  encode: (stack) => writeStack(stack).replaceAll(" ", "_").replaceAll("\n", "~"),
  decode: (text) => {
    if (!/^[a-z0-9_~]+$/.test(text)) throw new LinkError("it has a character that no layer uses");
    return parseStack(text.replaceAll("_", " ").replaceAll("~", "\n"));
  },
};

/** A typed value as an argument: a number, a pair, four sides, or a word. */
function argument(text: string): unknown {
  if (!/^\d/.test(text)) return text;
  const numbers = text.split("x").map(Number);
  if (numbers.length === 1) return numbers[0];
  return numbers.length === 4 ? [numbers.slice(0, 2), numbers.slice(2)] : numbers;
}

/** The layer that a row describes; a block becomes the branches it is made of. */
export function layerOf(row: Row): Layer {
  const get = (name: string, otherwise: unknown): unknown =>
    name in row.values ? argument(row.values[name]) : otherwise;
  const has = (flag: string): boolean => row.flags.includes(flag);
  const bias = !has("nobias");
  switch (row.kind) {
    case "conv":
      return {
        kind: "conv",
        out_channels: get("filters", null),
        kernel_size: get("kernel", null),
        stride: get("stride", 1),
        padding: get("padding", 0),
        dilation: get("dilation", 1),
        groups: get("groups", 1),
        bias,
      };
    case "transposed":
      return {
        kind: "transposed",
        out_channels: get("filters", null),
        kernel_size: get("kernel", null),
        stride: get("stride", 1),
        padding: get("padding", 0),
        output_padding: get("extra", 0),
        groups: get("groups", 1),
        bias,
        dilation: get("dilation", 1),
      };
    case "maxpool":
    case "avgpool":
      return {
        kind: "pool",
        mode: row.kind === "maxpool" ? "max" : "avg",
        kernel_size: get("kernel", null),
        stride: get("stride", null),
        padding: get("padding", 0),
        dilation: get("dilation", 1),
        ceil_mode: has("ceil"),
      };
    case "inception":
      return inception(KINDS.inception.needs.map((need) => get(need, null)));
    case "residual":
      return residual(get("filters", null), get("stride", 1), has("project"));
    case "linear":
      return { kind: "linear", out_features: get("features", null), bias };
    case "relu":
    case "tanh":
      return { kind: "activation", function: row.kind };
    case "batchnorm":
      return { kind: "batch_norm" };
    case "globalavgpool":
      return { kind: "global_avg_pool" };
    case "flatten":
      return { kind: "flatten" };
  }
}

const RELU: Layer = { kind: "activation", function: "relu" };

function conv(filters: unknown, kernel: number, settings: { stride?: unknown; bias: boolean }): Layer {
  return {
    kind: "conv",
    out_channels: filters,
    kernel_size: kernel,
    stride: settings.stride ?? 1,
    padding: (kernel - 1) / 2,
    dilation: 1,
    groups: 1,
    bias: settings.bias,
  };
}

/** GoogLeNet's block: four paths side by side, 1×1 convolutions before the larger ones. */
function inception([one, before3, three, before5, five, pool]: unknown[]): Layer {
  const step = (filters: unknown, kernel: number) => [conv(filters, kernel, { bias: true }), RELU];
  const pooling: Layer = {
    kind: "pool",
    mode: "max",
    kernel_size: 3,
    stride: 1,
    padding: 1,
    dilation: 1,
    ceil_mode: false,
  };
  return {
    kind: "branches",
    name: "inception",
    join: "concat",
    paths: [
      step(one, 1),
      [...step(before3, 1), ...step(three, 3)],
      [...step(before5, 1), ...step(five, 5)],
      [pooling, ...step(pool, 1)],
    ],
  };
}

/** ResNet's basic block: two 3×3 convolutions, and a shortcut, projected by a 1×1 if asked. */
function residual(filters: unknown, stride: unknown, project: boolean): Layer {
  const normalised = (kernel: number, step: unknown): Layer[] => [
    conv(filters, kernel, { stride: step, bias: false }),
    { kind: "batch_norm" },
  ];
  return {
    kind: "branches",
    name: "residual",
    join: "sum",
    paths: [
      [...normalised(3, stride), RELU, ...normalised(3, 1)],
      project ? normalised(1, stride) : [],
    ],
  };
}
